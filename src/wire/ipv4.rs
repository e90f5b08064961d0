//! IPv4 (RFC 791) and its options.

use crate::base::{Addr, Anomaly};

pub const MIN_HEADER_LEN: usize = 20;
pub const MAX_HEADER_LEN: usize = 60;
pub const MAX_PACKET_LEN: usize = 65_535;

/// An IPv4 packet: the header is whole; the payload is what is there of it.
#[derive(Copy, Clone, Debug)]
pub struct Ipv4<'a> {
    header: &'a [u8; MIN_HEADER_LEN],
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// A packet that is all there; bytes behind its total length (link padding) are left out.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Ipv4<'a>, Anomaly> {
        let packet = Ipv4::parse_cut(bytes)?;
        if bytes.len() < packet.total_len() {
            return Err(Anomaly::Ipv4TruncPkt);
        }
        Ok(packet)
    }

    /// A packet whose end may be missing, as ICMP errors quote it.
    #[inline]
    pub fn parse_cut(bytes: &'a [u8]) -> Result<Ipv4<'a>, Anomaly> {
        let header: &[u8; MIN_HEADER_LEN] = bytes.first_chunk().ok_or(Anomaly::Ipv4PktTooSmall)?;
        if header[0] >> 4 != 4 {
            return Err(Anomaly::Ipv4WrongIpVersion);
        }
        let header_len = usize::from(header[0] & 15) * 4;
        if header_len < MIN_HEADER_LEN {
            return Err(Anomaly::Ipv4HlenTooSmall);
        }
        let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if total_len < header_len {
            return Err(Anomaly::Ipv4IplenSmallerThanHlen);
        }
        let options = bytes.get(MIN_HEADER_LEN..header_len).ok_or(Anomaly::Ipv4TruncPkt)?;
        let payload = bytes.get(header_len..total_len.min(bytes.len())).unwrap_or_default();
        Ok(Ipv4 { header, options, payload })
    }

    #[inline]
    pub fn header_len(&self) -> usize {
        MIN_HEADER_LEN + self.options.len()
    }

    #[inline]
    pub fn total_len(&self) -> usize {
        usize::from(u16::from_be_bytes([self.header[2], self.header[3]]))
    }

    #[inline]
    pub fn tos(&self) -> u8 {
        self.header[1]
    }

    #[inline]
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.header[4], self.header[5]])
    }

    #[inline]
    pub fn dont_fragment(&self) -> bool {
        self.header[6] & 0x40 != 0
    }

    /// Offset in bytes and whether more fragments follow; `None` for a whole packet.
    #[inline]
    pub fn fragment(&self) -> Option<(u16, bool)> {
        let field = u16::from_be_bytes([self.header[6], self.header[7]]) & 0x3fff;
        (field != 0).then_some(((field & 0x1fff) << 3, field & 0x2000 != 0))
    }

    #[inline]
    pub fn ttl(&self) -> u8 {
        self.header[8]
    }

    #[inline]
    pub fn proto(&self) -> u8 {
        self.header[9]
    }

    #[inline]
    pub fn source(&self) -> Addr {
        Addr::v4([self.header[12], self.header[13], self.header[14], self.header[15]])
    }

    #[inline]
    pub fn destination(&self) -> Addr {
        Addr::v4([self.header[16], self.header[17], self.header[18], self.header[19]])
    }

    #[inline]
    pub fn options(&self) -> &'a [u8] {
        self.options
    }

    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Option types (IANA ip-parameters).
pub mod option {
    pub const END: u8 = 0;
    pub const NOP: u8 = 1;
    pub const RECORD_ROUTE: u8 = 7;
    pub const QUICK_START: u8 = 25;
    pub const TIMESTAMP: u8 = 68;
    pub const SECURITY: u8 = 130;
    pub const LOOSE_SOURCE_ROUTE: u8 = 131;
    pub const EXTENDED_SECURITY: u8 = 133;
    pub const CIPSO: u8 = 134;
    pub const STREAM_ID: u8 = 136;
    pub const STRICT_SOURCE_ROUTE: u8 = 137;
    pub const ROUTER_ALERT: u8 = 148;
}

/// One step over the option list.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Ipv4Option<'a> {
    pub kind: u8,
    /// Behind type and length.
    pub value: &'a [u8],
}

/// The options up to the end-of-list; NOPs are skipped. A broken one ends the walk with its anomaly.
#[derive(Clone, Debug)]
pub struct Options<'a>(pub &'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = Result<Ipv4Option<'a>, Anomaly>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&kind, rest) = self.0.split_first()?;
            self.0 = rest;
            match kind {
                option::NOP => continue,
                option::END => {
                    let padded = std::mem::take(&mut self.0).iter().all(|&b| b == 0);
                    return (!padded).then_some(Err(Anomaly::Ipv4OptPadRequired));
                }
                _ => return Some(self.sized(kind, rest)),
            }
        }
    }
}

