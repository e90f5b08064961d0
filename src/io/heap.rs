//! What becomes of memory that the process has freed.
//!
//! The allocator of the program gives free pages back to the kernel after some milliseconds, whichever thread happens to be
//! there: a system call on a worker, and for whoever needs them again a fault and 4 KiB to be cleared. While frames are
//! forwarded free memory stays; management gives back what its own work has left behind.

#![allow(unsafe_code)] // two calls of the allocator

#[cfg(feature = "manage")]
use libmimalloc_sys as mi;

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
