//! Configurations with external plugins, the diary that probes write, and replays of both.

use super::samples::rust_sample;
use super::{Bench, Replayed, conserved, weir};
use std::path::{Path, PathBuf};

/// `[[plugin]]` of a shared object.
pub fn plugin(package: &str, path: &Path, config: &str) -> String {
    format!("[[plugin]]\npackage = \"{package}\"\npath = {path:?}\nconfig = {config:?}\n\n")
}

/// A service set of these plugins, and the other way round for replies.
pub fn set(name: &str, members: &[&str], more: &str) -> String {
    let reversed: Vec<&&str> = members.iter().rev().collect();
    format!(
        "[[service-set]]\nname = \"{name}\"\nforward-flow = {members:?}\nreverse-flow = {reversed:?}\n{more}\n\n"
    )
}

impl Bench {
    /// What probes wrote.
    pub fn diary(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("diary")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }

    /// What they wrote of packets and sessions, and of what came of them.
    pub fn events(&self) -> Vec<String> {
        let own = |line: &String| !line.contains(" worker-") && !line.contains(" init ");
        self.diary().into_iter().filter(own).collect()
    }

    /// A probe in a shared object of its own: a copy, as two plugins of two makers are two files.
    pub fn probe(&self, name: &str, words: &str) -> String {
        self.probe_from(&rust_sample("probe"), name, words)
    }

    pub fn probe_from(&self, object: &Path, name: &str, words: &str) -> String {
        let own = self.path(&format!("lib{name}.so"));
        // Not over one that may be loaded: its pages are the running appliance's.
        if !own.exists() {
            std::fs::copy(object, &own).unwrap();
        }
        let diary = self.path("diary");
        plugin(name, &own, &format!("name={name} file={} {words}", diary.display()))
    }

    /// Two probes in one chain; the words are the second one's.
    pub fn pair(&self, words: &str) -> String {
        self.probe("a", "") + &self.probe("b", words) + &set("s", &["a", "b"], "")
    }

    /// Replays inline, without rules; then also what was forwarded.
    pub fn replay_services(&self, config: &str, capture: &Path) -> (Replayed, Vec<Vec<u8>>) {
        let (config, out) = (self.file("services.toml", config), self.path("out.pcap"));
        let (config, out) = (config.to_str().unwrap(), out.to_str().unwrap());
        let _ = std::fs::remove_file(out); // an earlier one's
        let done = self.replay(capture, "", &["-c", config, "--workers", "1", "-w", out]);
        (done, frames(&self.path("out.pcap")))
    }

    /// Runs `weir` with these words and returns what it said, and its exit code.
    pub fn said(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = weir().args(words).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }
}

/// The frames of a pcap file that `net_pcap` wrote: little-endian, as this machine is.
pub fn frames(path: &PathBuf) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut rest = bytes.get(24..).unwrap_or_default();
    let mut found = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        let (frame, after) = tail.split_at(length);
        found.push(frame.to_vec());
        rest = after;
    }
    found
}

/// No frame is missing in a replay that took plugins out.
#[track_caller]
pub fn exit_one(done: &Replayed) {
    assert_eq!(done.code(), Some(1), "{}{}", done.stdout(), done.stderr());
    assert!(done.stdout().contains("conservation"), "{}", done.stderr());
    conserved(&done.stdout());
}
