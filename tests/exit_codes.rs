//! Exit codes: 0 for success, 1 for what failed, 2 for a command line that makes no sense; for every command.

#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use std::process::Output;
use support::weir;

fn run(words: &[&str]) -> Output {
    weir().args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Commands below these words, as their help lists them.
fn commands(words: &[&str]) -> Vec<String> {
    let help = run(&[words, &["--help"]].concat());
    assert_eq!(help.status.code(), Some(0), "{words:?}");
    let help = text(&help.stdout);
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let indented = listed.lines().take_while(|line| line.starts_with(' '));
    let names =
        indented.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn walk(words: &[&str], with: &mut impl FnMut(&[&str])) {
    with(words);
    for name in commands(words) {
        walk(&[words, &[&*name]].concat(), with);
    }
}

#[test]
fn what_a_command_does_not_know_is_2_for_every_command() {
    let mut seen = 0;
    walk(&[], &mut |words| {
        let wrong = [words, &["--no-such-option"]].concat();
        let output = run(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty() && text(&output.stderr).starts_with("error: "), "{wrong:?}");
        seen += 1;
    });
    assert!(seen > 60, "only {seen} commands");
}

#[test]
fn what_makes_no_sense_is_2_and_tells_what_to_write() {
    let nobody = ["--socket", "/nonexistent/weir.sock"];
    for (words, says) in [
        (&["run"][..], "weir run -c"),
        (&["check"], "weir check -c"),
        (&["-T"], "weir check -c"),
        (&["rules", "check"], "name rule files"),
        (&["reassemble", "-N"], "--vdev DEVICE --vdev DEVICE"),
        (&["reassemble", "-N", "--", "--vdev", "net_null0"], "a pair has two"),
        (&["reassemble", "-N", "-m", "abc"], "from 576 to 9192"),
        (&["replay"], "required"),
        (&["nonsense"], "unrecognized subcommand"),
        (&["ctl", "mode", "--confirm", "5m"], "weir ctl mode ips --confirm 300"),
        (&["ctl", "why", "tcp", "somewhere"], "write: weir ctl why tcp"),
        (&["ctl", "config", "set", "a", "b", "c"], "KEY=VALUE as often as wanted"),
        (&["ctl", "config", "rollback", "0"], "numbers from 1 on"),
        (&["ctl", "rules", "set", "x", "drop"], "a rule's sid"),
        (&["ctl", "rules", "set", "7", "explode"], "disable, alert, drop"),
        (&["ctl", "rules", "reload", "--detach"], "--shadow"),
        (&["ctl", "rules", "reload", "--shadow", "0"], "write seconds"),
        (&["ctl", "status", "--address", "nowhere"], "https://HOST:PORT"),
        (&["ctl", "status", "--address", "https://10.0.0.1:1"], "--ca, --cert and --key"),
        (&["ctl", "status", "--address", "http://10.0.0.1:1"], "reached by TLS only"),
    ] {
        let output = run(words);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {stderr}");
        assert!(stderr.contains(says), "{words:?}: {stderr}");
        // Nobody need be there to be told.
        if words[0] == "ctl" && !words.contains(&"--address") {
            assert_eq!(run(&[words, &nobody].concat()).status.code(), Some(2), "{words:?}");
        }
    }
}

#[test]
fn what_fails_is_1() {
    for words in [
        &["check", "-c", "/nonexistent.toml"][..],
        &["check", "-c", "/dev/zero"],
        &["rules", "check", "/nonexistent.rules"],
        &["rules", "check", "/dev/zero"],
        &["replay", "-r", "/nonexistent.pcap"],
        &["ctl", "status", "--socket", "/nonexistent/weir.sock"],
        &["ctl", "config", "load", "/dev/zero", "--socket", "/nonexistent/weir.sock"],
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).starts_with("error: "), "{words:?}");
    }
}

#[test]
fn where_stdout_takes_nothing_it_is_1_and_where_nobody_reads_it_is_0() {
    for words in [
        &["version"][..],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["config", "show", "--defaults"],
    ] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = weir().args(words).stdout(full).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {stderr}");
        assert!(stderr.starts_with("error: cannot write to stdout: No space left on device"), "{stderr}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = weir().args(words).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{words:?}");
    }
}
