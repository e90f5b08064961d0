//! Tunnels that the kernel makes between two network namespaces, with the appliance in the line between them. Needs root, and a
//! kernel with the tunnel at hand; says what is skipped.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use serde_json::json;
use support::child::Running;
use support::netns::{Namespace, attempt};
use support::wait::until;
use support::{Bench, Events, conserved, weir};

/// The second one needs all pieces of the inner datagram.
const RULES: &str = r#"drop icmp any any -> 10.88.0.2 any (itype:8; content:"|be ef be ef|"; sid:1;)
alert icmp any any -> 10.88.0.2 any (itype:8; dsize:>2500; sid:2;)
"#;

fn config(bench: &Bench, ends: [&Namespace; 2]) -> String {
    let folder = bench.path("").display().to_string();
    let port = |n: usize, name: &str| {
        let iface = &ends[n].port;
        format!(
            "[[port]]\nname = \"{name}\"\ndevice = \"net_af_packet{n},iface={iface},framesz=8192,blocksz=65536\"\n"
        )
    };
    port(0, "client-side")
        + &port(1, "server-side")
        + &format!(
            "[[pair]]\nports = [\"client-side\", \"server-side\"]\nmode = \"ips\"\n\
             [eal]\nhugepages = false\nmemory = \"256MiB\"\n[lcores]\nworkers = 2\n\
             [pools]\nframes = 8191\ndata-room = 8192\n[sessions]\nsize = 4096\n\
             [rules]\nfiles = [\"{folder}line.rules\"]\n\
             [outputs]\ndirectory = \"{folder}\"\n[rpc]\nsocket = \"{folder}weir.sock\"\n"
        )
}

/// Gives both ends a tunnel device to each other; false when the kernel cannot.
fn tunnel(ends: [&Namespace; 2], kind: &str) -> bool {
    (0..2).all(|own| {
        let (local, remote) = (&ends[own].address, &ends[1 - own].address);
        let kind = kind.replace("LOCAL", local).replace("REMOTE", remote);
        let made = ends[own].attempt(&format!("ip link add tun0 type {kind}"));
        if !made.status.success() {
            println!("skipped: ip link add type {kind}: {}", String::from_utf8_lossy(&made.stderr).trim());
            return false;
        }
        ends[own].tool(&format!("ip addr add 10.88.0.{}/24 dev tun0", own + 1));
        ends[own].tool("ip link set tun0 mtu 1400 up");
        true
    })
}

/// Pings through the tunnel: small ones, ones whose datagrams the kernel cuts within the tunnel, and ones that are dropped.
fn pings_through(kind: &str, source: &str, proto: &str) {
    if attempt("id -u").stdout.trim_ascii() != b"0" {
        return println!("skipped: needs root");
    }
    let bench = Bench::new();
    bench.file("line.rules", RULES);
    let (client, server) = (Namespace::new('c', 1), Namespace::new('s', 2));
    if !tunnel([&client, &server], kind) {
        return;
    }
    let mut command = weir();
    command.args(["run", "-c"]).arg(bench.file("weir.toml", config(&bench, [&client, &server])));
    let mut appliance = Running::start(command, &bench, "appliance");
    until("the appliance to answer", || {
        assert!(appliance.ended().is_none(), "ended: {}", appliance.stderr());
        let status = weir().args(["ctl", "status", "--socket"]).arg(bench.path("weir.sock")).output();
        status.unwrap().status.success().then_some(())
    });
    let ping = |words: &str| client.attempt(&format!("ping -i 0.05 {words} 10.88.0.2"));
    for size in [56, 3000] {
        let output = ping(&format!("-c 5 -W 5 -s {size}"));
        assert!(output.status.success(), "{size}: {}", String::from_utf8_lossy(&output.stdout));
    }
    for size in [56, 3000] {
        let output = ping(&format!("-c 2 -W 1 -p beef -s {size}"));
        assert!(!output.status.success(), "{size}: {}", String::from_utf8_lossy(&output.stdout));
    }
    appliance.terminate();
    let status = appliance.wait();
    assert!(status.success(), "{status}: {}", appliance.stderr());
    assert!(conserved(&appliance.stdout()) > 40);
    let events = Events::read(&bench.path("eve.json"));
    let count = |sid: u64| events.sids().into_iter().filter(|found| *found == sid).count();
    assert!(count(2) >= 5, "the pieces are put together: {:?}", events.sids());
    assert!(count(1) >= 2, "{:?}", events.sids());
    for alert in events.of("alert") {
        assert_eq!((&alert["pkt_src"], &alert["src_ip"]), (&json!(source), &json!("10.88.0.1")), "{alert}");
        let around = &alert["tunnel"];
        let ends = [&around["src_ip"], &around["dest_ip"], &around["proto"]];
        assert_eq!(ends, [&json!(client.address), &json!(server.address), &json!(proto)], "{alert}");
    }
}

#[test]
fn vxlan_of_the_kernel() {
    pings_through(
        "vxlan id 42 dstport 4789 local LOCAL remote REMOTE dev eth0",
        "vxlan encapsulation",
        "UDP",
    );
}

#[test]
fn gre_of_the_kernel() {
    pings_through("gre local LOCAL remote REMOTE", "gre tunnel", "GRE");
}

#[test]
fn bridged_gre_of_the_kernel() {
    pings_through("gretap local LOCAL remote REMOTE", "gre tunnel", "GRE");
}

#[test]
fn ip_in_ip_of_the_kernel() {
    pings_through("ipip local LOCAL remote REMOTE", "ipv4 tunnel", "IP-in-IP");
}

#[test]
fn geneve_of_the_kernel() {
    pings_through("geneve id 42 remote REMOTE", "geneve encapsulation", "UDP");
}
