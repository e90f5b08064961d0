//! What a line says: a command, an answer, and whether bytes that are no lines follow it (RFC 9051, 2.2 and 4.3).

/// Commands that are told apart.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Append,
    Authenticate,
    StartTls,
    Other,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// The server waits for more.
    More,
    /// Said of no command in particular.
    Untagged,
    /// A command is done.
    Tagged { tag: &'a [u8], ok: bool },
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A command's tag, and which it is.
pub(super) fn request(text: &[u8]) -> Option<(&[u8], Command)> {
    let mut words = words(text);
    let (tag, name) = (words.next()?, words.next()?);
    let is_tag = tag.iter().all(|byte| byte.is_ascii_graphic() && !br#"(){%*"\+"#.contains(byte));
    let is_name = name.iter().all(u8::is_ascii_alphabetic);
    let commands: [(&[u8], Command); 3] = [
        (b"APPEND", Command::Append),
        (b"AUTHENTICATE", Command::Authenticate),
        (b"STARTTLS", Command::StartTls),
    ];
    let known = commands.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    (is_tag && is_name).then(|| (tag, known.map_or(Command::Other, |(_, command)| *command)))
}

pub(super) fn answer(text: &[u8]) -> Answer<'_> {
    let mut words = words(text);
    match (words.next(), words.next()) {
        (Some([b'+', ..]), _) => Answer::More,
        (Some(b"*"), _) | (None, _) | (_, None) => Answer::Untagged,
        (Some(tag), Some(status)) => {
            let is = |word: &&[u8]| word.eq_ignore_ascii_case(status);
            let known: [&[u8]; 3] = [b"OK", b"NO", b"BAD"];
            match known.iter().position(is) {
                Some(at) => Answer::Tagged { tag, ok: at == 0 },
                None => Answer::Untagged,
            }
        }
    }
}

/// The line without the announcement of a literal at its end, and the literal's length: `{310}`, or `{310+}` where the client does
/// not wait to be asked for it.
fn split_literal(text: &[u8]) -> Option<(&[u8], u64)> {
    let inner = text.strip_suffix(b"}")?;
    let at = memchr::memrchr(b'{', inner)?;
    let (before, digits) = (inner.get(..at)?, inner.get(at + 1..)?);
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    Some((before.trim_ascii_end(), std::str::from_utf8(digits).ok()?.parse().ok()?))
}

/// Bytes that follow the line and are no lines.
pub(super) fn announced(text: &[u8]) -> Option<u64> {
    split_literal(text).map(|(_, len)| len).filter(|len| *len > 0)
}

/// Whether the literal that follows is a message, or the header of one (RFC 9051, 7.5.2).
pub(super) fn gives_mail(text: &[u8]) -> bool {
    let Some((before, _)) = split_literal(text) else { return false };
    let upper = before.to_ascii_uppercase();
    let section = memchr::memmem::rfind(&upper, b"BODY[").and_then(|at| upper.get(at + 5..));
    match section {
        Some(section) => section.starts_with(b"]") || section.starts_with(b"HEADER"),
        None => upper.ends_with(b"RFC822") || upper.ends_with(b"RFC822.HEADER"),
    }
}
