//! `weir run` under a manager of services: what is said over NOTIFY_SOCKET, and when.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;
use support::child::Running;
use support::wait::until;
use support::{Bench, weir};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Unit {
    appliance: Running,
    socket: UnixDatagram,
}

impl Unit {
    /// conf/demo.toml, as systemd starts a unit with `Type=notify` and `WatchdogSec=600ms`.
    fn start(bench: &Bench) -> Unit {
        let path = bench.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let sets = [
            format!("outputs.directory={:?}", bench.path("out")),
            format!("rpc.socket={:?}", bench.path("weir.sock")),
        ];
        let mut command: Command = weir();
        command.args(["run", "-c", "conf/demo.toml"]);
        command.args(sets.iter().flat_map(|set| ["--set", set]));
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000").env_remove("WATCHDOG_PID");
        Unit { appliance: Running::start(command, bench, "appliance"), socket }
    }

    fn hear(&self) -> String {
        let mut bytes = [0; 4096];
        let length =
            self.socket.recv(&mut bytes).unwrap_or_else(|e| panic!("{e}: {}", self.appliance.stderr()));
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// The next message with this line.
    fn hear_of(&self, line: &str) -> String {
        let mut last = String::new();
        // While nothing else happens it hears of life five times a second.
        for _ in 0..300 {
            last = self.hear();
            if last.lines().any(|said| said == line) {
                return last;
            }
        }
        panic!("never heard {line}, last {last:?}")
    }

    fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.appliance.id().to_string()]).status().unwrap();
        assert!(told.success());
    }
}

#[test]
fn it_says_ready_alive_reloading_and_stopping_in_their_turn() {
    let bench = Bench::new();
    let mut unit = Unit::start(&bench);
    let first = unit.hear();
    let asked = ["EXTEND_TIMEOUT_USEC=40000000", "WATCHDOG=1", "STATUS=compiling the rules"];
    assert!(
        asked.iter().all(|line| first.lines().any(|said| said == *line)),
        "while rules are compiled: {first}"
    );
    unit.hear_of("READY=1");
    let answers = weir().args(["ctl", "status", "--socket"]).arg(bench.path("weir.sock")).output().unwrap();
    assert!(answers.status.success(), "who is ready answers: {answers:?}");
    unit.hear_of("WATCHDOG=1");
    unit.hear_of("WATCHDOG=1");
    unit.signal("-USR2");
    let reloading = unit.hear_of("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    unit.hear_of("READY=1");
    unit.signal("-TERM");
    unit.hear_of("STOPPING=1");
    let ended = until("its end", || unit.appliance.ended());
    assert!(ended.success(), "{}", unit.appliance.stderr());
}
