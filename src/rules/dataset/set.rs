//! One dataset: a hash table of fixed size that all workers read and change at once, without a lock.
//!
//! Memory is taken when the set is made, within its memcap; then nothing is allocated. A value's bytes are written once into
//! an arena, and a slot of one word points at them: a part of the value's keyed hash, whether the value is in the set, and
//! the place in the arena. A slot that was taken stays its value's, whether that is in the set or not: so who looks for a
//! value walks the same slots as who puts it in, two workers that put in the same value meet at the same free slot, and
//! one of them wins. A value is compared by all its bytes.
//!
//! The policy at the bound: a value for which there is no room is not put in, and counted ([`Set::refused`]). What was taken
//! out keeps its room until the set is made anew.

use super::Kind;
use super::json::Records;
use ahash::RandomState;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Bytes of a value; longer ones are in no set.
pub const MAX_VALUE: usize = u16::MAX as usize;

/// The most that a set which changes may take: rules ask for it, and it is taken at start.
pub const MAX_MEMCAP: u64 = 4 << 30;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// Tries before a change is given up. A try fails only when another worker's has succeeded.
const ATTEMPTS: usize = 64;

const FREE: u64 = 0;
const PLACE_BITS: u32 = 32;
const LIVING: u64 = 1 << PLACE_BITS;
const TAG: u64 = !(LIVING | (LIVING - 1));
const WORD: usize = 8;

/// What came of putting a value in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Added {
    New,
    Known,
    /// There is no room, or no set of this kind has such a value.
    Refused,
}

/// How large a set is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Size {
    slots: usize,
    words: usize,
}

impl Size {
    /// Of a set that has these values and never another, which take so many words ([`words_of`] of each).
    pub fn exact(values: usize, words: usize) -> Size {
        let slots = values.saturating_mul(2).max(8).checked_next_power_of_two().unwrap_or(1 << 63);
        Size { slots, words: words.saturating_add(1) }
    }

    /// Of a set within so many bytes, with room for about `values`. What is left beside the slots is for the values' bytes.
    pub fn within(bytes: u64, values: Option<u64>) -> Size {
        /// Of a value with all that belongs to it, where nothing is said of their number.
        const USUAL: u64 = 64;
        let bytes = bytes.min(MAX_MEMCAP);
        let values = values.unwrap_or(bytes / USUAL).min(bytes / USUAL * 4);
        let mut slots = values.saturating_mul(2).max(8).next_power_of_two();
        while slots > 8 && slots * WORD as u64 > bytes / 2 {
            slots /= 2;
        }
        let words = (bytes / WORD as u64).saturating_sub(slots).min(LIVING - 1);
        Size { slots: slots as usize, words: words as usize }
    }

    pub fn bytes(self) -> u64 {
        (self.slots as u64 + self.words as u64).saturating_mul(WORD as u64)
    }

    /// Whether places in it can be told.
    pub fn is_possible(self) -> bool {
        (self.words as u64) < LIVING && self.slots as u64 <= LIVING
    }
}

/// Words that a value of that many bytes takes.
pub fn words_of(bytes: usize) -> usize {
    1 + bytes.div_ceil(WORD)
}

/// Shared by all workers and by the generations of rules that name it.
pub struct Set {
    name: Box<str>,
    kind: Kind,
    /// Rules change it, or its file is written: a reload goes on with it.
    changes: bool,
    /// Where it is written at the end.
    file: Option<PathBuf>,
    /// Told apart from all other sets of the process by this.
    number: u32,
    /// What goes with its values, by the number that is said of each, less one. None where it was read from a list of lines.
    records: Records,
    seeds: RandomState,
    slots: Box<[AtomicU64]>,
    words: Box<[AtomicU64]>,
    slots_taken: AtomicUsize,
    words_taken: AtomicUsize,
    living: AtomicUsize,
    refused: AtomicU64,
    /// Since it was read or written.
    changed: AtomicBool,
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Set({}, {}, {} values)", self.name, self.kind.word(), self.len())
    }
}

/// Where the walk for a value ends.
enum Place<'s> {
    Known(&'s AtomicU64, u64),
    Free(&'s AtomicU64),
    Nowhere,
}

/// A value as the set keeps it.
enum Key<'v> {
    AsItIs(&'v [u8]),
    Mapped([u8; 16]),
}

impl Key<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Key::AsItIs(bytes) => bytes,
            Key::Mapped(bytes) => bytes,
        }
    }
}

