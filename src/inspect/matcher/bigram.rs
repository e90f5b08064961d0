//! The sieve's first filter: which pairs of bytes a window begins with, exactly, at every position.
//!
//! An [`Alphabet`] puts bytes into 64 classes, or 32. A window's first two bytes are one of 64 x 64 pairs of classes, its
//! second and third another: a set of pairs is a table of 512 bytes, eight registers of AVX-512, so that 64 positions are
//! looked up at once and none of them in memory. With 32 classes it is 128 bytes, which AVX2 permutes 16 at a time. Which
//! windows let the least of real traffic through is for `cover` to choose.
//!
//! Windows of text and the others have an alphabet and tables of their own, a [`Net`]: classes that text shares with
//! other bytes would let it all through.

use super::alphabet::{Alphabet, CLASSES, NONE};
use super::chunk::{CHUNK, Chunk, GROUP, LEAD, PLACES};
use super::window::{FOLD, WINDOW, window};

/// Set beside the class of a byte whose runs need a look only where they begin.
pub(super) const BRIEF: u8 = 0x40;
/// Bytes of a run: the one before a position, and a window.
const RUN: usize = 1 + WINDOW;

/// One row of a table in a register's order.
#[derive(Copy, Clone, Debug)]
#[repr(align(64))]
pub(super) struct Line(pub(super) [u8; CLASSES]);

/// A set of pairs of classes: bit `b & 7` of byte `a` of line `b >> 3` for the pair of `a` and then `b`.
#[derive(Clone, Debug)]
pub(super) struct Pairs(pub(super) [Line; 8]);

impl Pairs {
    fn new() -> Pairs {
        Pairs([Line([0; CLASSES]); 8])
    }

    fn insert(&mut self, a: u8, b: u8) {
        self.0[usize::from(b >> 3 & 7)].0[usize::from(a & 63)] |= 1 << (b & 7);
    }

    #[inline]
    fn has(&self, a: u8, b: u8) -> bool {
        self.0[usize::from(b >> 3 & 7)].0[usize::from(a & 63)] >> (b & 7) & 1 != 0
    }
}

/// The windows of one alphabet.
#[derive(Clone, Debug)]
pub(super) struct Net {
    pub(super) alphabet: Alphabet,
    /// Whether runs of any byte need a look only where they begin.
    pub(super) brief: bool,
    /// The class of each byte.
    pub(super) classes: [Line; 4],
    /// The first byte of a window and the second.
    pub(super) heads: Pairs,
    /// The second and the third.
    pub(super) tails: Pairs,
}

impl Net {
    /// The windows, each of two bytes or more, and the alphabet they are all of.
    fn of<'w>(windows: impl Iterator<Item = Window<'w>> + Clone, alphabet: Alphabet) -> Net {
        let mut net = Net {
            alphabet,
            classes: [Line([0; CLASSES]); 4],
            brief: windows.clone().all(|w| w.asks_for_runs().is_none()),
            heads: Pairs::new(),
            tails: Pairs::new(),
        };
        let cases = |b: u8| [b.to_ascii_lowercase(), b.to_ascii_uppercase()];
        if alphabet.is_narrow() {
            for byte in 0..=255 {
                *net.place(byte) = alphabet.class(byte) | if net.brief { BRIEF } else { 0 };
            }
        } else {
            for byte in windows.clone().flat_map(|w| w.bytes()).copied().flat_map(cases) {
                *net.place(byte) = alphabet.class(byte) | BRIEF;
            }
            for byte in windows.clone().filter_map(|w| w.asks_for_runs()).flat_map(cases) {
                *net.place(byte) &= !BRIEF;
            }
        }
        for window in windows.map(|w| w.bytes()) {
            let mut classes = window.iter().map(|&byte| alphabet.class(byte));
            let (Some(first), Some(second)) = (classes.next(), classes.next()) else { continue };
            net.heads.insert(first, second);
            match classes.next() {
                Some(third) => net.tails.insert(second, third),
                // Anything may follow.
                None => (0..CLASSES as u8).for_each(|third| net.tails.insert(second, third)),
            }
        }
        net
    }

    fn place(&mut self, byte: u8) -> &mut u8 {
        &mut self.classes[usize::from(byte >> 6)].0[usize::from(byte & 63)]
    }

    #[inline]
    fn class(&self, byte: u8) -> u8 {
        self.classes[usize::from(byte >> 6)].0[usize::from(byte & 63)]
    }

    /// Whether a window may begin with these bytes; `run`: whether they go on and on.
    #[inline]
    fn has(&self, bytes: [u8; 3], run: impl Fn() -> bool) -> bool {
        let [first, second] = [self.class(bytes[0]), self.class(bytes[1])];
        if (first | second) & NONE != 0 || !self.heads.has(first, second) {
            return false;
        }
        let third = self.class(bytes[2]);
        third & NONE == 0 && self.tails.has(second, third) && !(first & BRIEF != 0 && run())
    }
}

