//! DNS over HTTPS (RFC 8484): messages in a query's parameter and in bodies.

use super::hpack::Fields;
use crate::app::dns;
use crate::app::{Sink, TxId};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;

const MEDIA_TYPE: &[u8] = b"application/dns-message";
const PARAMETER: &[u8] = b"dns=";
/// A DNS message's length has 16 bits.
const MAX_MESSAGE: usize = 65_535;
/// What is kept of a message's memory for the next.
const KEPT_MESSAGE: usize = 1024;

/// What a stream carries of it.
#[derive(Debug, Default)]
pub struct Doh {
    /// The body is a message.
    in_body: PerDir<bool>,
    message: PerDir<Vec<u8>>,
}

/// The value of the parameter `dns`, in base 64 for URLs.
fn parameter(path: &[u8]) -> Option<&[u8]> {
    let query = path.get(memchr::memchr(b'?', path)? + 1..)?;
    query.split(|byte| *byte == b'&').find_map(|part| part.strip_prefix(PARAMETER))
}

/// Base 64 for URLs (RFC 4648, 5), with padding or without, as far as it is that.
fn decode(text: &[u8], out: &mut Vec<u8>) {
    let (mut held, mut bits) = (0u32, 0);
    for byte in text {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return,
        };
        held = held << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
        }
    }
}

impl Doh {
    pub fn clear(&mut self) {
        self.in_body = PerDir::default();
        for dir in Dir::BOTH {
            self.message[dir].clear();
            self.message[dir].shrink_to(KEPT_MESSAGE);
        }
    }

    /// A message's header fields are there.
    pub fn headers(&mut self, dir: Dir, fields: &Fields, tx: TxId, sink: &mut Sink<'_>) {
        self.in_body[dir] = fields.get(b"content-type") == Some(MEDIA_TYPE);
        let asks = dir == Dir::ToServer && fields.get(b"accept") == Some(MEDIA_TYPE);
        if !asks && !self.in_body[dir] {
            return;
        }
        sink.becomes(AppProto::Doh2);
        let path = fields.get(b":path").filter(|_| dir == Dir::ToServer);
        if let Some(text) = path.and_then(parameter) {
            decode(text.get(..MAX_MESSAGE).unwrap_or(text), &mut self.message[dir]);
            self.report(dir, tx, sink);
        }
    }

    pub fn data(&mut self, dir: Dir, bytes: &[u8], tx: TxId, sink: &mut Sink<'_>) {
        if !self.in_body[dir] {
            return;
        }
        if self.message[dir].len() + bytes.len() <= MAX_MESSAGE {
            return self.message[dir].extend_from_slice(bytes);
        }
        self.in_body[dir] = false;
        self.message[dir].clear();
        let to_server = dir == Dir::ToServer;
        if let Some(tx) = sink.tx(tx) {
            tx.event(
                dir,
                if to_server { "http2.dns_request_too_long" } else { "http2.dns_response_too_long" },
            );
        }
    }

    /// The body is whole.
    pub fn end(&mut self, dir: Dir, tx: TxId, sink: &mut Sink<'_>) {
        if std::mem::take(&mut self.in_body[dir]) {
            self.report(dir, tx, sink);
        }
    }

    fn report(&mut self, dir: Dir, tx: TxId, sink: &mut Sink<'_>) {
        if let Some(tx) = sink.tx(tx) {
            tx.notes_below("/dns");
            dns::report(tx, dir, &dns::DNS, &self.message[dir]);
            tx.notes_below("");
        }
        self.message[dir].clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_is_found_and_decoded() {
        assert_eq!(parameter(b"/dns-query?a=1&dns=AAAB"), Some(&b"AAAB"[..]));
        assert_eq!(parameter(b"/dns=AAAB"), None);
        for (text, expected) in [("AAAB", &[0, 0, 1][..]), ("-_8", &[0xfb, 0xff]), ("QQ==", b"A"), ("", b"")]
        {
            let mut out = Vec::new();
            decode(text.as_bytes(), &mut out);
            assert_eq!(out, expected, "{text}");
        }
    }
}
