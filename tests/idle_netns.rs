//! A quiet line with `poll = "adaptive"`: what it costs, and that the first frames after the quiet pass. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::time::Duration;
use support::line::{Line, may_run};
use support::wait::{until, within};

/// Nanoseconds that all threads of a process have run.
fn ran(id: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let ran = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    tasks.filter_map(ran).sum()
}

/// Echo replies that the client's kernel has got.
fn answers(line: &Line) -> u64 {
    line.client_side().icmp("InEchoReps")
}

const SPAN: Duration = Duration::from_secs(1);
const SPANS: usize = 8;
/// Share of a core that an idle box may take.
const MOST: f64 = 0.15;

/// Share of a core that a process takes in a span from now on.
fn used(id: u32) -> f64 {
    let before = ran(id);
    within(SPAN, || None::<()>);
    let used = (ran(id) - before) as f64 / SPAN.as_nanos() as f64;
    println!("{:.1} % of a core", 100.0 * used);
    used
}

#[test]
fn an_idle_box_costs_little_and_loses_nothing_of_the_burst_that_wakes_it() {
    if !may_run() {
        return;
    }
    for workers in [0, 1] {
        let line = Line::new(workers, |_| String::new());
        // Nothing is waited for: time is to pass.
        within(SPAN, || None::<()>);
        // A debug build on a machine that does other work takes twice what a release build does, and now and then more.
        let used = (0..SPANS).map(|_| used(line.id())).find(|used| *used < MOST);
        assert!(used.is_some(), "{workers} workers: in each of {SPANS} spans more than {MOST} of a core");
        // `ping` loses answers that its socket has no room for when it does not run in time: the kernel's count tells.
        const BURST: u64 = 200;
        let before = answers(&line);
        let burst = format!("ping -q -c {BURST} -l {BURST} -i 0.002 -W 1 {}", line.server_address());
        line.client_side().attempt(&burst);
        until("every answer", || (answers(&line) == before + BURST).then_some(()));
        line.end();
    }
}