/// What is known of 64 bytes when the next have been looked at: a bit for each.
pub(super) struct Group<const NETS: usize> {
    /// A window begins with this byte and the next; one goes on with them.
    pub(super) heads: [u64; NETS],
    pub(super) tails: [u64; NETS],
    /// Bytes whose runs need a look only where they begin.
    pub(super) brief: [u64; NETS],
    /// Bytes that the next one repeats, and whether the group before ended with one.
    pub(super) repeats: u64,
    pub(super) repeated: u64,
}

impl<const NETS: usize> Group<NETS> {
    /// Nothing, as before the first.
    pub(super) fn none() -> Group<NETS> {
        Group { heads: [0; NETS], tails: [0; NETS], brief: [0; NETS], repeats: 0, repeated: 0 }
    }

    /// Where a window may stand.
    #[inline(always)]
    pub(super) fn hits(&self, next: &Group<NETS>) -> u64 {
        let run = self.repeats
            & (self.repeats << 1 | self.repeated)
            & (self.repeats >> 1 | next.repeats << 63)
            & (self.repeats >> 2 | next.repeats << 62);
        let of = |n: usize| {
            let tails = self.tails[n] >> 1 | next.tails[n] << 63;
            self.heads[n] & tails & !(run & self.brief[n])
        };
        (0..NETS).fold(0, |all, n| all | of(n))
    }
}

/// A bit for each of 64 bytes at `from` that are there: what is behind them is no text.
#[inline(always)]
pub(super) fn within(len: usize, from: usize) -> u64 {
    let there = len.saturating_sub(from).min(GROUP) as u32;
    !u64::MAX.checked_shl(there).unwrap_or(0)
}

/// A window that stands at `at` in its pattern.
#[derive(Copy, Clone, Debug)]
pub(super) struct Window<'p> {
    pub(super) pattern: &'p [u8],
    pub(super) alphabet: Alphabet,
    pub(super) at: usize,
}

impl<'p> Window<'p> {
    pub(super) fn bytes(&self) -> &'p [u8] {
        window(self.pattern, self.at)
    }

    /// The byte that all of the window is, if to look where a run of it begins is not enough. It is for a pattern that is
    /// nothing else: what stands within the run stands at its begin too.
    pub(super) fn asks_for_runs(&self) -> Option<u8> {
        let first = *self.bytes().first()?;
        let run = |bytes: &[u8]| bytes.iter().all(|&b| b == first);
        (run(self.bytes()) && !run(self.pattern)).then_some(first)
    }
}

#[derive(Debug)]
pub(super) struct Bigrams {
    pub(super) nets: Box<[Net]>,
    /// Whether the alphabets are narrow.
    pub(super) narrow: bool,
}

