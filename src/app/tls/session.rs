//! What both directions of a session share: its transaction, and what the hellos agreed on.

use super::fingerprint::{ja3, ja3s, with_md5};
use super::hello::{ClientHello, Protocols, ServerHello, ServerName, extension};
use super::ja4::{Carrier, ja4};
use super::stage;
use super::version::{self, is_tls13};
use crate::app::{Sink, Transaction, TxId};
use crate::base::{Dir, PerDir};
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use arrayvec::ArrayVec;

const SNI: BufferId = context::id("tls.sni");
const ALPN: BufferId = context::id("tls.alpn");
const RANDOM: BufferId = context::id("tls.random");
const RANDOM_TIME: BufferId = context::id("tls.random_time");
const RANDOM_BYTES: BufferId = context::id("tls.random_bytes");
const JA3_HASH: BufferId = context::id("ja3.hash");
const JA3_STRING: BufferId = context::id("ja3.string");
const JA3S_HASH: BufferId = context::id("ja3s.hash");
const JA3S_STRING: BufferId = context::id("ja3s.string");
const JA4_HASH: BufferId = context::id("ja4.hash");
const VERSION: FieldId = field::id("tls.version");
const SSL_VERSION: FieldId = field::id("ssl_version");
const SSL_STATE: FieldId = field::id("ssl_state");

/// Places in the list of words of `ssl_state`.
pub(super) mod state {
    pub(in super::super) const CLIENT_HELLO: u8 = 0;
    pub(in super::super) const SERVER_HELLO: u8 = 1;
    pub(in super::super) const CLIENT_KEY: u8 = 2;
    pub(in super::super) const SERVER_KEY: u8 = 3;
    pub(in super::super) const UNKNOWN: u8 = 4;
}

/// Longest session identifier.
const MAX_SESSION: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Session {
    tx: Option<TxId>,
    /// The session's transaction was opened; what is opened later is for what comes after the handshake.
    opened: bool,
    /// Both directions are encrypted: the handshake is over.
    pub(super) done: bool,
    /// The version agreed on.
    pub(super) version: Option<u16>,
    /// The hello of that direction came.
    pub(super) hello: PerDir<bool>,
    /// Certificates of that direction came.
    pub(super) certificates: PerDir<bool>,
    client_session: ArrayVec<u8, MAX_SESSION>,
    /// Heartbeats may come (RFC 6520).
    pub(super) heartbeats: bool,
    states: u8,
    versions: PerDir<Option<u16>>,
    text: Vec<u8>,
    numbers: Vec<u16>,
}

impl Session {
    pub(super) fn reset(&mut self) {
        let (mut text, mut numbers) = (std::mem::take(&mut self.text), std::mem::take(&mut self.numbers));
        text.clear();
        text.shrink_to(crate::app::limits::KEPT);
        numbers.clear();
        numbers.shrink_to(crate::app::limits::KEPT / 2);
        *self = Session { text, numbers, ..Session::default() };
    }

    /// The transaction, opened when there is none. What comes after the handshake gets one of its own each time.
    pub(super) fn tx<'s>(&mut self, sink: &'s mut Sink<'_>) -> Option<&'s mut Transaction> {
        if self.tx.is_none_or(|id| sink.tx(id).is_none()) && (!self.opened || self.done) {
            self.tx = sink.open();
            self.opened = true;
        }
        sink.tx(self.tx?)
    }

    /// The transaction, where there is one.
    pub(super) fn existing<'s>(&self, sink: &'s mut Sink<'_>) -> Option<&'s mut Transaction> {
        sink.tx(self.tx?)
    }

    /// Scratch memory, to be given back.
    pub(super) fn take_text(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }

    pub(super) fn give_text(&mut self, text: Vec<u8>) {
        self.text = text;
    }

    pub(super) fn event(&mut self, dir: Dir, name: &'static str, sink: &mut Sink<'_>) {
        if let Some(tx) = self.tx(sink) {
            tx.event(dir, name);
        }
    }

    pub(super) fn advance(&mut self, dir: Dir, stage: u8, sink: &mut Sink<'_>) {
        if let Some(tx) = self.tx(sink) {
            tx.advance(dir, stage);
        }
    }

    /// Ends the transaction that is open.
    pub(super) fn close(&mut self, sink: &mut Sink<'_>) {
        if let Some(tx) = self.tx.take().and_then(|id| sink.tx(id)) {
            Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
        }
    }

    /// The handshake came so far; rules may ask in either direction.
    pub(super) fn state(&mut self, state: u8, sink: &mut Sink<'_>) {
        if self.states & 1 << state != 0 {
            return;
        }
        self.states |= 1 << state;
        if let Some(tx) = self.tx(sink) {
            Dir::BOTH.into_iter().for_each(|dir| tx.field(dir, SSL_STATE, u64::from(state)));
        }
    }

    /// The version that the direction speaks, once for each that is new.
    pub(super) fn speaks(&mut self, dir: Dir, version: u16, sink: &mut Sink<'_>) {
        if self.versions[dir] == Some(version) {
            return;
        }
        self.versions[dir] = Some(version);
        if let Some(tx) = self.tx(sink) {
            tx.field(dir, VERSION, u64::from(version));
            if let Some(word) = version::word(version) {
                tx.field(dir, SSL_VERSION, word);
            }
        }
    }

