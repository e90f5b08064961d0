//! ICMP (RFC 792) and ICMPv6 (RFC 4443): the common header, which messages are errors, which are pairs.

use crate::base::{Anomaly, Family};

pub const HEADER_LEN: usize = 8;

/// Types of ICMP (IANA icmp-parameters).
pub mod v4 {
    pub const ECHO_REPLY: u8 = 0;
    pub const UNREACHABLE: u8 = 3;
    pub const SOURCE_QUENCH: u8 = 4;
    pub const REDIRECT: u8 = 5;
    pub const ECHO_REQUEST: u8 = 8;
    pub const TIME_EXCEEDED: u8 = 11;
    pub const PARAMETER_PROBLEM: u8 = 12;
    pub const TIMESTAMP: u8 = 13;
    pub const TIMESTAMP_REPLY: u8 = 14;
    pub const INFORMATION: u8 = 15;
    pub const INFORMATION_REPLY: u8 = 16;
    pub const ADDRESS_MASK: u8 = 17;
    pub const ADDRESS_MASK_REPLY: u8 = 18;
}

/// Types of ICMPv6 (IANA icmpv6-parameters).
pub mod v6 {
    pub const UNREACHABLE: u8 = 1;
    pub const PACKET_TOO_BIG: u8 = 2;
    pub const TIME_EXCEEDED: u8 = 3;
    pub const PARAMETER_PROBLEM: u8 = 4;
    pub const ECHO_REQUEST: u8 = 128;
    pub const ECHO_REPLY: u8 = 129;
    pub const MLD_QUERY: u8 = 130;
    pub const MLD_REPORT: u8 = 131;
    pub const MLD_DONE: u8 = 132;
    pub const ROUTER_SOLICITATION: u8 = 133;
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    pub const MLD2_REPORT: u8 = 143;
}

/// Either ICMP: both start with type, code, checksum and four bytes that depend on the type.
#[derive(Copy, Clone, Debug)]
pub struct Icmp<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> Icmp<'a> {
    #[inline]
    pub fn parse(bytes: &'a [u8], family: Family) -> Result<Icmp<'a>, Anomaly> {
        match bytes.split_first_chunk() {
            Some((header, payload)) => Ok(Icmp { header, payload }),
            None if family == Family::V4 => Err(Anomaly::Icmpv4PktTooSmall),
            None => Err(Anomaly::Icmpv6PktTooSmall),
        }
    }

    #[inline]
    pub fn kind(&self) -> u8 {
        self.header[0]
    }

    #[inline]
    pub fn code(&self) -> u8 {
        self.header[1]
    }

    /// Of messages that have one ([`has_id`]).
    #[inline]
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.header[4], self.header[5]])
    }

    #[inline]
    pub fn seq(&self) -> u16 {
        u16::from_be_bytes([self.header[6], self.header[7]])
    }

    /// The four bytes behind the checksum: the MTU of ICMPv6 "packet too big".
    pub fn rest_of_header(&self) -> u32 {
        u32::from_be_bytes([self.header[4], self.header[5], self.header[6], self.header[7]])
    }

    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The ports that stand for an ICMP message in a [`FlowTuple`](crate::base::FlowTuple), so that request and reply are
    /// each other's reverse and different exchanges between two hosts do not meet:
    ///
    /// - with an identifier (echo, timestamp, ...): the identifier, twice;
    /// - half of a pair without (neighbour solicitation and advertisement, ...): its own type, then its partner's;
    /// - all other: the type, then 256 + code. Never equal, so never mistaken for an identifier.
    #[inline]
    pub fn ports(&self, family: Family) -> (u16, u16) {
        let kind = self.kind();
        if has_id(family, kind) {
            return (self.id(), self.id());
        }
        match counterpart(family, kind) {
            Some(partner) => (u16::from(kind), u16::from(partner)),
            None => (u16::from(kind), 256 + u16::from(self.code())),
        }
    }
}

/// Whether the message quotes the packet that caused it.
#[inline]
pub const fn is_error(family: Family, kind: u8) -> bool {
    match family {
        Family::V4 => matches!(
            kind,
            v4::UNREACHABLE | v4::SOURCE_QUENCH | v4::REDIRECT | v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM
        ),
        Family::V6 => {
            matches!(kind, v6::UNREACHABLE | v6::PACKET_TOO_BIG | v6::TIME_EXCEEDED | v6::PARAMETER_PROBLEM)
        }
    }
}

