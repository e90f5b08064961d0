//! Rules: those of the start, and new ones while traffic flows.

use super::{Operator, Post, lock};
use crate::base::Generation;
use crate::inspect::Engine;
use crate::mgmt::control::{ControlError, Reload};
use crate::mgmt::rule_files::{Refused, Selection};
use crate::mgmt::rule_sets::{self, Keep};
use crate::mgmt::start::RulesAtStart;
use crate::rules::RuleSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Faults that a refused reload tells of; `weir rules check` has them all.
const LISTED: usize = 10;

impl Operator {
    pub(super) fn reload(&self) -> Result<Reload, ControlError> {
        let _one = lock(&self.asking);
        if self.awaits_rules.load(Ordering::Relaxed) {
            let text = "those of the start are still being compiled; wait until `weir ctl status` shows generation 1";
            return Err(ControlError::Refused(text.into()));
        }
        let (engine, refused) = self.compile()?;
        let set = self.put_in_force(&engine, refused)?;
        Ok(Reload {
            generation: set.generation.0,
            loaded: set.rules.len() as u64,
            refused: refused.rules as u64,
        })
    }

    /// The rules of the start, where the ports did not wait for them. How many there are.
    pub fn take_first(&self, rules: &RulesAtStart) -> Result<usize, ControlError> {
        let _one = lock(&self.asking);
        let set = self.put_in_force(&rules.engine, rules.loaded.refused())?;
        self.awaits_rules.store(false, Ordering::Relaxed);
        Ok(set.rules.len())
    }

    /// Only who holds `asking` calls this.
    fn put_in_force(&self, engine: &Arc<Engine>, refused: Refused) -> Result<Arc<RuleSet>, ControlError> {
        let set = Arc::clone(engine.rules());
        self.rules.publish(Arc::clone(&set));
        let taken = lock(&self.services).new_rules(engine, &mut Post(self));
        // Its number is spent, even if a worker should not answer; who reads it may rely on those that did.
        self.generation.store(set.generation.0, Ordering::Relaxed);
        taken.map_err(ControlError::Refused)?;
        self.refused.store(refused.rules as u64, Ordering::Relaxed);
        self.lines_refused.store(refused.lines as u64, Ordering::Relaxed);
        Ok(set)
    }

    fn compile(&self) -> Result<(Arc<Engine>, Refused), ControlError> {
        let refused = |text: String| ControlError::Refused(text);
        let (config, base) = (&self.loaded.config, &self.loaded.base);
        let datasets = self.rules.current().map(|set| set.datasets.clone()).unwrap_or_default();
        let selection = Selection { datasets, ..self.selection.clone() };
        let mut loaded = rule_sets::load(config, base, &selection, Keep::Yes)
            .map_err(|error| refused(error.to_string()))?;
        loaded.log_saved();
        let faults = loaded.refused();
        // What was good and is no more: a slip in a file must not take it out of a running line.
        let more = |count: usize, known: &AtomicU64| count as u64 > known.load(Ordering::Relaxed);
        if more(faults.rules, &self.refused) || more(faults.lines, &self.lines_refused) {
            let listed: String = loaded.faults().take(LISTED).map(|fault| format!("\n{fault}")).collect();
            return Err(refused(format!(
                "{faults} are refused, so the rules in force stay: mend them and reload{listed}"
            )));
        }
        loaded.rules.generation = Generation(self.generation.load(Ordering::Relaxed) + 1);
        let engine = Engine::compile(Arc::new(loaded.rules)).map_err(|error| refused(error.to_string()))?;
        Ok((Arc::new(engine), faults))
    }
}
