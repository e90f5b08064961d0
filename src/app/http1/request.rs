//! The client's direction: requests, one behind the other.

use super::exchange::{Exchange, Exchanges, Upgrade};
use super::fields::Known;
use super::head::{Blank, Ends, Line};
use super::message::{Body, Framing, Message};
use super::method::Method;
use super::start_line::{RequestLine, Version, request_line};
use super::uri::Target;
use super::{BODY, HEADERS, LINE, TRAILER, notes, publish};
use crate::app::carry::Carry;
use crate::app::limits::KEPT;
use crate::app::sink::Sink;
use crate::app::transaction::Transaction;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const REQUEST_LINE: BufferId = context::id("http.request_line");
const METHOD: BufferId = context::id("http.method");
const URI: BufferId = context::id("http.uri");
const URI_RAW: BufferId = context::id("http.uri.raw");
const PROTOCOL: BufferId = context::id("http.protocol");

const DIR: Dir = Dir::ToServer;
/// What a client sends before a CONNECT is answered is kept so far.
const MAX_EARLY: usize = 64 * 1024;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Line,
    /// A line without a protocol came: the request is over unless header lines follow.
    Simple,
    Headers,
    /// A line of a single space came, which ends the head unless an empty one follows.
    HeadersMaybeOver,
    Body,
    Trailer,
    /// Bytes are lost, and with them where the next request begins.
    Lost,
}

pub(super) struct Request {
    pub(super) message: Message,
    state: State,
    pub(super) method: Method,
    /// The first line's end in the head's bytes.
    pub(super) line_end: usize,
    /// The target as it stands and normalised.
    pub(super) uri: Vec<u8>,
    pub(super) path: Vec<u8>,
    /// Bytes before the query, which name files that nobody else names.
    pub(super) path_len: usize,
    early: Carry,
    /// Bytes of the line at work that were told to be content when the server answered it.
    told: usize,
}

impl Request {
    pub(super) fn new() -> Request {
        Request {
            message: Message::new(DIR),
            state: State::Line,
            method: Method::Unknown,
            line_end: 0,
            uri: Vec::new(),
            path: Vec::new(),
            path_len: 0,
            early: Carry::default(),
            told: 0,
        }
    }

    pub(super) fn reset(&mut self) {
        self.message.reset();
        self.state = State::Line;
        self.uri.clear();
        self.uri.shrink_to(KEPT);
        self.path.clear();
        self.path.shrink_to(KEPT);
        self.early.reset();
        self.told = 0;
    }

    pub(super) fn data(&mut self, mut input: &[u8], exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        while !input.is_empty() && self.state != State::Lost && !self.message.broken {
            if exchanges.connecting {
                self.early.push(input, MAX_EARLY);
                return;
            }
            let before = input;
            let on = self.step(&mut input, exchanges, sink);
            let taken = before.len() - input.len();
            if self.message.head.is_too_long() && !self.message.broken {
                self.too_long(exchanges, sink);
            }
            self.message.add_frame(before.get(..taken).unwrap_or_default(), sink);
            if self.message.broken {
                return;
            }
            if on == Step::Complete {
                self.complete(false, exchanges, sink);
            }
        }
    }

