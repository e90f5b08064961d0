use super::*;
use crate::app::fixture::Bench;
use proptest::prelude::*;

fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    match content.len() {
        len @ 0..0x80 => [&[tag, len as u8], &content[..]].concat(),
        len => [&[tag, 0x82], &(len as u16).to_be_bytes()[..], &content[..]].concat(),
    }
}

fn text(text: &str) -> Vec<u8> {
    element(ber::OCTETS, &[text.as_bytes()])
}

fn message(id: u8, tag: u8, content: &[&[u8]]) -> Vec<u8> {
    element(ber::SEQUENCE, &[&[ber::INTEGER, 1, id], &element(tag, content)])
}

fn search(id: u8) -> Vec<u8> {
    let limits = [0x0a, 1, 2, 0x0a, 1, 0, 2, 2, 3, 0xe8, 2, 1, 30, 1, 1, 0];
    let filter = element(0x87, &[b"objectClass"]);
    let selection = element(ber::SEQUENCE, &[&text("cn"), &text("mail")]);
    message(id, 0x63, &[&text("dc=example,dc=com"), &limits, &filter, &selection])
}

fn entry(id: u8) -> Vec<u8> {
    let attribute = element(ber::SEQUENCE, &[&text("mail"), &element(0x31, &[&text("a@b")])]);
    message(id, 0x64, &[&text("cn=x,dc=example,dc=com"), &element(ber::SEQUENCE, &[&attribute])])
}

fn result(id: u8, tag: u8, code: u8, said: &str) -> Vec<u8> {
    message(id, tag, &[&[0x0a, 1, code], &text(""), &text(said)])
}

fn bench() -> Bench {
    Bench::new(AppProto::Ldap, Box::<Ldap>::default())
}

#[test]
fn a_search_and_its_results() {
    for size in [1, 9, 1000] {
        let mut bench = bench();
        bench.pieces(Dir::ToServer, &search(7), size);
        bench.pieces(Dir::ToClient, &[entry(7), entry(7), result(7, 0x65, 4, "too many")].concat(), size);
        assert_eq!(bench.text(0, "ldap.request.dn").as_deref(), Some("dc=example,dc=com"));
        assert_eq!(bench.texts(0, "ldap.request.attribute_type"), ["cn", "mail"]);
        assert_eq!(bench.numbers(0, "ldap.request.operation"), [3]);
        assert_eq!(bench.numbers(0, "ldap.responses.operation"), [4, 4, 5]);
        assert_eq!(
            (bench.numbers(0, "ldap.responses.count"), bench.numbers(0, "ldap.responses.result_code")),
            (vec![3], vec![4])
        );
        assert_eq!(
            bench.texts(0, "ldap.responses.dn"),
            ["cn=x,dc=example,dc=com", "cn=x,dc=example,dc=com", ""]
        );
        assert_eq!(bench.texts(0, "ldap.responses.message"), ["", "", "too many"]);
        assert_eq!(bench.texts(0, "ldap.responses.attribute_type"), ["mail", "mail"]);
        assert!(bench.complete(0, Dir::ToClient) && bench.events().is_empty());
    }
}

#[test]
fn entries_of_other_requests() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &message(1, 0x60, &[&[2, 1, 3], &text("cn=admin"), &element(0x80, &[b"pw"])]));
    bench.data(Dir::ToServer, &message(2, 0x4a, &[b"cn=gone"]));
    bench.data(Dir::ToServer, &message(3, 0x42, &[]));
    assert_eq!(bench.text(0, "ldap.request.dn").as_deref(), Some("cn=admin"));
    assert_eq!(bench.text(1, "ldap.request.dn").as_deref(), Some("cn=gone"));
    assert!(bench.complete(2, Dir::ToClient) && !bench.complete(0, Dir::ToClient));
    assert_eq!(bench.numbers(2, "ldap.responses.count"), [0]);
}

