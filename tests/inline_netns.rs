//! The appliance in the line between two network namespaces, over `net_af_packet`: traffic passes, an attack does not.
//! Needs root, for namespaces and packet sockets.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::path::Path;
use std::process::Output;
use support::child::Running;
use support::netns::Namespace;
use support::wait::until;
use support::{Bench, Events, conserved, weir};

const RULES: &str = r#"drop tcp any any -> any 8080 (msg:"forbidden file"; flow:established,to_server; content:"GET /forbidden"; sid:1; rev:2;)
rejectboth tcp any any -> any 8080 (msg:"refused file"; flow:established,to_server; content:"GET /refused"; sid:4;)
reject udp any any -> any 9999 (msg:"refused port"; sid:5;)
alert ip any any -> any any (msg:"large echo"; ip_proto:1; itype:8; dsize:>3000; sid:2;)
alert ip any any -> any any (msg:"large echo"; ip_proto:58; itype:128; dsize:>3000; sid:3;)
"#;

/// Two namespaces with the appliance between them.
struct Line {
    // Dropped in this order: the appliance lets go of the ports first.
    appliance: Running,
    client: Namespace,
    server: Namespace,
    bench: Bench,
}

fn is_root() -> bool {
    let output = support::netns::attempt("id -u");
    output.stdout.trim_ascii() == b"0"
}

/// The kernel puts IPv4 fragments together before this driver sees them, so its frames must have room for the whole.
fn config(bench: &Bench, client: &Namespace, server: &Namespace, workers: u8) -> String {
    let folder = bench.path("").display().to_string();
    format!(
        r#"
[eal]
hugepages = false
memory = "256MiB"

[[port]]
name = "client-side"
device = "net_af_packet0,iface={},framesz=8192,blocksz=65536"

[[port]]
name = "server-side"
device = "net_af_packet1,iface={},framesz=8192,blocksz=65536"

[[pair]]
ports = ["client-side", "server-side"]
mode = "ips"

[lcores]
workers = {workers}

[pools]
frames = 8191
data-room = 8192

[sessions]
size = 4096

[rules]
files = ["{folder}/line.rules"]

[outputs]
directory = "{folder}"

[outputs.eve]
flush-interval = "50ms"
stats-interval = "1s"

[rpc]
socket = "{folder}/weir.sock"
"#,
        client.port, server.port
    )
}

impl Line {
    fn new(workers: u8) -> Line {
        let bench = Bench::new();
        bench.file("line.rules", RULES);
        let (client, server) = (Namespace::new('c', 1), Namespace::new('s', 2));
        let config = bench.file("weir.toml", config(&bench, &client, &server, workers));
        let mut command = weir();
        command.args(["run", "-c"]).arg(config);
        let appliance = Running::start(command, &bench, "appliance");
        let mut line = Line { appliance, client, server, bench };
        until("the appliance to answer", || line.is_up().then_some(()));
        line
    }

    fn is_up(&mut self) -> bool {
        assert!(self.appliance.ended().is_none(), "ended: {}", self.appliance.stderr());
        let mut command = weir();
        command.args(["ctl", "status", "--socket"]).arg(self.bench.path("weir.sock"));
        command.output().unwrap().status.success()
    }

    fn curl(&self, path: &str, seconds: u8) -> Output {
        let address = &self.server.address;
        self.client.attempt(&format!("curl -sS --max-time {seconds} http://{address}:8080/{path}"))
    }

    fn eve(&self) -> Events {
        Events::read(&self.bench.path("eve.json"))
    }

    /// A web server over files of the test.
    fn serve_files(&self) -> Running {
        let big: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        self.bench.file("www/big", big);
        self.bench.file("www/index", "welcome");
        self.bench.file("www/forbidden", "secret");
        self.bench.file("www/refused", "secret");
        let folder = self.bench.path("www").display().to_string();
        let line = format!("python3 -m http.server 8080 --bind 0.0.0.0 --directory {folder}");
        let server = self.server.start(&line, &self.bench, "http");
        self.listening(8080);
        server
    }

    fn listening(&self, port: u16) {
        until("the server to listen", || {
            let sockets = self.server.tool(&format!("ss -Hltn sport = :{port}"));
            (!sockets.stdout.is_empty()).then_some(())
        });
    }

