//! HTTP/2 (RFC 9113) in the clear: by prior knowledge, or behind an upgrade of HTTP/1.
//!
//! Owes a transaction for each stream, with the buffers that HTTP/1 has where there is the like, and one for each frame of
//! the connection itself. Owns the streams under way and the header compression of both directions.

mod body;
mod decoder;
mod doh;
mod frame;
mod headers;
mod hpack;
mod stream;
#[cfg(test)]
mod tests;
mod told;

use super::decoder::Probe;
use super::entry::{Entry, NO_STATES};
use super::transaction::COMPLETE;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::BufferId;
use frame::{HEADER_LEN, Header, PREFACE, kind};
pub(super) use hpack::Fields;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Http2,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::new(decoder::Http2::default())),
    stage,
    states: NO_STATES,
};

/// DNS over HTTPS: what HTTP/2 turns out to carry.
pub const DOH_ENTRY: Entry = Entry { proto: AppProto::Doh2, anywhere_tcp: false, ..ENTRY };

fn stage(buffer: BufferId) -> u8 {
    if headers::is_of_headers(buffer) { headers::HEADERS_DONE } else { COMPLETE }
}

/// A client begins with the preface, a server with its settings.
fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    if dir == Dir::ToServer {
        return match bytes.get(..PREFACE.len()) {
            Some(first) if first == PREFACE => Probe::Yes,
            None if PREFACE.starts_with(bytes) => Probe::More,
            _ => Probe::No,
        };
    }
    const MAX_SETTINGS: u32 = 6 * 64;
    let may = |at: usize, expected: u8| bytes.get(at).is_none_or(|byte| *byte == expected);
    match Header::read(bytes) {
        Some(header) => {
            let is_settings = header.kind == kind::SETTINGS && header.stream == 0 && header.flags == 0;
            let fits = header.fits() && header.len <= MAX_SETTINGS;
            if is_settings && fits { Probe::Yes } else { Probe::No }
        }
        None if bytes.len() < HEADER_LEN && may(0, 0) && may(3, kind::SETTINGS) => Probe::More,
        None => Probe::No,
    }
}
