//! PPP framing (RFC 1661, RFC 1662).

use crate::base::Anomaly;

/// Protocol numbers (IANA ppp-numbers).
pub mod protocol {
    pub const IPV4: u16 = 0x0021;
    /// Van Jacobson, a whole IPv4 header whose protocol field holds a slot number (RFC 1144).
    pub const VJ_UNCOMPRESSED: u16 = 0x002f;
    pub const IPV6: u16 = 0x0057;
}

/// Whether a protocol sets up the link, authenticates, or configures a network layer (RFC 1661, section 2).
pub const fn is_control(protocol: u16) -> bool {
    protocol >= 0x8000
}

/// Protocol number and header length. The address and control bytes may be missing (RFC 1661, 6.6), the protocol may
/// be one byte (6.5).
pub fn header(bytes: &[u8]) -> Result<(u16, usize), Anomaly> {
    let (rest, skipped) = match bytes {
        [0xff, 0x03, rest @ ..] => (rest, 2),
        rest => (rest, 0),
    };
    match *rest {
        // The low bit of the first byte says that it is the last one of the number.
        [first, ..] if first & 1 == 1 => Ok((u16::from(first), skipped + 1)),
        [first, second, ..] => {
            let protocol = u16::from_be_bytes([first, second]);
            if second & 1 == 1 { Ok((protocol, skipped + 2)) } else { Err(Anomaly::PppWrongType) }
        }
        _ => Err(Anomaly::PppPktTooSmall),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_and_control_and_the_high_byte_may_be_compressed_away() {
        assert_eq!(header(&[0xff, 0x03, 0x00, 0x21, 0x45]), Ok((protocol::IPV4, 4)));
        assert_eq!(header(&[0x00, 0x57, 0x60]), Ok((protocol::IPV6, 2)));
        assert_eq!(header(&[0x21, 0x45]), Ok((protocol::IPV4, 1)));
        assert_eq!(header(&[0xff, 0x03]), Err(Anomaly::PppPktTooSmall));
        assert_eq!(header(&[0x00, 0x22]), Err(Anomaly::PppWrongType));
        assert!(is_control(0xc021) && is_control(0x8021) && !is_control(protocol::IPV6));
    }
}
