//! What becomes of memory that the process has freed.
//!
//! The allocator of the program gives free pages back to the kernel after some milliseconds, whichever thread happens to be
//! there: a system call on a worker, and for whoever needs them again a fault and 4 KiB to be cleared. While frames are
//! forwarded free memory stays; management gives back what its own work has left behind.

#![allow(unsafe_code)] // the allocator and two calls of it

#[cfg(feature = "manage")]
use crate::base::tally;
#[cfg(feature = "manage")]
use libmimalloc_sys as mi;
#[cfg(feature = "manage")]
use std::alloc::{GlobalAlloc, Layout};

/// The program's allocator: mimalloc, which tells how much a piece of work keeps ([`tally`]). Rule sets are a million small
/// pieces: with the C library's their start takes half as long again.
#[cfg(feature = "manage")]
pub struct Allocator;

/// Sizes of allocations fit an `isize`: `Layout` sees to that.
#[cfg(feature = "manage")]
const fn signed(bytes: usize) -> isize {
    bytes as isize
}

#[cfg(feature = "manage")]
// SAFETY: all of it is mimalloc's, called with what the caller promised; counting touches no memory of the heap.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        tally::grew(signed(layout.size()));
        // SAFETY: as the caller promised.
        unsafe { mimalloc::MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        tally::grew(signed(layout.size()));
        // SAFETY: as the caller promised.
        unsafe { mimalloc::MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        tally::grew(-signed(layout.size()));
        // SAFETY: as the caller promised.
        unsafe { mimalloc::MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        tally::grew(signed(size) - signed(layout.size()));
        // SAFETY: as the caller promised.
        unsafe { mimalloc::MiMalloc.realloc(block, layout, size) }
    }
}

/// `mi_option_purge_delay` of mimalloc 2 (`mimalloc.h`), which the bindings do not name: milliseconds until free pages go back.
#[cfg(feature = "manage")]
const PURGE_DELAY: mi::mi_option_t = 15;
/// A year. A negative delay would have what was allocated before given back at once.
#[cfg(feature = "manage")]
const NEVER: std::ffi::c_long = 365 * 24 * 3_600 * 1_000;

/// From now on free memory stays with the process, until [`give_back`]. For all threads.
pub fn keep_free_memory() {
    #[cfg(feature = "manage")]
    // SAFETY: the options are atomic numbers, and this is the number of one of them.
    unsafe {
        mi::mi_option_set(PURGE_DELAY, NEVER);
    }
}

/// Gives back what is free of the calling thread's memory and of that which ended threads have left. Takes milliseconds: not
/// on a worker.
pub fn give_back() {
    #[cfg(feature = "manage")]
    // SAFETY: the allocator may be asked this by any thread at any time.
    unsafe {
        mi::mi_collect(true);
    }
}
