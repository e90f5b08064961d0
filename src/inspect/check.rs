//! Whether a rule's header and its cheap tests hold for one packet. Pure: over decoded fields, the frame's bytes and what
//! the session counted.

use super::facts::{FlowFacts, PacketFacts};
use crate::base::{Addr, Dir, Family, PerDir};
use crate::decode::{Decoded, Ip, L4, TcpFields, TunnelKind, checksum_valid, ip_checksum_valid};
use crate::rules::Rule;
use crate::rules::reputation::scores;
use crate::rules::ruleset::{
    Check, ChecksumOf, Endpoint, FlagsCompare, FragBitsTest, NumRange, RpcTest, RuleProtocol, Side,
    TcpFlagsTest, VlanLayer,
};
use crate::wire::checksum::internet;
use crate::wire::icmp;
use crate::wire::ip_proto;
use crate::wire::overlay;
use crate::wire::sctp::Sctp;

/// Whether protocol, addresses and ports are the rule's, in either direction if it says `<>`.
pub fn header_matches(rule: &Rule, decoded: &Decoded) -> bool {
    if !protocol_matches(rule.protocol, decoded) {
        return false;
    }
    let tuple = &decoded.tuple;
    let (src, dst) = ((tuple.src, tuple.sport), (tuple.dst, tuple.dport));
    let one_way = |a, b| endpoint_matches(&rule.src, a, decoded) && endpoint_matches(&rule.dst, b, decoded);
    one_way(src, dst) || (rule.both_ways && one_way(dst, src))
}

fn protocol_matches(protocol: RuleProtocol, decoded: &Decoded) -> bool {
    let family = decoded.ip.map(|ip| ip.family);
    match protocol {
        RuleProtocol::Packet => true,
        RuleProtocol::Ethernet => decoded.ethernet.is_some(),
        RuleProtocol::Arp => decoded.arp.is_some(),
        RuleProtocol::Ip => family.is_some(),
        RuleProtocol::Ipv4 => family == Some(Family::V4),
        RuleProtocol::Ipv6 => family == Some(Family::V6),
        RuleProtocol::Tcp | RuleProtocol::TcpPacket | RuleProtocol::TcpStream => {
            matches!(decoded.l4, L4::Tcp(_))
        }
        RuleProtocol::Udp => matches!(decoded.l4, L4::Udp),
        RuleProtocol::TcpOrUdp => matches!(decoded.l4, L4::Tcp(_) | L4::Udp),
        RuleProtocol::Icmp => matches!(decoded.l4, L4::Icmp4 { .. } | L4::Icmp6 { .. }),
        RuleProtocol::Icmpv4 => matches!(decoded.l4, L4::Icmp4 { .. }),
        RuleProtocol::Icmpv6 => matches!(decoded.l4, L4::Icmp6 { .. }),
        RuleProtocol::Sctp => matches!(decoded.l4, L4::Sctp),
        RuleProtocol::Igmp => ipv4(decoded).is_some_and(|ip| ip.proto == ip_proto::IGMP),
    }
}

/// A rule that names addresses or ports matches no packet without them.
fn endpoint_matches(endpoint: &Endpoint, (addr, port): (Addr, u16), decoded: &Decoded) -> bool {
    let address = endpoint.addresses.as_ref().is_none_or(|set| match decoded.ip.map(|ip| ip.family) {
        Some(Family::V4) => set.v4.contains(addr.0 as u32),
        Some(Family::V6) => set.v6.contains(addr.0),
        None => false,
    });
    let has_ports = matches!(decoded.l4, L4::Tcp(_) | L4::Udp | L4::Sctp);
    address && endpoint.ports.as_ref().is_none_or(|set| has_ports && set.contains(port))
}

