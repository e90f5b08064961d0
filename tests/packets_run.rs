//! `weir ctl capture` and `weir ctl trace` of a running appliance, over and over the same capture on virtual devices.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use pcap_parser::{Block, parse_pcapng};
use serde_json::Value;
use std::process::Output;
use support::child::Running;
use support::wait::until;
use support::{Bench, conserved, weir};

struct Line {
    appliance: Running,
    bench: Bench,
}

impl Line {
    fn new(workers: u8) -> Line {
        let bench = Bench::new();
        let demo = std::fs::read_to_string("conf/demo.toml").unwrap();
        let capture = std::fs::canonicalize("conf/demo.pcap").unwrap();
        let endless = format!("net_pcap0,rx_pcap={},infinite_rx=1", capture.display());
        let demo = demo.replace("net_pcap0,rx_pcap=conf/demo.pcap,tx_pcap=/dev/null", &endless);
        let demo = demo.replace("workers = 1", &format!("workers = {workers}"));
        let config = bench.file("demo.toml", demo);
        bench.file("demo.rules", std::fs::read("conf/demo.rules").unwrap());
        let mut command = weir();
        command.args(["run", "-c"]).arg(&config);
        for (key, value) in [("rpc.socket", "weir.sock"), ("outputs.directory", "out")] {
            command.arg("--set").arg(format!("{key}={:?}", bench.path(value).display().to_string()));
        }
        command.args(["--set", "outputs.eve.enabled=false"]);
        let appliance = Running::start(command, &bench, "appliance");
        let mut line = Line { appliance, bench };
        until("the appliance to answer", || {
            assert!(line.appliance.ended().is_none(), "ended: {}", line.appliance.stderr());
            line.ctl(&["status"]).status.success().then_some(())
        });
        line
    }

    fn ctl(&self, words: &[&str]) -> Output {
        weir().args(["ctl", "--socket"]).arg(self.bench.path("weir.sock")).args(words).output().unwrap()
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let output = self.ctl(&[&["--json"], words].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Bytes and comment of each packet that a capture wrote.
    #[track_caller]
    fn capture(&self, words: &[&str]) -> Vec<(Vec<u8>, String)> {
        let file = self.bench.path("shown.pcapng");
        let done = self.json(&[&["capture", "-w", file.to_str().unwrap()], words].concat());
        let bytes = std::fs::read(&file).unwrap();
        let (rest, capture) = parse_pcapng(&bytes).unwrap();
        assert!(rest.is_empty());
        let mut found = Vec::new();
        for block in capture.sections.iter().flat_map(|section| &section.blocks) {
            if let Block::EnhancedPacket(packet) = block {
                let comment = packet.options.iter().find(|option| option.code.0 == 1).unwrap();
                let comment = String::from_utf8_lossy(&comment.value).trim_end_matches('\0').to_owned();
                found.push((packet.data[..packet.caplen as usize].to_vec(), comment));
            }
        }
        assert_eq!(done["packets"].as_u64(), Some(found.len() as u64), "{done}");
        found
    }
}

#[test]
fn packets_of_a_live_port_are_captured_with_their_fate() {
    for workers in [0, 2] {
        let mut line = Line::new(workers);
        let dropped = line.capture(&["--dropped", "--count", "5"]);
        assert_eq!(dropped.len(), 5);
        for (_, comment) in &dropped {
            assert!(comment.starts_with("packet ") && comment.contains(": dropped: "), "{comment}");
        }
        let pings = line.capture(&["--count", "4", "--snaplen", "40", "icmp", "and", "len", "> 40"]);
        assert_eq!(pings.len(), 4);
        for (bytes, comment) in &pings {
            assert_eq!((bytes.len(), &bytes[12..14], bytes[23]), (40, &[8u8, 0][..], 1));
            assert!(comment.ends_with("sent to inside"), "{comment}");
        }
        assert_eq!(line.capture(&["--seconds", "1", "--", "host 192.0.2.77"]).len(), 0);

        let traced = line.json(&["trace", "--count", "3", "icmp"]);
        let packets = traced["packets"].as_array().unwrap();
        assert_eq!(packets.len(), 3, "{traced}");
        for packet in packets {
            let steps: Vec<&str> =
                packet["steps"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert!(
                steps[0].starts_with("received: port outside, ") && steps[0].contains("ICMP"),
                "{steps:?}"
            );
            assert!(steps.iter().any(|step| step.starts_with("session: ")), "{steps:?}");
            assert_eq!(steps.last(), Some(&"verdict: forward, to inside"));
        }
        let text = line.ctl(&["trace", "--count", "1", "udp or icmp"]);
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        assert!(text.starts_with("packet ") && text.contains("\n  received: "), "{text}");

        let kept = std::fs::read(line.bench.path("shown.pcapng")).unwrap();
        let wrong =
            line.ctl(&["capture", "-w", line.bench.path("shown.pcapng").to_str().unwrap(), "hots 1.2.3.4"]);
        let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert!(wrong.status.code() == Some(2) && said.contains("hots 1.2.3.4"), "{said}");
        assert_eq!(std::fs::read(line.bench.path("shown.pcapng")).unwrap(), kept, "the file is left alone");
        line.appliance.terminate();
        let status = line.appliance.wait();
        assert!(status.success(), "{status}: {}", line.appliance.stderr());
        assert!(conserved(&line.appliance.stdout()) > 100);
    }
}
