//! IPv4 and IPv6: addresses, lengths, fragments; then the transport.

use super::{Decoded, Fragment, Ip, Step, ipv4_options, ipv6_ext, tail, transport};
use crate::base::{Addr, Anomaly, Family, FlowTuple};
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Ipv6};

#[inline]
pub(super) fn ipv4(bytes: &[u8], at: usize, out: &mut Decoded) -> Step {
    let packet = Ipv4::parse(tail(bytes, at))?;
    if !packet.options().is_empty() {
        ipv4_options::check(packet.options(), out)?;
    }
    let payload_at = at + packet.header_len();
    set_tuple(out, Family::V4, packet.source(), packet.destination(), packet.proto());
    out.ip = Some(Ip {
        at: at as u32,
        pppoe: out.pppoe,
        llc: out.llc,
        header_len: packet.header_len() as u16,
        total_len: packet.total_len() as u32,
        family: Family::V4,
        proto: packet.proto(),
        ttl: packet.ttl(),
        tos: packet.tos(),
        id: packet.id(),
        dont_fragment: packet.dont_fragment(),
        fragment: None,
    });
    set_payload(out, payload_at, packet.payload());
    match packet.fragment() {
        None => transport::decode(packet.payload(), payload_at, packet.proto(), Family::V4, out),
        Some((offset, more)) => {
            let fragment = Fragment {
                id: u32::from(packet.id()),
                offset,
                more,
                payload: payload_at as u32,
                payload_len: packet.payload().len() as u16,
                next_header: packet.proto(),
                next_header_at: 0,
            };
            set_fragment(out, fragment, Anomaly::Ipv4FragPktTooLarge);
            Ok(None)
        }
    }
}

#[inline]
pub(super) fn ipv6(bytes: &[u8], at: usize, out: &mut Decoded) -> Step {
    let packet = Ipv6::parse(tail(bytes, at))?;
    let first = packet.next_header();
    set_tuple(out, Family::V6, packet.source(), packet.destination(), first);
    out.ip = Some(Ip {
        at: at as u32,
        pppoe: out.pppoe,
        llc: out.llc,
        header_len: ipv6::HEADER_LEN as u16,
        total_len: (ipv6::HEADER_LEN + packet.payload_len()) as u32,
        family: Family::V6,
        proto: first,
        ttl: packet.hop_limit(),
        tos: packet.traffic_class(),
        id: 0,
        dont_fragment: false,
        fragment: None,
    });
    let payload_at = at + ipv6::HEADER_LEN;
    set_payload(out, payload_at, packet.payload());
    if !ipv6::is_extension(first) {
        return transport::decode(packet.payload(), payload_at, first, Family::V6, out);
    }
    let upper = ipv6_ext::walk(packet.payload(), first, out)?;
    let rest = tail(packet.payload(), upper.skipped);
    set_payload(out, payload_at + upper.skipped, rest);
    match upper.fragment {
        None => transport::decode(rest, payload_at + upper.skipped, upper.proto, Family::V6, out),
        Some(header) => {
            let fragment = Fragment {
                id: header.id,
                offset: header.offset,
                more: header.more,
                payload: (payload_at + upper.skipped) as u32,
                payload_len: rest.len() as u16,
                next_header: header.next_header,
                next_header_at: (at + upper.named_at) as u32,
            };
            if fragment.more && !rest.len().is_multiple_of(8) {
                out.raise(Anomaly::Ipv6FragInvalidLength);
            }
            set_fragment(out, fragment, Anomaly::Ipv6FragPktTooLarge);
            Ok(None)
        }
    }
}

#[inline]
fn set_tuple(out: &mut Decoded, family: Family, src: Addr, dst: Addr, proto: u8) {
    let (context, tunnel) = (context(&out.vlans), out.around.sessions);
    out.tuple = FlowTuple { src, dst, sport: 0, dport: 0, proto, family, context, tunnel };
}

#[inline]
fn set_payload(out: &mut Decoded, at: usize, payload: &[u8]) {
    (out.payload, out.payload_len) = (at as u32, payload.len() as u32);
}

fn set_fragment(out: &mut Decoded, fragment: Fragment, too_large: Anomaly) {
    if usize::from(fragment.offset) + usize::from(fragment.payload_len) > ipv4::MAX_PACKET_LEN {
        out.raise(too_large);
    }
    if let Some(ip) = &mut out.ip {
        ip.fragment = Some(fragment);
    }
}

/// VLAN ids, 12 bits each, outermost lowest. A priority tag (id 0) alone is no VLAN, and its context is that of none.
#[inline]
pub(super) fn context(vlans: &[u16]) -> u64 {
    vlans.iter().rev().fold(0, |context, id| (context << 12) | u64::from(*id))
}
