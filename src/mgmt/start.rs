//! What `weir run` and `weir replay` do alike: rules compiled, DPDK started, the pool made, the event log opened.

use crate::base::event::EventFeed;
use crate::base::{Generation, tally};
use crate::inspect::Engine;
use crate::io::PortInfo;
use crate::io::dpdk::{Eal, EalError, Pool, PoolError};
use crate::io::heap;
use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{Config, Machine, cpus};
use crate::mgmt::convert;
use crate::mgmt::eve::{Medium, Merger, Order};
use crate::mgmt::events::EventLog;
use crate::mgmt::outputs::{self, Unwritable};
use crate::mgmt::rule_files::{Loaded, RuleFileError, Selection};
use crate::mgmt::rule_sets::{self, Keep};
use crate::mgmt::rulebook::RuleBook;
use crate::pipeline::launch::DpdkPlatform;
use crate::rules::RuleSet;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Rules(#[from] RuleFileError),
    #[error("the rules cannot be compiled: {0}; leave some out")]
    Engine(String),
    #[error(
        "the rules take {} in memory, and rules.memory allows {}: leave some out, or set rules.memory higher",
        mib(*.bytes),
        mib(*.cap)
    )]
    TooLarge { bytes: u64, cap: u64 },
    #[error(transparent)]
    Eal(#[from] EalError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Output(#[from] Unwritable),
    #[error("the rules of the start do not get to the workers: {0}")]
    FirstRules(String),
}

/// Bytes, as sentences have them.
pub fn mib(bytes: u64) -> String {
    if bytes >= 10 << 20 {
        format!("{} MiB", bytes >> 20)
    } else {
        format!("{} KiB", bytes.div_ceil(1 << 10))
    }
}

/// The rules in force at the start, and what was refused.
pub struct RulesAtStart {
    pub engine: Arc<Engine>,
    pub book: RuleBook,
    pub loaded: Loaded,
    /// That they take in memory, with all that was compiled of them.
    pub bytes: u64,
}

impl RulesAtStart {
    /// None yet: generation 0, which judges nothing.
    pub fn none() -> Result<RulesAtStart, StartError> {
        RulesAtStart::of(|| Ok(Loaded::default()))
    }

    fn of(load: impl FnOnce() -> Result<Loaded, StartError>) -> Result<RulesAtStart, StartError> {
        let (compiled, bytes) = tally::of(|| RulesAtStart::compile(load()?));
        let (set, engine, loaded) = compiled?;
        Ok(RulesAtStart { engine, book: RuleBook::new(set, bytes), loaded, bytes })
    }

    fn compile(mut loaded: Loaded) -> Result<(Arc<RuleSet>, Arc<Engine>, Loaded), StartError> {
        let set = Arc::new(std::mem::take(&mut loaded.rules));
        let engine =
            Engine::compile(Arc::clone(&set)).map_err(|error| StartError::Engine(error.to_string()))?;
        Ok((set, Arc::new(engine), loaded))
    }
}

/// Reads and compiles the rules as generation 1, or takes them from a saved set.
pub fn rules(
    config: &Config,
    base: &Path,
    selection: &Selection,
    keep: Keep,
) -> Result<RulesAtStart, StartError> {
    let rules = RulesAtStart::of(|| {
        let mut loaded = rule_sets::load(config, base, selection, keep)?;
        loaded.rules.generation = Generation(1);
        Ok(loaded)
    })?;
    let (bytes, cap) = (rules.bytes, config.rules.memory.0);
    if bytes > cap { Err(StartError::TooLarge { bytes, cap }) } else { Ok(rules) }
}

/// Where lcores run whose CPUs are "auto".
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum AutoCpus {
    /// Each keeps to one of the allowed CPUs: nothing but the lcore makes a frame wait.
    Own,
    /// The kernel moves them among all that are allowed: processes side by side would all choose the first.
    Any,
}

/// What is known of the segments that a pool will need.
#[derive(Copy, Clone, Debug)]
pub struct Segments {
    /// Those to have from the start.
    pub at_first: u32,
    /// Beyond these a larger pool would never be touched.
    pub most: u32,
}

/// Starts EAL with an lcore for the main loop and one a worker, and makes the pool: by `enough`, if that is known, or at once as
/// large as is configured. Memory that is freed from here on stays with the process.
pub fn platform(
    config: &Config,
    auto: AutoCpus,
    enough: Option<Segments>,
) -> Result<DpdkPlatform, StartError> {
    heap::give_back();
    heap::keep_free_memory();
    let allowed = allowed_cpus();
    let mut eal = convert::eal(config, cpus(config, &allowed), convert::free_hugepages());
    eal.among = among(config, auto, allowed);
    let eal = Eal::start(&eal)?;
    let mut wanted = convert::pool(config);
    if let Some(enough) = enough {
        wanted.segments = wanted.segments.min(enough.most);
        wanted.at_first = enough.at_first;
    }
    let pool = Pool::new(&eal, &wanted)?;
    Ok(DpdkPlatform { eal, pool })
}

/// CPUs among which the kernel may move lcores: none where the configuration names one.
fn among(config: &Config, auto: AutoCpus, allowed: Vec<u32>) -> Vec<u32> {
    let named = config.lcores.main_cpu != Auto::Auto || !config.lcores.worker_cpus.is_empty();
    if auto == AutoCpus::Own || named { Vec::new() } else { allowed }
}

