//! The nibble filter, 32 positions a turn. Twin: `Nibbles::scan`; a property test holds the two together.

#![allow(unsafe_code)] // AVX2 loads and stores; every block says why it is sound

use super::Look;
use super::entry::Entry;
use super::nibbles::{Alive, Nibbles, PLACES};
use std::arch::x86_64::*;

/// Positions looked at a turn.
const LANES: usize = 32;
/// Bytes loaded a turn.
const LOADED: usize = LANES + PLACES - 1;

/// The tables of one place of the window, in both halves of a register.
struct Tables {
    low: __m256i,
    high: __m256i,
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn scan(nibbles: &Nibbles, text: &[u8], look: &mut impl FnMut(&Entry, usize) -> Look) {
    let mut alive = nibbles.alive();
    let tables: [Tables; PLACES] = std::array::from_fn(|place| Tables {
        low: twice(&nibbles.masks.low[place]),
        high: twice(&nibbles.masks.high[place]),
    });
    let mut at = 0;
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<LOADED>()) {
        turn(nibbles, &tables, bytes, at, &mut alive, look);
        at += LANES;
        if alive.buckets == 0 {
            return;
        }
    }
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let mut padded = [0u8; LOADED];
        for (to, from) in padded.iter_mut().zip(rest) {
            *to = *from;
        }
        turn(nibbles, &tables, &padded, at, &mut alive, look);
        at += LANES;
    }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn turn(
    nibbles: &Nibbles,
    tables: &[Tables; PLACES],
    bytes: &[u8; LOADED],
    at: usize,
    alive: &mut Alive,
    look: &mut impl FnMut(&Entry, usize) -> Look,
) {
    let low_bits = _mm256_set1_epi8(15);
    let mut found = _mm256_set1_epi8(alive.buckets as i8);
    for (place, table) in tables.iter().enumerate() {
        // SAFETY: `place` is at most 3, and 35 bytes can be read; loadu needs no alignment.
        let text = unsafe { _mm256_loadu_si256(bytes.as_ptr().add(place).cast()) };
        let low = _mm256_shuffle_epi8(table.low, _mm256_and_si256(text, low_bits));
        let high = _mm256_shuffle_epi8(table.high, _mm256_and_si256(_mm256_srli_epi16::<4>(text), low_bits));
        found = _mm256_and_si256(found, _mm256_and_si256(low, high));
    }
    let missing = _mm256_cmpeq_epi8(found, _mm256_setzero_si256());
    let mut hits = !_mm256_movemask_epi8(missing) as u32;
    if hits == 0 {
        return;
    }
    let mut buckets = [0u8; LANES];
    // SAFETY: 32 bytes of our own.
    unsafe { _mm256_storeu_si256(buckets.as_mut_ptr().cast(), found) };
    while hits != 0 {
        let lane = hits.trailing_zeros() as usize;
        hits &= hits - 1;
        nibbles.look_into(buckets[lane & (LANES - 1)], at + lane, alive, look);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn twice(table: &[u8; 16]) -> __m256i {
    // SAFETY: 16 bytes can be read.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(table.as_ptr().cast()) })
}
