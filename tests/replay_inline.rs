//! `weir replay --simulate-ips`: what a line would have done, from a capture.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use support::{Bench, Replayed, ethernet, v4, weir, with_id};
use weir::base::Dir;
use weir::wire::build::{Capture, TcpConversation, udp_packet};

const CLIENT: u32 = 1;
const SERVER: u32 = 2;

fn ends() -> (SocketAddr, SocketAddr) {
    (v4(CLIENT, 4000), v4(SERVER, 80))
}

/// Handshake (1 to 3), an innocent request and its answer, one with the attack in two segments, and what would follow.
fn attack() -> Capture {
    let (client, server) = ends();
    let mut talk = TcpConversation::new(client, server, 7);
    talk.handshake().send(Dir::ToServer, b"GET /index HTTP/1.1\r\n\r\n", 100);
    talk.send(Dir::ToClient, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 100);
    talk.send(Dir::ToServer, b"GET /forbidden HTTP/1.1\r\n\r\n", 9);
    talk.send(Dir::ToClient, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 100);
    ethernet(talk.packets)
}

fn rules(action: &str) -> String {
    format!("{action} tcp any any -> any 80 (msg:\"m\"; flow:to_server; content:\"/forbidden\"; sid:1;)")
}

fn dropped(replayed: &Replayed) -> Vec<(u64, String)> {
    let fact = |e: &&serde_json::Value| {
        (e["pcap_cnt"].as_u64().unwrap(), e["drop"]["reason"].as_str().unwrap().to_owned())
    };
    replayed.events.of("drop").iter().map(fact).collect()
}

#[test]
fn a_drop_rule_drops_its_packet_and_what_follows_in_the_session() {
    let bench = Bench::new();
    let capture = attack();
    let path = bench.capture(&capture);
    let verdict = ["--simulate-ips", "--set", "outputs.eve.verdict=true"];
    let replayed = bench.replay(&path, &rules("drop"), &verdict).clean();
    let drops = dropped(&replayed);
    let first = drops[0].0;
    assert_eq!(drops[0].1, "rules");
    let rest: Vec<_> = (first..=capture.frames.len() as u64).collect();
    assert_eq!(drops.iter().map(|drop| drop.0).collect::<Vec<_>>(), rest);
    assert!(drops[1..].iter().all(|drop| drop.1 == "flow_drop"), "{drops:?}");
    let records = replayed.events.of("drop");
    let (by, after) = (records[0], records[1]);
    assert_eq!((&by["alert"]["signature_id"], &by["alert"]["signature"]), (&json!(1), &json!("m")));
    assert_eq!((&by["direction"], &by["verdict"]), (&json!("to_server"), &json!({"action": "drop"})));
    assert_eq!((&by["drop"]["ack"], &by["drop"]["syn"]), (&json!(true), &json!(false)));
    assert_eq!(by["flow_id"], replayed.events.of("alert")[0]["flow_id"]);
    assert!(after.get("alert").is_none() && after["flow_id"] == by["flow_id"], "{after}");
    let alerts = replayed.events.of("alert");
    assert_eq!(alerts.len(), 1);
    assert_eq!((&alerts[0]["alert"]["action"], &alerts[0]["pcap_cnt"]), (&json!("blocked"), &json!(first)));
    assert_eq!(alerts[0]["verdict"], json!({"action": "drop"}));
    assert_eq!(replayed.events.of("flow")[0]["flow"]["action"], "drop");

    // Without it the same rule only says what it would have done.
    let listened = bench.replay(&path, &rules("drop"), &verdict[1..]).clean();
    let alerts = listened.events.of("alert");
    assert_eq!((&alerts[0]["alert"]["action"], alerts.len()), (&json!("allowed"), 1));
    assert_eq!(alerts[0]["verdict"], json!({"action": "alert", "would": "drop"}));
    assert!(listened.events.of("drop").is_empty());
}

