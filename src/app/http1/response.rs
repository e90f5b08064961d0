//! The server's direction: responses, each to the oldest request that waits.

use super::exchange::{Exchange, Exchanges};
use super::head::{Blank, Ends, Line};
use super::message::{Body, Framing, Message};
use super::start_line::Version;
use super::{BODY, HEADERS, TRAILER, notes, publish};
use crate::app::limits::KEPT;
use crate::app::sink::Sink;
use crate::base::Dir;
use crate::rules::app::AppProto;

const DIR: Dir = Dir::ToClient;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Line,
    Headers,
    /// A line of a single space came, which ends the head unless an empty one follows.
    HeadersMaybeOver,
    /// The head ended in a mixture of line ends; so many bytes of a CR LF that belongs to it came.
    MixedEnd(u8),
    /// A response that has no body says that it has one.
    MaybeBody,
    Body,
    Trailer,
    /// Bytes are lost, and with them where the next response begins.
    Lost,
}

/// What the bytes up to here lead to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    On,
    Complete,
    /// The connection speaks another protocol from here.
    Change(Option<AppProto>),
}

pub(super) struct Response {
    pub(super) message: Message,
    pub(super) state: State,
    pub(super) exchange: Exchange,
    pub(super) status: Option<u16>,
    /// The first line's end in the head's bytes.
    pub(super) line_end: usize,
    /// Lines before the status line that are none.
    pub(super) junk: bool,
    /// The line at work began with bytes that were taken for content.
    pub(super) mid_line: bool,
    /// An interim response (100) was seen for this request.
    pub(super) interim: bool,
    /// The connection ends behind it, or its length is in doubt: what follows may be its content.
    pub(super) last: bool,
    /// Its transaction is kept for that.
    pub(super) kept: bool,
    /// What was kept of bytes that may begin the next response.
    held: Vec<u8>,
    /// The request's path.
    pub(super) path: Vec<u8>,
}

impl Response {
    pub(super) fn new() -> Response {
        Response {
            message: Message::new(DIR),
            state: State::Line,
            exchange: Exchange::default(),
            status: None,
            line_end: 0,
            junk: false,
            mid_line: false,
            interim: false,
            last: false,
            kept: false,
            held: Vec::new(),
            path: Vec::new(),
        }
    }

    pub(super) fn reset(&mut self) {
        self.message.reset();
        self.state = State::Line;
        (self.junk, self.mid_line, self.interim) = (false, false, false);
        (self.last, self.kept) = (false, false);
        self.held.clear();
        self.held.shrink_to(KEPT);
        self.path.clear();
        self.path.shrink_to(KEPT);
    }

    /// Takes bytes until the connection's protocol changes; `input` is what is left then.
    pub(super) fn data(
        &mut self,
        input: &mut &[u8],
        exchanges: &mut Exchanges,
        sink: &mut Sink<'_>,
    ) -> Option<Option<AppProto>> {
        while !input.is_empty() && !self.message.broken {
            let before = *input;
            let step = self.step(input, exchanges, sink);
            let taken = before.len() - input.len();
            if self.message.head.is_too_long() && !self.message.broken {
                self.too_long(exchanges, sink);
            }
            self.message.add_frame(before.get(..taken).unwrap_or_default(), sink);
            if self.message.broken {
                return None;
            }
            match step {
                Step::On => {}
                Step::Complete => self.complete(false, exchanges, sink),
                Step::Change(to) => {
                    if sink.changed {
                        self.message.event(sink, "", "http.failed_protocol_change");
                    }
                    self.complete(false, exchanges, sink);
                    return Some(to);
                }
            }
        }
        None
    }

    /// A line, or the whole head, is longer than what is kept of it: it is looked at as far as it came.
    fn too_long(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        match self.state {
            State::Line => self.end_of_line(exchanges, sink),
            State::Headers => {
                if let Some(line) = self.message.head.last(sink.limits) {
                    self.header_line(&line, sink);
                }
            }
            _ => {}
        }
        if self.state == State::Headers {
            let faults = self.message.fields.finish();
            self.message.note_faults(faults);
            self.message.raise_faults(sink);
            self.publish(sink);
        }
        self.message.raise_too_long(sink);
    }

