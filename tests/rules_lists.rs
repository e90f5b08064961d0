//! What users do to rule sets from outside: threshold.config and suricata-update's lists, through the built binary.

#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use support::{Bench, Replayed, ethernet, v4, weir, with_id};
use weir::wire::build;

/// Ten UDP packets, a millisecond apart: eight from host 1 to 9, two from host 2 to 9.
fn bench() -> (Bench, std::path::PathBuf) {
    let bench = Bench::new();
    let packet = |host| build::udp_packet(v4(host, 4000), v4(9, 53), &with_id(1), b"query");
    let packets = (0..10u32).map(|n| packet(if n < 8 { 1 } else { 2 }));
    let capture = bench.capture(&ethernet(packets));
    (bench, capture)
}

const RULE: &str = "alert udp any any -> any 53 (msg:\"q\"; content:\"query\"; sid:7; rev:1;)\n";
const DROP: &str = "drop udp any any -> any 53 (msg:\"q\"; content:\"query\"; sid:7; rev:1;)\n";

fn with_thresholds(rule: &str, thresholds: &str) -> Replayed {
    let (bench, capture) = bench();
    let file = bench.file("threshold.config", thresholds);
    bench.replay(&capture, rule, &["--threshold-file", file.to_str().unwrap()])
}

#[test]
fn thresholds_and_suppressions_of_a_file_hold_alerts_back() {
    for (line, alerts) in [
        ("# none", 10),
        ("suppress gen_id 1, sig_id 7", 0),
        ("suppress gen_id 1, sig_id 7, track by_src, ip 10.0.0.1", 2),
        ("suppress gen_id 0, sig_id 0, track by_dst, ip 10.0.0.1", 10),
        ("suppress gen_id 1, sig_id 0, track by_either, ip [10.0.0.9,10.0.0.8]", 0),
        ("threshold gen_id 1, sig_id 7, type limit, track by_src, count 1, seconds 60", 2),
        ("threshold gen_id 0, sig_id 0, type threshold, track by_rule, \\\n count 4, seconds 60", 2),
        // What is suppressed is not counted.
        (
            "suppress gen_id 1, sig_id 7, track by_src, ip 10.0.0.1\nthreshold gen_id 1, sig_id 7, type threshold, track by_rule, count 2, seconds 60",
            1,
        ),
    ] {
        let replayed = with_thresholds(RULE, line).clean();
        assert_eq!(replayed.summary("alerts"), alerts.to_string(), "{line}");
    }
}

#[test]
fn a_suppressed_drop_still_drops_and_a_rate_filter_changes_the_action() {
    let (bench, capture) = bench();
    let dropped = |rule: &str, line: &str| {
        let file = bench.file("threshold.config", line);
        let out = bench.path("out.pcap");
        let more = ["--threshold-file", file.to_str().unwrap(), "-w", out.to_str().unwrap()];
        let replayed = bench.replay(&capture, rule, &more).clean();
        (replayed.summary("alerts"), replayed.summary("frames written"))
    };
    let both = |alerts: &str, written: &str| (alerts.to_owned(), written.to_owned());
    assert_eq!(dropped(DROP, "suppress gen_id 1, sig_id 7, track by_src, ip 10.0.0.1"), both("2", "0"));
    let filter = "rate_filter gen_id 1, sig_id 7, track by_src, count 3, seconds 60, new_action";
    assert_eq!(dropped(RULE, &format!("{filter} drop, timeout 60")), both("10", "5"));
    assert_eq!(dropped(DROP, &format!("{filter} alert, timeout 60")), both("10", "5"));
    assert_eq!(dropped(RULE, &format!("{filter} pass, timeout 60")), both("5", "10"));
    // Eight of the ten are suppressed: no filter counts them.
    let by_rule = filter.replace("by_src", "by_rule");
    let suppress = "suppress gen_id 1, sig_id 7, track by_src, ip 10.0.0.1\n";
    assert_eq!(dropped(RULE, &format!("{suppress}{by_rule} drop, timeout 60")), both("2", "10"));
}

#[test]
fn workers_agree_on_a_rate_filter() {
    let (bench, capture) = bench();
    let line =
        "rate_filter gen_id 1, sig_id 7, track by_dst, count 4, seconds 60, new_action pass, timeout 60";
    let file = bench.file("threshold.config", line);
    for workers in ["0", "1", "3"] {
        let more = ["--threshold-file", file.to_str().unwrap(), "--workers", workers];
        assert_eq!(bench.replay(&capture, RULE, &more).clean().summary("alerts"), "4", "{workers}");
    }
}

#[test]
fn a_bad_line_is_shown_with_its_place_and_the_rest_holds() {
    let replayed = with_thresholds(RULE, "suppress gen_id 1, sig_id 7\nsupress gen_id 1, sig_id 8\n");
    assert_eq!((replayed.code(), replayed.summary("alerts")), (Some(1), "0".into()));
    let stderr = replayed.stderr();
    let caret = " 2 | supress gen_id 1, sig_id 8\n   | ^^^^^^^";
    assert!(stderr.contains("threshold.config:2:1") && stderr.contains(caret), "{stderr}");
    assert!(stderr.contains("did you mean `suppress`?"), "{stderr}");
}

const SET: &str = "alert udp any any -> any 53 (msg:\"one\"; content:\"query\"; metadata:deployment Perimeter; sid:1; rev:1;)\n\
    # alert udp any any -> any 53 (msg:\"two\"; content:\"query\"; \\\n\
    #   sid:2; rev:1;)\n\
    # alerts in prose are no rule (sid:9;)\n\
    alert udp any any -> any 53 (msg:\"three\"; content:\"nowhere\"; sid:3; rev:1;)\n";

