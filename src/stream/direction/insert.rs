//! A segment's bytes into its stream: what is new, what differs, whose copy holds.

use super::{Brought, Store, Stream, Tables};
use crate::base::{Anomaly, SeqNum};
use crate::stream::odd::Odd;
use crate::stream::owners::Owners;
use crate::stream::policy::{OverlapPolicy, Span};
use crate::stream::ranges::Ranges;
use crate::stream::settings::Settings;

/// A segment, as the tracker accepted it.
#[derive(Copy, Clone, Debug)]
pub(in crate::stream) struct Segment<'a> {
    pub(in crate::stream) seq: SeqNum,
    pub(in crate::stream) payload: &'a [u8],
    /// Its byte that the receiver takes out of band.
    pub(in crate::stream) urgent: Option<SeqNum>,
    /// It goes on to the receiver even if it says otherwise than what came before: the receiver's system chooses.
    pub(in crate::stream) arrives: bool,
}

impl Stream {
    pub(in crate::stream) fn insert(
        &mut self,
        segment: &Segment<'_>,
        store: &mut Store,
        settings: &Settings,
    ) -> Brought {
        let at = self.offset(segment.seq);
        let skip = usize::try_from(-at).unwrap_or(0);
        let Some(payload) = segment.payload.get(skip..).filter(|p| !p.is_empty()) else {
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
        let span = Span::new(start, start + payload.len() as u64);
        let payload = &payload[..(end - start) as usize];
        if end > self.done() + u64::from(settings.ahead)
            || !self.note_urgent(segment, start, end, &mut store.odd)
        {
            return Brought::refused(Anomaly::StreamReassemblyInsertLimit);
        }
        let conflict = !self.is_kept_alive(start, end) && !self.agrees(start, payload, store);
        let owned = segment.arrives && self.policy != OverlapPolicy::First;
        if owned {
            self.replace(start, payload, span, store);
        }
        let mut brought = self.store(start, payload, owned.then_some(span), store);
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

    /// Before this somebody looked.
    fn looked(&self) -> u64 {
        if self.undecoded { self.inspected } else { self.inspected.max(self.decoded) }
    }

    /// Forgets who brought what no later copy changes: somebody looked, or the receiver has it.
    pub(super) fn settle(&mut self, tables: &mut Tables<Owners>) {
        let floor = self.looked().max(self.acked);
        let Some(owners) = tables.get_mut(self.owners) else { return };
        owners.forget_before(floor);
        if owners.is_empty() {
            tables.give_back(&mut self.owners);
        }
    }

    /// False when too many urgent bytes wait.
    fn note_urgent(&mut self, segment: &Segment<'_>, start: u64, end: u64, odd: &mut Tables<Odd>) -> bool {
        let offset = segment.urgent.and_then(|seq| u64::try_from(self.offset(seq)).ok());
        let Some(offset) = offset.filter(|o| (start.max(self.looked())..end).contains(o)) else {
            return true;
        };
        let done = self.done();
        odd.get_or_take(&mut self.odd).is_some_and(|odd| odd.urgent.add(offset, done))
    }

    /// Writes over those waiting bytes that the receiver's system takes from the later segment.
    fn replace(&mut self, start: u64, payload: &[u8], span: Span, store: &mut Store) {
        let floor = self.looked().max(self.acked);
        let Store { blocks, owners, .. } = store;
        let Some(owners) = owners.get_mut(self.owners) else { return };
        let segment = Span::new(start, start + payload.len() as u64);
        owners.replace(span, floor, self.policy, |taken| {
            let taken = taken.cut(segment);
            let bytes = payload.get((taken.start - start) as usize..(taken.end - start) as usize);
            // They lie in blocks that are there.
            blocks.write(&mut self.chain, taken.start, bytes.unwrap_or_default());
        });
    }

    /// Writes what is not there yet. `owner` is the segment that a policy is to know it by.
    fn store(&mut self, start: u64, payload: &[u8], owner: Option<Span>, store: &mut Store) -> Brought {
        let end = start + payload.len() as u64;
        if end <= self.next {
            return Brought::default();
        }
        let mut at = start.max(self.next);
        if at > self.next {
            match store.odd.get_or_take(&mut self.odd).map(|odd| odd.ahead.takes(at, end)) {
                Some(true) => {}
                Some(false) => return Brought::refused(Anomaly::StreamReassemblyInsertLimit),
                None => return Brought::refused(Anomaly::StreamReassemblyInsertMemcap),
            }
        }
        let from = at;
        let Store { blocks, owners, odd } = store;
        let ahead = &odd.of(self.odd).ahead;
        let mut write = |from: u64, to: u64| {
            from >= to
                || blocks.write(
                    &mut self.chain,
                    from,
                    &payload[(from - start) as usize..(to - start) as usize],
                )
        };
        for (present_from, present_to) in ahead.iter() {
            if !write(at, end.min(present_from)) {
                return Brought::refused(Anomaly::StreamReassemblyInsertMemcap);
            }
            at = at.max(present_to);
        }
        if !write(at, end) {
            return Brought::refused(Anomaly::StreamReassemblyInsertMemcap);
        }
        if let Some(owner) = owner
            && let Some(owners) = owners.get_or_take(&mut self.owners)
        {
            claim(owners, ahead, Span::new(from, end), owner);
        }
        if from == self.next {
            self.advance(end, odd);
        } else if let Some(odd) = odd.get_mut(self.odd) {
            odd.ahead.add(from, end);
            self.ahead = odd.ahead.first().map(|(start, _)| start);
        }
        Brought::default()
    }

    /// Whether it is the one byte of any value with which a sender asks whether the other end still lives (RFC 1122, section
    /// 4.2.3.6): the receiver has acknowledged all up to it, so it takes no other in its place.
    fn is_kept_alive(&self, start: u64, end: u64) -> bool {
        end == self.next && end == start + 1 && self.acked >= self.next
    }

    /// Whether the payload says the same as what is there.
    fn agrees(&self, start: u64, payload: &[u8], store: &Store) -> bool {
        let end = start + payload.len() as u64;
        let Store { blocks, odd, .. } = store;
        let mut there = std::iter::once((self.kept, self.next)).chain(odd.of(self.odd).ahead.iter());
        there.all(|(from, to)| {
            let (from, to) = (from.max(start), to.min(end));
            from >= to
                || blocks.agrees(&self.chain, from, &payload[(from - start) as usize..(to - start) as usize])
        })
    }
}

/// The bytes of `new` that were not there are the segment's.
fn claim(owners: &mut Owners, there: &Ranges, new: Span, segment: Span) {
    let mut at = new.start;
    for (from, to) in there.iter().chain([(new.end, new.end)]) {
        let fresh = Span::new(at, from.min(new.end));
        if !fresh.is_empty() {
            owners.claim(fresh, segment);
        }
        at = at.max(to);
    }
}
