use super::*;
use crate::base::{PerDir, SeqNum};
use crate::decode::{Decoded, Ip, L4, TcpFields};
use crate::session::{Lookup, Packet, Session, SessionTable, TCP, flags, tcp, v4_tuple};
use crate::stream::Delivery;
use proptest::prelude::*;

/// A session whose client sent a SYN with this number, and whose server answered with the same.
fn session(isn: u32) -> Session {
    let mut table =
        SessionTable::new(crate::session::Settings { capacity: 1, ..crate::session::Settings::default() });
    let mut last = None;
    for (bits, ack) in [(flags::SYN, 0), (flags::SYN | flags::ACK, isn.wrapping_add(1))] {
        let mut tuple = v4_tuple([1, 1, 1, 1], 1, [2, 2, 2, 2], 2, TCP);
        if ack != 0 {
            tuple = tuple.reversed();
        }
        let l4 = L4::Tcp(TcpFields { seq: isn, ack, flags: bits, window: 1000, ..TcpFields::default() });
        let decoded = Decoded { ip: Some(Ip::default()), l4, tuple, ..Decoded::default() };
        let mut closer = |_, _: &mut Session, _| {};
        let Lookup::Found { id, dir, .. } = table.find(&decoded, &Packet::default(), &mut closer) else {
            panic!()
        };
        table.track(id, dir, &decoded, &Packet::default());
        last = table.get(id).cloned();
    }
    last.unwrap()
}

fn streams(delivery: Delivery) -> Streams {
    Streams::new(Settings { delivery, blocks: 64, streams: 4, lookback: 100, ..Settings::default() })
}

const IDS: Delivery = Delivery::Acknowledged { chunk: PerDir([500, 500]) };

mod overlap;

struct Bench {
    streams: Streams,
    session: Session,
    isn: u32,
    guarded: bool,
    /// Every fresh byte handed out, with zeroes where a gap was.
    out: Vec<u8>,
    gaps: Vec<(u64, u64)>,
    ended: bool,
}

impl Bench {
    fn new(delivery: Delivery, isn: u32) -> Bench {
        Bench {
            streams: streams(delivery),
            session: session(isn),
            isn,
            guarded: true,
            out: vec![],
            gaps: vec![],
            ended: false,
        }
    }

    fn seq(&self, offset: usize) -> SeqNum {
        SeqNum(self.isn).plus(1).plus(offset as u32)
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) -> Fed {
        self.put_urgent(offset, bytes, None)
    }

    fn put_urgent(&mut self, offset: usize, bytes: &[u8], urgent: Option<usize>) -> Fed {
        let urgent = urgent.map(|offset| self.seq(offset));
        let tracked = Tracked { data: Some(self.seq(offset)), urgent, ..Tracked::default() };
        let fed = self.streams.feed(&mut self.session, Dir::ToServer, &tracked, bytes, self.guarded);
        self.drain();
        fed
    }

    fn ack(&mut self, offset: usize) -> Fed {
        let tracked = Tracked { acked: Some(self.seq(offset)), ..Tracked::default() };
        let fed = self.streams.feed(&mut self.session, Dir::ToClient, &tracked, &[], self.guarded);
        self.drain();
        fed
    }

    fn fin(&mut self, offset: usize) {
        let tracked = Tracked { fin: Some(self.seq(offset)), ..Tracked::default() };
        self.streams.feed(&mut self.session, Dir::ToServer, &tracked, &[], self.guarded);
        self.drain();
    }

    fn drain(&mut self) {
        let mut scratch = [0; 700];
        while let Some(window) = self.streams.window(&self.session, Dir::ToServer, &mut scratch) {
            let (old, fresh) = window.bytes.split_at(window.fresh_from);
            assert!(!fresh.is_empty() && !self.ended);
            if window.gap > 0 {
                assert!(old.is_empty());
                self.gaps.push((self.out.len() as u64, window.gap));
                self.out.resize(self.out.len() + window.gap as usize, 0);
            }
            assert_eq!(window.offset + old.len() as u64, self.out.len() as u64);
            assert!(self.out.ends_with(old), "the lookback is what was handed out before");
            self.out.extend_from_slice(fresh);
            self.ended = window.end;
            self.streams.consumed(&self.session, Dir::ToServer);
        }
    }
}

#[test]
fn bytes_in_order_are_ready_at_once_inline() {
    let mut b = Bench::new(Delivery::Inline, 7);
    b.put(0, b"GET ");
    assert_eq!(b.out, b"GET ");
    b.put(4, b"/index");
    assert_eq!(b.out, b"GET /index");
}

