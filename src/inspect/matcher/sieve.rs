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
use super::shelf::{Bits, Filing, SHELVES, Shelf, bits_of};

#[derive(Debug)]
pub(super) struct Sieve {
    pub(super) bigrams: Bigrams,
    /// The windows, by another hash.
    pub(super) windows: Bits,
    pub(super) shelves: [Shelf; SHELVES],
}

impl Sieve {
    /// Patterns of two bytes and more; `narrow`: with alphabets of half the classes.
    pub(super) fn build<'p>(patterns: impl Iterator<Item = (PatternId, &'p [u8])>, narrow: bool) -> Sieve {
        let (ids, patterns): (Vec<PatternId>, Vec<&[u8]>) = patterns.unzip();
        let windows = cover::choose(&patterns, narrow);
        let mut filing = Filing::default();
        for (id, window) in ids.into_iter().zip(&windows) {
            filing.file(window.pattern, window.at, Entry::new(id, window.pattern, window.at));
        }
        let bigrams = Bigrams::of(&windows);
        let windows: Vec<&[u8]> = windows.iter().map(|window| window.bytes()).collect();
        Sieve { bigrams, windows: bits_of(&windows), shelves: filing.finish() }
    }

    pub(super) fn crowd(&self) -> usize {
        self.shelves.iter().map(Shelf::crowd).max().unwrap_or(0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bigrams.bytes() + self.windows.bytes() + self.shelves.iter().map(Shelf::bytes).sum::<usize>()
    }
}
