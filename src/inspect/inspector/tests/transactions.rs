//! Rules over transactions, on HTTP as its decoder yields it.

use super::*;
use crate::app::{Apps, Source};
use crate::base::Dir::{ToClient, ToServer};

/// One session under these rules.
struct Session {
    inspecting: Inspecting,
    apps: Apps,
    handle: u32,
}

impl Session {
    fn new(rules: &str) -> Session {
        Session { inspecting: inspector(rules), apps: Apps::new(Default::default()), handle: u32::MAX }
    }

    /// What rules say of the direction when these bytes of it come.
    fn says(&mut self, dir: Dir, bytes: &str) -> Vec<u32> {
        self.says_with(dir, bytes, b"")
    }

    /// As [`says`](Self::says), when the packet that brings them has that payload.
    fn says_with(&mut self, dir: Dir, bytes: &str, payload: &[u8]) -> Vec<u32> {
        let Session { inspecting, apps, handle } = self;
        let packet = packet(dir, 1, payload);
        let tuple = super::packet(ToServer, 1, b"").decoded.tuple;
        let source = Source { tuple, time: packet.time, dir, opening_seen: true };
        let wanted = *inspecting.rules.engine.wanted();
        apps.data(handle, &source, &wanted, bytes.as_bytes());
        let transactions = &mut apps.get_mut(*handle).unwrap().transactions;
        let Inspecting { inspector, rules } = inspecting;
        inspector.inspect_transactions(rules, &packet.facts(), None, Payload::Packet, transactions, 0);
        apps.sweep(*handle);
        let mut sids = sids(&self.inspecting);
        sids.sort_unstable();
        sids
    }

    fn lost(&mut self, dir: Dir, missing: u64) {
        let packet = packet(ToServer, 1, b"");
        let source = Source { tuple: packet.decoded.tuple, time: packet.time, dir, opening_seen: true };
        self.apps.gap(self.handle, &source, missing);
    }
}

const NOTHING: [u32; 0] = [];

#[test]
fn parts_hold_one_by_one_and_the_rule_matches_once() {
    let mut session = Session::new(
        "alert http any any -> any any (http.uri; content:\"/a\"; http.request_body; content:\"secret\"; sid:1;)\n\
         alert http any any -> any any (http.uri; content:\"/b\"; http.request_body; content:\"secret\"; sid:2;)\n",
    );
    let head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n";
    assert_eq!(session.says(ToServer, head), NOTHING);
    assert_eq!(session.says(ToServer, "sec"), NOTHING);
    assert_eq!(session.says(ToServer, "ret"), [1]);
    assert_eq!(
        session.says(ToClient, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        NOTHING,
        "it matched already"
    );
    assert_eq!(session.says(ToServer, &head.replace("/a", "/b")), NOTHING);
    assert_eq!(session.says(ToServer, "secret"), [2], "another transaction");
}

#[test]
fn a_rule_without_direction_looks_at_each_by_itself() {
    let mut session = Session::new(
        "alert http any any -> any any (http.header; content:\"X-A\"; sid:1;)\n\
         alert http any any -> any any (flow:to_server; http.header; content:\"X-A\"; sid:2;)\n\
         alert http any any -> any any (flow:to_client; http.header; content:\"X-A\"; sid:3;)\n",
    );
    assert_eq!(session.says(ToServer, "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\r\n"), [1, 2]);
    assert_eq!(session.says(ToClient, "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n"), [1, 3]);
}

#[test]
fn what_is_absent_is_known_when_its_stage_is_over() {
    let mut session = Session::new(
        "alert http any any -> any any (flow:to_server; http.uri; content:\"/\"; http.user_agent; absent; sid:1;)\n",
    );
    assert_eq!(session.says(ToServer, "GET /x HTTP/1.1\r\nHost: h\r\n"), NOTHING);
    assert_eq!(session.says(ToServer, "\r\n"), [1]);
    assert_eq!(session.says(ToServer, "GET /x HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\n\r\n"), NOTHING);
}

#[test]
fn negated_content_asks_for_its_buffer() {
    let mut session = Session::new(
        "alert http any any -> any any (flow:to_server; http.user_agent; content:!\"good\"; sid:1;)\n",
    );
    assert_eq!(session.says(ToServer, "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: bad\r\n\r\n"), [1]);
    assert_eq!(session.says(ToServer, "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: good\r\n\r\n"), NOTHING);
    assert_eq!(session.says(ToServer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), NOTHING, "it has none");
}

#[test]
fn a_rule_over_request_and_response_matches_in_the_responses_turn() {
    let mut session = Session::new(
        "alert http any any => any any (http.uri; content:\"/a\"; http.stat_code; content:\"404\"; sid:1;)\n",
    );
    for (uri, status, sids) in [("/a", "404 no", vec![1]), ("/a", "200 ok", vec![]), ("/b", "404 no", vec![])]
    {
        assert_eq!(session.says(ToServer, &format!("GET {uri} HTTP/1.1\r\nHost: h\r\n\r\n")), NOTHING);
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(session.says(ToClient, &answer), sids, "{uri} {status}");
    }
}

#[test]
fn an_event_is_the_transactions_for_rules_that_name_a_direction() {
    let mut session = Session::new(
        "alert http any any -> any any (app-layer-event:http.missing_host_header; sid:1;)\n\
         alert http any any -> any any (flow:to_server; app-layer-event:http.missing_host_header; sid:2;)\n\
         alert http any any -> any any (flow:to_client; app-layer-event:http.missing_host_header; sid:3;)\n",
    );
    assert_eq!(session.says(ToServer, "GET / HTTP/1.1\r\n\r\n"), [1, 2]);
    assert_eq!(session.says(ToClient, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), [3]);
}

#[test]
fn a_later_event_finds_its_rules_too() {
    let mut session = Session::new(
        "alert http any any -> any any (flow:to_client; app-layer-event:http.response_field_missing_colon; sid:1;)\n",
    );
    assert_eq!(session.says(ToServer, "GET / HTTP/1.1\r\n\r\n"), NOTHING);
    let answer = "HTTP/1.1 200 OK\r\nwithout\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(session.says(ToClient, answer), [1]);
}

#[test]
fn keywords_of_files_hold_for_one_and_the_same_file() {
    let mut session = Session::new(
        "alert http any any -> any any (flow:to_server; filename:\"one\"; filesize:<9; sid:1;)\n\
         alert http any any -> any any (flow:to_server; filename:\"two\"; filesize:<9; sid:2;)\n\
         alert http any any -> any any (flow:to_server; filename:\"two\"; filesize:>9; sid:3;)\n",
    );
    let file = |name: &str, bytes: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\n{bytes}\r\n")
    };
    let body = file("one", "short") + &file("two", "longer than nine") + "--x--\r\n";
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n"
    );
    assert_eq!(session.says(ToServer, &(head + &body)), [1, 3]);
}

