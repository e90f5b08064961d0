//! Changes that workers and management's thread take over with their next turn.

use super::post::{LOOK, PATIENCE};
use super::{Operator, lock};
use crate::mgmt::config::Config;
use crate::mgmt::convert;
use crate::mgmt::outputs::Renewed;
use crate::pipeline::mailbox::{Answer, Command};
use crate::pipeline::tuning::Tuning;
use std::time::Duration;

impl Operator {
    /// Only who holds `asking` calls this.
    pub(super) fn tune_workers(&self, config: &Config) {
        // Seeds are not taken over.
        let tuning = Tuning {
            sessions: convert::sessions(config, self.started, 0),
            fragments: convert::fragments(config, 0),
            checksums: convert::checksums(config, false),
            plugins: convert::tuning(config),
            wanted: convert::wanted(config),
        };
        lock(&self.services).tune(&tuning.plugins);
        let workers = self.handle().workers();
        for worker in 0..workers {
            let command = Command::Tune(Box::new(tuning.clone()));
            let taken = |answer| matches!(answer, Answer::Tuned(_)).then_some(());
            // It lies in the mailbox and is taken when the worker comes back.
            if let Err(error) = self.ask(worker, command, taken) {
                tracing::warn!("settings of worker {worker} are late: {error}");
            }
        }
    }

    /// Outputs for management's thread; waits until it has them.
    pub(super) fn hand_over(&self, renewed: Vec<Renewed>) {
        *lock(&self.renewed) = Some(renewed);
        let mut waited = Duration::ZERO;
        while lock(&self.renewed).is_some() && waited < PATIENCE {
            std::thread::park_timeout(LOOK);
            waited += LOOK;
        }
    }

    pub fn take_outputs(&self) -> Option<Vec<Renewed>> {
        lock(&self.renewed).take()
    }
}
