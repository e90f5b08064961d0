//! Rules that are tried beside those in force: compiled from the files, run without effect, then published or forgotten.

use super::rules::Compiled;
use super::{Operator, Post, lock};
use crate::base::Time;
use crate::inspect::Engine;
use crate::io::heap;
use crate::mgmt::background;
use crate::mgmt::control::{ControlError, Reload};
use crate::mgmt::rule_files::{Beside, Loaded as LoadedRules, Selection};
use crate::mgmt::shadow::{KEPT, LONGEST, MOST_OF_MSG, MOST_ROWS, Pair, RuleRow, ShadowReport, Shadowing};
use crate::rules::dataset;
use crate::rules::{Loading, RuleSet};
use crate::service::comparison::{Both, Comparison, Whose};
use crate::service::idp::Candidate;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// One trial.
pub(super) struct Trial {
    candidate: Arc<Candidate>,
    compiled: Compiled,
    /// In force when it began.
    in_force: Arc<RuleSet>,
    who: String,
    began: Time,
    until: Time,
    running: bool,
}

impl Trial {
    /// That its rules take in memory, and what is counted of them.
    fn bytes(&self) -> u64 {
        self.compiled.bytes + self.candidate.comparisons().iter().map(|counts| counts.bytes()).sum::<u64>()
    }
}

fn refused<T>(text: impl Into<String>) -> Result<T, ControlError> {
    Err(ControlError::Refused(text.into()))
}

const NONE: &str = "no rules are being tried: `weir ctl rules reload --shadow 60s` does";

impl Operator {
    /// Whether [`turn_shadow`](Self::turn_shadow) has something to do.
    pub fn shadow_is_due(&self) -> bool {
        let now = self.now();
        let due = |trial: &Trial| match trial.running {
            true => now >= trial.until,
            false => now >= trial.until.plus(KEPT),
        };
        lock(&self.trial).as_ref().is_some_and(due)
    }

    /// Ends what has run for its time, and forgets what nobody published. Asks workers: for a blocking thread.
    pub fn turn_shadow(&self) {
        let _one = lock(&self.asking);
        if !self.shadow_is_due() {
            return;
        }
        let running = lock(&self.trial).as_ref().is_some_and(|trial| trial.running);
        if running {
            self.stop_shadow();
            tracing::info!(
                "rules: those that were tried have run for their time: `weir ctl rules shadow` tells, `weir ctl rules publish` takes them"
            );
        } else {
            self.forget_shadow();
            tracing::info!("rules: those that were tried are forgotten: nobody published them");
        }
    }

    /// Only who holds `asking` calls this, and the next. What it came to stays.
    /// Whether it was running.
    pub(super) fn stop_shadow(&self) -> bool {
        let now = self.now();
        let ended = lock(&self.trial).as_mut().filter(|trial| trial.running).map(|trial| {
            trial.running = false;
            trial.until = trial.until.min(now);
        });
        if ended.is_some() {
            lock(&self.services).end_shadow(&mut Post(self));
        }
        ended.is_some()
    }

    pub(super) fn forget_shadow(&self) {
        self.stop_shadow();
        let forgotten = lock(&self.trial).take();
        if forgotten.is_some() {
            self.trial_bytes.store(0, Ordering::Relaxed);
            drop(forgotten);
            heap::give_back();
        }
    }

    /// What rules change is copied: what the candidate changes nobody else sees.
    fn copies(&self) -> Vec<Arc<dataset::Set>> {
        let in_force = self.rules.current();
        let sets = in_force.iter().flat_map(|rules| &rules.datasets);
        sets.map(|set| Arc::new(set.copy())).collect()
    }

