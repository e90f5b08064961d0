//! A message's header fields to the buffers that rules know them by.

use super::hpack::Fields;
use crate::app::Transaction;
use crate::app::http1::params;
use crate::base::Dir;
use crate::rules::context::{BufferId, id};

/// All of a message's header fields are there.
pub const HEADERS_DONE: u8 = 1;

const REQUEST: &[(&[u8], BufferId)] = &[
    (b":path", id("http.uri")),
    (b":path", id("http.uri.raw")),
    (b":method", id("http.method")),
    (b"user-agent", id("http.user_agent")),
    (b"accept", id("http.accept")),
    (b"accept-encoding", id("http.accept_enc")),
    (b"accept-language", id("http.accept_lang")),
    (b"referer", id("http.referer")),
    (b"content-type", id("http.content_type")),
    (b"content-length", id("http.content_len")),
    (b"connection", id("http.connection")),
];

const RESPONSE: &[(&[u8], BufferId)] = &[
    (b":status", id("http.stat_code")),
    (b"server", id("http.server")),
    (b"location", id("http.location")),
    (b"content-type", id("http.content_type")),
    (b"content-length", id("http.content_len")),
    (b"connection", id("http.connection")),
];

const HOST: BufferId = id("http.host");
const HOST_RAW: BufferId = id("http.host.raw");
const COOKIE: BufferId = id("http.cookie");
const PROTOCOL: BufferId = id("http.protocol");
const HEADER: BufferId = id("http.header");
const HEADER_RAW: BufferId = id("http.header.raw");
const HEADER_NAMES: BufferId = id("http.header_names");
const REQUEST_HEADER: BufferId = id("http.request_header");
const RESPONSE_HEADER: BufferId = id("http.response_header");
const HTTP2_NAME: BufferId = id("http2.header_name");
const HTTP2_HEADER: BufferId = id("http2.header");

/// Whether any buffer of these fields has its stage behind it once they are all there.
pub fn is_of_headers(buffer: BufferId) -> bool {
    let common = [COOKIE, PROTOCOL, HEADER, HEADER_RAW, HEADER_NAMES, HOST, HOST_RAW];
    common.contains(&buffer) || REQUEST.iter().chain(RESPONSE).any(|(_, known)| *known == buffer)
}

