//! Reloads under traffic: no packet of a probe is lost. `scripts/bench reload` measures the same with all rules. Needs root, for
//! namespaces.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::process::Command;
use support::Bench;
use support::line::may_run;

#[test]
fn a_probe_loses_nothing_while_rules_are_reloaded() {
    if !may_run() {
        return;
    }
    let bench = Bench::new();
    let rule = |n: u32| {
        format!(
            "drop udp any any -> any any (msg:\"never\"; content:\"pattern {n} that nobody sends\"; sid:{n};)\n"
        )
    };
    let rules = bench.file("reload.rules", (1..=300).map(rule).collect::<String>());
    // How long packets take is for the bench; what else this machine does must lose none.
    let words =
        "--realtime --seconds 0.6 --windows 3 --reloads 5 --rounds 10 --rate 1000 --times 1000000 --weir";
    let mut probe = Command::new("python3");
    probe.arg("scripts/bench-reload").args(words.split(' ')).arg(env!("CARGO_BIN_EXE_weir"));
    let output = probe.arg("--rules").arg(rules).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(output.status.success() && text.contains(" reloads of 300 rules"), "{text}");
}
