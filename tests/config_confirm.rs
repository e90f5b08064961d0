//! What waits for a confirmation: who may confirm it, the way back by itself and by hand, and the revisions that tell of it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use support::configured::{Appliance, MORE, RULES, configuration};
use support::wait::until;
use support::{Bench, weir};

#[test]
fn what_nobody_confirms_goes_back_by_itself() {
    let it = Appliance::new();
    it.config(&["set", "timeouts.tcp-new=5s", "rules.files=[\"more.rules\"]"]);
    let done = it.config(&["commit", "--confirm", "400ms"]);
    assert!(done.contains("it goes back at"), "{done}");
    assert_eq!(it.text(), configuration(&it.bench), "a restart would start with what was before");
    until("the way back", || (it.value("timeouts.tcp-new") == "30s").then_some(()));
    assert_eq!(it.json(&["status"])["rules"]["loaded"], 1);
    let history = it.json(&["config", "revisions"]);
    let comment = history["revisions"][0]["comment"].as_str().unwrap();
    assert_eq!((comment, &history["current"]), ("revision 2 was not confirmed: back to 1", &3.into()));
    assert_eq!(history["revisions"][1]["state"], "went back", "{history}");
    assert!(it.refused(&["confirm"]).contains("no commit waits"));

    it.config(&["set", "timeouts.tcp-new=7s"]);
    it.config(&["commit", "--confirm", "5m"]);
    assert!(!it.text().contains("\"7s\"") && it.config(&["revisions"]).contains("back to revision 3"));
    it.config(&["confirm"]);
    assert!(it.text().contains("[timeouts]\ntcp-new = \"7s\"\n"), "{}", it.text());
    assert!(it.json(&["config", "revisions"])["goes_back"].is_null());
}

#[test]
fn the_way_back_acts_though_nothing_can_be_written_and_what_was_not_is_told() {
    let it = Appliance::new();
    it.config(&["set", "timeouts.tcp-new=5s", "rules.files=[\"more.rules\"]", "outputs.fast.enabled=true"]);
    it.config(&["commit", "--confirm", "1500ms"]);
    assert_eq!(it.value("timeouts.tcp-new"), "5s");
    // As a full disk: nothing can be made where revisions go.
    let folder = it.bench.path("weir.revisions");
    std::fs::rename(&folder, it.bench.path("aside")).unwrap();
    std::fs::write(&folder, "").unwrap();
    until("the way back", || (it.value("timeouts.tcp-new") == "30s").then_some(()));
    assert_eq!(it.json(&["status"])["rules"]["loaded"], 1);
    until("what was not written to be told", || {
        let log = it.appliance.stderr();
        (log.contains("revision 2 went back") && log.contains("these files do not tell of it")).then_some(())
    });
    assert!(it.refused(&["confirm"]).contains("no commit waits"));
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(it.bench.path("aside"), &folder).unwrap();
    let history = it.json(&["config", "revisions"]);
    assert_eq!((&history["current"], &history["goes_back"]), (&1.into(), &Value::Null), "{history}");
    assert_eq!(history["revisions"][0]["state"], "went back", "{history}");
    it.config(&["set", "timeouts.tcp-new=7s"]);
    it.config(&["commit"]);
    let it = it.again();
    let history = it.json(&["config", "revisions"]);
    assert_eq!(history["revisions"][1]["state"], "went back", "the next commit wrote it: {history}");
}

#[test]
fn a_confirmation_that_cannot_be_written_is_refused_and_the_way_back_stays() {
    let it = Appliance::new();
    it.config(&["set", "timeouts.tcp-new=5s"]);
    it.config(&["commit", "--confirm", "5m"]);
    std::fs::rename(it.file(), it.bench.path("aside.toml")).unwrap();
    let refused = it.refused(&["confirm"]);
    assert!(refused.contains("waits for a confirmation until") && refused.contains("weir.toml"), "{refused}");
    assert_eq!(it.json(&["config", "revisions"])["goes_back"]["revision"], 1);
    std::fs::rename(it.bench.path("aside.toml"), it.file()).unwrap();
    it.config(&["confirm"]);
    let history = it.json(&["config", "revisions"]);
    assert_eq!(
        (&history["goes_back"], &history["revisions"][0]["state"]),
        (&Value::Null, &"confirmed".into())
    );
}

