//! The decoder: initial packets of both directions until both hellos are there.

use super::crypto::Stream;
use super::extensions;
use super::google::{self, Public};
use super::header::{Kind, Long, write_version};
use super::keys::{self, Keys};
use crate::app::limits::KEPT;
use crate::app::tls::fingerprint::{ja3, ja3s, with_md5};
use crate::app::tls::hello::{ClientHello, ServerHello, ServerName};
use crate::app::tls::ja4::{Carrier, ja4};
use crate::app::{Decoder, Next, Sink, Transaction, TxId};
use crate::base::{Dir, PerDir};
use crate::rules::context::{self, BufferId};

const SNI: BufferId = context::id("quic.sni");
const UA: BufferId = context::id("quic.ua");
const VERSION: BufferId = context::id("quic.version");
const CYU_HASH: BufferId = context::id("quic.cyu.hash");
const CYU_STRING: BufferId = context::id("quic.cyu.string");
const PDU: BufferId = context::id("quic.pdu");
const JA3_HASH: BufferId = context::id("ja3.hash");
const JA3_STRING: BufferId = context::id("ja3.string");
const JA3S_HASH: BufferId = context::id("ja3s.hash");
const JA3S_STRING: BufferId = context::id("ja3s.string");
const JA4_HASH: BufferId = context::id("ja4.hash");

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Datagrams of a session that are looked at for hellos.
const MAX_DATAGRAMS: u32 = 64;

#[derive(Default)]
pub(super) struct Quic {
    tx: Option<TxId>,
    opened: bool,
    keys: Option<[Keys; 2]>,
    streams: PerDir<Stream>,
    /// The direction's hello came, or none will.
    done: PerDir<bool>,
    version_told: PerDir<bool>,
    datagrams: u32,
    frames: Vec<u8>,
    text: Vec<u8>,
    numbers: Vec<u16>,
}

impl Quic {
    fn tx<'s>(&mut self, sink: &'s mut Sink<'_>) -> Option<&'s mut Transaction> {
        if !std::mem::replace(&mut self.opened, true) {
            self.tx = sink.open();
        }
        sink.tx(self.tx?)
    }

    fn event(&mut self, dir: Dir, name: &'static str, sink: &mut Sink<'_>) {
        if let Some(tx) = self.tx(sink) {
            tx.event(dir, name);
        }
    }

    fn finish(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        self.done[dir] = true;
        if let Some(tx) = self.tx(sink) {
            tx.complete(dir);
        }
    }