    /// Ends the appliance: exit code 0 and no frame missing.
    #[track_caller]
    fn end(mut self) -> (Events, u64) {
        self.appliance.terminate();
        let status = self.appliance.wait();
        assert!(status.success(), "{status}: {}", self.appliance.stderr());
        (self.eve(), conserved(&self.appliance.stdout()))
    }
}

/// False says why nothing is tested.
fn may_run() -> bool {
    let root = is_root();
    if !root {
        println!("skipped: needs root");
    }
    root
}

#[track_caller]
fn succeeded(what: &str, output: &Output) {
    let text = [&output.stdout[..], &output.stderr].concat();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&text));
}

#[test]
fn pings_pass_also_those_that_come_in_fragments() {
    if !may_run() {
        return;
    }
    let line = Line::new(2);
    for (address, family) in [(&line.server.address, "-4"), (&line.server.address_v6, "-6")] {
        for size in [56, 4000] {
            let ping = line.client.attempt(&format!("ping {family} -c 5 -i 0.05 -W 5 -s {size} {address}"));
            succeeded(&format!("ping {family} -s {size}"), &ping);
        }
    }
    let (events, frames) = line.end();
    assert!(frames >= 50, "{frames}");
    let large: Vec<_> = events.of("alert").into_iter().filter(|e| e["alert"]["signature_id"] != 1).collect();
    let versions: Vec<_> = large.iter().map(|e| e["ip_v"].as_u64().unwrap()).collect();
    assert_eq!(versions, [4, 4, 4, 4, 4, 6, 6, 6, 6, 6], "each request is inspected whole");
    assert!(large.iter().all(|e| e["alert"]["action"] == "allowed" && e["in_iface"] == "client-side"));
    let stats = &events.of("stats").last().copied().cloned().unwrap_or_default()["stats"];
    // The kernel rebuilds those of IPv4 before we see them.
    assert_eq!(stats["defrag"]["reassembled"].as_u64(), Some(10), "{stats}");
}

#[test]
fn a_drop_rule_stops_one_request_and_no_other() {
    if !may_run() {
        return;
    }
    let line = Line::new(1);
    let _server = line.serve_files();
    let welcome = line.curl("index", 10);
    succeeded("the first request", &welcome);
    assert_eq!(welcome.stdout, b"welcome");
    let big = line.curl("big", 10);
    assert_eq!(Some(big.stdout), std::fs::read(line.bench.path("www/big")).ok(), "every byte passes");

    let forbidden = line.curl("forbidden", 2);
    let timed_out = Some(28);
    assert_eq!(forbidden.status.code(), timed_out, "{}", String::from_utf8_lossy(&forbidden.stderr));
    assert!(forbidden.stdout.is_empty());
    succeeded("the request after it", &line.curl("index", 10));

    until("the records of the drop", || {
        let eve = line.eve();
        (!eve.of("alert").is_empty() && !eve.of("drop").is_empty()).then_some(())
    });
    let (client, server) = (line.client.address.clone(), line.server.address.clone());
    let (events, _) = line.end();
    let alerts = events.of("alert");
    assert_eq!(events.sids(), [1], "one alert for the request, none for what follows it");
    let alert = alerts[0];
    assert_eq!(
        (alert["alert"]["action"].as_str(), alert["alert"]["rev"].as_u64()),
        (Some("blocked"), Some(2))
    );
    assert_eq!((alert["src_ip"].as_str(), alert["dest_ip"].as_str()), (Some(&*client), Some(&*server)));
    assert_eq!(alert["dest_port"].as_u64(), Some(8080));
    let reasons: Vec<_> = events.of("drop").iter().map(|d| d["drop"]["reason"].to_string()).collect();
    assert!(reasons.contains(&"\"rules\"".to_owned()), "{reasons:?}");
    assert!(reasons.contains(&"\"flow_drop\"".to_owned()), "retransmissions stay here too: {reasons:?}");
}

/// A reset comes at once: the client need not wait for a time-out.
const AT_ONCE: f64 = 0.05;

