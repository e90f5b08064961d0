//! Modbus over TCP (Modbus Messaging on TCP/IP 1.0b, Modbus Application Protocol 1.1b3).
//!
//! Owes a transaction for each request with its answer, which is found by its transaction identifier: devices answer out
//! of order, and may leave requests unanswered. An answer without a request is one of its own.

mod asked;
mod notes;
mod pdu;
#[cfg(test)]
mod tests;

pub use asked::holds;

use super::carry::Framed;
use super::clipped::{Clipped, Taken};
use super::cursor::Cursor;
use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Next, Probe, Sink, Transaction, TxId};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use pdu::{EXCEPTION, Faults, Pdu, function};
use std::collections::VecDeque;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Modbus,
    tcp: &[502],
    udp: &[],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Modbus>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const FRAME: BufferId = context::id("modbus.pdu");
const REQUEST: FieldId = field::id("modbus");

/// Before the unit identifier: transaction, protocol, length.
const HEADER_LEN: usize = 6;
/// A unit identifier and a PDU of 253 bytes; longer ones are an event (Schneider's function 90 has them).
const MAX_LEN: u16 = 254;
/// A message is kept so far; the rest of a longer one is stepped over.
const MAX_MESSAGE: usize = 2048;
/// Requests that wait for an answer; beyond, the oldest is given up (Suricata's `request-flood`).
const MAX_WAITING: usize = 500;
/// So many messages in a row of which the header is wrong: it is not Modbus, or the place in the stream was lost.
const MAX_FAULTY: u8 = 16;

struct Header {
    transaction: u16,
    protocol: u16,
    len: u16,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Header> {
        let mut header = Cursor::big(bytes);
        Some(Header { transaction: header.u16()?, protocol: header.u16()?, len: header.u16()? })
    }

    fn is_sound(&self) -> bool {
        self.protocol == 0 && (2..=MAX_LEN).contains(&self.len)
    }
}

/// A request that has no answer yet.
#[derive(Copy, Clone, Debug)]
struct Waiting {
    tx: TxId,
    transaction: u16,
    function: u8,
    /// The first two numbers of its data: an address, and a count or a value.
    asked: Option<(u16, u16)>,
}

#[derive(Debug, Default)]
struct Modbus {
    incoming: PerDir<Clipped>,
    waiting: VecDeque<Waiting>,
    faulty: u8,
}

impl Decoder for Modbus {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut incoming = std::mem::take(&mut self.incoming[dir]);
        let mut rest = bytes;
        while !rest.is_empty() && self.faulty < MAX_FAULTY {
            let frame = |bytes: &[u8]| match Header::parse(bytes) {
                Some(header) => Framed::Whole(HEADER_LEN + usize::from(header.len)),
                None => Framed::Need(HEADER_LEN),
            };
            if let Taken::Whole { .. } = incoming.take(&mut rest, MAX_MESSAGE, frame) {
                self.message(dir, incoming.bytes(), sink);
                incoming.clear();
            }
        }
        self.incoming[dir] = incoming;
        if self.faulty < MAX_FAULTY { Next::More } else { Next::Broken }
    }

    fn gap(&mut self, dir: Dir, missing: u64, _sink: &mut Sink<'_>) -> Next {
        self.incoming[dir].gap(missing);
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        for waiting in &self.waiting {
            if let Some(tx) = sink.tx(waiting.tx) {
                tx.complete(dir);
            }
        }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.incoming[dir].clear());
        self.waiting.clear();
        self.waiting.shrink_to(16);
        self.faulty = 0;
    }
}

impl Modbus {
    fn message(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) {
        let Some(header) = Header::parse(bytes) else { return };
        let mut faults = Faults::default();
        if header.protocol != 0 {
            faults.add(Faults::PROTOCOL);
        }
        if !(2..=MAX_LEN).contains(&header.len) {
            faults.add(Faults::LENGTH);
        }
        self.faulty = if header.is_sound() { 0 } else { self.faulty + 1 };
        let body = bytes.get(HEADER_LEN..).unwrap_or_default();
        let Some(pdu) = Pdu::from_bytes(body) else {
            return alone(dir, sink, |tx| report(tx, dir, faults));
        };
        match dir {
            Dir::ToServer => {
                faults.add(pdu.request_faults());
                let Some(id) = self.request(&header, &pdu, sink) else { return };
                let Some(tx) = sink.tx(id) else { return };
                tx.put(dir, FRAME, bytes);
                tx.text_field(dir, REQUEST, body);
                finish(tx, dir, &header, &pdu, faults);
            }
            Dir::ToClient => {
                faults.add(pdu.response_faults());
                self.response(bytes, &header, &pdu, faults, sink);
            }
        }
    }

