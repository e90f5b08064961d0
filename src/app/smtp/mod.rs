//! SMTP (RFC 5321) and what extends it: pipelining (RFC 2920), chunks (RFC 3030), TLS (RFC 3207), LMTP's greeting.
//!
//! A transaction is a mail: from the first command that concerns it to the reply that takes or refuses it. Replies find their
//! commands by order. Lines end with LF, with or without CR, also that of the dot which ends a message.

mod command;
mod mail;
mod reply;
#[cfg(test)]
mod tests;

use super::entry::{Entry, NO_STATES};
use super::{Decoder, Greeting, Line, Lines, Next, Probe, Sink, TxId, text};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use command::{Command, mailbox};
use mail::Mail;
use std::collections::VecDeque;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Smtp,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Smtp>::default()),
    stage: mail::stage,
    states: NO_STATES,
};

const HELO: BufferId = context::id("smtp.helo");
const MAIL_FROM: BufferId = context::id("smtp.mail_from");
const RCPT_TO: BufferId = context::id("smtp.rcpt_to");
const COMMAND_LINE: BufferId = context::id("smtp.command_line");

/// A line is kept so far; what is longer is cut, and an event. Suricata's limit.
const MAX_LINE: usize = 4096;
/// RFC 5321, 4.5.3.1.4 and 4.5.3.1.5, without the line's end: longer ones are an event.
const MAX_COMMAND: usize = 510;
const MAX_REPLY: usize = 510;
/// Commands that wait for their replies; the oldest is forgotten beyond.
const MAX_PENDING: usize = 1024;
/// A client's name is kept so far.
const MAX_HELO: usize = 255;

/// What the client's next bytes are.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Commands,
    /// A message, up to the line with nothing but a dot.
    Message,
    /// So many more bytes of a message.
    Chunk { left: u64, last: bool },
}

#[derive(Debug, Default)]
struct Smtp {
    lines: PerDir<Lines>,
    /// Lines of a message that comes in chunks.
    chunk_lines: Lines,
    mode: Mode,
    mail: Mail,
    /// A message is under way, and its mail knows.
    in_mail: bool,
    /// The transaction of the mail under way.
    tx: Option<TxId>,
    /// Of that transaction: MAIL came.
    has_sender: bool,
    helo: Vec<u8>,
    banner: Greeting,
    pending: VecDeque<(Command, Option<TxId>)>,
    /// The server's first reply came.
    greeted: bool,
    /// Bytes of the message are missing: the dot may be among them.
    lost: bool,
    /// Bytes of the client are missing: there may have been commands among them.
    gapped: bool,
}

impl Decoder for Smtp {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut rest = bytes;
        let mut lines = std::mem::take(&mut self.lines[dir]);
        let next = match dir {
            Dir::ToServer => self.client(&mut lines, &mut rest, sink),
            Dir::ToClient => self.server(&mut lines, &mut rest, sink),
        };
        self.lines[dir] = lines;
        match next {
            Next::Change { to, .. } => Next::Change { consumed: bytes.len() - rest.len(), to },
            next => next,
        }
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        self.lines[dir].clear();
        if dir == Dir::ToClient {
            return Next::More;
        }
        self.gapped = true;
        if self.in_mail {
            self.lost = true;
            let limits = sink.limits;
            self.mail.gap(self.tx.and_then(|id| sink.tx(id)), limits);
        }
        if let Mode::Chunk { left, last } = self.mode {
            self.chunk_lines.clear();
            self.mode = Mode::Chunk { left: left.saturating_sub(missing), last };
            if missing > left {
                self.mode = Mode::Commands;
            }
        }
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        if dir == Dir::ToServer && self.in_mail {
            self.end_mail(false, sink);
        }
        for id in self.pending.iter().filter_map(|(_, id)| *id).chain(self.tx) {
            if let Some(tx) = sink.tx(id) {
                tx.complete(dir);
            }
        }
    }

    fn reset(&mut self) {
        let Smtp { lines, chunk_lines, pending, helo, mail, banner, .. } = std::mem::take(self);
        *self = Smtp { lines, chunk_lines, pending, helo, mail, banner, ..Smtp::default() };
        Dir::BOTH.into_iter().for_each(|dir| self.lines[dir].reset());
        self.chunk_lines.reset();
        self.helo.clear();
        self.banner.reset();
        self.pending.clear();
        self.pending.shrink_to(64);
    }
}

