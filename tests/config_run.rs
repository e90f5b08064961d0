//! The configuration changed while `weir run` goes on, by `weir ctl config`: candidate, commit, revisions, restart.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use support::child::Running;
use support::configured::{Appliance, MORE, RULES, configuration};
use support::wait::until;
use support::{Bench, weir};

#[test]
fn a_commit_acts_at_once_and_is_what_starts_next() {
    let it = Appliance::new();
    let shown: Value = toml::from_str(&it.config(&["show"])).unwrap();
    assert_eq!(shown["timeouts"]["tcp-new"], "30s");
    assert_eq!(it.json(&["config", "show"]), shown, "as JSON it is the same");
    assert!(it.config(&["revisions"]).contains("no revision"));

    let nearest = it.refused(&["set", "timeouts.tcp-nwe", "5s"]);
    assert!(nearest.contains("nearest key is `tcp-new`") && nearest.contains("candidate:"), "{nearest}");
    let diff = it.config(&["set", "timeouts.tcp-new", "5s"]);
    assert_eq!(diff, "- timeouts.tcp-new = \"30s\"\n+ timeouts.tcp-new = \"5s\"\n");
    it.config(&[
        "set",
        "rules.files=[\"one.rules\", \"more.rules\"]",
        "pair.0.mode=tap",
        "outputs.fast.enabled=true",
    ]);
    assert_eq!(it.value("timeouts.tcp-new"), "30s", "a candidate acts on nothing");
    assert_eq!(it.text(), configuration(&it.bench));
    let done = it.json(&["config", "commit", "-m", "for the night"]);
    assert_eq!(done["revision"], 2, "{done}");
    let (status, mode) = (it.json(&["status"]), it.json(&["mode"]));
    assert_eq!((&status["generation"], &status["rules"]["loaded"]), (&2.into(), &3.into()), "{status}");
    assert_eq!(mode[0]["mode"], "tap");
    assert!(it.bench.path("out/fast.log").exists());
    assert!(it.text().contains("# The box at the door.\n") && it.text().contains("mode = \"tap\" # at last"));

    let history = it.json(&["config", "revisions"]);
    assert_eq!(
        (history["current"].as_u64(), history["revisions"][0]["comment"].as_str()),
        (Some(2), Some("for the night"))
    );
    assert_eq!(history["revisions"][1]["comment"], "as it was before the first commit");
    let me = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    assert_eq!(history["revisions"][0]["who"].as_str(), Some(String::from_utf8(me).unwrap().trim()));
    let it = it.again();
    assert_eq!((it.value("timeouts.tcp-new"), it.value("pair.0.mode")), ("5s".into(), "tap".into()));

    let done = it.config(&["rollback", "1"]);
    assert!(done.starts_with("revision 3 is in force") && done.contains("weir.toml is written"), "{done}");
    assert_eq!(it.json(&["status"])["rules"]["loaded"], 1);
    assert_eq!((it.json(&["mode"])[0]["mode"].clone(), it.text()), ("ips".into(), configuration(&it.bench)));
    it.config(&["rollback"]);
    assert_eq!(it.value("timeouts.tcp-new"), "5s", "without a number: the one before");
}

#[test]
fn a_candidate_with_a_fault_changes_nothing() {
    let it = Appliance::new();
    let same = |it: &Appliance| {
        assert_eq!(
            (it.json(&["status"])["generation"].as_u64(), it.text()),
            (Some(1), configuration(&it.bench))
        );
        assert_eq!(it.value("timeouts.tcp-new"), "30s");
        assert!(!it.bench.path("weir.revisions").join("000002.toml").exists());
    };
    it.config(&["set", "timeouts.tcp-new=5s", "rules.files=[\"gone.rules\"]"]);
    let refused = it.refused(&["commit"]);
    assert!(refused.contains("gone.rules") && refused.contains("the old rules stay in force"), "{refused}");
    same(&it);
    it.bench.file("bad.rules", "alert tcp any any -> any any (nonsense; sid:9;)\n");
    it.config(&["set", "rules.files=[\"bad.rules\"]"]);
    assert!(it.refused(&["commit"]).contains("1 rules are refused"));
    same(&it);
    let half = it.config(&["set", "service-set.0.name=web", "service-set.0.forward-flow=[\"ipd\"]"]);
    assert!(
        half.contains("to be mended before a commit") && half.contains("the nearest is \"idp\""),
        "{half}"
    );
    let refused = it.refused(&["commit"]);
    assert!(refused.contains("there is no plugin \"ipd\"") && refused.contains("candidate:"), "{refused}");
    same(&it);
    assert!(it.config(&["discard"]).contains("dropped"));
    assert!(it.refused(&["commit"]).contains("set something"));
    it.config(&["set", "outputs.directory=/proc/none", "timeouts.tcp-new=5s"]);
    assert!(it.refused(&["commit"]).contains("/proc/none"));
    same(&it);
    it.config(&["discard"]);
    it.config(&["set", "timeouts.tcp-new=5s", "config.revisions=/proc/none"]);
    assert!(it.refused(&["commit"]).contains("config.revisions"));
    same(&it);
}

