//! POP3 (RFC 1939) with its extensions: capabilities and pipelining (RFC 2449), TLS (RFC 2595), SASL (RFC 5034).
//!
//! Owes a transaction for each command with its answer, found by order, and the attachments of mails as files. The greeting,
//! and an answer whose command was not seen, are transactions of their own.

mod command;
mod mail;
#[cfg(test)]
mod tests;

use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Line, Lines, Next, Probe, Sink, Transaction, TxId, text};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use command::{Answer, Command};
use mail::Mail;
use std::collections::VecDeque;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Pop3,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Pop3>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const FRAME: BufferId = context::id("pop3.pdu");

/// A line is kept so far.
const MAX_LINE: usize = 4096;
/// RFC 2449, 4, without the lines' ends: longer ones are an event.
const MAX_COMMAND: usize = 253;
const MAX_ANSWER: usize = 510;
/// Commands that wait for their answers; the oldest is forgotten beyond.
const MAX_WAITING: usize = 256;
/// Lines of an answer that its record keeps.
const MAX_NOTED: usize = 64;

#[derive(Copy, Clone, Debug)]
struct Waiting {
    tx: TxId,
    answer: Answer,
}

/// The lines of an answer that goes on up to a dot.
#[derive(Copy, Clone, Debug)]
struct Body {
    tx: TxId,
    is_mail: bool,
    noted: usize,
}

#[derive(Debug, Default)]
struct Pop3 {
    lines: PerDir<Lines>,
    waiting: VecDeque<Waiting>,
    body: Option<Body>,
    mail: Mail,
}

impl Decoder for Pop3 {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut lines = std::mem::take(&mut self.lines[dir]);
        let mut rest = bytes;
        let mut tls = self.handshake(dir, &lines, bytes);
        while !tls && let Some(line) = lines.next(&mut rest, MAX_LINE) {
            match dir {
                Dir::ToServer => self.client_line(&line, sink),
                Dir::ToClient => tls = self.server_line(line, sink),
            }
        }
        self.lines[dir] = lines;
        if tls {
            return Next::Change { consumed: bytes.len() - rest.len(), to: Some(AppProto::Tls) };
        }
        Next::More
    }

    fn gap(&mut self, dir: Dir, _missing: u64, sink: &mut Sink<'_>) -> Next {
        self.lines[dir].clear();
        let limits = sink.limits;
        match (dir, self.body) {
            // There may have been commands among the bytes: answers are not found any more.
            (Dir::ToServer, _) => {
                let body = self.body.map(|body| body.tx);
                for waiting in self.waiting.drain(..).filter(|waiting| Some(waiting.tx) != body) {
                    if let Some(tx) = sink.tx(waiting.tx) {
                        tx.complete(Dir::ToClient);
                    }
                }
            }
            (Dir::ToClient, Some(Body { tx, is_mail: true, .. })) => {
                if let Some(tx) = sink.tx(tx) {
                    self.mail.gap(tx, limits);
                }
            }
            _ => {}
        }
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        if dir == Dir::ToClient {
            self.end_body(false, sink);
        }
        for waiting in &self.waiting {
            if let Some(tx) = sink.tx(waiting.tx) {
                tx.complete(dir);
            }
        }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.lines[dir].reset());
        self.waiting.clear();
        self.waiting.shrink_to(16);
        self.body = None;
        self.mail.begin();
    }
}

impl Pop3 {
    /// The server's consent to TLS was not seen: a handshake speaks for itself.
    fn handshake(&self, dir: Dir, lines: &Lines, bytes: &[u8]) -> bool {
        dir == Dir::ToServer
            && lines.at_start()
            && bytes.first() == Some(&0x16)
            && self.waiting.iter().any(|waiting| waiting.answer == Answer::Tls)
    }

    fn client_line(&mut self, line: &Line<'_>, sink: &mut Sink<'_>) {
        let dir = Dir::ToServer;
        if !line.first {
            return;
        }
        let text = line.text.get(..MAX_LINE.min(line.text.len())).unwrap_or_default();
        // What a client answers to a challenge is no command.
        if let Some(Waiting { tx, answer: Answer::Challenges }) = self.waiting.back() {
            if let Some(tx) = sink.tx(*tx) {
                tx.put(dir, FRAME, text);
            }
            return;
        }
        let Some(id) = sink.open() else { return };
        let command = Command::parse(text);
        let flooded = self.wait(Waiting { tx: id, answer: command.answer() }, sink);
        let Some(tx) = sink.tx(id) else { return };
        tx.put(dir, FRAME, text);
        if flooded {
            tx.event(dir, "pop3.too_many_transactions");
        }
        if text.len() > MAX_COMMAND {
            tx.event(dir, "pop3.request_too_long");
        }
        if let Some(event) = command.fault() {
            tx.event(dir, event);
        }
        tx.note_with("request.command", |out| out.extend(command.name.iter().map(u8::to_ascii_uppercase)));
        command.args().for_each(|arg| tx.note("request.args[]", arg));
        if command.answer() != Answer::Challenges {
            tx.complete(dir);
        }
    }

