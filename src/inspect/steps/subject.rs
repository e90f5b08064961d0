//! The bytes that a chain of steps looks at, and where they stand.

use crate::rules::ruleset::{Endian, NumberForm};

/// A buffer, or the window of a stream that can be seen.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) bytes: &'a [u8],
    /// Place of the first byte in the stream; 0 for a buffer.
    pub(crate) base: u64,
    /// Bytes before this one were inspected earlier: a match must reach past them.
    pub(crate) fresh_from: usize,
    /// Of the whole; `None` while it grows: sizes are not asked.
    pub(super) length: Option<u64>,
    /// How the message that it is part of writes its numbers, where that is known.
    pub(crate) order: Option<Endian>,
}

impl<'a> Subject<'a> {
    /// A buffer nothing of which was seen before.
    pub(crate) fn whole(bytes: &'a [u8]) -> Subject<'a> {
        Subject::window(bytes, 0, 0)
    }

    /// Bytes from the place `base` on, of which those before the index `fresh_from` were inspected.
    pub(crate) fn window(bytes: &'a [u8], base: u64, fresh_from: usize) -> Subject<'a> {
        let length = Some(base.saturating_add(bytes.len() as u64));
        Subject { bytes, base, fresh_from, length, order: None }
    }

    pub(crate) fn of_length(self, length: Option<u64>) -> Subject<'a> {
        Subject { length, ..self }
    }

    pub(crate) fn in_order(self, order: Endian) -> Subject<'a> {
        Subject { order: Some(order), ..self }
    }

    /// How a number of that form is written here; `None` when only a decoder could say, and none does.
    pub(super) fn form(&self, form: NumberForm) -> Option<NumberForm> {
        match form {
            NumberForm::Binary(Endian::Dcerpc) => self.order.map(NumberForm::Binary),
            other => Some(other),
        }
    }

    pub(super) fn start(&self) -> i64 {
        i64::try_from(self.base).unwrap_or(i64::MAX)
    }

    pub(super) fn end(&self) -> i64 {
        self.start().saturating_add(self.bytes.len() as i64)
    }

    /// The index of a place, if the window has come as far and still reaches back to it.
    pub(super) fn index(&self, place: i64) -> Option<usize> {
        let index = usize::try_from(place.checked_sub(self.start())?).ok()?;
        (index <= self.bytes.len()).then_some(index)
    }

    /// The index nearest to a place.
    pub(super) fn clamp(&self, place: i64) -> usize {
        usize::try_from(place.saturating_sub(self.start())).map_or(0, |index| index.min(self.bytes.len()))
    }
}
