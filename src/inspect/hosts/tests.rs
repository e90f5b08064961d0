//! The shared tables beside a plain model, and with several threads at once.

#![allow(clippy::unwrap_used)] // a test that fails should say where

use super::table::{Table, Value, WAYS};
use crate::base::Time;
use crate::base::key::mix;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Barrier;

fn add(table: &Table, hash: u64, until: u64) -> Option<u32> {
    let until = Time::from_secs(until);
    let one = |before: Option<Value>| Value { until, count: before.map_or(0, |v| v.count) + 1 };
    table.update(hash, Time::ZERO, one).map(|changed| changed.value.count)
}

proptest! {
    /// A bucket is a list of at most `WAYS` keys; where it is full, the one that ends first makes room.
    #[test]
    fn one_thread_sees_what_a_plain_list_would_hold(
        turns in prop::collection::vec((0u64..24, 1u64..1000, 0u8..4), 0..200),
    ) {
        let table = Table::new(2 * WAYS);
        let mut model: [Vec<(u64, u64, u32)>; 2] = Default::default();
        let mut ends = std::collections::HashSet::new();
        let mut evicted = 0;
        for (key, until, what) in turns {
            let hash = mix(key + 1);
            let bucket = &mut model[(hash & 1) as usize];
            if what == 0 {
                table.remove(hash);
                bucket.retain(|entry| entry.0 != key);
                continue;
            }
            // Each end is met once: which of two that end together gives way is the table's to choose.
            if !ends.insert(until) {
                continue;
            }
            let got = add(&table, hash, until);
            if let Some(entry) = bucket.iter_mut().find(|entry| entry.0 == key) {
                *entry = (key, until, entry.2 + 1);
            } else {
                if bucket.len() == WAYS {
                    let first = bucket.iter().enumerate().min_by_key(|(_, entry)| entry.1).unwrap().0;
                    bucket.remove(first);
                    evicted += 1;
                }
                bucket.push((key, until, 1));
            }
            prop_assert_eq!(got, bucket.iter().find(|entry| entry.0 == key).map(|entry| entry.2));
            for key in 0..24 {
                let hash = mix(key + 1);
                let known = model[(hash & 1) as usize].iter().find(|entry| entry.0 == key);
                let value = known.map(|&(_, until, count)| Value { until: Time::from_secs(until), count });
                prop_assert_eq!(table.get(hash), value);
            }
        }
        prop_assert_eq!(table.evicted(), evicted);
    }
}

const THREADS: usize = 4;

/// All threads run `work` from one moment on.
fn at_once(work: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for n in 0..THREADS {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(n);
            });
        }
    });
}

#[test]
fn no_count_is_lost_while_its_bucket_has_room() {
    const ROUNDS: u64 = 2_000;
    for seed in 0..20 {
        let table = Table::new(64 * WAYS);
        // At most as many keys to a bucket as it has room for when every thread makes an entry of each at once.
        let mut in_bucket: HashMap<u64, usize> = HashMap::new();
        let mut keys: Vec<u64> = (0..256).map(|n| mix((seed << 32) + n + 1)).collect();
        keys.retain(|hash| {
            let count = in_bucket.entry(hash % 64).or_default();
            *count += 1;
            *count <= WAYS / THREADS
        });
        at_once(|thread| {
            for round in 0..ROUNDS {
                // Each in an order of its own, so that new keys are met at once.
                let at = (round as usize * (2 * thread + 1)) % keys.len();
                assert!(add(&table, keys[at], 100).is_some());
            }
        });
        let sum: u64 = keys.iter().filter_map(|&hash| table.get(hash)).map(|v| u64::from(v.count)).sum();
        assert_eq!((sum, table.evicted(), table.contended()), (ROUNDS * THREADS as u64, 0, 0));
    }
}

#[test]
fn a_key_that_all_meet_first_at_once_has_one_entry() {
    for round in 0..2_000 {
        let table = Table::new(WAYS);
        let (key, other) = (mix(2 * round + 1), mix(2 * round + 2));
        at_once(|thread| {
            // What comes and goes before it makes the threads choose different places.
            if thread == 0 {
                add(&table, other, 50);
                table.remove(other);
            }
            add(&table, key, 100);
        });
        assert_eq!(table.get(key).map(|value| value.count), Some(THREADS as u32));
        table.remove(key);
        assert_eq!(table.get(key), None, "there was a second");
    }
}

#[test]
fn under_a_flood_of_keys_every_try_ends_and_the_latest_are_found() {
    let table = Table::new(4 * WAYS);
    at_once(|thread| {
        for n in 0..20_000u64 {
            let hash = mix(n << 8 | thread as u64);
            add(&table, hash, n + 1);
        }
    });
    let kept = (19_990..20_000u64).filter(|n| (0..4).any(|t| table.get(mix(n << 8 | t)).is_some())).count();
    assert!(kept > 0 && table.evicted() > 0, "{kept} kept, {} evicted", table.evicted());
}
