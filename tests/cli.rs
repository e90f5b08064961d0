//! The command line as people meet it: what is wrong, where, and what to do next; exit codes.

#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::Output;
use support::{Bench, ethernet, v4, weir};
use weir::wire::build::{IpFields, udp_packet};

fn run(words: &[&str]) -> Output {
    weir().args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Fails with exit code 1, saying all of these on stderr and nothing on stdout.
#[track_caller]
fn refused(words: &[&str], said: &[&str]) {
    ends(1, words, said);
}

/// The same with exit code 2: what was asked for makes no sense.
#[track_caller]
fn misused(words: &[&str], said: &[&str]) {
    ends(2, words, said);
}

#[track_caller]
fn ends(code: i32, words: &[&str], said: &[&str]) {
    let output = run(words);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
    for part in said {
        assert!(stderr.contains(part), "{words:?} must say {part:?}: {stderr}");
    }
    assert!(stderr.starts_with("error: ") && !stderr.contains("panicked"), "{words:?}: {stderr}");
    assert_eq!(text(&output.stdout), "", "{words:?}");
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

const BAD_CONFIG: &str = "[lcores]\nwrokers = 2\n\n[sessions]\nsize = \"many\"\n";

#[test]
fn every_fault_of_a_configuration_is_shown_with_line_caret_and_the_nearest_key() {
    let bench = Bench::new();
    let config = bench.file("bad.toml", BAD_CONFIG);
    let said = [
        "bad.toml:2:1",
        "2 | wrokers = 2",
        "| ^^^^^^^ the nearest key is `workers`",
        "bad.toml:5:8",
        "^^^^^^ expected a number from 64",
    ];
    for words in [["check", "-c"], ["-T", "-c"], ["test", "-c"], ["run", "-c"]] {
        refused(&[&words[..], &[name(&config)]].concat(), &said);
    }
    let replay = ["replay", "-r", "conf/demo.pcap", "-c", name(&config)];
    refused(&replay, &said);
}

#[test]
fn an_override_is_checked_as_the_file_is() {
    let key = ["check", "-c", "conf/demo.toml", "--set", "lcores.wrokers=3"];
    refused(&key, &["--set lcores.wrokers=3", "^^^^^^^ the nearest key is `workers`"]);
    let value = ["replay", "-r", "conf/demo.pcap", "--workers", "40"];
    refused(&value, &["lcores.workers", "from 0 to 32"]);
}

#[test]
fn the_shipped_configurations_are_good() {
    for config in ["conf/demo.toml", "conf/weir.toml"] {
        let output = run(&["check", "-c", config]);
        assert_eq!(output.status.code(), Some(0), "{config}: {}", text(&output.stderr));
        assert!(text(&output.stdout).starts_with("configuration: good"), "{config}");
    }
}

#[test]
fn the_commented_configuration_is_what_the_binary_prints() {
    let shown = run(&["config", "show", "--defaults"]);
    let shipped = std::fs::read_to_string("conf/weir.toml").unwrap();
    assert!(text(&shown.stdout) == shipped, "write it anew: weir config show --defaults > conf/weir.toml");
}

#[test]
fn a_configuration_with_a_bad_rule_is_good_but_flawed() {
    let bench = Bench::new();
    bench.file("my.rules", "alert udp any any -> any any (msg:\"x\"; sid:1;)\nalert udp any any -> any any (msg:\"y\"; sid:x;)\n");
    let config = bench.file("my.toml", "[rules]\nfiles = [\"my.rules\"]\n");
    let output = run(&["check", "-c", name(&config)]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "configuration: good; rules: 1 loaded, 1 refused\n");
    let stderr = text(&output.stderr);
    assert!(stderr.contains("my.rules:2:") && stderr.contains('^'), "{stderr}");
}

const BAD_RULES: &str = r#"alert tcp any any -> any any (msg:"good"; sid:1;)
alert tcp any any -> any any (msg:"bad"; contnet:"x"; sid:2;)
alrt tcp any any -> any any (msg:"bad action"; sid:3;)
"#;

#[test]
fn rules_check_prints_json_for_programs() {
    let bench = Bench::new();
    let rules = bench.file("bad.rules", BAD_RULES);
    let output = run(&["rules", "check", "--json", name(&rules)]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), String::new()));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["loaded"], &report["refused"]), (&1.into(), &2.into()), "{report}");
    assert_eq!(report["warnings"], serde_json::json!([]));
    let faults = report["faults"].as_array().unwrap();
    let places: Vec<_> = faults.iter().map(|f| (f["line"].as_u64(), f["column"].as_u64())).collect();
    assert_eq!(places, [(Some(2), Some(42)), (Some(3), Some(1))]);
    let first = &faults[0];
    assert_eq!((first["sid"].as_u64(), first["keyword"].as_str()), (Some(2), Some("contnet")));
    assert_eq!(first["file"].as_str(), Some(name(&rules)));
    assert_eq!(
        (first["severity"].as_str(), first["help"].as_str()),
        (Some("fault"), Some("did you mean `content`?"))
    );
    assert!(first["message"].as_str().unwrap().contains("contnet"));
}

