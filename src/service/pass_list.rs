//! Networks whose packets no verdict stops, until a time: what an operator lets through while a rule is looked into.
//!
//! Management writes, alone; all workers read without waiting. An entry is a row of atomics behind a version, odd while it is
//! written: a reader that meets a change goes by what was before it, for one packet. Where nothing is in force a packet costs one
//! load, else a look at each entry.

use crate::base::{Addr, Family, FlowTuple, Time};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Entries in force at once.
pub const MAX_PASSES: usize = 64;

/// What passes: packets with one end here.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    pub family: Family,
    pub network: Addr,
    /// Bits of the family's address.
    pub prefix: u8,
    /// That end's port; none for all.
    pub port: Option<u16>,
}

impl Passed {
    /// Whether it is wider than an operator usually means: beyond a /16 of IPv4, a /48 of IPv6.
    pub fn is_broad(&self) -> bool {
        self.prefix < if self.family == Family::V4 { 16 } else { 48 }
    }

    /// The bits of an address that count.
    pub fn mask(&self) -> u128 {
        let width: u32 = if self.family == Family::V4 { 32 } else { 128 };
        let all = u128::MAX >> (128 - width);
        all.checked_shl(width.saturating_sub(self.prefix.into())).unwrap_or(0) & all
    }
}

const HALF: u32 = 64;
const ANY_PORT: u64 = 1 << 16;
const V6: u64 = 1 << 17;

#[derive(Default)]
struct Entry {
    version: AtomicU32,
    /// Low and high halves.
    network: [AtomicU64; 2],
    mask: [AtomicU64; 2],
    /// Port, [`ANY_PORT`], [`V6`].
    rest: AtomicU64,
    /// Microseconds; 0 is free.
    until: AtomicU64,
    /// Packets that a verdict would have stopped.
    spared: AtomicU64,
}

fn halves(number: u128) -> [u64; 2] {
    [number as u64, (number >> HALF) as u64]
}

fn whole(halves: &[AtomicU64; 2]) -> u128 {
    let [low, high] = halves.each_ref().map(|half| u128::from(half.load(Ordering::Relaxed)));
    low | high << HALF
}

impl Entry {
    fn covers(&self, tuple: &FlowTuple, now: Time) -> bool {
        let version = self.version.load(Ordering::Acquire);
        if version & 1 == 1 || self.until.load(Ordering::Relaxed) <= now.micros() {
            return false;
        }
        let (network, mask) = (whole(&self.network), whole(&self.mask));
        let rest = self.rest.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let has =
            |addr: Addr, port: u16| addr.0 & mask == network && (rest & ANY_PORT != 0 || rest as u16 == port);
        self.version.load(Ordering::Relaxed) == version
            && (rest & V6 != 0) == (tuple.family == Family::V6)
            && (has(tuple.src, tuple.sport) || has(tuple.dst, tuple.dport))
    }

    /// By the only writer.
    fn write(&self, change: impl FnOnce(&Entry)) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        change(self);
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }
}

/// Shared by all workers and management.
pub struct PassList {
    entries: [Entry; MAX_PASSES],
    /// Until when something may be in force.
    latest: AtomicU64,
    /// Packets that a verdict would have stopped, since the start.
    spared: AtomicU64,
}

impl Default for PassList {
    fn default() -> PassList {
        PassList {
            entries: std::array::from_fn(|_| Entry::default()),
            latest: AtomicU64::new(0),
            spared: AtomicU64::new(0),
        }
    }
}

impl PassList {
    /// The entry in force for a packet with this tuple.
    #[inline]
    pub fn covers(&self, tuple: &FlowTuple, now: Time) -> Option<usize> {
        if self.latest.load(Ordering::Relaxed) <= now.micros() { None } else { self.look(tuple, now) }
    }

    #[cold]
    fn look(&self, tuple: &FlowTuple, now: Time) -> Option<usize> {
        self.entries.iter().position(|entry| entry.covers(tuple, now))
    }

