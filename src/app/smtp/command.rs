//! What a client's line asks for (RFC 5321, 4.1; RFC 3030; RFC 3207).

/// A command whose reply is waited for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Helo,
    Mail,
    Rcpt,
    Data,
    /// Not a line of its own: the message that DATA announced is over.
    EndOfData,
    /// So many bytes of message follow.
    Bdat {
        size: u64,
        last: bool,
    },
    /// Its size is no number.
    BrokenBdat,
    StartTls,
    Rset,
    Quit,
    Noop,
    Other,
}

impl Command {
    /// The command, and its argument.
    pub fn parse(line: &[u8]) -> (Command, &[u8]) {
        let line = line.trim_ascii();
        let end = line.iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(line.len());
        let (verb, argument) = line.split_at(end);
        let argument = argument.trim_ascii();
        let is = |name: &[u8]| verb.eq_ignore_ascii_case(name);
        let command = match verb.len() {
            4 if is(b"EHLO") || is(b"HELO") || is(b"LHLO") => Command::Helo,
            4 if is(b"MAIL") => return (Command::Mail, after_word(argument, b"FROM")),
            4 if is(b"RCPT") => return (Command::Rcpt, after_word(argument, b"TO")),
            4 if is(b"DATA") => Command::Data,
            4 if is(b"BDAT") => bdat(argument),
            4 if is(b"RSET") => Command::Rset,
            4 if is(b"QUIT") => Command::Quit,
            4 if is(b"NOOP") => Command::Noop,
            8 if is(b"STARTTLS") => Command::StartTls,
            _ => Command::Other,
        };
        (command, argument)
    }

    /// Whether RFC 2920 lets other commands follow before its reply has come.
    pub fn may_be_followed(self) -> bool {
        !matches!(self, Command::Helo | Command::Data | Command::StartTls | Command::Quit)
    }
}

fn bdat(argument: &[u8]) -> Command {
    let mut words = argument.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let size = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
    let last = words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"LAST"));
    size.map_or(Command::BrokenBdat, |size| Command::Bdat { size, last })
}

/// What follows `FROM:` or `TO:`; blanks around, or a colon that is missing, do not matter.
fn after_word<'a>(argument: &'a [u8], word: &[u8]) -> &'a [u8] {
    let Some((start, rest)) = argument.split_at_checked(word.len()) else { return &[] };
    if !start.eq_ignore_ascii_case(word) {
        return &[];
    }
    let rest = rest.trim_ascii_start();
    rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start()
}

/// The mailbox that a path begins with, in its angle brackets if it has them.
pub fn mailbox(argument: &[u8]) -> &[u8] {
    let end = match argument.first() {
        Some(b'<') => argument.iter().position(|b| *b == b'>').map(|at| at + 1),
        _ => argument.iter().position(u8::is_ascii_whitespace),
    };
    argument.get(..end.unwrap_or(argument.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_as_clients_write_them() {
        assert_eq!(Command::parse(b"EHLO host"), (Command::Helo, &b"host"[..]));
        assert_eq!(Command::parse(b"mail from:<a@b> SIZE=3"), (Command::Mail, &b"<a@b> SIZE=3"[..]));
        assert_eq!(Command::parse(b"MAIL FROM : <a@b>"), (Command::Mail, &b"<a@b>"[..]));
        assert_eq!(Command::parse(b"RCPT TO <a@b>"), (Command::Rcpt, &b"<a@b>"[..]));
        assert_eq!(Command::parse(b"MAIL"), (Command::Mail, &b""[..]));
        assert_eq!(Command::parse(b"BDAT 12 LAST").0, Command::Bdat { size: 12, last: true });
        assert_eq!(Command::parse(b"BDAT 0").0, Command::Bdat { size: 0, last: false });
        assert_eq!(Command::parse(b"BDAT 99999999999999999999 LAST").0, Command::BrokenBdat);
        assert_eq!(Command::parse(b" starttls ").0, Command::StartTls);
        assert_eq!(Command::parse(b"").0, Command::Other);
    }

    #[test]
    fn mailboxes_end_before_parameters() {
        assert_eq!(mailbox(b"<a b@c> SIZE=1"), b"<a b@c>");
        assert_eq!(mailbox(b"a@c SIZE=1"), b"a@c");
        assert_eq!(mailbox(b"<>"), b"<>");
        assert_eq!(mailbox(b"<never"), b"<never");
    }
}
