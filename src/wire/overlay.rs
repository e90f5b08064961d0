//! Overlay networks and tunnels over UDP: VXLAN (RFC 7348), Geneve (RFC 8926), Teredo (RFC 4380), GTP-U (3GPP TS 29.281).
//!
//! Each function takes a datagram's payload and gives `None` for what is not of its kind: a port proves nothing.

use crate::wire::{ip_proto, ipv6, u16_at};

const VXLAN_LEN: usize = 8;
/// The flag without which a VXLAN header names no network. Other bits are ignored, as RFC 7348 wants it.
const VXLAN_HAS_ID: u8 = 0x08;
const GENEVE_LEN: usize = 8;
/// Origin indication and authentication before a Teredo packet (RFC 4380, section 5.1.1).
const TEREDO_ORIGIN_LEN: usize = 8;
const TEREDO_AUTHENTICATION_LEN: usize = 13;

const GTP_LEN: usize = 8;
/// Sequence number, N-PDU number and the first extension's type: all there when one of their flags is set.
const GTP_OPTIONAL_LEN: usize = 4;
const GTP_FLAGS: u8 = 0x07;
const GTP_HAS_EXTENSION: u8 = 0x04;
/// Version 1, protocol type GTP.
const GTP_VERSION: u8 = 0x30;
const GTP_VERSION_MASK: u8 = 0xf0;
/// The message that carries a user's packet.
const GTP_G_PDU: u8 = 0xff;
/// Extension headers looked through; a packet has one or two.
const GTP_MAX_EXTENSIONS: usize = 8;

/// A header's length and the number of its network.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    pub header_len: usize,
    /// 24 bits.
    pub network: u32,
}

