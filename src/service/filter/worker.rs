//! The filter's data half: the policy is walked once a session.

use super::database::{Database, Decision};
use crate::base::counters::Counter;
use crate::base::{Dir, DropReason, SetId};
use crate::service::Context;
use crate::service::plugin::{DataPlugin, Reply};
use crate::service::policy::{MAX_GENERATIONS, Policy};
use crate::service::table::MAX_SETS;
use arrayvec::ArrayVec;
use std::any::Any;
use std::sync::Arc;

/// In this order: sessions allowed and denied, and those that found no database.
pub const COUNTERS: [&str; 3] = ["allowed", "denied", "no-policy"];
const ALLOWED: usize = 0;
const DENIED: usize = 1;
const NO_POLICY: usize = 2;

/// This worker's hits of a generation.
pub struct Counted {
    pub generation: u32,
    pub hits: Arc<[Counter]>,
}

pub struct FilterWorker {
    /// By set.
    counted: Box<[ArrayVec<Box<Counted>, MAX_GENERATIONS>]>,
}

/// An attached action: 0 is none, else the rule's place and one, and whether it allows.
fn packed(decision: Decision) -> u64 {
    (u64::from(decision.rule) + 1) << 1 | u64::from(decision.allow)
}

fn allows(action: u64) -> bool {
    action & 1 == 1
}

impl FilterWorker {
    pub fn new() -> FilterWorker {
        FilterWorker { counted: (0..MAX_SETS).map(|_| ArrayVec::new()).collect() }
    }

    /// Walks the policy for the session, and keeps what came of it. `None`: there is no policy.
    fn decide(&self, context: &mut Context<'_>) -> Option<u64> {
        let tuple = context.session.as_ref()?.session.tuple;
        let policy = context.policy()?;
        let decision = policy.data.downcast_ref::<Database>()?.decide(&tuple);
        let counted = self.counted.get(context.set.index())?.iter().rev();
        if let Some(counted) = counted.into_iter().find(|counted| counted.generation == policy.generation)
            && let Some(hits) = counted.hits.get(decision.rule as usize)
        {
            hits.add(1);
        }
        context.host.count(context.set, if decision.allow { ALLOWED } else { DENIED }, 1);
        let action = packed(decision);
        Dir::BOTH.into_iter().for_each(|dir| {
            context.attach(dir, action);
        });
        Some(action)
    }

    fn act(&self, context: &mut Context<'_>, action: Option<u64>) -> Reply {
        match action {
            Some(action) if allows(action) => {
                context.ignore_both();
                Reply::Forward
            }
            Some(_) => Reply::Discard(DropReason::PluginDiscard),
            None => {
                context.host.count(context.set, NO_POLICY, 1);
                Reply::Discard(DropReason::PluginDiscard)
            }
        }
    }
}

impl DataPlugin for FilterWorker {
    fn first_packet(&mut self, context: &mut Context<'_>) -> Reply {
        let action = self.decide(context);
        self.act(context, action)
    }

    /// Of a session that it allowed none comes. Its first packet may have been dropped in front of this plugin, though: then
    /// this is the first that is seen.
    fn packet(&mut self, context: &mut Context<'_>) -> Reply {
        let action = match context.action() {
            0 => self.decide(context),
            attached => Some(attached),
        };
        self.act(context, action)
    }

    fn adopt(&mut self, set: SetId, _policy: &Policy, prepared: Option<Box<dyn Any + Send>>) {
        let Some(counted) = prepared.and_then(|prepared| prepared.downcast::<Counted>().ok()) else { return };
        if let Some(of_set) = self.counted.get_mut(set.index()) {
            let _ = of_set.try_push(counted); // as many as there are generations; one more would count nothing
        }
    }

    fn retire(&mut self, set: SetId, generation: u32) -> Option<Box<dyn Any + Send>> {
        let of_set = self.counted.get_mut(set.index())?;
        let at = of_set.iter().position(|counted| counted.generation == generation)?;
        Some(of_set.remove(at))
    }
}
