//! What no datagram can be made of.

use super::{Datagram, Reassembler};
use crate::base::{Anomaly, DropReason, Family};
use crate::decode::{Fragment, Ip, MAX_EXTENSION_HEADERS};
use crate::defrag::header::too_large;
use crate::io::Frame;
use crate::wire::checksum::internet;
use crate::wire::{ip_proto, ipv4, ipv6};

/// TCP's fixed header, which a first fragment should hold (RFC 1858).
const TCP_HEADER: u32 = 20;

impl Reassembler {
    /// What is wrong with a fragment whatever else came.
    pub(super) fn check(
        &self,
        frame: &Frame,
        ip: &Ip,
        fragment: &Fragment,
    ) -> Result<(), (DropReason, Anomaly)> {
        let v4 = ip.family == Family::V4;
        let ignored = if v4 { Anomaly::Ipv4FragIgnored } else { Anomaly::Ipv6FragIgnored };
        let len = u32::from(fragment.payload_len);
        let end = u32::from(fragment.offset) + len;
        if self.refuses_checksum(frame, ip) {
            return Err((DropReason::IpChecksum, ignored));
        }
        if len == 0 {
            return Err((DropReason::FragmentInvalid, ignored));
        }
        if too_large(ip, fragment, end) {
            return Err((DropReason::FragmentTooLarge, too_large_anomaly(ip.family)));
        }
        if fragment.more && !len.is_multiple_of(8) {
            let anomaly = if v4 { ignored } else { Anomaly::Ipv6FragInvalidLength };
            return Err((DropReason::FragmentInvalid, anomaly));
        }
        if self.settings.drop_tiny_first && cuts_header(frame, ip, fragment) {
            return Err((DropReason::FragmentInvalid, ignored));
        }
        if !v4 && fragment.offset == 0 && !fragment.more && carries_fragment(frame, fragment) {
            return Err((DropReason::FragmentInvalid, ignored));
        }
        Ok(())
    }

    /// Whether a datagram all of whose pieces are there is a fragment again, or has another fragment header behind the one
    /// that was taken out: a packet has one (RFC 8200, section 4.1), and nobody would look into what a second one cuts.
    pub(super) fn holds_fragment(&self, slot: u32) -> bool {
        let Datagram { header, pieces, .. } = self.datagrams.value(slot);
        header.family() == Family::V6 && leads_to_fragment(header.next(), |at| pieces.pair(&self.nodes, at))
    }

    /// Whether a packet has an IPv4 header's wrong checksum, and may not be given a right one.
    pub fn refuses_checksum(&self, frame: &Frame, ip: &Ip) -> bool {
        self.settings.drop_bad_checksum && ip.family == Family::V4 && !checksum_right(frame, ip)
    }

    /// Where the TCP header of a first fragment ends in the datagram's payload; 0 where it has none, or nobody minds.
    pub(super) fn tcp_until(&self, frame: &Frame, ip: &Ip, fragment: &Fragment) -> u32 {
        match self.settings.drop_tiny_first.then(|| upper(frame, ip, fragment)) {
            Some(Some((ip_proto::TCP, at))) => at + TCP_HEADER,
            _ => 0,
        }
    }
}

pub(super) fn too_large_anomaly(family: Family) -> Anomaly {
    if family == Family::V4 { Anomaly::Ipv4FragPktTooLarge } else { Anomaly::Ipv6FragPktTooLarge }
}

/// The same of a fragment that is the whole packet.
fn carries_fragment(frame: &Frame, fragment: &Fragment) -> bool {
    leads_to_fragment(fragment.next_header, |at| {
        let mut head = [0; 2];
        let whole = at + 2 <= u32::from(fragment.payload_len)
            && frame.copy_to((fragment.payload + at) as usize, &mut head) == head.len();
        whole.then_some(head)
    })
}

/// Whether a fragment header is among the IPv6 extension headers that begin with a `first` one; `read` gives two bytes of them.
/// Decoding looks at no more of them.
fn leads_to_fragment(first: u8, read: impl Fn(u32) -> Option<[u8; 2]>) -> bool {
    let (mut proto, mut at) = (first, 0);
    for _ in 0..MAX_EXTENSION_HEADERS {
        if proto == ip_proto::FRAGMENT {
            return true;
        }
        if !ipv6::is_extension(proto) {
            return false;
        }
        let Some([next, length]) = read(at) else { return false };
        at += ipv6::extension_len(proto, length) as u32;
        proto = next;
    }
    false
}

/// Whether a fragment does not leave TCP's fixed header in one piece, as far as it shows alone.
fn cuts_header(frame: &Frame, ip: &Ip, fragment: &Fragment) -> bool {
    let len = u32::from(fragment.payload_len);
    if fragment.offset > 0 {
        return protocol(ip, fragment) == ip_proto::TCP && u32::from(fragment.offset) < TCP_HEADER;
    }
    match upper(frame, ip, fragment) {
        Some((ip_proto::TCP, at)) => fragment.more && len < at + TCP_HEADER,
        Some(_) => false,
        // Its first fragment must have all of a chain of headers (RFC 7112).
        None => fragment.more,
    }
}

/// What the fragment's payload begins with, in the datagram.
fn protocol(ip: &Ip, fragment: &Fragment) -> u8 {
    if ip.family == Family::V4 { ip.proto } else { fragment.next_header }
}

/// The upper protocol of a first fragment and where in the payload its header stands, behind IPv6 extension headers; `None` where
/// the fragment ends before.
fn upper(frame: &Frame, ip: &Ip, fragment: &Fragment) -> Option<(u8, u32)> {
    let (mut proto, mut at) = (protocol(ip, fragment), 0);
    if ip.family == Family::V4 || !ipv6::is_extension(proto) {
        return Some((proto, at));
    }
    for _ in 0..MAX_EXTENSION_HEADERS {
        let mut head = [0; 2];
        if at + 2 > u32::from(fragment.payload_len)
            || frame.copy_to((fragment.payload + at) as usize, &mut head) < head.len()
        {
            return None;
        }
        at += ipv6::extension_len(proto, head[1]) as u32;
        proto = head[0];
        if !ipv6::is_extension(proto) {
            return (at <= u32::from(fragment.payload_len)).then_some((proto, at));
        }
    }
    None
}

/// Whether the checksum of an IPv4 header is right.
fn checksum_right(frame: &Frame, ip: &Ip) -> bool {
    let (at, len) = (ip.at as usize, usize::from(ip.header_len));
    if let Some(header) = frame.first().get(at..).and_then(|rest| rest.get(..len)) {
        return internet(header) == 0;
    }
    let mut header = [0; ipv4::MAX_HEADER_LEN];
    let Some(header) = header.get_mut(..len) else { return false };
    frame.copy_to(at, header) == len && internet(header) == 0
}
