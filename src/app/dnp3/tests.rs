use super::*;
use crate::app::fixture::Bench;
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Dnp3, Box::<Dnp3>::default())
}

/// A frame with unconfirmed user data, from the master or to it.
fn frame(master: bool, data: &[u8]) -> Vec<u8> {
    let control = if master { 0xc4 } else { 0x44 };
    let mut out = vec![0x05, 0x64, data.len() as u8 + 5, control, 10, 0, 1, 0];
    out.extend(link::crc(&out).to_le_bytes());
    for block in data.chunks(16) {
        out.extend_from_slice(block);
        out.extend(link::crc(block).to_le_bytes());
    }
    out
}

/// A fragment of one segment.
fn fragment(master: bool, fragment: &[u8]) -> Vec<u8> {
    frame(master, &[&[0xc0], fragment].concat())
}

#[test]
fn the_sum_is_the_standards() {
    // A request to reset the link, as in the standard's annex.
    assert_eq!(link::crc(&[0x05, 0x64, 0x05, 0xc0, 0x01, 0x00, 0x00, 0x04]).to_le_bytes(), [0xe9, 0x21]);
    // The check value of CRC-16/DNP.
    assert_eq!(link::crc(b"123456789"), 0xea82);
}

#[test]
fn requests_and_responses_are_transactions() {
    let read = fragment(true, &[0xc3, 1, 60, 2, 6, 60, 3, 6]);
    let mut answer = vec![0xc3, 129, 0x92, 0x04, 30, 4, 0, 0, 9];
    answer.extend([7; 20]);
    answer.extend([1, 2, 0x17, 2, 5, 0x81, 6, 0x01]);
    let answer = fragment(false, &answer);
    for size in [1, 7, 1000] {
        let mut bench = bench();
        bench.pieces(Dir::ToServer, &read, size);
        bench.pieces(Dir::ToClient, &answer, size);
        let messages: Vec<_> =
            (0..bench.transactions.len()).filter(|n| bench.text(*n, "dnp3.data").is_some()).collect();
        let [request, response] = messages[..] else { panic!("{messages:?}") };
        assert_eq!(bench.numbers(request, "dnp3_func"), [1]);
        assert_eq!(bench.numbers(request, "dnp3_obj"), [60 << 8 | 2, 60 << 8 | 3]);
        assert_eq!(bench.numbers(response, "dnp3_func"), [129]);
        assert_eq!(bench.numbers(response, "dnp3_ind"), [0x9204]);
        assert_eq!(bench.numbers(response, "dnp3_obj"), [30 << 8 | 4, 1 << 8 | 2]);
        assert_eq!(bench.events(), [""; 0]);
    }
}

#[test]
fn a_fragment_is_put_together_of_segments() {
    let whole: Vec<u8> =
        [&[0xc0, 2, 110, 200, 0, 0, 0][..], &[b'x'; 200], &[110, 99, 0, 0, 0], &[b'y'; 99]].concat();
    let (a, b) = whole.split_at(249);
    let mut bench = bench();
    bench.data(Dir::ToServer, &frame(true, &[&[0x7f], a].concat()));
    bench.data(Dir::ToServer, &frame(true, &[&[0x80], b].concat()));
    let found = (0..bench.transactions.len()).find_map(|n| bench.text(n, "dnp3.data"));
    assert_eq!(found.unwrap().chars().count(), whole.len());
    assert_eq!(bench.events(), [""; 0]);
    // A segment that does not follow is left out.
    let mut bench = self::bench();
    bench.data(Dir::ToServer, &frame(true, &[&[0x41], a].concat()));
    bench.data(Dir::ToServer, &frame(true, &[&[0x83], b].concat()));
    assert!((0..bench.transactions.len()).all(|n| bench.text(n, "dnp3.data").is_none()));
}

