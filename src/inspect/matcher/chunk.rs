//! A part of a block as the sieve looks at it: folded, with zeroes behind; and the positions that the filters let through.

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
/// Room for any position and what is read about it.
pub(super) const FOLDED: usize = LEAD + PLACES + MARGIN;
/// Room for positions: a power of two above [`CHUNK`], so that an index is bounded by its low bits.
pub(super) const PLACES: usize = 2048;
const _: () = assert!(PLACES >= GROUPS * GROUP);

/// Scratch memory for scanning: written anew for every chunk.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The chunk's bytes from [`LEAD`] on; before it the last of the chunk before.
    pub(super) folded: [u8; FOLDED],
    /// Positions that wait for a stage, by turns.
    pub(super) waiting: [u16; PLACES],
    pub(super) passed: [u16; PLACES],
    /// With the shelves on which something may stand there, a bit each.
    pub(super) kept: [(u16, u8); PLACES],
}

impl Default for Chunk {
    fn default() -> Chunk {
        Chunk { folded: [0; FOLDED], waiting: [0; PLACES], passed: [0; PLACES], kept: [(0, 0); PLACES] }
    }
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
