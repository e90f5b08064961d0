//! Views over wire formats, one file a protocol family, and [builders](build) of packets.
//!
//! A view is checked once, when it is made; reading its fields cannot fail or panic after that. What a view refuses it
//! names as an [`Anomaly`](crate::base::Anomaly). Views hold no state and know nothing of the layers around them.

pub mod arp;
pub mod bridge;
pub mod build;
pub mod chdlc;
pub mod checksum;
pub mod erspan;
pub mod ethernet;
pub mod gre;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod llc;
pub mod mpls;
pub mod nsh;
pub mod null_loop;
pub mod overlay;
pub mod ppp;
pub mod pppoe;
pub mod reset;
pub mod sctp;
pub mod sll;
pub mod tcp;
pub mod udp;

/// IP protocol numbers (IANA protocol-numbers) that Weir names.
pub mod ip_proto {
    pub const HOP_BY_HOP: u8 = 0;
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    pub const IPV4: u8 = 4;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const IPV6: u8 = 41;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const AH: u8 = 51;
    pub const ICMPV6: u8 = 58;
    pub const NO_NEXT: u8 = 59;
    pub const DESTINATION: u8 = 60;
    pub const SCTP: u8 = 132;
    pub const MOBILITY: u8 = 135;
    pub const HIP: u8 = 139;
    pub const SHIM6: u8 = 140;
}

#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}
