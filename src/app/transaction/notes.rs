//! What a transaction's record in eve.json says: names and values, in the order in which the decoder found them.

use super::Transaction;
use std::ops::Range;

/// Notes of one transaction.
const MAX_NOTES: usize = 512;

/// A name and a value for eve.json. Names are paths below the protocol's object: `hostname`, `tls.sni`; a name that ends
/// in `[]` adds to an array, and within an array of objects `answers[].rrname` sets a field of its newest element, which
/// a note `answers[]` without a value begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where the path begins: empty for the protocol's object, else another one's path from the root.
    below: &'static str,
    pub name: &'static str,
    value: NoteValue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum NoteValue {
    Begin,
    Number(u64),
    Bool(bool),
    Text(Range<u32>),
    /// The name is the traffic's own too.
    Pair(Range<u32>, Range<u32>),
}

impl Transaction {
    // For decoders.

    /// The notes to come are of another object, beside the protocol's: its path from the root, `/dns`. Empty: no longer.
    pub fn notes_below(&mut self, path: &'static str) {
        self.below = path;
    }

    /// Notes for eve.json; see [`Note`].
    pub fn note(&mut self, name: &'static str, text: &[u8]) {
        self.note_with(name, |out| out.extend_from_slice(text));
    }

    /// A text that `build` writes behind what is there; it must only append.
    pub fn note_with(&mut self, name: &'static str, build: impl FnOnce(&mut Vec<u8>)) {
        if !self.wanted.notes || self.notes.len() >= MAX_NOTES {
            return;
        }
        if let Some(range) = self.keep(build) {
            self.notes.push(Note { below: self.below, name, value: NoteValue::Text(range) });
        }
    }

    pub fn note_number(&mut self, name: &'static str, number: u64) {
        self.add_note(name, NoteValue::Number(number));
    }

    pub fn note_bool(&mut self, name: &'static str, value: bool) {
        self.add_note(name, NoteValue::Bool(value));
    }

    /// A text under a name that the traffic gives, in the object that notes are below of.
    pub fn note_pair(&mut self, name: &[u8], text: &[u8]) {
        if !self.wanted.notes || self.notes.len() >= MAX_NOTES {
            return;
        }
        let mut kept = |bytes: &[u8]| self.keep(|out| out.extend_from_slice(bytes));
        if let (Some(name), Some(text)) = (kept(name), kept(text)) {
            self.notes.push(Note { below: self.below, name: "", value: NoteValue::Pair(name, text) });
        }
    }

    /// A new element of an array of objects.
    pub fn note_begin(&mut self, name: &'static str) {
        self.add_note(name, NoteValue::Begin);
    }

    fn add_note(&mut self, name: &'static str, value: NoteValue) {
        if self.wanted.notes && self.notes.len() < MAX_NOTES {
            self.notes.push(Note { below: self.below, name, value });
        }
    }

    // For logs.

    pub fn notes(&self) -> impl Iterator<Item = (&'static str, NoteRef<'_>)> {
        self.placed_notes().map(|(_, name, value)| (name, value))
    }

    /// Each with where its path begins.
    pub fn placed_notes(&self) -> impl Iterator<Item = (&'static str, &'static str, NoteRef<'_>)> {
        self.notes.iter().map(|note| {
            let value = match &note.value {
                NoteValue::Begin => NoteRef::Begin,
                NoteValue::Number(number) => NoteRef::Number(*number),
                NoteValue::Bool(value) => NoteRef::Bool(*value),
                NoteValue::Text(range) => NoteRef::Text(self.stored(range)),
                NoteValue::Pair(name, text) => NoteRef::Pair(self.stored(name), self.stored(text)),
            };
            (note.below, note.name, value)
        })
    }
}

/// A note's value, lent.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum NoteRef<'a> {
    Begin,
    Number(u64),
    Bool(bool),
    Text(&'a [u8]),
    /// Under a name that the traffic gives.
    Pair(&'a [u8], &'a [u8]),
}
