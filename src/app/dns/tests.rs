use super::*;
use crate::app::fixture::Bench;
use crate::app::registry;
use crate::app::transaction::NoteRef;
use proptest::prelude::*;

const TO_SERVER: Dir = Dir::ToServer;
const TO_CLIENT: Dir = Dir::ToClient;

fn bench(kind: &'static Kind) -> Bench {
    let mut bench = Bench::new(kind.proto, Box::new(Dns::new(kind)));
    bench.tuple.dport = 53;
    bench
}

fn over_tcp() -> Bench {
    let mut bench = bench(&DNS);
    bench.tuple.proto = ip_proto::TCP;
    bench
}

/// A message of a header and what follows it.
fn message(flags: u16, counts: [u16; 4], body: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![0x12, 0x34];
    message.extend(flags.to_be_bytes());
    counts.iter().for_each(|count| message.extend(count.to_be_bytes()));
    message.extend(body.concat());
    message
}

/// A name without pointers.
fn name(text: &str) -> Vec<u8> {
    let mut name = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        name.push(label.len() as u8);
        name.extend(label.as_bytes());
    }
    name.push(0);
    name
}

fn question(owner: &[u8], kind: u16) -> Vec<u8> {
    [owner, &kind.to_be_bytes(), &[0, 1]].concat()
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let len = (data.len() as u16).to_be_bytes();
    [owner, &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &len, data].concat()
}

fn query(text: &str) -> Vec<u8> {
    message(0x0100, [1, 0, 0, 0], &[&question(&name(text), 1)])
}

/// The first question's name, by a pointer.
const FIRST: &[u8] = &[0xc0, 12];

fn answer(text: &str) -> Vec<u8> {
    message(
        0x8180,
        [1, 2, 0, 0],
        &[
            &question(&name(text), 1),
            &record(FIRST, 5, b"\x03www\xc0\x0c"),
            &record(FIRST, 1, &[192, 0, 2, 1]),
        ],
    )
}

fn prefixed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

#[test]
fn a_query_is_a_transaction_of_its_own() {
    let mut bench = bench(&DNS);
    bench.data(TO_SERVER, &query("Example.COM"));
    assert_eq!(bench.text(0, "dns.query").as_deref(), Some("Example.COM"));
    assert_eq!(bench.text(0, "dns.queries.rrname").as_deref(), Some("Example.COM"));
    assert!(bench.texts(0, "dns.response.rrname").is_empty());
    assert_eq!(bench.numbers(0, "dns.opcode"), [0]);
    assert_eq!(bench.numbers(0, "dns.rcode"), [0]);
    assert_eq!(bench.numbers(0, "dns.rrtype"), [1]);
    assert!(bench.complete(0, TO_SERVER) && bench.complete(0, TO_CLIENT));
    assert!(bench.events().is_empty());
}

#[test]
fn a_message_goes_once_its_own_direction_was_inspected() {
    let mut bench = bench(&DNS);
    bench.data(TO_CLIENT, &answer("example.com"));
    bench.transactions.sweep();
    let tx = bench.transactions.iter_mut().next().unwrap();
    assert!(tx.changed[TO_CLIENT] && !tx.changed[TO_SERVER]);
    (tx.inspected[TO_CLIENT], tx.changed[TO_CLIENT]) = (Some(crate::app::COMPLETE), false);
    bench.transactions.sweep();
    assert!(bench.transactions.is_empty());
}

#[test]
fn a_response_gives_names_of_records_and_of_data() {
    let mut bench = bench(&DNS);
    bench.data(TO_CLIENT, &answer("example.com"));
    assert!(bench.texts(0, "dns.query").is_empty());
    assert_eq!(bench.texts(0, "dns.queries.rrname"), ["example.com"]);
    assert_eq!(bench.texts(0, "dns.answers.rrname"), ["example.com", "example.com"]);
    let all = ["example.com", "example.com", "www.example.com", "example.com"];
    assert_eq!(bench.texts(0, "dns.response.rrname"), all);
    assert_eq!(bench.numbers(0, "dns.rrtype"), [5, 1]);
    assert!(bench.events().is_empty());
}

#[test]
fn authorities_and_additionals_are_told_apart() {
    let soa = [&name("ns.test")[..], &name("admin.test"), &[0; 20]].concat();
    let mut bench = bench(&DNS);
    let sections: [&[u8]; 3] =
        [&question(&name("a.test"), 28), &record(FIRST, 6, &soa), &record(&name("b.test"), 1, &[1; 4])];
    bench.data(TO_CLIENT, &message(0x8183, [1, 0, 1, 1], &sections));
    assert_eq!(bench.texts(0, "dns.authorities.rrname"), ["a.test"]);
    assert_eq!(bench.texts(0, "dns.additionals.rrname"), ["b.test"]);
    assert_eq!(bench.texts(0, "dns.response.rrname"), ["a.test", "a.test", "ns.test", "b.test"]);
    assert_eq!(bench.numbers(0, "dns.rcode"), [3]);
}