    /// A line, or the whole head, is longer than what is kept of it: it is looked at as far as it came.
    fn too_long(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        match (self.state, self.message.head.last(sink.limits)) {
            (State::Line, Some(line)) => {
                self.first_line(&line, exchanges, sink);
                if self.state == State::Line {
                    // No request, but content: of that any length will do.
                    return;
                }
            }
            (State::Headers, Some(line)) => {
                self.header_line(&line, exchanges, sink);
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

    /// The server speaks: a request without header lines is over.
    pub(super) fn answered(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        if self.state == State::Simple {
            self.headers_over(exchanges, sink);
            self.complete(false, exchanges, sink);
        }
        self.tell_line(sink);
    }

    /// The server answers what came, and behind it stands a line without its end. If it begins no request it is more content of
    /// the last one, and rules are to see it before that one is over; its end will tell.
    fn tell_line(&mut self, sink: &mut Sink<'_>) {
        let line = self.message.head.unfinished();
        if self.state != State::Line
            || self.message.tx.is_none()
            || begins_request(line)
            || self.told >= line.len()
        {
            return;
        }
        let head = std::mem::take(&mut self.message.head);
        self.more_content(head.unfinished(), sink);
        self.told = head.unfinished().len();
        self.message.head = head;
    }

    /// More than the last request announced.
    fn more_content(&mut self, bytes: &[u8], sink: &mut Sink<'_>) {
        let bytes = bytes.get(self.told..).unwrap_or_default();
        self.message.content.write(bytes, self.message.tx, sink);
        self.message.content.finish(false, self.message.tx, sink);
        self.message.event(sink, "http.request_body_unexpected", "");
    }

    /// The CONNECT was refused: what came meanwhile are requests.
    pub(super) fn resume(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        let early = std::mem::take(&mut self.early);
        self.data(early.bytes(), exchanges, sink);
        self.early = early;
        self.early.clear();
    }

    fn step(&mut self, input: &mut &[u8], exchanges: &mut Exchanges, sink: &mut Sink<'_>) -> Step {
        match self.state {
            State::Line => {
                if let Some(line) = self.message.head.next(input, Ends::Lf, sink.limits) {
                    self.first_line(&line, exchanges, sink);
                }
            }
            State::Simple => return self.simple(input, exchanges, sink),
            State::Headers => {
                if let Some(line) = self.message.head.next(input, Ends::Lf, sink.limits) {
                    return self.header_line(&line, exchanges, sink);
                }
            }
            State::HeadersMaybeOver => {
                self.state = State::Headers;
                if input.first() != Some(&b'\n') {
                    return self.headers_over(exchanges, sink);
                }
            }
            State::Body => match self.message.body(input, sink) {
                Body::More => {}
                // A server reads on as it likes: what follows may be anything.
                Body::Broken => self.message.broken = true,
                Body::Done => return Step::Complete,
                Body::Trailer => {
                    self.state = State::Trailer;
                    self.message.begin_trailer();
                    self.message.with_tx(sink, |tx| tx.advance(DIR, TRAILER));
                }
            },
            State::Trailer => {
                if let Some(line) = self.message.head.next(input, Ends::Lf, sink.limits) {
                    return self.trailer_line(&line, sink);
                }
            }
            State::Lost => *input = &[],
        }
        Step::On
    }

    fn first_line(&mut self, line: &Line, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        let head = std::mem::take(&mut self.message.head);
        let text = head.text(&line.text);
        let parsed = request_line(text);
        if text.iter().all(|b| b.is_ascii_whitespace() || *b == 0) {
            // Empty lines before a request.
        } else if self.message.tx.is_some() && !looks_like_request(&parsed) {
            // Nothing that begins a request: more of the last one's content than it announced.
            self.more_content(head.bytes(), sink);
        } else {
            self.told = 0;
            self.open(line, text, &parsed, exchanges, sink);
            self.line_end = head.bytes().len();
            self.message.head = head;
            // Whoever took the step sees by the head that it is too long.
            return;
        }
        self.told = 0;
        self.message.head = head;
        self.message.forget_line();
    }

    fn open(
        &mut self,
        line: &Line,
        text: &[u8],
        parsed: &RequestLine<'_>,
        exchanges: &mut Exchanges,
        sink: &mut Sink<'_>,
    ) {
        self.message.fields.clear();
        self.message.tx = sink.open();
        self.message.begun = true;
        self.message.version = parsed.version;
        self.method = Method::of(parsed.method);
        let (head, connect) = (self.method == Method::Head, self.method == Method::Connect);
        self.uri.clear();
        self.uri.extend_from_slice(parsed.uri);
        self.state = if parsed.version == Version::None { State::Simple } else { State::Headers };
        self.path.clear();
        self.path_len = Target::of(parsed.uri, connect).append_normal(&mut self.path);
        let exchange = Exchange { tx: self.message.tx, head, connect, ..Exchange::default() };
        let path = self.path.get(..self.path_len).unwrap_or_default();
        exchanges.add(exchange, path, sink.limits.transactions);
        let path = &self.path;
        self.message.with_tx(sink, |tx| {
            tx.put(DIR, REQUEST_LINE, text);
            tx.put(DIR, METHOD, parsed.method);
            if !parsed.uri.is_empty() {
                tx.put(DIR, URI_RAW, parsed.uri);
            }
            if !path.is_empty() {
                tx.put(DIR, URI, path);
            }
            if !parsed.protocol.is_empty() {
                tx.put(DIR, PROTOCOL, parsed.protocol);
            }
            line_events(parsed, line, tx);
            notes::request_line(parsed, tx);
            tx.advance(DIR, LINE);
        });
    }

    /// Behind a line without a protocol: an empty line ends it, any other shows that the protocol was forgotten.
    fn simple(&mut self, input: &mut &[u8], exchanges: &mut Exchanges, sink: &mut Sink<'_>) -> Step {
        let blank = input.iter().take_while(|b| matches!(b, b'\r' | b' ' | b'\t')).count();
        match input.get(blank) {
            None => *input = &[],
            Some(b'\n') => {
                *input = input.get(blank + 1..).unwrap_or_default();
                return self.headers_over(exchanges, sink);
            }
            Some(_) => {
                *input = input.get(blank..).unwrap_or_default();
                self.state = State::Headers;
                self.message.event(sink, "http.request_line_missing_protocol", "");
            }
        }
        Step::On
    }

    fn header_line(&mut self, line: &Line, exchanges: &mut Exchanges, sink: &mut Sink<'_>) -> Step {
        match line.blank {
            Blank::Yes => return self.headers_over(exchanges, sink),
            Blank::IfNoneFollows => self.state = State::HeadersMaybeOver,
            Blank::No => {}
        }
        let Message { head, fields, .. } = &mut self.message;
        let text = head.text(&line.text);
        let folded = matches!(text.first(), Some(b' ' | b'\t' | 0));
        let continues = folded && fields.fold(text);
        let faults = if continues { None } else { Some(fields.begin(text)) };
        if let Some(faults) = faults {
            self.message.note_faults(faults);
        }
        if folded && !continues {
            self.message.event(sink, "http.invalid_request_field_folding", "");
        }
        Step::On
    }

    fn headers_over(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) -> Step {
        let faults = self.message.fields.finish();
        self.message.note_faults(faults);
        self.message.raise_faults(sink);
        self.publish(sink);
        if let (Some(value), Some(exchange)) =
            (self.message.fields.first(Known::Upgrade), exchanges.newest_mut())
        {
            exchange.upgrade = Some(Upgrade::of(value));
        }
        self.begin_body(sink);
        self.message.with_tx(sink, |tx| tx.advance(DIR, HEADERS));
        if matches!(self.message.framing, Framing::None | Framing::Length(0)) {
            return Step::Complete;
        }
        self.state = State::Body;
        self.message.with_tx(sink, |tx| tx.advance(DIR, BODY));
        Step::On
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
        self.message.complete(truncated, sink);
        self.message.clear();
        self.state = State::Line;
        exchanges.connecting = self.method == Method::Connect && !exchanges.is_empty() && !truncated;
    }

    pub(super) fn gap(&mut self, missing: u64, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        let known = self.state == State::Body && self.message.gap(missing, sink);
        if !known {
            if !matches!(self.state, State::Line | State::Lost) {
                self.complete(true, exchanges, sink);
            }
            self.message.clear();
            self.told = 0;
            self.state = State::Lost;
        }
    }

    /// No more will come: the request at work ends as it stands.
    pub(super) fn end(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        let last = match self.state {
            State::Line | State::Headers => self.message.head.last(sink.limits),
            _ => None,
        };
        match (self.state, last) {
            (State::Line, Some(line)) => {
                self.first_line(&line, exchanges, sink);
                if self.state != State::Line {
                    self.end(exchanges, sink);
                }
                return;
            }
            (State::Headers, Some(line)) => {
                self.header_line(&line, exchanges, sink);
                self.headers_over(exchanges, sink);
            }
            (State::Simple | State::Headers | State::HeadersMaybeOver, _) => {
                self.headers_over(exchanges, sink);
            }
            (State::Line | State::Lost, _) => return,
            (State::Body | State::Trailer, _) => {}
        }
        let whole = matches!(self.message.framing, Framing::None | Framing::Length(0) | Framing::Close);
        self.complete(!whole, exchanges, sink);
        exchanges.connecting = false;
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Step {
    On,
    Complete,
}

fn looks_like_request(line: &RequestLine<'_>) -> bool {
    match Method::of(line.method) {
        Method::Unknown => {
            line.version != Version::None
                || (!line.method.is_empty()
                    && line.method.iter().all(u8::is_ascii_uppercase)
                    && line.uri.first() == Some(&b'/'))
        }
        _ => true,
    }
}

/// Whether a line of which this came may yet be a request's.
fn begins_request(line: &[u8]) -> bool {
    let parsed = request_line(line);
    let cut = parsed.uri.is_empty() && !line.last().is_some_and(u8::is_ascii_whitespace);
    parsed.method.is_empty()
        || if cut { Method::may_become(parsed.method) } else { looks_like_request(&parsed) }
}

fn line_events(parsed: &RequestLine<'_>, line: &Line, tx: &mut Transaction) {
    for (odd, name) in [
        (parsed.leading_space, "http.request_line_leading_whitespace"),
        (parsed.odd_after_method, "http.method_delim_non_compliant"),
        (parsed.odd_after_uri, "http.uri_delim_non_compliant"),
        (parsed.uri.is_empty(), "http.request_line_incomplete"),
        (parsed.version == Version::Invalid, "http.request_line_invalid"),
        (line.cut, "http.request_field_too_long"),
    ] {
        if odd {
            tx.event(DIR, name);
        }
    }
}
