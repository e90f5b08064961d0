//! PostgreSQL's protocol, version 3 (PostgreSQL's documentation, "Frontend/Backend Protocol").
//!
//! Owes a transaction a request with all that answers it: each step of the opening, a simple query, or the messages of the
//! extended protocol up to a Sync. The oldest that waits is the one that is answered.

mod frame;
mod request;
mod response;
#[cfg(test)]
mod tests;

use super::clipped::{Clipped, Taken};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Next, Sink, TxId};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use std::collections::VecDeque;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Pgsql,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe: frame::probe_anywhere,
    make: Some(|| Box::<Pgsql>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

/// A server's first answer may be a single letter.
pub const PORT_ENTRY: Entry =
    Entry { tcp: &[5432], anywhere_tcp: false, probe: frame::probe_on_port, ..ENTRY };

const PDU: BufferId = context::id("pgsql.pdu");

/// Bytes of a message that are kept. What is beyond, in a query of many values, is stepped over.
const MAX_REQUEST: usize = 64 << 10;
const MAX_RESPONSE: usize = 8 << 10;
/// Requests that wait for an answer; a further one takes the place of the oldest.
const MAX_WAITING: usize = 256;

/// A request without its whole answer.
#[derive(Copy, Clone, Debug)]
struct Waiting {
    tx: TxId,
    /// More messages belong to the request.
    asking: bool,
    /// Messages of data and their bytes: rows, what is copied out, what is copied in.
    rows: Tally,
    out: Tally,
    into: Tally,
}

#[derive(Copy, Clone, Debug, Default)]
struct Tally {
    count: u64,
    bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: usize) {
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }
}

/// How far the session is opened.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Opening {
    /// The client's next message has no type.
    #[default]
    Begins,
    /// It asked for encryption: the server answers with a letter.
    Asked,
    Done,
}

#[derive(Debug, Default)]
struct Pgsql {
    incoming: PerDir<Clipped>,
    opening: Opening,
    waiting: VecDeque<Waiting>,
    /// The kind of authentication that the server asked for last.
    authentication: u32,
    over: bool,
}

impl Decoder for Pgsql {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut incoming = std::mem::take(&mut self.incoming[dir]);
        let mut rest = bytes;
        let most = if dir == Dir::ToServer { MAX_REQUEST } else { MAX_RESPONSE };
        let mut next = Next::More;
        while !rest.is_empty() && !self.over && next == Next::More {
            let framing = frame::Framing::of(dir, self.opening);
            match incoming.take(&mut rest, most, |bytes| framing.frame(bytes)) {
                Taken::Part => {}
                Taken::Broken => {
                    self.broken(dir, incoming.bytes(), sink);
                    next = Next::Broken;
                }
                Taken::Whole { cut } => {
                    if self.message(dir, incoming.bytes(), cut, sink) {
                        let consumed = bytes.len() - rest.len();
                        next = Next::Change { consumed, to: Some(AppProto::Tls) };
                    }
                    incoming.clear();
                }
            }
        }
        self.incoming[dir] = incoming;
        if self.over { Next::Stop } else { next }
    }

    fn gap(&mut self, dir: Dir, missing: u64, _sink: &mut Sink<'_>) -> Next {
        if self.incoming[dir].gap(missing) { Next::More } else { Next::Stop }
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
        (self.opening, self.authentication, self.over) = Default::default();
    }
}

impl Pgsql {
    /// The bytes are no message: where the next begins is unknown.
    fn broken(&self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) {
        let event = match (frame::Framing::of(dir, self.opening).is_known(bytes), dir) {
            (true, _) => "pgsql.invalid_length",
            (false, Dir::ToServer) => "pgsql.malformed_request",
            (false, Dir::ToClient) => "pgsql.malformed_response",
        };
        sink.event(dir, event);
    }

    /// Whether the session goes on as TLS.
    fn message(&mut self, dir: Dir, message: &[u8], cut: bool, sink: &mut Sink<'_>) -> bool {
        match (dir, self.opening) {
            (Dir::ToServer, Opening::Done) => self.request(message, cut, sink),
            (Dir::ToServer, _) => self.open(message, sink),
            (Dir::ToClient, Opening::Asked) if message.len() == 1 => return self.encryption(message, sink),
            (Dir::ToClient, Opening::Asked) => {
                // A server that knows nothing of encryption says so.
                self.response(message, cut, sink);
                self.answered(sink);
                self.opening = Opening::Begins;
            }
            (Dir::ToClient, _) => self.response(message, cut, sink),
        }
        false
    }

    /// A message of the opening, which has no type.
    fn open(&mut self, message: &[u8], sink: &mut Sink<'_>) {
        let Some(at) = self.ask(sink) else { return };
        let Some(tx) = sink.tx(at.tx) else { return };
        tx.put(Dir::ToServer, PDU, message);
        let (opening, sound) = request::open(tx, message);
        if !sound {
            tx.event(Dir::ToServer, "pgsql.malformed_request");
        }
        // A request to cancel is not answered.
        let last = request::is_cancel(message);
        (self.opening, self.over) = (opening, last);
        self.asked(sink);
        if last {
            self.answered(sink);
        }
    }

