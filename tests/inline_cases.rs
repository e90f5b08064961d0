//! `weir replay --simulate-ips` beside Suricata's: the same packets dropped, the same alerts, over all cases of
//! `WEIR_SHARED` whose rules drop or reject. `docs/differences.md` says of those that differ why.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use support::{Bench, Events};

/// Cases that must agree, of a hundred.
const FLOOR: usize = 94;

/// How often each rule, by generator and number, raised an alert.
type Alerts = BTreeMap<(u64, u64), u64>;

#[derive(PartialEq, Eq)]
struct Said {
    alerts: Alerts,
    dropped: BTreeSet<u64>,
}

fn by_suricata(inline: &Value) -> Said {
    let number = |value: &Value| value.as_u64().unwrap();
    let alert = |alert: &Value| ((number(&alert[0]), number(&alert[1])), number(&alert[2]));
    Said {
        alerts: inline["alerts"].as_array().unwrap().iter().map(alert).collect(),
        dropped: inline["dropped_packets"].as_array().unwrap().iter().map(number).collect(),
    }
}

fn by_weir(events: &Events) -> Said {
    let mut alerts = Alerts::new();
    for event in events.of("alert") {
        let number = |key: &str| event["alert"][key].as_u64().unwrap();
        *alerts.entry((number("gid"), number("signature_id"))).or_default() += 1;
    }
    // What was put together from fragments has no number of its own.
    let dropped = events.of("drop").iter().filter_map(|event| event["pcap_cnt"].as_u64()).collect();
    Said { alerts, dropped }
}

fn cases(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|case| !case["inline"].is_null()).collect()
}

#[test]
fn the_packets_that_suricata_drops_are_dropped_with_the_same_alerts() {
    let Some(shared) = std::env::var_os("WEIR_SHARED") else {
        eprintln!("skipped: no cases (WEIR_SHARED is not set)");
        return;
    };
    let folder = PathBuf::from(shared).join("cases");
    let cases = cases(&folder);
    assert!(cases.len() > 50, "{} cases", cases.len());
    let mut differ = Vec::new();
    for case in &cases {
        let text = |key: &str| case[key].as_str().unwrap();
        let (capture, rules) =
            (folder.join("captures").join(text("capture")), folder.join("rules").join(text("rules")));
        let bench = Bench::new();
        let replayed = bench.replay_rules(&capture, &rules, &["--simulate-ips"]);
        replayed.even();
        if by_weir(&replayed.events) != by_suricata(&case["inline"]) {
            differ.push(text("name").to_owned());
        }
    }
    let same = cases.len() - differ.len();
    println!("{same} of {} cases agree; not: {}", cases.len(), differ.join(", "));
    assert!(100 * same >= FLOOR * cases.len(), "only {same} of {} agree; not: {differ:?}", cases.len());
}
