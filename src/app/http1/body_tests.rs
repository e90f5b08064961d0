//! Bodies: how they end, what they were coded as, the files in them.

use super::tests::{CLIENT, SERVER, answered, bench, body, exchange, one};
use crate::app::limits::Limits;
use crate::app::wanted::Wanted;
use crate::rules::context;

#[test]
fn codings_are_undone_by_name_and_by_their_bytes() {
    let raw = miniz_oxide::deflate::compress_to_vec(b"some content, some content", 6);
    let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], raw.as_slice(), &[0; 8]].concat();
    let twice = miniz_oxide::deflate::compress_to_vec_zlib(&gzip, 6);
    for (coding, bytes) in [
        ("gzip", &gzip),
        ("Content-Encoding", &gzip),
        ("x gzip,", &gzip),
        ("deflate", &raw),
        ("deFLaTe, identity", &raw),
        ("gzip, deflate", &twice),
        ("gzip\r\nContent-Encoding: deflate", &twice),
        ("gzip, deflate", &gzip),
        ("deflate", &b"some content, some content".to_vec()),
    ] {
        let coding = if coding == "Content-Encoding" { "\r\n \r\n gzip" } else { coding };
        let head = format!(
            "HTTP/1.1 200 ok\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        );
        let bench = answered(&[head.as_bytes(), bytes].concat());
        assert_eq!(body(&bench), "some content, some content", "{coding:?}");
    }
    let three = answered(
        b"HTTP/1.1 200 ok\r\nContent-Encoding: gzip, gzip, identity, gzip\r\nContent-Length: 1\r\n\r\nx",
    );
    assert!(three.events().contains(&"http.too_many_encoding_layers"));
    let odd = answered(b"HTTP/1.1 200 ok\r\nContent-Encoding: rot13\r\n\r\nx");
    assert!(odd.events().contains(&"http.abnormal_ce_header"));
}

#[test]
fn a_range_that_is_none_is_told() {
    for (range, told) in
        [("bytes 0-4/10", false), ("bytes 5-9/*", false), ("bytes 9-5/10", true), ("lines 1", true)]
    {
        let response =
            format!("HTTP/1.1 206 part\r\nContent-Range: {range}\r\nContent-Length: 5\r\n\r\nabcde");
        assert_eq!(answered(response.as_bytes()).events().contains(&"http.range_invalid"), told, "{range}");
    }
}

#[test]
fn a_bomb_is_told_and_not_unpacked() {
    let mut bench = bench();
    bench.limits = Limits { bomb_ratio: 10, bomb_free: 1000, ..Limits::default() };
    let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 1 << 20], 6);
    bench.data(SERVER, b"GET / HTTP/1.0\r\n\r\n");
    bench.data(CLIENT, b"HTTP/1.0 200 ok\r\nContent-Encoding: deflate\r\n\r\n");
    bench.pieces(CLIENT, &bomb, 100);
    assert_eq!(bench.events(), ["http.compression_bomb"]);
    assert!(body(&bench).len() < 50_000);
}