    /// The request's transaction.
    fn request(&mut self, header: &Header, pdu: &Pdu<'_>, sink: &mut Sink<'_>) -> Option<TxId> {
        let id = sink.open()?;
        if self.waiting.len() >= MAX_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            if let Some(tx) = sink.tx(oldest.tx) {
                tx.complete(Dir::ToClient);
            }
            sink.tx(id)?.event(Dir::ToServer, "modbus.flooded");
        }
        number(sink.tx(id)?);
        let mut data = Cursor::big(pdu.data);
        self.waiting.push_back(Waiting {
            tx: id,
            transaction: header.transaction,
            function: pdu.function,
            asked: data.u16().zip(data.u16()),
        });
        Some(id)
    }

    fn response(
        &mut self,
        bytes: &[u8],
        header: &Header,
        pdu: &Pdu<'_>,
        faults: Faults,
        sink: &mut Sink<'_>,
    ) {
        let dir = Dir::ToClient;
        let at = self.waiting.iter().position(|waiting| waiting.transaction == header.transaction);
        let Some(waiting) = at.and_then(|at| self.waiting.remove(at)) else {
            return alone(dir, sink, |tx| {
                tx.event(dir, "modbus.unsolicited_response");
                tx.put(dir, FRAME, bytes);
                finish(tx, dir, header, pdu, faults);
            });
        };
        let Some(tx) = sink.tx(waiting.tx) else { return };
        if !waiting.is_answered_by(pdu) {
            tx.event(dir, "modbus.value_mismatch");
        }
        tx.put(dir, FRAME, bytes);
        finish(tx, dir, header, pdu, faults);
    }
}

impl Waiting {
    /// Whether the answer's function is the request's, writes are echoed, and reads are as long as was asked for.
    fn is_answered_by(&self, pdu: &Pdu<'_>) -> bool {
        if pdu.function & !EXCEPTION != self.function & !EXCEPTION {
            return false;
        }
        let mut data = Cursor::big(pdu.data);
        let Some((_, number)) = self.asked else { return true };
        match pdu.function {
            function::READ_COILS | function::READ_DISCRETES => {
                data.u8().is_none_or(|len| u16::from(len) == number.div_ceil(8))
            }
            function::READ_HOLDING | function::READ_INPUT | function::READ_WRITE => {
                data.u8().is_none_or(|len| u16::from(len) == number.saturating_mul(2))
            }
            function::WRITE_COIL
            | function::WRITE_REGISTER
            | function::WRITE_COILS
            | function::WRITE_REGISTERS
            | function::MASK_WRITE => data.u16().zip(data.u16()) == self.asked,
            _ => true,
        }
    }
}

fn finish(tx: &mut Transaction, dir: Dir, header: &Header, pdu: &Pdu<'_>, faults: Faults) {
    // 248 to 254 are reserved; 255 and 0 are the device itself.
    if (248..255).contains(&pdu.unit) {
        tx.event(dir, "modbus.invalid_unit_identifier");
    }
    notes::message(tx, dir, header, pdu, faults);
    report(tx, dir, faults);
    tx.complete(dir);
}

fn report(tx: &mut Transaction, dir: Dir, faults: Faults) {
    for (_, _, event) in Faults::NAMES.iter().filter(|(fault, ..)| faults.has(*fault)) {
        tx.event(dir, event);
    }
}

/// A transaction of one message.
fn alone(dir: Dir, sink: &mut Sink<'_>, put: impl FnOnce(&mut Transaction)) {
    if let Some(tx) = sink.open().and_then(|id| sink.tx(id)) {
        tx.only_way(dir);
        number(tx);
        put(tx);
        tx.complete(dir);
    }
}

/// Records count transactions from 1.
fn number(tx: &mut Transaction) {
    tx.note_number("id", tx.id.saturating_add(1));
}

/// A header without fault and a function that the direction may have.
fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    let Some(header) = Header::parse(bytes) else {
        // As far as it came, the protocol is 0 and the length small.
        let fits = bytes.get(2..).unwrap_or_default().iter().all(|&byte| byte == 0);
        return if fits { Probe::More } else { Probe::No };
    };
    if !header.is_sound() {
        return Probe::No;
    }
    match (dir, bytes.get(HEADER_LEN + 1)) {
        (_, None) => Probe::More,
        (_, Some(0)) | (Dir::ToServer, Some(EXCEPTION..)) => Probe::No,
        _ => Probe::Yes,
    }
}
