//! What a response's head says: its line and fields, how its body is framed, whether the protocol changes.

use super::content::Kind;
use super::exchange::Upgrade;
use super::fields::{Known, contains};
use super::head::Line;
use super::message::{Framing, Message};
use super::response::Response;
use super::start_line::{StatusLine, Version};
use super::{LINE, notes, params, publish};
use crate::app::sink::Sink;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};

const RESPONSE_LINE: BufferId = context::id("http.response_line");
const PROTOCOL: BufferId = context::id("http.protocol");
const STAT_CODE: BufferId = context::id("http.stat_code");
const STAT_MSG: BufferId = context::id("http.stat_msg");

const DIR: Dir = Dir::ToClient;

impl Response {
    pub(super) fn publish_line(
        &self,
        line: &Line,
        text: &[u8],
        parsed: &StatusLine<'_>,
        sink: &mut Sink<'_>,
    ) {
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

    pub(super) fn has_told_body(&self) -> bool {
        let fields = &self.message.fields;
        fields.get(Known::ContentLength).is_some() || fields.get(Known::TransferEncoding).is_some()
    }

    /// Whether what comes behind it may be its content all the same.
    pub(super) fn is_last(&self) -> bool {
        let Message { fields, version, .. } = &self.message;
        let says = |word: &[u8]| {
            fields.get(Known::Connection).is_some_and(|f| f.values().any(|v| contains(v, word)))
        };
        let closes = if *version == Version::Http11 { says(b"close") } else { !says(b"keep-alive") };
        closes || self.message.length_in_doubt()
    }

    pub(super) fn changes_to(&self) -> Option<Option<AppProto>> {
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

    pub(super) fn publish(&self, sink: &mut Sink<'_>) {
        let message = &self.message;
        let bytes = message.head.bytes();
        let (line, raw) = bytes.split_at(self.line_end.min(bytes.len()));
        let line = line.trim_ascii();
        message.with_tx(sink, |tx| {
            publish::head(message, line, raw, tx);
            let range = message.fields.first(Known::ContentRange);
            if self.status == Some(206) && range.is_some_and(|range| params::byte_range(range).is_none()) {
                tx.event(DIR, "http.range_invalid");
            }
            notes::response_head(&message.fields, tx);
        });
    }

    pub(super) fn begin_body(&mut self, sink: &mut Sink<'_>) {
        self.message.framing = self.framing(sink);
        self.name_file();
        let Message { fields, content, .. } = &mut self.message;
        let encodings =
            fields.get(Known::ContentEncoding).map(|named| content.codings(named.values(), sink.limits));
        self.message.raise_encodings(encodings, sink);
    }

    /// The content is a file under the name that the server gives it, or else the request's path.
    pub(super) fn name_file(&mut self) {
        let Message { fields, content, .. } = &mut self.message;
        let told = fields.first(Known::ContentDisposition).and_then(params::file_name);
        content.begin(DIR, Kind::File, told.unwrap_or(&self.path));
        let range = fields.first(Known::ContentRange).filter(|_| self.status == Some(206));
        content.is_part(range.and_then(params::byte_range));
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
}
