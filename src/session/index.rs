//! The table's index: buckets of one cache line with 16-bit tags, sized once, never rehashed.
//!
//! A key lives in its home bucket or, when that is full, in one of the following. Each bucket counts the keys that had
//! to go past it, so a lookup knows where to stop and a removal needs no tombstone.

use crate::io::cache::prefetch;

const PLACES: usize = 10;
/// Buckets are made for this many keys each on average: with ten places, about one in 300 is ever full.
const TARGET_LOAD: usize = 6;

#[derive(Copy, Clone, Default)]
#[repr(C, align(64))]
struct Bucket {
    slots: [u32; PLACES],
    /// Keys whose home is before or at this bucket and whose place is behind it.
    passed: u32,
    /// 0: the place is free.
    tags: [u16; PLACES],
}

const _: () = assert!(size_of::<Bucket>() == 64);

pub(super) struct Index {
    buckets: Box<[Bucket]>,
    mask: usize,
}

impl Index {
    /// For at most `capacity` keys.
    pub(super) fn new(capacity: usize) -> Index {
        let count = (capacity / TARGET_LOAD + 1).next_power_of_two();
        Index { buckets: vec![Bucket::default(); count].into_boxed_slice(), mask: count - 1 }
    }

    fn tag(hash: u64) -> u16 {
        ((hash >> 48) as u16).max(1)
    }

    /// Starts to bring the home bucket into the cache.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch(&self.buckets[hash as usize & self.mask]);
    }

    /// The slot under `hash` for which `same` holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = Index::tag(hash);
        let mut at = hash as usize & self.mask;
        for _ in 0..self.buckets.len() {
            let bucket = &self.buckets[at];
            for place in 0..PLACES {
                if bucket.tags[place] == tag && same(bucket.slots[place]) {
                    return Some(bucket.slots[place]);
                }
            }
            if bucket.passed == 0 {
                return None;
            }
            at = (at + 1) & self.mask;
        }
        None
    }

    /// The first slot with this hash's tag in the home bucket: most likely the one that [`find`](Self::find) will look at.
    #[inline]
    pub(super) fn candidate(&self, hash: u64) -> Option<u32> {
        let bucket = &self.buckets[hash as usize & self.mask];
        let place = bucket.tags.iter().position(|&t| t == Index::tag(hash))?;
        Some(bucket.slots[place])
    }

    /// There is always room: more places than the capacity, and the caller has no more slots than that.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        let mut at = hash as usize & self.mask;
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(place) = bucket.tags.iter().position(|&t| t == 0) {
                bucket.tags[place] = Index::tag(hash);
                bucket.slots[place] = slot;
                return;
            }
            bucket.passed += 1;
            at = (at + 1) & self.mask;
        }
    }

    /// Removes `slot`, which was inserted under `hash`; false when it was not.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) -> bool {
        let home = hash as usize & self.mask;
        let mut at = home;
        for _ in 0..self.buckets.len() {
            let bucket = &mut self.buckets[at];
            let found = (0..PLACES).find(|&p| bucket.tags[p] != 0 && bucket.slots[p] == slot);
            if let Some(place) = found {
                bucket.tags[place] = 0;
                while at != home {
                    at = at.wrapping_sub(1) & self.mask;
                    self.buckets[at].passed -= 1;
                }
                return true;
            }
            if bucket.passed == 0 {
                return false;
            }
            at = (at + 1) & self.mask;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        // Hashes of few bits: buckets overflow and wrap round the end all the time.
        #[test]
        fn behaves_like_a_map_even_when_every_key_collides(
            steps in prop::collection::vec((any::<bool>(), 0u64..3, 0u32..60), 0..400)
        ) {
            let mut index = Index::new(60);
            let mut model: HashMap<u32, u64> = HashMap::new();
            for (add, home, slot) in steps {
                let hash = (index.mask as u64 - home % 2) | (home << 50);
                match (add, model.get(&slot).copied()) {
                    (true, None) => {
                        index.insert(hash, slot);
                        model.insert(slot, hash);
                    }
                    (false, Some(hash)) => {
                        prop_assert!(index.remove(hash, slot));
                        model.remove(&slot);
                    }
                    (false, None) => prop_assert!(!index.remove(hash, slot)),
                    (true, Some(_)) => {}
                }
                for slot in 0..60 {
                    let found = model.get(&slot).and_then(|&h| index.find(h, |s| s == slot));
                    prop_assert_eq!(found.is_some(), model.contains_key(&slot));
                }
            }
            for (slot, hash) in model {
                prop_assert!(index.remove(hash, slot));
            }
            prop_assert!(index.buckets.iter().all(|b| b.passed == 0 && b.tags == [0; PLACES]));
        }
    }
}
