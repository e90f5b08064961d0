use super::*;
use crate::app::NoteRef;
use crate::app::fixture::Bench;
use proptest::prelude::*;

const CONNECT: &[u8] =
    b"\x10\x2f\0\x04MQTT\x05\xc2\0\x3c\x03!\0\x14\0\x13myvoiceismypassport\0\x04user\0\x04pass";
const CONNACK: &[u8] = b"\x20\x06\0\0\x03\x22\0\x0a";
const SUBSCRIBE: &[u8] = b"\x82\x15\0\x01\0\0\x06topicX\0\0\x06topicY\0";
const SUBACK: &[u8] = b"\x90\x05\0\x01\0\0\x01";

fn bench() -> Bench {
    Bench::new(AppProto::Mqtt, Box::<Mqtt>::default())
}

fn connected() -> Bench {
    let mut bench = bench();
    bench.data(Dir::ToServer, CONNECT);
    bench.data(Dir::ToClient, CONNACK);
    bench
}

#[test]
fn a_session_of_version_five() {
    for size in [1, 5, 100] {
        let mut bench = bench();
        bench.pieces(Dir::ToServer, CONNECT, size);
        assert!(!bench.complete(0, Dir::ToServer));
        bench.pieces(Dir::ToClient, CONNACK, size);
        assert_eq!(bench.text(0, "mqtt.connect.username").as_deref(), Some("user"));
        assert_eq!(bench.text(0, "mqtt.connect.clientid").as_deref(), Some("myvoiceismypassport"));
        assert_eq!(bench.numbers(0, "mqtt.type"), [1, 2]);
        assert_eq!(bench.numbers(0, "mqtt.protocol_version"), [5, 5]);
        assert_eq!(bench.numbers(0, "mqtt.reason_code"), [0]);
        // Frames of the other direction stand by themselves.
        assert_eq!((bench.texts(0, "mqtt.pdu").len(), bench.texts(1, "mqtt.pdu").len()), (1, 1));
        assert!(bench.complete(0, Dir::ToServer) && bench.complete(0, Dir::ToClient));
        bench.pieces(Dir::ToServer, SUBSCRIBE, size);
        bench.pieces(Dir::ToClient, SUBACK, size);
        assert_eq!(bench.texts(2, "mqtt.subscribe.topic"), ["topicX", "topicY"]);
        assert_eq!(
            (bench.numbers(2, "mqtt.reason_code"), bench.numbers(2, "mqtt.qos")),
            (vec![0, 1], vec![1, 0])
        );
        bench.pieces(Dir::ToServer, b"\xe0\x01\x04", size);
        assert_eq!(bench.numbers(4, "mqtt.reason_code"), [4]);
        assert_eq!(bench.events(), [""; 0]);
    }
}

#[test]
fn a_message_delivered_exactly_once() {
    let mut bench = connected();
    bench.data(Dir::ToServer, b"\x34\x0b\0\x01t\0\x07\0hello");
    bench.data(Dir::ToClient, b"\x50\x02\0\x07");
    bench.data(Dir::ToServer, b"\x62\x02\0\x07");
    assert!(!bench.complete(2, Dir::ToServer));
    bench.data(Dir::ToClient, b"\x70\x02\0\x07");
    assert!(bench.complete(2, Dir::ToServer));
    assert_eq!(bench.numbers(2, "mqtt.type"), [3, 5, 6, 7]);
    assert_eq!(
        (bench.text(2, "mqtt.publish.topic").unwrap(), bench.text(2, "mqtt.publish.message").unwrap()),
        ("t".into(), "hello".into())
    );
}

#[test]
fn a_message_to_a_subscriber_belongs_to_the_client() {
    let mut bench = connected();
    bench.data(Dir::ToClient, b"\x30\x09\0\x01t\0hello");
    let tx = bench.transactions.iter().nth(2).unwrap();
    assert!(tx.items().iter().all(|item| item.dir == Dir::ToClient) && tx.is_complete(Dir::ToServer));
}

