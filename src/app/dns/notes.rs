//! What eve.json says of a message: version 3 of Suricata's `dns` object.

use super::message::{Header, Reader, Record, u16_at, u32_at};
use super::name::Name;
use super::words;
use crate::app::transaction::Transaction;
use arrayvec::ArrayString;
use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest text of a number or an address.
type Text = ArrayString<64>;

/// Bytes of a fingerprint that are told: SHA-512 is the longest there is.
const MOST_DIGEST: usize = 64;

/// Paths of a section's notes.
pub(super) struct Section {
    begin: &'static str,
    rrname: &'static str,
    rrtype: &'static str,
    ttl: &'static str,
    rdata: &'static str,
    soa_names: [&'static str; 2],
    soa_numbers: [&'static str; 5],
    srv_numbers: [&'static str; 3],
    srv_name: &'static str,
    sshfp: [&'static str; 3],
}

macro_rules! section {
    ($array:literal) => {
        Section {
            begin: $array,
            rrname: concat!($array, ".rrname"),
            rrtype: concat!($array, ".rrtype"),
            ttl: concat!($array, ".ttl"),
            rdata: concat!($array, ".rdata"),
            soa_names: [concat!($array, ".soa.mname"), concat!($array, ".soa.rname")],
            soa_numbers: [
                concat!($array, ".soa.serial"),
                concat!($array, ".soa.refresh"),
                concat!($array, ".soa.retry"),
                concat!($array, ".soa.expire"),
                concat!($array, ".soa.minimum"),
            ],
            srv_numbers: [
                concat!($array, ".srv.priority"),
                concat!($array, ".srv.weight"),
                concat!($array, ".srv.port"),
            ],
            srv_name: concat!($array, ".srv.name"),
            sshfp: [
                concat!($array, ".sshfp.fingerprint"),
                concat!($array, ".sshfp.algo"),
                concat!($array, ".sshfp.type"),
            ],
        }
    };
}

pub(super) static SECTIONS: [Section; 4] =
    [section!("queries[]"), section!("answers[]"), section!("authorities[]"), section!("additionals[]")];

fn text(tx: &mut Transaction, name: &'static str, args: fmt::Arguments<'_>) {
    let mut text = Text::new();
    if text.write_fmt(args).is_ok() {
        tx.note(name, text.as_bytes());
    }
}

pub(super) fn header(tx: &mut Transaction, header: &Header) {
    if !tx.wants_notes() {
        return;
    }
    tx.note_number("version", 3);
    tx.note("type", if header.is_response() { b"response" } else { b"request" });
    tx.note_number("id", header.id.into());
    text(tx, "flags", format_args!("{:x}", header.flags));
    let flags = [(15, "qr"), (10, "aa"), (9, "tc"), (8, "rd"), (7, "ra"), (6, "z")];
    for (_, name) in flags.into_iter().filter(|(bit, _)| header.flags >> bit & 1 != 0) {
        tx.note_bool(name, true);
    }
    tx.note_number("opcode", header.opcode().into());
    match words::rcode(header.rcode()) {
        Some(word) => tx.note("rcode", word.as_bytes()),
        None => text(tx, "rcode", format_args!("{}", header.rcode())),
    }
}

fn kind(tx: &mut Transaction, name: &'static str, number: u16) {
    match words::kind(number) {
        Some(word) => tx.note(name, word.as_bytes()),
        None => text(tx, name, format_args!("{number}")),
    }
}

pub(super) fn question(tx: &mut Transaction, name: &[u8], number: u16) {
    if !tx.wants_notes() {
        return;
    }
    let [names, ..] = &SECTIONS;
    tx.note_begin(names.begin);
    tx.note(names.rrname, name);
    kind(tx, names.rrtype, number);
}

pub(super) fn record(tx: &mut Transaction, names: &Section, name: &[u8], record: &Record) {
    if !tx.wants_notes() {
        return;
    }
    tx.note_begin(names.begin);
    tx.note(names.rrname, name);
    kind(tx, names.rrtype, record.kind);
    tx.note_number(names.ttl, record.ttl.into());
}

/// A record's data, and where it is an answer the list of all answers of its type.
pub(super) fn rdata(
    tx: &mut Transaction,
    names: &Section,
    grouped: bool,
    reader: &mut Reader<'_>,
    name: &mut Name,
    record: &Record,
) {
    if !tx.wants_notes() {
        return;
    }
    let (at, data) = (record.data.start, reader.data(record));
    match record.kind {
        1 | 28 => address(tx, names, grouped, data),
        2 | 5 | 12 | 39 => {
            let group = match record.kind {
                2 => Some("grouped.NS[]"),
                5 => Some("grouped.CNAME[]"),
                12 => Some("grouped.PTR[]"),
                _ => None,
            };
            if reader.name_at(at, name).is_some() {
                value(tx, names, group.filter(|_| grouped), name.text());
            }
        }
        15 if data.len() > 2 && reader.name_at(at + 2, name).is_some() => {
            value(tx, names, grouped.then_some("grouped.MX[]"), name.text());
        }
        10 => value(tx, names, grouped.then_some("grouped.NULL[]"), data),
        16 => txt(tx, names, grouped, name.text(), record, data),
        6 => soa(tx, names, reader, name, at),
        33 => srv(tx, names, reader, name, record),
        44 => sshfp(tx, names, data),
        _ => {}
    }
}

fn value(tx: &mut Transaction, names: &Section, group: Option<&'static str>, value: &[u8]) {
    tx.note(names.rdata, value);
    if let Some(group) = group {
        tx.note(group, value);
    }
}

fn address(tx: &mut Transaction, names: &Section, grouped: bool, data: &[u8]) {
    let mut text = Text::new();
    let (written, group) = if let Ok(v4) = <[u8; 4]>::try_from(data) {
        (write!(text, "{}", Ipv4Addr::from(v4)), "grouped.A[]")
    } else if let Ok(v6) = <[u8; 16]>::try_from(data) {
        (write!(text, "{}", Ipv6Addr::from(v6)), "grouped.AAAA[]")
    } else {
        return;
    };
    if written.is_ok() {
        value(tx, names, grouped.then_some(group), text.as_bytes());
    }
}

/// Strings of a length and so many bytes. As in Suricata's records each is an answer of its own, under its record's name.
fn txt(tx: &mut Transaction, names: &Section, grouped: bool, owner: &[u8], of: &Record, mut data: &[u8]) {
    let mut first = true;
    while let Some((&len, rest)) = data.split_first() {
        let (string, behind) = rest.split_at(rest.len().min(len.into()));
        if !first {
            record(tx, names, owner, of);
        }
        value(tx, names, grouped.then_some("grouped.TXT[]"), string);
        (first, data) = (false, behind);
    }
}

fn soa(tx: &mut Transaction, names: &Section, reader: &mut Reader<'_>, name: &mut Name, at: usize) {
    let mut at = at;
    for path in names.soa_names {
        let Some(behind) = reader.name_at(at, name) else { return };
        tx.note(path, name.text());
        at = behind;
    }
    for path in names.soa_numbers {
        let Some(number) = u32_at(reader.message, at) else { return };
        tx.note_number(path, number.into());
        at += 4;
    }
}

fn srv(tx: &mut Transaction, names: &Section, reader: &mut Reader<'_>, name: &mut Name, record: &Record) {
    let data = reader.data(record);
    for (at, path) in names.srv_numbers.into_iter().enumerate() {
        let Some(number) = u16_at(data, at * 2) else { return };
        tx.note_number(path, number.into());
    }
    if reader.name_at(record.data.start + 6, name).is_some() {
        tx.note(names.srv_name, name.text());
    }
}

fn sshfp(tx: &mut Transaction, names: &Section, data: &[u8]) {
    let (Some(&algorithm), Some(&kind), Some(digest)) = (data.first(), data.get(1), data.get(2..)) else {
        return;
    };
    let [fingerprint, algo, of] = names.sshfp;
    let mut hex = ArrayString::<{ 3 * MOST_DIGEST }>::new();
    for (at, byte) in digest.iter().take(MOST_DIGEST).enumerate() {
        let colon = if at == 0 { "" } else { ":" };
        if write!(hex, "{colon}{byte:02x}").is_err() {
            break;
        }
    }
    tx.note(fingerprint, hex.as_bytes());
    tx.note_number(algo, algorithm.into());
    tx.note_number(of, kind.into());
}
