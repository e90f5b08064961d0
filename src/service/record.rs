//! A transaction's notes and files as the bytes of a record.

use crate::app::{File, NoteRef, Transaction};
use crate::base::event::record::{Entry, RecordBuffer};

/// What its decoder noted.
pub fn notes(tx: &Transaction, out: &mut RecordBuffer) {
    for (below, name, value) in tx.placed_notes() {
        let entry = match value {
            NoteRef::Begin => Entry::Begin,
            NoteRef::Number(number) => Entry::Number(number),
            NoteRef::Bool(value) => Entry::Bool(value),
            NoteRef::Text(text) => Entry::Text(text),
        };
        out.add_below(below, name, entry);
    }
}

/// The names of what is said of a file.
struct FileNames {
    name: &'static str,
    size: &'static str,
    state: &'static str,
    stored: &'static str,
    tx: &'static str,
}

macro_rules! file_names {
    ($path:literal) => {
        FileNames {
            name: concat!($path, ".filename"),
            size: concat!($path, ".size"),
            state: concat!($path, ".state"),
            stored: concat!($path, ".stored"),
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
    out.add(names.state, Entry::Text(state));
    // Files are not written to disk.
    out.add(names.stored, Entry::Bool(false));
    out.add(names.size, Entry::Number(file.size));
    out.add(names.tx, Entry::Number(tx.id));
}
