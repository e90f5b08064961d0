//! HTTP/0.9, 1.0 and 1.1 (RFC 9112), read as servers read requests and browsers read responses: what they accept is what
//! an attacker can send.
//!
//! Owes: a transaction an exchange, with its lines, fields, hosts, targets and bodies (codings undone) as Suricata's
//! keywords have them, its files, events and the record for eve.json. Owns both directions' state. Where a message says
//! two things of itself, the reading is chosen that shows the content: a body that is not chunked though it says so is
//! the content as it stands, and so is one that is not compressed.
//!
//! Requests wait in the order in which they came; a response belongs to the oldest. A hole within a body whose end is
//! known is passed over; behind any other hole that direction is not decoded any further.
//!
//! An error, behind which nothing is decoded, is what leaves in doubt where a request ends (a chunk's size or a
//! Content-Length that is none, a transfer coding that is not `chunked`), and what is beyond the limits of either
//! direction's head, for the rest of it would go unseen. Responses that say such things are read as browsers read them.

mod authority;
#[cfg(test)]
mod body_tests;
mod budget;
mod chunked;
pub(super) mod coding;
#[cfg(test)]
mod coding_tests;
mod content;
#[cfg(test)]
mod event_tests;
mod exchange;
mod fields;
mod gzip;
mod head;
mod heads;
mod inflate;
mod message;
mod method;
mod multipart;
mod notes;
mod opening;
pub(super) mod params;
mod probe;
#[cfg(test)]
mod properties;
mod publish;
mod request;
mod request_head;
mod response;
mod response_head;
mod response_start;
mod start_line;
#[cfg(test)]
mod tests;
mod unpack;
mod uri;

use super::decoder::{Decoder, Next};
use super::entry::{Entry, States};
use super::sink::Sink;
use super::transaction::COMPLETE;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use exchange::Exchanges;
pub(super) use heads::Heads;
use request::Request;
use response::Response;

/// Stages of both directions: what is there when they are reached.
const LINE: u8 = 1;
const HEADERS: u8 = 2;
const BODY: u8 = 3;
const TRAILER: u8 = 4;

const REQUEST_STATES: States = &[
    ("request_line", LINE),
    ("request_headers", HEADERS),
    ("request_body", BODY),
    ("request_trailer", TRAILER),
];
const RESPONSE_STATES: States = &[
    ("response_line", LINE),
    ("response_headers", HEADERS),
    ("response_body", BODY),
    ("response_trailer", TRAILER),
];

pub const ENTRY: Entry = Entry {
    proto: AppProto::Http1,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe: probe::probe,
    make: Some(|| Box::new(Http1::new())),
    stage,
    states: [REQUEST_STATES, RESPONSE_STATES],
};

const BY_LINE: &[BufferId] = &[
    context::id("http.uri.raw"),
    context::id("http.method"),
    context::id("http.request_line"),
    context::id("http.protocol"),
    context::id("http.response_line"),
    context::id("http.stat_code"),
    context::id("http.stat_msg"),
    context::id("http.uri"),
];
const BY_END: &[BufferId] = &[
    context::id("http.request_body"),
    context::id("http.response_body"),
    context::id("http.request_header"),
    context::id("http.response_header"),
    context::id("file.data"),
    context::id("file.name"),
    context::id("file.magic"),
    context::id("http1.request"),
    context::id("http1.response"),
    context::id("http1.stream"),
];

fn stage(buffer: BufferId) -> u8 {
    match () {
        () if BY_LINE.contains(&buffer) => LINE,
        () if BY_END.contains(&buffer) => COMPLETE,
        () => HEADERS,
    }
}

struct Http1 {
    request: Request,
    response: Response,
    exchanges: Exchanges,
}

impl Http1 {
    fn new() -> Http1 {
        Http1 { request: Request::new(), response: Response::new(), exchanges: Exchanges::default() }
    }
}

impl Decoder for Http1 {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        match dir {
            Dir::ToServer => {
                sink.lent.http1.lend(&mut self.request.message);
                self.request.data(bytes, &mut self.exchanges, sink);
                sink.lent.http1.take_back(&mut self.request.message);
                if self.response.is_lost() {
                    self.response.settle(&mut self.exchanges, sink);
                }
            }
            Dir::ToClient => {
                self.request.answered(&mut self.exchanges, sink);
                let connecting = self.exchanges.connecting;
                let mut rest = bytes;
                sink.lent.http1.lend(&mut self.response.message);
                let change = self.response.data(&mut rest, &mut self.exchanges, sink);
                sink.lent.http1.take_back(&mut self.response.message);
                if let Some(to) = change {
                    return Next::Change { consumed: bytes.len() - rest.len(), to };
                }
                if connecting && !self.exchanges.connecting {
                    self.request.resume(&mut self.exchanges, sink);
                }
            }
        }
        let broken = self.request.message.broken || self.response.message.broken;
        if broken { Next::Broken } else { Next::More }
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        match dir {
            Dir::ToServer => self.request.gap(missing, &mut self.exchanges, sink),
            Dir::ToClient => self.response.gap(missing, &mut self.exchanges, sink),
        }
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        match dir {
            Dir::ToServer => self.request.end(&mut self.exchanges, sink),
            Dir::ToClient => self.response.end(&mut self.exchanges, sink),
        }
    }

    fn reset(&mut self) {
        self.request.reset();
        self.response.reset();
        self.exchanges.clear();
    }
}
