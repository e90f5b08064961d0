//! One direction: where it stands, what waits, what may be inspected.

use super::blocks::{Blocks, Chain};
use super::memo::Memo;
use super::odd::Odd;
use super::owners::Owners;
use super::policy::OverlapPolicy;
use super::settings::{Delivery, Settings};
use super::tables::{TableId, Tables};
use crate::base::{Anomaly, Dir, DropReason, SeqNum};
use crate::io::cache;
use std::cell::Cell;

mod insert;

pub(super) use insert::Segment;

/// What all streams of a worker keep their bytes in.
pub(super) struct Store {
    pub(super) blocks: Blocks,
    /// Who brought what waits.
    pub(super) owners: Tables<Owners>,
    pub(super) odd: Tables<Odd>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// All bytes before this offset came, or are known to be lost.
    next: u64,
    /// All before this were inspected.
    inspected: u64,
    /// Bytes from here to `next` are in the blocks.
    kept: u64,
    /// Acknowledged by the other side up to here.
    acked: u64,
    /// Where the window that is out ends.
    lent: u64,
    /// Missing bytes before the first fresh one.
    gap: u64,
    /// All before this were given to the decoder; what `next` is when none looks.
    decoded: u64,
    /// Where the chunk that is out ends.
    decoding: u64,
    /// Missing bytes before the decoder's next one.
    decoder_gap: u64,
    /// The whole length, once a FIN was seen.
    length: Option<u64>,
    /// No rule looks at what follows this.
    sealed: Option<u64>,
    /// Where the first bytes behind a hole begin.
    ahead: Option<u64>,
    chain: Chain,
    /// The sequence number of offset 0.
    base: SeqNum,
    owners: TableId,
    odd: TableId,
    /// The receiver's.
    policy: OverlapPolicy,
    undecoded: bool,
    /// No more will come: what is there can be inspected, acknowledged or not.
    ended: bool,
    /// Hand out what is acknowledged, however little.
    triggered: bool,
    depth_reached: bool,
    gap_reported: bool,
    memo: Cell<Memo>,
}

/// There are two a session.
const _: () = assert!(size_of::<Stream>() <= 256);

/// What a segment brought.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) refused: Option<DropReason>,
    pub(super) anomaly: Option<Anomaly>,
    pub(super) conflict: bool,
}

impl Brought {
    fn refused(anomaly: Anomaly) -> Brought {
        let reason = match anomaly {
            Anomaly::StreamReassemblyInsertMemcap => DropReason::StreamReassemblyCap,
            _ => DropReason::StreamInsertLimit,
        };
        Brought { refused: Some(reason), anomaly: Some(anomaly), conflict: false }
    }
}

impl Stream {
    /// Starts to bring into the cache what the next packet will ask for.
    #[inline]
    pub(super) fn prefetch(&self) {
        cache::prefetch_all(self);
    }

    pub(super) fn new(base: SeqNum, policy: OverlapPolicy, decode: bool) -> Stream {
        Stream { base, policy, undecoded: !decode, ..Stream::default() }
    }

    /// The stream offset of a sequence number near `next`; negative before the stream's beginning.
    fn offset(&self, seq: SeqNum) -> i64 {
        let distance = seq.distance_from(self.base.plus(self.next as u32));
        self.next as i64 + i64::from(distance)
    }

    /// The other side acknowledged up to `ack`. A gap that this makes known is reported once.
    pub(super) fn acknowledge(&mut self, ack: SeqNum) -> Option<Anomaly> {
        let offset = u64::try_from(self.offset(ack)).unwrap_or(0);
        self.acked = self.acked.max(offset);
        self.report_gap()
    }

    pub(super) fn report_gap(&mut self) -> Option<Anomaly> {
        let new = self.gap_ahead().is_some() && !self.gap_reported;
        self.gap_reported |= new;
        new.then_some(Anomaly::StreamReassemblySeqGap)
    }

    /// Where the stream goes on behind bytes that will not come: the other side has them, or nobody sends any more.
    fn gap_ahead(&self) -> Option<u64> {
        let start = self.ahead?;
        if self.ended {
            return Some(start);
        }
        (self.acked > self.next).then(|| start.min(self.acked))
    }

    pub(super) fn fin(&mut self, seq: SeqNum, store: &mut Store, settings: &Settings) {
        self.length = u64::try_from(self.offset(seq)).ok();
        if self.ends_at(self.done()) {
            self.trim(store, settings);
        }
    }

