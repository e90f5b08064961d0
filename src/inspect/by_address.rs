//! Rules found by a packet's addresses: of a list of a thousand bad hosts a packet is compared with what names its own.
//!
//! A rule is filed under the side of its header that covers fewer addresses; one that names none narrowly is everybody's.

use crate::base::interval::{IntervalSet, Step};
use crate::base::{Addr, Family, RuleIndex};
use crate::rules::Rule;
use crate::rules::ruleset::{AddrSet, Endpoint};
use std::collections::HashMap;
use std::hash::Hash;

/// A side that covers this share of a family's addresses, or more, finds nothing: an IPv4 `/8`.
const WIDE: f64 = 1.0 / 256.0;
/// Rules filed under one address; further ones are everybody's, so that no set of rules takes memory without bound.
const MAX_OVERLAP: usize = 64;

/// Immutable, a part of the engine. About 8 bytes a range of IPv4 addresses, 20 one of IPv6.
#[derive(Debug, Default)]
pub(crate) struct ByAddress {
    everywhere: Box<[RuleIndex]>,
    source: Side,
    destination: Side,
}

/// What is filed under one side of the header.
#[derive(Debug, Default)]
struct Side {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl ByAddress {
    pub(crate) fn build(rules: &[(RuleIndex, &Rule)]) -> ByAddress {
        let (mut by_source, mut by_destination, mut everywhere) = (Vec::new(), Vec::new(), Vec::new());
        for &(index, rule) in rules {
            let (src, dst) = (share(&rule.src), share(&rule.dst));
            match (rule.src.addresses.as_deref(), rule.dst.addresses.as_deref()) {
                // Either side may be either: the header decides.
                _ if rule.both_ways || src.min(dst) >= WIDE => everywhere.push(index),
                (Some(set), _) if src <= dst => by_source.push((index, set)),
                (_, Some(set)) => by_destination.push((index, set)),
                _ => everywhere.push(index),
            }
        }
        let source = Side::build(&by_source, &mut everywhere);
        let destination = Side::build(&by_destination, &mut everywhere);
        everywhere.sort_unstable();
        everywhere.dedup();
        ByAddress { everywhere: everywhere.into(), source, destination }
    }

    /// Calls `candidate` for each rule whose addresses may be these; for some twice.
    pub(crate) fn find(&self, family: Family, src: Addr, dst: Addr, candidate: impl FnMut(RuleIndex)) {
        let named = self.source.get(family, src).iter().chain(self.destination.get(family, dst));
        named.chain(&self.everywhere).copied().for_each(candidate);
    }
}

/// The part of all addresses that a side of a header covers, of either family.
fn share(endpoint: &Endpoint) -> f64 {
    fn part<T: Step>(set: &IntervalSet<T>, width: impl Fn(T, T) -> f64) -> f64 {
        set.ranges().iter().map(|&(low, high)| width(low, high)).sum()
    }
    endpoint.addresses.as_ref().map_or(1.0, |set| {
        let v4 = part(&set.v4, |low, high| (f64::from(high - low) + 1.0) / 2f64.powi(32));
        let v6 = part(&set.v6, |low, high| ((high - low) as f64 + 1.0) / 2f64.powi(128));
        v4.max(v6)
    })
}

impl Side {
    fn build(rules: &[(RuleIndex, &AddrSet)], everywhere: &mut Vec<RuleIndex>) -> Side {
        let v4 = rules.iter().map(|&(index, set)| (index, &set.v4));
        let v6 = rules.iter().map(|&(index, set)| (index, &set.v6));
        Side { v4: Ranges::build(v4, everywhere), v6: Ranges::build(v6, everywhere) }
    }

    fn get(&self, family: Family, addr: Addr) -> &[RuleIndex] {
        match family {
            Family::V4 => self.v4.get(addr.0 as u32),
            Family::V6 => self.v6.get(addr.0),
        }
    }
}

/// Between two neighbouring boundaries all addresses have the same rules.
#[derive(Debug)]
struct Ranges<T> {
    /// First address of each range, ascending; before the first there are no rules.
    firsts: Box<[T]>,
    /// Each range's list.
    lists: Box<[u32]>,
    /// List `n` is `rules[starts[n]..starts[n + 1]]`.
    starts: Box<[u32]>,
    rules: Box<[RuleIndex]>,
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Ranges {
            firsts: Box::default(),
            lists: Box::default(),
            starts: Box::default(),
            rules: Box::default(),
        }
    }
}