impl Set {
    pub fn new(name: &str, kind: Kind, changes: bool, file: Option<PathBuf>, size: Size) -> Set {
        let zeros = |n: usize| (0..n).map(|_| AtomicU64::new(0)).collect();
        Set {
            name: name.into(),
            kind,
            changes,
            file,
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            records: Records::default(),
            seeds: RandomState::new(),
            slots: zeros(size.slots),
            words: zeros(size.words),
            slots_taken: AtomicUsize::new(0),
            // A slot that points at word 0 would be taken for a free one.
            words_taken: AtomicUsize::new(1),
            living: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            changed: AtomicBool::new(false),
        }
    }

    /// Another set with the same values and as much room, which goes its own way from now on.
    pub fn copy(&self) -> Set {
        let size = Size { slots: self.slots.len(), words: self.words.len() };
        let copy = Set::new(&self.name, self.kind, self.changes, self.file.clone(), size);
        self.each(|value, reputation| _ = copy.put(value, reputation));
        Set { records: self.records.clone(), ..copy }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn changes(&self) -> bool {
        self.changes
    }

    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Values in it.
    pub fn len(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values that were not put in for want of room, or because others kept changing the same slots.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether it was changed since this was asked last.
    pub fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    pub fn note_changed(&self) {
        if !self.changed.load(Ordering::Relaxed) {
            self.changed.store(true, Ordering::Relaxed);
        }
    }

    fn key<'v>(&self, value: &'v [u8]) -> Option<Key<'v>> {
        match (self.kind, value.len()) {
            (Kind::Text, ..=MAX_VALUE)
            | (Kind::Md5 | Kind::Ip, 16)
            | (Kind::Sha256, 32)
            | (Kind::Ipv4, 4) => Some(Key::AsItIs(value)),
            (Kind::Ip, 4) => {
                let mut mapped = [0; 16];
                let (head, tail) = mapped.split_at_mut(12);
                head.get_mut(10..).unwrap_or_default().fill(0xff);
                tail.copy_from_slice(value);
                Some(Key::Mapped(mapped))
            }
            _ => None,
        }
    }

    fn find(&self, key: &[u8]) -> (u64, Place<'_>) {
        let hash = self.seeds.hash_one(key);
        let (tag, mask) = (hash & TAG, self.slots.len().wrapping_sub(1));
        // At most half of the slots are taken, so a free one comes soon.
        for step in 0..self.slots.len() {
            let Some(slot) = self.slots.get((hash as usize).wrapping_add(step) & mask) else { break };
            let word = slot.load(Ordering::Acquire);
            if word == FREE {
                return (tag, Place::Free(slot));
            }
            if word & TAG == tag && self.is(word, key) {
                return (tag, Place::Known(slot, word));
            }
        }
        (tag, Place::Nowhere)
    }

    fn record(&self, word: u64) -> Option<(u64, &[AtomicU64])> {
        let at = (word & (LIVING - 1)) as usize;
        let (head, rest) = self.words.get(at..)?.split_first()?;
        Some((head.load(Ordering::Relaxed), rest))
    }

    fn is(&self, word: u64, key: &[u8]) -> bool {
        self.record(word).is_some_and(|(head, words)| {
            let pieces = key.chunks(WORD).zip(words);
            head as u32 as usize == key.len()
                && pieces.into_iter().all(|(piece, word)| word.load(Ordering::Relaxed) == pack(piece))
        })
    }

    /// What is said of a value that is in the set: 0 where nothing is.
    pub fn reputation(&self, value: &[u8]) -> Option<u32> {
        let key = self.key(value)?;
        match self.find(key.bytes()).1 {
            Place::Known(_, word) if word & LIVING != 0 => {
                self.record(word).map(|(head, _)| (head >> PLACE_BITS) as u32)
            }
            _ => None,
        }
    }

    pub fn contains(&self, value: &[u8]) -> bool {
        self.reputation(value).is_some()
    }