#[test]
fn what_is_amiss_has_names() {
    let events = |all: &[(Dir, &[u8])], start: Bench| {
        let mut bench = start;
        all.iter().for_each(|(dir, bytes)| {
            bench.data(*dir, bytes);
        });
        bench.events().join(" ")
    };
    let (up, down) = (Dir::ToServer, Dir::ToClient);
    assert_eq!(events(&[(down, CONNACK)], bench()), "mqtt.missing_connect");
    assert_eq!(events(&[(up, CONNECT)], connected()), "mqtt.double_connect");
    assert_eq!(events(&[(up, b"\x30\x03\0\x01t")], bench()), "mqtt.unintroduced_message");
    assert_eq!(events(&[(up, b"\x36\x06\0\x01t\0\x01\0")], connected()), "mqtt.invalid_qos_level");
    assert_eq!(events(&[(up, b"\0\0")], connected()), "mqtt.unassigned_msg_type");
    assert_eq!(events(&[(down, b"\x40\x02\0\x01")], connected()), "mqtt.missing_publish");
    assert_eq!(events(&[(down, SUBACK)], connected()), "mqtt.missing_subscribe");
    assert_eq!(events(&[(down, b"\xb0\x03\0\x01\0")], connected()), "mqtt.missing_unsubscribe");
    assert_eq!(events(&[(up, b"\x32\x03\0\x01t")], connected()), "mqtt.missing_msg_id");
    let mut broken = CONNECT.to_vec();
    broken[12] = 0xff;
    assert_eq!(events(&[(up, &broken)], bench()), "mqtt.malformed_traffic");
    assert_eq!(events(&[(up, b"\x30\xff\xff\xff\xff\xff")], connected()), "mqtt.malformed_traffic");
    assert_eq!(events(&[(up, b"\xc0\0"), (down, b"\xd0\0")], connected()), "");
}

#[test]
fn a_gap_is_survived_and_accuses_nobody() {
    let mut bench = bench();
    bench.data(Dir::ToClient, CONNACK);
    bench.gap(Dir::ToServer, 16);
    bench.data(Dir::ToServer, b"\x82\x06\0\x01\0\x01t\x01");
    bench.data(Dir::ToClient, b"\x90\x03\0\x01\x01");
    bench.data(Dir::ToClient, b"\x40\x02\0\x09");
    assert_eq!(bench.events(), ["mqtt.missing_connect"]);
    assert_eq!(bench.texts(1, "mqtt.subscribe.topic"), ["t"]);
}

#[test]
fn a_message_longer_than_the_bound_is_cut_and_stepped_over() {
    let mut bench = connected();
    let len = 3 * MAX_MESSAGE;
    let mut message =
        vec![0x30, (len & 0x7f) as u8 | 0x80, (len >> 7 & 0x7f) as u8 | 0x80, (len >> 14) as u8];
    message.extend_from_slice(b"\0\x01t\0");
    message.resize(4 + len, b'x');
    message.extend_from_slice(b"\xe0\0");
    bench.pieces(Dir::ToServer, &message, 1000);
    assert_eq!(bench.transactions.len(), 4);
    assert_eq!(bench.numbers(3, "mqtt.type"), [14]);
    assert_eq!(bench.text(2, "mqtt.publish.topic").as_deref(), Some("t"));
    assert_eq!(bench.events(), [""; 0]);
    let cut = bench.transactions.iter().nth(2).unwrap();
    assert!(cut.notes().any(|note| note == ("publish.truncated", NoteRef::Bool(true))));
    assert!(cut.notes().any(|note| note == ("publish.skipped_length", NoteRef::Number(len as u64))));
}