    fn request(&mut self, message: &[u8], cut: bool, sink: &mut Sink<'_>) {
        let kind = message.first().copied().unwrap_or_default();
        if let (b'd' | b'c' | b'f', Some(oldest)) = (kind, self.waiting.front_mut()) {
            // What COPY takes in belongs to the query that asked for it.
            if kind == b'd' {
                oldest.into.add(frame::body_len(message));
            }
            return;
        }
        let Some(at) = self.ask(sink) else { return };
        let Some(tx) = sink.tx(at.tx) else { return };
        tx.put(Dir::ToServer, PDU, message);
        let sound = request::put(tx, message, self.authentication);
        if !sound && !cut {
            tx.event(Dir::ToServer, "pgsql.malformed_request");
        }
        if request::is_whole(kind) {
            self.asked(sink);
        }
        if kind == request::TERMINATE {
            self.waiting.rotate_right(1);
            self.answered(sink);
        }
    }

    /// The transaction that the client's message belongs to: the newest if it is still asking, else a new one.
    fn ask(&mut self, sink: &mut Sink<'_>) -> Option<Waiting> {
        if let Some(newest) = self.waiting.back().filter(|newest| newest.asking) {
            return Some(*newest);
        }
        let many = self.waiting.len() >= MAX_WAITING;
        if many {
            self.answered(sink);
        }
        let tx = begin(sink)?;
        if many {
            sink.tx(tx)?.event(Dir::ToServer, "pgsql.too_many_transactions");
        }
        let none = Tally::default();
        let waiting = Waiting { tx, asking: true, rows: none, out: none, into: none };
        self.waiting.push_back(waiting);
        Some(waiting)
    }

    /// The newest request is whole.
    fn asked(&mut self, sink: &mut Sink<'_>) {
        let Some(newest) = self.waiting.back_mut() else { return };
        newest.asking = false;
        if let Some(tx) = sink.tx(newest.tx) {
            tx.complete(Dir::ToServer);
        }
    }

    /// The oldest request's answer is whole.
    fn answered(&mut self, sink: &mut Sink<'_>) {
        let Some(Waiting { tx, rows, out, into, .. }) = self.waiting.pop_front() else { return };
        let Some(tx) = sink.tx(tx) else { return };
        let tallies = [
            (rows, ["response.data_rows", "response.data_size"]),
            (out, ["response.copy_data_out.row_count", "response.copy_data_out.data_size"]),
            (into, ["request.copy_data_in.msg_count", "request.copy_data_in.data_size"]),
        ];
        for (tally, [count, bytes]) in tallies.into_iter().filter(|(tally, _)| tally.count > 0) {
            tx.note_number(count, tally.count);
            tx.note_number(bytes, tally.bytes);
        }
        Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
    }

    /// The letter that answers a request for encryption.
    fn encryption(&mut self, message: &[u8], sink: &mut Sink<'_>) -> bool {
        let tx = self.waiting.front().map(|oldest| oldest.tx);
        let answer = message.first().copied().unwrap_or_default();
        if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            tx.put(Dir::ToClient, PDU, message);
            tx.note_bool("response.ssl_accepted", answer == b'S');
        }
        self.answered(sink);
        self.opening = Opening::Begins;
        // What GSSAPI encrypts is not decoded.
        self.over = answer == b'G';
        answer == b'S'
    }

    fn response(&mut self, message: &[u8], cut: bool, sink: &mut Sink<'_>) {
        let kind = message.first().copied().unwrap_or_default();
        let mut unasked = None;
        if self.waiting.is_empty() {
            // What the server says of its own accord.
            let Some(tx) = begin(sink) else { return };
            unasked = Some(tx);
        }
        if let Some(oldest) = self.waiting.front_mut() {
            match kind {
                response::DATA_ROW => return oldest.rows.add(frame::body_len(message)),
                response::COPY_DATA => return oldest.out.add(frame::body_len(message)),
                _ => {}
            }
        }
        let Some(id) = unasked.or_else(|| self.waiting.front().map(|oldest| oldest.tx)) else { return };
        let Some(tx) = sink.tx(id) else { return };
        tx.put(Dir::ToClient, PDU, message);
        let sound = response::put(tx, message);
        if sound.is_none() && !cut {
            tx.event(Dir::ToClient, "pgsql.malformed_response");
        }
        if unasked.is_some() {
            return tx.complete_one_way(Dir::ToClient);
        }
        let asks = response::asks_for(message);
        self.authentication = asks.unwrap_or(self.authentication);
        if kind == response::READY || asks.is_some() {
            self.answered(sink);
        }
    }
}

/// A new transaction; its record says which.
fn begin(sink: &mut Sink<'_>) -> Option<TxId> {
    let id = sink.open()?;
    let tx = sink.tx(id)?;
    tx.note_number("tx_id", tx.id);
    Some(id)
}