    /// Whether it was there.
    pub fn remove(&self, value: &[u8]) -> bool {
        let Some(key) = self.key(value) else { return false };
        for _ in 0..ATTEMPTS {
            let Place::Known(slot, word) = self.find(key.bytes()).1 else { return false };
            if word & LIVING == 0 {
                return false;
            }
            if swap(slot, word, word & !LIVING) {
                self.living.fetch_sub(1, Ordering::Relaxed);
                self.note_changed();
                return true;
            }
        }
        self.refuse();
        false
    }

    pub fn add(&self, value: &[u8]) -> Added {
        let added = self.put(value, 0);
        if added == Added::New {
            self.note_changed();
        }
        added
    }

    /// As a file says it, with what the file says of it.
    pub fn put(&self, value: &[u8], reputation: u32) -> Added {
        let Some(key) = self.key(value) else { return Added::Refused };
        let key = key.bytes();
        // Written once, though a slot may be lost to another worker.
        let mut written: Option<usize> = None;
        for _ in 0..ATTEMPTS {
            let (tag, place) = self.find(key);
            let (slot, before, after) = match place {
                Place::Known(slot, word) if word & LIVING == 0 => (slot, word, word | LIVING),
                Place::Known(..) => {
                    self.give_back(written, key);
                    return Added::Known;
                }
                Place::Free(slot) => {
                    let Some(at) = written.or_else(|| self.write(key, reputation)) else { break };
                    written = Some(at);
                    (slot, FREE, tag | LIVING | at as u64)
                }
                Place::Nowhere => break,
            };
            if swap(slot, before, after) {
                if before != FREE {
                    self.give_back(written, key);
                }
                self.living.fetch_add(1, Ordering::Relaxed);
                return Added::New;
            }
        }
        self.give_back(written, key);
        self.refuse();
        Added::Refused
    }

    /// Takes a slot's worth of room and the value's, and writes the value where nobody sees it yet.
    fn write(&self, key: &[u8], reputation: u32) -> Option<usize> {
        if self.slots_taken.fetch_add(1, Ordering::Relaxed) >= self.slots.len() / 2 {
            self.slots_taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let wanted = words_of(key.len());
        for _ in 0..ATTEMPTS {
            let at = self.words_taken.load(Ordering::Relaxed);
            let Some(room) = self.words.get(at..at.saturating_add(wanted)) else { break };
            let taken = self.words_taken.compare_exchange(
                at,
                at + wanted,
                // Room that was given back has been written before.
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            if taken.is_err() {
                continue;
            }
            let head = u64::from(reputation) << PLACE_BITS | key.len() as u64;
            let values = std::iter::once(head).chain(key.chunks(WORD).map(pack));
            room.iter().zip(values).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
            return Some(at);
        }
        self.slots_taken.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// Another worker put the same value in meanwhile: the room taken for it is free again, unless it is not the last any more.
    fn give_back(&self, written: Option<usize>, key: &[u8]) {
        let Some(at) = written else { return };
        self.slots_taken.fetch_sub(1, Ordering::Relaxed);
        let end = at + words_of(key.len());
        _ = self.words_taken.compare_exchange(end, at, Ordering::AcqRel, Ordering::Acquire);
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls `with` for each value in the set, in no order. Values that are put in or taken out meanwhile may be among them.
    pub fn each(&self, mut with: impl FnMut(&[u8], u32)) {
        let mut bytes = Vec::new();
        for slot in &self.slots {
            let word = slot.load(Ordering::Acquire);
            if word & LIVING == 0 {
                continue;
            }
            let Some((head, words)) = self.record(word) else { continue };
            let length = head as u32 as usize;
            bytes.clear();
            let words = words.iter().take(length.div_ceil(WORD));
            bytes.extend(words.flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()));
            bytes.truncate(length);
            with(&bytes, (head >> PLACE_BITS) as u32);
        }
    }
}

fn swap(slot: &AtomicU64, before: u64, after: u64) -> bool {
    slot.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// Up to eight bytes as a word.
fn pack(piece: &[u8]) -> u64 {
    let mut bytes = [0; WORD];
    if let Some(place) = bytes.get_mut(..piece.len()) {
        place.copy_from_slice(piece);
    }
    u64::from_le_bytes(bytes)
}

mod whole;

#[cfg(test)]
mod tests;
