use super::*;
use crate::app::fixture::Bench;
use crate::base::FlowTuple;
use crate::rules::field;
use proptest::prelude::*;

/// SVCCTL, as its text is written.
const SVCCTL: [u8; 16] =
    [0x36, 0x7a, 0xbb, 0x81, 0x98, 0x44, 0x35, 0xf1, 0xad, 0x32, 0x98, 0xf0, 0x38, 0, 0x10, 3];
const WHOLE: u8 = 3;

/// A unit in little or big endian.
fn unit(little: bool, kind: u8, flags: u8, call: u32, body: &[u8]) -> Vec<u8> {
    let len = (HEADER_LEN + body.len()) as u16;
    let mut unit = vec![5, 0, kind, flags, if little { 0x10 } else { 0 }, 0, 0, 0];
    if little {
        unit.extend(len.to_le_bytes());
        unit.extend([0, 0]);
        unit.extend(call.to_le_bytes());
    } else {
        unit.extend(len.to_be_bytes());
        unit.extend([0, 0]);
        unit.extend(call.to_be_bytes());
    }
    unit.extend_from_slice(body);
    unit
}

fn number(little: bool, n: u16) -> [u8; 2] {
    if little { n.to_le_bytes() } else { n.to_be_bytes() }
}

fn bind(little: bool, contexts: &[u16]) -> Vec<u8> {
    let mut body = vec![0xd0, 0x16, 0xd0, 0x16, 0, 0, 0, 0, contexts.len() as u8, 0, 0, 0];
    for context in contexts {
        body.extend(number(little, *context));
        body.extend([1, 0]);
        body.extend(pdu::uuid(SVCCTL, if little { cursor::Order::Little } else { cursor::Order::Big }));
        body.extend(number(little, 2));
        body.extend(number(little, 0));
        body.extend([0; 20]);
    }
    unit(little, 11, WHOLE, 1, &body)
}

use crate::app::cursor;

fn bind_ack(little: bool, results: &[u16]) -> Vec<u8> {
    let mut body = vec![0xd0, 0x16, 0xd0, 0x16, 1, 0, 0, 0];
    body.extend(number(little, 4));
    body.extend(b"135\0\0\0");
    body.extend([results.len() as u8, 0, 0, 0]);
    for result in results {
        body.extend(number(little, *result));
        body.extend([0; 22]);
    }
    unit(little, 12, WHOLE, 1, &body)
}

fn request(little: bool, flags: u8, call: u32, context: u16, opnum: u16, stub: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0];
    body.extend(number(little, context));
    body.extend(number(little, opnum));
    body.extend_from_slice(stub);
    unit(little, 0, flags, call, &body)
}

fn response(little: bool, flags: u8, call: u32, stub: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 8];
    body.extend_from_slice(stub);
    unit(little, 2, flags, call, &body)
}

fn bench() -> Bench {
    Bench::new(AppProto::Dcerpc, (ENTRY.make.unwrap())())
}

fn interface(bench: &Bench, tx: usize) -> Vec<(Dir, Interface)> {
    let tx = bench.transactions.iter().nth(tx).unwrap();
    let texts = tx.texts(field::id("dcerpc.iface"));
    texts.map(|(dir, text)| (dir, Interface::from_bytes(text).unwrap())).collect()
}

/// What a test compares: transactions as text.
fn told(bench: &Bench) -> Vec<String> {
    let tell = |at: usize| {
        let stub = bench.texts(at, "dcerpc.stub_data");
        let grown = bench.streamed(at, "dcerpc.stub_data");
        let complete = Dir::BOTH.map(|dir| bench.complete(at, dir));
        let opnums = bench.numbers(at, "dcerpc.opnum");
        format!("{stub:?} {grown:?} {complete:?} {opnums:?} {:?}", interface(bench, at))
    };
    (0..bench.transactions.len()).map(tell).collect()
}

