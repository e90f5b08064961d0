//! Keywords that need more than a packet, through the binary: countries, lists of JSON, records that rules switch off.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::json;
use support::{Bench, ethernet, v4, weir, with_id};
use weir::wire::build::{Capture, udp_packet};

/// Two names asked for, by two hosts; 10.0.0.0/8 is in DE for the tests' database.
fn questions() -> Capture {
    let question = |name: &[u8], n: u16| {
        let bytes =
            [&b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"[..], name, b"\x00\x01\x00\x01"].concat();
        udp_packet(v4(u32::from(n), 5000 + n), v4(3, 53), &with_id(n), &bytes)
    };
    ethernet([question(b"\x03www\x07example\x02co\x02uk\0", 1), question(b"\x05quiet\x03org\0", 2)])
}

const SCHEMA: &str = include_str!("../conf/eve.schema.json");

#[test]
fn countries_lists_of_json_and_records_switched_off() {
    let bench = Bench::new();
    bench.file(
        "threats.json",
        r#"{"threats": [{"name": "example.co.uk", "seen": {"by": "me"}}, {"other": 1}]}"#,
    );
    bench.file("hosts.ndjson", "{\"ip\": \"10.0.0.1\", \"owner\": \"lab\"}\n{\"ip\": \"10.0.0.9\"}\n");
    let rules = r#"
        alert ip any any -> any any (geoip:src,DE; sid:1;)
        alert ip any any -> any any (geoip:any,RU,FR; sid:2;)
        alert ip any any -> any any (geoip:both,!FR; sid:3;)
        alert dns any any -> any any (dns.query; domain; dataset:isset,bad,type string,load threats.json,format json,array_key threats,value_key name,context_key threat,remove_key; sid:4;)
        alert udp any any -> any any (ip.src; dataset:isset,hosts,type ip,load hosts.ndjson,format ndjson,value_key ip,context_key host; sid:5;)
        alert dns any any -> any any (dns.query; tld; content:"co.uk"; bsize:5; sid:6;)
        config dns any any -> any any (dns.query; content:"quiet"; config:logging disable, type tx, scope tx; sid:7;)
    "#;
    let rules = rules.replace("\n        ", "\n");
    let database = concat!("geoip.database=\"", env!("CARGO_MANIFEST_DIR"), "/tests/data/countries.mmdb\"");
    for workers in ["0", "2"] {
        let more =
            ["--set", database, "--set", "outputs.eve.types=[\"alert\",\"dns\"]", "--workers", workers];
        let replayed = bench.replay(&bench.capture(&questions()), &rules, &more).clean();
        let count = |sid| replayed.events.sids().iter().filter(|found| **found == sid).count();
        let counts: Vec<usize> = (1..=7).map(count).collect();
        assert_eq!(counts, [2, 0, 2, 1, 1, 1, 0], "{workers} workers: {}", replayed.stderr());
        let alerts = replayed.events.of("alert");
        let context = |sid: u64| {
            let alert = alerts.iter().find(|alert| alert["alert"]["signature_id"] == sid).unwrap();
            alert["alert"].get("context").cloned().unwrap_or_default()
        };
        assert_eq!(context(4), json!({"threat": {"seen": {"by": "me"}}}));
        assert_eq!(context(5), json!({"host": {"ip": "10.0.0.1", "owner": "lab"}}));
        assert_eq!(context(1), json!(null));
        let names: Vec<String> = replayed.events.of("dns").iter().map(|dns| dns["dns"].to_string()).collect();
        assert!(names.len() == 1 && names[0].contains("www.example.co.uk"), "{names:?}");
        let schema = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
        alerts.iter().for_each(|alert| assert!(schema.is_valid(alert), "{alert}"));
    }
}

#[test]
fn without_a_database_the_rule_is_refused_at_its_keyword() {
    let bench = Bench::new();
    let rules = bench.file("a.rules", "alert ip any any -> any any (msg:\"geoip\"; geoip:src,DE; sid:1;)\n");
    let output = weir().args(["rules", "check"]).arg(&rules).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("a.rules:1:43: error in sid 1: `geoip` needs a database"), "{told}");
    assert!(told.contains("geoip.database"), "{told}");
}
