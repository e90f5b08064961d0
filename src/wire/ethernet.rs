//! Ethernet II and IEEE 802.1Q tags (IEEE 802.3, 802.1Q, 802.1ad).

use crate::base::Anomaly;
use crate::wire::u16_at;

pub const HEADER_LEN: usize = 14;
pub const VLAN_TAG_LEN: usize = 4;

/// Values of the type field (IANA ieee-802-numbers).
pub mod ether_type {
    pub const IPV4: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    /// Below this, the field is an IEEE 802.3 length.
    pub const MIN: u16 = 0x0600;
    /// An Ethernet frame within (transparent bridging), as GRE and Geneve announce it.
    pub const BRIDGED: u16 = 0x6558;
    pub const VLAN: u16 = 0x8100;
    pub const IPV6: u16 = 0x86dd;
    pub const MPLS: u16 = 0x8847;
    pub const MPLS_MULTICAST: u16 = 0x8848;
    pub const PPPOE_DISCOVERY: u16 = 0x8863;
    pub const PPPOE_SESSION: u16 = 0x8864;
    pub const QINQ: u16 = 0x88a8;
    pub const IEEE_8021AH: u16 = 0x88e7;
    /// Cisco FabricPath.
    pub const DCE: u16 = 0x8903;
    pub const VNTAG: u16 = 0x8926;
    pub const ETAG: u16 = 0x893f;
    pub const NSH: u16 = 0x894f;
    /// The outer tag of old QinQ equipment.
    pub const QINQ_OLD: u16 = 0x9100;

    pub const fn is_vlan(ether_type: u16) -> bool {
        matches!(ether_type, VLAN | QINQ | QINQ_OLD)
    }
}

#[derive(Copy, Clone, Debug)]
pub struct Ethernet<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Ethernet<'a> {
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Ethernet<'a>, Anomaly> {
        bytes.first_chunk().map(Ethernet).ok_or(Anomaly::EthernetPktTooSmall)
    }

    pub fn destination(&self) -> [u8; 6] {
        let [a, b, c, d, e, f, ..] = *self.0;
        [a, b, c, d, e, f]
    }

    pub fn source(&self) -> [u8; 6] {
        let [.., a, b, c, d, e, f, _, _] = *self.0;
        [a, b, c, d, e, f]
    }

    #[inline]
    pub fn ether_type(&self) -> u16 {
        u16::from_be_bytes([self.0[12], self.0[13]])
    }
}

/// Destination and source of the header at the front of `bytes`, as numbers of 48 bits.
pub fn stations(bytes: &[u8]) -> Option<[u64; 2]> {
    let &[a, b, c, d, e, f, rest @ ..] = bytes.first_chunk::<12>()?;
    let [g, h, i, j, k, l] = rest;
    let number = |[a, b, c, d, e, f]: [u8; 6]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    Some([number([a, b, c, d, e, f]), number([g, h, i, j, k, l])])
}

/// What follows a VLAN type field: tag control information and the next type.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct VlanTag {
    pub priority: u8,
    pub drop_eligible: bool,
    /// 12 bits; 0 is a priority tag.
    pub id: u16,
    pub ether_type: u16,
}

impl VlanTag {
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<VlanTag, Anomaly> {
        let (Some(tci), Some(ether_type)) = (u16_at(bytes, 0), u16_at(bytes, 2)) else {
            return Err(Anomaly::VlanHeaderTooSmall);
        };
        Ok(VlanTag {
            priority: (tci >> 13) as u8,
            drop_eligible: tci & 0x1000 != 0,
            id: tci & 0x0fff,
            ether_type,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_type_and_tag_are_where_the_standard_puts_them() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x81, 0x00, 0xb0, 0x7b, 0x08, 0x00];
        let ethernet = Ethernet::parse(&bytes).unwrap();
        assert_eq!(ethernet.destination(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(ethernet.source(), [7, 8, 9, 10, 11, 12]);
        assert_eq!(ethernet.ether_type(), ether_type::VLAN);
        let tag = VlanTag::parse(&bytes[HEADER_LEN..]).unwrap();
        assert_eq!(tag, VlanTag { priority: 5, drop_eligible: true, id: 0x07b, ether_type: 0x0800 });
        assert_eq!(Ethernet::parse(&bytes[..13]).err(), Some(Anomaly::EthernetPktTooSmall));
        assert_eq!(VlanTag::parse(&bytes[15..]).err(), Some(Anomaly::VlanHeaderTooSmall));
    }
}