    /// Where the segment's bytes begin and end, if bytes before them are missing that may still come.
    pub(super) fn early(&self, seq: SeqNum, len: usize) -> Option<(u64, u64)> {
        let start = u64::try_from(self.offset(seq)).ok().filter(|start| *start > self.next)?;
        let waits = !self.ended && !self.depth_reached && self.gap_ahead().is_none();
        waits.then(|| (start, start.saturating_add(len as u64)))
    }

    pub(super) fn contiguous(&self) -> u64 {
        if self.depth_reached || self.ended { u64::MAX } else { self.next }
    }

    /// Whether bytes lie here that were not inspected yet.
    pub(super) fn unread(&self) -> bool {
        self.done() < self.next || self.ahead.is_some()
    }

    pub(super) fn finish(&mut self) {
        self.ended = true;
    }

    pub(super) fn trigger(&mut self) {
        self.triggered = true;
    }

    /// The bytes to inspect now, as (first byte of the window, first fresh byte, end); `None` when there is nothing to do yet.
    pub(super) fn ready(
        &mut self,
        dir: Dir,
        room: usize,
        store: &mut Store,
        settings: &Settings,
    ) -> Option<(u64, u64, u64)> {
        self.pass_gap(store);
        let limit = self.limit(settings).min(self.sealed.unwrap_or(u64::MAX));
        let urgent = &store.odd.of(self.odd).urgent;
        self.inspected = urgent.skip(self.inspected, limit);
        let waiting = limit.saturating_sub(self.inspected);
        let enough = match settings.delivery {
            Delivery::Inline => true,
            Delivery::Acknowledged { chunk } => {
                let complete = self.length.is_some_and(|length| limit >= length);
                self.ended
                    || self.triggered
                    || complete
                    || self.depth_reached
                    || self.gap_ahead().is_some()
                    || waiting >= u64::from(chunk[dir])
            }
        };
        if waiting == 0 || !enough {
            return None;
        }
        let lookback = u64::from(settings.lookback).min(room as u64 / 2);
        let from = self.kept.max(urgent.floor).max(self.inspected.saturating_sub(lookback));
        let to = limit.min(from + room as u64);
        self.lent = to;
        Some((from, self.inspected, to))
    }

    /// The bytes there that were inspected, as (first, end).
    pub(super) fn inspected(&self, room: usize, store: &Store) -> Option<(u64, u64)> {
        let floor = store.odd.of(self.odd).urgent.floor;
        let from = self.kept.max(floor).max(self.inspected.saturating_sub(room as u64));
        (from < self.inspected).then_some((from, self.inspected))
    }

    /// Bytes before this may be looked at.
    fn limit(&self, settings: &Settings) -> u64 {
        match settings.delivery {
            Delivery::Acknowledged { .. } if !self.ended => self.acked.min(self.next),
            _ => self.next,
        }
    }

    /// The bytes for the decoder, as (first, end); `None` when there are none yet.
    pub(super) fn undecoded(
        &mut self,
        room: usize,
        store: &mut Store,
        settings: &Settings,
    ) -> Option<(u64, u64)> {
        if self.undecoded {
            return None;
        }
        self.pass_gap(store);
        let limit = self.limit(settings);
        self.decoded = store.odd.of(self.odd).urgent.skip(self.decoded, limit);
        let to = limit.min(self.decoded + room as u64);
        self.decoding = to;
        (to > self.decoded).then_some((self.decoded, to))
    }

    /// The chunk that was out is decoded; the missing bytes before it are told.
    pub(super) fn decoded(&mut self, store: &mut Store, settings: &Settings) {
        self.decoded = self.decoded.max(self.decoding);
        self.decoder_gap = 0;
        self.trim(store, settings);
    }

    pub(super) fn decoder_gap(&self) -> u64 {
        self.decoder_gap
    }

    /// No decoder looks at it any more, and nothing waits for one.
    pub(super) fn stop_decoding(&mut self, store: &mut Store, settings: &Settings) {
        self.undecoded = true;
        self.trim(store, settings);
    }

    /// Rules look at what has come, at once, and at nothing that follows.
    pub(super) fn seal(&mut self) {
        self.sealed = Some(self.next);
        self.triggered = true;
    }

    /// Of a sealed stream: passes over what came since, once all before was looked at. Whether it was.
    pub(super) fn skip_sealed(&mut self, store: &mut Store, settings: &Settings) -> bool {
        let over = self.sealed.is_some_and(|at| self.inspected >= at);
        if over {
            self.skip(store, settings);
        }
        over
    }

    /// No rule looks at the bytes themselves.
    pub(super) fn skip(&mut self, store: &mut Store, settings: &Settings) {
        self.lent = self.limit(settings);
        self.consumed(store, settings);
    }

    /// Before this everyone looked at everything.
    fn done(&self) -> u64 {
        if self.undecoded { self.inspected } else { self.inspected.min(self.decoded) }
    }

