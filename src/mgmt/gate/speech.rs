//! What somebody at the door speaks, by the first bytes, and how to tell him in his own language that this is the wrong door.

use serde_json::json;

/// What begins a connection of HTTP/2 (RFC 9113, section 3.4), as gRPC is spoken in.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Speech {
    /// gRPC.
    Http2,
    Http1,
    Tls,
    /// As `suricatasc` does.
    Json,
    Other,
}

/// Why somebody is not served.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    WrongDoor,
    Full,
}

/// By the bytes so far; none while they may become one thing or another. At most 24 are needed.
pub(super) fn of(bytes: &[u8]) -> Option<Speech> {
    if bytes.len() < PREFACE.len() && PREFACE.starts_with(bytes) {
        return None;
    }
    if bytes.starts_with(PREFACE) {
        return Some(Speech::Http2);
    }
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None if bytes.len() < PREFACE.len() => None,
        Some(b'{') => Some(Speech::Json),
        Some(0x16) => Some(Speech::Tls),
        Some(b'A'..=b'Z') => Some(Speech::Http1),
        _ => Some(Speech::Other),
    }
}

/// Bytes that make the other end's software show the text to its user. TLS has no word for it.
pub(super) fn answer(speech: Speech, refusal: Refusal, text: &str) -> Vec<u8> {
    match speech {
        Speech::Http2 => goaway(refusal, text),
        Speech::Http1 => {
            let status = match refusal {
                Refusal::WrongDoor => "400 Bad Request",
                Refusal::Full => "503 Service Unavailable",
            };
            let length = text.len() + 1;
            format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{text}\n"
            )
            .into_bytes()
        }
        Speech::Json => (json!({ "return": "NOK", "message": text }).to_string() + "\n").into_bytes(),
        Speech::Tls | Speech::Other => Vec::new(),
    }
}

/// Settings, which must come first, and an end with the text as debug data (RFC 9113, sections 6.5 and 6.8).
fn goaway(refusal: Refusal, text: &str) -> Vec<u8> {
    const PROTOCOL_ERROR: u32 = 1;
    const ENHANCE_YOUR_CALM: u32 = 11;
    let code = match refusal {
        Refusal::WrongDoor => PROTOCOL_ERROR,
        Refusal::Full => ENHANCE_YOUR_CALM,
    };
    let mut payload = vec![0; 4];
    payload.extend(code.to_be_bytes());
    payload.extend(text.bytes());
    [frame(4, &[]), frame(7, &payload)].concat()
}

/// A frame of the connection itself.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    [&[a, b, c, kind, 0, 0, 0, 0, 0], payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_is_spoken() {
        for (bytes, speech) in [
            (PREFACE, Some(Speech::Http2)),
            (b"PRI * HTTP/2.0", None),
            (b"P", None),
            (b"POST / HTTP/1.1", Some(Speech::Http1)),
            (b"GET", Some(Speech::Http1)),
            (b"\x16\x03\x01", Some(Speech::Tls)),
            (b" \n{", Some(Speech::Json)),
            (b"", None),
            (b"\n\n", None),
            (b"\x00\x01", Some(Speech::Other)),
            (b"                        ", Some(Speech::Other)),
        ] {
            assert_eq!(of(bytes), speech, "{bytes:?}");
        }
    }

    #[test]
    fn frames_are_those_of_rfc_9113() {
        assert_eq!(
            answer(Speech::Http2, Refusal::Full, "no"),
            b"\0\0\0\x04\0\0\0\0\0\0\0\x0a\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0bno"
        );
    }
}
