//! Chunked bodies (RFC 9112 section 7.1), as tolerantly as browsers read them.

use crate::app::limits::KEPT;

/// A size line longer than this is none.
const MAX_SIZE_LINE: usize = 4096;
/// What browsers take for a size at most.
const MAX_SIZE: u64 = i32::MAX as u64;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Data(u64),
    /// What stands between a chunk's bytes and the next line.
    DataEnd,
}

/// The next of a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk<'a> {
    /// More bytes are needed.
    More,
    Data(&'a [u8]),
    /// The last chunk came: trailers follow.
    Last,
    /// No size where one belongs; the bytes of that line are [`Chunks::line`].
    Broken,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    state: State,
    line: Vec<u8>,
    /// The line has come to its first digit.
    begun: bool,
    /// A size had an extension.
    pub(super) extension: bool,
}

impl Chunks {
    pub(super) fn clear(&mut self) {
        self.state = State::Size;
        self.extension = false;
        self.next_line();
    }

    fn next_line(&mut self) {
        self.line.clear();
        self.begun = false;
    }

    pub(super) fn reset(&mut self) {
        self.clear();
        self.line.shrink_to(KEPT);
    }

    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Chunk<'a> {
        loop {
            match self.state {
                _ if input.is_empty() => return Chunk::More,
                State::Data(left) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (now, later) = input.split_at(count);
                    *input = later;
                    let left = left - count as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Chunk::Data(now);
                }
                State::DataEnd => {
                    let end = memchr::memchr(b'\n', input).map(|at| at + 1);
                    *input = input.get(end.unwrap_or(input.len())..).unwrap_or_default();
                    if end.is_some() {
                        self.state = State::Size;
                        self.next_line();
                    }
                }
                State::Size => {
                    if let Some(chunk) = self.size(input) {
                        return chunk;
                    }
                }
            }
        }
    }

    fn size<'a>(&mut self, input: &mut &[u8]) -> Option<Chunk<'a>> {
        let end = memchr::memchr(b'\n', input).map(|at| at + 1);
        let (now, later) = input.split_at(end.unwrap_or(input.len()));
        let room = MAX_SIZE_LINE.saturating_sub(self.line.len());
        if now.len() > room {
            return Some(Chunk::Broken);
        }
        self.line.extend_from_slice(now);
        *input = later;
        if !self.begun
            && let Some(first) = now.iter().find(|b| !is_space(b))
        {
            if !first.is_ascii_hexdigit() {
                return Some(Chunk::Broken);
            }
            self.begun = true;
        }
        end?;
        if !self.begun {
            self.line.clear();
            return None;
        }
        let Some((size, extension)) = size_of_line(&self.line) else { return Some(Chunk::Broken) };
        self.extension |= extension;
        self.next_line();
        if size == 0 {
            return Some(Chunk::Last);
        }
        self.state = State::Data(size);
        None
    }

    /// So many bytes are lost; whether it is still known where chunks begin.
    pub(super) fn skip(&mut self, missing: u64) -> bool {
        match &mut self.state {
            State::Data(left) if *left > missing => {
                *left -= missing;
                true
            }
            _ => false,
        }
    }
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | 0)
}

/// The size, and whether an extension follows it.
fn size_of_line(line: &[u8]) -> Option<(u64, bool)> {
    let start = line.iter().take_while(|b| is_space(b)).count();
    let mut text = line.get(start..).unwrap_or_default();
    if let [b'0', b'x' | b'X', digits @ ..] = text
        && digits.first().is_some_and(u8::is_ascii_hexdigit)
    {
        text = digits;
    }
    let digits = text.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let mut size = 0_u64;
    for digit in text.iter().take(digits).filter_map(|b| char::from(*b).to_digit(16)) {
        size = size.saturating_mul(16).saturating_add(u64::from(digit));
    }
    let rest = text.get(digits..).unwrap_or_default();
    (size <= MAX_SIZE).then(|| (size, !rest.iter().all(is_space)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8], size: usize) -> (Vec<u8>, &'static str) {
        let (mut chunks, mut body) = (Chunks::default(), Vec::new());
        for mut piece in input.chunks(size) {
            loop {
                match chunks.next(&mut piece) {
                    Chunk::More => break,
                    Chunk::Data(data) => body.extend_from_slice(data),
                    Chunk::Last => return (body, "last"),
                    Chunk::Broken => return (body, "broken"),
                }
            }
        }
        (body, "more")
    }

    #[test]
    fn sizes_are_read_in_every_spelling_that_browsers_read() {
        for size in [
            "3",
            "03",
            "0000000000000000003",
            "3 ",
            "3\t",
            "3;x=y",
            " 3",
            "\n3",
            "\r\n\r\n3",
            "3\x0b",
            "3 x",
            "3\r",
            "0x3",
            "\x0b3",
        ] {
            let input = format!("{size}\r\nabc\r\n{size}\ndef\n0\r\n\r\n");
            for step in [1, 2, 3, 100] {
                assert_eq!(read(input.as_bytes(), step), (b"abcdef".to_vec(), "last"), "{size:?} by {step}");
            }
        }
    }

    #[test]
    fn what_is_no_size_breaks_it() {
        for bad in ["+3\r\nabc", "-1\r\n", "zz", "80000000\r\n", "fffffffffffffffff\r\n", "X5O!P"] {
            assert_eq!(read(bad.as_bytes(), 1).1, "broken", "{bad:?}");
        }
        assert_eq!(read(&vec![b'0'; MAX_SIZE_LINE + 1], 1000).1, "broken");
    }

    #[test]
    fn a_hole_within_a_chunk_is_jumped_over() {
        let mut chunks = Chunks::default();
        let mut input = b"a\r\nab".as_slice();
        assert_eq!(chunks.next(&mut input), Chunk::Data(b"ab"));
        assert!(chunks.skip(5));
        let mut input = b"cde\r\n0\r\n".as_slice();
        assert_eq!(chunks.next(&mut input), Chunk::Data(b"cde"));
        assert_eq!(chunks.next(&mut input), Chunk::Last);
        assert!(!chunks.skip(1));
    }
}
