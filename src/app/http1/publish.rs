//! What rules see of a message's head.

use super::fields::{Known, Named};
use super::message::Message;
use crate::app::transaction::Transaction;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const HEADER: BufferId = context::id("http.header");
const HEADER_RAW: BufferId = context::id("http.header.raw");
const HEADER_NAMES: BufferId = context::id("http.header_names");
const START: BufferId = context::id("http.start");
const COOKIE: BufferId = context::id("http.cookie");
const REQUEST_HEADER: BufferId = context::id("http.request_header");
const RESPONSE_HEADER: BufferId = context::id("http.response_header");

/// Buffers that hold a field's value, by direction.
const REQUEST_VALUES: &[(Known, BufferId)] = &[
    (Known::UserAgent, context::id("http.user_agent")),
    (Known::Accept, context::id("http.accept")),
    (Known::AcceptEncoding, context::id("http.accept_enc")),
    (Known::AcceptLanguage, context::id("http.accept_lang")),
    (Known::Referer, context::id("http.referer")),
    (Known::Connection, CONNECTION),
    (Known::ContentType, CONTENT_TYPE),
    (Known::ContentLength, CONTENT_LENGTH),
    (Known::Cookie, COOKIE),
];
const RESPONSE_VALUES: &[(Known, BufferId)] = &[
    (Known::Server, context::id("http.server")),
    (Known::Location, context::id("http.location")),
    (Known::Connection, CONNECTION),
    (Known::ContentType, CONTENT_TYPE),
    (Known::ContentLength, CONTENT_LENGTH),
    (Known::SetCookie, COOKIE),
];
const CONNECTION: BufferId = context::id("http.connection");
const CONTENT_TYPE: BufferId = context::id("http.content_type");
const CONTENT_LENGTH: BufferId = context::id("http.content_len");

/// Whether a name's fields are left to http.cookie alone.
fn is_cookie(known: Known, dir: Dir) -> bool {
    known == if dir == Dir::ToServer { Known::Cookie } else { Known::SetCookie }
}

fn append_field(named: Named<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(named.name);
    out.extend_from_slice(b": ");
    named.append_joined(out);
}

/// Puts all buffers of the head. `raw` is its bytes behind the first line, `line` that line.
pub(super) fn head(message: &Message, line: &[u8], raw: &[u8], tx: &mut Transaction) {
    let (dir, fields) = (message.dir, &message.fields);
    if !raw.is_empty() {
        tx.put(dir, HEADER_RAW, raw);
    }
    if tx.wants(START) {
        tx.put_with(dir, START, |out| {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
            for named in fields.iter() {
                append_field(named, out);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"\r\n");
        });
    }
    if fields.is_empty() {
        return;
    }
    all_fields(message, tx);
    if tx.wants(HEADER_NAMES) {
        tx.put_with(dir, HEADER_NAMES, |out| {
            out.extend_from_slice(b"\r\n");
            for named in fields.iter() {
                out.extend_from_slice(named.name);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"\r\n");
        });
    }
    each_field(message, 0, tx);
    let values = if dir == Dir::ToServer { REQUEST_VALUES } else { RESPONSE_VALUES };
    for named in fields.iter() {
        if let Some((_, id)) = values.iter().find(|(known, _)| *known == named.known) {
            tx.put_with(dir, *id, |out| named.append_joined(out));
        }
    }
}

/// http.header: all fields but cookies.
fn all_fields(message: &Message, tx: &mut Transaction) {
    let dir = message.dir;
    if tx.wants(HEADER) {
        tx.put_with(dir, HEADER, |out| {
            for named in message.fields.iter().filter(|named| !is_cookie(named.known, dir)) {
                append_field(named, out);
                out.extend_from_slice(b"\r\n");
            }
        });
    }
}

/// Every field by itself, from the name of that number on.
fn each_field(message: &Message, from: usize, tx: &mut Transaction) {
    let id = if message.dir == Dir::ToServer { REQUEST_HEADER } else { RESPONSE_HEADER };
    if tx.wants(id) {
        for named in message.fields.iter().skip(from) {
            tx.put_with(message.dir, id, |out| append_field(named, out));
        }
    }
}

/// Fields came behind the body: http.header is looked into once more, with them.
pub(super) fn trailer(message: &Message, tx: &mut Transaction) {
    if message.fields.iter().count() > message.names {
        all_fields(message, tx);
        each_field(message, message.names, tx);
    }
}
