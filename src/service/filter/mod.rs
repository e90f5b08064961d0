//! `filter`: allows or denies sessions by address, protocol and port. Small, and the model of a plugin with a policy.
//!
//! Control ([`Filter`]) reads a text into a [`Database`] and attaches it, the next generation; the worker half finds the rule
//! of a session at its first packet, attaches it as the action of both directions, and ignores what it allowed from then on.
//! [`matcher`] finds the first rule that holds without trying them all.
//!
//! A configuration block that is added **replaces** the database of its set: one text is one generation, and nothing of an
//! older one is left to guess at. A block that is deleted names rules, one a line, which are taken out of it; an empty one
//! takes the database away, and then every new session is refused.

pub mod database;
pub mod matcher;
mod worker;

use super::plugin::{About, BlobOp, ControlEvent, ControlFault, DataPlugin, Desk, Flags, Plugin, ShownRow};
use super::policy::Policy;
use super::text;
use crate::base::{SetId, WorkerId};
pub use database::{Database, Rules};
use std::any::Any;
use std::sync::{Arc, Weak};

/// The name that configurations know it by.
pub const NAME: &str = "filter";

/// A database that was attached, for as long as anybody uses it.
struct Attached {
    set: SetId,
    generation: u32,
    database: Weak<Database>,
}

/// The control half.
pub struct Filter {
    about: About,
    /// What each set's newest database was made of.
    newest: Vec<(SetId, Arc<Database>)>,
    attached: Vec<Attached>,
}

impl Filter {
    pub fn plugin() -> Box<dyn Plugin> {
        let flags = Flags { policy: true, ..Flags::default() };
        let counters = worker::COUNTERS.map(String::from).into();
        let about = About { name: NAME.into(), kind: "filter".into(), flags, counters, ..About::default() };
        Box::new(Filter { about, newest: Vec::new(), attached: Vec::new() })
    }

    fn attach(&mut self, set: SetId, rules: Rules, desk: &mut dyn Desk) {
        let database = Arc::new(Database::compile(rules));
        let generation = desk.attach(set, Arc::clone(&database) as _);
        self.attached.retain(|attached| attached.database.strong_count() > 0);
        self.attached.push(Attached { set, generation, database: Arc::downgrade(&database) });
        self.newest.retain(|(of, _)| *of != set);
        self.newest.push((set, database));
    }

    /// The set's rules without those that the text names.
    fn without(&self, set: SetId, names: &str) -> Result<Rules, ControlFault> {
        let newest = self.newest.iter().find(|(of, _)| *of == set);
        let Some((_, database)) = newest else {
            return Err(ControlFault("the set has no rules to take out: add a database first".into()));
        };
        let names: Vec<&str> = names.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
        let rules = database.rules();
        for name in &names {
            if !rules.list.iter().any(|rule| rule.name == *name) {
                let close = text::nearest(name, rules.list.iter().map(|rule| rule.name.as_str()));
                let help = close.map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
                return Err(ControlFault(format!("no rule is called `{name}`{help}")));
            }
        }
        let mut left = rules.clone();
        left.list.retain(|rule| !names.contains(&rule.name.as_str()));
        Ok(left)
    }
}

impl Plugin for Filter {
    fn about(&self) -> &About {
        &self.about
    }

    fn data(&self, _worker: WorkerId) -> Box<dyn DataPlugin> {
        Box::new(worker::FilterWorker::new())
    }

    fn control(&mut self, event: ControlEvent<'_>, desk: &mut dyn Desk) -> Result<(), ControlFault> {
        let (set, rules) = match event {
            ControlEvent::Init { set, config, .. } => (set, parsed(config)?),
            ControlEvent::ConfigBlob { set, op, bytes, .. } => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|at| ControlFault(format!("the rules are not UTF-8: {at}")))?;
                match op {
                    BlobOp::Add => (set, parsed(text)?),
                    BlobOp::Delete if text.trim().is_empty() => {
                        self.newest.retain(|(of, _)| *of != set);
                        desk.detach(set);
                        return Ok(());
                    }
                    BlobOp::Delete => (set, self.without(set, text)?),
                }
            }
            ControlEvent::HaInfo => return Ok(()),
        };
        self.attach(set, rules, desk);
        Ok(())
    }

    /// The worker's counters of hits: written there, read by [`tables`](Plugin::tables).
    fn prepare(&self, policy: &Policy, _worker: WorkerId) -> Option<Box<dyn Any + Send>> {
        let database = policy.data.downcast_ref::<Database>()?;
        Some(Box::new(worker::Counted { generation: policy.generation, hits: database.count_hits() }))
    }

    /// The rules of every generation alive, with how many sessions each of them decided.
    fn tables(&self) -> Vec<(String, Vec<ShownRow>)> {
        let alive = self.attached.iter().filter_map(|attached| {
            let database = attached.database.upgrade()?;
            Some(rows(attached.set, attached.generation, &database))
        });
        vec![("rules".into(), alive.flatten().collect())]
    }
}

fn parsed(text: &str) -> Result<Rules, ControlFault> {
    Rules::parse(text).map_err(|faults| ControlFault(text::told(&faults)))
}

fn rows(set: SetId, generation: u32, database: &Database) -> Vec<ShownRow> {
    let rules = database.rules();
    let row = |(index, hits): (usize, u64)| {
        let (name, what) = match rules.list.get(index) {
            Some(rule) => (rule.name.clone(), rule.text.clone()),
            None => ("(default)".into(), format!("default {}", if rules.allow { "allow" } else { "deny" })),
        };
        [
            ("set", set.to_string()),
            ("generation", generation.to_string()),
            ("name", name),
            ("rule", what),
            ("hits", hits.to_string()),
        ]
        .map(|(column, value)| (column.into(), value))
        .into()
    };
    database.hits().into_iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests;
