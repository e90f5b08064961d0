//! ICMP errors about packets that do not pass: those that speak of fragments, and of what a policy forbids. Of the former: a packet that would have to be cut and must not be (RFC 792, type 3, code 4;
//! RFC 4443, type 2), a datagram whose pieces did not all come in time (type 11, code 1; type 3, code 1).
//!
//! A box in a line has no address of its own there: the error says that it comes from whom the packet was for, and goes
//! back by the port the packet came in by.

use super::header::Place;
use crate::base::{Addr, Family};
use crate::io::{Frame, FrameAllocator, LinkType};
use crate::wire::checksum::{Sum, internet};
use crate::wire::icmp::{v4, v6};
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::Ipv6;
use crate::wire::{icmp, ip_proto, ipv6, llc, pppoe};

/// What an error says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum IcmpError {
    /// Only so many bytes of IP packet can pass.
    TooBig { mtu: u16 },
    /// Not all fragments came in time.
    ReassemblyTime,
    /// A policy forbids it.
    Prohibited,
}

/// Whom it tells.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Towards {
    /// The packet's sender.
    Source,
    /// Whom the packet was for: as if that had sent one to the packet's sender, and this could not come.
    Destination,
}

/// RFC 1812, section 4.3.2.3: an error quotes as much as fits 576 bytes; RFC 4443, section 2.4: the smallest MTU.
const LONGEST: [usize; 2] = [576, 1280];
const IPV4_HEADER: usize = 20;
/// Link header before the packet that is quoted; a longer one gets no error.
const MAX_LINK: usize = 64;
const ROOM: usize = MAX_LINK + 1280;
/// Network control (RFC 1812, section 4.3.2.5).
const PRECEDENCE: u8 = 0xc0;
const TTL: u8 = 64;
/// In the first byte of a station's address: it is that of a group.
const GROUP: u8 = 1;

/// The error about a packet whose IP header stands at `place`: `None` where none may be sent (about an ICMP error, a fragment
/// that is not the first, to or about what is no single host, or came for a group of stations), or for want of a buffer.
pub fn icmp_error(
    about: &Frame,
    link: LinkType,
    place: Place,
    error: IcmpError,
    towards: Towards,
    alloc: &mut dyn FrameAllocator,
) -> Option<Frame> {
    let (ip_at, mut quoted) = (place.ip as usize, [0; ROOM]);
    let known = about.copy_to(0, &mut quoted);
    let (head, packet) = quoted.get_mut(..known)?.split_at_mut_checked(ip_at)?;
    if head.len() > MAX_LINK {
        return None;
    }
    if towards == Towards::Destination {
        turn(packet)?;
    }
    let (head, packet) = (&*head, &*packet);
    let family = if packet.first()? >> 4 == 4 { Family::V4 } else { Family::V6 };
    let mut out = [0; ROOM];
    out.get_mut(..ip_at)?.copy_from_slice(head);
    if link == LinkType::Ethernet && towards == Towards::Source {
        let (to, from) = (head.get(..6)?, head.get(6..12)?);
        // RFC 1122, section 3.2.2; RFC 4443, section 2.4 (e.4): of what was for all stations, only that it is too big.
        let may_be_told = family == Family::V6 && matches!(error, IcmpError::TooBig { .. });
        if to.first()? & GROUP != 0 && !may_be_told {
            return None;
        }
        out.get_mut(..6)?.copy_from_slice(from);
        out.get_mut(6..12)?.copy_from_slice(to);
        // Of a group's address the single station's: no frame is from a group.
        *out.get_mut(6)? &= !GROUP;
    }
    let room = out.get_mut(ip_at..)?;
    let len = match family {
        Family::V4 => write_v4(room, packet, error)?,
        Family::V6 => write_v6(room, packet, error)?,
    };
    if let Some(at) = place.pppoe {
        pppoe::set_length(out.get_mut(..ip_at)?, at as usize, len)?;
    }
    let out = out.get_mut(..ip_at + len)?;
    let shorter = place.llc.map_or(Some(0), |at| llc::take_out(out, at as usize))?;
    let mut frame = alloc.allocate(out.get(..out.len() - shorter)?)?;
    frame.set_meta(about.meta());
    Some(frame)
}

/// A packet as its receiver might have sent it: ends turned around. No checksum covers their order.
fn turn(packet: &mut [u8]) -> Option<()> {
    let (addresses, width, proto, header) = if packet.first()? >> 4 == 4 {
        (12, 4, *packet.get(9)?, usize::from(packet.first()? & 0x0f) * 4)
    } else {
        (8, 16, *packet.get(6)?, ipv6::HEADER_LEN)
    };
    packet.get_mut(addresses..addresses + 2 * width)?.rotate_left(width);
    if [ip_proto::TCP, ip_proto::UDP, ip_proto::SCTP].contains(&proto) {
        packet.get_mut(header..header + 4)?.rotate_left(2);
    }
    Some(())
}

