//! What must hold between keys.

mod datasets;
mod devices;
mod doors;
mod names;
mod outputs;
mod services;

pub use devices::{Missing, missing_interfaces};

use super::fault::{Fault, nearest};
use super::read::Places;
use super::value::{Auto, Bytes};
use super::{Config, Mode, Overlap, PairKind, Spread};
use crate::mgmt::convert;

/// Adds a fault for each thing that does not hold together.
pub fn check(config: &Config, places: &Places, faults: &mut Vec<Fault>) {
    let mut checker = Checker { config, places, faults };
    names::check(&mut checker);
    checker.ports();
    devices::check(&mut checker);
    checker.pairs();
    checker.lcores();
    checker.pools();
    checker.tunnels();
    checker.host_os_policy();
    datasets::check(&mut checker);
    services::check(&mut checker);
    outputs::check(&mut checker);
    doors::check(&mut checker);
}

/// Adds a fault for each CPU that is not there, or serves two lcores though nothing says that it may.
pub fn check_cpus(config: &Config, places: &Places, machine: &Machine, faults: &mut Vec<Fault>) {
    Checker { config, places, faults }.cpus(machine);
}

/// Adds a fault for each interface of the kernel that a port works through and that is not there.
pub fn check_interfaces(config: &Config, places: &Places, machine: &Machine, faults: &mut Vec<Fault>) {
    devices::check_interfaces(&mut Checker { config, places, faults }, machine);
}

/// CPUs and interfaces of this machine.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub present: Vec<u32>,
    /// Those that this process may run on.
    pub allowed: Vec<u32>,
    /// The kernel's, by name.
    pub interfaces: Vec<String>,
}

fn list(cpus: &[u32]) -> String {
    cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// Of frames: beyond it DPDK cannot say how much it is to take.
const MOST_MEMORY: Bytes = Bytes(1 << 42);

struct Checker<'a> {
    config: &'a Config,
    places: &'a Places,
    faults: &'a mut Vec<Fault>,
}

