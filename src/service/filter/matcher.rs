//! The first of many rules that takes a tuple, without trying each.
//!
//! Every field of the tuple (addresses, ports, protocol) is looked up by itself: the values are cut into intervals in which the
//! same rules hold, found by binary search, and an interval names the set of those rules as bits. The rules that take
//! the tuple are in all five sets; the first of them is the lowest bit. A coarser set beside each, one bit for 64 rules, says
//! which words are worth looking at (aggregated bit vectors: Baboescu and Varghese, SIGCOMM 2001).

use crate::base::{Family, FlowTuple};
use crate::service::set::{Match, Prefix};
use crate::service::text::mask;
use std::collections::HashMap;

const FIELDS: usize = 5;

/// The rules of an interval: bits, and which words of them are not zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RuleSet {
    words: Box<[u64]>,
    summary: Box<[u64]>,
}

/// One field's intervals.
#[derive(Clone, Debug)]
struct Field {
    /// Where each interval begins; the first at 0, the last reaches to the field's end.
    starts: Box<[u128]>,
    /// Indices into `sets`, one an interval.
    of: Box<[u32]>,
    sets: Box<[RuleSet]>,
}

/// Fields of tuples of one family.
#[derive(Clone, Debug)]
struct FamilyFields {
    source: Field,
    destination: Field,
}

#[derive(Clone, Debug)]
pub struct Matcher {
    v4: FamilyFields,
    v6: FamilyFields,
    protocol: Field,
    source_port: Field,
    destination_port: Field,
}

impl Matcher {
    /// Rules by their place in the order.
    pub fn new<'a>(rules: impl ExactSizeIterator<Item = &'a Match> + Clone) -> Matcher {
        let count = rules.len();
        let field =
            |range: &dyn Fn(&Match) -> Option<(u128, u128)>| Field::new(count, rules.clone().map(range));
        let family = |family| FamilyFields {
            source: field(&|m| reach(m.source, family)),
            destination: field(&|m| reach(m.destination, family)),
        };
        let ports = |range: Option<(u16, u16)>| {
            Some(range.map_or((0, u128::MAX), |(low, high)| (u128::from(low), u128::from(high))))
        };
        let one = |value: Option<u8>| Some(value.map_or((0, u128::MAX), |v| (u128::from(v), u128::from(v))));
        Matcher {
            v4: family(Family::V4),
            v6: family(Family::V6),
            protocol: field(&|m| one(m.protocol)),
            source_port: field(&|m| ports(m.source_ports)),
            destination_port: field(&|m| ports(m.destination_ports)),
        }
    }

    /// The place of the first rule that takes the tuple.
    pub fn first(&self, tuple: &FlowTuple) -> Option<u32> {
        let family = if tuple.family == Family::V4 { &self.v4 } else { &self.v6 };
        let sets = [
            family.source.at(tuple.src.0)?,
            family.destination.at(tuple.dst.0)?,
            self.protocol.at(u128::from(tuple.proto))?,
            self.source_port.at(u128::from(tuple.sport))?,
            self.destination_port.at(u128::from(tuple.dport))?,
        ];
        first_common(&sets)
    }
}

fn first_common(sets: &[&RuleSet; FIELDS]) -> Option<u32> {
    for coarse in 0..sets[0].summary.len() {
        let mut worth = common(sets, |set| &set.summary, coarse);
        while worth != 0 {
            let word = coarse * 64 + worth.trailing_zeros() as usize;
            let rules = common(sets, |set| &set.words, word);
            if rules != 0 {
                return Some((word * 64) as u32 + rules.trailing_zeros());
            }
            worth &= worth - 1;
        }
    }
    None
}

fn common(sets: &[&RuleSet; FIELDS], part: impl Fn(&RuleSet) -> &[u64], at: usize) -> u64 {
    sets.iter().fold(u64::MAX, |all, set| all & part(set).get(at).copied().unwrap_or(0))
}

/// Addresses of a family that a prefix takes: first and last.
fn reach(prefix: Option<Prefix>, family: Family) -> Option<(u128, u128)> {
    let Some(prefix) = prefix else { return Some((0, u128::MAX)) };
    let width: u8 = if family == Family::V4 { 32 } else { 128 };
    let kept = mask(width, prefix.bits.min(width));
    let first = prefix.addr.0 & kept;
    (prefix.family == family).then(|| (first, first | mask(width, width) & !kept))
}

