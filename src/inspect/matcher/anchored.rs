//! Patterns that can stand at one place of a buffer only, as `depth` and `startswith` say of most of those near its begin: no
//! search, but a look at each such place.
//!
//! By place there are bitmaps of first and of second bytes, and behind them a table by the pattern's first bytes, up to four; only what has
//! these is compared. A look costs the number of places, which is some twenty for a real rule set, whatever the patterns: their
//! bitmaps lie together, in a few lines of the cache.

use super::PatternId;
use super::entry::Rows;
use super::window::FOLD;
use std::collections::BTreeMap;

/// First bytes of a pattern that the table goes by, at most.
const KEY: usize = 4;
/// Rows of a table, log 2, at most.
const ROWS: u32 = 12;
const HASH: u32 = 0x9e37_79b1;

/// A pattern and its place.
pub(in crate::inspect) type Anchor<'p> = (u64, &'p [u8]);

#[derive(Debug, Default)]
pub(in crate::inspect) struct Anchored {
    /// One a place, ascending.
    doors: Box<[Door]>,
    places: Box<[Place]>,
    patterns: usize,
}

/// What is asked of every block.
#[derive(Debug)]
struct Door {
    at: u64,
    /// First bytes with which something begins there, a bit for two or four of them each; and second ones with which it goes on.
    first: u64,
    second: u64,
}

/// All that stands at one offset.
#[derive(Debug)]
struct Place {
    /// One for each length of key that is there.
    tables: Box<[Table]>,
}

#[derive(Debug)]
struct Table {
    /// Covers the bytes of a word that are the key.
    mask: u32,
    shift: u32,
    rows: Rows<Entry>,
    /// The patterns, one behind the other.
    bytes: Box<[u8]>,
}

#[derive(Copy, Clone, Debug)]
struct Entry {
    /// Folded.
    key: u32,
    id: PatternId,
    from: u32,
    len: u32,
}

impl Anchored {
    /// Each pattern at its place once, numbered in the order of `anchors`; and the number of each of these. Empty ones, and what
    /// is beyond four billion bytes, get none.
    pub(in crate::inspect) fn build(anchors: &[Anchor<'_>]) -> (Anchored, Vec<Option<PatternId>>) {
        let mut known: BTreeMap<(u64, usize, Vec<u8>), PatternId> = BTreeMap::new();
        let mut number = |&(at, pattern): &Anchor<'_>| {
            let next = PatternId(u32::try_from(known.len()).ok()?);
            let lower = pattern.to_ascii_lowercase();
            (!lower.is_empty()).then(|| *known.entry((at, lower.len().min(KEY), lower)).or_insert(next))
        };
        let numbers = anchors.iter().map(&mut number).collect();
        let all: Vec<_> =
            known.iter().map(|((at, key, bytes), &id)| (*at, *key, bytes.as_slice(), id)).collect();
        let doors = all.chunk_by(|a, b| a.0 == b.0).filter_map(Door::of).collect();
        let places = all.chunk_by(|a, b| a.0 == b.0).map(Place::of).collect();
        (Anchored { doors, places, patterns: all.len() }, numbers)
    }

    pub(in crate::inspect) fn len(&self) -> usize {
        self.patterns
    }

    /// Calls `found` with each pattern that stands at its place in the buffer of which these bytes begin at `offset`. Whatever
    /// their case: rules ask for that when they are evaluated.
    pub(in crate::inspect) fn look(&self, bytes: &[u8], offset: u64, mut found: impl FnMut(PatternId)) {
        for (door, place) in self.doors.iter().zip(&self.places) {
            let Some(at) = door.at.checked_sub(offset).and_then(|at| usize::try_from(at).ok()) else {
                continue;
            };
            let Some(&first) = bytes.get(at) else { return };
            if door.first >> bit(first) & 1 != 0
                && bytes.get(at + 1).is_none_or(|&b| door.second >> bit(b) & 1 != 0)
            {
                place.look(bytes.get(at..).unwrap_or_default(), &mut found);
            }
        }
    }
}

/// A byte's bit in a door: the same for either case.
#[inline(always)]
fn bit(byte: u8) -> u8 {
    byte & 0x1f | byte >> 1 & FOLD
}

