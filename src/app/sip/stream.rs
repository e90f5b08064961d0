//! Messages of a TCP stream: a head that ends with an empty line, and as many bytes behind it as it says.

use super::message::{content_length, is_first_line};
use crate::app::limits::KEPT;

/// Bytes of a body that are kept, so that they have room twice in a transaction; the rest of a longer one is passed over.
const MOST_BODY: u64 = 96 << 10;
/// Datagrams up to this long that are no message are keep-alives of some phone.
pub(super) const KEEP_ALIVE: usize = 8;

/// What a stream was cut into.
pub(super) enum Cut<'a> {
    Message {
        bytes: &'a [u8],
        head: usize,
    },
    /// Something that is no message; told once until there is one again.
    Junk,
}

/// A message whose head is whole.
#[derive(Copy, Clone)]
struct Whole {
    head: usize,
    /// All that is kept of the message.
    len: usize,
    /// Bytes of its body that are not kept.
    beyond: u64,
}

#[derive(Default)]
pub(super) struct Stream {
    bytes: Vec<u8>,
    whole: Option<Whole>,
    /// The first line is there, and a message's.
    begun: bool,
    /// Bytes to pass over.
    skip: u64,
    /// In a line too long to keep: up to its end.
    in_junk: bool,
    told: bool,
}

impl Stream {
    /// Bytes of a direction, as they come. A head is at most `limit` long.
    pub(super) fn push(&mut self, mut input: &[u8], limit: usize, mut take: impl FnMut(Cut<'_>)) {
        while !input.is_empty() {
            let used = if self.skip > 0 {
                let used = usize::try_from(self.skip).unwrap_or(usize::MAX).min(input.len());
                self.skip -= used as u64;
                used
            } else if let Some(whole) = self.whole {
                self.body(input, whole, &mut take)
            } else {
                self.line(input, limit, &mut take)
            };
            input = input.get(used..).unwrap_or_default();
        }
    }

    fn body(&mut self, input: &[u8], whole: Whole, take: &mut impl FnMut(Cut<'_>)) -> usize {
        let used = whole.len.saturating_sub(self.bytes.len()).min(input.len());
        self.bytes.extend_from_slice(input.get(..used).unwrap_or_default());
        if self.bytes.len() >= whole.len {
            take(Cut::Message { bytes: &self.bytes, head: whole.head });
            self.again();
            self.skip = whole.beyond;
        }
        used
    }

    /// Up to a line's end, or all of it.
    fn line(&mut self, input: &[u8], limit: usize, take: &mut impl FnMut(Cut<'_>)) -> usize {
        let end = memchr::memchr(b'\n', input).map(|at| at + 1);
        let used = end.unwrap_or(input.len());
        if self.in_junk {
            self.in_junk = end.is_none();
            return used;
        }
        if self.bytes.len() + used > limit {
            self.in_junk = end.is_none();
            self.junk(take);
            return used;
        }
        self.bytes.extend_from_slice(input.get(..used).unwrap_or_default());
        match end {
            Some(_) if self.begun => self.head_line(take),
            Some(_) if self.bytes.trim_ascii().is_empty() => self.bytes.clear(),
            Some(_) if is_first_line(&self.bytes) => (self.begun, self.told) = (true, false),
            Some(_) => self.junk(take),
            None => {}
        }
        used
    }

    fn head_line(&mut self, take: &mut impl FnMut(Cut<'_>)) {
        if !(self.bytes.ends_with(b"\n\r\n") || self.bytes.ends_with(b"\n\n")) {
            return;
        }
        let (head, body) = (self.bytes.len(), content_length(&self.bytes));
        let kept = body.min(MOST_BODY);
        let whole = Whole { head, len: head + kept as usize, beyond: body - kept };
        self.whole = Some(whole);
        if kept == 0 {
            self.body(&[], whole, take);
        }
    }

    fn junk(&mut self, take: &mut impl FnMut(Cut<'_>)) {
        self.again();
        if !std::mem::replace(&mut self.told, true) {
            take(Cut::Junk);
        }
    }

    fn again(&mut self) {
        self.bytes.clear();
        (self.whole, self.begun) = (None, false);
    }

    /// Bytes are missing: what was begun cannot be ended.
    pub(super) fn lose(&mut self) {
        self.again();
        (self.skip, self.in_junk) = (0, false);
        // What follows may begin anywhere, which is nobody's fault.
        self.told = true;
    }

    /// A message whose body has not come whole, and its head's length.
    pub(super) fn unfinished(&self) -> Option<(&[u8], usize)> {
        self.whole.map(|whole| (self.bytes.as_slice(), whole.head))
    }

    pub(super) fn reset(&mut self) {
        self.lose();
        self.bytes.shrink_to(KEPT);
        self.told = false;
    }
}
