//! What `plugin.*` counters are read from. It has a lock of its own, held for moments: whoever counts must not wait for a
//! change that asks workers.

use crate::base::SetId;
use crate::mgmt::control::NamedCount;
use crate::service::table::PluginCounts;
use std::sync::{Arc, Mutex, PoisonError};

/// One of a plugin's own counters in one set.
pub(super) struct Own {
    /// `SET.COUNTER`.
    pub name: String,
    pub set: SetId,
    /// Its place in the plugin's names.
    pub number: usize,
    /// What an earlier set of the same number had counted.
    pub base: u64,
}

/// A plugin that runs.
pub(super) struct Source {
    pub name: String,
    /// By worker.
    pub counts: Vec<Arc<PluginCounts>>,
    pub own: Vec<Own>,
}

impl Source {
    fn list(&self, list: &mut Vec<NamedCount>) {
        let name = &self.name;
        let sum = |get: fn(&PluginCounts) -> u64| self.counts.iter().map(|counts| get(counts)).sum::<u64>();
        for (what, value) in [
            ("packets", sum(|c| c.packets.get())),
            ("discards", sum(|c| c.discards.get())),
            ("holds", sum(|c| c.holds.get())),
            ("faults", sum(|c| c.faults.get())),
        ] {
            list.push(NamedCount::new(format!("plugin.{name}.{what}"), value));
        }
        for own in &self.own {
            let value = total(&self.counts, own.set, own.number).saturating_sub(own.base);
            list.push(NamedCount::new(format!("plugin.{name}.{}", own.name), value));
        }
    }
}

/// One of a plugin's own counters in a set, summed over workers, whichever set bore the number.
pub(super) fn total(counts: &[Arc<PluginCounts>], set: SetId, number: usize) -> u64 {
    counts.iter().filter_map(|counts| counts.own(set, number)).map(|counter| counter.get()).sum()
}

#[derive(Default)]
struct Shown {
    sources: Vec<Source>,
    /// Numbers that change only when sets or plugins do.
    fixed: Vec<(&'static str, u64)>,
}

/// Shared between the manager, which writes it with each change, and those who read counters.
#[derive(Clone, Default)]
pub struct CounterBoard(Arc<Mutex<Shown>>);

impl CounterBoard {
    pub(super) fn show(&self, sources: Vec<Source>, fixed: Vec<(&'static str, u64)>) {
        let before = {
            let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *shown, Shown { sources, fixed })
        };
        drop(before); // counters of a plugin that is gone are freed without the lock
    }

    /// `plugin.NAME.packets` and so on, of the instances that run; and what the watchdog had to do.
    pub fn counters(&self) -> Vec<NamedCount> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = Vec::new();
        shown.sources.iter().for_each(|source| source.list(&mut list));
        list.extend(shown.fixed.iter().map(|(name, value)| NamedCount::new(*name, *value)));
        list
    }
}
