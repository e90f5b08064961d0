//! Headers of records (RFC 8446, section 5.1; SSL 2.0, section 1.2), and what the first of a direction prove.

use super::version::{SSL2, SSL3, TLS13, is_draft};
use crate::app::Probe;
use crate::base::Dir;

/// Content types.
pub(super) mod content {
    pub(in super::super) const CHANGE_CIPHER_SPEC: u8 = 20;
    pub(in super::super) const ALERT: u8 = 21;
    pub(in super::super) const HANDSHAKE: u8 = 22;
    pub(in super::super) const DATA: u8 = 23;
    pub(in super::super) const HEARTBEAT: u8 = 24;
}

/// Type, version, length; of SSL 2.0, length and the body's first three bytes.
pub(super) const HEADER: usize = 5;
/// Bytes of an SSL 2.0 header without padding.
pub(super) const HEADER2: usize = 2;
/// An encrypted and compressed fragment of the older versions; no peer takes more.
pub(super) const MAX_BODY: usize = (1 << 14) + 2048;

/// A header that was read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Tls { kind: u8, version: u16, len: usize },
    Ssl2 { len: usize },
}

/// Why it is none: the event's name.
pub(super) type Invalid = &'static str;

impl Header {
    pub(super) fn read(bytes: [u8; HEADER]) -> Result<Header, Invalid> {
        let [kind, major, minor, high, low] = bytes;
        if kind & 0x80 != 0 {
            let len = usize::from(kind & 0x7f) << 8 | usize::from(major);
            // Messages 0 to 8; and there are three bytes of it already.
            return if minor <= 8 && len >= HEADER - HEADER2 {
                Ok(Header::Ssl2 { len })
            } else {
                Err("tls.invalid_sslv2_header")
            };
        }
        let version = u16::from_be_bytes([major, minor]);
        let len = usize::from(u16::from_be_bytes([high, low]));
        if !(SSL3..=TLS13).contains(&version) && !is_draft(version) {
            let known = (content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT).contains(&kind);
            return Err(if known { "tls.invalid_record_version" } else { "tls.invalid_tls_header" });
        }
        if !(content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT).contains(&kind) {
            return Err("tls.invalid_record_type");
        }
        if len > MAX_BODY {
            return Err("tls.invalid_record_length");
        }
        Ok(Header::Tls { kind, version, len })
    }
}

/// What a direction's first bytes say.
pub(super) fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    match bytes {
        [kind, ..] if kind & 0x80 != 0 => probe_ssl2(dir, bytes),
        [kind, ..] if !(content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT).contains(kind) => Probe::No,
        [_, major, ..] if *major != 3 => Probe::No,
        [_, _, minor, ..] if *minor > 4 => Probe::No,
        // That of a handshake is enough.
        [content::HANDSHAKE, _, _, ..] => Probe::Yes,
        [_, _, _, high, low, ..] => {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            if (1..=MAX_BODY).contains(&len) { Probe::Yes } else { Probe::No }
        }
        _ => Probe::More,
    }
}

/// Where a hello of SSL 2.0 has its parts, from the record's first byte: message type, version, three lengths.
struct Hello2 {
    kind: u8,
    version_at: usize,
    lengths_at: usize,
}

const CLIENT_HELLO2: Hello2 = Hello2 { kind: 1, version_at: 3, lengths_at: 5 };
const SERVER_HELLO2: Hello2 = Hello2 { kind: 4, version_at: 5, lengths_at: 7 };

/// A hello whose parts add up.
fn probe_ssl2(dir: Dir, bytes: &[u8]) -> Probe {
    let hello = if dir == Dir::ToServer { CLIENT_HELLO2 } else { SERVER_HELLO2 };
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let version_fits = |version| version == SSL2 || (SSL3..=TLS13).contains(&version);
    if bytes.get(HEADER2).is_some_and(|kind| *kind != hello.kind)
        || word(hello.version_at).is_some_and(|version| !version_fits(version))
    {
        return Probe::No;
    }
    let at = hello.lengths_at;
    let (Some(len), Some(a), Some(b), Some(c)) = (word(0), word(at), word(at + 2), word(at + 4)) else {
        return Probe::More;
    };
    let parts = [a, b, c].map(usize::from).iter().sum::<usize>();
    if at + 6 - HEADER2 + parts == usize::from(len & 0x7fff) { Probe::Yes } else { Probe::No }
}
