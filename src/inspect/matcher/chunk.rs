//! A part of a block as the sieve looks at it: folded, with zeroes behind, and a bit for each byte that may be text.

use super::shelf::SHELVES;

/// Bytes looked at in one go: more than a frame has.
pub(super) const CHUNK: usize = 1536;
/// Bytes that share a word of bits.
pub(super) const GROUP: usize = 64;
/// Groups of a chunk, and one behind it: windows reach over the end.
const GROUPS: usize = CHUNK / GROUP + 1;
/// Zeroes behind the last group: what a load at its last byte may read.
const MARGIN: usize = 16;
/// Bytes before the first: what a filter sees before a position.
pub(super) const LEAD: usize = 32;
pub(super) const FOLDED: usize = LEAD + GROUPS * GROUP + MARGIN;
/// Room for positions: a power of two above [`CHUNK`], so that an index is bounded by its low bits.
pub(super) const PLACES: usize = 2048;

/// Exactly which bytes below 128 a filter's windows have: bit h of `0[l]` for byte `h << 4 | l`.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Gate(pub(super) [u8; 16]);

impl Gate {
    /// Both cases of a letter; a byte of 128 and more cannot be in it.
    pub(super) fn insert(&mut self, byte: u8) {
        for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
            if byte < 128 {
                self.0[usize::from(byte & 15)] |= 1 << (byte >> 4);
            }
        }
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        byte < 128 && self.0[usize::from(byte & 15)] >> (byte >> 4) & 1 != 0
    }
}

/// Scratch memory for scanning: written anew for every chunk.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The chunk's bytes from [`LEAD`] on; before it the last of the chunk before.
    pub(super) folded: [u8; FOLDED],
    /// Bit b of word g: whether byte `64 g + b` is in the gate.
    pub(super) open: [u64; GROUPS + 1],
    /// Positions that wait for a stage, by turns.
    pub(super) waiting: [u16; PLACES],
    pub(super) passed: [u16; PLACES],
    pub(super) kept: [[u16; PLACES]; SHELVES],
}

impl Default for Chunk {
    fn default() -> Chunk {
        Chunk {
            folded: [0; FOLDED],
            open: [0; GROUPS + 1],
            waiting: [0; PLACES],
            passed: [0; PLACES],
            kept: [[0; PLACES]; SHELVES],
        }
    }
}

/// Groups that `len` bytes of a chunk need, and one behind.
pub(super) fn groups(len: usize) -> usize {
    len.min(CHUNK).div_ceil(GROUP) + 1
}

impl Chunk {
    /// Makes ready for the bytes from `base` of `text` on: those before them stand before the chunk.
    pub(super) fn lead(&mut self, text: &[u8], base: usize) {
        if base == 0 {
            self.folded[..LEAD].fill(super::window::FOLD);
            return;
        }
        for (n, place) in self.folded[..LEAD].iter_mut().enumerate() {
            let byte = (base + n).checked_sub(LEAD).and_then(|at| text.get(at));
            *place = byte.copied().unwrap_or(0) | super::window::FOLD;
        }
    }

    /// Ends what has been taken at `end`, a multiple of [`GROUP`].
    #[inline]
    pub(super) fn close(&mut self, end: usize) {
        if let Some(behind) = self.folded.get_mut(LEAD + end..).and_then(|f| f.first_chunk_mut::<MARGIN>()) {
            *behind = [0; MARGIN];
        }
    }
}

/// Takes the chunk that begins `text`. Scalar twin of `chunk_avx2::take`.
pub(super) fn take(chunk: &mut Chunk, text: &[u8], gate: Option<&Gate>) {
    let groups = groups(text.len());
    for group in 0..groups {
        let mut open = 0;
        for n in 0..GROUP {
            let byte = text.get(group * GROUP + n).copied();
            open |= u64::from(byte.zip(gate).is_some_and(|(byte, gate)| gate.has(byte))) << n;
            chunk.folded[LEAD + group * GROUP + n] = byte.unwrap_or(0) | super::window::FOLD;
        }
        chunk.open[group] = open;
    }
    chunk.open[groups] = 0;
    chunk.folded[LEAD + groups * GROUP..][..MARGIN].fill(0);
}
