//! A line of `modify.conf`: a selector, what is to be replaced and by what, each a word of a shell.

use super::selector::{Selector, regex};
use crate::rules::text::{Fault, Text};
use pcre2::bytes::Regex;

/// Search and replacement, over the whole text of a rule.
#[derive(Debug)]
pub struct Edit {
    from: Regex,
    to: Vec<Part>,
}

/// Longest text that edits make of a rule: lines that each double it would else fill the memory.
pub const MAX_RULE_BYTES: usize = 1 << 20;

/// Why a rule stays as it was.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Unapplied {
    /// PCRE's limit on backtracking.
    GaveUp,
    /// More than [`MAX_RULE_BYTES`].
    TooLong,
}

#[derive(Debug, PartialEq)]
enum Part {
    Bytes(Vec<u8>),
    /// What a group of the expression caught; 0 is all of it.
    Group(usize),
}

const FORM: &str = "expected `SELECTOR FROM TO`, each in quotes where it has blanks";

/// `SELECTOR FROM TO`, or Oinkmaster's `modifysid SELECTOR FROM | TO`.
pub fn parse(line: Text<'_>) -> Result<(Selector, Edit), Fault> {
    let words = words(line)?;
    let text = |word: &Word| (word.bytes.clone(), word.at);
    let (selector, from, to) = match &words[..] {
        [first, selector, from, bar, to] if first.bytes == b"modifysid" && bar.bytes == b"|" => {
            (text(selector), text(from), text(to))
        }
        [selector, from, to] => (text(selector), text(from), text(to)),
        _ => return Err(line.fault(format!("{FORM}; these are {} words", words.len()))),
    };
    let selector = Selector::parse(Text::new(&selector.0, selector.1))?;
    let from = regex(Text::new(&from.0, from.1), false)?;
    let edit = Edit { to: replacement(Text::new(&to.0, to.1), from.captures_len())?, from };
    Ok((selector, edit))
}

