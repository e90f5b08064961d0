//! Compiled rule sets as files, through the built binary: `weir rules compile`, `--load` and `rules.cache`.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::path::Path;
use std::process::Command;
use support::child::Running;
use support::wait::until;
use support::{Bench, Replayed, ethernet, v4, weir, with_id};
use weir::wire::build::udp_packet;

const RULES: &str = "alert udp any any -> any 53 (msg:\"plain\"; content:\"attack\"; sid:1; rev:1;)\n\
    alert udp any any -> any any (msg:\"expression\"; content:\"number\"; pcre:\"/number (?=\\d{3})/\"; sid:2; rev:1;)\n\
    alert udp any any -> any any (nonsense:1; sid:3;)\n";

/// A capture on which two of the rules match, and the rules.
fn bench() -> Bench {
    let bench = Bench::new();
    let packet = |n: u16, text: &str| udp_packet(v4(1, 4000 + n), v4(2, 53), &with_id(n), text.as_bytes());
    bench.capture(&ethernet([packet(1, "an attack"), packet(2, "number 123"), packet(3, "number x")]));
    bench.file("set.rules", RULES);
    bench
}

fn replay(bench: &Bench, more: &[&str]) -> Replayed {
    bench.replay_rules(&bench.path("capture.pcap"), &bench.path("set.rules"), more)
}

/// Compiles the rules of the bench into `set`; what is said.
fn compile(bench: &Bench, set: &Path) -> String {
    let output =
        weir().args(["rules", "compile"]).arg(bench.path("set.rules")).arg("-o").arg(set).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "a rule is refused");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_compiled_set_alerts_as_its_text_does_and_says_what_was_refused() {
    let bench = bench();
    let set = bench.path("rules.set");
    let said = compile(&bench, &set);
    assert_eq!(said, format!("2 rules compiled into {}, 1 refused\n", set.display()));
    let text = replay(&bench, &[]);
    assert_eq!(text.events.sids(), [1, 2]);
    let saved = replay(&bench, &["--load", set.to_str().unwrap()]);
    assert_eq!(saved.events.alert_facts(), text.events.alert_facts());
    assert_eq!(
        (saved.stderr(), saved.code()),
        (text.stderr(), text.code()),
        "the same faults, with their carets"
    );
    assert_eq!(saved.summary("rules"), text.summary("rules"));
}

#[test]
fn a_set_that_does_not_fit_is_named_and_the_text_is_used() {
    let bench = bench();
    let set = bench.path("rules.set");
    compile(&bench, &set);
    let whole = std::fs::read(&set).unwrap();
    let with = |bytes: &[u8], why: &str| {
        std::fs::write(&set, bytes).unwrap();
        let replayed = replay(&bench, &["--load", set.to_str().unwrap()]);
        assert_eq!(replayed.events.sids(), [1, 2]);
        let note = format!("note: the saved rule set {} is not used: {why}", set.display());
        assert!(replayed.stderr().contains(&note), "{}", replayed.stderr());
    };
    with(&whole[..whole.len() / 2], "it is cut: ");
    with(&[&whole[..300], b"?", &whole[301..]].concat(), "it is damaged: its checksum is wrong");
    with(
        &[&whole[..12], b"12345678", &whole[20..]].concat(),
        "it was written by another build of weir, 0.1.0 (",
    );
    bench.file("set.rules", format!("# newer\n{RULES}"));
    with(&whole, "it is of other rule files, lists or variables, or of an earlier state of them");
}

#[test]
fn a_set_alone_stands_for_its_rule_files() {
    let bench = bench();
    let set = bench.path("rules.set");
    compile(&bench, &set);
    std::fs::remove_file(bench.path("set.rules")).unwrap();
    let replay = |more: &[&str]| {
        let mut command = weir();
        command.args(["replay", "-r"]).arg(bench.path("capture.pcap")).arg("-l").arg(bench.path("log"));
        command.arg("--load").arg(&set).args(more).output().unwrap()
    };
    let output = replay(&[]);
    let events = support::Events::read(&bench.path("log/eve.json"));
    assert_eq!((output.status.code(), events.sids()), (Some(1), vec![1, 2]));
    std::fs::write(&set, "x").unwrap();
    let output = replay(&[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot be used: it is no saved rule set; compile the rules anew"), "{said}");
}

/// `weir run` writes the set at its first start and takes it at the next, however it ended.
#[test]
fn a_run_that_was_killed_starts_from_its_compiled_rules() {
    let bench = bench();
    let cache = bench.path("cache/compiled.weirset");
    let start = || {
        let mut command: Command = weir();
        command.args(["run", "-c", "conf/demo.toml"]);
        for (key, value) in [
            ("outputs.directory", bench.path("out")),
            ("rpc.socket", bench.path("weir.sock")),
            ("rules.cache", bench.path("cache")),
        ] {
            command.arg("--set").arg(format!("{key}={:?}", value.display().to_string()));
        }
        command
            .arg("--set")
            .arg(format!("rules.files=[{:?}]", bench.path("set.rules").display().to_string()));
        let mut running = Running::start(command, &bench, "appliance");
        until("the appliance to answer", || {
            assert!(running.ended().is_none(), "ended: {}", running.stderr());
            let status =
                weir().args(["ctl", "status", "--socket"]).arg(bench.path("weir.sock")).output().unwrap();
            status.status.success().then_some(())
        });
        running
    };
    let first = start();
    let written = || std::fs::metadata(&cache).unwrap().modified().unwrap();
    let when = written();
    // Killed, not asked to end.
    drop(first);
    let mut second = start();
    assert_eq!(written(), when, "the second start has written none");
    let said = second.stderr();
    assert!(said.contains("the rules are those of the saved set") && !said.contains("is not used"), "{said}");
    second.terminate();
    assert!(second.wait().success(), "{}", second.stderr());
    bench.file("set.rules", "alert udp any any -> any any (sid:7;)\n");
    let third = start();
    assert!(third.stderr().contains("is not used: it is of other rule files"), "{}", third.stderr());
    assert!(written() > when);
}
