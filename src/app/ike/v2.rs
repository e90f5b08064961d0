//! Version 2: payloads and transforms of RFC 7296, and which of them are weak.

use super::message::{Header, Payload, Proposal};
use super::{CHOSEN_ATTRIBUTE, names, put_key_exchange, put_nonce, put_vendor};
use crate::app::Transaction;
use crate::app::cursor::Cursor;
use crate::base::Dir;
use crate::rules::field::ike::{self, attribute_value};

/// The sender began the association; the message answers one.
const INITIATOR: u8 = 0x08;
const RESPONSE: u8 = 0x20;

mod payload {
    pub const SECURITY_ASSOCIATION: u8 = 33;
    pub const KEY_EXCHANGE: u8 = 34;
    pub const NONCE: u8 = 40;
    pub const NOTIFY: u8 = 41;
    pub const VENDOR: u8 = 43;
    pub const ENCRYPTED: u8 = 46;
    pub const ENCRYPTED_FRAGMENT: u8 = 53;
}

/// Kinds of transforms (RFC 7296, 3.3.2).
mod transform {
    pub const ENCRYPTION: u8 = 1;
    pub const PRF: u8 = 2;
    pub const INTEGRITY: u8 = 3;
    pub const DH: u8 = 4;
    /// Further key exchanges (RFC 9370).
    pub const LAST: u8 = 12;
}

/// Notifications below are errors (RFC 7296, 3.10.1).
const FIRST_STATUS: u16 = 16384;
/// A proposal's protocol: authentication without encryption.
const AH: u8 = 2;

pub(super) fn report(tx: &mut Transaction, dir: Dir, header: &Header<'_>) -> Option<()> {
    let role: &[u8] = if header.flags & INITIATOR != 0 { b"initiator" } else { b"responder" };
    tx.note("role", role);
    let mut errors = 0;
    let mut payloads = header.payloads();
    for payload in payloads.by_ref() {
        let payload = payload.ok()?;
        tx.note("payload[]", names::payload_v2(payload.kind).as_bytes());
        match payload.kind {
            payload::SECURITY_ASSOCIATION => association(tx, dir, header, payload.data)?,
            // Behind the group's number and two reserved bytes.
            payload::KEY_EXCHANGE => put_key_exchange(tx, dir, payload.data.get(4..)?),
            payload::NONCE => put_nonce(tx, dir, payload.data),
            payload::VENDOR => put_vendor(tx, dir, payload.data),
            payload::NOTIFY => errors += u64::from(notify(tx, &payload)? < FIRST_STATUS),
            // What it names as next is within it.
            payload::ENCRYPTED | payload::ENCRYPTED_FRAGMENT => break,
            _ => {}
        }
    }
    if payloads.has_extra() {
        tx.event(dir, "ike.payload_extra_data");
    }
    tx.note_number("ikev2.errors", errors);
    Some(())
}

fn notify(tx: &mut Transaction, payload: &Payload<'_>) -> Option<u16> {
    let mut at = Cursor::big(payload.data);
    let (_protocol, spi, kind) = (at.u8()?, at.u8()?, at.u16()?);
    at.skip(spi.into())?;
    tx.note_with("ikev2.notify[]", |out| names::push_notify(out, kind));
    Some(kind)
}

fn association(tx: &mut Transaction, dir: Dir, header: &Header<'_>, data: &[u8]) -> Option<()> {
    let chosen = header.flags & RESPONSE != 0;
    let (mut rest, mut count) = (data, 0u32);
    while !rest.is_empty() {
        let proposal = Proposal::next(&mut rest)?;
        count = count.saturating_add(1);
        let offer = Offer::read(&proposal, |kind, id| {
            if chosen && count == 1 {
                put_chosen(tx, dir, kind, id);
            }
        })?;
        offer.raise(tx, dir);
    }
    if chosen && count > 1 {
        tx.event(dir, "ike.multiple_server_proposal");
    }
    Some(())
}

