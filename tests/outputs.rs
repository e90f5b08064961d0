//! Outputs beside eve.json, from a capture: fast.log, further EVE outputs, and what the statistics say of each.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use support::{Bench, Events, Replayed, weir};

/// An alert a packet, whatever it is.
const RULES: &str = "alert ip any any -> any any (msg:\"any packet\"; sid:1; rev:2; priority:3;)\n";

fn replay(bench: &Bench, config: &str) -> Replayed {
    let config = bench.file("weir.toml", format!("profile = \"suricata\"\n{config}"));
    let arguments = ["-c", config.to_str().unwrap()];
    bench.replay(&PathBuf::from("conf/demo.pcap"), RULES, &arguments)
}

fn last_stats(events: &Events) -> serde_json::Value {
    events.of("stats").last().unwrap()["stats"]["output"].clone()
}

#[test]
fn fast_log_has_a_line_for_each_alert_of_eve_json_in_their_order() {
    let bench = Bench::new();
    let replayed = replay(&bench, "[outputs.fast]\nenabled = true\n").clean();
    let text = std::fs::read_to_string(bench.path("log/fast.log")).unwrap();
    let alerts = replayed.events.of("alert");
    assert!(alerts.len() > 3 && text.lines().count() == alerts.len(), "{text}");
    for (line, alert) in text.lines().zip(alerts) {
        let (day, rest) = line.split_once("  [**] [1:1:2] any packet [**] ").unwrap();
        let stamp = alert["timestamp"].as_str().unwrap();
        assert_eq!(&day[11..], &stamp[11..26], "{line}");
        assert!(rest.starts_with("[Classification: (null)] [Priority: 3] "), "{line}");
        if let Some(source) = alert["src_ip"].as_str() {
            let proto = alert["proto"].as_str().unwrap();
            assert!(rest.contains(&format!("{{{proto}}} {source}:")), "{line}");
        }
    }
    // Statistics are written before what came last.
    let stats = last_stats(&replayed.events);
    assert_eq!(stats["fast"]["lost"].as_u64(), Some(0), "{stats}");
    assert!(stats["fast"]["generated"].as_u64() <= Some(text.lines().count() as u64), "{stats}");
}

#[test]
fn each_eve_output_has_types_of_its_own_and_is_counted_by_itself() {
    let bench = Bench::new();
    let socket = bench.path("eve.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        listener.accept()?.0.read_to_string(&mut text).map(|_| text)
    });
    let config = format!(
        "[outputs.eve]\ntypes = [\"alert\", \"stats\"]\n\
         [[outputs.further-eve]]\nname = \"flows\"\nfile = \"flows.json\"\ntypes = [\"flow\"]\n\
         [[outputs.further-eve]]\nname = \"live\"\nto = \"unix-stream\"\nsocket = {socket:?}\ntypes = [\"alert\"]\n"
    );
    let replayed = replay(&bench, &config).clean();
    let events = &replayed.events;
    assert!(events.of("flow").is_empty() && !events.of("alert").is_empty());
    let flows = Events::read(&bench.path("log/flows.json"));
    assert!(!flows.of("flow").is_empty() && flows.of("alert").is_empty());
    let live = reading.join().unwrap().unwrap();
    let live: Vec<serde_json::Value> = live.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(live.iter().collect::<Vec<_>>(), events.of("alert"));
}

#[test]
fn lines_that_nobody_takes_are_counted_and_make_a_replay_fail() {
    let bench = Bench::new();
    let config = "[[outputs.further-eve]]\nname = \"nobody\"\nto = \"unix-dgram\"\nsocket = \"nobody.sock\"\ntypes = [\"flow\"]\n";
    let replayed = replay(&bench, config);
    let flows = replayed.events.of("flow").len();
    let said = replayed.stderr();
    assert!(
        flows > 0 && said.contains(&format!("output nobody: {flows} of {flows} lines were lost")),
        "{said}"
    );
    assert_eq!(replayed.code(), Some(1));
}

#[test]
fn what_cannot_be_opened_is_said_before_anything_starts() {
    let bench = Bench::new();
    let config =
        bench.file("weir.toml", "[outputs.fast]\nenabled = true\nfile = \"/nonexistent/fast.log\"\n");
    let mut command = weir();
    command.args(["replay", "-r", "conf/demo.pcap", "-c"]).arg(config).arg("-l").arg(bench.path("out"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("cannot write /nonexistent/fast.log"), "{said}");
}

#[test]
fn syslog_by_tcp_gets_each_alert_behind_its_length() {
    let bench = Bench::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        listener.accept()?.0.read_to_string(&mut text).map(|_| text)
    });
    let config = format!(
        "[outputs.eve]\ntypes = [\"alert\"]\n\
         [[outputs.further-eve]]\nname = \"siem\"\nto = \"syslog\"\nsyslog-server = \"tcp:{address}\"\ntypes = [\"alert\"]\n"
    );
    let replayed = replay(&bench, &config).clean();
    let text = reading.join().unwrap().unwrap();
    let (mut rest, mut alerts) = (text.as_str(), Vec::new());
    while let Some((length, more)) = rest.split_once(' ') {
        let (message, behind) = more.split_at(length.parse().unwrap());
        let (_, json) = message.split_once(" alert - ").unwrap();
        alerts.push(serde_json::from_str::<serde_json::Value>(json).unwrap());
        rest = behind;
    }
    assert!(rest.is_empty() && !alerts.is_empty());
    assert_eq!(alerts.iter().collect::<Vec<_>>(), replayed.events.of("alert"));
}
