//! A pattern as a filter files it, the patterns' own bytes, and the comparison that settles a candidate.

use super::window::{FOLD, REACH, rarity};
use super::{PatternId, Patterns, TooLarge};

const FOLD_EIGHT: u64 = u64::from_le_bytes([FOLD; 8]);

/// A pattern filed under one of its windows.
#[derive(Copy, Clone, Debug)]
pub(super) struct Entry {
    /// Up to eight folded bytes of the pattern, where they are rarest: the quick comparison.
    value: u64,
    id: PatternId,
    /// Where in the pattern the window stands.
    at: u8,
    /// Where in the pattern `value` stands.
    span: u8,
    /// Bits of a word of eight bytes that are not `value`'s.
    spare: u8,
}

impl Entry {
    /// The window at `at` lies within the pattern's first [`REACH`] bytes, as `value` does.
    pub(super) fn new(id: PatternId, pattern: &[u8], at: usize) -> Entry {
        let reach = pattern.len().min(REACH);
        let bytes = reach.min(8);
        let spans = pattern.get(..reach).unwrap_or_default().windows(bytes.max(1)).enumerate();
        let span = spans.min_by_key(|(_, bytes)| rarity(bytes)).map_or(0, |(span, _)| span);
        let spare = (64 - 8 * bytes) as u8;
        let value = (eight(pattern, span) | FOLD_EIGHT) << spare;
        Entry { value, id, at: at as u8, span: span as u8, spare }
    }

    /// The same pattern under another of its windows.
    pub(super) fn under(self, at: usize) -> Entry {
        Entry { at: at as u8, ..self }
    }

    pub(super) fn id(&self) -> PatternId {
        self.id
    }

    /// Where the pattern would begin, its window being at `position`, if it begins in this text and its quick
    /// comparison holds.
    #[inline(always)]
    pub(super) fn begin(&self, text: &[u8], position: usize) -> Option<usize> {
        let begin = position.wrapping_sub(usize::from(self.at));
        let word = eight(text, begin.wrapping_add(usize::from(self.span)));
        ((word | FOLD_EIGHT) << self.spare == self.value && begin <= position).then_some(begin)
    }
}

/// The eight bytes at `at`, zeroes for what lies past the end.
#[inline(always)]
pub(super) fn eight(text: &[u8], at: usize) -> u64 {
    match text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => eight_at_end(text, at),
    }
}

/// Whether the last eight bytes of a pattern of as many or more stand where they would; folding sees some differences not.
#[inline(always)]
pub(super) fn ends_alike(text: &[u8], begin: usize, pattern: &[u8]) -> bool {
    let Some(tail) = pattern.len().checked_sub(8) else { return true };
    (eight(text, begin.wrapping_add(tail)) | FOLD_EIGHT) == (eight(pattern, tail) | FOLD_EIGHT)
}

#[cold]
fn eight_at_end(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// The patterns, one behind the other, in lower case.
#[derive(Debug)]
pub(super) struct Store {
    bytes: Box<[u8]>,
    /// Pattern `p` is `bytes[starts[p]..starts[p + 1]]`.
    starts: Box<[u32]>,
}

impl Store {
    pub(super) fn build(patterns: &Patterns) -> Result<Store, TooLarge> {
        let mut bytes = Vec::with_capacity(patterns.iter().map(|(_, p)| p.len()).sum());
        let mut starts = Vec::with_capacity(patterns.len() + 1);
        starts.push(0);
        for (_, pattern) in patterns.iter() {
            bytes.extend_from_slice(pattern);
            starts.push(u32::try_from(bytes.len()).map_err(|_| TooLarge { patterns: patterns.len() })?);
        }
        Ok(Store { bytes: bytes.into(), starts: starts.into() })
    }

    /// The bytes of pattern `id`; empty for an id that is none of ours.
    #[inline]
    pub(super) fn pattern(&self, id: PatternId) -> &[u8] {
        let id = id.0 as usize;
        let (Some(&from), Some(&to)) = (self.starts.get(id), self.starts.get(id.wrapping_add(1))) else {
            return &[];
        };
        self.bytes.get(from as usize..to as usize).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + 4 * self.starts.len()
    }
}

/// Items in rows: row `r` is `items[starts[r]..starts[r + 1]]`.
#[derive(Debug)]
pub(super) struct Rows<T> {
    starts: Box<[u32]>,
    items: Box<[T]>,
}

impl<T: Copy> Rows<T> {
    /// Files each item under its row, which is below `rows`.
    pub(super) fn build(rows: usize, mut filed: Vec<(u32, T)>) -> Rows<T> {
        filed.sort_by_key(|&(row, _)| row);
        let mut starts = vec![0u32; rows + 1];
        for (row, _) in &filed {
            starts[*row as usize + 1] += 1;
        }
        for n in 1..starts.len() {
            starts[n] += starts[n - 1];
        }
        Rows { starts: starts.into(), items: filed.into_iter().map(|(_, item)| item).collect() }
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &[T] {
        let (Some(&from), Some(&to)) = (self.starts.get(row), self.starts.get(row + 1)) else { return &[] };
        self.items.get(from as usize..to as usize).unwrap_or_default()
    }

    /// Items of the fullest row.
    pub(super) fn longest(&self) -> usize {
        self.starts.windows(2).map(|pair| (pair[1] - pair[0]) as usize).max().unwrap_or(0)
    }

    pub(super) fn bytes(&self) -> usize {
        4 * self.starts.len() + size_of::<T>() * self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_comparison_covers_short_and_long_patterns() {
        for len in 1..40usize {
            let pattern: Vec<u8> = (0..len as u8).map(|n| b'a' + n % 26).collect();
            for at in 0..len.min(REACH) {
                let entry = Entry::new(PatternId(0), &pattern, at);
                let mut text = b"..".to_vec();
                text.extend_from_slice(&pattern.to_ascii_uppercase());
                assert_eq!(entry.begin(&text, 2 + at), Some(2), "{len} {at}");
                text[2 + usize::from(entry.span)] = b'#';
                assert_eq!(entry.begin(&text, 2 + at), None, "{len} {at}");
            }
        }
    }

    #[test]
    fn rows_keep_what_was_filed() {
        let rows = Rows::build(3, vec![(2, 'a'), (0, 'b'), (2, 'c')]);
        let all: Vec<&[char]> = (0..4).map(|row| rows.row(row)).collect();
        assert_eq!(all, [&['b'][..], &[], &['a', 'c'], &[]]);
    }

    #[test]
    fn loads_stop_at_the_end() {
        assert_eq!(eight(b"abc", 1), u64::from_le_bytes(*b"bc\0\0\0\0\0\0"));
        assert_eq!((eight(b"abc", 7), eight(b"abc", usize::MAX)), (0, 0));
    }
}
