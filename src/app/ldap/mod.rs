//! LDAP (RFC 4511) over TCP and, connectionless, over UDP: a request and its answers are a transaction.

mod ber;
mod message;
#[cfg(test)]
mod tests;

use super::carry::Framed;
use super::clipped::{Clipped, Taken};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Next, Probe, Sink, Transaction, TxId};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use crate::wire::ip_proto;
use message::{Message, is_preliminary, is_request, is_unanswered, name, of_tag, operation};

pub const ENTRY: Entry = Entry {
    proto: AppProto::Ldap,
    tcp: &[],
    udp: &[389],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Ldap>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const PDU: BufferId = context::id("ldap.pdu");
const REQUEST_DN: BufferId = context::id("ldap.request.dn");
const REQUEST_ATTRIBUTE: BufferId = context::id("ldap.request.attribute_type");
const RESPONSE_DN: BufferId = context::id("ldap.responses.dn");
const RESPONSE_MESSAGE: BufferId = context::id("ldap.responses.message");
const RESPONSE_ATTRIBUTE: BufferId = context::id("ldap.responses.attribute_type");
const REQUEST_OPERATION: FieldId = field::id("ldap.request.operation");
const RESPONSE_OPERATION: FieldId = field::id("ldap.responses.operation");
const RESPONSE_COUNT: FieldId = field::id("ldap.responses.count");
const RESULT_CODE: FieldId = field::id("ldap.responses.result_code");

/// A message is kept so far.
const MAX_MESSAGE: usize = 64 << 10;
/// Requests that wait for their answers; the oldest is forgotten beyond (`max-tx`).
const MAX_WAITING: usize = 256;
/// StartTLS (RFC 4511, 4.14.1).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// A request whose last answer has not come.
#[derive(Copy, Clone, Debug)]
struct Waiting {
    tx: TxId,
    id: u32,
    answers: u32,
    tls: bool,
}

#[derive(Debug, Default)]
struct Ldap {
    incoming: PerDir<Clipped>,
    waiting: Vec<Waiting>,
    gapped: bool,
}

impl Decoder for Ldap {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut incoming = std::mem::take(&mut self.incoming[dir]);
        let mut rest = bytes;
        let mut next = Next::More;
        while !rest.is_empty() && next == Next::More {
            match incoming.take(&mut rest, MAX_MESSAGE, frame) {
                Taken::Part => {}
                Taken::Broken => {
                    self.alone(dir, "ldap.invalid_data", sink);
                    next = Next::Broken;
                }
                Taken::Whole { cut } => {
                    if self.message(dir, incoming.bytes(), cut, sink) {
                        next = Next::Change { consumed: bytes.len() - rest.len(), to: Some(AppProto::Tls) };
                    }
                    incoming.clear();
                }
            }
        }
        self.incoming[dir] = incoming;
        if sink.tuple.proto == ip_proto::UDP {
            self.incoming[dir].clear();
            next = Next::More;
        }
        next
    }

    fn gap(&mut self, dir: Dir, missing: u64, _sink: &mut Sink<'_>) -> Next {
        if self.incoming[dir].gap(missing) {
            return Next::More;
        }
        // Where the next message begins nobody knows, unless it begins here.
        self.gapped = true;
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
        self.gapped = false;
    }
}

fn frame(bytes: &[u8]) -> Framed {
    match ber::header(bytes) {
        Ok(Some((ber::SEQUENCE, start, len))) => Framed::Whole(start.saturating_add(len)),
        Ok(None) if bytes.first() == Some(&ber::SEQUENCE) => Framed::Need(bytes.len() + 1),
        _ => Framed::Broken,
    }
}

impl Ldap {
    fn alone(&mut self, dir: Dir, event: &'static str, sink: &mut Sink<'_>) {
        if !self.gapped
            && let Some(tx) = sink.open().and_then(|id| sink.tx(id))
        {
            tx.only_way(dir);
            tx.event(dir, event);
            tx.complete(dir);
        }
    }

    /// Whether TLS begins behind it.
    fn message(&mut self, dir: Dir, pdu: &[u8], cut: bool, sink: &mut Sink<'_>) -> bool {
        let Some(message) = Message::parse(pdu) else {
            if !cut {
                self.alone(dir, "ldap.invalid_data", sink);
            }
            return false;
        };
        if is_request(message.operation) {
            self.request(dir, &message, pdu, sink);
            false
        } else {
            self.response(dir, &message, pdu, sink)
        }
    }

