//! Handshake messages out of the bytes of handshake records, however they were cut (RFC 8446, section 5.1).

use crate::app::limits::KEPT;
use arrayvec::ArrayVec;

/// Type and length.
const HEADER: usize = 4;

/// One that is over. `body` is `None` when nobody wanted it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) len: usize,
    pub(super) body: Option<&'a [u8]>,
}

/// What is to become of a message that begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Skip,
    /// These are no handshake messages.
    Broken,
}

/// One direction's.
#[derive(Debug, Default)]
pub(super) struct Messages {
    header: ArrayVec<u8, HEADER>,
    kind: u8,
    len: usize,
    /// Bytes of the body that are to come.
    left: usize,
    keep: bool,
    body: Vec<u8>,
}

impl Messages {
    pub(super) fn reset(&mut self) {
        self.header.clear();
        self.left = 0;
        self.body.clear();
        self.body.shrink_to(KEPT);
    }

    /// No message has begun.
    pub(super) fn at_border(&self) -> bool {
        self.header.is_empty()
    }

    /// Gives every message that ends in `input` to `take`; `begin` is asked as soon as type and length are known.
    /// False after [`Fate::Broken`]. A wanted body is copied only when it comes in several pieces.
    pub(super) fn push(
        &mut self,
        mut input: &[u8],
        mut begin: impl FnMut(u8, usize) -> Fate,
        mut take: impl FnMut(Message<'_>),
    ) -> bool {
        loop {
            if !self.header.is_full() {
                let missing = HEADER - self.header.len();
                let (now, later) = input.split_at(missing.min(input.len()));
                let _ = self.header.try_extend_from_slice(now);
                input = later;
                let [kind, a, b, c] = self.header[..] else { return true };
                self.kind = kind;
                self.len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.left = self.len;
                self.keep = match begin(self.kind, self.len) {
                    Fate::Keep => true,
                    Fate::Skip => false,
                    Fate::Broken => return false,
                };
            }
            let (now, later) = input.split_at(self.left.min(input.len()));
            input = later;
            self.left -= now.len();
            let whole = self.left == 0;
            if self.keep && (!whole || !self.body.is_empty()) {
                self.body.extend_from_slice(now);
            }
            if !whole {
                return true;
            }
            let body = if self.body.is_empty() { now } else { &self.body };
            take(Message { kind: self.kind, len: self.len, body: self.keep.then_some(body) });
            self.header.clear();
            self.body = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: &[u8] =
        &[1, 0, 0, 2, b'a', b'b', 14, 0, 0, 0, 9, 0, 0, 3, b'x', b'y', b'z', 2, 0, 0, 1, b'c', 3, 0];

    fn collect(size: usize) -> Vec<(u8, usize, Option<Vec<u8>>)> {
        let mut messages = Messages::default();
        let mut found = Vec::new();
        let begin = |kind, _| if kind == 9 { Fate::Skip } else { Fate::Keep };
        for piece in INPUT.chunks(size) {
            let take = |m: Message<'_>| found.push((m.kind, m.len, m.body.map(<[u8]>::to_vec)));
            assert!(messages.push(piece, begin, take));
        }
        assert!(!messages.at_border());
        found
    }

    #[test]
    fn messages_are_the_same_however_they_are_cut() {
        let whole = vec![
            (1, 2, Some(b"ab".to_vec())),
            (14, 0, Some(Vec::new())),
            (9, 3, None),
            (2, 1, Some(b"c".to_vec())),
        ];
        for size in 1..=INPUT.len() {
            assert_eq!(collect(size), whole, "in pieces of {size}");
        }
    }

    #[test]
    fn one_that_is_broken_ends_them() {
        assert!(!Messages::default().push(&[200, 0, 0, 0], |_, _| Fate::Broken, |_| {}));
    }
}
