//! IP headers of either family, by the addresses.

use super::set_u16;
use crate::wire::checksum::internet;
use crate::wire::{ip_proto, ipv4, ipv6};
use std::net::{IpAddr, Ipv6Addr};

/// The fields that callers choose; the default is what a plain host sends.
#[derive(Clone, Debug)]
pub struct IpFields {
    pub ttl: u8,
    pub tos: u8,
    /// IPv4 only.
    pub id: u16,
    /// IPv4 only.
    pub dont_fragment: bool,
    /// IPv4 options, padded with end-of-list to 4 bytes; at most 40.
    pub options: Vec<u8>,
    /// IPv6 extension headers in order: kind, and the header's bytes from the third on, padded with zeros (Pad1) to its
    /// length. The first two bytes, next header and length, are filled in. Of a fragment header: the reserved byte is 0.
    pub extensions: Vec<(u8, Vec<u8>)>,
}

impl Default for IpFields {
    fn default() -> IpFields {
        IpFields { ttl: 64, tos: 0, id: 1, dont_fragment: false, options: Vec::new(), extensions: Vec::new() }
    }
}

/// Appends the header for `payload_len` bytes that the caller appends next. A mixed pair of families makes an IPv6 packet
/// with the IPv4 address mapped. Lengths beyond 65,535 are cut to 16 bits.
pub fn push_ip_header(
    out: &mut Vec<u8>,
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    fields: &IpFields,
    payload_len: usize,
) {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let start = out.len();
            let options_len = fields.options.len().min(40).next_multiple_of(4);
            let header_len = ipv4::MIN_HEADER_LEN + options_len;
            let total = (header_len + payload_len) as u16;
            let flags = if fields.dont_fragment { 0x4000u16 } else { 0 };
            out.extend([0x40 | (header_len / 4) as u8, fields.tos]);
            out.extend(total.to_be_bytes());
            out.extend(fields.id.to_be_bytes());
            out.extend(flags.to_be_bytes());
            out.extend([fields.ttl, proto, 0, 0]);
            out.extend(src.octets());
            out.extend(dst.octets());
            out.extend(fields.options.iter().take(40));
            out.resize(start + header_len, ipv4::option::END);
            fix_ipv4_checksum(out, start);
        }
        (src, dst) => push_ipv6_header(out, mapped(src), mapped(dst), proto, fields, payload_len),
    }
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Computes the header checksum of the IPv4 packet at `start` anew.
pub(super) fn fix_ipv4_checksum(out: &mut [u8], start: usize) {
    set_u16(out, start + 10, 0);
    let header = out.get(start..).unwrap_or_default();
    let header_len = usize::from(header.first().map_or(0, |b| b & 15)) * 4;
    let sum = internet(header.get(..header_len).unwrap_or_default());
    set_u16(out, start + 10, sum);
}

fn push_ipv6_header(
    out: &mut Vec<u8>,
    src: Ipv6Addr,
    dst: Ipv6Addr,
    proto: u8,
    fields: &IpFields,
    payload_len: usize,
) {
    let extensions_len: usize = fields.extensions.iter().map(|(kind, body)| extension_len(*kind, body)).sum();
    let first = fields.extensions.first().map_or(proto, |(kind, _)| *kind);
    out.extend([0x60 | (fields.tos >> 4), fields.tos << 4, 0, 0]);
    out.extend(((extensions_len + payload_len) as u16).to_be_bytes());
    out.extend([first, fields.ttl]);
    out.extend(src.octets());
    out.extend(dst.octets());
    let followers = fields.extensions.iter().skip(1).map(|(kind, _)| *kind).chain([proto]);
    for ((kind, body), next) in fields.extensions.iter().zip(followers) {
        let (start, len) = (out.len(), extension_len(*kind, body));
        let length_field = match *kind {
            ip_proto::FRAGMENT => 0,
            ip_proto::AH => len / 4 - 2,
            _ => len / 8 - 1,
        };
        out.extend([next, length_field as u8]);
        out.extend(body);
        out.resize(start + len, 0);
    }
}

fn extension_len(kind: u8, body: &[u8]) -> usize {
    match kind {
        ip_proto::FRAGMENT => ipv6::FRAGMENT_HEADER_LEN,
        _ => (body.len() + 2).next_multiple_of(8),
    }
}

/// A whole IP packet.
pub fn ip_packet(src: IpAddr, dst: IpAddr, proto: u8, fields: &IpFields, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_ip_header(&mut out, src, dst, proto, fields, payload.len());
    out.extend(payload);
    out
}
