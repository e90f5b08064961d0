//! The rule sets that events may speak of, for management's threads: the newest ones, and those that a worker still has
//! sessions of.

use crate::base::{Generation, RuleIndex};
use crate::rules::{Rule, RuleSet};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Generations kept though nobody uses them: an event may still lie in its ring when its session has ended.
const KEPT: usize = 2;

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
        self.change(|sets| sets.0.push_front(set));
    }

    /// Lets go of what no worker goes by any more.
    pub fn prune(&self) {
        if self.sets().0.len() > KEPT {
            self.change(|_| {});
        }
    }

    fn change(&self, change: impl FnOnce(&mut Sets)) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out, so that what others hold can be told from what stands here.
        let mut next = Arc::try_unwrap(std::mem::take(&mut *sets)).unwrap_or_else(|read| Sets::clone(&read));
        change(&mut next);
        next.let_go();
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
    /// All but the newest that nobody else has. A reader's copy counts as well: it is there for a moment.
    fn let_go(&mut self) {
        let mut place = 0;
        self.0.retain(|set| {
            place += 1;
            place <= KEPT || Arc::strong_count(set) > 1
        });
    }

    pub fn rule(&self, generation: Generation, index: RuleIndex) -> Option<&Rule> {
        self.0.iter().find(|set| set.generation == generation).and_then(|set| set.rule(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_stay_while_somebody_has_them_and_the_newest_stay_anyway() {
        let set = |n| Arc::new(RuleSet { generation: Generation(n), ..RuleSet::default() });
        let (first, third) = (set(1), set(3));
        let book = RuleBook::new(Arc::clone(&first));
        book.publish(set(2));
        book.publish(Arc::clone(&third));
        (4..=9).for_each(|n| book.publish(set(n)));
        let known = || book.sets().0.iter().map(|s| s.generation.0).collect::<Vec<_>>();
        assert_eq!(known(), [9, 8, 3, 1]);
        drop(third);
        book.prune();
        assert_eq!(known(), [9, 8, 1]);
        drop(first);
        book.prune();
        assert_eq!(known(), [9, 8]);
        assert_eq!(book.current().map(|s| s.generation), Some(Generation(9)));
    }
}
