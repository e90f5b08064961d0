//! One direction: where it stands, what waits, what may be inspected.

use super::blocks::{Blocks, Chain};
use super::ranges::Ranges;
use super::settings::{Delivery, Settings};
use crate::base::{Anomaly, Dir, DropReason, SeqNum};

#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// The sequence number of offset 0.
    base: SeqNum,
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
    undecoded: bool,
    /// The whole length, once a FIN was seen.
    length: Option<u64>,
    chain: Chain,
    ahead: Ranges,
    /// No more will come: what is there can be inspected, acknowledged or not.
    ended: bool,
    /// Hand out what is acknowledged, however little.
    triggered: bool,
    depth_reached: bool,
    gap_reported: bool,
}

/// What a segment brought.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) refused: Option<DropReason>,
    pub(super) anomaly: Option<Anomaly>,
    pub(super) conflict: bool,
}

impl Brought {
    fn refused(anomaly: Anomaly) -> Brought {
        Brought { refused: Some(DropReason::StreamMemoryCap), anomaly: Some(anomaly), conflict: false }
    }
}

impl Stream {
    pub(super) fn new(base: SeqNum, decode: bool) -> Stream {
        Stream { base, undecoded: !decode, ..Stream::default() }
    }

    /// The stream offset of a sequence number near `next`; negative before the stream's beginning.
    fn offset(&self, seq: SeqNum) -> i64 {
        let distance = seq.distance_from(self.base.plus(self.next as u32));
        self.next as i64 + i64::from(distance)
    }

    pub(super) fn insert(
        &mut self,
        seq: SeqNum,
        payload: &[u8],
        blocks: &mut Blocks,
        settings: &Settings,
    ) -> Brought {
        let at = self.offset(seq);
        let skip = usize::try_from(-at).unwrap_or(0);
        let Some(payload) = payload.get(skip..).filter(|p| !p.is_empty()) else {
            return Brought {
                anomaly: Some(Anomaly::StreamReassemblySegmentBeforeBaseSeq),
                ..Brought::default()
            };
        };
        let start = u64::try_from(at).unwrap_or(0);
        let limit = if settings.depth == 0 { u64::MAX } else { settings.depth };
        let end = (start + payload.len() as u64).min(limit);
        if end <= start || (self.depth_reached && start >= self.next) {
            return self.beyond_depth(start == self.next);
        }
        let payload = &payload[..(end - start) as usize];
        if end > self.done() + u64::from(settings.ahead) {
            return Brought::refused(Anomaly::StreamReassemblyInsertLimit);
        }
        let conflict = !self.agrees(start, payload, blocks);
        let mut brought = self.store(start, payload, blocks);
        brought.conflict = conflict;
        if conflict {
            brought.anomaly = brought.anomaly.or(Some(Anomaly::StreamReassemblyOverlapDifferentData));
        }
        if self.next == limit && brought.anomaly.is_none() {
            brought.anomaly = self.beyond_depth(true).anomaly;
        }
        brought
    }

    fn beyond_depth(&mut self, in_order: bool) -> Brought {
        let first = in_order && !self.depth_reached;
        self.depth_reached |= in_order;
        Brought { anomaly: first.then_some(Anomaly::StreamReassemblyDepthReached), ..Brought::default() }
    }

    /// Writes what is not there yet: the first copy holds.
    fn store(&mut self, start: u64, payload: &[u8], blocks: &mut Blocks) -> Brought {
        let end = start + payload.len() as u64;
        if end <= self.next {
            return Brought::default();
        }
        let mut at = start.max(self.next);
        if at > self.next && !self.ahead.takes(at, end) {
            return Brought::refused(Anomaly::StreamReassemblyInsertLimit);
        }
        let from = at;
        let mut write = |from: u64, to: u64| {
            from >= to
                || blocks.write(
                    &mut self.chain,
                    from,
                    &payload[(from - start) as usize..(to - start) as usize],
                )
        };
        for (present_from, present_to) in self.ahead.iter() {
            if !write(at, end.min(present_from)) {
                return Brought::refused(Anomaly::StreamReassemblyInsertMemcap);
            }
            at = at.max(present_to);
        }
        if !write(at, end) {
            return Brought::refused(Anomaly::StreamReassemblyInsertMemcap);
        }
        if from == self.next {
            self.next = self.ahead.absorb(end);
            self.gap_reported = false;
        } else {
            self.ahead.add(from, end);
        }
        Brought::default()
    }

    /// Whether the payload says the same as what is there.
    fn agrees(&self, start: u64, payload: &[u8], blocks: &Blocks) -> bool {
        let end = start + payload.len() as u64;
        let mut there = std::iter::once((self.kept, self.next)).chain(self.ahead.iter());
        there.all(|(from, to)| {
            let (from, to) = (from.max(start), to.min(end));
            from >= to
                || blocks.agrees(&self.chain, from, &payload[(from - start) as usize..(to - start) as usize])
        })
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
        let (start, _) = self.ahead.first()?;
        if self.ended {
            return Some(start);
        }
        (self.acked > self.next).then(|| start.min(self.acked))
    }

