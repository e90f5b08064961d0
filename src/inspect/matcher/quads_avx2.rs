//! The quads filter, eight positions a turn. Twin: `Bitmap::positions`; a property test holds the two together.

#![allow(unsafe_code)] // AVX2 intrinsics; every block says why it is sound

use super::quads::{Bitmap, FOLD, MULTIPLIER};
use std::arch::x86_64::*;

/// Positions looked at a turn.
const LANES: usize = 8;
/// Bytes loaded a turn: eleven are used.
const LOADED: usize = 16;

/// Needs a CPU with AVX2; on another it does the scalar twin's work.
pub(super) fn positions(bitmap: &Bitmap, block: &[u8], look: impl FnMut(usize, u32)) {
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has AVX2.
        unsafe { positions_avx2(bitmap, block, look) }
    } else {
        bitmap.positions(block, 0, look);
    }
}

#[target_feature(enable = "avx2")]
fn positions_avx2(bitmap: &Bitmap, block: &[u8], mut look: impl FnMut(usize, u32)) {
    // Lane n takes bytes n..n + 4; the low half holds lanes 0 to 3, the high half 4 to 7.
    let spread = _mm256_setr_epi8(
        0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, //
        4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10,
    );
    let fold = _mm256_set1_epi32(FOLD as i32);
    let multiplier = _mm256_set1_epi32(MULTIPLIER as i32);
    let shift = _mm_cvtsi32_si128(bitmap.shift as i32);
    let (low_bits, one) = (_mm256_set1_epi32(31), _mm256_set1_epi32(1));
    let words = bitmap.words.as_ptr().cast::<i32>();
    let mut at = 0;
    while at + LOADED <= block.len() {
        // SAFETY: the loop's condition leaves 16 readable bytes at `at`; loadu needs no alignment.
        let bytes = unsafe { _mm_loadu_si128(block.as_ptr().add(at).cast()) };
        let windows = _mm256_or_si256(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), spread), fold);
        let bits = _mm256_srl_epi32(_mm256_mullo_epi32(windows, multiplier), shift);
        // SAFETY: a bit number is below 2^(32 - shift), and the bitmap has that many bits, so every word is inside.
        let found = unsafe { _mm256_i32gather_epi32::<4>(words, _mm256_srli_epi32::<5>(bits)) };
        let asked = _mm256_sllv_epi32(one, _mm256_and_si256(bits, low_bits));
        let missing = _mm256_cmpeq_epi32(_mm256_and_si256(found, asked), _mm256_setzero_si256());
        let mut hits = !_mm256_movemask_ps(_mm256_castsi256_ps(missing)) as u32 & 0xff;
        if hits != 0 {
            let mut folded = [0u32; LANES];
            // SAFETY: 32 bytes of our own.
            unsafe { _mm256_storeu_si256(folded.as_mut_ptr().cast(), windows) };
            while hits != 0 {
                let lane = hits.trailing_zeros() as usize;
                look(at + lane, folded[lane]);
                hits &= hits - 1;
            }
        }
        at += LANES;
    }
    bitmap.positions(block, at, look);
}
