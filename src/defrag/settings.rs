//! What the configuration says of fragments.

use super::policy::OverlapPolicy;
use crate::base::{Addr, Family};
use std::time::Duration;

/// Overlap policies by destination network.
#[derive(Clone, Debug, Default)]
pub struct PolicyTable {
    default: OverlapPolicy,
    /// Longest prefix first.
    networks: Vec<(Family, Addr, u8, OverlapPolicy)>,
}

impl PolicyTable {
    pub fn new(default: OverlapPolicy) -> PolicyTable {
        PolicyTable { default, networks: Vec::new() }
    }

    /// `prefix` in bits of the family's address: at most 32 or 128.
    pub fn add(&mut self, family: Family, network: Addr, prefix: u8, policy: OverlapPolicy) {
        let at = self.networks.partition_point(|&(_, _, longer, _)| longer >= prefix);
        self.networks.insert(at, (family, network, prefix, policy));
    }

    pub fn of(&self, family: Family, destination: Addr) -> OverlapPolicy {
        let width: u32 = if family == Family::V4 { 32 } else { 128 };
        let within = |network: Addr, prefix: u8| {
            let rest = width.saturating_sub(u32::from(prefix));
            let shifted = |a: Addr| a.0.checked_shr(rest).unwrap_or(0);
            shifted(network) == shifted(destination)
        };
        let found = self.networks.iter().find(|n| n.0 == family && within(n.1, n.2));
        found.map_or(self.default, |n| n.3)
    }
}

/// Every cap has its drop reason. "Buffer bytes" are what a frame pins of its pool, not what it says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Datagrams at once.
    pub datagrams: u32,
    /// Pieces at once, over all datagrams.
    pub pieces: u32,
    /// Buffer bytes of one worker.
    pub memory: u64,
    /// Buffer bytes of one source address; 0: no cap.
    pub source_memory: u64,
    /// Buffer bytes of one datagram.
    pub datagram_memory: u64,
    /// Fragments of one datagram.
    pub datagram_fragments: u32,
    /// From a datagram's first piece.
    pub timeout: Duration,
    pub policies: PolicyTable,
    /// IPv6 fragments that overlap take their datagram with them (RFC 5722). Off: the policy decides, as for IPv4.
    pub drop_v6_overlaps: bool,
    /// A first TCP fragment that does not hold the fixed header (RFC 1858, RFC 3128).
    pub drop_tiny_first: bool,
    /// What one segment of a frame pins: data room, headroom and the mbuf itself.
    pub buffer_bytes: u32,
    /// Of the hash of keys.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            datagrams: 16_384,
            pieces: 65_536,
            memory: 64 << 20,
            source_memory: 8 << 20,
            datagram_memory: 1 << 20,
            datagram_fragments: 8192,
            timeout: Duration::from_secs(30),
            policies: PolicyTable::default(),
            drop_v6_overlaps: true,
            drop_tiny_first: false,
            buffer_bytes: 2304,
            seed: 0x5eed,
        }
    }
}

impl Settings {
    /// As Suricata's stock configuration (`defrag` and `host-os-policy` in suricata.yaml).
    pub fn suricata() -> Settings {
        Settings {
            datagrams: 65_535,
            pieces: 65_535,
            memory: 64 << 20,
            source_memory: 0,
            datagram_memory: 64 << 20,
            datagram_fragments: 65_535,
            timeout: Duration::from_secs(60),
            policies: PolicyTable::new(OverlapPolicy::Bsd),
            drop_v6_overlaps: false,
            ..Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_network_that_holds_the_destination_decides() {
        let mut table = PolicyTable::new(OverlapPolicy::Bsd);
        table.add(Family::V4, Addr::v4([10, 0, 0, 0]), 8, OverlapPolicy::Linux);
        table.add(Family::V4, Addr::v4([10, 1, 0, 0]), 16, OverlapPolicy::Windows);
        table.add(Family::V6, Addr(0), 0, OverlapPolicy::Last);
        assert_eq!(table.of(Family::V4, Addr::v4([10, 1, 2, 3])), OverlapPolicy::Windows);
        assert_eq!(table.of(Family::V4, Addr::v4([10, 2, 2, 3])), OverlapPolicy::Linux);
        assert_eq!(table.of(Family::V4, Addr::v4([11, 2, 2, 3])), OverlapPolicy::Bsd);
        assert_eq!(table.of(Family::V6, Addr(77)), OverlapPolicy::Last);
    }
}
