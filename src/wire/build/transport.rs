//! TCP, UDP, ICMP and SCTP in IP packets of either family.

use super::{IpFields, push_ip_header, set_u16};
use crate::base::{Addr, Family};
use crate::wire::checksum::{Sum, crc32c, internet};
use crate::wire::tcp::{flag, option};
use crate::wire::{icmp, ip_proto, ipv4, ipv6, sctp, udp};
use std::net::{IpAddr, SocketAddr};

/// The options that builders write, in an order that needs no padding in between.
#[derive(Clone, Debug, Default)]
pub struct TcpOptions {
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub sack_permitted: bool,
    pub timestamps: Option<(u32, u32)>,
    /// Fast Open cookie; empty asks for one.
    pub fast_open: Option<Vec<u8>>,
    /// Appended as they are.
    pub raw: Vec<u8>,
}

impl TcpOptions {
    fn push(&self, out: &mut Vec<u8>) {
        if let Some(mss) = self.mss {
            out.extend([option::MSS, 4]);
            out.extend(mss.to_be_bytes());
        }
        if let Some(shift) = self.window_scale {
            out.extend([option::NOP, option::WINDOW_SCALE, 3, shift]);
        }
        if self.sack_permitted {
            out.extend([option::NOP, option::NOP, option::SACK_PERMITTED, 2]);
        }
        if let Some((value, echo)) = self.timestamps {
            out.extend([option::NOP, option::NOP, option::TIMESTAMPS, 10]);
            out.extend(value.to_be_bytes());
            out.extend(echo.to_be_bytes());
        }
        if let Some(cookie) = &self.fast_open {
            out.extend([option::FAST_OPEN, cookie.len() as u8 + 2]);
            out.extend(cookie);
        }
        out.extend(&self.raw);
    }
}

/// One TCP segment.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub urgent: u16,
    /// At most 40 bytes once padded.
    pub options: TcpOptions,
    pub payload: &'a [u8],
}

impl Default for Segment<'_> {
    fn default() -> Self {
        Segment {
            seq: 0,
            ack: 0,
            flags: flag::ACK,
            window: 65_535,
            urgent: 0,
            options: TcpOptions::default(),
            payload: &[],
        }
    }
}

/// Sum over what stands from `at` on, with the pseudo header when `proto` has one.
fn sum(out: &[u8], at: usize, src: IpAddr, dst: IpAddr, proto: u8) -> u16 {
    let upper = out.get(at..).unwrap_or_default();
    let ((src, family), (dst, _)) = (Addr::from_ip(src), Addr::from_ip(dst));
    Sum::default().pseudo_header(family, src, dst, proto, upper.len() as u32).bytes(upper).finish()
}

/// Appends an IP packet with a TCP segment.
pub fn push_tcp(out: &mut Vec<u8>, src: SocketAddr, dst: SocketAddr, ip: &IpFields, segment: &Segment<'_>) {
    let mut options = Vec::new();
    segment.options.push(&mut options);
    options.resize(options.len().next_multiple_of(4), option::END);
    let header_len = 20 + options.len();
    push_ip_header(out, src.ip(), dst.ip(), ip_proto::TCP, ip, header_len + segment.payload.len());
    let at = out.len();
    out.extend(src.port().to_be_bytes());
    out.extend(dst.port().to_be_bytes());
    out.extend(segment.seq.to_be_bytes());
    out.extend(segment.ack.to_be_bytes());
    out.extend([((header_len / 4) << 4) as u8, segment.flags]);
    out.extend(segment.window.to_be_bytes());
    out.extend([0, 0]);
    out.extend(segment.urgent.to_be_bytes());
    out.extend(options);
    out.extend(segment.payload);
    let sum = sum(out, at, src.ip(), dst.ip(), ip_proto::TCP);
    set_u16(out, at + 16, sum);
}

pub fn tcp_packet(src: SocketAddr, dst: SocketAddr, ip: &IpFields, segment: &Segment<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    push_tcp(&mut out, src, dst, ip, segment);
    out
}