impl Field {
    /// `ranges`: each rule's first and last value; `None` for a rule that takes none.
    fn new(count: usize, ranges: impl Iterator<Item = Option<(u128, u128)>>) -> Field {
        // Where a rule begins to hold (true) and where it no longer does.
        let mut edges = Vec::new();
        for (rule, range) in ranges.enumerate() {
            let Some((first, last)) = range else { continue };
            edges.push((first, true, rule));
            if let Some(behind) = last.checked_add(1) {
                edges.push((behind, false, rule));
            }
        }
        edges.sort_unstable();
        let mut words = vec![0u64; count.div_ceil(64)];
        let mut sets = Sets::default();
        let (mut starts, mut of) = (vec![0], vec![sets.number(&words)]);
        for group in edges.chunk_by(|a, b| a.0 == b.0) {
            for &(_, holds, rule) in group {
                let (word, bit) = (&mut words[rule / 64], 1 << (rule % 64));
                *word = if holds { *word | bit } else { *word & !bit };
            }
            let (start, set) = (group[0].0, sets.number(&words));
            if start == 0 {
                of[0] = set;
            } else if of.last() != Some(&set) {
                starts.push(start);
                of.push(set);
            }
        }
        Field { starts: starts.into(), of: of.into(), sets: sets.list.into() }
    }

    #[inline]
    fn at(&self, value: u128) -> Option<&RuleSet> {
        let interval = self.starts.partition_point(|&start| start <= value).checked_sub(1)?;
        self.sets.get(*self.of.get(interval)? as usize)
    }
}

/// Sets that are the same are kept once.
#[derive(Default)]
struct Sets {
    list: Vec<RuleSet>,
    known: HashMap<Box<[u64]>, u32>,
}

impl Sets {
    fn number(&mut self, words: &[u64]) -> u32 {
        if let Some(&number) = self.known.get(words) {
            return number;
        }
        let mut summary = vec![0u64; words.len().div_ceil(64)];
        for (index, _) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
            summary[index / 64] |= 1 << (index % 64);
        }
        let number = self.list.len() as u32;
        self.known.insert(words.into(), number);
        self.list.push(RuleSet { words: words.into(), summary: summary.into() });
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Addr;
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;

    /// Few values of each kind, so that rules overlap and tuples meet them.
    fn any_prefix() -> impl Strategy<Value = Option<Prefix>> {
        let of = |(v4, high, low, bits): (bool, u8, u8, u8)| {
            let (family, width): (_, u8) = if v4 { (Family::V4, 32) } else { (Family::V6, 128) };
            let bits = bits.min(width);
            let addr = u128::from(high & 3) << (width - 8) | u128::from(low & 7);
            Prefix { family, addr: Addr(addr & mask(width, bits)), bits }
        };
        let bits = prop_oneof![0u8..9, Just(30), Just(31), Just(32), 125u8..129];
        prop::option::of((any::<bool>(), any::<u8>(), any::<u8>(), bits).prop_map(of))
    }

    fn any_ports() -> impl Strategy<Value = Option<(u16, u16)>> {
        let ends = prop_oneof![0u16..12, Just(u16::MAX)];
        prop::option::of((ends.clone(), ends).prop_map(|(a, b)| (a.min(b), a.max(b))))
    }

    prop_compose! {
        fn any_match()(
            source in any_prefix(), destination in any_prefix(), protocol in prop::option::of(5u8..9),
            source_ports in any_ports(), destination_ports in any_ports(),
        ) -> Match {
            Match { source, destination, protocol, source_ports, destination_ports }
        }
    }

    prop_compose! {
        fn any_tuple()(v4: bool, src: (u8, u8), dst: (u8, u8), sport in 0u16..14, dport in 0u16..14, proto in 5u8..10) -> FlowTuple {
            let (family, width) = if v4 { (Family::V4, 32) } else { (Family::V6, 128) };
            let addr = |(high, low): (u8, u8)| Addr(u128::from(high & 3) << (width - 8) | u128::from(low & 7));
            FlowTuple { family, src: addr(src), dst: addr(dst), sport, dport, proto, context: 0, tunnel: 0 }
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_trying_each_rule_finds(
            rules in prop::collection::vec(any_match(), 0..150), tuples in prop::collection::vec(any_tuple(), 1..50),
        ) {
            let matcher = Matcher::new(rules.iter());
            for tuple in &tuples {
                let naive = rules.iter().position(|rule| rule.takes(tuple)).map(|index| index as u32);
                prop_assert_eq!(matcher.first(tuple), naive, "{:?}", tuple);
            }
        }
    }

    #[test]
    fn thousands_of_rules_in_both_families_agree_with_trying_each() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut of = |strategy: BoxedStrategy<Match>| strategy.new_tree(&mut runner).unwrap().current();
        // Narrow ones, so that the first that takes a tuple stands far back.
        let narrow =
            || any_match().prop_filter("narrow", |m| m.source.is_some() && m.destination.is_some()).boxed();
        let rules: Vec<Match> = (0..3000).map(|_| of(narrow())).collect();
        let matcher = Matcher::new(rules.iter());
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut places = Vec::new();
        for _ in 0..1_500 {
            let tuple = any_tuple().new_tree(&mut runner).unwrap().current();
            let naive = rules.iter().position(|rule| rule.takes(&tuple)).map(|index| index as u32);
            assert_eq!(matcher.first(&tuple), naive, "{tuple:?}");
            places.extend(naive);
        }
        assert!(places.len() > 300 && places.iter().any(|&place| place > 64), "{}", places.len());
    }
}
