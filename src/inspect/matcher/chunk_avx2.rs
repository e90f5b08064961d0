//! Taking a chunk, 64 bytes a turn. Twin: `chunk::take`; a property test holds the two together.

#![allow(unsafe_code)] // AVX2 loads and stores; every block says why it is sound

use super::chunk::{Chunk, GROUP, Gate, LEAD, groups};
use super::window::FOLD;
use std::arch::x86_64::*;

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn take(chunk: &mut Chunk, text: &[u8], gate: Option<&Gate>) {
    let groups = groups(text.len());
    let none = Gate::default();
    // SAFETY: 16 bytes can be read.
    let table = unsafe { _mm_loadu_si128(gate.unwrap_or(&none).0.as_ptr().cast()) };
    let table = _mm256_broadcastsi128_si256(table);
    let mut at = 0;
    for group in 0..groups {
        let padded;
        let (bytes, valid) = match text.get(at..).and_then(|rest| rest.first_chunk::<GROUP>()) {
            Some(bytes) => (bytes, u64::MAX),
            None => {
                let rest = text.get(at..).unwrap_or_default();
                padded = padded_group(rest);
                (&padded, (1 << rest.len()) - 1)
            }
        };
        let Some(folded) = chunk.folded.get_mut(LEAD + at..).and_then(|f| f.first_chunk_mut::<GROUP>())
        else {
            return;
        };
        let halves = [half(&table, bytes, folded, 0), half(&table, bytes, folded, 1)];
        let Some(open) = chunk.open.get_mut(group) else { return };
        *open = (u64::from(halves[0]) | u64::from(halves[1]) << 32) & valid;
        at += GROUP;
    }
    if let Some(behind) = chunk.open.get_mut(groups) {
        *behind = 0;
    }
    if let Some(margin) = chunk.folded.get_mut(LEAD + at..).and_then(|f| f.first_chunk_mut::<16>()) {
        *margin = [0; 16];
    }
}

#[inline(never)]
fn padded_group(rest: &[u8]) -> [u8; GROUP] {
    let mut padded = [0; GROUP];
    padded[..rest.len()].copy_from_slice(rest);
    padded
}

/// Folds a half of the group; the bytes of it that are in the table.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn half(table: &__m256i, bytes: &[u8; GROUP], folded: &mut [u8; GROUP], half: usize) -> u32 {
    let rows =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0));
    let at = 32 * (half & 1);
    // SAFETY: `at` is 0 or 32, and both arrays have 64 bytes; loadu and storeu need no alignment.
    let text = unsafe { _mm256_loadu_si256(bytes.as_ptr().add(at).cast()) };
    let lower = _mm256_or_si256(text, _mm256_set1_epi8(FOLD as i8));
    // SAFETY: as above.
    unsafe { _mm256_storeu_si256(folded.as_mut_ptr().add(at).cast(), lower) };
    // A shuffle gives zero where the index has its high bit: bytes from 128 on are in no table.
    let low = _mm256_shuffle_epi8(*table, text);
    let high =
        _mm256_shuffle_epi8(rows, _mm256_and_si256(_mm256_srli_epi16::<4>(text), _mm256_set1_epi8(15)));
    let outside = _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());
    !_mm256_movemask_epi8(outside) as u32
}
