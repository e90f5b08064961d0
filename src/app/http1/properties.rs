//! Any bytes, in any pieces: the same transactions, in bounded time and memory.

use super::Http1;
use crate::app::decoder::Next;
use crate::app::fixture::Bench;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn bench() -> Bench {
    Bench::new(AppProto::Http1, Box::new(Http1::new()))
}

/// The frame of all bytes, which behind an error has those that came in one piece with it.
const STREAM_FRAME: BufferId = context::id("http1.stream");

/// All that was found, as text.
fn found(bench: &Bench, error: bool) -> Vec<String> {
    let mut all = Vec::new();
    for tx in bench.transactions.iter() {
        all.extend(
            tx.items().iter().map(|item| format!("{} {item:?}", String::from_utf8_lossy(tx.bytes(item)))),
        );
        all.extend(
            tx.streamed()
                .iter()
                .filter(|s| !(error && s.id == STREAM_FRAME))
                .map(|s| format!("{:?} {} {}", s.id, String::from_utf8_lossy(s.kept()), s.ended)),
        );
        all.extend(tx.files().iter().map(|f| format!("{} {} {}", f.size, f.closed, f.truncated)));
        let mut events = tx.events().to_vec();
        events.sort_by_key(|(_, name)| *name);
        all.push(format!("{events:?} {} {}", tx.is_complete(Dir::ToServer), tx.is_complete(Dir::ToClient)));
    }
    all
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "GET / HTTP/1.1\r\n",
        "POST /a?b HTTP/1.1\r\n",
        "HTTP/1.1 200 ok\r\n",
        "HTTP/1.1 304 x\r\n",
        "HTTP/1.1 100 c\r\n\r\n",
        "Host: a\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Encoding: gzip\r\n",
        "Content-Type: multipart/form-data; boundary=b\r\n",
        "--b\r\nContent-Disposition: x; filename=f\r\n\r\n",
        "--b--",
        "\r\n",
        "\n",
        "\r",
        " ",
        "\n\r",
        "\r\n\r\n",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "hello",
        "\x1f",
        "\0",
        ":",
        "x",
        "GET /\n",
    ];
    prop_oneof![
        10 => proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..20),
    ]
}

fn stream(start: &'static str) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(piece(), 0..24)
        .prop_map(move |pieces| [start.as_bytes().to_vec(), pieces.concat()].concat())
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_transactions(
        requests in stream("GET / HTTP/1.1\r\n"),
        responses in stream("HTTP/1.1 200 ok\r\n"),
        size in 1_usize..40,
    ) {
        let run = |size: usize| {
            let mut bench = bench();
            for (dir, bytes) in [(Dir::ToServer, &requests), (Dir::ToClient, &responses)] {
                // Behind an error a decoder is given nothing.
                if bench.pieces(dir, bytes, size) == Next::Broken {
                    return found(&bench, true);
                }
            }
            bench.end(Dir::ToServer);
            bench.end(Dir::ToClient);
            found(&bench, false)
        };
        let (whole, cut) = (run(usize::MAX), run(size));
        for (a, b) in whole.iter().zip(&cut) {
            prop_assert_eq!(a, b);
        }
        prop_assert_eq!(whole.len(), cut.len());
    }

    #[test]
    fn no_bytes_and_no_holes_make_it_panic(
        parts in proptest::collection::vec((any::<bool>(), piece(), 0_u64..20), 0..40),
    ) {
        let mut bench = bench();
        for (to_server, bytes, hole) in parts {
            let dir = if to_server { Dir::ToServer } else { Dir::ToClient };
            bench.data(dir, &bytes);
            if hole > 15 {
                bench.gap(dir, hole);
            }
        }
        bench.end(Dir::ToClient);
        bench.end(Dir::ToServer);
    }
}

/// So many bytes of something that never ends, fed in small pieces.
fn endless(dir: Dir, start: &str, unit: &str, size: usize) -> Duration {
    let mut bench = bench();
    bench.data(Dir::ToServer, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    if dir == Dir::ToServer {
        bench.data(dir, b"POST / HTTP/1.1\r\n");
    }
    bench.data(dir, start.as_bytes());
    let piece = unit.repeat(64);
    #[expect(clippy::disallowed_methods, reason = "the test is about how long it takes")]
    let begun = Instant::now();
    for _ in 0..size / piece.len() {
        // As if nobody had heard of an error.
        bench.data(dir, piece.as_bytes());
        assert!(bench.transactions.memory() < 64 << 20);
    }
    bench.end(dir);
    begun.elapsed()
}

#[test]
fn what_never_ends_costs_no_more_than_its_length() {
    for (dir, start, unit) in [
        (Dir::ToServer, "X: ", "x"),
        (Dir::ToServer, "", "X: y\r\n"),
        (Dir::ToServer, "", "\r"),
        (Dir::ToServer, "Transfer-Encoding: chunked\r\n\r\n", " "),
        (Dir::ToServer, "Transfer-Encoding: chunked\r\n\r\n", "\r\n"),
        (
            Dir::ToServer,
            "Content-Length: 99999999\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n",
            "x",
        ),
        (
            Dir::ToServer,
            "Content-Length: 99999999\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n",
            "\r\n--",
        ),
        (Dir::ToServer, "Host: a\r\n\r\n", "junk\r\n"),
        (Dir::ToClient, "", "\r\n"),
        (Dir::ToClient, "", "\r"),
        (Dir::ToClient, "", "\0"),
        (Dir::ToClient, "HTTP/1.1 ", "2"),
        (Dir::ToClient, "HTTP/1.1 200 ok\r\n", " x\r\n"),
        (Dir::ToClient, "HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n"),
        (Dir::ToClient, "HTTP/1.1 200 ok\r\nContent-Length: 0\r\n\r\n", "junk\n"),
    ] {
        // Work that grew with the square of the length would take hours.
        let taken = endless(dir, start, unit, 1 << 20);
        assert!(taken < Duration::from_secs(60), "{start:?} {unit:?}: {taken:?}");
    }
}

#[test]
fn ten_megabytes_of_a_header_line_are_cut() {
    assert!(endless(Dir::ToServer, "X: ", "x", 10 << 20) < Duration::from_secs(60));
    assert!(endless(Dir::ToClient, "HTTP/1.1 200 ok\r\n", "X: y\r\n", 10 << 20) < Duration::from_secs(60));
}
