//! Random cuttings against slow, plain models of reassembly. `WEIR_CASES=50 cargo nextest run --release model::` is a long run: it
//! multiplies how many there are.

use super::*;
use crate::defrag::{PolicyTable, cases};
use crate::wire::build::Random;
use proptest::prelude::*;

/// Whose byte it is in the end, by each policy: looking at all fragments that cover it at once where the policy
/// allows, which is not how the reassembler does it.
fn owner(policy: OverlapPolicy, pieces: &[Piece], i: u32) -> Option<Piece> {
    let all = || pieces.iter().enumerate().filter(|(_, p)| p.start <= i && i < p.start + p.len);
    let swallows = |old: (usize, &Piece), new: (usize, &Piece), same_end: u32| {
        new.1.start < old.1.start && new.1.start + new.1.len + same_end > old.1.start + old.1.len
    };
    let found = match policy {
        OverlapPolicy::First => all().next(),
        OverlapPolicy::Last => all().next_back(),
        OverlapPolicy::Linux => all().min_by_key(|(n, p)| (p.start, usize::MAX - n)),
        OverlapPolicy::Bsd => all().min_by_key(|(n, p)| (p.start, *n)),
        OverlapPolicy::BsdRight => all().max_by_key(|(n, p)| (p.start, *n)),
        OverlapPolicy::Windows => all().reduce(|old, new| if swallows(old, new, 0) { new } else { old }),
        OverlapPolicy::Solaris => all().reduce(|old, new| if swallows(old, new, 1) { new } else { old }),
    };
    found.map(|(_, piece)| *piece)
}

prop_compose! {
    /// A datagram cut up, shuffled, with duplicates and pieces that say something else, some of which cover the last one.
    fn pieces()(
        // Every other one such that a piece which is not the last may reach its end.
        total in prop_oneof![1u32..3000, (1u32..375).prop_map(|units| units * 8)],
        cuts in prop::collection::btree_set(1u32..375, 0..40),
        extra in prop::collection::vec((0u32..375, 1u32..60, 1u8..255), 0..12),
        doubled in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    )(
        order in Just({
            let mut all = vec![];
            let mut at = 0;
            for cut in cuts.iter().map(|c| c * 8).filter(|&c| c < total).chain([total]) {
                all.push(Piece { start: at, len: cut - at, more: cut < total, salt: 0 });
                at = cut;
            }
            for index in doubled {
                all.push(all[index.index(all.len())]);
            }
            for (start, len, salt) in extra {
                let (start, end) = (start * 8, ((start + len) * 8).min(total / 8 * 8));
                if start < end {
                    all.push(Piece { start, len: end - start, more: true, salt });
                }
            }
            all
        }).prop_shuffle(),
        total in Just(total),
    ) -> (u32, Vec<Piece>) {
        (total, order)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(600)))]
    #[test]
    fn any_cutting_gives_what_the_slow_reference_gives(
        (total, pieces) in pieces(),
        policy in prop::sample::select(OverlapPolicy::ALL.to_vec()),
        v6: bool,
    ) {
        let family = if v6 { Family::V6 } else { Family::V4 };
        let settings = Settings { policies: PolicyTable::new(policy), drop_v6_overlaps: false, ..Settings::default() };
        let mut b = Bench::new(family, settings);
        let mut there = vec![false; total as usize];
        for (i, &piece) in pieces.iter().enumerate() {
            there[piece.start as usize..(piece.start + piece.len) as usize].fill(true);
            let seen = &pieces[..=i];
            let all_there = seen.iter().any(|p| !p.more) && !there.contains(&false);
            match b.put(piece) {
                Outcome::Complete(whole) if v6 && piece.start == 0 && !piece.more => {
                    prop_assert_eq!(payload(&whole, family), bytes_of(piece));
                    break;
                }
                Outcome::Complete(whole) => {
                    prop_assert!(all_there);
                    let got = payload(&whole, family);
                    prop_assert_eq!(got.len(), total as usize);
                    for (at, &byte) in got.iter().enumerate() {
                        let owner = owner(policy, seen, at as u32);
                        prop_assert_eq!(owner.map(|p| byte_of(p, at as u32)), Some(byte), "byte {}", at);
                    }
                    break;
                }
                Outcome::Dropped(reason, _) => {
                    prop_assert_eq!(reason, DropReason::FragmentDuplicate);
                    prop_assert!(!all_there, "complete and refused");
                }
                Outcome::GivenUp(reason) => prop_assert!(false, "given up: {reason:?}"),
                Outcome::Held => prop_assert!(!all_there, "complete and still held"),
            }
            let c = b.reassembler.counters;
            prop_assert_eq!(c.received, c.merged + c.dropped + c.held);
        }
        b.reassembler.expire(b.now.plus(Duration::from_secs(30)), usize::MAX, &mut b.log);
        prop_assert!(b.at_rest(), "{:?} {}", b.reassembler.counters, b.pool.outstanding());
    }
}