    fn request(&mut self, dir: Dir, message: &Message<'_>, pdu: &[u8], sink: &mut Sink<'_>) {
        let Some(id) = sink.open() else { return };
        let Some(tx) = sink.tx(id) else { return };
        tx.field(dir, REQUEST_OPERATION, message.operation.into());
        if let Some(dn) = message.request_dn() {
            tx.put(dir, REQUEST_DN, dn);
        }
        if message.attributes(|attribute| tx.put(dir, REQUEST_ATTRIBUTE, attribute)).is_none() {
            tx.event(dir, "ldap.invalid_data");
        }
        note_request(tx, message);
        tx.put(dir, PDU, pdu);
        tx.complete(dir);
        if is_unanswered(message.operation) {
            tx.field(dir.reversed(), RESPONSE_COUNT, 0);
            tx.complete(dir.reversed());
            return;
        }
        if self.waiting.len() >= MAX_WAITING {
            let oldest = self.waiting.remove(0);
            sink.tx(oldest.tx).into_iter().for_each(|tx| tx.complete(dir.reversed()));
            sink.tx(id).into_iter().for_each(|tx| tx.event(dir, "ldap.too_many_transactions"));
        }
        let tls = message.extended_name() == Some(START_TLS);
        self.waiting.push(Waiting { tx: id, id: message.id, answers: 0, tls });
    }

    fn response(&mut self, dir: Dir, message: &Message<'_>, pdu: &[u8], sink: &mut Sink<'_>) -> bool {
        let at = self.waiting.iter().rposition(|waiting| waiting.id == message.id);
        let Some(waiting) = at.and_then(|at| self.waiting.get_mut(at)) else {
            if let Some(tx) = sink.open().and_then(|id| sink.tx(id)) {
                tx.only_way(dir);
                put_response(tx, dir, message, pdu, 1);
                // A notification that nobody asks for has no number.
                if message.id != 0 && !self.gapped {
                    tx.event(dir, "ldap.request_not_found");
                }
                tx.complete(dir);
            }
            return false;
        };
        waiting.answers = waiting.answers.saturating_add(1);
        let Waiting { tx, answers, tls, .. } = *waiting;
        let last = !is_preliminary(message.operation);
        if let Some(tx) = sink.tx(tx) {
            put_response(tx, dir, message, pdu, answers);
            if last {
                tx.complete(dir);
            }
        }
        if last {
            self.waiting.retain(|waiting| waiting.tx != tx);
        }
        last && tls && message.result().is_some_and(|(code, ..)| code == 0)
    }
}

fn put_response(tx: &mut Transaction, dir: Dir, message: &Message<'_>, pdu: &[u8], answers: u32) {
    tx.field(dir, RESPONSE_OPERATION, message.operation.into());
    let result = message.result();
    if let Some((code, ..)) = result {
        tx.field(dir, RESULT_CODE, code.into());
    }
    if !is_preliminary(message.operation) {
        tx.field(dir, RESPONSE_COUNT, answers.into());
    }
    // Each answer has its place: what one lacks is there, and empty.
    let (dn, text) =
        result.map_or((message.entry().unwrap_or_default(), &[][..]), |(_, dn, text)| (dn, text));
    tx.put(dir, RESPONSE_DN, dn);
    tx.put(dir, RESPONSE_MESSAGE, text);
    if message.attributes(|attribute| tx.put(dir, RESPONSE_ATTRIBUTE, attribute)).is_none() {
        tx.event(dir, "ldap.invalid_data");
    }
    note_response(tx, message);
    tx.put(dir, PDU, pdu);
}

