//! Overlap policies and urgent bytes against a plain map of bytes.

use super::*;
use crate::base::NetworkTable;
use crate::stream::policy::Span;
use crate::stream::{OverlapPolicy, Urgent};

/// Two segments that differ, the second behind a hole with the first, and what the receiver takes when the hole is filled.
fn taken(policy: OverlapPolicy, guarded: bool) -> Vec<u8> {
    let mut b = Bench::new(Delivery::Inline, 7);
    b.streams.settings.overlap = NetworkTable::new(policy);
    b.guarded = guarded;
    b.put(2, b"2222");
    assert!(b.put(1, b"111111").conflict);
    b.put(0, b"0");
    b.out
}

#[test]
fn a_segment_that_is_dropped_for_its_conflict_changes_nothing_by_any_policy() {
    assert!(OverlapPolicy::ALL.into_iter().all(|policy| taken(policy, true) == b"0122221"));
    assert_eq!(taken(OverlapPolicy::First, false), b"0122221");
    assert_eq!(taken(OverlapPolicy::Bsd, false), b"0111111");
}

#[test]
fn what_was_inspected_or_acknowledged_no_policy_changes() {
    let mut b = Bench::new(IDS, 7);
    b.streams.settings.overlap = NetworkTable::new(OverlapPolicy::Last);
    b.guarded = false;
    b.put(0, b"abcdef");
    b.ack(3);
    assert!(b.put(0, b"ABCDEF").conflict);
    b.ack(6);
    b.streams.trigger(&b.session, Dir::ToServer);
    b.drain();
    assert_eq!(b.out, b"abcDEF");
    assert_eq!(b.streams.store.owners.in_use(), 0, "nothing waits");
}

#[test]
fn the_receivers_address_chooses_the_policy_of_each_direction() {
    let mut b = Bench::new(Delivery::Inline, 7);
    let mut table = NetworkTable::new(OverlapPolicy::First);
    table.add(crate::base::Family::V4, crate::base::Addr::v4([2, 2, 2, 2]), 32, OverlapPolicy::Last);
    b.streams.settings.overlap = table;
    b.guarded = false;
    b.put(1, b"bb");
    b.put(1, b"BB");
    b.put(0, b"a");
    assert_eq!(b.out, b"aBB", "the server's");
}

#[derive(Copy, Clone, Debug)]
struct Model {
    policy: OverlapPolicy,
    bytes: [Option<(u8, Span)>; SPAN],
}

const SPAN: usize = 600;

impl Model {
    fn put(&mut self, at: usize, bytes: &[u8], settled: usize) {
        let new = Span::new(at as u64, (at + bytes.len()) as u64);
        for (place, &byte) in self.bytes[at..].iter_mut().zip(bytes).skip(settled.saturating_sub(at)) {
            if place.is_none_or(|(_, old)| self.policy.new_wins(old, new)) {
                *place = Some((byte, new));
            }
        }
    }

