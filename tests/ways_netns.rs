//! The appliance in the line between kernels, each way that they may be joined to it: af_packet and tap ports, IPv4 and IPv6, with a VLAN
//! and without. What is clean arrives byte for byte, and of an attack the peer's wire never has the end. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::Value;
use support::child::Running;
use support::line::may_run;
use support::netns::{Namespace, Tap};
use support::wait::until;
use support::{Bench, Events, conserved, weir};

const RULES: &str = r#"drop tcp any any -> any 9002 (flow:established,to_server; content:"evil-word"; sid:1;)
"#;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/peers.py");

fn config(bench: &Bench, devices: [String; 2], hold: &str) -> String {
    let folder = bench.path("").display().to_string();
    let port = |n: usize, name: &str| format!("[[port]]\nname = \"{name}\"\ndevice = \"{}\"\n", devices[n]);
    port(0, "client-side")
        + &port(1, "server-side")
        + &format!(
            "[[pair]]\nports = [\"client-side\", \"server-side\"]\nmode = \"ips\"\n\
             [eal]\nhugepages = false\nmemory = \"256MiB\"\n[lcores]\nworkers = 1\n\
             [pools]\nframes = 8191\ndata-room = 8192\n[sessions]\nsize = 4096\n[streams]\nout-of-order = \"{hold}\"\n\
             [rules]\nfiles = [\"{folder}line.rules\"]\n\
             [outputs]\ndirectory = \"{folder}\"\n[rpc]\nsocket = \"{folder}weir.sock\"\n"
        )
}

fn start(bench: &Bench, devices: [String; 2], hold: &str) -> Running {
    bench.file("line.rules", RULES);
    let mut command = weir();
    command.args(["run", "-c"]).arg(bench.file("weir.toml", config(bench, devices, hold)));
    let mut appliance = Running::start(command, bench, "appliance");
    until("the appliance to answer", || {
        assert!(appliance.ended().is_none(), "ended: {}", appliance.stderr());
        let status = weir().args(["ctl", "status", "--socket"]).arg(bench.path("weir.sock")).output();
        status.unwrap().status.success().then_some(())
    });
    appliance
}

/// Gives an end a tagged interface beside its own, with addresses of another network; false when the kernel has none.
fn tag(end: &Namespace, iface: &str, host: u8) -> bool {
    let made = end.attempt(&format!("ip link add link {iface} name tagged type vlan id 7"));
    if !made.status.success() {
        println!("skipped: no VLAN: {}", String::from_utf8_lossy(&made.stderr).trim());
        return false;
    }
    end.tool(&format!("ip addr add 10.78.0.{host}/24 dev tagged"));
    end.tool(&format!("ip addr add fd78::{host}/64 dev tagged nodad"));
    end.tool("ip link set tagged up");
    true
}

/// One client and one server, by that address.
fn talk(bench: &Bench, ends: [&Namespace; 2], address: &str, iface: &str) {
    let what = format!("{address} by {iface}");
    let name = format!("server-{}", address.replace(':', "."));
    let mut server = ends[1].start(&format!("python3 -u {PEERS} serve {address} {iface}"), bench, &name);
    until("the server to listen", || {
        assert!(server.ended().is_none(), "{what}: {}", server.stderr());
        server.stdout().contains("bound").then_some(())
    });
    let asked = ends[0].attempt(&format!("timeout 100 python3 {PEERS} ask {address}"));
    assert!(asked.status.success(), "{what}: {}", String::from_utf8_lossy(&asked.stderr));
    let client: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert!(server.wait().success(), "{what}: {}", server.stderr());
    let said = server.stdout();
    let server: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!((&client["sent"], &client["got"]), (&server["got"], &server["sent"]), "{what}");
    assert_eq!(client["right"], 201, "{what}: a session that lasts");
    assert_eq!((server["attack"].as_str(), &server["seen"]), (Some("an evil-"), &0.into()), "{what}");
}

fn all_ways(bench: &Bench, mut appliance: Running, ends: [&Namespace; 2], ifaces: [&str; 2]) {
    let mut ways = vec![(ends[1].address.as_str(), ifaces[1]), (ends[1].address_v6.as_str(), ifaces[1])];
    if tag(ends[0], ifaces[0], 1) && tag(ends[1], ifaces[1], 2) {
        ways.extend([("10.78.0.2", "tagged"), ("fd78::2", "tagged")]);
    }
    for &(address, iface) in &ways {
        talk(bench, ends, address, iface);
    }
    appliance.terminate();
    assert!(appliance.wait().success(), "{}", appliance.stderr());
    conserved(&appliance.stdout());
    let events = Events::read(&bench.path("eve.json"));
    assert_eq!(events.sids(), vec![1; ways.len()]);
    let vlans: Vec<_> = events.of("alert").iter().map(|alert| alert["vlan"].to_string()).collect();
    assert_eq!(vlans, ["null", "null", "[7]", "[7]"][..ways.len()]);
}

#[test]
fn over_packet_sockets_clean_traffic_arrives_and_no_end_of_an_attack() {
    if !may_run() {
        return;
    }
    for hold in ["forward", "hold"] {
        let bench = Bench::new();
        let ends = [Namespace::new('c', 1), Namespace::new('s', 2)];
        let device = |n: usize| format!("net_af_packet{n},iface={},framesz=8192,blocksz=65536", ends[n].port);
        let appliance = start(&bench, [device(0), device(1)], hold);
        all_ways(&bench, appliance, [&ends[0], &ends[1]], ["eth0", "eth0"]);
    }
}

#[test]
fn over_tap_ports_clean_traffic_arrives_and_no_end_of_an_attack() {
    if !may_run() || !std::path::Path::new("/dev/net/tun").exists() {
        println!("skipped: needs root and /dev/net/tun");
        return;
    }
    let bench = Bench::new();
    let taps = [Tap::new('c', 1), Tap::new('s', 2)];
    let device = |n: usize| format!("net_tap{n},iface={}", taps[n].0.port);
    let appliance = start(&bench, [device(0), device(1)], "forward");
    let [client, server] = taps.map(Tap::join);
    let ifaces = [client.port.clone(), server.port.clone()];
    all_ways(&bench, appliance, [&client, &server], [&ifaces[0], &ifaces[1]]);
}