#[test]
fn what_needs_a_restart_is_refused_or_waits_for_one() {
    let it = Appliance::new();
    let diff = it.config(&["set", "lcores.workers=2", "lcores.share-cpus=true", "timeouts.tcp-new=5s"]);
    assert!(diff.contains("+ lcores.workers = 2  # needs a restart\n"), "{diff}");
    let refused = it.refused(&["commit"]);
    assert!(
        refused.contains("lcores.workers, lcores.share-cpus") && refused.contains("--defer-restart"),
        "{refused}"
    );
    assert_eq!(it.value("timeouts.tcp-new"), "30s", "nothing was changed");
    let done = it.config(&["commit", "--defer-restart"]);
    assert!(done.contains("with the next start:\n- lcores.workers = 1"), "{done}");
    assert_eq!((it.value("timeouts.tcp-new"), it.value("lcores.workers")), ("5s".into(), 1.into()));
    it.config(&["set", "timeouts.tcp-new", "6s"]);
    let again = it.config(&["commit"]);
    assert!(again.contains("with the next start"), "what waits already is no reason to refuse: {again}");
    it.config(&["rollback", "1"]);
    assert!(
        it.json(&["config", "revisions"])["deferred"].as_array().unwrap().is_empty(),
        "nothing waits now"
    );
    it.config(&["rollback", "3", "--defer-restart"]);
    let it = it.again();
    assert_eq!(it.json(&["status"])["workers"], 2);
    assert_eq!(it.json(&["config", "revisions"])["current"], 5);
    assert_eq!(it.json(&["config", "revisions"])["deferred"], Value::Array(Vec::new()));
}

#[test]
fn a_refused_set_leaves_the_candidate_as_it_was() {
    let it = Appliance::new();
    let before = it.config(&["set", "timeouts.tcp-new=5s"]);
    let show = it.config(&["show", "--candidate"]);
    for words in [
        &["set", "timeouts.tcp-new=6s", "timeouts.tcp-nwe=7s"][..],
        &["set", "sessions.size=8192", "lcores.workers=many"],
        &["set", "port.9.name=x"],
        &["unset", "timeouts.tcp-new", "pools.cache"],
        &["load", "/dev/null", "--revision", "7"],
        &["load", "--revision", "7"],
    ] {
        it.refused(words);
        assert_eq!(
            (it.config(&["diff"]), it.config(&["show", "--candidate"])),
            (before.clone(), show.clone())
        );
    }
}

#[test]
fn items_that_are_not_there_are_no_empty_answers() {
    let it = Appliance::new();
    let said = it.refused(&["get", "port.5"]);
    assert!(said.contains("there is no `port.5`; there are 2: port.0 to port.1"), "{said}");
    assert!(it.refused(&["get", "outputs.further-eve.0.name"]).contains("has no [[outputs.further-eve]]"));
    assert!(it.refused(&["get", "lcores.5.workers"]).contains("no list of sections"));
    assert!(it.config(&["get", "outputs.further-eve"]).is_empty(), "a list may be empty");
    assert!(it.config(&["get", "port.1.name"]).contains("inside"));
}

#[test]
fn of_a_long_list_of_faults_the_first_are_told_and_not_a_broken_connection() {
    let it = Appliance::new();
    let keys: String = (0..500).map(|n| format!("key-{n} = \"{}\"\n", "x".repeat(200))).collect();
    let file = it.bench.file("bad.toml", keys);
    let refused = it.refused(&["load", &file.display().to_string()]);
    assert!(refused.contains("`key-0`") && refused.contains("and 480 more"), "{refused}");
    let refused = it.refused(&["set", &"x".repeat(100_000), "1"]);
    assert!(refused.contains("xxx...") && refused.len() < 10_000, "{refused}");
}

