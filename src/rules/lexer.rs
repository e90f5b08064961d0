//! A rule file -> logical lines: comments and blank lines left out, lines that end in a backslash joined.

use super::source::Span;
use std::borrow::Cow;

/// One rule's text and how its offsets lie in the file.
#[derive(Clone, Debug)]
pub struct Logical<'a> {
    pub text: Cow<'a, [u8]>,
    /// (offset in `text`, offset in the file) of each joined piece, ascending.
    pieces: Vec<(u32, u32)>,
}

impl Logical<'_> {
    fn to_file(&self, offset: u32) -> u32 {
        let after = self.pieces.partition_point(|&(logical, _)| logical <= offset);
        let (logical, file) = self.pieces.get(after.saturating_sub(1)).copied().unwrap_or((0, 0));
        file + (offset - logical)
    }

    /// A span of this text as one of the file.
    pub fn span_in_file(&self, span: Span) -> Span {
        let start = self.to_file(span.start);
        let end = if span.end > span.start { self.to_file(span.end - 1) + 1 } else { start };
        Span { start, end }
    }

    pub fn start_in_file(&self) -> u32 {
        self.to_file(0)
    }
}

/// Walks a file's logical lines.
pub struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    pub fn new(bytes: &'a [u8]) -> Lines<'a> {
        // A byte-order mark is what some editors leave behind.
        let at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Lines { bytes, at }
    }

    /// The next physical line without its end, and its offset.
    fn physical(&mut self) -> Option<(&'a [u8], usize)> {
        let start = self.at;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at = start + length + 1;
        let line = &rest[..length];
        Some((line.strip_suffix(b"\r").unwrap_or(line), start))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Logical<'a>;

    fn next(&mut self) -> Option<Logical<'a>> {
        loop {
            let (line, start) = self.physical()?;
            let lead = line.iter().take_while(|b| b.is_ascii_whitespace()).count();
            if matches!(line.get(lead), None | Some(b'#')) {
                continue;
            }
            let mut pieces = vec![(0, (start + lead) as u32)];
            let Some(first) = continued(line) else {
                return Some(Logical { text: Cow::Borrowed(line[lead..].trim_ascii_end()), pieces });
            };
            let mut text = first[lead.min(first.len())..].to_vec();
            while let Some((line, start)) = self.physical() {
                pieces.push((text.len() as u32, start as u32));
                match continued(line) {
                    Some(part) => text.extend_from_slice(part),
                    None => {
                        text.extend_from_slice(line);
                        break;
                    }
                }
            }
            text.truncate(text.trim_ascii_end().len());
            return Some(Logical { text: Cow::Owned(text), pieces });
        }
    }
}

/// The line without its closing backslash, if it has one.
fn continued(line: &[u8]) -> Option<&[u8]> {
    line.trim_ascii_end().strip_suffix(b"\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_lines_keep_their_places_in_the_file() {
        let file = b"# no\r\n\r\n  ab \\\r\n  cd\\\n e\nf";
        let lines: Vec<_> = Lines::new(file).collect();
        assert_eq!(&*lines[0].text, b"ab   cd e");
        let place = |needle: u8| lines[0].text.iter().position(|&b| b == needle).unwrap() as u32;
        for needle in *b"abcde" {
            let span = lines[0].span_in_file(Span { start: place(needle), end: place(needle) + 1 });
            assert_eq!(&file[span.range()], [needle]);
        }
        assert_eq!(&*lines[1].text, b"f");
        assert_eq!(lines.len(), 2);
    }
}
