use super::frame::flag;
use super::*;
use crate::app::fixture::Bench;
use crate::app::{Next, NoteRef};
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Http2, (ENTRY.make.unwrap())())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Fields as literals that no table keeps.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            bytes.push(text.len() as u8);
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

fn request(path: &str) -> Vec<u8> {
    block(&[
        (":method", "GET"),
        (":path", path),
        (":authority", "User@Example.COM:8080"),
        ("user-agent", "tester"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ])
}

const ALL: u8 = flag::END_HEADERS | flag::END_STREAM;

fn opened() -> Bench {
    let mut bench = bench();
    bench.data(Dir::ToServer, PREFACE);
    bench
}

#[test]
fn a_record_says_what_frames_ask_for() {
    let mut bench = opened();
    let settings = b"\0\x03\0\0\0\x64\0\x04\0\0\xff\xff\xff\xff\0\0\0\x01";
    bench.data(Dir::ToServer, &frame(kind::SETTINGS, 0, 0, settings));
    bench.data(Dir::ToServer, &frame(kind::PRIORITY, 0, 1, b"\0\0\0\0\x10"));
    bench.data(Dir::ToClient, &frame(kind::RST_STREAM, 0, 1, b"\0\0\0\x08"));
    bench.data(Dir::ToClient, &frame(kind::GOAWAY, 0, 0, b"\0\0\0\x01\0\0\xff\xff"));
    let said = |tx: &crate::app::Transaction| -> Vec<String> {
        tx.notes()
            .map(|(name, value)| match value {
                NoteRef::Text(text) => format!("{name} {}", String::from_utf8_lossy(text)),
                NoteRef::Number(number) => format!("{name} {number}"),
                other => format!("{name} {other:?}"),
            })
            .collect()
    };
    let all: Vec<_> = bench.transactions.iter().flat_map(said).collect();
    let expected = [
        "http2.request.settings[] Begin",
        "http2.request.settings[].settings_id SETTINGSMAXCONCURRENTSTREAMS",
        "http2.request.settings[].settings_value 100",
        "http2.request.settings[] Begin",
        "http2.request.settings[].settings_id SETTINGSINITIALWINDOWSIZE",
        "http2.request.settings[].settings_value 65535",
        "http2.request.priority 16",
        "http2.response.error_code CANCEL",
        "http2.response.error_code 65535",
    ];
    assert_eq!(all, expected);
}

#[test]
fn a_stream_is_a_transaction_with_the_buffers_of_http() {
    let mut bench = opened();
    bench.data(Dir::ToServer, &frame(kind::HEADERS, ALL, 1, &request("/dir/a.html?q")));
    bench.data(
        Dir::ToClient,
        &[
            frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&[(":status", "200"), ("server", "x")])),
            frame(kind::DATA, 0, 1, b"one "),
            frame(kind::DATA, flag::END_STREAM | flag::PADDED, 1, b"\x02two\0\0"),
        ]
        .concat(),
    );
    let text = |name| bench.text(0, name).unwrap_or_default();
    assert_eq!((text("http.uri"), text("http.method")), ("/dir/a.html?q".into(), "GET".into()));
    assert_eq!(
        (text("http.host"), text("http.host.raw")),
        ("example.com".into(), "User@Example.COM:8080".into())
    );
    assert_eq!((text("http.user_agent"), text("http.cookie")), ("tester".into(), "a=1, b=2".into()));
    assert_eq!((text("http.stat_code"), text("http.server")), ("200".into(), "x".into()));
    assert_eq!(
        text("http.header"),
        ":method: GET\r\n:path: /dir/a.html?q\r\n:authority: User@Example.COM:8080\r\nuser-agent: tester\r\n"
    );
    assert_eq!(bench.texts(0, "http.request_header").len(), 6);
    assert_eq!(bench.texts(0, "http.response_header"), [":status: 200", "server: x"]);
    assert_eq!(bench.texts(0, "http.protocol"), ["HTTP/2", "HTTP/2"]);
    assert_eq!(bench.streamed(0, "http.response_body").unwrap(), "one two");
    assert_eq!(bench.streamed(0, "file.data").unwrap(), "one two");
    assert_eq!(bench.text(0, "file.name").unwrap(), "a.html");
    assert_eq!(bench.numbers(0, "http2.frametype"), [1, 1, 0, 0]);
    assert!(bench.complete(0, Dir::ToServer) && bench.complete(0, Dir::ToClient));
    assert_eq!(bench.events(), ["http2.userinfo_in_uri"]);
}

