//! `xbits:` and `hostbits:`: bits of an address or a pair of addresses, with an end.
//!
//! A bounded table; a bit that has ended is gone at the next look, by the packet's time. Where a set is full of living
//! bits the one that ends first gives way. One table a worker: bits set by packets that another worker owns are not seen
//! (the shared table of spec 00 takes this one's place behind the same three functions).

use crate::base::key::mix;
use crate::base::{Family, FlowTuple, Time};
use crate::rules::ruleset::{HostBitOp, HostBitTrack};

/// Neighbouring entries among which a key is looked for.
const WAYS: usize = 8;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Key {
    a: u128,
    b: u128,
    bit: u32,
    family: Family,
    pair: bool,
}

impl Key {
    fn new(op: &HostBitOp, tuple: &FlowTuple) -> Key {
        let (src, dst) = (tuple.src.0, tuple.dst.0);
        let (a, b, pair) = match op.track {
            HostBitTrack::Source => (src, 0, false),
            HostBitTrack::Destination => (dst, 0, false),
            HostBitTrack::Pair => (src.min(dst), src.max(dst), true),
        };
        Key { a, b, bit: op.bit, family: tuple.family, pair }
    }

    fn hash(&self) -> u64 {
        let fold = |v: u128| (v as u64) ^ ((v >> 64) as u64);
        mix(fold(self.a) ^ mix(fold(self.b) ^ u64::from(self.bit) << 1 ^ u64::from(self.pair)))
    }
}

#[derive(Copy, Clone, Debug, Default)]
struct Entry {
    key: Key,
    /// Zero while free.
    until: Time,
}

#[derive(Debug)]
pub(crate) struct HostBits {
    entries: Box<[Entry]>,
    /// Living bits that gave way.
    pub(crate) evicted: u64,
}

impl HostBits {
    pub(crate) fn new(entries: usize) -> HostBits {
        let size = entries.max(WAYS).next_power_of_two();
        HostBits { entries: vec![Entry::default(); size].into(), evicted: 0 }
    }

    fn ways(&mut self, key: &Key) -> &mut [Entry] {
        let first = (key.hash() as usize & (self.entries.len() - 1)) & !(WAYS - 1);
        self.entries.get_mut(first..first + WAYS).unwrap_or_default()
    }

    pub(crate) fn is_set(&mut self, op: &HostBitOp, tuple: &FlowTuple, now: Time) -> bool {
        let key = Key::new(op, tuple);
        self.ways(&key).iter().any(|e| e.key == key && e.until > now)
    }

    pub(crate) fn set(&mut self, op: &HostBitOp, tuple: &FlowTuple, now: Time) {
        let key = Key::new(op, tuple);
        let until = now.plus(op.expire);
        let ways = self.ways(&key);
        let known = ways.iter().position(|e| e.key == key && e.until > Time::ZERO);
        let soonest = || ways.iter().enumerate().min_by_key(|(_, e)| e.until).map(|(n, _)| n);
        let Some(at) = known.or_else(soonest) else { return };
        let living = known.is_none() && ways.get(at).is_some_and(|e| e.until > now);
        if let Some(entry) = ways.get_mut(at) {
            *entry = Entry { key, until };
        }
        self.evicted += u64::from(living);
    }

    pub(crate) fn unset(&mut self, op: &HostBitOp, tuple: &FlowTuple) {
        let key = Key::new(op, tuple);
        for entry in self.ways(&key).iter_mut().filter(|e| e.key == key) {
            *entry = Entry::default();
        }
    }

    /// Bits are numbered within a generation.
    pub(crate) fn clear(&mut self) {
        self.entries.fill(Entry::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Addr;
    use crate::rules::ruleset::BitAction;
    use std::time::Duration;

    fn op(bit: u32, track: HostBitTrack) -> HostBitOp {
        HostBitOp { action: BitAction::Set, bit, track, expire: Duration::from_secs(10) }
    }

    fn tuple(src: u32, dst: u32) -> FlowTuple {
        FlowTuple { src: Addr(src.into()), dst: Addr(dst.into()), ..FlowTuple::default() }
    }

    #[test]
    fn a_bit_is_its_addresses_own_until_it_ends() {
        let mut bits = HostBits::new(64);
        let now = Time::from_secs(100);
        bits.set(&op(1, HostBitTrack::Source), &tuple(5, 6), now);
        assert!(bits.is_set(&op(1, HostBitTrack::Source), &tuple(5, 7), now));
        assert!(bits.is_set(&op(1, HostBitTrack::Destination), &tuple(9, 5), now), "the same host");
        assert!(!bits.is_set(&op(1, HostBitTrack::Source), &tuple(6, 5), now));
        assert!(!bits.is_set(&op(2, HostBitTrack::Source), &tuple(5, 6), now));
        assert!(!bits.is_set(&op(1, HostBitTrack::Source), &tuple(5, 6), Time::from_secs(110)));
        bits.unset(&op(1, HostBitTrack::Source), &tuple(5, 6));
        assert!(!bits.is_set(&op(1, HostBitTrack::Source), &tuple(5, 6), now));
    }

    #[test]
    fn a_pair_has_no_direction_and_a_full_set_gives_up_the_one_that_ends_first() {
        let mut bits = HostBits::new(WAYS);
        let at = Time::from_secs;
        let pair = |bit| op(bit, HostBitTrack::Pair);
        bits.set(&pair(0), &tuple(1, 2), at(1));
        assert!(bits.is_set(&pair(0), &tuple(2, 1), at(2)));
        (1..=WAYS as u32).for_each(|bit| bits.set(&pair(bit), &tuple(1, 2), at(1 + u64::from(bit))));
        assert!(!bits.is_set(&pair(0), &tuple(1, 2), at(9)) && bits.is_set(&pair(1), &tuple(1, 2), at(9)));
        assert_eq!(bits.evicted, 1);
    }
}
