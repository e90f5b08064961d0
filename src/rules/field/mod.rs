//! Numbers, names and flags that decoders find and rules ask for. **To add one: one line in [`table::TABLE`]**.

mod dns;
mod enip;
pub mod http2;
pub mod ike;
pub mod industrial;
pub mod kerberos;
mod ldap;
pub mod modbus;
mod parse;
mod table;

use super::app::Protos;
use super::ruleset::NumRange;
use super::sum_list::SumList;
use ahash::AHashMap;
pub use enip::cip_value;
pub use parse::parse;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use table::TABLE;

/// Number of a field in the table.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldId(pub u16);

/// One line of the table.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub protos: Protos,
    pub kind: FieldKind,
    /// A transaction may have several; a rule may say which after a comma.
    pub many: bool,
    /// One line for people.
    pub doc: &'static str,
}

/// How a field's value is written and compared.
#[derive(Copy, Clone, Debug)]
pub enum FieldKind {
    Number {
        max: u64,
    },
    /// A number, or one of these names for it.
    Names {
        max: u64,
        names: &'static [(&'static str, u64)],
    },
    /// The same, and numbers are written in hexadecimal.
    HexNames {
        max: u64,
        names: &'static [(&'static str, u64)],
    },
    /// A number or a name, and a range takes in its ends.
    ClosedNames {
        max: u64,
        names: &'static [(&'static str, u64)],
    },
    /// Names of bits, `!` before those that must not be set; or a number under a mask.
    Flags {
        max: u64,
        names: &'static [(&'static str, u64)],
    },
    /// The same, but any of the bits will do, where no modifier says otherwise.
    AnyFlags {
        max: u64,
        names: &'static [(&'static str, u64)],
    },
    /// Some of these words, any of which will do; with `!` in front, anything but that word will. The value's number is
    /// the word's place.
    Words(&'static [&'static str]),
    /// Numbers and ranges that take in their ends, any of which will do.
    Ranges {
        max: u64,
    },
    /// Quoted or not, `!` in front to negate.
    Text,
    /// A version of SSH, as a text.
    SshVersion,
    /// A text of which decoders only yield lower case.
    LowerText,
    /// A year, month, day and time: `<`, `>`, or a range.
    Date,
    /// A UUID, a version, `any_frag`.
    Interface,
    /// A kind of Kerberos's encryption: see [`kerberos`].
    Encryption,
    /// A setting of HTTP/2: see [`http2`].
    Setting,
    /// What a Modbus request does: see [`modbus`].
    Modbus,
    /// Two numbers of a byte each, parted by a comma: the value has the first in its higher byte.
    Pair,
    /// A service of CIP, its class and its attribute: see [`cip_value`].
    CipService,
    /// An attribute of IKE's security associations: see [`ike`].
    Attribute,
    /// No value: it is so.
    Present,
    /// The name of a list of files' sums, of so many bytes each; `!` in front to negate.
    Sums(u8),
    /// With or without words of its own, which are kept as they are.
    Free,
}

/// What a rule asks of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FieldTest {
    /// The bits under `mask`, in `range`.
    Number {
        mask: u64,
        range: NumRange,
    },
    Flags {
        set: u64,
        clear: u64,
    },
    /// Places in the field's list of words.
    Words {
        any: Box<[u16]>,
        none: Box<[u16]>,
    },
    Ranges(Box<[NumRange]>),
    Text {
        text: Box<[u8]>,
        negated: bool,
    },
    Interface {
        uuid: [u8; 16],
        version: Option<NumRange>,
        any_fragment: bool,
    },
    Modbus(modbus::ModbusTest),
    Sums(SumList),
    Present,
}

/// Which of several values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Occurrence {
    #[default]
    Any,
    /// Any, or there is none.
    AnyOrNone,
    /// All, if there are any.
    All,
    /// All, and at least one.
    AllOfSome,
    /// Counted from the first (0) or, negative, from the last (-1).
    At(i32),
    /// The same, or there are not so many.
    AtOrBeyond(i32),
    /// So many of them.
    Count(NumRange),
    /// Of those between two places, counted in the same way: from the first up to the second, which is left out. None
    /// where a place is not there.
    Part(i32, i32, Box<Occurrence>),
}

impl FieldTest {
    /// Whether a number passes; tests of text do not.
    pub fn holds_for(&self, value: u64) -> bool {
        let word = u16::try_from(value).ok();
        match self {
            FieldTest::Number { mask, range } => range.contains(value & mask),
            FieldTest::Flags { set, clear } => value & set == *set && value & clear == 0,
            FieldTest::Words { any, none } => {
                let others = |word: &u16| !none.is_empty() && !none.contains(word);
                word.is_some_and(|word| any.contains(&word) || others(&word))
            }
            FieldTest::Ranges(ranges) => ranges.iter().any(|range| range.contains(value)),
            FieldTest::Present => true,
            FieldTest::Text { .. }
            | FieldTest::Interface { .. }
            | FieldTest::Modbus(_)
            | FieldTest::Sums(_) => false,
        }
    }
}

/// The field of that name, for constants: a name that is not in the table does not compile.
pub const fn id(name: &str) -> FieldId {
    let mut at = 0;
    while at < TABLE.len() {
        if super::context::same(TABLE[at].name, name) {
            return FieldId(at as u16);
        }
        at += 1;
    }
    #[expect(clippy::panic, reason = "found by the compiler: constants only")]
    {
        panic!("no field has that name")
    }
}

impl FieldId {
    pub fn get(self) -> &'static Field {
        TABLE.get(usize::from(self.0)).unwrap_or(&TABLE[0])
    }
}

static BY_NAME: LazyLock<AHashMap<&'static str, FieldId>> = LazyLock::new(|| {
    let each = |(id, field): (FieldId, &'static Field)| {
        std::iter::once(field.name).chain(field.aliases.iter().copied()).map(move |name| (name, id))
    };
    all().flat_map(each).collect()
});

pub fn all() -> impl ExactSizeIterator<Item = (FieldId, &'static Field)> {
    TABLE.iter().enumerate().map(|(n, field)| (FieldId(n as u16), field))
}

pub fn named(word: &str) -> Option<FieldId> {
    BY_NAME.get(word).copied()
}

pub fn words() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}

#[cfg(test)]
mod tests;