    pub(super) fn fin(&mut self, seq: SeqNum, blocks: &mut Blocks, settings: &Settings) {
        self.length = u64::try_from(self.offset(seq)).ok();
        if self.ends_at(self.done()) {
            self.trim(blocks, settings);
        }
    }

    /// Whether bytes lie here that were not inspected yet.
    pub(super) fn unread(&self) -> bool {
        self.done() < self.next || !self.ahead.is_empty()
    }

    pub(super) fn finish(&mut self) {
        self.ended = true;
    }

    pub(super) fn trigger(&mut self) {
        self.triggered = true;
    }

    /// The bytes to inspect now, as (first byte of the window, first fresh byte, end); `None` when there is nothing to do yet.
    pub(super) fn ready(&mut self, dir: Dir, room: usize, settings: &Settings) -> Option<(u64, u64, u64)> {
        self.pass_gap();
        let limit = self.limit(settings);
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
        let from = self.kept.max(self.inspected.saturating_sub(lookback));
        let to = limit.min(from + room as u64);
        self.lent = to;
        Some((from, self.inspected, to))
    }

    /// Bytes before this may be looked at.
    fn limit(&self, settings: &Settings) -> u64 {
        match settings.delivery {
            Delivery::Acknowledged { .. } if !self.ended => self.acked.min(self.next),
            _ => self.next,
        }
    }

    /// The bytes for the decoder, as (first, end); `None` when there are none yet.
    pub(super) fn undecoded(&mut self, room: usize, settings: &Settings) -> Option<(u64, u64)> {
        if self.undecoded {
            return None;
        }
        self.pass_gap();
        let to = self.limit(settings).min(self.decoded + room as u64);
        self.decoding = to;
        (to > self.decoded).then_some((self.decoded, to))
    }

    /// The chunk that was out is decoded; the missing bytes before it are told.
    pub(super) fn decoded(&mut self, blocks: &mut Blocks, settings: &Settings) {
        self.decoded = self.decoded.max(self.decoding);
        self.decoder_gap = 0;
        self.trim(blocks, settings);
    }

    pub(super) fn decoder_gap(&self) -> u64 {
        self.decoder_gap
    }

    /// No decoder looks at it any more, and nothing waits for one.
    pub(super) fn stop_decoding(&mut self, blocks: &mut Blocks, settings: &Settings) {
        self.undecoded = true;
        self.trim(blocks, settings);
    }

    /// No rule looks at the bytes themselves.
    pub(super) fn skip(&mut self, blocks: &mut Blocks, settings: &Settings) {
        self.lent = self.limit(settings);
        self.consumed(blocks, settings);
    }

    /// Before this everyone looked at everything.
    fn done(&self) -> u64 {
        if self.undecoded { self.inspected } else { self.inspected.min(self.decoded) }
    }

    /// Everything before the gap was looked at: go on behind it.
    fn pass_gap(&mut self) {
        if self.done() < self.next {
            return;
        }
        let Some(to) = self.gap_ahead() else { return };
        self.gap += to - self.next;
        self.decoder_gap += to - self.next;
        (self.inspected, self.decoded, self.kept) = (to, to, to);
        self.next = self.ahead.absorb(to);
        self.gap_reported = false;
    }

    pub(super) fn gap(&self) -> u64 {
        self.gap
    }

    /// Whether the window up to `to` is the last of the stream.
    pub(super) fn ends_at(&self, to: u64) -> bool {
        let all = to == self.next && self.ahead.is_empty();
        all && (self.ended || self.depth_reached || self.length == Some(to))
    }

    /// The decoder has all that will ever come.
    pub(super) fn is_over(&self) -> bool {
        !self.undecoded && self.ends_at(self.decoded)
    }

    pub(super) fn read<'a>(&self, from: u64, to: u64, blocks: &'a Blocks, scratch: &'a mut [u8]) -> &'a [u8] {
        blocks.read(&self.chain, from, (to - from) as usize, scratch)
    }

    /// The window that was out is inspected; blocks that no window will need again are freed.
    pub(super) fn consumed(&mut self, blocks: &mut Blocks, settings: &Settings) {
        self.inspected = self.inspected.max(self.lent);
        self.gap = 0;
        if self.inspected >= self.next {
            self.triggered = false;
        }
        self.trim(blocks, settings);
    }

    /// Frees what nobody will look at again. Inline that is never what the receiver has not acknowledged: it may still take
    /// other bytes in its place, and a retransmission must be held against the first copy. At most `ahead` bytes wait so.
    pub(super) fn trim(&mut self, blocks: &mut Blocks, settings: &Settings) {
        let compared = settings.delivery == Delivery::Inline && !self.ended && self.acked < self.next;
        if self.ends_at(self.done()) && !compared {
            return self.release(blocks);
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
            blocks.free_before(&mut self.chain, self.kept);
        }
    }

    pub(super) fn release(&mut self, blocks: &mut Blocks) {
        blocks.free_all(&mut self.chain);
        self.ahead.clear();
        self.kept = self.next;
    }
}
