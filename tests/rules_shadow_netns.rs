//! Rules that are tried beside those in force on a live line: what they would do is counted, and nothing is done. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use support::Bench;
use support::line::{Line, Start, may_run};
use support::wait::until;

const IN_FORCE: &str = "alert ip any any -> any any (msg:\"word\"; content:\"attack\"; sid:7;)\n\
    drop udp any any -> any any (msg:\"stop\"; content:\"stop\"; sid:8;)\n\
    pass tcp any any -> any any (msg:\"let\"; content:\"letgo\"; sid:9;)\n\
    alert udp any any -> any any (msg:\"seen\"; pkt_data; content:\"name=\"; dataset:set,names,type string; sid:12;)\n";
const CANDIDATE: &str = "drop ip any any -> any any (msg:\"word\"; content:\"attack\"; sid:7;)\n\
    alert ip any any -> any any (msg:\"more\"; content:\"harmless\"; sid:10;)\n\
    alert tcp any any -> any any (msg:\"end\"; flow:established; content:\"tail\"; sid:11;)\n\
    alert udp any any -> any any (msg:\"seen\"; pkt_data; content:\"name=\"; dataset:set,names,type string; sid:12;)\n";

fn line(workers: u8) -> Line {
    let bench = Bench::new();
    bench.file("line.rules", IN_FORCE);
    let mut line = Line::starting(bench, workers, Start::default(), |_| String::new());
    line.answers();
    line
}

/// (live, shadow) of a rule's alerts and drops.
fn counts(report: &Value, sid: u64) -> [(u64, u64); 2] {
    let rule = report["rules"].as_array().unwrap().iter().find(|rule| rule["sid"] == sid);
    let pair = |pair: &Value| (pair["live"].as_u64().unwrap(), pair["shadow"].as_u64().unwrap());
    rule.map_or_else(Default::default, |rule| [pair(&rule["alerts"]), pair(&rule["drops"])])
}

