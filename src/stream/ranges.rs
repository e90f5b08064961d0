//! Which bytes behind a hole are there: a short sorted list of disjoint runs.

use arrayvec::ArrayVec;

/// Holes a direction may have at once. More are an attack or a hopeless path; the segment is refused and comes again.
pub(super) const MAX_RANGES: usize = 32;

/// Disjoint, sorted, never touching: half-open runs of stream offsets.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(ArrayVec<(u64, u64), MAX_RANGES>);

impl Ranges {
    pub(super) const NONE: Ranges = Ranges(ArrayVec::new_const());

    pub(super) fn first(&self) -> Option<(u64, u64)> {
        self.0.first().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }

    /// Whether [`add`](Self::add) would find room.
    pub(super) fn takes(&self, start: u64, end: u64) -> bool {
        !self.0.is_full() || self.0.iter().any(|&(s, e)| s <= end && start <= e)
    }

    /// Adds a run, joining what it touches; false when there is no room.
    pub(super) fn add(&mut self, mut start: u64, mut end: u64) -> bool {
        if !self.takes(start, end) {
            return false;
        }
        let from = self.0.partition_point(|&(_, e)| e < start);
        let to = self.0.partition_point(|&(s, _)| s <= end);
        for &(s, e) in &self.0[from..to] {
            (start, end) = (start.min(s), end.max(e));
        }
        self.0.drain(from..to);
        self.0.insert(from, (start, end));
        true
    }

    /// Takes out every run that begins at or before `next`; where the last of them ends, if any.
    pub(super) fn absorb(&mut self, next: u64) -> u64 {
        let mut end = next;
        while let Some(&(start, stop)) = self.0.first()
            && start <= end
        {
            end = end.max(stop);
            self.0.remove(0);
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behaves_like_a_set_of_bytes(runs in prop::collection::vec((0usize..200, 1usize..20), 0..60)) {
            let (mut ranges, mut model) = (Ranges::default(), [false; 256]);
            for (start, len) in runs {
                if ranges.add(start as u64, (start + len) as u64) {
                    model[start..start + len].fill(true);
                }
                let mut seen = [false; 256];
                for (s, e) in ranges.iter() {
                    prop_assert!(s < e);
                    seen[s as usize..e as usize].fill(true);
                }
                prop_assert_eq!(seen, model);
                prop_assert!(ranges.0.windows(2).all(|w| w[0].1 < w[1].0));
            }
            let end = ranges.absorb(10) as usize;
            prop_assert!(end == 10 || model[10..end].iter().all(|&b| b) || model[..10].contains(&true));
            prop_assert!(ranges.first().is_none_or(|(s, _)| s > end as u64));
        }
    }
}
