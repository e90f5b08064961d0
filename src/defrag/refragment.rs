//! A datagram that is too large for the port it leaves by, cut into fragments (RFC 791, section 3.2; RFC 8200, section 4.5).
//!
//! Owes: pieces no longer than the MTU, in order, with the datagram's identification, right checksums, and its payload not
//! copied: a piece is a header and a run of the datagram's own buffers. Every IPv4 option goes to every piece: some routers
//! filter by options that RFC 791 would leave to the first alone. Of IPv6 only what came in fragments is cut, and never
//! smaller than it came: at the largest fragment, whatever more the port would take.

use crate::base::{DropReason, Family};
use crate::decode::{Decoded, Ip};
use crate::io::{Frame, FrameAllocator};
use crate::wire::checksum::Sum;
use crate::wire::ip_proto;
use crate::wire::ipv6::{Extension, FRAGMENT_HEADER_LEN, HEADER_LEN};
use crate::wire::{llc, pppoe};

/// Link header, IP header with options or the extension headers that each piece repeats, fragment header: most often, and at most.
const USUAL_HEAD: usize = super::header::KEPT + FRAGMENT_HEADER_LEN;
const MAX_HEAD: usize = super::header::MAX_HEADER + FRAGMENT_HEADER_LEN;
const IPV4_MIN: usize = 20;
/// Where an IPv6 header names what follows.
const NEXT_HEADER_AT: usize = 6;
const MORE_FRAGMENTS: u16 = 0x2000;

/// What each piece begins with, and how much of the datagram it can carry.
struct Plan<'a> {
    /// The head, and no more.
    head: &'a mut [u8],
    /// Offset of the IP header in `head`.
    ip_at: usize,
    /// Of a PPPoE header before it.
    pppoe: Option<u32>,
    /// Of what changes from piece to piece: the IPv6 fragment header.
    fragment_at: usize,
    /// Where the datagram's payload begins in the frame, and its length.
    payload_at: usize,
    payload_len: usize,
    /// Payload bytes of each piece but the last: a multiple of 8.
    step: usize,
    family: Family,
    /// Over an IPv4 header whose length, fragment field and checksum are zero.
    sum: Sum,
    /// Whether the checksum of each piece is left to the port.
    port_sums: bool,
}

/// How to cut.
#[derive(Copy, Clone, Debug)]
pub struct Cut {
    /// Bytes of the longest IP packet.
    pub mtu: u16,
    /// Leave the checksums of IPv4 pieces to the port, which computes them.
    pub port_sums: bool,
}

/// Cuts the datagram in `frame` so that no piece is longer than the MTU, and emits the pieces in order, with
/// its meta. What was emitted before a pool ran empty cannot be taken back: the receiver's reassembly will time out.
///
/// # Errors
/// With what is left of the frame: it may not be cut so small, or there is no buffer.
pub fn refragment(
    frame: Frame,
    decoded: &Decoded,
    how: Cut,
    alloc: &mut dyn FrameAllocator,
    emit: &mut dyn FnMut(Frame),
) -> Result<(), (DropReason, Frame)> {
    let usual = |ip: &Ip| ip.at as usize + usize::from(ip.header_len) <= USUAL_HEAD - FRAGMENT_HEADER_LEN;
    if decoded.ip.as_ref().is_some_and(usual) {
        cut(frame, decoded, how, &mut [0; USUAL_HEAD], alloc, emit)
    } else {
        cut_behind_long(frame, decoded, how, alloc, emit)
    }
}

/// Apart, for room that few need.
#[cold]
#[inline(never)]
fn cut_behind_long(
    frame: Frame,
    decoded: &Decoded,
    how: Cut,
    alloc: &mut dyn FrameAllocator,
    emit: &mut dyn FnMut(Frame),
) -> Result<(), (DropReason, Frame)> {
    cut(frame, decoded, how, &mut [0; MAX_HEAD], alloc, emit)
}

