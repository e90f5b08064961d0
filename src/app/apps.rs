//! One worker's sessions with an application protocol: finds it, feeds its decoder.

use super::decoder::Decoder;
use super::detect::Carrier;
use super::expected::{Announced, Expected};
use super::lent::Lent;
use super::limits::{Limits, WhenEncrypted};
use super::transactions::{Spares, Transactions};
use super::wanted::{FileWants, Wanted};
use crate::base::{Dir, FlowTuple, PerDir, Time};
use crate::io::cache;
use crate::rules::app::{AppProto, Protos};
use crate::session::Spoken;

mod run;
#[cfg(test)]
mod tests;

use run::{Run, put_start};
use std::sync::Arc;

/// No application state.
const NONE: u32 = u32::MAX;
/// Sessions for which address space is taken at the start.
const MAX_RESERVED: usize = 1 << 20;
/// Events of a session that wait to be taken; further ones are not kept.
pub const MAX_EVENTS: usize = 4;
/// Decoders kept for later use, a protocol.
const MAX_SPARE_DECODERS: usize = 1024;

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

/// Whether a session's bytes still say something.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Seal {
    #[default]
    Open,
    /// With the packet at work it came to be encrypted.
    News(WhenEncrypted),
    Sealed(WhenEncrypted),
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
    /// Bytes of a direction that followed those that told nothing, while the other one's are awaited.
    unanswered: usize,
    /// Whose bytes came first.
    first: Option<Dir>,
    stopped: bool,
    /// The decoder met what is not of its protocol; taken by whoever has a policy for that.
    broken: bool,
    seal: Seal,
    ended: PerDir<bool>,
    /// Bytes of its transactions as the worker's sum has them: inspection adds to transactions between two counts.
    counted: usize,
    /// Events of the session itself (`applayer_...`), taken by whoever inspects.
    pub events: Vec<(Dir, &'static str)>,
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
            unanswered: 0,
            first: None,
            stopped: false,
            broken: false,
            seal: Seal::Open,
            ended: PerDir::default(),
            counted: 0,
            events: Vec::new(),
        }
    }

    fn renew(&mut self, wanted: &Wanted) {
        self.known = Known::default();
        self.transactions.renew(wanted);
        (self.expected, self.changes, self.stopped, self.broken, self.ended) = Default::default();
        (self.first, self.unanswered, self.seal) = Default::default();
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

    /// Nobody looks into its bytes any more: they are encrypted.
    pub fn is_sealed(&self) -> bool {
        matches!(self.seal, Seal::Sealed(_))
    }

    /// And nobody is to look at the session itself.
    pub fn is_bypassed(&self) -> bool {
        self.seal == Seal::Sealed(WhenEncrypted::Bypass)
    }

    /// Whether the decoder said just now that what follows is encrypted.
    pub fn take_seal(&mut self) -> bool {
        let Seal::News(what) = self.seal else { return false };
        self.seal = Seal::Sealed(what);
        true
    }

    fn seal(&mut self, what: WhenEncrypted) {
        if self.seal == Seal::Open && what != WhenEncrypted::Full {
            self.seal = Seal::News(what);
        }
    }

    /// No further byte will be decoded.
    pub fn is_over(&self) -> bool {
        self.stopped || self.known.failed
    }

    fn raise(&mut self, dir: Dir, event: &'static str) {
        if self.events.len() < MAX_EVENTS {
            self.events.push((dir, event));
        }
    }
}

pub struct Apps {
    limits: Limits,
    slots: Vec<AppState>,
    free: Vec<u32>,
    decoders: Box<[Vec<Box<dyn Decoder>>]>,
    spares: Spares,
    spare_starts: Vec<Vec<u8>>,
    lent: Lent,
    /// Sessions that others announced.
    pub expected: Expected,
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
            // Address space for all that may come: growing would copy them, and touch the memory twice.
            slots: Vec::with_capacity(limits.sessions.min(MAX_RESERVED)),
            free: Vec::new(),
            decoders: AppProto::ALL.iter().map(|_| Vec::new()).collect(),
            spares: Spares::default(),
            spare_starts: Vec::new(),
            lent: Lent::default(),
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

    /// With what the apps of all workers announce.
    pub fn sharing(self, announced: Arc<Announced>) -> Apps {
        Apps { expected: Expected::of(announced), ..self }
    }

    /// Starts to bring a session's state into the cache.
    #[inline]
    pub fn prefetch(&self, handle: u32) {
        self.slots.get(handle as usize).into_iter().for_each(cache::prefetch_all);
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
        match is_new.then(|| self.expected.take(&source.tuple, source.opening_seen, source.time)).flatten() {
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

    /// Takes back the transactions that are through. Costs little where nothing happened to them.
    pub fn sweep(&mut self, handle: u32) {
        if self.get(handle).is_some_and(|state| state.transactions.is_unswept()) {
            self.run(handle, |run| run.state.transactions.sweep());
        }
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
        state.start.0.iter_mut().for_each(|start| put_start(&mut self.spare_starts, std::mem::take(start)));
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
            spare_starts: &mut self.spare_starts,
            lent: &mut self.lent,
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
