//! Which worker: the least that the distributor must read of a frame.
//!
//! The hash is that of [`Decoded::affinity_hash`](super::Decoded::affinity_hash) for every packet that decodes, without
//! the checks: the worker makes those.

use super::tunnel::{is_tunnel_port, session_hash};
use super::{ip, ipv6_ext, quoted};
use crate::base::key::hash_ends;
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

/// `with_ports`: by 5-tuple, else by addresses and protocol. The frame may be cut behind its headers.
#[inline]
pub fn affinity(bytes: &[u8], link: LinkType, with_ports: bool) -> Affinity {
    if link == LinkType::Ethernet
        && let Some(hash) = plain_ipv4(bytes, with_ports)
    {
        return Affinity { hash, fragment: false };
    }
    find(bytes, link, with_ports).unwrap_or_default()
}

/// The short way for most of the traffic: untagged TCP and UDP over IPv4 without options. `None` sends all else the long
/// way, which would find the same.
#[inline]
fn plain_ipv4(bytes: &[u8], with_ports: bool) -> Option<u32> {
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
    let with_ports = with_ports && !(proto == ip_proto::UDP && is_tunnel_port(port(34), port(36)));
    let port = |at: usize| if with_ports { port(at) } else { 0 };
    let (src, dst) = ((u64::from(address(26)), port(34)), (u64::from(address(30)), port(36)));
    Some(hash_ends(src, dst, proto, Family::V4, 0))
}

fn find(bytes: &[u8], link: LinkType, with_ports: bool) -> Option<Affinity> {
    let (family, packet, context) = network(bytes, link)?;
    match family {
        Family::V4 => of_ipv4(packet, context, with_ports),
        Family::V6 => of_ipv6(packet, context, with_ports),
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
fn of_ipv4(bytes: &[u8], context: u64, with_ports: bool) -> Option<Affinity> {
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
        Some(_) => Some(Affinity { hash: tuple.symmetric_hash(false), fragment: true }),
        None => Some(whole(tuple, packet.payload(), with_ports)),
    }
}

#[inline]
fn of_ipv6(bytes: &[u8], context: u64, with_ports: bool) -> Option<Affinity> {
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
        return Some(whole(tuple, packet.payload(), with_ports));
    }
    let upper = ipv6_ext::skip(packet.payload(), tuple.proto)?;
    tuple.proto = upper.proto;
    match upper.fragment {
        Some(_) => Some(Affinity { hash: tuple.symmetric_hash(false), fragment: true }),
        None => Some(whole(tuple, packet.payload().get(upper.skipped..)?, with_ports)),
    }
}

#[inline]
fn whole(tuple: FlowTuple, payload: &[u8], with_ports: bool) -> Affinity {
    let tuple = match (tuple.family, tuple.proto) {
        (Family::V4, ip_proto::ICMP) | (Family::V6, ip_proto::ICMPV6) => icmp_tuple(tuple, payload),
        _ if with_ports => quoted::with_ports(tuple, payload).unwrap_or(tuple),
        _ => tuple,
    };
    Affinity { hash: session_hash(&tuple, with_ports), fragment: false }
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
