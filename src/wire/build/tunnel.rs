//! Packets within packets, and the headers that stand between the link and IP.

use super::{IpFields, Link, ip_packet, udp_packet};
use crate::wire::ethernet::ether_type;
use crate::wire::{gre, ip_proto};
use std::net::SocketAddr;

/// A tunnel between two ends. Those over UDP go to their usual port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tunnel {
    /// IPv4 or IPv6 directly within IP.
    Ip,
    Gre {
        key: Option<u32>,
        sequence: Option<u32>,
    },
    /// Ethernet in GRE.
    GreBridge,
    /// PPP in GRE version 1, with a call's number.
    Pptp(u16),
    ErspanI,
    /// With the VLAN of the mirrored port.
    ErspanII(u16),
    ErspanIII(u16),
    /// With the network's number.
    Vxlan(u32),
    /// IP without Ethernet, and an option of four bytes.
    Geneve(u32),
    GeneveBridge(u32),
    /// Needs an IPv6 packet; with an origin indication.
    Teredo,
    GtpU(u32),
    /// With a sequence number and two extension headers.
    GtpUExtended(u32),
}

impl Tunnel {
    /// The outer IP packet around an IP packet; `link` is what stands before that where the tunnel carries frames.
    pub fn wrap(&self, src: SocketAddr, dst: SocketAddr, link: &Link, packet: &[u8]) -> Vec<u8> {
        let frame = || link.wrap(packet);
        let over_gre = |head: &[u8], rest: &[u8]| over_ip(src, dst, ip_proto::GRE, head, rest);
        let over_udp = |port, head: &[u8], rest: &[u8]| {
            let to = SocketAddr::new(dst.ip(), port);
            udp_packet(src, to, &IpFields::default(), &[head, rest].concat())
        };
        match *self {
            Tunnel::Ip => over_ip(src, dst, if is_v6(packet) { 41 } else { 4 }, &[], packet),
            Tunnel::Gre { key, sequence } => over_gre(&gre0(type_of(packet), key, sequence), packet),
            Tunnel::GreBridge => over_gre(&gre0(ether_type::BRIDGED, None, None), &frame()),
            Tunnel::Pptp(call) => over_gre(&pptp(packet, call), packet),
            Tunnel::ErspanI => over_gre(&gre0(gre::ERSPAN, None, None), &frame()),
            Tunnel::ErspanII(vlan) => {
                let head = [&gre0(gre::ERSPAN, None, Some(1))[..], &(0x1000 | vlan).to_be_bytes(), &[0; 6]];
                over_gre(&head.concat(), &frame())
            }
            Tunnel::ErspanIII(vlan) => {
                let third = [&(0x2000 | vlan).to_be_bytes()[..], &[0; 10]].concat();
                over_gre(&[gre0(gre::ERSPAN_III, None, Some(1)), third].concat(), &frame())
            }
            Tunnel::Vxlan(network) => over_udp(4789, &[&[8, 0, 0, 0][..], &u24(network)].concat(), &frame()),
            Tunnel::Geneve(network) => {
                let head = [&[1, 0][..], &type_of(packet).to_be_bytes(), &u24(network), &[0; 4]].concat();
                over_udp(6081, &head, packet)
            }
            Tunnel::GeneveBridge(network) => {
                let head = [&[0, 0][..], &ether_type::BRIDGED.to_be_bytes(), &u24(network)].concat();
                over_udp(6081, &head, &frame())
            }
            Tunnel::Teredo => over_udp(3544, &[0, 0, 1, 2, 3, 4, 5, 6], packet),
            Tunnel::GtpU(id) => over_udp(2152, &gtp(0x30, id, packet.len()), packet),
            Tunnel::GtpUExtended(id) => {
                let extensions = [0, 7, 0, 0x85, 1, 0x10, 9, 0xc0, 1, 0, 0, 0];
                let head = [&gtp(0x36, id, extensions.len() + packet.len())[..], &extensions].concat();
                over_udp(2152, &head, packet)
            }
        }
    }
}

fn is_v6(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first >> 4 == 6)
}

fn type_of(packet: &[u8]) -> u16 {
    if is_v6(packet) { ether_type::IPV6 } else { ether_type::IPV4 }
}

fn over_ip(src: SocketAddr, dst: SocketAddr, proto: u8, head: &[u8], rest: &[u8]) -> Vec<u8> {
    ip_packet(src.ip(), dst.ip(), proto, &IpFields::default(), &[head, rest].concat())
}

/// A number of 24 bits and the byte behind it.
fn u24(number: u32) -> [u8; 4] {
    (number << 8).to_be_bytes()
}

/// Version 0 (RFC 2890).
fn gre0(protocol: u16, key: Option<u32>, sequence: Option<u32>) -> Vec<u8> {
    let flags = if key.is_some() { 0x20 } else { 0 } | if sequence.is_some() { 0x10 } else { 0 };
    let mut head = vec![flags, 0];
    head.extend(protocol.to_be_bytes());
    head.extend(key.into_iter().chain(sequence).flat_map(u32::to_be_bytes));
    head
}

/// Version 1 (RFC 2637) with a sequence number, and the PPP protocol.
fn pptp(packet: &[u8], call: u16) -> Vec<u8> {
    let [high, low] = call.to_be_bytes();
    let proto = if is_v6(packet) { 0x57 } else { 0x21 };
    let len = (packet.len() as u16 + 2).to_be_bytes();
    vec![0x30, 0x01, 0x88, 0x0b, len[0], len[1], high, low, 0, 0, 0, 1, 0, proto]
}

fn gtp(flags: u8, id: u32, len: usize) -> Vec<u8> {
    [&[flags, 0xff][..], &(len as u16).to_be_bytes(), &id.to_be_bytes()].concat()
}

/// A stack of labels before `payload` (RFC 3032); it goes into a frame of type 0x8847.
pub fn mpls(labels: &[u32], payload: &[u8]) -> Vec<u8> {
    let last = labels.len().saturating_sub(1);
    let entry = |(n, label): (usize, &u32)| (label << 12 | u32::from(n == last) << 8 | 64).to_be_bytes();
    labels.iter().enumerate().flat_map(entry).chain(payload.iter().copied()).collect()
}

/// A PPPoE session's packet (RFC 2516) around an IP packet; it goes into a frame of type 0x8864.
pub fn pppoe(session: u16, packet: &[u8]) -> Vec<u8> {
    let proto = if is_v6(packet) { 0x57 } else { 0x21 };
    let len = packet.len() as u16 + 2;
    [&[0x11, 0][..], &session.to_be_bytes(), &len.to_be_bytes(), &[0, proto], packet].concat()
}

/// A network service header (RFC 8300) without metadata around an IP packet; it goes into a frame of type 0x894f.
pub fn nsh(path: u32, packet: &[u8]) -> Vec<u8> {
    let next = if is_v6(packet) { 2 } else { 1 };
    [&[0, 2, 2, next][..], &u24(path), packet].concat()
}
