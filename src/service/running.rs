//! Which plugin each worker is in right now: what a watchdog reads when a worker does not come back.

use crate::base::PluginId;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// No plugin runs.
pub const NOBODY: u32 = u32::MAX;

/// One worker's mark, on cache lines of its own: one writer, any reader.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Running {
    /// The innermost plugin: one may call another.
    plugin: AtomicU32,
    /// The one that the chain called.
    outermost: AtomicU32,
    /// Calls by the chain so far: that the plugin is the same at two looks says nothing, that this is says all.
    calls: AtomicU64,
    /// Calls of one plugin by another so far. Where they grow within one call, it is the outermost that does not end.
    nested: AtomicU64,
    /// The worker's thread, as the kernel numbers it; 0 before it runs.
    thread: AtomicU32,
}

/// What a reader sees of a worker.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub plugin: Option<PluginId>,
    pub outermost: Option<PluginId>,
    pub calls: u64,
    pub nested: u64,
}

impl Default for Running {
    fn default() -> Running {
        Running {
            plugin: AtomicU32::new(NOBODY),
            outermost: AtomicU32::new(NOBODY),
            calls: AtomicU64::new(0),
            nested: AtomicU64::new(0),
            thread: AtomicU32::new(0),
        }
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

    /// A call of a plugin begins. Returns who ran before, for [`leave`](Self::leave).
    #[inline]
    pub fn enter(&self, plugin: PluginId) -> u32 {
        let before = self.plugin.load(Ordering::Relaxed);
        let calls = if before == NOBODY {
            self.outermost.store(u32::from(plugin.0), Ordering::Relaxed);
            &self.calls
        } else {
            &self.nested
        };
        calls.store(calls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.plugin.store(u32::from(plugin.0), Ordering::Release);
        before
    }

    /// The call has ended: who ran before goes on.
    #[inline]
    pub fn leave(&self, before: u32) {
        self.plugin.store(before, Ordering::Release);
    }

    /// Somebody else's code runs from now on, in no new call. Returns whose it was.
    #[inline]
    pub fn mark(&self, who: u32) -> u32 {
        let before = self.plugin.load(Ordering::Relaxed);
        self.plugin.store(who, Ordering::Release);
        before
    }

    pub fn look(&self) -> Look {
        let number = |who: &AtomicU32| u8::try_from(who.load(Ordering::Acquire)).ok().map(PluginId);
        let (calls, nested) = (self.calls.load(Ordering::Relaxed), self.nested.load(Ordering::Relaxed));
        Look { plugin: number(&self.plugin), outermost: number(&self.outermost), calls, nested }
    }
}
