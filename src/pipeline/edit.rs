//! Changes that plugins asked for, made to a packet as it leaves: DSCP, addresses, ports, with the checksums mended word by
//! word (RFC 1624), so that a wrong checksum stays wrong.

use super::lane::Lane;
use super::settings::{Mode, PortPlan};
use crate::base::{Addr, Family, Verdict};
use crate::decode::{Decoded, Ip, L4};
use crate::io::Frame;
use crate::service::Edit;
use crate::wire::checksum::update;
use crate::wire::tcp::flag::URG;

impl Lane {
    /// The frame as it is to leave. Only verdicts that act change anything: `tap` forwards what came.
    #[inline]
    pub(super) fn edited(
        &mut self,
        frame: Frame,
        decoded: &Decoded,
        plan: &PortPlan,
        verdict: Verdict,
    ) -> Frame {
        match self.services.outbox.edits.is_empty() {
            true => frame,
            false => self.edit(frame, decoded, plan, verdict),
        }
    }

    #[cold]
    fn edit(&mut self, frame: Frame, decoded: &Decoded, plan: &PortPlan, verdict: Verdict) -> Frame {
        let edits = std::mem::take(&mut self.services.outbox.edits);
        let Some(ip) = decoded.ip.filter(|_| plan.mode == Mode::Ips && !verdict.is_drop()) else {
            return frame;
        };
        let transport = decoded.l4_at as usize + usize::from(decoded.l4_len);
        let headers = transport.max(ip.at as usize + usize::from(ip.header_len));
        let mut frame = self.writable(frame, headers);
        // Part of a header must not be changed alone: its checksum may stand in the other part.
        if let Some(bytes) = frame.first_mut().filter(|bytes| bytes.len() >= headers) {
            edits.iter().for_each(|edit| apply(bytes, decoded, &ip, edit));
        }
        frame
    }

    /// The frame itself when its headers lie in bytes that are its alone, else a copy. Without a buffer for that it stays as
    /// it is, and unchanged.
    fn writable(&mut self, mut frame: Frame, headers: usize) -> Frame {
        if frame.first_mut().is_some_and(|bytes| bytes.len() >= headers) {
            return frame;
        }
        let copy = self.allocator.allocate(frame.view(&mut self.scratch));
        match copy {
            Some(mut copy) => {
                copy.set_meta(frame.meta());
                frame.rebuilt().into_iter().for_each(|from| copy.set_rebuilt(from));
                copy
            }
            None => frame,
        }
    }
}

/// Where a header's checksums stand, and whether they cover the addresses.
struct Sums {
    /// Of IPv4's header.
    ip: Option<usize>,
    /// Of the transport, with its pseudo header.
    l4: Option<usize>,
}

fn sums(bytes: &[u8], decoded: &Decoded, ip: &Ip) -> Sums {
    let at = decoded.l4_at as usize;
    let l4 = match decoded.l4 {
        _ if ip.fragment.is_some() => None,
        L4::Tcp(_) => Some(at + 16),
        // 0 says that there is none (RFC 768).
        L4::Udp => Some(at + 6).filter(|&at| bytes.get(at..at + 2).is_some_and(|sum| sum != [0, 0])),
        L4::Icmp6 { .. } => Some(at + 2),
        L4::Icmp4 { .. } | L4::Sctp | L4::None => None,
    };
    Sums { ip: (ip.family == Family::V4).then_some(ip.at as usize + 10), l4 }
}

fn apply(bytes: &mut [u8], decoded: &Decoded, ip: &Ip, edit: &Edit) {
    let Sums { ip: ip_sum, l4 } = sums(bytes, decoded, ip);
    let at = ip.at as usize;
    let (source, destination, width) = match ip.family {
        Family::V4 => (at + 12, at + 16, 4),
        Family::V6 => (at + 8, at + 24, 16),
    };
    let has_ports = matches!(decoded.l4, L4::Tcp(_) | L4::Udp) && ip.fragment.is_none();
    let ports = decoded.l4_at as usize;
    match *edit {
        Edit::Dscp(dscp) => set_dscp(bytes, ip, dscp & 0x3f, ip_sum),
        Edit::Source(addr) => set_address(bytes, source, addr, width, [ip_sum, l4]),
        Edit::Destination(addr) => set_address(bytes, destination, addr, width, [ip_sum, l4]),
        Edit::SourcePort(port) if has_ports => set_word(bytes, ports, port, [l4, None]),
        Edit::DestinationPort(port) if has_ports => set_word(bytes, ports + 2, port, [l4, None]),
        Edit::NotUrgent if matches!(decoded.l4, L4::Tcp(_)) && ip.fragment.is_none() => {
            set_not_urgent(bytes, ports, l4);
        }
        Edit::SourcePort(_) | Edit::DestinationPort(_) | Edit::NotUrgent => {}
    }
    // A sum of zero is written as its other form (RFC 768): zero itself would say that there is none.
    if let (L4::Udp, Some(sum)) = (&decoded.l4, l4)
        && word_at(bytes, sum) == Some(0)
    {
        write(bytes, sum, 0xffff);
    }
}

