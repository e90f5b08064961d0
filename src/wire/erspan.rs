//! Mirrored Ethernet frames in GRE: ERSPAN types II and III (draft-foschiano-erspan-03, section 4). Type I has no header.

use crate::base::Anomaly;
use crate::wire::u16_at;

const II_LEN: usize = 8;
const III_LEN: usize = 12;
/// Type III's optional part.
const PLATFORM_LEN: usize = 8;

const VERSION_II: u8 = 1;
const VERSION_III: u8 = 2;
/// Type III: the platform's part follows, in the last byte.
const HAS_PLATFORM: u8 = 0x01;
/// Type III: the kind of frame, in the byte before the last.
const FRAME_TYPE_IP: u8 = 2;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Erspan {
    pub header_len: usize,
    /// Of the port that was mirrored; 0 for none.
    pub vlan: u16,
    /// Number of the mirroring session.
    pub session: u16,
    /// The mirrored packet begins with its IP header, without Ethernet.
    pub ip: bool,
}

impl Erspan {
    /// The header that GRE protocol 0x88be announces with a sequence number.
    pub fn type2(bytes: &[u8]) -> Result<Erspan, Anomaly> {
        let vlan = vlan(bytes, VERSION_II, II_LEN)?;
        Ok(Erspan { header_len: II_LEN, vlan, session: session(bytes), ip: false })
    }

    /// The header that GRE protocol 0x22eb announces.
    pub fn type3(bytes: &[u8]) -> Result<Erspan, Anomaly> {
        let vlan = vlan(bytes, VERSION_III, III_LEN)?;
        let (kind, last) = (bytes.get(10).unwrap_or(&0), bytes.get(11).unwrap_or(&0));
        let platform = if last & HAS_PLATFORM != 0 { PLATFORM_LEN } else { 0 };
        if bytes.len() < III_LEN + platform {
            return Err(Anomaly::ErspanHeaderTooSmall);
        }
        let (header_len, ip) = (III_LEN + platform, kind >> 2 & 0x1f == FRAME_TYPE_IP);
        Ok(Erspan { header_len, vlan, session: session(bytes), ip })
    }
}

/// The lower ten bits of the second word, in both types.
fn session(bytes: &[u8]) -> u16 {
    u16_at(bytes, 2).unwrap_or(0) & 0x03ff
}

fn vlan(bytes: &[u8], version: u8, len: usize) -> Result<u16, Anomaly> {
    let &[high, low] = bytes.first_chunk().ok_or(Anomaly::ErspanHeaderTooSmall)?;
    if bytes.len() < len {
        return Err(Anomaly::ErspanHeaderTooSmall);
    }
    if high >> 4 != version {
        return Err(Anomaly::ErspanUnsupportedVersion);
    }
    Ok(u16::from_be_bytes([high & 0x0f, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_types_tell_their_vlan_and_length() {
        assert_eq!(
            Erspan::type2(&[0x10, 7, 0, 1, 0, 0, 0, 0]),
            Ok(Erspan { header_len: 8, vlan: 7, session: 1, ip: false })
        );
        let mut third = [0x2f, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Erspan::type3(&third), Ok(Erspan { header_len: 12, vlan: 0xfff, session: 1, ip: false }));
        third[10] = 0x80 | FRAME_TYPE_IP << 2 | 3;
        assert_eq!(Erspan::type3(&third), Ok(Erspan { header_len: 12, vlan: 0xfff, session: 1, ip: true }));
        third[11] = HAS_PLATFORM;
        assert_eq!(Erspan::type3(&third), Err(Anomaly::ErspanHeaderTooSmall));
        let long = [&third[..], &[0; 8]].concat();
        assert_eq!(Erspan::type3(&long).map(|header| header.header_len), Ok(20));
    }

    #[test]
    fn what_is_wrong_has_a_name() {
        assert_eq!(Erspan::type2(&[0x10; 7]), Err(Anomaly::ErspanHeaderTooSmall));
        assert_eq!(Erspan::type2(&[0x20; 12]), Err(Anomaly::ErspanUnsupportedVersion));
        assert_eq!(Erspan::type3(&[0x10; 12]), Err(Anomaly::ErspanUnsupportedVersion));
        assert_eq!(Erspan::type3(&[]), Err(Anomaly::ErspanHeaderTooSmall));
    }
}
