//! Segments that are damaged on purpose: what nobody gets must not stand before the rules in the place of what comes behind it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use std::net::SocketAddr;
use support::child::Running;
use support::wait::until;
use support::{Bench, Events, Replayed, ethernet, v4, v6, weir};
use weir::base::Dir::ToServer;
use weir::wire::build::TcpConversation;

const RULES: &str = "drop http any any -> any any (flow:established,to_server; http.uri; content:\"/forbidden\"; sid:1;)\n\
    alert tcp any any -> any 80 (tcpv4-csum:invalid; sid:2;)\n";
const INNOCENT: &[u8] = b"GET /index.html HTTP/1.1\r\n\r\n";
const FORBIDDEN: &[u8] = b"GET /forbidden1 HTTP/1.1\r\n\r\n";

type Damage = fn(&mut [u8]);

/// Of the segment; of IPv4's header.
const DAMAGES: [Damage; 2] = [|packet| *packet.last_mut().unwrap() ^= 1, |packet| packet[4] ^= 1];

/// The damaged segment is the fourth packet, what comes in its place the fifth.
fn inserted(client: SocketAddr, server: SocketAddr, damage: Damage) -> Vec<Vec<u8>> {
    let mut talk = TcpConversation::new(client, server, 7);
    talk.handshake();
    let mut damaged = talk.segment(ToServer, 0, INNOCENT);
    damage(&mut damaged);
    talk.packets.push(damaged);
    let true_one = talk.segment(ToServer, 0, FORBIDDEN);
    talk.packets.push(true_one);
    talk.packets
}

fn replay(packets: Vec<Vec<u8>>, more: &[&str]) -> Replayed {
    let bench = Bench::new();
    let path = bench.capture(&ethernet(packets));
    bench.replay(&path, RULES, more).clean()
}

/// Reasons, in order.
fn drops(events: &Events) -> Vec<String> {
    events.of("drop").into_iter().map(|e| e["drop"]["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_damaged_hides_nothing_that_comes_in_its_place() {
    for ways in [&["-k", "all"][..], &["--set", "streams.checksum-validation=true"]] {
        for damage in DAMAGES {
            let packets = inserted(v4(1, 4000), v4(2, 80), damage);
            let beside = replay(packets.clone(), ways);
            assert!(beside.events.sids().contains(&1), "{ways:?}");
            let within = replay(packets, &[ways, &["--simulate-ips"]].concat());
            assert_eq!(drops(&within.events), ["tcp_checksum", "rules"], "{ways:?}");
        }
    }
    let six = replay(inserted(v6(1, 4000), v6(2, 80), DAMAGES[0]), &["-k", "all", "--simulate-ips"]);
    assert_eq!(drops(&six.events), ["tcp_checksum", "rules"]);
}

#[test]
fn rules_see_a_damaged_packet_all_the_same() {
    let replayed = replay(inserted(v4(1, 4000), v4(2, 80), DAMAGES[0]), &["-k", "all"]);
    assert_eq!(replayed.events.sids().into_iter().filter(|sid| *sid == 2).count(), 1);
}

#[test]
fn a_replay_takes_checksums_as_they_are_unless_it_is_asked() {
    for ways in [&[][..], &["-k", "none"], &["-k", "none", "--set", "streams.checksum-validation=true"]] {
        let ways = [ways, &["--simulate-ips"]].concat();
        let replayed = replay(inserted(v4(1, 4000), v4(2, 80), DAMAGES[0]), &ways);
        assert!(drops(&replayed.events).iter().all(|reason| reason != "tcp_checksum"), "{ways:?}");
    }
}

/// `weir run` over a capture on virtual devices, with its defaults.
struct Live {
    appliance: Running,
    bench: Bench,
}

impl Live {
    fn new(packets: Vec<Vec<u8>>) -> Live {
        let bench = Bench::new();
        let capture = bench.capture(&ethernet(packets));
        let demo = std::fs::read_to_string("conf/demo.toml").unwrap();
        let config = demo.replace("conf/demo.pcap", &capture.display().to_string());
        let config = bench.file("demo.toml", config);
        bench.file("demo.rules", RULES);
        let mut command = weir();
        command.args(["run", "-c"]).arg(&config);
        for (key, value) in [("rpc.socket", "weir.sock"), ("outputs.directory", "out")] {
            command.arg("--set").arg(format!("{key}={:?}", bench.path(value).display().to_string()));
        }
        Live { appliance: Running::start(command, &bench, "appliance"), bench }
    }

    /// `None` until it answers.
    fn counters(&mut self) -> Option<Value> {
        assert!(self.appliance.ended().is_none(), "ended: {}", self.appliance.stderr());
        let mut command = weir();
        command.args(["ctl", "counters", "--json", "--socket"]).arg(self.bench.path("weir.sock"));
        serde_json::from_slice(&command.output().unwrap().stdout).ok()
    }

    /// Once that many packets have come.
    fn after(&mut self, packets: u64) -> Value {
        until("all packets", || self.counters().filter(|c| c["decoder.pkts"].as_u64() == Some(packets)))
    }

    fn end(mut self) -> (Events, String) {
        self.appliance.terminate();
        assert!(self.appliance.wait().success(), "{}", self.appliance.stderr());
        (Events::read(&self.bench.path("out/eve.json")), self.appliance.stderr())
    }
}

/// A session that brings a port through its trial.
fn talkative() -> Vec<Vec<u8>> {
    let mut talk = TcpConversation::new(v4(3, 4000), v4(4, 9000), 3);
    talk.handshake().send(ToServer, &[b'.'; 2000], 10);
    talk.packets
}

#[test]
fn a_port_whose_checksums_are_right_has_damaged_segments_dropped() {
    let packets = [talkative(), inserted(v4(1, 4000), v4(2, 80), DAMAGES[0])].concat();
    let count = packets.len() as u64;
    let mut live = Live::new(packets);
    let counters = live.after(count);
    assert_eq!(
        (&counters["tcp.invalid_checksum"], &counters["tcp.checksum_untrusted"]),
        (&1.into(), &0.into())
    );
    let (events, _) = live.end();
    assert_eq!(drops(&events), ["tcp_checksum", "rules"]);
}

#[test]
fn a_port_whose_hosts_compute_none_is_inspected_all_the_same() {
    let mut packets = [talkative(), inserted(v4(1, 4000), v4(2, 80), DAMAGES[0])].concat();
    packets.iter_mut().for_each(|packet| packet[20 + 16..20 + 18].fill(0x55));
    // Nobody can tell any more which of the two was damaged.
    let count = packets.len() as u64;
    let mut live = Live::new(packets);
    live.after(count);
    until("the log to say so", || {
        live.appliance.stderr().contains("streams.checksum-validation:").then_some(())
    });
    let counters = live.counters().unwrap();
    assert_eq!(
        (&counters["tcp.invalid_checksum"], &counters["tcp.checksum_untrusted"]),
        (&0.into(), &1.into())
    );
    let (events, _) = live.end();
    assert_eq!(drops(&events), ["stream_invalid"], "the second of two different segments");
}
