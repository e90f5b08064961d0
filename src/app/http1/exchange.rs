//! Requests that wait for their responses, oldest first.

use crate::app::limits::KEPT;
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
    /// Bytes of its path among [`Exchanges::paths`].
    pub(super) path: usize,
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

/// A path is kept so far: it names the response's file.
const MAX_PATH: usize = 1024;

#[derive(Default)]
pub(super) struct Exchanges {
    waiting: VecDeque<Exchange>,
    /// The waiting requests' paths, one behind the other.
    paths: VecDeque<u8>,
    /// A CONNECT waits for its answer: what the client sends meanwhile belongs to no request yet.
    pub(super) connecting: bool,
}

impl Exchanges {
    /// Beyond `most` the oldest is forgotten, as its transaction is.
    pub(super) fn add(&mut self, exchange: Exchange, path: &[u8], most: usize) {
        while self.waiting.len() >= most.max(1) {
            self.drop_oldest();
        }
        let path = path.get(..MAX_PATH).unwrap_or(path);
        self.paths.extend(path);
        self.waiting.push_back(Exchange { path: path.len(), ..exchange });
    }

    fn drop_oldest(&mut self) -> Option<Exchange> {
        let oldest = self.waiting.pop_front()?;
        self.paths.drain(..oldest.path.min(self.paths.len()));
        Some(oldest)
    }

    /// The path of the oldest.
    pub(super) fn front_path(&self) -> impl Iterator<Item = u8> {
        let length = self.front().map_or(0, |front| front.path);
        self.paths.iter().take(length).copied()
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
        let done = self.drop_oldest();
        self.connecting &= !done.is_some_and(|d| d.connect);
        done
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.paths.clear();
        self.paths.shrink_to(KEPT);
        self.connecting = false;
    }
}