fn note_request(tx: &mut Transaction, message: &Message<'_>) {
    if !tx.wants_notes() {
        return;
    }
    tx.note_number("request.message_id", message.id.into());
    tx.note("request.operation", name(message.operation).as_bytes());
    let dn = match message.operation {
        operation::BIND_REQUEST => "request.bind_request.name",
        operation::SEARCH_REQUEST => "request.search_request.base_object",
        operation::MODIFY_REQUEST => "request.modify_request.object",
        operation::ADD_REQUEST => "request.add_request.entry",
        operation::DEL_REQUEST => "request.del_request.dn",
        operation::MOD_DN_REQUEST => "request.mod_dn_request.entry",
        operation::COMPARE_REQUEST => "request.compare_request.entry",
        _ => "",
    };
    if let Some(text) = message.request_dn().filter(|_| !dn.is_empty()) {
        tx.note(dn, text);
    }
    if let Some(oid) = message.extended_name() {
        tx.note("request.extended_request.name", oid);
    }
    if let Some(search) = message.search().filter(|_| message.operation == operation::SEARCH_REQUEST) {
        tx.note_number("request.search_request.scope", search.scope.into());
        tx.note_number("request.search_request.deref_alias", search.deref_aliases.into());
        tx.note_number("request.search_request.size_limit", search.size_limit.into());
        tx.note_number("request.search_request.time_limit", search.time_limit.into());
        tx.note_bool("request.search_request.types_only", search.types_only);
        message.attributes(|attribute| tx.note("request.search_request.attributes[]", attribute));
    }
}

fn note_response(tx: &mut Transaction, message: &Message<'_>) {
    if !tx.wants_notes() {
        return;
    }
    tx.note_begin("responses[]");
    tx.note("responses[].operation", name(message.operation).as_bytes());
    if message.id != 0 {
        tx.note_number("responses[].message_id", message.id.into());
    }
    if let Some(entry) = message.entry() {
        tx.note("responses[].search_result_entry.base_object", entry);
    }
    let Some((code, dn, text)) = message.result() else { return };
    let [code_name, dn_name, text_name] = match message.operation {
        operation::BIND_RESPONSE => [
            "responses[].bind_response.result_code",
            "responses[].bind_response.matched_dn",
            "responses[].bind_response.message",
        ],
        operation::SEARCH_RESULT_DONE => [
            "responses[].search_result_done.result_code",
            "responses[].search_result_done.matched_dn",
            "responses[].search_result_done.message",
        ],
        operation::EXTENDED_RESPONSE => [
            "responses[].extended_response.result_code",
            "responses[].extended_response.matched_dn",
            "responses[].extended_response.message",
        ],
        operation::MODIFY_RESPONSE => [
            "responses[].modify_response.result_code",
            "responses[].modify_response.matched_dn",
            "responses[].modify_response.message",
        ],
        operation::ADD_RESPONSE => [
            "responses[].add_response.result_code",
            "responses[].add_response.matched_dn",
            "responses[].add_response.message",
        ],
        operation::DEL_RESPONSE => [
            "responses[].del_response.result_code",
            "responses[].del_response.matched_dn",
            "responses[].del_response.message",
        ],
        operation::MOD_DN_RESPONSE => [
            "responses[].mod_dn_response.result_code",
            "responses[].mod_dn_response.matched_dn",
            "responses[].mod_dn_response.message",
        ],
        _ => [
            "responses[].compare_response.result_code",
            "responses[].compare_response.matched_dn",
            "responses[].compare_response.message",
        ],
    };
    tx.note_number(code_name, code.into());
    tx.note(dn_name, dn);
    tx.note(text_name, text);
}

/// A sequence that begins with a small number and an operation.
fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    let (start, len) = match ber::header(bytes) {
        Ok(Some((ber::SEQUENCE, start, len))) => (start, len),
        Ok(None) if bytes.first().is_none_or(|first| *first == ber::SEQUENCE) => return Probe::More,
        _ => return Probe::No,
    };
    let (id_len, tag) = match bytes.get(start..).unwrap_or_default() {
        [] | [ber::INTEGER] => return Probe::More,
        [ber::INTEGER, id_len @ 1..=4, rest @ ..] => (usize::from(*id_len), rest.get(usize::from(*id_len))),
        _ => return Probe::No,
    };
    match tag {
        None => Probe::More,
        Some(tag) if len >= id_len + 4 => match of_tag(*tag) {
            Some(operation) if is_request(operation) == (dir == Dir::ToServer) => Probe::Yes,
            Some(_) => Probe::Reversed,
            None => Probe::No,
        },
        Some(_) => Probe::No,
    }
}
