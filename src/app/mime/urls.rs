//! URLs in the text of a mail.

/// So much of a line is looked through for them.
const MAX_LINE: usize = 2048;

/// What introduces one. Others than HTTP's are not looked for, as with `extract-urls-schemes` at its default.
const SCHEME: &[u8] = b"http://";

/// Collects a line of decoded text.
#[derive(Clone, Debug, Default)]
pub struct Urls {
    line: Vec<u8>,
}

impl Urls {
    pub fn reset(&mut self) {
        self.line.clear();
    }

    /// More text; `found` is told each URL of the lines that end, in lower case and without its scheme.
    pub fn text(&mut self, mut text: &[u8], mut found: impl FnMut(&[u8])) {
        while let Some(at) = memchr::memchr2(b'\n', b'\r', text) {
            let (now, later) = text.split_at(at);
            self.keep(now);
            self.end(&mut found);
            text = later.get(1..).unwrap_or_default();
        }
        self.keep(text);
    }

    /// The line ends.
    pub fn end(&mut self, mut found: impl FnMut(&[u8])) {
        self.line.make_ascii_lowercase();
        let mut rest: &[u8] = &self.line;
        while let Some(at) = memchr::memmem::find(rest, SCHEME) {
            let url = rest.get(at + SCHEME.len()..).unwrap_or_default();
            let end = url.iter().position(|b| ends_url(*b)).unwrap_or(url.len());
            let (url, later) = url.split_at(end);
            if !url.is_empty() {
                found(url);
            }
            rest = later;
        }
        self.line.clear();
    }

    fn keep(&mut self, text: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(text.get(..room.min(text.len())).unwrap_or_default());
    }
}

fn ends_url(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'"' | b'\'' | b'<' | b'>' | 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_any_line_are_found() {
        let text =
            b"see http://One.example/a?b=c and <a href=\"HTTP://two.example/\">x\nhttp://three\r\nhttps://no";
        for size in 1..text.len() {
            let (mut urls, mut found) = (Urls::default(), Vec::new());
            for piece in text.chunks(size) {
                urls.text(piece, |u| found.push(String::from_utf8_lossy(u).into_owned()));
            }
            urls.end(|u| found.push(String::from_utf8_lossy(u).into_owned()));
            assert_eq!(found, ["one.example/a?b=c", "two.example/", "three"], "in pieces of {size}");
        }
    }
}
