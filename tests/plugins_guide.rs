//! `docs/plugins.md` works as it stands: its files are written, its commands run, and what they build is loaded.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod plugins_support;

use plugins_support::{frames, plan_of, play, top};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use weir::service::external::{ExternalSpec, load};
use weir::wire::build::{IpFields, udp_packet};

/// (what stands behind the three back-ticks, text) of each block, in order.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut block: Option<(String, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut block) {
            (Some(_), Some(_)) => all.extend(block.take()),
            (Some(info), None) => block = Some((info.to_owned(), String::new())),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    all
}

fn follow(folder: &Path) {
    let guide = std::fs::read_to_string(top().join("docs/plugins.md")).unwrap();
    for (info, text) in blocks(&guide) {
        match info.split_once(' ') {
            Some((_, file)) => {
                let path = folder.join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            None => {
                assert_eq!(info, "sh", "a block says its file, or is for the shell");
                let mut shell = Command::new("sh");
                shell.args(["-e", "-c", &text]).current_dir(folder).env("WEIR", top());
                // The guide's folders have targets of their own.
                let shell = shell.env("CARGO_NET_OFFLINE", "true").env_remove("CARGO_TARGET_DIR");
                let output = shell.output().unwrap();
                assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }
}

#[test]
fn the_guide_builds_plugins_that_work() {
    let folder = tempfile::tempdir().unwrap();
    follow(folder.path());
    let gate = ExternalSpec::at("gate", &folder.path().join("gate/target/release/libgate.so"), "80");
    let mark = ExternalSpec { order: 1, ..ExternalSpec::at("mark", &folder.path().join("mark.so"), "") };
    let plan = plan_of(load(&[mark, gate]).unwrap());
    assert_eq!(plan.plugins.iter().map(|p| p.about().name.as_str()).collect::<Vec<_>>(), ["gate", "mark"]);
    let packet = |port: u16| {
        let (from, to): (SocketAddr, SocketAddr) =
            ("10.0.0.1:4000".parse().unwrap(), SocketAddr::from(([10, 0, 0, 2], port)));
        udp_packet(from, to, &IpFields::default(), b"hello")
    };
    let outcome = play(&plan, &frames([packet(80), packet(53)]));
    assert_eq!(outcome.sent.len(), 1, "port 80 is refused");
    assert_eq!(outcome.sent[0][15] >> 2, 46, "and the other marked");
}