    fn step(&mut self, input: &mut &[u8], exchanges: &mut Exchanges, sink: &mut Sink<'_>) -> Step {
        match self.state {
            State::Line => self.line(input, exchanges, sink),
            State::Headers => {
                if let Some(line) = self.message.head.next(input, Ends::Any, sink.limits) {
                    return self.header_line(&line, sink);
                }
            }
            State::HeadersMaybeOver => {
                self.state = State::Headers;
                if input.first() != Some(&b'\n') {
                    return self.headers_over(sink);
                }
            }
            State::MixedEnd(seen) => self.mixed_end(seen, input, sink),
            State::MaybeBody => return self.maybe_body(input, sink),
            State::Body => match self.message.body(input, sink) {
                Body::More | Body::Broken => {}
                Body::Done => return Step::Complete,
                Body::Trailer => {
                    self.state = State::Trailer;
                    self.message.begin_trailer();
                    self.message.with_tx(sink, |tx| tx.advance(DIR, TRAILER));
                }
            },
            State::Trailer => {
                if let Some(line) = self.message.head.next(input, Ends::Any, sink.limits) {
                    return self.trailer_line(&line, sink);
                }
            }
            State::Lost => *input = &[],
        }
        Step::On
    }

    pub(super) fn is_interim(&self) -> bool {
        self.status.is_some_and(|status| (100..200).contains(&status) && status != 101)
    }

    fn header_line(&mut self, line: &Line, sink: &mut Sink<'_>) -> Step {
        match line.blank {
            Blank::Yes => return self.headers_over(sink),
            Blank::IfNoneFollows => self.state = State::HeadersMaybeOver,
            Blank::No => {}
        }
        let Message { head, fields, version, .. } = &mut self.message;
        let text = head.text(&line.text);
        if text.is_empty() {
            return Step::On;
        }
        let folded = matches!(text.first(), Some(b' ' | b'\t' | 0));
        // Browsers take a folded line that has a name for a field of its own.
        let own = folded && *version == Version::Http11 && text.contains(&b':') && fields.open_has_colon();
        let continues = folded && !own && fields.fold(text);
        let faults = if continues { None } else { Some(fields.begin(text)) };
        if let Some(faults) = faults {
            self.message.note_faults(faults);
        }
        if folded && !continues {
            self.message.event(sink, "", "http.invalid_response_field_folding");
        }
        Step::On
    }

    fn headers_over(&mut self, sink: &mut Sink<'_>) -> Step {
        let faults = self.message.fields.finish();
        self.message.note_faults(faults);
        if self.is_interim() {
            return self.interim_over(sink);
        }
        self.message.raise_faults(sink);
        self.publish(sink);
        self.begin_body(sink);
        self.message.with_tx(sink, |tx| tx.advance(DIR, HEADERS));
        if let Some(to) = self.changes_to() {
            return Step::Change(to);
        }
        let told = self.has_told_body();
        let none = matches!(self.status, Some(204 | 304 | 101)) || self.exchange.head;
        self.last = !none && self.is_last();
        if self.message.framing == Framing::Length(0) || self.exchange.head || (none && !told) {
            return Step::Complete;
        }
        self.state = if none { State::MaybeBody } else { State::Body };
        self.message.with_tx(sink, |tx| tx.advance(DIR, BODY));
        if self.message.head.ended_mixed() {
            self.state = State::MixedEnd(0);
        }
        Step::On
    }

    /// 100 Continue and its like: the response is yet to come.
    fn interim_over(&mut self, sink: &mut Sink<'_>) -> Step {
        if self.interim && self.status == Some(100) {
            self.message.event(sink, "", "http.100_continue_already_seen");
        }
        self.interim = true;
        self.message.clear();
        self.state = State::Line;
        Step::On
    }

