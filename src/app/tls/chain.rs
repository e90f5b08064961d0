//! A chain of certificates: buffers, numbers and events of its first, and the bytes of each.

use super::fingerprint::hex_colons;
use super::reader::Reader;
use super::x509::{Certificate, Fault};
use crate::app::Transaction;
use crate::base::{Dir, Time};
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use sha1::{Digest, Sha1};

const CERTS: BufferId = context::id("tls.certs");
const SUBJECT: BufferId = context::id("tls.cert_subject");
const ISSUER: BufferId = context::id("tls.cert_issuer");
const SERIAL: BufferId = context::id("tls.cert_serial");
const FINGERPRINT: BufferId = context::id("tls.cert_fingerprint");
const ALTERNATIVES: BufferId = context::id("tls.subjectaltname");
const CHAIN_LEN: FieldId = field::id("tls.cert_chain_len");
const NOT_BEFORE: FieldId = field::id("tls_cert_notbefore");
const NOT_AFTER: FieldId = field::id("tls_cert_notafter");
const EXPIRED: FieldId = field::id("tls_cert_expired");
const VALID: FieldId = field::id("tls_cert_valid");
const SUBJECT_TEXT: FieldId = field::id("tls.subject");
const ISSUER_TEXT: FieldId = field::id("tls.issuerdn");
const FINGERPRINT_TEXT: FieldId = field::id("tls.fingerprint");
const STORE: FieldId = field::id("tls.store");

/// Certificates of a chain that are looked at; those beyond are only counted.
const MAX_CERTIFICATES: usize = 32;

/// Names of the notes, of the server's and of the client's certificate.
struct Notes {
    subject: &'static str,
    issuer: &'static str,
    serial: &'static str,
    fingerprint: &'static str,
    not_before: &'static str,
    not_after: &'static str,
    alternatives: &'static str,
}

const NOTES: [Notes; 2] = [
    Notes {
        subject: "client.subject",
        issuer: "client.issuerdn",
        serial: "client.serial",
        fingerprint: "client.fingerprint",
        not_before: "client.notbefore",
        not_after: "client.notafter",
        alternatives: "client.subjectaltname[]",
    },
    Notes {
        subject: "subject",
        issuer: "issuerdn",
        serial: "serial",
        fingerprint: "fingerprint",
        not_before: "notbefore",
        not_after: "notafter",
        alternatives: "subjectaltname[]",
    },
];

/// A Certificate message of TLS 1.2 and older: 24-bit lengths of the chain and of each certificate. False when it is
/// malformed; what was whole until there stands.
pub(super) fn put_chain(tx: &mut Transaction, dir: Dir, body: &[u8], now: Time, text: &mut Vec<u8>) -> bool {
    let mut rest = Reader(body);
    let Some(chain) = rest.vec24() else { return false };
    let mut well = rest.is_empty();
    let mut chain = Reader(chain);
    let mut count = 0;
    while !chain.is_empty() {
        let Some(certificate) = chain.vec24() else {
            well = false;
            break;
        };
        if count < MAX_CERTIFICATES {
            tx.put(dir, CERTS, certificate);
        }
        if count == 0 {
            put_first(tx, dir, certificate, now, text);
        }
        count += 1;
    }
    tx.field(dir, CHAIN_LEN, count as u64);
    if count > 0 {
        tx.field(dir, STORE, 1);
    }
    well
}

/// A chain of one, without lengths.
pub(super) fn put_alone(tx: &mut Transaction, dir: Dir, bytes: &[u8], now: Time, text: &mut Vec<u8>) {
    tx.put(dir, CERTS, bytes);
    put_first(tx, dir, bytes, now, text);
    tx.field(dir, CHAIN_LEN, 1);
    tx.field(dir, STORE, 1);
}

/// The one that speaks for its sender; `text` is scratch.
fn put_first(tx: &mut Transaction, dir: Dir, bytes: &[u8], now: Time, text: &mut Vec<u8>) {
    let Some(notes) = NOTES.get(dir.index()) else { return };
    let certificate = Certificate::read(bytes);
    if let Some(fault) = certificate.fault {
        tx.event(dir, event(fault));
    }
    if certificate.serial.is_none() {
        return;
    }
    let names = [
        (certificate.subject, SUBJECT, SUBJECT_TEXT, notes.subject),
        (certificate.issuer, ISSUER, ISSUER_TEXT, notes.issuer),
    ];
    for (name, buffer, field, note) in names {
        let Some(name) = name else { continue };
        text.clear();
        name.write(text);
        tx.put(dir, buffer, text);
        tx.text_field(dir, field, text);
        tx.note(note, text);
    }
    if let Some(serial) = certificate.serial {
        text.clear();
        hex_colons(text, serial);
        text.make_ascii_uppercase();
        tx.put(dir, SERIAL, text);
        tx.note(notes.serial, text);
    }
    put_fingerprint(tx, dir, bytes, notes, text);
    put_validity(tx, dir, &certificate, now, notes, text);
    for alternative in certificate.alternatives() {
        text.clear();
        alternative.write(text);
        tx.put(dir, ALTERNATIVES, text);
        tx.note(notes.alternatives, text);
    }
}

fn put_fingerprint(tx: &mut Transaction, dir: Dir, bytes: &[u8], notes: &Notes, text: &mut Vec<u8>) {
    text.clear();
    hex_colons(text, &Sha1::digest(bytes));
    tx.put(dir, FINGERPRINT, text);
    tx.text_field(dir, FINGERPRINT_TEXT, text);
    tx.note(notes.fingerprint, text);
}

fn put_validity(
    tx: &mut Transaction,
    dir: Dir,
    certificate: &Certificate<'_>,
    now: Time,
    notes: &Notes,
    text: &mut Vec<u8>,
) {
    let dates = [
        (certificate.not_before, NOT_BEFORE, notes.not_before),
        (certificate.not_after, NOT_AFTER, notes.not_after),
    ];
    for (seconds, field, note) in dates {
        let Some(seconds) = seconds else { continue };
        // Rules know no date before 1970.
        tx.field(dir, field, seconds.max(0) as u64);
        if tx.wants_notes() {
            text.clear();
            super::x509::write_time(seconds, text);
            tx.note(note, text);
        }
    }
    if let Some(until) = certificate.not_after {
        let now = i64::try_from(now.secs()).unwrap_or(i64::MAX);
        tx.field(dir, if until < now { EXPIRED } else { VALID }, 1);
    }
}

fn event(fault: Fault) -> &'static str {
    match fault {
        Fault::Certificate => "tls.invalid_certificate",
        Fault::Length => "tls.certificate_invalid_length",
        Fault::Version => "tls.certificate_invalid_version",
        Fault::Serial => "tls.certificate_invalid_serial",
        Fault::Algorithm => "tls.certificate_invalid_algorithmidentifier",
        Fault::Issuer => "tls.certificate_invalid_issuer",
        Fault::Validity => "tls.certificate_invalid_validity",
        Fault::Date => "tls.certificate_invalid_date",
        Fault::Subject => "tls.certificate_invalid_subject",
        Fault::Extensions => "tls.certificate_invalid_extensions",
    }
}
