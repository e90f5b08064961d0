//! Addresses and ports that a capture uses again, where the end of the first connection is missing.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::{Value, json};
use support::{Bench, Replayed, ethernet, v4};
use weir::base::Dir::{ToClient, ToServer};
use weir::wire::build::TcpConversation;
use weir::wire::tcp::flag::{ACK, FIN, RST};

const RULES: &str = "drop tcp any any -> any 80 (flow:established,to_server; content:\"/forbidden\"; sid:1;)\n\
    alert tcp any any -> any 80 (flags:S; sid:2;)\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// In and beside the line, with pick-up in the middle and without.
const WAYS: [&[&str]; 5] = [
    &[],
    &["--set", "sessions.midstream=true"],
    &["--simulate-ips"],
    &["--simulate-ips", "--profile", "inline"],
    &["--simulate-ips", "--set", "sessions.midstream=true"],
];

fn talk(seed: u64) -> TcpConversation {
    TcpConversation::new(v4(1, 4000), v4(2, 80), seed)
}

/// A connection that does not end.
fn old() -> TcpConversation {
    let mut old = talk(7);
    old.handshake().send(ToServer, b"GET /index HTTP/1.1\r\n\r\n", 100).send(ToClient, ANSWER, 100);
    old
}

/// Another one of the same ends, which asks for that.
fn new(path: &str) -> TcpConversation {
    let mut new = talk(8);
    new.handshake().send(ToServer, format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes(), 9);
    new.send(ToClient, ANSWER, 100);
    new
}

fn is_inline(way: &[&str]) -> bool {
    way.contains(&"--simulate-ips")
}

fn replay(way: &[&str], packets: Vec<Vec<u8>>) -> Replayed {
    let bench = Bench::new();
    let path = bench.capture(&ethernet(packets));
    bench.replay(&path, RULES, way).clean()
}

fn drops(replayed: &Replayed) -> Vec<(u64, &str)> {
    let fact = |e: &&'_ Value| e["pcap_cnt"].as_u64().unwrap();
    let reason = |e: &'_ Value| match e["drop"]["reason"].as_str().unwrap() {
        "rules" => "rules",
        "flow_drop" => "flow_drop",
        other => panic!("{other}"),
    };
    replayed.events.of("drop").iter().map(|e| (fact(e), reason(e))).collect()
}

fn count(replayed: &Replayed, sid: u64) -> usize {
    replayed.events.sids().into_iter().filter(|found| *found == sid).count()
}

fn reasons(replayed: &Replayed) -> Vec<&str> {
    replayed.events.of("flow").into_iter().map(|e| e["flow"]["reason"].as_str().unwrap()).collect()
}

#[test]
fn a_connection_in_the_place_of_one_without_an_end_is_found_whole() {
    for way in WAYS {
        let innocent = replay(way, [old().packets, new("/index").packets].concat());
        assert!(drops(&innocent).is_empty(), "{way:?}");
        assert_eq!((count(&innocent, 1), count(&innocent, 2)), (0, 2), "{way:?}");
        assert_eq!(reasons(&innocent), ["reused", "shutdown"], "{way:?}");

        let (before, attack) = (old().packets, new("/forbidden").packets);
        let (from, last) = (before.len() as u64, (before.len() + attack.len()) as u64);
        let attacked = replay(way, [before, attack].concat());
        assert_eq!(count(&attacked, 1), 1, "{way:?}");
        let dropped = drops(&attacked);
        assert_eq!(!dropped.is_empty(), is_inline(way), "{way:?}");
        if let Some(&(first, by)) = dropped.first() {
            assert!(by == "rules" && first > from + 3, "{way:?} {dropped:?}");
            assert!(dropped.iter().map(|drop| drop.0).eq(first..=last), "{way:?} {dropped:?}");
        }
        // Both requests are transactions of a session of their own.
        let flows = attacked.events.of("flow");
        assert_ne!(flows[0]["flow_id"], flows[1]["flow_id"]);
        let (one, two) = (&flows[0]["tcp"], &flows[1]["tcp"]);
        assert_eq!((&one["syn"], &one["state"]), (&json!(true), &json!("established")), "{way:?}");
        assert_eq!((&two["syn"], &two["state"]), (&json!(true), &json!("established")), "{way:?}");
        let alert =
            attacked.events.of("alert").into_iter().find(|e| e["alert"]["signature_id"] == 1).unwrap();
        assert_eq!((&alert["flow_id"], &alert["src_port"]), (&flows[1]["flow_id"], &json!(4000)), "{way:?}");
    }
}