#[test]
fn forms_give_their_files_and_posts_are_files() {
    let form =
        b"--x\r\nContent-Disposition: form-data; name=\"u\"; filename=\"t.txt\"\r\n\r\nfile one\r\n--x\r\n\
        Content-Disposition: form-data; name=\"n\"\r\n\r\nvalue\r\n--x--\r\n";
    let head = format!(
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: {}\r\n\r\n",
        form.len()
    );
    let bench = exchange(&[head.as_bytes(), form].concat(), b"");
    assert_eq!(bench.texts(0, "file.name"), ["t.txt"]);
    assert_eq!(body(&bench), "file one");
    assert_eq!(bench.streamed(0, "http.request_body").unwrap().len(), form.len());
    let bench = exchange(b"PUT /d/f.txt?q HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"");
    assert_eq!((bench.text(0, "file.name"), body(&bench).as_str()), (one("/d/f.txt"), "abc"));
    let named = answered(b"HTTP/1.1 200 ok\r\nContent-Disposition: attachment; filename=\"n.exe\"\r\n\r\nMZ");
    assert_eq!(named.text(0, "file.name"), one("n.exe"));
}

#[test]
fn a_response_is_named_by_its_request_though_nobody_wants_the_target() {
    let mut bench = bench();
    let mut wanted = Wanted::default();
    wanted.add(context::id("file.name"));
    bench.transactions.renew(&wanted);
    bench.data(SERVER, b"GET /one/a?x HTTP/1.0\r\n\r\nGET /b.pdf HTTP/1.0\r\n\r\n");
    bench.data(CLIENT, b"HTTP/1.0 200 ok\r\nContent-Length: 1\r\n\r\n1HTTP/1.0 200 ok\r\n\r\n2");
    assert_eq!(bench.text(0, "file.name"), one("/one/a"));
    assert_eq!(bench.text(1, "file.name"), one("/b.pdf"));
}

#[test]
fn what_is_not_chunked_though_it_says_so_is_the_content() {
    let plain = answered(b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\nplain text");
    assert_eq!(body(&plain), "plain text");
    assert!(plain.events().contains(&"http.invalid_response_chunk_len"));
    let named = answered(
        b"HTTP/1.0 200 ok\r\nTransfer-Encoding: x\0chunked\r\nContent-Length: 1\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assert_eq!(body(&named), "abc");
    assert!(named.events().contains(&"http.response_abnormal_transfer_encoding"));
    assert!(named.events().contains(&"http.response_chunked_old_proto"));
}

#[test]
fn content_behind_its_announced_end_belongs_to_it() {
    let bench = answered(b"HTTP/1.1 200 ok\r\nContent-Length: 3 6\r\n\r\nabcdef");
    assert_eq!(body(&bench), "abcdef");
    let bench = exchange(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcd=ef\n", b"");
    assert_eq!(bench.streamed(0, "http.request_body"), one("abcd=ef\n"));
    assert!(bench.events().contains(&"http.request_body_unexpected"));
}

#[test]
fn content_behind_its_end_is_told_though_no_line_ends() {
    let told = |more: &[u8], later: &[u8]| {
        let mut bench = bench();
        bench.data(SERVER, &[b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", more].concat());
        bench.data(CLIENT, b"HTTP/1.1 200 ok\r\nContent-Length: 0\r\n\r\n");
        bench.data(SERVER, later);
        (bench.streamed(0, "http.request_body"), bench.text(1, "http.uri"))
    };
    assert_eq!(told(b"id=1&x=2", b""), (one("id=1&x=2"), None));
    assert_eq!(told(b"id=1", b"&x=2\n"), (one("id=1&x=2\n"), None));
    for capital in ["ABCDEF", "ABCDEF xyz", " A1b2", "POSTAL", "A"] {
        assert_eq!(told(capital.as_bytes(), b"").0, one(capital).filter(|_| capital != "A"), "{capital}");
    }
    assert_eq!(told(b"ABC", b"DEF\n"), (one("ABCDEF\n"), None));
    assert_eq!(told(b"PU", b"T /b HTTP/1.1\r\nHost: a\r\n\r\n"), (None, one("/b")));
    assert_eq!(told(b"PUT /b", b" HTTP/1.1\r\nHost: a\r\n\r\n").1, one("/b"));
    assert_eq!(told(b"put /b", b" HTTP/1.1\r\nHost: a\r\n\r\n").1, one("/b"));
}

#[test]
fn lengths_that_differ_are_told_and_the_first_counts() {
    let bench = exchange(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length:3\r\nContent-Length: 9\r\n\r\nabcGET /b HTTP/1.0\r\n\r\n", b"");
    assert_eq!(bench.streamed(0, "http.request_body"), one("abc"));
    assert_eq!(bench.text(0, "http.content_len"), one("3"));
    assert_eq!(bench.text(1, "http.uri"), one("/b"));
    assert_eq!(bench.events(), ["http.duplicate_content_length_field_in_request"]);
    let same = answered(b"HTTP/1.1 200 ok\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx");
    assert!(same.events().is_empty(), "{:?}", same.events());
    let none = answered(b"HTTP/1.1 200 ok\r\nContent-Length: many\r\n\r\nxyz");
    assert_eq!(body(&none), "xyz");
    assert_eq!(none.events(), ["http.invalid_content_length_field_in_response"]);
}
