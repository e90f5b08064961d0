//! EtherNet/IP with CIP (CIP networks library, volumes 1 and 2), over TCP and UDP.
//!
//! Owes a transaction for each request with its answer, which is found by command, session and context; connected data has no
//! context, and is answered in order. An answer whose request was not seen, as that to a broadcast, is one of its own.

mod cip;
mod encapsulation;
mod put;
#[cfg(test)]
mod tests;

use super::clipped::{Clipped, Taken};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Next, Probe, Sink, Transaction, TxId};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use encapsulation::{HEADER_LEN, Header, command, is_known};
use std::collections::VecDeque;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Enip,
    tcp: &[44_818],
    udp: &[44_818],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Enip>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const FRAME: BufferId = context::id("enip.pdu");

/// A message is kept so far; the rest of a longer one is stepped over.
const MAX_MESSAGE: usize = 16 << 10;
/// Requests that wait for an answer; beyond, the oldest is given up.
const MAX_WAITING: usize = 256;
/// So many messages in a row that are none.
const MAX_FAULTY: u8 = 16;
const UDP: u8 = 17;

#[derive(Copy, Clone, Debug)]
struct Waiting {
    tx: TxId,
    command: u16,
    context: [u8; 8],
}

#[derive(Debug, Default)]
struct Enip {
    incoming: PerDir<Clipped>,
    waiting: VecDeque<Waiting>,
    faulty: u8,
}

impl Decoder for Enip {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        if sink.tuple.proto == UDP {
            self.message(dir, bytes, false, sink);
            return Next::More;
        }
        let mut incoming = std::mem::take(&mut self.incoming[dir]);
        let mut rest = bytes;
        while !rest.is_empty() && self.faulty < MAX_FAULTY {
            if let Taken::Whole { cut } = incoming.take(&mut rest, MAX_MESSAGE, encapsulation::frame) {
                self.message(dir, incoming.bytes(), cut, sink);
                incoming.clear();
            }
        }
        self.incoming[dir] = incoming;
        if self.faulty < MAX_FAULTY { Next::More } else { Next::Broken }
    }

    fn gap(&mut self, dir: Dir, missing: u64, _sink: &mut Sink<'_>) -> Next {
        self.incoming[dir].gap(missing);
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        for waiting in &self.waiting {
            if let Some(tx) = sink.tx(waiting.tx) {
                tx.complete(dir);
            }
        }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.incoming[dir].clear());
        self.waiting.clear();
        self.waiting.shrink_to(16);
        self.faulty = 0;
    }
}

impl Enip {
    /// A message, or a datagram; `cut` when not all of it was kept.
    fn message(&mut self, dir: Dir, bytes: &[u8], cut: bool, sink: &mut Sink<'_>) {
        let header = Header::parse(bytes).filter(|header| is_known(header.command));
        let Some(header) = header else {
            self.faulty = self.faulty.saturating_add(1).min(MAX_FAULTY);
            return alone(dir, sink, |tx| {
                tx.put(dir, FRAME, bytes);
                tx.event(dir, "enip.invalid_pdu");
            });
        };
        self.faulty = 0;
        let body = bytes.get(HEADER_LEN..).unwrap_or_default();
        // Datagrams may have more behind a message, and less is no message.
        let body = body.get(..usize::from(header.len).min(body.len())).unwrap_or_default();
        let put = |tx: &mut Transaction| {
            tx.put(dir, FRAME, bytes);
            let sound =
                put::message(tx, dir, &header, body).is_some() && body.len() == usize::from(header.len);
            if !sound && !cut {
                tx.event(dir, "enip.invalid_pdu");
            }
        };
        let answered = !matches!(header.command, command::NOP | command::UNREGISTER_SESSION);
        match (dir, self.answered(&header, dir)) {
            (Dir::ToServer, _) if answered => {
                let Some(id) = sink.open() else { return };
                self.wait(id, &header, sink);
                if let Some(tx) = sink.tx(id) {
                    put(tx);
                    tx.complete(dir);
                }
            }
            (Dir::ToClient, Some(id)) => {
                if let Some(tx) = sink.tx(id) {
                    put(tx);
                    tx.complete(dir);
                }
            }
            _ => alone(dir, sink, put),
        }
    }

    fn wait(&mut self, tx: TxId, header: &Header, sink: &mut Sink<'_>) {
        if self.waiting.len() >= MAX_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            if let Some(old) = sink.tx(oldest.tx) {
                old.complete(Dir::ToClient);
            }
            if let Some(new) = sink.tx(tx) {
                new.event(Dir::ToServer, "enip.too_many_transactions");
            }
        }
        self.waiting.push_back(Waiting { tx, command: header.command, context: header.context });
    }

    /// The request that the server's message answers.
    fn answered(&mut self, header: &Header, dir: Dir) -> Option<TxId> {
        if dir == Dir::ToServer {
            return None;
        }
        let is = |waiting: &Waiting| {
            waiting.command == header.command
                && (header.command == command::SEND_UNIT_DATA || waiting.context == header.context)
        };
        let at = self.waiting.iter().position(is)?;
        self.waiting.remove(at).map(|waiting| waiting.tx)
    }
}

/// A transaction of one message.
fn alone(dir: Dir, sink: &mut Sink<'_>, put: impl FnOnce(&mut Transaction)) {
    if let Some(tx) = sink.open().and_then(|id| sink.tx(id)) {
        tx.only_way(dir);
        put(tx);
        tx.complete(dir);
    }
}

/// A command that there is, a status that there may be, and no options.
fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    let Some(header) = Header::parse(bytes) else {
        let command = bytes.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
        return if command.is_none_or(is_known) { Probe::More } else { Probe::No };
    };
    let status = matches!(header.status, 0..=3 | 0x64 | 0x65 | 0x69 | 0x6a);
    let sound = is_known(header.command) && header.options == 0 && status;
    // What asks has no status.
    let sound = sound && (dir == Dir::ToClient || header.status == 0);
    if sound { Probe::Yes } else { Probe::No }
}
