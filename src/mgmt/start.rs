//! What `weir run` and `weir replay` do alike: rules compiled, DPDK started, the pool made, the event log opened.

use crate::base::Generation;
use crate::base::event::EventFeed;
use crate::inspect::Engine;
use crate::io::dpdk::{Eal, EalError, Pool, PoolError};
use crate::mgmt::config::Config;
use crate::mgmt::convert;
use crate::mgmt::eve::{Eve, FileSink, Medium, Merger, Order, Style};
use crate::mgmt::events::EventLog;
use crate::mgmt::rule_files::{self, Loaded, RuleFileError, Selection};
use crate::mgmt::rulebook::RuleBook;
use crate::pipeline::launch::DpdkPlatform;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Rules(#[from] RuleFileError),
    #[error("the rules cannot be compiled: {0}; leave some out")]
    Engine(String),
    #[error(transparent)]
    Eal(#[from] EalError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("cannot write {path}: {error}; give another folder with -l or outputs.directory")]
    Output { path: PathBuf, error: std::io::Error },
}

/// The rules in force at the start, and what was refused.
pub struct RulesAtStart {
    pub engine: Arc<Engine>,
    pub book: RuleBook,
    pub loaded: Loaded,
}

/// Reads and compiles the rules as generation 1.
pub fn rules(config: &Config, base: &Path, selection: &Selection) -> Result<RulesAtStart, StartError> {
    let mut loaded = rule_files::load(config, base, selection)?;
    loaded.rules.generation = Generation(1);
    let set = Arc::new(std::mem::take(&mut loaded.rules));
    let engine = Engine::compile(Arc::clone(&set)).map_err(|error| StartError::Engine(error.to_string()))?;
    Ok(RulesAtStart { engine: Arc::new(engine), book: RuleBook::new(set), loaded })
}

/// Starts EAL with an lcore for the main loop and one a worker, and makes the pool. `enough`: segments beyond which a larger
/// pool would never be touched.
pub fn platform(config: &Config, enough: Option<u32>) -> Result<DpdkPlatform, StartError> {
    let cpus = convert::cpus(config, &allowed_cpus());
    let eal = Eal::start(&convert::eal(config, cpus, convert::free_hugepages()))?;
    let mut wanted = convert::pool(config);
    wanted.segments = wanted.segments.min(enough.unwrap_or(u32::MAX));
    let pool = Pool::new(&eal, &wanted)?;
    Ok(DpdkPlatform { eal, pool })
}

/// CPUs this process may run on, as the kernel lists them (`0-3,8`).
pub fn allowed_cpus() -> Vec<u32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    parse_cpu_list(list.unwrap_or("0").trim())
}

fn parse_cpu_list(list: &str) -> Vec<u32> {
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
    let settings = &config.outputs.eve;
    let eve = match settings.enabled {
        false => None,
        true => {
            let folder = &config.outputs.directory;
            let path = folder.join(&settings.file);
            let fault = |error| StartError::Output { path: path.clone(), error };
            std::fs::create_dir_all(folder).map_err(fault)?;
            let style = Style {
                types: settings.types.clone(),
                medium,
                ports: config.ports.iter().map(|p| p.name.clone()).collect(),
                rule_text: settings.rule_text,
            };
            Some(Eve::new(FileSink::create(&path).map_err(fault)?, style, book.clone()))
        }
    };
    let order = if medium == Medium::Capture { Order::ByPacket } else { Order::AsTheyCome };
    Ok(EventLog::new(Merger::new(feeds, order), book.clone(), eve, settings.flush_interval, seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lists_of_cpus_are_understood() {
        assert_eq!(parse_cpu_list("0-3,8"), [0, 1, 2, 3, 8]);
        assert_eq!(parse_cpu_list("5"), [5]);
        assert!(!allowed_cpus().is_empty());
    }
}