#[test]
fn a_hole_holds_back_what_is_behind_it_until_it_is_filled() {
    let mut b = Bench::new(Delivery::Inline, 7);
    b.put(3, b"defg");
    b.put(9, b"j");
    assert!(b.out.is_empty());
    b.put(0, b"abc");
    assert_eq!(b.out, b"abcdefg");
    b.put(7, b"hi");
    assert_eq!(b.out, b"abcdefghij");
}

#[test]
fn the_first_copy_holds_and_a_different_second_is_a_conflict() {
    let mut b = Bench::new(Delivery::Inline, 7);
    b.put(4, b"real");
    assert!(!b.put(4, b"real").conflict);
    let fed = b.put(2, b"xxfakefake");
    assert!(fed.conflict && fed.anomalies.contains(&Anomaly::StreamReassemblyOverlapDifferentData));
    b.put(0, b"ab");
    assert_eq!(b.out, b"abxxrealfake");
    assert!(b.put(0, b"AB").conflict, "even what was inspected, as far as the lookback reaches");
    assert_eq!(b.streams.counters.conflicts, 2);
}

#[test]
fn unacknowledged_bytes_wait_and_so_does_less_than_a_chunk() {
    let mut b = Bench::new(IDS, 7);
    b.put(0, &[1; 600]);
    assert!(b.out.is_empty());
    b.ack(400);
    assert!(b.out.is_empty());
    b.ack(550);
    assert_eq!(b.out.len(), 550);
    b.put(600, &[2; 10]);
    b.ack(610);
    assert_eq!(b.out.len(), 550);
    b.streams.trigger(&b.session, Dir::ToServer);
    b.drain();
    assert_eq!(b.out.len(), 610);
    b.put(610, &[3; 10]);
    b.ack(620);
    assert_eq!(b.out.len(), 610, "a trigger holds once");
    b.fin(620);
    assert!(b.ended && b.out.len() == 620);
    assert_eq!(b.streams.memory(), 0);
}

#[test]
fn of_a_sealed_session_is_handed_out_what_had_come() {
    for delivery in [Delivery::Inline, IDS] {
        let mut b = Bench::new(delivery, 7);
        b.put(0, b"hello");
        b.streams.seal(&b.session);
        b.put(5, &[0xee; 900]);
        b.ack(3);
        b.ack(905);
        b.streams.skip_sealed(&b.session);
        b.put(905, &[0xee; 900]);
        b.ack(1805);
        b.streams.skip_sealed(&b.session);
        assert_eq!(b.out, b"hello", "{delivery:?}");
        b.fin(1805);
        b.streams.finish(&b.session);
        b.drain();
        assert_eq!((b.out.as_slice(), b.gaps.len()), (&b"hello"[..], 0), "{delivery:?}");
    }
}

#[test]
fn the_end_of_the_session_hands_out_what_nobody_acknowledged() {
    let mut b = Bench::new(IDS, 7);
    b.put(0, b"abc");
    b.put(5, b"fgh");
    b.streams.finish(&b.session);
    b.drain();
    assert_eq!((b.out.as_slice(), b.gaps.as_slice()), (&b"abc\0\0fgh"[..], &[(3, 2)][..]));
    assert!(b.ended);
}

#[test]
fn an_acknowledgement_past_missing_bytes_makes_a_gap_of_them() {
    let mut b = Bench::new(Delivery::Inline, 7);
    b.put(0, b"abc");
    b.put(8, b"ijk");
    assert_eq!(b.out, b"abc");
    let fed = b.ack(11);
    assert_eq!(fed.anomalies.as_slice(), [Anomaly::StreamReassemblySeqGap]);
    assert_eq!((b.out.as_slice(), b.gaps.as_slice()), (&b"abc\0\0\0\0\0ijk"[..], &[(3, 5)][..]));
    assert!(b.ack(11).anomalies.is_empty());
    b.put(11, b"l");
    assert!(b.out.ends_with(b"ijkl"));
}

#[test]
fn nothing_is_kept_beyond_the_depth() {
    let mut b = Bench::new(Delivery::Inline, 7);
    b.streams.settings.depth = 1000;
    let fed = b.put(0, &[9; 1400]);
    assert_eq!(fed.anomalies.as_slice(), [Anomaly::StreamReassemblyDepthReached]);
    assert!(b.put(1400, &[9; 1400]).anomalies.is_empty());
    assert_eq!((b.out.len(), b.ended), (1000, true));
    assert!(b.streams.memory() > 0, "what may come again with other bytes stays until the receiver has it");
    assert!(b.put(0, &[8; 100]).conflict);
    b.ack(2800);
    assert_eq!(b.streams.memory(), 0);
}

