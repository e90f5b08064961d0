//! Generic routing encapsulation: version 0 (RFC 2784, RFC 2890, source routes of RFC 1701) and 1 (PPTP, RFC 2637).

use crate::base::Anomaly;
use crate::wire::u16_at;

pub const MIN_HEADER_LEN: usize = 4;

/// Protocol types beside Ethernet types.
pub const PPP: u16 = 0x880b;
/// ERSPAN type II with a sequence number, type I without.
pub const ERSPAN: u16 = 0x88be;
pub const ERSPAN_III: u16 = 0x22eb;

const CHECKSUM: u8 = 0x80;
const ROUTING: u8 = 0x40;
const KEY: u8 = 0x20;
const SEQUENCE: u8 = 0x10;
const STRICT_ROUTE: u8 = 0x08;
const RECURSION: u8 = 0x07;
/// In the second byte.
const ACKNOWLEDGEMENT: u8 = 0x80;
const VERSION: u8 = 0x07;
/// Source route entries looked through.
const MAX_ROUTES: usize = 16;

/// What a GRE header announces.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Gre {
    pub protocol: u16,
    pub header_len: usize,
    pub has_sequence: bool,
    /// Of version 0, where there is one: both directions of a tunnel have the same. Version 1's is each direction's own.
    pub key: Option<u32>,
    /// Version 1's call number.
    pub call: Option<u16>,
}

impl Gre {
    pub fn parse(bytes: &[u8]) -> Result<Gre, Anomaly> {
        let &[first, second, high, low] = bytes.first_chunk().ok_or(Anomaly::GrePktTooSmall)?;
        let protocol = u16::from_be_bytes([high, low]);
        let header_len = match second & VERSION {
            0 => version0(bytes, first, second)?,
            1 => version1(bytes, first, second, protocol)?,
            _ => return Err(Anomaly::GreWrongVersion),
        };
        let keyed = second & VERSION == 0 && first & KEY != 0;
        let key_at = MIN_HEADER_LEN + if first & (CHECKSUM | ROUTING) != 0 { 4 } else { 0 };
        let key = bytes.get(key_at..).and_then(|rest| rest.first_chunk()).filter(|_| keyed);
        let key = key.map(|key| u32::from_be_bytes(*key));
        // Behind the payload's length.
        let call = u16_at(bytes, MIN_HEADER_LEN + 2).filter(|_| second & VERSION == 1);
        Ok(Gre { protocol, header_len, has_sequence: first & SEQUENCE != 0, key, call })
    }
}

fn version0(bytes: &[u8], first: u8, second: u8) -> Result<usize, Anomaly> {
    if first & RECURSION != 0 {
        return Err(Anomaly::GreVersion0Recur);
    }
    if second & !VERSION != 0 {
        return Err(Anomaly::GreVersion0Flags);
    }
    let has = |bits: u8| usize::from(first & bits != 0) * 4;
    let mut len = MIN_HEADER_LEN + has(CHECKSUM | ROUTING) + has(KEY) + has(SEQUENCE);
    if len > bytes.len() {
        return Err(Anomaly::GreVersion0HdrTooBig);
    }
    if first & ROUTING != 0 {
        len += source_routes(bytes.get(len..).unwrap_or_default())?;
    }
    Ok(len)
}

/// Length of the entries, the empty one that ends them with them.
fn source_routes(bytes: &[u8]) -> Result<usize, Anomaly> {
    let mut at = 0;
    for _ in 0..MAX_ROUTES {
        let rest = bytes.get(at..).ok_or(Anomaly::GreVersion0MalformedSreHdr)?;
        let &[_, _, _, length] = rest.first_chunk().ok_or(Anomaly::GreVersion0MalformedSreHdr)?;
        at += 4 + usize::from(length);
        if length == 0 {
            return Ok(at);
        }
    }
    Err(Anomaly::GreVersion0MalformedSreHdr)
}

