//! What inspection keeps with a transaction between two looks.

use crate::base::{Dir, PerDir, RuleIndex};

/// A rule that may yet match, and which of its parts have held.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub rule: RuleIndex,
    /// A rule that says no direction is looked at in each by itself.
    pub dir: Dir,
    pub held: u64,
}

/// Different bits of one transaction; further ones are not set.
const MAX_BITS: usize = 16;

/// What inspection keeps of a transaction.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Items that were scanned for fast patterns, a direction.
    pub scanned: PerDir<usize>,
    /// The rules without a fast pattern were added, a direction.
    pub begun: PerDir<bool>,
    /// Events for which the rules on events were added, a direction.
    pub events: PerDir<usize>,
    pub pending: Vec<Pending>,
    /// Rules that matched already, each in its direction.
    pub matched: Vec<(RuleIndex, Dir)>,
    /// Bits that rules set of it, by the set's number.
    pub(super) bits: Vec<u32>,
    /// A rule wants no record of it.
    pub unlogged: bool,
    /// A `pass` rule matched: nothing more is asked of it.
    pub passed: bool,
}

impl Marks {
    pub fn has_bit(&self, bit: u32) -> bool {
        self.bits.contains(&bit)
    }

    pub fn set_bit(&mut self, bit: u32) {
        if !self.has_bit(bit) && self.bits.len() < MAX_BITS {
            self.bits.push(bit);
        }
    }
}
