//! Memory by part, against what it may be.

use super::rules::Compiled;
use super::{Operator, lock};
use crate::io::heap;
use crate::mgmt::areas::{Area, area};
use crate::mgmt::config::Config;
use crate::mgmt::config::entries::differences;
use crate::mgmt::control::{ControlError, GenerationInfo, MemoryUse};
use crate::mgmt::convert;
use crate::mgmt::sink::backlog::MOST_WAITING;
use crate::mgmt::start::mib;
use crate::pipeline::Handle;
use crate::pipeline::tables::TableCounts;
use crate::session::Session;
use std::sync::atomic::Ordering;

impl Operator {
    /// A cap of 0: nothing bounds it but the machine.
    pub(super) fn memory_by_part(&self, handle: &Handle, config: &Config) -> Vec<MemoryUse> {
        let sum = |f: fn(&TableCounts) -> u64| handle.tables.iter().map(|t| f(t)).sum::<u64>();
        let tables = handle.tables.len() as u64;
        let part = |part: &str, used, cap: u64| MemoryUse { part: part.into(), used, cap };
        let session = size_of::<Session>() as u64;
        let segment = u64::from(convert::pool(config).segment_bytes);
        let (waiting, outputs) = self.events.waiting();
        let mut parts = vec![
            part(
                "sessions",
                sum(|t| t.sessions.get()) * session,
                config.sessions.size as u64 * session * tables,
            ),
            part("fragments", sum(|t| t.fragment_memory.get()), config.fragments.memory.0 * tables),
            part("streams", sum(|t| t.stream_memory.get()), config.streams.memory.0 * tables),
            part("applications", sum(|t| t.app_memory.get()), config.app_layer.memory.0 * tables),
        ];
        parts.push(part("rules", self.rule_memory(), config.rules.memory.0));
        parts.push(part("evaluation", sum(|t| t.rule_memory.get()), 0));
        // What a trial of rules holds of sessions, beside the streams and the applications of those in force.
        let twice = (config.streams.memory.0 + config.app_layer.memory.0) * tables;
        parts.push(part("shadow", sum(|t| t.shadow_memory.get()), twice));
        if let Some(pool) = &self.pool {
            parts.push(part(
                "frames",
                u64::from(pool.in_use()) * segment,
                u64::from(pool.segments()) * segment,
            ));
        }
        parts.push(part("logs", waiting, outputs * MOST_WAITING as u64));
        parts.push(part("process", resident(), 0));
        parts
    }

    /// All generations of rules, with what was compiled of them, and those that are being tried.
    fn rule_memory(&self) -> u64 {
        self.rules.sets().bytes() + self.trial_bytes.load(Ordering::Relaxed)
    }

    /// Rules that were compiled, if they may take the memory that they do, beside those that are there.
    pub(super) fn with_room(&self, compiled: Compiled, config: &Config) -> Result<Compiled, ControlError> {
        let (new, there, cap) = (compiled.bytes, self.rule_memory(), config.rules.memory.0);
        if new.saturating_add(there) <= cap {
            return Ok(compiled);
        }
        drop(compiled);
        heap::give_back();
        Err(ControlError::Refused(format!(
            "these would take {}, beside {} of those in memory, and rules.memory allows {}: leave rules out, wait until sessions of \
             earlier generations have ended (`weir ctl rules generations`), end a trial (`weir ctl rules discard`), or set rules.memory \
             higher; the rules in force stay",
            mib(new),
            mib(there),
            mib(cap)
        )))
    }

    /// What is wrong with a bound of rules' memory that a commit lowers below what the next start takes; rules that the commit changes
    /// are measured when they are compiled.
    pub(super) fn too_low(&self, running: &Config, next: &Config) -> Option<String> {
        let (bytes, cap) = (self.rules.sets().newest_bytes(), next.rules.memory.0);
        let lowered = next.rules.memory < running.rules.memory;
        let same = || differences(running, next).iter().all(|d| area(&d.path) != Some(Area::Rules));
        (lowered && bytes > cap && same()).then(|| {
            format!(
                "the rules in force take {}, and rules.memory would allow {}, so that weir would not start again: leave rules out \
                 with it, or set rules.memory higher",
                mib(bytes),
                mib(cap)
            )
        })
    }

    /// The newest first. Those that have no session, and of which no event may come any more, are gone.
    pub(super) fn list_generations(&self) -> Result<Vec<GenerationInfo>, ControlError> {
        let _one = lock(&self.asking);
        let sessions = lock(&self.services).rule_generations(&mut super::Post(self))?;
        let newest = self.generation.load(Ordering::Relaxed);
        let of = |(generation, rules): (u32, u64)| GenerationInfo {
            generation,
            rules,
            sessions: sessions.get(&generation).copied().unwrap_or(0),
            newest: generation == newest,
        };
        Ok(self.rules.sets().known().map(of).collect())
    }
}

/// Bytes of the process that are in memory: all of the above as far as it was touched, rules, and all else. Hugepages are not in it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
