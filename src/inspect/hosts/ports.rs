//! `unique_on`: which ports a count has met, for as many counts at once as there are sets.
//!
//! A set is words of 32 ports each, beside a stamp of whose they are: a word with another's stamp holds nothing. So a set
//! changes hands, and a count's window ends, without emptying it.

use super::table::{Table, Value};
use crate::base::Time;
use std::sync::atomic::{AtomicU64, Ordering};

/// Ports to a word, beside its stamp of as many bits.
const PORTS: usize = 32;
const WORDS: usize = 65_536 / PORTS;
/// Counts that have a set at once; beyond, the one that ends soonest gives way.
const SETS: usize = 128;
/// Tries before a port is taken for new.
const ATTEMPTS: usize = 64;

pub(crate) struct PortSets {
    /// Which entry a count has is the number of its set.
    owners: Table,
    words: Box<[AtomicU64]>,
}

impl PortSets {
    /// 2 MiB.
    pub(crate) fn new() -> PortSets {
        let words = (0..SETS * WORDS).map(|_| AtomicU64::new(0)).collect();
        PortSets { owners: Table::new(SETS), words }
    }

    /// Whether the port is new to the count of this hash in its window that ends at `until`.
    pub(crate) fn insert(&self, hash: u64, until: Time, now: Time, port: u16) -> bool {
        let owner = self.owners.update(hash, now, |_| Value { until, count: 0 });
        let at = owner.map(|owner| owner.at * WORDS + usize::from(port) / PORTS);
        let Some(word) = at.and_then(|at| self.words.get(at)) else { return true };
        let stamp = crate::base::key::mix(hash ^ until.micros()) >> 32 << 32;
        let bit = 1 << (usize::from(port) % PORTS);
        for _ in 0..ATTEMPTS {
            let before = word.load(Ordering::Acquire);
            let ports = if before >> 32 << 32 == stamp { before } else { stamp };
            if ports & bit != 0 {
                return false;
            }
            if word.compare_exchange(before, ports | bit, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
        true
    }
}
