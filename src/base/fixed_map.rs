//! A hash map of fixed size: chains within one array, made at start, with exact keys and slots that stay put.

use ahash::RandomState;
use std::hash::Hash;

const NONE: u32 = u32::MAX;

/// What a look-up reads comes first, in a line of its own.
#[repr(C, align(64))]
struct Node<K, V> {
    key: K,
    next: u32,
    hash: Hashed,
    value: V,
}

/// A key's hash, so that one look-up and one insertion ask for it once.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Hashed(u32);

/// At most `capacity` entries. A value outlives its entry: who inserts sets it anew, so that large ones need no clearing.
pub struct FixedMap<K, V> {
    heads: Box<[u32]>,
    nodes: Vec<Node<K, V>>,
    free: u32,
    len: u32,
    capacity: u32,
    hasher: RandomState,
}

impl<K: Copy + Eq + Hash, V: Default> FixedMap<K, V> {
    pub fn new(capacity: u32, seed: u64) -> FixedMap<K, V> {
        let buckets = (capacity as usize).next_power_of_two();
        FixedMap {
            heads: vec![NONE; buckets].into_boxed_slice(),
            nodes: Vec::with_capacity(capacity as usize),
            free: NONE,
            len: 0,
            capacity,
            hasher: RandomState::with_seeds(seed, !seed, seed.rotate_left(17), 0x9e37_79b9),
        }
    }

    pub fn len(&self) -> u32 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub fn hash(&self, key: &K) -> Hashed {
        Hashed(self.hasher.hash_one(key) as u32)
    }

    fn bucket(&self, hash: Hashed) -> usize {
        hash.0 as usize & (self.heads.len() - 1)
    }

    #[inline]
    pub fn find(&self, hash: Hashed, key: &K) -> Option<u32> {
        let mut at = self.heads[self.bucket(hash)];
        while let Some(node) = self.nodes.get(at as usize) {
            if node.hash == hash && node.key == *key {
                return Some(at);
            }
            at = node.next;
        }
        None
    }

    /// A slot for a key that is not there; its value is whatever the slot's last user left. `None` when full.
    pub fn insert(&mut self, hash: Hashed, key: K) -> Option<u32> {
        let bucket = self.bucket(hash);
        let next = self.heads[bucket];
        let slot = if self.free != NONE {
            let slot = self.free;
            let node = &mut self.nodes[slot as usize];
            self.free = node.next;
            (node.key, node.next, node.hash) = (key, next, hash);
            slot
        } else if (self.nodes.len() as u32) < self.capacity {
            self.nodes.push(Node { key, next, hash, value: V::default() });
            self.nodes.len() as u32 - 1
        } else {
            return None;
        };
        self.heads[bucket] = slot;
        self.len += 1;
        Some(slot)
    }

    /// `slot` must be in use.
    pub fn remove(&mut self, slot: u32) {
        let Some(node) = self.nodes.get(slot as usize) else { return };
        let (bucket, after) = (self.bucket(node.hash), node.next);
        if self.heads[bucket] == slot {
            self.heads[bucket] = after;
        } else {
            let mut at = self.heads[bucket];
            while let Some(node) = self.nodes.get_mut(at as usize) {
                if node.next == slot {
                    node.next = after;
                    break;
                }
                at = node.next;
            }
        }
        self.nodes[slot as usize].next = self.free;
        self.free = slot;
        self.len -= 1;
    }

    pub fn value(&self, slot: u32) -> &V {
        &self.nodes[slot as usize].value
    }

    pub fn value_mut(&mut self, slot: u32) -> &mut V {
        &mut self.nodes[slot as usize].value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn behaves_like_a_map_up_to_its_capacity(steps in prop::collection::vec((any::<bool>(), 0u8..24), 0..300)) {
            let mut map: FixedMap<u8, u32> = FixedMap::new(16, 5);
            let mut model: HashMap<u8, u32> = HashMap::new();
            for (step, (add, key)) in steps.into_iter().enumerate() {
                match (add, map.find(map.hash(&key), &key)) {
                    (true, None) => {
                        let slot = map.insert(map.hash(&key), key);
                        prop_assert_eq!(slot.is_some(), model.len() < 16);
                        if let Some(slot) = slot {
                            *map.value_mut(slot) = step as u32;
                            model.insert(key, step as u32);
                        }
                    }
                    (false, Some(slot)) => {
                        map.remove(slot);
                        model.remove(&key);
                    }
                    _ => {}
                }
                prop_assert_eq!((map.len() as usize, map.is_empty()), (model.len(), model.is_empty()));
                for key in 0..24 {
                    prop_assert_eq!(map.find(map.hash(&key), &key).map(|slot| *map.value(slot)), model.get(&key).copied());
                }
            }
        }
    }
}
