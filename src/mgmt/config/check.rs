//! What must hold between keys.

mod services;

use super::fault::{Fault, nearest};
use super::read::Places;
use super::{Config, Mode, Overlap, PairKind};

/// Adds a fault for each thing that does not hold together.
pub fn check(config: &Config, places: &Places, faults: &mut Vec<Fault>) {
    let mut checker = Checker { config, places, faults };
    checker.ports();
    checker.pairs();
    checker.lcores();
    checker.pools();
    checker.host_os_policy();
    services::check(&mut checker);
}

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
    }

    /// The pool must cover every descriptor and every place in a ring, or ports starve while rings fill.
    fn pools(&mut self) {
        let (pools, lcores) = (&self.config.pools, &self.config.lcores);
        let descriptors = |p: &super::Port| u64::from(p.rx_descriptors) + u64::from(p.tx_descriptors);
        let ports: u64 = self.config.ports.iter().map(descriptors).sum();
        let rings = u64::from(lcores.workers) * u64::from(lcores.ring_size);
        let caches = (u64::from(lcores.workers) + 1) * u64::from(pools.cache) * 3 / 2;
        let needed = ports + rings + caches;
        if u64::from(pools.frames) < needed {
            let message = format!(
                "a pool of {} frames does not cover descriptors ({ports}), rings ({rings}) and caches ({caches})",
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

/// An address with an optional prefix length.
pub fn parse_network(text: &str) -> Option<(std::net::IpAddr, u8)> {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let address: std::net::IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = if length.is_empty() { Some(most) } else { length.parse().ok() };
    length.filter(|n| *n <= most).map(|n| (address, n))
}
