//! Which rules judge what: each set's generations that a worker still has sessions of. A session keeps the generation that it
//! was opened under; what has no session goes by the set's newest, and so does a session whose generation was let go.

use crate::base::SetId;
use crate::inspect::{Engine, InForce};
use crate::service::policy::MAX_GENERATIONS;
use crate::service::table::MAX_SETS;
use arrayvec::ArrayVec;
use std::sync::Arc;

/// A set's policy, made ready by management for one worker.
pub struct Prepared {
    /// Of the policy, as the set counts them.
    pub generation: u32,
    pub rules: InForce,
    /// That the worker evaluates them with.
    pub bytes: u64,
}

pub struct Generations {
    /// By set; the last is the newest.
    by_set: Box<[ArrayVec<Box<Prepared>, MAX_GENERATIONS>]>,
    /// The engine that came last, of whichever set.
    pub newest: Arc<Engine>,
    bytes: u64,
}

impl Generations {
    pub fn new(first: Arc<Engine>) -> Generations {
        Generations { by_set: (0..MAX_SETS).map(|_| ArrayVec::new()).collect(), newest: first, bytes: 0 }
    }

    /// False when the set has as many as it may; the worker's services refuse a policy before that.
    pub fn adopt(&mut self, set: SetId, prepared: Box<Prepared>) -> bool {
        let Some(of_set) = self.by_set.get_mut(set.index()) else { return false };
        self.newest = Arc::clone(prepared.rules.engine());
        let bytes = prepared.bytes;
        let adopted = of_set.try_push(prepared).is_ok();
        if adopted {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        adopted
    }

    pub fn retire(&mut self, set: SetId, generation: u32) -> Option<Box<Prepared>> {
        let of_set = self.by_set.get_mut(set.index())?;
        let at = of_set.iter().position(|prepared| prepared.generation == generation)?;
        let retired = of_set.remove(at);
        self.bytes = self.bytes.saturating_sub(retired.bytes);
        Some(retired)
    }

    /// That all of them are evaluated with.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The rules for a session that took that generation, or for what has no session.
    #[inline]
    pub fn of(&mut self, set: SetId, generation: Option<u32>) -> Option<&mut InForce> {
        let of_set = self.by_set.get_mut(set.index())?;
        let last = of_set.len().checked_sub(1)?;
        let mut at = last;
        if let Some(generation) = generation {
            // Most sessions are of the newest.
            at = (0..=last).rev().find(|&at| of_set[at].generation == generation).unwrap_or(last);
        }
        of_set.get_mut(at).map(|prepared| &mut prepared.rules)
    }

    pub fn any(&self, holds: impl Fn(&Engine) -> bool) -> bool {
        self.by_set.iter().flatten().any(|prepared| holds(prepared.rules.engine()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Generation;
    use crate::rules::RuleSet;

    fn prepared(generation: u32) -> Box<Prepared> {
        let set = RuleSet { generation: Generation(generation), ..RuleSet::default() };
        let engine = Arc::new(Engine::compile(Arc::new(set)).unwrap());
        Box::new(Prepared { generation, rules: InForce::new(engine), bytes: 10 })
    }

    fn found(generations: &mut Generations, set: u8, generation: Option<u32>) -> Option<u32> {
        generations.of(SetId(set), generation).map(|rules| rules.engine().generation().0)
    }

    #[test]
    fn a_session_goes_by_its_own_generation_and_by_the_newest_when_that_is_gone() {
        let mut all = Generations::new(Arc::clone(prepared(0).rules.engine()));
        assert_eq!(found(&mut all, 1, None), None);
        assert!(all.adopt(SetId(1), prepared(1)) && all.adopt(SetId(1), prepared(2)));
        assert!(all.adopt(SetId(0), prepared(7)));
        assert_eq!(found(&mut all, 1, Some(1)), Some(1));
        assert_eq!((found(&mut all, 1, None), all.bytes()), (Some(2), 30));
        assert_eq!(all.retire(SetId(1), 1).map(|prepared| prepared.generation), Some(1));
        assert!(all.retire(SetId(1), 1).is_none() && all.bytes() == 20);
        assert_eq!(found(&mut all, 1, Some(1)), Some(2));
        assert_eq!(found(&mut all, 0, Some(7)), Some(7));
    }
}
