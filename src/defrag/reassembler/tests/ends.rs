//! Where a datagram ends, and who says so.

use super::*;
use crate::defrag::{PolicyTable, Span};

#[test]
fn an_ipv6_overlap_takes_its_datagram_whatever_else_is_wrong_with_it() {
    // What is held, and what comes: start, length, more.
    let cases = [
        ((1400, 600, false), (1392, 1008, true), "reaches past the last one"),
        ((1400, 600, false), (1400, 800, false), "a last one that ends behind the last one"),
        ((1400, 600, false), (1400, 400, false), "a last one that ends before it"),
        ((1400, 600, true), (1600, 100, false), "a last one within another"),
        ((1400, 600, false), (1400, 600, false), "the same span with other bytes"),
    ];
    for (held, new, what) in cases {
        let mut b = Bench::new(Family::V6, Settings::default());
        assert!(matches!(b.push(held.0, held.1, held.2, 0), Outcome::Held));
        assert_eq!(reason(b.push(new.0, new.1, new.2, 1)), Some(DropReason::FragmentOverlapV6), "{what}");
        assert_eq!(b.log.anomalies, [Anomaly::Ipv6FragOverlap], "{what}");
        assert_eq!(b.log.dropped, [(DropReason::FragmentOverlapV6, 1)], "{what}");
        assert_eq!(
            reason(b.push(0, 1400, true, 0)),
            Some(DropReason::FragmentOverlapV6),
            "{what}: what is late"
        );
        b.reassembler.drop_all(DropReason::Shutdown, &mut b.log);
        assert!(b.at_rest(), "{what}");
    }
}

#[test]
fn a_last_piece_that_brings_no_byte_tells_where_the_datagram_ends() {
    let wide = [(0, 16, true, 0), (16, 16, true, 0), (24, 8, false, 1)];
    let twin = [(0, 16, true, 0), (16, 16, true, 0), (16, 16, false, 0)];
    let in_pages: Vec<_> = (0..8).map(|n| (n * 8, 8, true, 0)).chain([(56, 8, false, 1)]).collect();
    for policy in OverlapPolicy::ALL {
        for pieces in [&wide[..], &twin, &in_pages] {
            let mut b = Bench::new(
                Family::V4,
                Settings { policies: PolicyTable::new(policy), ..Settings::default() },
            );
            let ((start, len, more, salt), before) = pieces.split_last().unwrap();
            for &(start, len, more, salt) in before {
                assert!(matches!(b.push(start, len, more, salt), Outcome::Held));
            }
            let Outcome::Complete(whole) = b.push(*start, *len, *more, *salt) else {
                panic!("{}: {pieces:?}", policy.name())
            };
            let &(from, held, ..) = before.last().unwrap();
            let (held, came) = (Span::new(from, from + held), Span::new(*start, start + len));
            let mut expected = bytes_of(Piece { start: 0, len: start + len, more: false, salt: 0 });
            if policy.new_wins(held, came) {
                let own = bytes_of(Piece { start: *start, len: *len, more: false, salt: *salt });
                expected[*start as usize..].copy_from_slice(&own);
            }
            assert_eq!(payload(&whole, Family::V4), expected, "{}: {pieces:?}", policy.name());
            drop(whole);
            assert_eq!(b.reassembler.counters.merged, pieces.len() as u64);
            assert!(b.at_rest());
        }
    }
}
