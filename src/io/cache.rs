//! Hints to the processor's caches.

#![allow(unsafe_code)] // one instruction that cannot fault

/// Starts to bring the first line of a value that will be read soon. Costs a slot, waits for nothing.
#[inline(always)]
pub fn prefetch<T>(place: &T) {
    prefetch_at(place, 0);
}

/// As [`prefetch`], the whole value: for those of a few lines.
#[inline(always)]
pub fn prefetch_all<T>(place: &T) {
    (0..size_of::<T>()).step_by(LINE).for_each(|offset| prefetch_at(place, offset));
}

/// Bytes of a line.
const LINE: usize = 64;

#[inline(always)]
fn prefetch_at<T>(place: &T, offset: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing into the program and never faults; SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast::<i8>().wrapping_add(offset));
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::hint::black_box((place, offset));
}
