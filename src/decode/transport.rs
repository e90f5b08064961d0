//! What IP carries: TCP, UDP, ICMP, SCTP; other protocols are known by their addresses alone.

use super::{Decoded, L4, Step, TcpFields, quoted};
use crate::base::{Anomaly, Family};
use crate::wire::gre::Gre;
use crate::wire::icmp::{self, Icmp};
use crate::wire::ip_proto;
use crate::wire::sctp::{self, Sctp};
use crate::wire::tcp::{Options, Tcp, TcpOption, option};
use crate::wire::udp::{self, Udp};
use crate::wire::{ipv4, ipv6};

/// Length of an ESP header, SPI and sequence number (RFC 4303).
const ESP_HEADER_LEN: usize = 8;

/// `payload` is what IP carries, cut to what IP states; it stands at `at` in the frame.
#[inline]
pub(super) fn decode(payload: &[u8], at: usize, proto: u8, family: Family, out: &mut Decoded) -> Step {
    match proto {
        ip_proto::TCP => tcp(payload, at, out)?,
        ip_proto::UDP => udp(payload, at, out)?,
        ip_proto::ICMP if family == Family::V4 => icmp(payload, at, family, out)?,
        ip_proto::ICMPV6 if family == Family::V6 => icmp(payload, at, family, out)?,
        _ => other(payload, at, proto, family, out)?,
    }
    Ok(None)
}

#[inline]
fn set(out: &mut Decoded, at: usize, header_len: usize, payload: &[u8]) {
    (out.l4_at, out.l4_len) = (at as u32, header_len as u16);
    (out.payload, out.payload_len) = ((at + header_len) as u32, payload.len() as u32);
}

#[inline]
fn tcp(bytes: &[u8], at: usize, out: &mut Decoded) -> Result<(), Anomaly> {
    let segment = Tcp::parse(bytes)?;
    (out.tuple.sport, out.tuple.dport) = (segment.source_port(), segment.destination_port());
    let mut fields = TcpFields {
        seq: segment.seq(),
        ack: segment.ack(),
        flags: segment.flags(),
        window: segment.window(),
        urgent: segment.urgent(),
        ..TcpFields::default()
    };
    match segment.options() {
        [] => {}
        // What nearly every segment of a running connection has.
        &[1, 1, option::TIMESTAMPS, 10, a, b, c, d, e, f, g, h] => {
            fields.timestamps = Some((u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])));
        }
        options => tcp_options(options, &mut fields, out)?,
    }
    out.l4 = L4::Tcp(fields);
    set(out, at, segment.header_len(), segment.payload());
    Ok(())
}

fn tcp_options(options: &[u8], fields: &mut TcpFields, out: &mut Decoded) -> Result<(), Anomaly> {
    // One bit for each kind below 64.
    let mut seen = 0u64;
    for item in Options(options) {
        let item = item?;
        let bit = 1u64.checked_shl(u32::from(item.kind())).unwrap_or(0);
        if seen & bit != 0 {
            out.raise(Anomaly::TcpOptDuplicate);
            continue;
        }
        seen |= bit;
        match item {
            TcpOption::Mss(mss) => fields.mss = Some(mss),
            TcpOption::WindowScale(shift) => fields.window_scale = Some(shift),
            TcpOption::SackPermitted => fields.sack_permitted = true,
            TcpOption::Timestamps { value, echo } => fields.timestamps = Some((value, echo)),
            TcpOption::FastOpen(_) => fields.fast_open = true,
            TcpOption::Md5 => fields.signed = true,
            TcpOption::Sack(_) | TcpOption::Other(_) => {}
        }
    }
    Ok(())
}

#[inline]
fn udp(bytes: &[u8], at: usize, out: &mut Decoded) -> Result<(), Anomaly> {
    let datagram = Udp::parse(bytes)?;
    (out.tuple.sport, out.tuple.dport) = (datagram.source_port(), datagram.destination_port());
    if udp::HEADER_LEN + datagram.payload().len() != bytes.len() {
        out.raise(Anomaly::UdpHlenInvalid);
    }
    out.l4 = L4::Udp;
    set(out, at, udp::HEADER_LEN, datagram.payload());
    Ok(())
}