#[test]
fn a_frame_of_the_connection_is_a_transaction_of_its_own() {
    let mut bench = opened();
    let bytes = [
        frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
        frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 0x10, 0]),
        frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11]),
    ];
    bench.data(Dir::ToServer, &bytes.concat());
    assert_eq!(bench.transactions.len(), 3);
    assert_eq!(bench.numbers(0, "http2.settings"), [3 << 32 | 100]);
    assert_eq!(bench.numbers(1, "http2.window"), [0x1000]);
    assert_eq!(bench.numbers(2, "http2.errorcode"), [11]);
    assert!(bench.complete(2, Dir::ToServer) && bench.complete(2, Dir::ToClient));
}

#[test]
fn a_block_may_go_over_several_frames() {
    let mut bench = opened();
    let all = request("/long");
    let (first, rest) = all.split_at(20);
    let mut head = vec![0x80, 0, 0, 0, 251];
    head.extend_from_slice(first);
    bench.data(Dir::ToServer, &frame(kind::HEADERS, flag::END_STREAM | flag::PRIORITY, 1, &head));
    assert_eq!(bench.text(0, "http.uri"), None);
    bench.data(Dir::ToServer, &frame(kind::CONTINUATION, flag::END_HEADERS, 1, rest));
    assert_eq!(bench.text(0, "http.uri").unwrap(), "/long");
    assert_eq!(bench.numbers(0, "http2.priority"), [251]);
    assert!(bench.complete(0, Dir::ToServer));
}

