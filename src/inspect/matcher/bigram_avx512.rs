//! The bigram filter, 64 positions a turn. Twin: `Bigrams::find`; a property test holds the two together.

#![allow(unsafe_code)] // AVX-512 loads and stores; every block says why it is sound

use super::bigram::{BRIEF, Bigrams, Group, Line, Net, Pairs, within};
use super::chunk::{CHUNK, Chunk, GROUP, LEAD, PLACES};
use super::window::{FOLD, WINDOW};
use std::arch::x86_64::*;

/// Takes the chunk that begins `text` and finds the positions at which a window may stand: in `chunk.passed`; how many.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
pub(super) fn find(bigrams: &Bigrams, chunk: &mut Chunk, text: &[u8], brief: bool) -> usize {
    match &*bigrams.nets {
        [one] => find_in([one], chunk, text, brief),
        [one, other] => find_in([one, other], chunk, text, brief),
        _ => 0,
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
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
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn group<const NETS: usize>(
    nets: &[&Net; NETS],
    last: &Group<NETS>,
    chunk: &mut Chunk,
    text: &[u8],
    at: usize,
    brief: bool,
) -> Group<NETS> {
    let rest = text.get(at..).unwrap_or_default();
    let (first, second) = (load(rest), load(rest.get(1..).unwrap_or_default()));
    fold(chunk, first, at);
    let mut next = Group { repeated: last.repeats >> 63, repeats: 0, ..*last };
    if brief {
        next.repeats = repeats(first, second, rest.len());
    }
    for (n, net) in nets.iter().enumerate() {
        (next.heads[n], next.tails[n], next.brief[n]) = pairs(net, first, second);
    }
    next
}

/// Keeps a group for the filters to come.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn fold(chunk: &mut Chunk, bytes: __m512i, at: usize) {
    if let Some(folded) = chunk.folded.get_mut(LEAD + at..).and_then(|f| f.first_chunk_mut::<GROUP>()) {
        let lower = _mm512_or_si512(bytes, _mm512_set1_epi8(FOLD as i8));
        // SAFETY: 64 bytes can be written; storeu needs no alignment.
        unsafe { _mm512_storeu_si512(folded.as_mut_ptr().cast(), lower) };
    }
}

/// Which of 64 bytes the next one repeats, `left` of them being text.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn repeats(first: __m512i, second: __m512i, left: usize) -> u64 {
    let pairs = left.saturating_sub(1).min(GROUP);
    let there = u64::MAX.checked_shr((GROUP - pairs) as u32).unwrap_or(0);
    _mm512_cmpeq_epi8_mask(first, second) & there
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn line(line: &Line) -> __m512i {
    // SAFETY: 64 bytes can be read.
    unsafe { _mm512_loadu_si512(line.0.as_ptr().cast()) }
}

/// The first 64 bytes, zeroes for those that are not there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi2")]
fn load(text: &[u8]) -> __m512i {
    match text.first_chunk::<GROUP>() {
        // SAFETY: 64 bytes can be read; loadu needs no alignment.
        Some(bytes) => unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) },
        // A load of nothing from nowhere is allowed, and slow.
        None if text.is_empty() => _mm512_setzero_si512(),
        // SAFETY: the mask lets only the bytes that are there be read.
        None => unsafe { _mm512_maskz_loadu_epi8((1 << text.len()) - 1, text.as_ptr().cast()) },
    }
}

/// For each of 64 bytes whether a window begins with it and the next, whether one goes on with them, and whether it is
/// brief.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn pairs(net: &Net, first: __m512i, second: __m512i) -> (u64, u64, u64) {
    let (first, second) = (class(net, first), class(net, second));
    // Bit 6 of an index takes the second of two lines; what it says of `first` is another thing.
    let bit_6 = _mm512_set1_epi8(0x40);
    let index = _mm512_ternarylogic_epi32::<0xca>(bit_6, _mm512_slli_epi16::<3>(second), first);
    let by_sixteen = _mm512_test_epi8_mask(second, _mm512_set1_epi8(0x10));
    let by_half = _mm512_test_epi8_mask(second, _mm512_set1_epi8(0x20));
    let bits = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
    let bit = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(bits), second);
    let look = |pairs: &Pairs| {
        let pair =
            |n: usize| _mm512_permutex2var_epi8(line(&pairs.0[2 * n]), index, line(&pairs.0[2 * n + 1]));
        let low = _mm512_mask_blend_epi8(by_sixteen, pair(0), pair(1));
        let high = _mm512_mask_blend_epi8(by_sixteen, pair(2), pair(3));
        _mm512_test_epi8_mask(_mm512_mask_blend_epi8(by_half, low, high), bit)
    };
    (look(&net.heads), look(&net.tails), _mm512_test_epi8_mask(first, _mm512_set1_epi8(BRIEF as i8)))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn class(net: &Net, bytes: __m512i) -> __m512i {
    let low = _mm512_permutex2var_epi8(line(&net.classes[0]), bytes, line(&net.classes[1]));
    let high = _mm512_permutex2var_epi8(line(&net.classes[2]), bytes, line(&net.classes[3]));
    _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high)
}

/// Adds `from + n` for each bit n of `bits`; how many there are then.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]
fn unpack(places: &mut [u16; PLACES], count: usize, bits: u64, from: usize) -> usize {
    let lanes = _mm512_maskz_compress_epi8(bits, lanes());
    let from = _mm512_set1_epi16(from as i16);
    let Some(room) = places.get_mut(count..).and_then(|rest| rest.first_chunk_mut::<GROUP>()) else {
        return count;
    };
    let low = _mm512_add_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(lanes)), from);
    // SAFETY: there is room for 64 of two bytes each.
    unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), low) };
    let ones = bits.count_ones() as usize;
    if ones > GROUP / 2 {
        let high = _mm512_add_epi16(_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(lanes)), from);
        // SAFETY: as above, the second half of it.
        unsafe { _mm512_storeu_si512(room.as_mut_ptr().add(GROUP / 2).cast(), high) };
    }
    count + ones
}

/// The numbers of the lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn lanes() -> __m512i {
    const LANES: [u8; GROUP] = {
        let mut lanes = [0; GROUP];
        let mut n = 0;
        while n < GROUP {
            lanes[n] = n as u8;
            n += 1;
        }
        lanes
    };
    // SAFETY: 64 bytes can be read.
    unsafe { _mm512_loadu_si512(LANES.as_ptr().cast()) }
}
