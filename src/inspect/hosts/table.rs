//! A hash table of fixed size that all workers write at once, without a lock.
//!
//! An entry is one 128-bit word: 52 bits of its key's hash, until when it counts, and a count. It changes only whole, by
//! compare-and-swap, so nobody ever sees half of a change; the bucket's place adds the rest of a 64-bit keyed hash. A key
//! lives in one bucket of [`WAYS`] entries. Where that is full, the entry that ends soonest gives way, and if it was
//! alive that is counted.
//!
//! Two workers that meet a new key at once may each make an entry. So whoever made one looks through the bucket again:
//! of two entries the one behind is emptied into the one before, by whom the swap succeeds. Nothing counted is lost,
//! and both are there for one moment only (in which a bucket that is nearly full may lack the room, and an entry gives way).

use crate::base::Time;
use portable_atomic::AtomicU128;
use std::sync::atomic::{AtomicU64, Ordering};

/// Neighbouring entries among which a key is looked for: two cache lines.
pub(crate) const WAYS: usize = 8;
/// Tries before a change is given up. A try fails only when another worker's has succeeded.
const ATTEMPTS: usize = 64;

const COUNT_BITS: u32 = 24;
const TIME_BITS: u32 = 52;
/// Counts stop here.
pub(crate) const MAX_COUNT: u32 = (1 << COUNT_BITS) - 1;
/// In the year 2112.
const MAX_TIME: u64 = (1 << TIME_BITS) - 1;
const FREE: u128 = 0;

/// What the table keeps of a key.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) until: Time,
    pub(crate) count: u32,
}

/// A changed entry.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Which of the table's entries it is.
    pub(crate) at: usize,
    pub(crate) value: Value,
}

#[repr(align(128))]
struct Bucket([AtomicU128; WAYS]);

pub(crate) struct Table {
    buckets: Box<[Bucket]>,
    /// Living entries that gave way.
    evicted: AtomicU64,
    /// Changes given up because others kept changing the same entry.
    contended: AtomicU64,
}

