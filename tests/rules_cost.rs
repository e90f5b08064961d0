//! `weir replay --rule-cost` and `weir rules cost` through the built binary.

#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use serde_json::Value;
use std::path::Path;
use support::{Bench, ethernet, v4, weir};
use weir::base::Dir;
use weir::wire::build::{Capture, IpFields, TcpConversation, udp_packet};

/// 9 is for every packet to its port, 1 and 2 have a pattern that occurs or not, 3 and 4 are over transactions.
const RULES: &str = "alert udp any any -> any 99 (msg:\"occurs\"; content:\"attack\"; sid:1; rev:4;)\n\
    alert udp any any -> any 99 (msg:\"no such bytes\"; content:\"absent\"; sid:2;)\n\
    alert udp any any -> any 99 (msg:\"by size\"; dsize:>100; sid:9;)\n\
    alert http any any -> any any (msg:\"by uri\"; http.uri; content:\"/evil\"; sid:3;)\n\
    alert http any any -> any any (msg:\"by method\"; http.method; content:!\"POST\"; sid:4;)\n";

/// Ten datagrams, three of which hold the pattern, and one request.
fn capture() -> Capture {
    let datagram = |n: u16| {
        let payload: &[u8] = if n < 3 { b"an attack" } else { b"nothing" };
        udp_packet(v4(1, 1000 + n), v4(2, 99), &IpFields::default(), payload)
    };
    let mut web = TcpConversation::new(v4(3, 4000), v4(4, 80), 1);
    web.handshake().send(Dir::ToServer, b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n", 100);
    web.send(Dir::ToClient, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 100).close(Dir::ToClient);
    ethernet((0..10).map(datagram).chain(web.packets))
}

/// Rows of `weir rules cost --json`.
fn rows(file: &Path, more: &[&str]) -> Vec<Value> {
    let output = weir().args(["rules", "cost", "--json"]).arg(file).args(more).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn counts(rows: &[Value]) -> Vec<(u64, u64, u64)> {
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
    let mut counts: Vec<_> =
        rows.iter().map(|row| (number(row, "sid"), number(row, "checks"), number(row, "matches"))).collect();
    counts.sort_unstable();
    counts
}

#[test]
fn a_replay_says_what_each_rule_cost_whatever_the_workers() {
    let bench = Bench::new();
    let capture = bench.capture(&capture());
    for workers in ["0", "2"] {
        let file = bench.path("cost.json");
        let flag = format!("--rule-cost={}", file.display());
        let replayed = bench.replay(&capture, RULES, &["--workers", workers, &flag]).clean();
        assert!(replayed.stdout().contains("see: weir rules cost "), "{}", replayed.stdout());
        let all = rows(&file, &["--limit", "0"]);
        let found = counts(&all);
        assert_eq!(found[0], (1, 3, 3), "{workers}: {found:?}");
        assert!(!found.iter().any(|(sid, ..)| *sid == 2), "its pattern never occurs: {found:?}");
        assert!(found.contains(&(9, 10, 0)), "it is looked at for each packet: {found:?}");
        for sid in [3, 4] {
            let row = found.iter().find(|row| row.0 == sid).unwrap();
            assert!(row.1 >= 1 && row.2 == 1, "{found:?}");
        }
        let bare = |sid: u64| all.iter().find(|row| row["sid"] == sid).unwrap()["fast_pattern"] == false;
        assert_eq!([1, 9, 3, 4].map(bare), [false, true, false, true]);
        assert!(all.iter().all(|row| row["nanoseconds"].as_u64().unwrap() > 0), "{all:?}");
        assert_eq!(rows(&file, &["--sort", "matches", "--limit", "1"])[0]["sid"], 1);
        assert_eq!(rows(&file, &["--sort", "checks", "--limit", "1"])[0]["sid"], 9);
        let whole: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let of = |list: &str, name: &str| {
            whole[list].as_array().unwrap().iter().find(|one| one["of"] == name).unwrap().clone()
        };
        let udp = of("packets", "udp");
        assert_eq!([&udp["looks"], &udp["p50"], &udp["p99"], &udp["max"]], [10, 1, 2, 2]);
        assert_eq!(udp["mean"], 1.3);
        assert!(of("transactions", "http1")["looks"].as_u64().unwrap() >= 1);
        assert_eq!(of("groups", "udp")["rules_max"], 2, "with a pattern they share the group of all ports");
        assert_eq!(of("protocols", "http1")["bare"], serde_json::json!([1, 0]));
    }
}

#[test]
fn the_file_is_beside_the_events_unless_another_is_named_and_none_is_made_unasked() {
    let bench = Bench::new();
    let capture = bench.capture(&capture());
    bench.replay(&capture, RULES, &[]).clean();
    let file = bench.path("log/rule-cost.json");
    assert!(!file.exists());
    bench.replay(&capture, RULES, &["--rule-cost"]).clean();
    let output = weir().args(["rules", "cost"]).arg(&file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in
        ["5 loaded, 4 evaluated, 3 matched", "packets: udp", "transactions: http1", "by size", "mean (ns)"]
    {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

#[test]
fn what_cannot_be_read_or_written_is_told_with_what_to_do() {
    let bench = Bench::new();
    let fails = |file: &Path, said: &str| {
        let output = weir().args(["rules", "cost"]).arg(file).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(said), "{said:?} in {stderr}");
    };
    fails(&bench.path("none.json"), "cannot read");
    fails(&bench.file("text.json", "sid 1\n"), "holds no rule costs (expected");
    fails(&bench.file("eve.json", "{\"kind\":\"other\",\"version\":1}"), "its kind is \"other\"");
    let next = "{\"kind\":\"weir rule cost\",\"version\":2}";
    fails(&bench.file("next.json", next), "is of version 2, and this weir reads version 1");
    fails(&bench.file("cut.json", next.replace('2', "1")), "missing field");
    let capture = bench.capture(&capture());
    let taken = bench.file("taken/by-a-folder", "");
    let folder = taken.parent().unwrap();
    let replayed = bench.replay(&capture, RULES, &[&format!("--rule-cost={}", folder.display())]);
    assert_eq!(replayed.code(), Some(1));
    assert!(replayed.stderr().contains("name another file with --rule-cost=FILE"), "{}", replayed.stderr());
}
