//! Request targets: their parts, and the form in which http.uri has them.
//!
//! As Suricata's stock configuration normalises: the path is decoded once (`%2f`, `%u002f`, overlong UTF-8), backslashes
//! are slashes, runs of slashes one, dot segments gone; the query is decoded once and else left as it is. Scheme, user
//! and host are not part of it.

/// A target's parts, as they stand.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Of an absolute target, or of CONNECT's: host, with port where there is one, without a user.
    pub(super) authority: Option<&'a [u8]>,
    pub(super) path: &'a [u8],
    pub(super) query: Option<&'a [u8]>,
    pub(super) fragment: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// `connect`: the target is an authority and nothing else.
    pub(super) fn of(uri: &'a [u8], connect: bool) -> Target<'a> {
        if connect && uri.first() != Some(&b'/') {
            return Target { authority: Some(uri), ..Target::default() };
        }
        let (authority, rest) = split_scheme(uri);
        let (rest, fragment) = cut(rest, b'#');
        let (path, query) = cut(rest, b'?');
        Target { authority, path, query, fragment }
    }

    /// Appends the normalised form; how many bytes of it are the path.
    pub(super) fn append_normal(&self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        decode_path(self.path, out);
        remove_dots(out, start);
        let path = out.len() - start;
        if let Some(query) = self.query {
            out.push(b'?');
            decode(query, out);
        }
        if let Some(fragment) = self.fragment {
            out.push(b'#');
            decode(fragment, out);
        }
        path
    }
}

fn split_scheme(uri: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let scheme = uri.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
    let after = uri.get(scheme..).unwrap_or_default();
    let Some(rest) = after.strip_prefix(b"://").filter(|_| scheme > 0) else { return (None, uri) };
    let end = rest.iter().position(|b| b"/?#\\".contains(b)).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.iter().rposition(|b| *b == b'@').map_or(0, |at| at + 1);
    (authority.get(host..), path)
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(found) => (text.get(..found).unwrap_or_default(), text.get(found + 1..)),
        None => (text, None),
    }
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    byte.and_then(|b| char::from(*b).to_digit(16)).map(|d| d as u8)
}

/// The byte that `%xx` at the start of the text stands for.
fn escaped(text: &[u8]) -> Option<u8> {
    Some(hex(text.get(1))? << 4 | hex(text.get(2))?)
}

/// What `%uxxxx` at the start of the text stands for, by the best fit of one byte.
fn escaped_wide(text: &[u8]) -> Option<u8> {
    if !matches!(text.get(1), Some(b'u' | b'U')) {
        return None;
    }
    let digits = text.get(2..6)?;
    let mut code = 0_u32;
    for digit in digits {
        code = code << 4 | u32::from(hex(Some(digit))?);
    }
    Some(best_fit(code))
}

/// Windows maps full-width letters to the plain ones; others that one byte has no room for to `?`.
fn best_fit(code: u32) -> u8 {
    match code {
        0..=0xff => code as u8,
        0xff01..=0xff5e => (code - 0xff01 + 0x21) as u8,
        0x2044 | 0x2215 => b'/',
        0x2216 => b'\\',
        0x2024 => b'.',
        _ => b'?',
    }
}

/// Decodes `%xx` once. What is no escape stays.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        let (byte, len) = escaped(rest).map_or((b'%', 1), |byte| (byte, 3));
        out.push(byte);
        rest = rest.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn decode_path(path: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        let rest = path.get(at..).unwrap_or_default();
        let (byte, len) = match byte {
            b'%' => escaped(rest)
                .map(|b| (b, 3))
                .or_else(|| escaped_wide(rest).map(|b| (b, 6)))
                .unwrap_or((byte, 1)),
            _ => (byte, 1),
        };
        at += len;
        push_path(byte, start, out);
    }
}

/// Appends a decoded byte of a path: overlong UTF-8 becomes the letter it hides, backslashes slashes, and a slash behind
/// a slash goes.
fn push_path(byte: u8, start: usize, out: &mut Vec<u8>) {
    let before = out.get(start..).unwrap_or_default();
    let (byte, hidden) = match (before, byte) {
        ([.., lead @ 0xc0..=0xc1], 0x80..=0xbf) => ((lead & 1) << 6 | byte & 0x3f, 1),
        ([.., 0xe0, mid @ 0x80..=0x81], 0x80..=0xbf) => ((mid & 1) << 6 | byte & 0x3f, 2),
        _ => (byte, 0),
    };
    out.truncate(out.len() - hidden);
    let byte = if byte == b'\\' { b'/' } else { byte };
    if byte == b'/' && out.len() > start && out.last() == Some(&b'/') {
        return;
    }
    out.push(byte);
}