/// All that rules ask of a block. Of the trailers that follow a body, each field by itself.
pub fn put(tx: &mut Transaction, dir: Dir, fields: &Fields, is_trailer: bool) {
    each(tx, dir, fields);
    if is_trailer {
        return;
    }
    let (known, cookie, own_cookie): (_, &[u8], _) = match dir {
        Dir::ToServer => (REQUEST, b"cookie", is_cookie as fn(&[u8]) -> bool),
        Dir::ToClient => (RESPONSE, b"set-cookie", is_set_cookie as fn(&[u8]) -> bool),
    };
    for (name, buffer) in known {
        joined(tx, dir, *buffer, fields, name);
    }
    joined(tx, dir, COOKIE, fields, cookie);
    tx.put(dir, PROTOCOL, b"HTTP/2");
    let lines = |out: &mut Vec<u8>, passes: &dyn Fn(&[u8]) -> bool| {
        for (name, value) in fields.iter().filter(|(name, _)| passes(name)) {
            line(out, name, value);
            out.extend_from_slice(b"\r\n");
        }
    };
    tx.put_with(dir, HEADER, |out| lines(out, &|name| !own_cookie(name)));
    tx.put_with(dir, HEADER_RAW, |out| lines(out, &|_| true));
    tx.put_with(dir, HEADER_NAMES, |out| {
        out.extend_from_slice(b"\r\n");
        for (name, _) in fields.iter() {
            out.extend_from_slice(name);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    });
    if dir == Dir::ToServer {
        host(tx, fields);
    } else if fields.get(b"content-range").is_some_and(|range| params::byte_range(range).is_none()) {
        tx.event(dir, "http2.invalid_range");
    }
    note(tx, dir, fields);
    tx.advance(dir, HEADERS_DONE);
}

fn is_cookie(name: &[u8]) -> bool {
    name == b"cookie"
}

fn is_set_cookie(name: &[u8]) -> bool {
    name == b"set-cookie"
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
}

fn each(tx: &mut Transaction, dir: Dir, fields: &Fields) {
    let header = if dir == Dir::ToServer { REQUEST_HEADER } else { RESPONSE_HEADER };
    for buffer in [header, HTTP2_HEADER] {
        if tx.wants(buffer) {
            fields.iter().for_each(|(name, value)| tx.put_with(dir, buffer, |out| line(out, name, value)));
        }
    }
    if tx.wants(HTTP2_NAME) {
        fields.iter().for_each(|(name, _)| tx.put(dir, HTTP2_NAME, name));
    }
}

/// The value of a field, or the values of fields of the same name with commas between.
fn joined(tx: &mut Transaction, dir: Dir, buffer: BufferId, fields: &Fields, name: &[u8]) {
    if !tx.wants(buffer) {
        return;
    }
    let values = fields.iter().filter(|(known, _)| *known == name).map(|(_, value)| value);
    if values.clone().next().is_none() {
        return;
    }
    tx.put_with(dir, buffer, |out| {
        for (at, value) in values.enumerate() {
            if at > 0 {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(value);
        }
    });
}

/// Whom the request is for: the authority, or where there is none the Host field.
fn host(tx: &mut Transaction, fields: &Fields) {
    let (authority, host) = (fields.get(b":authority"), fields.get(b"host"));
    if let (Some(authority), Some(host)) = (authority, host)
        && !authority.eq_ignore_ascii_case(host)
    {
        tx.event(Dir::ToServer, "http2.authority_host_mismatch");
    }
    let Some(raw) = authority.or(host) else { return };
    tx.put(Dir::ToServer, HOST_RAW, raw);
    let mut name = raw;
    if let Some(at) = memchr::memrchr(b'@', raw) {
        tx.event(Dir::ToServer, "http2.userinfo_in_uri");
        name = raw.get(at + 1..).unwrap_or_default();
    }
    tx.put_with(Dir::ToServer, HOST, |out| {
        let from = out.len();
        out.extend_from_slice(without_port(name));
        out.get_mut(from..).unwrap_or_default().make_ascii_lowercase();
    });
}

/// An address in brackets keeps its colons.
fn without_port(name: &[u8]) -> &[u8] {
    let end = match name.first() {
        Some(b'[') => memchr::memchr(b']', name).map(|at| at + 1),
        _ => memchr::memchr(b':', name),
    };
    end.and_then(|end| name.get(..end)).unwrap_or(name)
}

fn note(tx: &mut Transaction, dir: Dir, fields: &Fields) {
    if !tx.wants_notes() {
        return;
    }
    let (list, name_of, value_of) = match dir {
        Dir::ToServer => ("request_headers[]", "request_headers[].name", "request_headers[].value"),
        Dir::ToClient => ("response_headers[]", "response_headers[].name", "response_headers[].value"),
    };
    for (name, value) in fields.iter() {
        tx.note_begin(list);
        tx.note(name_of, name);
        tx.note(value_of, value);
    }
    if dir == Dir::ToServer {
        tx.note("version", b"2");
        let names: [(&[u8], _); 3] =
            [(b":method", "http_method"), (b":path", "url"), (b"user-agent", "http_user_agent")];
        for (field, name) in names {
            if let Some(value) = fields.get(field) {
                tx.note(name, value);
            }
        }
    } else if let Some(status) = fields.get(b":status").and_then(number) {
        tx.note_number("status", status);
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_without_its_port() {
        for (host, expected) in
            [("a.b:80", "a.b"), ("[::1]:443", "[::1]"), ("a", "a"), ("[::1", "[::1"), ("", "")]
        {
            assert_eq!(without_port(host.as_bytes()), expected.as_bytes());
        }
    }
}
