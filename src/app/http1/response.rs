//! The server's direction: responses, each to the oldest request that waits.

use super::content::Kind;
use super::exchange::{Exchange, Exchanges, Upgrade};
use super::fields::{Known, contains};
use super::head::{Blank, Ends, Line};
use super::message::{Body, Framing, Message};
use super::opening::{Opening, opening};
use super::start_line::{StatusLine, Version, status_line};
use super::{BODY, HEADERS, LINE, TRAILER, notes, params, publish};
use crate::app::limits::KEPT;
use crate::app::sink::Sink;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};

const RESPONSE_LINE: BufferId = context::id("http.response_line");
const PROTOCOL: BufferId = context::id("http.protocol");
const STAT_CODE: BufferId = context::id("http.stat_code");
const STAT_MSG: BufferId = context::id("http.stat_msg");

const DIR: Dir = Dir::ToClient;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum State {
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
    message: Message,
    state: State,
    exchange: Exchange,
    status: Option<u16>,
    line_end: usize,
    /// Lines before the status line that are none.
    junk: bool,
    /// The line at work began with bytes that were taken for content.
    mid_line: bool,
    /// An interim response (100) was seen for this request.
    interim: bool,
    /// What was kept of bytes that may begin the next response.
    held: Vec<u8>,
    path: Vec<u8>,
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
            held: Vec::new(),
            path: Vec::new(),
        }
    }

    pub(super) fn reset(&mut self) {
        self.message.reset();
        self.state = State::Line;
        (self.junk, self.mid_line, self.interim) = (false, false, false);
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
        while !input.is_empty() {
            let before = *input;
            let step = self.step(input, exchanges, sink);
            let taken = before.len() - input.len();
            self.message.add_frame(before.get(..taken).unwrap_or_default(), sink);
            match step {
                Step::On => {}
                Step::Complete => self.complete(false, exchanges, sink),
                Step::Change(to) => {
                    self.complete(false, exchanges, sink);
                    return Some(to);
                }
            }
        }
        None
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
                    self.message.head.clear();
                    self.message.fields.clear();
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

    /// Before the status line: empty lines, a line of junk, or no status line at all.
    fn line(&mut self, input: &mut &[u8], exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
        let line = self.message.head.next(input, Ends::Any, sink.limits);
        let head = std::mem::take(&mut self.message.head);
        let text = match &line {
            Some(line) => head.text(&line.text),
            None => head.unfinished(),
        };
        let (mut emit, mut forget) = (false, false);
        match (opening(text, line.is_some()), &line) {
            _ if self.mid_line => emit = true,
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
        self.name_file(sink);
        self.message.with_tx(sink, |tx| tx.advance(DIR, BODY));
        self.message.content.write(bytes, self.message.tx, sink);
    }

    fn take_exchange(&mut self, exchanges: &Exchanges, sink: &mut Sink<'_>) {
        self.message.begun = true;
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

    fn is_interim(&self) -> bool {
        self.status.is_some_and(|status| (100..200).contains(&status) && status != 101)
    }

    fn publish_line(&self, line: &Line, text: &[u8], parsed: &StatusLine<'_>, sink: &mut Sink<'_>) {
        self.message.with_tx(sink, |tx| {
            tx.put(DIR, RESPONSE_LINE, text);
            tx.put(DIR, PROTOCOL, parsed.protocol);
            if !parsed.code.is_empty() {
                tx.put(DIR, STAT_CODE, parsed.code);
            }
            tx.put(DIR, STAT_MSG, parsed.message);
            if parsed.version == Version::Invalid {
                tx.event(DIR, "http.response_invalid_protocol");
            }
            if parsed.status.is_none() {
                tx.event(DIR, "http.response_invalid_status");
            }
            if line.cut {
                tx.event(DIR, "http.response_field_too_long");
            }
            notes::status_line(parsed, tx);
            tx.advance(DIR, LINE);
        });
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
        if line.cut {
            self.message.raise_too_long(sink);
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

    fn has_told_body(&self) -> bool {
        let fields = &self.message.fields;
        fields.get(Known::ContentLength).is_some() || fields.get(Known::TransferEncoding).is_some()
    }

    fn changes_to(&self) -> Option<Option<AppProto>> {
        let status = self.status?;
        if self.exchange.connect && (200..300).contains(&status) {
            return Some(None);
        }
        if status != 101 || self.has_told_body() {
            return None;
        }
        let asked = self.message.fields.first(Known::Upgrade).map(Upgrade::of);
        Some(match asked.or(self.exchange.upgrade)? {
            Upgrade::Websocket => Some(AppProto::Websocket),
            Upgrade::Http2 => Some(AppProto::Http2),
            Upgrade::Other => None,
        })
    }

    fn publish(&self, sink: &mut Sink<'_>) {
        let message = &self.message;
        let bytes = message.head.bytes();
        let (line, raw) = bytes.split_at(self.line_end.min(bytes.len()));
        let line = line.trim_ascii();
        message.with_tx(sink, |tx| {
            publish::head(message, line, raw, tx);
            notes::response_head(&message.fields, tx);
        });
    }

    fn begin_body(&mut self, sink: &mut Sink<'_>) {
        self.message.framing = self.framing(sink);
        self.name_file(sink);
        let Message { fields, content, .. } = &mut self.message;
        let encodings =
            fields.get(Known::ContentEncoding).map(|named| content.codings(named.values(), sink.limits));
        self.message.raise_encodings(encodings, sink);
    }

    /// The content is a file under the name that the server gives it, or else the request's path.
    fn name_file(&mut self, sink: &mut Sink<'_>) {
        let Message { fields, content, tx, .. } = &mut self.message;
        let told = fields.first(Known::ContentDisposition).and_then(params::file_name);
        self.path.clear();
        match (told, tx.and_then(|id| sink.tx(id))) {
            (Some(name), _) => self.path.extend_from_slice(name),
            (None, Some(tx)) => self.path.extend_from_slice(super::path_of(tx)),
            (None, None) => {}
        }
        content.begin(DIR, Kind::File, &self.path);
    }

    fn framing(&self, sink: &mut Sink<'_>) -> Framing {
        let message = &self.message;
        let length = message.content_length(sink);
        if let Some(named) = message.fields.get(Known::TransferEncoding) {
            let chunked = named.values().any(|value| contains(value, b"chunked"));
            if chunked && message.version < Version::Http11 {
                message.event(sink, "", "http.response_chunked_old_proto");
            }
            if chunked && !named.values().any(|value| value.eq_ignore_ascii_case(b"chunked")) {
                message.event(sink, "", "http.response_abnormal_transfer_encoding");
            }
            if chunked {
                return Framing::Chunked;
            }
            message.event(sink, "", "http.invalid_transfer_encoding_value_in_response");
        }
        let kind = message.fields.first(Known::ContentType).unwrap_or_default();
        if length.is_none() && contains(kind, b"multipart/byteranges") {
            message.event(sink, "", "http.response_multipart_byteranges");
        }
        length.map_or(Framing::Close, Framing::Length)
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
        self.message.with_tx(sink, |tx| publish::each_field(&self.message, tx));
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
        self.message.clear();
        self.state = State::Lost;
        self.settle(exchanges, sink);
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

    fn end_of_line(&mut self, exchanges: &mut Exchanges, sink: &mut Sink<'_>) {
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
