//! The first message each way: a cookie, and which protocol secures the session (MS-RDPBCGR, 2.2.1.1 and 2.2.1.2).

use super::{CONNECTION_CONFIRM, CONNECTION_REQUEST, TPKT};
use crate::app::cursor::Cursor;
use crate::app::{Probe, Transaction};
use crate::base::Dir;

/// X.224's fixed part: length, kind, two references, class.
const X224: usize = 7;
/// Header, X.224's fixed part.
const SHORTEST: usize = 11;
const COOKIE: &[u8] = b"Cookie: mstshash=";
/// What a load balancer gave the client to find its server again.
const TOKEN: &[u8] = b"Cookie: msts=";

const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
const FAILURE: u8 = 3;
/// Of a request, a response, a failure: kind, flags, length, value.
const NEGOTIATION: usize = 8;

/// A message of X.224 in one of TPKT, nothing behind it.
fn begins(dir: Dir, bytes: &[u8]) -> Result<(&[u8], Probe), Probe> {
    let first = |at: usize, is: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| is(*byte));
    let known = |kind: u8| matches!(kind, CONNECTION_REQUEST | CONNECTION_CONFIRM);
    if !(first(0, |b| b == TPKT) && first(1, |b| b == 0) && bytes.get(5).is_none_or(|kind| known(*kind))) {
        return Err(Probe::No);
    }
    let [_, _, high, low, li, kind, ..] = *bytes else { return Err(Probe::More) };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len < SHORTEST || usize::from(li) + 5 != len {
        return Err(Probe::No);
    }
    let sender = if kind == CONNECTION_REQUEST { Dir::ToServer } else { Dir::ToClient };
    let found = if sender == dir { Probe::Yes } else { Probe::Reversed };
    let end = len.min(bytes.len());
    Ok((bytes.get(SHORTEST..end).unwrap_or_default(), if bytes.len() < len { Probe::More } else { found }))
}

/// Enough to be sure on RDP's own port.
pub(super) fn probe_on_port(dir: Dir, bytes: &[u8]) -> Probe {
    begins(dir, bytes).map_or_else(|no| no, |(_, found)| found)
}

/// Enough to be sure on any: other protocols begin with X.224 too.
pub(super) fn probe_anywhere(dir: Dir, bytes: &[u8]) -> Probe {
    match begins(dir, bytes) {
        Err(no) => no,
        Ok((_, Probe::More)) => Probe::More,
        Ok((variable, found)) => {
            let negotiates = Negotiation::find(variable).is_some();
            if negotiates || variable.starts_with(COOKIE) || variable.starts_with(TOKEN) {
                found
            } else {
                Probe::No
            }
        }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Negotiation {
    kind: u8,
    flags: u8,
    value: u32,
}

impl Negotiation {
    /// At the start of what X.224 leaves, or behind the line that a cookie is.
    fn find(variable: &[u8]) -> Option<Negotiation> {
        let start = match memchr::memmem::find(variable, b"\r\n") {
            Some(end) if variable.starts_with(b"Cookie:") => end + 2,
            _ => 0,
        };
        let mut at = Cursor::little(variable.get(start..)?);
        let (kind, flags, len, value) = (at.u8()?, at.u8()?, at.u16()?, at.u32()?);
        let known = matches!(kind, REQUEST | RESPONSE | FAILURE) && usize::from(len) == NEGOTIATION;
        known.then_some(Negotiation { kind, flags, value })
    }
}

/// `message` begins with X.224's length.
pub(super) fn note_request(tx: &mut Transaction, message: &[u8]) {
    let variable = message.get(X224..).unwrap_or_default();
    if let Some(cookie) = variable.strip_prefix(COOKIE) {
        let end = memchr::memchr(b'\r', cookie).unwrap_or(cookie.len());
        tx.note("cookie", cookie.get(..end).unwrap_or_default());
    }
    let Some(Negotiation { kind: REQUEST, flags, .. }) = Negotiation::find(variable) else { return };
    const FLAGS: [(u8, &str); 3] = [
        (0x01, "restricted_admin_mode_required"),
        (0x02, "redirected_authentication_mode_required"),
        (0x08, "correlation_info_present"),
    ];
    let set = FLAGS.iter().filter(|(bit, _)| flags & bit != 0);
    set.for_each(|(_, name)| tx.note("flags[]", name.as_bytes()));
}

pub(super) fn note_response(tx: &mut Transaction, message: &[u8]) {
    let Some(negotiation) = Negotiation::find(message.get(X224..).unwrap_or_default()) else { return };
    match negotiation.kind {
        RESPONSE => note_agreed(tx, &negotiation),
        FAILURE => {
            tx.note_number("error_code", negotiation.value.into());
            tx.note("reason", reason(negotiation.value).as_bytes());
        }
        _ => {}
    }
}

fn note_agreed(tx: &mut Transaction, response: &Negotiation) {
    const SUPPORTS: [(u8, &str); 4] = [
        (0x01, "extended_client_data"),
        (0x02, "dynvc_gfx"),
        (0x08, "restricted_admin"),
        (0x10, "redirected_authentication"),
    ];
    let set = SUPPORTS.iter().filter(|(bit, _)| response.flags & bit != 0);
    set.for_each(|(_, name)| tx.note("server_supports[]", name.as_bytes()));
    let protocol = match response.value {
        0 => "rdp",
        1 => "ssl",
        2 => "hybrid",
        4 => "rds_tls",
        8 => "hybrid_ex",
        _ => "unknown",
    };
    tx.note("protocol", protocol.as_bytes());
}

fn reason(code: u32) -> &'static str {
    match code {
        1 => "ssl required by server",
        2 => "ssl not allowed by server",
        3 => "ssl cert not on server",
        4 => "inconsistent flags",
        5 => "hybrid required by server",
        6 => "ssl with user auth required by server",
        _ => "unknown",
    }
}
