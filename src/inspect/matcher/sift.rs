//! Running a block through the sieve.

use super::Look;
use super::chunk::{CHUNK, Chunk, FOLDED, LEAD, PLACES};
use super::entry::Entry;
use super::shelf::{ABOUT, BEFORE, Glance, SHELVES, four, hashes};
use super::sieve::Sieve;

/// Bytes before and behind a position on which its quick comparisons depend (`entry`: a value lies within the first 16
/// bytes of its pattern, and so does the window).
const RUN_BEFORE: usize = 16;
const RUN: usize = 32;

/// Calls `look` with each entry that may stand at a position, and that position; `brief`: not at all positions of a run if
/// where it begins will do for a whole text. Scalar twin of [`scan_avx2`] and [`scan_avx512`].
pub(super) fn scan(
    sieve: &Sieve,
    text: &[u8],
    chunk: &mut Chunk,
    brief: bool,
    look: &mut impl FnMut(&Entry, usize) -> Look,
) {
    scan_with(sieve, text, chunk, |c, t| sieve.bigrams.find(c, t, brief), look);
}

/// The same code compiled for a CPU with AVX2 and its bit instructions, and its search for bigrams of narrow alphabets.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn scan_avx2(
    sieve: &Sieve,
    text: &[u8],
    chunk: &mut Chunk,
    brief: bool,
    look: &mut impl FnMut(&Entry, usize) -> Look,
) {
    let first = |chunk: &mut Chunk, text: &[u8]| match sieve.bigrams.narrow {
        true => super::bigram_avx2::find(&sieve.bigrams, chunk, text, brief),
        false => sieve.bigrams.find(chunk, text, brief),
    };
    scan_with(sieve, text, chunk, first, look);
}

/// The same for a CPU with AVX-512 and its permutations of bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
pub(super) fn scan_avx512(
    sieve: &Sieve,
    text: &[u8],
    chunk: &mut Chunk,
    brief: bool,
    look: &mut impl FnMut(&Entry, usize) -> Look,
) {
    let first = |chunk: &mut Chunk, text: &[u8]| match sieve.bigrams.narrow {
        true => super::bigram_avx2::find(&sieve.bigrams, chunk, text, brief),
        false => super::bigram_avx512::find(&sieve.bigrams, chunk, text, brief),
    };
    scan_with(sieve, text, chunk, first, look);
}

#[inline(always)]
fn scan_with(
    sieve: &Sieve,
    text: &[u8],
    chunk: &mut Chunk,
    first: impl Fn(&mut Chunk, &[u8]) -> usize,
    look: &mut impl FnMut(&Entry, usize) -> Look,
) {
    let mut base = 0;
    while let Some(rest) = text.get(base..).filter(|rest| !rest.is_empty()) {
        chunk.lead(text, base);
        let found = first(chunk, rest);
        let kept = narrow(sieve, chunk, found);
        if !settle(sieve, text, base, chunk, kept, look) {
            return;
        }
        base += rest.len().min(CHUNK);
    }
}

/// The filters behind the first; how many positions are left. They are in `chunk.kept`.
#[inline(always)]
fn narrow(sieve: &Sieve, chunk: &mut Chunk, found: usize) -> usize {
    let Glance { windows, pairs } = &sieve.windows;
    let waiting = match pairs {
        None => glance(chunk, found, |bytes| windows.has(four(bytes))),
        Some(pairs) => glance(chunk, found, |bytes| windows.has(four(bytes)) | pairs.has(bytes)),
    };
    let mut kept = 0;
    for &position in chunk.waiting.iter().take(waiting) {
        let hashes = hashes(about(&chunk.folded, position));
        let mut shelves = 0;
        for (n, (shelf, hash)) in sieve.shelves.iter().zip(hashes).enumerate() {
            if !shelf.is_empty {
                shelves |= (shelf.has(hash) as u8) << n;
            }
        }
        chunk.kept[kept & (PLACES - 1)] = (position, shelves);
        kept += usize::from(shelves != 0);
    }
    kept
}

/// Of the positions found, those at which four bytes are such as `has` says 1 for: how many. They are in `chunk.waiting`.
#[inline(always)]
fn glance(chunk: &mut Chunk, found: usize, has: impl Fn(u32) -> u32) -> usize {
    let Chunk { folded, passed, waiting, .. } = chunk;
    let mut left = 0;
    for &position in passed.iter().take(found) {
        waiting[left & (PLACES - 1)] = position;
        left += has(window(folded, position)) as usize;
    }
    left
}

/// What was looked at on one shelf.
#[derive(Copy, Clone, Default)]
struct Looked {
    /// The last position. Within a run one looks like that before it: if nothing was there, nothing is here.
    last: Option<usize>,
    /// A hash under which all has been reported.
    done: Option<u32>,
}

/// Looks into the entries of each position that passed all filters. False when there is to be no more looking.
#[inline(always)]
fn settle(
    sieve: &Sieve,
    text: &[u8],
    base: usize,
    chunk: &Chunk,
    kept: usize,
    look: &mut impl FnMut(&Entry, usize) -> Look,
) -> bool {
    let mut looked = [Looked::default(); SHELVES];
    for &(place, shelves) in chunk.kept.iter().take(kept) {
        let hashes = hashes(about(&chunk.folded, place));
        let position = base + usize::from(place);
        let mut left = shelves;
        while left != 0 {
            let n = left.trailing_zeros() as usize % SHELVES;
            left &= left - 1;
            let (shelf, looked) = (&sieve.shelves[n], &mut looked[n]);
            if looked.done == Some(hashes[n]) {
                continue;
            }
            if looked.last.is_some_and(|last| alike(text, last, position)) {
                looked.last = Some(position);
                continue;
            }
            let (mut open, mut all) = (false, true);
            for entry in shelf.entries(hashes[n]) {
                let look = look(entry, position);
                if look == Look::Spent {
                    return false;
                }
                open |= look == Look::Open;
                all &= matches!(look, Look::Seen | Look::Found);
            }
            looked.last = (!open).then_some(position);
            if all {
                looked.done = Some(hashes[n]);
            }
        }
    }
    true
}

/// Whether all that a quick comparison may read is the same at both positions.
#[inline(always)]
fn alike(text: &[u8], last: usize, position: usize) -> bool {
    let about = |at: usize| text.get(at.checked_sub(RUN_BEFORE)?..)?.first_chunk::<RUN>();
    match (about(last), about(position)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

#[inline(always)]
fn window(folded: &[u8; FOLDED], at: u16) -> u32 {
    let bytes =
        folded.get(LEAD + (usize::from(at) & (PLACES - 1))..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The bytes about a position that the shelves look at.
#[inline(always)]
fn about(folded: &[u8; FOLDED], at: u16) -> &[u8; ABOUT] {
    let bytes =
        folded.get(LEAD - BEFORE + (usize::from(at) & (PLACES - 1))..).and_then(|rest| rest.first_chunk());
    bytes.unwrap_or(&[0; ABOUT])
}