#[test]
fn the_same_alerts_for_any_number_of_workers() {
    let packets = [old().packets, new("/forbidden").packets].concat();
    let facts = |workers| replay(&["--workers", workers], packets.clone()).events.alert_facts();
    assert_eq!(facts("0").len(), 3);
    assert_eq!((facts("0"), facts("0")), (facts("1"), facts("3")));
}

/// The old connection, what an attacker puts in its middle, and the attack in the rest of its stream.
fn around(middle: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut old = old();
    old.send(ToServer, b"GET /forb", 100);
    old.packets.extend(middle);
    old.send(ToServer, b"idden HTTP/1.1\r\n\r\n", 100);
    old.packets
}

#[test]
fn a_syn_alone_or_a_wrong_answer_takes_nothing_from_inspection() {
    let syn = new("/x").packets.remove(0);
    let mut stranger = talk(9);
    stranger.handshake();
    let wrong = stranger.packets.remove(1);
    let flood = (100..1100).map(|seed| talk(seed).handshake().packets.remove(0)).collect::<Vec<_>>();
    for middle in [vec![syn.clone()], vec![wrong.clone()], vec![syn.clone(), wrong], flood] {
        for way in WAYS {
            let replayed = replay(way, around(middle.clone()));
            assert_eq!(count(&replayed, 1), 1, "{way:?} {}", middle.len());
            assert_eq!(!drops(&replayed).is_empty(), is_inline(way), "{way:?}");
            assert_eq!(replayed.events.of("flow").len(), 1, "{way:?}");
        }
    }
}

#[test]
fn of_several_syns_the_one_that_came_last_is_answered() {
    let mut packets = old().packets;
    packets.extend((100..150).map(|seed| talk(seed).handshake().packets.remove(0)));
    packets.extend(new("/forbidden").packets);
    for way in WAYS {
        let replayed = replay(way, packets.clone());
        assert_eq!((count(&replayed, 1), reasons(&replayed).len()), (1, 2), "{way:?}");
    }
}

#[test]
fn a_server_that_has_the_old_connection_challenges_and_the_reset_ends_it() {
    let mut before = old();
    let mut after = new("/forbidden");
    let syn = after.packets[0].clone();
    before.packets.push(syn);
    before.acknowledge(ToClient);
    before.emit(ToServer, RST, Default::default(), &[]);
    before.packets.append(&mut after.packets);
    for way in WAYS {
        let replayed = replay(way, before.packets.clone());
        assert_eq!((count(&replayed, 1), reasons(&replayed)[0]), (1, "rst"), "{way:?}");
    }
}

#[test]
fn half_closed_and_closed_connections_make_room_too() {
    let mut half = old();
    half.emit(ToServer, FIN | ACK, Default::default(), &[]);
    half.acknowledge(ToClient);
    let mut over = old();
    over.close(ToServer);
    for (before, reason) in [(half, "reused"), (over, "fin")] {
        let packets = [before.packets, new("/forbidden").packets].concat();
        for way in WAYS {
            let replayed = replay(way, packets.clone());
            assert_eq!((count(&replayed, 1), reasons(&replayed)[0]), (1, reason), "{way:?}");
        }
    }
}

#[test]
fn without_the_answer_the_old_session_stays() {
    let mut after = new("/forbidden");
    after.packets.remove(1);
    let packets = [old().packets, after.packets].concat();
    for way in WAYS {
        let replayed = replay(way, packets.clone());
        assert_eq!(replayed.events.of("flow").len(), 1, "{way:?}");
    }
}
