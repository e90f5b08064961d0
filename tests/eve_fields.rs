//! Fields of eve.json's records, each seen through the built binary on traffic made for it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::{Value, json};
use support::{Bench, Replayed, ethernet, v4};
use weir::base::{Dir, Family};
use weir::wire::build::{IpFields, Message, TcpConversation, icmp_packet, udp_packet};

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

fn with_ttl(ttl: u8) -> IpFields {
    IpFields { ttl, ..IpFields::default() }
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

const NETFLOW: &[&str] = &["--set", "outputs.eve.types=[\"flow\", \"netflow\"]"];

#[test]
fn netflow_tells_how_far_each_directions_packets_had_come() {
    let (client, server) = (v4(1, 5000), v4(2, 5001));
    let from = |ttl, client, server| udp_packet(client, server, &with_ttl(ttl), b"word");
    let packets = [
        from(64, client, server),
        from(50, server, client),
        from(60, client, server),
        from(63, client, server),
        from(255, server, client),
    ];
    let replayed = replayed(&packets, NETFLOW);
    let ranges: Vec<Value> = replayed.events.of("netflow").iter().map(|e| range(&e["netflow"])).collect();
    assert_eq!(ranges, [json!([60, 64]), json!([50, 255])]);
}

fn range(netflow: &Value) -> Value {
    json!([netflow["min_ttl"], netflow["max_ttl"]])
}

#[test]
fn sessions_of_icmp_have_the_type_and_code_of_each_direction() {
    let (client, server) = (v4(1, 0).ip(), v4(2, 0).ip());
    let echo = |request| Message::echo(Family::V4, request, 7, 1, b"ping");
    let packets = [
        icmp_packet(client, server, &with_ttl(9), &echo(true)),
        icmp_packet(server, client, &with_ttl(8), &echo(false)),
    ];
    let replayed = replayed(&packets, NETFLOW);
    let kinds = |e: &Value| json!([e["icmp_type"], e["icmp_code"], e.get("src_port")]);
    let halves: Vec<Value> = replayed.events.of("netflow").into_iter().map(kinds).collect();
    assert_eq!(halves, [json!([8, 0, null]), json!([0, 0, null])]);
    let [flow] = replayed.events.of("flow")[..] else { panic!("{:?}", replayed.events) };
    assert_eq!(kinds(flow), json!([8, 0, null]));
    assert_eq!((&flow["response_icmp_type"], &flow["response_icmp_code"]), (&json!(0), &json!(0)));
    let alone = self::replayed(&packets[..1], NETFLOW);
    assert_eq!(alone.events.of("netflow").len(), 1);
    assert_eq!(alone.events.of("flow")[0].get("response_icmp_type"), None);
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
