//! The packet that an ICMP error quotes: enough of its headers to find its session (RFC 792; RFC 4443, section 2.4).

use super::ipv6_ext;
use crate::base::{Anomaly, Family, FlowTuple};
use crate::wire::icmp::Icmp;
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::Ipv6;
use crate::wire::{ip_proto, u16_at};

/// The quoted packet's tuple in its own direction, in what the `error` came in. `Ok(None)` when the quote has no ports
/// to give: a later fragment, or too little was quoted.
pub(super) fn tuple(error: &FlowTuple, quote: &[u8]) -> Result<Option<FlowTuple>, Anomaly> {
    let around = FlowTuple { sport: 0, dport: 0, ..*error };
    match error.family {
        Family::V4 => {
            let packet = Ipv4::parse_cut(quote).map_err(|anomaly| match anomaly {
                Anomaly::Ipv4WrongIpVersion => Anomaly::Icmpv4Ipv4UnknownVer,
                _ => Anomaly::Icmpv4Ipv4TruncPkt,
            })?;
            if packet.fragment().is_some_and(|(offset, _)| offset > 0) {
                return Ok(None);
            }
            let (src, dst, proto) = (packet.source(), packet.destination(), packet.proto());
            let tuple = FlowTuple { src, dst, proto, ..around };
            Ok(with_ports(tuple, packet.payload()))
        }
        Family::V6 => {
            let packet = Ipv6::parse_cut(quote).map_err(|anomaly| match anomaly {
                Anomaly::Ipv6WrongIpVersion => Anomaly::Icmpv6Ipv6UnknownVersion,
                _ => Anomaly::Icmpv6Ipv6TruncPkt,
            })?;
            let Some(upper) = ipv6_ext::skip(packet.payload(), packet.next_header()) else {
                return Ok(None);
            };
            let proto = match upper.fragment {
                None => upper.proto,
                // The first fragment has the ports that the whole datagram's session is known by.
                Some(header)
                    if header.offset == 0 && !crate::wire::ipv6::is_extension(header.next_header) =>
                {
                    header.next_header
                }
                Some(_) => return Ok(None),
            };
            let (src, dst) = (packet.source(), packet.destination());
            let tuple = FlowTuple { src, dst, proto, ..around };
            Ok(with_ports(tuple, packet.payload().get(upper.skipped..).unwrap_or_default()))
        }
    }
}

/// Adds the ports from the front of what IP carries, where the protocol has any.
#[inline]
pub(super) fn with_ports(tuple: FlowTuple, payload: &[u8]) -> Option<FlowTuple> {
    let (sport, dport) = match (tuple.family, tuple.proto) {
        (_, ip_proto::TCP | ip_proto::UDP | ip_proto::SCTP) => (u16_at(payload, 0)?, u16_at(payload, 2)?),
        (Family::V4, ip_proto::ICMP) | (Family::V6, ip_proto::ICMPV6) => {
            Icmp::parse(payload, tuple.family).ok()?.ports(tuple.family)
        }
        _ => (0, 0),
    };
    Some(FlowTuple { sport, dport, ..tuple })
}
