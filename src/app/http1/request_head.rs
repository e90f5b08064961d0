//! What a request's head says: its fields, the host, how its body is framed.

use super::authority::Authority;
use super::content::Kind;
use super::fields::{Known, contains};
use super::message::{Framing, Message};
use super::method::Method;
use super::request::Request;
use super::start_line::Version;
use super::uri::Target;
use super::{notes, publish};
use crate::app::sink::Sink;
use crate::app::transaction::Transaction;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

const HOST: BufferId = context::id("http.host");
const HOST_RAW: BufferId = context::id("http.host.raw");

const DIR: Dir = Dir::ToServer;

impl Request {
    pub(super) fn publish(&self, sink: &mut Sink<'_>) {
        let message = &self.message;
        let bytes = message.head.bytes();
        let (line, raw) = bytes.split_at(self.line_end.min(bytes.len()));
        let dport = sink.tuple.dport;
        message.with_tx(sink, |tx| {
            publish::head(message, line.trim_ascii_end(), raw, tx);
            self.hosts(dport, tx);
            if let Some(value) = message.fields.first(Known::Authorization) {
                let scheme = value.split(|b| b.is_ascii_whitespace()).next().unwrap_or_default();
                let known: [&[u8]; 3] = [b"basic", b"digest", b"bearer"];
                if !known.iter().any(|k| k.eq_ignore_ascii_case(scheme)) {
                    tx.event(DIR, "http.request_auth_unrecognized");
                }
            }
            notes::request_head(&message.fields, tx);
        });
    }

    /// The host by the target, or else by the Host fields.
    fn hosts(&self, dport: u16, tx: &mut Transaction) {
        let target = Target::of(&self.uri, self.method == Method::Connect);
        let by_field = self.message.fields.get(Known::Host);
        let by_target = target.authority.map(Authority::of);
        let first = by_field.and_then(|named| named.values().next()).map(Authority::of);
        if let Some(authority) = by_target {
            tx.put(DIR, HOST_RAW, authority.host);
            tx.put_with(DIR, HOST, |out| authority.append_normal(out));
        } else if let Some(named) = by_field {
            tx.put_with(DIR, HOST_RAW, |out| named.append_joined(out));
            tx.put_with(DIR, HOST, |out| {
                for (at, value) in named.values().enumerate() {
                    out.extend_from_slice(if at > 0 { b", " } else { b"" });
                    Authority::of(value).append_normal(out);
                }
            });
        }
        match (by_target, first) {
            (None, None) if self.message.version == Version::Http11 => {
                tx.event(DIR, "http.missing_host_header");
            }
            (Some(target), Some(field)) if !target.host.eq_ignore_ascii_case(field.host) => {
                tx.event(DIR, "http.host_header_ambiguous");
            }
            _ => {}
        }
        if by_target.is_some_and(|target| !target.is_valid()) {
            tx.event(DIR, "http.request_uri_host_invalid");
        }
        if by_target.is_some_and(|target| target.bad_port) {
            tx.event(DIR, "http.invalid_authority_port");
        }
        if first.is_some_and(|field| !field.is_valid()) {
            tx.event(DIR, "http.request_header_host_invalid");
        }
        if first.is_some_and(|field| field.bad_port) {
            tx.event(DIR, "http.invalid_server_port_in_request");
        }
        let port = by_target.or(first).and_then(|authority| authority.port);
        // A CONNECT's port is where the proxy is to go.
        if self.method != Method::Connect && port.is_some_and(|port| port != dport) {
            tx.event(DIR, "http.request_server_port_tcp_port_mismatch");
        }
        notes::host(by_target.or(first), tx);
    }

    pub(super) fn begin_body(&mut self, sink: &mut Sink<'_>) {
        self.message.framing = self.framing(sink);
        let path = self.path.get(..self.path_len).unwrap_or_default();
        let Message { fields, content, .. } = &mut self.message;
        let content_type = fields.first(Known::ContentType).unwrap_or_default();
        let kind = match self.method {
            Method::Post | Method::Put if content.is_form(content_type) => Kind::Form,
            Method::Post | Method::Put => Kind::File,
            _ => Kind::Plain,
        };
        content.begin(DIR, kind, path);
        let encodings =
            fields.get(Known::ContentEncoding).map(|named| content.codings(named.values(), sink.limits));
        self.message.raise_encodings(encodings, sink);
    }

    /// A length that is none, or a coding that does not end by itself, breaks the message (RFC 9112 section 6.3). What is
    /// empty says nothing, nor does the coding `identity` of old (RFC 2616 section 3.6).
    fn framing(&mut self, sink: &mut Sink<'_>) -> Framing {
        let message = &self.message;
        let length = message.content_length(sink);
        let says = |length: &[u8]| !length.trim_ascii().is_empty();
        let lengths = message.fields.get(Known::ContentLength);
        let mut broken = length.is_none() && lengths.is_some_and(|lengths| lengths.values().any(says));
        if let Some(values) = message.fields.get(Known::TransferEncoding) {
            let coded = Codings::of(values.values());
            if coded != Codings::Chunked || message.version < Version::Http11 {
                message.event(sink, "http.invalid_transfer_encoding_value_in_request", "");
            }
            if matches!(coded, Codings::Chunked | Codings::ChunkedAmongOthers) {
                return Framing::Chunked;
            }
            broken |= coded == Codings::Others;
        }
        self.message.broken |= broken;
        length.map_or(Framing::None, Framing::Length)
    }
}

/// What a list of transfer codings says of where a body ends.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Codings {
    None,
    Chunked,
    ChunkedAmongOthers,
    /// None by which the end would be known.
    Others,
}

impl Codings {
    /// One field or several, it is one list (RFC 9110 section 5.3).
    fn of<'v>(values: impl Iterator<Item = &'v [u8]>) -> Codings {
        let codings =
            values.flat_map(|value| value.split(|byte| *byte == b',')).map(|coding| coding.trim_ascii());
        let codes = |coding: &&[u8]| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity");
        codings.filter(codes).fold(Codings::None, |before, coding| match before {
            Codings::None if coding.eq_ignore_ascii_case(b"chunked") => Codings::Chunked,
            Codings::Chunked | Codings::ChunkedAmongOthers => Codings::ChunkedAmongOthers,
            _ if contains(coding, b"chunked") => Codings::ChunkedAmongOthers,
            _ => Codings::Others,
        })
    }
}
