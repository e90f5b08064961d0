//! TLS from 1.0 to 1.3 and its drafts, SSL 3.0, and hellos of SSL 2.0: what its handshake says in the clear.
//!
//! Owes: one transaction a session, with the hellos' buffers and fingerprints, both sides' certificates, and events of
//! what no peer would send; frames of every record where rules ask for them. Owns the bytes of unfinished messages.
//! When both directions are encrypted the session is no longer decoded, unless frames or heartbeats are watched
//! (Suricata's `encryption-handling: track-only`).

mod chain;
mod decoder;
pub(in crate::app) mod fingerprint;
mod frames;
mod handshake;
mod heartbeat;
pub(in crate::app) mod hello;
pub(in crate::app) mod ja4;
mod messages;
pub(in crate::app) mod reader;
mod record;
mod session;
mod side;
mod ssl2;
#[cfg(test)]
mod tests;
pub(in crate::app) mod version;
mod x509;

/// A certificate's subject as eve.json writes it (`O=Example, CN=alice`); none where it cannot be read or is empty.
pub fn subject_of(certificate: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    x509::Certificate::read(certificate).subject?.write(&mut text);
    Some(String::from_utf8_lossy(&text).into_owned()).filter(|text| !text.is_empty())
}

/// The first and last second of a certificate's validity, since 1970; none where it cannot be read.
pub fn validity_of(certificate: &[u8]) -> Option<(i64, i64)> {
    let read = x509::Certificate::read(certificate);
    Some((read.not_before?, read.not_after?))
}

use super::entry::{Entry, States};
use super::transaction::COMPLETE;
use crate::rules::app::AppProto;
use crate::rules::context::BufferId;

/// How far a direction has come. Buffers of either direction's hello and certificates belong to equal numbers.
mod stage {
    pub(super) const HELLO: u8 = 1;
    pub(super) const CERTIFICATE: u8 = 2;
    pub(super) const SERVER_HELLO_DONE: u8 = 3;
    /// Encrypted from here.
    pub(super) const HANDSHAKE: u8 = 4;
}

const CLIENT_STATES: States = &[
    ("client_in_progress", 0),
    ("client_hello_done", stage::HELLO),
    ("client_cert_done", stage::CERTIFICATE),
    ("client_handshake_done", stage::HANDSHAKE),
    ("client_finished", COMPLETE),
];

const SERVER_STATES: States = &[
    ("server_in_progress", 0),
    ("server_hello", stage::HELLO),
    ("server_cert_done", stage::CERTIFICATE),
    ("server_hello_done", stage::SERVER_HELLO_DONE),
    ("server_handshake_done", stage::HANDSHAKE),
    ("server_finished", COMPLETE),
];

pub const ENTRY: Entry = Entry {
    proto: AppProto::Tls,
    tcp: &[443],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe: record::probe,
    make: Some(|| Box::<decoder::Tls>::default()),
    stage: stage_of,
    states: [CLIENT_STATES, SERVER_STATES],
};

fn stage_of(buffer: BufferId) -> u8 {
    match buffer.get().name {
        "tls.sni" | "tls.alpn" | "tls.random" | "tls.random_time" | "tls.random_bytes" => stage::HELLO,
        "ja3.hash" | "ja3.string" | "ja3s.hash" | "ja3s.string" | "ja4.hash" => stage::HELLO,
        "tls.certs" | "tls.subjectaltname" => stage::CERTIFICATE,
        name if name.starts_with("tls.cert_") => stage::CERTIFICATE,
        _ => COMPLETE,
    }
}
