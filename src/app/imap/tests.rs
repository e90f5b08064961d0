use super::*;
use crate::app::fixture::Bench;
use crate::app::limits::Limits;
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Imap, Box::<Imap>::default())
}

const CLIENT: Dir = Dir::ToServer;
const SERVER: Dir = Dir::ToClient;

const MAIL: &str = "Subject: a long\r\n  one\r\nX-Own:  v \r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n\
    --B\r\n\r\ntext\r\n--B\r\nContent-Disposition: attachment; filename=f.txt\r\n\r\nfile\r\n--B--\r\n";

fn talk() -> Vec<(Dir, String)> {
    vec![
        (SERVER, "* OK ready\r\n".to_owned()),
        (CLIENT, "a1 LOGIN me {6}\r\n".to_owned()),
        (SERVER, "+ go on\r\n".to_owned()),
        (CLIENT, "secret\r\n".to_owned()),
        (SERVER, "a1 OK in\r\n".to_owned()),
        (CLIENT, format!("a2 APPEND box (\\Seen) {{{}+}}\r\n{MAIL}\r\n", MAIL.len())),
        (SERVER, "a2 OK done\r\n".to_owned()),
        (CLIENT, "a3 FETCH 1:2 BODY[]\r\n".to_owned()),
        (SERVER, format!("* 1 FETCH (BODY[] {{{}}}\r\n{MAIL} FLAGS ())\r\n", MAIL.len())),
        (SERVER, "* 2 FETCH (RFC822.HEADER {8}\r\nA: b\r\n\r\n)\r\na3 OK\r\n".to_owned()),
    ]
}

fn talked(size: usize) -> Bench {
    let mut bench = bench();
    for (dir, text) in talk() {
        assert_eq!(bench.pieces(dir, text.as_bytes(), size), Next::More);
    }
    bench
}

#[test]
fn a_command_is_a_transaction_with_its_answers() {
    for size in [1, 7, 10_000] {
        let bench = talked(size);
        assert_eq!(bench.texts(0, "imap.response"), ["* OK ready"]);
        assert_eq!(bench.texts(1, "imap.request"), ["a1 LOGIN me {6}"]);
        assert_eq!(bench.texts(1, "imap.response"), ["+ go on", "a1 OK in"]);
        assert_eq!(bench.texts(3, "imap.request"), ["a3 FETCH 1:2 BODY[]"]);
        for tx in 0..bench.transactions.len() {
            assert!(bench.complete(tx, CLIENT) && bench.complete(tx, SERVER), "{tx}");
        }
        assert!(bench.events().is_empty(), "{:?}", bench.events());
    }
}

#[test]
fn mails_are_read_in_either_direction() {
    for size in [1, 7, 10_000] {
        let bench = talked(size);
        for (tx, way) in [(2, 0), (3, 1)] {
            assert_eq!(bench.numbers(tx, "imap.email.direction"), [way]);
            assert_eq!(
                bench.texts(tx, "imap.email.header"),
                ["subject: a long one", "x_own: v", "content_type: multipart/mixed; boundary=B"]
            );
            assert_eq!(bench.texts(tx, "imap.email.header.name"), ["subject", "x_own", "content_type"]);
            assert_eq!(bench.texts(tx, "imap.email.header.value")[0], "a long one");
            let body = &MAIL[MAIL.find("--B").unwrap()..];
            assert_eq!(bench.streamed(tx, "imap.email.body").as_deref(), Some(body));
            assert_eq!(bench.texts(tx, "file.name"), ["f.txt"]);
            assert_eq!(bench.streamed(tx, "file.data").as_deref(), Some("file"));
        }
        assert_eq!(
            bench.texts(4, "imap.email.header"),
            ["a: b"],
            "a second mail is a transaction of its own"
        );
    }
}

#[test]
fn lines_are_frames() {
    for size in [1, 100] {
        let mut bench = bench();
        bench.pieces(SERVER, b"* OK ready\r\na1 NO\r\n", size);
        assert_eq!(
            (bench.text(0, "imap.pdu"), bench.text(1, "imap.pdu")),
            (Some("* OK ready".into()), Some("a1 NO".into()))
        );
    }
    let mut bench = bench();
    bench.pieces(SERVER, &[b'x'; 10_000], 100);
    assert_eq!(bench.text(0, "imap.pdu").unwrap().len(), MAX_LINE);
    assert_eq!(bench.transactions.len(), 1);
}

