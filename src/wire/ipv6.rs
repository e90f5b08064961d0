//! IPv6 (RFC 8200) and its extension headers.

use crate::base::{Addr, Anomaly};
use crate::wire::ip_proto;

pub const HEADER_LEN: usize = 40;
pub const FRAGMENT_HEADER_LEN: usize = 8;

#[derive(Copy, Clone, Debug)]
pub struct Ipv6<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> Ipv6<'a> {
    /// A packet that is all there; bytes behind it (link padding) are left out.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Ipv6<'a>, Anomaly> {
        let packet = Ipv6::parse_cut(bytes)?;
        if packet.payload.len() < packet.payload_len() {
            return Err(Anomaly::Ipv6TruncPkt);
        }
        Ok(packet)
    }

    /// A packet whose end may be missing, as ICMPv6 errors quote it.
    #[inline]
    pub fn parse_cut(bytes: &'a [u8]) -> Result<Ipv6<'a>, Anomaly> {
        let (header, rest) = bytes.split_first_chunk().ok_or(Anomaly::Ipv6PktTooSmall)?;
        if header[0] >> 4 != 6 {
            return Err(Anomaly::Ipv6WrongIpVersion);
        }
        let mut packet = Ipv6 { header, payload: rest };
        packet.payload = rest.get(..packet.payload_len()).unwrap_or(rest);
        Ok(packet)
    }

    #[inline]
    pub fn traffic_class(&self) -> u8 {
        (self.header[0] << 4) | (self.header[1] >> 4)
    }

    pub fn flow_label(&self) -> u32 {
        u32::from_be_bytes([0, self.header[1] & 15, self.header[2], self.header[3]])
    }

    #[inline]
    pub fn payload_len(&self) -> usize {
        usize::from(u16::from_be_bytes([self.header[4], self.header[5]]))
    }

    #[inline]
    pub fn next_header(&self) -> u8 {
        self.header[6]
    }

    #[inline]
    pub fn hop_limit(&self) -> u8 {
        self.header[7]
    }

    #[inline]
    pub fn source(&self) -> Addr {
        let [_, _, _, _, _, _, _, _, rest @ ..] = self.header;
        Addr::v6(*rest.first_chunk().unwrap_or(&[0; 16]))
    }

    #[inline]
    pub fn destination(&self) -> Addr {
        Addr::v6(*self.header.last_chunk().unwrap_or(&[0; 16]))
    }

    /// Everything behind the fixed header, extension headers first.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// One extension header.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What this header is: the number that the header before it announced.
    pub kind: u8,
    /// What it announces in turn.
    pub next_header: u8,
    /// The whole header.
    pub bytes: &'a [u8],
}

/// Whether `kind` is a header that [`Extension::parse`] can step over: it says its own length.
#[inline]
pub const fn is_extension(kind: u8) -> bool {
    use ip_proto::*;
    matches!(kind, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION | AH | MOBILITY | HIP | SHIM6)
}

/// Bytes of a header of this kind with this second byte.
#[inline]
pub const fn extension_len(kind: u8, length: u8) -> usize {
    match kind {
        ip_proto::FRAGMENT => FRAGMENT_HEADER_LEN,
        // RFC 4302: in 4-byte words, less 2.
        ip_proto::AH => (length as usize + 2) * 4,
        _ => (length as usize + 1) * 8,
    }
}

impl<'a> Extension<'a> {
    /// The header at the front of `bytes`, if all of it is there.
    pub fn parse(kind: u8, bytes: &'a [u8]) -> Result<Extension<'a>, Anomaly> {
        let &[next_header, length] = bytes.first_chunk().ok_or(Anomaly::Ipv6TruncExthdr)?;
        let bytes = bytes.get(..extension_len(kind, length)).ok_or(Anomaly::Ipv6TruncExthdr)?;
        Ok(Extension { kind, next_header, bytes })
    }
}

/// The fields of a fragment header (RFC 8200, section 4.5).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct FragmentHeader {
    pub next_header: u8,
    /// 0 on the wire, by the RFC.
    pub reserved: u8,
    /// In bytes.
    pub offset: u16,
    pub more: bool,
    pub id: u32,
}

impl FragmentHeader {
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<FragmentHeader, Anomaly> {
        let &[next_header, reserved, high, low, a, b, c, d] =
            bytes.first_chunk().ok_or(Anomaly::Ipv6TruncExthdr)?;
        let field = u16::from_be_bytes([high, low]);
        Ok(FragmentHeader {
            next_header,
            reserved,
            offset: field & !7,
            more: field & 1 == 1,
            id: u32::from_be_bytes([a, b, c, d]),
        })
    }

    /// A fragment that is the whole packet (RFC 6946).
    pub fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }
}

/// Option types of hop-by-hop and destination options (IANA ipv6-parameters).
pub mod option {
    pub const PAD1: u8 = 0;
    pub const PADN: u8 = 1;
    pub const ROUTER_ALERT: u8 = 5;
    pub const JUMBO: u8 = 0xc2;
    pub const HOME_ADDRESS: u8 = 0xc9;
}

/// The options in a hop-by-hop or destination header; `Err` ends the walk. Pad1 is yielded like any other.
#[derive(Clone, Debug)]
pub struct Options<'a>(pub &'a [u8]);

impl<'a> Iterator for Options<'a> {
    /// Type and data.
    type Item = Result<(u8, &'a [u8]), Anomaly>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&kind, rest) = self.0.split_first()?;
        if kind == option::PAD1 {
            self.0 = rest;
            return Some(Ok((kind, &[])));
        }
        self.0 = &[];
        let Some((&length, rest)) = rest.split_first() else {
            return Some(Err(Anomaly::Ipv6ExthdrInvalidOptlen));
        };
        match rest.split_at_checked(usize::from(length)) {
            Some((data, rest)) => {
                self.0 = rest;
                Some(Ok((kind, data)))
            }
            None => Some(Err(Anomaly::Ipv6ExthdrInvalidOptlen)),
        }
    }
}