#[test]
fn a_file_that_somebody_edits_is_not_written_over() {
    let it = Appliance::new();
    it.config(&["set", "timeouts.tcp-new", "5s"]);
    let edited = configuration(&it.bench).replace("size = 4096", "size = 4096\nasync = true");
    it.bench.file("weir.toml", &edited);
    let refused = it.refused(&["commit"]);
    assert!(
        refused.contains("changed by somebody else") && refused.contains("weir ctl config load"),
        "{refused}"
    );
    assert_eq!((it.text(), it.value("timeouts.tcp-new")), (edited, "30s".into()));
    let diff = it.config(&["load"]);
    assert!(diff.contains("+ sessions.async = true"), "{diff}");
    it.config(&["set", "timeouts.tcp-new", "5s"]);
    it.config(&["commit"]);
    assert!(it.text().contains("async = true") && it.text().contains("tcp-new = \"5s\""));
    assert_eq!(it.value("sessions.async"), true);
    let edited = it.text().replace("5s", "7s");
    let file = it.bench.file("weir.toml", &edited);
    it.config(&["load", &file.display().to_string()]);
    it.config(&["commit"]);
    assert_eq!((it.text(), it.value("timeouts.tcp-new")), (edited, "7s".into()), "it is what was loaded");
    let loaded = it.bench.file("other.toml", it.text().replace("7s", "9s"));
    it.config(&["load", &loaded.display().to_string()]);
    it.config(&["set", "config.write-file", "false"]);
    it.config(&["commit"]);
    assert!(it.text().contains("7s") && it.value("timeouts.tcp-new") == "9s", "it holds until the end");
}

#[test]
fn outputs_change_while_they_are_written() {
    let it = Appliance::new();
    it.config(&["set", "outputs.eve.types=[\"alert\", \"dns\"]"]);
    assert!(it.refused(&["commit"]).contains("memory that is taken at the start"));
    it.config(&["discard"]);
    it.config(&[
        "set",
        "outputs.eve.file=second.json",
        "outputs.eve.stats-interval=50ms",
        "outputs.eve.flush-interval=20ms",
    ]);
    it.config(&[
        "set",
        "outputs.further-eve.0.name=siem",
        "outputs.further-eve.0.file=siem.json",
        "outputs.further-eve.0.types=[\"stats\"]",
    ]);
    let done = it.config(&["commit"]);
    assert!(done.contains("outputs changed"), "{done}");
    for file in ["out/second.json", "out/siem.json"] {
        until("records in the new file", || {
            std::fs::read_to_string(it.bench.path(file)).ok().filter(|text| text.contains("\"stats\""))
        });
    }
    let length = |name: &str| std::fs::metadata(it.bench.path(name)).map_or(0, |file| file.len());
    it.config(&["unset", "outputs.further-eve.0"]);
    it.config(&["commit"]);
    let (siem, second) = (length("out/siem.json"), length("out/second.json"));
    until("more records", || (length("out/second.json") > second).then_some(()));
    assert_eq!(length("out/siem.json"), siem, "nobody writes there any more");
    let counters = it.json(&["counters", "output."]);
    let names: Vec<&String> = counters.as_object().unwrap().keys().collect();
    assert!(names.iter().all(|name| name.starts_with("output.eve.")), "{names:?}");
}

/// Rules that take some MiB.
fn of_many_rules() -> Appliance {
    let bench = Bench::new();
    let rule = |n: u32| {
        format!(
            "alert tcp any any -> any any (content:\"word{n:05}\"; content:\"x{n}\"; nocase; sid:{};)\n",
            100 + n
        )
    };
    bench.file("one.rules", RULES.to_owned() + &(0..1000).map(rule).collect::<String>());
    bench.file("more.rules", MORE);
    bench.file("weir.toml", configuration(&bench));
    Appliance::start(bench)
}

fn used(it: &Appliance, part: &str) -> u64 {
    let parts = it.json(&["memory"]);
    let found = parts.as_array().unwrap().iter().find(|row| row["part"] == part).cloned().unwrap();
    found["used"].as_u64().unwrap()
}

