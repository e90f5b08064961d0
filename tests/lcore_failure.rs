//! An lcore that panics ends the appliance in order: said, counted, exit code 1, and nobody waits for it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where
#![cfg(debug_assertions)] // release builds rehearse nothing

mod support;

use std::path::Path;
use std::process::Command;
use support::child::Running;
use support::{Bench, Events, conserved, ethernet, v4, weir, with_id};
use weir::wire::build::{fragments, udp_packet};

/// Runs to its end, with a panic of `lcore` over the burst that makes up `frames`; its exit code and what it wrote.
fn rehearsed(bench: &Bench, mut command: Command, lcore: u8, frames: u32) -> (Option<i32>, String, String) {
    command.env("WEIR_REHEARSE_PANIC", format!("{lcore}:{frames}"));
    let mut child = Running::start(command, bench, "rehearsed");
    let status = child.wait();
    (status.code(), child.stdout(), child.stderr())
}

#[track_caller]
fn told(ended: &(Option<i32>, String, String), who: &str) {
    let (code, stdout, stderr) = ended;
    assert_eq!(*code, Some(1), "{stdout}{stderr}");
    let panicked = format!("error: {who} ended by a panic: rehearsed");
    assert!(stderr.contains(&panicked) && stderr.contains("frames were lost"), "{stderr}");
    assert!(!stderr.contains("do not add up"), "{stderr}");
    conserved(stdout);
}

#[test]
fn a_running_appliance_stops_when_a_worker_panics_and_says_which() {
    for (lcore, workers, who) in
        [(1, 1, "worker 0"), (2, 2, "worker 1"), (0, 1, "the main lcore"), (0, 0, "the main lcore")]
    {
        let bench = Bench::new();
        let mut command = weir();
        command.args(["run", "-c", "conf/demo.toml", "--set", &format!("lcores.workers={workers}")]);
        for (key, path) in [("outputs.directory", "out"), ("rpc.socket", "weir.sock")] {
            command.arg("--set").arg(format!("{key}={:?}", bench.path(path).display().to_string()));
        }
        let ended = rehearsed(&bench, command, lcore, 3);
        told(&ended, who);
        assert!(ended.2.contains("the appliance stops"), "{}", ended.2);
        let events = Events::read(&bench.path("out/eve.json"));
        if let Some(stats) = events.of("stats").last() {
            assert_eq!(stats["stats"]["lcores"]["failed"], 1, "{stats}");
        }
    }
}

fn replay(bench: &Bench, capture: &Path, workers: u8) -> Command {
    let mut command = weir();
    command.args(["replay", "-r"]).arg(capture).arg("-S").arg(bench.file("none.rules", ""));
    command.arg("-l").arg(bench.path("log")).args(["--workers", &workers.to_string()]);
    command.args(["--set", "lcores.ring-size=64"]);
    command
}

/// Rings fill, fragments are waited for, datagrams are handed over: all of it towards somebody who is gone.
#[test]
fn a_replay_in_which_an_lcore_panics_ends_and_says_so() {
    let bench = Bench::new();
    let packets = (0..2000u16).flat_map(|n| {
        let packet = udp_packet(v4(u32::from(n % 50) + 1, 1000 + n), v4(200, 53), &with_id(n), &[7; 300]);
        if n % 2 == 0 { fragments(&packet, n.into(), &[104]) } else { vec![packet] }
    });
    let capture = bench.capture(&ethernet(packets));
    for (lcore, workers, who) in
        [(0, 0, "the main lcore"), (0, 2, "the main lcore"), (1, 1, "worker 0"), (2, 4, "worker 1")]
    {
        told(&rehearsed(&bench, replay(&bench, &capture, workers), lcore, 100), who);
    }
}