impl<T: Step + Hash> Ranges<T> {
    /// Walks the boundaries in order and notes which rules are open between them. Rules that find no room go to `everywhere`.
    fn build<'r>(
        filed: impl Iterator<Item = (RuleIndex, &'r IntervalSet<T>)>,
        everywhere: &mut Vec<RuleIndex>,
    ) -> Ranges<T>
    where
        T: 'r,
    {
        let mut bounds: Vec<(T, bool, RuleIndex)> = Vec::new();
        for (index, set) in filed {
            for &(low, high) in set.ranges() {
                bounds.push((low, true, index));
                bounds.extend(high.next().map(|after| (after, false, index)));
            }
        }
        // Where one range ends and another begins, the end comes first.
        bounds.sort_unstable();
        let (mut firsts, mut lists) = (Vec::new(), Vec::new());
        let mut known = Lists { starts: vec![0], ..Lists::default() };
        let mut open: Vec<RuleIndex> = Vec::new();
        for group in bounds.chunk_by(|a, b| a.0 == b.0) {
            for &(_, begins, index) in group {
                match open.binary_search(&index) {
                    Ok(at) if !begins => drop(open.remove(at)),
                    Err(at) if begins && open.len() < MAX_OVERLAP => open.insert(at, index),
                    Err(_) if begins => everywhere.push(index),
                    _ => {}
                }
            }
            firsts.extend(group.first().map(|(first, ..)| *first));
            lists.push(known.number(&open));
        }
        let Lists { starts, rules, .. } = known;
        Ranges { firsts: firsts.into(), lists: lists.into(), starts: starts.into(), rules: rules.into() }
    }

    fn get(&self, addr: T) -> &[RuleIndex] {
        let range = self.firsts.partition_point(|&first| first <= addr).checked_sub(1);
        let list = range.and_then(|range| self.lists.get(range)).map(|&list| list as usize);
        let bounds = list.and_then(|list| self.starts.get(list..list + 2));
        let Some(&[from, to]) = bounds else { return &[] };
        self.rules.get(from as usize..to as usize).unwrap_or_default()
    }
}

/// Lists of rules, equal ones kept once.
#[derive(Default)]
struct Lists {
    numbers: HashMap<Vec<RuleIndex>, u32>,
    starts: Vec<u32>,
    rules: Vec<RuleIndex>,
}