/// Whether one check holds. A packet without the field it asks about does not pass, negated or not.
pub fn holds(check: &Check, facts: &PacketFacts<'_>) -> bool {
    let decoded = facts.decoded;
    match check {
        // A packet without payload has no size that could differ.
        Check::PayloadSize(range) if range.negated && decoded.payload_len == 0 => false,
        Check::PayloadSize(range) => range.contains(u64::from(decoded.payload_len)),
        Check::TcpFlags(test) => decoded.tcp().is_some_and(|tcp| tcp_flags(*test, tcp.flags)),
        Check::TcpSeq(range) => tcp(decoded, range, |t| Some(t.seq.into())),
        Check::TcpAck(range) => tcp(decoded, range, |t| Some(t.ack.into())),
        Check::TcpWindow(range) => tcp(decoded, range, |t| Some(t.window.into())),
        Check::TcpMss(range) => tcp(decoded, range, |t| t.mss.map(u64::from)),
        Check::TcpWindowScale(range) => tcp(decoded, range, |t| t.window_scale.map(u64::from)),
        Check::IcmpType(range) => holds_for(range, icmp_fields(decoded).map(|(kind, _)| kind.into())),
        Check::IcmpCode(range) => holds_for(range, icmp_fields(decoded).map(|(_, code)| code.into())),
        Check::IcmpId(id) => echo_fields(decoded).is_some_and(|(found, _)| id.contains(found.into())),
        Check::IcmpSeq(seq) => echo_fields(decoded).is_some_and(|(_, found)| seq.contains(found.into())),
        Check::Icmpv6Mtu(range) => holds_for(range, icmpv6_mtu(facts)),
        Check::Ttl(range) => holds_for(range, decoded.ip.map(|ip| ip.ttl.into())),
        Check::Tos(range) => holds_for(range, ipv4(decoded).map(|ip| ip.tos.into())),
        Check::IpProto(ranges) => decoded.ip.is_some_and(|ip| ip_protocol(ranges, ip.proto)),
        Check::IpId(id) => ipv4(decoded).is_some_and(|ip| id.contains(ip.id.into())),
        Check::IpOption(kind) => ip_option(*kind, facts),
        Check::FragBits(test) => frag_bits(*test, facts),
        Check::FragOffset(range) => holds_for(range, frag_offset(decoded)),
        Check::SameIp => decoded.ip.is_some() && decoded.tuple.src == decoded.tuple.dst,
        Check::Anomaly(anomaly) => decoded.anomalies.contains(anomaly),
        Check::Checksum { of, valid } => checksum(*of, facts) == Some(*valid),
        Check::VlanId { layer, id } => vlan(*layer, id, &decoded.vlans),
        Check::VlanLayers(range) => range.contains(decoded.vlans.len() as u64),
        Check::SctpVerificationTag(range) => {
            holds_for(range, sctp(facts).map(|s| s.verification_tag().into()))
        }
        Check::SctpChunkCount(range) => holds_for(range, sctp(facts).map(|s| s.chunks().count() as u64)),
        Check::SctpChunkType(range) => {
            sctp(facts).is_some_and(|s| s.chunks().any(|chunk| range.contains(chunk.kind.into())))
        }
        Check::IgmpType(range) => {
            holds_for(range, igmp(facts).and_then(|igmp| igmp.first()).map(|kind| u64::from(*kind)))
        }
        Check::Rpc(test) => rpc_call(test, facts).is_some_and(|holds| holds),
        Check::VxlanNetwork(range) => holds_for(range, vxlan_network(facts)),
        Check::FlowAge(range) => {
            holds_for(range, facts.flow.as_ref().map(|flow| facts.time.since(flow.stats.start).as_secs()))
        }
        Check::FlowPackets { side, count } => counted(facts, *side, count, |flow| flow.stats.packets),
        Check::FlowBytes { side, count } => counted(facts, *side, count, |flow| flow.stats.bytes),
        Check::StreamSize { side, bytes } => stream_size(facts, *side, bytes),
        Check::FlowStart => facts.flow.as_ref().is_some_and(|flow| flow.stats.packets[flow.dir] <= 1),
        Check::Reputation(test) => decoded.ip.is_some_and(|ip| {
            let of = |addr| scores::of(addr, ip.family);
            test.holds(of(decoded.tuple.src), of(decoded.tuple.dst))
        }),
        Check::Country(test) => decoded.ip.is_some_and(|ip| test.holds(&decoded.tuple, ip.family)),
        // Asked of the session or of a transaction, not of a packet by itself.
        Check::App(_) => false,
    }
}

fn holds_for(range: &NumRange, value: Option<u64>) -> bool {
    value.is_some_and(|value| range.contains(value))
}

fn tcp(decoded: &Decoded, range: &NumRange, field: impl FnOnce(&TcpFields) -> Option<u64>) -> bool {
    holds_for(range, decoded.tcp().and_then(field))
}

fn compare_bits(how: FlagsCompare, value: u8, found: u8) -> bool {
    match how {
        FlagsCompare::Exactly => found == value,
        FlagsCompare::AllOf => found & value == value,
        FlagsCompare::AnyOf => found & value != 0,
        FlagsCompare::NoneOf => found & value == 0,
    }
}

