//! What no datagram can be made of.

use super::Reassembler;
use crate::base::{Anomaly, DropReason, Family};
use crate::decode::{Fragment, Ip};
use crate::defrag::header::too_large;

/// TCP's fixed header, which a first fragment should hold (RFC 1858).
const TCP_HEADER: u32 = 20;

impl Reassembler {
    /// What is wrong with a fragment whatever else came.
    pub(super) fn check(&self, ip: &Ip, fragment: &Fragment) -> Result<(), (DropReason, Anomaly)> {
        let v4 = ip.family == Family::V4;
        let ignored = if v4 { Anomaly::Ipv4FragIgnored } else { Anomaly::Ipv6FragIgnored };
        let len = u32::from(fragment.payload_len);
        let end = u32::from(fragment.offset) + len;
        if len == 0 {
            return Err((DropReason::FragmentInvalid, ignored));
        }
        if too_large(ip, fragment, end) {
            let anomaly = if v4 { Anomaly::Ipv4FragPktTooLarge } else { Anomaly::Ipv6FragPktTooLarge };
            return Err((DropReason::FragmentTooLarge, anomaly));
        }
        if fragment.more && !len.is_multiple_of(8) {
            let anomaly = if v4 { ignored } else { Anomaly::Ipv6FragInvalidLength };
            return Err((DropReason::FragmentInvalid, anomaly));
        }
        let proto = if v4 { ip.proto } else { fragment.next_header };
        let header_cut = fragment.offset == 0 && fragment.more && len < TCP_HEADER;
        let begins_within = (1..TCP_HEADER).contains(&u32::from(fragment.offset));
        if self.settings.drop_tiny_first && proto == 6 && (header_cut || begins_within) {
            return Err((DropReason::FragmentInvalid, ignored));
        }
        Ok(())
    }
}
