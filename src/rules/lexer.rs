//! A rule file -> logical lines: comments and blank lines left out, lines that end in a backslash joined. Where rules that
//! are commented out are wanted, a comment that begins with an action is such a line too.

use super::header;
use super::source::Span;
use std::borrow::Cow;

/// One rule's text and how its offsets lie in the file.
#[derive(Clone, Debug)]
pub struct Logical<'a> {
    pub text: Cow<'a, [u8]>,
    /// Behind `#`, which is not part of the text.
    pub commented: bool,
    /// (offset in `text`, offset in the file) of each joined piece, ascending.
    pieces: Vec<(u32, u32)>,
}

impl Logical<'_> {
    /// A line that stands in no file.
    pub fn alone(text: Vec<u8>, commented: bool) -> Logical<'static> {
        Logical { text: Cow::Owned(text), commented, pieces: vec![(0, 0)] }
    }

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
    comments: bool,
}

impl<'a> Lines<'a> {
    pub fn new(bytes: &'a [u8]) -> Lines<'a> {
        // A byte-order mark is what some editors leave behind.
        let at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Lines { bytes, at, comments: false }
    }

    /// Yields rules that are commented out too.
    #[must_use]
    pub fn with_commented(mut self) -> Lines<'a> {
        self.comments = true;
        self
    }

    /// The comment as a rule's line, if its first word is an action. Its continuations are comments too, or nothing is
    /// joined.
    fn commented(&mut self, line: &'a [u8], start: usize) -> Option<Logical<'a>> {
        let lead = hashes(line);
        let rest = line.get(lead..)?;
        let word = rest.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        if !header::is_action(word) {
            return None;
        }
        let mut pieces = vec![(0, (start + lead) as u32)];
        let mut text = rest.to_vec();
        while let Some(part) = continued(&text) {
            let (length, back) = (part.len(), self.at);
            let Some((line, start)) = self.physical().filter(|(line, _)| hashes(line) > 0) else {
                self.at = back;
                break;
            };
            text.truncate(length);
            let lead = hashes(line);
            pieces.push((text.len() as u32, (start + lead) as u32));
            text.extend_from_slice(&line[lead..]);
        }
        text.truncate(text.trim_ascii_end().len());
        Some(Logical { text: Cow::Owned(text), commented: true, pieces })
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
            match line.get(lead) {
                None => continue,
                Some(b'#') => match self.comments.then(|| self.commented(line, start)).flatten() {
                    Some(rule) => return Some(rule),
                    None => continue,
                },
                Some(_) => {}
            }
            let mut pieces = vec![(0, (start + lead) as u32)];
            let Some(first) = continued(line) else {
                let text = Cow::Borrowed(line[lead..].trim_ascii_end());
                return Some(Logical { text, commented: false, pieces });
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
            return Some(Logical { text: Cow::Owned(text), commented: false, pieces });
        }
    }
}

/// How long a comment's head is: blanks and `#`; 0 for what is no comment.
fn hashes(line: &[u8]) -> usize {
    let head = line.iter().take_while(|b| b.is_ascii_whitespace() || **b == b'#').count();
    if line[..head].contains(&b'#') { head } else { 0 }
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

    #[test]
    fn rules_that_are_commented_out_are_lines_where_they_are_wanted() {
        let file = b"# Alerts of old:\n#alert a \\\n#  b\n## drop c\\\nalert d\n# alerts\n";
        let all: Vec<_> = Lines::new(file).with_commented().collect();
        let seen: Vec<_> = all.iter().map(|l| (l.text.as_ref(), l.commented)).collect();
        assert_eq!(seen, [(&b"alert a b"[..], true), (b"drop c\\", true), (b"alert d", false)]);
        let at = all[0].text.len() as u32 - 1;
        assert_eq!(&file[all[0].span_in_file(Span { start: at, end: at + 1 }).range()], b"b");
        assert_eq!(Lines::new(file).count(), 1);
    }
}
