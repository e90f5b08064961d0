//! Hosts and ports of targets and Host fields.

/// `host:port`, taken apart.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// Without brackets' port, brackets kept.
    pub(super) host: &'a [u8],
    pub(super) port: Option<u16>,
    /// The port is no number of 1 to 65535.
    pub(super) bad_port: bool,
}

impl<'a> Authority<'a> {
    pub(super) fn of(text: &'a [u8]) -> Authority<'a> {
        let text = text.trim_ascii();
        let host_end = match text.first() {
            Some(b'[') => text.iter().position(|b| *b == b']').map_or(text.len(), |at| at + 1),
            _ => memchr::memchr(b':', text).unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at(host_end);
        let host = host.trim_ascii_end();
        let Some(digits) = rest.strip_prefix(b":") else {
            return Authority { host, port: None, bad_port: !rest.trim_ascii().is_empty() };
        };
        let port = std::str::from_utf8(digits.trim_ascii()).ok().and_then(|digits| digits.parse().ok());
        let port = port.filter(|port| *port != 0);
        Authority { host, port, bad_port: port.is_none() }
    }

    /// As names of hosts are written (letters, digits, `-`, `_`, dots; or an address in brackets).
    pub(super) fn is_valid(&self) -> bool {
        if let Some(inner) = self.host.strip_prefix(b"[") {
            let address = inner.strip_suffix(b"]").unwrap_or_default();
            return !address.is_empty()
                && address.iter().all(|b| b.is_ascii_hexdigit() || b":.%".contains(b));
        }
        let labels = self.host.strip_suffix(b".").unwrap_or(self.host);
        labels.len() <= 255
            && labels.split(|b| *b == b'.').all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            })
    }

    /// In lower case, without dots at its end.
    pub(super) fn append_normal(&self, out: &mut Vec<u8>) {
        let dots = self.host.iter().rev().take_while(|b| **b == b'.').count();
        let host = self.host.get(..self.host.len() - dots).unwrap_or_default();
        out.extend(host.iter().map(u8::to_ascii_lowercase));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        let of = |text: &'static str| {
            let a = Authority::of(text.as_bytes());
            (std::str::from_utf8(a.host).unwrap(), a.port, a.bad_port, a.is_valid())
        };
        assert_eq!(of("a.example:80"), ("a.example", Some(80), false, true));
        assert_eq!(of(" a.example "), ("a.example", None, false, true));
        assert_eq!(of("[::1]:8080"), ("[::1]", Some(8080), false, true));
        assert_eq!(of("a:x"), ("a", None, true, true));
        assert_eq!(of("a:0"), ("a", None, true, true));
        assert_eq!(of("a:99999"), ("a", None, true, true));
        assert_eq!(of("a b"), ("a b", None, false, false));
        assert_eq!(of("a..b"), ("a..b", None, false, false));
        assert_eq!(of(""), ("", None, false, false));
        let mut out = Vec::new();
        Authority::of(b"WWW.Example.COM.:80").append_normal(&mut out);
        assert_eq!(out, b"www.example.com");
    }
}
