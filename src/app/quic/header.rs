//! Long headers (RFC 9000, section 17.2; RFC 9369, section 3.2), and numbers of variable length (section 16).

use crate::app::tls::reader::Reader;

pub(super) const V1: u32 = 1;
pub(super) const V2: u32 = 0x6b33_43cf;
/// Drafts 23 to 34, whose packets are protected as those of version 1.
const DRAFTS: std::ops::RangeInclusive<u32> = 0xff00_0017..=0xff00_0022;
/// Facebook's (mvfst), which began as drafts.
const FACEBOOK: [u32; 3] = [0xface_b001, 0xface_b002, 0xface_b00e];

/// Longest connection identifier.
const MAX_ID: usize = 20;
const LONG: u8 = 0x80;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    Retry,
    /// 0-RTT or handshake: protected by keys that are not known.
    Other,
    /// A version is asked for again.
    Negotiation,
}

/// A packet with a long header, and where its parts are.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Long<'a> {
    pub(super) kind: Kind,
    pub(super) version: u32,
    pub(super) destination: &'a [u8],
    /// The whole packet, from its first byte.
    pub(super) packet: &'a [u8],
    /// Where its packet number is.
    pub(super) number_at: usize,
    /// What comes behind it in the datagram.
    pub(super) rest: &'a [u8],
}

pub(super) fn is_known(version: u32) -> bool {
    matches!(version, V1 | V2) || DRAFTS.contains(&version) || FACEBOOK.contains(&version)
}

impl<'a> Long<'a> {
    /// The packet that `datagram` begins with. `None`: none of a version that is known.
    pub(super) fn read(datagram: &'a [u8]) -> Option<Long<'a>> {
        let mut rest = Reader(datagram);
        let first = rest.u8()?;
        if first & LONG == 0 {
            return None;
        }
        let version = rest.u32()?;
        let (destination, source) = (rest.vec8()?, rest.vec8()?);
        if destination.len() > MAX_ID || source.len() > MAX_ID {
            return None;
        }
        let whole = |kind| Long { kind, version, destination, packet: datagram, number_at: 0, rest: &[] };
        if version == 0 {
            return Some(whole(Kind::Negotiation)).filter(|_| !rest.is_empty() && rest.0.len() % 4 == 0);
        }
        if !is_known(version) || first & 0x40 == 0 {
            return None;
        }
        // Version 2 numbers them from one on.
        let kind = (first >> 4 & 3).wrapping_sub(u8::from(version == V2)) & 3;
        match kind {
            0 => {
                let token = variable(&mut rest)?;
                rest.take(token)?;
            }
            3 => return Some(whole(Kind::Retry)),
            _ => {}
        }
        let len = variable(&mut rest)?;
        let number_at = datagram.len() - rest.0.len();
        rest.take(len)?;
        let packet = datagram.get(..number_at + len)?;
        let kind = if kind == 0 { Kind::Initial } else { Kind::Other };
        Some(Long { kind, version, destination, packet, number_at, rest: rest.0 })
    }
}

/// A number whose first two bits say how long it is.
pub(super) fn variable(rest: &mut Reader<'_>) -> Option<usize> {
    let first = rest.u8()?;
    let more = rest.take((1 << (first >> 6)) - 1)?;
    let number = more.iter().fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(number).ok()
}

/// A version as rules and eve.json write it: numbers, Google's letters, names of drafts.
pub(super) fn write_version(version: u32, out: &mut Vec<u8>) {
    use std::io::Write;
    let letters = version.to_be_bytes();
    let _ = if letters.iter().all(u8::is_ascii_alphanumeric) {
        out.write_all(&letters)
    } else if version == V2 {
        out.write_all(b"2")
    } else if DRAFTS.contains(&version) {
        write!(out, "draft-{}", version & 0xff)
    } else {
        write!(out, "{version}")
    };
}
