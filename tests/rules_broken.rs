//! A file of rules each of which is broken in one way: each gets one diagnostic that points at the place, and the exit
//! code says that the file is flawed.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::process::Command;

/// A message, the rule as the file has it, and the columns between which the place lies.
struct Broken {
    message: String,
    rule: String,
    column: usize,
    marked: usize,
}

fn broken() -> Vec<Broken> {
    let text = include_str!("data/broken-rules.txt");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let one = |(n, pair): (usize, &[&str])| {
        let (before, rest) = pair[1].trim_start().split_once('⟦').unwrap();
        let (marked, after) = rest.split_once('⟧').unwrap();
        let number = |part: &str| part.replace("sid:1;", &format!("sid:{};", n + 1));
        let (before, marked, after) = (number(before), number(marked), number(after));
        Broken {
            message: pair[0].to_owned(),
            column: before.chars().count() + 1,
            marked: marked.chars().count(),
            rule: format!("{before}{marked}{after}"),
        }
    };
    lines.chunks(2).enumerate().map(one).collect()
}

fn check(rules: &str, json: bool) -> (String, String, Option<i32>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.rules");
    std::fs::write(&path, rules).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(["rules", "check"]).arg(&path);
    if json {
        command.arg("--json");
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn every_broken_rule_gets_one_diagnostic_at_its_place() {
    let broken = broken();
    assert!(broken.len() >= 200, "{}", broken.len());
    let file: String = broken.iter().map(|b| format!("{}\n", b.rule)).collect();
    let (report, _, code) = check(&file, true);
    assert_eq!(code, Some(1));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["loaded"], &report["refused"]), (&0.into(), &broken.len().into()));
    let faults = report["faults"].as_array().unwrap();
    for (n, (wanted, fault)) in broken.iter().zip(faults).enumerate() {
        let place = (fault["line"].as_u64().unwrap(), fault["column"].as_u64().unwrap());
        let rule = &wanted.rule;
        assert_eq!(fault["message"].as_str().unwrap(), wanted.message, "{rule}");
        assert_eq!(place, (n as u64 + 1, wanted.column as u64), "{rule}: {}", wanted.message);
    }
}

#[test]
fn the_caret_stands_under_the_place() {
    let broken = broken();
    let short = broken.iter().filter(|b| b.rule.is_ascii() && b.rule.len() < 60 && b.marked > 0);
    let mut seen = 0;
    for wanted in short {
        let (_, told, code) = check(&format!("{}\n", wanted.rule), false);
        assert_eq!(code, Some(1));
        let lines: Vec<&str> = told.lines().collect();
        let at = lines.iter().position(|line| line.ends_with(&wanted.rule)).unwrap();
        let indent = lines[at].len() - wanted.rule.len();
        let caret = &lines[at + 1][indent..];
        assert_eq!(
            caret.trim_end(),
            format!("{}{}", " ".repeat(wanted.column - 1), "^".repeat(wanted.marked)),
            "{told}"
        );
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_number_taken_twice_is_told_with_the_line_that_has_it() {
    let rules = "alert tcp any any -> any 1 (sid:7; rev:2;)\nalert tcp any any -> any 2 (sid:7; rev:2;)\n\
                 alert tcp any any -> any 3 (sid:7; rev:3;)\n";
    let (told, faults, code) = check(rules, false);
    assert_eq!((told.as_str(), code), ("1 rules loaded, 1 refused\n", Some(1)));
    assert!(
        faults.contains(":2:33: error in sid 7: sid 7 is taken by a rule of revision 2 in line 1"),
        "{faults}"
    );
}

#[test]
fn of_very_many_faults_the_first_are_printed_and_all_on_demand() {
    let rules: String =
        (1..=1000).map(|sid| format!("alert tcp any any -> any any (contnet:\"a\"; sid:{sid};)\n")).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("many.rules");
    std::fs::write(&path, rules).unwrap();
    let told = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        let output = command.args(["rules", "check"]).arg(&path).args(more).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let faults = |text: &str| text.matches(": error in sid ").count();
    let (said, few) = told(&[]);
    assert_eq!(said, "0 rules loaded, 1000 refused\nrefused by keyword: contnet 1000\n");
    assert_eq!(faults(&few), 250);
    assert!(few.contains("and 750 more: `weir rules check --all` prints them"), "{few}");
    let (_, all) = told(&["--all"]);
    assert_eq!(faults(&all), 1000);
    let (json, none) = told(&["--json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((report["faults"].as_array().unwrap().len(), none.as_str()), (1000, ""));
}

#[test]
fn what_is_no_file_of_rules_ends_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let long = dir.path().join("long.rules");
    std::fs::File::create(&long).unwrap().set_len(3 << 30).unwrap();
    let wide = dir.path().join("wide.rules");
    std::fs::write(&wide, b"\xff\xfea\0l\0").unwrap();
    let told = |path: &std::path::Path| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_weir")).args(["rules", "check"]).arg(path).output().unwrap();
        assert_ne!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    let endless = told(std::path::Path::new("/dev/zero"));
    assert!(endless.contains("it is a device or socket, and a file or pipe is wanted"), "{endless}");
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, "alert nothing").unwrap()
    });
    let piped = told(&pipe);
    assert!(piped.contains("pipe:1:"), "what comes out of a pipe is read: {piped}");
    writer.join().unwrap();
    assert!(told(&long).contains("it is longer than the 512 MiB that are read of such a file"));
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(told(&empty).contains("ends in .rules; name a folder that has such files"));
    assert!(told(&wide).contains("wide.rules:1:1: error: the file is UTF-16LE"));
    assert!(told(&dir.path().join("none*.rules")).contains("no rule file matches"));
}
