//! A session of tiny messages whose bytes are decoded in one gathered chunk opens more transactions than it may have: rules see
//! each of them all the same.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::{Bench, ethernet, v4};
use weir::base::Dir;
use weir::wire::build::TcpConversation;

/// Messages in the session; the rules are on three of them.
const MESSAGES: usize = 10_000;
const SEGMENT: usize = 1400;
/// What the client sends before it waits for an acknowledgement: more than a thousand messages.
const WINDOW: usize = 40 * SEGMENT;
const MARKED: [usize; 3] = [1, 300, 9_999];

/// All messages to that port, acknowledged by windows.
fn each_alerts_once(port: u16, message: impl Fn(usize) -> Vec<u8>, rule: impl Fn(usize) -> String) {
    let bytes: Vec<u8> = (0..MESSAGES).flat_map(message).collect();
    let mut talk = TcpConversation::new(v4(1, 40_000), v4(2, port), 1);
    talk.handshake();
    for window in bytes.chunks(WINDOW) {
        talk.send(Dir::ToServer, window, SEGMENT).acknowledge(Dir::ToClient);
    }
    talk.close(Dir::ToServer);
    let bench = Bench::new();
    let capture = bench.capture(&ethernet(talk.packets));
    let rules: String = MARKED.iter().map(|&number| rule(number)).collect();
    for profile in ["suricata", "inline"] {
        let replayed = bench.replay(&capture, &rules, &["--profile", profile]).clean();
        let mut sids = replayed.events.sids();
        sids.sort_unstable();
        let marked = MARKED.map(|number| number as u64);
        assert_eq!(sids, marked, "port {port}, profile {profile}");
    }
}

#[test]
fn pipelined_requests_are_all_seen() {
    let message = |number| format!("GET /n{number}/ HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    each_alerts_once(80, message, |number| {
        format!("alert http any any -> any any (http.uri; content:\"/n{number}/\"; sid:{number};)\n")
    });
}

#[test]
fn queries_over_tcp_are_all_seen() {
    let message = |number: usize| {
        let name = format!("n{number}x");
        let mut query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0".to_vec();
        query.push(name.len() as u8);
        query.extend(name.bytes());
        query.extend(b"\x03com\0\0\x01\0\x01");
        [&(query.len() as u16).to_be_bytes(), &query[..]].concat()
    };
    each_alerts_once(53, message, |number| {
        format!("alert dns any any -> any any (dns.query; content:\"n{number}x.\"; sid:{number};)\n")
    });
}
