//! The named buffers that rules look into and decoders yield. **To add one: one line in [`table::TABLE`]**: its sticky name
//! becomes a keyword, and so do its older spellings.

mod table;

use super::app::{self, Protos};
use crate::base::Dir;
use ahash::AHashMap;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use table::TABLE;

/// Number of an application buffer in the table.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BufferId(pub u16);

/// When a buffer is complete and looked into.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Once a transaction (a request, a response, a handshake).
    Transaction,
    /// A file's bytes as they come, whatever carries it.
    File,
    /// A record as it stands on the wire (`frame:`).
    Frame,
}

/// One line of the table.
#[derive(Debug)]
pub struct Buffer {
    /// The sticky buffer's name; for a frame, what `frame:` calls it.
    pub name: &'static str,
    /// Other names of the sticky buffer.
    pub aliases: &'static [&'static str],
    /// Snort 2's spelling: a modifier of the content before it.
    pub modifier: Option<&'static str>,
    pub protos: Protos,
    /// The direction that has it; `None` where both do.
    pub dir: Option<Dir>,
    /// A transaction may have several; the steps of one buffer must hold in the same.
    pub many: bool,
    pub unit: Unit,
}

/// Lines of the table.
pub const COUNT: usize = TABLE.len();

/// The buffer of that name, for constants: a name that is not in the table does not compile.
pub const fn id(name: &str) -> BufferId {
    let mut at = 0;
    while at < TABLE.len() {
        if same(TABLE[at].name, name) {
            return BufferId(at as u16);
        }
        at += 1;
    }
    #[expect(clippy::panic, reason = "found by the compiler: constants only")]
    {
        panic!("no buffer has that name")
    }
}

/// Strings compare with `==` at run time only.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

impl BufferId {
    pub fn get(self) -> &'static Buffer {
        TABLE.get(usize::from(self.0)).unwrap_or(&TABLE[0])
    }
}

/// How a word of a rule names a buffer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Sticky(BufferId),
    Modifier(BufferId),
}

static BY_NAME: LazyLock<AHashMap<&'static str, Named>> = LazyLock::new(|| {
    let mut names = AHashMap::new();
    for (id, buffer) in all().filter(|(_, buffer)| buffer.unit != Unit::Frame) {
        names.insert(buffer.name, Named::Sticky(id));
        names.extend(buffer.aliases.iter().map(|name| (*name, Named::Sticky(id))));
        names.extend(buffer.modifier.map(|name| (name, Named::Modifier(id))));
    }
    names
});

pub fn all() -> impl ExactSizeIterator<Item = (BufferId, &'static Buffer)> {
    TABLE.iter().enumerate().map(|(n, buffer)| (BufferId(n as u16), buffer))
}

pub fn named(word: &str) -> Option<Named> {
    BY_NAME.get(word).copied()
}

/// All words that name a buffer.
pub fn words() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}

/// The sticky buffer of that name.
pub fn sticky(name: &str) -> Option<BufferId> {
    match named(name) {
        Some(Named::Sticky(id)) => Some(id),
        _ => None,
    }
}

/// The frame that `frame:` means: `pdu` of the rule's own protocols, or `tls.pdu`.
pub fn frame(word: &str, protos: Protos) -> Option<BufferId> {
    let frames = || all().filter(|(_, buffer)| buffer.unit == Unit::Frame);
    let whole = frames().find(|(_, buffer)| buffer.name == word);
    let found = whole.or_else(|| {
        let own = |buffer: &Buffer| buffer.name.split_once('.').is_some_and(|(_, rest)| rest == word);
        let fits = |buffer: &Buffer| !buffer.protos.and(protos).is_empty();
        frames().find(|(_, buffer)| own(buffer) && fits(buffer))
    });
    found.map(|(id, _)| id)
}

/// The protocol that a frame's or event's name begins with, and the rest.
pub fn split_protocol(word: &str) -> Option<(Protos, &str)> {
    let (first, rest) = word.split_once('.')?;
    Some((app::named(first)?, rest))
}

pub fn frames() -> impl Iterator<Item = &'static str> {
    all().filter(|(_, buffer)| buffer.unit == Unit::Frame).map(|(_, buffer)| buffer.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_one_buffer() {
        let mut seen = std::collections::HashSet::new();
        for (_, buffer) in all() {
            let words =
                std::iter::once(buffer.name).chain(buffer.aliases.iter().copied()).chain(buffer.modifier);
            for word in words {
                assert!(seen.insert(word), "{word} is in the table twice");
            }
            assert!(!buffer.protos.is_empty(), "{}", buffer.name);
        }
    }

    #[test]
    fn a_frame_is_found_by_its_whole_name_or_within_its_protocol() {
        let tls = app::named("tls").unwrap();
        assert_eq!(frame("pdu", tls), frame("tls.pdu", tls));
        assert_ne!(frame("pdu", tls), frame("pdu", app::named("sip").unwrap()));
        assert_eq!(frame("nonsense", tls), None);
    }
}
