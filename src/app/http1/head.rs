//! The lines of a message's head, found one at a time in bytes that come in any pieces.

use crate::app::limits::{KEPT, Limits};
use std::ops::Range;

/// What ends a line.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// LF, with a CR before it or not: what servers read.
    Lf,
    /// Also a CR alone, or LF CR: what browsers read.
    Any,
}

/// A line that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Without what ends it, in [`Head::bytes`].
    pub(super) text: Range<usize>,
    pub(super) blank: Blank,
    /// It was longer than the limit.
    pub(super) cut: bool,
}

/// Whether a line ends the head.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Blank {
    No,
    Yes,
    /// A single space or tab: it does unless an empty line follows.
    IfNoneFollows,
}

/// What was seen of a line's end.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Seen {
    #[default]
    Nothing,
    Cr,
    /// The line ended by a LF alone: a CR that follows belongs to it.
    Lf,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
    /// Where the line at work begins.
    line: usize,
    /// Bytes of the line at work, kept or not, and how many of them CRs at its end.
    length: usize,
    seen: Seen,
    /// The line before ended by LF CR.
    after_lf_cr: bool,
    whole_cut: bool,
    line_cut: bool,
}

impl Head {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.line, self.length, self.seen) = Default::default();
        (self.after_lf_cr, self.whole_cut, self.line_cut) = (false, false, false);
    }

    /// The memory of its bytes, for other messages' heads.
    pub(super) fn memory(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn reset(&mut self) {
        self.clear();
        self.bytes.shrink_to(KEPT);
    }

    /// All that came since [`clear`](Self::clear), within the limits.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn text(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// The line that is not whole yet.
    pub(super) fn unfinished(&self) -> &[u8] {
        self.bytes.get(self.line..).unwrap_or_default()
    }

    /// Bytes were dropped because all lines together were longer than the limit.
    pub(super) fn is_cut(&self) -> bool {
        self.whole_cut
    }

    /// A line, or all lines together, came to more than is kept of them.
    pub(super) fn is_too_long(&self) -> bool {
        self.whole_cut || self.line_cut
    }

    /// The last blank line came behind LF CR: a further CR LF is part of that mixture of line ends.
    pub(super) fn ended_mixed(&self) -> bool {
        self.after_lf_cr
    }

    /// Takes from `input` until a line is whole.
    pub(super) fn next(&mut self, input: &mut &[u8], ends: Ends, limits: &Limits) -> Option<Line> {
        self.swallow_cr(input, ends);
        match ends {
            Ends::Lf => {
                let at = memchr::memchr(b'\n', input);
                let (now, later) = input.split_at(at.map_or(input.len(), |at| at + 1));
                *input = later;
                self.keep(now, limits);
                at.map(|_| self.finish(limits))
            }
            Ends::Any => self.next_of_any(input, limits),
        }
    }

    fn swallow_cr(&mut self, input: &mut &[u8], ends: Ends) {
        if self.seen == Seen::Lf && !input.is_empty() {
            self.seen = Seen::Nothing;
            if ends == Ends::Any && self.length == 0 && input.first() == Some(&b'\r') {
                *input = input.get(1..).unwrap_or_default();
                self.after_lf_cr = true;
            }
        }
    }

    fn next_of_any(&mut self, input: &mut &[u8], limits: &Limits) -> Option<Line> {
        while let Some(&first) = input.first() {
            if self.seen == Seen::Cr {
                match first {
                    b'\n' | b'\r' => {
                        self.take(input, 1, limits);
                        if first == b'\n' {
                            self.seen = Seen::Nothing;
                            return Some(self.finish(limits));
                        }
                    }
                    _ => {
                        self.seen = Seen::Nothing;
                        return Some(self.finish(limits));
                    }
                }
                continue;
            }
            let Some(at) = memchr::memchr2(b'\r', b'\n', input) else {
                self.take(input, input.len(), limits);
                return None;
            };
            let lf = input.get(at) == Some(&b'\n');
            self.take(input, at + 1, limits);
            if lf {
                let line = self.finish(limits);
                self.seen = Seen::Lf;
                return Some(line);
            }
            self.seen = Seen::Cr;
        }
        None
    }

    /// The stream ended: what is there is a line.
    pub(super) fn last(&mut self, limits: &Limits) -> Option<Line> {
        (self.length > 0).then(|| self.finish(limits))
    }

    fn take(&mut self, input: &mut &[u8], count: usize, limits: &Limits) {
        let (now, later) = input.split_at(count.min(input.len()));
        *input = later;
        self.keep(now, limits);
    }

    fn keep(&mut self, bytes: &[u8], limits: &Limits) {
        let line_room = limits.line.saturating_sub(self.length);
        let room = limits.header.saturating_sub(self.bytes.len());
        if bytes.len() > room {
            self.whole_cut = true;
        }
        let kept = bytes.get(..line_room.min(room).min(bytes.len())).unwrap_or_default();
        self.bytes.extend_from_slice(kept);
        self.length = self.length.saturating_add(bytes.len());
        self.line_cut |= self.length > limits.line;
    }

    fn finish(&mut self, limits: &Limits) -> Line {
        let whole = self.bytes.get(self.line..).unwrap_or_default();
        let blank = match whole {
            _ if self.length > 2 => Blank::No,
            b"\r\n" | b"\n" | b"\r" => Blank::Yes,
            b" \n" | b"\t\n" => Blank::IfNoneFollows,
            _ => Blank::No,
        };
        let mixed = whole == b"\r\n";
        let ending = whole.iter().rev().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let line = Line { text: self.line..self.bytes.len() - ending, blank, cut: self.length > limits.line };
        self.after_lf_cr &= mixed;
        self.line = self.bytes.len();
        self.length = 0;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &str, ends: Ends, size: usize) -> Vec<(String, Blank)> {
        let (mut head, limits, mut found) = (Head::default(), Limits::default(), Vec::new());
        for mut piece in input.as_bytes().chunks(size) {
            while let Some(line) = head.next(&mut piece, ends, &limits) {
                found.push((String::from_utf8_lossy(head.text(&line.text)).into_owned(), line.blank));
            }
        }
        found
    }

    #[test]
    fn lines_end_as_servers_and_as_browsers_read_them() {
        let text = |t: &str| (t.to_owned(), Blank::No);
        let blank = (String::new(), Blank::Yes);
        for size in 1..8 {
            assert_eq!(lines("a\r\nb\rc\n\r\n", Ends::Lf, size), [text("a"), text("b\rc"), blank.clone()]);
            let any = lines("a\r\nb\rc\nd\n\re\r\r\nf\n\r\n", Ends::Any, size);
            assert_eq!(
                any,
                [text("a"), text("b"), text("c"), text("d"), text("e"), text("f"), blank.clone()]
            );
            // Several CRs are no empty line.
            assert_eq!(
                lines("a\r\n\r\rb\r\n\r\r\n", Ends::Any, size),
                [text("a"), text(""), text("b"), text("")]
            );
            assert_eq!(lines("a\n \nb", Ends::Any, size), [text("a"), (" ".into(), Blank::IfNoneFollows)]);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_told() {
        let (mut head, limits) = (Head::default(), Limits { line: 4, header: 10, ..Limits::default() });
        let mut input = b"abcdefgh\nijk\nlmno\n".as_slice();
        let line = head.next(&mut input, Ends::Lf, &limits).unwrap();
        assert_eq!((head.text(&line.text), line.cut), (b"abcd".as_slice(), true));
        let line = head.next(&mut input, Ends::Lf, &limits).unwrap();
        assert_eq!((head.text(&line.text), line.cut), (b"ijk".as_slice(), false));
        head.next(&mut input, Ends::Lf, &limits).unwrap();
        assert!(head.is_cut());
        assert_eq!(head.bytes().len(), 10);
    }
}
