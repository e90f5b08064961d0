//! Fragments of IP packets, well-formed or not.

use super::ip::fix_ipv4_checksum;
use super::set_u16;
use crate::wire::ipv4::Ipv4;
use crate::wire::{ip_proto, ipv6};
use std::ops::Range;

/// One fragment: the bytes `range` of what `packet` carries, said to stand where they do. Nothing is checked, so that
/// overlaps and impossible pieces can be built: an offset that is no multiple of 8 is rounded down, one beyond 65,535
/// wraps, a range beyond the payload is cut. Empty when `packet` is not IP.
///
/// IPv4 options are in every piece; IPv6 extension headers, as parts of the payload, in the first.
pub fn fragment(packet: &[u8], id: u32, range: Range<usize>, more: bool) -> Vec<u8> {
    if let Ok(v4) = Ipv4::parse(packet) {
        let header = packet.get(..v4.header_len()).unwrap_or_default();
        let piece = cut(v4.payload(), &range);
        let mut out = [header, piece].concat();
        let total = out.len() as u16;
        let offset = ((range.start / 8) as u16 & 0x1fff) | if more { 0x2000 } else { 0 };
        set_u16(&mut out, 2, total);
        set_u16(&mut out, 4, id as u16);
        set_u16(&mut out, 6, offset);
        fix_ipv4_checksum(&mut out, 0);
        return out;
    }
    let Some((header, payload)) = packet.split_at_checked(ipv6::HEADER_LEN) else { return Vec::new() };
    let piece = cut(payload, &range);
    let mut out = header.to_vec();
    let next = header.get(6).copied().unwrap_or_default();
    if let Some(field) = out.get_mut(6) {
        *field = ip_proto::FRAGMENT;
    }
    let offset = (range.start as u16 & !7) | u16::from(more);
    set_u16(&mut out, 4, (ipv6::FRAGMENT_HEADER_LEN + piece.len()) as u16);
    out.extend([next, 0]);
    out.extend(offset.to_be_bytes());
    out.extend(id.to_be_bytes());
    out.extend(piece);
    out
}

fn cut<'a>(payload: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    payload.get(range.start..range.end.min(payload.len())).unwrap_or_default()
}

/// `packet` in pieces of `sizes` bytes of payload, used in turn and over again, each rounded down to a multiple of 8
/// but never to 0; in order. A packet that fits the first piece comes as one fragment without others (IPv6: atomic).
pub fn fragments(packet: &[u8], id: u32, sizes: &[usize]) -> Vec<Vec<u8>> {
    let header_len = Ipv4::parse(packet).map_or(ipv6::HEADER_LEN, |v4| v4.header_len());
    let total = packet.len().saturating_sub(header_len);
    let mut sizes = sizes.iter().map(|size| (size & !7).max(8)).cycle();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < total {
        let end = at + sizes.next().unwrap_or(total);
        out.push(fragment(packet, id, at..end, end < total));
        at = end;
    }
    out
}