#[test]
fn a_reset_ends_its_direction_and_a_reused_number_is_an_event() {
    let mut bench = opened();
    bench.data(Dir::ToServer, &frame(kind::HEADERS, flag::END_HEADERS, 1, &request("/")));
    bench.data(Dir::ToServer, &frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    assert_eq!(bench.numbers(0, "http2.errorcode"), [8]);
    assert!(bench.complete(0, Dir::ToServer) && !bench.complete(0, Dir::ToClient));
    bench.data(Dir::ToClient, &frame(kind::HEADERS, ALL, 1, &block(&[(":status", "200")])));
    assert!(bench.complete(0, Dir::ToClient));
    bench.data(Dir::ToServer, &frame(kind::HEADERS, ALL, 1, &request("/")));
    assert!(bench.events().contains(&"http2.stream_id_reuse"));
}

#[test]
fn trailers_do_not_take_the_place_of_the_head() {
    let mut bench = opened();
    bench.data(Dir::ToServer, &frame(kind::HEADERS, flag::END_HEADERS, 1, &request("/")));
    bench.data(Dir::ToServer, &frame(kind::DATA, 0, 1, b"body"));
    bench.data(Dir::ToServer, &frame(kind::HEADERS, ALL, 1, &block(&[("checksum", "1")])));
    assert_eq!(bench.texts(0, "http.header").len(), 1);
    assert_eq!(bench.texts(0, "http.request_header").last().unwrap(), "checksum: 1");
    assert_eq!(bench.streamed(0, "http.request_body").unwrap(), "body");
    assert!(bench.complete(0, Dir::ToServer));
}

#[test]
fn behind_an_upgrade_the_server_answers_what_nobody_asked_here() {
    let mut bench = bench();
    bench.data(Dir::ToClient, &frame(kind::SETTINGS, 0, 0, &[]));
    bench.data(Dir::ToClient, &frame(kind::HEADERS, ALL, 1, &block(&[(":status", "404")])));
    assert_eq!(bench.text(1, "http.stat_code").unwrap(), "404");
    assert!(bench.complete(1, Dir::ToServer) && bench.complete(1, Dir::ToClient));
}

#[test]
fn a_coded_body_is_decoded() {
    let mut bench = opened();
    bench.data(Dir::ToServer, &frame(kind::HEADERS, ALL, 1, &request("/")));
    let head = block(&[(":status", "200"), ("content-encoding", "deflate")]);
    bench.data(Dir::ToClient, &frame(kind::HEADERS, flag::END_HEADERS, 1, &head));
    let coded = miniz_oxide::deflate::compress_to_vec_zlib(&b"many words ".repeat(500), 6);
    let (first, rest) = coded.split_at(10);
    bench.data(Dir::ToClient, &frame(kind::DATA, 0, 1, first));
    bench.data(Dir::ToClient, &frame(kind::DATA, flag::END_STREAM, 1, rest));
    assert_eq!(bench.streamed(0, "http.response_body").unwrap(), "many words ".repeat(500));
    assert!(!bench.events().contains(&"http2.failed_decompression"));
}

#[test]
fn a_body_that_decodes_to_far_too_much_is_an_event() {
    let mut bench = opened();
    bench.limits.bomb_ratio = 10;
    bench.limits.bomb_free = 1000;
    bench.data(Dir::ToServer, &frame(kind::HEADERS, ALL, 1, &request("/")));
    let head = block(&[(":status", "200"), ("content-encoding", "deflate")]);
    bench.data(Dir::ToClient, &frame(kind::HEADERS, flag::END_HEADERS, 1, &head));
    let coded = miniz_oxide::deflate::compress_to_vec_zlib(&[0; 1 << 20], 6);
    bench.data(Dir::ToClient, &frame(kind::DATA, flag::END_STREAM, 1, &coded));
    assert!(bench.events().contains(&"http2.failed_decompression"));
}

/// A question for `a.b`.
const QUESTION: &[u8] = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x01a\x01b\0\0\x01\0\x01";

#[test]
fn dns_is_found_in_a_parameter_and_in_bodies() {
    let mut bench = opened();
    let post = block(&[(":method", "POST"), (":path", "/q"), ("content-type", "application/dns-message")]);
    bench.data(Dir::ToServer, &frame(kind::HEADERS, flag::END_HEADERS, 1, &post));
    let (first, rest) = QUESTION.split_at(9);
    bench.data(Dir::ToServer, &frame(kind::DATA, 0, 1, first));
    bench.data(Dir::ToServer, &frame(kind::DATA, flag::END_STREAM, 1, rest));
    assert_eq!(bench.text(0, "dns.query").unwrap(), "a.b");
    assert_eq!(bench.transactions.iter().next().unwrap().proto, AppProto::Doh2);
    let path = "/q?dns=AAABAAABAAAAAAAAAWEBYgAAAQAB";
    let get = block(&[(":method", "GET"), (":path", path), ("accept", "application/dns-message")]);
    bench.data(Dir::ToServer, &frame(kind::HEADERS, ALL, 3, &get));
    assert_eq!(bench.text(1, "dns.query").unwrap(), "a.b");
    assert!(bench.events().is_empty());
}

#[test]
fn dns_that_is_too_long_is_an_event() {
    let mut bench = opened();
    let post = block(&[(":method", "POST"), (":path", "/q"), ("content-type", "application/dns-message")]);
    bench.data(Dir::ToServer, &frame(kind::HEADERS, flag::END_HEADERS, 1, &post));
    for _ in 0..5 {
        bench.data(Dir::ToServer, &frame(kind::DATA, 0, 1, &[b'A'; 16_384]));
    }
    assert_eq!(bench.events(), ["http2.dns_request_too_long"]);
}

#[test]
fn what_is_wrong_is_an_event() {
    let mut bench = bench();
    assert_eq!(bench.data(Dir::ToServer, b"GET / HTTP/1.1\r\nHost: x\r\n"), Next::Broken);
    assert_eq!(bench.events(), ["http2.invalid_client_magic"]);
    let mut bench = opened();
    let bytes = [
        frame(kind::PING, 0, 0, b"short"),
        frame(kind::HEADERS, ALL, 1, &[0xfe]),
        frame(kind::HEADERS, ALL, 3, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        frame(kind::HEADERS, ALL | flag::PADDED, 5, &[200, 0x82]),
        frame(kind::HEADERS, ALL, 7, &block(&[(":authority", "a"), ("host", "b")])),
        frame(kind::SETTINGS, 0, 0, &[0; 70_000]),
    ];
    bench.data(Dir::ToServer, &bytes.concat());
    for event in [
        "http2.invalid_frame_length",
        "http2.invalid_header",
        "http2.header_integer_overflow",
        "http2.invalid_frame_data",
        "http2.authority_host_mismatch",
        "http2.long_frame_data",
    ] {
        assert!(bench.events().contains(&event), "{event}: {:?}", bench.events());
    }
}

#[test]
fn streams_without_end_are_bounded() {
    let mut bench = opened();
    let head = request("/");
    for n in 0..2000 {
        bench.data(Dir::ToServer, &frame(kind::HEADERS, flag::END_HEADERS, n * 2 + 1, &head));
    }
    assert!(bench.transactions.len() <= bench.limits.transactions);
    assert!(bench.events().contains(&"http2.too_many_streams"));
}

#[test]
fn probing_knows_the_preface_and_a_servers_settings() {
    assert_eq!(probe(Dir::ToServer, PREFACE), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &PREFACE[..10]), Probe::More);
    assert_eq!(probe(Dir::ToServer, b"PRI x"), Probe::No);
    let settings = frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]);
    assert_eq!(probe(Dir::ToClient, &settings), Probe::Yes);
    assert_eq!(probe(Dir::ToClient, &settings[..4]), Probe::More);
    assert_eq!(probe(Dir::ToClient, b"HTTP/1.1 200 OK"), Probe::No);
}

