//! The header of a rebuilt datagram: the first fragment's, made to tell of a whole one.

use crate::base::Family;
use crate::decode::{Fragment, Ip};
use crate::io::Frame;
use crate::wire::checksum::internet;
use crate::wire::pppoe;

/// Link, IP and extension headers before a fragment's payload; longer ones are refused.
pub(super) const MAX_HEADER: usize = 256;

/// Length of an IPv6 fragment header (RFC 8200, section 4.5) and of a fixed IPv6 header.
const FRAGMENT_HEADER: usize = 8;
const V6_HEADER: usize = 40;

/// Where an IP header stands in its frame.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub ip: u32,
    /// A PPPoE header before it, whose length field counts the packet.
    pub pppoe: Option<u32>,
}

impl Place {
    pub fn of(ip: &Ip) -> Place {
        Place { ip: ip.at, pppoe: ip.pppoe }
    }
}

pub(super) struct Header {
    bytes: [u8; MAX_HEADER],
    /// 0: none yet.
    len: usize,
    ip_at: usize,
    /// Where a PPPoE header stands before it.
    pppoe: Option<u32>,
    family: Family,
}

impl Default for Header {
    fn default() -> Header {
        Header { bytes: [0; MAX_HEADER], len: 0, ip_at: 0, pppoe: None, family: Family::V4 }
    }
}

impl Header {
    pub(super) fn is_known(&self) -> bool {
        self.len > 0
    }

    /// Where the IP header stands in the first fragment, and a PPPoE header before it.
    pub(super) fn place(&self) -> Place {
        Place { ip: self.ip_at as u32, pppoe: self.pppoe }
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    pub(super) fn forget(&mut self) {
        self.len = 0;
    }

    /// Takes the header of `frame`, a fragment with offset 0; false when it is too long or contradicts itself.
    pub(super) fn take(&mut self, frame: &Frame, ip: &Ip, fragment: &Fragment) -> bool {
        let (payload, ip_at) = (fragment.payload as usize, ip.at as usize);
        let Some(room) = self.bytes.get_mut(..payload) else { return false };
        if frame.copy_to(0, room) < payload {
            return false;
        }
        self.family = ip.family;
        (self.ip_at, self.pppoe) = (ip_at, ip.pppoe);
        let known = match ip.family {
            Family::V4 => self.clear_v4(payload),
            Family::V6 => self.clear_v6(payload, fragment),
        };
        self.len = known.unwrap_or(0);
        self.is_known()
    }

    fn clear_v4(&mut self, payload: usize) -> Option<usize> {
        let ip = self.bytes.get_mut(self.ip_at..payload).filter(|ip| ip.len() >= 20)?;
        ip[6] &= 0b1100_0000; // reserved bit and DF stay
        ip[7] = 0;
        Some(payload)
    }

    fn clear_v6(&mut self, payload: usize, fragment: &Fragment) -> Option<usize> {
        let len = payload.checked_sub(FRAGMENT_HEADER).filter(|&len| len >= self.ip_at + V6_HEADER)?;
        *self
            .bytes
            .get_mut(fragment.next_header_at as usize)
            .filter(|_| (fragment.next_header_at as usize) < len)? = fragment.next_header;
        Some(len)
    }

    /// The header for so many bytes of payload; `None` when a length field cannot say it.
    pub(super) fn finish(&mut self, payload: u32) -> Option<&[u8]> {
        let (ip_at, len) = (self.ip_at, self.len);
        let ip = self.bytes.get_mut(ip_at..len)?;
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
        let head = self.bytes.get_mut(..len)?;
        if let Some(at) = self.pppoe {
            pppoe::set_length(head, at as usize, payload as usize)?;
        }
        Some(head)
    }
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
