//! What any step says of a frame.

use crate::base::DropReason;

/// A step's opinion. Between steps the most restrictive wins: drop, then hold, then forward.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    #[default]
    Forward,
    /// The frame waits for a decision (a gap, a plugin that asked).
    Hold,
    Drop(DropReason),
}

impl Verdict {
    /// The more restrictive of the two; of two drops, the first reason is kept.
    pub fn and(self, later: Verdict) -> Verdict {
        match (self, later) {
            (Verdict::Drop(reason), _) | (_, Verdict::Drop(reason)) => Verdict::Drop(reason),
            (Verdict::Hold, _) | (_, Verdict::Hold) => Verdict::Hold,
            (Verdict::Forward, Verdict::Forward) => Verdict::Forward,
        }
    }

    pub fn is_drop(self) -> bool {
        matches!(self, Verdict::Drop(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_restrictive_wins_and_the_first_reason_is_kept() {
        let (a, b) = (Verdict::Drop(DropReason::RuleDrop), Verdict::Drop(DropReason::RingFull));
        assert_eq!(Verdict::Forward.and(Verdict::Hold), Verdict::Hold);
        assert_eq!(Verdict::Hold.and(a), a);
        assert_eq!(a.and(b), a);
    }
}
