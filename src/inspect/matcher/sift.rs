//! Running a block through the sieve.

use super::Look;
use super::chunk::{CHUNK, Chunk, FOLDED, GROUP, LEAD, PLACES};
use super::entry::Entry;
use super::shelf::{ABOUT, BEFORE, SHELVES, hash_of, hashes};
use super::sieve::{First, MANY, SOME, Sieve, Words, first};

/// Open positions of a group from which all of it is looked at instead of each of them.
const DENSE: u32 = 24;
/// Bytes of a turn.
const TURN: usize = 64;
/// Bits unpacked at a time.
const UNPACK: usize = 4;
/// Bytes before and behind a position on which its quick comparisons depend (`entry`: a value lies within the first 16
/// bytes of its pattern, and so does the window).
const RUN_BEFORE: usize = 16;
const RUN: usize = 32;

/// Calls `look` with each entry that may stand at a position, and that position; `brief`: not at all positions of a run if
/// where it begins will do for a whole text. Scalar twin of [`scan_avx2`] and
/// [`scan_avx512`].
pub(super) fn scan(
    sieve: &Sieve,
    text: &[u8],
    chunk: &mut Chunk,
    brief: bool,
    look: &mut impl FnMut(&Entry, usize) -> Look,
) {
    let first = |chunk: &mut Chunk, text: &[u8]| match &sieve.first {
        First::Words(words) => {
            super::chunk::take(chunk, text, words.gate.as_ref());
            find(words, chunk, text.len().min(CHUNK))
        }
        First::Bigrams(bigrams) => bigrams.find(chunk, text, brief),
    };
    scan_with(sieve, text, chunk, first, look);
}

/// The same code compiled for a CPU with AVX2 and its bit instructions, chunks taken by AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn scan_avx2(
    sieve: &Sieve,
    text: &[u8],
    chunk: &mut Chunk,
    brief: bool,
    look: &mut impl FnMut(&Entry, usize) -> Look,
) {
    let first = |chunk: &mut Chunk, text: &[u8]| match &sieve.first {
        First::Words(words) => {
            super::chunk_avx2::take(chunk, text, words.gate.as_ref());
            find(words, chunk, text.len().min(CHUNK))
        }
        First::Bigrams(bigrams) if bigrams.narrow => super::bigram_avx2::find(bigrams, chunk, text, brief),
        First::Bigrams(bigrams) => bigrams.find(chunk, text, brief),
    };
    scan_with(sieve, text, chunk, first, look);
}

