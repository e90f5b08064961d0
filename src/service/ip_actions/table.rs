//! The table: buckets of a few entries that all workers read and write at once, without waiting.
//!
//! An entry is a row of atomics behind a version, odd while somebody writes. A reader that met a writer looks again, a few
//! times; a writer that meets another goes on to the next try. Whoever gives up leaves the table whole: a packet passes once
//! more, or the next match asks again. Two workers that meet a new key at once may make two entries of it, which does no harm:
//! both act.

use super::{Counts, Key, Row, Settings, WhenFull};
use crate::base::ip_action::{IpDeed, IpTarget};
use crate::base::key::{fold, seeds};
use crate::base::{Addr, Family, Generation, RuleIndex, Time};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Neighbouring entries among which a key is looked for.
pub(super) const WAYS: usize = 8;
/// Tries before a read or a change is given up.
const ATTEMPTS: usize = 16;

/// Words of a key.
const WORDS: usize = 6;

#[derive(Default)]
struct Entry {
    version: AtomicU32,
    deed: AtomicU32,
    key: [AtomicU64; WORDS],
    rule: AtomicU64,
    since: AtomicU64,
    /// Microseconds; 0 is free.
    until: AtomicU64,
    packets: AtomicU64,
}

#[derive(Default)]
struct Counters {
    made: AtomicU64,
    prolonged: AtomicU64,
    evicted: AtomicU64,
    refused: AtomicU64,
    contended: AtomicU64,
    notified: AtomicU64,
}

pub(super) struct Table {
    buckets: Box<[[Entry; WAYS]]>,
    /// Until when something may be in force, of any target and of each.
    latest: AtomicU64,
    latest_of: [AtomicU64; IpTarget::COUNT],
    when_full: WhenFull,
    seeds: [u64; 4],
    counters: Counters,
}

fn words(key: &Key) -> [u64; WORDS] {
    let half = |addr: Addr| [addr.0 as u64, (addr.0 >> 64) as u64];
    let ([a, b], [c, d]) = (half(key.src), half(key.dst));
    let rest = (key.target as u64) << 48
        | (key.family as u64) << 40
        | u64::from(key.proto) << 32
        | u64::from(key.dport) << 16
        | u64::from(key.port);
    [a, b, c, d, rest, key.context]
}

fn key_of(words: &[u64; WORDS]) -> Option<Key> {
    let [a, b, c, d, rest, context] = *words;
    let whole = |low: u64, high: u64| Addr(u128::from(low) | u128::from(high) << 64);
    let target = *IpTarget::ALL.get((rest >> 48) as usize)?;
    let family = if (rest >> 40) as u8 == Family::V4 as u8 { Family::V4 } else { Family::V6 };
    Some(Key {
        target,
        family,
        src: whole(a, b),
        dst: whole(c, d),
        proto: (rest >> 32) as u8,
        dport: (rest >> 16) as u16,
        port: rest as u16,
        context,
    })
}

impl Entry {
    fn until(&self) -> Time {
        Time::from_micros(self.until.load(Ordering::Relaxed))
    }

    /// The whole of it, or none where somebody kept writing.
    fn read(&self) -> Option<Row> {
        for _ in 0..ATTEMPTS {
            let version = self.version.load(Ordering::Acquire);
            if version & 1 == 1 {
                std::hint::spin_loop();
                continue;
            }
            let words =
                std::array::from_fn(|n| self.key.get(n).map_or(0, |word| word.load(Ordering::Relaxed)));
            let (deed, rule) = (self.deed.load(Ordering::Relaxed), self.rule.load(Ordering::Relaxed));
            let (since, until) = (self.since.load(Ordering::Relaxed), self.until());
            let packets = self.packets.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                let deed = *IpDeed::ALL.get(deed as usize)?;
                let rule = (Generation((rule >> 32) as u32), RuleIndex(rule as u32));
                return Some(Row {
                    key: key_of(&words)?,
                    deed,
                    rule,
                    since: Time::from_micros(since),
                    until,
                    packets,
                });
            }
        }
        None
    }

    /// Writes what `change` makes of the entry, unless somebody else writes. False then.
    fn write(&self, change: impl FnOnce(&Entry)) -> bool {
        let version = self.version.load(Ordering::Relaxed);
        let locked = version & 1 == 0
            && self
                .version
                .compare_exchange(version, version.wrapping_add(1), Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if locked {
            fence(Ordering::Release);
            change(self);
            self.version.store(version.wrapping_add(2), Ordering::Release);
        }
        locked
    }

    fn holds(&self, words: &[u64; WORDS]) -> bool {
        self.key.iter().zip(words).all(|(own, word)| own.load(Ordering::Relaxed) == *word)
    }

    fn set(&self, row: &Row, words: &[u64; WORDS]) {
        self.key.iter().zip(words).for_each(|(own, word)| own.store(*word, Ordering::Relaxed));
        self.deed.store(row.deed as u32, Ordering::Relaxed);
        self.rule.store(u64::from(row.rule.0.0) << 32 | u64::from(row.rule.1.0), Ordering::Relaxed);
        self.since.store(row.since.micros(), Ordering::Relaxed);
        self.until.store(row.until.micros(), Ordering::Relaxed);
        self.packets.store(0, Ordering::Relaxed);
    }
}

