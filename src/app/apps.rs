//! One worker's sessions with an application protocol: finds it, feeds its decoder.

use super::decoder::{Decoder, Next};
use super::detect::{Carrier, Found, detect};
use super::expected::{Announced, Expected};
use super::limits::{KEPT, Limits};
use super::registry;
use super::sink::Sink;
use super::transactions::{Spares, Transactions};
use super::wanted::{FileWants, Wanted};
use crate::base::{Dir, FlowTuple, PerDir, Time};
use crate::rules::app::{AppProto, Protos};
use crate::session::Spoken;

/// No application state.
const NONE: u32 = u32::MAX;
/// Decoders kept for later use, a protocol.
const MAX_SPARE_DECODERS: usize = 1024;
/// A session changes its protocol so often; what follows is not decoded.
const MAX_CHANGES: u8 = 4;

/// Plain numbers of one worker.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct AppCounters {
    /// Sessions whose protocol was found, and not found.
    pub found: u64,
    pub failed: u64,
    /// Sessions without application state because there were too many.
    pub refused: u64,
    pub gaps: u64,
}

/// What is known of a session's protocol.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub proto: Option<AppProto>,
    /// What each direction's bytes say by themselves.
    pub by_direction: PerDir<Option<AppProto>>,
    /// Before it changed.
    pub original: Option<AppProto>,
    /// Neither direction's bytes are known, nor will be.
    pub failed: bool,
    pub failed_direction: PerDir<bool>,
    /// The session's opener is the server: directions are to be read the other way round.
    pub reversed: bool,
    /// What each direction's bytes say was told to a packet of it.
    told: PerDir<bool>,
}

impl Known {
    /// What the session keeps of it.
    pub fn spoken(&self) -> Spoken {
        let Known { proto, by_direction, original, failed, .. } = *self;
        Spoken { proto, by_direction, original, failed }
    }

    /// A direction of the session as its protocol has it.
    pub fn direction(&self, dir: Dir) -> Dir {
        if self.reversed { dir.reversed() } else { dir }
    }
}

impl Known {
    /// The protocol turns out to carry another. A direction whose bytes said nothing yet is not asked any more: what carries
    /// it would be no news.
    fn becomes(&mut self, proto: AppProto) {
        self.proto = Some(proto);
        for dir in Dir::BOTH {
            self.told[dir] |= self.by_direction[dir].is_none();
            self.by_direction[dir] = Some(proto);
        }
    }
}

/// A session's.
pub struct AppState {
    pub known: Known,
    pub transactions: Transactions,
    decoder: Option<Box<dyn Decoder>>,
    /// First bytes of a direction whose protocol is not known.
    start: PerDir<Vec<u8>>,
    /// What its protocol is to change to.
    expected: Option<AppProto>,
    changes: u8,
    stopped: bool,
    /// The decoder met what is not of its protocol; taken by whoever has a policy for that.
    broken: bool,
    ended: PerDir<bool>,
    /// Bytes of its transactions as the worker's sum has them: inspection adds to transactions between two counts.
    counted: usize,
    /// Events of the session itself (`applayer_...`), taken by whoever inspects.
    pub events: arrayvec::ArrayVec<(Dir, &'static str), 4>,
}

impl AppState {
    fn new() -> AppState {
        AppState {
            known: Known::default(),
            transactions: Transactions::new(),
            decoder: None,
            start: PerDir::default(),
            expected: None,
            changes: 0,
            stopped: false,
            broken: false,
            ended: PerDir::default(),
            counted: 0,
            events: arrayvec::ArrayVec::new(),
        }
    }

    fn renew(&mut self, wanted: &Wanted) {
        self.known = Known::default();
        self.transactions.renew(wanted);
        self.forget_start();
        (self.expected, self.changes, self.stopped, self.broken, self.ended) = Default::default();
        self.events.clear();
    }

    /// Whether the packet at work is the first of its direction since that direction's protocol is known.
    pub fn news(&mut self, dir: Dir) -> bool {
        let (dir, known) = (self.known.direction(dir), &mut self.known);
        let settled = known.by_direction[dir].is_some() || known.failed_direction[dir];
        settled && !std::mem::replace(&mut known.told[dir], true)
    }

