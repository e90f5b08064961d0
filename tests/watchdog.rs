//! Plugins that never return, or bring the process down: `weir run` names them, starts anew without them and forwards;
//! `weir replay` names them and ends.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use std::process::Output;
use std::time::{Duration, Instant};
use support::child::Running;
use support::netns::Namespace;
use support::samples::rust_sample;
use support::wait::until;
use support::{Bench, Events, conserved, ethernet, v4, weir, with_id};
use weir::wire::build::udp_packet;

/// Frames of the capture; the one in the middle makes the probe misbehave.
const FRAMES: u64 = 21;

/// `weir run` with the probe in its only set.
struct Line {
    appliance: Running,
    bench: Bench,
}

/// How one is set up.
#[derive(Clone, Copy)]
struct Plan<'a> {
    /// The probe's.
    words: &'a str,
    on_fault: &'a str,
    workers: u8,
}

const PLAN: Plan<'_> = Plan { words: "", on_fault: "skip", workers: 1 };

/// Sessions of one packet each.
fn capture(bench: &Bench) -> String {
    let payload = |n: u64| if n == FRAMES / 2 { "do your worst" } else { "good day" };
    let packet = |n: u64| {
        let (from, to) = (v4(n as u32 + 1, 4000), v4(200, 53));
        udp_packet(from, to, &with_id(n as u16), payload(n).as_bytes())
    };
    bench.capture(&ethernet((0..FRAMES).map(packet))).display().to_string()
}

fn service(bench: &Bench, plan: Plan<'_>) -> String {
    let (probe, diary) = (rust_sample("probe"), bench.path("diary"));
    format!(
        r#"
[services]
control-limit = "1s"

[[plugin]]
package = "probe"
path = "{}"
entry = "weir_plugin_entry"
config = "name=probe file={} {}"

[[service-set]]
name = "edge"
forward-flow = ["probe"]
reverse-flow = ["probe"]
on-fault = "{}"
"#,
        probe.display(),
        diary.display(),
        plan.words,
        plan.on_fault
    )
}

fn config(bench: &Bench, plan: Plan<'_>, ports: [String; 2]) -> String {
    let folder = bench.path("").display().to_string();
    bench.file(
        "line.rules",
        "alert tcp any any -> any any (msg:\"never\"; content:\"nothing like it\"; sid:7;)\n",
    );
    let [outside, inside] = ports;
    format!(
        r#"
[eal]
hugepages = false
memory = "256MiB"

[[port]]
name = "outside"
device = "{outside}"

[[port]]
name = "inside"
device = "{inside}"

[[pair]]
ports = ["outside", "inside"]
mode = "ips"

[lcores]
workers = {}

[pools]
frames = 8191

[sessions]
size = 4096

[rules]
files = ["line.rules"]

[outputs]
directory = "{folder}"

[outputs.eve]
flush-interval = "20ms"
stats-interval = "200ms"

[rpc]
socket = "{folder}/weir.sock"
{}"#,
        plan.workers,
        service(bench, plan)
    )
}

impl Line {
    /// One port plays the capture once, at each start.
    fn new(plan: Plan<'_>) -> Line {
        let bench = Bench::new();
        let outside = format!("net_pcap0,rx_pcap={},tx_pcap=/dev/null", capture(&bench));
        let text = config(&bench, plan, [outside, "net_null0,no-rx=1".into()]);
        Line::with(bench, &text)
    }

    fn with(bench: Bench, config: &str) -> Line {
        let config = bench.file("weir.toml", config);
        let mut command = weir();
        command.args(["run", "-c"]).arg(config);
        Line { appliance: Running::start(command, &bench, "appliance"), bench }
    }

    fn attempt(&self, words: &[&str]) -> Output {
        weir().arg("ctl").args(words).arg("--socket").arg(self.bench.path("weir.sock")).output().unwrap()
    }

