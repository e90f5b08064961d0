//! One percent of the frames lost on their way to the appliance: TCP keeps its rate, for segments behind a gap go on at once. Needs
//! root, for namespaces, and iperf3.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::Bench;
use support::child::Running;
use support::line::may_run;
use support::netns::{Namespace, attempt, tool};
use support::wait::until;
use support::{conserved, weir};

/// A classic BPF program that takes every frame, and one that takes 99 of a hundred (`SKF_AD_RANDOM`): `tc`'s netem is not on every
/// kernel.
const ALL: &str = "1,6 0 0 4294967295";
const MOST: &str = "4,32 0 0 4294963256,53 1 0 4252017623,6 0 0 4294967295,6 0 0 0";

/// What comes in by one device leaves by another, as far as the program takes it.
fn patch(from: &str, to: &str, program: &str) {
    tool(&format!("tc qdisc add dev {from} clsact"));
    let mut filter = std::process::Command::new("tc");
    filter.args(["filter", "add", "dev", from, "ingress", "bpf", "bytecode", program]);
    let output = filter.args(["action", "mirred", "egress", "redirect", "dev", to]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A pair of devices between the client and the port, on which frames are lost.
struct Way {
    near: String,
    port: String,
}

impl Way {
    fn new(client: &Namespace) -> Way {
        let way = Way { near: format!("l{}", client.port), port: format!("k{}", client.port) };
        tool(&format!("ip link add {} type veth peer name {}", way.near, way.port));
        for end in [&way.near, &way.port] {
            let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
            tool(&format!("ip link set {end} mtu 1500 up"));
            tool(&format!("ethtool -K {end} tx off rx off tso off gso off gro off"));
        }
        patch(&client.port, &way.near, MOST);
        patch(&way.near, &client.port, ALL);
        way
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        attempt(&format!("ip link del {}", self.near));
    }
}

/// Megabits a second that arrive, and segments sent again.
fn rate(client: &Namespace, server: &Namespace, bench: &Bench) -> (f64, u64) {
    let _server = server.start("iperf3 -s -1", bench, "iperf3");
    until("the server to listen", || {
        (!server.tool("ss -Hltn sport = :5201").stdout.is_empty()).then_some(())
    });
    let done = client.attempt(&format!("iperf3 -J -t 2 -c {}", server.address));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let bits = report["end"]["sum_received"]["bits_per_second"].as_f64();
    let again = report["end"]["sum_sent"]["retransmits"].as_u64();
    (bits.unwrap_or_else(|| panic!("iperf3 reports no rate: {report}")) / 1e6, again.unwrap_or_default())
}

fn config(bench: &Bench, way: &Way, server: &Namespace) -> String {
    let folder = bench.path("").display().to_string();
    let port = |n: u8, name: &str, iface: &str| {
        format!(
            "[[port]]\nname = \"{name}\"\ndevice = \"net_af_packet{n},iface={iface},framesz=2048,blocksz=65536\"\n\n"
        )
    };
    port(0, "client-side", &way.port)
        + &port(1, "server-side", &server.port)
        + &format!(
            "[[pair]]\nports = [\"client-side\", \"server-side\"]\nmode = \"ips\"\n\n\
             [eal]\nhugepages = false\nmemory = \"256MiB\"\n\n[pools]\nframes = 8191\n\n[sessions]\nsize = 4096\n\n\
             [rules]\nfiles = [\"{folder}line.rules\"]\n\n[outputs]\ndirectory = \"{folder}\"\n\n\
             [rpc]\nsocket = \"{folder}weir.sock\"\n"
        )
}

const TRIES: usize = 4;

#[test]
fn with_one_percent_of_loss_tcp_keeps_four_fifths_of_its_rate() {
    if !may_run() || attempt("which iperf3 tc").stdout.split(|b| *b == b'\n').count() < 3 {
        println!("skipped: needs root, iperf3 and tc");
        return;
    }
    let bench = Bench::new();
    bench.file(
        "line.rules",
        "drop tcp any any -> any any (msg:\"never\"; content:\"no iperf3 sends this\"; sid:1;)\n",
    );
    let (client, server) = (Namespace::new('c', 1), Namespace::new('s', 2));
    let way = Way::new(&client);
    // Slow enough that neither this machine nor a debug build is what bounds it.
    client.tool("tc qdisc add dev eth0 root tbf rate 8mbit burst 32kbit latency 50ms");
    patch(&way.port, &server.port, ALL);
    patch(&server.port, &way.port, ALL);
    let (without, lost) = rate(&client, &server, &bench);
    assert!(lost > 10, "{lost} segments sent again: nothing was lost");
    for port in [&way.port, &server.port] {
        tool(&format!("tc qdisc del dev {port} clsact"));
    }
    let mut command = weir();
    command.args(["run", "-c"]).arg(bench.file("weir.toml", config(&bench, &way, &server)));
    let mut appliance = Running::start(command, &bench, "appliance");
    until("the appliance to forward", || {
        assert!(appliance.ended().is_none(), "ended: {}", appliance.stderr());
        client.attempt(&format!("ping -c 1 -W 1 {}", server.address)).status.success().then_some(())
    });
    // Other work on the machine makes a way longer, and with it what a loss costs: one run of some must do.
    let kept = (0..TRIES).any(|_| {
        let (with, again) = rate(&client, &server, &bench);
        println!("{without:.1} Mbit/s without weir ({lost} sent again), {with:.1} with it ({again})");
        with >= 0.8 * without
    });
    assert!(kept, "less than 0.8 of {without:.1} Mbit/s in {TRIES} runs");
    appliance.terminate();
    let status = appliance.wait();
    assert!(status.success(), "{status}: {}", appliance.stderr());
    conserved(&appliance.stdout());
}
