//! What stands before a fragment's payload, and what the datagram begins with: long, cut, damaged.

use super::super::super::refragment::{Cut, refragment};
use super::*;
use crate::decode::{Tunnels, decode};
use crate::io::LinkType;
use crate::wire::build;
use crate::wire::build::{IpFields, Link, spoil_ip_checksum, udp_packet};
use crate::wire::ip_proto::{DESTINATION, FRAGMENT, HOP_BY_HOP, TCP, UDP};

/// A header of options, all padding, of so many bytes.
fn options(next: u8, len: usize) -> Vec<u8> {
    let mut header = vec![next, (len / 8 - 1) as u8];
    while header.len() < len {
        let rest = (len - header.len()).min(257);
        header.extend(if rest == 1 {
            vec![0]
        } else {
            [&[1, (rest - 2) as u8][..], &vec![0; rest - 2]].concat()
        });
    }
    header
}

/// A frame with an IPv6 packet: what `headers` announces comes behind them.
fn v6(link: &Link, first: u8, headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 40];
    (packet[0], packet[6], packet[7], packet[23], packet[39]) = (0x60, first, 64, 1, 2);
    packet[4..6].copy_from_slice(&((headers.len() + payload.len()) as u16).to_be_bytes());
    packet.extend([headers, payload].concat());
    link.wrap(&packet)
}

fn fragment_header(next: u8, offset: usize, more: bool) -> [u8; 8] {
    let field = (offset as u16 | u16::from(more)).to_be_bytes();
    [next, 0, field[0], field[1], 0, 0, 0, 9]
}

/// The frame of one piece of `datagram` behind such headers: `range` of what follows them.
fn piece(link: &Link, before: &[u8], datagram: (u8, &[u8]), range: std::ops::Range<usize>) -> Vec<u8> {
    let (next, bytes) = datagram;
    let more = range.end < bytes.len();
    let headers = [before, &fragment_header(next, range.start, more)].concat();
    let first = if before.is_empty() { FRAGMENT } else { HOP_BY_HOP };
    v6(link, first, &headers, &bytes[range])
}

fn decoded(frame: &[u8]) -> Decoded {
    let mut out = Decoded::default();
    decode(frame, LinkType::Ethernet, &Tunnels::default(), &mut out);
    assert!(out.is_fragment() && out.invalid.is_none(), "{out:?}");
    out
}

impl Bench {
    fn frame(&mut self, frame: &[u8]) -> Outcome {
        let out = decoded(frame);
        self.reassembler.push(self.pool.frame(frame), &out, self.now, &mut self.pool.clone(), &mut self.log)
    }
}

/// Hop-by-hop options and as many destination options as make up so many bytes.
fn chain(total: usize, last: u8) -> Vec<u8> {
    if total <= 2048 {
        return options(last, total);
    }
    let mut headers = options(DESTINATION, 8);
    while headers.len() < total {
        let len = (total - headers.len()).min(2048);
        let next = if headers.len() + len == total { last } else { DESTINATION };
        headers.extend(options(next, len));
    }
    headers
}

#[test]
fn fragments_behind_headers_of_any_length_a_frame_has_are_put_together_and_cut_anew() {
    let datagram: Vec<u8> = (0..3000).map(|n| (n % 251) as u8).collect();
    for total in [8, 184, 192, 208, 264, 2048, 4096, 9000] {
        for link in [Link::ethernet(), Link::tagged(&[5, 6])] {
            let before = chain(total, FRAGMENT);
            let mut b = Bench::new(Family::V6, Settings::default());
            assert!(matches!(b.frame(&piece(&link, &before, (UDP, &datagram), 1000..3000)), Outcome::Held));
            let Outcome::Complete(whole) = b.frame(&piece(&link, &before, (UDP, &datagram), 0..1000)) else {
                panic!("{total}: {:?}", b.log.anomalies)
            };
            assert_eq!(flat(&whole), v6(&link, HOP_BY_HOP, &chain(total, UDP), &datagram), "{total}");
            let mut out = Decoded::default();
            decode(&flat(&whole), LinkType::Ethernet, &Tunnels::default(), &mut out);
            let largest = 40 + total as u16 + 8 + 2000;
            assert_eq!(whole.rebuilt().map(|from| from.largest), Some(largest));
            let mut pieces = Vec::new();
            let how = Cut { mtu: u16::MAX, port_sums: false };
            refragment(whole, &out, how, &mut b.pool.clone(), &mut |piece| pieces.push(flat(&piece)))
                .unwrap();
            assert!(pieces.iter().all(|piece| decoded(piece).ip.unwrap().total_len <= u32::from(largest)));
            for piece in &pieces {
                if let Outcome::Complete(again) = b.frame(piece) {
                    assert_eq!(flat(&again), v6(&link, HOP_BY_HOP, &chain(total, UDP), &datagram), "{total}");
                    pieces.clear();
                    break;
                }
            }
            assert!(pieces.is_empty(), "{total}: put together again");
            assert!(b.at_rest() && b.log.anomalies.is_empty(), "{total}");
        }
    }
}

