//! Which worker: the least that the distributor must read of a frame.
//!
//! The hash is that of [`Decoded::affinity_hash`](super::Decoded::affinity_hash) for every packet that decodes, without
//! the checks: the worker makes those.
//!
//! What a tunnel carries goes by the addresses of the innermost packet, whatever is around it. Without ports the pieces of an
//! inner datagram meet its session at once: nobody else has to put them together and hand them over.

mod walk;

pub(super) use walk::{carried, carried_share};

use super::Tunnels;
use crate::base::key::hash_ends;
use crate::base::toeplitz::{fold, toeplitz};
use crate::base::{Family, FlowTuple};
use crate::io::LinkType;
use crate::wire::{ethernet, ip_proto, ipv4};

/// Bytes of a frame that its affinity may depend on, whether or not the rest is at hand: link, tags, tunnels, extensions (which may
/// fill an ordinary packet), a quoted packet.
pub const AFFINITY_BYTES: usize = 1536;

/// What the distributor wants to know.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Affinity {
    /// Equal for all packets that must meet on one worker; 0 for what is not IP.
    pub hash: u32,
    /// An IP fragment: hashed by addresses alone, and its datagram may have to move on once it is whole.
    pub fragment: bool,
}

/// By what hash a frame finds its worker.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct HashBy {
    /// By 5-tuple, else by addresses alone (and the protocol, where the function looks at it).
    pub ports: bool,
    pub function: HashFunction,
    pub tunnels: Tunnels,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum HashFunction {
    /// Our own: every part of the tuple counts.
    #[default]
    Mixed,
    /// The one that a NIC computes under the symmetric key: addresses, and ports of TCP, UDP and SCTP.
    Toeplitz,
}

impl HashBy {
    /// The hash of a packet that is no fragment.
    #[inline]
    pub(super) fn session(&self, tuple: &FlowTuple) -> u32 {
        let tunnel = tuple.proto == ip_proto::UDP && self.tunnels.may_carry(tuple.sport, tuple.dport);
        self.tuple(tuple, self.ports && !tunnel)
    }

    /// That of a fragment: ports stand in one of them only.
    #[inline]
    pub(super) fn fragment(&self, tuple: &FlowTuple) -> u32 {
        self.tuple(tuple, false)
    }

    /// That of a packet within a tunnel. Pieces of an IPv6 datagram do not all know its protocol.
    fn inner(&self, tuple: &FlowTuple) -> u32 {
        self.tuple(&FlowTuple { proto: 0, ..*tuple }, false)
    }

    #[inline]
    fn tuple(&self, tuple: &FlowTuple, with_ports: bool) -> u32 {
        match self.function {
            HashFunction::Mixed => tuple.symmetric_hash(with_ports),
            HashFunction::Toeplitz => {
                // An ICMP identifier is no port to a NIC.
                let with_ports =
                    with_ports && matches!(tuple.proto, ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP);
                let ports = if with_ports { tuple.sport ^ tuple.dport } else { 0 };
                toeplitz(fold(tuple.src.0 ^ tuple.dst.0) ^ ports)
            }
        }
    }
}

/// The frame may be cut behind its headers.
#[inline]
pub fn affinity(bytes: &[u8], link: LinkType, by: &HashBy) -> Affinity {
    if link == LinkType::Ethernet
        && let Some(hash) = plain_ipv4(bytes, by)
    {
        return Affinity { hash, fragment: false };
    }
    walk::find(bytes, link, by).unwrap_or_default()
}

/// Whether the frame is a piece of an IP packet, as [`affinity`] would find; `None` for one that is not understood that far. It may
/// be cut behind its headers.
#[inline]
pub fn is_piece(bytes: &[u8], link: LinkType) -> Option<bool> {
    let plain = |frame: &[u8; ethernet::HEADER_LEN + ipv4::MIN_HEADER_LEN]| {
        // As in `plain_ipv4`, whatever it carries.
        [frame[12], frame[13], frame[14]] == [0x08, 0x00, 0x45] && [frame[20] & 0x3f, frame[21]] == [0, 0]
    };
    if link == LinkType::Ethernet && bytes.first_chunk().is_some_and(plain) {
        return Some(false);
    }
    walk::is_piece(bytes, link)
}

/// The short way for most of the traffic: untagged TCP and UDP over IPv4 without options. `None` sends all else the long
/// way, which would find the same.
#[inline]
fn plain_ipv4(bytes: &[u8], by: &HashBy) -> Option<u32> {
    let frame: &[u8; ethernet::HEADER_LEN + ipv4::MIN_HEADER_LEN + 4] = bytes.first_chunk()?;
    // Ethernet type, version and header length; then flags and offset, without "don't fragment".
    let plain = [frame[12], frame[13], frame[14]] == [0x08, 0x00, 0x45];
    let whole = [frame[20] & 0x3f, frame[21]] == [0, 0];
    let proto = frame[23];
    if !plain || !whole || !matches!(proto, ip_proto::TCP | ip_proto::UDP) {
        return None;
    }
    let address = |at: usize| u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
    let port = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    if proto == ip_proto::UDP && by.tunnels.may_carry(port(34), port(36)) {
        return None;
    }
    let port = |at: usize| if by.ports { port(at) } else { 0 };
    let (src, dst) = ((u64::from(address(26)), port(34)), (u64::from(address(30)), port(36)));
    Some(match by.function {
        HashFunction::Mixed => hash_ends(src, dst, proto, Family::V4, 0),
        HashFunction::Toeplitz => toeplitz(fold(u128::from(src.0 ^ dst.0)) ^ src.1 ^ dst.1),
    })
}
