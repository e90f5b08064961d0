//! The configuration changed while `weir run` goes on, by `weir ctl config`: candidate, commit, way back, revisions, restart.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;
use support::child::Running;
use support::wait::until;
use support::{Bench, weir};

const RULES: &str = "alert tcp any any -> any any (msg:\"one\"; content:\"GET\"; sid:1;)\n";
const MORE: &str = "alert udp any any -> any any (msg:\"two\"; sid:2;)\nalert icmp any any -> any any (msg:\"three\"; sid:3;)\n";

/// An appliance of two idle ports, its configuration file and its socket in a folder of the test.
struct Appliance {
    appliance: Running,
    bench: Bench,
}

fn configuration(bench: &Bench) -> String {
    let path = |name: &str| bench.path(name).display().to_string();
    format!(
        "# The box at the door.\n[eal]\nhugepages = false\nmemory = \"128MiB\"\n\n\
         [[port]]\nname = \"outside\"\ndevice = \"net_null0,no-rx=1\"\n\n[[port]]\nname = \"inside\"\ndevice = \"net_null1,no-rx=1\"\n\n\
         [[pair]]\nports = [\"outside\", \"inside\"]\nmode = \"ips\" # at last\n\n[pools]\nframes = 8191\n\n[sessions]\nsize = 4096\n\n\
         [streams]\nmemory = \"8MiB\"\n\n[rules]\nfiles = [\"one.rules\"]\n\n[outputs]\ndirectory = {:?}\n\n[rpc]\nsocket = {:?}\n",
        path("out"),
        path("weir.sock")
    )
}

impl Appliance {
    fn new() -> Appliance {
        let bench = Bench::new();
        bench.file("one.rules", RULES);
        bench.file("more.rules", MORE);
        bench.file("weir.toml", configuration(&bench));
        Appliance::start(bench)
    }

    fn start(bench: Bench) -> Appliance {
        let mut command = weir();
        command.args(["run", "-c"]).arg(bench.path("weir.toml"));
        let appliance = Running::start(command, &bench, "appliance");
        let mut it = Appliance { appliance, bench };
        until("the appliance to answer", || {
            assert!(it.appliance.ended().is_none(), "ended: {}", it.appliance.stderr());
            it.ctl(&["status"]).status.success().then_some(())
        });
        it
    }

    fn again(mut self) -> Appliance {
        self.appliance.terminate();
        assert!(self.appliance.wait().success(), "{}", self.appliance.stderr());
        Appliance::start(self.bench)
    }

    fn file(&self) -> PathBuf {
        self.bench.path("weir.toml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn ctl(&self, words: &[&str]) -> Output {
        weir().arg("ctl").args(words).arg("--socket").arg(self.bench.path("weir.sock")).output().unwrap()
    }

    #[track_caller]
    fn config(&self, words: &[&str]) -> String {
        let output = self.ctl(&[&["config"], words].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let output = self.ctl(&[words, &["--json"]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, words: &[&str]) -> String {
        let output = self.ctl(&[&["config"], words].concat());
        assert!(!output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    fn value(&self, key: &str) -> Value {
        self.json(&["config", "get", key])[0]["value"].clone()
    }
}

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
    assert!(!it.text().contains("7s") && it.config(&["revisions"]).contains("back to revision 3"));
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
    let (done, said) = other(&["rollback"]);
    assert!(done, "what goes back anyway may go back now: {said}");
    assert_eq!(it.value("timeouts.tcp-new"), "5s");
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
    let loaded = it.bench.file("other.toml", it.text().replace("5s", "9s"));
    it.config(&["load", &loaded.display().to_string()]);
    it.config(&["set", "config.write-file", "false"]);
    it.config(&["commit"]);
    assert!(it.text().contains("5s") && it.value("timeouts.tcp-new") == "9s", "it holds until the end");
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
