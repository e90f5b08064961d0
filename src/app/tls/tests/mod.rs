mod faults;

use super::decoder::Tls;
use super::record::probe;
use super::x509::tests::{alternatives, certificate, common_name};
use crate::app::fixture::Bench;
use crate::app::{Next, Probe};
use crate::base::Dir::{self, ToClient, ToServer};
use crate::rules::app::AppProto;
use crate::rules::{context, field};
use proptest::prelude::*;
use std::fmt::Write;

fn bench() -> Bench {
    Bench::new(AppProto::Tls, Box::<Tls>::default())
}

fn bench_with(dir: Dir, bytes: &[u8]) -> Bench {
    let mut bench = bench();
    bench.data(dir, bytes);
    bench
}

fn vec16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn vec24(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[1..], bytes].concat()
}

fn numbers(all: &[u16]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &vec16(body)].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vec24(body)].concat()
}

fn extension(id: u16, data: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &vec16(data)].concat()
}

fn server_name(name: &[u8]) -> Vec<u8> {
    extension(0, &vec16(&[&[0][..], &vec16(name)].concat()))
}

fn protocols(names: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = names.iter().flat_map(|n| [&[n.len() as u8][..], n.as_bytes()].concat()).collect();
    extension(16, &vec16(&list))
}

fn client_hello(version: u16, ciphers: &[u16], extensions: &[Vec<u8>]) -> Vec<u8> {
    let random: Vec<u8> = (0..32).collect();
    let mut body =
        [&version.to_be_bytes()[..], &random, &[4], b"sess", &vec16(&numbers(ciphers)), &[1, 0]].concat();
    if !extensions.is_empty() {
        body.extend(vec16(&extensions.concat()));
    }
    handshake(1, &body)
}

fn server_hello(session: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let fixed = [&[3, 3][..], &[7; 32], &[session.len() as u8], session, &[0xc0, 0x2f, 0]].concat();
    handshake(2, &[fixed, vec16(&extensions.concat())].concat())
}

fn chain() -> Vec<u8> {
    let first = certificate(
        &common_name(b"Issuer"),
        &common_name(b"www.here"),
        &alternatives(&[(0x82, b"a.here"), (0x82, b"b.here")]),
    );
    let second = certificate(&common_name(b"Root"), &common_name(b"Issuer"), &[]);
    handshake(11, &vec24(&[vec24(&first), vec24(&second)].concat()))
}

/// The flights of a session in TLS 1.2, up to its first data.
fn session12() -> Vec<(Dir, Vec<u8>)> {
    let hello = client_hello(
        0x0303,
        &[0x0a0a, 0xc02f, 0x0035],
        &[
            server_name(b"www.here"),
            protocols(&["h2", "http/1.1"]),
            extension(10, &vec16(&numbers(&[29, 23]))),
        ],
    );
    let server =
        [server_hello(b"new", &[protocols(&["h2"])]), chain(), handshake(12, &[9; 90]), handshake(14, &[])];
    let changed = [record(20, &[1]), record(22, &[0x5a; 40])].concat();
    vec![
        (ToServer, record(22, &hello)),
        (ToClient, record(22, &server.concat())),
        (ToServer, [record(22, &handshake(16, &[3; 66])), changed.clone()].concat()),
        (ToClient, changed),
        (ToServer, record(23, b"data")),
    ]
}

/// All that was found, as text, in whichever of the session's transactions.
fn story(bench: &Bench) -> String {
    let mut out = String::new();
    let each = || bench.transactions.iter();
    for (id, buffer) in context::all() {
        for (dir, bytes) in each().flat_map(|tx| tx.buffers(id)) {
            let _ = writeln!(out, "{} {dir:?} {}", buffer.name, bytes.escape_ascii());
        }
    }
    for (id, field) in field::all() {
        for (dir, number) in each().flat_map(|tx| tx.numbers(id)) {
            let _ = writeln!(out, "{} {dir:?} {number}", field.name);
        }
        for (dir, text) in each().flat_map(|tx| tx.texts(id)) {
            let _ = writeln!(out, "{} {dir:?} {}", field.name, text.escape_ascii());
        }
    }
    let notes: Vec<_> = each().flat_map(|tx| tx.notes()).collect();
    let _ = writeln!(out, "{:?} {notes:?}", bench.events());
    out
}

