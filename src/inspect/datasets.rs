//! What a rule asks of datasets and does to them, once the steps before hold.
//!
//! A set belongs to all workers. What one rule puts in is there for the next look of any worker; in a replay by several, looks
//! and changes come in the order of the packets, as those of `xbits` do.

use super::outcome::Notes;
use super::steps::Program;
use super::turn::Turn;
use crate::base::event::Noted;
use crate::rules::dataset::{Added, Set, Verb};

impl Turn<'_> {
    /// The next rule's turn: nothing is noted of it.
    pub(super) fn forget(&mut self) {
        self.notes = Notes::default();
    }

    /// What goes with the rule's alert, should it match. Beyond the bound nothing is noted.
    fn note(&mut self, noted: Noted) {
        let known = self.notes.iter().flatten().any(|known| *known == noted);
        if let Some(place) = self.notes.iter_mut().find(|place| place.is_none()).filter(|_| !known) {
            *place = Some(noted);
        }
    }

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
            Verb::IsSet => set.reputation(bytes).is_some_and(|number| {
                if set.has_records() {
                    self.note(Noted { set: set.number(), record: number });
                }
                true
            }),
            Verb::IsNotSet => !set.contains(bytes),
            Verb::Reputation(compare, with) => {
                set.reputation(bytes).is_some_and(|found| compare.holds(found, with.into()))
            }
        }
    }
}