    /// Whether the decoder gave up at bytes that are not of its protocol; told once.
    pub fn take_error(&mut self) -> bool {
        std::mem::take(&mut self.broken)
    }

    /// No further byte will be decoded.
    pub fn is_over(&self) -> bool {
        self.stopped || self.known.failed
    }

    fn forget_start(&mut self) {
        for dir in Dir::BOTH {
            self.start[dir].clear();
            self.start[dir].shrink_to(KEPT);
        }
    }

    fn raise(&mut self, dir: Dir, event: &'static str) {
        let _ = self.events.try_push((dir, event));
    }
}

pub struct Apps {
    limits: Limits,
    slots: Vec<AppState>,
    free: Vec<u32>,
    decoders: Box<[Vec<Box<dyn Decoder>>]>,
    spares: Spares,
    expected: Expected,
    /// Protocols whose transactions keep notes, from a session's next protocol on.
    pub notes: Protos,
    /// What records want of files.
    files: FileWants,
    pub counters: AppCounters,
}

/// Whose bytes come, and when.
#[derive(Copy, Clone, Debug)]
pub struct Source {
    /// The session's, as its opener has it.
    pub tuple: FlowTuple,
    pub time: Time,
    pub dir: Dir,
    /// Who opened the session is known: its handshake was seen.
    pub opening_seen: bool,
}

impl Source {
    /// As seen from the other side.
    fn reversed(&self) -> Source {
        Source { tuple: self.tuple.reversed(), dir: self.dir.reversed(), ..*self }
    }

    fn carrier(&self) -> Carrier {
        if self.tuple.proto == crate::wire::ip_proto::TCP { Carrier::Tcp } else { Carrier::Udp }
    }
}

impl Apps {
    pub fn new(limits: Limits) -> Apps {
        Apps {
            limits,
            slots: Vec::new(),
            free: Vec::new(),
            decoders: AppProto::ALL.iter().map(|_| Vec::new()).collect(),
            spares: Spares::default(),
            expected: Expected::default(),
            notes: Protos::NONE,
            files: FileWants::default(),
            counters: AppCounters::default(),
        }
    }