fn refused(line: &Line, words: &[&str]) -> String {
    let output = line.ctl(&[&["rules"], words].concat());
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn rules_are_tried_without_effect_and_then_published() {
    if !may_run() {
        return;
    }
    for workers in [0, 2] {
        let mut line = line(workers);
        assert!(refused(&line, &["shadow"]).contains("no rules are being tried"));
        assert!(refused(&line, &["publish"]).contains("no rules are being tried"));
        assert!(line.can("open 4100"));
        line.bench.file("line.rules", CANDIDATE);
        let begun = line.json(&["rules", "reload", "--shadow", "10m", "--detach"]);
        assert_eq!(
            (&begun["running"], &begun["beside"], &begun["loaded"]),
            (&true.into(), &1.into(), &4.into())
        );
        assert!(refused(&line, &["reload", "--shadow", "1m"]).contains("are being tried already"));

        assert!(line.can("say 4100 attack"), "from before: the trial does not follow it");
        assert!(line.can("udp 4001 attack") && line.can("udp 4002 harmless"));
        assert!(line.cannot("udp 4003 stop"));
        // What those in force let go is still looked at by the others, also in a stream.
        assert!(line.can("open 4101") && line.can("say 4101 letgo") && line.can("say 4101 tail"));
        assert!(line.can("close 4101") && line.can("close 4100"));

        let report = line.json(&["rules", "shadow"]);
        let [alerts, drops] = counts(&report, 7);
        assert!(alerts.0 >= 1 && alerts.0 == alerts.1, "{report}");
        assert!(drops.0 == 0 && drops.1 >= 1, "{report}");
        assert_eq!(counts(&report, 8)[1].1, 0, "{report}");
        assert!(counts(&report, 8)[1].0 >= 1, "{report}");
        for sid in [10, 11] {
            let [alerts, drops] = counts(&report, sid);
            assert!(alerts.0 == 0 && alerts.1 >= 1 && drops == (0, 0), "{sid}: {report}");
        }
        assert!(report["packets"].as_u64() > Some(5) && report["sessions"].as_u64() >= Some(4), "{report}");
        assert_eq!(report["unfollowed"], 0);
        let part = |line: &Line| {
            let parts = line.json(&["memory"]);
            parts.as_array().unwrap().iter().find(|part| part["part"] == "shadow").cloned()
        };
        assert!(part(&line).unwrap()["used"].as_u64() > Some(0));

        let done = line.json(&["rules", "publish"]);
        assert_eq!((&done["generation"], &done["loaded"]), (&2.into(), &4.into()));
        assert!(line.cannot("udp 4004 attack"), "now they act");
        assert!(line.can("udp 4005 stop"));
        assert!(refused(&line, &["shadow"]).contains("no rules are being tried"));
        until("workers to hold nothing more of it", || (part(&line).unwrap()["used"] == 0).then_some(()));
        line.balances();
        let events = line.end();
        let tried = |alert: &&Value| matches!(alert["alert"]["signature_id"].as_u64(), Some(10 | 11));
        assert_eq!(events.of("alert").into_iter().filter(tried).count(), 0, "nobody hears of its alerts");
        let blocked = |sid: u64| {
            let is = |alert: &&Value| {
                alert["alert"]["signature_id"] == sid && alert["alert"]["action"] == "blocked"
            };
            events.of("alert").into_iter().filter(is).count()
        };
        assert_eq!((blocked(7), blocked(8)), (1, 1));
    }
}

#[test]
fn a_trial_has_datasets_of_its_own_ends_by_itself_and_is_not_published_beside_other_rules() {
    if !may_run() {
        return;
    }
    let mut line = line(1);
    line.bench.file("line.rules", CANDIDATE);
    assert!(line.can("udp 4001 name=one"));
    let values = |line: &Line| line.counter("dataset.names.values");
    let before = values(&line);
    assert!(before >= 1);
    line.json(&["rules", "reload", "--shadow", "1h", "--detach"]);
    line.bench.file("line.rules", IN_FORCE);
    assert!(line.can("udp 4002 name=two"));
    let report = line.json(&["rules", "shadow"]);
    let [alerts, _] = counts(&report, 12);
    assert!(alerts.0 >= 1 && alerts.0 == alerts.1, "both find each value new, once: {report}");
    let gone = line.json(&["rules", "discard"]);
    assert_eq!((&gone["rules"], &gone["running"]), (&report["rules"], &false.into()), "the last report");
    assert!(refused(&line, &["discard"]).contains("no rules are being tried"));

    // Waits for the end, and tells.
    let ended = line.json(&["rules", "reload", "--shadow", "1s"]);
    assert_eq!((&ended["running"], &ended["seconds_left"]), (&false.into(), &Value::Null));
    line.json(&["rules", "set", "8", "alert"]);
    assert!(refused(&line, &["publish"]).contains("tried beside generation 1, and 2 is in force by now"));
    let said = String::from_utf8_lossy(&line.ctl(&["rules", "shadow"]).stdout).into_owned();
    assert!(said.contains("generation 2 is in force by now, so these cannot be published"), "{said}");
    let log = line.stderr();
    assert!(log.contains("tries 4 of the files beside generation 1 for 1 s"), "{log}");
    line.balances();
    let _events = line.end();
}

#[test]
fn a_trial_goes_on_while_other_rules_come_in_force_and_ends_with_a_change_of_services() {
    if !may_run() {
        return;
    }
    let mut line = line(2);
    line.json(&["rules", "reload", "--shadow", "1h", "--detach"]);
    line.json(&["rules", "set", "7", "drop"]);
    assert!(line.cannot("udp 4001 attack"));
    let report = line.json(&["rules", "shadow"]);
    let [alerts, drops] = counts(&report, 7);
    assert!(alerts.0 >= 1 && alerts.0 == alerts.1 && drops.0 >= 1 && drops.1 == 0, "{report}");
    line.json(&["plugin", "restart", "idp"]);
    assert_eq!(line.json(&["rules", "shadow"])["running"], false);
    assert!(line.stderr().contains("services change, so those that were tried judge no more"));
    line.balances();
    let _events = line.end();
}