    /// A packet of this entry went on against a verdict.
    pub fn count_spared(&self, place: usize) {
        if let Some(entry) = self.entries.get(place) {
            entry.spared.fetch_add(1, Ordering::Relaxed);
            self.spared.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Puts one in force, for the next packet of any worker; where it stands, or `None` when there is no room. Only one thread may
    /// change the list at a time.
    pub fn put(&self, passed: &Passed, until: Time) -> Option<usize> {
        let place = self.entries.iter().position(|entry| entry.until.load(Ordering::Relaxed) == 0)?;
        let mask = passed.mask();
        let port = passed.port.map_or(ANY_PORT, u64::from);
        let rest = port | if passed.family == Family::V6 { V6 } else { 0 };
        self.entries.get(place)?.write(|entry| {
            let pairs = [(&entry.network, halves(passed.network.0 & mask)), (&entry.mask, halves(mask))];
            for (to, from) in pairs {
                to.iter().zip(from).for_each(|(to, from)| to.store(from, Ordering::Relaxed));
            }
            entry.rest.store(rest, Ordering::Relaxed);
            entry.spared.store(0, Ordering::Relaxed);
            entry.until.store(until.micros(), Ordering::Relaxed);
        });
        self.settle();
        Some(place)
    }

    /// Ends one. As [`put`](PassList::put), by one thread at a time.
    pub fn end(&self, place: usize) {
        if let Some(entry) = self.entries.get(place) {
            entry.write(|entry| entry.until.store(0, Ordering::Relaxed));
        }
        self.settle();
    }

    fn settle(&self) {
        let latest = self.entries.iter().map(|entry| entry.until.load(Ordering::Relaxed)).max();
        self.latest.store(latest.unwrap_or(0), Ordering::Relaxed);
    }

    /// Packets that went on against a verdict: of one entry, and of all since the start.
    pub fn spared_by(&self, place: usize) -> u64 {
        self.entries.get(place).map_or(0, |entry| entry.spared.load(Ordering::Relaxed))
    }

    pub fn spared(&self) -> u64 {
        self.spared.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Time = Time::from_secs(100);

    fn tuple(src: [u8; 4], dst: [u8; 4], dport: u16) -> FlowTuple {
        FlowTuple {
            src: Addr::v4(src),
            dst: Addr::v4(dst),
            sport: 4000,
            dport,
            proto: 6,
            ..FlowTuple::default()
        }
    }

    fn v4(network: [u8; 4], prefix: u8, port: Option<u16>) -> Passed {
        Passed { family: Family::V4, network: Addr::v4(network), prefix, port }
    }

    #[test]
    fn packets_with_an_end_in_the_network_and_its_port_pass_both_ways_until_the_time() {
        let list = PassList::default();
        let there = tuple([10, 1, 2, 3], [192, 0, 2, 1], 443);
        assert_eq!(list.covers(&there, NOW), None);
        let place = list.put(&v4([192, 0, 2, 77], 24, Some(443)), Time::from_secs(110)).unwrap();
        assert_eq!(
            (list.covers(&there, NOW), list.covers(&there.reversed(), NOW)),
            (Some(place), Some(place))
        );
        assert_eq!(list.covers(&tuple([10, 1, 2, 3], [192, 0, 2, 1], 80), NOW), None, "another port");
        assert_eq!(
            list.covers(&tuple([192, 0, 2, 1], [10, 1, 2, 3], 443), NOW),
            None,
            "the other end's port"
        );
        assert_eq!(list.covers(&tuple([10, 1, 2, 3], [192, 0, 3, 1], 443), NOW), None, "another network");
        assert_eq!(list.covers(&FlowTuple { family: Family::V6, ..there }, NOW), None);
        assert_eq!(list.covers(&there, Time::from_secs(110)), None, "its time is over");
        list.count_spared(place);
        assert_eq!((list.spared_by(place), list.spared()), (1, 1));
        list.end(place);
        assert_eq!(list.covers(&there, NOW), None);
        list.put(&v4([0; 4], 0, None), Time::from_secs(110)).unwrap();
        assert_eq!((list.spared_by(place), list.spared()), (0, 1), "another's place");
        assert!(list.covers(&there, NOW).is_some(), "everything");
    }

    #[test]
    fn what_is_wider_than_usual_is_known_and_the_list_has_an_end() {
        assert!(v4([10, 0, 0, 0], 15, None).is_broad() && !v4([10, 0, 0, 0], 16, None).is_broad());
        let v6 = |prefix| Passed { family: Family::V6, network: Addr(1), prefix, port: Some(1) };
        assert!(v6(47).is_broad() && !v6(48).is_broad());
        let list = PassList::default();
        for n in 0..MAX_PASSES {
            assert_eq!(list.put(&v4([10, 0, 0, n as u8], 32, None), Time::from_secs(110)), Some(n));
        }
        assert_eq!(list.put(&v4([10, 0, 1, 0], 32, None), Time::from_secs(110)), None);
        list.end(7);
        assert_eq!(list.put(&v4([10, 0, 1, 0], 32, None), Time::from_secs(110)), Some(7));
    }

    #[test]
    fn whoever_reads_while_it_changes_never_sees_two_halves() {
        let list = PassList::default();
        // Of the first the network holds the address without its port, of the second the port is right without the network.
        let (one, two) = (v4([10, 0, 0, 1], 32, Some(1)), v4([10, 0, 0, 2], 32, Some(2)));
        let mixed = [tuple([9, 9, 9, 9], [10, 0, 0, 1], 2), tuple([9, 9, 9, 9], [10, 0, 0, 2], 1)];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..20_000 {
                    let place = list.put(if n % 2 == 0 { &one } else { &two }, Time::from_secs(110)).unwrap();
                    list.end(place);
                }
            });
            for _ in 0..20_000 {
                assert!(mixed.iter().all(|tuple| list.covers(tuple, NOW).is_none()));
            }
        });
    }

    proptest! {
        #[test]
        fn a_network_holds_what_has_its_prefix(network: u128, address: u128, prefix in 0u8..=128, same in 0u8..=128, v6: bool) {
            let (family, width) = if v6 { (Family::V6, 128) } else { (Family::V4, 32) };
            let (prefix, bits) = (prefix.min(width), u128::MAX >> (128 - width));
            // As many leading bits alike.
            let keep = u128::MAX.checked_shl(u32::from(width - same.min(width))).unwrap_or(0);
            let address = (network & keep | address & !keep) & bits;
            let list = PassList::default();
            list.put(&Passed { family, network: Addr(network & bits), prefix, port: None }, Time::from_secs(110));
            let shift = u32::from(width - prefix);
            let within = (network & bits).checked_shr(shift).unwrap_or(0) == address.checked_shr(shift).unwrap_or(0);
            let tuple = FlowTuple { family, src: Addr(address), dst: Addr(!network & bits), ..FlowTuple::default() };
            prop_assert_eq!(list.covers(&tuple, NOW).is_some(), within || prefix == 0);
        }
    }
}
