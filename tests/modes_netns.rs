//! Modes switched in the line between two network namespaces: what passes, and that nothing is lost meanwhile. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::line::{Line, may_run};

const RULES: &str = r#"drop udp any any -> any 9001 (msg:"attack"; content:"attack"; sid:1;)"#;

#[test]
fn a_mode_switched_under_traffic_loses_nothing_and_acts_at_once() {
    if !may_run() {
        return;
    }
    for workers in [0, 2] {
        let mut line = Line::new(workers, |_| String::new());
        line.bench.file("line.rules", RULES);
        line.json(&["rules", "reload"]);
        assert!(line.cannot("udp 4000 attack"));
        let to = line.server_address().to_owned();
        let ping = format!("ping -q -c 1500 -i 0.002 -s 1000 -W 10 {to}");
        let mut pinging = line.client_side().start(&ping, &line.bench, "ping");
        let mut switches = 0;
        while pinging.ended().is_none() {
            let mode = if switches % 2 == 0 { "tap" } else { "ips" };
            assert_eq!(line.json(&["mode", "client-side", mode])[0]["mode"], mode);
            switches += 1;
        }
        assert!(switches >= 4, "{switches}");
        let said = pinging.stdout();
        assert!(said.contains("1500 packets transmitted, 1500 received, 0% packet loss"), "{said}");
        line.json(&["mode", "ips"]);
        line.json(&["mode", "tap", "--confirm", "1"]);
        assert!(line.can("udp 4001 attack"), "in mode tap nothing is held back");
        let drops = line.json(&["drops", "--by", "reason"]);
        let rules = drops["drops"].as_array().unwrap().iter().find(|d| d["reason"] == "rules").cloned();
        assert!(rules.as_ref().is_some_and(|rules| rules["would_drop"].as_u64() > Some(0)), "{drops}");
        support::wait::until("the mode to go back", || {
            (line.json(&["mode"])[0]["mode"] == "ips").then_some(())
        });
        assert!(line.cannot("udp 4002 attack"), "nobody confirmed");
        println!("{workers} workers: {switches} switches");
        line.end();
    }
}
