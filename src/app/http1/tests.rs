//! Exchanges, and what is made of them.

use super::Http1;
use crate::app::decoder::Next;
use crate::app::fixture::Bench;
use crate::app::transaction::NoteRef;
use crate::base::Dir;
use crate::rules::app::AppProto;

pub(super) const SERVER: Dir = Dir::ToServer;
pub(super) const CLIENT: Dir = Dir::ToClient;

pub(super) fn bench() -> Bench {
    Bench::new(AppProto::Http1, Box::new(Http1::new()))
}

/// One exchange, both ends closed.
pub(super) fn exchange(request: &[u8], response: &[u8]) -> Bench {
    let mut bench = bench();
    assert_eq!(bench.data(SERVER, request), Next::More);
    assert_eq!(bench.data(CLIENT, response), Next::More);
    bench.end(SERVER);
    bench.end(CLIENT);
    bench
}

pub(super) fn answered(response: &[u8]) -> Bench {
    exchange(b"GET /f.bin?x HTTP/1.1\r\nHost: a.example\r\n\r\n", response)
}

pub(super) fn body(bench: &Bench) -> String {
    bench.streamed(0, "file.data").unwrap_or_default()
}

pub(super) fn one(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_request_has_its_line_its_fields_and_its_host() {
    let bench = exchange(
        b"GET http://u@Www.Example.COM:8080/a/%2e%2e//b%20c?d=%41 HTTP/1.1\r\nHost: other.example\r\n\
        User-Agent:  one\r\nX-A: 1\r\n  2\r\nuser-agent: two \r\nCookie: s=1\r\nAccept: */*\r\n\r\n",
        b"",
    );
    for (buffer, wanted) in [
        ("http.method", "GET"),
        ("http.uri", "/b c?d=A"),
        ("http.uri.raw", "http://u@Www.Example.COM:8080/a/%2e%2e//b%20c?d=%41"),
        ("http.protocol", "HTTP/1.1"),
        ("http.request_line", "GET http://u@Www.Example.COM:8080/a/%2e%2e//b%20c?d=%41 HTTP/1.1"),
        ("http.host", "www.example.com"),
        ("http.host.raw", "Www.Example.COM"),
        ("http.user_agent", "one, two"),
        ("http.cookie", "s=1"),
        ("http.accept", "*/*"),
        ("http.header_names", "\r\nHost\r\nUser-Agent\r\nX-A\r\nCookie\r\nAccept\r\n\r\n"),
        ("http.header", "Host: other.example\r\nUser-Agent: one, two\r\nX-A: 1 2\r\nAccept: */*\r\n"),
    ] {
        assert_eq!(bench.text(0, buffer), one(wanted), "{buffer}");
    }
    assert!(
        bench.text(0, "http.header.raw").unwrap().starts_with("Host: other.example\r\nUser-Agent:  one\r\n")
    );
    let start = bench.text(0, "http.start").unwrap();
    assert!(
        start.starts_with("GET http://") && start.ends_with("Cookie: s=1\r\nAccept: */*\r\n\r\n"),
        "{start}"
    );
    assert_eq!(bench.texts(0, "http.request_header").len(), 5);
    assert!(bench.events().contains(&"http.host_header_ambiguous"));
    assert!(bench.complete(0, SERVER) && bench.complete(0, CLIENT) && bench.flushed);
}

#[test]
fn hosts_of_several_fields_are_joined() {
    let bench = exchange(b"GET / HTTP/1.1\r\nHost: ABC.com:80\r\nHost: efg.net\r\n\r\n", b"");
    assert_eq!(bench.text(0, "http.host"), one("abc.com, efg.net"));
    assert_eq!(bench.text(0, "http.host.raw"), one("ABC.com:80, efg.net"));
}

#[test]
fn a_response_has_its_line_its_fields_and_its_body() {
    let bench = answered(
        b"HTTP/1.1 404 Not  Found \r\nServer: x/1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nLocation: /y\r\n\
        Content-Type: text/html; charset=x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    );
    for (buffer, wanted) in [
        ("http.response_line", "HTTP/1.1 404 Not  Found "),
        ("http.stat_code", "404"),
        ("http.stat_msg", "Not  Found "),
        ("http.server", "x/1"),
        ("http.location", "/y"),
        ("http.cookie", "a=1, b=2"),
        ("http.content_len", "5"),
        ("http.connection", "close"),
        ("file.name", "/f.bin"),
    ] {
        assert_eq!(bench.text(0, buffer), one(wanted), "{buffer}");
    }
    assert_eq!(bench.streamed(0, "http.response_body"), one("hello"));
    assert_eq!(body(&bench), "hello");
    let file = &bench.transactions.newest().unwrap().files()[0];
    assert!((file.size, file.closed, file.truncated) == (5, true, false));
}

#[test]
fn the_record_says_what_the_exchange_was() {
    let bench = exchange(
        b"GET /a HTTP/1.1\r\nHost: h:81\r\nUser-Agent: u\r\nReferer: r\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
        b"HTTP/1.1 206 x\r\nContent-Type: text/html; charset=x\r\nContent-Range: bytes 1-2/9\r\nLocation: /l\r\n\
        Content-Length: 2\r\n\r\nab",
    );
    let tx = bench.transactions.newest().unwrap();
    let notes: Vec<(&str, String)> = tx
        .notes()
        .map(|(name, value)| match value {
            NoteRef::Text(text) => (name, String::from_utf8_lossy(text).into_owned()),
            NoteRef::Number(number) => (name, number.to_string()),
            other => (name, format!("{other:?}")),
        })
        .collect();
    for wanted in [
        ("url", "/a"),
        ("http_method", "GET"),
        ("protocol", "HTTP/1.1"),
        ("hostname", "h"),
        ("http_port", "81"),
        ("http_user_agent", "u"),
        ("http_refer", "r"),
        ("xff", "1.2.3.4"),
        ("status", "206"),
        ("http_content_type", "text/html"),
        ("redirect", "/l"),
        ("content_range.start", "1"),
        ("content_range.end", "2"),
        ("content_range.size", "9"),
        ("length", "2"),
    ] {
        assert!(notes.contains(&(wanted.0, wanted.1.to_owned())), "{wanted:?} in {notes:?}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut bench = bench();
    bench.data(SERVER, b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.data(
        CLIENT,
        b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 201 a\r\nContent-Length: 1\r\n\r\nx\
        HTTP/1.1 202 b\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 304 c\r\nContent-Length: 7\r\n\r\n",
    );
    for (tx, (uri, code)) in [("/1", "201"), ("/2", "202"), ("/3", "304")].into_iter().enumerate() {
        assert_eq!(bench.text(tx, "http.uri"), one(uri));
        assert_eq!(bench.texts(tx, "http.stat_code"), [code]);
    }
    assert!(bench.complete(1, CLIENT));
    // A 304 that tells a length has no body where a response follows.
    bench.data(SERVER, b"GET /4 HTTP/1.1\r\nHost: a\r\n\r\n");
    for byte in b"HTTP/1.1 205 d\r\nContent-Length: 0\r\n\r\n" {
        bench.data(CLIENT, &[*byte]);
    }
    assert_eq!(bench.text(3, "http.stat_code"), one("205"));
    assert!(bench.complete(2, CLIENT) && bench.complete(3, CLIENT));
    assert_eq!(bench.streamed(2, "file.data"), None);
    assert_eq!(bench.transactions.len(), 4);
}

#[test]
fn fields_end_and_fold_as_browsers_read_them() {
    for head in [
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding\t : chunked\r\n",
        "A: b\rTransfer-Encoding: chunked\rC: d\r\n",
        "A: b\nTransfer-Encoding:\n chunked\n",
        "Transfer-Encoding\r\n \r\n :\r\n chunked\r\n",
        "A: b\r\n Transfer-Encoding: chunked\r\n",
        "A: b\r\n\r\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nno colon\r\n: no name\r\n",
    ] {
        let response = format!("HTTP/1.1 200 ok\r\n{head}\r\n3\r\nabc\r\n0\r\n\r\n");
        assert_eq!(body(&answered(response.as_bytes())), "abc", "{head:?}");
    }
    for end in ["\n\r\n", "\n\r\r\n", "\n\r\r\n\r\n", "\n \n", "\n\t\n\n", "\r\n \r\n\r\n", "\n\n"] {
        let response = format!("HTTP/1.1 200 ok\r\nContent-Length: 3{end}abc");
        assert_eq!(body(&answered(response.as_bytes())), "abc", "{end:?}");
    }
}

#[test]
fn status_lines_are_found_behind_empty_lines_and_junk() {
    for before in ["", "\r\n", "\r\r", " \r\n", "\n\r", "\0", "\x0b\n", "junk\r\n"] {
        let response = format!("{before}HTTP/1.1 200 ok\r\nContent-Length: 3\r\n\r\nabc");
        let bench = answered(response.as_bytes());
        assert_eq!(bench.text(0, "http.stat_code"), one("200"), "{before:?}");
        assert_eq!(body(&bench), "abc", "{before:?}");
    }
    let headless = answered(b"<html>\nno head\n</html>");
    assert_eq!(body(&headless), "<html>\nno head\n</html>");
    assert_eq!(headless.text(0, "http.stat_code"), None);
}

#[test]
fn requests_without_protocol_are_simple_or_forgot_it() {
    let simple = exchange(b"GET /a b\r\n", b"plain answer");
    assert_eq!(simple.text(0, "http.uri"), one("/a b"));
    assert_eq!(simple.text(0, "http.protocol"), None);
    assert_eq!(body(&simple), "plain answer");
    let forgot = exchange(b"GET /\nFakeHeader\nHost: localhost\n\n", b"");
    assert_eq!(forgot.text(0, "http.host"), one("localhost"));
    assert!(forgot.events().contains(&"http.request_line_missing_protocol"));
}

#[test]
fn connect_and_upgrade_change_the_protocol() {
    let mut tunnel = bench();
    tunnel.data(SERVER, b"CONNECT Host.example:443 HTTP/1.1\r\nHost: host.example:443\r\n\r\n");
    assert_eq!(tunnel.text(0, "http.host"), one("host.example"));
    let answer = b"HTTP/1.1 200 ok\r\n\r\n\x16\x03";
    assert_eq!(tunnel.data(CLIENT, answer), Next::Change { consumed: answer.len() - 2, to: None });
    let mut refused = bench();
    refused.data(SERVER, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nGET /next HTTP/1.0\r\n\r\n");
    assert_eq!(refused.transactions.len(), 1);
    refused.data(CLIENT, b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(refused.text(1, "http.uri"), one("/next"));
    for (upgrade, to) in
        [("websocket", Some(AppProto::Websocket)), ("H2C", Some(AppProto::Http2)), ("x", None)]
    {
        let mut bench = bench();
        bench.data(SERVER, format!("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: {upgrade}\r\n\r\n").as_bytes());
        let answer = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\n\r\nrest";
        assert_eq!(bench.data(CLIENT, answer), Next::Change { consumed: answer.len() - 4, to });
        assert!(bench.complete(0, CLIENT));
    }
}

#[test]
fn a_response_without_request_has_a_transaction_of_its_own() {
    let mut bench = bench();
    bench.data(CLIENT, b"HTTP/1.1 200 ok\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(bench.text(0, "http.stat_code"), one("200"));
    assert_eq!(bench.events(), ["http.unable_to_match_response_to_request"]);
    assert!(bench.complete(0, SERVER) && bench.complete(0, CLIENT));
}

#[test]
fn holes_in_bodies_are_passed_over_and_others_end_the_direction() {
    let mut bench = bench();
    bench.data(SERVER, b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.data(CLIENT, b"HTTP/1.1 200 ok\r\nContent-Length: 9\r\n\r\nabc");
    assert_eq!(bench.gap(CLIENT, 3), Next::More);
    bench.data(CLIENT, b"ghiHTTP/1.1 201 ok\r\nContent-Length: 1\r\n\r\n");
    assert_eq!(body(&bench), "abcghi");
    assert!(bench.transactions.iter().next().unwrap().files()[0].gaps);
    assert_eq!(bench.text(1, "http.stat_code"), one("201"));
    bench.gap(CLIENT, 2);
    assert!(bench.complete(1, CLIENT));
    bench.data(CLIENT, b"HTTP/1.1 200 lost\r\n\r\n");
    bench.data(SERVER, b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(bench.text(2, "http.uri"), one("/3"));
    assert!(bench.complete(2, CLIENT), "no response will be found");
}

#[test]
fn what_is_too_long_or_too_many_is_told() {
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let mut cut = bench();
    assert_eq!(cut.data(SERVER, long.as_bytes()), Next::Broken);
    assert!(cut.events().contains(&"http.request_field_too_long"));
    assert_eq!(cut.text(0, "http.host"), one("a"));
    let many: String = (0..1100).map(|n| format!("N{n}: x\r\n")).collect();
    let mut left_out = bench();
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n");
    assert_eq!(left_out.data(SERVER, request.as_bytes()), Next::Broken);
    assert_eq!(left_out.events(), ["http.request_too_many_headers"]);
}

/// What a request's, or the answer's, bytes lead to in pieces of one byte and at once.
fn outcome(dir: Dir, bytes: &[u8]) -> (Next, Vec<&'static str>) {
    let [slow, fast] = [1, bytes.len()].map(|size| {
        let mut bench = bench();
        if dir == CLIENT {
            bench.data(SERVER, b"GET / HTTP/1.0\r\n\r\n");
        }
        let next = bench.pieces(dir, bytes, size);
        (next, bench.events())
    });
    assert_eq!(slow, fast, "{}", String::from_utf8_lossy(bytes));
    fast
}

#[test]
fn a_request_whose_end_cannot_be_told_is_an_error() {
    for (head, event) in [
        ("Content-Length: many\r\n\r\n", "http.invalid_content_length_field_in_request"),
        ("Transfer-Encoding: gzip\r\n\r\n", "http.invalid_transfer_encoding_value_in_request"),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n", "http.invalid_request_chunk_len"),
    ] {
        let request = format!("POST /a HTTP/1.1\r\nHost: a\r\n{head}");
        assert_eq!(outcome(SERVER, request.as_bytes()), (Next::Broken, vec![event]));
    }
    for whole in ["Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"] {
        let request = format!("POST /a HTTP/1.1\r\nHost: a\r\n{whole}GET /b HTTP/1.0\r\n\r\n");
        assert_eq!(outcome(SERVER, request.as_bytes()).0, Next::More);
    }
}

#[test]
fn what_is_sloppy_but_clear_is_no_error() {
    for whole in [
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx",
        "Transfer-Encoding:\r\n\r\n",
        "Content-Length:\r\n\r\n",
    ] {
        let request = format!("POST /a HTTP/1.1\r\nHost: a\r\n{whole}GET /b HTTP/1.0\r\n\r\n");
        let mut bench = bench();
        assert_eq!(bench.data(SERVER, request.as_bytes()), Next::More, "{whole:?}");
        assert_eq!(bench.text(1, "http.uri"), one("/b"), "{whole:?}");
    }
}

/// Uploads without a length, sources of streams, sessions that were taken over, padding.
#[test]
fn what_follows_a_request_and_is_none_may_be_of_any_length() {
    for head in [
        "POST /a HTTP/1.0\r\n\r\n",
        "SOURCE /live ICE/1.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        for unit in ["x", "\0"] {
            let mut bench = bench();
            let bytes = format!("{head}{}", unit.repeat(100_000));
            assert_eq!(bench.pieces(SERVER, bytes.as_bytes(), 1000), Next::More, "{head:?} {unit:?}");
        }
    }
}

#[test]
fn what_is_beyond_the_limits_of_a_head_is_an_error_at_once() {
    let long = "x".repeat(20_000);
    let fields: String = (0..2000).map(|n| format!("N{}: {}\r\n", n % 20, "x".repeat(100))).collect();
    for (start, event) in [
        (format!("GET /{long}"), "http.request_field_too_long"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"), "http.request_field_too_long"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}"), "http.request_field_too_long"),
    ] {
        let (next, events) = outcome(SERVER, start.as_bytes());
        assert!(next == Next::Broken && events.contains(&event), "{next:?} {events:?}");
    }
    for start in [format!("HTTP/1.1 200 {long}"), format!("HTTP/1.1 200 ok\r\nX: {long}")] {
        assert_eq!(outcome(CLIENT, start.as_bytes()), (Next::Broken, vec!["http.response_field_too_long"]));
    }
}

#[test]
fn responses_that_browsers_read_are_no_errors() {
    for answer in [
        "HTTP/1.1 200 ok\r\nContent-Length: many\r\n\r\nxyz",
        "HTTP/1.1 200 ok\r\nTransfer-Encoding: x\r\n\r\nxyz",
        "HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
        "no head at all",
    ] {
        assert_eq!(outcome(CLIENT, answer.as_bytes()).0, Next::More, "{answer}");
    }
}

#[test]
fn frames_are_messages_as_they_stand() {
    let request = "GET / HTTP/1.0\r\n\r\n";
    let response = "HTTP/1.0 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    let bench = exchange(request.as_bytes(), response.as_bytes());
    assert_eq!(bench.text(0, "http1.request"), one(request));
    assert_eq!(bench.text(0, "http1.response"), one(response));
}

#[test]
fn trailers_are_fields_too() {
    let bench =
        answered(b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Late: yes\r\n\r\n");
    assert_eq!(bench.texts(0, "http.response_header"), ["Transfer-Encoding: chunked", "X-Late: yes"]);
    let headers = bench.texts(0, "http.header");
    assert_eq!(headers.last().map(String::as_str), Some("Transfer-Encoding: chunked\r\nX-Late: yes\r\n"));
    assert!(bench.complete(0, CLIENT));
}

#[test]
fn a_second_change_of_protocol_fails() {
    for (changed, expected) in [(false, &[][..]), (true, &["http.failed_protocol_change"])] {
        let mut bench = bench();
        bench.changed = changed;
        bench.data(SERVER, b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n");
        bench.data(CLIENT, b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n");
        assert_eq!(bench.events(), expected);
    }
}

#[test]
fn more_requests_at_once_than_a_session_may_have_are_an_event() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut bench = bench();
    bench.limits.transactions = 8;
    bench.data(SERVER, &request.repeat(8));
    assert!(bench.events().is_empty());
    bench.data(SERVER, request);
    assert_eq!(bench.events(), ["http.too_many_transactions"]);
}