fn cut(
    mut frame: Frame,
    decoded: &Decoded,
    Cut { mtu, port_sums }: Cut,
    room: &mut [u8],
    alloc: &mut dyn FrameAllocator,
    emit: &mut dyn FnMut(Frame),
) -> Result<(), (DropReason, Frame)> {
    let mut plan = match plan(&frame, decoded, mtu, room) {
        Ok(plan) => plan,
        Err(reason) => return Err((reason, frame)),
    };
    let (meta, header_len) = (frame.meta(), plan.head.len() - plan.ip_at);
    // Of the heap no frame goes to a port that computes anything.
    plan.port_sums =
        port_sums && plan.family == Family::V4 && frame.leave_ipv4_checksum(plan.ip_at, header_len);
    frame.truncate(plan.payload_at + plan.payload_len);
    frame.trim_front(plan.payload_at);
    let (mut offset, mut left) = (0, frame);
    while offset < plan.payload_len {
        let bytes = plan.step.min(plan.payload_len - offset);
        plan.place(offset, bytes);
        let more = offset + bytes < plan.payload_len;
        match piece(left, plan.head, more.then_some(bytes), alloc) {
            Ok((mut piece, rest)) => {
                piece.set_meta(meta);
                if plan.port_sums {
                    piece.leave_ipv4_checksum(plan.ip_at, header_len);
                }
                emit(piece);
                offset += bytes;
                match rest {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
            Err(mut rest) => {
                rest.set_meta(meta);
                return Err((DropReason::NoBuffer, rest));
            }
        }
    }
    Ok(())
}

/// Puts `head` before the frame's first `bytes`, all of them for `None`; what is left besides. In front of a buffer that nobody
/// shares there is room for the head: that of a piece as it came, most often.
fn piece(
    mut frame: Frame,
    head: &[u8],
    bytes: Option<usize>,
    alloc: &mut dyn FrameAllocator,
) -> Result<(Frame, Option<Frame>), Frame> {
    let in_place = frame.prepend(head);
    let rest = match bytes {
        None => None,
        Some(bytes) => match frame.split_off(if in_place { head.len() + bytes } else { bytes }) {
            None => return Err(frame),
            rest => rest,
        },
    };
    if in_place {
        return Ok((frame, rest));
    }
    let Some(mut first) = alloc.allocate(head) else { return Err(rest.unwrap_or(frame)) };
    match first.append(frame) {
        Ok(()) => Ok((first, rest)),
        Err(frame) => Err(rest.unwrap_or(frame)),
    }
}

/// The size at which the datagram is to be cut.
fn size(frame: &Frame, ip: &Ip, mtu: u16) -> Option<u16> {
    match ip.family {
        Family::V4 => Some(mtu),
        Family::V6 => frame.rebuilt().map(|from| from.largest).filter(|&largest| largest <= mtu),
    }
}

fn plan<'a>(frame: &Frame, decoded: &Decoded, mtu: u16, room: &'a mut [u8]) -> Result<Plan<'a>, DropReason> {
    let ip = decoded.ip.ok_or(DropReason::Malformed)?;
    let size = usize::from(size(frame, &ip, mtu).ok_or(DropReason::PacketTooBig)?);
    let ip_at = ip.at as usize;
    let headers = ip_at + usize::from(ip.header_len);
    let known = room.get_mut(..headers).map_or(0, |room| frame.copy_to(0, room));
    let bytes = room.get(ip_at..known).ok_or(DropReason::TooLong)?;
    let header = match ip.family {
        Family::V4 => usize::from(ip.header_len),
        Family::V6 => repeated(bytes).0,
    };
    let extra = if ip.family == Family::V4 { 0 } else { FRAGMENT_HEADER_LEN };
    let (head_len, total) = (ip_at + header + extra, ip.total_len as usize);
    let step = size.saturating_sub(header + extra) / 8 * 8;
    if header < IPV4_MIN || head_len - extra > known || total <= header || step == 0 {
        return Err(DropReason::TooLong);
    }
    let (payload_at, payload_len) = (ip_at + header, total - header);
    let head = room.get_mut(..head_len).ok_or(DropReason::TooLong)?;
    // A piece has no length before LLC to be set right: it does without both.
    let shorter = ip.llc.map_or(Some(0), |at| llc::take_out(head, at as usize)).ok_or(DropReason::TooLong)?;
    let (head, _) = head.split_at_mut(head_len - shorter);
    let mut plan = Plan {
        head,
        ip_at: ip_at - shorter,
        pppoe: ip.pppoe.map(|at| at.saturating_sub(shorter as u32)),
        fragment_at: payload_at - shorter,
        payload_at,
        payload_len,
        step,
        family: ip.family,
        sum: Sum::default(),
        port_sums: false,
    };
    plan.prepare(frame);
    Ok(plan)
}

