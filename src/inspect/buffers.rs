//! The bytes behind each context that every packet has.

use super::check::igmp;
use super::facts::PacketFacts;
use crate::base::Family;
use crate::decode::{Ip, L4};
use crate::rules::ruleset::Context;
use std::ops::Range;

/// Calls `with` for each buffer of that name until it says true; whether it did. Most names have one buffer, or none.
/// [`Context::Payload`] is the packet's: a stream's window is not found here.
pub(crate) fn any(context: Context, facts: &PacketFacts<'_>, mut with: impl FnMut(&[u8]) -> bool) -> bool {
    if context == Context::SctpChunkData {
        return sctp_chunks(facts).any(with);
    }
    if context == Context::IgmpHeader {
        return igmp(facts).is_some_and(with);
    }
    range(context, facts).and_then(|range| facts.bytes.get(range)).is_some_and(&mut with)
}

fn range(context: Context, facts: &PacketFacts<'_>) -> Option<Range<usize>> {
    let decoded = facts.decoded;
    let upper = || decoded.l4_at as usize..decoded.l4_at as usize + usize::from(decoded.l4_len);
    let ip = |family| {
        let ip = decoded.ip.filter(|ip| ip.family == family)?;
        Some(ip.at as usize..ip.at as usize + usize::from(ip.header_len))
    };
    match (context, &decoded.l4) {
        (Context::Payload, _) if decoded.payload_len == 0 => None,
        (Context::Payload, L4::Sctp) => Some(sctp_payload(facts)),
        (Context::Payload, _) => Some(decoded.payload_range()),
        (Context::EtherHeader, _) => decoded.ethernet.map(|at| at as usize..at as usize + ETHERNET_HEADER),
        (Context::Ipv4Header, _) => ip(Family::V4),
        (Context::Ipv6Header, _) => ip(Family::V6),
        (Context::IpSource, _) => address(decoded.ip?, 0),
        (Context::IpDestination, _) => address(decoded.ip?, 1),
        (Context::TcpHeader, L4::Tcp(_))
        | (Context::UdpHeader, L4::Udp)
        | (Context::Icmpv4Header, L4::Icmp4 { .. })
        | (Context::Icmpv6Header, L4::Icmp6 { .. }) => Some(upper()),
        // The common header and all chunks, as Suricata documents it.
        (Context::SctpHeader, L4::Sctp) => Some(decoded.l4_at as usize..decoded.payload_range().end),
        _ => None,
    }
}

/// Where the address of that number stands in the header (RFC 791, section 3.1; RFC 8200, section 3).
fn address(ip: Ip, number: usize) -> Option<Range<usize>> {
    let (first, length) = match ip.family {
        Family::V4 => (12, 4),
        Family::V6 => (8, 16),
    };
    let start = ip.at as usize + first + number * length;
    Some(start..start + length)
}

/// Two addresses and a type.
const ETHERNET_HEADER: usize = 14;

/// An SCTP chunk's type, flags and length; a DATA chunk's header (RFC 9260, sections 3.2 and 3.3.1).
const CHUNK_HEADER: usize = 4;
const DATA_CHUNK: u8 = 0;
const DATA_HEADER: usize = 16;
/// Chunks looked at in one packet.
const MAX_CHUNKS: usize = 64;

/// The user data of each DATA chunk.
fn sctp_chunks<'a>(facts: &PacketFacts<'a>) -> impl Iterator<Item = &'a [u8]> {
    sctp_data(facts).filter_map(|range| facts.bytes.get(range))
}

/// The first DATA chunk's user data; of a packet without one, all that stands behind the common header.
fn sctp_payload(facts: &PacketFacts<'_>) -> Range<usize> {
    sctp_data(facts).next().unwrap_or_else(|| facts.decoded.payload_range())
}

/// Where the user data of each DATA chunk stands.
fn sctp_data<'a>(facts: &PacketFacts<'a>) -> impl Iterator<Item = Range<usize>> + use<'a> {
    let sctp = matches!(facts.decoded.l4, L4::Sctp);
    let (bytes, Range { start, end }) = (facts.bytes, facts.decoded.payload_range());
    let mut at = start;
    let chunks = std::iter::from_fn(move || {
        let rest = bytes.get(at..end).filter(|_| sctp)?;
        let &[kind, _, high, low] = rest.first_chunk::<CHUNK_HEADER>()?;
        let len = usize::from(u16::from_be_bytes([high, low])).max(CHUNK_HEADER);
        let chunk = at..at + len.min(rest.len());
        at += len.next_multiple_of(4);
        Some((kind, chunk))
    });
    chunks
        .take(MAX_CHUNKS)
        .filter(|(kind, chunk)| *kind == DATA_CHUNK && chunk.len() >= DATA_HEADER)
        .map(|(_, chunk)| chunk.start + DATA_HEADER..chunk.end)
}
