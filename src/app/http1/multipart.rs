//! Files in a `multipart/form-data` body (RFC 7578), in pieces.

use super::params;
use crate::app::limits::KEPT;
use memchr::memmem;

/// A boundary is at most so long (RFC 2046 says 70; clients go further).
const MAX_BOUNDARY: usize = 200;
/// All header lines of a part.
const MAX_PART_HEAD: usize = 8 * 1024;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    #[default]
    Preamble,
    /// Behind a boundary, on its line.
    BoundaryLine,
    Head,
    Data {
        file: bool,
    },
    End,
}

/// What a part says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A part with a file's name begins.
    Open(&'a [u8]),
    Data(&'a [u8]),
    Close,
    /// A part's header lines are too long or have no colon.
    InvalidHeader,
    /// A file's part without a byte.
    NoData,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Multipart {
    state: State,
    /// `\r\n--boundary`.
    delimiter: Vec<u8>,
    held: Vec<u8>,
    any_data: bool,
}

impl Multipart {
    /// Whether the Content-Type is of such a body; its boundary is kept.
    pub(super) fn begin(&mut self, content_type: &[u8]) -> bool {
        const TYPE: &[u8] = b"multipart/form-data";
        self.held.clear();
        self.held.shrink_to(KEPT);
        self.state = State::Preamble;
        let is = content_type.get(..TYPE.len()).is_some_and(|t| t.eq_ignore_ascii_case(TYPE));
        let boundary = params::parameter(content_type, b"boundary").filter(|b| is && !b.is_empty());
        let Some(boundary) = boundary.filter(|b| b.len() <= MAX_BOUNDARY) else { return false };
        self.delimiter.clear();
        self.delimiter.extend_from_slice(b"\r\n--");
        self.delimiter.extend_from_slice(boundary);
        // The first boundary needs no line before it.
        self.held.extend_from_slice(b"\r\n");
        true
    }

    pub(super) fn write(&mut self, bytes: &[u8], out: &mut dyn FnMut(Part<'_>)) {
        if self.state == State::End {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let rest = held.get(at..).unwrap_or_default();
            match self.step(rest, out) {
                0 => break,
                taken => at += taken,
            }
        }
        held.drain(..at.min(held.len()));
        self.held = held;
    }

    /// How many of the bytes are done with; none when more are needed.
    fn step(&mut self, bytes: &[u8], out: &mut dyn FnMut(Part<'_>)) -> usize {
        match self.state {
            State::Preamble | State::Data { .. } => {
                let found = self.find(bytes);
                let data = match &found {
                    Some(found) => found.start,
                    None => self.before_delimiter(bytes),
                };
                self.data(bytes.get(..data).unwrap_or_default(), out);
                let Some(found) = found else { return data };
                if self.state == (State::Data { file: true }) {
                    out(if self.any_data { Part::Close } else { Part::NoData });
                }
                self.state = State::BoundaryLine;
                found.end
            }
            State::BoundaryLine => {
                if bytes.starts_with(b"--") {
                    self.state = State::End;
                    return 0;
                }
                match memchr::memchr(b'\n', bytes) {
                    Some(end) => {
                        self.state = State::Head;
                        end + 1
                    }
                    // What else stands on the line does not matter.
                    None => bytes.len().saturating_sub(1),
                }
            }
            State::Head => self.head(bytes, out),
            State::End => 0,
        }
    }

    /// The delimiter's place: with the line's end before it, a LF alone too.
    fn find(&self, bytes: &[u8]) -> Option<std::ops::Range<usize>> {
        let marker = self.delimiter.get(2..).unwrap_or_default();
        memmem::find_iter(bytes, marker).find_map(|at| match bytes.get(..at).unwrap_or_default() {
            [.., b'\r', b'\n'] => Some(at - 2..at + marker.len()),
            [.., b'\n'] => Some(at - 1..at + marker.len()),
            _ => None,
        })
    }

    /// How many of the bytes, in which there is no delimiter, none can begin in that ends behind them. All of these are
    /// given at once: a packet does not leave before they were looked at.
    fn before_delimiter(&self, bytes: &[u8]) -> usize {
        let from = bytes.len().saturating_sub(self.delimiter.len());
        let begins = |tail: &[u8]| {
            let bare = self.delimiter.get(1..).unwrap_or_default();
            self.delimiter.starts_with(tail) || bare.starts_with(tail)
        };
        (from..bytes.len()).find(|at| bytes.get(*at..).is_some_and(begins)).unwrap_or(bytes.len())
    }

    fn data(&mut self, data: &[u8], out: &mut dyn FnMut(Part<'_>)) {
        if self.state == (State::Data { file: true }) && !data.is_empty() {
            self.any_data = true;
            out(Part::Data(data));
        }
    }

    fn head(&mut self, bytes: &[u8], out: &mut dyn FnMut(Part<'_>)) -> usize {
        let blank = std::iter::successors(Some(0), |at| {
            memchr::memchr(b'\n', bytes.get(*at..).unwrap_or_default()).map(|end| at + end + 1)
        })
        .find_map(|at| match bytes.get(at..).unwrap_or_default() {
            [b'\n', ..] => Some((at, at + 1)),
            [b'\r', b'\n', ..] => Some((at, at + 2)),
            _ => None,
        });
        let Some((head, end)) = blank else {
            if bytes.len() <= MAX_PART_HEAD {
                return 0;
            }
            out(Part::InvalidHeader);
            self.state = State::Data { file: false };
            return bytes.len();
        };
        let mut name = None;
        for line in bytes.get(..head).unwrap_or_default().split(|b| *b == b'\n') {
            let line = line.trim_ascii();
            match memchr::memchr(b':', line).map(|colon| line.split_at(colon)) {
                Some((field, value))
                    if field.trim_ascii_end().eq_ignore_ascii_case(b"content-disposition") =>
                {
                    name = name.or(params::file_name(value));
                }
                Some(_) => {}
                None if line.is_empty() => {}
                None => out(Part::InvalidHeader),
            }
        }
        self.any_data = false;
        self.state = State::Data { file: name.is_some() };
        if let Some(name) = name {
            out(Part::Open(name));
        }
        end
    }

    /// The body ended; whether within a part of a file.
    pub(super) fn finish(&mut self, out: &mut dyn FnMut(Part<'_>)) -> bool {
        let held = std::mem::take(&mut self.held);
        self.data(&held, out);
        self.held = held;
        self.held.clear();
        std::mem::replace(&mut self.state, State::End) == (State::Data { file: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(body: &[u8], size: usize) -> Vec<(String, String)> {
        let mut multipart = Multipart::default();
        assert!(multipart.begin(b"multipart/form-data; boundary=\"xx\""));
        let mut found: Vec<(String, String)> = Vec::new();
        let mut out = |part: Part<'_>| match part {
            Part::Open(name) => found.push((String::from_utf8_lossy(name).into_owned(), String::new())),
            Part::Data(data) => found.last_mut().unwrap().1.push_str(&String::from_utf8_lossy(data)),
            Part::Close | Part::NoData => found.last_mut().unwrap().1.push('.'),
            Part::InvalidHeader => found.push(("invalid".into(), String::new())),
        };
        for piece in body.chunks(size) {
            multipart.write(piece, &mut out);
        }
        multipart.finish(&mut out);
        found
    }

    #[test]
    fn files_are_found_in_any_pieces() {
        let body = b"pre\r\n--xx\r\nContent-Disposition: form-data; name=a\r\n\r\nno file\r\n--xx\r\n\
            Content-Type: text/plain\r\ncontent-disposition: form-data; filename=\"t.txt\"\r\n\r\n\
            a--xx\r\n-b\r\n\r\n--xx \n\
            Content-Disposition: form-data; filename=e\n\n\n--xx\r\n\
            Content-Disposition: form-data; filename=u\n\nunfinished\r\n--x";
        for size in [1, 2, 5, 33, 1000] {
            let wanted = [("t.txt", "a--xx\r\n-b\r\n."), ("e", "."), ("u", "unfinished\r\n--x")];
            let wanted = wanted.map(|(a, b)| (a.to_owned(), b.to_owned()));
            assert_eq!(files(body, size), wanted, "by {size}");
        }
        let simple = b"--xx\r\nContent-Disposition: x; filename=a\r\n\r\n1\r\n--xx--\r\n--xx\r\n\r\n";
        assert_eq!(files(simple, 3), [("a".to_owned(), "1.".to_owned())]);
    }

    #[test]
    fn only_what_may_begin_a_delimiter_waits() {
        let mut multipart = Multipart::default();
        let long = "b".repeat(MAX_BOUNDARY);
        assert!(multipart.begin(format!("multipart/form-data; boundary={long}").as_bytes()));
        let mut data = Vec::new();
        let head = format!("--{long}\r\nContent-Disposition: form-data; filename=f\r\n\r\n");
        for (piece, given) in
            [(&*head, ""), ("evil", "evil"), ("word\r", "word"), ("x\n--b", "\rx"), ("c", "\n--bc")]
        {
            data.clear();
            multipart.write(piece.as_bytes(), &mut |part| {
                if let Part::Data(bytes) = part {
                    data.extend_from_slice(bytes);
                }
            });
            assert_eq!(String::from_utf8_lossy(&data), given, "{piece:?}");
        }
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        let body = [b"--xx\r\n".as_slice(), &vec![b'a'; 20_000]].concat();
        for size in [1000, 50_000] {
            assert_eq!(files(&body, size).first().map(|f| f.0.as_str()), Some("invalid"));
        }
    }
}