    /// The answer, once there is one: the appliance may be about to start.
    #[track_caller]
    fn ask(&mut self, words: &[&str]) -> Value {
        until(&format!("an answer to {words:?}"), || {
            assert!(self.appliance.ended().is_none(), "ended: {}", self.appliance.stderr());
            let output = self.attempt(&[words, &["--json"]].concat());
            serde_json::from_slice(&output.stdout).ok()
        })
    }

    #[track_caller]
    fn counter(&mut self, name: &str) -> u64 {
        let counters = self.ask(&["counters", name]);
        counters[name].as_u64().unwrap_or_else(|| panic!("no {name}: {counters}"))
    }

    #[track_caller]
    fn until_said(&mut self, what: &str) {
        until(&format!("{what:?} in the log"), || {
            let said = self.appliance.stderr();
            assert!(self.appliance.ended().is_none(), "ended: {said}");
            said.contains(what).then_some(())
        });
    }

    /// The plugin is out for this reason, after so many new starts because it was (stuck, crashed).
    #[track_caller]
    fn is_out(&mut self, why: &str, starts: (u64, u64)) {
        self.until_said(&format!("plugin probe is left out: {why}"));
        let plugin = self.ask(&["plugin", "show", "probe"]);
        let state = plugin["state"].as_str().unwrap();
        assert!(state.starts_with(&format!("out: {why}")) && state.contains("anew without it"), "{plugin}");
        assert_eq!((&plugin["external"], &plugin["sets"]), (&true.into(), &serde_json::json!(["edge"])));
        let counted = (self.counter("watchdog.restarts_stuck"), self.counter("watchdog.restarts_crashed"));
        assert_eq!(counted, starts);
        assert_eq!((self.counter("watchdog.plugins_left_out"), self.counter("plugin.probe.faults")), (1, 1));
        assert_eq!(self.ask(&["service-set", "edge"])["state"], "active");
    }

    /// All frames that the last start has read from the capture.
    #[track_caller]
    fn all_seen(&mut self) {
        until("all frames of the capture", || (self.counter("decoder.pkts") == FRAMES).then_some(()));
    }

    #[track_caller]
    fn blob(&mut self, words: &str) -> Output {
        let block = self.bench.file("block", words).display().to_string();
        self.ask(&["status"]);
        self.attempt(&["plugin", "blob", "probe", "--set", "edge", "--add", &block])
    }

    /// Ends in order, with all frames accounted for.
    #[track_caller]
    fn end(mut self) -> (String, Events) {
        self.appliance.terminate();
        let status = self.appliance.wait();
        assert!(status.success(), "{status}: {}", self.appliance.stderr());
        conserved(&self.appliance.stdout());
        (self.appliance.stderr(), Events::read(&self.bench.path("eve.json")))
    }
}

#[test]
fn a_plugin_that_does_not_return_is_named_and_the_next_start_forwards_without_it() {
    let mut line = Line::new(Plan { words: "spin=worst", ..PLAN });
    line.until_said("plugin probe has not returned for ");
    line.is_out("stuck on worker 0", (1, 0));
    line.all_seen();
    assert_eq!(line.counter("ips.accepted"), FRAMES);
    let (said, events) = line.end();
    assert!(said.contains("on worker 0 (services.call-limit); weir starts anew without it"), "{said}");
    assert!(said.contains("forwarding again, "), "{said}");
    let stats = events.of("stats").last().copied().cloned().unwrap();
    assert_eq!(stats["stats"]["watchdog"]["restarts_stuck"], 1, "{stats}");
    assert_eq!(events.of("flow").len() as u64, FRAMES, "{said}");
}

#[test]
fn one_that_crashes_is_named_with_the_signal_whoever_turns_the_worker() {
    for (deed, signal, workers) in [
        ("crash", "SIGSEGV", 1),
        ("abort", "SIGABRT", 2),
        ("overflow", "SIGSEGV", 1),
        ("crash", "SIGSEGV", 0),
    ] {
        let mut line = Line::new(Plan { words: &format!("{deed}=worst"), workers, ..PLAN });
        line.until_said("plugin probe crashed on worker ");
        let said = line.appliance.stderr();
        let worker = if said.contains("plugin probe crashed on worker 0") { 0 } else { 1 };
        assert!(worker < workers.max(1), "{said}");
        line.is_out(&format!("crashed on worker {worker} ({signal})"), (0, 1));
        line.all_seen();
        assert_eq!(line.counter("ips.accepted"), FRAMES);
        let (said, events) = line.end();
        assert!(said.contains(&format!("{signal} at address")) && said.contains(", by "), "{said}");
        assert!(!events.of("stats").is_empty(), "{said}");
    }
}