/// As in a container that is given the file alone: a mount point is not replaced, whoever asks.
#[test]
fn a_commit_whose_file_cannot_be_replaced_is_refused_and_nothing_of_it_acts() {
    if !std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        println!("skipped: needs root");
        return;
    }
    let bench = Bench::new();
    bench.file("one.rules", RULES);
    bench.file("more.rules", MORE);
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$1\" \"$1\" && exec \"$0\" run -c \"$1\""]);
    command.arg(weir().get_program()).arg(bench.file("weir.toml", configuration(&bench)));
    let it = Appliance::start_by(command, bench);
    let files = |it: &Appliance| {
        let listed = [it.bench.path("."), it.bench.path("weir.revisions")].map(std::fs::read_dir);
        let names = listed.into_iter().flatten().flatten().map(|entry| entry.unwrap().file_name());
        names.filter(|name| !name.to_string_lossy().starts_with("weir.revisions")).collect::<Vec<_>>().len()
    };
    let before = (files(&it), it.text());
    it.config(&["set", "timeouts.tcp-new=5s", "rules.files=[\"more.rules\"]"]);
    let refused = it.refused(&["commit"]);
    assert!(refused.contains("nothing was changed: cannot write ") && refused.contains("busy"), "{refused}");
    assert!(refused.contains("config.write-file = false"), "{refused}");
    let status = it.json(&["status"]);
    assert_eq!((&status["generation"], &status["rules"]["loaded"]), (&1.into(), &1.into()), "{status}");
    assert_eq!((it.value("timeouts.tcp-new"), (files(&it), it.text())), ("30s".into(), before.clone()));
    assert_eq!(it.json(&["config", "revisions"])["current"], Value::Null);

    let refused = it.refused(&["commit", "--confirm", "5m"]);
    assert!(refused.contains("cannot write "), "it could not be confirmed: {refused}");
    assert_eq!((it.value("timeouts.tcp-new"), it.text()), ("30s".into(), before.1.clone()));
    it.config(&["set", "timeouts.tcp-new=6s", "config.write-file=false"]);
    it.config(&["commit"]);
    assert_eq!((it.value("timeouts.tcp-new"), it.text()), ("6s".into(), before.1));
}

#[test]
fn a_commit_that_services_refuse_leaves_the_file_as_it_was() {
    let it = Appliance::new();
    it.config(&["set", "timeouts.tcp-new=5s", "plugin.0.package=greeter", "plugin.0.path=/nowhere.so"]);
    let flows = ["service-set.0.forward-flow=[\"greeter\"]", "service-set.0.reverse-flow=[\"greeter\"]"];
    it.config(&["set", "service-set.0.name=web", flows[0], flows[1]]);
    let refused = it.refused(&["commit"]);
    assert!(refused.contains("nowhere.so"), "{refused}");
    assert_eq!((it.text(), it.value("timeouts.tcp-new")), (configuration(&it.bench), "30s".into()));
    let names = std::fs::read_dir(it.bench.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        !names.into_iter().any(|name| name.to_string_lossy().ends_with(".new")),
        "nothing lies beside it"
    );
}

#[test]
fn the_way_back_goes_along_into_another_folder_of_revisions() {
    let it = Appliance::new();
    let told = |it: &Appliance| {
        let history = it.json(&["config", "revisions"]);
        let numbers = history["revisions"].as_array().unwrap().iter().map(|r| r["number"].as_u64().unwrap());
        (history["current"].as_u64().unwrap(), numbers.collect::<Vec<_>>())
    };
    it.config(&["set", "timeouts.tcp-new=5s"]);
    it.config(&["commit"]);
    let second = it.text();
    it.config(&["set", "config.revisions=elsewhere", "timeouts.tcp-new=6s"]);
    it.config(&["commit"]);
    assert_eq!(told(&it), (4, vec![4, 3]), "3 is what 2 was");
    let history = it.config(&["revisions"]);
    assert!(history.contains("as it was before the commit into this folder"), "{history}");

    it.config(&["set", "timeouts.tcp-new=7s"]);
    it.config(&["commit", "--confirm", "5m"]);
    it.config(&["set", "config.revisions=third"]);
    let refused = it.refused(&["commit"]);
    assert!(
        refused.contains("revision 5 by ") && refused.contains("before config.revisions changes"),
        "{refused}"
    );
    assert!(!it.bench.path("third").exists());
    it.config(&["discard"]);
    it.config(&["rollback"]);
    assert_eq!((told(&it).0, it.value("timeouts.tcp-new")), (6, "6s".into()));
    it.config(&["rollback"]);
    assert_eq!((it.text(), it.value("timeouts.tcp-new")), (second, "5s".into()), "in the first folder again");
    assert_eq!(told(&it), (8, vec![8, 7, 2, 1]));
}

#[test]
fn a_candidate_upon_what_goes_back_goes_on_without_that() {
    let it = Appliance::new();
    it.config(&["set", "timeouts.tcp-new=5s", "rules.files=[\"more.rules\"]"]);
    it.config(&["commit", "--confirm", "1500ms"]);
    it.config(&["set", "timeouts.tcp-established=7m"]);
    until("the way back", || (it.value("timeouts.tcp-new") == "30s").then_some(()));
    let diff = it.config(&["diff"]);
    assert!(diff.contains("+ timeouts.tcp-established = \"420s\"") && diff.lines().count() == 2, "{diff}");
    it.config(&["commit"]);
    assert_eq!(
        (it.value("timeouts.tcp-new"), it.value("timeouts.tcp-established")),
        ("30s".into(), "420s".into())
    );
}

