//! What the configuration says of fragments.

use super::policy::OverlapPolicy;
use crate::base::NetworkTable;
use std::time::Duration;

/// Overlap policies by destination network.
pub type PolicyTable = NetworkTable<OverlapPolicy>;

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
    /// A datagram whose time is over is told of with its first fragment, for an ICMP error ([`Sink::timed_out`](super::Sink::timed_out)).
    pub tell_timeouts: bool,
    pub policies: PolicyTable,
    /// IPv6 fragments that overlap take their datagram with them (RFC 5722). Off: the policy decides, as for IPv4.
    pub drop_v6_overlaps: bool,
    /// A first TCP fragment that does not hold the fixed header, and one that begins in it (RFC 1858, RFC 3128).
    pub drop_tiny_first: bool,
    /// IPv4 fragments whose header checksum is wrong, which no router would pass on: a rebuilt header's is right.
    pub drop_bad_checksum: bool,
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
            tell_timeouts: false,
            policies: PolicyTable::default(),
            drop_v6_overlaps: true,
            drop_tiny_first: true,
            drop_bad_checksum: true,
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
            drop_tiny_first: false,
            drop_bad_checksum: false,
            ..Settings::default()
        }
    }
}
