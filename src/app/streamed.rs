//! A buffer that grows while it is inspected: a body, a file. Bytes that were looked at go, but for a window before the
//! next.

use crate::base::Dir;
use crate::rules::context::BufferId;

/// When inspection looks, and how far it looks back.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Bytes kept of the whole at most.
    pub limit: u64,
    /// Wait for so many before the first look, unless the end comes.
    pub minimum: u64,
    /// Bytes before the fresh ones that are kept.
    pub back: u64,
}

#[derive(Clone, Debug)]
pub struct Streamed {
    pub id: BufferId,
    pub dir: Dir,
    bytes: Vec<u8>,
    /// Place of the first byte kept.
    base: u64,
    /// All before this place were looked at.
    inspected: u64,
    window: Window,
    /// What came, kept or not.
    pub size: u64,
    pub ended: bool,
    /// Bytes within it are missing, or it was not carried to its end.
    pub truncated: bool,
}

impl Streamed {
    pub(super) fn new(dir: Dir, id: BufferId, window: Window, bytes: Vec<u8>) -> Streamed {
        Streamed { id, dir, bytes, base: 0, inspected: 0, window, size: 0, ended: false, truncated: false }
    }

    pub(super) fn grow(&mut self, bytes: &[u8]) {
        let kept = self.base + self.bytes.len() as u64;
        let room = self.window.limit.saturating_sub(kept).min(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes.get(..room as usize).unwrap_or_default());
        self.size = self.size.saturating_add(bytes.len() as u64);
    }

    /// Whether all that will ever be kept is there.
    pub fn is_full(&self) -> bool {
        self.ended || self.size >= self.window.limit
    }

    /// The window to look into now: its bytes, the place of the first, and the index of the first fresh one. `None` while
    /// there is nothing new or too little.
    pub fn ready(&self) -> Option<(&[u8], u64, usize)> {
        let kept = self.base + self.bytes.len() as u64;
        let enough = self.is_full() || kept >= self.window.minimum;
        let fresh = usize::try_from(self.inspected.saturating_sub(self.base)).ok()?;
        (enough && fresh < self.bytes.len()).then_some((&self.bytes, self.base, fresh))
    }

    /// What is there, looked at or not.
    pub fn kept(&self) -> &[u8] {
        &self.bytes
    }

    /// Nothing is there to look into and nothing will be.
    pub fn is_empty(&self) -> bool {
        self.is_full() && self.base == 0 && self.bytes.is_empty()
    }

    /// What [`ready`](Self::ready) gave was looked into by everyone.
    pub fn looked_at(&mut self) {
        if self.ready().is_none() {
            return;
        }
        self.inspected = self.base + self.bytes.len() as u64;
        let keep_from = self.inspected.saturating_sub(self.window.back);
        let Ok(gone) = usize::try_from(keep_from.saturating_sub(self.base)) else { return };
        // Moving less than there is to keep would cost more than it frees.
        if gone > self.bytes.len() - gone {
            self.bytes.drain(..gone);
            self.base = keep_from;
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}