#[test]
fn rules_that_would_hold_more_memory_than_they_may_are_refused_and_those_in_force_stay() {
    let it = of_many_rules();
    let (rules, generation) = (used(&it, "rules"), || it.json(&["status"])["generation"].clone());
    assert!(rules > 0 && used(&it, "evaluation") > 0);
    it.config(&["set", &format!("rules.memory={}KiB", rules * 3 / 2 / 1024)]);
    it.config(&["commit"]);
    assert_eq!(generation(), 1, "the cap alone compiles nothing");
    let refused = |words: &[&str]| {
        let output = it.ctl(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("rules.memory allows"), "{words:?}: {said}");
        said
    };
    let said = refused(&["rules", "reload"]);
    assert!(said.contains("these would take ") && said.contains("set rules.memory higher"), "{said}");
    refused(&["rules", "reload", "--shadow", "60s"]);
    refused(&["rules", "set", "1", "drop"]);
    it.config(&["set", "rules.files=[\"one.rules\", \"more.rules\"]"]);
    refused(&["config", "commit"]);
    assert_eq!((generation(), used(&it, "rules")), (1.into(), rules));
    it.config(&["set", "rules.memory=1GiB"]);
    it.config(&["commit"]);
    assert_eq!(generation(), 2);

    let output = weir().args(["run", "--set", "rules.memory=1MiB", "-c"]).arg(it.file()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the rules take ") && said.contains("and rules.memory allows 1024 KiB"), "{said}");
}

#[test]
fn a_bound_of_memory_below_the_rules_in_force_is_refused_for_it_would_keep_weir_from_starting() {
    let it = of_many_rules();
    let wrong = it.refused(&["set", "rules.memory=0"]);
    assert!(wrong.contains("a size of \"1MiB\" or more"), "{wrong}");
    let wanted = "and rules.memory would allow 1024 KiB, so that weir would not start again";
    let shown = it.config(&["set", "rules.memory=1MiB"]);
    assert!(shown.contains("the rules in force take ") && shown.contains(wanted), "{shown}");
    let before = it.text();
    let refused = it.refused(&["commit"]);
    assert!(refused.contains("the rules in force take ") && refused.contains(wanted), "{refused}");
    let history = it.json(&["config", "revisions"]);
    assert_eq!(
        (it.text(), &history["current"], it.value("rules.memory")),
        (before, &Value::Null, "4GiB".into())
    );
    it.config(&["set", "rules.files=[\"more.rules\"]"]);
    let refused = it.refused(&["commit"]);
    assert!(refused.contains("these would take "), "beside those that still are there: {refused}");

    it.config(&["discard"]);
    it.config(&["set", &format!("rules.memory={}KiB", used(&it, "rules") * 2 / 1024)]);
    it.config(&["commit"]);
    let log = it.appliance.stderr();
    let line = log.lines().find(|line| line.contains("configuration: revision 2 by")).unwrap();
    assert!(line.ends_with("is in force"), "{line}");
    it.again();
}

/// As where stderr is a file on a full disk.
#[test]
fn a_log_that_cannot_be_written_ends_nothing_and_is_counted() {
    let bench = Bench::new();
    bench.file("one.rules", RULES);
    bench.file("bad.rules", "alert nonsense");
    let config = bench.file("weir.toml", configuration(&bench));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" >/dev/full 2>&1"]).arg(weir().get_program());
    command.args(["run", "-c"]).arg(config);
    let mut it = Appliance { appliance: Running::start(command, &bench, "appliance"), bench };
    until("the appliance to answer", || it.ctl(&["status"]).status.success().then_some(()));
    assert!(it.ctl(&["rules", "reload"]).status.success());
    it.config(&["set", "timeouts.tcp-new=5s", "rules.files=[\"bad.rules\"]"]);
    it.config(&["commit", "--accept-refused", "--confirm", "200ms"]);
    until("the way back", || (it.value("timeouts.tcp-new") == "30s").then_some(()));
    until("lost lines", || (it.json(&["counters", "log.lost"])["log.lost"].as_u64() > Some(3)).then_some(()));
    it.appliance.terminate();
    assert!(it.appliance.wait().success());
}

/// As where a supervisor that has the other end of stderr's pipe hangs.
#[test]
fn a_log_whose_reader_hangs_holds_no_operator_up() {
    let bench = Bench::new();
    bench.file("one.rules", RULES);
    let config = bench.file("weir.toml", configuration(&bench));
    let pipe = bench.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec 2>\"$1\" \"$0\" run -c \"$2\""]).arg(weir().get_program());
    command.arg(&pipe).arg(config);
    let mut it = Appliance { appliance: Running::start(command, &bench, "appliance"), bench };
    until("the appliance to answer", || it.ctl(&["status"]).status.success().then_some(()));
    it.config(&["set", "log.level=trace"]);
    it.config(&["commit"]);
    until("lost lines", || {
        it.json(&["status"]);
        (it.json(&["counters", "log.lost"])["log.lost"].as_u64() > Some(3)).then_some(())
    });
    it.config(&["set", "timeouts.tcp-new=5s"]);
    it.config(&["commit"]);
    it.appliance.terminate();
    assert!(it.appliance.wait().success());
    drop(reader);
}