impl Smtp {
    fn client(&mut self, lines: &mut Lines, rest: &mut &[u8], sink: &mut Sink<'_>) -> Next {
        loop {
            if let Mode::Chunk { left, last } = self.mode {
                if left == 0 {
                    self.chunk_end(last, sink);
                } else if rest.is_empty() {
                    return Next::More;
                } else {
                    self.chunk(left, last, rest, sink);
                }
                continue;
            }
            // The server's consent to TLS was not seen: a handshake speaks for itself.
            if self.mode == Mode::Commands
                && lines.at_start()
                && rest.first() == Some(&0x16)
                && self.waits_for(Command::StartTls)
            {
                return Next::Change { consumed: 0, to: Some(AppProto::Tls) };
            }
            let Some(line) = lines.next(rest, MAX_LINE) else { return Next::More };
            match self.mode {
                Mode::Message => self.message_line(line, sink),
                _ => self.command_line(&line, sink),
            }
        }
    }

    fn message_line(&mut self, mut line: Line<'_>, sink: &mut Sink<'_>) {
        if line.first && line.last() && line.text == b"." {
            self.mode = Mode::Commands;
            let tx = self.tx;
            self.end_mail(true, sink);
            self.wait_for(Command::EndOfData, tx);
            return;
        }
        if self.greeted && !self.mail.has_begun() && self.waits_for(Command::Data) {
            self.event("smtp.invalid_pipelined_sequence", Dir::ToServer, sink);
        }
        // The dot that a client puts before one at a line's start.
        if line.first
            && let Some(text) = line.text.strip_prefix(b".")
        {
            line.text = text;
        }
        let limits = sink.limits;
        self.mail.line(&line, self.tx.and_then(|id| sink.tx(id)), limits);
    }

    fn chunk(&mut self, left: u64, last: bool, rest: &mut &[u8], sink: &mut Sink<'_>) {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let (mut chunk, later) = rest.split_at(now);
        *rest = later;
        let limits = sink.limits;
        let Smtp { chunk_lines, mail, tx, .. } = self;
        while let Some(line) = chunk_lines.next(&mut chunk, MAX_LINE) {
            mail.line(&line, tx.and_then(|id| sink.tx(id)), limits);
        }
        self.mode = Mode::Chunk { left: left - now as u64, last };
    }

    fn chunk_end(&mut self, last: bool, sink: &mut Sink<'_>) {
        self.mode = Mode::Commands;
        if !last {
            return;
        }
        let limits = sink.limits;
        let Smtp { chunk_lines, mail, tx, .. } = self;
        if let Some(line) = chunk_lines.rest() {
            mail.line(&line, tx.and_then(|id| sink.tx(id)), limits);
        }
        self.chunk_lines.clear();
        let whole = !self.lost;
        self.end_mail(whole, sink);
    }

    /// The client's part of the mail is over.
    fn end_mail(&mut self, whole: bool, sink: &mut Sink<'_>) {
        let whole = whole && !self.lost;
        let limits = sink.limits;
        let mut tx = self.tx.take().and_then(|id| sink.tx(id));
        self.mail.end(whole, tx.as_deref_mut(), limits);
        if let Some(tx) = tx {
            tx.complete(Dir::ToServer);
        }
        (self.in_mail, self.lost, self.has_sender) = (false, false, false);
    }

