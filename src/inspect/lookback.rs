//! Searching a stream's windows for fast patterns, each byte once: what stood before the fresh bytes was found when those were
//! fresh, and the stream's [`Memo`] tells of it.
//!
//! A rule is a candidate as long as its pattern may stand anywhere in the window: its other parts may come later. Where the
//! memo does not tell all (other rules, a gap, too many findings), the whole window is searched.

use super::candidates::Candidates;
use super::matcher::{PatternId, Seen};
use super::outcome::StreamWindow;
use super::port_tests::Ends;
use super::set::Set;
use crate::base::{Dir, Generation};
use crate::stream::Memo;

/// A finding's number: which set of those that the session's direction meets, above which pattern of it.
const PATTERN_BITS: u32 = 28;

/// The search of one window, set by set.
pub(super) struct Search<'w, 'a> {
    window: &'w StreamWindow<'a>,
    memo: Memo,
    /// Only the fresh bytes need searching.
    told: bool,
    sets: u32,
}

impl<'w, 'a> Search<'w, 'a> {
    /// Sets come in the same order for all windows of one generation and direction.
    pub(super) fn new(window: &'w StreamWindow<'a>, generation: Generation, dir: Dir) -> Self {
        let of = (u64::from(generation.0) << 1) | dir.index() as u64;
        let fresh = window.offset.saturating_add(window.fresh_from as u64);
        let known = window.memo.map(|memo| memo.get()).filter(|memo| memo.tells(of, window.offset, fresh));
        let mut memo = known.unwrap_or(Memo::by(of));
        memo.forget_before(window.offset);
        Search { window, memo, told: known.is_some(), sets: 0 }
    }

    pub(super) fn run(&mut self, set: &Set, ends: Ends, seen: &mut Seen, candidates: &mut Candidates) {
        let number = self.sets << PATTERN_BITS;
        self.sets += 1;
        let bytes = set.reaches(self.window.bytes, self.window.offset);
        let mut from = 0;
        if self.told {
            from = self.window.fresh_from.saturating_sub(set.longest().saturating_sub(1));
            for pattern in self.memo.found().filter_map(|(found, _)| pattern_of(found, number)) {
                set.behind(pattern, ends).for_each(|rule| candidates.add(rule));
            }
        }
        let end = self.window.offset.saturating_add(self.window.bytes.len() as u64);
        let memo = &mut self.memo;
        let offset = self.window.offset.saturating_add(from as u64);
        set.search(bytes.get(from..).unwrap_or_default(), offset, seen, |pattern| {
            let mut rules = set.behind(pattern, ends).peekable();
            // One of other ports is nothing to remember: there is little room.
            if rules.peek().is_some() {
                memo.note(number | pattern.0, end);
            }
            rules.for_each(|rule| candidates.add(rule));
        });
    }

    /// All sets have searched the window.
    pub(super) fn end(mut self) {
        let end = self.window.offset.saturating_add(self.window.bytes.len() as u64);
        self.memo.searched_to(end);
        if let Some(memo) = self.window.memo {
            memo.set(self.memo);
        }
    }
}

fn pattern_of(found: u32, number: u32) -> Option<PatternId> {
    (found >> PATTERN_BITS == number >> PATTERN_BITS).then_some(PatternId(found & ((1 << PATTERN_BITS) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RuleIndex;
    use crate::inspect::set::Member;
    use crate::rules::Windows;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::BTreeSet;

    fn set(first: u32, patterns: &[Vec<u8>]) -> Set {
        let members: Vec<_> =
            patterns.iter().enumerate().map(|(n, p)| Member::of(RuleIndex(first + n as u32), p)).collect();
        Set::build_app(&members, &Windows::default()).unwrap()
    }

    fn candidates(sets: &[Set], window: &StreamWindow<'_>, seen: &mut Seen) -> BTreeSet<u32> {
        let mut found = Candidates::new(64, 0);
        found.begin();
        let mut search = Search::new(window, Generation(3), window.dir);
        sets.iter().for_each(|set| search.run(set, Ends::default(), seen, &mut found));
        search.end();
        found.found().iter().map(|rule| rule.0).collect()
    }

    proptest! {
        /// Against searching each window whole: nothing is missed, and what is found more did stand in the stream.
        #[test]
        fn a_memo_saves_searching_and_hides_nothing(
            one in prop::collection::vec(prop::collection::vec(b'a'..b'd', 1..6), 1..12),
            other in prop::collection::vec(prop::collection::vec(b'a'..b'd', 1..4), 1..4),
            stream in prop::collection::vec(b'a'..b'e', 1..200),
            cuts in prop::collection::vec(1usize..20, 1..40),
            lookback in 0usize..30,
            forget in prop::option::of(0usize..20),
        ) {
            let sets = [set(0, &one), set(32, &other)];
            let (memo, mut seen) = (Cell::new(Memo::default()), Seen::with_capacity(64));
            let (mut at, mut past) = (0, BTreeSet::new());
            for (turn, cut) in cuts.into_iter().enumerate() {
                let to = (at + cut).min(stream.len());
                if at == to {
                    break;
                }
                let from = at.saturating_sub(lookback);
                let bytes = &stream[from..to];
                let whole = StreamWindow {
                    dir: Dir::ToClient, bytes, fresh_from: at - from, offset: from as u64, end: false, rest: false, memo: None,
                };
                let plain = candidates(&sets, &whole, &mut seen);
                past.extend(&plain);
                // A window that nobody searched, as when other rules were in force.
                if forget != Some(turn) {
                    let found = candidates(&sets, &StreamWindow { memo: Some(&memo), ..whole }, &mut seen);
                    prop_assert!(found.is_superset(&plain), "{:?} without {:?}", found, plain);
                    prop_assert!(found.is_subset(&past), "{:?} beyond {:?}", found, past);
                }
                at = to;
            }
        }
    }

    #[test]
    fn what_stood_in_the_lookback_stays_a_candidate_and_is_not_searched_again() {
        let sets = [set(0, &[b"attack".to_vec()])];
        let (memo, mut seen) = (Cell::new(Memo::default()), Seen::with_capacity(64));
        let window = |bytes, fresh_from| StreamWindow {
            dir: Dir::ToServer,
            bytes,
            fresh_from,
            offset: 0,
            end: false,
            rest: false,
            memo: Some(&memo),
        };
        assert_eq!(candidates(&sets, &window(b"an attack", 0), &mut seen), BTreeSet::from([0]));
        // Other bytes in the lookback show that it is not looked at: a stream never shows such.
        assert_eq!(candidates(&sets, &window(b"------------ it", 9), &mut seen), BTreeSet::from([0]));
        assert_eq!(candidates(&sets, &window(b"attack--------- it", 15), &mut seen), BTreeSet::from([0]));
        let memo_of_nothing = Cell::new(Memo::default());
        let fresh = StreamWindow { memo: Some(&memo_of_nothing), ..window(b"attack--------- it", 15) };
        assert_eq!(candidates(&sets, &fresh, &mut seen), BTreeSet::from([0]));
    }
}
