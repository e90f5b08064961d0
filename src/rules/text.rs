//! A piece of a rule's text that knows where it stands, so that every fault can point at it.

use super::source::Span;
use std::borrow::Cow;

/// Bytes of a rule and their offset in the rule's logical line.
#[derive(Copy, Clone, Debug)]
pub struct Text<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

/// What is wrong with a rule, and where. Not yet tied to a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub span: Span,
    pub message: String,
    pub help: Option<String>,
    /// The keyword at fault, when one is.
    pub keyword: Option<String>,
}

impl Fault {
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn keyword(mut self, keyword: &str) -> Fault {
        self.keyword.get_or_insert_with(|| keyword.to_owned());
        self
    }
}

impl<'a> Text<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Text<'a> {
        Text { bytes, at }
    }

    pub fn span(self) -> Span {
        Span::new(self.at, self.at + self.bytes.len())
    }

    pub fn fault(self, message: impl Into<String>) -> Fault {
        Fault { span: self.span(), message: message.into(), help: None, keyword: None }
    }

    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    pub fn is(self, word: &str) -> bool {
        self.bytes == word.as_bytes()
    }

    /// For messages and for names: what is not UTF-8 becomes U+FFFD.
    pub fn lossy(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.bytes)
    }

    /// The text when it is plain ASCII, else nothing that any keyword would know.
    pub fn ascii(self) -> &'a str {
        std::str::from_utf8(self.bytes).ok().filter(|s| s.is_ascii()).unwrap_or("")
    }

    pub fn sub(self, from: usize, to: usize) -> Text<'a> {
        Text { bytes: self.bytes.get(from..to).unwrap_or_default(), at: self.at + from }
    }

    pub fn from(self, from: usize) -> Text<'a> {
        self.sub(from, self.bytes.len())
    }

    pub fn trim(self) -> Text<'a> {
        let blank = |b: &u8| b.is_ascii_whitespace();
        let lead = self.bytes.iter().take_while(|b| blank(b)).count();
        let tail = self.bytes[lead..].iter().rev().take_while(|b| blank(b)).count();
        self.sub(lead, self.bytes.len() - tail)
    }

    pub fn strip(self, prefix: &str) -> Option<Text<'a>> {
        self.bytes.starts_with(prefix.as_bytes()).then(|| self.from(prefix.len()))
    }

    /// `!` in front, if any, and the rest.
    pub fn negation(self) -> (bool, Text<'a>) {
        match self.strip("!") {
            Some(rest) => (true, rest.trim()),
            None => (false, self),
        }
    }

    /// What stands between double quotes, if it does.
    pub fn unquoted(self) -> Text<'a> {
        match self.bytes {
            [b'"', .., b'"'] => self.sub(1, self.bytes.len() - 1),
            _ => self,
        }
    }

    /// The parts between separators, trimmed.
    pub fn split(self, separator: u8) -> impl Iterator<Item = Text<'a>> {
        let mut start = 0;
        self.bytes.split(move |&b| b == separator).map(move |part| {
            let text = self.sub(start, start + part.len());
            start += part.len() + 1;
            text.trim()
        })
    }

    /// Before and after the first separator, trimmed.
    pub fn split_once(self, separator: u8) -> Option<(Text<'a>, Text<'a>)> {
        let at = memchr::memchr(separator, self.bytes)?;
        Some((self.sub(0, at).trim(), self.from(at + 1).trim()))
    }

    /// The first word and the rest, both trimmed.
    pub fn first_word(self) -> (Text<'a>, Text<'a>) {
        let text = self.trim();
        let end = text.bytes.iter().position(u8::is_ascii_whitespace).unwrap_or(text.bytes.len());
        (text.sub(0, end), text.from(end).trim())
    }
}

/// Bytes of a word beyond which nothing near is looked for: the search takes their square, once for each known word.
pub const LONGEST_WORD: usize = 128;

/// The nearest of the known words, when it is near enough to be a slip of the pen.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.7;
    /// One slip counts for more than this in a word of three letters.
    const SHORT: f64 = 0.66;
    let near = if word.len() == 3 { SHORT } else { NEAR };
    let known = known.filter(|name| word.len().max(name.len()) <= LONGEST_WORD);
    let scored = known.map(|name| (strsim::normalized_damerau_levenshtein(word, name), name));
    scored.filter(|(score, _)| *score >= near).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_know_where_they_stand() {
        let text = Text::new(b" a , !b", 10);
        let parts: Vec<_> = text.split(b',').collect();
        assert_eq!(parts[0].span(), Span::new(11, 12));
        assert_eq!(parts[1].negation().1.span(), Span::new(16, 17));
        assert_eq!(Text::new(b"\"x\"", 0).unquoted().span(), Span::new(1, 2));
    }

    #[test]
    fn only_a_near_word_is_offered() {
        assert_eq!(nearest("contnet", ["content", "depth"].into_iter()), Some("content"));
        assert_eq!(nearest("zzz", ["content", "depth"].into_iter()), None);
        let long = "x".repeat(1 << 20);
        assert_eq!(nearest(&long, [long.as_str(), "content"].into_iter()), None, "and it takes no time");
    }
}