    fn command_line(&mut self, line: &Line<'_>, sink: &mut Sink<'_>) {
        if !line.first {
            return;
        }
        let text = line.text.get(..MAX_LINE.min(line.text.len())).unwrap_or_default();
        let (command, argument) = Command::parse(text);
        if self.greeted && self.pending.back().is_some_and(|(before, _)| !before.may_be_followed()) {
            self.event("smtp.invalid_pipelined_sequence", Dir::ToServer, sink);
        }
        let closes = matches!(command, Command::Quit | Command::Rset | Command::Noop);
        let tx = if closes { self.tx } else { self.open(sink) };
        if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            tx.put(Dir::ToServer, COMMAND_LINE, text);
            if text.len() > MAX_COMMAND {
                tx.event(Dir::ToServer, "smtp.max_command_line_len_exceeded");
            }
            if line.text.len() >= MAX_LINE {
                tx.event(Dir::ToServer, "smtp.truncated_line");
            }
        }
        self.wait_for(command, tx);
        self.run(command, argument, sink);
    }

    /// What a command means for the mail.
    fn run(&mut self, command: Command, argument: &[u8], sink: &mut Sink<'_>) {
        match command {
            Command::Helo => self.hello(argument, sink),
            Command::Mail => self.sender(argument, sink),
            Command::Rcpt => {
                let mailbox = mailbox(argument);
                if mailbox.is_empty() {
                    return self.event("smtp.unparsable_content", Dir::ToServer, sink);
                }
                if let Some(tx) = self.tx.and_then(|id| sink.tx(id)) {
                    tx.put(Dir::ToServer, RCPT_TO, mailbox);
                    tx.note("rcpt_to[]", mailbox);
                }
            }
            Command::Data => {
                self.begin_mail(sink);
                self.mode = Mode::Message;
            }
            Command::Bdat { size, last } => {
                self.begin_mail(sink);
                self.mode = Mode::Chunk { left: size, last };
            }
            Command::BrokenBdat => self.event("smtp.bdat_chunk_len_exceeded", Dir::ToServer, sink),
            Command::Rset | Command::Quit => {
                if let Some(tx) = self.tx.take().and_then(|id| sink.tx(id)) {
                    tx.complete(Dir::ToServer);
                }
                (self.has_sender, self.in_mail) = (false, false);
            }
            Command::StartTls | Command::Noop | Command::EndOfData | Command::Other => {}
        }
    }

    fn hello(&mut self, name: &[u8], sink: &mut Sink<'_>) {
        if !self.helo.is_empty() {
            return self.event("smtp.duplicate_fields", Dir::ToServer, sink);
        }
        self.helo.extend_from_slice(name.get(..MAX_HELO.min(name.len())).unwrap_or_default());
        if let Some(tx) = self.tx.and_then(|id| sink.tx(id)) {
            tx.put(Dir::ToServer, HELO, &self.helo);
            tx.note("helo", &self.helo);
        }
    }

    fn sender(&mut self, argument: &[u8], sink: &mut Sink<'_>) {
        let mailbox = mailbox(argument);
        if mailbox.is_empty() {
            return self.event("smtp.unparsable_content", Dir::ToServer, sink);
        }
        if std::mem::replace(&mut self.has_sender, true) {
            return self.event("smtp.duplicate_fields", Dir::ToServer, sink);
        }
        if let Some(tx) = self.tx.and_then(|id| sink.tx(id)) {
            tx.put(Dir::ToServer, MAIL_FROM, mailbox);
            tx.note("mail_from", mailbox);
        }
    }

    fn begin_mail(&mut self, sink: &mut Sink<'_>) {
        if std::mem::replace(&mut self.in_mail, true) {
            return;
        }
        self.chunk_lines.clear();
        let limits = sink.limits;
        self.mail.begin(self.tx.and_then(|id| sink.tx(id)), limits);
    }

    /// The transaction of the mail under way.
    fn open(&mut self, sink: &mut Sink<'_>) -> Option<TxId> {
        if self.tx.is_some_and(|id| sink.tx(id).is_some()) {
            return self.tx;
        }
        self.tx = sink.open();
        if let Some(tx) = self.tx.and_then(|id| sink.tx(id)) {
            self.banner.note(tx);
        }
        if !self.helo.is_empty()
            && let Some(tx) = self.tx.and_then(|id| sink.tx(id))
        {
            tx.put(Dir::ToServer, HELO, &self.helo);
            tx.note("helo", &self.helo);
        }
        self.tx
    }

    fn wait_for(&mut self, command: Command, tx: Option<TxId>) {
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back((command, tx));
    }

    fn waits_for(&self, command: Command) -> bool {
        self.pending.back().is_some_and(|(last, _)| *last == command)
    }

    fn event(&mut self, name: &'static str, dir: Dir, sink: &mut Sink<'_>) {
        match self.tx.and_then(|id| sink.tx(id)) {
            Some(tx) => tx.event(dir, name),
            None => sink.event(dir, name),
        }
    }
}

fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    const HELLO: &[&[u8]] = &[b"EHLO ", b"HELO ", b"LHLO "];
    const GREETING: &[&[u8]] = &[b"220 ", b"220-"];
    let named = || text::contains(bytes, b"SMTP") || text::contains(bytes, b"LMTP");
    match (dir, text::begins(bytes, HELLO), text::begins(bytes, GREETING)) {
        (Dir::ToServer, Probe::Yes, _) => Probe::Yes,
        (Dir::ToServer, _, Probe::Yes) if named() => Probe::Reversed,
        (Dir::ToServer, hello, _) => {
            let other = text::begins(bytes, &[b"MAIL FROM", b"EHLO\r", b"HELO\r", b"EHLO\n", b"HELO\n"]);
            if hello == Probe::More { Probe::More } else { other }
        }
        (Dir::ToClient, Probe::Yes, _) => Probe::Reversed,
        // FTP begins so too: the client's first command tells, unless the banner does.
        (Dir::ToClient, _, Probe::Yes) => {
            if named() {
                Probe::Yes
            } else {
                Probe::More
            }
        }
        (Dir::ToClient, _, greeting) => greeting,
    }
}
