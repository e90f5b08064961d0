use super::*;
use crate::base::{Addr, FlowTuple};
use crate::io::FrameMeta;
use crate::io::memory::HeapPool;
use crate::wire::checksum::internet;
use std::time::Duration;

mod caps;
mod ends;
mod headers;
mod model;

const LINK: usize = 14;

#[derive(Default)]
struct Log {
    dropped: Vec<(DropReason, u32)>,
    anomalies: Vec<Anomaly>,
}

impl Sink for Log {
    fn dropped(&mut self, reason: DropReason, _: PortId, fragments: u32, _: bool) {
        self.dropped.push((reason, fragments));
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}

#[derive(Copy, Clone, Debug)]
struct Piece {
    start: u32,
    len: u32,
    more: bool,
    salt: u8,
}

fn byte_of(p: Piece, i: u32) -> u8 {
    ((i * 31 + i / 256) as u8).wrapping_add(p.salt)
}

fn bytes_of(p: Piece) -> Vec<u8> {
    (p.start..p.start + p.len).map(|i| byte_of(p, i)).collect()
}

fn header_len(family: Family) -> usize {
    LINK + if family == Family::V4 { 20 } else { 40 }
}

/// The frame of a fragment with Ethernet padding behind it, and what decoding would say of it.
fn fragment(pool: &HeapPool, family: Family, id: u32, src: u8, p: Piece) -> (Frame, Decoded) {
    let mut bytes = vec![0xee; LINK];
    let (at, next_header_at) = (LINK as u32, LINK as u32 + 6);
    match family {
        Family::V4 => {
            let mut ip = [0u8; 20];
            ip[0] = 0x45;
            ip[2..4].copy_from_slice(&(20 + p.len as u16).to_be_bytes());
            let field = (p.start / 8) as u16 | u16::from(p.more) << 13;
            ip[6..8].copy_from_slice(&field.to_be_bytes());
            (ip[8], ip[9]) = (64, 17);
            let sum = internet(&ip);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            bytes.extend(ip);
        }
        Family::V6 => {
            let mut ip = [0u8; 40];
            (ip[0], ip[6], ip[7]) = (0x60, 44, 64);
            ip[4..6].copy_from_slice(&(8 + p.len as u16).to_be_bytes());
            bytes.extend(ip);
            bytes.extend([17, 0, 0, 0, 0, 0, 0, id as u8]);
        }
    }
    let payload = bytes.len() as u32;
    bytes.extend(bytes_of(p));
    bytes.extend([0xaa; 5]);
    let fragment = Fragment {
        id,
        offset: p.start as u16,
        more: p.more,
        payload,
        payload_len: p.len as u16,
        next_header: 17,
        next_header_at,
    };
    let header_len = (payload - at) as u16;
    let ip = Ip { at, header_len, family, proto: 17, fragment: Some(fragment), ..Ip::default() };
    let tuple =
        FlowTuple { src: Addr(u128::from(src)), dst: Addr(9), proto: 17, family, ..FlowTuple::default() };
    (pool.frame(&bytes), Decoded { ip: Some(ip), tuple, ..Decoded::default() })
}

struct Bench {
    pool: HeapPool,
    reassembler: Reassembler,
    log: Log,
    family: Family,
    id: u32,
    src: u8,
    now: Time,
}

impl Bench {
    fn new(family: Family, settings: Settings) -> Bench {
        let (pool, log) = (HeapPool::default(), Log::default());
        Bench {
            pool,
            reassembler: Reassembler::new(settings),
            log,
            family,
            id: 1,
            src: 1,
            now: Time::from_secs(100),
        }
    }

    fn push(&mut self, start: u32, len: u32, more: bool, salt: u8) -> Outcome {
        self.put(Piece { start, len, more, salt })
    }

    fn put(&mut self, piece: Piece) -> Outcome {
        let (frame, decoded) = fragment(&self.pool, self.family, self.id, self.src, piece);
        self.reassembler.push(frame, &decoded, self.now, &mut self.pool.clone(), &mut self.log)
    }

    fn at_rest(&self) -> bool {
        let c = self.reassembler.counters;
        self.pool.outstanding() == 0
            && (c.held, self.reassembler.memory(), self.reassembler.datagrams()) == (0, 0, 0)
            && c.received == c.merged + c.dropped
    }
}

fn flat(frame: &Frame) -> Vec<u8> {
    frame.segments().flatten().copied().collect()
}

/// The payload of a rebuilt datagram, its header checked.
fn payload(frame: &Frame, family: Family) -> Vec<u8> {
    let bytes = flat(frame);
    let (head, rest) = bytes.split_at(header_len(family));
    assert!(head[..LINK].iter().all(|&b| b == 0xee));
    let ip = &head[LINK..];
    match family {
        Family::V4 => {
            assert_eq!(u16::from_be_bytes([ip[2], ip[3]]) as usize, 20 + rest.len());
            assert_eq!(&ip[6..8], [0, 0]);
            let sum: u32 = ip.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "the checksum is right");
        }
        Family::V6 => {
            assert_eq!(u16::from_be_bytes([ip[4], ip[5]]) as usize, rest.len());
            assert_eq!(ip[6], 17);
        }
    }
    rest.to_vec()
}