fn dialogue() -> Vec<u8> {
    [
        PREFACE.to_vec(),
        frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
        frame(kind::HEADERS, flag::END_HEADERS, 1, &request("/a")),
        frame(kind::DATA, 0, 1, b"some data"),
        frame(kind::HEADERS, 0, 3, &request("/b")),
        frame(kind::CONTINUATION, ALL, 3, &block(&[("x", "y")])),
        frame(kind::DATA, flag::END_STREAM | flag::PADDED, 1, b"\x03more\0\0\0"),
        frame(kind::PING, 0, 0, &[0; 8]),
    ]
    .concat()
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(cuts in proptest::collection::vec(1usize..60, 1..40)) {
        let bytes = dialogue();
        let told = |bench: &Bench| -> Vec<String> {
            (0..bench.transactions.len())
                .map(|at| format!("{:?} {:?} {:?}", bench.texts(at, "http.header"), bench.streamed(at, "file.data"), bench.numbers(at, "http2.frametype")))
                .collect()
        };
        let (mut whole, mut cut) = (bench(), bench());
        whole.data(Dir::ToServer, &bytes);
        let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            prop_assert_eq!(cut.data(Dir::ToServer, now), Next::More);
            rest = later;
        }
        prop_assert_eq!(told(&whole), told(&cut));
        prop_assert_eq!(whole.transactions.len(), 4);
    }

    #[test]
    fn no_bytes_panic(changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12), answer: bool, size in 1usize..200) {
        let mut bytes = dialogue();
        for (place, byte) in changes {
            *place.get_mut(&mut bytes[24..]) = byte;
        }
        let mut bench = bench();
        if answer {
            bench.pieces(Dir::ToClient, &bytes[24..], size);
        } else {
            bench.pieces(Dir::ToServer, &bytes, size);
        }
    }
}

#[test]
fn data_of_no_stream_and_a_range_of_no_sense_are_events() {
    let mut bench = opened();
    bench.data(Dir::ToServer, &frame(kind::DATA, 0, 0, b"x"));
    assert_eq!(bench.events(), ["http2.data_stream_zero"]);
    for (range, expected) in [("bytes 0-4/10", &[][..]), ("bytes 4-0/10", &["http2.invalid_range"])] {
        let mut bench = opened();
        bench.data(Dir::ToServer, &frame(kind::HEADERS, ALL, 1, &block(&[(":path", "/")])));
        let answer = block(&[(":status", "206"), ("content-range", range)]);
        bench.data(Dir::ToClient, &frame(kind::HEADERS, ALL, 1, &answer));
        assert_eq!(bench.events(), expected);
    }
}

#[test]
fn a_block_of_many_frames_and_a_stream_of_many_are_events() {
    let mut bench = opened();
    bench.data(Dir::ToServer, &frame(kind::HEADERS, 0, 1, &block(&[(":path", "/")])));
    for _ in 0..8 {
        assert!(bench.events().is_empty());
        bench.data(Dir::ToServer, &frame(kind::CONTINUATION, 0, 1, &[0; 16_384]));
    }
    assert_eq!(bench.events(), ["http2.reassembly_limit_reached"]);
    let mut bench = opened();
    bench.data(Dir::ToServer, &frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&[(":path", "/")])));
    let data = frame(kind::DATA, 0, 1, b"x").repeat(1000);
    for _ in 0..65 {
        bench.data(Dir::ToServer, &data);
    }
    assert!(bench.events().is_empty());
    bench.data(Dir::ToServer, &data);
    assert_eq!(bench.events(), ["http2.too_many_frames"]);
}

#[test]
fn a_block_that_grows_beyond_all_measure_and_a_long_answer_of_dns_are_events() {
    let mut bench = opened();
    bench.data(Dir::ToServer, &frame(kind::HEADERS, ALL, 1, &[0x82; 5000]));
    assert_eq!(bench.events(), ["http2.extra_header_data"]);
    let mut bench = opened();
    bench.data(
        Dir::ToServer,
        &frame(kind::HEADERS, ALL, 1, &block(&[(":method", "GET"), (":path", "/q?dns=AA")])),
    );
    let answer = block(&[(":status", "200"), ("content-type", "application/dns-message")]);
    bench.data(Dir::ToClient, &frame(kind::HEADERS, flag::END_HEADERS, 1, &answer));
    for _ in 0..5 {
        bench.data(Dir::ToClient, &frame(kind::DATA, 0, 1, &[b'A'; 16_384]));
    }
    assert_eq!(bench.events(), ["http2.dns_response_too_long"]);
}
