//! Bytes that the urgent pointer takes out of a stream: most receivers hand them out of band (RFC 6093, 3.1).
//!
//! They keep their sequence number, so the stream keeps them where they stand and leaves them out when it is read.

use arrayvec::ArrayVec;

/// Urgent bytes that wait or lie in the lookback, of one direction.
pub(super) const MAX_URGENT: usize = 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Urgent {
    /// Sorted stream offsets.
    at: ArrayVec<u64, MAX_URGENT>,
    /// How many lie before those.
    before: u64,
    /// Windows begin here at the earliest: what was left out before is forgotten.
    pub(super) floor: u64,
}

impl Urgent {
    pub(super) const NONE: Urgent = Urgent { at: ArrayVec::new_const(), before: 0, floor: 0 };

    /// Whether there was never one.
    pub(super) fn is_none(&self) -> bool {
        self.at.is_empty() && self.before == 0 && self.floor == 0
    }

    /// Notes a byte; `settled` is what everyone has looked at. False when too many wait.
    pub(super) fn add(&mut self, offset: u64, settled: u64) -> bool {
        let mut at = self.at.partition_point(|&o| o < offset);
        if self.at.get(at) == Some(&offset) {
            return true;
        }
        if self.at.is_full() {
            match self.at.first() {
                Some(&oldest) if oldest < settled && oldest < offset => self.floor = oldest + 1,
                _ => return false,
            }
            self.at.remove(0);
            self.before += 1;
            at -= 1;
        }
        self.at.insert(at, offset);
        true
    }

    pub(super) fn forget_before(&mut self, offset: u64) {
        let gone = self.at.partition_point(|&o| o < offset);
        self.at.drain(..gone);
        self.before += gone as u64;
    }

    /// The first offset from `offset` on that is not urgent.
    pub(super) fn skip(&self, mut offset: u64, limit: u64) -> u64 {
        let from = self.at.partition_point(|&o| o < offset);
        for &o in self.at.get(from..).unwrap_or_default() {
            if o != offset || offset >= limit {
                break;
            }
            offset += 1;
        }
        offset
    }

    pub(super) fn any_in(&self, from: u64, to: u64) -> bool {
        self.at.iter().any(|&o| from <= o && o < to)
    }

    /// How many lie before an offset.
    pub(super) fn before(&self, offset: u64) -> u64 {
        self.before + self.at.iter().filter(|&&o| o < offset).count() as u64
    }

    /// Takes them out of bytes that stand at `from`; how many bytes are left.
    pub(super) fn take_out(&self, from: u64, bytes: &mut [u8]) -> usize {
        let (mut read, mut left) = (0, 0);
        let ends = self.at.iter().filter_map(|&o| usize::try_from(o.checked_sub(from)?).ok());
        for end in ends.chain([bytes.len()]) {
            let end = end.min(bytes.len());
            if end >= read {
                bytes.copy_within(read..end, left);
                left += end - read;
                read = end + 1;
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_left_is_all_but_the_urgent(offsets in prop::collection::btree_set(0u64..60, 0..MAX_URGENT), from in 0u64..50, len in 0usize..30) {
            let mut urgent = Urgent::default();
            for &o in offsets.iter().rev() {
                prop_assert!(urgent.add(o, 0));
                prop_assert!(urgent.add(o, 0), "told twice is noted once");
            }
            let mut bytes: Vec<u8> = (from as u8..).take(len).collect();
            let expected: Vec<u8> = bytes.iter().copied().filter(|&b| !offsets.contains(&u64::from(b))).collect();
            let left = urgent.take_out(from, &mut bytes);
            prop_assert_eq!(&bytes[..left], &expected[..]);
            prop_assert_eq!(urgent.any_in(from, from + len as u64), left < len);
            prop_assert_eq!(urgent.before(from), offsets.range(..from).count() as u64);
            urgent.forget_before(20);
            prop_assert_eq!(urgent.before(40), offsets.range(..40).count() as u64);
        }
    }

    #[test]
    fn too_many_are_refused_unless_the_oldest_was_looked_at() {
        let mut urgent = Urgent::default();
        assert!((0..MAX_URGENT as u64).all(|o| urgent.add(10 + o, 0)));
        assert!(!urgent.add(100, 0));
        assert!(urgent.add(100, 11));
        assert_eq!((urgent.floor, urgent.before(12)), (11, 2));
        assert_eq!(urgent.skip(11, 14), 14);
    }
}