#[test]
fn what_is_amiss_has_names() {
    let mut bench = bench();
    bench.data(CLIENT, b"nonsense\r\n");
    assert_eq!(bench.events(), ["imap.invalid_data"]);
    let mut bench = self::bench();
    bench.data(SERVER, b"a9 OK what\r\n");
    assert_eq!(bench.events(), ["imap.request_not_found"]);
    let mut bench = self::bench();
    let mail = "A: b\r\n".repeat(300);
    bench.data(CLIENT, format!("a1 APPEND box {{{}}}\r\n{mail}", mail.len()).as_bytes());
    assert_eq!(bench.events(), ["imap.too_many_headers"]);
}

#[test]
fn commands_without_answers_are_bounded() {
    let mut bench = bench();
    bench.limits = Limits { transactions: 2 * MAX_WAITING, ..bench.limits };
    for n in 0..2 * MAX_WAITING {
        bench.data(CLIENT, format!("a{n} NOOP\r\n").as_bytes());
    }
    assert!(bench.complete(0, SERVER) && !bench.complete(2 * MAX_WAITING - 1, SERVER));
}

#[test]
fn a_gap_within_a_mail_costs_only_what_it_held() {
    let mut bench = bench();
    bench.data(CLIENT, b"a1 APPEND box {20}\r\nA: b\r\n\r\n12");
    bench.gap(CLIENT, 5);
    bench.data(CLIENT, b"67890\r\na2 NOOP\r\n");
    assert_eq!(bench.texts(1, "imap.request"), ["a2 NOOP"]);
    assert!(bench.events().is_empty());
}

#[test]
fn tls_begins_after_the_servers_consent() {
    let mut imap = bench();
    imap.data(CLIENT, b"a7 STARTTLS\r\n");
    assert_eq!(imap.data(SERVER, b"* CAPABILITY\r\na7 BAD no\r\na8 OK\r\n"), Next::More);
    imap.data(CLIENT, b"a9 STARTTLS\r\n");
    let next = imap.data(SERVER, b"a9 OK go\r\n");
    assert_eq!(next, Next::Change { consumed: 10, to: Some(AppProto::Tls) });
    imap.data(CLIENT, b"b1 STARTTLS\r\n");
    let next = imap.data(CLIENT, b"\x16\x03");
    assert_eq!(next, Next::Change { consumed: 0, to: Some(AppProto::Tls) }, "the consent was not seen");
}

#[test]
fn first_bytes_tell() {
    assert_eq!(probe(SERVER, b"* OK [CAPABILITY IMAP4rev1]"), Probe::Yes);
    assert_eq!(probe(CLIENT, b"a1 CAPABILITY\r\n"), Probe::Yes);
    assert_eq!(probe(CLIENT, b"GET / HTTP/1.1\r\n"), Probe::No);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_a_byte_at_a_time_is_the_same(pieces in proptest::collection::vec((any::<bool>(), prop_oneof![
        Just(b"a1 APPEND x {9}\r\n".to_vec()), Just(b"A: b\r\n\r\n".to_vec()), Just(b"* 1 FETCH (BODY[] {7}\n".to_vec()),
        Just(b"a1 OK\r\n".to_vec()), Just(b"+\r\n".to_vec()), Just(b"a1 AUTHENTICATE\n".to_vec()),
        Just(b"{99999999999}\n".to_vec()), proptest::collection::vec(any::<u8>(), 0..30)]), 0..30), gap in any::<u8>()) {
        let run = |size: usize| {
            let mut bench = bench();
            for (at, (to_server, bytes)) in pieces.iter().enumerate() {
                let dir = if *to_server { CLIENT } else { SERVER };
                if at == usize::from(gap) {
                    bench.gap(dir, u64::from(gap));
                }
                if bench.pieces(dir, bytes, size) != Next::More {
                    break;
                }
            }
            Dir::BOTH.into_iter().for_each(|dir| bench.end(dir));
            let told: Vec<_> = (0..bench.transactions.len())
                .map(|tx| (bench.texts(tx, "imap.pdu"), bench.texts(tx, "imap.email.header"), bench.streamed(tx, "imap.email.body")))
                .collect();
            (told, bench.events())
        };
        prop_assert_eq!(run(1), run(1000));
    }
}