/// Type, code and the four bytes behind the checksum.
fn words(family: Family, error: IcmpError) -> (u8, u8, u32) {
    match (family, error) {
        (Family::V4, IcmpError::TooBig { mtu }) => (v4::UNREACHABLE, 4, u32::from(mtu)),
        (Family::V4, IcmpError::ReassemblyTime) => (v4::TIME_EXCEEDED, 1, 0),
        (Family::V4, IcmpError::Prohibited) => (v4::UNREACHABLE, 13, 0),
        (Family::V6, IcmpError::TooBig { mtu }) => (v6::PACKET_TOO_BIG, 0, u32::from(mtu)),
        (Family::V6, IcmpError::ReassemblyTime) => (v6::TIME_EXCEEDED, 1, 0),
        (Family::V6, IcmpError::Prohibited) => (v6::UNREACHABLE, 1, 0),
    }
}

/// ICMP's header and as much of the packet as fits `longest`; how long that is. The checksum is still zero.
fn write_icmp(room: &mut [u8], packet: &[u8], family: Family, error: IcmpError) -> Option<usize> {
    let (kind, code, rest) = words(family, error);
    let quote = packet.get(..packet.len().min(room.len().checked_sub(icmp::HEADER_LEN)?))?;
    let (head, body) = room.split_at_mut(icmp::HEADER_LEN);
    head.copy_from_slice(&[
        kind,
        code,
        0,
        0,
        (rest >> 24) as u8,
        (rest >> 16) as u8,
        (rest >> 8) as u8,
        rest as u8,
    ]);
    body.get_mut(..quote.len())?.copy_from_slice(quote);
    Some(icmp::HEADER_LEN + quote.len())
}

fn write_v4(room: &mut [u8], packet: &[u8], error: IcmpError) -> Option<usize> {
    let ip = Ipv4::parse_cut(packet).ok()?;
    let own = packet.get(..ip.total_len().min(packet.len()))?;
    let (source, destination) = (packet.get(12..16)?, packet.get(16..20)?);
    let single =
        |address: &[u8]| address.first().is_some_and(|&first| (1..224).contains(&first) && first != 127);
    let later = ip.fragment().is_some_and(|(offset, _)| offset > 0);
    let kind = ip.payload().first().copied();
    // RFC 1122, section 3.2.2.
    let is_error = ip.proto() == ip_proto::ICMP && kind.is_none_or(|kind| icmp::is_error(Family::V4, kind));
    if later || is_error || !single(source) || !single(destination) {
        return None;
    }
    let (header, body) = room.get_mut(..LONGEST[0])?.split_at_mut_checked(IPV4_HEADER)?;
    let len = write_icmp(body, own, Family::V4, error)?;
    let sum = internet(body.get(..len)?);
    body.get_mut(2..4)?.copy_from_slice(&sum.to_be_bytes());
    let total = ((IPV4_HEADER + len) as u16).to_be_bytes();
    header.copy_from_slice(&[
        0x45,
        PRECEDENCE,
        total[0],
        total[1],
        0,
        0,
        0,
        0,
        TTL,
        ip_proto::ICMP,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    header.get_mut(12..16)?.copy_from_slice(destination);
    header.get_mut(16..20)?.copy_from_slice(source);
    let sum = internet(header);
    header.get_mut(10..12)?.copy_from_slice(&sum.to_be_bytes());
    Some(IPV4_HEADER + len)
}

fn write_v6(room: &mut [u8], packet: &[u8], error: IcmpError) -> Option<usize> {
    const HEADER: usize = ipv6::HEADER_LEN;
    let ip = Ipv6::parse_cut(packet).ok()?;
    let own = packet.get(..(HEADER + ip.payload_len()).min(packet.len()))?;
    let (source, destination) = (packet.get(8..24)?, packet.get(24..40)?);
    let single = |address: &[u8]| address.first() != Some(&0xff) && address.iter().any(|&byte| byte != 0);
    let kind = ip.payload().first().copied();
    // RFC 4443, section 2.4 (e): of what goes to a group, only that it is too big may be said.
    let to_group = destination.first() == Some(&0xff) && matches!(error, IcmpError::TooBig { .. });
    let is_error =
        ip.next_header() == ip_proto::ICMPV6 && kind.is_none_or(|kind| icmp::is_error(Family::V6, kind));
    if is_error || !single(source) || !(single(destination) || to_group) {
        return None;
    }
    // A group sends nothing: the routers of the sender's own network do (the subnet-router address, RFC 4291, section 2.6.1).
    let mut teller = [0; 16];
    if to_group {
        teller.get_mut(..8)?.copy_from_slice(source.get(..8)?);
    } else {
        teller.copy_from_slice(destination);
    }
    let (header, body) = room.get_mut(..LONGEST[1])?.split_at_mut_checked(HEADER)?;
    let len = write_icmp(body, own, Family::V6, error)?;
    let sum =
        Sum::default().pseudo_header(Family::V6, Addr::v6(teller), ip.source(), ip_proto::ICMPV6, len as u32);
    let sum = sum.bytes(body.get(..len)?).finish();
    body.get_mut(2..4)?.copy_from_slice(&sum.to_be_bytes());
    let length = (len as u16).to_be_bytes();
    header.get_mut(..8)?.copy_from_slice(&[0x60, 0, 0, 0, length[0], length[1], ip_proto::ICMPV6, TTL]);
    header.get_mut(8..24)?.copy_from_slice(&teller);
    header.get_mut(24..40)?.copy_from_slice(source);
    Some(HEADER + len)
}

#[cfg(test)]
mod tests;
