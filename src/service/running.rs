//! Which plugin each worker is in right now: what a watchdog reads when a worker does not come back.

use crate::base::PluginId;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// No plugin runs.
pub const NOBODY: u32 = u32::MAX;

/// One worker's mark, on cache lines of its own: one writer, any reader. Plain atomics at fixed places, so that it can lie in
/// memory shared with a supervising process.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Running {
    plugin: AtomicU32,
    /// Calls into plugins so far: that the plugin is the same at two looks says nothing, that this is says all.
    calls: AtomicU64,
    /// The worker's thread, as the kernel numbers it; 0 before it runs.
    thread: AtomicU32,
}

impl Default for Running {
    fn default() -> Running {
        Running { plugin: AtomicU32::new(NOBODY), calls: AtomicU64::new(0), thread: AtomicU32::new(0) }
    }
}

impl Running {
    /// The worker runs on this thread of the kernel's from now on.
    pub fn sit(&self, thread: u32) {
        self.thread.store(thread, Ordering::Release);
    }

    pub fn thread(&self) -> u32 {
        self.thread.load(Ordering::Acquire)
    }

    #[inline]
    pub fn enter(&self, plugin: PluginId) {
        self.calls.store(self.calls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.plugin.store(u32::from(plugin.0), Ordering::Release);
    }

    #[inline]
    pub fn leave(&self) {
        self.plugin.store(NOBODY, Ordering::Release);
    }

    /// (the plugin that runs, calls so far).
    pub fn look(&self) -> (Option<PluginId>, u64) {
        let calls = self.calls.load(Ordering::Relaxed);
        (u8::try_from(self.plugin.load(Ordering::Acquire)).ok().map(PluginId), calls)
    }
}