/// The largest payload of an IPv4 datagram without options.
const LARGEST: u32 = 65_515;

/// Every byte by itself: whose it is, piece after piece.
struct Plain {
    policy: OverlapPolicy,
    owners: Vec<Option<Piece>>,
    there: u32,
    last: bool,
}

impl Plain {
    fn new(policy: OverlapPolicy, total: u32) -> Plain {
        Plain { policy, owners: vec![None; total as usize], there: 0, last: false }
    }

    fn span(piece: Piece) -> std::ops::Range<usize> {
        piece.start as usize..(piece.start + piece.len) as usize
    }

    fn touches(&self, piece: Piece) -> bool {
        self.owners[Plain::span(piece)].iter().any(Option::is_some)
    }

    fn add(&mut self, new: Piece) {
        let end = |piece: Piece| piece.start + piece.len;
        for owner in &mut self.owners[Plain::span(new)] {
            let Some(old) = *owner else {
                self.there += 1;
                *owner = Some(new);
                continue;
            };
            let wins = match self.policy {
                OverlapPolicy::First => false,
                OverlapPolicy::Last => true,
                OverlapPolicy::Linux => old.start >= new.start,
                OverlapPolicy::Bsd => old.start > new.start,
                OverlapPolicy::BsdRight => old.start <= new.start,
                OverlapPolicy::Windows => old.start > new.start && end(old) < end(new),
                OverlapPolicy::Solaris => old.start > new.start && end(old) <= end(new),
            };
            if wins {
                *owner = Some(new);
            }
        }
        self.last |= !new.more;
    }

    fn is_whole(&self) -> bool {
        self.last && self.there as usize == self.owners.len()
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |(at, owner): (usize, &Option<Piece>)| owner.map(|piece| byte_of(piece, at as u32));
        self.owners.iter().enumerate().filter_map(byte).collect()
    }
}

/// The largest datagram in pieces of 8 to 1480 bytes, with duplicates and pieces that say something else, shuffled.
fn largest(random: &mut Random) -> Vec<Piece> {
    // Most often of all sizes, at times small ones alone.
    let most = if random.below(24) == 0 { 1 + random.below(8) } else { 8 + random.below(178) };
    let size = |random: &mut Random| 8 * (1 + random.below(most.min(185))) as u32;
    let (mut all, mut at) = (Vec::new(), 0);
    while at < LARGEST {
        let len = size(random).min(LARGEST - at);
        all.push(Piece { start: at, len, more: at + len < LARGEST, salt: 0 });
        at += len;
    }
    for _ in 0..random.below(1 + all.len() / 8) {
        all.push(all[random.below(all.len())]);
    }
    let liars = if random.below(4) == 0 { 0 } else { random.below(1 + all.len() / 2) };
    for _ in 0..liars {
        let (start, len) = (8 * random.below(LARGEST as usize / 8) as u32, size(random));
        let salt = 1 + random.below(255) as u8;
        let end = start + len;
        let piece = Piece { start, len: end.min(LARGEST) - start, more: end < LARGEST, salt };
        all.push(piece);
    }
    random.shuffle(&mut all);
    all
}

fn settings(policy: OverlapPolicy, drop_v6_overlaps: bool) -> Settings {
    let policies = PolicyTable::new(policy);
    Settings {
        policies,
        drop_v6_overlaps,
        datagram_memory: 64 << 20,
        datagram_fragments: 65_535,
        source_memory: 0,
        ..Settings::default()
    }
}

