//! The desks: where plugins hand in their policies, during a control event and later.

use super::manager::{RULES_BEHIND, RulesBehind, SetState};
use crate::base::{PluginId, SetId};
use crate::inspect::Engine;
use crate::service::plugin::{Desk, LateDesk};
use crate::service::policy::{Detached, Policy};
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

/// A policy that a plugin has handed in, with its number.
pub(super) struct HandedIn {
    pub set: SetId,
    pub plugin: PluginId,
    pub policy: Policy,
}

/// The last of each plugin and set: what came before it no session has taken, and a worker has room for eight.
pub(super) fn newest(handed_in: Vec<HandedIn>) -> Vec<HandedIn> {
    let mut kept: Vec<HandedIn> = Vec::new();
    for it in handed_in {
        match kept.iter_mut().find(|earlier| (earlier.set, earlier.plugin) == (it.set, it.plugin)) {
            Some(earlier) => *earlier = it,
            None => kept.push(it),
        }
    }
    kept
}

/// What came from plugins' own threads; numbered when it is taken up.
pub(super) struct Later {
    pub set: SetId,
    pub plugin: PluginId,
    /// `None` takes the database away.
    pub data: Option<Arc<dyn Any + Send + Sync>>,
}

#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Mutex<Vec<Later>>>);

impl Queue {
    fn push(&self, later: Later) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(later);
    }

    pub fn take(&self) -> Vec<Later> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The desk of one control event.
pub(super) struct Counter<'a> {
    pub plugin: PluginId,
    pub sets: &'a mut [Option<SetState>],
    pub handed_in: Vec<HandedIn>,
    pub queue: &'a Queue,
}

impl Counter<'_> {
    /// 0 for a set that there is not.
    pub fn hand_in(&mut self, set: SetId, data: Option<Arc<dyn Any + Send + Sync>>) -> u32 {
        let Some(Some(state)) = self.sets.get_mut(set.index()) else { return 0 };
        let Some(attachment) = state.attachments.get_mut(self.plugin.index()) else { return 0 };
        attachment.generation += 1;
        attachment.there = data.is_some();
        let generation = attachment.generation;
        if let Some(engine) = data.as_ref().and_then(|data| data.downcast_ref::<Engine>()) {
            if state.rules.len() >= RULES_BEHIND {
                state.rules.remove(0);
            }
            let rules = engine.generation().0;
            state.rules.push(RulesBehind { plugin: self.plugin, policy: generation, rules });
        }
        let policy = Policy { generation, data: data.unwrap_or_else(|| Arc::new(Detached)) };
        self.handed_in.push(HandedIn { set, plugin: self.plugin, policy });
        generation
    }
}

impl Desk for Counter<'_> {
    fn attach(&mut self, set: SetId, data: Arc<dyn Any + Send + Sync>) -> u32 {
        self.hand_in(set, Some(data))
    }

    fn detach(&mut self, set: SetId) {
        self.hand_in(set, None);
    }

    fn later(&self) -> Option<Arc<dyn LateDesk>> {
        Some(Arc::new(LateCounter { plugin: self.plugin, queue: self.queue.clone() }))
    }
}

struct LateCounter {
    plugin: PluginId,
    queue: Queue,
}

impl LateDesk for LateCounter {
    fn attach(&self, set: SetId, data: Arc<dyn Any + Send + Sync>) {
        self.queue.push(Later { set, plugin: self.plugin, data: Some(data) });
    }

    fn detach(&self, set: SetId) {
        self.queue.push(Later { set, plugin: self.plugin, data: None });
    }
}