/// Whether the message has an identifier and a sequence number.
#[inline]
pub const fn has_id(family: Family, kind: u8) -> bool {
    match family {
        Family::V4 => {
            matches!(kind, v4::ECHO_REPLY | v4::ECHO_REQUEST | v4::TIMESTAMP..=v4::ADDRESS_MASK_REPLY)
        }
        Family::V6 => matches!(kind, v6::ECHO_REQUEST | v6::ECHO_REPLY),
    }
}

/// The other half of a request and reply without identifier.
const fn counterpart(family: Family, kind: u8) -> Option<u8> {
    match (family, kind) {
        // Router solicitation and advertisement (RFC 1256).
        (Family::V4, 9) => Some(10),
        (Family::V4, 10) => Some(9),
        (Family::V6, v6::MLD_QUERY) => Some(v6::MLD_REPORT),
        (Family::V6, v6::MLD_REPORT) => Some(v6::MLD_QUERY),
        (Family::V6, v6::ROUTER_SOLICITATION) => Some(v6::ROUTER_ADVERTISEMENT),
        (Family::V6, v6::ROUTER_ADVERTISEMENT) => Some(v6::ROUTER_SOLICITATION),
        (Family::V6, v6::NEIGHBOR_SOLICITATION) => Some(v6::NEIGHBOR_ADVERTISEMENT),
        (Family::V6, v6::NEIGHBOR_ADVERTISEMENT) => Some(v6::NEIGHBOR_SOLICITATION),
        // Node information (RFC 4620), home agent discovery and mobile prefix (RFC 6275).
        (Family::V6, 139 | 144 | 146) => Some(kind + 1),
        (Family::V6, 140 | 145 | 147) => Some(kind - 1),
        _ => None,
    }
}

/// What is odd about type and code, by the IANA registries.
pub const fn anomaly(family: Family, kind: u8, code: u8) -> Option<Anomaly> {
    match family {
        Family::V4 => match max_code_v4(kind) {
            None => Some(Anomaly::Icmpv4UnknownType),
            Some(max) if code > max => Some(Anomaly::Icmpv4UnknownCode),
            Some(_) => None,
        },
        Family::V6 => match kind {
            100 | 101 | 200 | 201 => Some(Anomaly::Icmpv6ExperimentationType),
            0 | 5..=99 | 102..=126 | 162..=199 | 202..=254 => Some(Anomaly::Icmpv6UnassignedType),
            127 | 255 => Some(Anomaly::Icmpv6UnknownType),
            _ if code > max_code_v6(kind) => Some(Anomaly::Icmpv6UnknownCode),
            _ => None,
        },
    }
}

const fn max_code_v4(kind: u8) -> Option<u8> {
    match kind {
        v4::ECHO_REPLY | v4::SOURCE_QUENCH | v4::ECHO_REQUEST => Some(0),
        v4::UNREACHABLE => Some(15),
        v4::REDIRECT => Some(3),
        // Router advertisement: 16 is "does not route common traffic" (RFC 5944).
        9 => Some(16),
        10 => Some(0),
        v4::TIME_EXCEEDED => Some(1),
        v4::PARAMETER_PROBLEM => Some(2),
        v4::TIMESTAMP..=v4::ADDRESS_MASK_REPLY => Some(0),
        // Traceroute, conversion error, mobile, Photuris, extended echo (RFC 8335).
        30 => Some(1),
        31 => Some(11),
        32..=39 => Some(0),
        40 => Some(5),
        42 => Some(0),
        43 => Some(4),
        _ => None,
    }
}

const fn max_code_v6(kind: u8) -> u8 {
    match kind {
        v6::UNREACHABLE => 8,
        v6::TIME_EXCEEDED => 1,
        v6::PARAMETER_PROBLEM => 10,
        v6::PACKET_TOO_BIG | v6::ECHO_REQUEST..=v6::NEIGHBOR_ADVERTISEMENT | 137 => 0,
        139 | 140 => 2,
        _ => u8::MAX,
    }
}

/// Multicast listener discovery (RFC 2710, RFC 3810), which never leaves its link.
pub const fn is_mld(kind: u8) -> bool {
    matches!(kind, v6::MLD_QUERY | v6::MLD_REPORT | v6::MLD_DONE | v6::MLD2_REPORT)
}
