//! Rules compiled beside those in force, and put in their place.

use super::{Operator, Post, lock};
use crate::base::Generation;
use crate::inspect::Engine;
use crate::mgmt::config::Loaded;
use crate::mgmt::control::{ControlError, Reload};
use crate::mgmt::rule_files::{Refused, Selection};
use crate::mgmt::rule_sets::{self, Keep};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Faults that a refused reload tells of; `weir rules check` has them all.
const LISTED: usize = 10;

impl Operator {
    /// The rules of a configuration. More refused ones than there were are a fault, unless they are accepted.
    pub(super) fn compile(
        &self,
        next: &Loaded,
        accept_refused: bool,
    ) -> Result<(Arc<Engine>, Refused), ControlError> {
        let refused = |text: String| ControlError::Refused(text);
        let datasets = self.rules.current().map(|set| set.datasets.clone()).unwrap_or_default();
        let selection = Selection { datasets, ..self.selection.clone() };
        let mut loaded = rule_sets::load(&next.config, &next.base, &selection, Keep::Yes)
            .map_err(|error| refused(error.to_string()))?;
        loaded.log_saved();
        let faults = loaded.refused();
        // What was good and is no more: a slip in a file must not take it out of a running line.
        let more = |count: usize, known: &AtomicU64| count as u64 > known.load(Ordering::Relaxed);
        if !accept_refused && (more(faults.rules, &self.refused) || more(faults.lines, &self.lines_refused)) {
            let listed: String = loaded.faults().take(LISTED).map(|fault| format!("\n{fault}")).collect();
            return Err(refused(format!(
                "{faults} are refused, so the rules in force stay: mend them and reload{listed}"
            )));
        }
        loaded.rules.generation = Generation(self.generation.load(Ordering::Relaxed) + 1);
        let engine = Engine::compile(Arc::new(loaded.rules)).map_err(|error| refused(error.to_string()))?;
        Ok((Arc::new(engine), faults))
    }

    /// New rules to all workers. Only who holds `asking` calls this.
    pub(super) fn publish(&self, engine: &Arc<Engine>, refused: Refused) -> Result<Reload, ControlError> {
        let set = Arc::clone(engine.rules());
        self.rules.publish(Arc::clone(&set));
        // Its number is spent, even if a worker should not answer.
        self.generation.store(set.generation.0, Ordering::Relaxed);
        lock(&self.services).new_rules(engine, &mut Post(self)).map_err(ControlError::Refused)?;
        self.refused.store(refused.rules as u64, Ordering::Relaxed);
        self.lines_refused.store(refused.lines as u64, Ordering::Relaxed);
        Ok(Reload {
            generation: set.generation.0,
            loaded: set.rules.len() as u64,
            refused: refused.rules as u64,
        })
    }
}