#[test]
fn a_session_says_what_it_says_in_the_clear() {
    let mut bench = bench();
    for (dir, flight) in session12() {
        bench.data(dir, &flight);
    }
    assert_eq!(bench.text(0, "tls.sni").as_deref(), Some("www.here"));
    assert_eq!(bench.texts(0, "tls.alpn"), ["h2", "http/1.1", "h2"]);
    assert_eq!(bench.texts(0, "tls.certs").len(), 2);
    assert_eq!(bench.texts(0, "tls.cert_subject"), ["CN=www.here"]);
    assert_eq!(bench.texts(0, "tls.cert_issuer"), ["CN=Issuer"]);
    assert_eq!(bench.texts(0, "tls.cert_serial"), ["00:E7:F9"]);
    assert_eq!(bench.text(0, "tls.cert_fingerprint").unwrap().len(), 59);
    assert_eq!(bench.texts(0, "tls.subjectaltname"), ["a.here", "b.here"]);
    assert_eq!(bench.texts(0, "ja3.string"), ["771,49199-53,0-16-10,29-23,"]);
    assert_eq!(bench.texts(0, "ja3s.string"), ["771,49199,16"]);
    assert_eq!(bench.text(0, "ja4.hash").unwrap().split('_').next(), Some("t12d0203h2"));
    assert_eq!(bench.texts(0, "tls.random_time"), ["\0\u{1}\u{2}\u{3}", "\u{7}\u{7}\u{7}\u{7}"]);
    assert_eq!(bench.numbers(0, "tls.version"), [0x0303, 0x0303]);
    assert_eq!(bench.numbers(0, "ssl_version"), [4, 4]);
    assert_eq!(bench.numbers(0, "ssl_state"), [0, 0, 1, 1, 3, 3, 2, 2]);
    assert_eq!(bench.numbers(0, "tls.cert_chain_len"), [2]);
    assert_eq!(bench.numbers(0, "tls_cert_notbefore"), [1_461_760_920]);
    assert_eq!(bench.numbers(0, "tls_cert_expired"), [1], "it ended in 1950");
    assert!(bench.events().is_empty(), "{:?}", bench.events());
    assert!(bench.complete(0, ToServer) && bench.complete(0, ToClient));
    // 20 and 22 of the client, 20 and 22 of the server, 23: frames of what came after go on.
    assert_eq!(
        bench.transactions.iter().map(|tx| tx.buffers(context::id("tls.pdu")).count()).sum::<usize>(),
        8
    );
}

#[test]
fn notes_are_those_of_eve() {
    let mut bench = bench();
    for (dir, flight) in session12() {
        bench.data(dir, &flight);
    }
    let story = story(&bench);
    for name in [
        "sni",
        "version",
        "subject",
        "issuerdn",
        "serial",
        "fingerprint",
        "notbefore",
        "notafter",
        "ja3.hash",
        "ja3s.string",
        "ja4",
        "client_alpns[]",
        "server_alpns[]",
        "subjectaltname[]",
    ] {
        assert!(story.contains(&format!("(\"{name}\", ")), "{name} in {story}");
    }
    assert!(!story.contains("session_resumed"));
}

#[test]
fn a_session_is_the_same_in_pieces_of_any_size() {
    let mut whole = bench();
    for (dir, flight) in session12() {
        whole.data(dir, &flight);
    }
    let whole = story(&whole);
    for size in [1, 2, 3, 5, 7, 100, 1000] {
        let mut cut = bench();
        for (dir, flight) in session12() {
            assert_eq!(cut.pieces(dir, &flight, size), Next::More);
        }
        assert_eq!(story(&cut), whole, "in pieces of {size}");
    }
}

/// The example of Salesforce's description of JA3.
#[test]
fn ja3_is_as_described() {
    let ciphers = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4];
    let extensions =
        [extension(0, &[]), extension(10, &vec16(&numbers(&[23, 24, 25]))), extension(11, &[1, 0])];
    let bench = bench_with(ToServer, &record(22, &client_hello(0x0301, &ciphers, &extensions)));
    let string = "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0";
    assert_eq!(bench.texts(0, "ja3.string"), [string]);
    assert_eq!(bench.texts(0, "ja3.hash"), ["ada70206e40642a3e4461f35503241d5"]);

    let bench = bench_with(
        ToServer,
        &record(22, &client_hello(0x0301, &[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], &[])),
    );
    assert_eq!(bench.texts(0, "ja3.string"), ["769,4-5-10-9-100-98-3-6-19-18-99,,,"]);
    assert_eq!(bench.texts(0, "ja3.hash"), ["de350869b8c85de67a350c8d186f11e6"]);
}

