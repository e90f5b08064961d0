//! POP3's commands (RFC 1939, 2449, 2595, 5034, 6856).

/// What is asked of the answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A line.
    Line,
    /// Lines up to a dot, if it succeeds.
    Lines,
    /// The same, and they are a mail.
    Mail,
    /// Challenges come before it, which the client answers.
    Challenges,
    /// TLS begins if it succeeds.
    Tls,
}

/// Names, and how many arguments each takes.
const COMMANDS: &[(&[u8], usize, usize)] = &[
    (b"USER", 1, 1),
    // A password may have spaces.
    (b"PASS", 0, usize::MAX),
    (b"APOP", 2, 2),
    (b"AUTH", 0, 2),
    (b"STAT", 0, 0),
    (b"LIST", 0, 1),
    (b"RETR", 1, 1),
    (b"DELE", 1, 1),
    (b"NOOP", 0, 0),
    (b"RSET", 0, 0),
    (b"QUIT", 0, 0),
    (b"TOP", 2, 2),
    (b"UIDL", 0, 1),
    (b"CAPA", 0, 0),
    (b"STLS", 0, 0),
    (b"UTF8", 0, 0),
    (b"LANG", 0, 1),
];

#[derive(Copy, Clone, Debug)]
pub struct Command<'a> {
    pub name: &'a [u8],
    args: &'a [u8],
}

impl<'a> Command<'a> {
    pub fn parse(line: &'a [u8]) -> Command<'a> {
        let line = line.trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (name, args) = line.split_at(end);
        Command { name, args: args.trim_ascii() }
    }

    pub fn args(&self) -> impl Iterator<Item = &'a [u8]> {
        self.args.split(u8::is_ascii_whitespace).filter(|arg| !arg.is_empty())
    }

    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The event that its form deserves.
    pub fn fault(&self) -> Option<&'static str> {
        let known = COMMANDS.iter().find(|(name, ..)| self.is(name));
        match known {
            None => Some("pop3.unknown_command"),
            Some((_, least, most)) if !(*least..=*most).contains(&self.args().count()) => {
                Some("pop3.incorrect_argument_count")
            }
            Some(_) => None,
        }
    }

    pub fn answer(&self) -> Answer {
        let bare = self.args.is_empty();
        if self.is(b"RETR") || self.is(b"TOP") {
            Answer::Mail
        } else if self.is(b"CAPA")
            || bare && [&b"LIST"[..], b"UIDL", b"AUTH", b"LANG"].iter().any(|name| self.is(name))
        {
            Answer::Lines
        } else if self.is(b"AUTH") {
            Answer::Challenges
        } else if self.is(b"STLS") {
            Answer::Tls
        } else {
            Answer::Line
        }
    }
}