#[test]
fn a_set_that_does_not_go_on_without_it_drops_until_it_is_put_back() {
    let mut line = Line::new(Plan { words: "crash=worst", on_fault: "drop", workers: 1 });
    line.is_out("crashed on worker 0 (SIGSEGV)", (0, 1));
    line.all_seen();
    assert_eq!((line.counter("ips.accepted"), line.counter("ips.drop_reason.plugin_out")), (0, FRAMES));
    let refused = line.blob("anything");
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("is out") && text.contains("plugin restart probe"), "{text}");

    line.ask(&["plugin", "restart", "probe"]);
    until("the new instance alone", || {
        let plugins = line.ask(&["plugin", "list"]);
        let states: Vec<_> = plugins.as_array()?.iter().map(|plugin| plugin["state"].clone()).collect();
        (states == ["running"]).then_some(())
    });
    assert_eq!(
        (line.counter("watchdog.plugins_left_out"), line.counter("watchdog.restarts_crashed")),
        (0, 1)
    );

    // Another fault: the process after that knows of both starts, and leaves it out once more.
    line.blob("crash");
    line.is_out("crashed on management (SIGSEGV)", (0, 2));
    line.end();
}

#[test]
fn what_was_committed_without_being_written_holds_on_over_it() {
    let bench = Bench::new();
    let outside = format!("net_pcap0,rx_pcap={},tx_pcap=/dev/null", capture(&bench));
    let text = config(&bench, PLAN, [outside, "net_null0,no-rx=1".into()]);
    let mut line = Line::with(bench, &format!("{text}\n[config]\nwrite-file = false\n"));
    line.all_seen();
    line.ask(&["config", "set", "timeouts.tcp-new=7s"]);
    line.ask(&["config", "commit"]);
    line.ask(&["config", "set", "timeouts.tcp-closing=9s"]);
    line.ask(&["config", "commit", "--confirm", "1h"]);
    let before = std::fs::read(line.bench.path("weir.toml")).unwrap();
    line.blob("crash");
    line.is_out("crashed on management (SIGSEGV)", (0, 1));
    let value = |line: &mut Line, key: &str| line.ask(&["config", "get", key])[0]["value"].clone();
    assert_eq!(value(&mut line, "timeouts.tcp-new"), "7s");
    assert_eq!(value(&mut line, "timeouts.tcp-closing"), "10s", "nobody had confirmed it");
    let history = line.ask(&["config", "revisions"]);
    assert_eq!((&history["current"], &history["goes_back"]), (&2.into(), &Value::Null), "{history}");
    line.until_said("revision 3 by root waited for a confirmation");
    assert_eq!(std::fs::read(line.bench.path("weir.toml")).unwrap(), before);

    // And once more, from what was taken up.
    line.ask(&["plugin", "restart", "probe"]);
    line.blob("crash");
    line.is_out("crashed on management (SIGSEGV)", (0, 2));
    assert_eq!(value(&mut line, "timeouts.tcp-new"), "7s");
    line.end();
}

#[test]
fn a_control_half_that_does_not_return_is_named_at_once_and_left_out_at_its_limit() {
    let mut line = Line::new(PLAN);
    line.all_seen();
    let process = line.appliance.id();
    line.blob("spin");
    line.until_said("plugin probe has been in one call on management for ");
    line.is_out("stuck on management", (1, 0));
    assert_eq!(line.appliance.id(), process);
    let (said, _) = line.end();
    assert!(said.contains("plugin probe has not returned for 1"), "{said}");
}

