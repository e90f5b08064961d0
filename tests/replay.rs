//! `weir replay` over net_pcap, for any number of workers: what is detected and counted does not depend on it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::collections::BTreeMap;
use support::{Bench, Replayed, ethernet, v4, v6, with_id};
use weir::base::Dir;
use weir::wire::build::{self, Capture, IpFields, Link, Random, TcpConversation, fragments, udp_packet};

const WORKERS: [&str; 4] = ["0", "1", "2", "4"];

/// Five hundred two-way UDP flows of both families, interleaved: a third fragmented, every tenth with an ICMP error about it.
fn many_flows() -> Capture {
    let mut random = Random::new(7);
    let mut flows = Vec::new();
    for n in 0..500u16 {
        let (client, server) = match n % 2 {
            0 => (v4(u32::from(n) + 1, 4000 + n), v4(0x10_0000 + u32::from(n % 7), 53)),
            _ => (v6(n + 1, 4000 + n), v6(60_000 + n % 7, 53)),
        };
        let question = udp_packet(client, server, &with_id(n), &random.bytes(600));
        let answer = udp_packet(server, client, &with_id(n), &random.bytes(900));
        let mut flow = Vec::new();
        for (i, packet) in [question.clone(), answer].into_iter().enumerate() {
            if n % 3 == 0 {
                let mut pieces = fragments(&packet, u32::from(n) * 2 + i as u32, &[256, 128, 8]);
                random.shuffle(&mut pieces);
                flow.extend(pieces);
            } else {
                flow.push(packet);
            }
        }
        if n % 10 == 1 {
            let (kind, code) = if client.is_ipv4() { (3, 3) } else { (1, 4) };
            flow.extend(build::icmp_error(server.ip(), kind, code, 0, &question));
        }
        flows.push(flow);
    }
    ethernet(interleave(flows, &mut random))
}

/// Takes packets of all flows in turn at random, each flow's in order.
fn interleave(flows: Vec<Vec<Vec<u8>>>, random: &mut Random) -> Vec<Vec<u8>> {
    let mut flows: Vec<_> = flows.into_iter().map(Vec::into_iter).collect();
    let mut packets = Vec::new();
    while !flows.is_empty() {
        let at = random.below(flows.len());
        match flows[at].next() {
            Some(packet) => packets.push(packet),
            None => drop(flows.swap_remove(at)),
        }
    }
    packets
}

/// Requests over TCP, one in four with an attack, cut into small segments and interleaved with [`many_flows`]'s kind.
fn busy_capture() -> Capture {
    let mut random = Random::new(11);
    let mut flows = Vec::new();
    for n in 0..120u16 {
        let path = if n % 4 == 0 { "/etc/passwd" } else { "/index.html" };
        let request = format!("GET {path} HTTP/1.1\r\nHost: h{n}\r\n\r\n");
        let mut talk =
            TcpConversation::new(v4(u32::from(n) + 1, 20_000 + n), v4(0x20_0000, 80), u64::from(n));
        talk.handshake().send(Dir::ToServer, request.as_bytes(), 5);
        talk.send(Dir::ToClient, b"HTTP/1.1 404 Not Found\r\n\r\n", 9).close(Dir::ToServer);
        flows.push(talk.packets);
        let datagram = udp_packet(v6(n + 1, 5000), v6(9, 5353), &with_id(n), &random.bytes(1200));
        flows.push(if n % 2 == 0 { fragments(&datagram, u32::from(n), &[400]) } else { vec![datagram] });
    }
    ethernet(interleave(flows, &mut random))
}

const RULES: &str = r#"
alert tcp any any -> any 80 (msg:"passwd"; flow:established,to_server; content:"/etc/passwd"; sid:1;)
alert tcp any 80 -> any any (msg:"not found"; flow:established,to_client; content:"404"; sid:2;)
alert udp any any -> any any (msg:"two bytes"; content:"|00 01|"; sid:3;)
alert tcp any any -> any any (msg:"flag set"; flow:established,to_server; content:"passwd"; flowbits:set,asked; noalert; sid:4;)
alert tcp any any -> any any (msg:"answer to it"; flow:established,to_client; flowbits:isset,asked; content:"HTTP"; sid:5;)
alert udp any any -> any any (msg:"limited"; dsize:>1000; threshold:type limit, track by_dst, count 3, seconds 60; sid:6;)
alert tcp any any -> any any (msg:"third SYN"; flags:S; threshold:type threshold, track by_dst, count 3, seconds 60; sid:7;)
"#;

