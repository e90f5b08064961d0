//! The packet within a packet: IP in IP, GRE with ERSPAN, VXLAN, Geneve, Teredo.
//!
//! An inner packet is decoded and judged by itself, after the outer one; [`tunnel`] says where it stands.

use super::{Decoded, L4, Layer};
use crate::wire::gre::{self, Gre};
use crate::wire::{ip_proto, u16_at};

/// Tunnels within tunnels that are looked into; what is deeper is payload.
pub const MAX_TUNNELS: usize = 8;

/// UDP ports (RFC 7348; RFC 8926; RFC 4380), those of Suricata's stock configuration.
pub const VXLAN_PORT: u16 = 4789;
pub const GENEVE_PORT: u16 = 6081;
pub const TEREDO_PORT: u16 = 3544;

/// VXLAN's and Geneve's fixed headers.
const VXLAN_LEN: usize = 8;
const GENEVE_LEN: usize = 8;
/// The flag without which a VXLAN header names no network.
const VXLAN_HAS_ID: u8 = 0x08;
/// Teredo's origin indication (RFC 4380, section 5.1.1).
const TEREDO_ORIGIN_LEN: usize = 8;

/// Where an inner packet stands in the frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Inner {
    pub layer: Layer,
    pub at: usize,
    /// Behind its last byte, as far as the outer packet goes.
    pub end: usize,
}

/// Whether packets between these UDP ports may hold others: their worker must not depend on the outer ports, which the two
/// directions of an inner session do not share.
#[inline]
pub(super) fn is_tunnel_port(sport: u16, dport: u16) -> bool {
    let one = |port| matches!(port, VXLAN_PORT | GENEVE_PORT | TEREDO_PORT);
    one(sport) || one(dport)
}

/// The packet that a decoded one carries.
#[inline]
pub fn tunnel(bytes: &[u8], outer: &Decoded) -> Option<Inner> {
    let ip = outer.ip.filter(|ip| outer.invalid.is_none() && ip.fragment.is_none())?;
    let udp = matches!(outer.l4, L4::Udp) && is_tunnel_port(outer.tuple.sport, outer.tuple.dport);
    if !udp && !matches!(ip.proto, ip_proto::IPV4 | ip_proto::IPV6 | ip_proto::GRE) {
        return None;
    }
    let range = outer.payload_range();
    let payload = bytes.get(range.clone())?;
    let (layer, skip) = if udp { over_udp(payload, outer) } else { over_ip(payload, ip.proto) }?;
    Some(Inner { layer, at: range.start + skip, end: range.end })
}

fn over_ip(payload: &[u8], proto: u8) -> Option<(Layer, usize)> {
    match (proto, payload.first()? >> 4) {
        (ip_proto::IPV4, 4) => Some((Layer::Ipv4, 0)),
        (ip_proto::IPV6, 6) => Some((Layer::Ipv6, 0)),
        (ip_proto::GRE, _) => {
            let gre = Gre::parse(payload).ok()?;
            match gre.protocol {
                // Without a sequence number it is ERSPAN type I, which has no header.
                gre::ERSPAN if gre.has_sequence => Some((Layer::Ethernet, gre.header_len + gre::ERSPAN_LEN)),
                gre::ERSPAN => Some((Layer::Ethernet, gre.header_len)),
                other => Some((announced(other)?, gre.header_len)),
            }
        }
        _ => None,
    }
}

fn over_udp(payload: &[u8], outer: &Decoded) -> Option<(Layer, usize)> {
    match (outer.tuple.sport, outer.tuple.dport) {
        (_, VXLAN_PORT) => {
            let names = payload.first()? & VXLAN_HAS_ID != 0 && payload.len() > VXLAN_LEN;
            names.then_some((Layer::Ethernet, VXLAN_LEN))
        }
        (_, GENEVE_PORT) => {
            // Version 0, then the options' length in words.
            let first = *payload.first().filter(|first| *first >> 6 == 0)?;
            Some((announced(u16_at(payload, 2)?)?, GENEVE_LEN + usize::from(first) * 4))
        }
        (TEREDO_PORT, _) | (_, TEREDO_PORT) => {
            let skip = if payload.starts_with(&[0, 0]) { TEREDO_ORIGIN_LEN } else { 0 };
            (payload.get(skip)? >> 4 == 6).then_some((Layer::Ipv6, skip))
        }
        _ => None,
    }
}

