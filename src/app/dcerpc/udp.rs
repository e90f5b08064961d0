//! DCE/RPC in datagrams (C706, chapter 12.5): each names its interface, operation and activity itself.

use super::association::{IFACE, OPNUM, Stub};
use super::interface::Interface;
use super::pdu::uuid;
use crate::app::cursor::{Cursor, Order};
use crate::app::digits::push_uuid;
use crate::app::{Decoder, Next, Sink, Transaction, TxId};
use crate::base::Dir;

pub(super) const HEADER_LEN: usize = 80;
/// Calls without an answer; a further one takes the place of the oldest.
const MAX_CALLS: usize = 64;

const REQUEST: u8 = 0;
const RESPONSE: u8 = 2;
const FAULT: u8 = 3;
const REJECT: u8 = 6;
/// The highest kind that is assigned.
const LAST_KIND: u8 = 10;

const LAST_FRAGMENT: u8 = 0x02;
const FRAGMENT: u8 = 0x04;

#[derive(Copy, Clone, Debug)]
struct Header {
    kind: u8,
    flags: u8,
    order: Order,
    interface: [u8; 16],
    activity: [u8; 16],
    version: u32,
    sequence: u32,
    opnum: u16,
    /// Bytes of the body.
    len: u16,
    fragment: u16,
}

impl Header {
    fn is_last(&self) -> bool {
        self.flags & FRAGMENT == 0 || self.flags & LAST_FRAGMENT != 0
    }
}

fn header(bytes: &[u8]) -> Option<Header> {
    let mut fields = Cursor::little(bytes.get(..HEADER_LEN)?);
    let (version, kind, flags) = (fields.u8()?, fields.u8()?, fields.u8()?);
    fields.skip(1)?;
    let (drep, float) = (fields.u8()?, fields.u8()?);
    let order = if drep & 0x10 != 0 { Order::Little } else { Order::Big };
    if version != 4 || kind > LAST_KIND || drep & 0xee != 0 || float > 3 {
        return None;
    }
    let mut fields = Cursor::new(bytes, order);
    // Version to representation, the serial number's high byte, and the object.
    fields.skip(8 + 16)?;
    let interface = uuid(fields.array()?, order);
    let activity = uuid(fields.array()?, order);
    fields.skip(4)?;
    let (version, sequence, opnum) = (fields.u32()?, fields.u32()?, fields.u16()?);
    fields.skip(4)?;
    let (len, fragment) = (fields.u16()?, fields.u16()?);
    Some(Header { kind, flags, order, interface, activity, version, sequence, opnum, len, fragment })
}

/// Whether a datagram is one of these: its body is whole, and it belongs to an activity.
pub(super) fn is_unit(bytes: &[u8]) -> bool {
    header(bytes).is_some_and(|header| {
        usize::from(header.len) <= bytes.len() - HEADER_LEN && header.activity != [0; 16]
    })
}

#[derive(Copy, Clone, Debug)]
struct Call {
    activity: [u8; 16],
    sequence: u32,
    tx: TxId,
    stubs: [Stub; 2],
}

/// Decodes connectionless DCE/RPC.
#[derive(Debug, Default)]
pub struct Udp {
    calls: Vec<Call>,
}

impl Udp {
    fn place(&mut self, header: &Header, sink: &mut Sink<'_>) -> Option<usize> {
        let known = self
            .calls
            .iter()
            .position(|call| call.activity == header.activity && call.sequence == header.sequence);
        if known.is_some() {
            return known;
        }
        let tx = sink.open()?;
        if self.calls.len() >= MAX_CALLS {
            self.calls.remove(0);
        }
        let stubs = [Stub::default(); 2];
        self.calls.push(Call { activity: header.activity, sequence: header.sequence, tx, stubs });
        let opened = sink.tx(tx)?;
        opened.set_order(header.order);
        put_call(opened, header);
        if opened.wants_notes() {
            opened.note_with("activityuuid", |out| push_uuid(out, &header.activity));
            opened.note_number("seqnum", u64::from(header.sequence));
            opened.note("rpc_version", b"4.0");
        }
        Some(self.calls.len() - 1)
    }

    fn fragment(&mut self, dir: Dir, header: &Header, body: &[u8], sink: &mut Sink<'_>) -> Option<()> {
        let place = self.place(header, sink)?;
        let call = self.calls.get_mut(place)?;
        let stub = call.stubs.get_mut(dir.index())?;
        if let Some(tx) = sink.tx(call.tx) {
            stub.add(tx, dir, body, header.is_last());
            if header.is_last() {
                note(tx, header, stub);
                tx.complete(dir);
            }
        }
        if header.kind != REQUEST && header.is_last() {
            if let Some(tx) = sink.tx(call.tx) {
                tx.complete(dir.reversed());
            }
            self.calls.remove(place);
        }
        Some(())
    }
}

/// What rules ask of a call: of its answer too, from its request on.
fn put_call(tx: &mut Transaction, header: &Header) {
    let interface = Interface {
        uuid: header.interface,
        version: header.version as u16,
        first_fragment: header.fragment == 0,
    };
    for dir in Dir::BOTH {
        tx.field(dir, OPNUM, u64::from(header.opnum));
        tx.text_field(dir, IFACE, &interface.to_bytes());
    }
}

fn note(tx: &mut Transaction, header: &Header, stub: &Stub) {
    if header.kind == REQUEST {
        tx.note("request", b"REQUEST");
        tx.note_number("req.opnum", u64::from(header.opnum));
        tx.note_number("req.frag_cnt", stub.fragments());
        tx.note_number("req.stub_data_size", stub.size());
    } else {
        tx.note("response", if header.kind == RESPONSE { b"RESPONSE" } else { b"FAULT" });
        tx.note_number("res.frag_cnt", stub.fragments());
        tx.note_number("res.stub_data_size", stub.size());
    }
}

impl Decoder for Udp {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let Some(header) = header(bytes) else { return Next::More };
        if matches!(header.kind, REQUEST | RESPONSE | FAULT | REJECT) {
            let end = (HEADER_LEN + usize::from(header.len)).min(bytes.len());
            let body = bytes.get(HEADER_LEN..end).unwrap_or_default();
            self.fragment(dir, &header, body, sink);
        }
        Next::More
    }

    fn reset(&mut self) {
        self.calls.clear();
    }
}
