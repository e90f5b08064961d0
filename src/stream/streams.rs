//! All streams of a worker, behind the handles that sessions carry.

use super::blocks::{BLOCK, Blocks};
use super::direction::{Segment, Store, Stream};
use super::memo::Memo;
use super::owners::MAX_TABLES;
use super::settings::{Delivery, Settings, Urgent};
use super::tables::Tables;
use crate::base::{Anomaly, Dir, DropReason, SeqNum};
use crate::session::{NO_HANDLE, Session, Tracked};
use arrayvec::ArrayVec;
use std::cell::Cell;

/// The direction is not followed (any more): nobody inspects it.
const IGNORED: u32 = NO_HANDLE - 1;

/// What a segment did to its session's streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Its payload could not be kept: the caller's policy says what becomes of the packet. The bytes may come again;
    /// if they do not, they will be a gap.
    pub refused: Option<DropReason>,
    /// It brought other bytes where bytes were already: what the receiver will take is not known.
    pub conflict: bool,
    pub anomalies: ArrayVec<Anomaly, 3>,
}

/// Contiguous bytes of one direction: some already inspected, then fresh ones.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Window<'a> {
    pub bytes: &'a [u8],
    /// Index of the first fresh byte; there is at least one.
    pub fresh_from: usize,
    /// Stream offset of `bytes[0]`; urgent bytes that were taken out do not count.
    pub offset: u64,
    /// Bytes lost for good just before the first fresh one; there is no lookback over a gap.
    pub gap: u64,
    /// No byte of this direction will follow.
    pub end: bool,
    /// For whoever inspects it.
    pub memo: &'a Cell<Memo>,
}

/// The next bytes of one direction, each given once: for decoders.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    pub bytes: &'a [u8],
    /// Bytes lost for good just before the first.
    pub gap: u64,
    /// No byte of this direction will follow.
    pub end: bool,
}

/// Plain numbers of one worker.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub segments: u64,
    pub refused: u64,
    pub conflicts: u64,
    pub gaps: u64,
    pub gap_bytes: u64,
}

pub struct Streams {
    settings: Settings,
    store: Store,
    slots: Vec<Stream>,
    free: Vec<u32>,
    pub counters: Counters,
}

