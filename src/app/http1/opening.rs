//! What a line says that stands where a status line belongs.

/// A line of junk longer than this is content.
const MAX_JUNK: usize = 256;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// It begins as a status line does.
    Status,
    /// It is too short to tell.
    Undecided,
    Blank,
    Junk,
    /// Junk that is too long for a line that anyone overlooks.
    TooMuch,
}

pub(super) fn opening(line: &[u8], whole: bool) -> Opening {
    const NAME: &[u8] = b"HTTP";
    let blank = line.iter().take_while(|b| b.is_ascii_whitespace() || matches!(b, 0 | 0x0b)).count();
    let text = line.get(blank..).unwrap_or_default();
    if text.is_empty() {
        return if blank > MAX_JUNK { Opening::TooMuch } else { Opening::Blank };
    }
    let seen = text.get(..NAME.len()).unwrap_or(text);
    match NAME.get(..seen.len()).is_some_and(|name| name.eq_ignore_ascii_case(seen)) {
        true if seen.len() == NAME.len() => Opening::Status,
        true if !whole => Opening::Undecided,
        _ if line.len() > MAX_JUNK => Opening::TooMuch,
        _ => Opening::Junk,
    }
}