#[test]
fn messages_over_tcp_come_whole_however_they_are_cut() {
    let stream = [prefixed(&query("one.test")), vec![0, 0], prefixed(&query("two.test"))].concat();
    for size in 1..=stream.len() {
        let mut bench = over_tcp();
        bench.pieces(TO_SERVER, &stream, size);
        assert_eq!(bench.transactions.len(), 2, "in pieces of {size}");
        assert_eq!(bench.text(0, "dns.query").as_deref(), Some("one.test"));
        assert_eq!(bench.text(1, "dns.query").as_deref(), Some("two.test"));
        assert!(bench.flushed && bench.events().is_empty());
    }
}

#[test]
fn behind_a_gap_the_next_message_is_found_again() {
    let mut bench = over_tcp();
    bench.data(TO_SERVER, &prefixed(&query("one.test"))[..20]);
    assert_eq!(bench.gap(TO_SERVER, 100), Next::More);
    bench.data(TO_SERVER, b"the rest of something");
    bench.data(TO_SERVER, &prefixed(&query("two.test")));
    assert_eq!(bench.transactions.len(), 1);
    assert_eq!(bench.text(0, "dns.query").as_deref(), Some("two.test"));
}

#[test]
fn events_tell_what_is_amiss() {
    let events = |dir, bytes: &[u8]| {
        let mut bench = bench(&DNS);
        bench.data(dir, bytes);
        bench.events()
    };
    let asked = question(&name("a.test"), 1);
    let with = |flags, counts, body: &[u8]| message(flags, counts, &[&asked, body]);
    assert_eq!(events(TO_SERVER, &with(0x0140, [1, 0, 0, 0], &[])), ["dns.z_flag_set"]);
    assert_eq!(events(TO_SERVER, &with(0x3900, [1, 0, 0, 0], &[])), ["dns.invalid_opcode"]);
    assert_eq!(events(TO_SERVER, &with(0x8100, [1, 0, 0, 0], &[])), ["dns.not_request"]);
    assert_eq!(events(TO_CLIENT, &with(0x0100, [1, 0, 0, 0], &[])), ["dns.not_response"]);
    assert_eq!(events(TO_CLIENT, &with(0x8100, [1, 1, 0, 0], &[1])), ["dns.malformed_data"]);
    assert_eq!(events(TO_CLIENT, &with(0x8100, [1, 0, 1, 0], &[1])), ["dns.invalid_authorities"]);
    assert_eq!(events(TO_SERVER, &with(0x0100, [1, 0, 0, 1], &[1])), ["dns.invalid_additionals"]);
    assert_eq!(events(TO_SERVER, &[0; 11]), ["dns.malformed_data"]);
    let with_name = |name: &[u8]| message(0x0100, [1, 0, 0, 0], &[&question(name, 1)]);
    assert_eq!(events(TO_SERVER, &with_name(&[1, b'a', 0xc0, 14])), ["dns.infinite_loop"]);
    assert_eq!(events(TO_SERVER, &with_name(&[1, b'a', 0xc0, 12])), ["dns.too_many_labels"]);
    let long = name(&vec!["a".repeat(63); 20].join("."));
    assert_eq!(events(TO_SERVER, &with_name(&long)), ["dns.name_too_long"]);
}

#[test]
fn an_answer_that_comes_first_turns_the_session_round() {
    let first = |dir, bytes: &[u8]| (ENTRY.probe)(dir, bytes);
    assert_eq!(first(TO_SERVER, &answer("example.com")), Probe::Reversed);
    assert_eq!(first(TO_CLIENT, &answer("example.com")), Probe::Yes);
    assert_eq!(first(TO_SERVER, &query("example.com")), Probe::Yes);
}

#[test]
fn what_breaks_off_gives_what_came_before() {
    let mut bench = bench(&DNS);
    let whole = answer("example.com");
    bench.data(TO_CLIENT, &whole[..whole.len() - 3]);
    assert_eq!(bench.texts(0, "dns.answers.rrname"), ["example.com"]);
    assert_eq!(bench.events(), ["dns.malformed_data"]);
}

#[test]
fn pointers_do_not_buy_work() {
    // Each name is as long as one can be, and each record only as long as it must.
    let long = name(&vec!["a".repeat(60); 16].join("."));
    let record = record(FIRST, 10, &[]);
    let count = ((65535 - 12 - long.len() - 4) / record.len()) as u16;
    let body = [question(&long, 1), record.repeat(count.into())].concat();
    let bytes = message(0x8180, [1, count, 0, 0], &[&body]);
    let mut bench = bench(&DNS);
    bench.data(TO_CLIENT, &bytes);
    let named = bench.texts(0, "dns.answers.rrname").len();
    assert!(named < 1 + name::MOST_WORK / long.len(), "{named}");
    assert_eq!(bench.events(), ["dns.malformed_data"]);
}