#[test]
fn a_body_that_is_a_file_is_found_under_both_names() {
    let rules = "alert http any any -> any any (http.response_body; content:\"secret\"; sid:1;)\n\
         alert http any any -> any any (file.data; content:\"secret\"; sid:2;)\n\
         alert http any any -> any any (file.data; content:\"top\"; startswith; sid:3;)\n\
         alert http any any -> any any (http.response_body; content:\"top\"; depth:3; sid:4;)\n\
         alert http any any -> any any (file.data; to_uppercase; content:\"SECRET\"; sid:5;)\n\
         alert http any any -> any any (http.response_body; to_uppercase; content:\"SECRET\"; sid:6;)\n\
         alert http any any -> any any (http.response_body; content:\"top\"; file.data; content:!\"secret\"; sid:7;)\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    let mut session = Session::new(rules);
    session.says(ToServer, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut said = session.says(ToClient, &format!("{head}top s"));
    said.extend(session.says(ToClient, "ecret"));
    said.sort_unstable();
    assert_eq!(said, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn nothing_is_found_over_a_hole_in_a_body() {
    let mut session = Session::new(
        "alert http any any -> any any (http.request_body; content:\"abcd\"; sid:1;)\n\
         alert http any any -> any any (http.request_body; content:\"efgh\"; sid:2;)\n",
    );
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 14\r\n\r\n";
    assert_eq!(session.says(ToServer, &format!("{head}..ab")), NOTHING);
    session.lost(ToServer, 4);
    assert_eq!(session.says(ToServer, "cdef"), NOTHING);
    assert_eq!(session.says(ToServer, "gh"), [2]);
}

#[test]
fn content_behind_the_announced_length_is_found_however_it_is_cut() {
    let rule = "alert http any any -> any any (flow:to_client; file.data; content:\"0123456789\"; sid:1;)\n";
    let head =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n";
    let response = format!("{head}012345678901");
    for cut in head.len()..response.len() {
        let mut session = Session::new(rule);
        session.says(ToServer, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        let (first, second) = response.split_at(cut);
        let found = [session.says(ToClient, first), session.says(ToClient, second)].concat();
        assert_eq!(found, [1], "cut {} bytes behind the head", cut - head.len());
    }
}

#[test]
fn a_response_that_is_not_the_last_keeps_nothing() {
    let mut session =
        Session::new("alert http any any -> any any (flow:to_client; file.data; content:\"a\"; sid:1;)\n");
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na";
    for _ in 0..3 {
        session.says(ToServer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(session.says(ToClient, answer), [1]);
        assert!(session.apps.get(session.handle).unwrap().transactions.len() <= 1);
    }
}

#[test]
fn a_pattern_in_the_payload_announces_a_rule_over_transactions() {
    let mut session = Session::new(
        "alert http any any -> any any (flow:to_server; content:\"attack\"; fast_pattern; http.uri; content:\"/a\"; sid:1;)\n",
    );
    let candidates = |session: &Session| session.inspecting.inspector.counters().candidates.get();
    let request = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(session.says_with(ToServer, request, b"nothing"), NOTHING);
    assert_eq!(candidates(&session), 0, "it is not looked at");
    assert_eq!(session.says_with(ToServer, request, b"an attack"), [1]);
    assert_eq!(candidates(&session), 1);
    assert_eq!(session.says_with(ToServer, &request.replace("/a", "/b"), b"an attack"), NOTHING);
}

#[test]
fn a_rule_of_another_protocol_is_no_candidate() {
    let mut i = inspector(
        "alert ip any any -> any any (ip_proto:41; sid:1;)\nalert ip any any -> any any (ip_proto:!41; sid:2;)",
    );
    let packet = packet(ToServer, 1, b"x");
    i.inspect(&packet.facts(), None, Payload::Packet);
    assert_eq!((sids(&i), i.inspector.counters().candidates.get()), (vec![2], 1));
}

/// Rules on these states, numbered from 1, each as a hook of the protocol.
fn hooks(proto: &str, states: &[&str]) -> String {
    let rule = |(n, state)| format!("alert {proto}:{state} any any -> any any (sid:{};)\n", n + 1);
    states.iter().enumerate().map(rule).collect()
}

#[test]
fn a_hook_matches_once_when_its_state_is_reached_or_passed() {
    let states = [
        "request_started",
        "request_line",
        "request_headers",
        "request_body",
        "request_trailer",
        "request_complete",
        "response_started",
        "response_line",
        "response_headers",
        "response_body",
        "response_trailer",
        "response_complete",
    ];
    let mut session = Session::new(&hooks("http1", &states));
    // One packet passes them all.
    assert_eq!(session.says(ToServer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        session.says(ToClient, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"),
        [7, 8, 9, 10, 11, 12]
    );
    // Piece by piece; a body's state begins behind the headers.
    assert_eq!(session.says(ToServer, "POST / HTTP/1.1\r\n"), [1, 2]);
    assert_eq!(session.says(ToServer, "Host: h\r\nContent-Length: 4\r\n\r\n"), [3, 4]);
    assert_eq!(session.says(ToServer, "ab"), NOTHING);
    assert_eq!(session.says(ToServer, "cd"), [5, 6]);
    assert_eq!(session.says(ToClient, "HTTP/1.1 200 OK\r\n"), [7, 8]);
    assert_eq!(session.says(ToClient, "Content-Length: 2\r\n\r\n"), [9, 10]);
    assert_eq!(session.says(ToClient, "a"), NOTHING);
    assert_eq!(session.says(ToClient, "b"), [11, 12]);
}

#[test]
fn a_hook_asks_beside_what_the_rule_asks() {
    let mut session = Session::new(
        "alert http1:request_line any any -> any any (http.method; content:\"GET\"; sid:1;)\n\
         alert http1:request_line any any -> any any (http.method; content:\"PUT\"; sid:2;)\n\
         alert http:response_complete any any -> any any (http.stat_code; content:\"404\"; sid:3;)\n",
    );
    assert_eq!(session.says(ToServer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), [1]);
    assert_eq!(session.says(ToClient, "HTTP/1.1 404 no\r\nContent-Length: 1\r\n\r\n"), NOTHING);
    assert_eq!(session.says(ToClient, "x"), [3]);
}

#[test]
fn every_protocol_has_its_beginning_and_its_end() {
    let states = ["request_started", "request_complete", "response_started", "response_complete"];
    let mut session = Session::new(&hooks("ssh", &states));
    assert_eq!(session.says(ToServer, "SSH-2.0-x\r\n"), [1]);
    assert_eq!(session.says(ToClient, "SSH-2.0-y\r\n"), [3]);
    let mut session = Session::new(&hooks("http", &states));
    assert_eq!(session.says(ToServer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), [1, 2]);
}

#[test]
fn a_transactions_bit_is_its_own() {
    let mut session = Session::new(
        "alert http any any -> any any (flow:to_client; http.stat_code; content:\"200\"; xbits:isset,a,track tx; sid:1;)\n\
         alert http any any -> any any (http.uri; content:\"/a\"; xbits:set,a,track tx; noalert; sid:2;)\n\
         alert http any any -> any any (http.method; content:\"GET\"; xbits:isset,a,track tx; sid:3;)\n",
    );
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(session.says(ToServer, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), [3]);
    assert_eq!(session.says(ToClient, ok), [1]);
    assert_eq!(session.says(ToServer, "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"), NOTHING);
    assert_eq!(session.says(ToClient, ok), NOTHING, "another transaction");
}
