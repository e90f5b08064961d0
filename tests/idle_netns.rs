//! A quiet line with `poll = "adaptive"`: what it costs, and that the first frames after the quiet pass. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::time::{Duration, Instant};
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
/// Turns a second of an lcore that naps as long as it may (800 us), and some. One that never naps makes a hundred times as many.
const MOST_TURNS: f64 = 2_000.0;
/// Share of a core that all threads of an idle box may take. What a turn costs is the machine's: a debug build took 10 to 24 % on
/// one whose system calls are slow. Two lcores that never nap take all there is.
const MOST_TIME: f64 = 0.5;

/// The turns of all lcores.
fn turns(line: &Line) -> u64 {
    let status = line.json(&["lcores"]);
    let lcores = status.as_array().unwrap_or_else(|| panic!("{status}"));
    lcores.iter().map(|lcore| lcore["turns"].as_u64().unwrap()).sum()
}

/// Turns a second of one lcore, and the share of a core that a process takes, in a span from now on.
#[expect(clippy::disallowed_methods, reason = "it is the rate that is tested")]
fn used(line: &Line, lcores: u8) -> (f64, f64) {
    let start = Instant::now();
    let (turned, run) = (turns(line), ran(line.id()));
    within(SPAN, || None::<()>);
    let (run, turned) = (ran(line.id()) - run, turns(line) - turned);
    let second = start.elapsed().as_secs_f64();
    let used = (turned as f64 / second / f64::from(lcores), run as f64 / 1e9 / second);
    println!("{:.0} turns a second and lcore, {:.1} % of a core", used.0, 100.0 * used.1);
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
        // Now and then a frame of the kernel's (neighbour discovery) wakes the lcores.
        let quiet = |(turns, time)| turns < MOST_TURNS && time < MOST_TIME;
        let idle = (0..SPANS).any(|_| quiet(used(&line, workers + 1)));
        assert!(
            idle,
            "{workers} workers: never in {SPANS} spans below {MOST_TURNS} turns and {MOST_TIME} of a core"
        );
        // `ping` loses answers that its socket has no room for when it does not run in time: the kernel's count tells.
        const BURST: u64 = 200;
        let before = answers(&line);
        let burst = format!("ping -q -c {BURST} -l {BURST} -i 0.002 -W 1 {}", line.server_address());
        line.client_side().attempt(&burst);
        until("every answer", || (answers(&line) == before + BURST).then_some(()));
        line.end();
    }
}
