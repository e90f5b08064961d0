//! Network service headers (RFC 8300).

use crate::base::Anomaly;

const BASE_LEN: usize = 4;
/// Base and service path header: the least there is.
pub const MIN_HEADER_LEN: usize = 8;

mod metadata {
    pub const FIXED: u8 = 1;
    pub const VARIABLE: u8 = 2;
    pub const RESERVED: u8 = 0;
    pub const EXPERIMENT: u8 = 15;
}

mod next {
    pub const IPV4: u8 = 1;
    pub const IPV6: u8 = 2;
    pub const ETHERNET: u8 = 3;
    pub const MPLS: u8 = 5;
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    Ipv4,
    Ipv6,
    Ethernet,
    Mpls,
}

/// The service path and the place on it (RFC 8300, section 2.3).
pub fn service_path(bytes: &[u8]) -> Option<u32> {
    bytes.get(BASE_LEN..)?.first_chunk().map(|path| u32::from_be_bytes(*path))
}

/// What follows, and the header's length.
pub fn parse(bytes: &[u8]) -> Result<(Carried, usize), Anomaly> {
    let base: &[u8; BASE_LEN] = bytes.first_chunk().ok_or(Anomaly::NshHeaderTooSmall)?;
    if bytes.len() < MIN_HEADER_LEN {
        return Err(Anomaly::NshHeaderTooSmall);
    }
    if base[0] >> 6 != 0 {
        return Err(Anomaly::NshUnsupportedVersion);
    }
    let len = usize::from(base[1] & 0x3f) * 4;
    if len < MIN_HEADER_LEN || len >= bytes.len() {
        return Err(Anomaly::NshBadHeaderLength);
    }
    match base[2] & 0x0f {
        metadata::FIXED | metadata::VARIABLE => {}
        metadata::RESERVED | metadata::EXPERIMENT => return Err(Anomaly::NshReservedType),
        _ => return Err(Anomaly::NshUnsupportedType),
    }
    match base[3] {
        next::IPV4 => Ok((Carried::Ipv4, len)),
        next::IPV6 => Ok((Carried::Ipv6, len)),
        next::ETHERNET => Ok((Carried::Ethernet, len)),
        next::MPLS => Ok((Carried::Mpls, len)),
        _ => Err(Anomaly::NshUnknownPayload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Anomaly as A;

    #[test]
    fn the_header_says_what_follows_or_what_is_wrong() {
        let with = |base: [u8; 4]| parse(&[&base[..], &[0; 28]].concat());
        assert_eq!(with([0x0f, 0xc6, 1, 1]), Ok((Carried::Ipv4, 24)));
        assert_eq!(with([0, 2, 2, 2]), Ok((Carried::Ipv6, 8)));
        assert_eq!(with([0, 3, 2, 3]), Ok((Carried::Ethernet, 12)));
        assert_eq!(with([0, 2, 2, 5]), Ok((Carried::Mpls, 8)));
        let table = [
            ([0x40, 6, 1, 1], A::NshUnsupportedVersion),
            ([0, 1, 1, 1], A::NshBadHeaderLength),
            ([0, 8, 1, 1], A::NshBadHeaderLength),
            ([0, 6, 0, 1], A::NshReservedType),
            ([0, 6, 15, 1], A::NshReservedType),
            ([0, 6, 3, 1], A::NshUnsupportedType),
            ([0, 6, 1, 4], A::NshUnknownPayload),
        ];
        for (base, anomaly) in table {
            assert_eq!(with(base), Err(anomaly), "{base:02x?}");
        }
        assert_eq!(parse(&[0, 2, 2, 1, 0, 0, 0]), Err(A::NshHeaderTooSmall));
    }
}