impl Table {
    pub(super) fn new(settings: &Settings) -> Table {
        let buckets = settings.size.div_ceil(WAYS).max(1).next_power_of_two();
        Table {
            buckets: (0..buckets).map(|_| std::array::from_fn(|_| Entry::default())).collect(),
            latest: AtomicU64::new(0),
            latest_of: std::array::from_fn(|_| AtomicU64::new(0)),
            when_full: settings.when_full,
            seeds: seeds(settings.seed),
            counters: Counters::default(),
        }
    }

    #[inline]
    pub(super) fn latest(&self) -> Time {
        Time::from_micros(self.latest.load(Ordering::Relaxed))
    }

    pub(super) fn latest_of(&self, target: IpTarget) -> Time {
        let latest = self.latest_of.get(target as usize).map_or(0, |latest| latest.load(Ordering::Relaxed));
        Time::from_micros(latest)
    }

    fn bucket(&self, words: &[u64; WORDS]) -> &[Entry] {
        let [a, b, c, d] = self.seeds;
        let [s, t, u, v, rest, context] = *words;
        let hash = fold(fold(s ^ a, t ^ b) ^ c, fold(u ^ c, v ^ d) ^ a) ^ fold(rest ^ b, context ^ d);
        let number = fold(hash ^ d, a) as usize & (self.buckets.len() - 1);
        self.buckets.get(number).map_or(&[], |bucket| bucket)
    }

    /// A new entry, or a longer time and a stricter deed for one that is there.
    pub(super) fn put(&self, row: &Row, now: Time) {
        let words = words(&row.key);
        let bucket = self.bucket(&words);
        for _ in 0..ATTEMPTS {
            let there = bucket.iter().find(|entry| entry.until() > now && entry.holds(&words));
            if let Some(there) = there {
                let mut still = false;
                let written = there.write(|entry| {
                    still = entry.holds(&words);
                    if still {
                        entry.until.fetch_max(row.until.micros(), Ordering::Relaxed);
                        entry.deed.fetch_max(row.deed as u32, Ordering::Relaxed);
                    }
                });
                if written && still {
                    return self.done(&self.counters.prolonged, row);
                }
                continue;
            }
            let Some(place) = bucket.iter().min_by_key(|entry| entry.until()) else { return };
            let lives = place.until() > now;
            if lives && self.when_full == WhenFull::Keep {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if place.write(|entry| entry.set(row, &words)) {
                self.counters.evicted.fetch_add(u64::from(lives), Ordering::Relaxed);
                return self.done(&self.counters.made, row);
            }
        }
        self.counters.contended.fetch_add(1, Ordering::Relaxed);
    }

    fn done(&self, counter: &AtomicU64, row: &Row) {
        let of_target = self.latest_of.get(row.key.target as usize);
        for latest in of_target.into_iter().chain([&self.latest]) {
            latest.fetch_max(row.until.micros(), Ordering::Relaxed);
        }
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A packet of that key: what is in force against it, which is counted.
    pub(super) fn strike(&self, key: &Key, now: Time) -> Option<(IpDeed, (Generation, RuleIndex))> {
        let words = words(key);
        let entry = self.bucket(&words).iter().find(|entry| entry.until() > now && entry.holds(&words))?;
        let row = entry.read().filter(|row| row.key == *key && row.until > now)?;
        entry.packets.fetch_add(1, Ordering::Relaxed);
        self.counters.notified.fetch_add(u64::from(row.deed == IpDeed::Notify), Ordering::Relaxed);
        Some((row.deed, row.rule))
    }

    pub(super) fn rows(&self, now: Time) -> Vec<Row> {
        let entries = self.buckets.iter().flatten();
        entries
            .filter(|entry| entry.until() > now)
            .filter_map(Entry::read)
            .filter(|row| row.until > now)
            .collect()
    }

    pub(super) fn clear(&self, meant: impl Fn(&Row) -> bool, now: Time) -> usize {
        let mut cleared = 0;
        for entry in self.buckets.iter().flatten().filter(|entry| entry.until() > now) {
            let Some(row) = entry.read().filter(|row| row.until > now && meant(row)) else { continue };
            let words = words(&row.key);
            let mut ended = false;
            for _ in 0..ATTEMPTS {
                let written = entry.write(|entry| {
                    ended = entry.holds(&words);
                    if ended {
                        entry.until.store(0, Ordering::Relaxed);
                    }
                });
                if written {
                    break;
                }
            }
            cleared += usize::from(ended);
        }
        cleared
    }

    pub(super) fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let c = &self.counters;
        Counts {
            made: of(&c.made),
            prolonged: of(&c.prolonged),
            evicted: of(&c.evicted),
            refused: of(&c.refused),
            contended: of(&c.contended),
            notified: of(&c.notified),
        }
    }
}
