//! Every keyword the rule language knows. **To add one: one [`Keyword`] in its family's table below**, with the function
//! that reads its value into the [`Draft`]; what it then means in a packet is `inspect`'s.

mod anomaly;
mod application;
mod buffers;
mod bytes;
mod content;
mod decoded;
mod flow;
mod flowbits;
mod flowint;
mod header_fields;
mod meta;
mod pcre;
mod requires;
pub(super) mod threshold;
mod transforms;
mod unsupported;

use super::context;
use super::draft::Draft;
use super::field;
use super::parser::RuleOption;
use super::text::{Fault, Text, nearest};
use ahash::AHashMap;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

pub use requires::unmet;
pub use unsupported::is_refused;

/// One keyword.
pub struct Keyword {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub modifies: Modifies,
    pub value: Value,
    pub parse: fn(&mut Draft, Call<'_>) -> Result<(), Fault>,
    /// One line for `weir rules keywords`.
    pub doc: &'static str,
}

/// What a keyword changes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Modifies {
    /// What the rule says of itself or does.
    Rule,
    /// Which packets or sessions it looks at.
    Packet,
    /// The content before it.
    Content,
    /// The buffer in force: a step over it, or another buffer.
    Buffer,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Value {
    None,
    Needed,
    Optional,
}

/// One use of a keyword in a rule.
#[derive(Copy, Clone)]
pub struct Call<'a> {
    pub name: Text<'a>,
    /// Empty when the rule gives none.
    pub value: Text<'a>,
}

/// The families, each a table in its file.
const FAMILIES: &[&[Keyword]] = &[
    meta::KEYWORDS,
    content::KEYWORDS,
    pcre::KEYWORDS,
    bytes::KEYWORDS,
    buffers::KEYWORDS,
    header_fields::KEYWORDS,
    anomaly::KEYWORDS,
    flow::KEYWORDS,
    flowbits::KEYWORDS,
    flowint::KEYWORDS,
    application::KEYWORDS,
    transforms::KEYWORDS,
    decoded::KEYWORDS,
    requires::KEYWORDS,
    threshold::KEYWORDS,
];

static BY_NAME: LazyLock<AHashMap<&'static str, &'static Keyword>> = LazyLock::new(|| {
    let each =
        |k: &'static Keyword| std::iter::once(k.name).chain(k.aliases.iter().copied()).map(move |n| (n, k));
    all().flat_map(each).collect()
});

/// All keywords, family after family.
pub fn all() -> impl Iterator<Item = &'static Keyword> {
    FAMILIES.iter().copied().flatten()
}

/// Every name that a keyword, a buffer or a field has.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied().chain(context::words()).chain(field::words())
}

/// Reads one option into the draft.
pub fn apply(draft: &mut Draft, option: &RuleOption<'_>) -> Result<(), Fault> {
    let name = option.name;
    let empty = Text::new(b"", name.at + name.bytes.len());
    let value = option.value.unwrap_or(empty);
    let Some(keyword) = BY_NAME.get(name.ascii()) else {
        return match application::from_tables(draft, Call { name, value }) {
            Some(result) => {
                result.and_then(|()| draft.check_size(name)).map_err(|fault| fault.keyword(name.ascii()))
            }
            None => Err(refuse(name)),
        };
    };
    let (needed, checks) = (draft.needs_packet, draft.checks.len());
    let result = match (keyword.value, value.is_empty()) {
        (Value::Needed, true) => {
            Err(or_help(name.fault(format!("`{}` needs a value", keyword.name)), keyword.name, keyword.doc))
        }
        (Value::None, false) => Err(value.fault(format!("`{}` takes no value", keyword.name))),
        _ => (keyword.parse)(draft, Call { name, value }),
    };
    if draft.needs_packet && !needed {
        draft.needs_packet_at = name.span();
    }
    let told = |fault: Fault| match keyword.value != Value::None && fault.span.start as usize > name.at {
        true => or_help(fault, keyword.name, keyword.doc),
        false => fault,
    };
    let elsewhere = |draft: &Draft| {
        let added = draft.checks.get(checks..).unwrap_or_default();
        added.iter().try_for_each(|check| buffers::check_header(draft.protocol, check, name))
    };
    result
        .map_err(told)
        .and_then(|()| elsewhere(draft))
        .and_then(|()| draft.check_size(name))
        .map_err(|fault| fault.keyword(keyword.name))
}

/// What a keyword wants, where the fault's own words leave it open.
fn or_help(mut fault: Fault, name: &str, doc: &str) -> Fault {
    fault.help.get_or_insert_with(|| format!("`{name}`: {doc}"));
    fault
}

fn refuse(name: Text<'_>) -> Fault {
    let word = name.lossy();
    if let Some(fault) = unsupported::refused(name) {
        return fault.keyword(&word);
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let end = name.bytes.iter().position(|byte| !plain(byte)).unwrap_or(name.bytes.len());
    let first = name.sub(0, end);
    if end < name.bytes.len() && names().any(|known| first.is(known)) {
        let message = format!("expected `:` or `;` behind `{}`", first.lossy());
        return name.from(end).trim().fault(message).keyword(first.ascii());
    }
    let fault = name.fault(format!("no keyword is called `{word}`")).keyword(&word);
    match nearest_name(&word.to_ascii_lowercase()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    }
}

/// Words whose nearest keyword is remembered: a whole rule set may have the same few at fault.
const REMEMBERED: usize = 256;

/// Looking a word up compares it with every keyword there is.
fn nearest_name(word: &str) -> Option<&'static str> {
    static KNOWN: Mutex<BTreeMap<String, Option<&'static str>>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(near) = known().get(word) {
        return *near;
    }
    let near = nearest(word, names().chain(unsupported::names()));
    let mut known = known();
    if known.len() < REMEMBERED {
        known.insert(word.to_owned(), near);
    }
    near
}

/// Sets what may be said once.
fn once<T>(place: &mut Option<T>, value: T, call: Call<'_>) -> Result<(), Fault> {
    match place {
        Some(_) => Err(call.name.fault(format!("`{}` may be said once", call.name.lossy()))),
        None => {
            *place = Some(value);
            Ok(())
        }
    }
}

/// Words that a help lists.
const MAX_LISTED: usize = 32;

/// The value of the word in a table, or a fault that names the nearest.
pub(super) fn choice<T: Copy>(text: Text<'_>, table: &[(&'static str, T)]) -> Result<T, Fault> {
    let word = text.lossy().to_ascii_lowercase();
    if let Some((_, value)) = table.iter().find(|(name, _)| *name == word) {
        return Ok(*value);
    }
    let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    let fault = match text.is_empty() {
        true => text.fault("a word is missing here"),
        false => text.fault(format!("`{}` is not known here", text.lossy())),
    };
    if let Some(first) = word.split_ascii_whitespace().next().filter(|first| *first != word)
        && names.contains(&first)
    {
        return Err(fault.help(format!("put a comma behind `{first}`")));
    }
    Err(match nearest(&word, names.iter().copied()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None if names.len() <= MAX_LISTED => fault.help(format!("one of: {}", names.join(", "))),
        None => fault,
    })
}

#[cfg(test)]
mod tests;