#[test]
fn tls_begins_after_the_servers_consent() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &message(1, 0x77, &[&element(0x80, &[START_TLS])]));
    let answer = result(1, 0x78, 0, "");
    let next = bench.data(Dir::ToClient, &[&answer[..], b"\x16\x03"].concat());
    assert_eq!(next, Next::Change { consumed: answer.len(), to: Some(AppProto::Tls) });
}

#[test]
fn what_is_amiss_has_names() {
    let mut bench = bench();
    bench.data(Dir::ToClient, &result(9, 0x65, 0, ""));
    bench.data(Dir::ToServer, &message(1, 0x63, &[&text("dn")]));
    assert_eq!(bench.events(), ["ldap.request_not_found", "ldap.invalid_data"]);
    assert_eq!(bench.data(Dir::ToServer, b"GET / HTTP"), Next::Broken);
}

#[test]
fn a_message_longer_than_the_bound_is_stepped_over() {
    let mut bench = bench();
    let mut long = vec![0x30, 0x83, 0x10, 0, 0];
    long.resize(5 + 0x10_0000, 0);
    bench.pieces(Dir::ToServer, &[long, search(1)].concat(), 1000);
    assert_eq!(bench.text(0, "ldap.request.dn").as_deref(), Some("dc=example,dc=com"));
}

#[test]
fn a_datagram_is_a_message() {
    let mut bench = bench();
    bench.tuple.proto = ip_proto::UDP;
    assert_eq!(bench.data(Dir::ToServer, &search(1)[..20]), Next::More);
    bench.data(Dir::ToServer, b"junk");
    bench.data(Dir::ToServer, &search(1));
    assert!(bench.transactions.iter().any(|tx| tx.buffers(REQUEST_DN).next().is_some()));
}

#[test]
fn first_bytes_tell() {
    let request = search(1);
    assert!((0..request.len()).all(|len| probe(Dir::ToServer, &request[..len]) != Probe::No));
    assert_eq!(probe(Dir::ToServer, &request), Probe::Yes);
    assert_eq!(probe(Dir::ToClient, &request), Probe::Reversed);
    assert_eq!(probe(Dir::ToClient, &entry(1)), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, b"\x30\x26\x02\x01\x01\x04\x06public"), Probe::No, "SNMP");
    assert_eq!(probe(Dir::ToServer, b"0123456"), Probe::No);
}

proptest! {
    #[test]
    fn any_cutting_finds_the_same_and_nothing_panics(pieces in proptest::collection::vec((any::<bool>(), prop_oneof![
        (0u8..4).prop_map(search), (0u8..4).prop_map(entry), (0u8..4, 0x60u8..0x7a).prop_map(|(id, tag)| result(id, tag, 0, "x")),
        (0u8..4, 0x40u8..0x80, proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(id, tag, body)| message(id, tag, &[&body])),
        proptest::collection::vec(any::<u8>(), 0..10)]), 0..30), size in 1usize..20) {
        let (mut one, mut two) = (bench(), bench());
        for (to_server, bytes) in &pieces {
            let dir = if *to_server { Dir::ToServer } else { Dir::ToClient };
            let (first, second) = (one.data(dir, bytes), two.pieces(dir, bytes, size));
            prop_assert_eq!(first == Next::More, second == Next::More);
            if first != Next::More {
                break;
            }
        }
        let items = |bench: &Bench| bench.transactions.iter().flat_map(|tx| {
            tx.items().iter().map(|item| format!("{item:?} {:?}", tx.bytes(item))).collect::<Vec<_>>()
        }).collect::<Vec<_>>();
        prop_assert_eq!(items(&one), items(&two));
    }
}

#[test]
fn more_requests_without_answers_than_are_kept_are_an_event() {
    let mut bench = bench();
    bench.limits.transactions = 2 * MAX_WAITING;
    for _ in 0..MAX_WAITING {
        bench.data(Dir::ToServer, &search(1));
    }
    assert_eq!(bench.events(), [""; 0]);
    bench.data(Dir::ToServer, &search(1));
    assert_eq!(bench.events(), ["ldap.too_many_transactions"]);
}
