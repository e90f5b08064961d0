//! The bigram filter, 64 positions a turn. Twin: `Bigrams::find`; a property test holds the two together.

#![allow(unsafe_code)] // AVX-512 loads and stores; every block says why it is sound

use super::bigram::{BRIEF, Bigrams, Line, Net};
use super::chunk::{CHUNK, Chunk, GROUP, LEAD, PLACES};
use super::window::FOLD;
use std::arch::x86_64::*;

/// A net in registers.
#[derive(Copy, Clone)]
struct Loaded {
    classes: [__m512i; 4],
    heads: [__m512i; 8],
    tails: [__m512i; 8],
}

/// What is known of a group when the next has been looked at.
#[derive(Copy, Clone)]
struct Group<const NETS: usize> {
    heads: [u64; NETS],
    tails: [u64; NETS],
    /// Bytes whose runs need a look only where they begin.
    brief: [u64; NETS],
    /// Bytes that the next one repeats.
    repeats: u64,
}

/// Takes the chunk that begins `text` and finds the positions at which a window may stand: in `chunk.passed`; how many.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
pub(super) fn find(bigrams: &Bigrams, chunk: &mut Chunk, text: &[u8], brief: bool) -> usize {
    match &*bigrams.0 {
        [one] => find_in([one], chunk, text, brief),
        [one, other] => find_in([one, other], chunk, text, brief),
        _ => 0,
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn find_in<const NETS: usize>(nets: [&Net; NETS], chunk: &mut Chunk, text: &[u8], brief: bool) -> usize {
    let nets = nets.map(|net| loaded(net));
    let len = text.len().min(CHUNK);
    let mut found = 0;
    let (mut last, mut repeated) =
        (Group { heads: [0; NETS], tails: [0; NETS], brief: [0; NETS], repeats: 0 }, 0);
    let mut at = 0;
    // One group more than the chunk has: the last positions depend on what stands behind them.
    while at < len + GROUP {
        let (first, second) = (load(text, at), load(text, at + 1));
        let Some(folded) = chunk.folded.get_mut(LEAD + at..).and_then(|f| f.first_chunk_mut::<GROUP>())
        else {
            return found;
        };
        let lower = _mm512_or_si512(first, _mm512_set1_epi8(FOLD as i8));
        // SAFETY: 64 bytes can be written; storeu needs no alignment.
        unsafe { _mm512_storeu_si512(folded.as_mut_ptr().cast(), lower) };
        let repeats = if brief { _mm512_cmpeq_epi8_mask(first, second) } else { 0 };
        let run = last.repeats
            & (last.repeats << 1 | repeated)
            & (last.repeats >> 1 | repeats << 63)
            & (last.repeats >> 2 | repeats << 62);
        repeated = last.repeats >> 63;
        last.repeats = repeats;
        let mut hits = 0;
        for n in 0..NETS {
            let (heads, tails, brief) = masks(&nets[n], first, second);
            hits |= last.heads[n] & (last.tails[n] >> 1 | tails << 63) & !(run & last.brief[n]);
            (last.heads[n], last.tails[n], last.brief[n]) = (heads, tails, brief);
        }
        at += GROUP;
        // Before the first group nothing is found.
        let from = at.wrapping_sub(2 * GROUP);
        // Zeroes behind the end are no text.
        let beyond = at.saturating_sub(GROUP).saturating_sub(len);
        found = unpack(&mut chunk.passed, found, hits & u64::MAX >> (beyond & (GROUP - 1)), from);
    }
    found
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn loaded(net: &Net) -> Loaded {
    Loaded {
        classes: std::array::from_fn(|n| line(&net.classes[n])),
        heads: std::array::from_fn(|n| line(&net.heads.0[n])),
        tails: std::array::from_fn(|n| line(&net.tails.0[n])),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn line(line: &Line) -> __m512i {
    // SAFETY: 64 bytes can be read.
    unsafe { _mm512_loadu_si512(line.0.as_ptr().cast()) }
}

/// The 64 bytes at `at`, zeroes for what lies past the end.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi2")]
fn load(text: &[u8], at: usize) -> __m512i {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk::<GROUP>() {
        // SAFETY: 64 bytes can be read; loadu needs no alignment.
        Some(bytes) => unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) },
        // SAFETY: the mask lets only the bytes that are there be read.
        None => unsafe { _mm512_maskz_loadu_epi8((1 << rest.len()) - 1, rest.as_ptr().cast()) },
    }
}

/// For each of 64 positions whether its pair of bytes begins a window, whether it goes on with one, and whether its byte is
/// brief.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn masks(net: &Loaded, first: __m512i, second: __m512i) -> (u64, u64, u64) {
    let (first, second) = (class(net, first), class(net, second));
    // Bit 6 of an index takes the second of two lines; what it says of `first` is another thing.
    let bit_6 = _mm512_set1_epi8(0x40);
    let index = _mm512_ternarylogic_epi32::<0xca>(bit_6, _mm512_slli_epi16::<3>(second), first);
    let by_sixteen = _mm512_test_epi8_mask(second, _mm512_set1_epi8(0x10));
    let by_half = _mm512_test_epi8_mask(second, _mm512_set1_epi8(0x20));
    let bits =
        _mm512_broadcast_i32x4(_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128));
    let bit = _mm512_shuffle_epi8(bits, second);
    let look = |lines: &[__m512i; 8]| {
        let pair = |n: usize| _mm512_permutex2var_epi8(lines[2 * n], index, lines[2 * n + 1]);
        let low = _mm512_mask_blend_epi8(by_sixteen, pair(0), pair(1));
        let high = _mm512_mask_blend_epi8(by_sixteen, pair(2), pair(3));
        _mm512_test_epi8_mask(_mm512_mask_blend_epi8(by_half, low, high), bit)
    };
    (look(&net.heads), look(&net.tails), _mm512_test_epi8_mask(first, _mm512_set1_epi8(BRIEF as i8)))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn class(net: &Loaded, bytes: __m512i) -> __m512i {
    let low = _mm512_permutex2var_epi8(net.classes[0], bytes, net.classes[1]);
    let high = _mm512_permutex2var_epi8(net.classes[2], bytes, net.classes[3]);
    _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high)
}

/// Adds `from + n` for each bit n of `bits`; how many there are then.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]
fn unpack(places: &mut [u16; PLACES], count: usize, bits: u64, from: usize) -> usize {
    let lanes = _mm512_maskz_compress_epi8(bits, iota());
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

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn iota() -> __m512i {
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
