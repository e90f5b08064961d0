//! What a rule asks of datasets and does to them, once the steps before hold.
//!
//! A set belongs to all workers. What one rule puts in is there for the next look of any worker; in a replay by several, looks
//! and changes come in the order of the packets, as those of `xbits` do.

use super::steps::Program;
use super::turn::Turn;
use crate::rules::dataset::{Added, Set, Verb};

impl Turn<'_> {
    /// Whether what the program asks of its sets holds of a buffer. What changes a set comes behind what asks.
    pub(super) fn sets_hold(&mut self, program: &Program, bytes: &[u8]) -> bool {
        let sets = program.sets();
        sets.iter().all(|op| op.verb.acts() || self.set_holds(op.verb, op.set.as_deref(), bytes))
            && sets.iter().all(|op| !op.verb.acts() || self.set_holds(op.verb, op.set.as_deref(), bytes))
    }

    fn set_holds(&mut self, verb: Verb, set: Option<&Set>, bytes: &[u8]) -> bool {
        let Some(set) = set else { return false };
        // Hashed once, compared once.
        if !self.pay(bytes.len()) {
            return false;
        }
        if set.changes() {
            self.order.wait_before(self.position);
        }
        match verb {
            Verb::Set => set.add(bytes) == Added::New,
            Verb::Unset => set.remove(bytes),
            Verb::IsSet => set.contains(bytes),
            Verb::IsNotSet => !set.contains(bytes),
            Verb::Reputation(compare, with) => {
                set.reputation(bytes).is_some_and(|found| compare.holds(found, with))
            }
        }
    }
}