#[test]
fn mdns_and_llmnr_have_names_of_their_own() {
    let mut multicast = bench(&MDNS);
    multicast.data(TO_SERVER, &query("host.local"));
    multicast.data(TO_SERVER, &answer("host.local"));
    assert_eq!(multicast.texts(0, "mdns.queries.rrname"), ["host.local"]);
    assert!(multicast.texts(0, "dns.query").is_empty());
    assert!(multicast.texts(1, "mdns.response.rrname").contains(&"www.host.local".into()));
    assert!(multicast.events().is_empty());
    let mut link = bench(&LLMNR);
    link.data(TO_SERVER, &query("host"));
    assert_eq!(link.texts(0, "llmnr.queries.rrname"), ["host"]);
}

#[test]
fn notes_are_version_3_of_the_log() {
    let mut bench = bench(&DNS);
    bench.data(TO_CLIENT, &answer("example.com"));
    let tx = bench.transactions.iter().next().unwrap();
    let notes: Vec<String> = tx
        .notes()
        .map(|(name, value)| match value {
            NoteRef::Begin => format!("{name} {{"),
            NoteRef::Number(number) => format!("{name} {number}"),
            NoteRef::Bool(value) => format!("{name} {value}"),
            NoteRef::Text(text) => format!("{name} {:?}", String::from_utf8_lossy(text)),
            other => format!("{name} {other:?}"),
        })
        .collect();
    insta::assert_snapshot!(notes.join("\n"), @r#"
    version 3
    type "response"
    id 4660
    flags "8180"
    qr true
    rd true
    ra true
    opcode 0
    rcode "NOERROR"
    queries[] {
    queries[].rrname "example.com"
    queries[].rrtype "A"
    answers[] {
    answers[].rrname "example.com"
    answers[].rrtype "CNAME"
    answers[].ttl 60
    answers[].rdata "www.example.com"
    grouped.CNAME[] "www.example.com"
    answers[] {
    answers[].rrname "example.com"
    answers[].rrtype "A"
    answers[].ttl 60
    answers[].rdata "192.0.2.1"
    grouped.A[] "192.0.2.1"
    "#);
}

#[test]
fn probes_know_messages() {
    let stream = prefixed(&query("example.com"));
    for len in 0..14 {
        assert_eq!(probe_stream(&stream[..len]), Probe::More, "{len}");
    }
    for len in 14..=stream.len() {
        assert_eq!(probe_stream(&stream[..len]), Probe::Yes, "{len}");
    }
    assert_eq!(probe_stream(b"GET / HTTP/1.1\r\n\r\n"), Probe::No);
    assert_eq!(probe_datagram(&query("example.com")), Probe::Yes);
    assert_eq!(probe_datagram(&answer("example.com")), Probe::Yes);
    assert_eq!(probe_datagram(&[0; 11]), Probe::No);
    assert_eq!(probe_datagram(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x3fabcdef"), Probe::No);
    assert!(registry::of(AppProto::Dns).is_some());
}

fn found(bench: &Bench) -> Vec<(Vec<String>, Vec<String>, Vec<&'static str>)> {
    let each = bench.transactions.iter().enumerate();
    each.map(|(at, tx)| {
        let events = tx.events().iter().map(|(_, name)| *name).collect();
        (bench.texts(at, "dns.queries.rrname"), bench.texts(at, "dns.answers.rrname"), events)
    })
    .collect()
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for kind in [&DNS, &MDNS, &LLMNR] {
            let mut bench = bench(kind);
            bench.data(TO_SERVER, &bytes);
            prop_assert_eq!(bench.transactions.len(), 1);
        }
        let _ = (probe_datagram(&bytes), probe_stream(&bytes));
    }

    #[test]
    fn any_cutting_of_a_stream_gives_the_same(
        damage in proptest::collection::vec((0..200usize, any::<u8>()), 0..4),
        cuts in proptest::collection::vec(0..200usize, 0..8),
    ) {
        let mut stream = [&query("one.test"), &answer("two.test"), &query("three.test")].map(|m| prefixed(m)).concat();
        for (at, byte) in damage {
            let len = stream.len();
            stream[at % len] = byte;
        }
        let mut whole = over_tcp();
        whole.data(TO_SERVER, &stream);
        let mut pieces = over_tcp();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % stream.len()).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            pieces.data(TO_SERVER, &stream[pair[0]..pair[1]]);
        }
        prop_assert_eq!(found(&whole), found(&pieces));
    }
}

#[test]
fn junk_a_byte_at_a_time_takes_linear_time() {
    let mut bench = over_tcp();
    for at in 0..10_000_000u32 {
        bench.data(TO_SERVER, &[(at.wrapping_mul(2_654_435_761) >> 24) as u8]);
        bench.transactions.clear();
    }
}

#[test]
fn multicast_kin_have_events_of_their_own_names() {
    let flagged = message(0x0140, [1, 0, 0, 0], &[&question(&name("a.local"), 1)]);
    for (kind, event) in [(&MDNS, "mdns.z_flag_set"), (&LLMNR, "llmnr.z_flag_set")] {
        let mut bench = bench(kind);
        bench.data(TO_SERVER, &flagged);
        assert_eq!(bench.events(), [event]);
        let known = crate::rules::event::of(kind.proto.name()).unwrap();
        assert!(known.contains(&event.split_once('.').unwrap().1));
    }
}
