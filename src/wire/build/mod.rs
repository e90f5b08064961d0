//! Builders of packets: for packets that the box generates, for tests, and for the capture that quickstart replays.
//!
//! The innermost functions append to a `Vec` that the caller owns and may have reserved; the others are for where an
//! allocation does not matter. Checksums come out right; [`spoil_checksum`] makes one wrong. What is random is seeded.

mod capture;
mod conversation;
mod fragment;
mod ip;
mod link;
mod random;
mod transport;
mod tunnel;

#[cfg(test)]
mod tests;

pub use capture::{Capture, pcap};
pub use conversation::TcpConversation;
pub use fragment::{fragment, fragments};
pub use ip::{IpFields, ip_packet, push_ip_header};
pub use link::{Link, arp};
pub use random::Random;
pub use transport::{
    Message, Segment, TcpOptions, icmp_error, icmp_packet, push_tcp, push_udp, sctp_packet, tcp_packet,
    udp_packet,
};
pub use tunnel::{Tunnel, mpls, nsh, pppoe};

use crate::wire::ip_proto;
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::{Extension, Ipv6, is_extension};

/// Overwrites two bytes; outside of `bytes`, nothing.
fn set_u16(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(field) = bytes.get_mut(at..).and_then(|b| b.first_chunk_mut()) {
        *field = value.to_be_bytes();
    }
}

/// Where in an IP packet its upper protocol stands, and which it is.
fn upper(packet: &[u8]) -> Option<(usize, u8)> {
    if let Ok(v4) = Ipv4::parse(packet) {
        return Some((v4.header_len(), v4.proto()));
    }
    let v6 = Ipv6::parse(packet).ok()?;
    let (mut at, mut kind) = (0, v6.next_header());
    while is_extension(kind) {
        let header = Extension::parse(kind, v6.payload().get(at..)?).ok()?;
        (at, kind) = (at + header.bytes.len(), header.next_header);
    }
    Some((crate::wire::ipv6::HEADER_LEN + at, kind))
}

/// Makes the upper protocol's checksum of an IP packet wrong.
pub fn spoil_checksum(packet: &mut [u8]) {
    let Some((at, proto)) = upper(packet) else { return };
    let field = match proto {
        ip_proto::TCP => at + 16,
        ip_proto::UDP => at + 6,
        ip_proto::SCTP => at + 8,
        _ => at + 2,
    };
    spoil(packet, field);
}

/// Makes the header checksum of an IPv4 packet wrong.
pub fn spoil_ip_checksum(packet: &mut [u8]) {
    spoil(packet, 10);
}

fn spoil(packet: &mut [u8], at: usize) {
    if let Some([high, _]) = packet.get_mut(at..).and_then(|b| b.first_chunk_mut::<2>()) {
        // Not a change between the two zeros of ones' complement, which a sum would not see.
        *high ^= 0x5a;
    }
}