/// The same for a CPU with AVX-512 and its byte permutations.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
pub(super) fn scan_avx512(
    sieve: &Sieve,
    text: &[u8],
    chunk: &mut Chunk,
    brief: bool,
    look: &mut impl FnMut(&Entry, usize) -> Look,
) {
    let first = |chunk: &mut Chunk, text: &[u8]| match &sieve.first {
        First::Words(words) => {
            super::chunk_avx2::take(chunk, text, words.gate.as_ref());
            find(words, chunk, text.len().min(CHUNK))
        }
        First::Bigrams(bigrams) if bigrams.narrow => super::bigram_avx2::find(bigrams, chunk, text, brief),
        First::Bigrams(bigrams) => super::bigram_avx512::find(bigrams, chunk, text, brief),
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

/// The first filter by words: how many positions of the chunk, of `len` bytes, are in `chunk.passed` then.
#[inline(always)]
fn find(words: &Words, chunk: &mut Chunk, len: usize) -> usize {
    match (words.words.first_chunk::<MANY>(), words.words.first_chunk::<SOME>(), words.stride) {
        (Some(table), _, 2) => find_in::<MANY, 2>(words, table, chunk, len),
        (Some(table), _, _) => find_in::<MANY, 4>(words, table, chunk, len),
        (_, Some(table), 2) => find_in::<SOME, 2>(words, table, chunk, len),
        (_, Some(table), _) => find_in::<SOME, 4>(words, table, chunk, len),
        _ => 0,
    }
}

#[inline(always)]
fn find_in<const WORDS: usize, const STRIDE: usize>(
    sieve: &Words,
    words: &[u32; WORDS],
    chunk: &mut Chunk,
    len: usize,
) -> usize {
    if sieve.gate.is_none() {
        return every::<WORDS, STRIDE>(words, &chunk.folded, &mut chunk.passed, 0, 0..len);
    }
    let (mut found, mut waiting) = (0, 0);
    // The byte before a chunk is unknown: taken for open.
    let mut before = u64::MAX;
    for group in 0..len.div_ceil(GROUP) {
        let (here, next) = (chunk.open[group], chunk.open[group + 1]);
        let at = |n: u32| here >> n | next << (64 - n);
        let about = here << 1 | before >> 63;
        let about = if sieve.neighbours() > 3 { at(2) & (at(3) | about) } else { at(2) | about };
        let grid = if STRIDE == 2 { 0x5555_5555_5555_5555 } else { 0x1111_1111_1111_1111 };
        let open = here & at(1) & about & grid;
        before = here;
        if open.count_ones() * STRIDE as u32 > DENSE {
            let range = group * GROUP..(group + 1) * GROUP;
            found = every::<WORDS, STRIDE>(words, &chunk.folded, &mut chunk.passed, found, range);
        } else {
            waiting = unpack(&mut chunk.waiting, waiting, open, group * GROUP);
        }
    }
    for n in 0..waiting {
        let position = chunk.waiting[n & (PLACES - 1)];
        chunk.passed[found & (PLACES - 1)] = position;
        found += first(words, window(&chunk.folded, position));
    }
    found
}

/// The filters behind the first; how many positions are left for each shelf. They are in `chunk.kept`.
#[inline(always)]
fn narrow(sieve: &Sieve, chunk: &mut Chunk, found: usize) -> [usize; SHELVES] {
    let mut waiting = 0;
    for n in 0..found {
        let position = chunk.passed[n & (PLACES - 1)];
        chunk.waiting[waiting & (PLACES - 1)] = position;
        waiting += sieve.windows.has(hash_of(window(&chunk.folded, position)));
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

/// The first filter for each position of a range; how many are in `passed` then.
#[inline(always)]
fn every<const WORDS: usize, const STRIDE: usize>(
    words: &[u32; WORDS],
    folded: &[u8; FOLDED],
    passed: &mut [u16; PLACES],
    mut found: usize,
    range: std::ops::Range<usize>,
) -> usize {
    let mut at = range.start;
    while at < range.end {
        let Some(bytes) = folded.get(LEAD + at..).and_then(|f| f.first_chunk::<{ TURN + 4 }>()) else {
            break;
        };
        found = unpack(passed, found, turn::<WORDS, STRIDE>(words, bytes), at);
        at += TURN;
    }
    found
}

/// Bit n: whether the window at n may be one of ours; only every STRIDE-th is looked at.
#[inline(always)]
fn turn<const WORDS: usize, const STRIDE: usize>(words: &[u32; WORDS], bytes: &[u8; TURN + 4]) -> u64 {
    let mut hits = 0;
    let mut at = TURN;
    while at > 0 {
        at -= 8;
        let eight = |from: usize| {
            bytes.get(from..).and_then(|b| b.first_chunk::<8>()).map_or(0, |b| u64::from_le_bytes(*b))
        };
        let (low, high) = (eight(at), eight(at + 4));
        for n in (0..8).step_by(STRIDE).rev() {
            let window = if n < 4 { low >> (8 * n) } else { high >> (8 * (n - 4)) };
            hits = hits << STRIDE | first(words, window as u32) as u64;
        }
    }
    hits
}

/// Adds `from + n` for each bit n of `bits`; how many wait then.
#[inline(always)]
pub(super) fn unpack(waiting: &mut [u16; PLACES], count: usize, mut bits: u64, from: usize) -> usize {
    let all = count + bits.count_ones() as usize;
    let mut at = count;
    loop {
        for n in 0..UNPACK {
            waiting[(at + n) & (PLACES - 1)] = from.wrapping_add(bits.trailing_zeros() as usize) as u16;
            bits &= bits.wrapping_sub(1);
        }
        at += UNPACK;
        if bits == 0 {
            return all;
        }
    }
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
