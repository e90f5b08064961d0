//! The filter for many patterns: a table in the first-level cache says at which positions to look at all.
//!
//! Every S-th position of a block is looked at (S is 2 or 4, as the set's shortest pattern allows), and each pattern is
//! filed under S windows, so that one meets every occurrence (`window`). Four stages, each for what the one before let
//! through, a chunk at a time, and none with a branch a position: what costs here is a misprediction, not a load.
//!
//! 1. The gate, where all windows are of text: the positions whose neighbours are bytes of some window (`chunk`).
//! 2. `words`, at most 16 KiB: the window's first two bytes and three bits of the third, hashed, name a word, the low five
//!    bits of the fourth byte a bit of it. A window of three bytes sets the word, one of two bytes eight words: that is
//!    how patterns of S + 1 bytes still fit.
//! 3. `windows`, another hash over the whole window, and the bitmaps of the shelves: up to eight bytes about it.
//! 4. The shelves' entries, compared by eight bytes and then whole.

use super::PatternId;
use super::chunk::Gate;
use super::entry::Entry;
use super::shelf::{Bits, Filing, SHELVES, Shelf, bits_of};
use super::window::{Chooser, FOLD, SHORTEST, WINDOW, window};

/// Knuth's multiplicative hash (2^32 / golden ratio), moved up so that of a window the low 19 bits count.
const WORD_KEY: u32 = 0x9e37_79b1 << 13;
/// Words of the first filter: 2 KiB or 16 KiB.
pub(super) const SOME: usize = 1 << 9;
pub(super) const MANY: usize = 1 << 12;
/// Low bits of a byte that the first filter sees.
const SEEN: std::ops::Range<u32> = 0..32;

/// The shortest pattern that has a window at each phase.
pub(super) const fn shortest(stride: usize) -> usize {
    stride + SHORTEST - 1
}

#[derive(Debug)]
pub(super) struct Sieve {
    pub(super) stride: usize,
    pub(super) words: Box<[u32]>,
    /// The windows, by another hash.
    pub(super) windows: Bits,
    pub(super) shelves: [Shelf; SHELVES],
    /// Whether any window has n bytes.
    lengths: [bool; WINDOW + 1],
    pub(super) gate: Option<Gate>,
}

impl Sieve {
    /// Patterns of [`shortest`] bytes and more. `gated`: each has a window of text at each phase.
    pub(super) fn build<'p>(
        patterns: impl Iterator<Item = (PatternId, &'p [u8])>,
        stride: usize,
        gated: bool,
    ) -> Sieve {
        let mut windows = Vec::new();
        let mut gate = Gate::default();
        let mut filing = Filing::default();
        let mut chooser = Chooser::new(stride);
        for (id, pattern) in patterns {
            let entry = Entry::new(id, pattern, 0);
            for phase in 0..stride {
                let Some(at) = chooser.choose(pattern, phase, gated) else { continue };
                let bytes = window(pattern, at);
                // Where a window lacks bytes the gate asks for the one before it instead (`neighbours`).
                let from = if bytes.len() < WINDOW { at.saturating_sub(1) } else { at };
                pattern[from..at + bytes.len()].iter().for_each(|&b| gate.insert(b));
                windows.push(bytes);
                filing.file(pattern, at, entry.under(at));
            }
        }
        let mut sieve = Sieve {
            stride,
            words: vec![0; if windows.len() <= SOME / 2 { SOME } else { MANY }].into(),
            windows: bits_of(&windows),
            shelves: filing.finish(),
            lengths: std::array::from_fn(|len| windows.iter().any(|w| w.len() == len)),
            gate: gated.then_some(gate),
        };
        windows.iter().for_each(|window| sieve.insert(window));
        sieve
    }

    /// Sets all that the window's missing bytes might be.
    fn insert(&mut self, window: &[u8]) {
        let byte = |n: usize| window.get(n).map_or(SEEN, |&b| u32::from(b | FOLD)..u32::from(b | FOLD) + 1);
        let start = byte(0).start | byte(1).start << 8;
        let shift = 32 - self.words.len().trailing_zeros();
        for third in byte(2) {
            let head = start | third << 16;
            let word = (head.wrapping_mul(WORD_KEY) >> shift) as usize;
            for fourth in byte(3) {
                self.words[word] |= 1 << (fourth & 31);
            }
        }
    }

    /// Fewest neighbouring bytes of the gate's that an occurrence of any pattern has about its window.
    pub(super) fn neighbours(&self) -> usize {
        if self.lengths[SHORTEST] { SHORTEST + 1 } else { WINDOW }
    }

    pub(super) fn crowd(&self) -> usize {
        self.shelves.iter().map(Shelf::crowd).max().unwrap_or(0)
    }

    pub(super) fn bytes(&self) -> usize {
        4 * self.words.len() + self.windows.bytes() + self.shelves.iter().map(Shelf::bytes).sum::<usize>()
    }
}

/// 1 if the window may be one of ours, by the first filter.
#[inline(always)]
pub(super) fn first<const WORDS: usize>(words: &[u32; WORDS], window: u32) -> usize {
    let word = words[(window.wrapping_mul(WORD_KEY) >> (32 - WORDS.trailing_zeros())) as usize];
    (word >> (window >> 24 & 31) & 1) as usize
}
