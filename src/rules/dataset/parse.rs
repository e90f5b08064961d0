//! `dataset:command, name[, option value]...` and `datarep:name, operator, number[, option value]...`

use super::set::MAX_MEMCAP;
use super::{Compare, DatasetUse, Kind, Said, Verb};
use crate::rules::keyword::choice;
use crate::rules::number;
use crate::rules::text::{Fault, Text};

/// The longest name of a set.
const MAX_NAME: usize = 63;

/// What a keyword says.
#[derive(Debug)]
pub enum Read {
    Use(DatasetUse),
    /// Its list is JSON, which no set is made of yet.
    Json,
}

pub fn dataset(value: Text<'_>) -> Result<Read, Fault> {
    let mut parts = value.split(b',');
    let verbs =
        [("set", Verb::Set), ("unset", Verb::Unset), ("isset", Verb::IsSet), ("isnotset", Verb::IsNotSet)];
    let verb = choice(parts.next().unwrap_or(value), &verbs)?;
    let Some(named) = parts.next() else {
        return Err(value.fault("expected `command, name[, options]`"));
    };
    read(verb, name(named)?, parts)
}

pub fn reputation(value: Text<'_>) -> Result<Read, Fault> {
    let mut parts = value.split(b',');
    let (Some(named), Some(compare), Some(with)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(value.fault("expected `name, operator, number[, options]`"));
    };
    let compare = choice(compare, Compare::WORDS)?;
    let with = number::small(with, u64::from(u16::MAX))?;
    read(Verb::Reputation(compare, with), name(named)?, parts)
}

fn name(text: Text<'_>) -> Result<Box<str>, Fault> {
    let plain = |b: &u8| b.is_ascii_graphic();
    match text.bytes.len() {
        1..=MAX_NAME if text.bytes.iter().all(plain) => Ok(text.lossy().into()),
        _ => {
            Err(text.fault(format!("a set's name is one word of 1 to {MAX_NAME} letters, digits and signs")))
        }
    }
}

#[derive(Copy, Clone)]
enum Word {
    Type,
    Load,
    Save,
    State,
    Memcap,
    Hashsize,
    Format,
    Json,
}

const OPTIONS: &[(&str, Word)] = &[
    ("type", Word::Type),
    ("load", Word::Load),
    ("save", Word::Save),
    ("state", Word::State),
    ("memcap", Word::Memcap),
    ("hashsize", Word::Hashsize),
    ("format", Word::Format),
    ("value_key", Word::Json),
    ("array_key", Word::Json),
    ("enrichment_key", Word::Json),
    ("remove_key", Word::Json),
];

fn read<'a>(verb: Verb, name: Box<str>, parts: impl Iterator<Item = Text<'a>>) -> Result<Read, Fault> {
    let (mut said, mut json) = (Said::default(), false);
    for part in parts.filter(|part| !part.is_empty()) {
        let (word, value) = part.first_word();
        let option = choice(word, OPTIONS)?;
        if value.is_empty() && !word.is("remove_key") {
            return Err(word.fault(format!("`{}` needs a value", word.lossy())));
        }
        match option {
            Word::Type => put(&mut said.kind, choice(value, Kind::WORDS)?, word)?,
            Word::Load => put(&mut said.load, file(value)?, word)?,
            Word::Save => put(&mut said.save, file(value)?, word)?,
            Word::State => put(&mut said.state, file(value)?, word)?,
            Word::Memcap => put(&mut said.memcap, number::unsigned(value, MAX_MEMCAP)?, word)?,
            Word::Hashsize => put(&mut said.hashsize, number::unsigned(value, u64::MAX)?, word)?,
            Word::Format => json |= choice(value, &[("csv", false), ("json", true), ("jsonline", true)])?,
            Word::Json => json = true,
        }
        if said.state.is_some() && (said.load.is_some() || said.save.is_some()) {
            let fault = word.fault("`state` is both `load` and `save`, and does not go with either");
            return Err(fault.help("name the file once, with `state`"));
        }
    }
    Ok(if json { Read::Json } else { Read::Use(DatasetUse { verb, name, said, set: None }) })
}

fn put<T>(place: &mut Option<T>, value: T, word: Text<'_>) -> Result<(), Fault> {
    match place.replace(value) {
        Some(_) => Err(word.fault(format!("`{}` is said twice", word.lossy()))),
        None => Ok(()),
    }
}

fn file(text: Text<'_>) -> Result<Box<str>, Fault> {
    let name = text.unquoted();
    match std::str::from_utf8(name.bytes) {
        Ok("") => Err(text.fault("expected the name of a file")),
        Ok(name) => Ok(name.into()),
        Err(_) => Err(name.fault("a file's name is UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text<'_> {
        Text::new(text.as_bytes(), 0)
    }

    #[test]
    fn what_a_rule_says_is_read() {
        let value = "set, seen ,type string, state \"ua.lst\", memcap 10mb,hashsize 1024,format csv";
        let Ok(Read::Use(read)) = dataset(text(value)) else { panic!("{value}") };
        assert_eq!((read.verb, &*read.name), (Verb::Set, "seen"));
        let said = Said {
            kind: Some(Kind::Text),
            state: Some("ua.lst".into()),
            memcap: Some(10 << 20),
            hashsize: Some(1024),
            ..Said::default()
        };
        assert_eq!(read.said, said);
        let Ok(Read::Use(read)) = reputation(text("dns, >, 200, load a.rep, type md5")) else { panic!() };
        assert_eq!(read.verb, Verb::Reputation(Compare::Greater, 200));
        let json = "isset,bad,type ip,load bad.json,format json,enrichment_key a,value_key ip,remove_key";
        assert!(matches!(dataset(text(json)), Ok(Read::Json)));
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (value, message, part) in [
            ("has,x", "`has` is not known here", "has"),
            ("isset", "expected `command, name[, options]`", "isset"),
            ("isset,a b", "a set's name is one word of 1 to 63 letters, digits and signs", "a b"),
            ("isset,a,type strnig", "`strnig` is not known here", "strnig"),
            ("isset,a,type", "`type` needs a value", "type"),
            ("isset,a,lode x", "`lode` is not known here", "lode"),
            ("isset,a,type md5,type md5", "`type` is said twice", "type"),
            (
                "set,a,load x,state y",
                "`state` is both `load` and `save`, and does not go with either",
                "state",
            ),
            ("set,a,memcap 5gb", "at most 4294967296 fits here", "5gb"),
            ("set,a,memcap lots", "`lots` is not a number", "lots"),
        ] {
            let fault = dataset(text(value)).unwrap_err();
            assert_eq!(fault.message, message, "{value}");
            assert_eq!(&value[fault.span.start as usize..fault.span.end as usize], part, "{value}");
        }
        assert_eq!(
            reputation(text("a,>")).unwrap_err().message,
            "expected `name, operator, number[, options]`"
        );
        assert_eq!(reputation(text("a,~,1")).unwrap_err().message, "`~` is not known here");
        assert_eq!(reputation(text("a,>,70000")).unwrap_err().message, "at most 65535 fits here");
    }
}