    /// Whether another was given up for it.
    fn wait(&mut self, waiting: Waiting, sink: &mut Sink<'_>) -> bool {
        let oldest = if self.waiting.len() >= MAX_WAITING { self.waiting.pop_front() } else { None };
        if let Some(tx) = oldest.and_then(|oldest| sink.tx(oldest.tx)) {
            tx.complete(Dir::ToClient);
        }
        self.waiting.push_back(waiting);
        oldest.is_some()
    }

    /// Whether TLS begins behind it.
    fn server_line(&mut self, line: Line<'_>, sink: &mut Sink<'_>) -> bool {
        if self.body.is_some() {
            self.body_line(line, sink);
            return false;
        }
        if !line.first {
            return false;
        }
        let text = line.text.get(..MAX_LINE.min(line.text.len())).unwrap_or_default();
        let success = text::begins(text, &[b"+OK"]) == Probe::Yes;
        let failure = text::begins(text, &[b"-ERR"]) == Probe::Yes;
        if !(success || failure) {
            // A challenge, or something that a gap has left.
            if let Some(tx) = self.waiting.front().and_then(|waiting| sink.tx(waiting.tx)) {
                tx.put(Dir::ToClient, FRAME, text);
            }
            return false;
        }
        let waiting = self.waiting.pop_front();
        let Some(Waiting { tx: id, answer }) = waiting else {
            if let Some(tx) = sink.open().and_then(|id| sink.tx(id)) {
                tx.only_way(Dir::ToClient);
                put_answer(tx, text, success);
                tx.complete(Dir::ToClient);
            }
            return false;
        };
        if let Some(tx) = sink.tx(id) {
            put_answer(tx, text, success);
            tx.complete(Dir::ToServer);
        }
        match answer {
            Answer::Lines | Answer::Mail if success => {
                self.body = Some(Body { tx: id, is_mail: answer == Answer::Mail, noted: 0 });
                self.mail.begin();
            }
            _ => {
                if let Some(tx) = sink.tx(id) {
                    tx.complete(Dir::ToClient);
                }
            }
        }
        success && answer == Answer::Tls
    }

    fn body_line(&mut self, mut line: Line<'_>, sink: &mut Sink<'_>) {
        if line.first && line.last() && line.text == b"." {
            return self.end_body(true, sink);
        }
        // The dot that a server puts before one at a line's start.
        if line.first
            && let Some(text) = line.text.strip_prefix(b".")
        {
            line.text = text;
        }
        let limits = sink.limits;
        let Some(body) = &mut self.body else { return };
        let Some(tx) = sink.tx(body.tx) else { return };
        let text = line.text.get(..MAX_LINE.min(line.text.len())).unwrap_or_default();
        if line.first {
            tx.put(Dir::ToClient, FRAME, text);
        }
        if body.is_mail {
            self.mail.line(&line, tx, limits);
        } else if line.first && body.noted < MAX_NOTED {
            body.noted += 1;
            tx.note("response.data[]", text);
        }
    }

    fn end_body(&mut self, whole: bool, sink: &mut Sink<'_>) {
        let limits = sink.limits;
        let Some(body) = self.body.take() else { return };
        let Some(tx) = sink.tx(body.tx) else { return };
        if body.is_mail {
            self.mail.end(whole, tx, limits);
        }
        tx.complete(Dir::ToClient);
    }
}

fn put_answer(tx: &mut Transaction, text: &[u8], success: bool) {
    tx.put(Dir::ToClient, FRAME, text);
    if text.len() > MAX_ANSWER {
        tx.event(Dir::ToClient, "pop3.response_too_long");
    }
    tx.note_bool("response.success", success);
    tx.note("response.status", if success { b"OK" } else { b"ERR" });
    let header = text.get(if success { 3 } else { 4 }..).unwrap_or_default().trim_ascii();
    tx.note("response.header", header);
}

fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    match dir {
        Dir::ToClient => text::begins(bytes, &[b"+OK"]),
        Dir::ToServer => {
            match text::begins(bytes, &[b"CAPA\r", b"CAPA\n", b"APOP ", b"STLS\r", b"STLS\n", b"USER "]) {
                // FTP has that command too: the greeting tells.
                Probe::Yes if text::begins(bytes, &[b"USER "]) == Probe::Yes => Probe::No,
                other => other,
            }
        }
    }
}
