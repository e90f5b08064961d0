//! Whether it lives, and what the rules came to: answered without asking a worker, so also when one hangs.

use super::{Operator, lcore_role, lock};
use crate::mgmt::control::{Heartbeat, Vitals};
use crate::mgmt::ruleset::Ruleset;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Operator {
    pub(super) fn read_vitals(&self) -> Vitals {
        let handle = self.handle();
        let failed: Vec<usize> = handle.board.failed().collect();
        let beat = |lcore: usize| Heartbeat {
            role: lcore_role(lcore),
            turns: match lcore.checked_sub(1) {
                None => handle.ledgers.first().map_or(0, |main| main.turns.get()),
                Some(worker) => handle.board.turns(worker),
            },
            failed: failed.contains(&lcore),
        };
        Vitals {
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
