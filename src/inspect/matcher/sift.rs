//! Running a block through the sieve.

use super::Look;
use super::chunk::{CHUNK, Chunk, FOLDED, LEAD, PLACES};
use super::entry::Entry;
use super::shelf::{ABOUT, BEFORE, SHELVES, hashes};
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

/// The filters behind the first; how many positions are left for each shelf. They are in `chunk.kept`.
#[inline(always)]
fn narrow(sieve: &Sieve, chunk: &mut Chunk, found: usize) -> [usize; SHELVES] {
    let mut waiting = 0;
    for n in 0..found {
        let position = chunk.passed[n & (PLACES - 1)];
        chunk.waiting[waiting & (PLACES - 1)] = position;
        waiting += sieve.windows.has(window(&chunk.folded, position));
    }
    let mut kept = [0; SHELVES];
    for n in 0..waiting {
        let position = chunk.waiting[n & (PLACES - 1)];
        let hashes = hashes(about(&chunk.folded, position));
        for n in 0..SHELVES {
            if !sieve.shelves[n].is_empty {
                chunk.kept[n][kept[n] & (PLACES - 1)] = position;
                kept[n] += sieve.shelves[n].has(hashes[n]);
            }
        }
    }
    kept
}

/// Looks into the entries of each position that passed all filters. False when there is to be no more looking.
#[inline(always)]
fn settle(
    sieve: &Sieve,
    text: &[u8],
    base: usize,
    chunk: &Chunk,
    passed: [usize; SHELVES],
    look: &mut impl FnMut(&Entry, usize) -> Look,
) -> bool {
    for (n, shelf) in sieve.shelves.iter().enumerate() {
        // Within a run a position looks like the one before: if nothing was there, nothing is here.
        let mut last = None;
        // A hash under which all has been reported.
        let mut done = None;
        for &place in chunk.kept[n].iter().take(passed[n]) {
            let hash = hashes(about(&chunk.folded, place))[n];
            if done == Some(hash) {
                continue;
            }
            let position = base + usize::from(place);
            if last.is_some_and(|last| alike(text, last, position)) {
                last = Some(position);
                continue;
            }
            let (mut open, mut all) = (false, true);
            for entry in shelf.entries(hash) {
                let look = look(entry, position);
                if look == Look::Spent {
                    return false;
                }
                open |= look == Look::Open;
                all &= matches!(look, Look::Seen | Look::Found);
            }
            last = (!open).then_some(position);
            if all {
                done = Some(hash);
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
    let bytes = folded.get(LEAD + usize::from(at)..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The bytes about a position that the shelves look at.
#[inline(always)]
fn about(folded: &[u8; FOLDED], at: u16) -> &[u8; ABOUT] {
    let bytes = folded.get(LEAD - BEFORE + usize::from(at)..).and_then(|rest| rest.first_chunk());
    bytes.unwrap_or(&[0; ABOUT])
}
