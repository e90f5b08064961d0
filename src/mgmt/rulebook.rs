//! The rule sets that events may speak of, for management's threads: the newest ones, and those that a worker still has
//! sessions of.

use crate::base::{Generation, RuleIndex};
use crate::rules::{Rule, RuleSet};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Looks at which a set that nobody else has any more is kept: events of its last session may still lie in their rings.
const LOOKS: u8 = 100;

/// Shared by clones.
#[derive(Clone, Default)]
pub struct RuleBook {
    sets: Arc<Mutex<Arc<Sets>>>,
}

/// The sets at one moment, the newest in front.
#[derive(Clone, Default)]
pub struct Sets(VecDeque<Known>);

#[derive(Clone)]
struct Known {
    set: Arc<RuleSet>,
    /// That it takes with all that was compiled of it.
    bytes: u64,
    /// Looks since somebody else had it.
    unused: u8,
}

impl RuleBook {
    pub fn new(first: Arc<RuleSet>, bytes: u64) -> RuleBook {
        let book = RuleBook::default();
        book.publish(first, bytes);
        book
    }

    /// To be called before the workers get the set.
    pub fn publish(&self, set: Arc<RuleSet>, bytes: u64) {
        self.change(|sets| sets.0.push_front(Known { set, bytes, unused: 0 }));
    }

    /// One look: lets go of what no worker has gone by for long. Called at each turn of management.
    pub fn prune(&self) {
        if self.sets().0.len() > 1 {
            self.change(Sets::let_go);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Sets)) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out, so that what others hold can be told from what stands here.
        let mut next = Arc::try_unwrap(std::mem::take(&mut *sets)).unwrap_or_else(|read| Sets::clone(&read));
        change(&mut next);
        *sets = Arc::new(next);
    }

    pub fn sets(&self) -> Arc<Sets> {
        Arc::clone(&self.sets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The newest set.
    pub fn current(&self) -> Option<Arc<RuleSet>> {
        self.sets().0.front().map(|known| Arc::clone(&known.set))
    }
}

impl Sets {
    /// All but the newest that nobody else has had for long. A reader's copy counts as well: it is there for a moment.
    fn let_go(&mut self) {
        let newest = self.0.front().map(|known| known.set.generation);
        self.0.retain_mut(|known| {
            let used = Arc::strong_count(&known.set) > 1 || Some(known.set.generation) == newest;
            known.unused = if used { 0 } else { known.unused + 1 };
            known.unused < LOOKS
        });
    }

    /// Number and rules of each, the newest first.
    pub fn known(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.iter().map(|known| (known.set.generation.0, known.set.rules.len() as u64))
    }

    /// Of all of them.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|known| known.bytes).sum()
    }

    /// Of the newest.
    pub fn newest_bytes(&self) -> u64 {
        self.0.front().map_or(0, |known| known.bytes)
    }

    pub fn rule(&self, generation: Generation, index: RuleIndex) -> Option<&Rule> {
        let known = self.0.iter().find(|known| known.set.generation == generation);
        known.and_then(|known| known.set.rule(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_stay_while_somebody_has_them_and_a_while_longer() {
        let set = |n| Arc::new(RuleSet { generation: Generation(n), ..RuleSet::default() });
        let (first, third) = (set(1), set(3));
        let book = RuleBook::new(Arc::clone(&first), 100);
        book.publish(set(2), 20);
        book.publish(Arc::clone(&third), 3);
        (4..=9).for_each(|n| book.publish(set(n), 0));
        let known = || book.sets().0.iter().map(|known| known.set.generation.0).collect::<Vec<_>>();
        let look = |times| (0..times).for_each(|_| book.prune());
        look(LOOKS - 1);
        assert_eq!(known(), [9, 8, 7, 6, 5, 4, 3, 2, 1], "events may still speak of them");
        look(1);
        assert_eq!(known(), [9, 3, 1]);
        assert_eq!((book.sets().bytes(), book.sets().newest_bytes()), (103, 0));
        drop(third);
        look(LOOKS);
        assert_eq!(known(), [9, 1]);
        drop(first);
        look(LOOKS);
        assert_eq!(known(), [9]);
        assert_eq!(book.current().map(|s| s.generation), Some(Generation(9)));
    }
}
