//! External plugins in `weir run` between two network namespaces: policies that come late and change under live streams,
//! plugins restarted, replaced and taken out. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::{Value, json};
use support::line::{Line, may_run};
use support::samples::rust_sample_with;
use support::services::set;
use support::wait::until;

/// (generation, sessions) of a member's policies.
fn generations(line: &Line, set: &str, member: usize) -> Vec<(u64, u64)> {
    let shown = line.json(&["service-set", set]);
    let row = |row: &Value| (row["generation"].as_u64().unwrap(), row["sessions"].as_u64().unwrap());
    shown["members"][member]["generations"].as_array().unwrap().iter().map(row).collect()
}

fn state(line: &Line, plugin: &str) -> String {
    line.json(&["plugin", "show", plugin])["state"].as_str().unwrap().to_owned()
}

/// What the diary says of the session from this port.
fn of(line: &Line, port: &str) -> Vec<String> {
    line.bench.events().into_iter().filter(|event| event.contains(port)).collect()
}

#[test]
fn a_policy_three_seconds_late_opens_the_line_and_a_new_one_lets_running_streams_be() {
    if !may_run() {
        return;
    }
    let mut line = Line::new(2, |bench| bench.probe("guard", "late=3000") + &set("s", &["guard", "idp"], ""));
    let active = |line: &Line| line.json(&["service-set", "s"])["state"] == "active";
    let mut before = 0;
    loop {
        let refused = line.cannot(&format!("udp {} early", 4000 + before));
        // It may have come between the two.
        if active(&line) {
            break;
        }
        assert!(refused, "before the policy was there");
        before += 1;
    }
    assert!(before >= 3, "{before} tries were made before");
    let counted = line.json(&["counters", "ips.drop_reason.service_inactive"]);
    assert!(counted["ips.drop_reason.service_inactive"].as_u64().unwrap() >= before, "{counted}");
    for port in 5000..5020 {
        assert!(line.can(&format!("udp {port} late")), "everything passes, on whichever worker");
    }

    assert!(line.can("open 6000") && line.can("say 6000 hello"));
    let blob = line.bench.file("drop", "drop");
    let sent = line.json(&["plugin", "blob", "guard", "--set", "s", "--add", blob.to_str().unwrap()]);
    assert_eq!(sent["changes"], json!(["generation 2"]));
    until("the new policy", || {
        generations(&line, "s", 0).iter().any(|(generation, _)| *generation == 2).then_some(())
    });
    assert!(line.cannot("open 6001"), "a new connection is refused");
    assert!(line.cannot("udp 6002 new"));
    for _ in 0..5 {
        assert!(line.can("say 6000 still here"), "the old stream goes on");
    }
    assert!(generations(&line, "s", 0).iter().any(|row| row.0 == 1 && row.1 >= 1));
    // Others end by themselves, within five seconds; the stream's does not.
    until("the stream to be the last of the old policy", || {
        generations(&line, "s", 0).contains(&(1, 1)).then_some(())
    });
    assert!(line.can("say 6000 goodbye") && line.can("close 6000"));
    until("the old policy to go with its last session", || {
        generations(&line, "s", 0).iter().all(|(generation, _)| *generation == 2).then_some(())
    });
    let refused = line.ctl(&["plugin", "blob", "guard", "--set", "s", "--add", "Cargo.toml"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && text.contains("probe knows \"drop\" and \"pass\""), "{text}");
    assert!(line.cannot("open 6003"), "and nothing has changed");
    line.end();
}

/// Datagrams go by both probes, connections by the first alone.
fn two_sets(bench: &support::Bench) -> String {
    bench.probe("a", "")
        + &bench.probe("b", "")
        + &set("datagrams", &["a", "b"], "match = [\"udp from any to any port 9001\"]")
        + &set("rest", &["a", "idp"], "")
}

#[test]
fn a_restarted_and_a_replaced_plugin_close_their_sessions_and_no_others() {
    if !may_run() {
        return;
    }
    let built = rust_sample_with("probe", "newer");
    let mut line = Line::new(1, two_sets);
    assert!(line.can("open 4000") && line.can("say 4000 hello") && line.can("udp 5000 hello"));
    line.json(&["plugin", "restart", "b"]);
    until("the session to be closed", || (of(&line, "5000").len() >= 10).then_some(()));
    assert_eq!(
        of(&line, "5000"),
        [
            "a first-packet 0 forward 5000",
            "b first-packet 0 forward 5000",
            "a session-open 0 forward 5000",
            "b session-open 0 forward 5000",
            "b packet 0 reverse 5000",
            "a packet 0 reverse 5000",
            "a session-close 0 forward 5000 plugin-restart",
            "b session-close 0 forward 5000 plugin-restart",
            "a session-destroy 0 forward 5000",
            "b session-destroy 0 forward 5000",
        ]
    );
    assert!(line.can("say 4000 still here"));
    until("the old instance to go", || {
        (line.json(&["plugin", "list"]).as_array()?.iter().all(|plugin| plugin["state"] == "running"))
            .then_some(())
    });
    assert_eq!(line.bench.diary().iter().filter(|text| *text == "b worker-exit").count(), 1);

    // A newer build in the place of the second, under another name of a file, as those that are loaded stay.
    assert!(line.can("udp 5001 hello"));
    let newer = line.bench.path("libb-2.so");
    std::fs::copy(built, &newer).unwrap();
    line.json(&["plugin", "replace", "b", newer.to_str().unwrap()]);
    until("the session to be closed", || (of(&line, "5001").len() >= 10).then_some(()));
    let closed = of(&line, "5001");
    assert_eq!(closed[7], "b session-close 0 forward 5001 plugin-restart", "{closed:#?}");
    assert_eq!(line.json(&["plugin", "show", "b"])["path"], newer.to_str().unwrap());
    assert!(line.can("udp 5002 hello") && line.can("say 4000 still here"));
    let of_the_newer = ["a first-packet 0 forward 5002", "newer b first-packet 0 forward 5002"];
    assert_eq!(of(&line, "5002")[..2], of_the_newer);
    assert!(
        of(&line, "4000").iter().all(|event| !event.contains("session-close")),
        "{:#?}",
        of(&line, "4000")
    );

    let nowhere = line.bench.file("libc.so", "no object");
    let refused = line.ctl(&["plugin", "replace", "b", nowhere.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(1) && text.contains("libc.so") && text.contains("does not load"),
        "{text}"
    );
    assert!(line.can("udp 5003 hello") && state(&line, "b") == "running");
    let events = line.end();
    let reasons: Vec<_> = events.of("flow").iter().map(|flow| flow["flow"]["reason"].to_string()).collect();
    assert_eq!(reasons.iter().filter(|reason| reason.contains("plugin")).count(), 2, "{reasons:?}");
}

#[test]
fn faulty_services_change_nothing_and_good_ones_hold_at_once() {
    if !may_run() {
        return;
    }
    let services = |bench: &support::Bench, hold: &str| {
        format!("[services]\nhold-on-timeout = \"forward\"\nhold-timeout = \"{hold}\"\n\n")
            + &bench.pair("hold=wait")
    };
    let mut line = Line::new(1, |bench| services(bench, "60s"));
    let good = services(&line.bench, "60s");
    let third = good.clone() + &line.bench.probe("c", "") + &set("t", &["c"], "");
    let text = line.apply(&third).unwrap_err();
    assert!(text.contains("\"c\" is external plugin number 3, and 2 may be loaded"), "{text}");
    let orders = good.replace("reverse-flow = [\"b\", \"a\"]", "");
    let text = line.apply(&orders).unwrap_err();
    assert!(text.contains("the set \"s\" has the external plugin \"a\" and no reverse-flow"), "{text}");
    assert_eq!(line.apply(&good).unwrap(), "nothing to change\n", "what runs is what ran");

    // How long a frame is held is changed for the one that is held already.
    assert!(line.can("udp 5000 hello") && line.cannot("udp 5000 wait"));
    assert_eq!(line.apply(&services(&line.bench, "100ms")).unwrap(), "settings of holding changed\n");
    assert_eq!(line.told("hear 5000"), "wait");
    line.end();
}

#[test]
fn a_plugin_that_panics_is_named_and_traffic_goes_on_as_its_set_says() {
    if !may_run() {
        return;
    }
    for (on_fault, passes) in [("skip", true), ("drop", false)] {
        let mut line = Line::new(2, |bench| {
            bench.probe("a", "")
                + &bench.probe("b", "panic=GET")
                + &set("s", &["a", "b"], &format!("on-fault = \"{on_fault}\""))
        });
        assert!(line.can("udp 5000 hello"));
        let goes = |line: &mut Line, text: &str| if passes { line.can(text) } else { line.cannot(text) };
        assert!(goes(&mut line, "udp 5000 GET"), "{on_fault}");
        until("the operator to hear of it", || {
            state(&line, "b").starts_with("out: panicked on worker ").then_some(())
        });
        for port in 5001..5005 {
            assert!(goes(&mut line, &format!("udp {port} hello")), "{on_fault}: on all workers");
        }
        assert_eq!(state(&line, "a"), "running");
        let log = line.stderr();
        assert!(log.contains("plugin b is taken out") && log.contains("weir ctl plugin restart b"), "{log}");
        line.json(&["plugin", "restart", "b"]);
        assert!(line.can("udp 5010 hello") && state(&line, "b") == "running", "{on_fault}: it is back");
        line.end();
    }
}
