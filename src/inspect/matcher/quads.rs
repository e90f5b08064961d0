//! The filter of our own: a bitmap over hashed 4-byte windows says where to look at all.
//!
//! Each pattern of four bytes or more is represented by its rarest window. A block is looked at position by position:
//! the four bytes there, with bit 5 of each set (which folds ASCII case), are hashed into the bitmap; a hit goes to the
//! patterns filed under that window, and only those are compared. Shorter patterns are left to a small automaton.
//! With 16 bits a pattern, one position in sixteen passes at worst, and few do on real text, as windows are chosen rare.

use super::aho::Aho;
use super::{PatternId, Patterns, TooLarge};

/// Bytes a window has.
pub(super) const WINDOW: usize = 4;
/// Set in every byte of a window before it is hashed: upper and lower case become one.
pub(super) const FOLD: u32 = 0x2020_2020;
/// Knuth's multiplicative hash (2^32 / golden ratio): the high bits are used.
pub(super) const MULTIPLIER: u32 = 0x9e37_79b1;
/// The bitmap: 2 KiB at most 64 Ki bits = 8 KiB, a quarter of a first-level cache.
const MIN_BITS: u32 = 9;
const MAX_BITS: u32 = 16;
/// Bits a pattern gets while the bitmap may grow.
const BITS_PER_PATTERN: usize = 16;

/// What decides whether a position is worth a look.
#[derive(Debug)]
pub(super) struct Bitmap {
    pub(super) words: Box<[u32]>,
    /// 32 less the number of hash bits used.
    pub(super) shift: u32,
}

impl Bitmap {
    fn new(patterns: usize) -> Bitmap {
        let wanted = patterns.saturating_mul(BITS_PER_PATTERN).next_power_of_two().trailing_zeros();
        let bits = wanted.clamp(MIN_BITS, MAX_BITS);
        Bitmap { words: vec![0; 1 << (bits - 5)].into(), shift: 32 - bits }
    }

    fn insert(&mut self, hash: u32) {
        let bit = hash >> self.shift;
        self.words[(bit >> 5) as usize] |= 1 << (bit & 31);
    }

    #[inline]
    fn has(&self, hash: u32) -> bool {
        let bit = hash >> self.shift;
        self.words.get((bit >> 5) as usize).is_some_and(|word| word >> (bit & 31) & 1 != 0)
    }

    /// Calls `look` with every position that passes and its folded window: the scalar twin of `quads_avx2`.
    pub(super) fn positions(&self, block: &[u8], from: usize, mut look: impl FnMut(usize, u32)) {
        let Some(rest) = block.get(from..) else { return };
        for (n, window) in rest.windows(WINDOW).enumerate() {
            let folded = fold(window);
            if self.has(hash(folded)) {
                look(from + n, folded);
            }
        }
    }
}

#[inline]
fn fold(window: &[u8]) -> u32 {
    match window {
        &[a, b, c, d, ..] => u32::from_le_bytes([a, b, c, d]) | FOLD,
        _ => FOLD,
    }
}

#[inline]
pub(super) fn hash(folded: u32) -> u32 {
    folded.wrapping_mul(MULTIPLIER)
}

/// A pattern, filed under one of its windows.
#[derive(Debug)]
struct Entry {
    window: u32,
    id: PatternId,
    /// Where in the pattern the window stands.
    at: u32,
    /// Its place in `bytes`.
    start: u32,
    len: u32,
}

#[derive(Debug)]
pub(super) struct Quads {
    bitmap: Bitmap,
    /// Entries of slot `s` are `entries[starts[s]..starts[s + 1]]`; a slot is the hash's high bits.
    starts: Box<[u32]>,
    slot_shift: u32,
    entries: Box<[Entry]>,
    /// All patterns, one behind the other, in lower case.
    bytes: Box<[u8]>,
    short: Option<Aho>,
    simd: bool,
}

impl Quads {
    pub(super) fn build(patterns: &Patterns, simd: bool) -> Result<Quads, TooLarge> {
        let too_large = TooLarge { patterns: patterns.len() };
        let long = || patterns.iter().filter(|(_, p)| p.len() >= WINDOW);
        let count = long().count();
        let mut bitmap = Bitmap::new(count);
        let mut bytes: Vec<u8> = Vec::new();
        let mut entries = Vec::with_capacity(count);
        for (id, pattern) in long() {
            let at = rarest_window(pattern);
            let window = fold(&pattern[at..]);
            bitmap.insert(hash(window));
            let Ok(start) = u32::try_from(bytes.len()) else { return Err(too_large) };
            entries.push(Entry { window, id, at: at as u32, start, len: pattern.len() as u32 });
            bytes.extend_from_slice(pattern);
        }
        let slot_bits = count.next_power_of_two().trailing_zeros().clamp(1, MAX_BITS);
        let slot_shift = 32 - slot_bits;
        entries.sort_by_key(|e| hash(e.window) >> slot_shift);
        let mut starts = vec![0u32; (1 << slot_bits) + 1];
        for entry in &entries {
            starts[(hash(entry.window) >> slot_shift) as usize + 1] += 1;
        }
        for n in 1..starts.len() {
            starts[n] += starts[n - 1];
        }
        let mut short = patterns.iter().filter(|(_, p)| p.len() < WINDOW).peekable();
        let short = if short.peek().is_some() { Some(Aho::build(short)?) } else { None };
        #[cfg(target_arch = "x86_64")]
        let simd = simd && std::arch::is_x86_feature_detected!("avx2");
        Ok(Quads {
            bitmap,
            starts: starts.into(),
            slot_shift,
            entries: entries.into(),
            bytes: bytes.into(),
            short,
            simd,
        })
    }

