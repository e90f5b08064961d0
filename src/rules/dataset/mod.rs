//! Datasets: lists of values that rules ask for, and that rules may change (`dataset`, `datarep`).
//!
//! Written after Suricata's documentation (docs.suricata.io, "Datasets"). A rule names a set and may say what it is; the
//! configuration may say it as well. [`attach`](attach::attach) finds out what each name means, reads the files, and gives
//! every rule its [`Set`], which all workers share. A saved rule set keeps the names alone: what is in the files is read at
//! each start.

pub mod attach;
pub mod file;
pub mod json;
pub mod parse;
pub mod set;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

pub use set::{Added, Set};

/// What the values of a set are.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Any bytes.
    Text,
    /// The 16 bytes that `to_md5` makes.
    Md5,
    /// The 32 bytes that `to_sha256` makes.
    Sha256,
    /// The 4 bytes of an address.
    Ipv4,
    /// The 16 bytes of an IPv6 address, or the 4 of an IPv4 address, which is kept as `::ffff:a.b.c.d`.
    Ip,
}

impl Kind {
    /// As rules and the configuration write them.
    pub const WORDS: &[(&str, Kind)] = &[
        ("string", Kind::Text),
        ("md5", Kind::Md5),
        ("sha256", Kind::Sha256),
        ("ipv4", Kind::Ipv4),
        ("ip", Kind::Ip),
    ];

    pub fn word(self) -> &'static str {
        Kind::WORDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// What a rule does with a set.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Puts the value in; holds if it was not there.
    Set,
    /// Takes the value out; holds if it was there.
    Unset,
    IsSet,
    IsNotSet,
    /// `datarep`: what the list says of the value compares so with a number. Does not hold for what is not listed.
    Reputation(Compare, u16),
}

impl Verb {
    /// Whether it changes the set.
    pub fn acts(self) -> bool {
        matches!(self, Verb::Set | Verb::Unset)
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    Less,
    LessEqual,
    Equal,
    GreaterEqual,
    Greater,
}

impl Compare {
    pub const WORDS: &[(&str, Compare)] = &[
        ("<", Compare::Less),
        ("<=", Compare::LessEqual),
        ("=", Compare::Equal),
        ("==", Compare::Equal),
        (">=", Compare::GreaterEqual),
        (">", Compare::Greater),
    ];

    pub fn holds<T: PartialOrd>(self, found: T, with: T) -> bool {
        match self {
            Compare::Less => found < with,
            Compare::LessEqual => found <= with,
            Compare::Equal => found == with,
            Compare::GreaterEqual => found >= with,
            Compare::Greater => found > with,
        }
    }
}

/// What is said of a set where it is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub kind: Option<Kind>,
    /// Read at the start, and at each reload if no rule changes the set.
    pub load: Option<Box<str>>,
    /// Written at the end.
    pub save: Option<Box<str>>,
    /// Both.
    pub state: Option<Box<str>>,
    /// Bytes that the set may take.
    pub memcap: Option<u64>,
    /// Values that there is to be room for.
    pub hashsize: Option<u64>,
    /// The list is one of JSON objects.
    pub json: Option<json::Form>,
}

/// `dataset` or `datarep` in a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetUse {
    pub verb: Verb,
    pub name: Box<str>,
    pub said: Said,
    /// Under which name an alert has what goes with the value.
    pub context: Option<Box<str>>,
    /// None until [`attach`](attach::attach) has been there. Such a use holds for nothing.
    #[serde(skip)]
    pub set: Option<Arc<Set>>,
}

/// What the configuration says of all sets, and of some by name.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where names of `save` and `state` in rules start.
    pub folder: PathBuf,
    /// Rules may name files to be written by absolute paths, or with `..`.
    pub allow_absolute: bool,
    /// Rules may name files to be written.
    pub allow_write: bool,
    /// Bytes of a set that rules change, where nothing else is said. Taken at start.
    pub memcap: u64,
    pub named: Vec<Named>,
}

/// A set of the configuration. Its paths are whole.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: Box<str>,
    pub kind: Kind,
    pub load: Option<PathBuf>,
    pub save: Option<PathBuf>,
    pub state: Option<PathBuf>,
    pub memcap: Option<u64>,
    pub hashsize: Option<u64>,
}

/// Bytes of a set that rules change, unless something else is said.
pub const MEMCAP: u64 = 16 << 20;

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            folder: PathBuf::from("/var/lib/weir/datasets"),
            allow_absolute: false,
            allow_write: true,
            memcap: MEMCAP,
            named: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
