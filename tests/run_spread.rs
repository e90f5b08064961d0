//! `lcores.spread` through the built binary: workers that poll queues of their own, and ports that have none.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use support::child::Running;
use support::wait::until;
use support::{Bench, conserved, weir};

/// Two ports and a pair that is inspected in the line.
fn config(bench: &Bench, device: &str, workers: u8) -> PathBuf {
    let folder = bench.path("").display().to_string();
    let text = format!(
        r#"
[eal]
hugepages = false
memory = "96MiB"
[[port]]
name = "left"
device = "{device}0"
[[port]]
name = "right"
device = "{device}1"
[[pair]]
ports = ["left", "right"]
mode = "ips"
[lcores]
workers = {workers}
spread = "rss"
[pools]
frames = 16383
[sessions]
size = 1024
[streams]
memory = "1MiB"
[outputs]
directory = "{folder}/out"
[rpc]
socket = "{folder}/weir.sock"
"#
    );
    bench.file("weir.toml", text)
}

fn run(config: &PathBuf) -> Command {
    let mut command = weir();
    command.args(["run", "-c"]).arg(config);
    command
}

fn ctl(bench: &Bench, words: &[&str]) -> Output {
    weir().arg("ctl").args(words).args(["--json", "--socket"]).arg(bench.path("weir.sock")).output().unwrap()
}

fn json(bench: &Bench, words: &[&str]) -> Option<Value> {
    serde_json::from_slice(&ctl(bench, words).stdout).ok()
}

/// `net_null` has as many queues as one likes and receives on all, always the same frame: one worker owns it, and the others
/// hand over all that they get.
#[test]
fn workers_poll_their_own_queues_and_every_frame_is_accounted_for() {
    for workers in [1, 2] {
        let bench = Bench::new();
        let config = config(&bench, "net_null", workers);
        let mut appliance = Running::start(run(&config), &bench, "appliance");
        let counters = until("frames to pass", || {
            assert!(appliance.ended().is_none(), "ended: {}", appliance.stderr());
            let counters = json(&bench, &["counters"])?;
            let count = |name| counters[name].as_u64().unwrap_or(0);
            let handed = workers == 1 || count("frames.misplaced") > 10_000;
            (count("ips.accepted") > 100_000 && handed).then_some(counters)
        });
        assert!(counters["decoder.pkts"].as_u64() > Some(100_000), "{counters}");
        let lcores = json(&bench, &["lcores"]).unwrap();
        let frames: Vec<_> = lcores.as_array().unwrap().iter().map(|l| l["frames"].as_u64()).collect();
        assert_eq!(frames[0], Some(0), "the main lcore only supervises: {lcores}");
        assert!(frames[1] > Some(0), "the first worker owns what is not IP: {lcores}");
        appliance.terminate();
        let status = appliance.wait();
        assert!(status.success(), "{status}: {}", appliance.stderr());
        assert!(conserved(&appliance.stdout()) > 100_000);
    }
}

#[test]
fn a_port_that_cannot_is_named_with_what_it_lacks() {
    let bench = Bench::new();
    let config = config(&bench, "net_ring", 2);
    let output = run(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("port left: lcores.spread") && text.contains("software"), "{text}");
}