#[test]
fn what_would_have_passed_is_written() {
    let bench = Bench::new();
    let path = bench.capture(&attack());
    let out = bench.path("out.pcap");
    let arguments = ["--simulate-ips", "-w", out.to_str().unwrap()];
    let replayed = bench.replay(&path, &rules("drop"), &arguments).clean();
    let first = dropped(&replayed)[0].0;
    assert_eq!(replayed.summary("frames written"), (first - 1).to_string());
    let bytes = std::fs::read(&out).unwrap();
    assert!(!bytes.windows(10).any(|window| window == b"/forbidden"), "no byte of the match in one piece");
}

#[test]
fn the_answers_of_reject_are_written_and_counted() {
    let bench = Bench::new();
    let path = bench.capture(&attack());
    let out = bench.path("out.pcap");
    let write = ["-w", out.to_str().unwrap(), "--simulate-ips", "--set", "outputs.eve.verdict=true"];
    for (action, target) in [("reject", "to_client"), ("close-server", "to_server"), ("rejectboth", "both")] {
        let replayed = bench.replay(&path, &rules(action), &write).clean();
        let first = dropped(&replayed)[0].clone();
        assert_eq!(first.1, "rules_reject");
        let ips = replayed.events.of("stats")[0]["stats"]["ips"].clone();
        let answers = ips["answers"].as_u64().unwrap();
        assert_eq!((ips["rejected"].as_u64(), answers > 0), (Some(1), true), "{ips}");
        assert_eq!(replayed.summary("frames written"), (first.0 - 1 + answers).to_string());
        let alert = replayed.events.of("alert")[0];
        let told = json!({"action": "drop", "reject-target": target, "reject": ["tcp-reset"]});
        assert_eq!((&alert["verdict"], &alert["alert"]["action"]), (&told, &json!("blocked")));
    }
}

/// A session of which the handshake is missing.
fn midstream() -> Capture {
    let (client, server) = ends();
    let mut talk = TcpConversation::new(client, server, 7);
    talk.handshake().send(Dir::ToServer, b"GET /index HTTP/1.1\r\n\r\n", 100);
    ethernet(talk.packets.split_off(3))
}

#[test]
fn a_session_whose_beginning_was_not_seen_goes_by_the_policy_for_that() {
    let bench = Bench::new();
    let path = bench.capture(&midstream());
    let replay = |policy: &str| {
        let policy = format!("exception-policy.midstream={policy}");
        bench.replay(&path, "", &["--simulate-ips", "--set", &policy]).clean()
    };
    let frames = midstream().frames.len();
    for (policy, name) in [("auto", "drop_flow"), ("drop-flow", "drop_flow"), ("reject", "reject")] {
        let replayed = replay(policy);
        let drops = dropped(&replayed);
        assert_eq!((drops.len(), drops[0].1.as_str()), (frames, "stream_midstream"), "{policy}");
        let flow = replayed.events.of("flow")[0]["flow"].clone();
        assert_eq!(flow["exception_policy"], json!([{"target": "stream_midstream", "policy": name}]));
        assert_eq!(flow["action"], "drop");
        let stats = replayed.events.of("stats")[0]["stats"]["exception_policy"].clone();
        assert_eq!(stats, json!({"tcp": {"midstream": {name: 1}}}));
    }
    for policy in ["pass-flow", "bypass"] {
        let replayed = replay(policy);
        assert!(dropped(&replayed).is_empty());
        assert_eq!(replayed.events.of("flow")[0]["flow"]["action"], "pass", "{policy}");
    }
    let ignored = replay("ignore");
    assert!(dropped(&ignored).is_empty());
    assert!(ignored.events.of("flow")[0]["flow"]["exception_policy"].is_null());
    // Beside the line nothing is dropped, and auto ignores.
    assert!(dropped(&bench.replay(&path, "", &[]).clean()).is_empty());
}

