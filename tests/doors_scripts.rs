//! What scripts find at a running appliance: Suricata's commands, metrics, health, manual pages.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::json;
use std::net::TcpListener;
use support::doors::{Appliance, Suricatasc, get};
use support::metrics::check;
use support::wait::until;
use support::{Bench, weir};

/// conf/demo.pcap's.
const FRAMES: u64 = 22;

#[test]
fn suricatas_commands_ask_and_change_a_running_appliance() {
    let mut appliance = Appliance::start(Bench::new(), &["outputs.eve.flush-interval=20ms"]);
    let mut client = Suricatasc::new(&appliance);
    until("all frames of the capture", || {
        (client.done("dump-counters")["decoder"]["pkts"] == FRAMES).then_some(())
    });
    let names = client.done("iface-list");
    assert_eq!(names, json!({ "count": 2, "ifaces": ["outside", "inside"] }));
    let counts = client.say(&json!({ "command": "iface-stat", "arguments": { "iface": "outside" } }));
    assert_eq!(counts["message"], json!({ "pkts": FRAMES, "drop": 0 }));
    let id = appliance.json(&["sessions"])[0]["flow_id"].clone();
    let flow = client.say(&json!({ "command": "get-flow-stats-by-id", "arguments": { "flow_id": id } }));
    assert!(flow["message"]["pkts_toserver"].as_u64() > Some(0), "{flow}");

    assert_eq!(client.done("ruleset-stats")[0]["rules_loaded"], 2);
    let before = client.done("ruleset-reload-time")[0]["last_reload"].clone();
    assert_eq!(client.done("ruleset-reload-rules"), "done");
    assert_ne!(client.done("ruleset-reload-time")[0]["last_reload"], before);
    assert_eq!(appliance.json(&["status"])["generation"], 2);
    client.done("ruleset-reload-nonblocking");
    until("the reload beside", || (appliance.json(&["status"])["generation"] == 3).then_some(()));

    let eve = appliance.bench.path("out/eve.json");
    std::fs::rename(&eve, appliance.bench.path("out/moved.json")).unwrap();
    assert_eq!(client.done("reopen-log-files"), "done");
    until("a new file", || eve.exists().then_some(()));

    client.done("shutdown");
    appliance.ended();
}

#[test]
fn rules_that_were_refused_are_listed_with_file_and_line() {
    let bench = Bench::new();
    let rules = "alert tcp any any -> any any (sid:1;)\nalert tpc any any -> any any (msg:\"m\"; sid:2;)\n";
    let rules = bench.file("some.rules", rules).display().to_string();
    let appliance = Appliance::start(bench, &[&format!("rules.files=[{rules:?}]")]);
    let mut client = Suricatasc::new(&appliance);
    let failed = client.done("ruleset-failed-rules");
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed}");
    assert!(failed[0]["filename"] == rules && failed[0]["line"] == 2, "{failed}");
    assert!(failed[0]["rule"].as_str().unwrap().contains("alert tpc"), "{failed}");
    assert!(!failed[0]["error"].as_str().unwrap().is_empty());
    assert_eq!(check(&get(appliance.http(), "/metrics").1)["weir_rules{state=\"refused\"}"], "1");
    appliance.end();
}

#[test]
fn metrics_are_the_counters_under_names_of_prometheus() {
    let appliance = Appliance::start(Bench::new(), &[]);
    until("all frames of the capture", || {
        (appliance.json(&["counters"])["decoder.pkts"] == FRAMES).then_some(())
    });
    let samples = check(&get(appliance.http(), "/metrics").1);
    let strange: Vec<_> = samples.keys().filter(|name| name.starts_with("weir_counter")).collect();
    assert!(strange.is_empty(), "give these a family in http/families.rs: {strange:?}");
    let counters = appliance.json(&["counters"]);
    for (counter, sample) in [
        ("decoder.pkts", "weir_received_frames_total"),
        ("decoder.tcp", "weir_decoded_packets_total{protocol=\"tcp\"}"),
        ("ips.accepted", "weir_transmitted_frames_total"),
        ("ips.drop_reason.rules", "weir_dropped_frames_total{reason=\"rules\"}"),
        (
            "ips.drop_reason.rules",
            "weir_port_dropped_frames_total{reason=\"rules\",port=\"outside\",lcore=\"worker 0\"}",
        ),
        ("port.outside.rx_packets", "weir_port_received_packets_total{port=\"outside\"}"),
        ("port.outside.rx_missed", "weir_port_lost_packets_total{port=\"outside\",reason=\"rx_missed\"}"),
        ("output.eve.lost", "weir_output_lost_lines_total{output=\"eve\"}"),
        ("plugin.idp.packets", "weir_plugin_packets_total{plugin=\"idp\"}"),
        ("flow.active", "weir_sessions"),
    ] {
        assert_eq!(Some(&counters[counter].to_string()), samples.get(sample), "{counter} and {sample}");
    }
    let status = appliance.json(&["status"]);
    for (sample, value) in [
        ("weir_ready", "1"),
        ("weir_rules_generation", "1"),
        ("weir_lcore_rules_generation{lcore=\"worker 0\"}", "1"),
        ("weir_pair_mode{pair=\"outside,inside\",mode=\"ips\"}", "1"),
        ("weir_port_up{port=\"inside\"}", "1"),
        ("weir_lcore_up{lcore=\"worker 0\"}", "1"),
        ("weir_rules{state=\"loaded\"}", "2"),
    ] {
        assert_eq!(samples.get(sample).map(String::as_str), Some(value), "{sample}: {status}");
    }
    let used: f64 = samples["weir_memory_used_bytes{part=\"streams\"}"].parse().unwrap();
    let limit: f64 = samples["weir_memory_limit_bytes{part=\"streams\"}"].parse().unwrap();
    assert!(used < limit && limit == 32.0 * 1024.0 * 1024.0, "{used} of {limit}");
    let build = format!("weir_build_info{{version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(samples.keys().any(|name| name.starts_with(&build)));
    assert_eq!(get(appliance.http(), "/healthz"), (200, "ok\n".into()));
    appliance.end();
}

/// The default port, which nobody chose, is no reason not to forward.
#[test]
fn who_finds_the_default_port_taken_runs_without_http() {
    // Another test's appliance may have it for a while.
    let _held = until("the default port", || TcpListener::bind("127.0.0.1:9690").ok());
    let bench = Bench::new();
    let mut command = weir();
    command.args(["run", "-c", "conf/demo.toml"]);
    for (key, name) in [("outputs.directory", "out"), ("rpc.socket", "weir.sock")] {
        command.arg("--set").arg(format!("{key}={}", bench.path(name).display()));
    }
    let mut running = support::child::Running::start(command, &bench, "appliance");
    until("the appliance to run", || {
        assert!(running.ended().is_none(), "ended: {}", running.stderr());
        running.stderr().contains("running with 2 ports").then_some(())
    });
    let log = running.stderr();
    assert!(log.contains("somebody else has 127.0.0.1:9690") && log.contains("http.listen"), "{log}");
    running.terminate();
    assert!(running.wait().success());
}

#[test]
fn every_command_has_a_manual_page() {
    let bench = Bench::new();
    let folder = bench.path("man");
    let output = weir().arg("man").arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for page in ["weir.1", "weir-run.1", "weir-ctl.1", "weir-ctl-status.1", "weir-rules-check.1"] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{page}");
    }
    let taken = bench.file("file", "");
    let refused = weir().arg("man").arg(&taken).output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && text.contains("name another folder"), "{text}");
}
