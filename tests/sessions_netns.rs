//! Sessions on a live line: shown, and ended by an operator; events told as they come. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use support::child::Running;
use support::line::{Line, Start, may_run};
use support::wait::until;
use support::{Bench, weir};

const RULES: &str = "alert udp any any -> any 9001 (msg:\"worm\"; content:\"attack\"; sid:7;)\n";

fn line(workers: u8, start: Start) -> Line {
    let bench = Bench::new();
    bench.file("line.rules", RULES);
    let mut line = Line::starting(bench, workers, start, |_| String::new());
    line.answers();
    line
}

/// The number of the session from that port of the client.
fn number(line: &Line, port: &str) -> String {
    let sessions = line.json(&["sessions", "--port", port]);
    sessions[0]["flow_id"].to_string()
}

#[test]
fn a_session_that_an_operator_ends_is_dropped_and_all_others_go_on() {
    if !may_run() {
        return;
    }
    for workers in [0, 2] {
        let mut line = line(workers, Start::default());
        assert!(line.can("open 4100") && line.can("open 4200") && line.can("udp 4300 word"));
        let (tcp, udp) = (number(&line, "4100"), number(&line, "4300"));
        let shown = line.json(&["sessions", "show", &tcp]);
        assert_eq!((&shown["client_port"], &shown["verdict"]), (&4100.into(), &"inspect".into()), "{shown}");

        for number in [&tcp, &udp] {
            assert_eq!(line.json(&["sessions", "kill", number])["verdict"], "drop");
        }
        assert!(line.cannot("say 4100 hello") && line.cannot("udp 4300 word"));
        assert!(line.can("say 4200 hello") && line.can("open 4400") && line.can("udp 4500 word"));
        assert_eq!(line.json(&["sessions", "show", &udp])["verdict"], "drop");
        let ends =
            [format!("{}:4300", line.client_side().address), format!("{}:9001", line.server_address())];
        let why = line.json(&["why", "udp", &ends[0], &ends[1]]);
        assert_eq!(why["drops"][0]["reason"], "killed", "{why}");
        assert!(line.stderr().contains(&format!("ends the session {tcp}")));

        let unknown = line.ctl(&["sessions", "kill", "1"]);
        assert_eq!(unknown.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&unknown.stderr).contains("no live session has the number 1"));
        assert!(line.ctl(&["mode", "tap"]).status.success());
        let refused = line.ctl(&["sessions", "kill", &number(&line, "4200")]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("no pair is in mode ips"));
        line.balances();
        line.end();
    }
}

#[test]
fn events_are_told_as_they_come_and_no_longer_than_asked() {
    if !may_run() {
        return;
    }
    let mut line = line(1, Start::default());
    let mut command = weir();
    command.args(["ctl", "events", "--types", "alert,stats", "--count", "3", "--socket"]);
    command.arg(line.bench.path("weir.sock"));
    let mut listener = Running::start(command, &line.bench, "listener");
    // It listens once an alert comes through: those before went by.
    until("three alerts", || {
        assert!(line.can("udp 4001 attack"));
        listener.ended()
    });
    let text = listener.stdout();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 3, "{text}");
    assert!(records.iter().any(|r| r["alert"]["signature_id"] == 7), "{text}");
    assert_eq!(listener.stderr(), "");

    let refused = line.ctl(&["events", "--types", "http"]);
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("no output asks for records of the type \"http\"")
    );
    line.end();
}
