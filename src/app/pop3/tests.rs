use super::*;
use crate::app::fixture::Bench;
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Pop3, Box::<Pop3>::default())
}

/// What a record would say, a line a note.
fn notes(bench: &Bench, tx: usize) -> Vec<String> {
    let tx = bench.transactions.iter().nth(tx).unwrap();
    tx.notes().map(|(name, value)| format!("{name} {value:?}")).collect()
}

const MAIL: &[u8] = b"+OK 300 octets\r\nFrom: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
--x\r\nContent-Type: text/plain\r\n\r\n..hello\r\n--x\r\nContent-Type: application/octet-stream; name=run.exe\r\n\
Content-Disposition: attachment; filename=run.exe\r\nContent-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAA=\r\n--x--\r\n.\r\n";

#[test]
fn commands_find_their_answers_and_mails_their_files() {
    for size in [1, 10, 1000] {
        let mut bench = bench();
        bench.pieces(Dir::ToClient, b"+OK ready\r\n", size);
        bench.pieces(Dir::ToServer, b"user joe\r\nPASS a b\r\nUIDL\r\nRETR 1\r\nDELE 1\r\n", size);
        bench.pieces(Dir::ToClient, b"+OK\r\n-ERR no\r\n+OK\r\n1 aa\r\n2 bb\r\n.\r\n", size);
        bench.pieces(Dir::ToClient, MAIL, size);
        bench.pieces(Dir::ToClient, b"+OK gone\r\n", size);
        assert_eq!((bench.transactions.len(), bench.events()), (6, vec![]));
        assert!((0..6).all(|n| bench.complete(n, Dir::ToClient) && bench.complete(n, Dir::ToServer)));
        assert_eq!(bench.texts(1, "pop3.pdu"), ["user joe", "+OK"]);
        assert_eq!(bench.texts(2, "pop3.pdu"), ["PASS a b", "-ERR no"]);
        assert_eq!(bench.texts(3, "pop3.pdu"), ["UIDL", "+OK", "1 aa", "2 bb"]);
        assert_eq!(bench.text(4, "file.name").as_deref(), Some("run.exe"));
        assert!(bench.streamed(4, "file.data").unwrap().starts_with("MZ"));
        let file = &bench.transactions.iter().nth(4).unwrap().files()[0];
        assert!(file.closed && !file.truncated && file.dir == Dir::ToClient && file.size == 8);
        assert_eq!(bench.texts(5, "pop3.pdu"), ["DELE 1", "+OK gone"]);
    }
}

#[test]
fn records_say_what_was_asked_and_answered() {
    let mut bench = bench();
    bench.data(Dir::ToServer, b"uidl\r\ntop 1 0\r\n");
    bench.data(Dir::ToClient, b"+OK two\r\n1 aa\r\n.\r\n-ERR no such mail\r\n");
    let texts = |tx| notes(&bench, tx).join("\n");
    for part in ["request.command", "response.data[]", "response.success Bool(true)", "response.header"] {
        assert!(texts(0).contains(part), "{part}: {}", texts(0));
    }
    assert!(texts(1).contains("request.args[]") && texts(1).contains("response.success Bool(false)"));
}

#[test]
fn challenges_are_no_commands() {
    let mut bench = bench();
    bench.data(Dir::ToServer, b"AUTH LOGIN\r\n");
    bench.data(Dir::ToClient, b"+ VXNlcjo=\r\n");
    bench.data(Dir::ToServer, b"am9l\r\n");
    bench.data(Dir::ToClient, b"+OK welcome\r\n");
    bench.data(Dir::ToServer, b"STAT\r\n");
    assert_eq!((bench.transactions.len(), bench.events()), (2, vec![]));
    assert_eq!(bench.texts(0, "pop3.pdu"), ["AUTH LOGIN", "+ VXNlcjo=", "am9l", "+OK welcome"]);
}

#[test]
fn tls_begins_after_the_servers_consent() {
    let mut bench = bench();
    bench.data(Dir::ToServer, b"stls\r\n");
    let next = bench.data(Dir::ToClient, b"+OK go\r\n\x16\x03");
    assert_eq!(next, Next::Change { consumed: 8, to: Some(AppProto::Tls) });
    let mut bench = self::bench();
    bench.data(Dir::ToServer, b"STLS\r\n");
    assert_eq!(bench.data(Dir::ToClient, b"-ERR no\r\n"), Next::More);
    assert_eq!(bench.data(Dir::ToServer, b"\x16\x03"), Next::More);
    let mut bench = self::bench();
    bench.data(Dir::ToServer, b"STLS\r\n");
    let next = bench.data(Dir::ToServer, b"\x16\x03");
    assert_eq!(next, Next::Change { consumed: 0, to: Some(AppProto::Tls) }, "the consent was not seen");
}

