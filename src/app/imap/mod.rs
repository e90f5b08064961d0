//! IMAP (RFC 3501, RFC 9051): commands, found again by their tags when they are answered, and the mails that APPEND brings and
//! FETCH gives; left when TLS begins (RFC 2595).
//!
//! Owes a transaction for each command with all that is answered to it. The greeting, what the server says unasked, and each
//! mail of a command but its first are transactions of their own. Owns which commands wait.

mod line;
mod literal;
mod mail;
#[cfg(test)]
mod tests;

use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Line, Lines, Next, Probe, Sink, TxId, text};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use arrayvec::ArrayVec;
use line::{Answer, Command, announced};
use literal::Literals;
use std::collections::VecDeque;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Imap,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Imap>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const PDU: BufferId = context::id("imap.pdu");
const REQUEST: BufferId = context::id("imap.request");
const RESPONSE: BufferId = context::id("imap.response");

/// A line is kept so far.
const MAX_LINE: usize = 4096;
/// A tag is kept so far; clients' are short.
const MAX_TAG: usize = 64;
/// Commands that wait for their answers; the oldest is forgotten beyond.
const MAX_WAITING: usize = 256;
/// Lines of either direction that a transaction's record keeps.
const MAX_NOTED: u8 = 64;

type Tag = ArrayVec<u8, MAX_TAG>;

#[derive(Clone, Debug)]
struct Waiting {
    tag: Tag,
    tx: TxId,
    command: Command,
    /// A mail of it came.
    has_mail: bool,
    noted: PerDir<u8>,
}

#[derive(Debug, Default)]
struct Imap {
    lines: PerDir<Lines>,
    literals: PerDir<Literals>,
    /// What follows is the rest of a line behind a literal, of that transaction.
    rest_of: PerDir<Option<TxId>>,
    waiting: VecDeque<Waiting>,
    /// The server waits for more of a command.
    challenged: bool,
    /// Bytes were lost: an answer may be to a command that was among them.
    gapped: bool,
}

impl Decoder for Imap {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        // The server's consent was not seen: a handshake speaks for itself.
        if dir == Dir::ToServer && bytes.first() == Some(&0x16) && self.waits_for_tls() {
            return Next::Change { consumed: 0, to: Some(AppProto::Tls) };
        }
        let mut rest = bytes;
        let mut lines = std::mem::take(&mut self.lines[dir]);
        let mut tls = false;
        while !tls && !rest.is_empty() {
            if self.literals[dir].is_open() {
                self.literals[dir].take(dir, &mut rest, sink);
            } else if let Some(line) = lines.next(&mut rest, MAX_LINE)
                && line.first
            {
                tls = self.line(dir, &line, sink);
            }
        }
        self.lines[dir] = lines;
        if tls {
            return Next::Change { consumed: bytes.len() - rest.len(), to: Some(AppProto::Tls) };
        }
        Next::More
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        self.gapped = true;
        if !self.literals[dir].gap(dir, missing, sink) {
            self.lines[dir].clear();
            self.rest_of[dir] = None;
        }
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        self.literals[dir].end(dir, sink);
        for waiting in &self.waiting {
            if let Some(tx) = sink.tx(waiting.tx) {
                tx.complete(dir);
            }
        }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| {
            self.lines[dir].reset();
            self.literals[dir].reset();
        });
        self.rest_of = PerDir::default();
        self.waiting.clear();
        self.waiting.shrink_to(16);
        (self.challenged, self.gapped) = (false, false);
    }
}

impl Imap {
    fn waits_for_tls(&self) -> bool {
        self.lines[Dir::ToServer].at_start()
            && self.waiting.iter().any(|waiting| waiting.command == Command::StartTls)
    }

    /// A line, or the beginning of a long one. Whether TLS begins behind it.
    fn line(&mut self, dir: Dir, line: &Line<'_>, sink: &mut Sink<'_>) -> bool {
        let text = line.text.get(..MAX_LINE.min(line.text.len())).unwrap_or_default();
        let (tx, tls) = match (self.rest_of[dir].take(), dir) {
            (Some(id), _) => (sink.tx(id).map(|_| id), false),
            (None, Dir::ToServer) => (self.request(text, sink), false),
            (None, Dir::ToClient) => self.response(text, sink),
        };
        let Some(id) = tx else { return tls };
        let waiting = self.waiting.iter_mut().find(|waiting| waiting.tx == id);
        put_line(dir, id, text, waiting.as_ref().map_or(0, |waiting| waiting.noted[dir]), sink);
        if let Some(waiting) = waiting {
            waiting.noted[dir] = waiting.noted[dir].saturating_add(1);
        }
        match announced(text) {
            Some(len) => self.announce(dir, id, len, text, sink),
            None => self.line_over(dir, id, sink),
        }
        tls
    }

    /// Bytes follow that are no lines.
    fn announce(&mut self, dir: Dir, id: TxId, len: u64, text: &[u8], sink: &mut Sink<'_>) {
        self.rest_of[dir] = Some(id);
        let waiting = self.waiting.iter_mut().find(|waiting| waiting.tx == id);
        let command = waiting.as_ref().map_or(Command::Other, |waiting| waiting.command);
        let is_mail = match dir {
            Dir::ToServer => command == Command::Append,
            Dir::ToClient => line::gives_mail(text),
        };
        if !is_mail {
            return self.literals[dir].skip(len);
        }
        let had_mail = waiting.is_some_and(|waiting| std::mem::replace(&mut waiting.has_mail, true));
        let own = if had_mail { sink.open() } else { None };
        if let Some(tx) = own.and_then(|id| sink.tx(id)) {
            tx.only_way(dir);
        }
        self.literals[dir].mail(dir, len, own.unwrap_or(id), own.is_some(), sink);
    }

