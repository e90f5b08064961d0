//! RDP (MS-RDPBCGR): how client and server agree, up to the server's certificate or, without TLS, the answer to the client's
//! description of itself. What follows is encrypted or of no interest to rules, and is not decoded.
//!
//! Owes a transaction a step: initial request and response, connect request and response, TLS handshake.

mod certificate;
mod client;
mod names;
mod negotiation;
#[cfg(test)]
mod tests;

use super::carry::Framed;
use super::clipped::{Clipped, Taken};
use super::decoder::{Decoder, Next};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::sink::Sink;
use super::transaction::Transaction;
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use certificate::Handshake;

/// Found anywhere by a cookie or a request for a protocol.
pub const ENTRY: Entry = Entry {
    proto: AppProto::Rdp,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe: negotiation::probe_anywhere,
    make: Some(|| Box::<Rdp>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

/// Old clients ask for nothing: what they send is the beginning of other protocols as well.
pub const PORT_ENTRY: Entry =
    Entry { tcp: &[3389], anywhere_tcp: false, probe: negotiation::probe_on_port, ..ENTRY };

const PDU: BufferId = context::id("rdp.pdu");

/// Bytes of a message that are kept.
const MAX_MESSAGE: usize = 20 << 10;
/// TPKT (RFC 1006): version, a reserved byte, the length of the whole.
const TPKT: u8 = 3;
const TPKT_HEADER: usize = 4;
/// X.224's header of data.
const DATA_HEADER: &[u8] = &[2, 0xf0, 0x80];
const CONNECTION_REQUEST: u8 = 0xe0;
const CONNECTION_CONFIRM: u8 = 0xd0;
const TLS_HEADER: usize = 5;

#[derive(Debug, Default)]
struct Rdp {
    incoming: PerDir<Clipped>,
    handshake: Handshake,
    over: bool,
}

impl Decoder for Rdp {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut incoming = std::mem::take(&mut self.incoming[dir]);
        let mut rest = bytes;
        let mut broken = false;
        while !rest.is_empty() && !self.over && !broken {
            match incoming.take(&mut rest, MAX_MESSAGE, frame) {
                Taken::Part => {}
                Taken::Broken => broken = true,
                Taken::Whole { .. } => {
                    self.message(dir, incoming.bytes(), sink);
                    incoming.clear();
                }
            }
        }
        self.incoming[dir] = incoming;
        match () {
            () if broken => Next::Broken,
            () if self.over => Next::Stop,
            () => Next::More,
        }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.incoming[dir].clear());
        self.handshake.reset();
        self.over = false;
    }
}

/// TPKT, or a record of TLS.
fn frame(bytes: &[u8]) -> Framed {
    match *bytes {
        [TPKT, _, high, low, ..] => match usize::from(u16::from_be_bytes([high, low])) {
            len if len > TPKT_HEADER => Framed::Whole(len),
            _ => Framed::Broken,
        },
        [0x14..=0x17, 3, _, high, low, ..] => {
            Framed::Whole(TLS_HEADER + usize::from(u16::from_be_bytes([high, low])))
        }
        [] | [TPKT, ..] | [0x14..=0x17] | [0x14..=0x17, 3, ..] => Framed::Need(TLS_HEADER),
        _ => Framed::Broken,
    }
}

impl Rdp {
    fn message(&mut self, dir: Dir, message: &[u8], sink: &mut Sink<'_>) {
        match *message {
            [TPKT, _, _, _, _, kind, ..] if kind & 0xf0 == CONNECTION_REQUEST => {
                let negotiation = message.get(TPKT_HEADER..).unwrap_or_default();
                step(dir, b"initial_request", message, sink, |tx| negotiation::note_request(tx, negotiation));
            }
            [TPKT, _, _, _, _, kind, ..] if kind & 0xf0 == CONNECTION_CONFIRM => {
                let negotiation = message.get(TPKT_HEADER..).unwrap_or_default();
                step(dir, b"initial_response", message, sink, |tx| {
                    negotiation::note_response(tx, negotiation)
                });
            }
            [TPKT, ..] => self.data_message(dir, message, sink),
            [kind, ..] if dir == Dir::ToClient => self.record(dir, kind, message, sink),
            _ => {}
        }
    }

    /// Of MCS (T.125) only the first message each way is read.
    fn data_message(&mut self, dir: Dir, message: &[u8], sink: &mut Sink<'_>) {
        let data = message.get(TPKT_HEADER..).and_then(|x224| x224.strip_prefix(DATA_HEADER));
        match data {
            Some([0x7f, 0x65, connect @ ..]) => {
                step(dir, b"connect_request", message, sink, |tx| client::note(tx, connect));
            }
            Some([0x7f, 0x66, ..]) => {
                step(dir, b"connect_response", message, sink, |_| {});
                self.over = true;
            }
            _ => self.over = true,
        }
    }

    /// A record of the server's.
    fn record(&mut self, dir: Dir, kind: u8, record: &[u8], sink: &mut Sink<'_>) {
        let payload = record.get(TLS_HEADER..).unwrap_or_default();
        if self.handshake.record(kind, payload) {
            let certificate = self.handshake.certificate();
            step(dir, b"tls_handshake", record, sink, |tx| certificate::note_serials(tx, certificate));
            self.over = true;
        }
    }
}

/// A transaction of its direction only.
fn step(dir: Dir, name: &[u8], message: &[u8], sink: &mut Sink<'_>, note: impl FnOnce(&mut Transaction)) {
    let Some(tx) = sink.open().and_then(|id| sink.tx(id)) else { return };
    tx.put(dir, PDU, message);
    if tx.wants_notes() {
        tx.note_number("tx_id", tx.id);
        tx.note("event_type", name);
        note(tx);
    }
    tx.complete_one_way(dir);
}