#[test]
fn rules_check_shows_people_the_place_and_the_mend() {
    let bench = Bench::new();
    let rules = bench.file("bad.rules", BAD_RULES);
    let output = run(&["rules", "check", name(&rules)]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "1 rules loaded, 2 refused\n");
    let stderr = text(&output.stderr);
    let caret = format!(
        " 2 | alert tcp any any -> any any (msg:\"bad\"; contnet:\"x\"; sid:2;)\n   | {}^^^^^^^",
        " ".repeat(41)
    );
    assert!(stderr.contains(&caret), "{stderr}");
    assert!(stderr.contains("help: did you mean `content`?") && stderr.contains("bad.rules:3:1"), "{stderr}");
}

#[test]
fn rules_that_wait_for_a_decoder_are_counted_and_no_fault() {
    let bench = Bench::new();
    let text_of = "alert irc any any -> any any (content:\"x\"; sid:1;)\n\
                   alert irc any any -> any any (flow:to_server; sid:2;)\n\
                   alert jabber any any -> any any (sid:3;)\nalert ip any any -> any any (iprep:src,CnC,>,3; sid:4;)\n\
                   alert tcp any any -> any any (content:\"x\"; requires: version >= 99; sid:5;)\n\
                   alert tcp any any -> any any (content:\"x\"; sid:6;)\n";
    let rules = bench.file("waiting.rules", text_of);
    let output = run(&["rules", "check", "--warnings", name(&rules)]);
    assert_eq!(output.status.code(), Some(0));
    let said = "5 rules loaded, 0 refused\n\
                4 of them wait for decoders and cannot match yet: irc 2, IP reputation 1, jabber 1\n\
                1 more are left out: they require what this version has not (--warnings)\n";
    assert_eq!(text(&output.stdout), said);
    assert!(text(&output.stderr).contains(":5:54: warning in sid 5: left out"), "{}", text(&output.stderr));
    let output = run(&["rules", "check", "--json", name(&rules)]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["waiting"], serde_json::json!({"irc": 2, "IP reputation": 1, "jabber": 1}), "{report}");
    let logs = bench.path("logs");
    let replay = ["replay", "-r", "conf/demo.pcap", "-S", name(&rules), "-l", name(&logs)];
    let output = run(&replay);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("4 of them wait for decoders"), "{}", text(&output.stdout));
}

#[test]
fn our_own_signatures_have_no_fault() {
    let set = "rules.classification=\"signatures/classification.config\"";
    let output = run(&["rules", "check", "--json", "signatures/weir.rules", "--set", set]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["refused"]), (Some(0), &0.into()), "{report}");
}

