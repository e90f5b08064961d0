//! What state keyed by host is kept under, as one keyed hash of 64 bits.

use crate::base::key::{fold, seeds};
use crate::base::{Family, FlowTuple, Generation};
use crate::rules::ruleset::{HostBitTrack, Track};

/// Whose: a host, a pair of hosts, a session, or everybody together.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostKey {
    a: u128,
    b: u128,
    /// Keeps an IPv4 address from the IPv6 address of the same bits.
    family: Family,
    /// Two addresses; or one, or none.
    pair: bool,
}

impl HostKey {
    pub(crate) fn of_bit(track: HostBitTrack, tuple: &FlowTuple) -> HostKey {
        let track = match track {
            HostBitTrack::Source => Track::BySource,
            HostBitTrack::Destination => Track::ByDestination,
            HostBitTrack::Pair | HostBitTrack::Transaction => Track::ByBoth,
        };
        HostKey::new(track, tuple, 0)
    }

    pub fn new(track: Track, tuple: &FlowTuple, flow_id: u64) -> HostKey {
        let (family, src, dst) = (tuple.family, tuple.src.0, tuple.dst.0);
        let one = |a| HostKey { a, family, ..HostKey::default() };
        match track {
            Track::BySource => one(src),
            Track::ByDestination => one(dst),
            // Both directions between two hosts are one pair.
            Track::ByBoth => HostKey { a: src.min(dst), b: src.max(dst), family, pair: true },
            Track::ByRule => HostKey::default(),
            // A packet without session counts for its addresses.
            Track::ByFlow if flow_id == 0 => HostKey::new(Track::ByBoth, tuple, 0),
            Track::ByFlow => HostKey { b: u128::MAX, ..one(flow_id.into()) },
        }
    }
}

/// What is kept.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Bit,
    Filter,
    Threshold,
    /// Matches that a rate filter counts.
    Rate,
    /// A rate filter is in force.
    RateInForce,
}

/// Nobody who does not know the seed can aim at one bucket.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Hasher {
    seeds: [u64; 4],
}

impl Hasher {
    pub(crate) fn new(seed: u64) -> Hasher {
        Hasher { seeds: seeds(seed) }
    }

    /// `number` is the bit's or the rule's; it means something within its generation only.
    pub(crate) fn hash(&self, what: What, generation: Generation, number: u32, host: &HostKey) -> u64 {
        let [a, b, c, d] = self.seeds;
        let half = |value: u128| (value as u64, (value >> 64) as u64);
        let ((a_low, a_high), (b_low, b_high)) = (half(host.a), half(host.b));
        let name = u64::from(generation.0) << 32 | u64::from(number);
        let kind = (what as u64) << 16 | (host.family as u64) << 8 | u64::from(host.pair);
        let first = fold(a_low ^ a, a_high ^ b);
        let second = fold(b_low ^ c, b_high ^ d);
        let third = fold(name ^ b, kind ^ c);
        fold(first ^ d, second.rotate_left(23) ^ third ^ a)
    }
}