impl<'a> Options<'a> {
    fn sized(&mut self, kind: u8, rest: &'a [u8]) -> Result<Ipv4Option<'a>, Anomaly> {
        self.0 = &[];
        // One byte was left, in which only an end-of-list or a NOP fits.
        let length = usize::from(*rest.first().ok_or(Anomaly::Ipv4OptEolRequired)?);
        let value = rest.get(1..length.wrapping_sub(1)).ok_or(Anomaly::Ipv4OptInvalidLen)?;
        self.0 = rest.get(length - 1..).unwrap_or_default();
        Ok(Ipv4Option { kind, value })
    }
}

impl Ipv4Option<'_> {
    /// What is wrong with a well-delimited option of a known type, or that its type is not known.
    pub fn anomaly(&self) -> Option<Anomaly> {
        let length = self.value.len() + 2;
        let fixed = |want: usize| (length != want).then_some(Anomaly::Ipv4OptInvalidLen);
        match self.kind {
            option::SECURITY | option::EXTENDED_SECURITY => {
                (length < 3).then_some(Anomaly::Ipv4OptInvalidLen)
            }
            option::CIPSO => (length < 6).then_some(Anomaly::Ipv4OptInvalidLen),
            option::STREAM_ID | option::ROUTER_ALERT => fixed(4),
            option::QUICK_START => fixed(8),
            option::RECORD_ROUTE | option::LOOSE_SOURCE_ROUTE | option::STRICT_SOURCE_ROUTE => self.route(),
            option::TIMESTAMP => self.timestamp(),
            _ => Some(Anomaly::Ipv4OptUnknown),
        }
    }

    /// Pointer, then addresses; the pointer counts from the option's first byte and starts at 4.
    fn route(&self) -> Option<Anomaly> {
        let Some((&pointer, addresses)) = self.value.split_first() else {
            return Some(Anomaly::Ipv4OptInvalidLen);
        };
        if !addresses.len().is_multiple_of(4) {
            return Some(Anomaly::Ipv4OptInvalidLen);
        }
        let full = addresses.len() + 4;
        (pointer < 4 || pointer % 4 != 0 || usize::from(pointer) > full).then_some(Anomaly::Ipv4OptMalformed)
    }

    /// Pointer, overflow and flags, then entries of 4 or 8 bytes; the pointer starts at 5.
    fn timestamp(&self) -> Option<Anomaly> {
        let [pointer, overflow_flags, entries @ ..] = self.value else {
            return Some(Anomaly::Ipv4OptInvalidLen);
        };
        let entry = match overflow_flags & 15 {
            0 => 4,
            1 | 3 => 8,
            _ => return Some(Anomaly::Ipv4OptMalformed),
        };
        if !entries.len().is_multiple_of(entry) {
            return Some(Anomaly::Ipv4OptInvalidLen);
        }
        (*pointer < 5 || usize::from(*pointer) > entries.len() + 5).then_some(Anomaly::Ipv4OptMalformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> Vec<Result<u8, Anomaly>> {
        Options(bytes).map(|o| o.map(|o| o.kind)).collect()
    }

    #[test]
    fn options_are_walked_to_the_end_of_the_list() {
        assert_eq!(walk(&[1, 1, 148, 4, 0, 0, 0, 0]), [Ok(148)]);
        assert_eq!(walk(&[148, 4, 0, 0]), [Ok(148)]);
        assert_eq!(walk(&[0, 0, 7, 0]), [Err(Anomaly::Ipv4OptPadRequired)]);
        assert_eq!(walk(&[1, 1, 1, 7]), [Err(Anomaly::Ipv4OptEolRequired)]);
        assert_eq!(walk(&[7, 0, 1, 1]), [Err(Anomaly::Ipv4OptInvalidLen)]);
        assert_eq!(walk(&[7, 1, 1, 1]), [Err(Anomaly::Ipv4OptInvalidLen)]);
        assert_eq!(walk(&[7, 5, 1, 1]), [Err(Anomaly::Ipv4OptInvalidLen)]);
    }

    #[test]
    fn known_options_are_held_to_their_form() {
        let judge = |bytes: &[u8]| Options(bytes).next().unwrap().unwrap().anomaly();
        assert_eq!(judge(&[7, 7, 4, 0, 0, 0, 0]), None);
        assert_eq!(judge(&[7, 7, 8, 0, 0, 0, 0]), None);
        assert_eq!(judge(&[7, 7, 12, 0, 0, 0, 0]), Some(Anomaly::Ipv4OptMalformed));
        assert_eq!(judge(&[131, 6, 4, 0, 0, 0]), Some(Anomaly::Ipv4OptInvalidLen));
        assert_eq!(judge(&[68, 8, 5, 0, 0, 0, 0, 0]), None);
        assert_eq!(judge(&[68, 8, 5, 2, 0, 0, 0, 0]), Some(Anomaly::Ipv4OptMalformed));
        assert_eq!(judge(&[148, 3, 0]), Some(Anomaly::Ipv4OptInvalidLen));
        assert_eq!(judge(&[99, 2]), Some(Anomaly::Ipv4OptUnknown));
    }
}
