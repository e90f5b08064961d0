//! Request lines and status lines, as servers and browsers take them apart.

/// Characters that end a word of such a line: space, and what servers take for it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

/// Takes the leading spaces, and tells whether one was another character than a plain space.
fn skip_space<'a>(text: &'a [u8], odd: &mut bool) -> &'a [u8] {
    let count = text.iter().take_while(|b| is_space(**b)).count();
    let (spaces, rest) = text.split_at(count);
    *odd |= spaces.iter().any(|b| *b != b' ');
    rest
}

fn word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|b| is_space(*b)).unwrap_or(text.len()))
}

/// The number of a protocol's version, `HTTP/1.1`, times ten.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// None was written: HTTP/0.9.
    #[default]
    None,
    Http09,
    Http10,
    Http11,
    Invalid,
}

impl Version {
    fn of(text: &[u8]) -> Version {
        if text.is_empty() {
            return Version::None;
        }
        let number = match text.get(..5) {
            Some(name) if name.eq_ignore_ascii_case(b"HTTP/") => text.get(5..).unwrap_or_default(),
            _ => return Version::Invalid,
        };
        // Servers read numbers: 1.01 is 1.1, and what stands around it is overlooked.
        let number = number.trim_ascii();
        match number {
            b"0.9" => Version::Http09,
            b"1.0" => Version::Http10,
            b"1.1" => Version::Http11,
            _ => Version::Invalid,
        }
    }
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) protocol: &'a [u8],
    pub(super) version: Version,
    pub(super) leading_space: bool,
    pub(super) odd_after_method: bool,
    pub(super) odd_after_uri: bool,
}

/// Method, target and protocol; spaces within the target are the target's, as long as a protocol ends the line.
pub(super) fn request_line(line: &[u8]) -> RequestLine<'_> {
    let mut found = RequestLine::default();
    let start = skip_space(line, &mut false);
    found.leading_space = start.len() < line.len();
    let (method, rest) = word(start);
    found.method = method;
    let rest = skip_space(rest, &mut found.odd_after_method);
    let end = rest.iter().rposition(|b| !is_space(*b)).map_or(0, |at| at + 1);
    let rest = rest.get(..end).unwrap_or_default();
    let last = rest.iter().rposition(|b| is_space(*b)).map_or(0, |at| at + 1);
    let (before, protocol) = rest.split_at(last);
    if last > 0 && protocol.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/")) {
        let end = before.iter().rposition(|b| !is_space(*b)).map_or(0, |at| at + 1);
        let (uri, spaces) = before.split_at(end);
        found.uri = uri;
        skip_space(spaces, &mut found.odd_after_uri);
        (found.protocol, found.version) = (protocol, Version::of(protocol));
    } else {
        found.uri = rest;
    }
    found
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StatusLine<'a> {
    pub(super) protocol: &'a [u8],
    pub(super) version: Version,
    pub(super) code: &'a [u8],
    /// `None`: no number of 100 to 999.
    pub(super) status: Option<u16>,
    pub(super) message: &'a [u8],
}

pub(super) fn status_line(line: &[u8]) -> StatusLine<'_> {
    let start = line.iter().take_while(|b| is_space(**b) || **b == 0).count();
    let (protocol, rest) = word(line.get(start..).unwrap_or_default());
    let (code, rest) = word(skip_space(rest, &mut false));
    let message = skip_space(rest, &mut false);
    let end = message.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |at| at + 1);
    let status = std::str::from_utf8(code).ok().and_then(|code| code.parse::<u16>().ok());
    StatusLine {
        protocol,
        version: Version::of(protocol),
        code,
        status: status.filter(|status| (100..=999).contains(status)),
        message: message.get(..end).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> (String, String, String) {
        let found = request_line(line.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(found.method), text(found.uri), text(found.protocol))
    }

    fn three(a: &str, b: &str, c: &str) -> (String, String, String) {
        (a.into(), b.into(), c.into())
    }

    #[test]
    fn request_lines_are_taken_apart_in_every_spelling() {
        assert_eq!(parts("GET / HTTP/1.1"), three("GET", "/", "HTTP/1.1"));
        assert_eq!(parts("  GET\t\x0b/a  http/1.0 "), three("GET", "/a", "http/1.0"));
        assert_eq!(parts("GET /uri after HTTP/1.1"), three("GET", "/uri after", "HTTP/1.1"));
        assert_eq!(parts("GET /uri after"), three("GET", "/uri after", ""));
        assert_eq!(parts("GET /"), three("GET", "/", ""));
        assert_eq!(parts("GET"), three("GET", "", ""));
        assert_eq!(parts("GET HTTP/1.1"), three("GET", "HTTP/1.1", ""));
        assert_eq!(parts(""), three("", "", ""));
        let odd = request_line(b" GET\t/\x0cHTTP/1.1");
        assert!(odd.leading_space && odd.odd_after_method && odd.odd_after_uri);
        assert_eq!(odd.version, Version::Http11);
        assert_eq!(request_line(b"GET / HTTP/3.7").version, Version::Invalid);
    }

    #[test]
    fn status_lines_are_taken_apart_in_every_spelling() {
        let found = status_line(b"\0 HTTP/1.1 \t200  all  right");
        assert_eq!((found.protocol, found.code), (b"HTTP/1.1".as_slice(), b"200".as_slice()));
        assert_eq!((found.status, found.message), (Some(200), b"all  right".as_slice()));
        assert_eq!(status_line(b"HTTP/1.1").status, None);
        assert_eq!(status_line(b"HTTP/1.1 2\x0000 ok").status, None);
        assert_eq!(status_line(b"HTTP/1.1 0204").status, Some(204));
        assert_eq!(status_line(b"HTTP/1.1 99").status, None);
        assert_eq!(status_line(b"ICY 200 ok").version, Version::Invalid);
    }
}
