//! Groups of rules by port.

use super::group::Group;
use crate::base::RuleIndex;
use crate::base::interval::IntervalSet;
use std::collections::{BTreeSet, HashMap};

/// Groups of one protocol, direction and side; rules for further ports are filed under "any port".
const MAX_GROUPS: usize = 1024;

/// Ports that share a page of the table.
const PAGE: usize = 256;

/// Rules that will share a group.
pub(super) type Members = Vec<RuleIndex>;

/// Finds a port's group in two looks. `G` is a group, or while the engine is made its members.
#[derive(Debug)]
pub(super) struct PortMap<G = Group> {
    /// The page of ports with each high byte; empty where no rule names a port.
    pages: Box<[u8]>,
    /// Page by page the number of each port's group; 0 is none.
    numbers: Box<[u16]>,
    groups: Box<[G]>,
}

impl<G> Default for PortMap<G> {
    fn default() -> PortMap<G> {
        PortMap { pages: Box::default(), numbers: Box::default(), groups: Box::default() }
    }
}

impl<G> PortMap<G> {
    #[inline]
    pub(super) fn get(&self, port: u16) -> Option<&G> {
        let [high, low] = port.to_be_bytes();
        let page = *self.pages.get(usize::from(high))?;
        let number = *self.numbers.get(usize::from(page) * PAGE + usize::from(low))?;
        self.groups.get(usize::from(number).checked_sub(1)?)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &G> {
        self.groups.iter()
    }

    /// The same map with what `next` gives in the order of [`groups`](Self::groups).
    pub(super) fn filled<H>(self, next: &mut impl FnMut() -> H) -> PortMap<H> {
        let groups = self.groups.iter().map(|_| next()).collect();
        PortMap { pages: self.pages, numbers: self.numbers, groups }
    }
}

impl PortMap<Members> {
    /// Of rules with the ports of one side. Those for which there is no group join `any`.
    pub(super) fn build(rules: &[(RuleIndex, &IntervalSet<u16>)], any: &mut Members) -> PortMap<Members> {
        let mut cuts: BTreeSet<u16> = BTreeSet::from([0]);
        for (low, high) in rules.iter().flat_map(|(_, ports)| ports.ranges()) {
            cuts.insert(*low);
            cuts.extend(high.checked_add(1));
        }
        let mut numbers: HashMap<Members, u16> = HashMap::new();
        let mut groups: Vec<Members> = Vec::new();
        let mut ranges = Vec::with_capacity(cuts.len());
        let mut overflow: BTreeSet<RuleIndex> = BTreeSet::new();
        for first in cuts {
            let members: Members =
                rules.iter().filter(|(_, ports)| ports.contains(first)).map(|&(rule, _)| rule).collect();
            let number = match numbers.get(&members) {
                _ if members.is_empty() => 0,
                Some(&known) => known,
                None if groups.len() == MAX_GROUPS => {
                    overflow.extend(&members);
                    0
                }
                None => {
                    groups.push(members.clone());
                    numbers.insert(members, groups.len() as u16);
                    groups.len() as u16
                }
            };
            ranges.push((first, number));
        }
        any.extend(overflow);
        let (pages, numbers) = if groups.is_empty() { Default::default() } else { paged(&ranges) };
        PortMap { pages, numbers, groups: groups.into() }
    }
}

/// Ranges, each with its first port and its number, in order and from port 0 on, as pages of which equal ones stand once.
fn paged(ranges: &[(u16, u16)]) -> (Box<[u8]>, Box<[u16]>) {
    let mut known: HashMap<[u16; PAGE], u8> = HashMap::new();
    let mut numbers = Vec::new();
    let number_of = |port: u16| {
        let after = ranges.partition_point(|&(first, _)| first <= port);
        after.checked_sub(1).and_then(|at| ranges.get(at)).map_or(0, |&(_, number)| number)
    };
    let page = |high: u8| {
        let page: [u16; PAGE] = std::array::from_fn(|low| number_of(u16::from_be_bytes([high, low as u8])));
        let next = known.len() as u8;
        *known.entry(page).or_insert_with(|| {
            numbers.extend(page);
            next
        })
    };
    ((0..=u8::MAX).map(page).collect(), numbers.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_port_has_the_rules_that_name_it(
            sets in prop::collection::vec(prop::collection::vec((any::<u16>(), 0u16..3000), 1..4), 0..12),
            probes in prop::collection::vec(any::<u16>(), 1..40),
        ) {
            let ranges = |set: &Vec<(u16, u16)>| {
                IntervalSet::from_ranges(set.iter().map(|&(low, width)| (low, low.saturating_add(width))))
            };
            let sets: Vec<IntervalSet<u16>> = sets.iter().map(ranges).collect();
            let rules: Vec<_> = sets.iter().enumerate().map(|(n, set)| (RuleIndex(n as u32), set)).collect();
            let mut any = Members::new();
            let map = PortMap::build(&rules, &mut any);
            prop_assert!(any.is_empty());
            let edges = sets.iter().flat_map(|set| set.ranges()).flat_map(|&(low, high)| {
                [low.saturating_sub(1), low, high, high.saturating_add(1)]
            });
            for port in edges.chain(probes).chain([0, u16::MAX]) {
                let named: Members =
                    rules.iter().filter(|(_, set)| set.contains(port)).map(|(rule, _)| *rule).collect();
                prop_assert_eq!(map.get(port).cloned().unwrap_or_default(), named, "port {}", port);
            }
        }
    }

    #[test]
    fn rules_beyond_the_groups_there_can_be_are_for_any_port() {
        let sets: Vec<IntervalSet<u16>> =
            (0..MAX_GROUPS as u16 + 5).map(|n| IntervalSet::from_ranges([(n * 2, n * 2)])).collect();
        let rules: Vec<_> = sets.iter().enumerate().map(|(n, set)| (RuleIndex(n as u32), set)).collect();
        let mut any = Members::new();
        let map = PortMap::build(&rules, &mut any);
        assert_eq!((map.groups().count(), any.len()), (MAX_GROUPS, 5));
        assert_eq!((map.get(2), map.get(3)), (Some(&vec![RuleIndex(1)]), None));
    }
}
