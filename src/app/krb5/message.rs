//! What a message says (RFC 4120, 5).

use super::names::{error_name, message_name};
use crate::app::der::{self, Element, application, context, integer};
use crate::app::{Sink, Transaction};
use crate::base::Dir;
use crate::rules::context::{self as buffers, BufferId};
use crate::rules::field::kerberos::{encryption_name, encryption_value, is_weak};
use crate::rules::field::{self, FieldId};

const CNAME: BufferId = buffers::id("krb5.cname");
const SNAME: BufferId = buffers::id("krb5.sname");
const PDU: BufferId = buffers::id("krb5.pdu");
const MSG_TYPE: FieldId = field::id("krb5_msg_type");
const ERR_CODE: FieldId = field::id("krb5_err_code");
const TICKET_ENCRYPTION: FieldId = field::id("krb5.ticket_encryption");

mod kind {
    pub const AS_REQ: u8 = 10;
    pub const AS_REP: u8 = 11;
    pub const TGS_REQ: u8 = 12;
    pub const TGS_REP: u8 = 13;
    pub const ERROR: u8 = 30;
}

/// Parts of a name at most.
const MAX_PARTS: usize = 16;

/// Whether an element's tag is that of a message.
pub fn is_known(tag: u8) -> bool {
    tag & 0xe0 == 0x60 && matches!(tag & 0x1f, 10..=15 | 20..=22 | 30)
}

/// A message to a transaction of its own; false when it is none.
pub fn put(dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> bool {
    let mut rest = bytes;
    let Some(Element { tag, content }) = der::next(&mut rest).filter(|element| is_known(element.tag)) else {
        return false;
    };
    let Some(fields) = der::only(content, der::SEQUENCE) else { return false };
    let Some(tx) = sink.open().and_then(|id| sink.tx(id)) else { return true };
    let number = tag & 0x1f;
    tx.field(dir, MSG_TYPE, u64::from(number));
    tx.note("msg_type", message_name(number).as_bytes());
    if tx.wants(PDU) {
        tx.put(dir, PDU, bytes);
    }
    let understood = match number {
        kind::AS_REQ | kind::TGS_REQ => request(tx, dir, fields),
        kind::AS_REP | kind::TGS_REP => reply(tx, dir, fields),
        kind::ERROR => error(tx, dir, fields),
        _ => Some(()),
    };
    if understood.is_none() {
        tx.event(dir, "krb5.malformed_data");
    }
    tx.complete_one_way(dir);
    true
}

fn request(tx: &mut Transaction, dir: Dir, fields: &[u8]) -> Option<()> {
    let body = der::only(der::find(fields, context(4))?, der::SEQUENCE)?;
    if let Some(name) = der::find(body, context(1)) {
        put_name(tx, dir, CNAME, "cname", name);
    }
    note_realm(tx, der::find(body, context(2)));
    if let Some(name) = der::find(body, context(3)) {
        put_name(tx, dir, SNAME, "sname", name);
    }
    Some(())
}

fn reply(tx: &mut Transaction, dir: Dir, fields: &[u8]) -> Option<()> {
    note_realm(tx, der::find(fields, context(3)));
    put_name(tx, dir, CNAME, "cname", der::find(fields, context(4))?);
    let ticket = der::only(der::find(fields, context(5))?, application(1))?;
    let ticket = der::only(ticket, der::SEQUENCE)?;
    put_name(tx, dir, SNAME, "sname", der::find(ticket, context(2))?);
    let of_ticket = encryption(der::find(ticket, context(3)));
    let of_reply = encryption(der::find(fields, context(6)));
    if let Some(kind) = of_ticket {
        tx.field(dir, TICKET_ENCRYPTION, encryption_value(kind));
    }
    let mut weak = false;
    for (kind, name, weak_name) in [
        (of_reply, "encryption", "weak_encryption"),
        (of_ticket, "ticket_encryption", "ticket_weak_encryption"),
    ] {
        let Some(kind) = kind else { continue };
        tx.note(name, encryption_name(kind).as_bytes());
        tx.note_bool(weak_name, is_weak(kind));
        weak |= is_weak(kind);
    }
    if weak {
        tx.event(dir, "krb5.weak_encryption");
    }
    Some(())
}

fn error(tx: &mut Transaction, dir: Dir, fields: &[u8]) -> Option<()> {
    let code = integer(der::find(fields, context(6))?)?;
    tx.field(dir, ERR_CODE, u64::try_from(code).unwrap_or(u64::from(u32::MAX)));
    tx.note("error_code", error_name(code).as_bytes());
    if let Some(name) = der::find(fields, context(8)) {
        put_name(tx, dir, CNAME, "cname", name);
    }
    note_realm(tx, der::find(fields, context(9)));
    if let Some(name) = der::find(fields, context(10)) {
        put_name(tx, dir, SNAME, "sname", name);
    }
    Some(())
}

/// The kind of an EncryptedData.
fn encryption(bytes: Option<&[u8]>) -> Option<i64> {
    integer(der::find(der::only(bytes?, der::SEQUENCE)?, context(0))?)
}

/// The texts of a PrincipalName.
fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let strings = der::only(name, der::SEQUENCE).and_then(|fields| der::find(fields, context(1)));
    let mut rest = strings.and_then(|list| der::only(list, der::SEQUENCE)).unwrap_or_default();
    std::iter::from_fn(move || der::next(&mut rest).map(|element| element.content)).take(MAX_PARTS)
}

/// Each part of a name is a buffer; eve.json joins them.
fn put_name(tx: &mut Transaction, dir: Dir, buffer: BufferId, note: &'static str, name: &[u8]) {
    if tx.wants(buffer) {
        parts(name).for_each(|part| tx.put(dir, buffer, part));
    }
    tx.note_with(note, |out| {
        for (at, part) in parts(name).enumerate() {
            if at > 0 {
                out.push(b'/');
            }
            out.extend_from_slice(part);
        }
    });
}

fn note_realm(tx: &mut Transaction, field: Option<&[u8]>) {
    let mut rest = field.unwrap_or_default();
    if let Some(text) = der::next(&mut rest) {
        tx.note("realm", text.content);
    }
}
