//! Which worker: the least that the distributor must read of a frame.
//!
//! The hash is that of [`Decoded::affinity_hash`](super::Decoded::affinity_hash) for every packet that decodes, without
//! the checks: the worker makes those.

use super::tunnel::is_tunnel_port;
use super::{ip, ipv6_ext, quoted};
use crate::base::key::hash_ends;
use crate::base::toeplitz::{fold, toeplitz};
use crate::base::{Family, FlowTuple};
use crate::io::LinkType;
use crate::wire::ethernet::{self, VLAN_TAG_LEN, VlanTag, ether_type};
use crate::wire::icmp;
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Ipv6};
use crate::wire::{chdlc, ip_proto, null_loop, ppp, sll, u16_at};
use arrayvec::ArrayVec;

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
    pub(super) fn session(self, tuple: &FlowTuple) -> u32 {
        let tunnel = tuple.proto == ip_proto::UDP && is_tunnel_port(tuple.sport, tuple.dport);
        self.tuple(tuple, self.ports && !tunnel)
    }

    /// That of a fragment: ports stand in one of them only.
    #[inline]
    pub(super) fn fragment(self, tuple: &FlowTuple) -> u32 {
        self.tuple(tuple, false)
    }

    #[inline]
    fn tuple(self, tuple: &FlowTuple, with_ports: bool) -> u32 {
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
pub fn affinity(bytes: &[u8], link: LinkType, by: HashBy) -> Affinity {
    if link == LinkType::Ethernet
        && let Some(hash) = plain_ipv4(bytes, by)
    {
        return Affinity { hash, fragment: false };
    }
    find(bytes, link, by).unwrap_or_default()
}

/// Whether the frame is a piece of an IP packet, as [`affinity`] would find. It may be cut behind its headers.
#[inline]
pub fn is_piece(bytes: &[u8], link: LinkType) -> bool {
    const BY: HashBy = HashBy { ports: false, function: HashFunction::Mixed };
    let plain = |frame: &[u8; ethernet::HEADER_LEN + ipv4::MIN_HEADER_LEN]| {
        // As in `plain_ipv4`, whatever it carries.
        [frame[12], frame[13], frame[14]] == [0x08, 0x00, 0x45] && [frame[20] & 0x3f, frame[21]] == [0, 0]
    };
    if link == LinkType::Ethernet && bytes.first_chunk().is_some_and(plain) {
        return false;
    }
    find(bytes, link, BY).is_some_and(|found| found.fragment)
}

/// The short way for most of the traffic: untagged TCP and UDP over IPv4 without options. `None` sends all else the long
/// way, which would find the same.
#[inline]
fn plain_ipv4(bytes: &[u8], by: HashBy) -> Option<u32> {
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
    let with_ports = by.ports && !(proto == ip_proto::UDP && is_tunnel_port(port(34), port(36)));
    let port = |at: usize| if with_ports { port(at) } else { 0 };
    let (src, dst) = ((u64::from(address(26)), port(34)), (u64::from(address(30)), port(36)));
    Some(match by.function {
        HashFunction::Mixed => hash_ends(src, dst, proto, Family::V4, 0),
        HashFunction::Toeplitz => toeplitz(fold(u128::from(src.0 ^ dst.0)) ^ src.1 ^ dst.1),
    })
}

fn find(bytes: &[u8], link: LinkType, by: HashBy) -> Option<Affinity> {
    let (family, packet, context) = network(bytes, link)?;
    match family {
        Family::V4 => of_ipv4(packet, context, by),
        Family::V6 => of_ipv6(packet, context, by),
    }
}

/// The IP packet behind the link header and its tags.
#[inline]
fn network(bytes: &[u8], link: LinkType) -> Option<(Family, &[u8], u64)> {
    let (announced, at) = match link {
        LinkType::Ethernet => (u16_at(bytes, ethernet::HEADER_LEN - 2)?, ethernet::HEADER_LEN),
        LinkType::RawIp => (version_type(bytes.first()? >> 4)?, 0),
        LinkType::LinuxSll => (sll::sll_ether_type(bytes).ok()?, sll::SLL_LEN),
        LinkType::LinuxSll2 => (sll::sll2_ether_type(bytes).ok()?, sll::SLL2_LEN),
        LinkType::CiscoHdlc => (chdlc::ether_type(bytes).ok()?, chdlc::HEADER_LEN),
        LinkType::Null | LinkType::Loop => match null_loop::family(bytes).ok()? {
            Family::V4 => (ether_type::IPV4, null_loop::HEADER_LEN),
            Family::V6 => (ether_type::IPV6, null_loop::HEADER_LEN),
        },
        LinkType::Ppp => match ppp::header(bytes).ok()? {
            (ppp::protocol::IPV4, at) => (ether_type::IPV4, at),
            (ppp::protocol::IPV6, at) => (ether_type::IPV6, at),
            _ => return None,
        },
        LinkType::Other(_) => return None,
    };
    match announced {
        ether_type::IPV4 => Some((Family::V4, bytes.get(at..)?, 0)),
        ether_type::IPV6 => Some((Family::V6, bytes.get(at..)?, 0)),
        _ => tagged(bytes, announced, at),
    }
}

fn version_type(version: u8) -> Option<u16> {
    match version {
        4 => Some(ether_type::IPV4),
        6 => Some(ether_type::IPV6),
        _ => None,
    }
}

fn tagged(bytes: &[u8], mut announced: u16, mut at: usize) -> Option<(Family, &[u8], u64)> {
    let mut vlans = ArrayVec::<u16, { super::MAX_VLANS }>::new();
    while ether_type::is_vlan(announced) {
        let tag = VlanTag::parse(bytes.get(at..)?).ok()?;
        vlans.try_push(tag.id).ok()?;
        announced = tag.ether_type;
        at += VLAN_TAG_LEN;
    }
    let family = match announced {
        ether_type::IPV4 => Family::V4,
        ether_type::IPV6 => Family::V6,
        _ => return None,
    };
    Some((family, bytes.get(at..)?, ip::context(&vlans)))
}

#[inline]
fn of_ipv4(bytes: &[u8], context: u64, by: HashBy) -> Option<Affinity> {
    let packet = Ipv4::parse_cut(bytes).ok()?;
    let tuple = FlowTuple {
        src: packet.source(),
        dst: packet.destination(),
        sport: 0,
        dport: 0,
        proto: packet.proto(),
        family: Family::V4,
        context,
    };
    match packet.fragment() {
        Some(_) => Some(Affinity { hash: by.fragment(&tuple), fragment: true }),
        None => Some(whole(tuple, packet.payload(), by)),
    }
}

#[inline]
fn of_ipv6(bytes: &[u8], context: u64, by: HashBy) -> Option<Affinity> {
    let packet = Ipv6::parse_cut(bytes).ok()?;
    let mut tuple = FlowTuple {
        src: packet.source(),
        dst: packet.destination(),
        sport: 0,
        dport: 0,
        proto: packet.next_header(),
        family: Family::V6,
        context,
    };
    if !ipv6::is_extension(tuple.proto) {
        return Some(whole(tuple, packet.payload(), by));
    }
    let upper = ipv6_ext::skip(packet.payload(), tuple.proto)?;
    tuple.proto = upper.proto;
    match upper.fragment {
        Some(_) => Some(Affinity { hash: by.fragment(&tuple), fragment: true }),
        None => Some(whole(tuple, packet.payload().get(upper.skipped..)?, by)),
    }
}

#[inline]
fn whole(tuple: FlowTuple, payload: &[u8], by: HashBy) -> Affinity {
    let tuple = match (tuple.family, tuple.proto) {
        (Family::V4, ip_proto::ICMP) | (Family::V6, ip_proto::ICMPV6) => icmp_tuple(tuple, payload),
        _ if by.ports => quoted::with_ports(tuple, payload).unwrap_or(tuple),
        _ => tuple,
    };
    Affinity { hash: by.session(&tuple), fragment: false }
}

/// An error goes where the packet went that it quotes.
fn icmp_tuple(tuple: FlowTuple, payload: &[u8]) -> FlowTuple {
    let error = payload.first().is_some_and(|kind| icmp::is_error(tuple.family, *kind));
    let quote = payload.get(icmp::HEADER_LEN..).filter(|_| error);
    quote
        .and_then(|quote| quoted::tuple(tuple.family, quote, tuple.context).ok().flatten())
        .or_else(|| quoted::with_ports(tuple, payload))
        .unwrap_or(tuple)
}
