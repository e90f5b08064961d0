//! Records before encryption (RFC 4253, section 6): length, padding's length, message.

use super::offer::KEXINIT;
use crate::app::limits::KEPT;
use arrayvec::ArrayVec;

/// Length of what follows it, length of the padding, type of the message.
pub(super) const HEADER: usize = 6;
/// The length's own bytes.
const LENGTH: usize = 4;
/// Longest record that peers take (OpenSSH: 256 KiB).
const MAX_RECORD: usize = 256 << 10;
/// Bytes of a record that are kept, for offers and for rules on frames.
const MAX_KEPT: usize = 36_000;

/// What a step found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    /// A record is over; it is [`Records::record`].
    Whole {
        message: u8,
    },
    Invalid,
}

/// One direction's.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    header: ArrayVec<u8, HEADER>,
    left: usize,
    keep: bool,
    bytes: Vec<u8>,
}

impl Records {
    pub(super) fn reset(&mut self) {
        self.header.clear();
        self.left = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }

    /// Takes bytes off `rest` to the end of a record. All are kept when `all`, otherwise those of offers.
    pub(super) fn step(&mut self, rest: &mut &[u8], all: bool) -> Step {
        if !self.header.is_full() {
            let missing = HEADER - self.header.len();
            let (now, later) = rest.split_at(missing.min(rest.len()));
            let _ = self.header.try_extend_from_slice(now);
            *rest = later;
            let [a, b, c, d, padding, message] = self.header[..] else { return Step::More };
            let len = u32::from_be_bytes([a, b, c, d]) as usize;
            if len > MAX_RECORD || len < usize::from(padding) + HEADER - LENGTH {
                return Step::Invalid;
            }
            self.left = len + LENGTH - HEADER;
            self.keep = all || message == KEXINIT;
            self.bytes.clear();
            if self.keep {
                self.bytes.extend_from_slice(&self.header);
            }
        }
        let (now, later) = rest.split_at(self.left.min(rest.len()));
        *rest = later;
        self.left -= now.len();
        if self.keep {
            let room = MAX_KEPT.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(now.get(..room.min(now.len())).unwrap_or_default());
        }
        if self.left > 0 {
            return Step::More;
        }
        let message = self.header.last().copied().unwrap_or_default();
        self.header.clear();
        Step::Whole { message }
    }

    /// The record that is over, header and padding included, as far as it was kept.
    pub(super) fn record(&self) -> &[u8] {
        &self.bytes
    }

    /// Nobody needs the record any more. Few are kept before encryption, and none behind.
    pub(super) fn let_go(&mut self) {
        self.bytes = Vec::new();
    }

    /// So many bytes are lost: whether they lay within the record at hand, which is then over.
    pub(super) fn skip(&mut self, missing: u64) -> bool {
        let inside = self.header.is_full() && missing <= self.left as u64;
        if inside {
            self.left -= missing as usize;
            self.keep = false;
            self.bytes.clear();
            if self.left == 0 {
                self.header.clear();
            }
        }
        inside
    }
}
