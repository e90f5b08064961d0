//! eve.json's records of transactions, files and what is odd about them, through the built binary; and every record there is
//! under `conf/eve.schema.json`. Captures are those of `WEIR_SHARED`; without it only what is built here is looked at.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::{Value, json};
use std::path::PathBuf;
use support::{Bench, Replayed, ethernet, v4, with_id};
use weir::base::Dir;
use weir::wire::build::{Capture, TcpConversation, udp_packet};

/// A page over HTTP, and a question about a name with its answer.
fn capture() -> Capture {
    let mut talk = TcpConversation::new(v4(1, 40_000), v4(2, 80), 7);
    let request = b"GET /page?x=1 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: one\r\n\r\n";
    let answer =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello";
    talk.handshake().send(Dir::ToServer, request, 100).send(Dir::ToClient, answer, 100).close(Dir::ToServer);
    let name = b"\x07example\x03org\x00\x00\x01\x00\x01";
    let question = [&b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"[..], name].concat();
    let record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07";
    let reply = [&b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"[..], name, record].concat();
    let (client, server) = (v4(1, 5000), v4(3, 53));
    let mut packets = talk.packets;
    packets.push(udp_packet(client, server, &with_id(1), &question));
    packets.push(udp_packet(server, client, &with_id(2), &reply));
    packets.append(&mut desktop());
    packets.append(&mut database());
    ethernet(packets)
}

/// A client of RDP that names its user, and the server's consent.
fn desktop() -> Vec<Vec<u8>> {
    let mut talk = TcpConversation::new(v4(1, 40_001), v4(4, 3389), 9);
    let request = b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=alice\r\n\x01\0\x08\0\x03\0\0\0";
    let consent = b"\x03\0\0\x13\x0e\xd0\0\0\0\0\0\x02\x01\x08\0\x02\0\0\0";
    talk.handshake().send(Dir::ToServer, request, 100).send(Dir::ToClient, consent, 100).close(Dir::ToServer);
    talk.packets
}

/// A query of PostgreSQL's, and a row.
fn database() -> Vec<Vec<u8>> {
    let mut talk = TcpConversation::new(v4(1, 40_002), v4(5, 5432), 11);
    let startup = b"\0\0\0\x1f\0\x03\0\0user\0me\0database\0shop\0\0";
    let consent = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x12TimeZone\0Zulu\0Z\0\0\0\x05I";
    let query = b"Q\0\0\0\x0dselect 1\0";
    let answer = b"T\0\0\0\x06\0\x01D\0\0\0\x0b\0\x01\0\0\0\x011C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";
    talk.handshake()
        .send(Dir::ToServer, startup, 100)
        .send(Dir::ToClient, consent, 100)
        .send(Dir::ToServer, query, 100)
        .send(Dir::ToClient, answer, 100)
        .close(Dir::ToServer);
    talk.packets
}

const RULE: &str = "alert http any any -> any any (msg:\"page\"; http.uri; content:\"/page\"; sid:1;)";

fn replayed(more: &[&str]) -> Replayed {
    let bench = Bench::new();
    let capture = bench.capture(&capture());
    bench.replay(&capture, RULE, more).clean()
}

#[test]
fn a_transaction_becomes_a_record_of_its_protocol() {
    let replayed = replayed(&[]);
    let [http] = replayed.events.of("http")[..] else { panic!("{:?}", replayed.events.0) };
    let expected = json!({
        "hostname": "www.example.org",
        "url": "/page?x=1",
        "http_user_agent": "one",
        "http_method": "GET",
        "protocol": "HTTP/1.1",
        "status": 200,
        "http_content_type": "text/plain",
        "length": 5,
    });
    assert_eq!(http["http"], expected);
    assert_eq!((&http["tx_id"], &http["dest_port"], &http["proto"]), (&json!(0), &json!(80), &json!("TCP")));
    let dns = replayed.events.of("dns");
    let types: Vec<_> = dns.iter().map(|event| event["dns"]["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["request", "response"]);
    assert!(dns.iter().all(|event| event["dest_port"] == 53), "the session's addresses, client first");
    let answers = json!([{ "rrname": "example.org", "rrtype": "A", "ttl": 60, "rdata": "192.0.2.7" }]);
    assert_eq!(dns[1]["dns"]["answers"], answers);
    assert_eq!(dns[1]["dns"]["grouped"], json!({ "A": ["192.0.2.7"] }));
}

#[test]
fn steps_of_a_remote_desktop_are_records() {
    let replayed = replayed(&[]);
    let records: Vec<_> = replayed.events.of("rdp").iter().map(|event| event["rdp"].clone()).collect();
    let expected = [
        json!({ "tx_id": 0, "event_type": "initial_request", "cookie": "alice" }),
        json!({
            "tx_id": 1,
            "event_type": "initial_response",
            "server_supports": ["extended_client_data"],
            "protocol": "hybrid",
        }),
    ];
    assert_eq!(records, expected);
}

#[test]
fn a_databases_requests_are_records_with_their_answers() {
    let replayed = replayed(&[]);
    let records: Vec<_> = replayed.events.of("pgsql").iter().map(|event| event["pgsql"].clone()).collect();
    let expected = [
        json!({
            "tx_id": 0,
            "request": {
                "protocol_version": "3.0",
                "startup_parameters": { "user": "me", "database": "shop" },
            },
            "response": { "message": "authentication_ok", "parameter_status": [{ "time_zone": "Zulu" }] },
        }),
        json!({
            "tx_id": 1,
            "request": { "simple_query": "select 1" },
            "response": {
                "field_count": 1,
                "data_rows": 1,
                "data_size": 7,
                "command_completed": "SELECT 1",
            },
        }),
    ];
    assert_eq!(records, expected);
}

#[test]
fn an_alert_says_what_was_known_of_its_transaction_and_a_flow_its_protocol() {
    let replayed = replayed(&[]);
    let [alert] = replayed.events.of("alert")[..] else { panic!("{:?}", replayed.events.0) };
    assert_eq!((&alert["app_proto"], &alert["tx_id"]), (&json!("http"), &json!(0)));
    assert_eq!(alert["http"]["hostname"], "www.example.org");
    let flows = replayed.events.of("flow");
    let mut protos: Vec<_> = flows.iter().map(|flow| flow["app_proto"].as_str().unwrap()).collect();
    protos.sort_unstable();
    assert_eq!(protos, ["dns", "http", "pgsql", "rdp"]);
}

#[test]
fn a_file_becomes_a_record_with_its_senders_address_first() {
    let replayed = replayed(&[]);
    let [file] = replayed.events.of("fileinfo")[..] else { panic!("{:?}", replayed.events.0) };
    let info = &file["fileinfo"];
    assert_eq!(
        (&info["size"], &info["state"], &info["stored"]),
        (&json!(5), &json!("CLOSED"), &json!(false))
    );
    assert_eq!((&file["src_port"], &file["app_proto"]), (&json!(80), &json!("http")));
    assert_eq!(file["http"]["url"], "/page?x=1");
}

#[test]
fn only_the_types_asked_for_are_written_and_without_any_alerts_stay_bare() {
    let replayed = replayed(&["--set", "outputs.eve.types=[\"alert\",\"stats\"]"]);
    let [alert] = replayed.events.of("alert")[..] else { panic!("{:?}", replayed.events.0) };
    assert_eq!((&alert["app_proto"], &alert["http"]), (&json!("http"), &Value::Null));
    assert!(replayed.events.0.iter().all(|e| e["event_type"] == "alert" || e["event_type"] == "stats"));
}

/// Captures of many protocols, each with its own rules.
const CASES: [&str; 26] = [
    "alert-testmyids-frames",
    "bug-1449-01",
    "bug-1450-02",
    "bug-2158",
    "bug-2736-01",
    "bug-8278-krb5-01",
    "bug-8489--bug-8489-02",
    "bug-8621--bug-8621-01",
    "dcerpc--dcerpc-dce-iface-02",
    "detect-ftp--ftp-command-01",
    "dns--dns-rcode",
    "dns-over-http2",
    "file-match-crossed",
    "http-chunked",
    "http2-keywords",
    "ikev1-transforms",
    "ikev2-weak-dh",
    "llmnr--llmnr-udp",
    "mdns",
    "ntp-keywords",
    "output-eve-smb-01",
    "output-eve-tftp-01",
    "sip-sdp",
    "smb-eicar-file",
    "snmp-v2c-get",
    "tls--tls-certs-alert",
];

fn cases() -> Option<Vec<(String, PathBuf, PathBuf)>> {
    let folder = PathBuf::from(std::env::var_os("WEIR_SHARED")?).join("cases");
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let chosen = all.filter(|case| CASES.contains(&case["name"].as_str().unwrap()));
    let of = |case: Value| {
        let text = |key: &str| case[key].as_str().unwrap().to_owned();
        let capture = folder.join("captures").join(text("capture"));
        (text("name"), capture, folder.join("rules").join(text("rules")))
    };
    Some(chosen.map(of).collect())
}

const NETFLOW: &str = "outputs.eve.types=[\"flow\", \"netflow\"]";

#[test]
fn netflow_is_written_where_it_is_asked_for_with_each_directions_sums() {
    assert!(replayed(&[]).events.of("netflow").is_empty());
    let replayed = replayed(&["--set", NETFLOW]);
    let (flows, halves) = (replayed.events.of("flow"), replayed.events.of("netflow"));
    for flow in flows {
        let own: Vec<_> = halves.iter().filter(|half| half["flow_id"] == flow["flow_id"]).collect();
        let [there, back] = own[..] else { panic!("{own:?}") };
        assert_eq!((&there["src_ip"], &there["dest_port"]), (&flow["src_ip"], &flow["dest_port"]));
        assert_eq!((&back["src_port"], &back["dest_ip"]), (&flow["dest_port"], &flow["src_ip"]));
        for (half, suffix) in [(there, "toserver"), (back, "toclient")] {
            let half = &half["netflow"];
            assert_eq!(half["pkts"], flow["flow"][format!("pkts_{suffix}")]);
            assert_eq!(half["bytes"], flow["flow"][format!("bytes_{suffix}")]);
        }
    }
    assert!(halves.len() >= 8, "{halves:?}");
}

#[test]
fn every_record_keeps_to_the_schema() {
    let text = std::fs::read_to_string("conf/eve.schema.json").unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let check = |name: &str, replayed: &Replayed| {
        for event in &replayed.events.0 {
            let faults: Vec<_> =
                validator.iter_errors(event).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(faults.is_empty(), "{name}: {event}\n{}", faults.join("\n"));
        }
    };
    assert!(!validator.is_valid(&json!({ "timestamp": "today", "event_type": "http" })));
    check("built", &replayed(&[]));
    check("netflow", &replayed(&["--set", NETFLOW]));
    let Some(cases) = cases() else {
        eprintln!("skipped: no cases (WEIR_SHARED is not set)");
        return;
    };
    assert_eq!(cases.len(), CASES.len());
    let mut seen = std::collections::BTreeSet::new();
    for (name, capture, rules) in cases {
        let replayed = Bench::new().replay_rules(&capture, &rules, &[]);
        check(&name, &replayed);
        seen.extend(replayed.events.0.iter().map(|e| e["event_type"].as_str().unwrap().to_owned()));
    }
    let kinds =
        ["http", "dns", "tls", "smtp", "ftp", "smb", "dcerpc", "krb5", "snmp", "sip", "dhcp", "tftp", "ike"];
    for kind in kinds {
        assert!(seen.contains(kind), "no record of type {kind}, only {seen:?}");
    }
}