#[test]
fn controls_carry_their_objects() {
    // Direct operate of a relay (12,1) with an index before, then a class that is only named.
    let operate = [&[0xc1, 5, 12, 1, 0x28, 1, 0, 7, 0][..], &[0x81, 1, 100, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let mut bench = bench();
    bench.data(Dir::ToServer, &fragment(true, &operate));
    assert_eq!((bench.numbers(1, "dnp3_obj"), bench.events()), (vec![12 << 8 | 1], vec![]));
}

#[test]
fn what_is_amiss_has_names() {
    let events = |bytes: &[u8]| {
        let mut bench = bench();
        bench.data(Dir::ToServer, bytes);
        bench.events()
    };
    let sound = fragment(true, &[0xc0, 1, 60, 1, 6]);
    let mut bad = sound.clone();
    bad[8] ^= 1;
    assert_eq!(events(&bad), ["dnp3.bad_link_crc"]);
    let mut bad = sound.clone();
    bad[12] ^= 1;
    assert_eq!(events(&bad), ["dnp3.bad_transport_crc"]);
    assert_eq!(events(&frame(true, &[])), ["dnp3.len_too_small"]);
    assert_eq!(events(&fragment(true, &[0xc0])), ["dnp3.len_too_small"]);
    assert_eq!(events(&fragment(true, &[0xc0, 2, 99, 1, 0, 0, 0])), ["dnp3.unknown_object"]);
    assert_eq!(events(&fragment(true, &[0xc0, 1, 30, 1, 8, 0xff, 0xff])), ["dnp3.too_many_points"]);
    assert_eq!(events(&fragment(true, &[0xc0, 2, 30, 1, 0, 0, 5])), ["dnp3.len_too_small"]);
    let mut long = Vec::new();
    for n in 0..80_u8 {
        let transport = if n == 0 { FIRST } else { n & SEQUENCE };
        long.extend(frame(true, &[&[transport][..], &[0; 249]].concat()));
    }
    assert_eq!(events(&long), ["dnp3.too_long_reassembly"]);
    let objects: Vec<u8> = std::iter::repeat_n([60, 1, 6], objects::MAX_OBJECTS + 1).flatten().collect();
    let mut many = Vec::new();
    let whole = [&[0xc0, 1][..], &objects].concat();
    for (n, piece) in whole.chunks(249).enumerate() {
        let last = if (n + 1) * 249 >= whole.len() { LAST } else { 0 };
        let first = if n == 0 { FIRST } else { 0 };
        many.extend(frame(true, &[&[first | last | n as u8 & SEQUENCE], piece].concat()));
    }
    assert_eq!(events(&many), ["dnp3.too_many_objects"]);
}

#[test]
fn what_is_no_frame_is_stepped_over() {
    let read = fragment(true, &[0xc0, 1, 60, 1, 6]);
    let mut bench = bench();
    bench.data(Dir::ToServer, &[b"junk\x05junk\x05", &read[..], b"\x05\x05", &read[..]].concat());
    let found: Vec<_> = (0..bench.transactions.len()).filter_map(|n| bench.text(n, "dnp3.data")).collect();
    assert_eq!((found.len(), bench.events()), (2, vec![]));
    // Bytes that are missing end the fragment and the frame, not the decoding.
    bench.data(Dir::ToServer, &read[..12]);
    bench.gap(Dir::ToServer, 3);
    bench.data(Dir::ToServer, &[&read[15..], &read[..]].concat());
    let found = (0..bench.transactions.len()).filter_map(|n| bench.text(n, "dnp3.data"));
    assert_eq!(found.count(), 3);
}

#[test]
fn first_bytes_tell() {
    let (master, outstation) = (fragment(true, &[0xc0, 1]), fragment(false, &[0xc0, 129, 0, 0]));
    assert_eq!(probe(Dir::ToServer, &master), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &outstation), Probe::Reversed);
    assert_eq!(probe(Dir::ToClient, &outstation), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &master[..9]), Probe::More);
    assert_eq!(probe(Dir::ToServer, b"\x05\x64\x05\xc0\x01\x00\x00\x04\xe9\x22"), Probe::No);
    assert_eq!(probe(Dir::ToServer, b"\x05e"), Probe::No);
}

#[test]
fn junk_ends_in_bounded_memory() {
    for junk in [&b"x"[..], b"\x05", b"\x05\x64", b"\x05\x64\x05\xc0\x01\x00\x00\x04\xe9\x21"] {
        let mut bench = bench();
        let junk: Vec<u8> = junk.iter().copied().cycle().take(10 << 20).collect();
        bench.pieces(Dir::ToServer, &junk[..1 << 16], 1);
        bench.pieces(Dir::ToServer, &junk, 1460);
        assert!(bench.transactions.len() <= bench.limits.transactions);
    }
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_transactions(
        fragments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 1..6),
        junk in proptest::collection::vec(prop_oneof![Just(5_u8), Just(0x64), any::<u8>()], 0..20),
        size in 1_usize..40
    ) {
        let mut bytes = junk;
        fragments.iter().for_each(|part| bytes.extend(fragment(true, part)));
        let run = |size| {
            let mut bench = bench();
            bench.pieces(Dir::ToServer, &bytes, size);
            let data: Vec<_> = (0..bench.transactions.len()).map(|n| bench.texts(n, "dnp3.data")).collect();
            (data.concat(), bench.events())
        };
        prop_assert_eq!(run(size), run(bytes.len()));
    }

    #[test]
    fn no_bytes_make_it_panic(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 1..5)) {
        let mut bench = bench();
        for part in &parts {
            bench.data(Dir::ToServer, &fragment(true, part));
            bench.data(Dir::ToServer, part);
        }
    }
}
