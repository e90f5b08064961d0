//! Who talks to whom.

use crate::base::{Addr, Family};
use std::net::IpAddr;

const VLAN_BITS: u32 = 12;

/// The addresses, ports and protocol of one frame, in the frame's own direction, with the VLANs or tunnel it came in.
///
/// Ports are 0 for protocols without; ICMP puts there what makes request and reply each
/// other's reverse (`wire::icmp::Icmp::ports`: of echo, the identifier in both).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowTuple {
    pub src: Addr,
    pub dst: Addr,
    pub sport: u16,
    pub dport: u16,
    /// IP protocol number (IANA).
    pub proto: u8,
    pub family: Family,
    /// VLAN ids, [`VLAN_BITS`] each, outermost lowest.
    pub context: u64,
    /// A number of what else both directions came in: tunnels, 802.1ah services, PPPoE sessions; 0 for nothing. With the VLANs it
    /// keeps tenants apart.
    pub tunnel: u64,
}

impl FlowTuple {
    pub fn reversed(self) -> FlowTuple {
        FlowTuple { src: self.dst, dst: self.src, sport: self.dport, dport: self.sport, ..self }
    }

    /// VLANs and tunnel in one number, for tables that have room for no more. Without a tunnel it is that of the VLANs; else it
    /// is as good as random.
    pub const fn tenant(&self) -> u64 {
        self.context ^ self.tunnel
    }

    /// Ids of its VLANs, outermost first.
    pub fn vlans(&self) -> impl Iterator<Item = u16> {
        let context = self.context;
        let id = move |at| (context >> (VLAN_BITS * at)) as u16 & ((1 << VLAN_BITS) - 1);
        (0..u64::BITS / VLAN_BITS).map(id).take_while(|id| *id != 0)
    }

    pub fn src_ip(&self) -> IpAddr {
        self.src.to_ip(self.family)
    }

    pub fn dst_ip(&self) -> IpAddr {
        self.dst.to_ip(self.family)
    }

    /// A hash that is the same for both directions. `with_ports` false is the hash of fragments and of `layer-3` affinity.
    #[inline]
    pub fn symmetric_hash(&self, with_ports: bool) -> u32 {
        let fold = |a: Addr| (a.0 as u64) ^ ((a.0 >> 64) as u64);
        let (sport, dport) = if with_ports { (self.sport, self.dport) } else { (0, 0) };
        hash_ends((fold(self.src), sport), (fold(self.dst), dport), self.proto, self.family, self.context)
    }
}

/// [`FlowTuple::symmetric_hash`] of two ends, each an address folded to 64 bits (an IPv4 address is its own fold) and a
/// port: for who has not made a tuple.
#[inline]
pub(crate) fn hash_ends(a: (u64, u16), b: (u64, u16), proto: u8, family: Family, context: u64) -> u32 {
    // A sum commutes; mixing each end first keeps pairs of ends with equal sums apart.
    let end = |(addr, port): (u64, u16)| mix(addr ^ (u64::from(port) << 48));
    let rest = context ^ (u64::from(proto) << 56) ^ ((family as u64) << 49);
    let hash = mix(end(a).wrapping_add(end(b)) ^ rest.rotate_left(17));
    (hash >> 32) as u32
}

/// A multiply-xorshift finaliser (the constants of MurmurHash3's fmix64).
#[inline]
pub(crate) const fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// The two halves of a 128-bit product, xored: every bit of either factor reaches every bit of the result.
#[inline]
pub(crate) fn fold(x: u64, y: u64) -> u64 {
    let product = u128::from(x) * u128::from(y);
    product as u64 ^ (product >> 64) as u64
}

/// One word more into a keyed hash of several: nobody who does not know the key can make two meet, and others do by the chance
/// of 64 bits.
#[inline]
pub(crate) fn absorb(state: u64, word: u64, key: u64) -> u64 {
    fold(state.rotate_left(29) ^ word ^ key, key | 1).wrapping_add(state)
}

/// Odd numbers out of one, for a keyed hash.
pub(crate) fn seeds(seed: u64) -> [u64; 4] {
    let mut state = seed;
    let mut next = || {
        // splitmix64 (Steele, Lea and Flood, 2014)
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) | 1
    };
    [next(), next(), next(), next()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn tuple()(src: u128, dst: u128, sport: u16, dport: u16, proto: u8, context in 0u64..1 << 36) -> FlowTuple {
            FlowTuple { src: Addr(src), dst: Addr(dst), sport, dport, proto, family: Family::V6, context, tunnel: 0 }
        }
    }

    proptest! {
        #[test]
        fn both_directions_hash_alike(t in tuple()) {
            prop_assert_eq!(t.symmetric_hash(true), t.reversed().symmetric_hash(true));
            prop_assert_eq!(t.symmetric_hash(false), t.reversed().symmetric_hash(false));
        }
    }

    #[test]
    fn neighbouring_clients_spread_over_four_workers() {
        let mut count = [0u32; 4];
        for i in 0..4096u32 {
            let t = FlowTuple {
                src: Addr(u128::from(0x0a00_0000 + (i >> 4))),
                dst: Addr(0x0a01_0001),
                sport: 40000 + (i & 15) as u16,
                dport: 80,
                proto: 6,
                ..FlowTuple::default()
            };
            count[(t.symmetric_hash(true) % 4) as usize] += 1;
        }
        assert!(count.iter().all(|&n| (900..1150).contains(&n)), "{count:?}");
    }
}