fn put_chosen(tx: &mut Transaction, dir: Dir, kind: u8, id: u16) {
    let attribute = match kind {
        transform::ENCRYPTION => ike::ENCRYPTION,
        transform::PRF => ike::PRF,
        transform::INTEGRITY => ike::AUTHENTICATION,
        transform::DH => ike::GROUP,
        _ => return,
    };
    tx.field(dir, CHOSEN_ATTRIBUTE, attribute_value(attribute, id.into()));
    if tx.wants_notes() {
        tx.note_begin("attributes[]");
        tx.note("attributes[].key", ike::attribute_name(attribute).as_bytes());
        tx.note("attributes[].value", names::transform_v2(kind, id).as_bytes());
        tx.note_number("attributes[].raw", id.into());
    }
}

/// What a proposal offers, weighed.
#[derive(Copy, Clone, Debug, Default)]
struct Offer {
    encrypts: bool,
    authenticates: bool,
    agrees: bool,
    weak_encryption: bool,
    weak_prf: bool,
    weak_integrity: bool,
    weak_group: bool,
    invalid: bool,
    unknown: bool,
}

impl Offer {
    fn read(proposal: &Proposal<'_>, mut each: impl FnMut(u8, u16)) -> Option<Offer> {
        let mut offer = Offer::default();
        for transform in proposal.transforms() {
            let mut at = Cursor::big(transform.ok()?);
            let (kind, _reserved, id) = (at.u8()?, at.u8()?, at.u16()?);
            offer.weigh(kind, id);
            each(kind, id);
        }
        offer.encrypts &= proposal.protocol != AH;
        Some(offer)
    }

    /// Weak are ciphers with blocks of 64 bits, MD5 and SHA-1, and groups below 2048 bits (after RFC 8247).
    fn weigh(&mut self, kind: u8, id: u16) {
        match (kind, id) {
            (transform::ENCRYPTION, 0) | (transform::PRF, 0) => self.invalid = true,
            (transform::ENCRYPTION, id) => {
                self.encrypts |= !matches!(id, NULL | NULL_AUTHENTICATED);
                self.authenticates |= is_authenticated(id);
                self.weak_encryption |= matches!(id, 1..=9 | NULL);
            }
            // HMAC with MD5 or SHA-1, Tiger.
            (transform::PRF, id) => self.weak_prf |= matches!(id, 1..=3),
            (transform::INTEGRITY, id) => {
                self.authenticates |= id != 0;
                // HMAC with MD5 or SHA-1, DES, KPDK.
                self.weak_integrity |= matches!(id, 1..=4 | 6 | 7);
            }
            (transform::DH, id) => {
                self.agrees |= id != 0;
                // MODP of 768, 1024 and 1536 bits, and of 1024 with a subgroup of 160.
                self.weak_group |= matches!(id, 1 | 2 | 5 | 22);
            }
            (kind, _) => self.unknown |= kind == 0 || kind > transform::LAST,
        }
    }

    fn raise(&self, tx: &mut Transaction, dir: Dir) {
        let events = [
            (self.weak_encryption, "ike.weak_crypto_enc"),
            (self.weak_prf, "ike.weak_crypto_prf"),
            (self.weak_integrity, "ike.weak_crypto_auth"),
            (self.weak_group, "ike.weak_crypto_dh"),
            (!self.agrees, "ike.weak_crypto_nodh"),
            (!self.authenticates, "ike.weak_crypto_noauth"),
            (!self.encrypts, "ike.no_encryption"),
            (self.invalid, "ike.invalid_proposal"),
            (self.unknown, "ike.unknown_proposal"),
        ];
        events.into_iter().filter(|(is, _)| *is).for_each(|(_, event)| tx.event(dir, event));
    }
}

const NULL: u16 = 11;
/// AES-GMAC: authentication alone (RFC 4543).
const NULL_AUTHENTICATED: u16 = 21;

/// Encryption that authenticates by itself (RFC 5282 and others): AES and Camellia with CCM, AES with GCM and GMAC,
/// ChaCha20 with Poly1305, and their variants.
fn is_authenticated(id: u16) -> bool {
    matches!(id, 14..=16 | 18..=21 | 25..=33)
}
