//! One session at work: which protocol its bytes speak, and its decoder's turns.

use super::super::decoder::{Decoder, Next};
use super::super::detect::{Carrier, Found, detect};
use super::super::expected::{Announcement, Expected};
use super::super::lent::Lent;
use super::super::limits::Limits;
use super::super::registry;
use super::super::sink::Sink;
use super::super::wanted::FileWants;
use super::{AppCounters, AppState, Source, put_by};
use crate::base::{Dir, PerDir};
use crate::rules::app::{AppProto, Protos};

/// A session changes its protocol so often; what follows is not decoded.
const MAX_CHANGES: u8 = 4;

/// Bytes of a direction that say nothing, beyond which nobody waits for the other direction to tell.
const MAX_UNANSWERED: usize = 100_000;

/// Memory of first bytes that is kept for later sessions, so many pieces.
const MAX_SPARE_STARTS: usize = 256;

/// Protocols whose servers say nothing before they are asked.
const CLIENT_SPEAKS_FIRST: Protos = Protos::of(&[
    AppProto::Http1,
    AppProto::Tls,
    AppProto::Dns,
    AppProto::Dcerpc,
    AppProto::Modbus,
    AppProto::Enip,
]);

/// A session at work.
pub(super) struct Run<'a> {
    pub(super) state: &'a mut AppState,
    pub(super) decoders: &'a mut [Vec<Box<dyn Decoder>>],
    pub(super) limits: &'a Limits,
    pub(super) counters: &'a mut AppCounters,
    pub(super) expected: &'a mut Expected,
    pub(super) notes: Protos,
    pub(super) files: FileWants,
    pub(super) lent: &'a mut Lent,
    /// Memory for first bytes, from one session to the next.
    pub(super) spare_starts: &'a mut Vec<Vec<u8>>,
}