    /// The candidate's rules with the datasets that the rules in force have.
    fn for_good(&self, compiled: Compiled) -> Result<Compiled, ControlError> {
        let tried = Arc::clone(compiled.engine.rules());
        if !tried.datasets.iter().any(|set| set.changes()) {
            return Ok(compiled);
        }
        let next = self.loaded();
        let datasets = self.rules.current().map(|set| set.datasets.clone()).unwrap_or_default();
        let selection = Selection { datasets, ..self.selection.clone() };
        let engine = background::work("weir-compile", || {
            let rules = RuleSet::clone(&tried);
            let loading =
                Loading { rules, diagnostics: Vec::new(), disabled: Vec::new(), touched: Vec::new() };
            let loaded = LoadedRules::new(loading, &Beside::find(&next.config, &next.base, &selection));
            if let Some(fault) = loaded.faults().next() {
                return refused(format!("what rules name has changed since they were tried: {fault}"));
            }
            Engine::compile(Arc::new(loaded.rules)).map_err(|error| ControlError::Refused(error.to_string()))
        })?;
        Ok(Compiled { engine: Arc::new(engine), ..compiled })
    }

    fn tell(&self, trial: &Trial) -> ShadowReport {
        let candidate = &trial.candidate;
        let now = self.now();
        let mut report = ShadowReport {
            running: trial.running,
            who: trial.who.clone(),
            loaded: candidate.engine.rules().rules.len() as u64,
            refused: trial.compiled.refused.rules as u64,
            beside: trial.in_force.generation.0,
            in_force: self.generation.load(Ordering::Relaxed),
            began: trial.began,
            until: trial.until,
            now,
            memory: self.handle().tables.iter().map(|tables| tables.shadow_memory.get()).sum(),
            ..ShadowReport::default()
        };
        let mut rows: HashMap<(u32, u32), RuleRow> = HashMap::new();
        for comparison in candidate.comparisons() {
            count(comparison, &mut report, &mut rows);
        }
        for row in rows.values() {
            report.alerts = plus(report.alerts, row.alerts);
            report.drops = plus(report.drops, row.drops);
        }
        report.drops = plus(report.drops, report.drops_without_rule);
        let mut rows: Vec<RuleRow> = rows.into_values().collect();
        let weight = |row: &RuleRow| row.alerts.distance().saturating_add(row.drops.distance());
        rows.sort_unstable_by_key(|row| (std::cmp::Reverse(weight(row)), row.gid, row.sid));
        report.left_out = rows.len().saturating_sub(MOST_ROWS) as u64;
        rows.truncate(MOST_ROWS);
        name(&mut rows, [candidate.engine.rules(), &trial.in_force]);
        report.rules = rows;
        report
    }
}

fn plus(a: Pair, b: Pair) -> Pair {
    Pair { live: a.live + b.live, shadow: a.shadow + b.shadow }
}

fn pair(both: &Both) -> Pair {
    Pair { live: both[Whose::Live as usize].get(), shadow: both[Whose::Shadow as usize].get() }
}

/// Adds what one worker counted.
fn count(comparison: &Comparison, report: &mut ShadowReport, rows: &mut HashMap<(u32, u32), RuleRow>) {
    report.packets += comparison.packets.get();
    report.sessions += comparison.sessions.get();
    report.unfollowed += comparison.unfollowed.get();
    report.drops_without_rule = plus(report.drops_without_rule, pair(&comparison.drops_without_rule));
    // Rules of a generation that came in force meanwhile stand in no row.
    report.alerts = plus(report.alerts, pair(&comparison.others.alerts));
    report.drops = plus(report.drops, pair(&comparison.others.drops));
    for ((gid, sid), counts) in comparison.rules() {
        let (alerts, drops) = (pair(&counts.alerts), pair(&counts.drops));
        if alerts.any() || drops.any() {
            let row = rows.entry((gid, sid)).or_insert_with(|| RuleRow { gid, sid, ..RuleRow::default() });
            (row.alerts, row.drops) = (plus(row.alerts, alerts), plus(row.drops, drops));
        }
    }
}