impl Edit {
    /// The text with every place replaced; `None` where that is the text as it was.
    pub fn apply(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unapplied> {
        let (mut out, mut after) = (Vec::with_capacity(text.len()), 0);
        for found in self.from.captures_iter(text) {
            let found = found.map_err(|_| Unapplied::GaveUp)?;
            let Some(whole) = found.get(0) else { continue };
            append(&mut out, text.get(after..whole.start()).unwrap_or_default())?;
            for part in &self.to {
                match part {
                    Part::Bytes(bytes) => append(&mut out, bytes)?,
                    Part::Group(group) => {
                        append(&mut out, found.get(*group).map_or(&[], |m| m.as_bytes()))?;
                    }
                }
            }
            after = whole.end();
        }
        append(&mut out, text.get(after..).unwrap_or_default())?;
        Ok((out != text).then_some(out))
    }
}

fn append(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Unapplied> {
    if out.len() + bytes.len() > MAX_RULE_BYTES {
        return Err(Unapplied::TooLong);
    }
    out.extend_from_slice(bytes);
    Ok(())
}

/// Groups are written `\1`, `\g<1>` or, as Oinkmaster has it, `${1}`; `\\` is a backslash.
fn replacement(text: Text<'_>, groups: usize) -> Result<Vec<Part>, Fault> {
    let (mut parts, mut plain, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(&byte) = text.bytes.get(at) {
        let rest = &text.bytes[at..];
        let (digits, length) = match rest {
            [b'\\', b'g', b'<', ..] => enclosed(rest, 3, b'>'),
            [b'$', b'{', ..] => enclosed(rest, 2, b'}'),
            [b'\\', digit, ..] if digit.is_ascii_digit() => {
                let count = rest[1..].iter().take(2).take_while(|b| b.is_ascii_digit()).count();
                (&rest[1..=count], count + 1)
            }
            _ => (&[][..], 0),
        };
        if length > 0 {
            let group = std::str::from_utf8(digits).ok().and_then(|d| d.parse::<usize>().ok());
            let Some(group) = group.filter(|group| *group < groups) else {
                let message = format!("the expression has {} groups, and this is none of them", groups - 1);
                return Err(text.sub(at, at + length).fault(message));
            };
            if !plain.is_empty() {
                parts.push(Part::Bytes(std::mem::take(&mut plain)));
            }
            parts.push(Part::Group(group));
            at += length;
            continue;
        }
        // Before anything else a backslash is one, as rules are full of them.
        at += if rest.starts_with(b"\\\\") { 2 } else { 1 };
        plain.push(byte);
    }
    if !plain.is_empty() {
        parts.push(Part::Bytes(plain));
    }
    Ok(parts)
}

/// What stands between `from` and the closing byte, and the length of all.
fn enclosed(rest: &[u8], from: usize, closing: u8) -> (&[u8], usize) {
    match memchr::memchr(closing, rest) {
        Some(end) => (&rest[from..end], end + 1),
        None => (&[], 0),
    }
}

/// A word with its quotes resolved, and where its text begins.
struct Word {
    bytes: Vec<u8>,
    at: usize,
}

/// Words as a POSIX shell divides them.
fn words(line: Text<'_>) -> Result<Vec<Word>, Fault> {
    let (mut words, mut at) = (Vec::new(), 0);
    let bytes = line.bytes;
    loop {
        at += bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let Some(&first) = bytes.get(at) else { return Ok(words) };
        let quoted = usize::from(first == b'"' || first == b'\'');
        let mut word = Word { bytes: Vec::new(), at: line.at + at + quoted };
        let mut quote: Option<(u8, usize)> = None;
        while let Some(&byte) = bytes.get(at) {
            let next = bytes.get(at + 1).copied();
            match (quote, byte) {
                (None, _) if byte.is_ascii_whitespace() => break,
                (None, b'"' | b'\'') => quote = Some((byte, at)),
                (Some((closing, _)), _) if byte == closing => quote = None,
                (None, b'\\') if next.is_some() => {
                    word.bytes.extend(next);
                    at += 1;
                }
                (Some((b'"', _)), b'\\') if matches!(next, Some(b'"' | b'\\')) => {
                    word.bytes.extend(next);
                    at += 1;
                }
                _ => word.bytes.push(byte),
            }
            at += 1;
        }
        if let Some((_, opened)) = quote {
            return Err(line.sub(opened, opened + 1).fault("this quote is never closed"));
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modified(line: &str, rule: &str) -> Option<String> {
        let (_, edit) = parse(Text::new(line.as_bytes(), 0)).unwrap();
        edit.apply(rule.as_bytes()).unwrap().map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn every_spelling_of_a_replacement_is_understood() {
        let rule = "drop tcp any any -> any any (noalert; sid:1;)";
        let expected = Some("alert tcp any any -> any any (noalert; sid:1;)".to_owned());
        for line in [
            "re:. ^drop alert",
            r#"re:. "^drop(.*)noalert(.*)" "alert\\1noalert\\2""#,
            r#"1 "^drop(.*)noalert(.*)" "alert\1noalert\2""#,
            r#"modifysid * "^drop(.*)noalert(.*)" | "alert${1}noalert${2}""#,
            r#"1 '^(drop)( .*)' 'alert\g<2>'"#,
        ] {
            assert_eq!(modified(line, rule), expected, "{line}");
        }
        assert_eq!(modified("re:. ^pass alert", rule), None);
        assert_eq!(modified("1 any $HOME_NET", "any any").as_deref(), Some("$HOME_NET $HOME_NET"));
        assert_eq!(modified("1 'b' '|5c|\\x'", "abc").as_deref(), Some("a|5c|\\xc"));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_pointed_at() {
        let table = [
            ("1 a", 0, format!("{FORM}; these are 2 words")),
            ("1 \"a b", 2, "this quote is never closed".to_owned()),
            ("1 (a) \\\\2", 6, "the expression has 1 groups, and this is none of them".to_owned()),
            ("x a b", 0, "`x` is no selector".to_owned()),
        ];
        for (line, at, message) in table {
            let fault = parse(Text::new(line.as_bytes(), 0)).unwrap_err();
            assert_eq!((fault.span.start, fault.message), (at, message), "{line}");
        }
    }
}