#[test]
fn a_full_session_table_goes_by_the_policy_for_that() {
    let bench = Bench::new();
    let datagrams =
        (0..100u16).map(|n| udp_packet(v4(u32::from(n) + 1, 4000), v4(200, 53), &Default::default(), b"x"));
    let path = bench.capture(&ethernet(datagrams));
    let replay = |policy: &str| {
        let policy = format!("exception-policy.flow-memcap={policy}");
        let more = [
            "--simulate-ips",
            "--set",
            "sessions.size=64",
            "--set",
            "sessions.full=drop-new",
            "--set",
            &policy,
        ];
        bench.replay(&path, "alert udp any any -> any any (sid:1;)", &more).clean()
    };
    let closed = replay("auto");
    assert_eq!((dropped(&closed).len(), closed.events.sids().len()), (36, 64));
    let open = replay("ignore");
    assert_eq!((dropped(&open).len(), open.events.sids().len()), (0, 100), "inspected without a session");
    let passing = replay("pass-packet");
    assert_eq!((dropped(&passing).len(), passing.events.sids().len()), (0, 64));
    assert_eq!(
        passing.events.of("stats")[0]["stats"]["exception_policy"]["flow"]["memcap"]["pass_packet"],
        36
    );
}

/// A session that its decoder gives up at its fourth packet; one of a rule's word follows.
fn broken(port: u16, first: &[u8]) -> Capture {
    let mut talk = TcpConversation::new(v4(CLIENT, 4000), v4(SERVER, port), 7);
    talk.handshake().send(Dir::ToServer, first, 1400).send(Dir::ToServer, b"forbidden\r\n", 100);
    talk.send(Dir::ToClient, b"answer\r\n", 100);
    ethernet(talk.packets)
}

const BAD_CHUNK: &[u8] = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n";

#[test]
fn what_is_not_of_its_protocol_goes_by_the_policy_for_that() {
    let bench = Bench::new();
    let capture = broken(80, BAD_CHUNK);
    let (path, all) = (bench.capture(&capture), capture.frames.len() as u64);
    let rules = "alert http any any -> any any (app-layer-event:http.invalid_request_chunk_len; sid:1;)\n\
        drop tcp any any -> any any (flow:to_server; content:\"forbidden\"; sid:2;)";
    let replay = |policy: &str| {
        let policy = format!("exception-policy.app-layer-error={policy}");
        bench.replay(&path, rules, &["--simulate-ips", "--set", &policy]).clean()
    };
    let numbers = |replayed: &Replayed| dropped(replayed).iter().map(|drop| drop.0).collect::<Vec<_>>();
    let told = |replayed: &Replayed| {
        let flow = replayed.events.of("flow")[0]["flow"].clone();
        (flow["exception_policy"].clone(), flow["action"].clone())
    };
    let first = 4;
    for (policy, name) in [("auto", "drop_flow"), ("drop-flow", "drop_flow"), ("reject", "reject")] {
        let replayed = replay(policy);
        assert_eq!(numbers(&replayed), (first..=all).collect::<Vec<_>>(), "{policy}");
        assert_eq!(dropped(&replayed)[0].1, "applayer_error");
        // The event was in a packet that no rule looked at, and the session's end brings none.
        assert!(replayed.events.sids().is_empty(), "{policy}");
        assert_eq!(
            told(&replayed),
            (json!([{"target": "app_layer_error", "policy": name}]), json!("drop")),
            "{policy}"
        );
        let stats = replayed.events.of("stats")[0]["stats"].clone();
        assert_eq!(stats["exception_policy"], json!({"app_layer": {"error": {name: 1}}}));
        assert_eq!(stats["ips"]["rejected"], u64::from(policy == "reject"), "{policy}");
    }
    for policy in ["pass-flow", "bypass"] {
        let replayed = replay(policy);
        assert_eq!((numbers(&replayed), replayed.events.sids()), (vec![], vec![]), "{policy}");
        assert_eq!(told(&replayed).1, "pass", "{policy}");
    }
    let packet = replay("drop-packet");
    // The next but one has the word: an acknowledgement comes between them.
    let word = first + 2;
    assert_eq!((dropped(&packet)[0].0, dropped(&packet)[1].clone()), (first, (word, "rules".to_owned())));
    let passed = replay("pass-packet");
    assert_eq!((numbers(&passed)[0], passed.events.sids().contains(&2)), (word, true));
    let ignored = replay("ignore");
    assert_eq!((numbers(&ignored)[0], ignored.events.sids()), (word, vec![1, 2]));
}

