//! The decoder: both directions' records, and when the session is over for it.

use super::frames;
use super::heartbeat::Heartbeats;
use super::session::Session;
use super::side::{Side, Work};
use crate::app::{Decoder, Next, Sink};
use crate::base::{Dir, PerDir};

/// Records of a handshake that come together; more are an event.
const MANY_RECORDS: usize = 30;

#[derive(Debug, Default)]
pub(super) struct Tls {
    sides: PerDir<Side>,
    session: Session,
    heartbeats: Heartbeats,
}

impl Tls {
    fn read(&mut self, dir: Dir, mut bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut records = 0;
        while !bytes.is_empty() {
            let mut work =
                Work { dir, session: &mut self.session, heartbeats: &mut self.heartbeats, sink: &mut *sink };
            match self.sides[dir].step(&mut bytes, &mut work) {
                Ok(false) => break,
                Ok(true) => {}
                Err(event) => {
                    self.session.event(dir, event, sink);
                    self.session.event(dir, "tls.invalid_ssl_record", sink);
                    return Next::Broken;
                }
            }
            records += usize::from(!self.sides[dir].encrypted);
            if records == MANY_RECORDS + 1 {
                self.session.event(dir, "tls.too_many_records_in_packet", sink);
            }
            if self.sides[dir].over {
                return self.rest();
            }
            if self.is_over(sink) {
                return Next::Stop;
            }
        }
        Next::More
    }

    /// Whether nothing more can be learned. That of TLS goes on for whoever watches its records.
    fn is_over(&mut self, sink: &Sink<'_>) -> bool {
        self.session.done |= Dir::BOTH.into_iter().all(|dir| self.sides[dir].is_opaque());
        // Whoever only said that data would be encrypted may still send something else.
        let begun = Dir::BOTH.into_iter().any(|dir| self.sides[dir].data || self.sides[dir].lost);
        self.session.done && begun && !self.session.heartbeats && !frames::are_wanted(sink.wanted())
    }

    /// A direction speaks encrypted SSL 2.0.
    fn rest(&mut self) -> Next {
        self.session.done |= Dir::BOTH.into_iter().all(|dir| self.sides[dir].is_opaque());
        if self.session.done { Next::Stop } else { Next::More }
    }
}

impl Decoder for Tls {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let side = &mut self.sides[dir];
        if side.over || side.lost && !side.finds_record(bytes) {
            return Next::More;
        }
        let next = self.read(dir, bytes, sink);
        let keyed = Dir::BOTH.into_iter().all(|dir| self.session.hello[dir] && self.sides[dir].keyed);
        if keyed && Dir::BOTH.into_iter().any(|dir| self.sides[dir].data) {
            sink.seal();
        }
        if self.session.done || matches!(next, Next::Stop | Next::Broken) {
            self.session.close(sink);
        }
        next
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        let mut work =
            Work { dir, session: &mut self.session, heartbeats: &mut self.heartbeats, sink: &mut *sink };
        self.sides[dir].gap(missing, &mut work);
        if self.is_over(sink) || Dir::BOTH.into_iter().all(|dir| self.sides[dir].lost) {
            self.session.close(sink);
            return Next::Stop;
        }
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        if let Some(tx) = self.session.existing(sink) {
            tx.complete(dir);
        }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.sides[dir].reset());
        self.session.reset();
        self.heartbeats.reset();
    }
}
