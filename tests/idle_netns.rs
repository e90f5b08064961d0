//! A quiet line with `poll = "adaptive"`: what it costs, and that the first frames after the quiet pass. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::time::Duration;
use support::line::{Line, may_run};
use support::wait::within;

/// Nanoseconds that all threads of a process have run.
fn ran(id: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let ran = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    tasks.filter_map(ran).sum()
}

#[test]
fn an_idle_box_costs_little_and_loses_nothing_of_the_burst_that_wakes_it() {
    if !may_run() {
        return;
    }
    for workers in [0, 1] {
        let line = Line::new(workers, |_| String::new());
        const SPAN: Duration = Duration::from_secs(3);
        // Nothing is waited for: time is to pass.
        within(Duration::from_secs(1), || None::<()>);
        let before = ran(line.id());
        within(SPAN, || None::<()>);
        let used = (ran(line.id()) - before) as f64 / SPAN.as_nanos() as f64;
        println!("{workers} workers: {:.1} % of a core", 100.0 * used);
        // A debug build on a machine that does other work takes twice what a release build does.
        assert!(used < 0.15, "{workers} workers: {:.1} % of a core", 100.0 * used);
        let burst = format!("ping -q -c 32 -l 32 -i 0.002 -W 10 {}", line.server_address());
        let said = String::from_utf8_lossy(&line.client_side().tool(&burst).stdout).into_owned();
        assert!(said.contains("32 packets transmitted, 32 received, 0% packet loss"), "{said}");
        line.end();
    }
}