fn reason(outcome: Outcome) -> Option<DropReason> {
    match outcome {
        Outcome::Dropped(reason, _) => Some(reason),
        _ => None,
    }
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

#[test]
fn two_halves_in_either_order_make_the_datagram() {
    for family in FAMILIES {
        for swap in [false, true] {
            let mut b = Bench::new(family, Settings::default());
            let halves = [(0, 1000, true), (1000, 503, false)];
            let (first, second) = if swap { (halves[1], halves[0]) } else { (halves[0], halves[1]) };
            assert!(matches!(b.push(first.0, first.1, first.2, 0), Outcome::Held));
            let Outcome::Complete(whole) = b.push(second.0, second.1, second.2, 0) else { panic!() };
            assert_eq!(
                payload(&whole, family),
                bytes_of(Piece { start: 0, len: 1503, more: false, salt: 0 })
            );
            assert_eq!(whole.segment_count(), 2, "nothing was copied");
            drop(whole);
            assert!(b.at_rest());
            assert_eq!((b.reassembler.counters.merged, b.reassembler.counters.generated), (2, 1));
        }
    }
}

#[test]
fn the_rebuilt_datagram_has_the_meta_of_the_piece_that_completed_it() {
    let mut b = Bench::new(Family::V4, Settings::default());
    for (packet, start, more) in [(7, 8, false), (9, 0, true)] {
        let (mut frame, decoded) =
            fragment(&b.pool, Family::V4, 1, 1, Piece { start, len: 8, more, salt: 0 });
        frame.set_meta(FrameMeta { packet, ..FrameMeta::default() });
        let out = b.reassembler.push(frame, &decoded, b.now, &mut b.pool.clone(), &mut b.log);
        if let Outcome::Complete(whole) = out {
            assert_eq!(whole.meta().packet, 9);
            return;
        }
    }
    panic!("not completed");
}

#[test]
fn the_largest_datagram_comes_together_from_8_byte_pieces_and_pins_little() {
    let mut b = Bench::new(Family::V4, Settings::default());
    let total = 65_515u32;
    // A stride that is coprime to the number of pieces visits all of them in a wild order.
    let count = total.div_ceil(8);
    let mut whole = None;
    for i in 0..count {
        let start = (i * 3571 % count) * 8;
        let len = (total - start).min(8);
        match b.push(start, len, start + len < total, 0) {
            Outcome::Complete(frame) => whole = Some(frame),
            Outcome::Held => {}
            Outcome::Dropped(reason, _) | Outcome::GivenUp(reason) => panic!("{reason:?}"),
        }
        assert!(b.reassembler.memory() <= 70 * 2304, "{}", b.reassembler.memory());
    }
    assert_eq!(
        payload(&whole.unwrap(), Family::V4),
        bytes_of(Piece { start: 0, len: total, more: false, salt: 0 })
    );
    assert!(b.at_rest());
}

#[test]
fn a_missing_piece_times_out_by_timer_or_by_the_next_fragment() {
    for by_timer in [true, false] {
        let mut b = Bench::new(Family::V4, Settings::default());
        b.push(0, 800, true, 0);
        b.push(1600, 8, false, 0);
        b.now = Time::from_secs(129);
        assert_eq!(b.reassembler.expire(b.now, 10, &mut b.log), 0);
        b.now = Time::from_secs(130);
        if by_timer {
            assert_eq!(b.reassembler.expire(b.now, 10, &mut b.log), 1);
            assert!(b.at_rest());
        } else {
            assert!(matches!(b.push(800, 800, true, 0), Outcome::Held), "of a new datagram");
            b.reassembler.drop_all(DropReason::Shutdown, &mut b.log);
        }
        assert_eq!(b.log.dropped[0], (DropReason::FragmentTimeout, 2));
        assert_eq!(b.reassembler.counters.timeouts, 1);
        assert!(b.at_rest());
    }
}

#[test]
fn keys_are_exact_to_the_context() {
    let mut b = Bench::new(Family::V4, Settings::default());
    b.push(0, 8, true, 0);
    let (frame, mut decoded) =
        fragment(&b.pool, Family::V4, 1, 1, Piece { start: 8, len: 8, more: false, salt: 0 });
    decoded.tuple.context = 5;
    let out = b.reassembler.push(frame, &decoded, b.now, &mut b.pool.clone(), &mut b.log);
    assert!(matches!(out, Outcome::Held));
    b.id = 2;
    assert!(matches!(b.push(8, 8, false, 0), Outcome::Held));
    (b.id, b.src) = (1, 2);
    assert!(matches!(b.push(8, 8, false, 0), Outcome::Held));
    assert_eq!(b.reassembler.datagrams(), 4);
}

#[test]
fn a_duplicate_is_no_overlap_and_a_different_copy_is() {
    for family in FAMILIES {
        let mut b = Bench::new(family, Settings::default());
        b.push(8, 16, true, 0);
        assert_eq!(reason(b.push(8, 16, true, 0)), Some(DropReason::FragmentDuplicate));
        assert!(b.log.anomalies.is_empty());
        let different = reason(b.push(8, 16, true, 1));
        if family == Family::V4 {
            assert_eq!(
                different,
                Some(DropReason::FragmentDuplicate),
                "the first copy holds, nothing is new"
            );
            assert_eq!(b.log.anomalies, [Anomaly::Ipv4FragOverlap]);
        } else {
            assert_eq!(different, Some(DropReason::FragmentOverlapV6));
            assert_eq!(b.log.anomalies, [Anomaly::Ipv6FragOverlap]);
            assert_eq!(b.log.dropped, [(DropReason::FragmentOverlapV6, 1)]);
            assert_eq!(
                reason(b.push(0, 8, true, 0)),
                Some(DropReason::FragmentOverlapV6),
                "what comes later goes too"
            );
            b.now = b.now.plus(Duration::from_secs(30));
            b.reassembler.expire(b.now, 1, &mut b.log);
            assert!(b.at_rest());
            assert_eq!(b.reassembler.counters.timeouts, 0);
        }
    }
}

#[test]
fn impossible_fragments_are_dropped_with_reason_and_anomaly() {
    let cases = [
        (
            Piece { start: 65_512, len: 64, more: false, salt: 0 },
            DropReason::FragmentTooLarge,
            Anomaly::Ipv4FragPktTooLarge,
        ),
        (
            Piece { start: 8, len: 0, more: true, salt: 0 },
            DropReason::FragmentInvalid,
            Anomaly::Ipv4FragIgnored,
        ),
        (
            Piece { start: 8, len: 12, more: true, salt: 0 },
            DropReason::FragmentInvalid,
            Anomaly::Ipv4FragIgnored,
        ),
    ];
    for (piece, expected, anomaly) in cases {
        let mut b = Bench::new(Family::V4, Settings::default());
        assert_eq!(reason(b.put(piece)), Some(expected));
        assert_eq!(b.log.anomalies, [anomaly]);
        assert!(b.at_rest());
    }
    let mut b = Bench::new(Family::V4, Settings::default());
    b.push(16, 8, false, 0);
    assert_eq!(reason(b.push(24, 8, true, 0)), Some(DropReason::FragmentInvalid), "past the last");
    assert_eq!(reason(b.push(32, 8, false, 0)), Some(DropReason::FragmentInvalid), "another last");
    assert!(matches!(b.push(8, 8, true, 0), Outcome::Held));
}

#[test]
fn fragments_that_cut_tcps_header_are_dropped_where_the_setting_says_so() {
    let cuts = [(0, 16), (8, 64), (16, 64)];
    let both = cuts.into_iter().flat_map(|cut| [(true, cut), (false, cut)]);
    for (drop_tiny_first, (start, len)) in both {
        let mut b = Bench::new(Family::V4, Settings { drop_tiny_first, ..Settings::default() });
        let piece = Piece { start, len, more: true, salt: 0 };
        let (frame, mut decoded) = fragment(&b.pool, Family::V4, 1, 1, piece);
        decoded.ip.as_mut().unwrap().proto = 6;
        let out = b.reassembler.push(frame, &decoded, b.now, &mut b.pool.clone(), &mut b.log);
        let expected = drop_tiny_first.then_some(DropReason::FragmentInvalid);
        assert_eq!((reason(out), b.log.anomalies.len()), (expected, usize::from(drop_tiny_first)));
    }
}

#[test]
fn an_atomic_fragment_goes_alone_whatever_else_waits() {
    let mut b = Bench::new(Family::V6, Settings::default());
    b.push(0, 8, true, 0);
    let Outcome::Complete(whole) = b.push(0, 100, false, 3) else { panic!() };
    assert_eq!(payload(&whole, Family::V6), bytes_of(Piece { start: 0, len: 100, more: false, salt: 3 }));
    drop(whole);
    b.reassembler.drop_all(DropReason::Shutdown, &mut b.log);
    assert!(b.at_rest());
    assert_eq!(b.reassembler.counters.generated, 1);
}
