//! A packet's header fields as a drop record tells them.

use crate::base::Family;
use crate::base::event::{Headers, IpHeader, UpperHeader};
use crate::decode::{Decoded, Ip, L4};
use crate::wire::ipv6::Ipv6;
use crate::wire::udp;

/// Of the packet that was decoded from these bytes.
pub fn headers(bytes: &[u8], decoded: &Decoded) -> Headers {
    let Some(ip) = &decoded.ip else { return Headers::default() };
    Headers { ip: Some(of_ip(bytes, ip)), upper: upper(bytes, decoded) }
}

fn of_ip(bytes: &[u8], ip: &Ip) -> IpHeader {
    match ip.family {
        Family::V4 => IpHeader::V4 { tos: ip.tos, ttl: ip.ttl, id: ip.id },
        Family::V6 => {
            let header = Ipv6::parse_cut(bytes.get(ip.at as usize..).unwrap_or_default());
            let flow_label = header.map_or(0, |header| header.flow_label());
            IpHeader::V6 { class: ip.tos, hop_limit: ip.ttl, flow_label }
        }
    }
}

fn upper(bytes: &[u8], decoded: &Decoded) -> UpperHeader {
    match decoded.l4 {
        L4::Tcp(tcp) => {
            let offset_and_reserved = bytes.get(decoded.l4_at as usize + 12);
            let reserved = offset_and_reserved.map_or(0, |byte| byte & 15);
            let (seq, ack, window, flags, urgent) = (tcp.seq, tcp.ack, tcp.window, tcp.flags, tcp.urgent);
            UpperHeader::Tcp { seq, ack, window, flags, reserved, urgent }
        }
        L4::Udp => {
            let length = decoded.payload_len.saturating_add(udp::HEADER_LEN as u32);
            UpperHeader::Udp { length: u16::try_from(length).unwrap_or(u16::MAX) }
        }
        L4::Icmp4 { id, seq, .. } | L4::Icmp6 { id, seq, .. } => UpperHeader::Icmp { id, seq },
        L4::Sctp | L4::None => UpperHeader::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Tunnels, decode};
    use crate::io::LinkType;
    use crate::wire::build::{self, IpFields};
    use std::net::SocketAddr;

    fn of(packet: &[u8]) -> Headers {
        let mut decoded = Decoded::default();
        decode(packet, LinkType::RawIp, &Tunnels::default(), &mut decoded);
        headers(packet, &decoded)
    }

    #[test]
    fn the_fields_are_those_of_the_packet() {
        let end = |text: &str| text.parse::<SocketAddr>().unwrap();
        let v4 = build::udp_packet(end("10.0.0.1:1"), end("10.0.0.2:2"), &IpFields::default(), b"12345");
        let facts = of(&v4);
        assert_eq!(facts.upper, UpperHeader::Udp { length: 13 });
        assert!(matches!(facts.ip, Some(IpHeader::V4 { ttl, .. }) if ttl == v4[8]), "{facts:?}");
        let mut v6 = build::udp_packet(end("[::1]:1"), end("[::2]:2"), &IpFields::default(), b"1");
        (v6[0], v6[1], v6[2], v6[3]) = (0x6a, 0xbc, 0xde, 0xf0);
        let expected = IpHeader::V6 { class: 0xab, hop_limit: v6[7], flow_label: 0xc_def0 };
        assert_eq!(of(&v6).ip, Some(expected));
        assert_eq!(of(b"\x12nothing"), Headers::default());
    }
}
