//! One session at work: which protocol its bytes speak, and its decoder's turns.

use super::super::decoder::{Decoder, Next};
use super::super::detect::{Carrier, Found, detect};
use super::super::expected::{Announcement, Expected};
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
        let start = &mut state.start[dir];
        let room = self.limits.probe.saturating_sub(start.len());
        start.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        let (ports, last) = ((source.tuple.sport, source.tuple.dport), start.len() >= self.limits.probe);
        match detect(source.carrier(), dir, start, ports, last) {
            Found::Open => return,
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
        self.state.start[dir].clear();
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
        let start = &mut state.start[dir];
        let room = self.limits.probe.saturating_sub(start.len());
        start.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        let beyond = bytes.get(room..).unwrap_or_default();
        if state.known.failed_direction[dir] {
            state.unanswered = state.unanswered.saturating_add(bytes.len());
            if state.unanswered > MAX_UNANSWERED && carrier == Carrier::Tcp {
                state.raise(dir, "applayer_proto_detection_skipped");
                self.fail(dir);
            }
            return;
        }
        if let Some(proto) = state.expected.filter(|proto| registry::is_only_told(*proto)) {
            return self.found(source, proto, beyond, flush);
        }
        let ports = (source.tuple.sport, source.tuple.dport);
        let last = start.len() >= self.limits.probe;
        match detect(carrier, dir, start, ports, last) {
            Found::Open => {}
            Found::Reversed(proto) if !source.opening_seen && !self.state.known.reversed => {
                self.reverse();
                let source = source.reversed();
                self.found(&source, proto, beyond, flush);
            }
            Found::Is(proto) | Found::Reversed(proto) => self.found(source, proto, beyond, flush),
            Found::Nothing => self.nothing(source),
        }
        if carrier == Carrier::Udp {
            self.state.start[dir].clear();
        }
    }

    /// What was the client is the server.
    fn reverse(&mut self) {
        let state = &mut *self.state;
        state.known.reversed = true;
        state.start.0.swap(0, 1);
        state.ended.0.swap(0, 1);
        state.known.failed_direction.0.swap(0, 1);
    }

    fn found(&mut self, source: &Source, proto: AppProto, beyond: &[u8], flush: &mut bool) {
        self.begin(source, proto);
        // The other direction's first bytes came before, where there are any.
        for dir in [source.dir.reversed(), source.dir] {
            let start = std::mem::take(&mut self.state.start[dir]);
            if !start.is_empty() {
                self.decode(&Source { dir, ..*source }, &start, flush);
            }
            let start_again = &mut self.state.start[dir];
            if start_again.is_empty() {
                *start_again = start;
                start_again.clear();
            }
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
            state.forget_start();
            return;
        };
        let spare = self.decoders.get_mut(proto as usize).and_then(Vec::pop);
        state.decoder = Some(spare.unwrap_or_else(make));
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
        state.forget_start();
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
        state.forget_start();
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
            self.state.start[source.dir].clear();
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
