//! `weir rules list | show | keywords | diff` through the built binary.

#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use serde_json::Value;
use std::process::{Output, Stdio};
use support::{Bench, weir};

const SET: &str = "alert tcp any any -> any [80,8080] (msg:\"plain\"; flow:established,to_server; content:\"abc\"; content:\"defghi\"; offset:2; sid:1; rev:1;)\n\
    drop irc any any -> any any (msg:\"waits\"; content:\"/x\"; sid:2; rev:3;)\n\
    # alert udp any any -> any any (msg:\"off\"; sid:3; rev:1;)\n";

fn rules(words: &[&str]) -> (String, String, Option<i32>) {
    let output: Output = weir().arg("rules").args(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn list_shows_every_rule_with_its_state_and_filters_choose() {
    let bench = Bench::new();
    let file = bench.file("set.rules", SET);
    let file = file.to_str().unwrap();
    let sids = |more: &[&str]| {
        let (out, err, code) = rules(&[&["list", file, "--json"][..], more].concat());
        assert_eq!(code, Some(0), "{err}");
        let row = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        out.lines()
            .map(|line| (row(line)["sid"].as_u64().unwrap(), row(line)["state"].as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    let (one, two, three) = ((1, "active".to_owned()), (2, "waiting".to_owned()), (3, "disabled".to_owned()));
    assert_eq!(sids(&[]), [one.clone(), two.clone(), three.clone()]);
    assert_eq!(sids(&["--state", "waiting"]), std::slice::from_ref(&two));
    assert_eq!(sids(&["--action", "alert"]), [one.clone(), three.clone()]);
    assert_eq!(sids(&["--protocol", "irc"]), std::slice::from_ref(&two));
    assert_eq!(sids(&["--select", "re:plain", "-m", "3"]), [one, three]);
    let (out, _, _) = rules(&["list", file]);
    assert!(
        out.contains("waits for irc")
            && out.contains("disabled (commented out)")
            && out.ends_with("3 rules\n"),
        "{out}"
    );
    let (_, err, code) = rules(&["list", file, "--select", "gruop:x"]);
    assert_eq!(
        (code, err.as_str()),
        (Some(1), "error: --select gruop:x: `gruop:` selects nothing; did you mean `group:`?\n")
    );
}

#[test]
fn show_explains_group_fast_pattern_checks_and_steps() {
    let bench = Bench::new();
    let file = bench.file("set.rules", SET);
    let file = file.to_str().unwrap();
    let (out, err, code) = rules(&["show", "1", file]);
    assert_eq!(code, Some(0), "{err}");
    for words in [
        "tcp by destination port 80, 8080 (to the server)",
        "\"defghi\" in payload: of 2 contents that with the most and the rarest bytes",
        "sent to the server",
        "of an established session",
        "1. \"abc\"",
        "2. \"defghi\", from byte 2  (the fast pattern)",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let (out, _, _) = rules(&["show", "2", file]);
    assert!(out.contains("waits for irc"), "{out}");
    let (out, _, code) = rules(&["show", "1:3", file]);
    assert!(code == Some(0) && out.contains("not loaded: it is commented out"), "{out}");
    let (_, err, code) = rules(&["show", "77", file]);
    assert_eq!(code, Some(1));
    assert!(err.contains("no rule has gid 1 and sid 77"), "{err}");
    let bad = bench.file("bad.rules", "alert tcp any any -> any any (contnet:\"x\"; sid:9;)\n");
    let (_, err, code) = rules(&["show", "9", bad.to_str().unwrap()]);
    assert!(code == Some(1) && err.contains("did you mean `content`?"), "{err}");
}

/// Every word of `show` for real rules: none panics, each says where it is filed.
#[test]
fn show_explains_all_kinds_of_real_rules() {
    let shared = std::env::var("WEIR_SHARED").unwrap_or("../shared".into());
    let set = format!("{shared}/rules/et-open.rules");
    let Ok(text) = std::fs::read_to_string(&set) else {
        return eprintln!("skipped: no cases");
    };
    let bench = Bench::new();
    // One of every thousand, whatever it is.
    let sample: Vec<&str> = text.lines().filter(|l| l.starts_with("alert")).step_by(1000).collect();
    let file = bench.file("sample.rules", sample.join("\n"));
    for rule in sample {
        let Some((_, rest)) = rule.split_once("sid:") else { continue };
        let sid: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        let (out, err, code) = rules(&["show", &sid, file.to_str().unwrap()]);
        assert!(code == Some(0) && out.contains("fast pattern"), "{sid}: {out}{err}");
    }
}

#[test]
fn keywords_know_buffers_and_what_waits() {
    let (out, _, code) = rules(&["keywords", "--json"]);
    assert_eq!(code, Some(0));
    let all: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| all.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!((&of("content")["kind"], &of("content")["waits"]), (&"step".into(), &false.into()));
    assert_eq!(of("http.uri")["kind"], "buffer");
    assert!(all.iter().all(|row| row["doc"].as_str().is_some_and(|doc| !doc.is_empty())));
    let (out, _, _) = rules(&["keywords", "dns.query"]);
    assert!(out.contains("dns.query") && !out.contains("http.uri"), "{out}");
}

#[test]
fn diff_says_what_an_update_changes() {
    let bench = Bench::new();
    let old = bench.file("old.rules", SET);
    let new = SET
        .replace("content:\"abc\"; ", "")
        .replace("sid:1; rev:1;", "nocase; sid:1; rev:2;")
        .replace(
            "drop irc any any -> any any (msg:\"waits\"; content:\"/x\"; sid:2; rev:3;)",
            "alert udp any any -> any any (msg:\"new\"; sid:4;)",
        )
        .replace("# alert", "alert");
    let new = bench.file("new.rules", new);
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let (out, err, code) = rules(&["diff", old, new]);
    assert_eq!(code, Some(0), "{err}");
    let expected = "+ 1:4 rev 0 new\n- 1:2 rev 3 waits\n~ 1:1 rev 1 -> 2 plain\n    - content:\"abc\";\n    + nocase;\n\
        ~ 1:3 rev 1 off\n    enabled now\n1 added, 1 removed, 2 changed, 0 the same\n";
    assert_eq!(out, expected);
    let (out, _, _) = rules(&["diff", old, new, "--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["changed"][0]["rev"], &report["added"][0]["sid"]),
        (&serde_json::json!([1, 2]), &4.into())
    );
    let bad = bench.file("bad.rules", "alert nonsense\n");
    let (_, err, code) = rules(&["diff", old, bad.to_str().unwrap()]);
    assert!(code == Some(1) && err.contains("were refused and not compared"), "{err}");
}

#[test]
fn a_command_line_that_cannot_be_read_is_2_and_rules_that_are_not_there_1() {
    let (_, err, code) = rules(&["list", "--no-such-flag"]);
    assert_eq!(code, Some(2), "{err}");
    let (_, err, code) = rules(&["show", "x"]);
    assert!(code == Some(2) && err.contains("expected a sid, or gid:sid"), "{err}");
    let (_, err, code) = rules(&["list"]);
    assert!(code == Some(2) && err.contains("name rule files"), "{err}");
    let (_, err, code) = rules(&["list", "/no/such.rules"]);
    assert!(code == Some(1) && err.contains("cannot read /no/such.rules"), "{err}");
}

#[test]
fn a_reader_that_closes_the_pipe_early_is_no_fault() {
    let mut child =
        weir().args(["rules", "keywords"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

const NEEDS: &str = "alert tcp any any -> any any (msg:\"later\"; requires:version >= 99; sid:4; rev:1;)\n";

#[test]
fn a_rule_that_is_left_out_is_counted_listed_and_shown() {
    let bench = Bench::new();
    let file = bench.file("set.rules", NEEDS);
    let file = file.to_str().unwrap();
    let (out, err, code) = rules(&["check", file]);
    let left = "1 more are left out: they require what this version has not (--warnings)\n";
    assert_eq!((out.as_str(), code), (&*format!("0 rules loaded, 0 refused\n{left}"), Some(0)), "{err}");
    let (out, _, _) = rules(&["list", file]);
    assert!(out.contains("left out (requires version >= 99)") && out.ends_with("1 rules\n"), "{out}");
    let (out, _, code) = rules(&["list", file, "--json", "--state", "left-out"]);
    assert!(code == Some(0) && out.contains("\"state\":\"left-out\""), "{out}");
    let (out, _, code) = rules(&["show", "4", file]);
    let said = "state  left out: it requires version >= 99; weir rules check --warnings ";
    assert!(code == Some(0) && out.contains(said), "{out}");
}

#[test]
fn a_refused_rule_is_shown_as_refused_and_is_no_removal() {
    let bench = Bench::new();
    let old = bench.file("old.rules", SET);
    let new = SET
        .replace("content:\"abc\"", "contnet:\"abc\"")
        .replace("content:\"/x\"; sid:2", "content:\"/x; sid:2");
    let new = bench.file("new.rules", new);
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let (out, err, code) = rules(&["diff", old, new]);
    assert_eq!((out.as_str(), code), ("0 added, 0 removed, 0 changed, 1 the same\n", Some(1)), "{err}");
    assert!(err.contains("2 rules of ") && err.contains("were refused and not compared"), "{err}");
    let (out, _, _) = rules(&["diff", new, old]);
    assert_eq!(out, "0 added, 0 removed, 0 changed, 1 the same\n");
    for (sid, fault) in [("1", "did you mean `content`?"), ("2", "error")] {
        let (out, err, code) = rules(&["show", sid, new]);
        let said = format!("; weir rules check {new} shows where");
        assert!(out.contains("state  refused: ") && out.contains(&said), "{out}");
        assert!(code == Some(1) && err.contains(fault), "{err}");
    }
}

#[test]
fn what_rules_say_is_no_command_to_the_terminal() {
    let bench = Bench::new();
    let text = "alert tcp any any -> any any (msg:\"a\u{1b}[31mb\"; sid:1;)\n#alert tcp any any -> any any (msg:\"\u{1b}c\"; sid:2;)\n\
                alert tcp any any -> any any (\u{1b}[31m:1; sid:3;)\n";
    let file = bench.file("set.rules", text);
    let file = file.to_str().unwrap();
    for command in [
        &["list", file][..],
        &["show", "1", file],
        &["show", "2", file],
        &["show", "3", file],
        &["check", file],
    ] {
        let (out, err, _) = rules(command);
        assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "{command:?}: {out}{err}");
    }
    let (out, _, _) = rules(&["list", file, "--json"]);
    assert!(out.contains("\\u001b[31mb"), "{out}");
}

#[test]
fn messages_say_what_to_do() {
    let bench = Bench::new();
    let file = bench.file("set.rules", SET);
    let file = file.to_str().unwrap();
    bench.file("empty/x.txt", "");
    let empty = bench.path("empty");
    let empty = empty.to_str().unwrap();
    let (_, err, code) = rules(&["check", empty]);
    assert!(code == Some(1) && err.contains("ends in .rules; name a folder") && !err.contains("-S"), "{err}");
    let (_, err, code) = rules(&["check", file, "--disable-conf", empty]);
    assert!(code == Some(1) && err.contains("is a folder, and a list is one file"), "{err}");
    let (_, err, _) = rules(&["list", file, "--protocol", "ircc"]);
    assert_eq!(err, "no rule has the protocol `ircc`; did you mean `irc`?\n");
    let (_, err, _) = rules(&["keywords", "contnet"]);
    assert_eq!(err, "no keyword of this kind holds `contnet`; did you mean `content`?\n");
    let thresholds = "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.0/8 # note\nsuppress\nsuppress gen_id 1, sig_id 1,\n";
    let thresholds = bench.file("threshold.config", thresholds);
    let (out, err, _) = rules(&["check", file, "--threshold-file", thresholds.to_str().unwrap()]);
    assert!(out.contains("2 lines of lists refused"), "{out}");
    assert_eq!(err.matches(": error: a key is missing here").count(), 2, "{err}");
}