#[test]
fn a_call_has_the_interface_that_was_bound() {
    for little in [true, false] {
        let mut bench = bench();
        bench.data(Dir::ToServer, &bind(little, &[4, 7]));
        bench.data(Dir::ToClient, &bind_ack(little, &[2, 0]));
        bench.data(Dir::ToServer, &request(little, WHOLE, 2, 7, 15, b"ask"));
        bench.data(Dir::ToClient, &response(little, WHOLE, 2, b"answer"));
        bench.data(Dir::ToServer, &request(little, WHOLE, 3, 4, 1, b"refused context"));
        let expected = Interface { uuid: SVCCTL, version: 2, first_fragment: true };
        assert_eq!(interface(&bench, 1), [(Dir::ToServer, expected), (Dir::ToClient, expected)]);
        assert_eq!(bench.texts(1, "dcerpc.stub_data"), ["ask", "answer"]);
        assert_eq!(bench.numbers(1, "dcerpc.opnum"), [15, 15]);
        assert!(bench.complete(1, Dir::ToClient) && bench.complete(1, Dir::ToServer));
        assert!(interface(&bench, 2).is_empty() && !bench.complete(2, Dir::ToClient));
        assert!(bench.flushed);
    }
}

#[test]
fn fragments_make_one_stub() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &request(true, 1, 2, 0, 9, b"one "));
    bench.data(Dir::ToServer, &request(true, 0, 2, 0, 9, b"two "));
    assert_eq!(bench.streamed(0, "dcerpc.stub_data").unwrap(), "one two ");
    assert!(!bench.complete(0, Dir::ToServer));
    bench.data(Dir::ToServer, &request(true, 2, 2, 0, 9, b"three"));
    assert_eq!(bench.streamed(0, "dcerpc.stub_data").unwrap(), "one two three");
    assert!(bench.complete(0, Dir::ToServer));
    assert_eq!(bench.transactions.len(), 1);
}

#[test]
fn a_fault_ends_its_call_and_an_answer_without_a_question_stands_alone() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &request(true, WHOLE, 2, 0, 9, b"x"));
    bench.data(Dir::ToClient, &unit(true, 3, WHOLE, 2, &[0; 16]));
    assert!(bench.complete(0, Dir::ToClient));
    bench.data(Dir::ToClient, &response(true, WHOLE, 77, b"lone"));
    assert_eq!(bench.text(1, "dcerpc.stub_data").unwrap(), "lone");
    assert!(bench.complete(1, Dir::ToServer));
}

#[test]
fn behind_a_gap_the_next_unit_is_found() {
    let mut bench = bench();
    let whole = request(true, WHOLE, 2, 0, 9, b"half of this is lost");
    bench.data(Dir::ToServer, &whole[..20]);
    assert_eq!(bench.gap(Dir::ToServer, 9), Next::More);
    let mut later = b"\x05\x00 is lost".to_vec();
    later.extend(request(true, WHOLE, 3, 0, 10, b"here"));
    bench.data(Dir::ToServer, &later);
    assert_eq!(told(&bench).len(), 1);
    assert_eq!(bench.numbers(0, "dcerpc.opnum"), [10, 10]);
}

#[test]
fn an_object_is_no_part_of_the_stub() {
    let mut bench = bench();
    let mut with_object = [0xaa; 16].to_vec();
    with_object.extend(b"stub");
    bench.data(Dir::ToServer, &request(true, WHOLE | 0x80, 2, 0, 9, &with_object));
    assert_eq!(bench.text(0, "dcerpc.stub_data").unwrap(), "stub");
}

#[test]
fn what_is_bound_and_under_way_is_bounded() {
    let mut bench = bench();
    for round in 0..40u16 {
        bench.data(
            Dir::ToServer,
            &bind(true, &[round * 7, round * 7 + 1, round * 7 + 2, round * 7 + 3, round * 7 + 4]),
        );
    }
    for call in 0..1000 {
        assert_eq!(bench.data(Dir::ToServer, &request(true, 1, call, 0, 0, b"never ends")), Next::More);
    }
    assert!(bench.transactions.len() <= bench.limits.transactions);
}