/// What an Ethernet type or a GRE protocol type stands for.
fn announced(protocol: u16) -> Option<Layer> {
    match protocol {
        gre::TRANSPARENT_ETHERNET => Some(Layer::Ethernet),
        gre::PPP => Some(Layer::Ppp),
        // Below are lengths (IEEE 802.3), which no tunnel announces.
        other => (other >= 0x0600).then_some(Layer::EtherType(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{decode, decode_at};
    use crate::io::LinkType;
    use crate::wire::build::{IpFields, ip_packet, udp_packet};
    use std::net::SocketAddr;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// The inner ports of a raw IP packet, if it is a tunnel's.
    fn inner_ports(packet: &[u8]) -> Option<(u16, u16)> {
        let (mut outer, mut inner) = (Decoded::default(), Decoded::default());
        decode(packet, LinkType::RawIp, &mut outer);
        let found = tunnel(packet, &outer)?;
        decode_at(&packet[..found.end], found.at, found.layer, &mut inner);
        assert_eq!((inner.invalid, inner.payload_len), (None, 5));
        Some((inner.tuple.sport, inner.tuple.dport))
    }

    #[test]
    fn every_kind_of_tunnel_shows_its_inner_packet() {
        let ip = IpFields::default();
        let four = udp_packet(at("10.0.0.1:7"), at("10.0.0.2:8"), &ip, b"inner");
        let six = udp_packet(at("[2001:db8::1]:7"), at("[2001:db8::2]:8"), &ip, b"inner");
        let ethernet = [&[2; 12][..], &[8, 0], &four].concat();
        let over = |proto, head: &[u8], inner: &[u8]| {
            let body = [head, inner].concat();
            ip_packet(at("192.0.2.1:0").ip(), at("192.0.2.2:0").ip(), proto, &ip, &body)
        };
        let udp = |port, head: &[u8], inner: &[u8]| {
            let to = SocketAddr::new(at("192.0.2.2:0").ip(), port);
            udp_packet(at("192.0.2.1:999"), to, &ip, &[head, inner].concat())
        };
        let erspan = [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1][..], &[0; 8]].concat();
        let tunnels = [
            over(ip_proto::IPV4, &[], &four),
            over(ip_proto::IPV6, &[], &six),
            over(ip_proto::GRE, &[0, 0, 8, 0], &four),
            over(ip_proto::GRE, &[0, 0, 0x65, 0x58], &ethernet),
            over(ip_proto::GRE, &erspan, &ethernet),
            over(ip_proto::GRE, &[0, 0, 0x88, 0xbe], &ethernet),
            udp(VXLAN_PORT, &[8, 0, 0, 0, 0, 0, 100, 0], &ethernet),
            udp(GENEVE_PORT, &[1, 0, 0x65, 0x58, 0, 0, 1, 0, 9, 9, 9, 9], &ethernet),
            udp(GENEVE_PORT, &[0, 0, 0x86, 0xdd, 0, 0, 1, 0], &six),
            udp(TEREDO_PORT, &[], &six),
            udp(TEREDO_PORT, &[0, 0, 1, 2, 3, 4, 5, 6], &six),
        ];
        for (n, packet) in tunnels.iter().enumerate() {
            assert_eq!(inner_ports(packet), Some((7, 8)), "tunnel {n}");
        }
        let no_tunnels = [
            over(ip_proto::IPV4, &[], &six),
            over(ip_proto::GRE, &[0, 2, 8, 0], &four),
            udp(VXLAN_PORT, &[0; 8], &ethernet),
            udp(VXLAN_PORT + 1, &[8, 0, 0, 0, 0, 0, 100, 0], &ethernet),
            udp(GENEVE_PORT, &[0x40, 0, 0x65, 0x58, 0, 0, 1, 0], &ethernet),
            udp(TEREDO_PORT, &[], &four),
        ];
        for (n, packet) in no_tunnels.iter().enumerate() {
            assert_eq!(inner_ports(packet), None, "no tunnel {n}");
        }
    }
}
