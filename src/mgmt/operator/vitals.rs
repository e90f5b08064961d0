//! Whether it lives, and what the rules came to: answered without asking a worker, so also when one hangs.

use super::{Operator, lcore_role, lock};
use crate::mgmt::pulse::{Heartbeat, Vitals};
use crate::mgmt::ruleset::Ruleset;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Operator {
    /// Turns the lcores' clocks towards the system's.
    pub fn turn_clock(&self) {
        if let Some(micros) = lock(&self.clock).discipline() {
            tracing::warn!(
                "the system's clock was set by {:+.1} s: events and answers go by it from now on, and what waits for a time is not touched",
                micros as f64 / 1e6
            );
        }
    }

    pub(super) fn read_vitals(&self) -> Vitals {
        let now = self.now();
        let handle = self.handle();
        let failed: Vec<usize> = handle.board.failed().collect();
        // Without workers the main lcore has the sessions.
        let main_works = handle.workers() == 0 || handle.ledgers.len() == 1;
        let table = |lcore: usize| match (main_works, lcore.checked_sub(1)) {
            (true, None) => handle.tables.first(),
            (false, Some(worker)) => handle.tables.get(worker),
            _ => None,
        };
        let beat = |lcore: usize| Heartbeat {
            role: lcore_role(lcore),
            turns: match lcore.checked_sub(1) {
                None => handle.ledgers.first().map_or(0, |main| main.turns.get()),
                Some(worker) => handle.board.turns(worker),
            },
            generation: table(lcore).map_or(0, |table| table.generation.get() as u32),
            failed: failed.contains(&lcore),
        };
        Vitals {
            now,
            stopping: handle.board.is_stopped(),
            lcores: (0..handle.ledgers.len()).map(beat).collect(),
            inactive_sets: lock(&self.inactive_sets).clone(),
        }
    }

    pub(super) fn rules_in_force(&self) -> Arc<Ruleset> {
        Arc::clone(&lock(&self.ruleset))
    }

    /// Whether somebody has asked for outputs to be opened anew since the last call.
    pub fn take_reopen(&self) -> bool {
        self.reopen.swap(false, Ordering::Relaxed)
    }
}