fn tcp_flags(test: TcpFlagsTest, flags: u8) -> bool {
    compare_bits(test.how, test.value & test.mask, flags & test.mask)
}

fn icmp_fields(decoded: &Decoded) -> Option<(u8, u8)> {
    match decoded.l4 {
        L4::Icmp4 { kind, code, .. } | L4::Icmp6 { kind, code, .. } => Some((kind, code)),
        _ => None,
    }
}

/// Identifier and sequence number, of the messages that have them.
fn echo_fields(decoded: &Decoded) -> Option<(u16, u16)> {
    match decoded.l4 {
        L4::Icmp4 { kind, id, seq, .. } => {
            let queries = icmp::v4::TIMESTAMP..=icmp::v4::ADDRESS_MASK_REPLY;
            let echo = matches!(kind, icmp::v4::ECHO_REPLY | icmp::v4::ECHO_REQUEST);
            (echo || queries.contains(&kind)).then_some((id, seq))
        }
        L4::Icmp6 { kind, id, seq, .. } => {
            matches!(kind, icmp::v6::ECHO_REQUEST | icmp::v6::ECHO_REPLY).then_some((id, seq))
        }
        _ => None,
    }
}

/// Bytes 4 to 7 of a packet-too-big message (RFC 4443, section 3.2).
fn icmpv6_mtu(facts: &PacketFacts<'_>) -> Option<u64> {
    if !matches!(facts.decoded.l4, L4::Icmp6 { kind: icmp::v6::PACKET_TOO_BIG, .. }) {
        return None;
    }
    let field = facts.bytes.get(facts.decoded.l4_at as usize + 4..)?.first_chunk()?;
    Some(u32::from_be_bytes(*field).into())
}

fn ipv4(decoded: &Decoded) -> Option<Ip> {
    decoded.ip.filter(|ip| ip.family == Family::V4)
}

/// Of several ranges one that is not negated must hold, if there is such, and all that are.
fn ip_protocol(ranges: &[NumRange], proto: u8) -> bool {
    let proto = u64::from(proto);
    let (mut wanted, mut found) = (false, false);
    for range in ranges {
        if range.negated && !range.contains(proto) {
            return false;
        }
        wanted |= !range.negated;
        found |= !range.negated && range.contains(proto);
    }
    found || !wanted
}

/// Walks the options of an IPv4 header (RFC 791, section 3.1): at most 40 bytes.
fn ip_option(kind: Option<u8>, facts: &PacketFacts<'_>) -> bool {
    const FIXED_HEADER: usize = 20;
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    let options = ipv4(facts.decoded).and_then(|ip| {
        let header = facts.bytes.get(ip.at as usize..)?.get(..usize::from(ip.header_len))?;
        header.get(FIXED_HEADER..)
    });
    let mut rest = options.unwrap_or_default();
    while let Some(&found) = rest.first() {
        if kind.is_none_or(|kind| kind == found) {
            return true;
        }
        let length = match (found, rest.get(1)) {
            (END, _) => return false,
            (NO_OPERATION, _) => 1,
            (_, Some(&length)) if length >= 2 => usize::from(length),
            _ => return false,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// Reserved, don't fragment, more fragments: the three bits above the IPv4 fragment offset.
fn frag_bits(test: FragBitsTest, facts: &PacketFacts<'_>) -> bool {
    let byte = ipv4(facts.decoded).and_then(|ip| facts.bytes.get(ip.at as usize + 6));
    byte.is_some_and(|byte| compare_bits(test.how, test.value, byte >> 5))
}

fn frag_offset(decoded: &Decoded) -> Option<u64> {
    let ip = decoded.ip?;
    match ip.fragment {
        Some(fragment) => Some(u64::from(fragment.offset) / 8),
        None => (ip.family == Family::V4).then_some(0),
    }
}

/// Whether that checksum is right; `None` when the packet has none such, or not all of what it covers.
fn checksum(of: ChecksumOf, facts: &PacketFacts<'_>) -> Option<bool> {
    let decoded = facts.decoded;
    let family = decoded.ip?.family;
    let fits = match (of, decoded.l4) {
        (ChecksumOf::Igmp, _) => return igmp(facts).map(|igmp| internet(igmp) == 0),
        (ChecksumOf::Ipv4Header, _) => return ip_checksum_valid(decoded, facts.bytes),
        (ChecksumOf::Tcp(wanted), L4::Tcp(_)) | (ChecksumOf::Udp(wanted), L4::Udp) => wanted == family,
        (ChecksumOf::Icmp(wanted), L4::Icmp4 { .. }) => wanted == Family::V4,
        (ChecksumOf::Icmp(wanted), L4::Icmp6 { .. }) => wanted == Family::V6,
        _ => false,
    };
    if fits { checksum_valid(decoded, facts.bytes) } else { None }
}

fn vlan(layer: VlanLayer, id: &NumRange, tags: &[u16]) -> bool {
    let holds = |tag: &u16| id.contains(u64::from(*tag));
    match layer {
        VlanLayer::Any => tags.iter().any(holds),
        VlanLayer::All => !tags.is_empty() && tags.iter().all(holds),
        VlanLayer::At(at) => {
            let at = if at < 0 { tags.len().checked_add_signed(at.into()) } else { Some(at as usize) };
            at.and_then(|at| tags.get(at)).is_some_and(holds)
        }
    }
}

fn sctp<'a>(facts: &PacketFacts<'a>) -> Option<Sctp<'a>> {
    let decoded = facts.decoded;
    if decoded.ip?.proto != ip_proto::SCTP || decoded.l4 != L4::Sctp {
        return None;
    }
    Sctp::parse(facts.bytes.get(decoded.l4_at as usize..decoded.payload_range().end)?).ok()
}

/// An IGMP message: all that its packet carries (RFC 9776).
pub(super) fn igmp<'a>(facts: &PacketFacts<'a>) -> Option<&'a [u8]> {
    let ip = ipv4(facts.decoded).filter(|ip| ip.proto == ip_proto::IGMP && ip.fragment.is_none())?;
    let packet = facts.bytes.get(ip.at as usize..)?.get(..ip.total_len as usize)?;
    packet.get(usize::from(ip.header_len)..).filter(|igmp| !igmp.is_empty())
}