#[test]
fn version_says_what_the_binary_is_made_of() {
    let output = run(&["version"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(said.starts_with(&format!("weir {}\n", env!("CARGO_PKG_VERSION"))), "{said}");
    for head in ["commit", "dpdk", "compiler", "target"] {
        let line = said.lines().find(|l| l.starts_with(head));
        assert!(line.is_some_and(|l| l.split_whitespace().count() >= 2), "{head}: {said}");
    }
    assert_eq!(text(&run(&["--version"]).stdout), format!("weir {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_help_know_every_command() {
    let help = run(&["--help"]);
    assert_eq!((help.status.code(), text(&help.stderr)), (Some(0), String::new()));
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        for command in ["replay", "run", "check", "ctl", "rules", "config", "version"] {
            assert!(text(&output.stdout).contains(command), "{shell} {command}");
            assert!(text(&help.stdout).contains(command), "{command}");
        }
    }
}

#[test]
fn what_is_mistyped_is_answered_with_what_was_meant() {
    misused(&["repaly"], &["repaly", "similar subcommand exists: 'replay'"]);
    misused(&["replay", "-r", "x.pcap", "--wrokers", "2"], &["--wrokers", "'--workers'"]);
    misused(&["ctl", "rules", "relaod"], &["relaod", "'reload'"]);
    misused(&["replay"], &["-r <FILE|DIR>", "--help"]);
    misused(&["replay", "-r", "x.pcap", "--profile", "snort"], &["one of: suricata, inline"]);
    misused(&["check"], &["weir check -c conf/weir.toml"]);
    misused(&["run"], &["weir run -c conf/demo.toml"]);
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let bench = Bench::new();
    let missing = bench.path("missing");
    let missing = name(&missing);
    let logs = bench.path("logs");
    let replay = ["replay", "-r", "conf/demo.pcap", "-l", name(&logs)];
    let with = |more: &[&'static str]| -> Vec<String> {
        replay.iter().chain(more).map(|word| (*word).to_owned()).chain([missing.to_owned()]).collect()
    };
    for more in [&["-S"][..], &["-s"]] {
        let words = with(more);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refused(&words, &[missing, "No such file", "correct its name"]);
    }
    refused(&["replay", "-r", missing], &[missing, "No such file", "correct the path"]);
    refused(&["check", "-c", missing], &[missing, "No such file", "give its path with -c"]);
    refused(&["run", "-c", missing], &[missing, "No such file", "give its path with -c"]);
    refused(&["rules", "check", missing], &[missing, "No such file", "correct its name"]);
    let below_a_file = bench.file("file", "").join("below");
    let below = name(&below_a_file);
    refused(&["replay", "-r", "conf/demo.pcap", "-l", below], &[below, "give another folder with -l"]);
    let out = ["replay", "-r", "conf/demo.pcap", "-l", name(&logs), "-w", below];
    refused(&out, &[below, "correct the path"]);
    let empty = bench.file("empty.toml", "");
    refused(&["run", "-c", name(&empty)], &["no port is configured", "conf/demo.toml"]);
}

#[test]
fn w_refuses_captures_of_several_link_types() {
    let bench = Bench::new();
    let packet = udp_packet(v4(1, 1), v4(2, 2), &IpFields::default(), b"x");
    bench.file("both/a.pcap", ethernet([&packet]).pcap());
    let mut raw = weir::wire::build::Capture::new(weir::wire::build::Link::RawIp);
    raw.packets([&packet]);
    bench.file("both/b.pcap", raw.pcap());
    let [both, out, logs] = ["both", "out.pcap", "logs"].map(|name| bench.path(name));
    let words = ["replay", "-r", name(&both), "-l", name(&logs), "-w", name(&out)];
    refused(&words, &["several link types", "leave -w out"]);
    // Without -w they are replayed together.
    let replayed = bench.replay(&both, "alert udp any any -> any any (content:\"x\"; sid:1;)", &[]).clean();
    assert_eq!(replayed.events.sids(), [1, 1]);
}

#[test]
fn a_cpu_that_is_not_there_is_said_by_check_and_at_the_start() {
    let bench = Bench::new();
    let config = bench.file("weir.toml", "[lcores]\nmain-cpu = 4000\n");
    for command in ["check", "run"] {
        let output = weir().args([command, "-c"]).arg(&config).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let place = text.contains("weir.toml:2:") && text.contains("2 | main-cpu = 4000");
        assert!(place && text.contains("CPU 4000 for the main lcore is not there"), "{command}: {text}");
    }
}
