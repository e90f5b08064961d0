//! IKE versions 1 (RFC 2408, 2409) and 2 (RFC 7296), by UDP to port 500, and behind ESP's marker to 4500 (RFC 3948).
//!
//! Owes a transaction a message, of its direction only: header, and the payloads that are not encrypted.

mod message;
mod names;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use super::decoder::{Decoder, Next, Probe};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::sink::Sink;
use super::{Transaction, digits};
use crate::base::{Dir, FlowTuple};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use message::Header;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Ike,
    tcp: &[],
    udp: &[500, NAT_PORT],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::new(Ike)),
    stage: at_the_end,
    states: NO_STATES,
};

const EXCHANGE: FieldId = field::id("ike.exchtype");
const KEY_EXCHANGE_LENGTH: FieldId = field::id("ike.key_exchange_payload_length");
const NONCE_LENGTH: FieldId = field::id("ike.nonce_payload_length");
const CHOSEN_ATTRIBUTE: FieldId = field::id("ike.chosen_sa_attribute");
const INITIATOR_SPI: BufferId = context::id("ike.init_spi");
const RESPONDER_SPI: BufferId = context::id("ike.resp_spi");
const VENDOR: BufferId = context::id("ike.vendor");
const KEY_EXCHANGE: BufferId = context::id("ike.key_exchange_payload");
const NONCE: BufferId = context::id("ike.nonce_payload");
const FRAME: BufferId = context::id("ike.pdu");

/// Shared with ESP: there four zero bytes come before a message of IKE.
const NAT_PORT: u16 = 4500;
const MARKER: &[u8] = &[0; 4];
/// What keeps a NAT's binding alive.
const KEEPALIVE: &[u8] = &[0xff];

/// To the server's port 500 a message begins at once, to 4500 behind the marker. A first message of ESP says nothing of IKE.
fn probe(_dir: Dir, bytes: &[u8]) -> Probe {
    let bare = Header::read(bytes).is_some_and(|header| header.is_plausible());
    let marked =
        || bytes.strip_prefix(MARKER).and_then(Header::read).is_some_and(|header| header.is_plausible());
    match bytes {
        KEEPALIVE => Probe::More,
        _ if bare || marked() => Probe::Yes,
        _ => Probe::No,
    }
}

struct Ike;

impl Decoder for Ike {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let Some(message) = unmarked(bytes, &sink.tuple) else { return Next::More };
        let Some(tx) = sink.open().and_then(|id| sink.tx(id)) else { return Next::More };
        tx.put(dir, FRAME, message);
        let header = Header::read(message);
        if header.is_none_or(|header| report(tx, dir, &header).is_none()) {
            tx.event(dir, "ike.malformed_data");
        }
        tx.complete_one_way(dir);
        Next::More
    }

    fn reset(&mut self) {}
}

/// The message of IKE in a datagram; `None` for ESP and what keeps its bindings alive.
fn unmarked<'a>(bytes: &'a [u8], tuple: &FlowTuple) -> Option<&'a [u8]> {
    if tuple.dport == NAT_PORT || tuple.sport == NAT_PORT {
        bytes.strip_prefix(MARKER)
    } else {
        (bytes != KEEPALIVE).then_some(bytes)
    }
}

/// What the message says, as far as it is sound; `None` when it is not.
fn report(tx: &mut Transaction, dir: Dir, header: &Header<'_>) -> Option<()> {
    tx.field(dir, EXCHANGE, header.exchange.into());
    let (spi, value) = match dir {
        Dir::ToServer => (INITIATOR_SPI, &header.initiator),
        Dir::ToClient => (RESPONDER_SPI, &header.responder),
    };
    tx.put_with(dir, spi, |out| digits::push_bytes(out, value));
    if tx.wants_notes() {
        tx.note_number("_v", 2);
        tx.note_number("version_major", header.major.into());
        tx.note_number("version_minor", header.minor.into());
        tx.note_number("exchange_type", header.exchange.into());
        tx.note_number("message_id", header.id.into());
        tx.note_with("init_spi", |out| digits::push_bytes(out, &header.initiator));
        tx.note_with("resp_spi", |out| digits::push_bytes(out, &header.responder));
    }
    match header.major {
        1 => v1::report(tx, dir, header)?,
        2 => v2::report(tx, dir, header)?,
        // Of another the header is all that is known.
        _ => return None,
    }
    header.is_whole().then_some(())
}

/// What both versions have under the same name.
fn put_key_exchange(tx: &mut Transaction, dir: Dir, key: &[u8]) {
    tx.put(dir, KEY_EXCHANGE, key);
    tx.field(dir, KEY_EXCHANGE_LENGTH, key.len() as u64);
}

fn put_nonce(tx: &mut Transaction, dir: Dir, nonce: &[u8]) {
    tx.put(dir, NONCE, nonce);
    tx.field(dir, NONCE_LENGTH, nonce.len() as u64);
}

fn put_vendor(tx: &mut Transaction, dir: Dir, vendor: &[u8]) {
    if dir == Dir::ToServer {
        tx.put_with(dir, VENDOR, |out| digits::push_bytes(out, vendor));
    }
}
