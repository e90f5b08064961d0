//! What a message says, as buffers, numbers, events and notes of a transaction.

use super::kind::Kind;
use super::message::{Header, Reader, Record, u16_at};
use super::name::{Flaws, Name};
use super::notes::{self, SECTIONS};
use crate::app::transaction::Transaction;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::field::{self, FieldId};

const OPCODE: FieldId = field::id("dns.opcode");
const RCODE: FieldId = field::id("dns.rcode");
const RRTYPE: FieldId = field::id("dns.rrtype");

/// Reserved, must be zero (RFC 1035, 4.1.1; what is left of it by RFC 4035, 3.1.6).
const Z: u16 = 0x0040;
/// The highest operation in use: DSO (RFC 8490) is 6.
const HIGHEST_OPCODE: u8 = 6;

/// Numbers of types whose data begin with a name.
mod kinds {
    pub(super) const NS: u16 = 2;
    pub(super) const CNAME: u16 = 5;
    pub(super) const SOA: u16 = 6;
    pub(super) const PTR: u16 = 12;
    pub(super) const MX: u16 = 15;
}

/// Reads one message into a transaction.
pub fn report(tx: &mut Transaction, dir: Dir, kind: &Kind, bytes: &[u8]) {
    if let Some(frame) = kind.frame {
        tx.put(dir, frame, bytes);
    }
    let Some(header) = Header::read(bytes) else {
        tx.event(dir, kind.events.malformed_data);
        return;
    };
    if kind.proto == AppProto::Dns {
        tx.field(dir, OPCODE, header.opcode().into());
        tx.field(dir, RCODE, header.rcode().into());
    }
    judge(tx, dir, kind, &header);
    notes::header(tx, &header);
    // A kilobyte that says nothing between two messages: not a session's to keep.
    let mut name = Name::default();
    let mut body = Body { tx, dir, kind, header, reader: Reader::new(bytes), name: &mut name };
    body.read();
    let flaws = body.reader.flaws;
    tell(tx, dir, kind, flaws);
}

fn judge(tx: &mut Transaction, dir: Dir, kind: &Kind, header: &Header) {
    if header.flags & Z != 0 {
        tx.event(dir, kind.events.z_flag_set);
    }
    if header.opcode() > HIGHEST_OPCODE {
        tx.event(dir, kind.events.invalid_opcode);
    }
}

fn tell(tx: &mut Transaction, dir: Dir, kind: &Kind, flaws: Flaws) {
    let events = &kind.events;
    let all = [
        (flaws.too_long, events.name_too_long),
        (flaws.endless, events.infinite_loop),
        (flaws.too_many_labels, events.too_many_labels),
    ];
    for (_, event) in all.into_iter().filter(|(found, _)| *found) {
        tx.event(dir, event);
    }
}

struct Body<'a, 'b> {
    tx: &'a mut Transaction,
    dir: Dir,
    kind: &'a Kind,
    header: Header,
    reader: Reader<'b>,
    name: &'a mut Name,
}

impl Body<'_, '_> {
    /// All sections, up to where the message breaks off. Resolvers do not mind what is amiss behind the answers.
    fn read(&mut self) {
        let [questions, answers, authorities, additionals] = self.header.counts;
        let events = &self.kind.events;
        let event = if !self.questions(questions) || !self.records(1, answers) {
            events.malformed_data
        } else if !self.records(2, authorities) {
            events.invalid_authorities
        } else if !self.records(3, additionals) {
            events.invalid_additionals
        } else {
            return;
        };
        self.tx.event(self.dir, event);
    }

    fn questions(&mut self, count: u16) -> bool {
        for _ in 0..count {
            let Some(question) = self.reader.question(self.name) else { return false };
            let (dir, name) = (self.dir, self.name.text());
            self.tx.put(dir, self.kind.names[0], name);
            if self.header.is_response() {
                self.tx.put(dir, self.kind.response, name);
            } else if let Some(query) = self.kind.query {
                self.tx.put(dir, query, name);
            }
            notes::question(self.tx, name, question.kind);
            if !self.header.is_response() {
                self.rrtype(question.kind);
            }
        }
        true
    }

    fn records(&mut self, section: usize, count: u16) -> bool {
        for _ in 0..count {
            let Some(record) = self.reader.record(self.name) else { return false };
            self.owner(section, &record);
            if section == 1 && self.header.is_response() {
                self.rrtype(record.kind);
            }
            self.named(&record);
            if let Some(names) = SECTIONS.get(section) {
                notes::rdata(self.tx, names, section == 1, &mut self.reader, self.name, &record);
            }
        }
        true
    }

    /// The name that a record belongs to.
    fn owner(&mut self, section: usize, record: &Record) {
        let (dir, name) = (self.dir, self.name.text());
        if let Some(&id) = self.kind.names.get(section) {
            self.tx.put(dir, id, name);
        }
        if self.header.is_response() {
            self.tx.put(dir, self.kind.response, name);
        }
        if let Some(names) = SECTIONS.get(section) {
            notes::record(self.tx, names, name, record);
        }
    }

    /// A response's names in data are among its names.
    fn named(&mut self, record: &Record) {
        let before = match record.kind {
            kinds::NS | kinds::CNAME | kinds::SOA | kinds::PTR => 0,
            kinds::MX if u16_at(self.reader.data(record), 0).is_some() => 2,
            _ => return,
        };
        if self.header.is_response()
            && self.tx.wants(self.kind.response)
            && self.reader.name_at(record.data.start + before, self.name).is_some()
        {
            self.tx.put(self.dir, self.kind.response, self.name.text());
        }
    }

    /// Of requests the questions' types, of responses the answers'.
    fn rrtype(&mut self, kind: u16) {
        if self.kind.proto == AppProto::Dns {
            self.tx.field(self.dir, RRTYPE, kind.into());
        }
    }
}
