//! `weir run` between two network namespaces whose hosts a test drives line by line.

use super::child::Running;
use super::netns::{Namespace, attempt};
use super::wait::until;
use super::{Bench, Events, conserved, weir};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

/// A host in a namespace, which ends with this.
struct Host {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Host {
    fn start(namespace: &Namespace, words: &[&str]) -> Host {
        let mut command = Command::new("ip");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/host.py");
        command.args(["netns", "exec", &namespace.name, "python3", script]).args(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Host { child, to, from }
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn told(&mut self, line: &str) -> String {
        writeln!(self.to, "{line}").unwrap();
        self.answer()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// False says why nothing is tested.
pub fn may_run() -> bool {
    let root = attempt("id -u").stdout.trim_ascii() == b"0";
    if !root {
        println!("skipped: needs root");
    }
    root
}

/// The appliance, a client and a server.
pub struct Line {
    // Dropped in this order: the appliance lets go of the ports before they go.
    appliance: Running,
    client: Host,
    _server: Host,
    ends: [Namespace; 2],
    pub bench: Bench,
    /// What the configuration has beside its services.
    base: String,
    start: Start,
}

/// How the appliance is started.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Settings above those of its configuration (`--set`).
    pub sets: Vec<String>,
    /// Of its environment.
    pub variables: Vec<(String, String)>,
    /// Lines for its `[[pair]]`.
    pub pair: String,
}

impl Start {
    pub fn with(sets: &[&str]) -> Start {
        Start { sets: sets.iter().map(|set| (*set).to_owned()).collect(), ..Start::default() }
    }

    pub fn variable(mut self, name: &str, value: &str) -> Start {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The appliance with the bench's `weir.toml`.
    pub fn run(&self, bench: &Bench) -> Running {
        let mut command = weir();
        command.args(["run", "-c"]).arg(bench.path("weir.toml"));
        for set in &self.sets {
            command.args(["--set", set]);
        }
        // What a panic prints must not keep its worker for long.
        command.env("RUST_BACKTRACE", "0").envs(self.variables.iter().map(|(name, value)| (name, value)));
        Running::start(command, bench, "appliance")
    }
}

fn base(bench: &Bench, ends: &[Namespace; 2], workers: u8, pair: &str) -> String {
    let folder = bench.path("").display().to_string();
    let port = |n: usize, name: &str| {
        let iface = &ends[n].port;
        format!(
            "[[port]]\nname = \"{name}\"\ndevice = \"net_af_packet{n},iface={iface},framesz=8192,blocksz=65536\"\n\n"
        )
    };
    port(0, "client-side")
        + &port(1, "server-side")
        + &format!(
            "[[pair]]\nports = [\"client-side\", \"server-side\"]\nmode = \"ips\"\n{pair}\n\
             [eal]\nhugepages = false\nmemory = \"256MiB\"\n\n[lcores]\nworkers = {workers}\n\n\
             [pools]\nframes = 8191\ndata-room = 8192\n\n[sessions]\nsize = 4096\n\n\
             [timeouts]\ntcp-closing = \"1s\"\nudp-new = \"5s\"\nudp-established = \"5s\"\nicmp-new = \"5s\"\nicmp-established = \"5s\"\nother-new = \"5s\"\nother-established = \"5s\"\n\n\
             [rules]\nfiles = [\"{folder}line.rules\"]\n\n\
             [outputs]\ndirectory = \"{folder}\"\n\n[rpc]\nsocket = \"{folder}weir.sock\"\n\n"
        )
}

/// Neither end has to ask for the other's address: that would cross the appliance too.
fn introduce(ends: &[Namespace; 2]) {
    let mac = |namespace: &Namespace| {
        let text = String::from_utf8_lossy(&namespace.tool("ip link show eth0").stdout).into_owned();
        text.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
    };
    for (own, other) in [(0, 1), (1, 0)] {
        let (address, mac) = (&ends[other].address, mac(&ends[other]));
        ends[own].tool(&format!("ip neigh replace {address} lladdr {mac} dev eth0"));
    }
}

impl Line {
    /// `services` makes the configuration's part of the folder that it may use.
    pub fn new(workers: u8, services: impl FnOnce(&Bench) -> String) -> Line {
        let mut line = Line::starting(Bench::new(), workers, Start::default(), services);
        line.answers();
        line
    }

    /// Whose appliance has just been started, with these settings above its configuration's; `line.rules` may be there.
    pub fn starting(
        bench: Bench,
        workers: u8,
        start: Start,
        services: impl FnOnce(&Bench) -> String,
    ) -> Line {
        if !bench.path("line.rules").exists() {
            bench.file("line.rules", "");
        }
        let ends = [Namespace::new('c', 1), Namespace::new('s', 2)];
        introduce(&ends);
        let base = base(&bench, &ends, workers, &start.pair);
        bench.file("weir.toml", base.clone() + &services(&bench));
        let mut server = Host::start(&ends[1], &["serve", &ends[1].address]);
        assert_eq!(server.answer(), "ok");
        let client = Host::start(&ends[0], &[&ends[1].address]);
        let appliance = start.run(&bench);
        Line { appliance, client, _server: server, ends, bench, base, start }
    }

    #[track_caller]
    pub fn answers(&mut self) {
        until("the appliance to answer", || {
            assert!(self.appliance.ended().is_none(), "ended: {}", self.appliance.stderr());
            self.ctl(&["status"]).status.success().then_some(())
        });
    }

    /// Kills the appliance as `kill -9` does, and starts another one in its place.
    pub fn kill_and_restart(&mut self) {
        self.appliance.kill();
        self.appliance = self.start.run(&self.bench);
    }

    #[track_caller]
    pub fn counter(&self, name: &str) -> u64 {
        let counters = self.json(&["counters", name]);
        counters[name].as_u64().unwrap_or_else(|| panic!("no {name}: {counters}"))
    }

    /// Every frame is accounted for, under way. On a busy machine the lcores may not all come to rest at once.
    #[track_caller]
    pub fn balances(&self) {
        let balance = until("the lcores to come to rest", || {
            serde_json::from_slice::<Value>(&self.ctl(&["balance", "--json"]).stdout).ok()
        });
        assert_eq!(balance["even"], true, "{balance}");
    }

    /// Both ends know each other's address again, which a link that goes down makes them forget.
    pub fn introduce(&self) {
        introduce(&self.ends);
    }

    /// Tells the client something that it is to succeed in; it has half a minute.
    pub fn can(&mut self, line: &str) -> bool {
        self.told(line) == "ok"
    }

    /// Something that it is not to succeed in: no answer within half a second is none.
    pub fn cannot(&mut self, line: &str) -> bool {
        self.client.told("wait 0 0.5");
        self.client.told(line) == "no"
    }

    pub fn told(&mut self, line: &str) -> String {
        self.client.told("wait 0 30");
        self.client.told(line)
    }

    pub fn ctl(&self, words: &[&str]) -> Output {
        weir().arg("ctl").args(words).arg("--socket").arg(self.bench.path("weir.sock")).output().unwrap()
    }

    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        let output = self.ctl(&[words, &["--json"]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Applies other services; what changed, or what is wrong with them.
    pub fn apply(&self, services: &str) -> Result<String, String> {
        let file = self.bench.file("other.toml", self.base.clone() + services);
        let output = self.ctl(&["services", "apply", "-c", file.to_str().unwrap()]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The appliance's process.
    pub fn id(&self) -> u32 {
        self.appliance.id()
    }

    /// The client's namespace.
    pub fn client_side(&self) -> &Namespace {
        &self.ends[0]
    }

    /// The server's namespace.
    pub fn server_side(&self) -> &Namespace {
        &self.ends[1]
    }

    pub fn server_address(&self) -> &str {
        &self.ends[1].address
    }

    pub fn stderr(&self) -> String {
        self.appliance.stderr()
    }

    /// The appliance ends by itself: its exit code, and what it said.
    #[track_caller]
    pub fn ended(mut self) -> (Option<i32>, String) {
        let status = self.appliance.wait();
        (status.code(), self.appliance.stderr())
    }

    /// Ends the appliance: exit code 0 and no frame missing.
    #[track_caller]
    pub fn end(mut self) -> Events {
        self.appliance.terminate();
        let status = self.appliance.wait();
        assert!(status.success(), "{status}: {}", self.appliance.stderr());
        conserved(&self.appliance.stdout());
        Events::read(&self.bench.path("eve.json"))
    }
}
