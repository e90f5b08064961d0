//! Decoding against the builders: what was put in comes out, what is broken is named, nothing panics.

mod affinity;
mod around;
mod llc;
mod malformed;
mod round_trip;
mod tunnels;

use super::*;
use crate::wire::build::Link;

fn by_ports() -> HashBy {
    HashBy { ports: true, function: HashFunction::Mixed, tunnels: Tunnels::default() }
}

fn decoded(bytes: &[u8], link: LinkType) -> Decoded {
    let mut out = Decoded::default();
    decode(bytes, link, &Tunnels::default(), &mut out);
    out
}

fn of_packet(packet: &[u8]) -> Decoded {
    decoded(packet, LinkType::RawIp)
}

fn links() -> Vec<(Link, LinkType)> {
    let links = [
        Link::ethernet(),
        Link::tagged(&[7]),
        Link::tagged(&[7, 8]),
        Link::tagged(&[7, 8, 9]),
        Link::RawIp,
        Link::Null,
        Link::Loop,
        Link::Ppp,
        Link::CiscoHdlc,
        Link::Sll,
        Link::Sll2,
    ];
    links.into_iter().map(|link| (link.clone(), LinkType::from_dlt(link.dlt()))).collect()
}

/// No offset and no range points outside of the frame.
fn within(out: &Decoded, bytes: &[u8]) {
    let len = bytes.len();
    assert!(out.payload_range().end <= len, "{out:?}");
    assert!(out.l4_at as usize + usize::from(out.l4_len) <= len, "{out:?}");
    assert!(out.ethernet.is_none_or(|at| at as usize + 14 <= len));
    assert!(out.arp.is_none_or(|at| at as usize + 28 <= len));
    if let Some(ip) = out.ip {
        assert!((ip.at + ip.total_len) as usize <= len, "{out:?}");
        assert!(u32::from(ip.header_len) <= ip.total_len);
        if let Some(piece) = ip.fragment {
            assert!((piece.payload + u32::from(piece.payload_len)) as usize <= len);
            assert!((piece.next_header_at as usize) < len);
        }
    }
}