#[test]
fn long_headers_count_as_memory_and_go_with_their_datagram() {
    let before = chain(4096, FRAGMENT);
    let first = piece(&Link::ethernet(), &before, (UDP, &[7; 64]), 0..32);
    let mut b = Bench::new(Family::V6, Settings { datagram_memory: 2 * 2304, ..Settings::default() });
    assert!(matches!(b.frame(&first), Outcome::Held));
    assert_eq!((b.reassembler.memory(), b.pool.outstanding()), (2 * 2304, 2), "the frame and its header");
    b.reassembler.drop_all(DropReason::Shutdown, &mut b.log);
    assert!(b.at_rest());
    let mut b = Bench::new(Family::V6, Settings { datagram_memory: 2304, ..Settings::default() });
    assert_eq!(reason(b.frame(&first)), Some(DropReason::FragmentDatagramCap));
    assert!(b.at_rest());
}

#[test]
fn headers_longer_than_any_frame_are_refused_with_an_event() {
    let before = chain(9216, FRAGMENT);
    let mut b = Bench::new(Family::V6, Settings::default());
    let first = piece(&Link::ethernet(), &before, (UDP, &[7; 64]), 0..32);
    assert_eq!(reason(b.frame(&first)), Some(DropReason::FragmentInvalid));
    assert_eq!(b.log.anomalies, [Anomaly::Ipv6FragIgnored]);
    assert!(b.at_rest());
}

/// Behind destination options that are cut with the rest.
#[test]
fn tcps_header_is_looked_for_behind_the_options_that_are_cut_with_it() {
    let link = Link::ethernet();
    let behind = |len, upper| [options(upper, len), (0..40).collect()].concat();
    let bytes = behind(8, TCP);
    let cases = [
        (0..16, true, "8 bytes of TCP"),
        (0..24, true, "16 bytes of TCP"),
        (0..8, true, "options alone"),
        (0..32, false, "all of the header"),
    ];
    for (range, refused, what) in cases {
        for drop_tiny_first in [true, false] {
            let mut b = Bench::new(Family::V6, Settings { drop_tiny_first, ..Settings::default() });
            let refused = (refused && drop_tiny_first).then_some(DropReason::FragmentInvalid);
            assert_eq!(
                reason(b.frame(&piece(&link, &[], (DESTINATION, &bytes), range.clone()))),
                refused,
                "{what}"
            );
            assert_eq!(b.log.anomalies.len(), usize::from(refused.is_some()), "{what}");
        }
    }
    // Options that do not even end in the first piece: nobody knows what is behind them.
    let mut b = Bench::new(Family::V6, Settings::default());
    let long = behind(64, UDP);
    let cut = piece(&link, &[], (DESTINATION, &long), 0..40);
    assert_eq!(reason(b.frame(&cut)), Some(DropReason::FragmentInvalid));
    let udp = behind(8, UDP);
    assert!(
        matches!(b.frame(&piece(&link, &[], (DESTINATION, &udp), 0..8)), Outcome::Held),
        "of UDP nobody minds"
    );
}

#[test]
fn what_begins_within_tcps_header_is_refused_before_and_behind_the_first_piece() {
    let link = Link::ethernet();
    let bytes = [options(TCP, 16), (0..64).collect()].concat();
    let of = |range| piece(&link, &[], (DESTINATION, &bytes), range);
    let lax = Settings { drop_v6_overlaps: false, ..Settings::default() };
    let mut b = Bench::new(Family::V6, lax.clone());
    assert!(matches!(b.frame(&of(0..40)), Outcome::Held));
    assert_eq!(reason(b.frame(&of(32..80))), Some(DropReason::FragmentInvalid), "behind it");
    assert!(matches!(b.frame(&of(40..80)), Outcome::Complete(_)));
    let mut b = Bench::new(Family::V6, lax);
    assert!(matches!(b.frame(&of(32..80)), Outcome::Held), "nobody knows yet what is there");
    assert_eq!(reason(b.frame(&of(0..40))), Some(DropReason::FragmentInvalid), "before it");
    assert_eq!(b.log.anomalies, [Anomaly::Ipv6FragOverlap, Anomaly::Ipv6FragIgnored]);
}

