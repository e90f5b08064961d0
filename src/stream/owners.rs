//! Which segment brought which of the bytes that wait: what an overlap policy decides by.
//!
//! A stream that needs it takes a table of the worker's pool, and gives it back when nothing waits. Where no owner is
//! known (no table was left, or it overflowed), the first copy holds.

use super::policy::{OverlapPolicy, Span};
use super::tables::Table;
use arrayvec::ArrayVec;

/// Runs a table has; with more, the owner of the lowest is forgotten.
const MAX_RUNS: usize = 96;

/// Tables of a worker at most.
pub(super) const MAX_TABLES: u32 = 8192;

/// Bytes that lie together and came with one segment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Run {
    bytes: Span,
    segment: Span,
}

/// Disjoint runs, sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners(ArrayVec<Run, MAX_RUNS>);

impl Owners {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes before this do not change any more.
    pub(super) fn forget_before(&mut self, offset: u64) {
        let gone = self.0.partition_point(|run| run.bytes.end <= offset);
        self.0.drain(..gone);
    }

    /// Puts a run at an index; when that takes the lowest run's place, everything moves down by one.
    fn put(&mut self, mut at: usize, run: Run) -> usize {
        if self.0.is_full() {
            self.0.remove(0);
            at = at.saturating_sub(1);
        }
        self.0.insert(at.min(self.0.len()), run);
        at
    }

    /// These bytes were not there; a segment brought them.
    pub(super) fn claim(&mut self, bytes: Span, segment: Span) {
        let at = self.0.partition_point(|run| run.bytes.start < bytes.start);
        self.put(at, Run { bytes, segment });
    }

    /// Gives a segment the bytes from `floor` on that its policy has it take from others; `taken` is told each run of them.
    pub(super) fn replace(
        &mut self,
        segment: Span,
        floor: u64,
        policy: OverlapPolicy,
        mut taken: impl FnMut(Span),
    ) {
        let wanted = Span::new(segment.start.max(floor), segment.end);
        let mut at = self.0.partition_point(|run| run.bytes.end <= wanted.start);
        let mut any = false;
        while let Some(&run) = self.0.get(at)
            && run.bytes.start < wanted.end
        {
            let bytes = run.bytes.cut(wanted);
            if !bytes.is_empty() && policy.new_wins(run.segment, segment) {
                taken(bytes);
                any = true;
                at = self.split(at, run, Run { bytes, segment });
            }
            at += 1;
        }
        if any {
            self.join();
        }
    }

    /// `new` in place of a part of the run at `at`; the index of the last run that came of it.
    fn split(&mut self, mut at: usize, old: Run, new: Run) -> usize {
        if let Some(place) = self.0.get_mut(at) {
            *place = new;
        }
        let left = Span::new(old.bytes.start, new.bytes.start);
        if !left.is_empty() {
            at = self.put(at, Run { bytes: left, ..old }) + 1;
        }
        let right = Span::new(new.bytes.end, old.bytes.end);
        if right.is_empty() { at } else { self.put(at + 1, Run { bytes: right, ..old }) }
    }

    /// Neighbours that came with one segment become one run.
    fn join(&mut self) {
        let mut last: Option<Run> = None;
        let mut joined = ArrayVec::new();
        for run in self.0.drain(..) {
            match &mut last {
                Some(before) if before.segment == run.segment && before.bytes.end == run.bytes.start => {
                    before.bytes.end = run.bytes.end;
                }
                _ => joined.extend(last.replace(run)),
            }
        }
        joined.extend(last);
        self.0 = joined;
    }
}

impl Table for Owners {
    fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        /// Against one owner a byte; as long as the table does not overflow they are the same.
        #[test]
        fn each_byte_has_the_owner_that_its_policy_chose(
            policy in prop::sample::select(&OverlapPolicy::ALL[..]),
            segments in prop::collection::vec((0u64..200, 1u64..60, 0u64..80), 0..24),
        ) {
            let (mut owners, mut model) = (Owners::default(), [None::<Span>; 300]);
            for (start, len, floor) in segments {
                let segment = Span::new(start, start + len);
                let mut expected = Vec::new();
                for at in segment.start.max(floor)..segment.end {
                    let owner = &mut model[at as usize];
                    if owner.is_some_and(|old| policy.new_wins(old, segment)) {
                        *owner = Some(segment);
                        expected.push(at);
                    }
                }
                let mut taken = Vec::new();
                owners.replace(segment, floor, policy, |s| taken.extend(s.start..s.end));
                prop_assert_eq!(taken, expected);
                for at in segment.start..segment.end {
                    if model[at as usize].is_none() {
                        model[at as usize] = Some(segment);
                        owners.claim(Span::new(at, at + 1), segment);
                        owners.join();
                    }
                }
                let mut seen = [None; 300];
                for run in &owners.0 {
                    seen[run.bytes.start as usize..run.bytes.end as usize].fill(Some(run.segment));
                }
                prop_assert_eq!(seen, model);
                prop_assert!(owners.0.windows(2).all(|w| w[0].bytes.end <= w[1].bytes.start));
            }
        }

        #[test]
        fn an_overflow_forgets_owners_but_never_order(starts in prop::collection::vec((0u64..4000, 1u64..9), 200..400)) {
            let mut owners = Owners::default();
            let mut there = [false; 4100];
            for (start, len) in starts {
                let segment = Span::new(start, start + len);
                owners.replace(segment, 0, OverlapPolicy::Hpux10, |_| ());
                for at in start..start + len {
                    if !std::mem::replace(&mut there[at as usize], true) {
                        owners.claim(Span::new(at, at + 1), segment);
                    }
                }
                owners.join();
                prop_assert!(owners.0.windows(2).all(|w| w[0].bytes.end <= w[1].bytes.start));
                prop_assert!(owners.0.iter().all(|run| !run.bytes.is_empty()));
            }
        }
    }
}
