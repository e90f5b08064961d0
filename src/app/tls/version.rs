//! Protocol versions as numbers of the wire.

pub(in crate::app) const SSL2: u16 = 0x0002;
pub(in crate::app) const SSL3: u16 = 0x0300;
pub(in crate::app) const TLS10: u16 = 0x0301;
pub(in crate::app) const TLS11: u16 = 0x0302;
pub(in crate::app) const TLS12: u16 = 0x0303;
pub(in crate::app) const TLS13: u16 = 0x0304;

/// TLS 1.3 before it was one: drafts 16 to 28 (0x7f10 to 0x7f1c), and Facebook's (0xfb17, 0xfb1a).
pub(in crate::app) fn is_draft(version: u16) -> bool {
    matches!(version >> 8, 0x7f | 0xfb)
}

pub(in crate::app) fn is_tls13(version: u16) -> bool {
    version == TLS13 || is_draft(version)
}

/// Place in the list of words of `ssl_version`.
pub(super) fn word(version: u16) -> Option<u64> {
    match version {
        SSL2 => Some(0),
        SSL3..=TLS13 => Some(u64::from(version - SSL3) + 1),
        _ if is_draft(version) => Some(5),
        _ => None,
    }
}

/// As eve.json spells it.
pub(super) fn name(version: u16) -> &'static str {
    match version {
        SSL2 => "SSLv2",
        SSL3 => "SSLv3",
        TLS10 => "TLSv1",
        TLS11 => "TLS 1.1",
        TLS12 => "TLS 1.2",
        TLS13 => "TLS 1.3",
        _ => DRAFTS.iter().find(|(number, _)| *number == version).map_or("UNDETERMINED", |(_, name)| name),
    }
}

const DRAFTS: &[(u16, &str)] = &[
    (0x7f10, "TLS 1.3 draft-16"),
    (0x7f11, "TLS 1.3 draft-17"),
    (0x7f12, "TLS 1.3 draft-18"),
    (0x7f13, "TLS 1.3 draft-19"),
    (0x7f14, "TLS 1.3 draft-20"),
    (0x7f15, "TLS 1.3 draft-21"),
    (0x7f16, "TLS 1.3 draft-22"),
    (0x7f17, "TLS 1.3 draft-23"),
    (0x7f18, "TLS 1.3 draft-24"),
    (0x7f19, "TLS 1.3 draft-25"),
    (0x7f1a, "TLS 1.3 draft-26"),
    (0x7f1b, "TLS 1.3 draft-27"),
    (0x7f1c, "TLS 1.3 draft-28"),
    (0xfb17, "TLS 1.3 draft-23-fb"),
    (0xfb1a, "TLS 1.3 draft-26-fb"),
];

/// One of the numbers that RFC 8701 sets aside to be ignored.
pub(in crate::app) fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}