    /// Has that told of files, whatever rules ask for.
    pub fn wanting(self, files: FileWants) -> Apps {
        Apps { files, ..self }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn get(&self, handle: u32) -> Option<&AppState> {
        self.slots.get(handle as usize)
    }

    pub fn get_mut(&mut self, handle: u32) -> Option<&mut AppState> {
        self.slots.get_mut(handle as usize)
    }

    /// Sessions with application state.
    pub fn open(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Bytes of their transactions.
    pub fn memory(&self) -> usize {
        self.spares.memory
    }

    /// The next bytes of a direction: of a TCP stream, or a datagram. Whether rules on the stream should look at once.
    pub fn data(&mut self, handle: &mut u32, source: &Source, wanted: &Wanted, bytes: &[u8]) -> bool {
        let is_new = *handle == NONE;
        if bytes.is_empty() || !self.take_slot(handle, wanted) {
            return false;
        }
        match is_new.then(|| self.expected.take(&source.tuple, source.time)).flatten() {
            Some(announced) => self.run(*handle, |run| run.announced(source, &announced, bytes)),
            None => self.run(*handle, |run| run.data(&run.seen(source), bytes)),
        }
    }

    /// So many bytes of the direction are lost. Whether rules on the stream should look at once.
    pub fn gap(&mut self, handle: u32, source: &Source, missing: u64) -> bool {
        self.counters.gaps += 1;
        self.run(handle, |run| run.gap(&run.seen(source), missing))
    }

    /// No more bytes will come in that direction.
    pub fn end(&mut self, handle: u32, source: &Source) {
        self.run(handle, |run| run.end(&run.seen(source)));
    }

    /// Nothing more will come at all: transactions end as they stand.
    pub fn finish(&mut self, handle: u32, source: &Source) {
        for dir in Dir::BOTH {
            self.end(handle, &Source { dir, ..*source });
        }
        if let Some(state) = self.get_mut(handle) {
            state.transactions.complete_all();
        }
    }

    /// Takes back the transactions that are through.
    pub fn sweep(&mut self, handle: u32) {
        self.run(handle, |run| {
            run.state.transactions.sweep();
        });
    }

    /// The session ends.
    pub fn release(&mut self, handle: &mut u32) {
        let Some(state) = self.slots.get_mut(*handle as usize) else { return };
        self.spares.memory = self.spares.memory.saturating_sub(std::mem::take(&mut state.counted));
        std::mem::swap(&mut self.spares, &mut state.transactions.spares);
        state.transactions.clear();
        std::mem::swap(&mut self.spares, &mut state.transactions.spares);
        if let (Some(decoder), Some(proto)) = (state.decoder.take(), state.known.proto) {
            put_by(&mut self.decoders, proto, decoder);
        }
        self.free.push(*handle);
        *handle = NONE;
    }

    fn take_slot(&mut self, handle: &mut u32, wanted: &Wanted) -> bool {
        if *handle != NONE {
            return true;
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < self.limits.sessions => {
                self.slots.push(AppState::new());
                self.slots.len() as u32 - 1
            }
            None => {
                self.counters.refused += 1;
                return false;
            }
        };
        if let Some(state) = self.slots.get_mut(slot as usize) {
            state.renew(wanted);
        }
        *handle = slot;
        true
    }

    fn run<R: Default>(&mut self, handle: u32, work: impl FnOnce(&mut Run<'_>) -> R) -> R {
        let Some(state) = self.slots.get_mut(handle as usize) else { return R::default() };
        let spares = &mut self.spares;
        std::mem::swap(spares, &mut state.transactions.spares);
        let (decoders, limits, counters) = (&mut self.decoders, &self.limits, &mut self.counters);
        let result = work(&mut Run {
            state,
            decoders,
            limits,
            counters,
            expected: &mut self.expected,
            notes: self.notes,
            files: self.files,
        });
        std::mem::swap(spares, &mut state.transactions.spares);
        let memory = state.transactions.memory();
        spares.memory =
            (spares.memory + memory).saturating_sub(std::mem::replace(&mut state.counted, memory));
        result
    }
}

fn put_by(decoders: &mut [Vec<Box<dyn Decoder>>], proto: AppProto, mut decoder: Box<dyn Decoder>) {
    // DNS over HTTPS is what a decoder of HTTP/2 found.
    let made_for = if proto == AppProto::Doh2 { AppProto::Http2 } else { proto };
    if let Some(spare) = decoders.get_mut(made_for as usize)
        && spare.len() < MAX_SPARE_DECODERS
    {
        decoder.reset();
        spare.push(decoder);
    }
}

/// A session at work.
struct Run<'a> {
    state: &'a mut AppState,
    decoders: &'a mut [Vec<Box<dyn Decoder>>],
    limits: &'a Limits,
    counters: &'a mut AppCounters,
    expected: &'a mut Expected,
    notes: Protos,
    files: FileWants,
}

impl Run<'_> {
    /// The source as the session's protocol has it.
    fn seen(&self, source: &Source) -> Source {
        if self.state.known.reversed { source.reversed() } else { *source }
    }

    fn data(&mut self, source: &Source, bytes: &[u8]) -> bool {
        let mut flush = false;
        if self.state.stopped || self.state.known.failed {
            return false;
        }
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
    fn announced(&mut self, source: &Source, announced: &Announced, bytes: &[u8]) -> bool {
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
        if state.expected.take().is_some_and(|expected| expected != proto) {
            state.raise(source.dir, "applayer_unexpected_protocol");
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
            state.known.failed = true;
            state.forget_start();
            self.counters.failed += 1;
        }
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
        let mut sink = Sink {
            transactions,
            limits: self.limits,
            tuple: source.tuple,
            time: source.time,
            flush,
            expected: self.expected,
        };
        let next = work(decoder.as_deref_mut()?, &mut sink);
        if known.proto.is_some_and(|proto| proto != transactions.proto) {
            known.becomes(transactions.proto);
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

    fn gap(&mut self, source: &Source, missing: u64) -> bool {
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

    fn end(&mut self, source: &Source) {
        if std::mem::replace(&mut self.state.ended[source.dir], true) || self.state.stopped {
            return;
        }
        self.with_decoder(source, &mut false, |decoder, sink| {
            decoder.end(source.dir, sink);
            Next::More
        });
    }
}
