//! Which session a packet belongs to: an exact comparison, and a hash that both directions share.

#[cfg(test)]
use crate::base::Addr;
use crate::base::key::{fold, seeds};
use crate::base::{Dir, FlowTuple};

/// How `tuple` runs within a session whose opener had the tuple `opener`; `None` when it is another session.
///
/// Compares everything: addresses with their family, ports, protocol and context. Two ends that are equal
/// (a packet to oneself) run to the server.
#[inline]
pub fn direction(opener: &FlowTuple, tuple: &FlowTuple) -> Option<Dir> {
    if opener == tuple {
        Some(Dir::ToServer)
    } else if *opener == tuple.reversed() {
        Some(Dir::ToClient)
    } else {
        None
    }
}

/// A seeded hash of tuples, the same for both directions. Nobody who does not know the seed can aim at one bucket.
#[derive(Copy, Clone, Debug)]
pub(super) struct KeyHasher {
    seeds: [u64; 4],
}

impl KeyHasher {
    pub(super) fn new(seed: u64) -> KeyHasher {
        KeyHasher { seeds: seeds(seed) }
    }

    #[inline]
    pub(super) fn hash(&self, tuple: &FlowTuple) -> u64 {
        let ends = ((tuple.src.0, tuple.sport), (tuple.dst.0, tuple.dport));
        let (low, high) = if ends.0 <= ends.1 { ends } else { (ends.1, ends.0) };
        let ports = u64::from(low.1) << 16 | u64::from(high.1);
        let rest = ports << 16 | u64::from(tuple.proto) << 8 | tuple.family as u64;
        let [a, b, c, d] = self.seeds;
        let first = fold(low.0 as u64 ^ a, (low.0 >> 64) as u64 ^ b);
        let second = fold(high.0 as u64 ^ c, (high.0 >> 64) as u64 ^ d);
        let third = fold(tuple.tenant() ^ b, rest ^ c);
        fold(first ^ d, second.rotate_left(23) ^ third ^ a)
    }
}

/// The number that ties a session's events together: the same whatever the number of workers.
pub fn flow_id(opener: &FlowTuple, packet: u32, micros: u64) -> u64 {
    let hasher = KeyHasher::new(u64::from(packet) << 32 ^ micros);
    // eve.json's readers keep it in a double or a signed 64-bit integer: 53 bits, and never 0.
    (hasher.hash(opener) >> 11).max(1)
}

#[cfg(test)]
pub(crate) fn v4_tuple(src: [u8; 4], sport: u16, dst: [u8; 4], dport: u16, proto: u8) -> FlowTuple {
    FlowTuple { src: Addr::v4(src), dst: Addr::v4(dst), sport, dport, proto, ..FlowTuple::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Family;
    use proptest::prelude::*;

    prop_compose! {
        fn tuple()(src: u128, dst: u128, sport: u16, dport: u16, proto: u8, context: u64, tunnel: u64, v6: bool) -> FlowTuple {
            let family = if v6 { Family::V6 } else { Family::V4 };
            FlowTuple { src: Addr(src), dst: Addr(dst), sport, dport, proto, family, context, tunnel }
        }
    }

    proptest! {
        #[test]
        fn both_directions_are_one_session_with_one_hash(t in tuple(), seed: u64) {
            let hasher = KeyHasher::new(seed);
            prop_assert_eq!(hasher.hash(&t), hasher.hash(&t.reversed()));
            prop_assert_eq!(direction(&t, &t), Some(Dir::ToServer));
            prop_assert_eq!(direction(&t, &t.reversed()), Some(Dir::ToClient));
        }

        #[test]
        fn any_other_field_is_another_session(t in tuple(), bit in 0u32..16) {
            let others = [
                FlowTuple { sport: t.sport ^ (1 << bit), ..t },
                FlowTuple { context: t.context ^ (1 << bit), ..t },
                FlowTuple { tunnel: t.tunnel ^ (1 << bit), ..t },
                FlowTuple { proto: t.proto ^ (1 << (bit % 8)), ..t },
                FlowTuple { src: Addr(t.src.0 ^ (1 << bit)), ..t },
                FlowTuple { family: if t.family == Family::V4 { Family::V6 } else { Family::V4 }, ..t },
            ];
            for other in others {
                prop_assert_eq!(direction(&t, &other), None);
                prop_assert_ne!(KeyHasher::new(7).hash(&t), KeyHasher::new(7).hash(&other));
            }
        }
    }

    #[test]
    fn a_flow_id_depends_on_the_opening_packet_and_fits_a_double() {
        let t = v4_tuple([10, 0, 0, 1], 1000, [10, 0, 0, 2], 80, 6);
        assert_eq!(flow_id(&t, 1, 5), flow_id(&t, 1, 5));
        assert_ne!(flow_id(&t, 1, 5), flow_id(&t, 2, 5));
        assert!(flow_id(&t, 9, 9) < 1 << 53);
    }
}
