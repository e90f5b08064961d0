//! The server's replies, each to the oldest command that waits for one.

use super::{Command, MAX_LINE, MAX_REPLY, Mode, Smtp};
use crate::app::{Line, Lines, Next, Sink, TxId};
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};

const RESPONSE_LINE: BufferId = context::id("smtp.response_line");

impl Smtp {
    pub(super) fn server(&mut self, lines: &mut Lines, rest: &mut &[u8], sink: &mut Sink<'_>) -> Next {
        while let Some(line) = lines.next(rest, MAX_LINE) {
            if !line.first {
                continue;
            }
            if let Some(next) = self.reply_line(&line, sink) {
                return next;
            }
        }
        Next::More
    }

    fn reply_line(&mut self, line: &Line<'_>, sink: &mut Sink<'_>) -> Option<Next> {
        let text = line.text.get(..MAX_LINE.min(line.text.len())).unwrap_or_default();
        if !self.greeted && text.starts_with(b"220") {
            self.banner.hear(text.get(4..).unwrap_or_default());
        }
        self.note_line(line, text, sink);
        let Some((code, last)) = code_of(text) else {
            self.reply_event("smtp.invalid_reply", sink);
            return None;
        };
        if !last {
            return None;
        }
        if !std::mem::replace(&mut self.greeted, true) {
            if code != 220 {
                self.reply_event("smtp.no_server_welcome_message", sink);
            }
            if code == 220 || self.pending.is_empty() {
                return None;
            }
        }
        let Some((command, tx)) = self.pending.pop_front() else {
            self.unasked(code, sink);
            return None;
        };
        self.answer(command, tx, code, sink)
    }

    /// A reply that no command waits for.
    fn unasked(&mut self, code: u16, sink: &mut Sink<'_>) {
        if self.lost && self.mode == Mode::Message {
            // The dot that ended the message was lost.
            let tx = self.tx;
            self.mode = Mode::Commands;
            self.end_mail(false, sink);
            if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
                tx.complete(Dir::ToClient);
            }
        } else if code != 421 && !self.gapped {
            // 421 says goodbye at any time.
            self.reply_event("smtp.unable_to_match_reply_with_request", sink);
        }
    }

    /// A command's reply.
    fn answer(&mut self, command: Command, tx: Option<TxId>, code: u16, sink: &mut Sink<'_>) -> Option<Next> {
        let taken = code < 400;
        match command {
            Command::StartTls if code == 220 => {
                if sink.changed {
                    put_event(tx, "smtp.failed_protocol_change", sink);
                }
                return Some(Next::Change { consumed: 0, to: Some(AppProto::Tls) });
            }
            Command::StartTls => put_event(tx, "smtp.tls_rejected", sink),
            Command::Helo if !taken => self.helo.clear(),
            Command::Mail if !taken => self.has_sender = false,
            Command::Data if code != 354 => {
                put_event(tx, "smtp.data_command_rejected", sink);
                if self.mode == Mode::Message {
                    self.refuse_message(sink);
                }
            }
            Command::EndOfData | Command::Rset | Command::Quit | Command::Bdat { last: true, .. } => {
                if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
                    tx.complete(Dir::ToClient);
                }
            }
            _ => {}
        }
        None
    }

    /// The message that DATA announced is not to come. What came of it already is closed.
    fn refuse_message(&mut self, sink: &mut Sink<'_>) {
        self.mode = Mode::Commands;
        if self.mail.has_begun() {
            self.end_mail(false, sink);
        }
        self.in_mail = false;
    }

    fn note_line(&mut self, line: &Line<'_>, text: &[u8], sink: &mut Sink<'_>) {
        if text.len() > MAX_REPLY {
            self.reply_event("smtp.max_reply_line_len_exceeded", sink);
        }
        if line.text.len() >= MAX_LINE {
            self.reply_event("smtp.truncated_line", sink);
        }
        if !sink.wanted().has(RESPONSE_LINE) {
            return;
        }
        let waiting = self.pending.front().and_then(|(_, tx)| *tx).or(self.tx);
        let tx = waiting.filter(|id| sink.tx(*id).is_some()).or_else(|| self.open(sink));
        if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            tx.put(Dir::ToClient, RESPONSE_LINE, text);
        }
    }

    fn reply_event(&mut self, name: &'static str, sink: &mut Sink<'_>) {
        let waiting = self.pending.front().and_then(|(_, tx)| *tx).or(self.tx);
        match waiting.filter(|id| sink.tx(*id).is_some()) {
            Some(id) => put_event(Some(id), name, sink),
            None => sink.event(Dir::ToClient, name),
        }
    }
}

fn put_event(tx: Option<TxId>, name: &'static str, sink: &mut Sink<'_>) {
    if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
        tx.event(Dir::ToClient, name);
    }
}

/// A reply's code, and whether the line is its last.
fn code_of(line: &[u8]) -> Option<(u16, bool)> {
    let (digits, rest) = line.split_first_chunk::<3>()?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.first() {
        None | Some(b' ' | b'\t') => Some((code, true)),
        Some(b'-') => Some((code, false)),
        Some(_) => None,
    }
}
