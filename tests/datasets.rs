//! Datasets and reputation through the binary: the same alerts for any number of workers, files read and written, a set that a
//! reload goes on with.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::collections::BTreeSet;
use std::process::Output;
use support::child::Running;
use support::wait::until;
use support::{Bench, ethernet, v4, weir, with_id};
use weir::wire::build::{Capture, Random, udp_packet};

const RULES: &str = r#"
alert udp any any -> any any (pkt_data; dataset:set,seen,type string,state seen.lst; sid:1;)
alert udp any any -> any any (pkt_data; dataset:isset,bad,type string,load lists/bad.lst; sid:2;)
alert udp any any -> any any (pkt_data; content:"off"; dataset:unset,seen; sid:3;)
alert udp any any -> any any (pkt_data; to_md5; datarep:sums,>,5,type md5,load sums.rep; sid:4;)
alert udp any any -> any any (ip.src; dataset:isset,hosts,type ip,load hosts.lst; iprep:dst,CnC,>,30; sid:5;)
"#;

/// Twelve hosts say some forty words, each in a new session.
fn talk() -> Capture {
    let mut random = Random::new(5);
    ethernet((0..600u16).map(|n| {
        let words = ["on", "off", "maybe", "never"];
        let word = format!("{}{}", words[random.below(4)], random.below(10));
        udp_packet(
            v4(1 + random.below(12) as u32, 2000 + n),
            v4(200 + random.below(3) as u32, 99),
            &with_id(n),
            word.as_bytes(),
        )
    }))
}

fn bench() -> Bench {
    let bench = Bench::new();
    // "on3", and the MD5 sum of "on4".
    bench.file("lists/bad.lst", "# a comment\nb24z\n");
    bench.file("sums.rep", "3647b333ed9bfd9b852db5e5988d66ab,9\n");
    bench.file("hosts.lst", "10.0.0.3\n10.0.0.4\n");
    bench.file("categories.txt", "1,CnC,Command and control\n");
    bench.file("reputation.list", "10.0.0.200/31,1,50\n10.0.0.201,1,20\n");
    bench
}

fn settings(bench: &Bench) -> Vec<String> {
    let path = |name: &str| format!("{:?}", bench.path(name).display().to_string());
    let sets = [
        format!("datasets.folder={}", path("state")),
        "datasets.memcap=\"64KiB\"".to_owned(),
        format!("reputation.categories={}", path("categories.txt")),
        format!("reputation.files=[{}]", path("reputation.list")),
    ];
    sets.into_iter().flat_map(|set| ["--set".to_owned(), set]).collect()
}

#[test]
fn alerts_are_the_same_for_any_number_of_workers_and_the_state_is_kept() {
    let bench = bench();
    let capture = bench.capture(&talk());
    let settings = settings(&bench);
    let replay = |workers: &str| {
        let more: Vec<&str> = settings.iter().map(String::as_str).chain(["--workers", workers]).collect();
        bench.replay(&capture, RULES, &more).clean()
    };
    let state = bench.path("state/seen.lst");
    let mut first: Option<(Vec<String>, String)> = None;
    for workers in ["0", "1", "2", "4"] {
        _ = std::fs::remove_file(&state);
        let replayed = replay(workers);
        let alerts: Vec<String> = replayed.events.of("alert").iter().map(ToString::to_string).collect();
        for sid in 1..=5 {
            assert!(replayed.events.sids().contains(&sid), "{workers} workers: nothing of {sid}");
        }
        let now = (alerts, std::fs::read_to_string(&state).unwrap());
        let first = first.get_or_insert_with(|| now.clone());
        let differs = first.0.iter().zip(&now.0).find(|(a, b)| a != b);
        assert!(differs.is_none(), "{workers} workers: {differs:#?}");
        assert_eq!((first.0.len(), &first.1), (now.0.len(), &now.1), "{workers} workers");
    }
    // What is known from the last time is new no more, but for what was taken out.
    let known = first.unwrap().1;
    let again = replay("2");
    let new = again.events.sids().iter().filter(|sid| **sid == 1).count();
    let off = again.events.sids().iter().filter(|sid| **sid == 3).count();
    assert!(!known.is_empty() && new > 0 && off > 0);
    let lines: BTreeSet<&str> = known.lines().collect();
    assert_eq!(lines.len(), known.lines().count(), "no value twice");
}