impl Bigrams {
    pub(super) fn of(windows: &[Window<'_>]) -> Bigrams {
        let nets = Alphabet::ALL.into_iter().filter(|n| windows.iter().any(|w| w.alphabet == *n));
        let of = |n| Net::of(windows.iter().filter(move |w| w.alphabet == n).copied(), n);
        let narrow = windows.iter().all(|w| w.alphabet.is_narrow());
        Bigrams { nets: nets.map(of).collect(), narrow }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.nets)
    }

    /// Takes the chunk that begins `text` and finds the positions at which a window may stand: in `chunk.passed`; how many.
    /// `brief`: of runs some need a look only where they begin. Scalar twin of `bigram_avx2::find` and
    /// `bigram_avx512::find`.
    pub(super) fn find(&self, chunk: &mut Chunk, text: &[u8], brief: bool) -> usize {
        let len = text.len().min(CHUNK);
        let byte = |at: usize| text.get(at).copied().unwrap_or(0);
        let groups = (len + WINDOW - 1).div_ceil(GROUP);
        let taken =
            chunk.folded.get_mut(LEAD..).and_then(|f| f.get_mut(..groups * GROUP)).unwrap_or_default();
        taken.iter_mut().enumerate().for_each(|(at, place)| *place = byte(at) | FOLD);
        chunk.close(groups * GROUP);
        let mut found = 0;
        let mut bytes = [byte(0), byte(0), byte(1)];
        for at in 0..len {
            bytes = [bytes[1], bytes[2], byte(at + 2)];
            if self.nets.iter().any(|net| net.has(bytes, || brief && is_in_run(text, at))) {
                chunk.passed[found & (PLACES - 1)] = at as u16;
                found += 1;
            }
        }
        found
    }
}

/// Whether the byte before `at` and all of a window there are the same.
fn is_in_run(text: &[u8], at: usize) -> bool {
    let about = at.checked_sub(1).and_then(|from| text.get(from..)?.first_chunk::<RUN>());
    about.is_some_and(|about| about.iter().all(|byte| *byte == about[0]))
}

#[cfg(test)]
mod tests {
    use super::super::cover::choose;
    use super::*;

    fn found(patterns: &[&[u8]], narrow: bool, text: &[u8], brief: bool) -> Vec<u16> {
        let mut chunk = Box::<Chunk>::default();
        let count = Bigrams::of(&choose(patterns, narrow)).find(&mut chunk, text, brief);
        chunk.passed[..count].to_vec()
    }

    #[test]
    fn every_window_is_let_through_in_either_case() {
        let words: Vec<Vec<u8>> = (0..=255u8).map(|n| vec![n, n ^ 0x55, n.wrapping_mul(7), b'k']).collect();
        let patterns: Vec<&[u8]> = words.iter().map(Vec::as_slice).chain([&b"\xff\0"[..], b"pk"]).collect();
        for narrow in [false, true] {
            let bigrams = Bigrams::of(&choose(&patterns, narrow));
            let mut chunk = Box::<Chunk>::default();
            for pattern in &patterns {
                for text in [pattern.to_ascii_lowercase(), pattern.to_ascii_uppercase()] {
                    assert!(bigrams.find(&mut chunk, &text, true) > 0 && chunk.passed[0] == 0, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn what_no_window_begins_with_is_not() {
        for narrow in [false, true] {
            assert_eq!(found(&[b"abcd"], narrow, b"abxd axcd xbcd ABCD", true), [15]);
        }
    }

    #[test]
    fn of_a_run_only_its_begin_is_looked_at_if_that_will_do() {
        let late = [&[b'A'; 16][..], b"b"].concat();
        for narrow in [false, true] {
            assert_eq!(found(&[&[0; 5]], narrow, &[0; 20], true), [0, 17, 18, 19]);
            assert_eq!(found(&[&[0; 5]], narrow, &[0; 20], false).len(), 20);
            assert_eq!(found(&[&late], narrow, &[b'a'; 20], true).len(), 20 - 2);
        }
    }
}