#[test]
fn a_wrong_header_checksum_is_not_made_right() {
    for drop_bad_checksum in [true, false] {
        let mut b = Bench::new(Family::V4, Settings { drop_bad_checksum, ..Settings::default() });
        let (frame, decoded) =
            fragment(&b.pool, Family::V4, 1, 1, Piece { start: 0, len: 16, more: true, salt: 0 });
        let mut bytes = flat(&frame);
        spoil_ip_checksum(&mut bytes[LINK..]);
        // In one segment, and with the header in two.
        let mut split = b.pool.frame(&bytes[..LINK + 9]);
        split.append(b.pool.frame(&bytes[LINK + 9..])).unwrap();
        for frame in [b.pool.frame(&bytes), split] {
            let out = b.reassembler.push(frame, &decoded, b.now, &mut b.pool.clone(), &mut b.log);
            let refused = drop_bad_checksum.then_some(DropReason::IpChecksum);
            assert!(reason(out) == refused || !drop_bad_checksum);
        }
        let events = if drop_bad_checksum { vec![Anomaly::Ipv4FragIgnored; 2] } else { vec![] };
        assert_eq!(b.log.anomalies, events);
        let whole = matches!(b.push(16, 8, false, 0), Outcome::Complete(_));
        assert_eq!(whole, !drop_bad_checksum);
    }
}

/// A packet has one fragment header (RFC 8200, section 4.1): what a second one cuts nobody would have looked into.
#[test]
fn a_datagram_with_another_fragment_header_in_it_is_dropped_with_an_event() {
    let data = [7; 64];
    let with = |headers: &[&[u8]]| [&headers.concat()[..], &data].concat();
    let inner = |next, offset, more| fragment_header(next, offset, more);
    let cases: [(u8, Vec<u8>, bool, &str); 8] = [
        (FRAGMENT, with(&[&inner(UDP, 0, true)]), true, "the first piece of another"),
        (FRAGMENT, with(&[&inner(UDP, 640, false)]), true, "its last piece"),
        (FRAGMENT, with(&[&inner(UDP, 0, false)]), true, "one that is the whole packet"),
        (DESTINATION, with(&[&options(FRAGMENT, 8), &inner(UDP, 0, true)]), true, "behind options"),
        (DESTINATION, with(&[&options(FRAGMENT, 64), &inner(UDP, 0, true)]), true, "behind longer ones"),
        (FRAGMENT, with(&[&inner(FRAGMENT, 0, true), &inner(UDP, 0, true)]), true, "two of them"),
        (DESTINATION, with(&[&options(UDP, 8)]), false, "options alone"),
        (UDP, with(&[&inner(FRAGMENT, 0, true)]), false, "data that look like it"),
    ];
    for (next, datagram, refused, what) in &cases {
        // At each place where it can be cut, in both orders: the headers stand in one piece or in several.
        let cuts = (8..datagram.len()).step_by(8);
        for (at, swap) in cuts.flat_map(|at| [(at, false), (at, true)]) {
            let mut b = Bench::new(Family::V6, Settings { drop_tiny_first: false, ..Settings::default() });
            let of = |range| piece(&Link::ethernet(), &[], (*next, datagram), range);
            let mut pieces = [of(0..at), of(at..datagram.len())];
            if swap {
                pieces.reverse();
            }
            assert!(matches!(b.frame(&pieces[0]), Outcome::Held), "{what}, {at}");
            match b.frame(&pieces[1]) {
                Outcome::Complete(_) => assert!(!refused, "{what}, {at}"),
                outcome => {
                    let reason = DropReason::FragmentInvalid;
                    assert!(
                        *refused && matches!(outcome, Outcome::GivenUp(r) if r == reason),
                        "{what}, {at}"
                    );
                    assert_eq!(b.log.anomalies, [Anomaly::Ipv6FragIgnored], "{what}, {at}");
                    assert_eq!(b.log.dropped, [(reason, 2)], "{what}, {at}");
                    assert!(matches!(b.frame(&pieces[1]), Outcome::Dropped(r, _) if r == reason), "again");
                }
            }
            b.reassembler.drop_all(DropReason::Shutdown, &mut b.log);
            assert!(b.at_rest(), "{what}, {at}");
        }
    }
}

/// The pieces behind the first have no options, so none of them alone reaches too far.
#[test]
fn a_datagram_too_long_with_its_first_pieces_options_is_dropped_with_an_event() {
    let (from, to) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
    for (options, fits) in [(vec![], true), (vec![1; 40], false)] {
        let fields = IpFields { options, ..IpFields::default() };
        let first = build::fragment(&udp_packet(from, to, &fields, &[7; 1000]), 9, 0..1000, true);
        let rest = udp_packet(from, to, &IpFields::default(), &[7; 65_507]);
        let mut b = Bench::new(Family::V4, Settings::default());
        assert!(matches!(b.frame(&Link::ethernet().wrap(&first)), Outcome::Held));
        let behind = build::fragment(&rest, 9, 1000..65_515, false);
        match b.frame(&Link::ethernet().wrap(&behind)) {
            Outcome::Complete(_) => assert!(fits && b.log.anomalies.is_empty()),
            outcome => {
                assert!(
                    !fits && matches!(outcome, Outcome::GivenUp(DropReason::FragmentTooLarge)),
                    "{outcome:?}"
                );
                assert_eq!(b.log.anomalies, [Anomaly::Ipv4FragPktTooLarge]);
                assert_eq!(b.log.dropped, [(DropReason::FragmentTooLarge, 2)]);
            }
        }
        assert!(b.at_rest());
    }
}