#[test]
fn a_stop_does_not_wait_for_ever_for_a_control_half() {
    let mut line = Line::new(PLAN);
    line.all_seen();
    line.bench.file("block", "spin");
    let block = line.bench.path("block").display().to_string();
    let mut asking = weir();
    asking.args(["ctl", "plugin", "blob", "probe", "--set", "edge", "--add", &block, "--socket"]);
    asking.arg(line.bench.path("weir.sock"));
    let _asking = Running::start(asking, &line.bench, "asking");
    line.until_said("plugin probe has been in one call on management for ");
    line.appliance.terminate();
    let status = line.appliance.wait();
    let said = line.appliance.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("on management (services.control-limit)") && said.contains("weir ends here"),
        "{said}"
    );
}

#[test]
fn a_crash_on_a_thread_of_the_plugins_own_is_told_by_its_code() {
    let mut line = Line::new(PLAN);
    line.blob("thread crash");
    line.is_out("crashed on a thread of its own (SIGSEGV)", (0, 1));
    line.end();
}

#[test]
fn a_plugin_that_cannot_even_begin_is_left_out() {
    for (deed, why, starts) in
        [("spin", "stuck on management", (1, 0)), ("crash", "crashed on management (SIGSEGV)", (0, 1))]
    {
        let mut line = Line::new(Plan { words: &format!("begin={deed}"), ..PLAN });
        line.is_out(why, starts);
        line.all_seen();
        assert_eq!(line.counter("ips.accepted"), FRAMES);
        let refused = until("a refusal", || {
            // It crashes again, or hangs: then there is no answer, and one more start.
            let output = line.attempt(&["plugin", "restart", "probe"]);
            (output.status.code() == Some(1)).then_some(output)
        });
        assert!(!refused.stderr.is_empty());
        line.is_out(why, (2 * starts.0, 2 * starts.1));
        line.end();
    }
}

#[test]
fn what_is_no_plugins_fault_ends_the_process_as_ever() {
    let mut line = Line::new(PLAN);
    line.all_seen();
    support::netns::tool(&format!("kill -ABRT {}", line.appliance.id()));
    let status = line.appliance.wait();
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    let said = line.appliance.stderr();
    assert_eq!(signal, Some(6), "{said}");
    assert!(!said.contains("anew") && !said.contains("outside of any plugin"), "somebody sent it: {said}");
}

#[test]
fn a_replay_names_it_writes_what_came_before_and_ends() {
    for (deed, why) in [("spin", "has not returned for "), ("crash", "crashed on worker 0: SIGSEGV")] {
        for workers in ["0", "2"] {
            let bench = Bench::new();
            let capture = capture(&bench);
            let plan = Plan { words: &format!("{deed}=worst"), ..PLAN };
            let config = bench.file("replay.toml", service(&bench, plan));
            let rules = "alert udp any any -> any 53 (msg:\"seen\"; content:\"day\"; sid:1;)";
            let text =
                std::fs::read_to_string(&config).unwrap().replace("[\"probe\"]", "[\"idp\", \"probe\"]");
            std::fs::write(&config, text).unwrap();
            let mut command = weir();
            command.args(["replay", "-r", &capture, "-S"]).arg(bench.file("r.rules", rules));
            command.args(["--workers", workers, "-l"]).arg(bench.path("log")).arg("-c").arg(&config);
            let mut replay = Running::start(command, &bench, "replay");
            let status = replay.wait();
            let said = replay.stderr();
            assert_eq!(status.code(), Some(1), "{said}");
            let why =
                if workers == "0" { why.to_owned() } else { why.replace(" on worker 0", " on worker ") };
            let lines: Vec<_> =
                said.lines().filter(|line| line.starts_with("error: plugin probe ")).collect();
            assert_eq!(lines.len(), 1, "{said}");
            let words: Vec<&str> = why.split(" on worker ").collect();
            assert!(words.iter().all(|word| lines[0].contains(word.trim_end_matches(" 0"))), "{said}");
            assert!(lines[0].contains("weir ends here"), "{said}");
            let alerts = Events::read(&bench.path("log/eve.json")).sids().len() as u64;
            assert!((1..FRAMES).contains(&alerts), "{alerts} alerts of what came before");
        }
    }
}

