//! Handshake messages in the clear (RFC 5246 and 8446, section 4).

use super::chain::put_chain;
use super::hello::{ClientHello, ServerHello};
use super::messages::{Fate, Message};
use super::session::{Session, state};
use super::stage;
use crate::app::Sink;
use crate::base::Dir;

const HELLO_REQUEST: u8 = 0;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// The others that are assigned (IANA, TLS HandshakeType): their bytes are passed over.
const OTHERS: [u8; 18] = [3, 4, 5, 6, 8, 9, 10, 13, 15, 20, 21, 22, 23, 24, 25, 26, 67, 254];

/// The longest hello and chain that are read, in bytes; a longer one is an event and passed over.
const MAX_HELLO: usize = 64 << 10;
const MAX_CHAIN: usize = 256 << 10;

pub(super) fn is_hello(kind: u8) -> bool {
    matches!(kind, CLIENT_HELLO | SERVER_HELLO)
}

pub(super) fn fate(kind: u8, len: usize) -> Fate {
    let keep = |most| if len <= most { Fate::Keep } else { Fate::Skip };
    match kind {
        CLIENT_HELLO | SERVER_HELLO => keep(MAX_HELLO),
        CERTIFICATE => keep(MAX_CHAIN),
        HELLO_REQUEST | SERVER_KEY_EXCHANGE | SERVER_HELLO_DONE | CLIENT_KEY_EXCHANGE => Fate::Skip,
        _ if OTHERS.contains(&kind) => Fate::Skip,
        _ => Fate::Broken,
    }
}

/// A message that is over.
pub(super) fn take(dir: Dir, message: Message<'_>, session: &mut Session, sink: &mut Sink<'_>) {
    let understood = match (message.kind, dir, message.body) {
        (CLIENT_HELLO | SERVER_HELLO | CERTIFICATE, _, None) => {
            session.event(dir, "tls.handshake_invalid_length", sink);
            true
        }
        (CLIENT_HELLO, Dir::ToServer, Some(body)) => {
            ClientHello::read(body).map(|hello| session.client_hello(&hello, sink)).is_some()
        }
        (SERVER_HELLO, Dir::ToClient, Some(body)) => {
            ServerHello::read(body).map(|hello| session.server_hello(&hello, sink)).is_some()
        }
        (CLIENT_HELLO | SERVER_HELLO, ..) => false,
        (CERTIFICATE, _, Some(body)) => {
            certificates(dir, body, session, sink);
            true
        }
        (SERVER_KEY_EXCHANGE, ..) => {
            session.state(state::SERVER_KEY, sink);
            true
        }
        (CLIENT_KEY_EXCHANGE, ..) => {
            session.state(state::CLIENT_KEY, sink);
            true
        }
        (HELLO_REQUEST | SERVER_HELLO_DONE, ..) => {
            if message.len > 0 {
                session.event(dir, "tls.handshake_invalid_length", sink);
            }
            if message.kind == SERVER_HELLO_DONE {
                session.advance(dir, stage::SERVER_HELLO_DONE, sink);
            }
            true
        }
        _ => true,
    };
    if !understood {
        session.event(dir, "tls.invalid_handshake_message", sink);
    }
    // Rules on the stream need not wait for more than the flight that is over.
    if is_hello(message.kind) || message.kind == SERVER_HELLO_DONE {
        sink.flush_stream();
    }
}

/// Only the first chain of a direction counts.
fn certificates(dir: Dir, body: &[u8], session: &mut Session, sink: &mut Sink<'_>) {
    if std::mem::replace(&mut session.certificates[dir], true) {
        return;
    }
    let (now, mut text) = (sink.time, session.take_text());
    if let Some(tx) = session.tx(sink) {
        if !put_chain(tx, dir, body, now, &mut text) {
            tx.event(dir, "tls.certificate_invalid_length");
        }
        tx.advance(dir, stage::CERTIFICATE);
    }
    session.give_text(text);
}