#[test]
fn what_is_amiss_has_names() {
    let events = |client: &[u8], server: &[u8]| {
        let mut bench = bench();
        bench.data(Dir::ToServer, client);
        bench.data(Dir::ToClient, server);
        bench.events()
    };
    assert_eq!(events(b"XYZ\r\n", b""), ["pop3.unknown_command"]);
    assert_eq!(events(b"RETR\r\n", b""), ["pop3.incorrect_argument_count"]);
    let long = |start: &str| format!("{start} {}\r\n", "x".repeat(600));
    assert_eq!(events(long("USER").as_bytes(), b""), ["pop3.request_too_long"]);
    assert_eq!(events(b"", long("+OK").as_bytes()), ["pop3.response_too_long"]);
    let mut bench = bench();
    bench.limits.transactions = 1000;
    bench.data(Dir::ToServer, &b"NOOP\r\n".repeat(MAX_WAITING + 1));
    assert_eq!(bench.events(), ["pop3.too_many_transactions"]);
}

#[test]
fn a_mail_with_a_gap_is_truncated_and_the_next_answer_found() {
    let mut bench = bench();
    bench.data(Dir::ToServer, b"RETR 1\r\nSTAT\r\n");
    let (first, last) = MAIL.split_at(MAIL.len() - 20);
    bench.data(Dir::ToClient, first);
    bench.gap(Dir::ToClient, 4);
    bench.data(Dir::ToClient, &last[4..]);
    bench.data(Dir::ToClient, b"+OK 1 2\r\n");
    assert!(bench.complete(0, Dir::ToClient) && bench.complete(1, Dir::ToClient));
    assert!(bench.transactions.iter().next().unwrap().files()[0].truncated);
}

#[test]
fn first_bytes_tell() {
    assert_eq!(probe(Dir::ToClient, b"+OK POP3 ready"), Probe::Yes);
    assert_eq!(probe(Dir::ToClient, b"+O"), Probe::More);
    assert_eq!(probe(Dir::ToServer, b"USER x\r\n"), Probe::No);
    assert_eq!(probe(Dir::ToServer, b"CAPA\r\n"), Probe::Yes);
}

#[test]
fn junk_ends_in_bounded_memory() {
    for (junk, len) in [(&b"x"[..], 10 << 20), (b"\r\n", 1 << 19), (b"+OK\r\n", 1 << 19), (b".\r\n", 1 << 19)]
    {
        let mut bench = bench();
        let junk: Vec<u8> = junk.iter().copied().cycle().take(len).collect();
        bench.data(Dir::ToServer, b"RETR 1\r\n");
        bench.pieces(Dir::ToClient, &junk[..1 << 16], 1);
        bench.pieces(Dir::ToClient, &junk, 1460);
        bench.pieces(Dir::ToServer, &junk, 1460);
        assert!(bench.transactions.len() <= bench.limits.transactions);
    }
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_transactions(
        client in "(RETR 1|UIDL|AUTH X|STAT|x|\\.|\r\n|\n| ){0,12}\r\n",
        server in "(\\+OK|-ERR|\\.|\\+ |a|\r\n|\n|\r){0,30}", size in 1_usize..20
    ) {
        let run = |size| {
            let mut bench = bench();
            bench.pieces(Dir::ToServer, client.as_bytes(), size);
            bench.pieces(Dir::ToClient, server.as_bytes(), size);
            let seen: Vec<_> = (0..bench.transactions.len())
                .map(|n| (bench.texts(n, "pop3.pdu"), notes(&bench, n), bench.complete(n, Dir::ToClient)))
                .collect();
            (seen, bench.events())
        };
        prop_assert_eq!(run(size), run(client.len().max(server.len()).max(1)));
    }

    #[test]
    fn no_bytes_make_it_panic(client in proptest::collection::vec(any::<u8>(), 0..100), server in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bench = bench();
        bench.data(Dir::ToServer, b"RETR 1\r\n");
        bench.data(Dir::ToServer, &client);
        bench.data(Dir::ToClient, b"+OK\r\n");
        bench.data(Dir::ToClient, &server);
        bench.end(Dir::ToClient);
    }
}
