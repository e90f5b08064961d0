use super::decoder::Ssh;
use super::probe;
use crate::app::fixture::Bench;
use crate::app::{Next, Probe};
use crate::base::Dir::{self, ToClient, ToServer};
use crate::rules::app::AppProto;
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Ssh, Box::<Ssh>::default())
}

fn record(message: u8, body: &[u8]) -> Vec<u8> {
    let padding = 4u8;
    let len = (2 + body.len() + usize::from(padding)) as u32;
    [&len.to_be_bytes()[..], &[padding, message], body, &[0; 4]].concat()
}

fn offer(lists: [&str; 8]) -> Vec<u8> {
    let mut body = vec![9; 16];
    for list in lists.into_iter().chain(["", ""]) {
        body.extend((list.len() as u32).to_be_bytes());
        body.extend(list.as_bytes());
    }
    body.extend([0; 5]);
    record(20, &body)
}

const LISTS: [&str; 8] = ["kex1,kex2", "key", "c-enc", "s-enc", "c-mac", "s-mac", "none", "zlib"];

fn session() -> Vec<(Dir, Vec<u8>)> {
    vec![
        (ToClient, [b"SSH-2.0-OpenSSH_7.4 Debian-1\r\n".to_vec(), offer(LISTS)].concat()),
        (ToServer, [b"SSH-2.0-libssh-0.7.2\n".to_vec(), offer(LISTS)].concat()),
        (ToServer, record(30, &[7; 32])),
        (ToClient, [record(31, &[8; 100]), record(21, &[])].concat()),
        (ToServer, [record(21, &[]), vec![0xee; 64]].concat()),
    ]
}

fn run(size: usize) -> (Bench, Next) {
    let mut bench = bench();
    let mut last = Next::More;
    for (dir, bytes) in session() {
        last = bench.pieces(dir, &bytes, size);
    }
    (bench, last)
}

#[test]
fn a_session_is_sealed_once_both_sides_have_new_keys() {
    let mut bench = bench();
    let sealed = session().into_iter().map(|(dir, bytes)| {
        bench.data(dir, &bytes);
        bench.sealed
    });
    assert_eq!(sealed.collect::<Vec<_>>(), [false, false, false, false, true]);
}

#[test]
fn a_session_tells_who_speaks_and_what_is_offered() {
    for size in [1, 2, 7, 50, 5000] {
        let (bench, last) = run(size);
        assert_eq!(last, Next::Stop);
        assert_eq!(bench.texts(0, "ssh.proto"), ["2.0", "2.0"]);
        assert_eq!(bench.texts(0, "ssh.software"), ["OpenSSH_7.4", "libssh-0.7.2"]);
        assert_eq!(bench.texts(0, "ssh.hassh.string"), ["kex1,kex2;c-enc;c-mac;none"]);
        assert_eq!(bench.texts(0, "ssh.hassh.server.string"), ["kex1,kex2;s-enc;s-mac;zlib"]);
        assert_eq!(bench.text(0, "ssh.hassh").unwrap().len(), 32);
        assert_eq!(bench.texts(0, "ssh.record.pdu").len(), 6);
        assert_eq!(bench.text(0, "ssh.record.hdr").unwrap().len(), 6);
        assert!(bench.texts(0, "ssh.record.data")[0].contains("kex1"));
        assert!(bench.complete(0, ToServer) && bench.complete(0, ToClient));
        assert!(bench.events().is_empty(), "{:?}", bench.events());
        assert_eq!(bench.transactions.len(), 1);
    }
}

#[test]
fn a_banner_counts_before_its_line_ends() {
    let mut bench = bench();
    bench.data(ToClient, b"SSH-1.99-Cisco_server-1.24 \0\0\0\0");
    assert_eq!(bench.texts(0, "ssh.software"), ["Cisco_server-1.24"]);
    bench.data(ToServer, b"SSH-2.0-PuTTY");
    assert_eq!(bench.texts(0, "ssh.software"), ["Cisco_server-1.24"]);
    bench.end(ToServer);
    assert_eq!(bench.texts(0, "ssh.software"), ["Cisco_server-1.24", "PuTTY"]);
}