#[test]
fn a_commit_of_another_operator_does_not_confirm_what_waits() {
    let bench = Bench::new();
    bench.file("one.rules", RULES);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    bench.file("weir.toml", format!("{}listen = \"127.0.0.1:{port}\"\n", configuration(&bench)));
    let it = Appliance::start(bench);
    let other = |words: &[&str]| {
        let url = format!("http://127.0.0.1:{port}");
        let output = weir().args(["ctl", "config"]).args(words).args(["--address", &url]).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    it.config(&["set", "timeouts.tcp-new=5s"]);
    it.config(&["commit", "--confirm", "5m"]);
    let me = it.json(&["config", "revisions"])["goes_back"]["by"].as_str().unwrap().to_owned();
    assert_eq!(other(&["commit"]), other(&["commit"]));
    let (done, said) = other(&["commit"]);
    let wanted = format!("revision 2 by {me} waits for a confirmation until ");
    assert!(!done && said.contains(&wanted) && said.contains("weir ctl config confirm"), "{said}");
    assert!(other(&["set", "timeouts.tcp-established=7m"]).0);
    let (done, said) = other(&["commit", "--confirm", "1m"]);
    assert!(!done && said.contains(&wanted), "{said}");
    let history = it.json(&["config", "revisions"]);
    assert_eq!((&history["current"], &history["goes_back"]["revision"]), (&2.into(), &1.into()), "{history}");

    let done = it.config(&["commit"]);
    assert!(done.contains("revision 2, which waited for a confirmation, is confirmed with it"), "{done}");
    let history = it.json(&["config", "revisions"]);
    assert_eq!(
        (&history["goes_back"], &history["revisions"][1]["state"]),
        (&Value::Null, &"confirmed".into())
    );

    it.config(&["set", "timeouts.tcp-new=6s"]);
    it.config(&["commit", "--confirm", "5m"]);
    it.config(&["set", "timeouts.udp-new=9s"]);
    let (done, said) = other(&["rollback", "-m", "no"]);
    assert!(done, "what goes back anyway may go back now: {said}");
    assert!(said.contains("goes on without what went back"), "{said}");
    assert_eq!(it.value("timeouts.tcp-new"), "5s");
    let diff = it.config(&["diff"]);
    assert!(diff.contains("+ timeouts.udp-new = \"9s\"") && diff.lines().count() == 2, "{diff}");
    let history = it.json(&["config", "revisions"]);
    assert_eq!((&history["current"], &history["revisions"][1]["state"]), (&5.into(), &"went back".into()));
}

#[test]
fn numbers_of_revisions_that_cannot_be_are_refused_for_what_they_are() {
    let it = Appliance::new();
    it.config(&["set", "timeouts.tcp-new=5s"]);
    it.config(&["commit"]);
    for number in ["0", "-1", "4294967296", "two"] {
        let refused = it.refused(&["rollback", number]);
        assert!(refused.contains("revisions have numbers from 1 on"), "{number}: {refused}");
    }
    assert!(it.refused(&["rollback", "999"]).contains("there is no revision 999; there are 1 to 2"));
    assert!(it.refused(&["rollback", "2"]).contains("revision 2 is what is in force"));
    assert!(
        it.refused(&["diff", "0"]).contains("from 1 on")
            && it.refused(&["diff", "9"]).contains("no revision 9")
    );
    it.bench.file("weir.revisions/000001.toml", "#weir-revision damaged\n[lcores]\nworkers = 9\n");
    assert!(it.refused(&["rollback", "1"]).contains("000001.toml is damaged and is not used"));
    assert!(it.refused(&["rollback"]).contains("no earlier revision"), "a damaged one is passed over");
    assert_eq!(it.json(&["config", "revisions"])["revisions"][1]["state"], "damaged");
}

#[test]
fn a_power_cut_before_the_confirmation_starts_with_what_was_before() {
    let it = Appliance::new();
    it.config(&["set", "timeouts.tcp-new=5s"]);
    it.config(&["commit", "--confirm", "5m"]);
    assert_eq!(it.value("timeouts.tcp-new"), "5s");
    let Appliance { appliance, bench } = it;
    drop(appliance); // SIGKILL
    let it = Appliance::start(bench);
    assert_eq!(it.value("timeouts.tcp-new"), "30s");
    let history = it.json(&["config", "revisions"]);
    let (cut, running) = (&history["revisions"][0], &history["revisions"][1]);
    assert_eq!(
        (&cut["number"], &cut["state"], &cut["running"]),
        (&2.into(), &"unconfirmed".into(), &false.into())
    );
    assert_eq!((&history["current"], &running["running"]), (&1.into(), &true.into()));
    assert!(it.config(&["revisions"]).contains("running"), "{}", it.config(&["revisions"]));
    assert!(it.refused(&["rollback"]).contains("no earlier revision that was confirmed"));
    it.config(&["rollback", "2"]);
    assert_eq!(it.value("timeouts.tcp-new"), "5s", "it is there to be taken up again");
}