#[test]
fn the_largest_datagram_shuffled_with_duplicates_and_conflicts_is_what_the_plain_model_makes_of_it() {
    let (mut rebuilt, mut conflicts) = (0, 0);
    for seed in 0..u64::from(cases(1050)) {
        let mut random = Random::new(seed);
        let policy = OverlapPolicy::ALL[seed as usize % OverlapPolicy::ALL.len()];
        let family = FAMILIES[usize::from(random.below(4) == 0)];
        let mut b = Bench::new(family, settings(policy, false));
        let mut model = Plain::new(policy, LARGEST);
        for piece in largest(&mut random) {
            conflicts += u32::from(piece.salt != 0 && model.touches(piece));
            model.add(piece);
            match b.put(piece) {
                Outcome::Complete(whole) => {
                    assert!(model.is_whole(), "seed {seed}: not all was there");
                    assert!(payload(&whole, family) == model.bytes(), "seed {seed}, {}", policy.name());
                    rebuilt += 1;
                    break;
                }
                Outcome::Held => assert!(!model.is_whole(), "seed {seed}: whole and still held"),
                Outcome::Dropped(reason, _) => {
                    assert_eq!(reason, DropReason::FragmentDuplicate, "seed {seed}");
                    assert!(!model.is_whole(), "seed {seed}: whole and refused");
                }
                Outcome::GivenUp(reason) => panic!("seed {seed}: given up: {reason:?}"),
            }
            let pinned = b.pool.outstanding() as u64 * u64::from(Settings::default().buffer_bytes);
            assert!(pinned <= b.reassembler.memory(), "seed {seed}: {pinned} bytes are pinned");
        }
        b.reassembler.expire(b.now.plus(Duration::from_secs(30)), usize::MAX, &mut b.log);
        assert!(b.at_rest(), "seed {seed}: {:?}", b.reassembler.counters);
    }
    assert_eq!(rebuilt, cases(1050));
    assert!(conflicts > rebuilt, "{conflicts}");
}

#[test]
fn an_ipv6_datagram_whose_pieces_overlap_is_dropped_whole_and_any_other_is_rebuilt() {
    let (mut rebuilt, mut dropped) = (0, 0);
    for seed in 0..u64::from(cases(200)) {
        let mut random = Random::new(!seed);
        let mut b = Bench::new(Family::V6, settings(OverlapPolicy::First, true));
        let mut model = Plain::new(OverlapPolicy::First, LARGEST);
        let mut overlapped = false;
        for piece in largest(&mut random) {
            let twin = model.owners[piece.start as usize]
                .is_some_and(|old| (old.start, old.len, old.salt) == (piece.start, piece.len, piece.salt));
            overlapped |= !twin && model.touches(piece);
            if !overlapped {
                model.add(piece);
            }
            match b.put(piece) {
                Outcome::Complete(whole) => {
                    assert!(!overlapped && model.is_whole(), "seed {seed}");
                    assert!(payload(&whole, Family::V6) == model.bytes(), "seed {seed}");
                    rebuilt += 1;
                    break;
                }
                Outcome::Held => assert!(!overlapped && !model.is_whole(), "seed {seed}"),
                Outcome::Dropped(reason, _) if overlapped => {
                    assert_eq!(reason, DropReason::FragmentOverlapV6, "seed {seed}");
                }
                Outcome::GivenUp(reason) => panic!("seed {seed}: given up: {reason:?}"),
                Outcome::Dropped(reason, _) => {
                    assert!(twin && reason == DropReason::FragmentDuplicate, "seed {seed}: {reason:?}");
                }
            }
        }
        dropped += u32::from(overlapped);
        assert_eq!(overlapped, b.log.anomalies.contains(&Anomaly::Ipv6FragOverlap), "seed {seed}");
        b.reassembler.expire(b.now.plus(Duration::from_secs(30)), usize::MAX, &mut b.log);
        assert!(b.at_rest(), "seed {seed}");
    }
    assert!(rebuilt > 0 && dropped > 0 && rebuilt + dropped == cases(200), "{rebuilt} and {dropped}");
}
