//! Tags and headers that bridges put between Ethernet and what it carries, beside VLANs: VN-Tag and E-Tag (IEEE 802.1BR),
//! provider backbone bridging (IEEE 802.1ah), Cisco FabricPath.

use crate::base::Anomaly;
use crate::wire::u16_at;

/// Behind the type field: the tag, then the next type.
const VNTAG_LEN: usize = 6;
const ETAG_LEN: usize = 8;
/// The service tag of IEEE 802.1ah; the customer's Ethernet header follows.
const ITAG_LEN: usize = 4;
const CUSTOMER_LEN: usize = 14;
/// FabricPath's tree and time to live; Ethernet follows.
const FABRIC_LEN: usize = 2;

/// The type behind a VN-Tag, and the length up to it.
pub fn vntag(bytes: &[u8]) -> Result<(u16, usize), Anomaly> {
    u16_at(bytes, VNTAG_LEN - 2).map(|next| (next, VNTAG_LEN)).ok_or(Anomaly::VntagHeaderTooSmall)
}

/// The type behind an E-Tag, and the length up to it.
pub fn etag(bytes: &[u8]) -> Result<(u16, usize), Anomaly> {
    u16_at(bytes, ETAG_LEN - 2).map(|next| (next, ETAG_LEN)).ok_or(Anomaly::EtagHeaderTooSmall)
}

/// Length up to the customer's Ethernet header.
pub fn service_tag(bytes: &[u8]) -> Result<usize, Anomaly> {
    if bytes.len() < ITAG_LEN + CUSTOMER_LEN { Err(Anomaly::Ieee8021ahHeaderTooSmall) } else { Ok(ITAG_LEN) }
}

/// The number of the service (I-SID).
pub fn service_id(bytes: &[u8]) -> Option<u32> {
    let &[_, a, b, c] = bytes.first_chunk()?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

/// What a VN-Tag says: which interfaces a frame is from and for.
pub fn vntag_number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|tag| u32::from_be_bytes(*tag))
}

/// What an E-Tag says of interfaces: all of it but the priority in front.
pub fn etag_number(bytes: &[u8]) -> Option<u64> {
    let &[a, b, c, d, e, f] = bytes.first_chunk()?;
    Some(u64::from_be_bytes([0, 0, a & 0x0f, b, c, d, e, f]))
}

/// Length up to the Ethernet header within.
pub fn fabric_path(bytes: &[u8]) -> Result<usize, Anomaly> {
    if bytes.len() < FABRIC_LEN + CUSTOMER_LEN { Err(Anomaly::DcePktTooSmall) } else { Ok(FABRIC_LEN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_what_follows() {
        assert_eq!(vntag(&[0, 1, 2, 3, 8, 0]), Ok((0x0800, 6)));
        assert_eq!(vntag(&[0; 5]), Err(Anomaly::VntagHeaderTooSmall));
        assert_eq!(etag(&[0, 1, 2, 3, 4, 5, 0x86, 0xdd]), Ok((0x86dd, 8)));
        assert_eq!(etag(&[0; 7]), Err(Anomaly::EtagHeaderTooSmall));
        assert_eq!(service_tag(&[0; 18]), Ok(4));
        assert_eq!(service_tag(&[0; 17]), Err(Anomaly::Ieee8021ahHeaderTooSmall));
        assert_eq!(service_id(&[0xe0, 1, 2, 3]), Some(0x0001_0203));
        assert_eq!((service_id(&[0; 3]), vntag_number(&[0; 3]), etag_number(&[0; 5])), (None, None, None));
        assert_eq!(
            (vntag_number(&[1, 2, 3, 4, 5]), etag_number(&[0xf1, 2, 3, 4, 5, 6])),
            (Some(0x0102_0304), Some(0x0102_0304_0506))
        );
        assert_eq!(fabric_path(&[0; 16]), Ok(2));
        assert_eq!(fabric_path(&[0; 15]), Err(Anomaly::DcePktTooSmall));
    }
}
