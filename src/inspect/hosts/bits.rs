//! `xbits:` and `hostbits:`: bits of an address or a pair of addresses, with an end.
//!
//! A bit that has ended is gone at the next look, by the packet's time.

use super::key::{Hasher, HostKey, What};
use super::table::{Table, Value};
use crate::base::{FlowTuple, Generation, Time};
use crate::rules::ruleset::HostBitOp;

pub(crate) struct HostBits {
    table: Table,
    hasher: Hasher,
}

impl HostBits {
    pub(crate) fn new(entries: usize, seed: u64) -> HostBits {
        HostBits { table: Table::new(entries), hasher: Hasher::new(seed) }
    }

    fn hash(&self, generation: Generation, op: &HostBitOp, tuple: &FlowTuple) -> u64 {
        self.hasher.hash(What::Bit, generation, op.bit, &HostKey::of_bit(op.track, tuple))
    }

    pub(crate) fn is_set(
        &self,
        generation: Generation,
        op: &HostBitOp,
        tuple: &FlowTuple,
        now: Time,
    ) -> bool {
        self.table.get(self.hash(generation, op, tuple)).is_some_and(|value| value.until > now)
    }

    pub(crate) fn set(&self, generation: Generation, op: &HostBitOp, tuple: &FlowTuple, now: Time) {
        let value = Value { until: now.plus(op.expire), count: 0 };
        self.table.update(self.hash(generation, op, tuple), now, |_| value);
    }

    pub(crate) fn unset(&self, generation: Generation, op: &HostBitOp, tuple: &FlowTuple) {
        self.table.remove(self.hash(generation, op, tuple));
    }

    /// Living bits that gave way.
    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    pub(crate) fn contended(&self) -> u64 {
        self.table.contended()
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::WAYS;
    use super::*;
    use crate::base::Addr;
    use crate::rules::ruleset::{BitAction, HostBitTrack};
    use std::time::Duration;

    const NOW: Generation = Generation(1);

    fn op(bit: u32, track: HostBitTrack) -> HostBitOp {
        HostBitOp { action: BitAction::Set, bit, track, expire: Duration::from_secs(10) }
    }

    fn tuple(src: u32, dst: u32) -> FlowTuple {
        FlowTuple { src: Addr(src.into()), dst: Addr(dst.into()), ..FlowTuple::default() }
    }

    #[test]
    fn a_bit_is_its_addresses_own_until_it_ends() {
        let bits = HostBits::new(64, 1);
        let now = Time::from_secs(100);
        bits.set(NOW, &op(1, HostBitTrack::Source), &tuple(5, 6), now);
        let is_set = |bit, track, tuple, now| bits.is_set(NOW, &op(bit, track), &tuple, now);
        assert!(is_set(1, HostBitTrack::Source, tuple(5, 7), now));
        assert!(is_set(1, HostBitTrack::Destination, tuple(9, 5), now), "the same host");
        assert!(!is_set(1, HostBitTrack::Source, tuple(6, 5), now));
        assert!(!is_set(2, HostBitTrack::Source, tuple(5, 6), now));
        assert!(!is_set(1, HostBitTrack::Source, tuple(5, 6), Time::from_secs(110)));
        let other = Generation(2);
        assert!(!bits.is_set(other, &op(1, HostBitTrack::Source), &tuple(5, 6), now), "another generation's");
        bits.unset(NOW, &op(1, HostBitTrack::Source), &tuple(5, 6));
        assert!(!is_set(1, HostBitTrack::Source, tuple(5, 6), now));
    }

    #[test]
    fn a_pair_has_no_direction_and_a_full_set_gives_up_the_one_that_ends_first() {
        let bits = HostBits::new(WAYS, 1);
        let at = Time::from_secs;
        let pair = |bit| op(bit, HostBitTrack::Pair);
        let is_set = |bit, tuple, now| bits.is_set(NOW, &pair(bit), &tuple, now);
        bits.set(NOW, &pair(0), &tuple(1, 2), at(1));
        assert!(is_set(0, tuple(2, 1), at(2)));
        (1..=WAYS as u32).for_each(|bit| bits.set(NOW, &pair(bit), &tuple(1, 2), at(1 + u64::from(bit))));
        assert!(!is_set(0, tuple(1, 2), at(9)) && is_set(1, tuple(1, 2), at(9)));
        assert_eq!(bits.evicted(), 1);
    }
}
