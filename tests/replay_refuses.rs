//! What `weir replay` cannot do, it says: which file, why, and what to do instead.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::path::Path;
use std::process::Command;
use support::child::Running;
use support::{Bench, conserved, ethernet, v4, weir};
use weir::wire::build::{IpFields, udp_packet};

fn packet() -> Vec<u8> {
    udp_packet(v4(1, 4000), v4(2, 53), &IpFields::default(), b"weir?")
}

fn replay(bench: &Bench, capture: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = weir();
    command.arg("replay").arg("-r").arg(capture).arg("-S").arg(bench.file("none.rules", ""));
    command.arg("-l").arg(bench.path("log")).args(more);
    let mut child = Running::start(command, bench, "replay");
    let status = child.wait();
    (status.code(), child.stdout(), child.stderr())
}

#[track_caller]
fn refused(ended: (Option<i32>, String, String), needles: &[&str]) {
    let (code, _, stderr) = ended;
    assert_eq!(code, Some(1), "{stderr}");
    for needle in needles {
        assert!(stderr.contains(needle), "{needle:?} is not in: {stderr}");
    }
}

#[test]
fn a_pipe_as_capture_is_refused_at_once() {
    let bench = Bench::new();
    let pipe = bench.path("pipe.pcap");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(replay(&bench, &pipe, &[]), &["pipe.pcap is a pipe", "write it to a file first"]);
    refused(replay(&bench, Path::new("/dev/zero"), &[]), &["/dev/zero is a device"]);
}

#[test]
fn a_link_type_without_a_decoder_is_said_with_its_number() {
    let bench = Bench::new();
    let mut bytes = ethernet([packet(), packet()]).pcap();
    bytes[20..24].copy_from_slice(&147u32.to_le_bytes());
    let ended = replay(&bench, &bench.file("user0.pcap", bytes), &[]);
    assert_eq!(conserved(&ended.1), 2);
    refused(ended, &["user0.pcap has the link type 147", "2 frames were not inspected"]);
}

#[test]
fn a_file_that_cannot_be_written_is_named_with_the_way_out() {
    let bench = Bench::new();
    let capture = bench.capture(&ethernet([packet()]));
    let before = std::fs::read(&capture).unwrap();
    let path = |name: &str| bench.path(name).display().to_string();
    let (none, folder) = (path("none/out.pcap"), path("log"));
    std::fs::create_dir_all(&folder).unwrap();
    let make = format!("mkdir -p {}", path("none"));
    refused(replay(&bench, &capture, &["-w", &none]), &["cannot write", &none, "there is no folder", &make]);
    refused(replay(&bench, &capture, &["-w", &folder]), &["cannot write", "name a file in it"]);
    refused(replay(&bench, &capture, &["-w", "/proc/out.pcap"]), &["cannot write /proc/out.pcap", "name"]);
    refused(replay(&bench, &capture, &["-w", "/dev/full"]), &["cannot write /dev/full", "make room"]);
    let onto = capture.display().to_string();
    refused(replay(&bench, &capture, &["-w", &onto]), &["would overwrite the capture", "name another file"]);
    assert!(std::fs::read(&capture).unwrap() == before, "the capture is as it was");
}