/// The example of FoxIO's description of JA4.
#[test]
fn ja4_is_as_described() {
    let ciphers = [
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
        0x009d, 0x002f, 0x0035,
    ];
    let signatures = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
    let mut extensions = vec![
        extension(0x0a0a, &[]),
        server_name(b"a"),
        protocols(&["h2", "http/1.1"]),
        extension(13, &vec16(&numbers(&signatures))),
        extension(43, &[4, 3, 4, 3, 3]),
    ];
    let others =
        [0x001b, 0x0033, 0x4469, 0x0017, 0x002d, 0x0005, 0x0023, 0x0012, 0xff01, 0x000b, 0x000a, 0x0015];
    extensions.extend(others.map(|id| extension(id, &[])));
    let bench = bench_with(ToServer, &record(22, &client_hello(0x0303, &ciphers, &extensions)));
    assert_eq!(bench.texts(0, "ja4.hash"), ["t13d1516h2_8daaf6152771_e5627efa2ab1"]);

    let bench = bench_with(ToServer, &record(22, &client_hello(0x0301, &[], &[])));
    assert_eq!(bench.texts(0, "ja4.hash"), ["t10i000000_000000000000_000000000000"]);
}

#[test]
fn messages_go_over_records() {
    let hello = client_hello(0x0303, &[0xc02f], &[server_name(b"cut.here")]);
    let records: Vec<u8> = hello.chunks(10).flat_map(|piece| record(22, piece)).collect();
    let mut bench = bench();
    bench.data(ToServer, &records);
    assert_eq!(bench.text(0, "tls.sni").as_deref(), Some("cut.here"));
}

#[test]
fn an_encrypted_session_is_left_alone() {
    let mut bench = bench();
    let wanted = crate::app::Wanted::default();
    bench.transactions.renew(&wanted);
    let mut last = Next::More;
    for (dir, flight) in session12() {
        assert_eq!(last, Next::More);
        last = bench.data(dir, &flight);
    }
    assert_eq!(last, Next::Stop);
    assert!(bench.complete(0, ToServer) && bench.complete(0, ToClient));
}

#[test]
fn a_session_is_sealed_once_both_sides_say_that_they_encrypt() {
    for size in [1, 7, 5000] {
        let mut bench = self::bench();
        let flights = session12();
        let sealed = flights.iter().map(|(dir, flight)| {
            bench.pieces(*dir, flight, size);
            bench.sealed
        });
        assert_eq!(sealed.collect::<Vec<_>>(), [false, false, false, false, true]);
    }
    // Without hellos, or with records that only look encrypted, there is nothing to believe.
    let mut bench = self::bench();
    bench.data(ToServer, &record(23, b"data"));
    bench.data(ToClient, &record(23, b"data"));
    assert!(!bench.sealed);
    let mut bench = bench_with(ToServer, &record(22, &client_hello(0x0303, &[0xc02f], &[])));
    bench.data(ToClient, &[record(22, &server_hello(b"new", &[])), record(22, &[0x5a; 40])].concat());
    bench.data(ToServer, &record(22, &[0x5a; 40]));
    assert!(!bench.sealed);
}

#[test]
fn in_tls_13_a_change_of_ciphers_changes_nothing() {
    let versions = extension(43, &[4, 3, 4, 3, 3]);
    let first = client_hello(0x0303, &[0x1301], &[server_name(b"one"), versions.clone()]);
    let retry = server_hello(b"sess", &[extension(43, &[3, 4])]);
    let mut bench = bench();
    bench.data(ToServer, &record(22, &first));
    assert!(bench.numbers(0, "tls.version").is_empty(), "the server says which");
    bench.data(ToClient, &[record(22, &retry), record(20, &[1])].concat());
    let again = client_hello(0x0303, &[0x1301], &[server_name(b"two"), versions]);
    bench.data(ToServer, &[record(20, &[1]), record(22, &again)].concat());
    bench.data(ToClient, &[record(22, &retry), record(23, &[0; 50])].concat());
    assert!(!bench.sealed);
    bench.data(ToServer, &record(23, &[0; 50]));
    assert!(bench.sealed);
    assert_eq!(bench.texts(0, "tls.sni"), ["one"], "a hello that is asked for again says the same");
    assert_eq!(bench.numbers(0, "tls.version"), [0x0304, 0x0304]);
    assert!(bench.events().is_empty(), "{:?}", bench.events());
    assert!(bench.complete(0, ToServer) && bench.complete(0, ToClient));
    assert!(!story(&bench).contains("session_resumed"), "the identifier is only echoed");
}

#[test]
fn a_session_taken_up_again_is_noted() {
    let mut bench = bench();
    bench.data(ToServer, &record(22, &client_hello(0x0303, &[0xc02f], &[])));
    bench.data(ToClient, &record(22, &server_hello(b"sess", &[])));
    assert!(story(&bench).contains("(\"session_resumed\", Bool(true))"));
}
