//! Link headers around IP packets.

use crate::wire::ethernet::ether_type;
use std::net::Ipv4Addr;

/// How a capture's frames begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Ethernet {
        source: [u8; 6],
        destination: [u8; 6],
        /// (type, tag control information), outermost first.
        tags: Vec<(u16, u16)>,
    },
    RawIp,
    /// The family little-endian, as nearly every capture has it.
    Null,
    Loop,
    Ppp,
    CiscoHdlc,
    Sll,
    Sll2,
}

impl Link {
    /// Ethernet between two locally administered addresses.
    pub fn ethernet() -> Link {
        Link::tagged(&[])
    }

    /// Ethernet with these VLAN ids, outermost first; of two, the outer is a service tag (802.1ad).
    pub fn tagged(ids: &[u16]) -> Link {
        let inner = ids.len().saturating_sub(1);
        let tag =
            |(at, id): (usize, &u16)| (if at < inner { ether_type::QINQ } else { ether_type::VLAN }, *id);
        Link::Ethernet {
            source: [2, 0, 0, 0, 0, 1],
            destination: [2, 0, 0, 0, 0, 2],
            tags: ids.iter().enumerate().map(tag).collect(),
        }
    }

    /// The value in a pcap file's header, and of `LinkType::from_dlt`.
    pub fn dlt(&self) -> u16 {
        match self {
            Link::Null => 0,
            Link::Ethernet { .. } => 1,
            Link::Ppp => 9,
            Link::RawIp => 101,
            Link::CiscoHdlc => 104,
            Link::Loop => 108,
            Link::Sll => 113,
            Link::Sll2 => 276,
        }
    }

    /// `packet` with this header before it.
    pub fn wrap(&self, packet: &[u8]) -> Vec<u8> {
        match packet.first().map(|b| b >> 4) {
            Some(6) => self.wrap_as(ether_type::IPV6, packet),
            _ => self.wrap_as(ether_type::IPV4, packet),
        }
    }

    /// An IP packet in LLC and SNAP (RFC 1042), behind a length and no type: for Ethernet.
    pub fn wrap_snap(&self, packet: &[u8]) -> Vec<u8> {
        let six = packet.first().is_some_and(|b| b >> 4 == 6);
        let kind = if six { ether_type::IPV6 } else { ether_type::IPV4 };
        let payload = [&[0xaa, 0xaa, 0x03, 0, 0, 0][..], &kind.to_be_bytes(), packet].concat();
        self.wrap_as(payload.len() as u16, &payload)
    }

    /// As [`wrap`](Link::wrap), for payloads that are not IP.
    pub fn wrap_as(&self, kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 32);
        let six = kind == ether_type::IPV6;
        match self {
            Link::Ethernet { source, destination, tags } => {
                out.extend(destination);
                out.extend(source);
                for (tag_type, control) in tags {
                    out.extend(tag_type.to_be_bytes());
                    out.extend(control.to_be_bytes());
                }
                out.extend(kind.to_be_bytes());
            }
            Link::RawIp => {}
            Link::Null => out.extend([if six { 30 } else { 2 }, 0, 0, 0]),
            Link::Loop => out.extend([0, 0, 0, if six { 24 } else { 2 }]),
            Link::Ppp => out.extend([0xff, 0x03, 0x00, if six { 0x57 } else { 0x21 }]),
            Link::CiscoHdlc => {
                out.extend([0x0f, 0x00]);
                out.extend(kind.to_be_bytes());
            }
            Link::Sll => {
                // To us, Ethernet, a six-byte address.
                out.extend([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
                out.extend(kind.to_be_bytes());
            }
            Link::Sll2 => {
                out.extend(kind.to_be_bytes());
                out.extend([0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
            }
        }
        out.extend(payload);
        out
    }
}

/// An ARP message for IPv4 over Ethernet: 1 is a request, 2 a reply.
pub fn arp(opcode: u16, sender: ([u8; 6], Ipv4Addr), target: ([u8; 6], Ipv4Addr)) -> Vec<u8> {
    let mut out = vec![0, 1, 8, 0, 6, 4];
    out.extend(opcode.to_be_bytes());
    for (mac, ip) in [sender, target] {
        out.extend(mac);
        out.extend(ip.octets());
    }
    out
}