/// The longest time between two answers, of those that `ping -D` wrote down.
fn longest_gap(text: &str) -> Duration {
    let time = |line: &str| line.strip_prefix('[')?.split(']').next()?.parse::<f64>().ok();
    let times: Vec<f64> = text.lines().filter(|line| line.contains("bytes from")).filter_map(time).collect();
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    Duration::from_secs_f64(gap)
}

/// Above what is owed (named within 1 s, forwarding again within 2 s), for machines where others build and test too.
const SLACK: u32 = if cfg!(debug_assertions) { 5 } else { 2 };

#[test]
#[allow(clippy::disallowed_methods)] // it is the time that is tested
fn traffic_passes_again_within_two_seconds_and_the_name_is_known_within_one() {
    if support::netns::attempt("id -u").stdout.trim_ascii() != b"0" {
        println!("skipped: needs root");
        return;
    }
    for (deed, said) in [("spin", "plugin probe has not returned"), ("crash", "plugin probe crashed")] {
        let bench = Bench::new();
        let (client, server) = (Namespace::new('c', 1), Namespace::new('s', 2));
        let device = |n: u8, port: &str| format!("net_af_packet{n},iface={port},framesz=2048,blocksz=65536");
        let plan = Plan { words: &format!("{deed}=do-your-worst!!!"), ..PLAN };
        let text = config(&bench, plan, [device(0, &client.port), device(1, &server.port)]);
        let mut line = Line::with(bench, &text);
        line.ask(&["status"]);
        let to = &server.address;
        let steady = client.start(&format!("ping -D -O -i 0.02 {to}"), &line.bench, "steady");
        until("answers", || steady.stdout().contains("bytes from").then_some(()));

        for words in [
            &["rules", "set", "7", "drop", "--for", "1h"][..],
            &["mode", "tap", "--confirm", "1h"],
            &["pass", "add", "203.0.113.0/24", "--for", "1h", "--note", "ticket 7"],
        ] {
            line.ask(words);
        }
        let pattern: String = b"do-your-worst!!!".iter().map(|byte| format!("{byte:02x}")).collect();
        let began = Instant::now();
        client.attempt(&format!("ping -c 1 -W 0.05 -s 48 -p {pattern} {to}"));
        line.until_said(said);
        let named = began.elapsed();
        line.until_said("forwarding again");
        let answers = |text: &str| text.matches("bytes from").count();
        let before = answers(&steady.stdout());
        until("answers after it", || (answers(&steady.stdout()) > before + 20).then_some(()));
        let outage = longest_gap(&steady.stdout());
        println!("{deed}: named within {named:?}, longest gap between answers {outage:?}");
        assert!(named <= Duration::from_secs(1) * SLACK, "{named:?}");
        assert!(outage <= Duration::from_secs(2) * SLACK, "{outage:?}");
        let why = if deed == "spin" { "stuck on worker 0" } else { "crashed on worker 0 (SIGSEGV)" };
        line.is_out(why, if deed == "spin" { (1, 0) } else { (0, 1) });
        let answered = client.attempt(&format!("ping -c 1 -W 5 -s 48 -p {pattern} {to}"));
        assert!(answered.status.success(), "what it fell over passes now");
        // What operators had changed holds on.
        let rule = line.ask(&["rules", "overrides"])["overrides"][0].clone();
        assert_eq!((&rule["sid"], &rule["action"], &rule["by"]), (&7.into(), &"drop".into(), &"root".into()));
        assert!(rule["seconds_left"].as_u64() > Some(3000), "{rule}");
        let shown = |line: &mut Line, words: &[&str]| line.ask(words).to_string();
        let modes = shown(&mut line, &["mode"]);
        assert!(modes.contains("\"tap\"") && modes.contains("\"ips\""), "it still goes back: {modes}");
        assert!(shown(&mut line, &["pass", "list"]).contains("203.0.113.0/24"));
        drop(steady);
        line.end();
    }
}