#[test]
fn a_server_may_greet_before_its_banner() {
    let mut bench = bench();
    bench.data(ToClient, b"Authorized use only.\r\nS\nSSH-2.0-x\r\n");
    assert_eq!(bench.texts(0, "ssh.software"), ["x"]);
    assert!(bench.events().is_empty());
}

#[test]
fn what_no_peer_would_send_is_an_event() {
    let long = [b"SSH-2.0-", &[b'a'; 400][..], b"\r\n"].concat();
    let cases: &[(&str, Dir, &[u8])] = &[
        ("ssh.invalid_banner", ToServer, b"GET / HTTP/1.0\r\n"),
        ("ssh.invalid_banner", ToServer, b"SSH-nothing\r\n"),
        ("ssh.long_banner", ToServer, &long),
        ("ssh.invalid_record", ToServer, b"SSH-2.0-x\r\n\0\0\0\x01\0\x14"),
        ("ssh.invalid_record", ToServer, b"SSH-2.0-x\r\n\x7f\0\0\x01\0\x14"),
    ];
    for (event, dir, bytes) in cases {
        let mut bench = bench();
        let next = bench.data(*dir, bytes);
        assert_eq!(bench.events(), [*event]);
        let error = *event != "ssh.long_banner";
        assert_eq!(next, if error { Next::Broken } else { Next::More }, "{event}");
    }
    let mut bench = bench();
    bench.data(ToServer, &[&b"SSH-2.0-x\r\n"[..], &record(20, &[0; 20])].concat());
    assert_eq!(bench.events(), ["ssh.invalid_record"], "an offer that is cut short");
}

#[test]
fn the_first_version_has_other_records() {
    let mut bench = bench();
    assert_eq!(bench.data(ToServer, b"SSH-1.5-old\n\0\0\0\x01"), Next::More);
    assert_eq!(bench.data(ToClient, b"SSH-1.5-old\n"), Next::Stop);
    assert!(bench.events().is_empty());
}

#[test]
fn bytes_lost_within_a_record_cost_only_it() {
    let mut bench = bench();
    bench.data(ToClient, b"SSH-2.0-x\r\n");
    let first = record(31, &[8; 100]);
    bench.data(ToClient, &first[..20]);
    assert_eq!(bench.gap(ToClient, first.len() as u64 - 20), Next::More);
    bench.data(ToClient, &offer(LISTS));
    assert_eq!(bench.texts(0, "ssh.hassh.server.string").len(), 1);
    bench.gap(ToClient, 9);
    assert!(bench.complete(0, ToClient));
}

#[test]
fn first_bytes_prove_the_protocol() {
    assert_eq!(probe(ToServer, b"SS"), Probe::More);
    assert_eq!(probe(ToClient, b"SSH-2.0"), Probe::Yes);
    assert_eq!(probe(ToServer, b"SSL"), Probe::No);
}

#[test]
fn junk_that_never_ends_costs_no_more_than_its_bytes() {
    let mut bench = bench();
    bench.data(ToServer, b"SSH-2.0-");
    for _ in 0..2500 {
        assert_eq!(bench.pieces(ToServer, &[b'-'; 4000], 1), Next::More);
    }
    assert_eq!(bench.events(), ["ssh.long_banner"]);
    bench.data(ToServer, b"\r\n");
    let body = [5; 200_000];
    for _ in 0..10 {
        assert_eq!(bench.pieces(ToServer, &record(5, &body), 1), Next::More);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_any_cut_is_the_same(
        flips in prop::collection::vec((0usize..5, 0usize..300, any::<u8>()), 0..6),
        size in 1usize..100,
    ) {
        let mut flights = session();
        for (flight, at, byte) in flips {
            let bytes = &mut flights[flight].1;
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let run = |size: usize| {
            let mut bench = bench();
            for (dir, bytes) in &flights {
                // Behind an error a decoder is given nothing.
                if bench.pieces(*dir, bytes, size) == Next::Broken {
                    break;
                }
            }
            let names = ["ssh.proto", "ssh.software", "ssh.hassh", "ssh.hassh.server", "ssh.record.pdu"];
            (names.map(|name| bench.texts(0, name)), bench.events())
        };
        prop_assert_eq!(run(usize::MAX), run(size));
    }
}
