//! A datagram that is too large for the port it leaves by, cut into fragments (RFC 791, section 3.2; RFC 8200, section 4.5).
//!
//! Every IPv4 option goes to every piece: some routers filter by options that RFC 791 would leave to the first alone. The
//! identification is the datagram's own; an IPv6 datagram has lost its with the fragment header, and gets a new one.

use crate::base::{DropReason, Family};
use crate::decode::{Decoded, Ip};
use crate::io::{Frame, FrameAllocator};
use crate::wire::checksum;

/// Link header, IP header with options or extensions, fragment header.
const MAX_HEAD: usize = 512;
const FRAGMENT_HEADER: usize = 8;
const FRAGMENT_PROTO: u8 = 44;
const IPV4_MIN: usize = 20;
const IPV6_MIN: usize = 40;
const MORE_FRAGMENTS: u16 = 0x2000;
/// An IP packet's payload at most, rounded up.
const MAX_PIECE: usize = 65_536;

/// What each piece begins with, and how much of the datagram it can carry.
struct Plan {
    head: [u8; MAX_HEAD],
    head_len: usize,
    /// Offset of the IP header in `head`.
    ip_at: usize,
    /// Where the datagram's payload begins in the frame, and its length.
    payload_at: usize,
    payload_len: usize,
    /// Payload bytes of each piece but the last: a multiple of 8.
    step: usize,
    family: Family,
}

/// Cuts the datagram in `frame` at `mtu` bytes of IP packet and emits the pieces in order, with its meta. What was
/// emitted before a pool ran empty cannot be taken back: the receiver's reassembly will time out.
pub fn refragment(
    frame: &Frame,
    decoded: &Decoded,
    mtu: u16,
    alloc: &mut dyn FrameAllocator,
    emit: &mut dyn FnMut(Frame),
) -> Result<(), DropReason> {
    let ip = decoded.ip.ok_or(DropReason::Malformed)?;
    let mut plan = plan(frame, &ip, mtu, decoded).ok_or(DropReason::TooLong)?;
    let mut piece = [0; MAX_HEAD + MAX_PIECE];
    let mut offset = 0;
    while offset < plan.payload_len {
        let bytes = plan.step.min(plan.payload_len - offset);
        plan.place(offset, bytes);
        let len = plan.head_len + bytes;
        let (head, body) = piece.split_at_mut(plan.head_len);
        head.copy_from_slice(&plan.head[..plan.head_len]);
        frame.copy_to(plan.payload_at + offset, &mut body[..bytes]);
        let mut made = alloc.allocate(&piece[..len]).ok_or(DropReason::NoBuffer)?;
        made.set_meta(frame.meta());
        emit(made);
        offset += bytes;
    }
    Ok(())
}

fn plan(frame: &Frame, ip: &Ip, mtu: u16, decoded: &Decoded) -> Option<Plan> {
    let (ip_at, total) = (ip.at as usize, ip.total_len as usize);
    // IPv6: cut behind the fixed header, so that extension headers go as payload of the first piece.
    let header = if ip.family == Family::V4 { usize::from(ip.header_len) } else { IPV6_MIN };
    let extra = if ip.family == Family::V4 { 0 } else { FRAGMENT_HEADER };
    let head_len = ip_at + header + extra;
    if header < IPV4_MIN || head_len > MAX_HEAD || total <= header {
        return None;
    }
    let step = usize::from(mtu).checked_sub(header + extra)? / 8 * 8;
    if step == 0 {
        return None;
    }
    let mut head = [0; MAX_HEAD];
    if frame.copy_to(0, &mut head[..ip_at + header]) < ip_at + header {
        return None;
    }
    if ip.family == Family::V6 {
        let fragment = ip_at + IPV6_MIN;
        head[fragment] = head[ip_at + 6];
        head[ip_at + 6] = FRAGMENT_PROTO;
        let id = decoded.tuple.symmetric_hash(true) ^ frame.meta().packet;
        head[fragment + 4..fragment + 8].copy_from_slice(&id.to_be_bytes());
    }
    let (payload_at, payload_len) = (ip_at + header, total - header);
    Some(Plan { head, head_len, ip_at, payload_at, payload_len, step, family: ip.family })
}

impl Plan {
    /// Writes the piece's lengths, offset and checksum into the head.
    fn place(&mut self, offset: usize, bytes: usize) {
        let more = offset + bytes < self.payload_len;
        let (at, len) = (self.ip_at, self.head_len - self.ip_at + bytes);
        match self.family {
            Family::V4 => {
                let field = (offset / 8) as u16 | if more { MORE_FRAGMENTS } else { 0 };
                self.put(at + 2, len as u16);
                self.put(at + 6, field);
                self.put(at + 10, 0);
                let sum = checksum::internet(&self.head[at..self.head_len]);
                self.put(at + 10, sum);
            }
            Family::V6 => {
                self.put(at + 4, (len - IPV6_MIN) as u16);
                self.put(at + IPV6_MIN + 2, offset as u16 | u16::from(more));
            }
        }
    }

    fn put(&mut self, at: usize, value: u16) {
        self.head[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }
}
