//! IP actions on a live line: begun by a rule, listed and ended by an operator. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::Bench;
use support::line::{Line, Start, may_run};

const RULES: &str = "alert udp any any -> any 9001 (msg:\"worm\"; content:\"attack\"; metadata:ip_action block, ip_action_timeout 600; sid:7;)\n";

#[test]
fn who_attacked_is_blocked_until_an_operator_ends_it() {
    if !may_run() {
        return;
    }
    for workers in [0, 2] {
        let bench = Bench::new();
        bench.file("line.rules", RULES);
        let mut line = Line::starting(bench, workers, Start::default(), |_| String::new());
        line.answers();
        assert!(line.can("udp 4000 harmless") && line.can("open 4100"));
        assert_eq!(line.json(&["ip-action", "list"]), serde_json::json!([]));
        assert!(line.cannot("udp 4001 attack"), "the answer comes to one that is blocked");
        assert!(line.cannot("udp 4000 harmless") && line.cannot("say 4100 hello"), "live sessions, too");
        let client = line.client_side().address.clone();
        let actions = line.json(&["ip-action", "list", &client]);
        let [action] = &actions.as_array().unwrap()[..] else { panic!("one action: {actions}") };
        let facts = ["action", "target", "source", "sid", "msg"].map(|key| action[key].to_string());
        assert_eq!(facts, ["\"block\"", "\"source\"", &format!("{client:?}"), "7", "\"worm\""]);
        assert!(
            action["packets"].as_u64() >= Some(3) && action["seconds_left"].as_u64() > Some(500),
            "{action}"
        );
        let why =
            line.json(&["why", "udp", &format!("{client}:4000"), &format!("{}:9001", line.server_address())]);
        let drop = &why["drops"][0];
        assert_eq!((&drop["reason"], &drop["rule"]["sid"]), (&"ip_action".into(), &7.into()), "{why}");

        let sessions = |host: &str| line.json(&["sessions", "--host", host]).as_array().unwrap().len();
        assert!(sessions(&client) > 0 && sessions("192.0.2.1") == 0);
        assert_eq!(line.json(&["ip-action", "clear", "192.0.2.1"])["cleared"], 0);
        assert_eq!(line.json(&["ip-action", "clear", &client])["cleared"], 1);
        assert!(line.can("udp 4002 harmless"));
        line.balances();
        line.end();
    }
}

#[test]
fn an_operator_lets_pass_what_a_rule_stops_for_a_time() {
    if !may_run() {
        return;
    }
    let bench = Bench::new();
    bench.file("line.rules", "drop udp any any -> any 9001 (msg:\"worm\"; content:\"attack\"; sid:7;)\n");
    let mut line = Line::starting(bench, 2, Start::default(), |_| String::new());
    line.answers();
    assert!(line.cannot("udp 4001 attack"));
    let server = format!("{}:9001", line.server_address());
    let pass = line.json(&["pass", "add", &server, "--for", "3s", "--note", "ticket 7"]);
    assert_eq!((&pass["id"], &pass["broad"]), (&1.into(), &false.into()), "{pass}");
    assert!(line.can("udp 4001 attack"), "at once, also in a session that was dropped");
    let passes = line.json(&["pass", "list"]);
    assert_eq!(passes[0]["note"], "ticket 7");
    assert!(passes[0]["spared"].as_u64() >= Some(1), "{passes}");
    let listed = || line.json(&["pass", "list"]).as_array().unwrap().len();
    support::wait::until("its end", || (listed() == 0).then_some(()));
    assert!(line.cannot("udp 4001 attack"), "its time is over");
    let broad = line.json(&["pass", "add", "10.0.0.0/8", "--for", "1h"]);
    assert_eq!(broad["broad"], true, "{broad}");
    assert!(line.can("udp 4001 attack"));
    assert_eq!(line.json(&["pass", "remove", "2"])["network"], "10.0.0.0/8");
    assert!(line.cannot("udp 4001 attack"));
    assert!(line.stderr().contains("10.0.0.0/8 is a broad network to let pass"));
    line.balances();
    line.end();
}
