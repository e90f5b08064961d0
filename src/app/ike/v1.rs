//! Version 1: payloads of RFC 2408, attributes of RFC 2409.

use super::message::{Header, Proposal, attributes};
use super::{CHOSEN_ATTRIBUTE, names, put_key_exchange, put_nonce, put_vendor};
use crate::app::cursor::Cursor;
use crate::app::{Transaction, digits};
use crate::base::Dir;
use crate::rules::field::ike::attribute_value;

const ENCRYPTED: u8 = 1;
const IPSEC: u32 = 1;

mod payload {
    pub const SECURITY_ASSOCIATION: u8 = 1;
    pub const KEY_EXCHANGE: u8 = 4;
    pub const NONCE: u8 = 10;
    pub const VENDOR: u8 = 13;
}

/// Names of what a side's notes are called.
struct Side {
    key: &'static str,
    key_length: &'static str,
    nonce: &'static str,
    nonce_length: &'static str,
}

const CLIENT: Side = Side {
    key: "ikev1.client.key_exchange_payload",
    key_length: "ikev1.client.key_exchange_payload_length",
    nonce: "ikev1.client.nonce_payload",
    nonce_length: "ikev1.client.nonce_payload_length",
};
const SERVER: Side = Side {
    key: "ikev1.server.key_exchange_payload",
    key_length: "ikev1.server.key_exchange_payload_length",
    nonce: "ikev1.server.nonce_payload",
    nonce_length: "ikev1.server.nonce_payload_length",
};

pub(super) fn report(tx: &mut Transaction, dir: Dir, header: &Header<'_>) -> Option<()> {
    let encrypted = header.flags & ENCRYPTED != 0;
    tx.note_bool("ikev1.encrypted_payloads", encrypted);
    if encrypted {
        return Some(());
    }
    let side = if dir == Dir::ToServer { CLIENT } else { SERVER };
    for payload in header.payloads() {
        let payload = payload.ok()?;
        tx.note("payload[]", names::payload_v1(payload.kind).as_bytes());
        match payload.kind {
            payload::SECURITY_ASSOCIATION => association(tx, dir, header, payload.data)?,
            payload::KEY_EXCHANGE => {
                put_key_exchange(tx, dir, payload.data);
                tx.note_with(side.key, |out| digits::push_bytes(out, payload.data));
                tx.note_number(side.key_length, payload.data.len() as u64);
            }
            payload::NONCE => {
                put_nonce(tx, dir, payload.data);
                tx.note_with(side.nonce, |out| digits::push_bytes(out, payload.data));
                tx.note_number(side.nonce_length, payload.data.len() as u64);
            }
            payload::VENDOR => {
                put_vendor(tx, dir, payload.data);
                tx.note_with("ikev1.vendor_ids[]", |out| digits::push_bytes(out, payload.data));
            }
            _ => {}
        }
    }
    Some(())
}

/// Proposals, or the one of them that the responder chose: only its messages name its SPI.
fn association(tx: &mut Transaction, dir: Dir, header: &Header<'_>, data: &[u8]) -> Option<()> {
    let mut at = Cursor::big(data);
    let doi = at.u32()?;
    tx.note_number("ikev1.doi", doi.into());
    if doi != IPSEC {
        return Some(());
    }
    let _situation = at.u32()?;
    let chosen = header.responder != [0; 8];
    let (mut rest, mut count) = (at.rest(), 0u32);
    while !rest.is_empty() {
        for transform in Proposal::next(&mut rest)?.transforms() {
            // Number, identifier, two reserved bytes.
            let found = transform.ok()?.get(4..)?;
            count = count.saturating_add(1);
            let sound = match (chosen, count) {
                (true, 1) => attributes(found, |kind, number| put_chosen(tx, dir, kind, number)),
                (true, _) => true,
                (false, _) => attributes(found, |kind, number| note(tx, &PROPOSED, kind, number)),
            };
            sound.then_some(())?;
        }
    }
    if chosen && count > 1 {
        tx.event(dir, "ike.multiple_server_proposal");
    }
    Some(())
}

fn put_chosen(tx: &mut Transaction, dir: Dir, kind: u16, number: Option<u32>) {
    if let Some(number) = number {
        tx.field(dir, CHOSEN_ATTRIBUTE, attribute_value(kind, number));
    }
    note(tx, &CHOSEN, kind, number);
}

/// An array of attributes in notes: itself, an attribute's name, its value by name, and by number.
struct List {
    begin: &'static str,
    key: &'static str,
    value: &'static str,
    raw: &'static str,
}

const CHOSEN: List = List {
    begin: "attributes[]",
    key: "attributes[].key",
    value: "attributes[].value",
    raw: "attributes[].raw",
};
const PROPOSED: List = List {
    begin: "ikev1.client.proposals[]",
    key: "ikev1.client.proposals[].key",
    value: "ikev1.client.proposals[].value",
    raw: "ikev1.client.proposals[].raw",
};

fn note(tx: &mut Transaction, list: &List, kind: u16, number: Option<u32>) {
    if !tx.wants_notes() {
        return;
    }
    tx.note_begin(list.begin);
    tx.note(list.key, crate::rules::field::ike::attribute_name(kind).as_bytes());
    tx.note(list.value, names::attribute_v1(kind, number).as_bytes());
    if let Some(number) = number {
        tx.note_number(list.raw, number.into());
    }
}