/// Appends an IP packet with a UDP datagram.
pub fn push_udp(out: &mut Vec<u8>, src: SocketAddr, dst: SocketAddr, ip: &IpFields, payload: &[u8]) {
    let length = udp::HEADER_LEN + payload.len();
    push_ip_header(out, src.ip(), dst.ip(), ip_proto::UDP, ip, length);
    let at = out.len();
    out.extend(src.port().to_be_bytes());
    out.extend(dst.port().to_be_bytes());
    out.extend((length as u16).to_be_bytes());
    out.extend([0, 0]);
    out.extend(payload);
    // 0 would say that there is no checksum (RFC 768).
    let sum = match sum(out, at, src.ip(), dst.ip(), ip_proto::UDP) {
        0 => 0xffff,
        sum => sum,
    };
    set_u16(out, at + 6, sum);
}

pub fn udp_packet(src: SocketAddr, dst: SocketAddr, ip: &IpFields, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_udp(&mut out, src, dst, ip, payload);
    out
}

/// An ICMP or ICMPv6 message, by the addresses' family.
#[derive(Copy, Clone, Debug)]
pub struct Message<'a> {
    pub kind: u8,
    pub code: u8,
    /// The four bytes behind the checksum: identifier and sequence number of an echo.
    pub rest: u32,
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    pub fn echo(family: Family, request: bool, id: u16, seq: u16, payload: &'a [u8]) -> Message<'a> {
        let kind = match (family, request) {
            (Family::V4, true) => icmp::v4::ECHO_REQUEST,
            (Family::V4, false) => icmp::v4::ECHO_REPLY,
            (Family::V6, true) => icmp::v6::ECHO_REQUEST,
            (Family::V6, false) => icmp::v6::ECHO_REPLY,
        };
        Message { kind, code: 0, rest: (u32::from(id) << 16) | u32::from(seq), payload }
    }
}

pub fn icmp_packet(src: IpAddr, dst: IpAddr, ip: &IpFields, message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let (_, family) = Addr::from_ip(src);
    let proto = if family == Family::V4 { ip_proto::ICMP } else { ip_proto::ICMPV6 };
    push_ip_header(&mut out, src, dst, proto, ip, icmp::HEADER_LEN + message.payload.len());
    let at = out.len();
    out.extend([message.kind, message.code, 0, 0]);
    out.extend(message.rest.to_be_bytes());
    out.extend(message.payload);
    let checksum = match family {
        Family::V4 => internet(out.get(at..).unwrap_or_default()),
        Family::V6 => sum(&out, at, src, dst, proto),
    };
    set_u16(&mut out, at + 2, checksum);
    out
}

/// The error that `reporter` sends about `packet` to its source, quoting it as far as the RFCs let it. `None` when
/// `packet` is no IP packet of the reporter's family.
pub fn icmp_error(reporter: IpAddr, kind: u8, code: u8, rest: u32, packet: &[u8]) -> Option<Vec<u8>> {
    let (source, quote_len) = match reporter {
        // RFC 1812, 4.3.2.3: as much as fits 576 bytes.
        IpAddr::V4(_) => {
            let quoted = ipv4::Ipv4::parse_cut(packet).ok()?;
            (quoted.source().to_ip(Family::V4), 576 - ipv4::MIN_HEADER_LEN - icmp::HEADER_LEN)
        }
        // RFC 4443, 2.4: as much as fits the minimum MTU.
        IpAddr::V6(_) => {
            let quoted = ipv6::Ipv6::parse_cut(packet).ok()?;
            (quoted.source().to_ip(Family::V6), 1280 - ipv6::HEADER_LEN - icmp::HEADER_LEN)
        }
    };
    let payload = packet.get(..packet.len().min(quote_len))?;
    Some(icmp_packet(reporter, source, &IpFields::default(), &Message { kind, code, rest, payload }))
}

/// An SCTP packet; chunks are (type, flags, value).
pub fn sctp_packet(
    src: SocketAddr,
    dst: SocketAddr,
    ip: &IpFields,
    tag: u32,
    chunks: &[(u8, u8, &[u8])],
) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(src.port().to_be_bytes());
    body.extend(dst.port().to_be_bytes());
    body.extend(tag.to_be_bytes());
    body.extend([0; 4]);
    for (kind, flags, value) in chunks {
        body.extend([*kind, *flags]);
        body.extend((value.len() as u16 + 4).to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let crc = crc32c(&[&body]).to_le_bytes();
    if let Some(field) = body.get_mut(sctp::HEADER_LEN - 4..sctp::HEADER_LEN) {
        field.copy_from_slice(&crc);
    }
    super::ip_packet(src.ip(), dst.ip(), ip_proto::SCTP, ip, &body)
}
