//! LLC and SNAP (IEEE 802.2, IEEE 802; for IP RFC 1042): what an IEEE 802.3 frame has where others have a type.

use super::ethernet::ether_type;
use crate::wire::u16_at;

/// LLC, organization, type.
pub const HEADER_LEN: usize = 8;

/// The length field before it, and all of the header but the type.
const BESIDE_TYPE: usize = 8;

const SNAP: u8 = 0xaa;
/// Unnumbered information.
const UI: u8 = 0x03;
/// Bits that a receiver does not tell headers apart by: response, and poll or final.
const RESPONSE: u8 = 0x01;
const POLL: u8 = 0x10;
/// Organizations whose types are those of Ethernet: RFC 1042, and IEEE 802.1H for bridges.
const ETHERNET_TYPES: [[u8; 3]; 2] = [[0, 0, 0], [0, 0, 0xf8]];

/// The Ethernet type of what is behind the header at the front of `bytes`; `None` where that says none.
pub fn ether_type_of(bytes: &[u8]) -> Option<u16> {
    let &[to, from, control, a, b, c] = bytes.first_chunk()?;
    let snap = to == SNAP && from & !RESPONSE == SNAP && control & !POLL == UI;
    let kind = u16_at(bytes, 6).filter(|kind| *kind >= ether_type::MIN)?;
    (snap && ETHERNET_TYPES.contains(&[a, b, c])).then_some(kind)
}

/// Makes of headers with LLC at `at` those of an Ethernet frame with a type (RFC 894), which every host takes (RFC 1122, section
/// 2.3.3); how much shorter they are then. Without a length nothing else changes with that of the packet.
pub fn take_out(headers: &mut [u8], at: usize) -> Option<usize> {
    let length_at = at.checked_sub(2)?;
    let rest = length_at + BESIDE_TYPE;
    (rest <= headers.len()).then(|| headers.copy_within(rest.., length_at))?;
    Some(BESIDE_TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_snap_with_the_types_of_ethernet_tells_one() {
        assert_eq!(ether_type_of(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]), Some(ether_type::IPV4));
        assert_eq!(ether_type_of(&[0xaa, 0xab, 0x13, 0, 0, 0xf8, 0x86, 0xdd, 9]), Some(ether_type::IPV6));
        for other in [
            &[0x42, 0x42, 3, 0, 0, 0, 8, 0][..], // spanning tree
            &[0xaa, 0xaa, 1, 0, 0, 0, 8, 0],
            &[0xaa, 0xaa, 3, 0, 0, 0xc, 0x20, 0], // Cisco's own types
            &[0xaa, 0xaa, 3, 0, 0, 0, 5, 0],
            &[0xaa, 0xaa, 3, 0, 0, 0, 8],
            &[],
        ] {
            assert_eq!(ether_type_of(other), None, "{other:x?}");
        }
    }

    #[test]
    fn taken_out_it_leaves_the_type_where_the_length_was() {
        let mut headers = *b"destinsource\x00\x09\xaa\xaa\x03\x00\x00\x00\x08\x00packet";
        let shorter = take_out(&mut headers, 14).unwrap();
        assert_eq!(&headers[..headers.len() - shorter], b"destinsource\x08\x00packet");
        assert_eq!((take_out(&mut headers, 1), take_out(&mut headers, 99)), (None, None));
    }
}
