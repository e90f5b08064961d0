//! Request methods.

/// Those that this decoder treats apart, and all others that are registered.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Put,
    Connect,
    Options,
    Registered,
    #[default]
    Unknown,
}

/// IANA's HTTP Method Registry, and what UPnP and WebDAV's drafts added in the field.
const REGISTERED: &[&str] = &[
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "DELETE",
    "INVALID",
    "LABEL",
    "LINK",
    "LOCK",
    "M-SEARCH",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "NOTIFY",
    "ORDERPATCH",
    "PATCH",
    "PROPFIND",
    "PROPPATCH",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

const APART: &[(&str, Method)] = &[
    ("GET", Method::Get),
    ("HEAD", Method::Head),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("CONNECT", Method::Connect),
    ("OPTIONS", Method::Options),
];

impl Method {
    /// Whether a token that begins so may be a method that is known.
    pub(super) fn may_become(beginning: &[u8]) -> bool {
        let apart = APART.iter().map(|(name, _)| *name);
        apart.chain(REGISTERED.iter().copied()).any(|name| name.as_bytes().starts_with(beginning))
    }

    pub(super) fn of(token: &[u8]) -> Method {
        if let Some((_, method)) = APART.iter().find(|(name, _)| name.as_bytes() == token) {
            return *method;
        }
        let registered = REGISTERED.iter().any(|known| known.as_bytes() == token);
        if registered { Method::Registered } else { Method::Unknown }
    }
}
