//! Link layers: which packet stands behind them, and where.

use super::{Decoded, Layer, Step, Tunnels, around, shim, tail};
use crate::base::{Anomaly, Family};
use crate::wire::arp::Arp;
use crate::wire::ethernet::{self, Ethernet, VLAN_TAG_LEN, VlanTag, ether_type as types};
use crate::wire::{chdlc, ipv4, ipv6, llc as llc_header, null_loop, ppp as ppp_header, sll as cooked};

#[inline]
pub(super) fn ethernet(bytes: &[u8], at: usize, tunnels: &Tunnels, out: &mut Decoded) -> Step {
    let header = Ethernet::parse(tail(bytes, at))?;
    out.ethernet = Some(at as u32);
    ether_type(bytes, at + ethernet::HEADER_LEN, header.ether_type(), tunnels, out)
}

#[inline]
pub(super) fn ether_type(
    bytes: &[u8],
    at: usize,
    ether_type: u16,
    tunnels: &Tunnels,
    out: &mut Decoded,
) -> Step {
    out.ether_type = ether_type;
    match ether_type {
        types::IPV4 => Ok(Some((Layer::Ipv4, at))),
        types::IPV6 => Ok(Some((Layer::Ipv6, at))),
        _ => other_ether_type(bytes, at, ether_type, tunnels, out),
    }
}

fn other_ether_type(bytes: &[u8], at: usize, ether_type: u16, tunnels: &Tunnels, out: &mut Decoded) -> Step {
    match ether_type {
        len if len < types::MIN => Ok(Some((Layer::Llc(len), at))),
        vlan if types::is_vlan(vlan) => {
            let tag = VlanTag::parse(tail(bytes, at))?;
            out.vlans.try_push(tag.id).map_err(|_| Anomaly::VlanTooManyLayers)?;
            Ok(Some((Layer::EtherType(tag.ether_type), at + VLAN_TAG_LEN)))
        }
        types::ARP => {
            let arp = Arp::parse(tail(bytes, at))?;
            out.arp = Some(at as u32);
            if arp.opcode_known() { Ok(None) } else { Err(Anomaly::ArpUnsupportedOpcode) }
        }
        other if shim::is_known(other) => {
            if other == types::PPPOE_SESSION {
                out.pppoe = Some(at as u32);
            }
            around::shim(bytes, at, other, tunnels, out);
            shim::next(tail(bytes, at), at, other)
        }
        _ => Err(unknown_type(out)),
    }
}

fn unknown_type(out: &Decoded) -> Anomaly {
    if out.vlans.is_empty() { Anomaly::EthernetUnknownEthertype } else { Anomaly::VlanUnknownType }
}

/// What is not SNAP (spanning tree, routing, NetBIOS) is like a frame of an unknown type.
#[cold]
pub(super) fn llc(bytes: &[u8], at: usize, out: &mut Decoded) -> Step {
    let kind = llc_header::ether_type_of(tail(bytes, at)).ok_or_else(|| unknown_type(out))?;
    out.llc = Some(at as u32);
    Ok(Some((Layer::EtherType(kind), at + llc_header::HEADER_LEN)))
}

pub(super) fn raw_ip(bytes: &[u8], at: usize) -> Step {
    match tail(bytes, at).first().map(|b| b >> 4) {
        Some(4) => Ok(Some((Layer::Ipv4, at))),
        Some(6) => Ok(Some((Layer::Ipv6, at))),
        _ => Err(Anomaly::IprawInvalidIpVersion),
    }
}

pub(super) fn sll(bytes: &[u8], at: usize) -> Step {
    let ether_type = cooked::sll_ether_type(tail(bytes, at))?;
    Ok(Some((Layer::EtherType(ether_type), at + cooked::SLL_LEN)))
}

pub(super) fn sll2(bytes: &[u8], at: usize) -> Step {
    let ether_type = cooked::sll2_ether_type(tail(bytes, at))?;
    Ok(Some((Layer::EtherType(ether_type), at + cooked::SLL2_LEN)))
}

pub(super) fn null_loop(bytes: &[u8], at: usize) -> Step {
    let layer = match null_loop::family(tail(bytes, at))? {
        Family::V4 => Layer::Ipv4,
        Family::V6 => Layer::Ipv6,
    };
    Ok(Some((layer, at + null_loop::HEADER_LEN)))
}

pub(super) fn ppp(bytes: &[u8], at: usize) -> Step {
    let (protocol, header_len) = ppp_header::header(tail(bytes, at))?;
    let at = at + header_len;
    let room = tail(bytes, at).len();
    match protocol {
        ppp_header::protocol::IPV4 if room < ipv4::MIN_HEADER_LEN => Err(Anomaly::PppIp4PktTooSmall),
        ppp_header::protocol::IPV4 => Ok(Some((Layer::Ipv4, at))),
        ppp_header::protocol::VJ_UNCOMPRESSED if room < ipv4::MIN_HEADER_LEN => {
            Err(Anomaly::PppVjuPktTooSmall)
        }
        ppp_header::protocol::IPV6 if room < ipv6::HEADER_LEN => Err(Anomaly::PppIp6PktTooSmall),
        ppp_header::protocol::IPV6 => Ok(Some((Layer::Ipv6, at))),
        _ => Err(Anomaly::PppUnsupProto),
    }
}

pub(super) fn cisco_hdlc(bytes: &[u8], at: usize) -> Step {
    let ether_type = chdlc::ether_type(tail(bytes, at))?;
    Ok(Some((Layer::EtherType(ether_type), at + chdlc::HEADER_LEN)))
}
