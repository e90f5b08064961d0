//! Rules: those of the start, and new ones compiled beside those in force and put in their place.

use super::{Operator, Post, lock};
use crate::base::{Generation, tally};
use crate::inspect::Engine;
use crate::io::heap;
use crate::mgmt::background;
use crate::mgmt::config::Loaded;
use crate::mgmt::control::{ControlError, Reload};
use crate::mgmt::rule_files::{Refused, Selection};
use crate::mgmt::rule_sets::{self, Keep};
use crate::mgmt::ruleset::Ruleset;
use crate::mgmt::start::RulesAtStart;
use crate::rules::dataset;
use crate::rules::lists::Overrule;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Faults that a refused reload tells of; `weir rules check` has them all.
const LISTED: usize = 10;

/// Rules that are ready.
#[derive(Clone)]
pub(super) struct Compiled {
    pub(super) engine: Arc<Engine>,
    pub(super) refused: Refused,
    pub(super) ruleset: Arc<Ruleset>,
    /// That it takes in memory.
    pub(super) bytes: u64,
}

impl Operator {
    pub(super) fn reload(&self) -> Result<Reload, ControlError> {
        let _one = lock(&self.asking);
        self.has_room()?;
        let loaded = self.loaded();
        let compiled = self.with_room(self.compile(&loaded, false)?, &loaded.config)?;
        self.publish_compiled(compiled)
    }

    /// The rules of the start, where the ports did not wait for them. How many there are.
    pub fn take_first(&self, rules: &RulesAtStart) -> Result<usize, ControlError> {
        let _one = lock(&self.asking);
        let engine = Arc::clone(&rules.engine);
        let ruleset = Arc::new(Ruleset::of(&rules.loaded, engine.rules().rules.len(), self.now()));
        let done = self.publish_compiled(Compiled {
            engine,
            refused: rules.loaded.refused(),
            ruleset,
            bytes: rules.bytes,
        })?;
        self.awaits_rules.store(false, Ordering::Relaxed);
        Ok(done.loaded as usize)
    }

    /// Only who holds `asking` calls this: no generation comes until that is let go.
    pub(super) fn has_room(&self) -> Result<(), ControlError> {
        let fault = lock(&self.services).no_room_for_rules(&mut Post(self));
        fault.map_or(Ok(()), |fault| Err(ControlError::Refused(fault)))
    }

    /// The rules of a configuration. More refused ones than there were are a fault, unless they are accepted.
    pub(super) fn compile(&self, next: &Loaded, accept_refused: bool) -> Result<Compiled, ControlError> {
        let overruled = lock(&self.overrules).ids(self.now());
        self.compile_with(next, accept_refused, overruled)
    }

    /// The same with what an operator says of rules.
    pub(super) fn compile_with(
        &self,
        next: &Loaded,
        accept_refused: bool,
        overruled: Vec<((u32, u32), Overrule)>,
    ) -> Result<Compiled, ControlError> {
        let datasets = self.rules.current().map(|set| set.datasets.clone()).unwrap_or_default();
        let selection = Selection { datasets, overruled, ..self.selection.clone() };
        self.compile_in_background(next, accept_refused, &selection)
    }

    /// The same, to run beside the rules in force with datasets of their own.
    pub(super) fn compile_beside(
        &self,
        next: &Loaded,
        overruled: Vec<((u32, u32), Overrule)>,
        datasets: Vec<Arc<dataset::Set>>,
    ) -> Result<Compiled, ControlError> {
        let selection = Selection { datasets, overruled, ..self.selection.clone() };
        self.compile_in_background(next, false, &selection)
    }

    fn compile_in_background(
        &self,
        next: &Loaded,
        accept_refused: bool,
        selection: &Selection,
    ) -> Result<Compiled, ControlError> {
        let compile = || self.compile_here(next, accept_refused, selection);
        let (compiled, bytes) = tally::of(|| background::work("weir-compile", compile));
        compiled.map(|compiled| Compiled { bytes, ..compiled })
    }

    fn compile_here(
        &self,
        next: &Loaded,
        accept_refused: bool,
        selection: &Selection,
    ) -> Result<Compiled, ControlError> {
        let refused = |text: String| ControlError::Refused(text);
        if self.awaits_rules.load(Ordering::Relaxed) {
            let text = "those of the start are still being compiled; wait until `weir ctl status` shows generation 1";
            return Err(refused(text.into()));
        }
        let mut loaded = rule_sets::load(&next.config, &next.base, selection, Keep::Yes)
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
        let ruleset = Arc::new(Ruleset::of(&loaded, loaded.rules.rules.len(), self.now()));
        loaded.rules.generation = Generation(self.generation.load(Ordering::Relaxed) + 1);
        let engine = Engine::compile(Arc::new(loaded.rules)).map_err(|error| refused(error.to_string()))?;
        heap::give_back();
        Ok(Compiled { engine: Arc::new(engine), refused: faults, ruleset, bytes: 0 })
    }

    /// New rules to all workers. Only who holds `asking` calls this.
    pub(super) fn publish_compiled(&self, compiled: Compiled) -> Result<Reload, ControlError> {
        let Compiled { engine, refused, ruleset, bytes } = compiled;
        let set = Arc::clone(engine.rules());
        self.rules.publish(Arc::clone(&set), bytes);
        let taken = lock(&self.services).new_rules(&engine, &mut Post(self));
        // Its number is spent, even if a worker should not answer; who reads it may rely on those that did.
        self.generation.store(set.generation.0, Ordering::Relaxed);
        taken.map_err(ControlError::Refused)?;
        *lock(&self.ruleset) = ruleset;
        self.refused.store(refused.rules as u64, Ordering::Relaxed);
        self.lines_refused.store(refused.lines as u64, Ordering::Relaxed);
        Ok(Reload {
            generation: set.generation.0,
            loaded: set.rules.len() as u64,
            refused: refused.rules as u64,
        })
    }
}