    /// A line that no literal follows: the last of a client's command, or of what the server says unasked.
    fn line_over(&self, dir: Dir, id: TxId, sink: &mut Sink<'_>) {
        let waiting = self.waiting.iter().find(|waiting| waiting.tx == id);
        let goes_on = match dir {
            Dir::ToServer => waiting.is_some_and(|waiting| waiting.command == Command::Authenticate),
            Dir::ToClient => waiting.is_some(),
        };
        if let Some(tx) = sink.tx(id).filter(|_| !goes_on) {
            tx.complete(dir);
        }
    }

    /// A client's line: the transaction it belongs to.
    fn request(&mut self, text: &[u8], sink: &mut Sink<'_>) -> Option<TxId> {
        let challenged = std::mem::take(&mut self.challenged);
        let parsed = line::request(text);
        // An answer to a challenge, or the end of idling.
        if let Some(waiting) = self.waiting.back().filter(|_| challenged || parsed.is_none()) {
            return sink.tx(waiting.tx).map(|_| waiting.tx);
        }
        let id = sink.open()?;
        let Some((tag, command)) = parsed else {
            if let Some(tx) = sink.tx(id).filter(|_| !text.trim_ascii().is_empty() && !self.gapped) {
                tx.event(Dir::ToServer, "imap.invalid_data");
            }
            sink.tx(id)?.only_way(Dir::ToServer);
            return Some(id);
        };
        if self.waiting.len() >= MAX_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            sink.tx(oldest.tx).into_iter().for_each(|tx| tx.complete(Dir::ToClient));
        }
        let tag = tag.iter().copied().take(MAX_TAG).collect();
        self.waiting.push_back(Waiting { tag, tx: id, command, has_mail: false, noted: PerDir::default() });
        Some(id)
    }

    /// A server's line: the transaction it belongs to, and whether TLS begins behind it.
    fn response(&mut self, text: &[u8], sink: &mut Sink<'_>) -> (Option<TxId>, bool) {
        let answer = line::answer(text);
        let found = match answer {
            Answer::More => {
                self.challenged = !self.waiting.is_empty();
                self.waiting.back().map(|waiting| waiting.tx)
            }
            Answer::Untagged => self.waiting.front().map(|waiting| waiting.tx),
            Answer::Tagged { tag, ok } => {
                let tag = tag.get(..MAX_TAG).unwrap_or(tag);
                let at = self.waiting.iter().position(|waiting| waiting.tag.as_slice() == tag);
                match at.and_then(|at| self.waiting.remove(at)) {
                    Some(waiting) => {
                        self.challenged = false;
                        let Waiting { tx, command, noted, .. } = waiting;
                        put_line(Dir::ToClient, tx, text, noted[Dir::ToClient], sink);
                        if let Some(tx) = sink.tx(tx) {
                            Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
                        }
                        return (None, ok && command == Command::StartTls);
                    }
                    None => None,
                }
            }
        };
        let found = found.filter(|id| sink.tx(*id).is_some());
        (found.or_else(|| self.unasked(&answer, sink)), false)
    }

    /// Said without being asked.
    fn unasked(&self, answer: &Answer<'_>, sink: &mut Sink<'_>) -> Option<TxId> {
        let id = sink.open()?;
        let tx = sink.tx(id)?;
        tx.only_way(Dir::ToClient);
        if matches!(answer, Answer::Tagged { .. }) && !self.gapped {
            tx.event(Dir::ToClient, "imap.request_not_found");
        }
        Some(id)
    }
}

fn put_line(dir: Dir, id: TxId, text: &[u8], noted: u8, sink: &mut Sink<'_>) {
    let Some(tx) = sink.tx(id).filter(|_| !text.is_empty()) else { return };
    let (buffer, note) = match dir {
        Dir::ToServer => (REQUEST, "requests[]"),
        Dir::ToClient => (RESPONSE, "responses[]"),
    };
    tx.put(dir, PDU, text);
    tx.put(dir, buffer, text);
    if noted < MAX_NOTED {
        tx.note(note, text);
    }
}

fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    const COMMANDS: [&[u8]; 6] = [b"CAPABILITY", b"LOGIN", b"AUTHENTICATE", b"STARTTLS", b"ID", b"NOOP"];
    if dir == Dir::ToClient {
        return text::begins(bytes, &[b"* OK ", b"* PREAUTH ", b"* BYE ", b"* CAPABILITY "]);
    }
    // The server speaks first, and its greeting tells more: a whole line only.
    let Some(end) = memchr::memchr(b'\n', bytes) else { return Probe::No };
    let line = bytes.get(..end).unwrap_or_default();
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let tag = words.next().is_some_and(|tag| tag.len() <= 16 && tag.iter().all(u8::is_ascii_alphanumeric));
    let command =
        words.next().is_some_and(|word| COMMANDS.iter().any(|known| known.eq_ignore_ascii_case(word)));
    if tag && command { Probe::Yes } else { Probe::No }
}
