//! One message: its first line, header fields, body, as buffers, frames and notes.

use super::sdp;
use crate::app::transaction::Transaction;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const METHOD: BufferId = context::id("sip.method");
const URI: BufferId = context::id("sip.uri");
const PROTOCOL: BufferId = context::id("sip.protocol");
const REQUEST_LINE: BufferId = context::id("sip.request_line");
const RESPONSE_LINE: BufferId = context::id("sip.response_line");
const STAT_CODE: BufferId = context::id("sip.stat_code");
const STAT_MSG: BufferId = context::id("sip.stat_msg");

const FRAME: BufferId = context::id("sip.pdu");
/// Of requests and of responses: the first line, the header fields, the body.
const FRAMES: [[BufferId; 3]; 2] = [
    [context::id("sip.request.line"), context::id("sip.request.headers"), context::id("sip.request.body")],
    [context::id("sip.response.line"), context::id("sip.response.headers"), context::id("sip.response.body")],
];

const CONTENT_TYPE: BufferId = context::id("sip.content_type");
/// Header fields that rules look into: their names, their compact names (RFC 3261, 7.3.3).
const FIELDS: [(&[u8], &[u8], BufferId); 6] = [
    (b"from", b"f", context::id("sip.from")),
    (b"to", b"t", context::id("sip.to")),
    (b"via", b"v", context::id("sip.via")),
    (b"user-agent", b"", context::id("sip.user_agent")),
    (b"content-type", b"c", CONTENT_TYPE),
    (b"content-length", b"l", context::id("sip.content_length")),
];

/// What the first line says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum First<'a> {
    Request { method: &'a [u8], uri: &'a [u8], version: &'a [u8] },
    Response { version: &'a [u8], code: &'a [u8], reason: &'a [u8] },
}

/// Splits at the first space; blanks around both parts go.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let at = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let (first, rest) = text.split_at(at);
    (first, rest.trim_ascii())
}

impl First<'_> {
    fn read(line: &[u8]) -> Option<First<'_>> {
        let (first, rest) = word(line.trim_ascii());
        if first.starts_with(b"SIP/") {
            let (code, reason) = word(rest);
            let is_code = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
            return is_code.then_some(First::Response { version: first, code, reason });
        }
        let at = rest.iter().rposition(|byte| *byte == b' ')?;
        let (uri, version) = (rest.get(..at)?.trim_ascii(), rest.get(at + 1..)?);
        let is_method =
            !first.is_empty() && first.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        let is_sip = version.starts_with(b"SIP/") && !uri.is_empty();
        (is_method && is_sip).then_some(First::Request { method: first, uri, version })
    }
}

/// The first line of these bytes begins a message.
pub(super) fn is_first_line(bytes: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    bytes.get(..end).and_then(First::read).is_some()
}

/// Length of a head with the empty line that ends it, where it is whole.
pub(super) fn head_len(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match bytes.get(at + 1..)? {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Name and value of each header field; a value still has its folds.
fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let first_line = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    let mut rest = head.get(first_line..).unwrap_or_default();
    std::iter::from_fn(move || {
        let folds = |at: &usize| !matches!(rest.get(at + 1), Some(b' ' | b'\t'));
        let end = memchr::memchr_iter(b'\n', rest).find(folds).map_or(rest.len(), |at| at + 1);
        let (field, behind) = rest.split_at(end);
        rest = behind;
        (!field.is_empty()).then_some(field)
    })
    .filter_map(|field| {
        let colon = memchr::memchr(b':', field)?;
        let (name, value) = field.split_at(colon);
        Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
    })
}

/// A field's value in one line.
fn unfold(value: &[u8], out: &mut Vec<u8>) {
    for (at, line) in value.split(|byte| *byte == b'\n').enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(line.trim_ascii());
    }
}

fn is(name: &[u8], field: &(&[u8], &[u8], BufferId)) -> bool {
    name.eq_ignore_ascii_case(field.0) || (!name.is_empty() && name.eq_ignore_ascii_case(field.1))
}

/// Bytes of body that a head announces: none where it does not.
pub(super) fn content_length(head: &[u8]) -> u64 {
    let is_length =
        |name: &[u8]| name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l");
    let value = fields(head).find(|(name, _)| is_length(name)).map_or(&b""[..], |(_, value)| value);
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

/// Puts what a message says; its head is `head` long, with the empty line.
pub(super) fn report(tx: &mut Transaction, dir: Dir, bytes: &[u8], head: usize) {
    let (head, body) = bytes.split_at(head.min(bytes.len()));
    let end = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    let (line, rest) = head.split_at(end);
    let is_request = first(tx, dir, line.trim_ascii());
    let [line_frame, headers_frame, body_frame] = FRAMES[usize::from(!is_request)];
    tx.put(dir, FRAME, bytes);
    tx.put(dir, line_frame, line);
    let headers = rest.strip_suffix(b"\n").unwrap_or(rest);
    tx.put(dir, headers_frame, headers.strip_suffix(b"\r").unwrap_or(headers));
    if !body.is_empty() {
        tx.put(dir, body_frame, body);
    }
    if describes_session(tx, dir, head) {
        sdp::report(tx, dir, body);
    }
}

/// The first line; whether it is a request's.
fn first(tx: &mut Transaction, dir: Dir, line: &[u8]) -> bool {
    match First::read(line) {
        Some(First::Request { method, uri, version }) => {
            tx.put(dir, REQUEST_LINE, line);
            tx.put(dir, METHOD, method);
            tx.put(dir, URI, uri);
            tx.put(dir, PROTOCOL, version);
            for (name, text) in
                [("method", method), ("uri", uri), ("version", version), ("request_line", line)]
            {
                tx.note(name, text);
            }
            true
        }
        Some(First::Response { version, code, reason }) => {
            tx.put(dir, RESPONSE_LINE, line);
            tx.put(dir, STAT_CODE, code);
            tx.put(dir, STAT_MSG, reason);
            tx.put(dir, PROTOCOL, version);
            for (name, text) in
                [("version", version), ("code", code), ("reason", reason), ("response_line", line)]
            {
                tx.note(name, text);
            }
            false
        }
        None => {
            tx.event(dir, "sip.invalid_data");
            true
        }
    }
}

/// The header fields; whether the body is a session's description.
fn describes_session(tx: &mut Transaction, dir: Dir, head: &[u8]) -> bool {
    let mut found = false;
    for (name, value) in fields(head) {
        let Some(field) = FIELDS.iter().find(|field| is(name, field)) else { continue };
        tx.put_with(dir, field.2, |out| unfold(value, out));
        if field.2 == CONTENT_TYPE {
            let media = value.split(|byte| *byte == b';').next().unwrap_or_default();
            found |= media.trim_ascii().eq_ignore_ascii_case(b"application/sdp");
        }
    }
    found
}
