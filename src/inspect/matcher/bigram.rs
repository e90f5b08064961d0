//! The first filter where there is AVX-512 VBMI: which pairs of bytes a window begins with, exactly, at every position.
//!
//! An [`Alphabet`] puts bytes into 63 classes, upper and lower case in one; class 0 is for the bytes that no window has.
//! A window's first two bytes are one of 64 x 64 pairs of classes, its second and third another: a table of 512 bytes for
//! each, which is eight registers, so that 64 positions are looked up at once and none of them in memory. Which windows
//! let the least of real traffic through is for `cover` to choose.
//!
//! Patterns of text and the others have an alphabet and tables of their own: classes that text shares with other bytes
//! would let it all through.

use super::chunk::{CHUNK, Chunk, PLACES};
use super::window::{WINDOW, window};

/// Classes of bytes; the first is for bytes that stand in no window.
pub(super) const CLASSES: usize = 64;
/// Alphabets there are: of text, and of all bytes.
pub(super) const ALPHABETS: usize = 2;
pub(super) const TEXT: usize = 0;
pub(super) const WIDE: usize = 1;

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
    /// The class of each byte.
    pub(super) classes: [Line; 4],
    /// The first byte of a window and the second.
    pub(super) heads: Pairs,
    /// The second and the third.
    pub(super) tails: Pairs,
}

impl Net {
    /// The windows, each of two bytes or more, and the alphabet they are all of.
    fn of<'w>(windows: impl Iterator<Item = Window<'w>> + Clone, alphabet: usize) -> Net {
        let mut net = Net { classes: [Line([0; CLASSES]); 4], heads: Pairs::new(), tails: Pairs::new() };
        let cases = |b: u8| [b.to_ascii_lowercase(), b.to_ascii_uppercase()];
        for byte in windows.clone().flat_map(|w| w.bytes()).copied().flat_map(cases) {
            net.classes[usize::from(byte >> 6)].0[usize::from(byte & 63)] = class(alphabet, byte) | BRIEF;
        }
        for byte in windows.clone().filter_map(|w| w.asks_for_runs()).flat_map(cases) {
            net.classes[usize::from(byte >> 6)].0[usize::from(byte & 63)] &= !BRIEF;
        }
        for window in windows.map(|w| w.bytes()) {
            let mut classes = window.iter().map(|&byte| class(alphabet, byte));
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

    #[inline]
    fn class(&self, byte: u8) -> u8 {
        self.classes[usize::from(byte >> 6)].0[usize::from(byte & 63)]
    }

    /// Whether a window may begin with these bytes; `run`: they go on and on.
    #[inline]
    fn has(&self, bytes: [u8; 3], run: bool) -> bool {
        let [first, second, third] = bytes.map(|byte| self.class(byte));
        self.heads.has(first, second) && self.tails.has(second, third) && !(run && first & BRIEF != 0)
    }
}

/// A window that stands at `at` in its pattern.
#[derive(Copy, Clone, Debug)]
pub(super) struct Window<'p> {
    pub(super) pattern: &'p [u8],
    pub(super) alphabet: usize,
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
pub(super) struct Bigrams(pub(super) Box<[Net]>);

impl Bigrams {
    pub(super) fn of(windows: &[Window<'_>]) -> Bigrams {
        let nets = (0..ALPHABETS).filter(|n| windows.iter().any(|w| w.alphabet == *n));
        let of = |n| Net::of(windows.iter().filter(move |w| w.alphabet == n).copied(), n);
        Bigrams(nets.map(of).collect())
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    /// Fills `chunk.passed` with the positions of a chunk of `len` bytes, which has been taken, at which a window may
    /// stand; how many they are. `brief`: of runs some need a look only where they begin. Scalar twin of
    /// `bigram_avx512::find`.
    pub(super) fn find(&self, chunk: &mut Chunk, text: &[u8], brief: bool) -> usize {
        let byte = |at: usize| text.get(at).copied().unwrap_or(0);
        let mut found = 0;
        for at in 0..text.len().min(CHUNK) {
            let bytes = [byte(at), byte(at + 1), byte(at + 2)];
            let about = at.checked_sub(1).and_then(|from| text.get(from..)?.first_chunk::<RUN>());
            let run = brief && about.is_some_and(|about| about.iter().all(|b| *b == about[0]));
            chunk.passed[found & (PLACES - 1)] = at as u16;
            found += usize::from(self.0.iter().any(|net| net.has(bytes, run)));
        }
        found
    }
}

/// The class of a byte that may stand in a window of the alphabet: never 0.
pub(super) const fn class(alphabet: usize, byte: u8) -> u8 {
    // What has no class of its own goes to the rarest of text.
    const SPARE: u8 = 62;
    const OWN: u8 = 32;
    match byte {
        0x20 if alphabet == TEXT => OWN,
        0 if alphabet == WIDE => OWN,
        b'@' | b'`' => SPARE,
        0x40..0x80 => OWN + (byte & 0x1f),
        0x80.. if byte & 0x3f == 0 => SPARE,
        0x80.. => byte & 0x3f,
        _ if byte & 0x1f == 0 => SPARE,
        _ => byte & 0x1f,
    }
}
