//! The bigram filter of narrow alphabets, 64 positions a turn. Twin: `Bigrams::find`; a property test holds the two
//! together.

#![allow(unsafe_code)] // AVX2 loads; every block says why it is sound

use super::alphabet::{Alphabet, NARROW_TEXT, NARROW_WIDE};
use super::bigram::{Bigrams, Group, Line, Net, within};
use super::chunk::{CHUNK, Chunk, GROUP, LEAD, PLACES};
use super::window::{FOLD, WINDOW};
use std::arch::x86_64::*;

/// Bits unpacked at a time.
const UNPACK: usize = 4;

/// 64 bytes.
struct Halves {
    low: __m256i,
    high: __m256i,
}

impl Halves {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn of(bytes: &[u8; GROUP + 1], from: usize) -> Halves {
        Halves { low: load(bytes, from), high: load(bytes, from + 32) }
    }
}

/// Takes the chunk that begins `text` and finds the positions at which a window may stand: in `chunk.passed`; how many.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn find(bigrams: &Bigrams, chunk: &mut Chunk, text: &[u8], brief: bool) -> usize {
    match &*bigrams.nets {
        [one] => find_in([one], chunk, text, brief),
        [one, other] => find_in([one, other], chunk, text, brief),
        _ => 0,
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn find_in<const NETS: usize>(nets: [&Net; NETS], chunk: &mut Chunk, text: &[u8], brief: bool) -> usize {
    let len = text.len().min(CHUNK);
    let mut last = Group::none();
    let (mut found, mut at) = (0, 0);
    // A window may go on behind the last group.
    while at < len + WINDOW - 1 {
        let next = group(&nets, &last, chunk, text, at, brief);
        // Before the first group there is nothing to find.
        let from = at.wrapping_sub(GROUP);
        found = unpack(&mut chunk.passed, found, last.hits(&next) & within(len, from), from);
        last = next;
        at += GROUP;
    }
    chunk.close(at);
    let from = at.wrapping_sub(GROUP);
    unpack(&mut chunk.passed, found, last.hits(&Group::none()) & within(len, from), from)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn group<const NETS: usize>(
    nets: &[&Net; NETS],
    last: &Group<NETS>,
    chunk: &mut Chunk,
    text: &[u8],
    at: usize,
    brief: bool,
) -> Group<NETS> {
    let padded;
    let rest = text.get(at..).unwrap_or_default();
    let bytes = match rest.first_chunk::<{ GROUP + 1 }>() {
        Some(bytes) => bytes,
        None => {
            padded = padded_group(rest);
            &padded
        }
    };
    let (first, second) = (Halves::of(bytes, 0), Halves::of(bytes, 1));
    if let Some(folded) = chunk.folded.get_mut(LEAD + at..).and_then(|f| f.first_chunk_mut::<GROUP>()) {
        let fold = _mm256_set1_epi8(FOLD as i8);
        // SAFETY: 64 bytes can be written; storeu needs no alignment.
        unsafe {
            _mm256_storeu_si256(folded.as_mut_ptr().cast(), _mm256_or_si256(first.low, fold));
            _mm256_storeu_si256(folded.as_mut_ptr().add(32).cast(), _mm256_or_si256(first.high, fold));
        }
    }
    let mut next = Group { repeated: last.repeats >> 63, ..Group::none() };
    if brief {
        let pairs = rest.len().saturating_sub(1).min(GROUP);
        let there = u64::MAX.checked_shr((GROUP - pairs) as u32).unwrap_or(0);
        let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(first.low, second.low)) as u32;
        let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(first.high, second.high)) as u32;
        next.repeats = (u64::from(low) | u64::from(high) << 32) & there;
    }
    for (n, net) in nets.iter().enumerate() {
        let (low, high) = (pairs(net, first.low, second.low), pairs(net, first.high, second.high));
        next.heads[n] = u64::from(low.0) | u64::from(high.0) << 32;
        next.tails[n] = u64::from(low.1) | u64::from(high.1) << 32;
        next.brief[n] = if net.brief { u64::MAX } else { 0 };
    }
    next
}

#[inline(never)]
fn padded_group(rest: &[u8]) -> [u8; GROUP + 1] {
    let mut padded = [0; GROUP + 1];
    padded[..rest.len()].copy_from_slice(rest);
    padded
}

/// For each of 32 bytes whether a window begins with it and the next, and whether one goes on with them.
#[inline]
#[target_feature(enable = "avx2")]
fn pairs(net: &Net, first: __m256i, second: __m256i) -> (u32, u32) {
    let rows = match net.alphabet {
        Alphabet::NarrowText => &NARROW_TEXT,
        _ => &NARROW_WIDE,
    };
    let (first, second) = (class(rows, first), class(rows, second));
    (members(&net.heads.0, first, second), members(&net.tails.0, first, second))
}

/// Which of 32 pairs of classes are in the set.
#[inline]
#[target_feature(enable = "avx2")]
fn members(lines: &[Line; 8], first: __m256i, second: __m256i) -> u32 {
    // What a blend looks at is the high bit of a byte.
    let (odd, high) = (_mm256_slli_epi16::<4>(second), _mm256_slli_epi16::<3>(second));
    let low_lines = _mm256_blendv_epi8(row(&lines[0], first), row(&lines[1], first), odd);
    let high_lines = _mm256_blendv_epi8(row(&lines[2], first), row(&lines[3], first), odd);
    let rows = _mm256_blendv_epi8(low_lines, high_lines, high);
    let single = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
    let bit = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(single), second);
    let missing = _mm256_cmpeq_epi8(_mm256_and_si256(rows, bit), _mm256_setzero_si256());
    !_mm256_movemask_epi8(missing) as u32
}

/// What the line has for 32 classes.
#[inline]
#[target_feature(enable = "avx2")]
fn row(line: &Line, first: __m256i) -> __m256i {
    let low = _mm256_shuffle_epi8(table(&line.0, 0), first);
    let high = _mm256_shuffle_epi8(table(&line.0, 16), first);
    _mm256_blendv_epi8(low, high, _mm256_slli_epi16::<3>(first))
}

#[inline]
#[target_feature(enable = "avx2")]
fn class(rows: &[u8; 16], bytes: __m256i) -> __m256i {
    let low_bits = _mm256_set1_epi8(15);
    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low_bits);
    _mm256_xor_si256(_mm256_and_si256(bytes, low_bits), _mm256_shuffle_epi8(table(rows, 0), high))
}

/// Sixteen bytes in both halves of a register.
#[inline]
#[target_feature(enable = "avx2")]
fn table(bytes: &[u8], from: usize) -> __m256i {
    let Some(bytes) = bytes.get(from..).and_then(|rest| rest.first_chunk::<16>()) else {
        return _mm256_setzero_si256();
    };
    // SAFETY: 16 bytes can be read.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; GROUP + 1], from: usize) -> __m256i {
    let Some(bytes) = bytes.get(from..).and_then(|rest| rest.first_chunk::<32>()) else {
        return _mm256_setzero_si256();
    };
    // SAFETY: 32 bytes can be read; loadu needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Adds `from + n` for each bit n of `bits`; how many there are then.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn unpack(places: &mut [u16; PLACES], count: usize, mut bits: u64, from: usize) -> usize {
    let all = count + bits.count_ones() as usize;
    let mut at = count;
    while bits != 0 {
        for n in 0..UNPACK {
            places[(at + n) & (PLACES - 1)] = from.wrapping_add(bits.trailing_zeros() as usize) as u16;
            bits &= bits.wrapping_sub(1);
        }
        at += UNPACK;
    }
    all
}