    /// Behind LF CR CR LF browsers take one more CR LF for the head's.
    fn mixed_end(&mut self, seen: u8, input: &mut &[u8], sink: &mut Sink<'_>) {
        let wanted = [b'\r', b'\n'].get(usize::from(seen)).copied();
        if input.first().copied() == wanted {
            *input = input.get(1..).unwrap_or_default();
            self.state = if seen == 1 { State::Body } else { State::MixedEnd(1) };
            return;
        }
        self.state = State::Body;
        if seen == 1 {
            self.message.body(&mut b"\r".as_slice(), sink);
        }
    }

    /// Behind a 204 or 304 that tells a length: the next response, or what browsers take for its content all the same.
    fn maybe_body(&mut self, input: &mut &[u8], sink: &mut Sink<'_>) -> Step {
        const NEXT: &[u8] = b"HTTP/";
        let room = NEXT.len().saturating_sub(self.held.len()).min(input.len());
        let (now, later) = input.split_at(room);
        self.held.extend_from_slice(now);
        *input = later;
        let alike = NEXT.starts_with(&self.held);
        if alike && self.held.len() < NEXT.len() {
            return Step::On;
        }
        if !alike {
            self.state = State::Body;
            let held = std::mem::take(&mut self.held);
            let mut bytes = held.as_slice();
            let body = self.message.body(&mut bytes, sink);
            self.held = held;
            self.held.clear();
            return if body == Body::Done { Step::Complete } else { Step::On };
        }
        // Its bytes are looked at again once this response is over.
        Step::Complete
    }

    fn trailer_line(&mut self, line: &Line, sink: &mut Sink<'_>) -> Step {
        let Message { head, fields, .. } = &mut self.message;
        if line.blank == Blank::No {
            fields.begin(head.text(&line.text));
            return Step::On;
        }
        fields.finish();
        self.message.with_tx(sink, |tx| publish::trailer(&self.message, tx));
        Step::Complete
    }

    fn complete(&mut self, truncated: bool, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        let size = self.message.content.size;
        self.message.with_tx(sink, |tx| notes::length(size, tx));
        self.message.complete(truncated, sink);
        self.message.clear();
        if exchanges.front().is_some_and(|front| front.tx == self.exchange.tx) {
            exchanges.done();
        }
        self.kept = std::mem::take(&mut self.last) && exchanges.is_empty();
        self.message.with_tx(sink, |tx| tx.keep_open(self.kept));
        self.interim = false;
        self.state = State::Line;
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            self.line(&mut held.as_slice(), exchanges, sink);
            self.held = held;
            self.held.clear();
        }
    }

    pub(super) fn gap(&mut self, missing: u64, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        let known = self.state == State::Body && self.message.gap(missing, sink);
        if !known {
            if !matches!(self.state, State::Line | State::Lost) {
                self.complete(true, exchanges, sink);
            }
            self.lose(exchanges, sink);
        }
    }

    /// No response will be found any more.
    fn lose(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        self.let_go(sink);
        self.message.clear();
        self.state = State::Lost;
        self.settle(exchanges, sink);
    }

    /// Nothing more is taken for the last response's content.
    pub(super) fn let_go(&mut self, sink: &mut Sink<'_>) {
        if std::mem::take(&mut self.kept) {
            self.message.with_tx(sink, |tx| tx.keep_open(false));
        }
    }

    /// Requests that no response will answer are over.
    pub(super) fn settle(&self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        while let Some(exchange) = exchanges.done() {
            if let Some(tx) = exchange.tx.and_then(|id| sink.tx(id)) {
                tx.complete(DIR);
            }
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// No more will come: the response at work ends as it stands.
    pub(super) fn end(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        if self.state == State::Line && !self.message.head.bytes().is_empty() {
            self.end_of_line(exchanges, sink);
        }
        if self.state == State::Headers
            && let Some(line) = self.message.head.last(sink.limits)
        {
            self.header_line(&line, sink);
        }
        if matches!(self.state, State::Headers | State::HeadersMaybeOver) {
            self.headers_over(sink);
        }
        if !matches!(self.state, State::Line | State::Lost) {
            let whole = matches!(self.message.framing, Framing::Close | Framing::None | Framing::Length(0));
            self.held.clear();
            self.complete(!whole, exchanges, sink);
        }
        self.lose(exchanges, sink);
    }
}
