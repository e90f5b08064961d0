//! Tunnels through the built binary: what they carry is found at the configured ports, records say how it came and keep to
//! `conf/eve.schema.json`, and nothing depends on the number of workers.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::{Value, json};
use std::path::PathBuf;
use support::{Bench, ethernet, v4, with_id};
use weir::wire::build::{IpFields, Link, Tunnel, fragments, udp_packet};

const RULES: &str = r#"
alert udp any any -> any 8 (content:"needle"; sid:1;)
alert pkthdr any any -> any any (decode-event:vxlan.unknown_payload_type; sid:2;)
"#;

/// Every kind twice: the needle whole, then in two pieces.
fn kinds() -> Vec<(Tunnel, &'static str)> {
    vec![
        (Tunnel::Ip, "ipv4 tunnel"),
        (Tunnel::Gre { key: Some(1), sequence: None }, "gre tunnel"),
        (Tunnel::ErspanI, "gre tunnel"),
        (Tunnel::ErspanII(0), "gre tunnel"),
        (Tunnel::ErspanIII(0), "gre tunnel"),
        (Tunnel::Vxlan(7), "vxlan encapsulation"),
        (Tunnel::Geneve(7), "geneve encapsulation"),
        (Tunnel::GtpUExtended(7), "gtp-u tunnel"),
    ]
}

fn capture(bench: &Bench) -> PathBuf {
    let packets = kinds().into_iter().zip(20u32..).flat_map(|((tunnel, _), host)| {
        let packet = |fields: &IpFields| udp_packet(v4(host, 7), v4(100, 8), fields, b"....needle......");
        let pieces = fragments(&packet(&with_id(5)), 5, &[16]);
        let all = [vec![packet(&with_id(4))], pieces].concat();
        let wrap = move |packet: Vec<u8>| tunnel.wrap(v4(1, 999), v4(2, 999), &Link::ethernet(), &packet);
        all.into_iter().map(wrap).collect::<Vec<_>>()
    });
    bench.capture(&ethernet(packets))
}

#[test]
fn alerts_say_what_was_around_their_packets() {
    let bench = Bench::new();
    let capture = capture(&bench);
    let text = std::fs::read_to_string("conf/eve.schema.json").unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
    let profile = ["--set", "profile=\"inline\""];
    let one = bench.replay(&capture, RULES, &profile).clean();
    let alerts = one.events.of("alert");
    let found: Vec<_> = alerts.iter().map(|alert| alert["pkt_src"].as_str().unwrap()).collect();
    let expected: Vec<_> = kinds().iter().flat_map(|(_, source)| [*source; 2]).collect();
    assert_eq!(found, expected, "whole, and put together");
    for (n, alert) in alerts.iter().enumerate() {
        let tunnel = &alert["tunnel"];
        let number = 3 * (n as u64 / 2) + if n % 2 == 0 { 1 } else { 3 };
        let ends = [&tunnel["src_ip"], &tunnel["dest_ip"], &tunnel["pkt_src"]];
        assert_eq!(ends, [&json!("10.0.0.1"), &json!("10.0.0.2"), &json!("wire/pcap")], "{alert}");
        assert_eq!((&tunnel["depth"], &tunnel["pcap_cnt"]), (&json!(1), &json!(number)), "{alert}");
        assert_eq!(alert["dest_ip"], "10.0.0.100");
    }
    for event in &one.events.0 {
        assert!(validator.is_valid(event), "{event}");
    }
    for workers in ["0", "3"] {
        let more = bench.replay(&capture, RULES, &[&profile[..], &["--workers", workers]].concat()).clean();
        assert_eq!(more.events.of("alert"), alerts, "{workers} workers");
    }
}

#[test]
fn what_is_looked_into_is_a_matter_of_the_configuration() {
    let bench = Bench::new();
    let capture = capture(&bench);
    let found = |sets: &[&str]| {
        let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        bench.replay(&capture, RULES, &more).clean().events.sids().len()
    };
    assert_eq!(found(&[]), 12, "Suricata's stock: neither ERSPAN type I nor GTP-U");
    assert_eq!(found(&["tunnels.decode=[]"]), 0);
    assert_eq!(found(&["tunnels.decode=[\"vxlan\", \"gtp-u\"]"]), 4);
    assert_eq!(found(&["tunnels.decode=[\"vxlan\"]", "tunnels.vxlan-ports=[8472]"]), 0);
    let refused = |set| {
        let replayed = bench.replay(&capture, RULES, &["--set", set]);
        assert_ne!(replayed.code(), Some(0));
        replayed.stderr()
    };
    assert!(refused("tunnels.vxlan-ports=[6081]").contains("port 6081"), "two tunnels at one port");
    assert!(refused("tunnels.decode=[\"vxlam\"]").contains("the nearest is \"vxlan\""));
}
