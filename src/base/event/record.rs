//! What a decoder noted of a transaction, as bytes on their way from a worker to management.
//!
//! A record is a row of entries: the kind of the value (one byte), the name behind its length (one byte), the value. Names
//! are those of the decoders' notes: paths below the protocol's object, or with a leading `/` below the whole JSON object.
//! Both ends are in one process and of one build: the form has no version.

/// Bytes of a record at most. Entries that no longer fit are left out.
pub const MAX_RECORD: usize = 8192;
/// Bytes of one text at most; the rest of a longer one is cut off.
pub const MAX_TEXT: usize = 2048;

/// An entry's value, lent.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A new element of an array of objects.
    Begin,
    Number(u64),
    Bool(bool),
    Text(&'a [u8]),
    /// A text under a name that the traffic gives, in the object of the entry's name.
    Pair(&'a [u8], &'a [u8]),
}

const BEGIN: u8 = 0;
const NUMBER: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const TEXT: u8 = 4;
const PAIR: u8 = 5;

/// The worker's memory for the record at work; it never grows.
#[derive(Debug)]
pub struct RecordBuffer {
    bytes: Vec<u8>,
    /// 0 where no output wants records.
    room: usize,
}

impl RecordBuffer {
    /// Without `used` it takes no memory and keeps nothing.
    pub fn new(used: bool) -> RecordBuffer {
        let room = if used { MAX_RECORD } else { 0 };
        RecordBuffer { bytes: Vec::with_capacity(room), room }
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it fitted. Of what comes behind, something may fit where this did not.
    pub fn add(&mut self, name: &str, entry: Entry<'_>) -> bool {
        self.add_below("", name, entry)
    }

    /// The same with a name whose beginning, without the dot behind it, is given apart.
    pub fn add_below(&mut self, below: &str, name: &str, entry: Entry<'_>) -> bool {
        let dot = if below.is_empty() || name.is_empty() { "" } else { "." };
        let name = [below, dot, name];
        let name_bytes: usize = name.iter().map(|part| part.len()).sum();
        let Ok(name_len) = u8::try_from(name_bytes) else { return false };
        let cut = |text| <[u8]>::get(text, ..MAX_TEXT).unwrap_or(text);
        let value = match entry {
            Entry::Begin | Entry::Bool(_) => 0,
            Entry::Number(_) => 8,
            Entry::Text(text) => 2 + cut(text).len(),
            Entry::Pair(name, text) => 4 + cut(name).len() + cut(text).len(),
        };
        if self.bytes.len() + 2 + name_bytes + value > self.room {
            return false;
        }
        self.bytes.push(match entry {
            Entry::Begin => BEGIN,
            Entry::Number(_) => NUMBER,
            Entry::Bool(false) => FALSE,
            Entry::Bool(true) => TRUE,
            Entry::Text(_) => TEXT,
            Entry::Pair(..) => PAIR,
        });
        self.bytes.push(name_len);
        name.iter().for_each(|part| self.bytes.extend_from_slice(part.as_bytes()));
        let mut put = |text: &[u8]| {
            self.bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
            self.bytes.extend_from_slice(text);
        };
        match entry {
            Entry::Number(number) => self.bytes.extend_from_slice(&number.to_le_bytes()),
            Entry::Text(text) => put(cut(text)),
            Entry::Pair(name, text) => [name, text].into_iter().for_each(|text| put(cut(text))),
            Entry::Begin | Entry::Bool(_) => {}
        }
        true
    }
}

/// The entries of a record, in order.
#[derive(Clone, Debug)]
pub struct Entries<'a>(&'a [u8]);

pub fn entries(record: &[u8]) -> Entries<'_> {
    Entries(record)
}

impl<'a> Entries<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let len = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
        self.take(usize::from(len))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, Entry<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let &[kind, name_len] = self.take(2)? else { return None };
        let name = std::str::from_utf8(self.take(usize::from(name_len))?).ok()?;
        let entry = match kind {
            NUMBER => Entry::Number(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            FALSE | TRUE => Entry::Bool(kind == TRUE),
            TEXT => Entry::Text(self.text()?),
            PAIR => Entry::Pair(self.text()?, self.text()?),
            _ => Entry::Begin,
        };
        Some((name, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Owned {
        Begin,
        Number(u64),
        Bool(bool),
        Text(Vec<u8>),
        Pair(Vec<u8>, Vec<u8>),
    }

    fn lent(owned: &Owned) -> Entry<'_> {
        match owned {
            Owned::Begin => Entry::Begin,
            Owned::Number(number) => Entry::Number(*number),
            Owned::Bool(value) => Entry::Bool(*value),
            Owned::Text(text) => Entry::Text(text),
            Owned::Pair(name, text) => Entry::Pair(name, text),
        }
    }

    fn any_entry() -> impl Strategy<Value = (String, Owned)> {
        let value = prop_oneof![
            Just(Owned::Begin),
            any::<u64>().prop_map(Owned::Number),
            any::<bool>().prop_map(Owned::Bool),
            prop::collection::vec(any::<u8>(), 0..3000).prop_map(Owned::Text),
            (prop::collection::vec(any::<u8>(), 0..3000), prop::collection::vec(any::<u8>(), 0..10))
                .prop_map(|(name, text)| Owned::Pair(name, text)),
        ];
        ("[a-z./]{0,20}(\\[\\])?", value)
    }

    proptest! {
        /// What fitted comes back, in order, its texts cut; and no record is longer than it may be.
        #[test]
        fn entries_come_back_as_they_were_put(all in prop::collection::vec(any_entry(), 0..40)) {
            let mut buffer = RecordBuffer::new(true);
            let mut expected = Vec::new();
            for (name, value) in &all {
                if buffer.add(name, lent(value)) {
                    let cut = |text| <[u8]>::get(text, ..MAX_TEXT).unwrap_or(text);
                    let cut = match lent(value) {
                        Entry::Text(text) => Entry::Text(cut(text)),
                        Entry::Pair(name, text) => Entry::Pair(cut(name), cut(text)),
                        other => other,
                    };
                    expected.push((name.as_str(), cut));
                }
            }
            prop_assert!(buffer.bytes().len() <= MAX_RECORD);
            prop_assert_eq!(entries(buffer.bytes()).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(entries(&bytes).count() <= bytes.len() / 2);
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_memory_does_not_grow() {
        let mut buffer = RecordBuffer::new(true);
        let before = buffer.bytes.capacity();
        let fitted = (0..10).filter(|_| buffer.add("text", Entry::Text(&[b'x'; 5000]))).count();
        assert_eq!(fitted, MAX_RECORD / (MAX_TEXT + 8));
        assert!(buffer.add_below("/a", "small", Entry::Number(1)), "a later one may fit");
        assert_eq!(entries(buffer.bytes()).last(), Some(("/a.small", Entry::Number(1))));
        assert_eq!(buffer.bytes.capacity(), before);
        assert!(!RecordBuffer::new(false).add("n", Entry::Begin));
    }
}
