//! The filter for many patterns: each is filed under one window of up to four bytes, which `cover` chooses.
//!
//! Three stages, each for what the one before let through, a chunk at a time, and none with a branch a position: what
//! costs here is a misprediction, not a load.
//!
//! 1. `bigrams`: every position, by the window's first three bytes, 64 positions at once.
//! 2. `windows`, a hash over the whole window, and the bitmaps of the shelves: up to eight bytes about it.
//! 3. The shelves' entries, compared by eight bytes and then whole.

use super::PatternId;
use super::bigram::Bigrams;
use super::cover;
use super::entry::Entry;
use super::recall;
use super::shelf::{Filing, Glance, SHELVES, Shelf};
use crate::rules::Windows;

#[derive(Debug)]
pub(super) struct Sieve {
    pub(super) bigrams: Bigrams,
    /// The windows, by another hash.
    pub(super) windows: Glance,
    pub(super) shelves: [Shelf; SHELVES],
    /// Which windows, for a saved set.
    chosen: (u64, Box<[u8]>),
}

impl Sieve {
    /// Patterns of two bytes and more; `narrow`: with alphabets of half the classes. Their windows are those that are known,
    /// or chosen.
    pub(super) fn build<'p>(
        patterns: impl Iterator<Item = (PatternId, &'p [u8])>,
        narrow: bool,
        known: &Windows,
    ) -> Sieve {
        let (ids, patterns): (Vec<PatternId>, Vec<&[u8]>) = patterns.unzip();
        let key = recall::key(&patterns, narrow);
        let recalled = known.get(key).and_then(|bytes| recall::windows(&patterns, narrow, bytes));
        let windows = recalled.unwrap_or_else(|| cover::choose(&patterns, narrow));
        let mut filing = Filing::default();
        for (id, window) in ids.into_iter().zip(&windows) {
            filing.file(window.pattern, window.at, Entry::new(id, window.pattern, window.at));
        }
        let bigrams = Bigrams::of(&windows);
        let chosen = (key, windows.iter().map(recall::byte).collect());
        let windows: Vec<&[u8]> = windows.iter().map(|window| window.bytes()).collect();
        Sieve { bigrams, windows: Glance::of(&windows), shelves: filing.finish(), chosen }
    }

    pub(super) fn chosen(&self) -> (u64, &[u8]) {
        (self.chosen.0, &self.chosen.1)
    }

    pub(super) fn crowd(&self) -> usize {
        self.shelves.iter().map(Shelf::crowd).max().unwrap_or(0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bigrams.bytes()
            + self.windows.bytes()
            + self.chosen.1.len()
            + self.shelves.iter().map(Shelf::bytes).sum::<usize>()
    }
}