impl Checker<'_> {
    /// A fault at a key, or at the nearest thing around it that was written.
    fn fault(&mut self, key: &str, message: String, mend: impl Into<String>) {
        let mut around = key;
        let place = loop {
            match self.places.get(around) {
                Some(place) => break Some(place.clone()),
                None => match around.rsplit_once('.') {
                    Some((outer, _)) => around = outer,
                    None => break None,
                },
            }
        };
        self.faults.push(Fault { place, key: key.to_owned(), message, mend: mend.into() });
    }

    fn ports(&mut self) {
        for (i, port) in self.config.ports.iter().enumerate() {
            if port.name.is_empty() {
                self.fault(
                    &format!("port.{i}.name"),
                    "this port has no name".into(),
                    "add name = \"outside\"",
                );
            }
            if port.device.is_empty() {
                let mend = "add device = \"0000:03:00.0\", or a vdev such as \"net_tap0\"";
                self.fault(&format!("port.{i}.device"), "this port has no device".into(), mend);
            }
            if self.config.ports.iter().take(i).any(|other| !port.name.is_empty() && other.name == port.name)
            {
                let message = format!("two ports are named \"{}\"", port.name);
                self.fault(&format!("port.{i}.name"), message, "give this one another name");
            }
        }
    }

    fn pairs(&mut self) {
        let mut taken: Vec<&str> = Vec::new();
        let names: Vec<&str> = self.config.ports.iter().map(|p| p.name.as_str()).collect();
        for (i, pair) in self.config.pairs.iter().enumerate() {
            let key = format!("pair.{i}.ports");
            let wanted = if pair.mode == Mode::Ids { 1..=2 } else { 2..=2 };
            if !wanted.contains(&pair.ports.len()) {
                let message = format!(
                    "a pair with mode \"{}\" has two ports, not {}",
                    pair.mode.name(),
                    pair.ports.len()
                );
                self.fault(&key, message, "write ports = [\"outside\", \"inside\"]");
            }
            for name in &pair.ports {
                if !names.contains(&name.as_str()) {
                    let mend = match nearest(name, names.iter().copied()) {
                        Some(near) => format!("the nearest port is \"{near}\""),
                        None => format!("add a [[port]] with name = \"{name}\""),
                    };
                    self.fault(&key, format!("there is no port named \"{name}\""), mend);
                } else if taken.contains(&name.as_str()) {
                    let message = format!("port \"{name}\" is used twice");
                    self.fault(&key, message, "each port belongs to one pair");
                }
                taken.push(name);
            }
            if pair.kind == PairKind::Routed {
                let message = "pairs of the kind \"routed\" are not available yet".to_owned();
                self.fault(&format!("pair.{i}.kind"), message, "write kind = \"wire\"");
            }
        }
    }

    fn lcores(&mut self) {
        let lcores = &self.config.lcores;
        let (cpus, workers) = (lcores.worker_cpus.len(), usize::from(lcores.workers));
        if cpus != 0 && cpus != workers {
            let message = format!("{cpus} CPUs are listed for {workers} workers");
            self.fault("lcores.worker-cpus", message, "list one CPU a worker, or none");
        }
        if !lcores.ring_size.is_power_of_two() {
            let mend = format!("the next is {}", lcores.ring_size.next_power_of_two());
            self.fault("lcores.ring-size", "the ring size is not a power of two".into(), mend);
        }
        if lcores.spread == Spread::Rss && workers == 0 {
            let message = "NICs are to spread the frames over the workers, and there are none".to_owned();
            self.fault("lcores.spread", message, "write spread = \"auto\", or workers = 1 or more");
        }
    }

    /// CPUs that the configuration names, with the key of each and what it is for.
    fn named_cpus(&self) -> Vec<(u32, &'static str, String)> {
        let lcores = &self.config.lcores;
        let mut named = Vec::new();
        if let Auto::Set(cpu) = lcores.main_cpu {
            named.push((cpu, "lcores.main-cpu", "the main lcore".to_owned()));
        }
        let workers = lcores.worker_cpus.iter().take(usize::from(lcores.workers)).enumerate();
        named.extend(workers.map(|(n, cpu)| (*cpu, "lcores.worker-cpus", format!("worker {n}"))));
        if let Auto::Set(cpu) = lcores.management_cpu {
            named.push((cpu, "lcores.management-cpu", "management".to_owned()));
        }
        named
    }

    fn cpus(&mut self, machine: &Machine) {
        let mut named = self.named_cpus();
        for (cpu, key, who) in &named {
            if !machine.present.contains(cpu) {
                let message = format!("CPU {cpu} for {who} is not there");
                self.fault(key, message, format!("this machine has {}", list(&machine.present)));
            } else if !machine.allowed.contains(cpu) {
                let message = format!("CPU {cpu} for {who} is not one that this process may use");
                let mend = format!(
                    "it may use {} (taskset, cgroup or CPUAffinity= says so)",
                    list(&machine.allowed)
                );
                self.fault(key, message, mend);
            }
        }
        if self.config.lcores.share_cpus || named.is_empty() {
            return;
        }
        // An lcore whose CPU is "auto" meets one that is named only when there are too few.
        for (lcore, cpu) in cpus(self.config, &machine.allowed).into_iter().enumerate() {
            let (key, who) = match lcore.checked_sub(1) {
                None => ("lcores.main-cpu", "the main lcore".to_owned()),
                Some(n) => ("lcores.worker-cpus", format!("worker {n}")),
            };
            if !named.iter().any(|(_, _, other)| *other == who) {
                named.push((cpu, key, who));
            }
        }
        for (n, (cpu, key, who)) in named.iter().enumerate() {
            if let Some((.., first)) = named.iter().take(n).find(|(other, ..)| other == cpu) {
                let message = format!("CPU {cpu} is to serve {who} and {first}");
                self.fault(key, message, "name another CPU, or write share-cpus = true in [lcores]");
            }
        }
    }

    /// The pool must cover every descriptor and every place in a ring, or ports starve while rings fill.
    fn pools(&mut self) {
        let pools = &self.config.pools;
        let needed = frames_needed(self.config, self.config.lcores.spread == Spread::Rss);
        let (FramesNeeded { descriptors, rings, caches }, needed) = (needed, needed.total());
        if u64::from(pools.frames) < needed {
            let message = format!(
                "a pool of {} frames does not cover descriptors ({descriptors}), rings ({rings}) and caches ({caches})",
                pools.frames
            );
            self.fault("pools.frames", message, format!("at least {needed}, and some for held frames"));
        }
        let (memory, wanted) = (self.config.eal.memory, pools.bytes());
        if memory < wanted {
            let message =
                format!("[pools] needs {} MiB, [eal] memory is {} MiB", wanted.0 >> 20, memory.0 >> 20);
            self.fault("eal.memory", message, "raise eal.memory or lower pools.frames");
        }
        if memory > MOST_MEMORY {
            let message = format!("{} MiB of memory are more than any machine has", memory.0 >> 20);
            self.fault("eal.memory", message, "give it what [pools] needs, such as \"512MiB\"");
        }
    }

    fn tunnels(&mut self) {
        for (key, message, mend) in self.config.tunnels.faults() {
            self.fault(&key, message, mend);
        }
    }

    fn host_os_policy(&mut self) {
        for (network, policy) in &self.config.host_os_policy {
            let key = format!("host-os-policy.{network}");
            if parse_network(network).is_none() {
                let message = format!("\"{network}\" is not a network");
                self.fault(&key, message, "write it as \"10.0.0.0/8\" or \"2001:db8::/32\"");
            }
            if Overlap::parse(policy).is_none() {
                let near = nearest(policy, Overlap::WORDS.iter().copied());
                let near = near.map(|n| format!("; the nearest is \"{n}\"")).unwrap_or_default();
                let mend = format!("one of {}{near}", Overlap::WORDS.join(", "));
                self.fault(&key, format!("there is no overlap policy \"{policy}\""), mend);
            }
        }
    }
}

