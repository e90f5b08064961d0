//! Parameters of field values: `form-data; name="a"; filename=b`.

/// The parameter of that name, in lower case, without quotes. A backslash in quotes stands for itself, as browsers that
/// send whole paths mean it.
pub(super) fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = value;
    while let Some(at) = rest.iter().position(|b| matches!(b, b';' | b'"')) {
        let quoted = rest.get(at) == Some(&b'"');
        rest = rest.get(at + 1..).unwrap_or_default();
        if quoted {
            // A quoted string that is no parameter's, or of one that was passed.
            let end = memchr::memchr(b'"', rest).map_or(rest.len(), |at| at + 1);
            rest = rest.get(end..).unwrap_or_default();
            continue;
        }
        let text = rest.trim_ascii_start();
        let key = text.iter().take_while(|b| !matches!(b, b'=' | b';' | b'"')).count();
        let (key, after) = text.split_at(key);
        if let Some(found) =
            after.strip_prefix(b"=").filter(|_| key.trim_ascii_end().eq_ignore_ascii_case(name))
        {
            return Some(unquoted(found.trim_ascii_start()));
        }
    }
    None
}

fn unquoted(text: &[u8]) -> &[u8] {
    match text.strip_prefix(b"\"") {
        Some(inner) => inner.get(..memchr::memchr(b'"', inner).unwrap_or(inner.len())).unwrap_or_default(),
        None => {
            let end = text.iter().position(|b| matches!(b, b';' | b'\r' | b'\n')).unwrap_or(text.len());
            text.get(..end).unwrap_or_default().trim_ascii_end()
        }
    }
}

/// A file's name by Content-Disposition: `filename`, or else `filename*` without its character set.
pub(super) fn file_name(disposition: &[u8]) -> Option<&[u8]> {
    parameter(disposition, b"filename").or_else(|| {
        let extended = parameter(disposition, b"filename*")?;
        Some(extended.rsplit(|b| *b == b'\'').next().unwrap_or(extended))
    })
}

/// The first and last byte that a Content-Range names: `bytes 0-4/10`, or of an unknown whole, `bytes 0-4/*`.
pub(in crate::app) fn byte_range(value: &[u8]) -> Option<(u64, u64)> {
    let number = |text: &[u8]| std::str::from_utf8(text.trim_ascii()).ok()?.parse::<u64>().ok();
    let (unit, range) = value.split_at_checked(5)?;
    let mut parts = range.splitn(2, |b| *b == b'/');
    let (span, whole) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default().trim_ascii());
    let mut ends = span.splitn(2, |b| *b == b'-').map(number);
    let (start, end) = (ends.next()??, ends.next()??);
    let inside = whole == b"*" || number(whole).is_some_and(|whole| end < whole);
    (unit.eq_ignore_ascii_case(b"bytes") && start <= end && inside).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_quoted_and_not() {
        let value = br#"form-data; name="a;filename=x"; FileName = "c:\d e.txt"; x=1"#;
        assert_eq!(file_name(value), Some(br"c:\d e.txt".as_slice()));
        assert_eq!(parameter(value, b"x"), Some(b"1".as_slice()));
        assert_eq!(parameter(b"multipart/form-data; boundary=--ab ", b"boundary"), Some(b"--ab".as_slice()));
        assert_eq!(file_name(b"attachment; filename*=UTF-8''n.txt"), Some(b"n.txt".as_slice()));
        assert_eq!(file_name(b"attachment"), None);
        assert_eq!(file_name(b"attachment; filename=\""), Some(b"".as_slice()));
    }
}