impl Streams {
    pub fn new(settings: Settings) -> Streams {
        let streams = settings.streams.min(IGNORED);
        Streams {
            store: Store {
                blocks: Blocks::new(settings.blocks),
                owners: Tables::new(streams.min(MAX_TABLES)),
                odd: Tables::new(streams),
            },
            slots: Vec::with_capacity(streams as usize),
            free: Vec::with_capacity(streams as usize),
            counters: Counters::default(),
            settings: Settings { streams, ..settings },
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes over what bounds and overlaps say; streams that have reached their depth stay so. `settings` holds the table of overlaps that
    /// was.
    pub fn tune(&mut self, settings: &mut Settings) {
        let own = &mut self.settings;
        std::mem::swap(&mut own.overlap, &mut settings.overlap);
        (own.urgent, own.depth, own.ahead) = (settings.urgent, settings.depth, settings.ahead);
        (own.hold, own.drop_invalid) = (settings.hold, settings.drop_invalid);
    }

    /// Bytes can be looked at before they are acknowledged.
    pub fn is_inline(&self) -> bool {
        self.settings.delivery == Delivery::Inline
    }

    /// A receiver believes only the reset that stands exactly where it reads (RFC 5961, section 3.2), and where that is
    /// nobody else knows for sure: where verdicts act, and nothing waits for an acknowledgement, streams go on till the session ends.
    pub fn outlives_reset(&self, guarded: bool) -> bool {
        guarded && self.is_inline()
    }

    /// Whether a decoder will read the streams that open from now on.
    pub fn decode(&mut self, decode: bool) {
        self.settings.decode = decode;
    }

    /// Bytes of blocks in use.
    pub fn memory(&self) -> u64 {
        u64::from(self.store.blocks.in_use()) * BLOCK as u64
    }

    /// Starts to bring a session's streams into the cache.
    #[inline]
    pub fn prefetch(&self, session: &Session) {
        for handle in session.streams.0 {
            self.slots.get(handle as usize).into_iter().for_each(Stream::prefetch);
        }
    }

    /// Streams open now.
    pub fn open(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether a segment's payload is its stream's. What comes with a SYN is where bytes are looked at before they are
    /// acknowledged: one who takes it must not get it unseen, and one who leaves it gets the same again.
    pub fn takes(&self, tracked: &Tracked) -> bool {
        tracked.data.is_some() && (!tracked.early || self.is_inline())
    }

    /// Takes a tracked segment: its payload into its own stream, its acknowledgement into the other's.
    /// A direction's stream is opened by its first payload. `guarded`: the caller drops a segment that brings a conflict,
    /// so the receiver never sees it and the first copy holds whatever the receiver's system.
    pub fn feed(
        &mut self,
        session: &mut Session,
        dir: Dir,
        tracked: &Tracked,
        payload: &[u8],
        guarded: bool,
    ) -> Fed {
        let mut fed = Fed::default();
        if let Some(seq) = tracked.data
            && self.takes(tracked)
            && session.streams[dir] != IGNORED
        {
            let urgent = tracked.urgent.filter(|_| match self.settings.urgent {
                Urgent::OutOfBand => true,
                Urgent::Inline => false,
                Urgent::Cleared => !guarded,
            });
            self.insert(session, dir, &Segment { seq, payload, urgent, arrives: !guarded }, &mut fed);
        }
        if let Some(fin) = tracked.fin
            && let Some(stream) = self.slots.get_mut(session.streams[dir] as usize)
        {
            stream.fin(fin, &mut self.store, &self.settings);
        }
        if let Some(ack) = tracked.acked
            && let Some(stream) = self.slots.get_mut(session.streams[dir.reversed()] as usize)
        {
            if let Some(gap) = stream.acknowledge(ack) {
                let _ = fed.anomalies.try_push(gap);
            }
            stream.trim(&mut self.store, &self.settings);
        }
        if tracked.reset && !self.outlives_reset(guarded) {
            self.finish(session);
        }
        fed
    }

    fn insert(&mut self, session: &mut Session, dir: Dir, segment: &Segment<'_>, fed: &mut Fed) {
        self.counters.segments += 1;
        if session.streams[dir] == NO_HANDLE {
            // Anybody can send SYNs with data: half of the room is for those who are there.
            if !session.tcp.state.handshake_done() && self.half_full() {
                self.counters.refused += 1;
                fed.refused = Some(DropReason::StreamInsertLimit);
                return;
            }
            let Some(base) = session.tcp.stream_start(dir) else { return };
            let receiver = if dir == Dir::ToServer { session.tuple.dst } else { session.tuple.src };
            let policy = self.settings.overlap.of(session.tuple.family, receiver);
            let Some(handle) = self.take_slot(Stream::new(base, policy, self.settings.decode)) else {
                self.counters.refused += 1;
                fed.refused = Some(DropReason::StreamMemoryCap);
                fed.anomalies.push(Anomaly::StreamReassemblyInsertMemcap);
                return;
            };
            session.streams[dir] = handle;
        }
        let Some(stream) = self.slots.get_mut(session.streams[dir] as usize) else { return };
        let brought = stream.insert(segment, &mut self.store, &self.settings);
        let gap = stream.report_gap();
        self.counters.refused += u64::from(brought.refused.is_some());
        self.counters.conflicts += u64::from(brought.conflict);
        fed.refused = brought.refused;
        fed.conflict = brought.conflict;
        fed.anomalies.extend(brought.anomaly.into_iter().chain(gap));
    }

    fn take_slot(&mut self, stream: Stream) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = stream;
            return Some(slot);
        }
        let slot = self.slots.len() as u32;
        (slot < self.settings.streams).then(|| self.slots.push(stream))?;
        Some(slot)
    }

    fn stream(&mut self, session: &Session, dir: Dir) -> Option<&mut Stream> {
        self.slots.get_mut(session.streams[dir] as usize)
    }

    /// The next bytes of `dir` to inspect. `scratch` is what they are gathered in when they lie in several blocks: it
    /// should hold the lookback and a good piece more. After inspection call [`consumed`](Self::consumed) and ask again.
    pub fn window<'a>(
        &'a mut self,
        session: &Session,
        dir: Dir,
        scratch: &'a mut [u8],
    ) -> Option<Window<'a>> {
        let stream = self.slots.get_mut(session.streams[dir] as usize)?;
        let (from, fresh, to) = stream.ready(dir, scratch.len(), &mut self.store, &self.settings)?;
        let (gap, end) = (stream.gap(), stream.ends_at(to));
        let bytes = stream.read(from, to, &self.store, scratch);
        let (offset, fresh) = (stream.position(from, &self.store), stream.position(fresh, &self.store));
        let memo = stream.memo();
        Some(Window { bytes, fresh_from: fresh.saturating_sub(offset) as usize, offset, gap, end, memo })
    }

    /// What is there of `dir` that was inspected, once more. Nothing is [consumed](Self::consumed) by that.
    pub fn inspected<'a>(
        &'a mut self,
        session: &Session,
        dir: Dir,
        scratch: &'a mut [u8],
    ) -> Option<Window<'a>> {
        let stream = self.slots.get(session.streams[dir] as usize)?;
        let (from, to) = stream.inspected(scratch.len(), &self.store)?;
        let bytes = stream.read(from, to, &self.store, scratch);
        let offset = stream.position(from, &self.store);
        Some(Window { bytes, fresh_from: 0, offset, gap: 0, end: false, memo: stream.memo() })
    }

    /// The last [`window`](Self::window) of `dir` was inspected.
    pub fn consumed(&mut self, session: &Session, dir: Dir) {
        let Some(stream) = self.slots.get_mut(session.streams[dir] as usize) else { return };
        self.counters.gaps += u64::from(stream.gap() > 0);
        self.counters.gap_bytes += stream.gap();
        stream.consumed(&mut self.store, &self.settings);
    }

    /// The next bytes of `dir` for its decoder; `scratch` as for [`window`](Self::window). Then call
    /// [`decoded`](Self::decoded) and ask again.
    pub fn chunk<'a>(&'a mut self, session: &Session, dir: Dir, scratch: &'a mut [u8]) -> Option<Chunk<'a>> {
        let stream = self.slots.get_mut(session.streams[dir] as usize)?;
        let (from, to) = stream.undecoded(scratch.len(), &mut self.store, &self.settings)?;
        let (gap, end) = (stream.decoder_gap(), stream.ends_at(to));
        Some(Chunk { bytes: stream.read(from, to, &self.store, scratch), gap, end })
    }

    /// The last [`chunk`](Self::chunk) of `dir` was decoded.
    pub fn decoded(&mut self, session: &Session, dir: Dir) {
        if let Some(stream) = self.slots.get_mut(session.streams[dir] as usize) {
            stream.decoded(&mut self.store, &self.settings);
        }
    }

    /// No decoder wants more of `dir`.
    pub fn stop_decoding(&mut self, session: &Session, dir: Dir) {
        if let Some(stream) = self.slots.get_mut(session.streams[dir] as usize) {
            stream.stop_decoding(&mut self.store, &self.settings);
        }
    }

    /// No rule looks at the bytes of `dir` themselves: as if those there were inspected.
    pub fn skip(&mut self, session: &Session, dir: Dir) {
        if let Some(stream) = self.slots.get_mut(session.streams[dir] as usize) {
            stream.skip(&mut self.store, &self.settings);
        }
    }

    /// The session is encrypted from here on: rules look at what has come, and at nothing that follows.
    pub fn seal(&mut self, session: &Session) {
        for dir in Dir::BOTH {
            self.stream(session, dir).into_iter().for_each(Stream::seal);
        }
    }

    /// Of a sealed session: passes over what came since. Whether all that came before was looked at.
    pub fn skip_sealed(&mut self, session: &Session) -> bool {
        let mut over = true;
        for handle in session.streams.0 {
            if let Some(stream) = self.slots.get_mut(handle as usize) {
                over &= stream.skip_sealed(&mut self.store, &self.settings);
            }
        }
        over
    }

    /// Whether a FIN, a reset or the session's end says that no byte of `dir` will follow those that were decoded.
    pub fn is_over(&self, session: &Session, dir: Dir) -> bool {
        self.slots.get(session.streams[dir] as usize).is_some_and(Stream::is_over)
    }

    /// Hand out what is acknowledged of `dir`, even less than a chunk.
    pub fn trigger(&mut self, session: &Session, dir: Dir) {
        if let Some(stream) = self.stream(session, dir) {
            stream.trigger();
        }
    }

    /// Where in `dir` the segment's bytes begin and end, if some before them are missing that may still come.
    pub fn early(&self, session: &Session, dir: Dir, seq: SeqNum, len: usize) -> Option<(u64, u64)> {
        self.slots.get(session.streams[dir] as usize)?.early(seq, len)
    }

    /// Up to where all bytes of `dir` came; `None` when nobody follows it.
    pub fn contiguous(&self, session: &Session, dir: Dir) -> Option<u64> {
        self.slots.get(session.streams[dir] as usize).map(Stream::contiguous)
    }

    /// Whether the session's end would bring bytes to inspection.
    pub fn unread(&self, session: &Session) -> bool {
        let stream = |dir| self.slots.get(session.streams[dir] as usize);
        Dir::BOTH.into_iter().filter_map(stream).any(Stream::unread)
    }

    /// Half of the blocks or of the streams are taken.
    pub fn half_full(&self) -> bool {
        self.store.blocks.in_use() > self.settings.blocks / 2
            || self.open() > self.settings.streams as usize / 2
    }

    /// Nothing more will come in either direction (reset, timeout, eviction, shutdown): windows now give all that is left.
    pub fn finish(&mut self, session: &Session) {
        for dir in Dir::BOTH {
            if let Some(stream) = self.stream(session, dir) {
                stream.finish();
            }
        }
    }

    /// Nobody inspects this direction: its bytes are freed, and later ones cost nothing.
    pub fn ignore(&mut self, session: &mut Session, dir: Dir) {
        self.release_one(session, dir);
        session.streams[dir] = IGNORED;
    }

    /// The session ends: its streams' slots and blocks are free again. For the session table's closer.
    pub fn release(&mut self, session: &mut Session) {
        for dir in Dir::BOTH {
            self.release_one(session, dir);
            session.streams[dir] = NO_HANDLE;
        }
    }

    fn release_one(&mut self, session: &Session, dir: Dir) {
        self.release_handle(session.streams[dir]);
    }

    /// The same for who keeps handles elsewhere than in the session.
    pub fn release_handle(&mut self, handle: u32) {
        if let Some(stream) = self.slots.get_mut(handle as usize) {
            stream.end(&mut self.store);
            self.free.push(handle);
        }
    }
}

#[cfg(test)]
mod tests;