/// How many bytes of an IPv6 packet each piece repeats, and where there the number stands that says what follows: the headers
/// that routers look at, which end with a routing header, or with hop-by-hop options.
fn repeated(packet: &[u8]) -> (usize, usize) {
    let (mut end, mut named_at) = (HEADER_LEN, NEXT_HEADER_AT);
    let mut kept = (end, named_at);
    while let Some(&kind) = packet.get(named_at)
        && matches!(kind, ip_proto::HOP_BY_HOP | ip_proto::DESTINATION | ip_proto::ROUTING)
        && let Ok(header) = Extension::parse(kind, packet.get(end..).unwrap_or_default())
        && !header.bytes.is_empty()
    {
        named_at = end;
        end += header.bytes.len();
        if kind != ip_proto::DESTINATION {
            kept = (end, named_at);
        }
    }
    kept
}

impl Plan<'_> {
    /// Writes what is the same in each piece.
    fn prepare(&mut self, frame: &Frame) {
        let at = self.ip_at;
        match self.family {
            Family::V4 => {
                [2, 6, 10].into_iter().for_each(|field| self.put(at + field, 0));
                self.sum = Sum::default().bytes(self.head.get(at..).unwrap_or_default());
            }
            Family::V6 => {
                let id = frame.rebuilt().map_or(0, |from| from.id);
                let named_at = at + repeated(self.head.get(at..).unwrap_or_default()).1;
                let next = self.head.get(named_at).copied().unwrap_or(ip_proto::NO_NEXT);
                if let Some(named) = self.head.get_mut(named_at) {
                    *named = ip_proto::FRAGMENT;
                }
                self.put(self.fragment_at, u16::from(next) << 8);
                self.put(self.fragment_at + 4, (id >> 16) as u16);
                self.put(self.fragment_at + 6, id as u16);
            }
        }
    }

    /// Writes the piece's lengths, offset and checksum into the head.
    fn place(&mut self, offset: usize, bytes: usize) {
        let more = offset + bytes < self.payload_len;
        let (at, len) = (self.ip_at, self.head.len() - self.ip_at + bytes);
        // No piece is longer than the datagram, whose length that field could say.
        let _ = self.pppoe.map(|pppoe| pppoe::set_length(self.head, pppoe as usize, bytes));
        match self.family {
            Family::V4 => {
                let field = (offset / 8) as u16 | if more { MORE_FRAGMENTS } else { 0 };
                self.put(at + 2, len as u16);
                self.put(at + 6, field);
                if !self.port_sums {
                    let sum = self.sum.word(len as u16).word(field).finish();
                    self.put(at + 10, sum);
                }
            }
            Family::V6 => {
                self.put(at + 4, (len - HEADER_LEN) as u16);
                self.put(self.fragment_at + 2, offset as u16 | u16::from(more));
            }
        }
    }

    fn put(&mut self, at: usize, value: u16) {
        if let Some(place) = self.head.get_mut(at..at + 2) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
