//! What eve.json says of an exchange, with the names of Suricata's `http` records.

use super::authority::Authority;
use super::fields::{Fields, Known};
use super::start_line::{RequestLine, StatusLine};
use crate::app::transaction::Transaction;

/// A text's bytes in a record at most.
const MAX_TEXT: usize = 4096;

fn text(tx: &mut Transaction, name: &'static str, value: Option<&[u8]>) {
    if let Some(value) = value {
        tx.note(name, value.get(..MAX_TEXT).unwrap_or(value));
    }
}

pub(super) fn request_line(line: &RequestLine<'_>, tx: &mut Transaction) {
    text(tx, "url", Some(line.uri).filter(|uri| !uri.is_empty()));
    text(tx, "http_method", Some(line.method).filter(|method| !method.is_empty()));
    text(tx, "protocol", Some(line.protocol).filter(|protocol| !protocol.is_empty()));
}

pub(super) fn host(authority: Option<Authority<'_>>, tx: &mut Transaction) {
    let Some(authority) = authority.filter(|_| tx.wants_notes()) else { return };
    text(tx, "hostname", Some(authority.host));
    if let Some(port) = authority.port {
        tx.note_number("http_port", u64::from(port));
    }
}

pub(super) fn request_head(fields: &Fields, tx: &mut Transaction) {
    text(tx, "http_user_agent", fields.first(Known::UserAgent));
    text(tx, "http_refer", fields.first(Known::Referer));
    text(tx, "xff", fields.first(Known::ForwardedFor));
}

pub(super) fn status_line(line: &StatusLine<'_>, tx: &mut Transaction) {
    match line.status {
        Some(status) => tx.note_number("status", u64::from(status)),
        None => text(tx, "status_string", Some(line.code)),
    }
}

pub(super) fn response_head(fields: &Fields, tx: &mut Transaction) {
    if !tx.wants_notes() {
        return;
    }
    let kind = fields.first(Known::ContentType);
    // Without its parameters.
    let end = |value: &[u8]| memchr::memchr(b';', value).unwrap_or(value.len());
    text(tx, "http_content_type", kind.and_then(|value| value.get(..end(value))).map(<[u8]>::trim_ascii_end));
    // Suricata writes it where `custom: [server]` says so.
    text(tx, "server", fields.first(Known::Server));
    text(tx, "redirect", fields.first(Known::Location));
    let Some(range) = fields.first(Known::ContentRange) else { return };
    text(tx, "content_range.raw", Some(range));
    let parts = range.split(|b| !b.is_ascii_digit()).filter(|part| !part.is_empty());
    let numbers = parts.map(|part| std::str::from_utf8(part).ok().and_then(|part| part.parse().ok()));
    for (name, number) in
        ["content_range.start", "content_range.end", "content_range.size"].into_iter().zip(numbers)
    {
        if let Some(number) = number {
            tx.note_number(name, number);
        }
    }
}

pub(super) fn length(size: u64, tx: &mut Transaction) {
    tx.note_number("length", size);
}