    /// Everything before the gap was looked at: go on behind it.
    fn pass_gap(&mut self, store: &mut Store) {
        if self.done() < self.next {
            return;
        }
        let Some(to) = self.gap_ahead() else { return };
        self.gap += to - self.next;
        self.decoder_gap += to - self.next;
        (self.inspected, self.decoded, self.kept) = (to, to, to);
        self.advance(to, &mut store.odd);
    }

    /// All before `to` came or is lost, and so is what was there behind it.
    fn advance(&mut self, to: u64, odd: &mut Tables<Odd>) {
        self.gap_reported = false;
        self.next = to;
        let Some(own) = odd.get_mut(self.odd) else { return };
        self.next = own.ahead.absorb(to);
        self.ahead = own.ahead.first().map(|(start, _)| start);
        if own.is_plain() {
            odd.give_back(&mut self.odd);
        }
    }

    pub(super) fn gap(&self) -> u64 {
        self.gap
    }

    /// Whether the window up to `to` is the last of the stream.
    pub(super) fn ends_at(&self, to: u64) -> bool {
        let all = to == self.next && self.ahead.is_none();
        all && (self.ended || self.depth_reached || self.length == Some(to))
    }

    /// The decoder has all that will ever come.
    pub(super) fn is_over(&self) -> bool {
        !self.undecoded && self.ends_at(self.decoded)
    }

    /// The bytes of a window, without the urgent ones among them.
    pub(super) fn read<'a>(&self, from: u64, to: u64, store: &'a Store, scratch: &'a mut [u8]) -> &'a [u8] {
        let len = (to - from) as usize;
        let urgent = &store.odd.of(self.odd).urgent;
        if !urgent.any_in(from, to) {
            return store.blocks.read(&self.chain, from, len, scratch);
        }
        let gathered = store.blocks.gather(&self.chain, from, len, scratch);
        let left = urgent.take_out(from, scratch.get_mut(..gathered).unwrap_or_default());
        scratch.get(..left).unwrap_or_default()
    }

    /// What a byte's offset is when those taken out before it do not count.
    pub(super) fn position(&self, offset: u64, store: &Store) -> u64 {
        offset.saturating_sub(store.odd.of(self.odd).urgent.before(offset))
    }

    /// What whoever inspects the windows remembers.
    pub(super) fn memo(&self) -> &Cell<Memo> {
        &self.memo
    }

    /// The window that was out is inspected; blocks that no window will need again are freed.
    pub(super) fn consumed(&mut self, store: &mut Store, settings: &Settings) {
        self.inspected = self.inspected.max(self.lent);
        self.gap = 0;
        if self.inspected >= self.next {
            self.triggered = false;
        }
        self.trim(store, settings);
    }

    /// Frees what nobody will look at again. Inline that is never what the receiver has not acknowledged: it may still take
    /// other bytes in its place, and a retransmission must be held against the first copy. At most `ahead` bytes wait so.
    pub(super) fn trim(&mut self, store: &mut Store, settings: &Settings) {
        self.settle(&mut store.owners);
        let compared = settings.delivery == Delivery::Inline && !self.ended && self.acked < self.next;
        if self.ends_at(self.done()) && !compared {
            return self.release(store);
        }
        let mut needed = self.inspected.saturating_sub(u64::from(settings.lookback));
        if !self.undecoded {
            needed = needed.min(self.decoded);
        }
        if compared {
            needed = needed.min(self.acked).max(self.next.saturating_sub(u64::from(settings.ahead)));
        }
        if needed > self.kept {
            self.kept = needed;
            store.blocks.free_before(&mut self.chain, self.kept);
            self.forget_urgent(store);
        }
    }

    /// Nobody will ask for its bytes any more.
    pub(super) fn release(&mut self, store: &mut Store) {
        store.blocks.free_all(&mut self.chain);
        store.owners.give_back(&mut self.owners);
        self.ahead = None;
        self.kept = self.next;
        if let Some(odd) = store.odd.get_mut(self.odd) {
            odd.ahead.clear();
            self.forget_urgent(store);
        }
    }

    /// How many urgent bytes there were is what remains of those that no window will have.
    fn forget_urgent(&mut self, store: &mut Store) {
        let Some(odd) = store.odd.get_mut(self.odd) else { return };
        odd.urgent.forget_before(self.kept);
        if odd.is_plain() {
            store.odd.give_back(&mut self.odd);
        }
    }

    /// Nobody will ask for it any more.
    pub(super) fn end(&mut self, store: &mut Store) {
        self.release(store);
        store.odd.give_back(&mut self.odd);
    }
}