/// RFC 3986 section 5.2.4, in place on `out[start..]`.
fn remove_dots(out: &mut Vec<u8>, start: usize) {
    let mut write = start;
    let mut read = start;
    let absolute = out.get(start) == Some(&b'/');
    while read < out.len() {
        let segment = out.get(read..).unwrap_or_default();
        let slash = usize::from(segment.first() == Some(&b'/'));
        let name = segment.get(slash..).unwrap_or_default();
        let len = memchr::memchr(b'/', name).unwrap_or(name.len());
        let last = read + slash + len >= out.len();
        match name.get(..len).unwrap_or_default() {
            b"." | b".." if slash + read == start && !absolute => {}
            b"." if last && slash == 1 => {
                out.copy_within(read..read + 1, write);
                write += 1;
            }
            b"." => {}
            b".." => {
                let kept = out.get(start..write).unwrap_or_default();
                write = start + memchr::memrchr(b'/', kept).unwrap_or(0);
                if last && slash == 1 {
                    if let Some(byte) = out.get_mut(write) {
                        *byte = b'/';
                    }
                    write += 1;
                }
            }
            _ => {
                out.copy_within(read..read + slash + len, write);
                write += slash + len;
            }
        }
        read += slash + len;
        // A relative path that began with dots goes on behind their slash.
        if write == start && !absolute && out.get(read) == Some(&b'/') {
            read += 1;
        }
    }
    out.truncate(write);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(uri: &str) -> String {
        let mut out = b"before".to_vec();
        Target::of(uri.as_bytes(), false).append_normal(&mut out);
        String::from_utf8_lossy(&out[6..]).into_owned()
    }

    #[test]
    fn paths_are_normalised() {
        for (uri, wanted) in [
            ("/a/b", "/a/b"),
            ("/", "/"),
            ("", ""),
            ("*", "*"),
            ("/a%20b", "/a b"),
            ("/a//b///c", "/a/b/c"),
            ("/../a/b/../c/./d.html", "/a/c/d.html"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/..", "/"),
            ("/a/...", "/a/..."),
            ("/a\\b", "/a/b"),
            ("/a%2fb%5Cc", "/a/b/c"),
            ("/a%2e%2e/b", "/a../b"),
            ("/a/%2e%2e/b", "/b"),
            ("/%u0041%uff0fb%u4f60", "/A/b?"),
            ("/a%c0%afb%e0%80%af..", "/a/"),
            ("/%zz%4", "/%zz%4"),
            ("/%2541", "/%41"),
            ("http://user@host:80/a/../b?c=/../d#e", "/b?c=/../d#e"),
            ("HTTP://host", ""),
            ("/x?a=%41%2541+b//c\\", "/x?a=A%41+b//c\\"),
            ("../a", "a"),
            ("a/../b", "b"),
        ] {
            assert_eq!(normal(uri), wanted, "{uri}");
        }
    }

    #[test]
    fn targets_have_their_parts() {
        let target = Target::of(b"http://u:p@Example.com:8080/a?b#c", false);
        assert_eq!(target.authority, Some(b"Example.com:8080".as_slice()));
        assert_eq!(
            (target.path, target.query, target.fragment),
            (b"/a".as_slice(), Some(b"b".as_slice()), Some(b"c".as_slice()))
        );
        assert_eq!(Target::of(b"h:443", true).authority, Some(b"h:443".as_slice()));
        assert_eq!(Target::of(b"/x?u=http://y/", false).authority, None);
    }

    proptest::proptest! {
        #[test]
        fn normalising_never_grows(uri in proptest::collection::vec(proptest::sample::select(b"/.%25c0afu\\?#a".as_slice()), 0..60)) {
            let mut out = Vec::new();
            Target::of(&uri, false).append_normal(&mut out);
            proptest::prop_assert!(out.len() <= uri.len());
        }
    }
}
