//! Fields of eve.json's records, each seen through the built binary on traffic made for it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::{Value, json};
use support::{Bench, Replayed, ethernet, v4};
use weir::base::Dir;
use weir::wire::build::{IpFields, TcpConversation, udp_packet};

fn replayed(packets: &[Vec<u8>], more: &[&str]) -> Replayed {
    let bench = Bench::new();
    let replayed = bench.replay(&bench.capture(&ethernet(packets)), "", more).clean();
    let text = std::fs::read_to_string("conf/eve.schema.json").unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    for event in &replayed.events.0 {
        assert!(schema.is_valid(event), "{event}");
    }
    replayed
}

#[test]
fn each_string_of_a_txt_answer_is_an_answer() {
    let name = b"\x07example\x03org\x00\x00\x10\x00\x01";
    let question = [&b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"[..], name].concat();
    let txt = b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x0e\x06v=spf1\x00\x05 -all";
    let reply = [&b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"[..], name, txt].concat();
    let (client, server) = (v4(1, 5000), v4(3, 53));
    let ip = IpFields::default();
    let packets = [udp_packet(client, server, &ip, &question), udp_packet(server, client, &ip, &reply)];
    let replayed = replayed(&packets, &[]);
    let dns = &replayed.events.of("dns")[1]["dns"];
    let answer = |text: &str| json!({ "rrname": "example.org", "rrtype": "TXT", "ttl": 60, "rdata": text });
    assert_eq!(dns["answers"], json!([answer("v=spf1"), answer(""), answer(" -all")]));
    assert_eq!(dns["grouped"], json!({ "TXT": ["v=spf1", "", " -all"] }));
}

#[test]
fn a_part_of_a_file_says_which_bytes_it_has() {
    let mut talk = TcpConversation::new(v4(1, 4000), v4(2, 80), 7);
    talk.handshake();
    for (status, range) in [(206, "bytes 5-9/20"), (206, "bytes 9-5/20"), (200, "bytes 5-9/20")] {
        talk.send(Dir::ToServer, b"GET /part HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
        let head = format!("HTTP/1.1 {status} x\r\nContent-Range: {range}\r\nContent-Length: 5\r\n\r\nbytes");
        talk.send(Dir::ToClient, head.as_bytes(), 1000);
    }
    talk.close(Dir::ToServer);
    let replayed = replayed(&talk.packets, &[]);
    let files = replayed.events.of("fileinfo");
    let parts: Vec<_> = files.iter().map(|e| json!([e["fileinfo"]["start"], e["fileinfo"]["end"]])).collect();
    assert_eq!(parts, [json!([5, 9]), json!([null, null]), json!([null, null])]);
    // None is stored, and what Suricata says of stored ones is not there.
    let stored =
        |e: &&Value| e["fileinfo"]["stored"] == json!(false) && e["fileinfo"].get("file_id").is_none();
    assert!(files.iter().all(stored), "{files:?}");
}
