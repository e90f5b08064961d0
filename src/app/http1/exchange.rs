//! Requests that wait for their responses, oldest first.

use crate::app::transactions::TxId;
use std::collections::VecDeque;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) tx: Option<TxId>,
    /// HEAD: the response has no body.
    pub(super) head: bool,
    pub(super) connect: bool,
    /// The request asked for another protocol.
    pub(super) upgrade: Option<Upgrade>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    Websocket,
    Http2,
    Other,
}

impl Upgrade {
    pub(super) fn of(value: &[u8]) -> Upgrade {
        let has = |word: &[u8]| super::fields::contains(value, word);
        match () {
            () if has(b"websocket") => Upgrade::Websocket,
            () if has(b"h2c") => Upgrade::Http2,
            () => Upgrade::Other,
        }
    }
}

#[derive(Default)]
pub(super) struct Exchanges {
    waiting: VecDeque<Exchange>,
    /// A CONNECT waits for its answer: what the client sends meanwhile belongs to no request yet.
    pub(super) connecting: bool,
}

impl Exchanges {
    /// Beyond `most` the oldest is forgotten, as its transaction is.
    pub(super) fn add(&mut self, exchange: Exchange, most: usize) {
        while self.waiting.len() >= most.max(1) {
            self.waiting.pop_front();
        }
        self.waiting.push_back(exchange);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn front(&self) -> Option<Exchange> {
        self.waiting.front().copied()
    }

    pub(super) fn newest_mut(&mut self) -> Option<&mut Exchange> {
        self.waiting.back_mut()
    }

    /// The oldest was answered.
    pub(super) fn done(&mut self) -> Option<Exchange> {
        let done = self.waiting.pop_front();
        self.connecting &= !done.is_some_and(|d| d.connect);
        done
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.connecting = false;
    }
}