#[test]
fn a_list_at_fault_refuses_its_rule_with_file_and_line() {
    let bench = Bench::new();
    let rules = bench.file(
        "a.rules",
        "alert udp any any -> any any (pkt_data; dataset:isset,bad,type ip,load bad.lst; sid:1;)\n",
    );
    let list = bench.file("bad.lst", "10.0.0.1\n10.0.0\n");
    let output = weir().args(["rules", "check"]).arg(&rules).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let said = format!("{}, line 2: `10.0.0` is no IP address", list.display());
    assert!(stderr.contains(&said) && stderr.contains("a.rules:1:"), "{stderr}");
}

struct Appliance {
    bench: Bench,
    running: Running,
}

impl Appliance {
    fn ctl(&self, words: &[&str]) -> Output {
        weir().arg("ctl").args(words).arg("--socket").arg(self.bench.path("weir.sock")).output().unwrap()
    }

    fn counter(&self, name: &str) -> Option<u64> {
        let output = self.ctl(&["counters", "--json"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).ok()?[name].as_u64()
    }
}

#[test]
fn a_running_appliance_keeps_a_set_over_a_reload_and_writes_it_at_its_end() {
    let bench = Bench::new();
    let rules = bench.file(
        "a.rules",
        "alert ip any any -> any any (ip.src; dataset:set,hosts,type ip,state hosts.lst,memcap 64kb; sid:1;)\n",
    );
    let path = |name: &str| format!("{:?}", bench.path(name).display().to_string());
    let mut command = weir();
    command.args(["run", "-c", "conf/demo.toml"]);
    for set in [
        format!("outputs.directory={}", path("out")),
        format!("rpc.socket={}", path("weir.sock")),
        format!("datasets.folder={}", path("state")),
        format!("rules.files=[{:?}]", rules.display().to_string()),
    ] {
        command.arg("--set").arg(set);
    }
    let running = Running::start(command, &bench, "appliance");
    let mut appliance = Appliance { bench, running };
    let values = until("hosts in the set", || {
        assert!(appliance.running.ended().is_none(), "ended: {}", appliance.running.stderr());
        let all = appliance.counter("decoder.pkts") >= Some(22);
        appliance.counter("dataset.hosts.values").filter(|values| all && *values > 0)
    });
    let said = |words: &[&str]| {
        let output = appliance.ctl(&[&["dataset"], words].concat());
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let is = |text: &str, code| (format!("{text}\n"), Some(code));
    assert_eq!(said(&["lookup", "hosts", "ip", "192.0.2.77"]), is("not in the set", 1));
    assert_eq!(said(&["add", "hosts", "ip", "192.0.2.77"]), is("added", 0));
    assert_eq!(said(&["lookup", "hosts", "ip", "192.0.2.77"]), is("in the set", 0));
    assert_eq!(said(&["dump"]), is("1 sets written", 0));
    assert!(std::fs::read_to_string(appliance.bench.path("state/hosts.lst")).unwrap().contains("192.0.2.77"));
    assert_eq!(said(&["remove", "hosts", "ip", "192.0.2.77"]), is("removed", 0));
    assert!(said(&["list"]).0.contains("hosts"));
    assert_ne!(said(&["clear", "hosts", "string"]).1, Some(0));
    let reload = appliance.ctl(&["rules", "reload"]);
    assert!(reload.status.success(), "{}", String::from_utf8_lossy(&reload.stderr));
    assert_eq!(appliance.counter("dataset.hosts.values"), Some(values), "kept over the reload");
    appliance.running.terminate();
    let status = appliance.running.wait();
    assert!(status.success(), "{}", appliance.running.stderr());
    let written = std::fs::read_to_string(appliance.bench.path("state/hosts.lst")).unwrap();
    assert_eq!(written.lines().count() as u64, values, "{written}");
    assert!(written.lines().all(|line| line.parse::<std::net::IpAddr>().is_ok()), "{written}");
}