#[test]
fn a_record_has_the_properties_of_version_five() {
    let mut bench = bench();
    let will = b"\x05\x18\0\0\0\xc8\0\x01t\0\x01m";
    let properties = b"\x11\x21\0\xde\x26\0\x01k\0\x03v.w\x09\0\x02\x3c\xa4";
    let body = [&b"\0\x04MQTT\x05\x04\0\x3c"[..], properties, b"\0\x01c", will].concat();
    bench.data(Dir::ToServer, &[&[0x10, body.len() as u8][..], &body].concat());
    bench.data(Dir::ToClient, CONNACK);
    bench.data(Dir::ToServer, b"\xe0\x07\x04\x05\x11\0\0\0\x7a");
    let said = |tx: usize| -> Vec<String> {
        let tx = bench.transactions.iter().nth(tx).unwrap();
        let below = tx.placed_notes().filter(|(below, ..)| !below.is_empty());
        below.map(|(below, name, value)| format!("{below} {name} {value:?}")).collect()
    };
    let expected = [
        "/mqtt.connect.will.properties will_delay_interval Number(200)",
        "/mqtt.connect.properties receive_maximum Number(222)",
        "/mqtt.connect.properties  Pair([107], [118, 46, 119])",
        "/mqtt.connect.properties correlation_data Text([51, 99, 97, 52])",
        "/mqtt.connack.properties topic_alias_maximum Number(10)",
    ];
    assert_eq!(said(0), expected);
    assert_eq!(said(2), ["/mqtt.disconnect.properties session_expiry_interval Number(122)"]);
}

#[test]
fn unanswered_messages_are_bounded() {
    let mut bench = connected();
    for _ in 0..3000 {
        bench.data(Dir::ToServer, b"\xc0\0");
    }
    assert!(bench.transactions.len() <= bench.limits.transactions);
}

#[test]
fn first_bytes_tell() {
    assert!((0..10).all(|len| probe(Dir::ToServer, &CONNECT[..len.min(7)]) == Probe::More || len > 7));
    assert_eq!(probe(Dir::ToServer, &CONNECT[..8]), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, b"\x10\x2f\0\x04HTTP"), Probe::No);
    assert_eq!(probe(Dir::ToClient, b"\x20\x02\0\0"), Probe::Yes);
    assert_eq!(probe(Dir::ToClient, CONNACK), Probe::Yes);
    assert_eq!(probe(Dir::ToClient, b"\x20\x02\x07\0"), Probe::No);
    assert_eq!(probe(Dir::ToClient, b"HTTP/1.1"), Probe::No);
    assert_eq!(
        (probe(Dir::ToClient, CONNECT), probe(Dir::ToServer, CONNACK)),
        (Probe::Reversed, Probe::Reversed)
    );
}

fn summary(bench: &Bench) -> Vec<String> {
    let items = |tx: &crate::app::Transaction| {
        let mut all: Vec<_> =
            tx.items().iter().map(|item| format!("{item:?} {:?}", tx.bytes(item))).collect();
        all.push(format!("{:?} {:?}", tx.events(), Dir::BOTH.map(|dir| tx.stage(dir))));
        all
    };
    bench.transactions.iter().flat_map(items).collect()
}

proptest! {
    #[test]
    fn any_cutting_finds_the_same_and_nothing_panics(pieces in proptest::collection::vec((any::<bool>(), prop_oneof![
        Just(CONNECT.to_vec()), Just(CONNACK.to_vec()), Just(SUBSCRIBE.to_vec()), Just(SUBACK.to_vec()),
        (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(first, body)| [&[first, body.len() as u8][..], &body].concat()),
        proptest::collection::vec(any::<u8>(), 0..20)]), 0..30), size in 1usize..20) {
        let (mut one, mut two) = (bench(), bench());
        for (to_server, bytes) in &pieces {
            let dir = if *to_server { Dir::ToServer } else { Dir::ToClient };
            let next = one.data(dir, bytes);
            prop_assert_eq!(two.pieces(dir, bytes, size), next);
            if next != Next::More {
                break;
            }
        }
        prop_assert_eq!(summary(&one), summary(&two));
    }
}

#[test]
fn more_requests_without_answers_than_are_kept_are_an_event() {
    let mut bench = connected();
    for _ in 0..MAX_WAITING {
        bench.data(Dir::ToServer, SUBSCRIBE);
    }
    assert_eq!(bench.events(), [""; 0]);
    bench.data(Dir::ToServer, SUBSCRIBE);
    assert_eq!(bench.events(), ["mqtt.too_many_transactions"]);
}
