//! Lines of a text protocol, however its bytes are cut. A line ends with LF, a CR before it belongs to the end.

use super::limits::{KEPT, let_go};

/// A line, or a piece of one that is too long to be kept.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Without its end.
    pub text: &'a [u8],
    /// `\r\n`, `\n`, or nothing where the line goes on in the next piece.
    pub ending: &'a [u8],
    /// The line begins here.
    pub first: bool,
}

impl Line<'_> {
    /// The line ends here.
    pub fn last(&self) -> bool {
        !self.ending.is_empty()
    }
}

/// The unfinished line of a direction.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// So many of `bytes` were handed out.
    given: usize,
    /// Pieces of the line that goes on were handed out.
    begun: bool,
}

impl Lines {
    pub fn reset(&mut self) {
        self.clear();
        self.bytes.shrink_to(KEPT);
    }

    /// Forgets the unfinished line.
    pub fn clear(&mut self) {
        self.bytes.clear();
        (self.given, self.begun) = (0, false);
    }

    /// Whether the next byte begins a line.
    pub fn at_start(&self) -> bool {
        !self.begun && self.given >= self.bytes.len()
    }

    /// The next line of `input`, which loses what was taken. A line that is longer than `most` comes in pieces, of which
    /// the first holds at least so many bytes. `None` when the rest is kept for later.
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8], most: usize) -> Option<Line<'s>> {
        self.drop_given();
        if input.is_empty() {
            return None;
        }
        let first = !self.begun;
        let Some(at) = memchr::memchr(b'\n', input) else {
            self.bytes.extend_from_slice(std::mem::take(input));
            return self.piece(first, most);
        };
        let (now, later) = input.split_at(at + 1);
        *input = later;
        self.begun = false;
        let whole = if self.bytes.is_empty() {
            now
        } else {
            self.bytes.extend_from_slice(now);
            self.given = self.bytes.len();
            &self.bytes
        };
        let (text, ending) = split_ending(whole);
        Some(Line { text, ending, first })
    }

    /// What is there of a line that is too long already. A CR at its end may belong to the line's end, and stays.
    fn piece(&mut self, first: bool, most: usize) -> Option<Line<'_>> {
        let ready = self.bytes.len() - usize::from(self.bytes.last() == Some(&b'\r'));
        if ready == 0 || ready < most {
            return None;
        }
        (self.given, self.begun) = (ready, true);
        Some(Line { text: self.bytes.get(..ready)?, ending: &[], first })
    }

    /// The unfinished line, when nothing more will come.
    pub fn rest(&mut self) -> Option<Line<'_>> {
        self.drop_given();
        self.given = self.bytes.len();
        let first = !std::mem::take(&mut self.begun);
        (!self.bytes.is_empty()).then_some(Line { text: &self.bytes, ending: &[], first })
    }

    fn drop_given(&mut self) {
        self.bytes.drain(..self.given.min(self.bytes.len()));
        if self.given > 0 && self.bytes.is_empty() {
            let_go(&mut self.bytes);
        }
        self.given = 0;
    }
}

fn split_ending(line: &[u8]) -> (&[u8], &[u8]) {
    let end = if line.ends_with(b"\r\n") { 2 } else { 1 };
    line.split_at(line.len().saturating_sub(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(input: &[u8], size: usize, most: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut lines = Lines::default();
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for mut piece in input.chunks(size) {
            while let Some(line) = lines.next(&mut piece, most) {
                if line.first {
                    found.push(Default::default());
                }
                let last = found.last_mut().unwrap();
                last.0.extend_from_slice(line.text);
                last.1.extend_from_slice(line.ending);
            }
        }
        if let Some(line) = lines.rest() {
            if line.first {
                found.push(Default::default());
            }
            found.last_mut().unwrap().0.extend_from_slice(line.text);
        }
        found
    }

    #[test]
    fn any_cutting_gives_the_same_lines() {
        let input = b"one\r\n\r\ntwo\nthr\ree\r\r\na line that is long\r\nrest\r";
        let whole = cut(input, input.len(), 5);
        assert_eq!(whole.len(), 6);
        assert_eq!(whole[3], (b"thr\ree\r".to_vec(), b"\r\n".to_vec()));
        assert_eq!(whole[5], (b"rest\r".to_vec(), Vec::new()));
        for size in 1..input.len() {
            assert_eq!(cut(input, size, 5), whole, "in pieces of {size}");
        }
    }

    #[test]
    fn an_endless_line_does_not_stay_in_memory() {
        let mut lines = Lines::default();
        let mut pieces = 0;
        for _ in 0..100_000 {
            let mut input: &[u8] = b"x";
            pieces += usize::from(lines.next(&mut input, 100).is_some());
            assert!(lines.bytes.len() <= 101);
        }
        assert_eq!(pieces, 100_000 / 100);
    }

    #[test]
    fn crs_without_end_do_not_stay_in_memory() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            let mut input: &[u8] = b"\r";
            lines.next(&mut input, 100);
        }
        assert!(lines.bytes.len() <= 102, "{}", lines.bytes.len());
    }
}
