//! What a flood, or one hostile datagram, can hold.

use super::*;

#[test]
fn each_cap_has_its_reason_and_a_flood_holds_memory_at_the_cap() {
    let base = || Settings { source_memory: 0, buffer_bytes: 1000, ..Settings::default() };
    let fill = |settings: Settings, vary: fn(&mut Bench, u32)| {
        let mut b = Bench::new(Family::V4, settings);
        let mut reasons = vec![];
        for i in 0..50 {
            vary(&mut b, i);
            reasons.extend(reason(b.push(8 + i * 304, 304, true, 0)));
        }
        reasons.dedup();
        let memory = b.reassembler.memory();
        b.reassembler.drop_all(DropReason::Shutdown, &mut b.log);
        assert!(b.at_rest());
        (reasons, memory)
    };
    let one = fill(Settings { datagram_memory: 5500, ..base() }, |_, _| {});
    assert_eq!(one, (vec![DropReason::FragmentDatagramCap], 5000));
    let count = fill(Settings { datagram_fragments: 7, ..base() }, |_, _| {});
    assert_eq!(count, (vec![DropReason::FragmentDatagramCap], 7000));
    let source = fill(Settings { source_memory: 3000, ..base() }, |b, i| b.id = i);
    assert_eq!(source, (vec![DropReason::FragmentSourceCap], 3000));
    let spread = fill(Settings { source_memory: 3000, ..base() }, |b, i| b.src = i as u8);
    assert_eq!(spread, (vec![], 50_000));
    let worker = fill(Settings { memory: 9000, ..base() }, |b, i| (b.id, b.src) = (i, i as u8));
    assert_eq!(worker, (vec![DropReason::FragmentMemoryCap], 9000));
    let table = fill(Settings { datagrams: 4, ..base() }, |b, i| b.id = i);
    assert_eq!(table, (vec![DropReason::FragmentMemoryCap], 4000));
}

#[test]
fn one_fragment_over_many_gaps_cannot_pin_more_than_the_cap() {
    let mut b = Bench::new(Family::V4, Settings { datagram_memory: 50 * 2304, ..Settings::default() });
    // Every other eight bytes of each page, so that what comes over them is cut into as many runs.
    for start in (8..16_384).step_by(16) {
        assert!(matches!(b.push(start, 8, true, 0), Outcome::Held));
    }
    let before = b.reassembler.counters.held as u32;
    let given_up = b.push(0, 1480, true, 0);
    assert!(
        matches!(given_up, Outcome::GivenUp(DropReason::FragmentDatagramCap)),
        "with those that are held"
    );
    assert_eq!(b.log.dropped, [(DropReason::FragmentDatagramCap, before + 1)]);
    assert_eq!(b.pool.outstanding(), 0);
    assert_eq!(reason(b.push(0, 1480, true, 0)), Some(DropReason::FragmentDatagramCap));
    b.reassembler.drop_all(DropReason::Shutdown, &mut b.log);
    assert!(b.at_rest());
}

/// As much as a chain cannot have segments, where the caps allow it.
#[test]
fn a_datagram_in_more_runs_than_a_frame_has_segments_is_put_together() {
    let policies = crate::defrag::PolicyTable::new(OverlapPolicy::Last);
    let caps =
        Settings { source_memory: 0, datagram_memory: 1 << 30, memory: 1 << 30, ..Settings::default() };
    let mut b = Bench::new(Family::V4, Settings { policies, ..caps });
    let total = 44 * 1480;
    for n in 0..43 {
        assert!(matches!(b.push(n * 1480, 1480, true, 0), Outcome::Held));
    }
    // Copied into pages: each makes a run of its own and cuts another in two.
    let small = (0..43 * 1480 / 16).map(|n| Piece { start: n * 16 + 8, len: 8, more: true, salt: 1 });
    for piece in small.clone() {
        assert!(matches!(b.put(piece), Outcome::Held));
    }
    let Outcome::Complete(whole) = b.push(43 * 1480, 1480, false, 0) else { panic!("{:?}", b.log.dropped) };
    let mut expected = bytes_of(Piece { start: 0, len: total, more: false, salt: 0 });
    for piece in small {
        let (start, end) = (piece.start as usize, (piece.start + piece.len) as usize);
        expected[start..end].copy_from_slice(&bytes_of(piece));
    }
    assert!(payload(&whole, Family::V4) == expected);
    drop(whole);
    assert!(b.log.dropped.is_empty() && b.at_rest());
}

#[test]
fn when_pieces_run_out_the_datagram_is_given_up() {
    let mut b = Bench::new(Family::V4, Settings { pieces: 3, ..Settings::default() });
    for i in 0..3 {
        assert!(matches!(b.push(8 + i * 400, 400, true, 0), Outcome::Held));
    }
    let one_too_many = b.push(8 + 3 * 400, 400, true, 0);
    assert!(matches!(one_too_many, Outcome::GivenUp(DropReason::FragmentMemoryCap)));
    assert_eq!(b.log.dropped, [(DropReason::FragmentMemoryCap, 4)]);
    b.reassembler.expire(b.now.plus(Duration::from_secs(31)), 9, &mut b.log);
    assert!(b.at_rest());
}

/// Whose list is gone along from its head for each run it covers costs their square.
#[test]
fn a_fragment_costs_no_more_than_the_runs_it_covers() {
    let runs_of = |stride: u32| (0..12_288).step_by(stride as usize);
    for (policy, stride) in OverlapPolicy::ALL.into_iter().flat_map(|policy| [(policy, 8), (policy, 16)]) {
        let policies = crate::defrag::PolicyTable::new(policy);
        let caps =
            Settings { source_memory: 0, datagram_memory: 1 << 30, memory: 1 << 30, ..Settings::default() };
        let mut b = Bench::new(Family::V4, Settings { policies, ..caps });
        for start in runs_of(stride) {
            assert!(matches!(b.push(start, 8, true, 0), Outcome::Held));
        }
        // Covered, and the gaps between them.
        let runs = 8936 / 8;
        for salt in 1..4 {
            b.reassembler.nodes.looked.set(0);
            b.push(576, 8936, true, salt);
            let looked = b.reassembler.nodes.looked.get();
            assert!(looked <= 16 * runs + 1024, "{}, every {stride}: {looked} for {runs}", policy.name());
        }
        b.reassembler.drop_all(DropReason::Shutdown, &mut b.log);
        assert!(b.at_rest());
    }
}

#[test]
fn after_too_many_refused_fragments_their_datagram_is_given_up() {
    let mut b = Bench::new(Family::V4, Settings::default());
    assert!(matches!(b.push(8, 8, true, 0), Outcome::Held));
    for _ in 0..=MAX_REFUSED {
        assert!(b.log.dropped.is_empty());
        assert_eq!(reason(b.push(8, 8, true, 0)), Some(DropReason::FragmentDuplicate));
    }
    assert_eq!(b.log.dropped, [(DropReason::FragmentDatagramCap, 1)]);
    b.reassembler.nodes.looked.set(0);
    assert_eq!(reason(b.push(8, 8, true, 0)), Some(DropReason::FragmentDatagramCap));
    assert_eq!(b.reassembler.nodes.looked.get(), 0, "nobody looks for its place");
    b.now = b.now.plus(Duration::from_secs(30));
    assert!(matches!(b.push(8, 8, true, 0), Outcome::Held), "of a new datagram");
    b.reassembler.drop_all(DropReason::Shutdown, &mut b.log);
    assert!(b.at_rest());
}
