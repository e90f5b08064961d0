//! What clients send.

use super::Opening;
use super::frame::{CANCEL, GSSAPI, HEADER, MAJOR_VERSION, SSL};
use crate::app::Transaction;
use crate::app::cursor::Cursor;
use crate::app::digits::push_number;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};

const QUERY: BufferId = context::id("pgsql.query");
const QUERY_LENGTH: FieldId = field::id("pgsql.query_length");

pub(super) const TERMINATE: u8 = b'X';
/// Kinds of authentication, as the server asks for them.
const SASL: u32 = 10;
const SASL_CONTINUE: u32 = 11;

/// Whether a request ends with a message of that type.
pub(super) fn is_whole(kind: u8) -> bool {
    matches!(kind, b'Q' | b'S' | b'F' | b'p' | TERMINATE)
}

fn code(message: &[u8]) -> Option<u32> {
    message.get(4..)?.first_chunk().map(|code| u32::from_be_bytes(*code))
}

pub(super) fn is_cancel(message: &[u8]) -> bool {
    code(message) == Some(CANCEL)
}

/// A message without a type: what it opens, and whether it is sound.
pub(super) fn open(tx: &mut Transaction, message: &[u8]) -> (Opening, bool) {
    let encryption: &[u8] = match code(message) {
        Some(SSL) => b"SSL Request",
        Some(GSSAPI) => b"GSS Encryption Request",
        Some(CANCEL) => {
            tx.note("request.message", b"cancel_request");
            let sound = note_key(tx, message).is_some();
            return (Opening::Done, sound);
        }
        Some(version) => {
            let [major, minor] = [version >> 16, version & 0xffff];
            tx.note_with("request.protocol_version", |out| {
                push_number(out, major.into());
                out.push(b'.');
                push_number(out, minor.into());
            });
            let sound = note_parameters(tx, message.get(8..).unwrap_or_default()).is_some();
            return (Opening::Done, sound && major == u32::from(MAJOR_VERSION));
        }
        None => return (Opening::Done, false),
    };
    tx.note("request.message", encryption);
    (Opening::Asked, message.len() == 8)
}

fn note_key(tx: &mut Transaction, message: &[u8]) -> Option<()> {
    let mut at = Cursor::big(message.get(8..)?);
    tx.note_number("request.process_id", at.u32()?.into());
    tx.note_number("request.secret_key", at.u32()?.into());
    Some(())
}

/// Takes a text that ends with a NUL.
pub(super) fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = memchr::memchr(0, rest)?;
    let (text, behind) = (rest.get(..end)?, rest.get(end + 1..)?);
    *rest = behind;
    Some(text)
}

/// Pairs of names and values, and a NUL.
fn note_parameters(tx: &mut Transaction, mut rest: &[u8]) -> Option<()> {
    loop {
        let name = text(&mut rest)?;
        if name.is_empty() {
            return Some(());
        }
        let value = text(&mut rest)?;
        let optional = match name {
            b"user" => {
                tx.note("request.startup_parameters.user", value);
                continue;
            }
            b"database" => {
                tx.note("request.startup_parameters.database", value);
                continue;
            }
            b"application_name" => "request.startup_parameters.optional_parameters[].application_name",
            b"client_encoding" => "request.startup_parameters.optional_parameters[].client_encoding",
            b"replication" => "request.startup_parameters.optional_parameters[].replication",
            b"options" => "request.startup_parameters.optional_parameters[].options",
            b"DateStyle" | b"datestyle" => "request.startup_parameters.optional_parameters[].date_style",
            b"TimeZone" | b"timezone" => "request.startup_parameters.optional_parameters[].time_zone",
            b"extra_float_digits" => "request.startup_parameters.optional_parameters[].extra_float_digits",
            b"search_path" => "request.startup_parameters.optional_parameters[].search_path",
            _ => continue,
        };
        tx.note_begin("request.startup_parameters.optional_parameters[]");
        tx.note(optional, value);
    }
}

/// Whether the message is sound.
pub(super) fn put(tx: &mut Transaction, message: &[u8], authentication: u32) -> bool {
    let body = message.get(HEADER..).unwrap_or_default();
    let name = match message.first() {
        Some(b'Q') => return put_query(tx, body),
        Some(b'p') => return note_secret(tx, body, authentication).is_some(),
        Some(b'P') => "parse",
        Some(b'B') => "bind",
        Some(b'C') => "close",
        Some(b'D') => "describe",
        Some(b'E') => "execute",
        Some(b'F') => "function_call",
        Some(b'H') => "flush",
        // Those before it tell more of the request.
        Some(b'S') => return body.is_empty(),
        Some(&TERMINATE) => "terminate",
        _ => return true,
    };
    tx.note("request.message", name.as_bytes());
    true
}

fn put_query(tx: &mut Transaction, body: &[u8]) -> bool {
    let end = memchr::memchr(0, body);
    let query = body.get(..end.unwrap_or(body.len())).unwrap_or_default();
    tx.put(Dir::ToServer, QUERY, query);
    tx.field(Dir::ToServer, QUERY_LENGTH, query.len() as u64);
    tx.note("request.simple_query", query);
    end.is_some()
}

/// Passwords are not told.
fn note_secret(tx: &mut Transaction, body: &[u8], authentication: u32) -> Option<()> {
    match authentication {
        SASL => {
            let mut rest = body;
            tx.note("request.sasl_authentication_mechanism", text(&mut rest)?);
            tx.note("request.sasl_param", rest.get(4..).unwrap_or_default());
        }
        SASL_CONTINUE => tx.note("request.sasl_response", body),
        _ => tx.note("request.message", b"password_message"),
    }
    Some(())
}