    fn tell_version(&mut self, dir: Dir, version: u32, sink: &mut Sink<'_>) {
        if std::mem::replace(&mut self.version_told[dir], true) {
            return;
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        write_version(version, &mut text);
        let first = !self.version_told[dir.reversed()];
        if let Some(tx) = self.tx(sink) {
            tx.put(dir, VERSION, &text);
            if first {
                tx.note("version", &text);
            }
        }
        self.text = text;
    }

    fn packet(&mut self, dir: Dir, packet: &Long<'_>, sink: &mut Sink<'_>) {
        match packet.kind {
            Kind::Initial => {}
            // The client begins anew, with keys of the server's choice.
            Kind::Retry => {
                self.keys = None;
                return;
            }
            Kind::Negotiation | Kind::Other => return,
        }
        self.tell_version(dir, packet.version, sink);
        if self.done[dir] {
            return;
        }
        if !self.open(dir, packet) {
            // Of a session whose beginning was not seen the keys are not known.
            if self.keys.is_some() {
                self.event(dir, "quic.failed_decrypt", sink);
            }
            return;
        }
        if let Err(event) = self.streams[dir].frames(&self.frames) {
            self.event(dir, event, sink);
            return self.finish(dir, sink);
        }
        self.hello(dir, sink);
    }

    /// Undoes the packet's protection, into `frames`. A client may have begun anew, with another identifier.
    fn open(&mut self, dir: Dir, packet: &Long<'_>) -> bool {
        let own = |keys: &[Keys; 2], frames: &mut Vec<u8>| {
            keys.get(dir.index()).is_some_and(|keys| keys.open(packet, frames))
        };
        if self.keys.as_ref().is_some_and(|keys| own(keys, &mut self.frames)) {
            return true;
        }
        if dir == Dir::ToClient {
            return false;
        }
        let derived = keys::derive(packet.version, packet.destination);
        let opened = derived.as_ref().is_some_and(|keys| own(keys, &mut self.frames));
        if opened || self.keys.is_none() {
            self.keys = derived;
        }
        opened
    }

    fn hello(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        self.tx(sink);
        let Quic { streams, tx, text, numbers, .. } = self;
        let Some((kind, body)) = streams[dir].message() else { return };
        let tx = tx.and_then(|id| sink.tx(id));
        let read = match (kind, dir) {
            (CLIENT_HELLO, Dir::ToServer) => ClientHello::read(body)
                .map(|hello| tx.map(|tx| put_client(tx, &hello, text, numbers)))
                .is_some(),
            (SERVER_HELLO, Dir::ToClient) => {
                ServerHello::read(body).map(|hello| tx.map(|tx| put_server(tx, &hello, text))).is_some()
            }
            _ => false,
        };
        if !read {
            self.event(dir, "quic.error_on_data", sink);
        }
        self.finish(dir, sink);
    }

    /// Google's versions with a hello in the clear; servers answer in another form, which is not read.
    fn google(&mut self, dir: Dir, packet: &Public<'_>, sink: &mut Sink<'_>) {
        self.tell_version(dir, packet.version, sink);
        let Some(hello) = packet.hello() else { return };
        let mut text = std::mem::take(&mut self.text);
        if let Some(tx) = self.tx(sink) {
            put_google(tx, packet.version, &hello, &mut text);
        }
        self.text = text;
        Dir::BOTH.into_iter().for_each(|dir| self.finish(dir, sink));
    }
}

fn put_client(tx: &mut Transaction, hello: &ClientHello<'_>, text: &mut Vec<u8>, numbers: &mut Vec<u16>) {
    let dir = Dir::ToServer;
    if let Some(name) = ServerName::of(hello.extensions).name {
        tx.put(dir, SNI, name);
        tx.note("sni", name);
    }
    text.clear();
    ja3(hello, text);
    let (string, hash) = with_md5(text);
    tx.put(dir, JA3_STRING, string);
    tx.put(dir, JA3_HASH, hash);
    tx.note("ja3.hash", hash);
    tx.note("ja3.string", string);
    text.clear();
    ja4(hello, Carrier::Quic, numbers, text);
    tx.put(dir, JA4_HASH, text);
    tx.note("ja4", text);
    extensions::note(tx, hello);
}

fn put_server(tx: &mut Transaction, hello: &ServerHello<'_>, text: &mut Vec<u8>) {
    text.clear();
    ja3s(hello, text);
    let (string, hash) = with_md5(text);
    tx.put(Dir::ToClient, JA3S_STRING, string);
    tx.put(Dir::ToClient, JA3S_HASH, hash);
    tx.note("ja3s.hash", hash);
    tx.note("ja3s.string", string);
}

fn put_google(tx: &mut Transaction, version: u32, hello: &google::Hello<'_>, text: &mut Vec<u8>) {
    let dir = Dir::ToServer;
    if let Some(name) = hello.server_name() {
        tx.put(dir, SNI, name);
        tx.note("sni", name);
    }
    if let Some(agent) = hello.user_agent() {
        tx.put(dir, UA, agent);
        tx.note("ua", agent);
    }
    text.clear();
    hello.write_cyu(version, text);
    let (string, hash) = with_md5(text);
    tx.put(dir, CYU_STRING, string);
    tx.put(dir, CYU_HASH, hash);
    tx.note_begin("cyu[]");
    tx.note("cyu[].hash", hash);
    tx.note("cyu[].string", string);
}

impl Decoder for Quic {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        self.datagrams += 1;
        if self.datagrams > MAX_DATAGRAMS {
            Dir::BOTH.into_iter().for_each(|dir| self.finish(dir, sink));
            return Next::Stop;
        }
        let mut rest = bytes;
        while let Some(packet) = Long::read(rest) {
            self.packet(dir, &packet, sink);
            if sink.wanted().has(PDU)
                && let Some(tx) = self.tx(sink)
            {
                tx.put(dir, PDU, packet.packet);
            }
            rest = packet.rest;
        }
        if rest.len() == bytes.len()
            && let Some(packet) = Public::read(bytes)
        {
            self.google(dir, &packet, sink);
        }
        let over = Dir::BOTH.into_iter().all(|dir| self.done[dir]);
        if over { Next::Stop } else { Next::More }
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        self.finish(dir, sink);
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.streams[dir].reset());
        (self.tx, self.opened, self.keys, self.datagrams) = (None, false, None, 0);
        (self.done, self.version_told) = Default::default();
        self.frames.clear();
        self.frames.shrink_to(KEPT);
        self.text.clear();
        self.text.shrink_to(KEPT);
        self.numbers.clear();
        self.numbers.shrink_to(KEPT / 2);
    }
}
