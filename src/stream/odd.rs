//! What only an odd stream has: bytes behind a hole, and bytes that are urgent. Most have neither, and no memory for it.

use super::ranges::Ranges;
use super::tables::{Table, TableId, Tables};
use super::urgent::Urgent;

#[derive(Clone, Debug, Default)]
pub(super) struct Odd {
    /// Which bytes behind a hole are there.
    pub(super) ahead: Ranges,
    pub(super) urgent: Urgent,
}

/// What a stream has that is not odd.
static PLAIN: Odd = Odd { ahead: Ranges::NONE, urgent: Urgent::NONE };

impl Odd {
    /// Whether it tells nothing.
    pub(super) fn is_plain(&self) -> bool {
        self.ahead.is_empty() && self.urgent.is_none()
    }
}

impl Table for Odd {
    fn clear(&mut self) {
        self.ahead.clear();
        self.urgent = Urgent::NONE;
    }
}

impl Tables<Odd> {
    /// What is odd of the stream with that table.
    #[inline]
    pub(super) fn of(&self, id: TableId) -> &Odd {
        self.get(id).unwrap_or(&PLAIN)
    }
}