fn set_dscp(bytes: &mut [u8], ip: &Ip, dscp: u8, ip_sum: Option<usize>) {
    let at = ip.at as usize;
    let Some(&[high, low]) = bytes.get(at..at + 2).and_then(|word| word.first_chunk()) else { return };
    let word = match ip.family {
        Family::V4 => u16::from_be_bytes([high, dscp << 2 | low & 0x03]),
        // Version, eight bits of traffic class of which six are the code point, flow label.
        Family::V6 => u16::from_be_bytes([high & 0xf0 | dscp >> 2, dscp << 6 | low & 0x3f]),
    };
    set_word(bytes, at, word, [ip_sum, None]);
}

fn set_not_urgent(bytes: &mut [u8], tcp: usize, sum: Option<usize>) {
    // Length of the header and flags; the pointer.
    let Some(word) = word_at(bytes, tcp + 12) else { return };
    set_word(bytes, tcp + 12, word & !u16::from(URG), [sum, None]);
    set_word(bytes, tcp + 18, 0, [sum, None]);
}

fn set_address(bytes: &mut [u8], at: usize, addr: Addr, width: usize, sums: [Option<usize>; 2]) {
    let all = addr.0.to_be_bytes();
    for (index, word) in all[16 - width..].chunks_exact(2).enumerate() {
        set_word(bytes, at + 2 * index, u16::from_be_bytes([word[0], word[1]]), sums);
    }
}

/// Sets a word that these checksums cover.
fn set_word(bytes: &mut [u8], at: usize, new: u16, sums: [Option<usize>; 2]) {
    let Some(old) = word_at(bytes, at) else { return };
    write(bytes, at, new);
    for sum in sums.into_iter().flatten() {
        if let Some(before) = word_at(bytes, sum) {
            write(bytes, sum, update(before, old, new));
        }
    }
}

fn word_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

fn write(bytes: &mut [u8], at: usize, word: u16) {
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&word.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{checksum_valid, decode, ip_checksum_valid};
    use crate::io::LinkType;
    use crate::wire::build::{self, IpFields, Link};
    use std::net::SocketAddr;

    fn edited(frame: Vec<u8>, edits: &[Edit]) -> (Vec<u8>, Decoded) {
        let mut bytes = frame;
        let mut decoded = Decoded::default();
        decode(&bytes, LinkType::Ethernet, &crate::decode::Tunnels::default(), &mut decoded);
        let ip = decoded.ip.unwrap();
        edits.iter().for_each(|edit| apply(&mut bytes, &decoded, &ip, edit));
        decode(&bytes, LinkType::Ethernet, &crate::decode::Tunnels::default(), &mut decoded);
        (bytes, decoded)
    }

    fn udp(from: &str, to: &str) -> Vec<u8> {
        let ends: (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
        let packet = build::udp_packet(ends.0, ends.1, &IpFields::default(), b"hello");
        Link::ethernet().wrap(&packet)
    }

    #[test]
    fn every_change_leaves_right_checksums_in_both_families() {
        let v4 = udp("10.0.0.1:1111", "10.0.0.2:53");
        let v6 = udp("[2001:db8::1]:1111", "[2001:db8::2]:53");
        for (frame, source) in [(v4, Addr::v4([192, 0, 2, 77])), (v6, Addr(0x2001_0db8 << 96 | 0x77))] {
            let edits =
                [Edit::Dscp(46), Edit::Source(source), Edit::SourcePort(50_000), Edit::DestinationPort(5353)];
            let (bytes, decoded) = edited(frame, &edits);
            assert_eq!(decoded.ip.unwrap().tos >> 2, 46);
            assert_eq!((decoded.tuple.src, decoded.tuple.sport, decoded.tuple.dport), (source, 50_000, 5353));
            assert_ne!(ip_checksum_valid(&decoded, &bytes), Some(false));
            assert_eq!(checksum_valid(&decoded, &bytes), Some(true));
        }
    }

    #[test]
    fn a_udp_checksum_of_zero_stays_none() {
        let mut frame = udp("10.0.0.1:1111", "10.0.0.2:53");
        let at = frame.len() - 5 - 2;
        frame[at..at + 2].fill(0);
        let (bytes, _) = edited(frame, &[Edit::Destination(Addr::v4([1, 2, 3, 4]))]);
        assert_eq!(bytes[at..at + 2], [0, 0]);
    }

    #[test]
    fn a_udp_checksum_that_comes_out_as_zero_is_written_as_ones() {
        let frame = udp("[2001:db8::1]:1111", "[2001:db8::2]:53");
        let at = frame.len() - 5 - 2;
        let sum = u16::from_be_bytes([frame[at], frame[at + 1]]);
        // The word of the port takes what is left of the sum.
        let port = Some(1111u32 + u32::from(sum)).map(|s| ((s & 0xffff) + (s >> 16)) as u16).unwrap();
        let (bytes, decoded) = edited(frame, &[Edit::SourcePort(port)]);
        assert_eq!(bytes[at..at + 2], [0xff, 0xff]);
        assert_eq!(checksum_valid(&decoded, &bytes), Some(true));
    }

    #[test]
    fn ecn_survives_a_change_of_dscp() {
        let mut frame = udp("10.0.0.1:1111", "10.0.0.2:53");
        frame[15] = 0b0000_0011;
        let (bytes, _) = edited(frame, &[Edit::Dscp(0x3f)]);
        assert_eq!(bytes[15], 0xff);
    }
}