#[test]
fn decoders_say_what_is_not_of_their_protocol() {
    let bench = Bench::new();
    let long = [&b"GET / HTTP/1.1\r\nX: "[..], &[b'x'; 20_000]].concat();
    let answer = |first: &[u8]| {
        let mut talk = TcpConversation::new(v4(CLIENT, 4000), v4(SERVER, 22), 7);
        talk.handshake().send(Dir::ToServer, first, 1400);
        ethernet(talk.packets)
    };
    for (name, bytes) in [
        ("http", BAD_CHUNK),
        ("http", &long),
        ("ssh", b"SSH-2.0-x\r\n\x7f\0\0\x01\0\x14"),
        ("tls", b"\x16\x03\x01\0\x05\x01\0\0\x01\0\x63\x03\x03\0\x01\0"),
        ("smb", b"\0\0\0\x04\xffSMB\x99\x99\x99\x99\x99"),
    ] {
        let path = bench.capture(&answer(bytes));
        let rules = format!("alert {name} any any -> any any (msg:\"{name}\"; content:\"nobody\"; sid:1;)");
        let replayed = bench.replay(&path, &rules, &["--simulate-ips"]).clean();
        let stats = replayed.events.of("stats")[0]["stats"].clone();
        assert_eq!(stats["exception_policy"], json!({"app_layer": {"error": {"drop_flow": 1}}}), "{name}");
        // The same beside the line is an event at most.
        let beside = bench.replay(&path, &rules, &[]).clean();
        assert!(beside.events.of("stats")[0]["stats"]["exception_policy"].is_null(), "{name}");
    }
}

#[test]
fn what_still_waits_when_the_capture_ends_has_a_record_too() {
    let bench = Bench::new();
    let (client, server) = ends();
    let mut talk = TcpConversation::new(client, server, 7);
    talk.handshake();
    let early = talk.segment(Dir::ToServer, 10, b"behind a hole");
    talk.packets.push(early);
    let path = bench.capture(&ethernet(talk.packets));
    let hold = ["--simulate-ips", "--profile", "inline", "--set", "streams.out-of-order=\"hold\""];
    let replayed = bench.replay(&path, &rules("drop"), &hold).clean();
    assert_eq!(dropped(&replayed), [(4, "shutdown".to_owned())]);
    let drop = replayed.events.of("drop")[0];
    assert_eq!(drop["flow_id"], replayed.events.of("flow")[0]["flow_id"]);
}

#[test]
fn a_policy_that_is_none_is_refused_with_those_there_are() {
    let bench = Bench::new();
    let path = bench.capture(&midstream());
    let mut command = weir();
    command.args(["replay", "-r"]).arg(&path).args(["--set", "exception-policy.midstream=drop-flows", "-l"]);
    let output = command.arg(Path::new(&bench.path("log"))).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("drop-flow"), "{said}");
}

#[test]
fn an_ip_action_strikes_what_follows_and_its_record_names_the_rule_for_any_number_of_workers() {
    let bench = Bench::new();
    let packet = |n: u16| {
        let client = 1 + u32::from(n % 3);
        let text: &[u8] = if n == 10 { b"attack" } else { b"hello" };
        udp_packet(v4(client, 4000 + n), v4(200, 53), &with_id(n), text)
    };
    let path = bench.capture(&ethernet((0..60).map(packet)));
    let rules =
        "alert udp any any -> any 53 (msg:\"m\"; content:\"attack\"; metadata:ip_action block; sid:7;)";
    let attacker = (11..60).filter(|n| n % 3 == 10 % 3).map(|n| n + 1).collect::<Vec<u64>>();
    for workers in ["0", "1", "3"] {
        let replayed = bench.replay(&path, rules, &["--simulate-ips", "--workers", workers]).clean();
        let mut drops = dropped(&replayed);
        drops.sort_unstable();
        let expected: Vec<_> = attacker.iter().map(|n| (*n, "ip_action".to_owned())).collect();
        assert_eq!(drops, expected, "{workers} workers");
        assert!(replayed.events.of("drop").iter().all(|drop| drop["alert"]["signature_id"] == 7));
        assert_eq!(replayed.events.sids(), [7]);
    }
    let wrong = rules.replace("block", "blok");
    let refused = bench.replay(&path, &wrong, &["--simulate-ips"]);
    assert!(refused.stderr().contains("one of notify, block, close, not `blok`"), "{}", refused.stderr());
}