impl Door {
    /// Of patterns at one place.
    fn of(patterns: &[(u64, usize, &[u8], PatternId)]) -> Option<Door> {
        let &(at, ..) = patterns.first()?;
        let of = |bytes: &[u8], nth: usize| bytes.get(nth).map_or(u64::MAX, |&byte| 1 << bit(byte));
        let any = |nth| patterns.iter().fold(0, |all, (.., bytes, _)| all | of(bytes, nth));
        Some(Door { at, first: any(0), second: any(1) })
    }
}

impl Place {
    /// Of patterns at one place, sorted by the lengths of their keys.
    fn of(patterns: &[(u64, usize, &[u8], PatternId)]) -> Place {
        Place { tables: patterns.chunk_by(|a, b| a.1 == b.1).map(Table::of).collect() }
    }

    fn look(&self, rest: &[u8], found: &mut impl FnMut(PatternId)) {
        let word = word(rest);
        for table in &self.tables {
            let key = word & table.mask;
            for entry in table.rows.row(row(key, table.shift)).iter().filter(|entry| entry.key == key) {
                let (from, len) = (entry.from as usize, entry.len as usize);
                let pattern = table.bytes.get(from..from + len).unwrap_or_default();
                if rest.get(..len).is_some_and(|there| there.eq_ignore_ascii_case(pattern)) {
                    found(entry.id);
                }
            }
        }
    }
}

impl Table {
    /// Of patterns with keys of one length.
    fn of(patterns: &[(u64, usize, &[u8], PatternId)]) -> Table {
        let key_len = patterns.first().map_or(KEY, |&(_, key, ..)| key);
        let mask = u32::MAX >> (8 * (KEY - key_len));
        let bits = patterns.len().next_power_of_two().trailing_zeros().clamp(1, ROWS);
        let shift = u32::BITS - bits;
        let (mut filed, mut all) = (Vec::new(), Vec::new());
        for &(.., bytes, id) in patterns {
            let key = word(bytes) & mask;
            let (from, len) = (all.len() as u32, bytes.len() as u32);
            filed.push((row(key, shift) as u32, Entry { key, id, from, len }));
            all.extend_from_slice(bytes);
        }
        Table { mask, shift, rows: Rows::build(1 << bits, filed), bytes: all.into() }
    }
}

#[inline]
fn row(key: u32, shift: u32) -> usize {
    (key.wrapping_mul(HASH) >> shift) as usize
}

/// The first four bytes, folded; zeroes for those that are not there, which no key has.
#[inline]
fn word(bytes: &[u8]) -> u32 {
    const FOLDS: u32 = u32::from_le_bytes([FOLD; KEY]);
    match bytes.first_chunk::<KEY>() {
        Some(word) => u32::from_le_bytes(*word) | FOLDS,
        None => bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte | FOLD)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against a comparison of each pattern at its place.
        #[test]
        fn finds_what_stands_at_its_place_and_nothing_else(
            anchors in prop::collection::vec((0u64..8, prop::collection::vec(prop::sample::select(b"aAb\0 @`".to_vec()), 0..7)), 0..40),
            text in prop::collection::vec(prop::sample::select(b"aAbB\0 @`".to_vec()), 0..24),
            offset in 0u64..6,
        ) {
            let listed: Vec<Anchor<'_>> = anchors.iter().map(|(at, pattern)| (*at, &**pattern)).collect();
            let (anchored, numbers) = Anchored::build(&listed);
            let bytes = text.get(offset as usize..).unwrap_or_default();
            let mut found = Vec::new();
            anchored.look(bytes, offset, |id| found.push(id));
            let stands = |(at, pattern): &(u64, Vec<u8>)| {
                let there = text.get(*at as usize..).and_then(|rest| rest.get(..pattern.len()));
                *at >= offset && !pattern.is_empty() && there.is_some_and(|there| there.eq_ignore_ascii_case(pattern))
            };
            let wanted: BTreeSet<_> =
                anchors.iter().zip(&numbers).filter(|(anchor, _)| stands(anchor)).filter_map(|(_, id)| *id).collect();
            prop_assert_eq!(found.len(), wanted.len(), "each once");
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted);
            let distinct: BTreeSet<_> = anchors
                .iter()
                .filter(|(_, pattern)| !pattern.is_empty())
                .map(|(at, pattern)| (at, pattern.to_ascii_lowercase()))
                .collect();
            prop_assert_eq!(anchored.len(), distinct.len());
        }
    }
}