fn icmp(bytes: &[u8], at: usize, family: Family, out: &mut Decoded) -> Result<(), Anomaly> {
    let message = Icmp::parse(bytes, family)?;
    let (kind, code) = (message.kind(), message.code());
    (out.tuple.sport, out.tuple.dport) = message.ports(family);
    let (id, seq) = if icmp::has_id(family, kind) { (message.id(), message.seq()) } else { (0, 0) };
    out.l4 = match family {
        Family::V4 => L4::Icmp4 { kind, code, id, seq },
        Family::V6 => L4::Icmp6 { kind, code, id, seq },
    };
    set(out, at, icmp::HEADER_LEN, message.payload());
    if let Some(anomaly) = icmp::anomaly(family, kind, code) {
        out.raise(anomaly);
    }
    let hop_limit = out.ip.map_or(0, |ip| ip.ttl);
    if family == Family::V6 && icmp::is_mld(kind) && hop_limit != 1 {
        out.raise(Anomaly::Icmpv6MldMessageWithInvalidHl);
    }
    if icmp::is_error(family, kind) {
        match quoted::tuple(&out.tuple, message.payload()) {
            Ok(tuple) => out.quoted = tuple,
            Err(anomaly) => out.raise(anomaly),
        }
    }
    Ok(())
}

fn other(bytes: &[u8], at: usize, proto: u8, family: Family, out: &mut Decoded) -> Result<(), Anomaly> {
    match proto {
        ip_proto::SCTP => {
            let packet = Sctp::parse(bytes)?;
            (out.tuple.sport, out.tuple.dport) = (packet.source_port(), packet.destination_port());
            out.l4 = L4::Sctp;
            set(out, at, sctp::HEADER_LEN, bytes.get(sctp::HEADER_LEN..).unwrap_or_default());
            return Ok(());
        }
        ip_proto::ESP if bytes.len() < ESP_HEADER_LEN => return Err(Anomaly::EspPktTooSmall),
        _ => {}
    }
    let note = match (family, proto) {
        (Family::V4, ip_proto::ICMPV6) => Some(Anomaly::Ipv4Icmpv6),
        (Family::V6, ip_proto::ICMP) => Some(Anomaly::Ipv6Icmpv4),
        (Family::V6, ip_proto::NO_NEXT) => (!bytes.is_empty()).then_some(Anomaly::Ipv6DataAfterNoneHeader),
        (_, ip_proto::IPV4 | ip_proto::IPV6) => inner_anomaly(family, proto, bytes),
        (_, ip_proto::GRE) => Gre::parse(bytes).err(),
        // Known, without a decoder.
        (_, ip_proto::ESP) | (Family::V4, ip_proto::AH | ip_proto::IGMP) => None,
        (Family::V4, _) => Some(Anomaly::Ipv4UnknownProtocol),
        (Family::V6, _) => Some(Anomaly::Ipv6UnknownNextHeader),
    };
    if let Some(note) = note {
        out.raise(note);
    }
    Ok(())
}

/// What an inner IP header must show, for the tunnels that IPv6 carries directly.
fn inner_anomaly(outer: Family, proto: u8, payload: &[u8]) -> Option<Anomaly> {
    let version = payload.first().map(|b| b >> 4);
    match (outer, proto) {
        (Family::V6, ip_proto::IPV4) if payload.len() < ipv4::MIN_HEADER_LEN => {
            Some(Anomaly::Ipv6Ipv4InIpv6TooSmall)
        }
        (Family::V6, ip_proto::IPV4) if version != Some(4) => Some(Anomaly::Ipv6Ipv4InIpv6WrongVersion),
        (Family::V6, ip_proto::IPV6) if payload.len() < ipv6::HEADER_LEN => {
            Some(Anomaly::Ipv6Ipv6InIpv6TooSmall)
        }
        (Family::V6, ip_proto::IPV6) if version != Some(6) => Some(Anomaly::Ipv6Ipv6InIpv6WrongVersion),
        _ => None,
    }
}
