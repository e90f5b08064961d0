//! Where a response begins: its status line, what stands before it, and what stands there instead.

use super::BODY;
use super::exchange::{Exchange, Exchanges};
use super::head::{Ends, Line};
use super::message::Framing;
use super::opening::{Opening, opening};
use super::response::{Response, State};
use super::start_line::status_line;
use crate::app::sink::Sink;
use crate::base::Dir;

const DIR: Dir = Dir::ToClient;

impl Response {
    /// Before the status line: empty lines, a line of junk, or no status line at all.
    pub(super) fn line(&mut self, input: &mut &[u8], exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        let line = self.message.head.next(input, Ends::Any, sink.limits);
        let head = std::mem::take(&mut self.message.head);
        let text = match &line {
            Some(line) => head.text(&line.text),
            None => head.unfinished(),
        };
        let (mut emit, mut forget) = (false, false);
        match (opening(text, line.is_some()), &line) {
            _ if self.mid_line => emit = true,
            (Opening::Junk, _) if self.kept && exchanges.is_empty() => emit = true,
            (Opening::Status, Some(line)) => self.open(line, text, exchanges, sink),
            (Opening::Status | Opening::Undecided, _) => {}
            (Opening::Blank, _) => forget = line.is_some() && !self.junk,
            // One line of junk is overlooked if a status line follows it.
            (Opening::Junk, Some(_)) if !self.junk => self.junk = true,
            (Opening::Junk, Some(_)) | (Opening::TooMuch, _) => emit = true,
            (Opening::Junk, None) => {}
        }
        if emit {
            self.mid_line = line.is_none();
            self.content_without_head(head.bytes(), exchanges, sink);
        }
        self.line_end = head.bytes().len();
        self.message.head = head;
        if forget || (emit && !self.message.begun) {
            self.message.forget_line();
        } else if emit {
            self.message.head.clear();
        }
    }

    /// Bytes where a status line belongs: more of the last response's content, or a response without a head.
    fn content_without_head(&mut self, bytes: &[u8], exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        self.junk = false;
        if exchanges.is_empty() && self.message.tx.is_some_and(|id| sink.tx(id).is_some()) {
            self.message.content.write(bytes, self.message.tx, sink);
            self.message.content.finish(false, self.message.tx, sink);
            return;
        }
        self.take_exchange(exchanges, sink);
        self.message.fields.clear();
        self.message.framing = Framing::Close;
        self.state = State::Body;
        self.name_file();
        self.message.with_tx(sink, |tx| tx.advance(DIR, BODY));
        self.message.content.write(bytes, self.message.tx, sink);
    }

    fn take_exchange(&mut self, exchanges: &Exchanges, sink: &mut Sink<'_>) {
        self.let_go(sink);
        self.message.begun = true;
        self.path.clear();
        self.path.extend(exchanges.front_path());
        if let Some(exchange) = exchanges.front() {
            self.exchange = exchange;
            self.message.tx = exchange.tx;
            return;
        }
        self.exchange = Exchange { tx: sink.open(), ..Exchange::default() };
        self.message.tx = self.exchange.tx;
        self.message.with_tx(sink, |tx| {
            tx.event(DIR, "http.unable_to_match_response_to_request");
            tx.complete(Dir::ToServer);
        });
    }

    fn open(&mut self, line: &Line, text: &[u8], exchanges: &Exchanges, sink: &mut Sink<'_>) {
        let start = text.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0).count();
        let text = text.get(start..).unwrap_or_default();
        let parsed = status_line(text);
        self.junk = false;
        self.message.fields.clear();
        self.message.version = parsed.version;
        self.status = parsed.status;
        self.state = State::Headers;
        if !self.interim || self.message.tx.is_none() {
            self.take_exchange(exchanges, sink);
        }
        if !self.is_interim() {
            self.publish_line(line, text, &parsed, sink);
        }
    }

    pub(super) fn end_of_line(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        let line = self.message.head.last(sink.limits);
        let head = std::mem::take(&mut self.message.head);
        match line {
            Some(line) if opening(head.text(&line.text), true) == Opening::Status => {
                self.open(&line, head.text(&line.text), exchanges, sink);
                self.line_end = head.bytes().len();
            }
            _ => self.content_without_head(head.bytes(), exchanges, sink),
        }
        self.message.head = head;
    }
}
