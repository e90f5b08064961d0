//! Two network namespaces, each joined by a veth pair to an end that `weir run` takes as a port.

use super::Bench;
use super::child::Running;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A namespace of this process, gone with its veth pair when this is dropped.
pub struct Namespace {
    pub name: String,
    /// The end that stays outside, for the appliance.
    pub port: String,
    pub address: String,
    pub address_v6: String,
}

/// Runs a tool of the system and returns what it said; what fails ends the test.
#[track_caller]
pub fn tool(line: &str) -> Output {
    let output = attempt(line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

pub fn attempt(line: &str) -> Output {
    command(line).output().unwrap_or_else(|e| panic!("{line}: {e}"))
}

fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command
}

impl Namespace {
    /// Without an interface. The names carry the process id and a number, so that runs side by side do not meet.
    fn empty(side: char, host: u8) -> Namespace {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}.{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let namespace = Namespace {
            name: format!("weir-{id}-{side}"),
            port: format!("w{id}{side}"),
            address: format!("10.77.0.{host}"),
            address_v6: format!("fd77::{host}"),
        };
        tool(&format!("ip netns add {}", namespace.name));
        namespace
    }

    /// `side` is a letter.
    pub fn new(side: char, host: u8) -> Namespace {
        let namespace = Namespace::empty(side, host);
        let Namespace { name, port, address, address_v6 } = &namespace;
        tool(&format!("ip link add {port} type veth peer name eth0 netns {name}"));
        // The host's own IPv6 stack has nothing to say on this line.
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{port}/disable_ipv6"), "1");
        tool(&format!("ip link set {port} mtu 1500 up"));
        namespace.tool(&format!("ip addr add {address}/24 dev eth0"));
        namespace.tool(&format!("ip addr add {address_v6}/64 dev eth0 nodad"));
        namespace.tool("ip link set eth0 mtu 1500 up");
        namespace.tool("ip link set lo up");
        // The stacks leave checksums and segmentation to a NIC that is not there.
        let offloads = "tx off rx off tso off gso off gro off";
        tool(&format!("ethtool -K {port} {offloads}"));
        namespace.tool(&format!("ethtool -K eth0 {offloads}"));
        namespace
    }

    fn inside(&self, line: &str) -> String {
        format!("ip netns exec {} {line}", self.name)
    }

    #[track_caller]
    pub fn tool(&self, line: &str) -> Output {
        tool(&self.inside(line))
    }

    pub fn attempt(&self, line: &str) -> Output {
        attempt(&self.inside(line))
    }

    /// A count of its kernel, of those of ICMP (`/proc/net/snmp`).
    #[track_caller]
    pub fn icmp(&self, name: &str) -> u64 {
        let text = String::from_utf8_lossy(&self.tool("cat /proc/net/snmp").stdout).into_owned();
        let mut lines =
            text.lines().filter_map(|line| line.strip_prefix("Icmp: ")).map(str::split_whitespace);
        let (names, numbers) = (lines.next().unwrap(), lines.next().unwrap());
        let (_, number) = names.zip(numbers).find(|(known, _)| *known == name).unwrap();
        number.parse().unwrap()
    }

    /// A server within the namespace.
    pub fn start(&self, line: &str, bench: &Bench, name: &str) -> Running {
        Running::start(command(&self.inside(line)), bench, name)
    }
}

/// A namespace for the kernel's end of a `net_tap` port, which is there once the appliance runs.
pub struct Tap(pub Namespace);

impl Tap {
    pub fn new(side: char, host: u8) -> Tap {
        Tap(Namespace::empty(side, host))
    }

    /// Moves the kernel's end into the namespace.
    pub fn join(self) -> Namespace {
        let Namespace { name, port, address, address_v6 } = &self.0;
        tool(&format!("ip link set {port} netns {name}"));
        self.0.tool(&format!("ip addr add {address}/24 dev {port}"));
        self.0.tool(&format!("ip addr add {address_v6}/64 dev {port} nodad"));
        self.0.tool(&format!("ip link set {port} mtu 1500 up"));
        self.0.tool("ip link set lo up");
        self.0
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Takes the other end of the pair along; either may not be there yet.
        attempt(&format!("ip link del {}", self.port));
        attempt(&format!("ip netns del {}", self.name));
    }
}