/// The CPU of the main lcore and of each worker. `allowed` are those this process may run on.
pub fn cpus(config: &Config, allowed: &[u32]) -> Vec<u32> {
    let lcores = &config.lcores;
    let set = |cpu: Auto<u32>| if let Auto::Set(cpu) = cpu { Some(cpu) } else { None };
    // What is named elsewhere is taken only when nothing else is left.
    let without = |taken: &[u32]| {
        let free: Vec<u32> = allowed.iter().copied().filter(|cpu| !taken.contains(cpu)).collect();
        if free.is_empty() { allowed.to_vec() } else { free }
    };
    let management: Vec<u32> = set(lcores.management_cpu).into_iter().collect();
    let beside = |taken: &[u32]| without(&[taken, &management].concat());
    let first = |cpus: Vec<u32>| cpus.first().copied().unwrap_or(0);
    let main = set(lcores.main_cpu).unwrap_or_else(|| first(beside(&lcores.worker_cpus)));
    let others = beside(&[main]);
    let others = if others.is_empty() { vec![main] } else { others };
    let worker = |i: usize| lcores.worker_cpus.get(i).copied().unwrap_or_else(|| others[i % others.len()]);
    std::iter::once(main).chain((0..usize::from(lcores.workers)).map(worker)).collect()
}

/// Where frames may lie at once, beside those that are held.
#[derive(Copy, Clone, Debug)]
pub struct FramesNeeded {
    descriptors: u64,
    rings: u64,
    caches: u64,
}

impl FramesNeeded {
    pub fn total(self) -> u64 {
        self.descriptors + self.rings + self.caches
    }
}

/// `rss`: each worker has queues of its own.
pub fn frames_needed(config: &Config, rss: bool) -> FramesNeeded {
    let workers = u64::from(config.lcores.workers);
    let of_port = |p: &super::Port| u64::from(p.rx_descriptors) + u64::from(p.tx_descriptors);
    let queues = if rss { workers.max(1) } else { 1 };
    // One to each worker, and one for each port that nobody inspects.
    let passing = config.ports.iter().filter(|p| !convert::inspected(config, &p.name)).count() as u64;
    let rings = if workers == 0 { 0 } else { workers + passing };
    FramesNeeded {
        descriptors: config.ports.iter().map(of_port).sum::<u64>() * queues,
        rings: rings * u64::from(config.lcores.ring_size),
        caches: (workers + 1) * u64::from(config.pools.cache) * 3 / 2,
    }
}

/// An address with an optional prefix length.
pub fn parse_network(text: &str) -> Option<(std::net::IpAddr, u8)> {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let address: std::net::IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = if length.is_empty() { Some(most) } else { length.parse().ok() };
    length.filter(|n| *n <= most).map(|n| (address, n))
}