impl Lists {
    fn number(&mut self, list: &[RuleIndex]) -> u32 {
        if let Some(&number) = self.numbers.get(list) {
            return number;
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(list.to_vec(), number);
        self.rules.extend_from_slice(list);
        self.starts.push(self.rules.len() as u32);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixture;
    use crate::rules::ruleset::Action;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn endpoint(ranges: Option<Vec<(u32, u32)>>) -> Endpoint {
        let set = |ranges| AddrSet { v4: IntervalSet::from_ranges(ranges), v6: IntervalSet::empty() };
        Endpoint { addresses: ranges.map(|ranges| Arc::new(set(ranges))), ports: None }
    }

    fn from(src: Endpoint) -> Rule {
        Rule { src, ..fixture::rule(1, Action::Alert) }
    }

    fn index_of(rules: &[Rule]) -> ByAddress {
        let listed = rules.iter().enumerate().map(|(n, rule)| (RuleIndex(n as u32), rule));
        ByAddress::build(&listed.collect::<Vec<_>>())
    }

    /// The rules that a packet from `src` meets, each once.
    fn found(index: &ByAddress, family: Family, src: u128) -> Vec<u32> {
        let mut found = Vec::new();
        index.find(family, Addr(src), Addr(3), |rule| found.push(rule.0));
        found.sort_unstable();
        found.dedup();
        found
    }

    fn side() -> impl Strategy<Value = Option<Vec<(u32, u32)>>> {
        let narrow = (0u32..40, 0u32..6).prop_map(|(low, len)| (low, low + len));
        let wide = Just((7u32, u32::MAX));
        prop::option::of(prop::collection::vec(prop_oneof![6 => narrow, 1 => wide], 1..4))
    }

    fn named(endpoint: &Endpoint, addr: u32) -> bool {
        endpoint.addresses.as_ref().is_none_or(|set| set.v4.contains(addr))
    }

    proptest! {
        /// Every rule whose addresses fit is found, however many overlap; of narrow ones no other.
        #[test]
        fn finds_what_comparing_each_rule_finds(
            sides in prop::collection::vec((side(), side(), any::<bool>()), 0..200),
            src in 0u32..50, dst in 0u32..50,
        ) {
            let make = |(src, dst, both_ways): &(Option<Vec<_>>, Option<Vec<_>>, bool)| Rule {
                src: endpoint(src.clone()),
                dst: endpoint(dst.clone()),
                both_ways: *both_ways,
                ..fixture::rule(1, Action::Alert)
            };
            let rules: Vec<Rule> = sides.iter().map(make).collect();
            let listed: Vec<_> = rules.iter().enumerate().map(|(n, rule)| (RuleIndex(n as u32), rule)).collect();
            let index = ByAddress::build(&listed);
            let mut found = Vec::new();
            index.find(Family::V4, Addr(src.into()), Addr(dst.into()), |rule| found.push(rule));
            for (number, rule) in &listed {
                let fits = |a, b| named(&rule.src, a) && named(&rule.dst, b);
                if fits(src, dst) || (rule.both_ways && fits(dst, src)) {
                    prop_assert!(found.contains(number));
                } else if !index.everywhere.contains(number) {
                    let half = named(&rule.src, src) || named(&rule.dst, dst);
                    prop_assert!(half || !found.contains(number));
                }
            }
        }
    }

    #[test]
    fn a_thousand_lists_cost_a_packet_those_that_name_it() {
        let lists = (0..1000u32).map(|n| from(endpoint(Some(vec![(n * 10, n * 10 + 4)]))));
        let index = index_of(&lists.collect::<Vec<_>>());
        assert_eq!(found(&index, Family::V4, 5_003), [500]);
        assert_eq!(found(&index, Family::V4, 5_005), [0u32; 0]);
        assert_eq!(found(&index, Family::V6, 5_003), [0u32; 0]);
        assert_eq!(found(&index, Family::V4, u128::from(u32::MAX)), [0u32; 0]);
    }

    #[test]
    fn more_rules_than_one_address_holds_are_found_all_the_same() {
        let many = MAX_OVERLAP as u32 + 40;
        let lists = (0..many).map(|n| from(endpoint(Some(vec![(n, 500), (600, 600 + n)]))));
        let index = index_of(&lists.collect::<Vec<_>>());
        let all: Vec<u32> = (0..many).collect();
        assert_eq!(found(&index, Family::V4, 500), all);
        assert_eq!(found(&index, Family::V4, 600), all);
        assert!(!index.everywhere.is_empty(), "some found no room");
    }

    #[test]
    fn the_last_address_of_a_family_and_addresses_of_both_are_found() {
        let both = AddrSet {
            v4: IntervalSet::from_ranges([(u32::MAX - 1, u32::MAX)]),
            v6: IntervalSet::from_ranges([(u128::MAX, u128::MAX), (7, 9)]),
        };
        let index = index_of(&[from(Endpoint { addresses: Some(Arc::new(both)), ports: None })]);
        let none = [0u32; 0];
        assert_eq!(found(&index, Family::V4, u32::MAX.into()), [0]);
        assert_eq!(found(&index, Family::V4, 8), none);
        assert_eq!(found(&index, Family::V6, u128::MAX), [0]);
        assert_eq!(found(&index, Family::V6, 8), [0]);
        assert_eq!(found(&index, Family::V6, 10), none);
    }
}
