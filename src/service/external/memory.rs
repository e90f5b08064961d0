//! The block of memory that a plugin's workers and its control half share.

use std::cell::UnsafeCell;
use std::ffi::c_void;

/// Most that a plugin may ask for, in bytes.
pub const MAX_SHARED: u64 = 64 << 20;

/// A cache line: what the block's address is a multiple of.
#[repr(C, align(64))]
struct Line(UnsafeCell<[u8; 64]>);

pub struct Shared {
    lines: Box<[Line]>,
    size: u64,
}

// SAFETY: the host never reads or writes the block; the plugin synchronises its own accesses (the ABI says so).
unsafe impl Send for Shared {}
// SAFETY: as `Send`.
unsafe impl Sync for Shared {}

impl Shared {
    pub fn new(size: u64) -> Shared {
        let lines = size.min(MAX_SHARED).div_ceil(64);
        Shared { lines: (0..lines).map(|_| Line(UnsafeCell::new([0; 64]))).collect(), size }
    }

    /// Null when the plugin asked for none.
    pub fn pointer(&self) -> *mut c_void {
        if self.lines.is_empty() { std::ptr::null_mut() } else { self.lines.as_ptr().cast_mut().cast() }
    }

    pub fn size(&self) -> u64 {
        self.size
    }
}
