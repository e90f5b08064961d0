//! What is amiss in a message has a name.

use super::tests::{CLIENT, SERVER, bench, exchange};

fn request(line_and_fields: &str) -> String {
    format!("{line_and_fields}\r\n\r\n")
}

#[test]
fn what_is_amiss_in_a_request_has_names() {
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(20_000));
    let repeated = format!("GET / HTTP/1.1\r\nHost: a{}", "\r\nX-Same: 1".repeat(100));
    let many: String = (0..1100).map(|n| format!("\r\nX-{n}: 1")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: a{many}");
    let form = |part: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\n\
             Content-Length: {}\r\n\r\n{part}",
            part.len() - 4
        )
    };
    let cases = [
        ("request_field_missing_colon", "GET / HTTP/1.1\r\nHost: a\r\nnothing".to_owned()),
        ("request_header_invalid", "GET / HTTP/1.1\r\nHost: a\r\nna me: x".to_owned()),
        ("invalid_request_field_folding", "GET / HTTP/1.1\r\n Host: a".to_owned()),
        (
            "invalid_request_chunk_len",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz".to_owned(),
        ),
        (
            "request_chunk_extension",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0".to_owned(),
        ),
        (
            "invalid_transfer_encoding_value_in_request",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x".to_owned(),
        ),
        (
            "invalid_content_length_field_in_request",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x".to_owned(),
        ),
        (
            "duplicate_content_length_field_in_request",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 1".to_owned(),
        ),
        ("missing_host_header", "GET / HTTP/1.1".to_owned()),
        ("host_header_ambiguous", "GET http://b/ HTTP/1.1\r\nHost: a".to_owned()),
        ("request_uri_host_invalid", "GET http://a%b/ HTTP/1.1\r\nHost: a".to_owned()),
        ("request_header_host_invalid", "GET / HTTP/1.1\r\nHost: a%b".to_owned()),
        ("invalid_authority_port", "GET http://a:99999/ HTTP/1.1\r\nHost: a".to_owned()),
        ("invalid_server_port_in_request", "GET / HTTP/1.1\r\nHost: a:0".to_owned()),
        ("request_server_port_tcp_port_mismatch", "GET / HTTP/1.1\r\nHost: a:81".to_owned()),
        ("method_delim_non_compliant", "GET\t/ HTTP/1.1\r\nHost: a".to_owned()),
        ("uri_delim_non_compliant", "GET /\tHTTP/1.1\r\nHost: a".to_owned()),
        ("request_line_leading_whitespace", " GET / HTTP/1.1\r\nHost: a".to_owned()),
        ("request_line_incomplete", "GET".to_owned()),
        ("request_line_invalid", "GET / HTTP/9.9\r\nHost: a".to_owned()),
        ("request_line_missing_protocol", "GET /\r\nHost: a".to_owned()),
        ("request_auth_unrecognized", "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Own x".to_owned()),
        ("request_field_too_long", long),
        ("request_header_repetition", repeated),
        ("request_too_many_headers", many),
        ("multipart_invalid_header", form("--B\r\nno header\r\n\r\nx\r\n--B--\r\n")),
        (
            "multipart_no_filedata",
            form("--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\n\r\n--B--\r\n"),
        ),
        (
            "file_name_too_long",
            form(&format!(
                "--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"{}\"\r\n\r\nx\r\n--B--\r\n",
                "n".repeat(5000)
            )),
        ),
    ];
    for (event, text) in cases {
        for size in [1, 100_000] {
            let mut bench = bench();
            bench.tuple.dport = 80;
            bench.pieces(SERVER, request(&text).as_bytes(), size);
            bench.end(SERVER);
            let events = bench.events();
            assert!(
                events.iter().any(|told| told.strip_prefix("http.") == Some(event)),
                "{event}: {events:?}"
            );
        }
    }
}

#[test]
fn what_is_amiss_in_a_response_has_names() {
    let fields = |fields: &str| format!("HTTP/1.1 200 ok\r\n{fields}\r\n\r\n");
    let many: String = (0..1100).map(|n| format!("X-{n}: 1\r\n")).collect();
    let cases = [
        ("response_field_missing_colon", fields("nothing")),
        ("response_header_invalid", fields("na me: x")),
        ("invalid_response_field_folding", fields(" folded")),
        ("response_field_too_long", fields(&format!("X: {}", "x".repeat(20_000)))),
        ("response_header_repetition", fields(&"X-Same: 1\r\n".repeat(100))),
        ("response_too_many_headers", fields(&many)),
        ("response_invalid_protocol", "HTTP/x 200 ok\r\n\r\n".to_owned()),
        ("response_invalid_status", "HTTP/1.1 abc ok\r\n\r\n".to_owned()),
        ("invalid_transfer_encoding_value_in_response", fields("Transfer-Encoding: x")),
        ("response_abnormal_transfer_encoding", fields("Transfer-Encoding: x, chunked") + "0\r\n\r\n"),
        (
            "response_chunked_old_proto",
            "HTTP/1.0 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        ),
        ("invalid_response_chunk_len", fields("Transfer-Encoding: chunked") + "zz\r\n"),
        ("response_chunk_extension", fields("Transfer-Encoding: chunked") + "1;x\r\na\r\n0\r\n\r\n"),
        ("response_multipart_byteranges", fields("Content-Type: multipart/byteranges; boundary=x")),
        ("invalid_content_length_field_in_response", fields("Content-Length: x")),
        ("duplicate_content_length_field_in_response", fields("Content-Length: 0\r\nContent-Length: 1")),
        ("100_continue_already_seen", "HTTP/1.1 100 go\r\n\r\n".repeat(2) + &fields("A: b")),
        ("gzip_decompression_failed", fields("Content-Encoding: gzip\r\nContent-Length: 4") + "\u{1f}zzz"),
        ("too_many_encoding_layers", fields("Content-Encoding: gzip, gzip, gzip, gzip")),
        ("abnormal_ce_header", fields("Content-Encoding: gzipx")),
        ("range_invalid", "HTTP/1.1 206 ok\r\nContent-Range: bytes 9-1/3\r\n\r\n".to_owned()),
    ];
    for (event, text) in cases {
        let mut bench = bench();
        bench.data(SERVER, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        // Some are errors, behind which nothing is decoded (docs/decoders.md).
        bench.data(CLIENT, text.as_bytes());
        bench.end(CLIENT);
        let events = bench.events();
        assert!(events.iter().any(|told| told.strip_prefix("http.") == Some(event)), "{event}: {events:?}");
    }
    let mut alone = bench();
    alone.data(CLIENT, b"HTTP/1.1 200 ok\r\n\r\n");
    assert_eq!(alone.events(), ["http.unable_to_match_response_to_request"]);
}

#[test]
fn a_dictionary_beyond_what_is_allowed_is_told() {
    let mut coded = Vec::new();
    lzma_rs::lzma_compress(&mut &vec![0u8; 3 << 20][..], &mut coded).unwrap();
    let head =
        format!("HTTP/1.1 200 ok\r\nContent-Encoding: lzma\r\nContent-Length: {}\r\n\r\n", coded.len());
    let answer = [head.as_bytes(), &coded].concat();
    let bench = exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert!(bench.events().contains(&"http.lzma_memlimit_reached"), "{:?}", bench.events());
}
