use super::*;
use crate::app::fixture::Bench;
use crate::app::{NoteRef, Probe};
use crate::base::Dir::{ToClient, ToServer};
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Pgsql, Box::<Pgsql>::default())
}

fn opening(code: u32, rest: &[u8]) -> Vec<u8> {
    [&(rest.len() as u32 + 8).to_be_bytes()[..], &code.to_be_bytes(), rest].concat()
}

fn typed(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn startup() -> Vec<u8> {
    opening(0x0003_0000, b"user\0rules\0database\0shop\0application_name\0psql\0\0")
}

fn ready() -> Vec<u8> {
    typed(b'Z', b"I")
}

type Talk = Vec<(Dir, Vec<u8>)>;

/// Encryption refused, MD5 asked for, a query with two rows, the end.
fn session() -> Talk {
    vec![
        (ToServer, opening(frame::SSL, b"")),
        (ToClient, b"N".to_vec()),
        (ToServer, startup()),
        (ToClient, typed(b'R', b"\0\0\0\x05salt")),
        (ToServer, typed(b'p', b"md5secret\0")),
        (
            ToClient,
            [
                typed(b'R', &[0; 4]),
                typed(b'S', b"server_version\x0014.1\0"),
                typed(b'K', &[0, 0, 0, 9, 0, 0, 0, 7]),
                ready(),
            ]
            .concat(),
        ),
        (ToServer, typed(b'Q', b"select * from rule\0")),
        (
            ToClient,
            [
                typed(b'T', b"\0\x02rest"),
                typed(b'D', &[1; 10]),
                typed(b'D', &[1; 20]),
                typed(b'C', b"SELECT 2\0"),
                ready(),
            ]
            .concat(),
        ),
        (ToServer, typed(b'X', b"")),
    ]
}

fn talk(talk: &Talk, size: usize) -> Bench {
    let mut bench = bench();
    for (dir, bytes) in talk {
        bench.pieces(*dir, bytes, size);
    }
    bench
}

fn notes(bench: &Bench, tx: usize) -> Vec<String> {
    let text = |value: NoteRef<'_>| match value {
        NoteRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    let tx = bench.transactions.iter().nth(tx).unwrap();
    let of_it = tx.notes().filter(|(name, _)| *name != "tx_id");
    of_it.map(|(name, value)| format!("{name}={}", text(value))).collect()
}

fn told(bench: &Bench) -> Vec<Vec<String>> {
    (0..bench.transactions.len()).map(|tx| notes(bench, tx)).collect()
}

#[test]
fn a_session_is_a_transaction_a_request() {
    for size in [1, 3, 10_000] {
        let bench = talk(&session(), size);
        let told = told(&bench);
        assert_eq!(told.len(), 5, "in pieces of {size}: {told:?}");
        assert_eq!(told[0], ["request.message=SSL Request", "response.ssl_accepted=Bool(false)"]);
        let startup = [
            "request.protocol_version=3.0",
            "request.startup_parameters.user=rules",
            "request.startup_parameters.database=shop",
            "request.startup_parameters.optional_parameters[]=Begin",
            "request.startup_parameters.optional_parameters[].application_name=psql",
            "response.authentication_md5_password=salt",
        ];
        assert_eq!(told[1], startup);
        assert_eq!(told[2][0], "request.message=password_message", "and nothing of the password");
        assert!(told[2].contains(&"response.process_id=Number(9)".to_owned()), "{:?}", told[2]);
        let query = [
            "request.simple_query=select * from rule",
            "response.field_count=Number(2)",
            "response.command_completed=SELECT 2",
            "response.data_rows=Number(2)",
            "response.data_size=Number(30)",
        ];
        assert_eq!(told[3], query);
        assert_eq!(bench.text(3, "pgsql.query").as_deref(), Some("select * from rule"));
        assert_eq!(bench.numbers(3, "pgsql.query_length"), [18]);
        assert_eq!(told[4], ["request.message=terminate"]);
        assert!((0..5).all(|tx| bench.complete(tx, ToServer) && bench.complete(tx, ToClient)));
        assert!(bench.events().is_empty(), "{:?}", bench.events());
    }
}

#[test]
fn encryption_makes_it_tls() {
    let mut bench = bench();
    bench.data(ToServer, &opening(frame::SSL, b""));
    let next = bench.data(ToClient, b"S\x16\x03");
    assert_eq!(next, Next::Change { consumed: 1, to: Some(AppProto::Tls) });
    assert!(bench.complete(0, ToClient));
}

#[test]
fn an_old_server_answers_a_wish_for_encryption_with_an_error() {
    let mut bench = bench();
    bench.data(ToServer, &opening(frame::SSL, b""));
    bench.pieces(ToClient, &typed(b'E', b"SFATAL\0\0"), 2);
    assert_eq!(notes(&bench, 0).last().map(String::as_str), Some("response.severity_localizable=FATAL"));
    assert!(bench.complete(0, ToClient) && bench.events().is_empty());
}

#[test]
fn queries_sent_ahead_are_answered_in_their_order() {
    let mut bench = talk(&session()[2..6].to_vec(), 1000);
    let two = [typed(b'Q', b"one\0"), typed(b'Q', b"two\0")].concat();
    bench.data(ToServer, &two);
    let error = typed(b'E', b"SERROR\0C42P01\0Mno such table\0\0");
    bench.data(ToClient, &[error, ready(), typed(b'C', b"INSERT 0 1\0"), ready()].concat());
    let expected = [
        "request.simple_query=one",
        "response.severity_localizable=ERROR",
        "response.code=42P01",
        "response.message=no such table",
    ];
    assert_eq!(notes(&bench, 2), expected);
    assert_eq!(notes(&bench, 3), ["request.simple_query=two", "response.command_completed=INSERT 0 1"]);
}

#[test]
fn the_extended_protocol_is_one_request_up_to_a_sync() {
    let mut bench = talk(&session()[2..6].to_vec(), 1000);
    let messages =
        [typed(b'P', b"\0select 1\0\0\0"), typed(b'B', &[0; 8]), typed(b'E', &[0; 5]), typed(b'S', b"")];
    bench.data(ToServer, &messages[..3].concat());
    assert!(!bench.complete(2, ToServer));
    bench.data(ToServer, &messages[3]);
    bench.data(ToClient, &[typed(b'1', b""), typed(b'2', b""), typed(b'C', b"SELECT 1\0"), ready()].concat());
    assert_eq!(bench.transactions.len(), 3);
    assert!(bench.complete(2, ToServer) && bench.complete(2, ToClient));
    assert_eq!(bench.texts(2, "pgsql.query").len(), 0, "simple queries only");
}

#[test]
fn what_is_copied_belongs_to_its_query() {
    let mut bench = talk(&session()[2..6].to_vec(), 1000);
    bench.data(ToServer, &typed(b'Q', b"copy rule from stdin\0"));
    bench.data(ToClient, &typed(b'G', &[0; 3]));
    bench.data(ToServer, &[typed(b'd', b"1\t2\n"), typed(b'd', b"3\t4\n"), typed(b'c', b"")].concat());
    bench.data(ToClient, &[typed(b'C', b"COPY 2\0"), ready()].concat());
    let notes = notes(&bench, 2);
    assert!(notes.contains(&"request.copy_data_in.msg_count=Number(2)".to_owned()), "{notes:?}");
    assert_eq!(bench.transactions.len(), 3);
}

#[test]
fn what_comes_unasked_is_a_transaction_of_the_server() {
    let mut bench = talk(&session()[2..6].to_vec(), 1000);
    bench.data(ToClient, &typed(b'A', b"\0\0\0\x05news\0hello\0"));
    assert_eq!(notes(&bench, 2).len(), 3);
    assert!(bench.complete(2, ToServer) && bench.complete(2, ToClient));
}

#[test]
fn a_request_to_cancel_has_no_answer() {
    let mut bench = bench();
    assert_eq!(bench.data(ToServer, &opening(frame::CANCEL, &[0, 0, 0, 1, 0, 0, 0, 2])), Next::Stop);
    assert!(bench.complete(0, ToServer) && bench.complete(0, ToClient));
    assert!(bench.events().is_empty());
}

#[test]
fn broken_messages_are_told() {
    let table: &[(Dir, &[u8], &str)] = &[
        (ToServer, b"?\0\0\0\x04", "pgsql.malformed_request"),
        (ToClient, b"?\0\0\0\x04", "pgsql.malformed_response"),
        (ToServer, b"Q\0\0\0\x02", "pgsql.invalid_length"),
        (ToClient, b"Z\xff\0\0\0", "pgsql.invalid_length"),
        (ToServer, &typed(b'Q', b"never ends"), "pgsql.malformed_request"),
        (ToClient, &typed(b'R', b"\0"), "pgsql.malformed_response"),
    ];
    for (dir, bytes, event) in table {
        let mut bench = talk(&session()[2..6].to_vec(), 1000);
        bench.data(ToServer, &typed(b'Q', b"select 1\0"));
        bench.data(*dir, bytes);
        assert_eq!(bench.events(), [*event], "{bytes:?}");
    }
}

#[test]
fn the_first_bytes_prove_it() {
    let error = typed(b'E', b"SFATAL\0C28000\0\0");
    let table: &[(&[u8], Dir, Probe, Probe)] = &[
        (&startup(), ToServer, Probe::Yes, Probe::Yes),
        (&startup(), ToClient, Probe::Reversed, Probe::Reversed),
        (&startup()[..8], ToServer, Probe::More, Probe::More),
        (&startup()[..5], ToServer, Probe::More, Probe::More),
        (&opening(frame::SSL, b""), ToServer, Probe::Yes, Probe::Yes),
        (&opening(frame::SSL, b"")[..6], ToServer, Probe::More, Probe::More),
        (&opening(frame::CANCEL, &[0; 8]), ToServer, Probe::Yes, Probe::Yes),
        (&typed(b'R', b"\0\0\0\x05salt"), ToClient, Probe::Yes, Probe::Yes),
        (b"R\0\0", ToClient, Probe::More, Probe::More),
        (&error, ToClient, Probe::Yes, Probe::Yes),
        (b"N", ToClient, Probe::No, Probe::Yes),
        (b"N", ToServer, Probe::No, Probe::No),
        (b"RFB 003.008\n", ToClient, Probe::No, Probe::No),
        (b"EHLO x", ToServer, Probe::No, Probe::No),
        (b"\0\0\0\x54\xffSMB", ToServer, Probe::No, Probe::No),
        (&opening(0x0002_0000, b"user"), ToServer, Probe::No, Probe::No),
        (&opening(0x0003_0000, b"\xff"), ToServer, Probe::No, Probe::No),
    ];
    for (bytes, dir, anywhere, on_port) in table {
        assert_eq!(frame::probe_anywhere(*dir, bytes), *anywhere, "{bytes:?}");
        assert_eq!(frame::probe_on_port(*dir, bytes), *on_port, "{bytes:?}");
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let mut bench = talk(&session()[2..6].to_vec(), 1000);
    // A query of 10 MB, and as many bytes of requests that nobody answers.
    let long = typed(b'Q', &[b'x'; 10 << 20]);
    bench.pieces(ToServer, &long, 1400);
    let kept = bench.text(2, "pgsql.query").map(|query| query.len());
    assert_eq!((kept, bench.events()), (Some(MAX_REQUEST - frame::HEADER), vec![]));
    let many = typed(b'Q', b"select 1 from somewhere\0").repeat(1000);
    for _ in 0..300 {
        bench.data(ToServer, &many);
    }
    assert!(bench.events().contains(&"pgsql.too_many_transactions"));
    assert!(bench.transactions.len() <= bench.limits.transactions);
    // Rows without end are counted.
    let rows = typed(b'D', &[7; 1000]).repeat(1000);
    (0..10).for_each(|_| assert_eq!(bench.data(ToClient, &rows), Next::More));
    // A byte a time.
    bench.pieces(ToServer, &b"Q\0\0\0\x05\0".repeat(20_000), 1);
    let mut bench = self::bench();
    let next = (0..10_000).map(|_| bench.data(ToServer, &[0; 1000])).find(|next| *next != Next::More);
    assert_eq!((next, bench.events()), (Some(Next::Broken), vec!["pgsql.invalid_length"]));
}

#[test]
fn a_gap_within_a_row_is_survived() {
    let mut bench = talk(&session()[2..7].to_vec(), 1000);
    let row = typed(b'D', &[1; 5000]);
    bench.data(ToClient, &row[..1000]);
    assert_eq!(bench.gap(ToClient, 2000), Next::More);
    bench.data(ToClient, &row[3000..]);
    bench.data(ToClient, &[typed(b'C', b"SELECT 1\0"), ready()].concat());
    assert!(notes(&bench, 2).contains(&"response.data_size=Number(5000)".to_owned()));
    assert_eq!(bench.gap(ToServer, 10), Next::Stop);
}

proptest! {
    #[test]
    fn no_cut_changes_anything(cuts in proptest::collection::vec(1usize..60, 1..40)) {
        let whole = told(&talk(&session(), 100_000));
        let mut bench = bench();
        let mut cuts = cuts.iter().cycle();
        for (dir, bytes) in &session() {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                bench.data(*dir, now);
                rest = later;
            }
        }
        prop_assert_eq!(told(&bench), whole);
    }

    #[test]
    fn no_bytes_panic(damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..8)) {
        let mut sample = session();
        for (at, byte) in damage {
            let count = sample.len();
            let bytes = &mut sample[at % count].1;
            let len = bytes.len();
            bytes[(at >> 8) % len] = byte;
        }
        talk(&sample, 30);
    }
}