#[test]
fn lists_of_the_configuration_choose_and_change_rules() {
    let (bench, capture) = bench();
    bench.file("rules/set.rules", SET);
    bench.file("disable.conf", "metadata: deployment perimeter\n");
    bench.file("enable.conf", "re:\"two\" # the second\n");
    bench.file("drop.conf", "group:set.rules\n");
    bench.file("modify.conf", "3 nowhere query\n");
    let config = "[rules]\nfiles = [\"rules/*.rules\", \"rules\"]\ndisable = [\"disable.conf\"]\n\
        enable = [\"enable.conf\"]\ndrop = [\"drop.conf\"]\nmodify = [\"modify.conf\"]\n";
    let config = bench.file("weir.toml", config);
    let log = bench.path("log");
    let out = bench.path("out.pcap");
    let mut command = weir();
    command
        .args(["replay", "-r"])
        .arg(&capture)
        .arg("-c")
        .arg(&config)
        .arg("-l")
        .arg(&log)
        .arg("-w")
        .arg(&out);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("2 loaded, 0 refused"), "{said}");
    let eve = std::fs::read_to_string(log.join("eve.json")).unwrap();
    let alerts = |sid: u32| {
        eve.lines()
            .filter(|l| {
                l.contains("\"event_type\":\"alert\"") && l.contains(&format!("\"signature_id\":{sid},"))
            })
            .count()
    };
    assert_eq!([alerts(1), alerts(2), alerts(3)], [0, 10, 10]);
    assert!(said.lines().any(|l| l.starts_with("frames written") && l.ends_with(" 0")), "{said}");

    let output = weir().args(["rules", "check", "-c"]).arg(&config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "disable.conf:1: 1 rules disabled, 1 selected",
        "enable.conf:1: 1 rules enabled, 1 selected",
        "drop.conf:1: 2 rules set to drop, 3 selected",
        "modify.conf:1: 1 rules modified, 1 selected",
        "1 more are disabled",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn a_line_that_selects_nothing_is_a_warning_and_a_modified_rule_shows_its_new_text() {
    let bench = Bench::new();
    let rules = bench.file("set.rules", SET);
    let disable = bench.file("disable.conf", "4711\ngroup:no-such\n");
    let modify = bench.file("modify.conf", "3 content: contnet:\n");
    let mut command = weir();
    command.args(["rules", "check", "--warnings"]).arg(&rules);
    let output =
        command.arg("--disable-conf").arg(&disable).arg("--modify-conf").arg(&modify).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("disable.conf:1:1: warning: this line selects no rule"), "{stderr}");
    assert!(stderr.contains("disable.conf:2:1: warning: this line selects no rule"), "{stderr}");
    assert!(stderr.contains("set.rules:5:") && stderr.contains("modify.conf:1 made it"), "{stderr}");
    assert!(stderr.contains("5 | alert udp any any -> any 53 (msg:\"three\"; contnet:"), "{stderr}");
}

#[test]
fn the_newer_revision_wins_across_files_and_the_loser_is_told() {
    let bench = Bench::new();
    let rule = |rev: u32| format!("alert udp any any -> any any (msg:\"r{rev}\"; sid:5; rev:{rev};)\n");
    bench.file("rules/a.rules", rule(1));
    bench.file("rules/b.rules", rule(2));
    let folder = bench.path("rules");
    let output = weir().args(["rules", "check", "--warnings"]).arg(&folder).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(
        stderr.contains("revision 2 of sid 5 replaces revision 1 of line 1 of ")
            && stderr.contains("a.rules"),
        "{stderr}"
    );
}

#[test]
fn a_living_rule_stays_beside_its_commented_self_that_a_list_enables() {
    let bench = Bench::new();
    let live = "alert udp any any -> any any (msg:\"live\"; sid:1; rev:1;)\n";
    let off = "#alert udp any any -> any any (msg:\"off\"; sid:1; rev:1;)\n";
    let enable = bench.file("enable.conf", "1\n");
    for text in [format!("{off}{live}"), format!("{live}{off}")] {
        let file = bench.file("set.rules", text);
        let of = |command: &[&str]| {
            let mut weir = weir();
            weir.args(command).arg(&file).arg("--enable-conf").arg(&enable);
            let output = weir.output().unwrap();
            let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
            (output.status.code(), out, err)
        };
        let (code, out, err) = of(&["rules", "check", "--warnings"]);
        assert_eq!((code, err.matches("warning in sid 1").count()), (Some(0), 1), "{out}{err}");
        assert!(out.starts_with("1 rules loaded, 0 refused\n"), "{out}");
        let (_, out, _) = of(&["rules", "list", "--json"]);
        assert!(out.contains("\"msg\":\"live\"") && !out.contains("\"msg\":\"off\""), "{out}");
    }
}

#[test]
fn lines_of_lists_at_fault_are_not_called_rules() {
    let bench = Bench::new();
    let rules = bench.file("set.rules", RULE);
    let thresholds = bench.file("threshold.config", "supress gen_id 1, sig_id 7\n");
    let disable = bench.file("disable.conf", "gruop:x\n");
    let mut command = weir();
    command.args(["rules", "check"]).arg(&rules).arg("--disable-conf").arg(&disable);
    let output = command.arg("--threshold-file").arg(&thresholds).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said, "1 rules loaded, 0 refused, 2 lines of lists refused\n");
    let replayed = with_thresholds(RULE, "supress gen_id 1, sig_id 7\n");
    assert_eq!(replayed.summary("rules"), "1 loaded, 0 refused, 1 lines of lists refused");
    assert!(replayed.stderr().contains("1 lines of lists were refused (see above)"), "{}", replayed.stderr());
}