fn version1(bytes: &[u8], first: u8, second: u8, protocol: u16) -> Result<usize, Anomaly> {
    let faults = [
        (first & CHECKSUM != 0, Anomaly::GreVersion1Chksum),
        (first & ROUTING != 0, Anomaly::GreVersion1Route),
        (first & STRICT_ROUTE != 0, Anomaly::GreVersion1Ssr),
        (first & RECURSION != 0, Anomaly::GreVersion1Recur),
        (second & !(VERSION | ACKNOWLEDGEMENT) != 0, Anomaly::GreVersion1Flags),
        (protocol != PPP, Anomaly::GreVersion1WrongProtocol),
        (first & KEY == 0, Anomaly::GreVersion1NoKey),
    ];
    if let Some(&(_, fault)) = faults.iter().find(|(found, _)| *found) {
        return Err(fault);
    }
    let optional = usize::from(first & SEQUENCE != 0) + usize::from(second & ACKNOWLEDGEMENT != 0);
    let len = MIN_HEADER_LEN + 4 + optional * 4;
    if len > bytes.len() { Err(Anomaly::GreVersion1HdrTooBig) } else { Ok(len) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Anomaly as A;

    #[test]
    fn headers_are_as_long_as_their_flags_say() {
        let long = |first, second, high, low| {
            let bytes = [&[first, second, high, low][..], &[0; 32]].concat();
            Gre::parse(&bytes).map(|gre| (gre.protocol, gre.header_len))
        };
        assert_eq!(long(0, 0, 8, 0), Ok((0x800, 4)));
        assert_eq!(long(0xb0, 0, 8, 0), Ok((0x800, 16)));
        assert_eq!(long(0x40, 0, 8, 0), Ok((0x800, 12)), "an empty source route");
        assert_eq!(long(0x30, 0x81, 0x88, 0x0b), Ok((PPP, 16)));
    }

    #[test]
    fn a_key_stands_behind_the_checksum() {
        let key = |first, second| {
            let rest = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
            Gre::parse(&[&[first, second, 0x88, 0x0b][..], &rest].concat()).map(|gre| gre.key)
        };
        assert_eq!(key(0x20, 0), Ok(Some(1)));
        assert_eq!(key(0xa0, 0), Ok(Some(2)));
        assert_eq!(key(0x80, 0), Ok(None));
        assert_eq!(key(0x20, 1), Ok(None));
        let call = [0x20, 1, 0x88, 0x0b, 0, 40, 0, 9];
        assert_eq!(Gre::parse(&call).map(|gre| gre.call), Ok(Some(9)), "behind the payload's length");
    }

    #[test]
    fn what_is_wrong_has_a_name() {
        let table = [
            (&[0, 0, 8][..], A::GrePktTooSmall),
            (&[0, 2, 8, 0], A::GreWrongVersion),
            (&[1, 0, 8, 0], A::GreVersion0Recur),
            (&[0, 8, 8, 0], A::GreVersion0Flags),
            (&[0x20, 0, 8, 0, 1], A::GreVersion0HdrTooBig),
            (&[0x40, 0, 8, 0, 0, 0, 0, 0, 1, 2, 3, 9], A::GreVersion0MalformedSreHdr),
            (&[0xa0, 1, 0x88, 0x0b], A::GreVersion1Chksum),
            (&[0x60, 1, 0x88, 0x0b], A::GreVersion1Route),
            (&[0x28, 1, 0x88, 0x0b], A::GreVersion1Ssr),
            (&[0x21, 1, 0x88, 0x0b], A::GreVersion1Recur),
            (&[0x20, 9, 0x88, 0x0b], A::GreVersion1Flags),
            (&[0x20, 1, 8, 0], A::GreVersion1WrongProtocol),
            (&[0, 1, 0x88, 0x0b], A::GreVersion1NoKey),
            (&[0x30, 1, 0x88, 0x0b, 0, 0, 0, 0], A::GreVersion1HdrTooBig),
        ];
        for (bytes, anomaly) in table {
            assert_eq!(Gre::parse(bytes), Err(anomaly), "{bytes:02x?}");
        }
    }
}
