//! Fields of a part's header that say what the part is: types and their parameters (RFC 2045, 5; RFC 2183; RFC 2231).

use arrayvec::ArrayVec;

/// A parameter's value is cut here.
pub const MAX_VALUE: usize = 255;

/// A parameter's value without its quotes.
pub type Value = ArrayVec<u8, MAX_VALUE>;

/// What stands before the first `;`: `multipart/mixed`, `attachment`.
pub fn word(value: &[u8]) -> &[u8] {
    value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii()
}

/// Whether `value` is longer than [`MAX_VALUE`]: what [`parameter`] gives is its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub value: Value,
    pub cut: bool,
}

/// The parameter of that name, which is in lower case. One in pieces (`name*0=..; name*1=..`) is put together, one with
/// a character set (`name*=utf-8''..`) has it taken off and its escapes undone.
pub fn parameter(field: &[u8], name: &[u8]) -> Option<Found> {
    let mut found: Option<Found> = None;
    let mut rest = skip_to_semicolon(field);
    while !rest.is_empty() {
        let (key, value, later) = next_parameter(rest);
        rest = later;
        let Some(kind) = match_name(key, name) else { continue };
        match kind {
            Kind::Plain if found.is_none() => found = Some(plain(value)),
            // An extended form is more telling than a plain one before it.
            Kind::Extended => found = Some(extended(value)),
            Kind::Piece { first, extended: escaped } => {
                let piece = match (first, escaped) {
                    (true, true) => extended(value),
                    (false, true) => unescape(value),
                    _ => plain(value),
                };
                match &mut found {
                    Some(whole) if !first => append(whole, &piece.value, piece.cut),
                    _ => found = Some(piece),
                }
            }
            Kind::Plain => {}
        }
    }
    found
}

enum Kind {
    Plain,
    Extended,
    Piece { first: bool, extended: bool },
}

fn match_name(key: &[u8], name: &[u8]) -> Option<Kind> {
    let (base, star) = key.split_at_checked(name.len())?;
    if !base.eq_ignore_ascii_case(name) {
        return None;
    }
    match star {
        [] => Some(Kind::Plain),
        b"*" => Some(Kind::Extended),
        [b'*', number @ ..] => {
            let (digits, extended) = match number.split_last() {
                Some((b'*', digits)) => (digits, true),
                _ => (number, false),
            };
            let number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            number.then(|| Kind::Piece { first: digits.iter().all(|b| *b == b'0'), extended })
        }
        _ => None,
    }
}

/// Behind the next `;` that is not quoted.
fn skip_to_semicolon(bytes: &[u8]) -> &[u8] {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return bytes.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    &[]
}

fn next_parameter(bytes: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let later = skip_to_semicolon(bytes);
    let this = bytes.get(..bytes.len() - later.len()).unwrap_or_default();
    let this = this.strip_suffix(b";").unwrap_or(this);
    let at = memchr::memchr(b'=', this).unwrap_or(this.len());
    let (key, value) = this.split_at(at);
    (key.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii(), later)
}

fn append(whole: &mut Found, more: &[u8], cut: bool) {
    for &byte in more {
        whole.cut |= whole.value.try_push(byte).is_err();
    }
    whole.cut |= cut;
}

fn empty() -> Found {
    Found { value: Value::new(), cut: false }
}

/// Quotes and backslashes taken off.
fn plain(value: &[u8]) -> Found {
    let mut found = empty();
    let Some(quoted) = value.strip_prefix(b"\"") else {
        append(&mut found, value, false);
        return found;
    };
    let mut bytes = quoted.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => match bytes.next() {
                Some(b'"') => append(&mut found, b"\"", false),
                Some(b'\\') => append(&mut found, b"\\", false),
                // Paths of Windows come with backslashes that escape nothing.
                Some(&other) => append(&mut found, &[b'\\', other], false),
                None => append(&mut found, b"\\", false),
            },
            other => append(&mut found, &[other], false),
        }
    }
    found
}

/// `charset'language'value`.
fn extended(value: &[u8]) -> Found {
    let mut parts = value.splitn(3, |b| *b == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some(text)) => unescape(text),
        _ => unescape(value),
    }
}

fn unescape(value: &[u8]) -> Found {
    let mut found = empty();
    let value = plain(value);
    found.cut = value.cut;
    let mut rest: &[u8] = &value.value;
    while let Some((&byte, later)) = rest.split_first() {
        let digits = later.get(..2).and_then(|d| std::str::from_utf8(d).ok());
        match (byte, digits.and_then(|d| u8::from_str_radix(d, 16).ok())) {
            (b'%', Some(byte)) => {
                append(&mut found, &[byte], false);
                rest = later.get(2..).unwrap_or_default();
            }
            _ => {
                append(&mut found, &[byte], false);
                rest = later;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(field: &str, name: &str) -> Option<String> {
        parameter(field.as_bytes(), name.as_bytes()).map(|f| String::from_utf8_lossy(&f.value).into_owned())
    }

    #[test]
    fn parameters_are_found_as_senders_write_them() {
        let some = |text: &str| Some(text.to_string());
        assert_eq!(text("attachment; filename=\"a b.txt\"", "filename"), some("a b.txt"));
        assert_eq!(text("attachment;filename = a.txt ; size=3", "filename"), some("a.txt"));
        assert_eq!(
            text("x; FileName=\"semi;colon \\\"q\\\".exe\"", "filename"),
            some("semi;colon \"q\".exe")
        );
        assert_eq!(text("x; filename=\"C:\\dir\\a.txt\"", "filename"), some("C:\\dir\\a.txt"));
        assert_eq!(text("x; filename=\"never closed.txt", "filename"), some("never closed.txt"));
        assert_eq!(text("x; filename*=utf-8''na%20me.txt", "filename"), some("na me.txt"));
        assert_eq!(text("x; filename*0=\"one\"; filename*1=\"two.txt\"", "filename"), some("onetwo.txt"));
        assert_eq!(text("x; filename*0*=''a%20; filename*1*=b%21", "filename"), some("a b!"));
        assert_eq!(text("x; filenames=a", "filename"), None);
        assert_eq!(text("attachment", "filename"), None);
        assert_eq!(word(b" multipart/Mixed ; boundary=x"), b"multipart/Mixed");
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        let field = format!("x; boundary=\"{}\"", "b".repeat(300));
        let found = parameter(field.as_bytes(), b"boundary").unwrap();
        assert_eq!((found.value.len(), found.cut), (MAX_VALUE, true));
    }
}
