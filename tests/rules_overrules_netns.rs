//! Rules that an operator overrules on a live line, and the generations that sessions go by. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::{Value, json};
use support::Bench;
use support::line::{Line, Start, may_run};
use support::wait::until;

const RULES: &str = "alert ip any any -> any any (msg:\"word\"; content:\"attack\"; sid:7;)\n";

fn line(workers: u8) -> Line {
    let bench = Bench::new();
    bench.file("line.rules", RULES);
    let mut line = Line::starting(bench, workers, Start::default(), |_| String::new());
    line.answers();
    line
}

/// Generations that are in memory with the sessions of each, the newest first.
fn generations(line: &Line) -> Vec<(u64, u64)> {
    let told = line.json(&["rules", "generations"]);
    let pair = |g: &Value| (g["generation"].as_u64().unwrap(), g["sessions"].as_u64().unwrap());
    told.as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn a_rule_is_set_to_drop_for_a_while_and_a_session_from_before_keeps_its_generation() {
    if !may_run() {
        return;
    }
    for workers in [0, 2] {
        let mut line = line(workers);
        assert!(line.can("open 4100") && line.can("say 4100 attack"));
        let told = generations(&line);
        assert!(
            told.len() == 1 && told[0].0 == 1 && told[0].1 >= 1,
            "the hosts speak of themselves, too: {told:?}"
        );
        let set = line.json(&["rules", "set", "7", "drop", "--for", "5s"]);
        assert_eq!(
            (&set["generation"], &set["overrides"][0]["action"]),
            (&2.into(), &"drop".into()),
            "{set}"
        );
        assert!(set["overrides"][0]["seconds_left"].as_u64() <= Some(5), "{set}");
        assert!(line.cannot("udp 4001 attack"), "new sessions go by generation 2");
        assert!(line.can("udp 4002 harmless"));
        assert!(line.can("say 4100 attack"), "an older one goes by generation 1");
        let told = generations(&line);
        assert!(told[0].0 == 2 && told[0].1 >= 1 && told[1].0 == 1 && told[1].1 >= 1, "{told:?}");
        until("its time to be over", || {
            (line.json(&["rules", "overrides"])["overrides"] == json!([])).then_some(())
        });
        assert_eq!(generations(&line)[0].0, 3);
        assert!(line.can("udp 4003 attack") && line.can("say 4100 attack"));
        assert!(line.can("close 4100"));
        until("the older generations to go", || {
            let told = generations(&line);
            (told.len() == 1 && told[0].0 == 3).then_some(())
        });
        let log = line.stderr();
        assert!(log.contains("root sets 1:7 to \"drop\" for 5 s; generation 2"), "{log}");
        assert!(log.contains("1:7 goes by the files again: the time of \"drop\" by root is over"), "{log}");
        line.balances();
        let events = line.end();
        assert!(events.sids().len() >= 4);
        let blocked = |alert: &&Value| alert["alert"]["action"] == "blocked";
        assert_eq!(events.of("alert").into_iter().filter(blocked).count(), 1);
    }
}

#[test]
fn what_is_set_survives_a_reload_and_nonsense_is_refused() {
    if !may_run() {
        return;
    }
    let mut line = line(1);
    let refused = |line: &Line, words: &[&str]| {
        let output = line.ctl(&[&["rules"], words].concat());
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&line, &["set", "8", "drop"]).contains("the files have no rule 1:8"));
    assert!(refused(&line, &["set", "8", "disable"]).contains("1:8 is not in force"));
    let misused = line.ctl(&["rules", "set", "7", "explode"]);
    assert_eq!(misused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&misused.stderr).contains("write one of disable, alert"));
    assert!(refused(&line, &["unset", "7"]).contains("1:7 goes by the files"));
    assert_eq!(line.json(&["rules", "overrides"])["overrides"], json!([]));

    line.json(&["rules", "set", "7", "reject"]);
    line.json(&["rules", "set", "1:7", "drop"]);
    assert_eq!(line.json(&["rules", "reload"])["generation"], 4, "those that were refused took no number");
    let overrides = line.json(&["rules", "overrides"])["overrides"].clone();
    assert_eq!((overrides.as_array().unwrap().len(), &overrides[0]["seconds_left"]), (1, &Value::Null));
    assert!(line.cannot("udp 4001 attack"));
    line.json(&["rules", "set", "7", "disable"]);
    assert!(line.can("udp 4002 attack"));
    assert_eq!(line.json(&["status"])["rules"]["loaded"], 0);
    line.json(&["rules", "unset", "7"]);
    assert!(line.can("udp 4003 attack"));
    let parts = line.json(&["memory"]);
    let names: Vec<&str> = parts.as_array().unwrap().iter().map(|p| p["part"].as_str().unwrap()).collect();
    let expected = [
        "sessions",
        "fragments",
        "streams",
        "applications",
        "rules",
        "evaluation",
        "shadow",
        "frames",
        "logs",
        "process",
    ];
    assert_eq!(names, expected);
    for part in parts.as_array().unwrap() {
        let (used, cap) = (part["used"].as_u64().unwrap(), part["cap"].as_u64());
        assert!(cap.is_none_or(|cap| used <= cap), "{part}");
        let uncapped = ["process", "evaluation"].contains(&part["part"].as_str().unwrap());
        assert_eq!(cap.is_none(), uncapped, "{part}");
    }
    assert!(parts[0]["used"].as_u64() > Some(0) && parts[9]["used"].as_u64() > Some(1 << 20), "{parts}");
    let events = line.end();
    assert_eq!(events.of("alert").len(), 3, "one was blocked; one was let go, and answered");
}

#[test]
fn where_workers_have_no_room_for_further_rules_a_change_of_them_is_refused_and_says_what_to_do() {
    if !may_run() {
        return;
    }
    let mut line = line(1);
    let action = |n: u16| if n.is_multiple_of(2) { "pass" } else { "alert" };
    for n in 0..7 {
        assert!(line.can(&format!("open {}", 4100 + n)));
        line.json(&["rules", "set", "7", action(n)]);
    }
    assert!(line.can("open 4107"));
    let refused = |line: &Line, words: &[&str]| {
        let output = line.ctl(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("sessions of 8 generations of the rules and takes no more"), "{said}");
        assert!(said.contains("lower services.generation-age (3600 s now)"), "{said}");
    };
    refused(&line, &["rules", "set", "7", "drop", "--for", "10"]);
    refused(&line, &["rules", "reload"]);
    assert_eq!(generations(&line)[0].0, 8, "no number was taken");
    assert_eq!(line.json(&["rules", "overrides"])["overrides"][0]["action"], action(6));
    assert!(line.can("udp 4001 attack"), "nothing has changed");
    assert!(line.can("close 4103"));
    until("a generation to go", || line.ctl(&["rules", "set", "7", "drop"]).status.success().then_some(()));
    assert!(line.cannot("udp 4002 attack"));
    // The other way: what was superseded long ago goes.
    assert!(line.can("open 4108"));
    refused(&line, &["rules", "reload"]);
    line.json(&["config", "set", "services.generation-age=1s"]);
    line.json(&["config", "commit"]);
    until("those superseded to go", || line.ctl(&["rules", "reload"]).status.success().then_some(()));
    assert!(line.can("say 4100 harmless"));
    line.balances();
    let _events = line.end();
}
