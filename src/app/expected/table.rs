//! The announcements of all workers, in a table of fixed size without a lock.
//!
//! An announcement finds its place by the end that will be connected to, and takes that of the oldest of the few that share it; one
//! that nobody takes is forgotten. A place is written by whoever marks it busy, and read between two looks at its mark, which
//! counts up with every change: what changed meanwhile is not used. Of two that take one announcement at once, one has it.

use super::{Announcement, End, MAX_NAME, TIMEOUT};
use crate::base::{Addr, Family, Time};
use crate::rules::app::AppProto;
use arrayvec::ArrayVec;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

/// Announcements kept: sets of places.
const SETS: usize = 1024;
const WAYS: usize = 4;
/// Words of a [`Place`]: the end, since when, what was announced, and its name's bytes.
const WORDS: usize = 6 + NAME_WORDS;
const NAME_WORDS: usize = (MAX_NAME + 1) / 8;

/// The low bits of a mark; the others count changes.
mod mark {
    pub(super) const FREE: u64 = 0;
    pub(super) const TAKEN: u64 = 1;
    pub(super) const BUSY: u64 = 2;
    pub(super) const STATE: u64 = 3;
    pub(super) const CHANGE: u64 = 4;
}

#[derive(Debug)]
struct Place {
    mark: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// What a place held when its mark was this.
struct Read {
    mark: u64,
    end: End,
    since: Time,
    announced: Announcement,
}

impl Place {
    fn new() -> Place {
        Place { mark: AtomicU64::new(mark::FREE), words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// `None` where nothing is, or someone is changing it.
    fn read(&self) -> Option<Read> {
        let before = self.mark.load(Ordering::Acquire);
        if before & mark::STATE != mark::TAKEN {
            return None;
        }
        let words: [u64; WORDS] = std::array::from_fn(|n| self.words[n].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        (self.mark.load(Ordering::Relaxed) == before).then(|| unpack(before, &words)).flatten()
    }

    /// Makes it ours, if its mark is still that.
    fn claim(&self, seen: u64) -> bool {
        let busy = (seen & !mark::STATE).wrapping_add(mark::CHANGE) | mark::BUSY;
        let ours = self.mark.compare_exchange(seen, busy, Ordering::Acquire, Ordering::Relaxed).is_ok();
        // No word is written before the mark is.
        fence(Ordering::Release);
        ours
    }

    /// Ends what [`claim`](Self::claim) began.
    fn leave(&self, seen: u64, state: u64) {
        self.mark.store((seen & !mark::STATE).wrapping_add(mark::CHANGE) | state, Ordering::Release);
    }

    fn write(&self, words: &[u64; WORDS]) {
        self.words.iter().zip(words).for_each(|(to, from)| to.store(*from, Ordering::Relaxed));
    }
}

fn pack(end: &End, since: Time, announced: &Announcement) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    let v6 = u64::from(end.family == Family::V6);
    let small =
        u64::from(end.port) | v6 << 16 | (announced.proto as u64) << 24 | (announced.name.len() as u64) << 40;
    words[..6].copy_from_slice(&[
        end.addr.0 as u64,
        (end.addr.0 >> 64) as u64,
        end.context,
        since.micros(),
        announced.command,
        small,
    ]);
    for (word, bytes) in words[6..].iter_mut().zip(announced.name.chunks(8)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    words
}

fn unpack(mark: u64, words: &[u64; WORDS]) -> Option<Read> {
    let [low, high, context, micros, command, small, ref name @ ..] = *words;
    let family = if small >> 16 & 1 == 1 { Family::V6 } else { Family::V4 };
    let addr = Addr(u128::from(high) << 64 | u128::from(low));
    let proto = AppProto::ALL.iter().copied().find(|proto| *proto as u64 == small >> 24 & 0xffff)?;
    let name = name.iter().flat_map(|word| word.to_le_bytes()).take((small >> 40) as usize);
    Some(Read {
        mark,
        end: End { addr, family, port: small as u16, context },
        since: Time::from_micros(micros),
        announced: Announcement { proto, command, name: name.take(MAX_NAME).collect() },
    })
}

/// Shared by the workers, 1.3 MB.
#[derive(Debug)]
pub struct Announced {
    places: Box<[Place]>,
    /// Places taken, about: a hint that there is something to look for.
    waiting: AtomicUsize,
}

impl Default for Announced {
    fn default() -> Announced {
        let places = (0..SETS * WAYS).map(|_| Place::new()).collect();
        Announced { places, waiting: AtomicUsize::new(0) }
    }
}

impl Announced {
    /// An announcement that others change the place of meanwhile is given up.
    pub fn add(&self, end: End, announced: &Announcement, now: Time) {
        let set = self.set(&end);
        let reads: ArrayVec<Option<Read>, WAYS> = set.iter().map(Place::read).collect();
        let same = reads.iter().position(|read| read.as_ref().is_some_and(|read| read.end == end));
        let oldest = || {
            let since = |at: &usize| reads.get(*at).and_then(Option::as_ref).map(|read| read.since);
            (0..reads.len()).min_by_key(since)
        };
        let Some(at) = same.or_else(oldest) else { return };
        let Some(place) = set.get(at) else { return };
        let seen = match reads.get(at).and_then(Option::as_ref) {
            Some(read) => read.mark,
            None => place.mark.load(Ordering::Relaxed),
        };
        if seen & mark::STATE != mark::BUSY && place.claim(seen) {
            place.write(&pack(&end, now, announced));
            place.leave(seen, mark::TAKEN);
            if seen & mark::STATE == mark::FREE {
                self.waiting.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// Takes away what was announced for that end.
    pub fn take(&self, end: &End, now: Time) -> Option<Announcement> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut found = self.set(end).iter().filter_map(|place| Some((place, place.read()?)));
        let (place, read) = found.find(|(_, read)| read.end == *end)?;
        if !place.claim(read.mark) {
            return None;
        }
        place.leave(read.mark, mark::FREE);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        (now.since(read.since) <= TIMEOUT).then_some(read.announced)
    }

    fn set(&self, end: &End) -> &[Place] {
        let start = set_of(end) * WAYS;
        self.places.get(start..start + WAYS).unwrap_or_default()
    }
}

fn set_of(end: &End) -> usize {
    let fold = (end.addr.0 as u64) ^ (end.addr.0 >> 64) as u64;
    let mixed = (fold ^ end.context.rotate_left(32))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(end.port.into())
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % SETS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn announced(command: u64) -> Announcement {
        let name = format!("{}.txt", "x".repeat(command as usize % 250));
        Announcement { proto: AppProto::FtpData, command, name: name.bytes().collect() }
    }

    fn end(port: u16) -> End {
        End { addr: Addr::v4([10, 0, 0, 1]), family: Family::V4, port, context: 0 }
    }

    proptest! {
        /// Against a map, with few enough ends that no place is needed twice.
        #[test]
        fn what_was_announced_last_is_taken_once(turns in prop::collection::vec((any::<bool>(), 1000u16..1008, any::<u16>(), 0u64..90), 0..60)) {
            let (table, mut map, mut now) = (Announced::default(), BTreeMap::new(), 100);
            for (adds, port, command, later) in turns {
                now += later / 4;
                let (time, command) = (Time::from_secs(now), u64::from(command));
                if adds {
                    table.add(end(port), &announced(command), time);
                    map.insert(port, (command, time));
                } else {
                    let known = map.remove(&port).filter(|(_, since)| time.since(*since) <= TIMEOUT);
                    prop_assert_eq!(table.take(&end(port), time), known.map(|(command, _)| announced(command)));
                }
            }
            prop_assert_eq!(table.waiting.load(Ordering::Relaxed), map.len());
        }
    }

    #[test]
    fn ends_differ_by_address_family_port_and_context() {
        let (table, now) = (Announced::default(), Time::from_secs(1));
        table.add(end(1000), &announced(7), now);
        assert_eq!(table.take(&End { context: 7, ..end(1000) }, now), None);
        assert_eq!(table.take(&End { family: Family::V6, ..end(1000) }, now), None);
        assert_eq!(table.take(&End { addr: Addr::v4([10, 0, 0, 2]), ..end(1000) }, now), None);
        assert_eq!(table.take(&end(1000), now), Some(announced(7)));
    }

    #[test]
    fn the_table_is_bounded_and_the_oldest_make_room() {
        let (table, now) = (Announced::default(), Time::from_secs(100));
        for port in 1..u16::MAX {
            table.add(end(port), &announced(0), now.plus(Duration::from_micros(port.into())));
        }
        let waiting = table.waiting.load(Ordering::Relaxed);
        assert!(waiting > SETS * WAYS / 2 && waiting <= SETS * WAYS);
        assert!(table.take(&end(u16::MAX - 1), now).is_some(), "the newest stays");
    }

    /// Whole announcements only, each to one of the takers, whoever writes meanwhile.
    #[test]
    fn workers_do_not_see_halves() {
        let (table, now, ends) = (Announced::default(), Time::from_secs(1), 4u16);
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for worker in 0..2u64 {
                let (table, taken) = (&table, &taken);
                scope.spawn(move || {
                    for n in 0..20_000u64 {
                        table.add(end(n as u16 % ends), &announced(2 * n + worker), now);
                    }
                });
                scope.spawn(move || {
                    // On a busy machine what is announced may all come before or behind the looks.
                    for n in 0u64.. {
                        if n >= 20_000 && taken.load(Ordering::Relaxed) > 0 {
                            break;
                        }
                        if let Some(found) = table.take(&end(n as u16 % ends), now) {
                            assert_eq!(found, announced(found.command));
                            taken.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
    }
}
