//! The rule sets that events may speak of: the newest generations, for management's threads.

use crate::base::{Generation, RuleIndex};
use crate::rules::{Rule, RuleSet};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Generations kept. An event waits in its ring for milliseconds; reloads are seconds apart.
const KEPT: usize = 8;

/// Shared by clones.
#[derive(Clone, Default)]
pub struct RuleBook {
    sets: Arc<Mutex<Arc<Sets>>>,
}

/// The sets at one moment.
#[derive(Clone, Default)]
pub struct Sets(VecDeque<Arc<RuleSet>>);

impl RuleBook {
    pub fn new(first: Arc<RuleSet>) -> RuleBook {
        let book = RuleBook::default();
        book.publish(first);
        book
    }

    /// To be called before the workers get the set.
    pub fn publish(&self, set: Arc<RuleSet>) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Sets::clone(&sets);
        next.0.push_front(set);
        next.0.truncate(KEPT);
        *sets = Arc::new(next);
    }

    pub fn sets(&self) -> Arc<Sets> {
        Arc::clone(&self.sets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The newest set.
    pub fn current(&self) -> Option<Arc<RuleSet>> {
        self.sets().0.front().cloned()
    }
}

impl Sets {
    pub fn rule(&self, generation: Generation, index: RuleIndex) -> Option<&Rule> {
        self.0.iter().find(|set| set.generation == generation).and_then(|set| set.rule(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_generations_go_when_newer_ones_come() {
        let set = |n| Arc::new(RuleSet { generation: Generation(n), ..RuleSet::default() });
        let book = RuleBook::new(set(1));
        for n in 2..=9 {
            book.publish(set(n));
        }
        let known = |n| book.sets().0.iter().any(|s| s.generation == Generation(n));
        assert!(!known(1) && known(2) && known(9));
        assert_eq!(book.current().map(|s| s.generation), Some(Generation(9)));
    }
}