#[test]
fn a_reject_rule_resets_both_ends_at_once() {
    if !may_run() {
        return;
    }
    for workers in [0, 1] {
        let line = Line::new(workers);
        let _server = line.serve_files();
        let (folder, v6) = (line.bench.path("www"), &line.server.address_v6);
        let serve = format!("python3 -m http.server 8080 --bind {v6} --directory {}", folder.display());
        let _server_v6 = line.server.start(&serve, &line.bench, "http6");
        until("the other server to listen", || {
            let sockets = line.server.tool(&format!("ss -Hltn src [{v6}]:8080"));
            (!sockets.stdout.is_empty()).then_some(())
        });
        succeeded("the first request", &line.curl("index", 10));
        for address in [line.server.address.clone(), format!("[{}]", line.server.address_v6)] {
            let url = format!("http://{address}:8080/refused");
            let refused = line.client.attempt(&format!("curl -g -sS --max-time 10 -w %{{time_total}} {url}"));
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(said.contains("Connection reset by peer"), "{said}");
            let seconds: f64 = String::from_utf8_lossy(&refused.stdout).parse().unwrap();
            println!("{workers} workers, {address}: reset after {:.1} ms", 1000.0 * seconds);
            assert!(seconds < AT_ONCE, "{seconds} s");
        }
        until("the server to be rid of the sessions", || {
            let open = line.server.tool("ss -Htn state established sport = :8080");
            open.stdout.is_empty().then_some(())
        });
        succeeded("the request after it", &line.curl("index", 10));
        until("the records", || (line.eve().of("alert").len() >= 2).then_some(()));
        let (events, _) = line.end();
        assert_eq!(events.sids(), [4, 4]);
        let stats = &events.of("stats").last().copied().cloned().unwrap_or_default()["stats"]["ips"];
        assert_eq!(stats["rejected"].as_u64(), Some(2), "{stats}");
        assert!(stats["answers"].as_u64() >= Some(4), "{stats}");
    }
}

#[test]
fn a_rejected_datagram_is_answered_by_icmp() {
    if !may_run() {
        return;
    }
    let line = Line::new(1);
    let script = line.bench.file(
        "ask.py",
        "import errno, socket, sys\n\
         ask = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)\n\
         ask.settimeout(10)\n\
         ask.connect((sys.argv[1], 9999))\n\
         ask.send(b'hello')\n\
         try: ask.recv(10)\n\
         except OSError as error: print(errno.errorcode.get(error.errno))\n",
    );
    let script = script.display();
    for (address, error) in [(&line.server.address, "EHOSTUNREACH"), (&line.server.address_v6, "EACCES")] {
        let asked = line.client.attempt(&format!("python3 {script} {address}"));
        succeeded("the question", &asked);
        assert_eq!(String::from_utf8_lossy(&asked.stdout).trim(), error);
    }
    line.end();
}

/// One run of iperf3, with a server of its own: between two runs a server closes its port for a moment.
fn iperf3(line: &Line, direction: &str) -> serde_json::Value {
    let _server = line.server.start("iperf3 -s -1", &line.bench, "iperf3");
    line.listening(5201);
    let to = &line.server.address;
    let done = line.client.attempt(&format!("iperf3 -J -t 2 {direction} -c {to}"));
    succeeded("iperf3", &done);
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn bulk_traffic_passes_in_both_directions() {
    if !may_run() {
        return;
    }
    for workers in [0, 2] {
        let line = Line::new(workers);
        for direction in ["", "-R"] {
            let report = iperf3(&line, direction);
            let rate = report["end"]["sum_received"]["bits_per_second"].as_f64();
            let rate = rate.unwrap_or_else(|| panic!("iperf3 reports no rate: {report}"));
            assert!(rate > 1e6, "{workers} workers, {direction}: {rate} bit/s");
            println!("{workers} workers {direction}: {:.0} Mbit/s", rate / 1e6);
        }
        let (events, frames) = line.end();
        assert!(frames > 1000, "{frames}");
        assert!(events.of("alert").is_empty());
    }
}

#[test]
fn no_namespace_outlives_its_test() {
    if !may_run() {
        return;
    }
    let names = std::panic::catch_unwind(|| {
        let namespace = Namespace::new('x', 9);
        assert!(Path::new("/run/netns").join(&namespace.name).exists());
        std::panic::panic_any((namespace.name.clone(), namespace.port.clone()));
    });
    let (name, port) = *names.unwrap_err().downcast::<(String, String)>().unwrap();
    assert!(!Path::new("/run/netns").join(name).exists());
    assert!(!Path::new("/sys/class/net").join(port).exists());
}
