//! Counts of what two generations of rules say of the same packets: those in force, and a candidate that runs beside them.

use crate::base::RuleIndex;
use crate::base::counters::Counter;
use crate::rules::RuleSet;
use std::sync::Arc;

/// Whose word is counted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    Live,
    Shadow,
}

/// By [`Whose`].
pub type Both = [Counter; 2];

/// What one rule came to.
#[derive(Debug, Default)]
pub struct RuleCounts {
    /// Alerts as evaluated: before thresholds that only hold alerts back.
    pub alerts: Both,
    /// Packets that the rule dropped, or would have dropped.
    pub drops: Both,
}

/// One worker's counts; written there, read by management.
#[derive(Debug)]
pub struct Comparison {
    /// (gid, sid) in ascending order, of both sets.
    ids: Arc<[(u32, u32)]>,
    rules: Box<[RuleCounts]>,
    /// Rules of generations that came later, and of which nothing is known here.
    pub others: RuleCounts,
    /// Packets that no rule dropped but a policy, or streams.
    pub drops_without_rule: Both,
    /// Packets judged by both.
    pub packets: Counter,
    /// Sessions that are followed by both, and those for which there was no room.
    pub sessions: Counter,
    pub unfollowed: Counter,
}

impl Comparison {
    /// About 40 bytes a rule.
    pub fn new(ids: Arc<[(u32, u32)]>) -> Comparison {
        Comparison {
            rules: ids.iter().map(|_| RuleCounts::default()).collect(),
            ids,
            others: RuleCounts::default(),
            drops_without_rule: Both::default(),
            packets: Counter::new(),
            sessions: Counter::new(),
            unfollowed: Counter::new(),
        }
    }

    /// Rules of either set, each once, in the order that [`new`](Self::new) wants.
    pub fn ids(sets: [&RuleSet; 2]) -> Arc<[(u32, u32)]> {
        let rules = sets.into_iter().flat_map(|set| &set.rules);
        let mut ids: Vec<_> = rules.map(|rule| (rule.gid, rule.sid)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into()
    }

    fn counts_of(&self, set: &RuleSet, rule: RuleIndex) -> &RuleCounts {
        let at = set.rule(rule).and_then(|rule| self.ids.binary_search(&(rule.gid, rule.sid)).ok());
        at.and_then(|at| self.rules.get(at)).unwrap_or(&self.others)
    }

    pub fn alert(&self, whose: Whose, set: &RuleSet, rule: RuleIndex) {
        self.counts_of(set, rule).alerts[whose as usize].add(1);
    }

    /// A packet was or would have been dropped, by that rule if by one.
    pub fn dropped(&self, whose: Whose, by: Option<(&RuleSet, RuleIndex)>) {
        let counts = by.map_or(&self.drops_without_rule, |(set, rule)| &self.counts_of(set, rule).drops);
        counts[whose as usize].add(1);
    }

    /// All rules with their counts.
    pub fn rules(&self) -> impl Iterator<Item = ((u32, u32), &RuleCounts)> {
        self.ids.iter().copied().zip(&self.rules)
    }

    pub fn bytes(&self) -> u64 {
        (self.rules.len() * (size_of::<RuleCounts>() + size_of::<(u32, u32)>())) as u64
    }
}

/// Where a [`Reporter`](super::Reporter)'s alerts are counted.
#[derive(Clone, Debug)]
pub struct Tally {
    pub comparison: Arc<Comparison>,
    pub whose: Whose,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixture::rule;
    use crate::rules::ruleset::Action;

    #[test]
    fn rules_are_the_same_by_their_ids_and_not_by_their_places() {
        let set = |sids: &[u32]| RuleSet {
            rules: sids.iter().map(|&sid| rule(sid, Action::Alert)).collect(),
            ..RuleSet::default()
        };
        let (live, shadow, later) = (set(&[7, 5]), set(&[5, 9]), set(&[11]));
        let comparison = Comparison::new(Comparison::ids([&live, &shadow]));
        comparison.alert(Whose::Live, &live, RuleIndex(1));
        comparison.alert(Whose::Shadow, &shadow, RuleIndex(0));
        comparison.dropped(Whose::Shadow, Some((&shadow, RuleIndex(1))));
        comparison.dropped(Whose::Live, None);
        comparison.alert(Whose::Live, &later, RuleIndex(0));
        let told: Vec<_> = comparison
            .rules()
            .map(|((_, sid), c)| (sid, [&c.alerts, &c.drops].map(|both| [both[0].get(), both[1].get()])))
            .collect();
        assert_eq!(told, [(5, [[1, 1], [0, 0]]), (7, [[0, 0], [0, 0]]), (9, [[0, 0], [0, 1]])]);
        assert_eq!((comparison.others.alerts[0].get(), comparison.drops_without_rule[0].get()), (1, 1));
    }
}
