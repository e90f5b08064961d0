//! A signature cut over two segments at every place, in each way segments can come: it is found once, in its direction.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::collections::BTreeMap;
use support::{Bench, ethernet, v4};
use weir::base::Dir;
use weir::wire::build::TcpConversation;

/// How the two segments come.
const WAYS: [&str; 6] = [
    "in order",
    "out of order",
    "first one twice",
    "second one twice, out of order",
    "the first one again with other bytes",
    "the second one again with other bytes, out of order",
];

/// The packets with payload of one way, cut at `at`.
fn pieces(talk: &TcpConversation, request: &[u8], at: usize, way: &str) -> Vec<Vec<u8>> {
    let segment = |offset: usize, data: &[u8]| talk.segment(Dir::ToServer, offset as u32, data);
    let (first, second) = request.split_at(at);
    let other = |data: &[u8]| data.iter().map(|byte| byte ^ 0x20).collect::<Vec<u8>>();
    let (one, two) = (segment(0, first), segment(at, second));
    match way {
        "in order" => vec![one, two],
        "out of order" => vec![two, one],
        "first one twice" => vec![one.clone(), one, two],
        "second one twice, out of order" => vec![two.clone(), two, one],
        "the first one again with other bytes" => vec![one, segment(0, &other(first)), two],
        _ => vec![two, segment(at, &other(second)), one],
    }
}

/// Each way and each cut in a session of its own, and with the signature in the other direction none.
fn found_once(port: u16, request: &[u8], rule: &str) {
    let mut packets = Vec::new();
    let mut expected = BTreeMap::new();
    let cuts = WAYS.iter().flat_map(|way| (1..request.len()).map(move |at| (*way, at)));
    for (n, (way, at)) in cuts.enumerate() {
        let client = 10_000 + n as u16;
        let mut talk = TcpConversation::new(v4(1, client), v4(2, port), n as u64);
        talk.handshake();
        let pieces = pieces(&talk, request, at, way);
        talk.packets.extend(pieces);
        talk.skip(Dir::ToServer, request.len() as u32).acknowledge(Dir::ToClient).close(Dir::ToServer);
        packets.extend(talk.packets);
        expected.insert(client, (way, at));
    }
    let bench = Bench::new();
    let capture = bench.capture(&ethernet(packets));
    for profile in ["inline", "suricata"] {
        let replayed = bench.replay(&capture, rule, &["--profile", profile]).clean();
        let mut alerts: BTreeMap<u16, Vec<(String, u64)>> = BTreeMap::new();
        for event in replayed.events.of("alert") {
            let from = event["src_ip"].as_str().unwrap().to_owned();
            let client = event["src_port"].as_u64().unwrap() as u16;
            alerts.entry(client).or_default().push((from, event["dest_port"].as_u64().unwrap()));
        }
        let wrong: Vec<_> = expected
            .iter()
            .map(|(client, cut)| (cut, alerts.remove(client).unwrap_or_default()))
            .filter(|(_, found)| found != &[("10.0.0.1".to_owned(), u64::from(port))])
            .collect();
        assert!(wrong.is_empty(), "{profile}: {} of {}: {wrong:?}", wrong.len(), expected.len());
        assert!(alerts.is_empty(), "{profile}: {alerts:?}");
    }
}

const REQUEST: &[u8] = b"GET /etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_payload_signature_is_found_once_however_it_is_cut() {
    let rule = r#"alert tcp any any -> any any (flow:established,to_server; content:"/etc/passwd"; sid:1;)
alert tcp any any -> any any (flow:established,to_client; content:"/etc/passwd"; sid:2;)"#;
    found_once(8080, b"fetch me /etc/passwd, please", rule);
}

#[test]
fn a_uri_is_found_once_however_its_request_is_cut() {
    let rule = r#"alert http any any -> any any (flow:established,to_server; http.uri; content:"/etc/passwd"; sid:1;)"#;
    found_once(80, REQUEST, rule);
}

#[test]
fn a_dns_query_is_found_once_however_its_message_is_cut() {
    let mut message =
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04evil\x07example\x00\x00\x01\x00\x01".to_vec();
    let length = message.len() as u16;
    message.splice(0..0, length.to_be_bytes());
    let rule = r#"alert dns any any -> any any (dns.query; content:"evil.example"; sid:1;)"#;
    found_once(53, &message, rule);
}

/// A value behind its length in two bytes.
fn with_length(value: &[u8]) -> Vec<u8> {
    [&(value.len() as u16).to_be_bytes()[..], value].concat()
}

#[test]
fn a_server_name_is_found_once_however_its_client_hello_is_cut() {
    let name = with_length(&[&[0][..], &with_length(b"evil.example")].concat());
    let extension = [&[0, 0][..], &with_length(&name)].concat();
    let hello =
        [&[3, 3][..], &[7; 32], &[0], &with_length(&[0x13, 1]), &[1, 0], &with_length(&extension)].concat();
    let handshake = [&[1, 0][..], &with_length(&hello)].concat();
    let record = [&[22, 3, 1][..], &with_length(&handshake)].concat();
    let rule = r#"alert tls any any -> any any (flow:established,to_server; tls.sni; content:"evil.example"; sid:1;)"#;
    found_once(443, &record, rule);
}
