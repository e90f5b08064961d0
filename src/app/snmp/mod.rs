//! SNMP versions 1, 2c (RFC 1157, 3416) and 3 (RFC 3412, 3414), as far as it is not encrypted.
//!
//! Owes a transaction a message. A datagram that is none ends the decoding of its session, as with Suricata.

mod ber;
#[cfg(test)]
mod tests;

use super::decoder::{Decoder, Next, Probe};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::sink::Sink;
use super::transaction::Transaction;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use ber::{ADDRESS, OCTETS, OID, Reader, SEQUENCE, write_oid};
use std::io::Write;
use std::net::Ipv4Addr;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Snmp,
    tcp: &[],
    udp: &[161, 162],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe: |_, bytes| if begin(bytes).is_some() { Probe::Yes } else { Probe::No },
    make: Some(|| Box::<Snmp>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const VERSION: FieldId = field::id("snmp.version");
const PDU_TYPE: FieldId = field::id("snmp.pdu_type");
const COMMUNITY: BufferId = context::id("snmp.community");
const USM: BufferId = context::id("snmp.usm");
const TRAP_OID: BufferId = context::id("snmp.trap_oid");
const TRAP_ADDRESS: BufferId = context::id("snmp.trap_address");
const FRAME: BufferId = context::id("snmp.pdu");

/// By the number of their tag (RFC 3416, 3).
const PDU_NAMES: [&str; 9] = [
    "get_request",
    "get_next_request",
    "response",
    "set_request",
    "trap_v1",
    "get_bulk_request",
    "inform_request",
    "trap_v2",
    "report",
];
const TRAP_V1: u8 = 4;
/// Causes of a trap (RFC 1157, 4.1.6).
const TRAP_NAMES: [&str; 7] = [
    "coldStart",
    "warmStart",
    "linkDown",
    "linkUp",
    "authenticationFailure",
    "egpNeighborLoss",
    "enterpriseSpecific",
];
/// Security models: that of users.
const MODEL_USM: u64 = 3;

/// The version, 1 to 3, and what follows it.
fn begin(bytes: &[u8]) -> Option<(u8, Reader<'_>)> {
    let mut message = Reader(Reader(bytes).expect(SEQUENCE)?);
    let version = match message.number()? {
        0 => 1,
        1 => 2,
        3 => 3,
        _ => return None,
    };
    let mut ahead = message;
    let next = ahead.next()?.tag;
    (next == if version == 3 { SEQUENCE } else { OCTETS }).then_some((version, message))
}

#[derive(Default)]
struct Snmp {
    /// Of the session's first message.
    version: Option<u8>,
}

impl Decoder for Snmp {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let Some(id) = sink.open() else { return Next::More };
        let Some(tx) = sink.tx(id) else { return Next::More };
        tx.put(dir, FRAME, bytes);
        let version = begin(bytes).map(|(version, _)| version);
        let sound = report(tx, dir, bytes).is_some();
        if !sound {
            tx.event(dir, "snmp.malformed_data");
        }
        if self.version.zip(version).is_some_and(|(first, now)| first != now) {
            tx.event(dir, "snmp.version_mismatch");
        }
        self.version = self.version.or(version);
        tx.complete_one_way(dir);
        if sound { Next::More } else { Next::Broken }
    }

    fn reset(&mut self) {
        self.version = None;
    }
}

/// What the message says, as far as it is sound; `None` when it is not.
fn report(tx: &mut Transaction, dir: Dir, bytes: &[u8]) -> Option<()> {
    let (version, mut message) = begin(bytes)?;
    tx.field(dir, VERSION, version.into());
    tx.note_number("version", version.into());
    if version < 3 {
        let community = message.expect(OCTETS)?;
        tx.put(dir, COMMUNITY, community);
        pdu(tx, dir, &mut message)?;
        tx.note("community", community);
        return Some(());
    }
    let mut global = Reader(message.expect(SEQUENCE)?);
    let (_id, _most, _flags) = (global.number()?, global.number()?, global.expect(OCTETS)?);
    if global.number()? == MODEL_USM {
        user(tx, dir, message.expect(OCTETS)?)?;
    } else {
        tx.event(dir, "snmp.unknown_security_model");
        message.next()?;
    }
    let data = message.next()?;
    // Encrypted ones are octets.
    if data.tag == SEQUENCE {
        let mut scoped = Reader(data.data);
        let (_engine, _context) = (scoped.expect(OCTETS)?, scoped.expect(OCTETS)?);
        pdu(tx, dir, &mut scoped)?;
    }
    Some(())
}

/// RFC 3414, 2.4.
fn user(tx: &mut Transaction, dir: Dir, parameters: &[u8]) -> Option<()> {
    let mut parameters = Reader(Reader(parameters).expect(SEQUENCE)?);
    let (_engine, _boots, _time) = (parameters.expect(OCTETS)?, parameters.number()?, parameters.number()?);
    let user = parameters.expect(OCTETS)?;
    tx.put(dir, USM, user);
    tx.note("usm", user);
    Some(())
}

fn pdu(tx: &mut Transaction, dir: Dir, message: &mut Reader<'_>) -> Option<()> {
    let pdu = message.next()?;
    let number = pdu.tag.checked_sub(0xa0)?;
    let name = PDU_NAMES.get(usize::from(number))?;
    tx.field(dir, PDU_TYPE, number.into());
    tx.note("pdu_type", name.as_bytes());
    let mut body = Reader(pdu.data);
    if number == TRAP_V1 {
        trap(tx, dir, &mut body)?;
    } else {
        // A request's number; error and its place, or how often to repeat.
        let (_request, _status, _index) = (body.next()?, body.number()?, body.number()?);
    }
    variables(tx, Reader(body.expect(SEQUENCE)?))
}

/// RFC 1157, 4.1.6.
fn trap(tx: &mut Transaction, dir: Dir, body: &mut Reader<'_>) -> Option<()> {
    let enterprise = body.expect(OID)?;
    let address: [u8; 4] = body.expect(ADDRESS)?.try_into().ok()?;
    let (generic, _specific, _time) = (body.number()?, body.next()?, body.next()?);
    tx.put_with(dir, TRAP_OID, |out| write_oid(enterprise, out));
    tx.put_with(dir, TRAP_ADDRESS, |out| drop(write!(out, "{}", Ipv4Addr::from(address))));
    if let Some(name) = usize::try_from(generic).ok().and_then(|generic| TRAP_NAMES.get(generic)) {
        tx.note("trap_type", name.as_bytes());
    }
    tx.note_with("trap_oid", |out| write_oid(enterprise, out));
    tx.note_with("trap_address", |out| drop(write!(out, "{}", Ipv4Addr::from(address))));
    Some(())
}

/// Names of variables; their values are not looked at.
fn variables(tx: &mut Transaction, mut list: Reader<'_>) -> Option<()> {
    while !list.0.is_empty() {
        let name = Reader(list.expect(SEQUENCE)?).expect(OID)?;
        tx.note_with("vars[]", |out| write_oid(name, out));
    }
    Some(())
}