    pub(super) fn scan(&self, block: &[u8], report: &mut impl FnMut(PatternId)) {
        if !self.entries.is_empty() {
            self.positions(block, |at, window| self.compare(block, at, window, report));
        }
        if let Some(short) = &self.short {
            short.scan(block, report);
        }
    }

    fn positions(&self, block: &[u8], look: impl FnMut(usize, u32)) {
        #[cfg(target_arch = "x86_64")]
        if self.simd {
            return super::quads_avx2::positions(&self.bitmap, block, look);
        }
        self.bitmap.positions(block, 0, look);
    }

    /// Compares the patterns filed under the window that stands at `at`.
    fn compare(&self, block: &[u8], at: usize, window: u32, report: &mut impl FnMut(PatternId)) {
        let slot = (hash(window) >> self.slot_shift) as usize;
        let (Some(&from), Some(&to)) = (self.starts.get(slot), self.starts.get(slot + 1)) else { return };
        let Some(filed) = self.entries.get(from as usize..to as usize) else { return };
        for entry in filed.iter().filter(|e| e.window == window) {
            let pattern = self.bytes.get(entry.start as usize..(entry.start + entry.len) as usize);
            let text = at
                .checked_sub(entry.at as usize)
                .and_then(|begin| block.get(begin..begin + entry.len as usize));
            if let (Some(pattern), Some(text)) = (pattern, text)
                && text.eq_ignore_ascii_case(pattern)
            {
                report(entry.id);
            }
        }
    }
}

/// Where the window stands that real traffic shows least.
fn rarest_window(pattern: &[u8]) -> usize {
    let commonness = |window: &[u8]| window.iter().map(|&b| u32::from(commonness(b))).sum::<u32>();
    let windows = pattern.windows(WINDOW).enumerate();
    windows.min_by_key(|(_, window)| commonness(window)).map_or(0, |(at, _)| at)
}

/// How often a byte is met in payload, roughly, 0 to 10: the letters of headers and text, zeroes and blanks lead.
pub(in crate::inspect) fn commonness(byte: u8) -> u8 {
    match byte.to_ascii_lowercase() {
        0 => 10,
        b' ' | b'e' | b't' | b'a' => 9,
        b'o' | b'i' | b'n' | b's' | b'r' => 8,
        b'\r' | b'\n' | b'c' | b'd' | b'l' | b'/' | b'.' | b'p' => 7,
        b'0' | b'1' | b'm' | b'h' | b'u' | b':' | b'-' | b'=' => 6,
        b'2'..=b'9' | b'f' | b'g' | b'b' | b'w' | b'"' | b'<' | b'>' | 0xff => 5,
        b'a'..=b'z' | b',' | b';' | b'_' | b'(' | b')' | b'&' | 1 => 4,
        0x21..=0x7e => 3,
        _ => 2,
    }
}

#[cfg(test)]
pub(super) mod twin {
    use super::*;
    use proptest::prelude::*;

    fn bitmap_of(windows: &[[u8; 4]]) -> Bitmap {
        let mut bitmap = Bitmap::new(windows.len());
        windows.iter().for_each(|w| bitmap.insert(hash(fold(w))));
        bitmap
    }

    #[cfg(target_arch = "x86_64")]
    proptest! {
        #[test]
        fn simd_and_scalar_filter_pass_the_same_positions(
            windows in prop::collection::vec(prop::array::uniform4(0u8..6), 1..40),
            block in prop::collection::vec(0u8..6, 0..200),
        ) {
            prop_assume!(std::arch::is_x86_feature_detected!("avx2"));
            let bitmap = bitmap_of(&windows);
            let (mut scalar, mut simd) = (Vec::new(), Vec::new());
            bitmap.positions(&block, 0, |at, w| scalar.push((at, w)));
            super::super::quads_avx2::positions(&bitmap, &block, |at, w| simd.push((at, w)));
            prop_assert_eq!(scalar, simd);
        }
    }

    #[test]
    fn the_rarest_window_is_not_the_common_prefix() {
        assert_eq!(rarest_window(b"the zqxj"), 4);
        assert_eq!(rarest_window(b"abcd"), 0);
    }
}