fn vxlan_network(facts: &PacketFacts<'_>) -> Option<u64> {
    facts.decoded.inner.as_ref().filter(|inner| inner.kind == TunnelKind::Vxlan)?;
    let header = overlay::vxlan(facts.bytes.get(facts.decoded.payload_range())?)?;
    Some(header.network.into())
}

/// A call's header (RFC 5531, section 9), over TCP behind the record's length (section 11).
fn rpc_call(test: &RpcTest, facts: &PacketFacts<'_>) -> Option<bool> {
    const RECORD_MARK: usize = 4;
    const CALL: u32 = 0;
    const VERSION: u32 = 2;
    let payload = facts.bytes.get(facts.decoded.payload_range())?;
    let message = match facts.decoded.l4 {
        L4::Tcp(_) => payload.get(RECORD_MARK..)?,
        L4::Udp => payload,
        _ => return None,
    };
    let word = |n: usize| message.get(n * 4..)?.first_chunk().map(|word| u32::from_be_bytes(*word));
    let is = |wanted: Option<u32>, found| wanted.is_none_or(|wanted| wanted == found);
    let (program, version, procedure) = (word(3)?, word(4)?, word(5)?);
    let call = word(1)? == CALL && word(2)? == VERSION;
    Some(call && program == test.program && is(test.version, version) && is(test.procedure, procedure))
}

fn counted(
    facts: &PacketFacts<'_>,
    side: Side,
    range: &NumRange,
    counts: impl FnOnce(&FlowFacts) -> PerDir<u64>,
) -> bool {
    let Some(flow) = &facts.flow else { return false };
    let counts = counts(flow);
    match side {
        Side::One(dir) => range.contains(counts[dir]),
        Side::Either => Dir::BOTH.into_iter().any(|dir| range.contains(counts[dir])),
        Side::Both => range.contains(counts[Dir::ToServer].saturating_add(counts[Dir::ToClient])),
    }
}

fn stream_size(facts: &PacketFacts<'_>, side: Side, range: &NumRange) -> bool {
    let Some(flow) = facts.flow.as_ref().filter(|_| facts.decoded.tcp().is_some()) else { return false };
    match side {
        Side::One(dir) => range.contains(flow.stream[dir]),
        Side::Either => Dir::BOTH.into_iter().any(|dir| range.contains(flow.stream[dir])),
        Side::Both => Dir::BOTH.into_iter().all(|dir| range.contains(flow.stream[dir])),
    }
}

#[cfg(test)]
mod further_tests;
#[cfg(test)]
mod tests;
