//! One client's talk with one server over a connection or a named pipe: what was bound, and the calls under way.

use super::interface::Interface;
use super::names::Names;
use super::pdu::{self, HEADER_LEN, Header, kind};
use crate::app::{Sink, Transaction, TxId, Window, few};
use crate::base::Dir;
use crate::rules::{context, field};

/// Presentation contexts of one association; a further one takes the place of the oldest.
const MAX_CONTEXTS: usize = 128;
/// Calls without an answer; a further one takes the place of the oldest, whose answer is then a transaction of its own.
const MAX_CALLS: usize = 64;
/// Bytes of a call's stub in one direction, all fragments together, that rules look into.
const MAX_STUB: u64 = 1 << 20;
/// Bytes of earlier fragments that a pattern may begin in.
const STUB_WINDOW: u64 = 16 << 10;

pub(super) const STUB: context::BufferId = context::id("dcerpc.stub_data");
pub(super) const IFACE: field::FieldId = field::id("dcerpc.iface");
pub(super) const OPNUM: field::FieldId = field::id("dcerpc.opnum");
const PDU: context::BufferId = context::id("dcerpc.pdu");
const HDR: context::BufferId = context::id("dcerpc.hdr");
const DATA: context::BufferId = context::id("dcerpc.data");

#[derive(Copy, Clone, Debug)]
struct Context {
    id: u16,
    uuid: [u8; 16],
    version: u16,
    minor: u16,
    accepted: bool,
}

/// One direction of a call.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Stub {
    streamed: Option<usize>,
    begun: bool,
    fragments: u64,
    size: u64,
}

impl Stub {
    pub(super) fn fragments(&self) -> u64 {
        self.fragments
    }

    /// Bytes of all fragments so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of one more fragment. A call of one fragment has its stub in one buffer, a longer one's grows.
    pub(super) fn add(&mut self, tx: &mut Transaction, dir: Dir, bytes: &[u8], last: bool) {
        self.fragments += 1;
        self.size = self.size.saturating_add(bytes.len() as u64);
        if last && !self.begun {
            tx.put(dir, STUB, bytes);
            return;
        }
        if !self.begun {
            self.begun = true;
            self.streamed =
                tx.begin(dir, STUB, Window { limit: MAX_STUB, back: STUB_WINDOW, ..Window::default() });
        }
        let Some(streamed) = self.streamed else { return };
        tx.grow(streamed, bytes);
        if last {
            tx.end_streamed(streamed);
        }
    }
}

#[derive(Copy, Clone, Debug)]
struct Call {
    id: u32,
    tx: TxId,
    /// Of a request; a bind has none.
    opnum: Option<u16>,
    interface: Option<Interface>,
    request: Stub,
    response: Stub,
}

/// Who carries the calls: what it adds to their transactions.
pub struct Carrier<'a> {
    pub names: &'static Names,
    /// Called for each transaction that is opened for a call.
    pub opened: &'a mut dyn FnMut(Dir, &mut Transaction),
}

#[derive(Clone, Debug, Default)]
pub struct Association {
    contexts: Vec<Context>,
    /// Places in `contexts` of the newest bind's offers, in their order: the answer says which are accepted.
    offered: Vec<usize>,
    calls: Vec<Call>,
}

impl Association {
    pub fn reset(&mut self) {
        self.contexts.clear();
        self.offered.clear();
        self.calls.clear();
    }

