//! IP addresses of both families as one `Copy` value, so that no code above needs two copies.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Family {
    #[default]
    V4 = 4,
    V6 = 6,
}

/// 128 bits of address. An IPv4 address stands in the low 32 bits: its [`Family`] is kept beside it, never
/// guessed from the bits, so an IPv6 address of the same bits is another address.
#[derive(Copy, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, packed(8))]
pub struct Addr(pub u128);

impl Addr {
    #[inline]
    pub fn v4(bytes: [u8; 4]) -> Addr {
        Addr(u128::from(u32::from_be_bytes(bytes)))
    }

    #[inline]
    pub fn v6(bytes: [u8; 16]) -> Addr {
        Addr(u128::from_be_bytes(bytes))
    }

    pub fn to_ip(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from(self.0 as u32)),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }

    pub fn from_ip(ip: IpAddr) -> (Addr, Family) {
        match ip {
            IpAddr::V4(v4) => (Addr::v4(v4.octets()), Family::V4),
            IpAddr::V6(v6) => (Addr::v6(v6.octets()), Family::V6),
        }
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", { self.0 })
    }
}