impl Run<'_> {
    /// The source as the session's protocol has it.
    pub(super) fn seen(&self, source: &Source) -> Source {
        if self.state.known.reversed { source.reversed() } else { *source }
    }

    pub(super) fn data(&mut self, source: &Source, bytes: &[u8]) -> bool {
        let mut flush = false;
        if self.state.stopped || self.state.known.failed {
            return false;
        }
        self.state.first.get_or_insert(source.dir);
        if self.state.decoder.is_some() {
            self.confirm(source, bytes);
            self.decode(source, bytes, &mut flush);
        } else {
            self.look(source, bytes, &mut flush);
        }
        flush
    }

    /// The protocol was found in the other direction: what this one's bytes say by themselves.
    fn confirm(&mut self, source: &Source, bytes: &[u8]) {
        let (state, dir) = (&mut *self.state, source.dir);
        let known = &mut state.known;
        if known.by_direction[dir].is_some() || known.failed_direction[dir] {
            return;
        }
        let mut start = std::mem::take(&mut state.start[dir]);
        let room = self.limits.probe.saturating_sub(start.len());
        let bytes = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        let seen = join(&mut start, bytes);
        let (ports, last) = ((source.tuple.sport, source.tuple.dport), seen.len() >= self.limits.probe);
        match detect(source.carrier(), dir, seen, ports, last) {
            Found::Open => {
                state.start[dir] = kept(self.spare_starts, start, bytes);
                return;
            }
            Found::Is(proto) | Found::Reversed(proto) => {
                known.by_direction[dir] = Some(proto);
                if known.proto.is_some_and(|known| known != proto) {
                    state.raise(dir, "applayer_mismatch_protocol_both_directions");
                }
            }
            Found::Nothing => {
                known.failed_direction[dir] = true;
                if source.carrier() == Carrier::Tcp {
                    state.raise(dir, "applayer_detect_protocol_only_one_direction");
                }
            }
        }
        put_start(self.spare_starts, start);
    }

    /// The first bytes of a session that another announced.
    pub(super) fn announced(&mut self, source: &Source, announced: &Announcement, bytes: &[u8]) -> bool {
        let mut flush = false;
        let proto = announced.proto;
        self.begin(source, proto);
        if let Some(decoder) = &mut self.state.decoder {
            decoder.told(announced);
            self.decode(source, bytes, &mut flush);
        }
        flush
    }

    /// The protocol is not known: more of its first bytes.
    fn look(&mut self, source: &Source, bytes: &[u8], flush: &mut bool) {
        let (dir, carrier) = (source.dir, source.carrier());
        let state = &mut *self.state;
        let mut start = std::mem::take(&mut state.start[dir]);
        let room = self.limits.probe.saturating_sub(start.len());
        let (bytes, beyond) = bytes.split_at(room.min(bytes.len()));
        let seen = join(&mut start, bytes);
        if state.known.failed_direction[dir] {
            state.start[dir] = kept(self.spare_starts, start, bytes);
            state.unanswered = state.unanswered.saturating_add(bytes.len() + beyond.len());
            if state.unanswered > MAX_UNANSWERED && carrier == Carrier::Tcp {
                state.raise(dir, "applayer_proto_detection_skipped");
                self.fail(dir);
            }
            return;
        }
        if let Some(proto) = state.expected.filter(|proto| registry::is_only_told(*proto)) {
            self.found(source, proto, [seen, beyond], flush);
            return put_start(self.spare_starts, start);
        }
        let ports = (source.tuple.sport, source.tuple.dport);
        let last = seen.len() >= self.limits.probe;
        let found = detect(carrier, dir, seen, ports, last);
        match found {
            Found::Reversed(proto) if !source.opening_seen && !self.state.known.reversed => {
                self.reverse();
                self.found(&source.reversed(), proto, [seen, beyond], flush);
            }
            Found::Is(proto) | Found::Reversed(proto) => self.found(source, proto, [seen, beyond], flush),
            Found::Open | Found::Nothing if carrier == Carrier::Tcp => {
                self.state.start[dir] = kept(self.spare_starts, start, bytes);
                if found == Found::Nothing {
                    self.nothing(source);
                }
                return;
            }
            // A later datagram may still tell.
            Found::Open | Found::Nothing => {}
        }
        put_start(self.spare_starts, start);
    }

    /// What was the client is the server.
    fn reverse(&mut self) {
        let state = &mut *self.state;
        state.known.reversed = true;
        state.start.0.swap(0, 1);
        state.ended.0.swap(0, 1);
        state.known.failed_direction.0.swap(0, 1);
    }

    /// `seen` are the bytes of the source's direction that tell it, `beyond` those behind them.
    fn found(&mut self, source: &Source, proto: AppProto, [seen, beyond]: [&[u8]; 2], flush: &mut bool) {
        self.begin(source, proto);
        // The other direction's first bytes came before, where there are any.
        let (other, changes) = (source.dir.reversed(), self.state.changes);
        let start = std::mem::take(&mut self.state.start[other]);
        if !start.is_empty() {
            self.decode(&Source { dir: other, ..*source }, &start, flush);
        }
        put_start(self.spare_starts, start);
        // Unless those made another protocol of it: what came this way before is not that one's.
        if self.state.changes == changes && !seen.is_empty() {
            self.decode(source, seen, flush);
        }
        if !beyond.is_empty() {
            *flush |= self.data(source, beyond);
        }
    }

    /// The session speaks that protocol: its decoder.
    fn begin(&mut self, source: &Source, proto: AppProto) {
        self.counters.found += 1;
        let state = &mut *self.state;
        state.known.by_direction[source.dir] = Some(proto);
        state.known.proto = Some(proto);
        state.transactions.begin(proto, self.notes.contains(proto), self.files);
        match state.expected.take() {
            Some(AppProto::Tls) if proto != AppProto::Tls => {
                state.raise(source.dir, "applayer_no_tls_after_starttls");
            }
            Some(expected) if expected != proto => state.raise(source.dir, "applayer_unexpected_protocol"),
            _ => {}
        }
        // Who spoke first is known where the handshake was seen, and asked of a session's first protocol only.
        let server_first = state.first == Some(Dir::ToClient) && source.opening_seen;
        if server_first && state.changes == 0 && CLIENT_SPEAKS_FIRST.contains(proto) {
            state.raise(Dir::ToClient, "applayer_wrong_direction_first_data");
        }
        if state.known.failed_direction[source.dir.reversed()] {
            state.raise(source.dir, "applayer_detect_protocol_only_one_direction");
        }
        let Some(make) = registry::of(proto).and_then(|entry| entry.make) else {
            state.stopped = true;
            self.forget_start();
            return;
        };
        let spare = self.decoders.get_mut(proto as usize).and_then(Vec::pop);
        state.decoder = Some(spare.unwrap_or_else(make));
    }

    fn forget_start(&mut self) {
        self.state.start.0.iter_mut().for_each(|start| put_start(self.spare_starts, std::mem::take(start)));
    }

    fn nothing(&mut self, source: &Source) {
        let (state, dir) = (&mut *self.state, source.dir);
        // A later datagram may still tell.
        if source.carrier() == Carrier::Udp {
            return;
        }
        state.known.failed_direction[dir] = true;
        if state.known.failed_direction[dir.reversed()] {
            self.fail(dir);
        }
    }

    /// The session's protocol will not be known.
    fn fail(&mut self, dir: Dir) {
        let state = &mut *self.state;
        if state.expected.take() == Some(AppProto::Tls) {
            state.raise(dir, "applayer_no_tls_after_starttls");
        }
        state.known.failed = true;
        self.forget_start();
        self.counters.failed += 1;
    }

    fn decode(&mut self, source: &Source, bytes: &[u8], flush: &mut bool) {
        if self.state.stopped {
            return;
        }
        let next = self.with_decoder(source, flush, |decoder, sink| decoder.data(source.dir, bytes, sink));
        match next {
            Some(Next::More) | None => {}
            Some(Next::Stop) => self.stop(),
            Some(Next::Broken) => {
                self.state.broken = true;
                self.stop();
            }
            Some(Next::Change { consumed, to }) => {
                let rest = bytes.get(consumed..).unwrap_or_default();
                self.change(source, to, rest, flush);
            }
        }
    }

    fn with_decoder(
        &mut self,
        source: &Source,
        flush: &mut bool,
        work: impl FnOnce(&mut dyn Decoder, &mut Sink<'_>) -> Next,
    ) -> Option<Next> {
        let AppState { decoder, transactions, known, .. } = &mut *self.state;
        let mut sealed = false;
        let mut sink = Sink {
            transactions,
            limits: self.limits,
            tuple: source.tuple,
            time: source.time,
            changed: known.original.is_some(),
            flush,
            sealed: &mut sealed,
            expected: self.expected,
            lent: self.lent,
        };
        let next = work(decoder.as_deref_mut()?, &mut sink);
        transactions.at_work();
        if known.proto.is_some_and(|proto| proto != transactions.proto) {
            known.becomes(transactions.proto);
        }
        if sealed && let Some(proto) = known.proto {
            self.state.seal(self.limits.encrypted.of(proto));
        }
        Some(next)
    }

    fn stop(&mut self) {
        self.state.stopped = true;
        self.state.transactions.complete_all();
        if let (Some(decoder), Some(proto)) = (self.state.decoder.take(), self.state.known.proto) {
            put_by(self.decoders, proto, decoder);
        }
    }

    fn change(&mut self, source: &Source, to: Option<AppProto>, rest: &[u8], flush: &mut bool) {
        self.stop();
        let state = &mut *self.state;
        state.changes += 1;
        if state.changes > MAX_CHANGES {
            return;
        }
        state.stopped = false;
        state.known.original = state.known.original.or(state.known.proto);
        state.known.proto = None;
        state.known.by_direction = PerDir::default();
        state.known.failed_direction = PerDir::default();
        state.expected = to;
        self.forget_start();
        if !rest.is_empty() {
            self.look(source, rest, flush);
        }
    }

    pub(super) fn gap(&mut self, source: &Source, missing: u64) -> bool {
        let mut flush = false;
        if self.state.stopped {
            return flush;
        }
        if self.state.decoder.is_none() {
            put_start(self.spare_starts, std::mem::take(&mut self.state.start[source.dir]));
            self.nothing(source);
            return flush;
        }
        let next =
            self.with_decoder(source, &mut flush, |decoder, sink| decoder.gap(source.dir, missing, sink));
        if next != Some(Next::More) {
            self.stop();
        }
        flush
    }

    pub(super) fn end(&mut self, source: &Source) {
        if std::mem::replace(&mut self.state.ended[source.dir], true) || self.state.stopped {
            return;
        }
        self.with_decoder(source, &mut false, |decoder, sink| {
            decoder.end(source.dir, sink);
            Next::More
        });
    }
}

/// The bytes so far: copied only where some came before.
fn join<'b>(start: &'b mut Vec<u8>, bytes: &'b [u8]) -> &'b [u8] {
    if start.is_empty() {
        return bytes;
    }
    start.extend_from_slice(bytes);
    start
}

/// What a later look needs of what [`join`] gave.
fn kept(spare: &mut Vec<Vec<u8>>, start: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    if !start.is_empty() {
        return start;
    }
    let mut start = spare.pop().unwrap_or_default();
    start.extend_from_slice(bytes);
    start
}

/// Gives back the memory of first bytes that nobody needs any more.
pub(super) fn put_start(spare: &mut Vec<Vec<u8>>, mut start: Vec<u8>) {
    if start.capacity() > 0 && spare.len() < MAX_SPARE_STARTS {
        start.clear();
        spare.push(start);
    }
}