#[test]
fn any_number_of_workers_gives_the_same_alerts() {
    let bench = Bench::new();
    let capture = bench.capture(&busy_capture());
    let mut first: Option<Vec<String>> = None;
    for workers in WORKERS {
        let replayed = bench.replay(&capture, RULES, &["--workers", workers]).clean();
        let facts = replayed.events.alert_facts();
        let sids = replayed.events.sids();
        let count = |sid| sids.iter().filter(|s| **s == sid).count();
        assert_eq!((count(1), count(2), count(5)), (30, 120, 30), "{workers} workers");
        assert_eq!((count(4), count(6), count(7)), (0, 3, 40), "{workers} workers");
        let first = first.get_or_insert_with(|| facts.clone());
        assert_eq!(&facts, first, "{workers} workers");
    }
}

#[test]
fn an_alert_names_the_flowbits_of_its_session() {
    let bench = Bench::new();
    let replayed = bench.replay(&bench.capture(&busy_capture()), RULES, &[]).clean();
    let bits = |sid: u64| -> Vec<_> {
        let alerts = replayed.events.of("alert").into_iter();
        alerts
            .filter(|a| a["alert"]["signature_id"] == sid)
            .map(|a| a["metadata"]["flowbits"].clone())
            .collect()
    };
    assert_eq!(bits(5), vec![serde_json::json!(["asked"]); 30]);
    assert_eq!(bits(1), bits(5), "those that the packet itself sets count");
    assert!(bits(3).iter().all(serde_json::Value::is_null), "a session without flowbits has none to name");
}

#[test]
fn frames_in_chains_of_small_buffers_give_the_same_alerts() {
    let bench = Bench::new();
    let capture = bench.capture(&busy_capture());
    let facts = |more: &[&str]| bench.replay(&capture, RULES, more).clean().events.alert_facts();
    let whole = facts(&[]);
    assert!(!whole.is_empty());
    for room in ["64", "100", "576"] {
        for workers in ["0", "2"] {
            let room = format!("pools.data-room={room}");
            assert_eq!(facts(&["--workers", workers, "--set", &room]), whole, "{room}, {workers} workers");
        }
    }
}

/// (packets to server, to client) of each flow record, and how often.
fn packets_of_flows(replayed: &Replayed) -> BTreeMap<(u64, u64), usize> {
    let mut count = BTreeMap::new();
    for record in replayed.events.of("flow") {
        let number = |key: &str| record["flow"][key].as_u64().unwrap();
        *count.entry((number("pkts_toserver"), number("pkts_toclient"))).or_default() += 1;
    }
    count
}

#[test]
fn each_of_500_sessions_is_seen_once_with_both_directions_fragments_and_icmp_errors() {
    let bench = Bench::new();
    let capture = bench.capture(&many_flows());
    for workers in WORKERS {
        let replayed = bench.replay(&capture, "", &["--workers", workers]).clean();
        // The error is about the client's packet and goes to the client.
        let expected = BTreeMap::from([((1, 1), 450), ((1, 2), 50)]);
        assert_eq!(packets_of_flows(&replayed), expected, "{workers} workers");
        let ids: std::collections::BTreeSet<_> =
            replayed.events.of("flow").iter().map(|e| e["flow_id"].as_u64()).collect();
        assert_eq!(ids.len(), 500, "{workers} workers");
    }
}

#[test]
fn every_frame_is_accounted_for_and_the_summary_counts_them() {
    let bench = Bench::new();
    let capture = many_flows();
    let path = bench.capture(&capture);
    let replayed = bench.replay(&path, "", &["--workers", "2"]).clean();
    assert_eq!(replayed.summary("frames"), capture.frames.len().to_string());
    assert_eq!(support::conserved(&replayed.stdout()), capture.frames.len() as u64);
    assert_eq!(replayed.summary("sessions"), "500");
    let stats = replayed.events.of("stats");
    assert_eq!(stats.len(), 1, "one at the end");
    let bytes: usize = capture.frames.iter().map(|(_, frame)| frame.len()).sum();
    assert_eq!(stats[0]["stats"]["decoder"]["bytes"].as_u64(), Some(bytes as u64));
    assert_eq!(
        stats[0]["stats"]["decoder"]["pkts"].as_u64(),
        Some(capture.frames.len() as u64),
        "{}",
        stats[0]
    );
}

const SECRET: &[u8] = b"weir-split-signature";