    /// Only the first of a session counts: a retried one says the same, and a later one is renegotiation.
    pub(super) fn client_hello(&mut self, hello: &ClientHello<'_>, sink: &mut Sink<'_>) {
        let dir = Dir::ToServer;
        if std::mem::replace(&mut self.hello[dir], true) {
            return;
        }
        let _ = self.client_session.try_extend_from_slice(hello.session);
        self.heartbeats |= hello.extensions.get(extension::HEARTBEAT).is_some();
        // What a list of versions comes to is for the server to say.
        if hello.extensions.get(extension::VERSIONS).is_none() {
            self.speaks(dir, hello.version, sink);
        }
        let (mut text, mut numbers) = (std::mem::take(&mut self.text), std::mem::take(&mut self.numbers));
        if let Some(tx) = self.tx(sink) {
            put_server_name(tx, hello);
            put_random(tx, dir, hello.random);
            put_protocols(tx, dir, hello.protocols(), "client_alpns[]");
            put_ja3(tx, hello, &mut text);
            put_ja4(tx, hello, &mut text, &mut numbers);
            tx.advance(dir, stage::HELLO);
        }
        (self.text, self.numbers) = (text, numbers);
        self.state(state::CLIENT_HELLO, sink);
    }

    pub(super) fn server_hello(&mut self, hello: &ServerHello<'_>, sink: &mut Sink<'_>) {
        let dir = Dir::ToClient;
        let version = hello.chosen_version();
        self.version = Some(version);
        if std::mem::replace(&mut self.hello[dir], true) {
            return;
        }
        self.heartbeats &= hello.extensions.get(extension::HEARTBEAT).is_some() || !self.hello[Dir::ToServer];
        Dir::BOTH.into_iter().for_each(|dir| self.speaks(dir, version, sink));
        let resumed = !is_tls13(version)
            && !hello.session.is_empty()
            && hello.session == self.client_session.as_slice();
        let mut text = std::mem::take(&mut self.text);
        if let Some(tx) = self.tx(sink) {
            put_random(tx, dir, hello.random);
            put_protocols(tx, dir, hello.protocols(), "server_alpns[]");
            put_ja3s(tx, hello, &mut text);
            tx.note("version", version::name(version).as_bytes());
            if resumed {
                tx.note_bool("session_resumed", true);
            }
            tx.advance(dir, stage::HELLO);
        }
        self.text = text;
        self.state(state::SERVER_HELLO, sink);
    }
}

fn put_server_name(tx: &mut Transaction, hello: &ClientHello<'_>) {
    let asked = ServerName::of(hello.extensions);
    let events = [
        (asked.several, "tls.multiple_sni_extensions"),
        (asked.bad_type, "tls.invalid_sni_type"),
        (asked.bad_length, "tls.invalid_sni_length"),
    ];
    for (_, event) in events.into_iter().filter(|(so, _)| *so) {
        tx.event(Dir::ToServer, event);
    }
    if let Some(name) = asked.name {
        tx.put(Dir::ToServer, SNI, name);
        tx.note("sni", name);
    }
}

pub(super) fn put_random(tx: &mut Transaction, dir: Dir, random: &[u8]) {
    tx.put(dir, RANDOM, random);
    if let Some((time, bytes)) = random.split_at_checked(4) {
        tx.put(dir, RANDOM_TIME, time);
        tx.put(dir, RANDOM_BYTES, bytes);
    }
}

fn put_protocols(tx: &mut Transaction, dir: Dir, names: Protocols<'_>, note: &'static str) {
    for name in names {
        tx.put(dir, ALPN, name);
        tx.note(note, name);
    }
}

fn put_ja3(tx: &mut Transaction, hello: &ClientHello<'_>, text: &mut Vec<u8>) {
    if tx.wants(JA3_HASH) || tx.wants(JA3_STRING) || tx.wants_notes() {
        text.clear();
        ja3(hello, text);
        let (string, hash) = with_md5(text);
        tx.put(Dir::ToServer, JA3_STRING, string);
        tx.put(Dir::ToServer, JA3_HASH, hash);
        tx.note("ja3.hash", hash);
        tx.note("ja3.string", string);
    }
}

fn put_ja3s(tx: &mut Transaction, hello: &ServerHello<'_>, text: &mut Vec<u8>) {
    if tx.wants(JA3S_HASH) || tx.wants(JA3S_STRING) || tx.wants_notes() {
        text.clear();
        ja3s(hello, text);
        let (string, hash) = with_md5(text);
        tx.put(Dir::ToClient, JA3S_STRING, string);
        tx.put(Dir::ToClient, JA3S_HASH, hash);
        tx.note("ja3s.hash", hash);
        tx.note("ja3s.string", string);
    }
}

fn put_ja4(tx: &mut Transaction, hello: &ClientHello<'_>, text: &mut Vec<u8>, numbers: &mut Vec<u16>) {
    if tx.wants(JA4_HASH) || tx.wants_notes() {
        text.clear();
        ja4(hello, Carrier::Tcp, numbers, text);
        tx.put(Dir::ToServer, JA4_HASH, text);
        tx.note("ja4", text);
    }
}