fn u24_at(bytes: &[u8], at: usize) -> Option<u32> {
    let &[a, b, c] = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

/// Behind it stands Ethernet.
pub fn vxlan(bytes: &[u8]) -> Option<Overlay> {
    let names = bytes.first()? & VXLAN_HAS_ID != 0 && bytes.len() > VXLAN_LEN;
    Some(Overlay { header_len: VXLAN_LEN, network: u24_at(bytes, 4)? }).filter(|_| names)
}

/// With the Ethernet type of what follows.
pub fn geneve(bytes: &[u8]) -> Option<(u16, Overlay)> {
    // Version 0, then the options' length in words.
    let words = *bytes.first().filter(|first| *first >> 6 == 0)?;
    let header_len = GENEVE_LEN + usize::from(words) * 4;
    let overlay = Overlay { header_len, network: u24_at(bytes, 4)? };
    Some((u16_at(bytes, 2)?, overlay)).filter(|_| bytes.len() > header_len)
}

/// Where the IPv6 packet begins, behind the indications that may come first. `len` is the length of the whole payload, of which
/// `bytes` may be the front.
pub fn teredo(bytes: &[u8], len: usize) -> Option<usize> {
    let mut at = 0;
    if bytes.starts_with(&[0, 1]) {
        let (client, value) = (*bytes.get(2)?, *bytes.get(3)?);
        at = TEREDO_AUTHENTICATION_LEN + usize::from(client) + usize::from(value);
    }
    if bytes.get(at..)?.starts_with(&[0, 0]) {
        at += TEREDO_ORIGIN_LEN;
    }
    let packet = bytes.get(at..)?;
    let (version, stated) = (packet.first()? >> 4, usize::from(u16_at(packet, 4)?));
    let room = len.checked_sub(at + ipv6::HEADER_LEN)?;
    // Behind a bubble, which has no next header, trailers may stand (RFC 6081); else it is all of the datagram.
    let bubble = *packet.get(6)? == ip_proto::NO_NEXT;
    let fits = if bubble { stated <= room } else { stated == room };
    (version == 6 && fits).then_some(at)
}

/// Where the user's packet begins, and the number of the tunnel, which is each direction's own.
pub fn gtp_u(bytes: &[u8]) -> Option<(usize, u32)> {
    let id = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
    gtp_u_header(bytes).map(|at| (at, id))
}

fn gtp_u_header(bytes: &[u8]) -> Option<usize> {
    let &[flags, message] = bytes.first_chunk()?;
    if flags & GTP_VERSION_MASK != GTP_VERSION || message != GTP_G_PDU {
        return None;
    }
    if flags & GTP_FLAGS == 0 {
        return Some(GTP_LEN);
    }
    let mut at = GTP_LEN + GTP_OPTIONAL_LEN;
    let mut next = *bytes.get(at - 1)?;
    if flags & GTP_HAS_EXTENSION == 0 {
        return Some(at);
    }
    for _ in 0..GTP_MAX_EXTENSIONS {
        if next == 0 {
            return Some(at);
        }
        // Length in words; the last byte names the one after.
        let words = *bytes.get(at).filter(|words| **words > 0)?;
        at += usize::from(words) * 4;
        next = *bytes.get(at - 1)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vxlan_names_a_network() {
        let header = [8, 0, 0, 0, 0, 1, 2, 0, 0xff];
        assert_eq!(vxlan(&header), Some(Overlay { header_len: 8, network: 0x102 }));
        assert_eq!(vxlan(&[0; 9]), None);
        assert_eq!(vxlan(&header[..8]), None);
        assert_eq!(vxlan(&[]), None);
    }

    #[test]
    fn geneve_has_options_and_says_what_follows() {
        let header = [1, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 2, 3, 4, 0xff];
        assert_eq!(geneve(&header), Some((0x6558, Overlay { header_len: 12, network: 9 })));
        assert_eq!(geneve(&header[..12]), None);
        assert_eq!(geneve(&[0x41, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 2, 3, 4, 0xff]), None);
    }

    #[test]
    fn teredo_may_come_behind_indications() {
        let origin = [0, 0, 1, 2, 3, 4, 5, 6];
        let authentication = [&[0, 1, 1, 2, 0xaa, 0xbb, 0xbb][..], &[0; 9]].concat();
        let six = [&[0x60, 0, 0, 0, 0, 1, 17, 64][..], &[0; 32], b"x"].concat();
        let of = |bytes: &[u8]| teredo(bytes, bytes.len());
        assert_eq!(of(&six), Some(0));
        assert_eq!(of(&[&origin[..], &six].concat()), Some(8));
        assert_eq!(of(&[&authentication[..], &six].concat()), Some(16));
        assert_eq!(of(&[&authentication[..], &origin, &six].concat()), Some(24));
        assert_eq!(of(&[&six[..], b"more"].concat()), None);
        let bubble = [&[0x60, 0, 0, 0, 0, 0, 59, 64][..], &[0; 32]].concat();
        assert_eq!(of(&[&bubble[..], b"trailer"].concat()), Some(0));
        assert_eq!(of(&six[..40]), None);
        assert_eq!(of(&[0x45; 60]), None);
        assert_eq!(of(&origin), None);
    }

    #[test]
    fn gtp_u_carries_a_packet_behind_its_extensions() {
        let head = |flags, message| [flags, message, 0, 4, 0, 0, 0, 1];
        let gtp_u = |bytes: &[u8]| super::gtp_u(bytes).map(|(at, id)| (at, id == 1));
        assert_eq!(gtp_u(&head(0x30, 0xff)), Some((8, true)));
        assert_eq!(gtp_u(&[&head(0x32, 0xff)[..], &[0, 1, 0, 0]].concat()), Some((12, true)));
        let session_container = [0, 0, 0, 0x85, 1, 0x10, 9, 0];
        assert_eq!(gtp_u(&[&head(0x34, 0xff)[..], &session_container].concat()), Some((16, true)));
        let two = [0, 0, 0, 0x85, 1, 0x10, 9, 0xc0, 2, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(gtp_u(&[&head(0x34, 0xff)[..], &two].concat()), Some((24, true)));
        assert_eq!(gtp_u(&head(0x30, 1)), None, "an echo request");
        assert_eq!(gtp_u(&head(0x50, 0xff)), None, "version 2");
        assert_eq!(gtp_u(&[&head(0x34, 0xff)[..], &[0, 0, 0, 0x85, 0, 0, 0, 0]].concat()), None);
        let endless = [1, 0, 0, 0x85].repeat(40);
        assert_eq!(gtp_u(&[&head(0x34, 0xff)[..], &endless].concat()), None);
    }
}