/// One session for each place where the signature can be cut, the two parts in order or not.
fn split_everywhere(in_order: bool) -> Capture {
    let mut packets = Vec::new();
    for cut in 1..SECRET.len() {
        let (first, second) = SECRET.split_at(cut);
        let mut talk = TcpConversation::new(v4(cut as u32, 3000), v4(99, 8080), cut as u64);
        talk.handshake();
        let mut parts =
            [talk.segment(Dir::ToServer, 0, first), talk.segment(Dir::ToServer, cut as u32, second)];
        if !in_order {
            parts.reverse();
        }
        talk.packets.extend(parts);
        talk.skip(Dir::ToServer, SECRET.len() as u32).acknowledge(Dir::ToClient).close(Dir::ToServer);
        packets.extend(talk.packets);
    }
    ethernet(packets)
}

#[test]
fn a_signature_split_over_two_segments_fires_once_wherever_it_is_cut() {
    let bench = Bench::new();
    let rule = r#"alert tcp any any -> any any (flow:established,to_server; content:"weir-split-signature"; sid:1;)"#;
    for (in_order, profile) in [(true, "inline"), (false, "inline"), (true, "suricata"), (false, "suricata")]
    {
        let capture = bench.capture(&split_everywhere(in_order));
        for workers in ["0", "2"] {
            let more = ["--workers", workers, "--profile", profile];
            let replayed = bench.replay(&capture, rule, &more).clean();
            let mut clients: Vec<String> =
                replayed.events.of("alert").iter().map(|e| e["flow"]["src_ip"].to_string()).collect();
            clients.sort();
            let mut expected: Vec<String> =
                (1..SECRET.len()).map(|n| format!("{:?}", v4(n as u32, 0).ip().to_string())).collect();
            expected.sort();
            assert_eq!(clients, expected, "in order: {in_order}, {profile}, {workers} workers");
        }
    }
}

#[test]
fn a_signature_over_the_border_of_two_buffers_of_a_jumbo_frame_fires() {
    let bench = Bench::new();
    let mut packets = Vec::new();
    // Buffers end at about 2,048 bytes from the frame's start: every alignment around each end.
    for (n, at) in (2000..2060).chain(4050..4110).enumerate() {
        let mut payload = vec![b'.'; 8900];
        payload[at..at + SECRET.len()].copy_from_slice(SECRET);
        packets.push(udp_packet(v4(n as u32 + 1, 9), v4(200, 9), &IpFields::default(), &payload));
    }
    let frames = packets.len();
    let capture = bench.capture(&ethernet(packets));
    let rule = r#"alert udp any any -> any any (content:"weir-split-signature"; sid:1;)"#;
    for workers in ["0", "2"] {
        let out = bench.path("out.pcap");
        let more = ["--workers", workers, "-w", out.to_str().unwrap()];
        let replayed = bench.replay(&capture, rule, &more).clean();
        assert_eq!(replayed.events.sids().len(), frames, "{workers} workers");
        assert_eq!(std::fs::metadata(&out).unwrap().len(), std::fs::metadata(&capture).unwrap().len());
    }
}

#[test]
fn a_fragmented_attack_is_seen_rebuilt_in_both_families() {
    let bench = Bench::new();
    let mut packets = Vec::new();
    for (client, server) in [(v4(1, 9), v4(2, 9)), (v6(1, 9), v6(2, 9))] {
        let mut payload = vec![b'.'; 3000];
        payload[1190..1190 + SECRET.len()].copy_from_slice(SECRET);
        let packet = udp_packet(client, server, &with_id(5), &payload);
        let mut pieces = fragments(&packet, 5, &[1200]);
        pieces.reverse();
        packets.extend(pieces);
    }
    let capture = bench.capture(&ethernet(packets));
    let rule = r#"alert udp any any -> any any (content:"weir-split-signature"; dsize:3000; sid:1;)"#;
    for workers in WORKERS {
        let replayed = bench.replay(&capture, rule, &["--workers", workers]).clean();
        assert_eq!(replayed.events.sids(), [1, 1], "{workers} workers");
        assert_eq!(replayed.events.of("stats")[0]["stats"]["defrag"]["reassembled"].as_u64(), Some(2));
    }
}

#[test]
fn a_session_in_a_vlan_is_not_the_one_outside_it() {
    let bench = Bench::new();
    let packet = udp_packet(v4(1, 1000), v4(2, 53), &IpFields::default(), b"question");
    let mut capture = Capture::new(Link::ethernet());
    for tags in [&[][..], &[7], &[100, 7]] {
        capture.frame(Link::tagged(tags).wrap(&packet));
    }
    let capture = bench.capture(&capture);
    let replayed =
        bench.replay(&capture, "alert udp any any -> any 53 (sid:1;)", &["--workers", "2"]).clean();
    assert_eq!(replayed.events.of("flow").len(), 3);
    let vlans: Vec<String> = replayed.events.of("alert").iter().map(|e| e["vlan"].to_string()).collect();
    assert_eq!(vlans, ["null", "[7]", "[100,7]"]);
}