/// What the rules say of themselves: the candidate's first.
fn name(rows: &mut [RuleRow], sets: [&RuleSet; 2]) {
    let at: HashMap<(u32, u32), usize> =
        rows.iter().enumerate().map(|(at, row)| ((row.gid, row.sid), at)).collect();
    for rule in sets.into_iter().flat_map(|set| &set.rules) {
        let row = at.get(&(rule.gid, rule.sid)).and_then(|&at| rows.get_mut(at));
        if let Some(row) = row.filter(|row| row.msg.is_empty()) {
            row.msg = rule.msg.chars().take(MOST_OF_MSG).collect();
        }
    }
}

impl Shadowing for Operator {
    fn start(&self, span: Duration, who: &str) -> Result<ShadowReport, ControlError> {
        if span.is_zero() || span > LONGEST {
            let text = format!(
                "rules are tried for a second at least and {} days at most",
                LONGEST.as_secs() / 86_400
            );
            return Err(ControlError::Unanswerable(text));
        }
        let _one = lock(&self.asking);
        if let Some(trial) = lock(&self.trial).as_ref().filter(|trial| trial.running) {
            return refused(format!(
                "rules that {} gave are being tried already: `weir ctl rules discard` or `weir ctl rules publish` first",
                trial.who
            ));
        }
        self.forget_shadow();
        let overruled = lock(&self.overrules).ids(self.now());
        let loaded = self.loaded();
        let compiled = self.compile_beside(&loaded, overruled, self.copies())?;
        let compiled = self.with_room(compiled, &loaded.config)?;
        let Some(in_force) = self.rules.current() else { return refused("no rules are in force yet") };
        let mut services = lock(&self.services);
        let candidate = Arc::new(Candidate::new(
            Arc::clone(&compiled.engine),
            &in_force,
            services.workers(),
            self.at_start.sessions.size as usize,
        ));
        services.begin_shadow(&candidate, &mut Post(self)).map_err(ControlError::Refused)?;
        drop(services);
        let began = self.now();
        let (who, until) = (who.to_owned(), began.plus(span));
        let trial = Trial { candidate, compiled, in_force, who, began, until, running: true };
        let report = self.tell(&trial);
        tracing::info!(
            "rules: {} tries {} of the files beside generation {} for {} s",
            trial.who,
            report.loaded,
            report.beside,
            span.as_secs()
        );
        self.trial_bytes.store(trial.bytes(), Ordering::Relaxed);
        *lock(&self.trial) = Some(trial);
        Ok(report)
    }

    fn report(&self) -> Option<ShadowReport> {
        lock(&self.trial).as_ref().map(|trial| self.tell(trial))
    }

    fn publish(&self, who: &str) -> Result<Reload, ControlError> {
        let _one = lock(&self.asking);
        let beside = match &*lock(&self.trial) {
            Some(trial) => trial.in_force.generation.0,
            None => return refused(NONE),
        };
        let in_force = self.generation.load(Ordering::Relaxed);
        if beside != in_force {
            return refused(format!(
                "they were tried beside generation {beside}, and {in_force} is in force by now: discard them and try the files anew"
            ));
        }
        self.has_room()?;
        self.stop_shadow();
        let compiled = match &*lock(&self.trial) {
            Some(trial) => trial.compiled.clone(),
            None => return refused(NONE),
        };
        let done = self.publish_compiled(self.for_good(compiled)?)?;
        self.forget_shadow();
        tracing::info!("rules: {who} publishes those that were tried; generation {}", done.generation);
        Ok(done)
    }

    fn discard(&self, who: &str) -> Result<ShadowReport, ControlError> {
        let _one = lock(&self.asking);
        self.stop_shadow();
        let report = lock(&self.trial).as_ref().map(|trial| self.tell(trial));
        let Some(report) = report else { return refused(NONE) };
        self.forget_shadow();
        tracing::info!("rules: {who} discards those that were tried");
        Ok(report)
    }
}