#[test]
fn running_out_of_blocks_or_slots_is_refused_with_a_reason_and_forgotten_on_release() {
    let mut b = Bench::new(Delivery::Inline, 7);
    let mut refused = 0;
    for i in 0..30 {
        // Three blocks each, and never in order.
        refused += u32::from(b.put(8192 + i * 8192, &[0; 5000]).refused.is_some());
    }
    assert!(refused > 0);
    assert!(b.streams.memory() <= 64 * 2048);
    b.streams.release(&mut b.session);
    assert_eq!((b.streams.memory(), b.streams.open()), (0, 0));
    let mut sessions: Vec<Session> = (0..5).map(session).collect();
    sessions.iter_mut().for_each(|s| s.tcp.state = tcp::State::Established);
    let fed = sessions.iter_mut().map(|s| {
        let tracked = Tracked { data: s.tcp.stream_start(Dir::ToServer), ..Tracked::default() };
        b.streams.feed(s, Dir::ToServer, &tracked, b"x", true).refused
    });
    let expected = [None, None, None, None, Some(DropReason::StreamMemoryCap)];
    assert!(fed.eq(expected));
    // Who has no handshake behind it gets no more than half.
    sessions.iter_mut().for_each(|s| b.streams.release(s));
    sessions.iter_mut().for_each(|s| s.tcp.state = tcp::State::SynSent);
    let fed = sessions.iter_mut().map(|s| {
        let tracked = Tracked { data: s.tcp.stream_start(Dir::ToServer), ..Tracked::default() };
        b.streams.feed(s, Dir::ToServer, &tracked, b"x", true).refused
    });
    let refused = Some(DropReason::StreamInsertLimit);
    assert!(fed.eq([None, None, None, refused, refused]));
}

#[test]
fn an_ignored_direction_keeps_nothing() {
    let mut b = Bench::new(Delivery::Inline, 7);
    b.put(5, b"behind a hole");
    b.streams.ignore(&mut b.session, Dir::ToServer);
    assert_eq!(b.put(0, b"hello"), Fed::default());
    assert_eq!((b.out.len(), b.streams.memory(), b.streams.open()), (0, 0, 0));
}

fn true_byte(offset: usize) -> u8 {
    (offset * 7 + offset / 251) as u8
}

prop_compose! {
    /// (offset, length, what to add to the true bytes, acknowledge so much behind it)
    fn segment(span: usize)(at in 0..span, len in 1usize..900, wrong in prop::bool::weighted(0.2), salt: u8) -> (usize, usize, u8) {
        (at, len.min(span - at), if wrong { salt } else { 0 })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// Random segments in random order, doubled, overlapping, some with other bytes, over the wrap of the sequence number.
    #[test]
    fn each_byte_comes_once_in_order_and_as_its_first_copy_said(
        isn in prop_oneof![any::<u32>(), (u32::MAX - 5000)..u32::MAX],
        segments in prop::collection::vec(segment(6000), 1..60),
        acks in prop::collection::vec(any::<bool>(), 60),
        inline: bool,
    ) {
        let mut b = Bench::new(if inline { Delivery::Inline } else { IDS }, isn);
        let mut model: Vec<Option<u8>> = vec![None; 6000];
        let mut put = |b: &mut Bench, at: usize, len: usize, salt: u8| {
            let bytes: Vec<u8> = (at..at + len).map(|i| true_byte(i).wrapping_add(salt)).collect();
            let kept = b.out.len().saturating_sub(100);
            let differs = |from: usize| {
                (at.max(from)..at + len).any(|i| model[i].is_some_and(|m| m != bytes[i - at]))
            };
            let (near, any) = (differs(kept), differs(0));
            let fed = b.put(at, &bytes);
            if fed.refused.is_none() {
                assert!((!near || fed.conflict) && (any || !fed.conflict));
                (0..len).for_each(|i| _ = model[at + i].get_or_insert(bytes[i]));
            }
        };
        for (i, (at, len, salt)) in segments.into_iter().enumerate() {
            put(&mut b, at, len, salt);
            let next = b.out.len();
            if acks[i] {
                b.ack(next);
            }
        }
        // Whoever sent this goes on until all has come.
        for at in (0..6000).step_by(600) {
            put(&mut b, at, 600, 0);
            b.ack(at + 600);
        }
        b.fin(6000);
        prop_assert!(b.gaps.is_empty());
        prop_assert_eq!(b.out.len(), 6000);
        prop_assert!(b.out.iter().zip(&model).all(|(&o, m)| Some(o) == *m));
        prop_assert_eq!(b.streams.memory(), 0);
    }
}

#[test]
fn a_keep_alive_with_a_byte_of_any_value_differs_from_nothing() {
    let mut b = Bench::new(Delivery::Inline, 7);
    b.put(0, b"hello");
    assert!(b.put(4, b"\0").conflict, "the receiver may still take it");
    b.ack(5);
    assert!(!b.put(4, b"\0").conflict);
    assert!(b.put(3, b"\0").conflict && b.put(3, b"\0\0").conflict);
    b.put(5, b" there");
    assert_eq!(b.out, b"hello there");
}
