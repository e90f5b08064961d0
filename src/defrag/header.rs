//! The header of a rebuilt datagram: the first fragment's, made to tell of a whole one.

use crate::base::{DropReason, Family};
use crate::decode::{Fragment, Ip};
use crate::io::{Frame, FrameAllocator};
use crate::wire::checksum::internet;
use crate::wire::{llc, pppoe};

/// Link, IP and extension headers before a fragment's payload that are kept with the datagram; longer ones take buffers of
/// their own.
pub(super) const KEPT: usize = 256;
/// Longer ones are refused: as much as a jumbo frame full of headers has.
pub(super) const MAX_HEADER: usize = 9216;

/// Length of an IPv6 fragment header (RFC 8200, section 4.5) and of a fixed IPv6 header.
const FRAGMENT_HEADER: usize = 8;
const V6_HEADER: usize = 40;

/// Where an IP header stands in its frame.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub ip: u32,
    /// A PPPoE header before it, whose length field counts the packet.
    pub pppoe: Option<u32>,
    /// LLC before it, which what we make of the frame does without.
    pub llc: Option<u32>,
}

impl Place {
    pub fn of(ip: &Ip) -> Place {
        Place { ip: ip.at, pppoe: ip.pppoe, llc: ip.llc }
    }
}

pub(super) struct Header {
    bytes: [u8; KEPT],
    /// The whole header, where it is longer than [`KEPT`].
    long: Option<Frame>,
    /// 0: none yet.
    len: usize,
    /// Of its IP header, and of what stands before that.
    place: Place,
    family: Family,
    /// What the datagram's payload begins with.
    next: u8,
}

impl Default for Header {
    fn default() -> Header {
        Header { bytes: [0; KEPT], long: None, len: 0, place: Place::default(), family: Family::V4, next: 0 }
    }
}

impl Header {
    pub(super) fn is_known(&self) -> bool {
        self.len > 0
    }

    /// Where the IP header stands in the first fragment, and a PPPoE header before it.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// The protocol or extension header that the datagram's payload begins with.
    pub(super) fn next(&self) -> u8 {
        self.next
    }

    pub(super) fn forget(&mut self) {
        self.len = 0;
        self.long = None;
    }

    /// Takes the header of `frame`, a fragment with offset 0; how many buffers that pins. `room` has [`MAX_HEADER`] bytes.
    ///
    /// # Errors
    /// It is too long or contradicts itself ([`DropReason::FragmentInvalid`]), or there is no buffer for it.
    pub(super) fn take(
        &mut self,
        frame: &Frame,
        ip: &Ip,
        fragment: &Fragment,
        room: &mut [u8],
        alloc: &mut dyn FrameAllocator,
    ) -> Result<usize, DropReason> {
        let (payload, ip_at) = (fragment.payload as usize, ip.at as usize);
        let long = payload > KEPT;
        let bytes = if long { room } else { &mut self.bytes[..] };
        let bytes = bytes.get_mut(..payload).ok_or(DropReason::FragmentInvalid)?;
        let whole = frame.copy_to(0, bytes) == payload;
        let known = match ip.family {
            Family::V4 => clear_v4(bytes, ip_at),
            Family::V6 => clear_v6(bytes, ip_at, fragment),
        };
        let len = known.filter(|_| whole).ok_or(DropReason::FragmentInvalid)?;
        self.long = match bytes.get(..len).filter(|_| long) {
            Some(header) => Some(alloc.allocate(header).ok_or(DropReason::NoBuffer)?),
            None => None,
        };
        (self.family, self.next) = (ip.family, fragment.next_header);
        (self.len, self.place) = (len, Place::of(ip));
        Ok(self.long.as_ref().map_or(0, Frame::segment_count))
    }

    /// The header for so many bytes of payload, for once; `None` when a length field cannot say it. A long one is written into `room`.
    pub(super) fn finish<'a>(&'a mut self, payload: u32, room: &'a mut [u8]) -> Option<&'a [u8]> {
        let (Place { ip: ip_at, pppoe, llc }, len) = (self.place, self.len);
        let head = match &self.long {
            Some(long) => {
                let head = room.get_mut(..len)?;
                (long.copy_to(0, head) == len).then_some(head)?
            }
            None => self.bytes.get_mut(..len)?,
        };
        let ip = head.get_mut(ip_at as usize..)?;
        match self.family {
            Family::V4 => {
                let total = u16::try_from(ip.len() as u32 + payload).ok()?;
                ip[2..4].copy_from_slice(&total.to_be_bytes());
                ip[10..12].fill(0);
                let sum = internet(ip);
                ip[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            Family::V6 => {
                let length = u16::try_from((ip.len() - V6_HEADER) as u32 + payload).ok()?;
                ip[4..6].copy_from_slice(&length.to_be_bytes());
            }
        }
        if let Some(at) = pppoe {
            pppoe::set_length(head, at as usize, payload as usize)?;
        }
        let shorter = llc.map_or(Some(0), |at| llc::take_out(head, at as usize))?;
        head.get(..len - shorter)
    }
}

/// The length of the header without what tells of a fragment.
fn clear_v4(header: &mut [u8], ip_at: usize) -> Option<usize> {
    let len = header.len();
    let ip = header.get_mut(ip_at..).filter(|ip| ip.len() >= 20)?;
    ip[6] &= 0b1100_0000; // reserved bit and DF stay
    ip[7] = 0;
    Some(len)
}

fn clear_v6(header: &mut [u8], ip_at: usize, fragment: &Fragment) -> Option<usize> {
    let len = header.len().checked_sub(FRAGMENT_HEADER).filter(|&len| len >= ip_at + V6_HEADER)?;
    *header.get_mut(..len)?.get_mut(fragment.next_header_at as usize)? = fragment.next_header;
    Some(len)
}

/// Whether a datagram whose payload reaches to `end` is longer than its length field can say.
pub(super) fn too_large(ip: &Ip, fragment: &Fragment, end: u32) -> bool {
    let before = fragment.payload.saturating_sub(ip.at);
    let counted = match ip.family {
        Family::V4 => before,
        Family::V6 => before.saturating_sub((FRAGMENT_HEADER + V6_HEADER) as u32),
    };
    counted + end > u32::from(u16::MAX)
}
