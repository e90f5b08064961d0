//! A transaction's notes and files as the bytes of a record.

use crate::app::{File, NoteRef, SumKind, Transaction};
use crate::base::event::record::{Entry, RecordBuffer};
use crate::rules::RuleSet;
use arrayvec::ArrayVec;

/// What its decoder noted.
pub fn notes(tx: &Transaction, out: &mut RecordBuffer) {
    for (below, name, value) in tx.placed_notes() {
        let entry = match value {
            NoteRef::Begin => Entry::Begin,
            NoteRef::Number(number) => Entry::Number(number),
            NoteRef::Bool(value) => Entry::Bool(value),
            NoteRef::Text(text) => Entry::Text(text),
            NoteRef::Pair(name, text) => Entry::Pair(name, text),
        };
        out.add_below(below, name, entry);
    }
}

/// The names of what is said of a file.
struct FileNames {
    name: &'static str,
    magic: &'static str,
    gaps: &'static str,
    state: &'static str,
    sums: [(SumKind, &'static str); 3],
    stored: &'static str,
    size: &'static str,
    part: [&'static str; 2],
    tx: &'static str,
}

macro_rules! file_names {
    ($path:literal) => {
        FileNames {
            name: concat!($path, ".filename"),
            magic: concat!($path, ".magic"),
            gaps: concat!($path, ".gaps"),
            state: concat!($path, ".state"),
            sums: [
                (SumKind::Md5, concat!($path, ".md5")),
                (SumKind::Sha1, concat!($path, ".sha1")),
                (SumKind::Sha256, concat!($path, ".sha256")),
            ],
            stored: concat!($path, ".stored"),
            size: concat!($path, ".size"),
            part: [concat!($path, ".start"), concat!($path, ".end")],
            tx: concat!($path, ".tx_id"),
        }
    };
}

const OWN: FileNames = file_names!("/fileinfo");
const LISTED: FileNames = file_names!("/files[]");

/// The record of a file: its own part, then what its transaction is about.
pub fn of_file(tx: &Transaction, file: &File, out: &mut RecordBuffer) {
    describe(tx, file, &OWN, out);
    notes(tx, out);
}

/// Names of the flowbits that are set: `metadata.flowbits` of an alert.
pub fn flowbits(set: &[u32], rules: &RuleSet, out: &mut RecordBuffer) {
    for name in set.iter().filter_map(|&bit| rules.flowbits.get(bit as usize)) {
        out.add("/metadata.flowbits[]", Entry::Text(name.as_bytes()));
    }
}

/// What goes with an alert: the transaction's files, then what it is about.
pub fn of_alert(tx: &Transaction, out: &mut RecordBuffer) {
    for file in tx.files() {
        if out.add("/files[]", Entry::Begin) {
            describe(tx, file, &LISTED, out);
        }
    }
    notes(tx, out);
}

fn describe(tx: &Transaction, file: &File, names: &FileNames, out: &mut RecordBuffer) {
    let state: &[u8] = match (file.closed, file.truncated) {
        (true, false) => b"CLOSED",
        (true, true) => b"TRUNCATED",
        (false, _) => b"UNKNOWN",
    };
    out.add(names.name, Entry::Text(tx.file_name(file)));
    let magic = tx.file_type(file);
    if !magic.is_empty() {
        out.add(names.magic, Entry::Text(magic));
    }
    out.add(names.gaps, Entry::Bool(file.gaps));
    out.add(names.state, Entry::Text(state));
    for (kind, name) in names.sums {
        if let Some(sum) = file.sum(kind) {
            out.add(name, Entry::Text(&hex(sum)));
        }
    }
    // Files are not written to disk.
    out.add(names.stored, Entry::Bool(false));
    out.add(names.size, Entry::Number(file.size));
    for (name, place) in names.part.into_iter().zip(file.part.into_iter().flat_map(<[u64; 2]>::from)) {
        out.add(name, Entry::Number(place));
    }
    out.add(names.tx, Entry::Number(tx.id));
}

/// Bytes of the longest sum.
const MAX_SUM: usize = 32;

fn hex(sum: &[u8]) -> ArrayVec<u8, { 2 * MAX_SUM }> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |at: u8| DIGITS.get(usize::from(at)).copied().unwrap_or_default();
    sum.iter().take(MAX_SUM).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
