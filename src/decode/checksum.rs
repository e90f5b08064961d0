//! Checksums, on demand: decoding does not judge them, for a NIC may have, and offloads leave them empty.

use super::{Decoded, L4};
use crate::base::Family;
use crate::wire::checksum::{self, Sum};
use crate::wire::ip_proto;
use crate::wire::sctp::Sctp;
use crate::wire::u16_at;

/// Whether the IPv4 header's checksum is right; `None` without an IPv4 header.
pub fn ip_checksum_valid(decoded: &Decoded, bytes: &[u8]) -> Option<bool> {
    let ip = decoded.ip.filter(|ip| ip.family == Family::V4)?;
    let header = bytes.get(ip.at as usize..)?.get(..usize::from(ip.header_len))?;
    Some(checksum::internet(header) == 0)
}

/// Whether the upper protocol's checksum is right; `None` when there is none to check (a fragment, no known protocol).
/// A UDP checksum of 0 over IPv4 says that none was computed, and is right.
pub fn checksum_valid(decoded: &Decoded, bytes: &[u8]) -> Option<bool> {
    let ip = decoded.ip?;
    let end = (ip.at + ip.total_len) as usize;
    let upper = bytes.get(decoded.l4_at as usize..end)?;
    let pseudo = |proto| {
        let tuple = &decoded.tuple;
        Sum::default().pseudo_header(ip.family, tuple.src, tuple.dst, proto, upper.len() as u32)
    };
    let sum = match decoded.l4 {
        L4::None => return None,
        L4::Sctp => return Some(Sctp::parse(upper).ok()?.checksum_valid()),
        L4::Udp if u16_at(upper, 6)? == 0 => return Some(ip.family == Family::V4),
        L4::Tcp(_) => pseudo(ip_proto::TCP),
        // The pseudo header has UDP's own length, and so has the sum.
        L4::Udp => {
            let datagram = upper.get(..usize::from(u16_at(upper, 4)?))?;
            let tuple = &decoded.tuple;
            let sum = Sum::default();
            let len = datagram.len() as u32;
            let sum = sum.pseudo_header(ip.family, tuple.src, tuple.dst, ip_proto::UDP, len);
            return Some(sum.bytes(datagram).finish() == 0);
        }
        L4::Icmp4 { .. } => Sum::default(),
        L4::Icmp6 { .. } => pseudo(ip_proto::ICMPV6),
    };
    Some(sum.bytes(upper).finish() == 0)
}
