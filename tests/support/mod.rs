//! What the tests through the built binary share: folders, `weir replay` and its records, children that never outlive a
//! test, waiting for a condition.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests
#![allow(dead_code, unreachable_pub)] // each test binary uses a part

pub mod child;
pub mod configured;
pub mod doors;
pub mod line;
pub mod metrics;
pub mod netns;
pub mod samples;
pub mod services;
pub mod small_disk;
pub mod wait;

use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use weir::wire::build::{Capture, IpFields, Link};

/// The built binary, started in the repository's folder.
pub fn weir() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    // To write a debug build's backtrace takes longer than a plugin's call may.
    command.env("RUST_BACKTRACE", "0");
    command
}

pub fn v4(host: u32, port: u16) -> SocketAddr {
    SocketAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 + host), port))
}

pub fn v6(host: u16, port: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, host], port))
}

pub fn with_id(id: u16) -> IpFields {
    IpFields { id, ..IpFields::default() }
}

/// Packets behind Ethernet headers, a millisecond apart.
pub fn ethernet<P: AsRef<[u8]>>(packets: impl IntoIterator<Item = P>) -> Capture {
    let mut capture = Capture::new(Link::ethernet());
    capture.packets(packets);
    capture
}

/// A folder of one test, for its captures, rules and logs.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn capture(&self, capture: &Capture) -> PathBuf {
        self.file("capture.pcap", capture.pcap())
    }

    /// Replays, with these rules only.
    pub fn replay(&self, capture: &Path, rules: &str, more: &[&str]) -> Replayed {
        let rules = self.file("test.rules", rules);
        self.replay_rules(capture, &rules, more)
    }

    pub fn replay_rules(&self, capture: &Path, rules: &Path, more: &[&str]) -> Replayed {
        let log = self.path("log");
        let _ = std::fs::remove_file(log.join("eve.json"));
        let mut command = weir();
        command.arg("replay").arg("-r").arg(capture).arg("-S").arg(rules).arg("-l").arg(&log).args(more);
        // Printing where a plugin panicked must not take so long that the watchdog calls it stuck.
        command.env("RUST_BACKTRACE", "0");
        let output = command.output().unwrap();
        Replayed { events: Events::read(&log.join("eve.json")), output }
    }
}

/// What `weir replay` did.
pub struct Replayed {
    pub output: Output,
    pub events: Events,
}

impl Replayed {
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Ended well, and no frame is missing.
    #[track_caller]
    pub fn clean(self) -> Replayed {
        assert_eq!(self.code(), Some(0), "{}{}", self.stdout(), self.stderr());
        self.even();
        self
    }

    /// The line of the summary holds, computed anew from its numbers.
    #[track_caller]
    pub fn even(&self) {
        conserved(&self.stdout());
    }

    /// What stands behind `head` in the summary.
    #[track_caller]
    pub fn summary(&self, head: &str) -> String {
        let text = self.stdout();
        let line = text.lines().find_map(|l| l.strip_prefix(head));
        line.unwrap_or_else(|| panic!("no line {head:?} in\n{text}")).trim().to_owned()
    }
}

/// The numbers of the line `conservation`, by name.
pub fn conservation(text: &str) -> Vec<(String, u64)> {
    let line = text.lines().find_map(|l| l.strip_prefix("conservation")).unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().filter(|w| !["+", "="].contains(w)).collect();
    let mut found = Vec::new();
    let mut name = String::new();
    for word in words {
        match word.parse() {
            Ok(number) => found.push((std::mem::take(&mut name), number)),
            Err(_) => name += word,
        }
    }
    found
}

/// Both sides of the conservation are equal; the number of frames received.
#[track_caller]
pub fn conserved(text: &str) -> u64 {
    let numbers = conservation(text);
    assert_eq!(numbers.len(), 8, "no conservation in\n{text}");
    let sum = |part: &[(String, u64)]| part.iter().map(|(_, n)| n).sum::<u64>();
    assert_eq!(sum(&numbers[..2]), sum(&numbers[2..]), "{text}");
    numbers[0].1
}

/// The records of an eve.json.
#[derive(Clone, Debug, Default)]
pub struct Events(pub Vec<Value>);

impl Events {
    /// Every line must be a record; a last line without its end is one that is still being written.
    pub fn read(path: &Path) -> Events {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        Events(whole.lines().map(parse).collect())
    }

    pub fn of(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|e| e["event_type"] == kind).collect()
    }

    pub fn sids(&self) -> Vec<u64> {
        self.of("alert").iter().map(|e| e["alert"]["signature_id"].as_u64().unwrap()).collect()
    }

    /// What must be the same for any number of workers, in order of packets.
    pub fn alert_facts(&self) -> Vec<String> {
        let fact = |e: &&Value| {
            let tuple = ["src_ip", "src_port", "dest_ip", "dest_port", "proto"].map(|key| e[key].to_string());
            let number = e["pcap_cnt"].as_u64().unwrap();
            let (sid, flow) = (&e["alert"]["signature_id"], &e["flow_id"]);
            format!("{number:08} sid {sid} flow {flow} {} {}", tuple.join(" "), e["direction"])
        };
        let mut facts: Vec<String> = self.of("alert").iter().map(fact).collect();
        facts.sort();
        facts
    }
}
