//! Whether first bytes are HTTP/1.

use super::method::Method;
use crate::app::decoder::Probe;
use crate::base::Dir;

/// A method of nobody's list may be so long.
const MAX_METHOD: usize = 24;
/// The line of an unknown method is looked through so far for `HTTP/1.`.
const MAX_LINE: usize = 2048;
/// Empty lines and spaces before the first line, as clients and servers overlook them.
const MAX_LEADING: usize = 32;

pub(super) fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n' | b' ' | b'\t' | 0)).count();
    if blank > MAX_LEADING {
        return Probe::No;
    }
    let rest = bytes.get(blank..).unwrap_or_default();
    let (own, other) = match dir {
        Dir::ToServer => (request(rest), response(rest)),
        Dir::ToClient => (response(rest), request(rest)),
    };
    match (own, other) {
        (Probe::No, Probe::Yes) => Probe::Reversed,
        (own, _) => own,
    }
}

fn request(bytes: &[u8]) -> Probe {
    let end = bytes.iter().position(|b| !is_method_byte(*b));
    let Some(end) = end else {
        return if bytes.len() > MAX_METHOD { Probe::No } else { Probe::More };
    };
    let (token, rest) = bytes.split_at(end);
    if token.is_empty() || token.len() > MAX_METHOD || !matches!(rest.first(), Some(b' ' | b'\t')) {
        return Probe::No;
    }
    // SIP, RTSP and ICAP share methods; HTTP/2 begins with one of its own.
    match Method::of(token) {
        Method::Unknown => by_version(rest),
        Method::Options => by_target(rest),
        _ => Probe::Yes,
    }
}

fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Other protocols' requests name their scheme.
fn by_target(rest: &[u8]) -> Probe {
    let target = rest.trim_ascii_start();
    if target.len() < 6 && !target.contains(&b'\n') {
        return Probe::More;
    }
    let other = ["sip:", "sips:", "rtsp:", "icap:"];
    let head = target.get(..6).unwrap_or(target).to_ascii_lowercase();
    if other.iter().any(|scheme| head.starts_with(scheme.as_bytes())) { Probe::No } else { Probe::Yes }
}

fn by_version(rest: &[u8]) -> Probe {
    let looked = rest.get(..MAX_LINE).unwrap_or(rest);
    match memchr::memchr(b'\n', looked) {
        Some(end) => {
            let line = looked.get(..end).unwrap_or_default().trim_ascii_end();
            let version = line.rsplit(|b| matches!(b, b' ' | b'\t')).next().unwrap_or_default();
            let known = version.get(..7).is_some_and(|v| v.eq_ignore_ascii_case(b"HTTP/1."));
            if known { Probe::Yes } else { Probe::No }
        }
        None if looked.len() < MAX_LINE => Probe::More,
        None => Probe::No,
    }
}

fn response(bytes: &[u8]) -> Probe {
    const NAME: &[u8] = b"HTTP/";
    let seen = bytes.get(..NAME.len()).unwrap_or(bytes);
    let alike = NAME.get(..seen.len()).is_some_and(|name| name.eq_ignore_ascii_case(seen));
    match bytes.get(NAME.len()) {
        _ if !alike => Probe::No,
        None => Probe::More,
        Some(b'0' | b'1') => Probe::Yes,
        Some(_) => Probe::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_their_method_or_their_version() {
        let probe = |bytes: &str| super::probe(Dir::ToServer, bytes.as_bytes());
        for yes in [
            "GET /",
            "POST\t/a HTTP/1.1",
            "\r\n GET ",
            "FOO /x HTTP/1.0\r\n",
            "OPTIONS * HTTP/1.1",
            "get / http/1.1\r\n",
        ] {
            assert_eq!(probe(yes), Probe::Yes, "{yes:?}");
        }
        for more in ["", "G", "FOO /x", "OPTIONS s", "\r\n"] {
            assert_eq!(probe(more), Probe::More, "{more:?}");
        }
        let no = [
            "USER bob\r\n",
            "OPTIONS sip:x SIP/2.0",
            "SSH-2.0-x\r\n",
            "\x16\x03\x01",
            "PRI * HTTP/2.0\r\n",
            "\0\0\0\x2f",
        ];
        for no in no {
            assert_eq!(probe(no), Probe::No, "{no:?}");
        }
        assert_eq!(probe("HTTP/1.1 200 ok"), Probe::Reversed);
    }

    #[test]
    fn responses_are_known_by_their_version() {
        let probe = |bytes: &str| super::probe(Dir::ToClient, bytes.as_bytes());
        assert_eq!(probe("HTTP/1.1 200"), Probe::Yes);
        assert_eq!(probe("\r\nhttp/0.9 "), Probe::Yes);
        assert_eq!(probe("HTT"), Probe::More);
        assert_eq!(probe("HTTP/2"), Probe::No);
        assert_eq!(probe("220-smtp"), Probe::No);
        assert_eq!(probe("GET / HTTP/1.1"), Probe::Reversed);
    }
}
