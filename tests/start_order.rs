//! Ports that start before the rules are ready go by what their pair says (`inactive-action`). Needs root, for namespaces.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::io::Write;
use support::Bench;
use support::line::{Line, Start, may_run};
use support::netns::tool;
use support::wait::until;

const RULE: &str = "drop udp any any -> any 9001 (msg:\"attack\"; content:\"attack\"; sid:1;)\n";

/// A line whose rule file is a pipe: the rules are read when the test writes them.
fn waiting(action: &str, workers: u8) -> Line {
    let bench = Bench::new();
    tool(&format!("mkfifo {}", bench.path("line.rules").display()));
    let start = Start { pair: format!("inactive-action = {action:?}\n"), ..Start::default() };
    let mut line = Line::starting(bench, workers, start, |_| String::new());
    line.answers();
    assert_eq!(line.json(&["status"])["generation"], 0);
    line
}

fn bring(line: &mut Line, rules: &str) {
    let path = line.bench.path("line.rules");
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all(rules.as_bytes()).unwrap();
}

#[test]
fn with_forward_frames_pass_uninspected_until_the_first_policy_is_there() {
    if !may_run() {
        return;
    }
    for workers in [0, 1] {
        let mut line = waiting("forward", workers);
        assert!(line.can("udp 4000 attack"), "nobody judges it yet");
        let reload = line.ctl(&["rules", "reload"]);
        let text = String::from_utf8_lossy(&reload.stderr).into_owned();
        assert!(text.contains("still being compiled"), "{text}");
        bring(&mut line, RULE);
        until("the first policy", || (line.json(&["status"])["generation"] == 1).then_some(()));
        assert!(line.can("udp 4001 harmless") && line.cannot("udp 4002 attack"));
        assert!(line.cannot("udp 4000 attack"), "what passed before is judged now");
        let drops = line.counter("ips.drop_reason.service_inactive");
        assert_eq!(drops, 0);
        line.balances();
        line.end();
    }
}

#[test]
fn with_drop_every_frame_until_then_has_its_reason() {
    if !may_run() {
        return;
    }
    let mut line = waiting("drop", 1);
    assert!(line.cannot("udp 4000 harmless"));
    assert!(line.counter("ips.drop_reason.service_inactive") > 0);
    let why = line.json(&[
        "why",
        "udp",
        &format!("{}:4000", line.client_side().address),
        &format!("{}:9001", line.server_address()),
    ]);
    assert_eq!(why["drops"][0]["reason"], "service_inactive", "{why}");
    bring(&mut line, RULE);
    until("the first policy", || (line.json(&["status"])["generation"] == 1).then_some(()));
    assert!(line.can("udp 4001 harmless"));
    line.balances();
    line.end();
}

#[test]
fn asked_to_end_before_the_rules_are_there_it_ends_in_order() {
    if !may_run() {
        return;
    }
    let mut line = waiting("forward", 1);
    assert!(line.can("udp 4000 harmless"));
    line.end();
}

#[test]
fn rules_that_cannot_be_had_end_the_start_with_their_fault() {
    if !may_run() {
        return;
    }
    let pair = "inactive-action = \"forward\"\n".into();
    let start = Start { pair, ..Start::with(&["rules.files=[\"/nowhere/at.all\"]"]) };
    let line = Line::starting(Bench::new(), 1, start, |_| String::new());
    let (code, said) = line.ended();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("/nowhere/at.all") && said.contains("correct"), "{said}");
}