    fn contiguous(&self) -> usize {
        self.bytes.iter().position(Option::is_none).unwrap_or(SPAN)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Every segment says something else: whose bytes come out shows whom the policy preferred, byte by byte.
    #[test]
    fn each_byte_comes_from_the_segment_that_the_policy_prefers(
        isn in prop_oneof![any::<u32>(), (u32::MAX - 700)..u32::MAX],
        policy in prop::sample::select(&OverlapPolicy::ALL[..]),
        segments in prop::collection::vec((0usize..SPAN, 1usize..150, any::<bool>()), 1..24),
        inline: bool,
        guarded: bool,
    ) {
        let mut b = Bench::new(if inline { Delivery::Inline } else { IDS }, isn);
        b.streams.settings.overlap = NetworkTable::new(policy);
        b.guarded = guarded;
        let policy = if guarded { OverlapPolicy::First } else { policy };
        let mut model = Model { policy, bytes: [None; SPAN] };
        let mut acked = 0;
        for (i, (at, len, ack)) in segments.into_iter().enumerate() {
            let bytes = vec![i as u8 + 1; len.min(SPAN - at)];
            let settled = acked.max(b.out.len());
            prop_assert_eq!(b.put(at, &bytes).refused, None);
            model.put(at, &bytes, settled);
            if ack {
                acked = model.contiguous();
                b.ack(acked);
            }
        }
        for at in (0..SPAN).step_by(50) {
            let settled = acked.max(b.out.len());
            b.put(at, &[0; 50]);
            model.put(at, &[0; 50], settled);
        }
        b.ack(SPAN);
        b.fin(SPAN);
        let expected: Vec<u8> = model.bytes.iter().map(|byte| byte.unwrap().0).collect();
        prop_assert_eq!(&b.out, &expected);
        prop_assert!(b.gaps.is_empty());
        let Store { owners, odd, .. } = &b.streams.store;
        prop_assert_eq!((b.streams.memory(), owners.in_use(), odd.in_use()), (0, 0, 0));
    }

    /// A stream in pieces, each of which may end with an urgent byte, in any order and some twice.
    #[test]
    fn urgent_bytes_are_left_out_wherever_they_stand(
        isn in prop_oneof![any::<u32>(), (u32::MAX - 700)..u32::MAX],
        pieces in prop::collection::vec((1usize..60, any::<bool>()), 1..16),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        reversed: bool,
        inline: bool,
    ) {
        let mut b = Bench::new(if inline { Delivery::Inline } else { IDS }, isn);
        let mut expected = Vec::new();
        let mut list = Vec::new();
        let mut at = 0;
        for &(len, urgent) in &pieces {
            let bytes: Vec<u8> = (at..at + len).map(true_byte).collect();
            expected.extend_from_slice(&bytes[..len - usize::from(urgent)]);
            list.push((at, bytes, urgent));
            at += len;
        }
        let mut turns: Vec<usize> = order.iter().map(|i| i.index(list.len())).collect();
        turns.extend(0..list.len());
        if reversed {
            turns.reverse();
        }
        for turn in turns {
            let (at, bytes, urgent) = &list[turn];
            let fed = b.put_urgent(*at, bytes, urgent.then_some(at + bytes.len() - 1));
            prop_assert_eq!((fed.refused, fed.conflict), (None, false));
        }
        b.ack(at);
        b.fin(at);
        b.streams.finish(&b.session);
        b.drain();
        prop_assert_eq!(&b.out, &expected);
        prop_assert!(b.gaps.is_empty());
    }
}

#[test]
fn an_urgent_byte_does_not_hide_a_word() {
    for (delivery, policy, expected) in [
        (Delivery::Inline, Urgent::OutOfBand, &b"malicious"[..]),
        (IDS, Urgent::OutOfBand, b"malicious"),
        (Delivery::Inline, Urgent::Inline, b"malicXious"),
    ] {
        let mut b = Bench::new(delivery, 7);
        b.streams.settings.urgent = policy;
        b.put(0, b"malic");
        b.put_urgent(5, b"X", Some(5));
        b.put(6, b"ious");
        b.ack(10);
        b.fin(10);
        assert_eq!(b.out, expected);
    }
}

#[test]
fn a_stream_full_of_urgent_bytes_is_read_on_with_less_lookback() {
    let mut b = Bench::new(Delivery::Inline, 7);
    for i in 0..200 {
        assert_eq!(b.put_urgent(2 * i, b"aX", Some(2 * i + 1)).refused, None);
    }
    assert_eq!(b.out, [b'a'; 200]);
    let mut b = Bench::new(Delivery::Inline, 7);
    let refused = (1..100).filter(|&i| b.put_urgent(2 * i, b"aX", Some(2 * i + 1)).refused.is_some());
    assert!(refused.count() > 50, "what nobody looked at yet cannot be forgotten");
}