    /// A whole unit, or as much of one as came. Which transaction it belongs to, if any.
    pub fn unit(
        &mut self,
        dir: Dir,
        bytes: &[u8],
        carrier: &mut Carrier<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let header = pdu::header(bytes)?;
        let body = bytes.get(HEADER_LEN..usize::from(header.fragment_len).min(bytes.len()))?;
        let tx = match header.kind {
            kind::REQUEST => self.request(dir, &header, body, carrier, sink),
            kind::RESPONSE => self.response(dir, &header, body, carrier, sink),
            kind::BIND | kind::ALTER_CONTEXT => self.bind(dir, &header, body, carrier, sink),
            kind::BIND_ACK | kind::ALTER_CONTEXT_RESP => self.bind_ack(dir, &header, body, carrier, sink),
            kind::BIND_NAK | kind::FAULT => self.refusal(dir, &header, carrier, sink),
            _ => None,
        };
        if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            frames(tx, dir, bytes);
        }
        if header.is_last() {
            sink.flush_stream();
        }
        tx
    }

    fn place(&self, id: u32) -> Option<usize> {
        // The newest of those with the same number.
        self.calls.iter().rposition(|call| call.id == id)
    }

    fn open(
        &mut self,
        dir: Dir,
        header: &Header,
        carrier: &mut Carrier<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<usize> {
        let id = sink.open()?;
        let tx = sink.tx(id)?;
        tx.set_order(header.order);
        (carrier.opened)(dir, tx);
        carrier.names.opened(tx, header);
        if self.calls.len() >= MAX_CALLS {
            self.calls.remove(0);
        }
        let (request, response) = (Stub::default(), Stub::default());
        let call = Call { id: header.call_id, tx: id, opnum: None, interface: None, request, response };
        few::push(&mut self.calls, call);
        Some(self.calls.len() - 1)
    }

    fn request(
        &mut self,
        dir: Dir,
        header: &Header,
        body: &[u8],
        carrier: &mut Carrier<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let request = pdu::request(header, body)?;
        let begun = self.place(header.call_id).filter(|place| {
            !header.is_first() && self.calls.get(*place).is_some_and(|call| call.opnum.is_some())
        });
        let (place, fresh) = match begun {
            Some(place) => (place, false),
            None => (self.open(dir, header, carrier, sink)?, true),
        };
        let interface = self.interface(request.context, header.is_first());
        let call = self.calls.get_mut(place)?;
        let tx = sink.tx(call.tx)?;
        if fresh {
            (call.opnum, call.interface) = (Some(request.opnum), interface);
            put_call(tx, call);
        }
        call.request.add(tx, dir, request.stub, header.is_last());
        if header.is_last() {
            let stub = &call.request;
            carrier.names.request(tx, request.opnum, stub.fragments, stub.size);
            tx.complete(dir);
        }
        Some(call.tx)
    }

    fn response(
        &mut self,
        dir: Dir,
        header: &Header,
        body: &[u8],
        carrier: &mut Carrier<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let (_, stub) = pdu::response(header, body)?;
        let (place, fresh) = match self.place(header.call_id) {
            Some(place) => (place, false),
            None => (self.open(dir, header, carrier, sink)?, true),
        };
        let call = self.calls.get_mut(place)?;
        let id = call.tx;
        if let Some(tx) = sink.tx(id) {
            if fresh {
                tx.complete(dir.reversed());
            }
            call.response.add(tx, dir, stub, header.is_last());
            if header.is_last() {
                carrier.names.response(tx, call.response.fragments, call.response.size);
                tx.complete(dir.reversed());
                tx.complete(dir);
            }
        }
        if header.is_last() {
            self.calls.remove(place);
        }
        Some(id)
    }

    fn bind(
        &mut self,
        dir: Dir,
        header: &Header,
        body: &[u8],
        carrier: &mut Carrier<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        self.offered.clear();
        let (contexts, offered) = (&mut self.contexts, &mut self.offered);
        let _ = pdu::offers(body, header.order, |offer| {
            let context = Context {
                id: offer.context,
                uuid: offer.uuid,
                version: offer.version,
                minor: offer.minor,
                accepted: false,
            };
            let place = match contexts.iter().position(|known| known.id == offer.context) {
                Some(place) => place,
                None if contexts.len() < MAX_CONTEXTS => contexts.len(),
                None => return false,
            };
            match contexts.get_mut(place) {
                Some(known) => *known = context,
                None => contexts.push(context),
            }
            offered.push(place);
            true
        });
        let place = self.open(dir, header, carrier, sink)?;
        let id = self.calls.get(place)?.tx;
        let tx = sink.tx(id)?;
        carrier.names.bind(tx, header.kind);
        tx.complete(dir);
        Some(id)
    }

    fn bind_ack(
        &mut self,
        dir: Dir,
        header: &Header,
        body: &[u8],
        carrier: &mut Carrier<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let place = match self.place(header.call_id) {
            Some(place) => place,
            None => self.open(dir, header, carrier, sink)?,
        };
        let id = self.calls.get(place)?.tx;
        let mut tx = sink.tx(id);
        let mut answers = 0;
        let (contexts, offered) = (&mut self.contexts, &self.offered);
        let _ = pdu::results(body, header.order, |result| {
            let known = offered.get(answers).and_then(|place| contexts.get_mut(*place));
            answers += 1;
            let Some(context) = known else { return };
            context.accepted = result == 0;
            if let Some(tx) = tx.as_deref_mut().filter(|tx| tx.wants_notes()) {
                carrier.names.interface(tx, &context.uuid, (context.version, context.minor), result);
            }
        });
        if let Some(tx) = tx {
            carrier.names.bind_ack(tx, header.kind);
            tx.complete(dir.reversed());
            tx.complete(dir);
        }
        self.calls.remove(place);
        Some(id)
    }

    /// A call fails: it is over.
    fn refusal(
        &mut self,
        dir: Dir,
        header: &Header,
        carrier: &mut Carrier<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<TxId> {
        let place = self.place(header.call_id)?;
        let id = self.calls.remove(place).tx;
        let tx = sink.tx(id)?;
        carrier.names.refusal(tx, header.kind);
        tx.complete(dir.reversed());
        tx.complete(dir);
        Some(id)
    }

    fn interface(&self, context: u16, first_fragment: bool) -> Option<Interface> {
        let context = self.contexts.iter().find(|known| known.id == context && known.accepted)?;
        Some(Interface { uuid: context.uuid, version: context.version, first_fragment })
    }
}

/// What rules ask of a call: of its answer too, from its request on.
fn put_call(tx: &mut Transaction, call: &Call) {
    for dir in Dir::BOTH {
        if let Some(opnum) = call.opnum {
            tx.field(dir, OPNUM, u64::from(opnum));
        }
        if let Some(interface) = call.interface {
            tx.text_field(dir, IFACE, &interface.to_bytes());
        }
    }
}

fn frames(tx: &mut Transaction, dir: Dir, bytes: &[u8]) {
    for (id, range) in [(PDU, 0..bytes.len()), (HDR, 0..HEADER_LEN), (DATA, HEADER_LEN..bytes.len())] {
        if tx.wants(id) {
            tx.put(dir, id, bytes.get(range).unwrap_or_default());
        }
    }
}