/// CPUs this process may run on, as the kernel lists them (`0-3,8`).
pub fn allowed_cpus() -> Vec<u32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    parse_cpu_list(list.unwrap_or("0").trim())
}

/// This machine, as the kernel describes it.
pub fn machine() -> Machine {
    let allowed = allowed_cpus();
    let present = std::fs::read_to_string("/sys/devices/system/cpu/present");
    let present = present.map_or_else(|_| allowed.clone(), |list| parse_cpu_list(list.trim()));
    Machine { present, allowed, interfaces: interfaces() }
}

/// The kernel's interfaces in this process's network namespace, which /sys need not be of.
fn interfaces() -> Vec<String> {
    interface_names(&std::fs::read_to_string(INTERFACES).unwrap_or_default())
}

pub const INTERFACES: &str = "/proc/self/net/dev";

/// Of the text of [`INTERFACES`].
pub fn interface_names(table: &str) -> Vec<String> {
    let name = |line: &str| line.split_once(':').map(|(name, _)| name.trim().to_owned());
    table.lines().filter_map(name).collect()
}

/// The NUMA node of a CPU; `None` where the kernel does not say.
fn node_of(cpu: u32) -> Option<u32> {
    let entries = std::fs::read_dir(format!("/sys/devices/system/cpu/cpu{cpu}")).ok()?;
    let node = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_prefix("node")?.parse().ok();
    entries.flatten().find_map(node)
}

/// One warning a port whose memory is farther from some lcore than it need be. `cpus`: by lcore.
pub fn numa_warnings(ports: &[&PortInfo], cpus: &[u32]) -> Vec<String> {
    numa_warnings_by(ports, cpus, node_of)
}

fn numa_warnings_by(ports: &[&PortInfo], cpus: &[u32], node_of: impl Fn(u32) -> Option<u32>) -> Vec<String> {
    let warning = |port: &&PortInfo| {
        let node = port.numa_node?;
        let far = cpus.iter().filter(|cpu| node_of(**cpu).is_some_and(|of| of != node));
        let far: Vec<String> = far.map(u32::to_string).collect();
        let (name, far) = (&port.name, (!far.is_empty()).then(|| far.join(", "))?);
        Some(format!(
            "port {name} is on NUMA node {node}, and lcores run on other nodes (CPU {far}): name CPUs of node {node} in [lcores]"
        ))
    };
    ports.iter().filter_map(warning).collect()
}

/// CPUs as the kernel lists them (`0-3,8`).
pub fn parse_cpu_list(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some(low.trim().parse::<u32>().ok()?..=high.trim().parse::<u32>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// Opens the outputs and puts the event log behind the workers' rings.
pub fn event_log(
    config: &Config,
    book: &RuleBook,
    feeds: Vec<EventFeed>,
    medium: Medium,
    seed: u64,
) -> Result<EventLog, StartError> {
    let outputs = outputs::open(config, book, medium)?;
    let order = if medium == Medium::Capture { Order::ByPacket } else { Order::AsTheyCome };
    Ok(EventLog::new(Merger::new(feeds, order), book.clone(), outputs, seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::Profile;

    #[test]
    fn the_kernels_lists_of_cpus_are_understood() {
        assert_eq!(parse_cpu_list("0-3,8"), [0, 1, 2, 3, 8]);
        assert_eq!(parse_cpu_list("5"), [5]);
        assert!(!allowed_cpus().is_empty());
        let machine = machine();
        assert!(machine.allowed.iter().all(|cpu| machine.present.contains(cpu)), "{machine:?}");
    }

    #[test]
    fn replays_side_by_side_do_not_all_keep_to_the_first_cpu_and_named_cpus_hold() {
        let mut config = Config::defaults(Profile::Inline);
        let found = |config: &Config, auto| among(config, auto, vec![0, 1]);
        assert_eq!(found(&config, AutoCpus::Any), [0, 1]);
        assert!(found(&config, AutoCpus::Own).is_empty());
        config.lcores.main_cpu = Auto::Set(1);
        assert!(found(&config, AutoCpus::Any).is_empty());
    }

    #[test]
    fn a_port_on_another_numa_node_than_an_lcore_is_warned_about() {
        let port = |name: &str, numa_node| PortInfo { name: name.into(), numa_node, ..PortInfo::default() };
        let (near, far, none) = (port("near", Some(0)), port("far", Some(1)), port("vdev", None));
        let warnings = numa_warnings_by(&[&near, &far, &none], &[0, 2, 9], |cpu| {
            [Some(0), None, Some(1)].get(cpu as usize).copied()?
        });
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("port near is on NUMA node 0") && warnings[0].contains("(CPU 2)"));
        assert!(warnings[1].contains("port far is on NUMA node 1") && warnings[1].contains("(CPU 0)"));
    }

    #[test]
    fn workers_take_other_cpus_than_the_main_lcore_while_there_are_some() {
        let mut config = Config::defaults(crate::mgmt::Profile::Inline);
        config.lcores.workers = 3;
        assert_eq!(cpus(&config, &[2, 3, 5]), [2, 3, 5, 3]);
        assert_eq!(cpus(&config, &[4]), [4, 4, 4, 4]);
        config.lcores.worker_cpus = vec![7, 8, 9];
        assert_eq!(cpus(&config, &[2, 3]), [2, 7, 8, 9]);
    }
}
