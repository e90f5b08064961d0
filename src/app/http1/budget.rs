//! Memory of all decompressors together: one body needs up to 16 MiB, and anyone can leave many unfinished.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of all decompressors of the process; beyond, bodies are inspected as they came.
const MOST: usize = 512 << 20;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// A share that is given back when it goes.
#[derive(Debug)]
pub(super) struct Share(usize);

impl Share {
    pub(super) fn take(bytes: usize) -> Option<Share> {
        Share::of(&IN_USE, bytes, MOST)
    }

    fn of(in_use: &AtomicUsize, bytes: usize, most: usize) -> Option<Share> {
        let room = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= most);
        in_use.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok().map(|_| Share(bytes))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        IN_USE.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_end_where_the_memory_does() {
        let used = AtomicUsize::new(0);
        let share = Share::of(&used, 60, 100);
        assert!(share.is_some() && Share::of(&used, 60, 100).is_none());
        std::mem::forget(share);
        assert!(Share::of(&used, usize::MAX, 100).is_none());
        assert!(Share::take(MOST + 1).is_none());
    }
}
