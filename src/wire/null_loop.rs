//! BSD loopback headers (LINKTYPE_NULL, LINKTYPE_LOOP): four bytes of address family.

use crate::base::{Anomaly, Family};

pub const HEADER_LEN: usize = 4;

const AF_INET: u32 = 2;
/// AF_INET6 of Linux, NetBSD, FreeBSD and Darwin: the capturing system's, and nothing says which that was.
const AF_INET6: [u32; 4] = [10, 24, 28, 30];

/// The family of the packet behind the header. LINKTYPE_NULL writes it in the capturer's byte order, LINKTYPE_LOOP in
/// network order; families are small numbers, so the order shows.
pub fn family(bytes: &[u8]) -> Result<Family, Anomaly> {
    let header: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(Anomaly::LtnullPktTooSmall)?;
    let big = u32::from_be_bytes(*header);
    match if big > 0xffff { big.swap_bytes() } else { big } {
        AF_INET => Ok(Family::V4),
        six if AF_INET6.contains(&six) => Ok(Family::V6),
        _ => Err(Anomaly::LtnullUnsupportedType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_read_in_either_byte_order() {
        assert_eq!(family(&[2, 0, 0, 0]), Ok(Family::V4));
        assert_eq!(family(&[0, 0, 0, 2]), Ok(Family::V4));
        assert_eq!(family(&[30, 0, 0, 0]), Ok(Family::V6));
        assert_eq!(family(&[0, 0, 0, 24]), Ok(Family::V6));
        assert_eq!(family(&[7, 0, 0, 0]), Err(Anomaly::LtnullUnsupportedType));
        assert_eq!(family(&[2, 0, 0]), Err(Anomaly::LtnullPktTooSmall));
    }
}