#[test]
fn datagrams_are_decoded() {
    let datagram = |kind: u8, fragment: u16, flags: u8, body: &[u8]| {
        let mut bytes = vec![4, kind, flags, 0, 0x10, 0, 0, 0];
        bytes.extend([0; 16]);
        bytes.extend(pdu::uuid(SVCCTL, cursor::Order::Little));
        bytes.extend([7; 16]);
        bytes.extend([0, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 15, 0, 0xff, 0xff, 0xff, 0xff]);
        bytes.extend((body.len() as u16).to_le_bytes());
        bytes.extend(fragment.to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend_from_slice(body);
        bytes
    };
    let mut bench = bench();
    bench.tuple = FlowTuple { proto: ip_proto::UDP, ..bench.tuple };
    let first = datagram(0, 0, 4, b"ask ");
    assert_eq!(probe(Dir::ToServer, &first), Probe::Yes);
    bench.data(Dir::ToServer, &first);
    bench.data(Dir::ToServer, &datagram(0, 1, 6, b"more"));
    bench.data(Dir::ToClient, &datagram(2, 0, 0, b"answer"));
    assert_eq!(bench.transactions.len(), 1);
    assert_eq!(bench.streamed(0, "dcerpc.stub_data").unwrap(), "ask more");
    assert_eq!(bench.text(0, "dcerpc.stub_data").unwrap(), "answer");
    assert_eq!(bench.numbers(0, "dcerpc.opnum"), [15, 15]);
    let expected = Interface { uuid: SVCCTL, version: 2, first_fragment: true };
    assert_eq!(interface(&bench, 0), [(Dir::ToServer, expected), (Dir::ToClient, expected)]);
    assert!(bench.complete(0, Dir::ToServer) && bench.complete(0, Dir::ToClient));
}

#[test]
fn an_interface_is_compared_by_uuid_version_and_fragment() {
    use crate::rules::ruleset::NumRange;
    let later = Interface { uuid: SVCCTL, version: 2, first_fragment: false };
    let range = |low, high, negated| NumRange::new(low, high, negated);
    assert!(later.is(&SVCCTL, None, true) && !later.is(&SVCCTL, None, false));
    assert!(later.is(&SVCCTL, Some(&range(2, 2, false)), true));
    assert!(!later.is(&SVCCTL, Some(&range(3, 9, false)), true));
    assert!(!later.is(&SVCCTL, Some(&range(2, 2, true)), true));
    assert!(!later.is(&[0; 16], None, true));
    assert_eq!(Interface::from_bytes(&later.to_bytes()), Some(later));
    assert_eq!(Interface::from_bytes(b"short"), None);
}

#[test]
fn junk_byte_by_byte_is_linear_and_ends() {
    let mut bench = bench();
    assert_eq!(bench.pieces(Dir::ToServer, &[5; 64], 1), Next::Broken);
    let mut bench = self::bench();
    bench.gap(Dir::ToServer, 1);
    let junk: Vec<u8> = [5, 0].repeat(5 << 20);
    for piece in junk.chunks(1460) {
        bench.data(Dir::ToServer, piece);
    }
    assert_eq!(bench.transactions.len(), 0);
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(cuts in proptest::collection::vec(1usize..60, 1..40), little: bool) {
        let mut ask = bind(little, &[0]);
        ask.extend(request(little, 1, 2, 0, 15, b"first "));
        ask.extend(request(little, 2, 2, 0, 15, b"last"));
        ask.extend(request(little, WHOLE, 3, 0, 16, b"whole"));
        let mut whole = bench();
        whole.data(Dir::ToServer, &ask);
        let mut cut = bench();
        let (mut rest, mut cuts) = (&ask[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            prop_assert_eq!(cut.data(Dir::ToServer, now), Next::More);
            rest = later;
        }
        prop_assert_eq!(told(&whole), told(&cut));
    }

    #[test]
    fn no_bytes_panic(pieces in proptest::collection::vec((any::<bool>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..80)), 0..20)) {
        let mut bench = bench();
        for (to_server, kind, body) in pieces {
            let dir = if to_server { Dir::ToServer } else { Dir::ToClient };
            bench.data(dir, &unit(true, kind % 21, kind >> 4, 1, &body));
            bench.data(dir, &body);
        }
    }
}