impl Table {
    /// Room for `entries`, rounded up to a power of two.
    pub(crate) fn new(entries: usize) -> Table {
        let buckets = entries.div_ceil(WAYS).max(1).next_power_of_two();
        let bucket = || Bucket(std::array::from_fn(|_| AtomicU128::new(FREE)));
        Table {
            buckets: (0..buckets).map(|_| bucket()).collect(),
            evicted: AtomicU64::new(0),
            contended: AtomicU64::new(0),
        }
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    pub(crate) fn contended(&self) -> u64 {
        self.contended.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, hash: u64) -> Option<Value> {
        let (_, bucket) = self.bucket(hash)?;
        find(bucket, tag_of(hash)).map(|(_, word)| unpack(word))
    }

    /// Replaces the key's value by what `change` makes of it; a new key's by what it makes of nothing. `None` when it was
    /// given up.
    pub(crate) fn update(
        &self,
        hash: u64,
        now: Time,
        mut change: impl FnMut(Option<Value>) -> Value,
    ) -> Option<Changed> {
        let (number, bucket) = self.bucket(hash)?;
        let tag = tag_of(hash);
        for _ in 0..ATTEMPTS {
            let known = find(bucket, tag);
            let (way, before) = known.unwrap_or_else(|| soonest(bucket));
            let value = clamp(change(known.map(|(_, word)| unpack(word))));
            if !swap(bucket, way, before, pack(tag, value)) {
                continue;
            }
            let changed = Changed { at: number * WAYS + way, value };
            if known.is_some() {
                return Some(changed);
            }
            if before != FREE && unpack(before).until > now {
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
            return Some(self.alone(number, bucket, tag, now, changed));
        }
        self.give_up();
        None
    }

    pub(crate) fn remove(&self, hash: u64) {
        let Some((_, bucket)) = self.bucket(hash) else { return };
        for _ in 0..ATTEMPTS {
            let Some((way, word)) = find(bucket, tag_of(hash)) else { return };
            swap(bucket, way, word, FREE);
        }
        self.give_up();
    }

    /// After a new entry was made: other workers' entries of the same key are joined with it, the one behind into the one
    /// before.
    fn alone(&self, number: usize, bucket: &Bucket, tag: u64, now: Time, mut own: Changed) -> Changed {
        for _ in 0..ATTEMPTS {
            let Some(behind) = second(bucket, tag) else { return own };
            // What stands there now, others' changes included; if it is gone, someone else is joining them.
            let moved = load(bucket, behind);
            if tag_in(moved) != tag || !swap(bucket, behind, moved, FREE) {
                continue;
            }
            // The one before may be on its way further to the front by now: what was taken goes where the key stands then.
            match self.put_back(bucket, tag, now, unpack(moved)) {
                Some((way, value)) => own = Changed { at: number * WAYS + way, value },
                None => break,
            }
        }
        self.give_up();
        own
    }

    /// Adds what was taken out of an entry to the key's first, or to a new one where there is none.
    fn put_back(&self, bucket: &Bucket, tag: u64, now: Time, more: Value) -> Option<(usize, Value)> {
        for _ in 0..ATTEMPTS {
            let known = find(bucket, tag);
            let (way, before) = known.unwrap_or_else(|| soonest(bucket));
            let there = known.map(|(_, word)| unpack(word)).unwrap_or_default();
            let count = there.count.saturating_add(more.count);
            let value = clamp(Value { until: there.until.max(more.until), count });
            if swap(bucket, way, before, pack(tag, value)) {
                if known.is_none() && before != FREE && unpack(before).until > now {
                    self.evicted.fetch_add(1, Ordering::Relaxed);
                }
                return Some((way, value));
            }
        }
        None
    }

    fn give_up(&self) {
        self.contended.fetch_add(1, Ordering::Relaxed);
    }

    fn bucket(&self, hash: u64) -> Option<(usize, &Bucket)> {
        let number = hash as usize & (self.buckets.len() - 1);
        Some((number, self.buckets.get(number)?))
    }
}

/// The upper bits; the lower ones choose the bucket. Never 0, so that no entry is the free one.
fn tag_of(hash: u64) -> u64 {
    (hash >> (u64::BITS - (u128::BITS - COUNT_BITS - TIME_BITS))).max(1)
}

fn tag_in(word: u128) -> u64 {
    (word >> (COUNT_BITS + TIME_BITS)) as u64
}

fn pack(tag: u64, value: Value) -> u128 {
    u128::from(tag) << (COUNT_BITS + TIME_BITS)
        | u128::from(value.until.micros()) << COUNT_BITS
        | u128::from(value.count)
}

fn unpack(word: u128) -> Value {
    Value { until: Time::from_micros((word >> COUNT_BITS) as u64 & MAX_TIME), count: word as u32 & MAX_COUNT }
}

fn clamp(value: Value) -> Value {
    Value { until: value.until.min(Time::from_micros(MAX_TIME)), count: value.count.min(MAX_COUNT) }
}

// Sequentially consistent: of two workers that each made an entry, at least one sees the other's.

fn load(bucket: &Bucket, way: usize) -> u128 {
    bucket.0.get(way).map_or(FREE, |entry| entry.load(Ordering::SeqCst))
}

fn swap(bucket: &Bucket, way: usize, before: u128, after: u128) -> bool {
    bucket.0.get(way).is_some_and(|entry| {
        entry.compare_exchange(before, after, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    })
}

fn find(bucket: &Bucket, tag: u64) -> Option<(usize, u128)> {
    (0..WAYS).map(|way| (way, load(bucket, way))).find(|&(_, word)| word != FREE && tag_in(word) == tag)
}

/// The second of the entries of one key.
fn second(bucket: &Bucket, tag: u64) -> Option<usize> {
    (0..WAYS)
        .filter(|&way| {
            let word = load(bucket, way);
            word != FREE && tag_in(word) == tag
        })
        .nth(1)
}

/// The entry that gives way: a free one, or the one that ends first.
fn soonest(bucket: &Bucket) -> (usize, u128) {
    let all = (0..WAYS).map(|way| (way, load(bucket, way)));
    all.min_by_key(|&(_, word)| (word != FREE, unpack(word).until)).unwrap_or((0, FREE))
}
