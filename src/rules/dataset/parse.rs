//! `dataset:command, name[, option value]...` and `datarep:name, operator, number[, option value]...`

use super::json::Form;
use super::set::MAX_MEMCAP;
use super::{Compare, DatasetUse, Kind, Said, Verb};
use crate::rules::keyword::choice;
use crate::rules::number;
use crate::rules::text::{Fault, Text};

/// The longest name of a set.
const MAX_NAME: usize = 63;

pub fn dataset(value: Text<'_>) -> Result<DatasetUse, Fault> {
    let mut parts = value.split(b',');
    let verbs =
        [("set", Verb::Set), ("unset", Verb::Unset), ("isset", Verb::IsSet), ("isnotset", Verb::IsNotSet)];
    let verb = choice(parts.next().unwrap_or(value), &verbs)?;
    let Some(named) = parts.next() else {
        return Err(value.fault("expected `command, name[, options]`"));
    };
    read(verb, name(named)?, parts)
}

pub fn reputation(value: Text<'_>) -> Result<DatasetUse, Fault> {
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
    ValueKey,
    ArrayKey,
    ContextKey,
    RemoveKey,
}

/// How a file is written.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
    Lines,
}

const OPTIONS: &[(&str, Word)] = &[
    ("type", Word::Type),
    ("load", Word::Load),
    ("save", Word::Save),
    ("state", Word::State),
    ("memcap", Word::Memcap),
    ("hashsize", Word::Hashsize),
    ("format", Word::Format),
    ("value_key", Word::ValueKey),
    ("array_key", Word::ArrayKey),
    ("context_key", Word::ContextKey),
    ("enrichment_key", Word::ContextKey),
    ("remove_key", Word::RemoveKey),
];

fn read<'a>(verb: Verb, name: Box<str>, parts: impl Iterator<Item = Text<'a>>) -> Result<DatasetUse, Fault> {
    const FORMATS: &[(&str, Format)] = &[
        ("csv", Format::Csv),
        ("json", Format::Json),
        ("ndjson", Format::Lines),
        ("jsonline", Format::Lines),
    ];
    let (mut said, mut context, mut keys) = (Said::default(), None, Keys::default());
    for part in parts.filter(|part| !part.is_empty()) {
        let (word, value) = part.first_word();
        let option = choice(word, OPTIONS)?;
        if value.is_empty() != matches!(option, Word::RemoveKey) {
            let what = if value.is_empty() { "needs a value" } else { "takes no value" };
            return Err(word.fault(format!("`{}` {what}", word.lossy())));
        }
        match option {
            Word::Type => put(&mut said.kind, choice(value, Kind::WORDS)?, word)?,
            Word::Load => put(&mut said.load, file(value)?, word)?,
            Word::Save => put(&mut said.save, file(value)?, word)?,
            Word::State => put(&mut said.state, file(value)?, word)?,
            Word::Memcap => put(&mut said.memcap, number::unsigned(value, MAX_MEMCAP)?, word)?,
            Word::Hashsize => put(&mut said.hashsize, number::unsigned(value, u64::MAX)?, word)?,
            Word::Format => put(&mut keys.format, (choice(value, FORMATS)?, value), word)?,
            Word::ValueKey => put(&mut keys.value, (path(value)?, word), word)?,
            Word::ArrayKey => put(&mut keys.array, (path(value)?, word), word)?,
            Word::ContextKey => put(&mut context, (path(value)?, word), word)?,
            Word::RemoveKey => put(&mut keys.remove, word, word)?,
        }
        if said.state.is_some() && (said.load.is_some() || said.save.is_some()) {
            let fault = word.fault("`state` is both `load` and `save`, and does not go with either");
            return Err(fault.help("name the file once, with `state`"));
        }
    }
    said.json = keys.form(verb, &said, context.as_ref().map(|(_, word)| *word))?;
    Ok(DatasetUse { verb, name, said, context: context.map(|(key, _)| key), set: None })
}

/// What is said of a list of JSON, each with its place.
#[derive(Default)]
struct Keys<'a> {
    format: Option<(Format, Text<'a>)>,
    value: Option<(Box<str>, Text<'a>)>,
    array: Option<(Box<str>, Text<'a>)>,
    remove: Option<Text<'a>>,
}

impl Keys<'_> {
    /// None for a list of lines.
    fn form(self, verb: Verb, said: &Said, context: Option<Text<'_>>) -> Result<Option<Form>, Fault> {
        let (format, at) = match self.format {
            Some((format, at)) if format != Format::Csv => (format, at),
            _ => {
                let key =
                    self.value.map(|(_, at)| at).or(self.array.map(|(_, at)| at)).or(self.remove).or(context);
                return match key {
                    None => Ok(None),
                    Some(word) => Err(word
                        .fault(format!("`{}` is for lists of JSON", word.lossy()))
                        .help("say so with `format json` or `format ndjson`")),
                };
            }
        };
        if !matches!(verb, Verb::IsSet | Verb::IsNotSet) || said.save.is_some() || said.state.is_some() {
            let fault = at.fault("a list of JSON is asked for, not changed nor written");
            return Err(fault.help("`isset` or `isnotset`, and the file with `load`"));
        }
        let Some((value_key, _)) = self.value else {
            let fault = at.fault("`value_key` is missing: where each object has its value");
            return Err(fault.help("for example `value_key ip`, or `value_key threat.host`"));
        };
        let lines = format == Format::Lines;
        if let Some((_, word)) = self.array.as_ref().filter(|_| lines) {
            let fault = word.fault("`array_key` is for one document, and here each line is an object");
            return Err(fault.help("take it out, or write `format json`"));
        }
        let array_key = self.array.map(|(key, _)| key);
        Ok(Some(Form { lines, value_key, array_key, remove_key: self.remove.is_some() }))
    }
}

/// Keys joined by dots.
fn path(text: Text<'_>) -> Result<Box<str>, Fault> {
    let word = text.unquoted();
    match std::str::from_utf8(word.bytes) {
        Ok(path) if path.split('.').all(|key| !key.is_empty()) => Ok(path.into()),
        _ => Err(word
            .fault(format!("`{}` is no path of keys", word.lossy()))
            .help("keys joined by dots: `a.b`")),
    }
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
        let read = dataset(text(value)).unwrap();
        assert_eq!((read.verb, &*read.name), (Verb::Set, "seen"));
        let said = Said {
            kind: Some(Kind::Text),
            state: Some("ua.lst".into()),
            memcap: Some(10 << 20),
            hashsize: Some(1024),
            ..Said::default()
        };
        assert_eq!(read.said, said);
        let read = reputation(text("dns, >, 200, load a.rep, type md5")).unwrap();
        assert_eq!(read.verb, Verb::Reputation(Compare::Greater, 200));
        let json = "isset,bad,type ip,load bad.json,format json,enrichment_key a,value_key b.ip,remove_key";
        let read = dataset(text(json)).unwrap();
        let form = Form { lines: false, value_key: "b.ip".into(), array_key: None, remove_key: true };
        assert_eq!((read.context.as_deref(), read.said.json), (Some("a"), Some(form)));
        let lines = "isset,bad,type ip,load bad.json,format ndjson,value_key ip,context_key a";
        assert!(dataset(text(lines)).unwrap().said.json.unwrap().lines);
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
            ("isset,a,load x,value_key b", "`value_key` is for lists of JSON", "value_key"),
            ("isset,a,load x,context_key b", "`context_key` is for lists of JSON", "context_key"),
            ("isset,a,load x,format json", "`value_key` is missing: where each object has its value", "json"),
            (
                "set,a,load x,format json,value_key b",
                "a list of JSON is asked for, not changed nor written",
                "json",
            ),
            ("isset,a,format json,value_key b..c", "`b..c` is no path of keys", "b..c"),
            ("isset,a,format json,value_key b,remove_key x", "`remove_key` takes no value", "remove_key"),
            (
                "isset,a,format ndjson,value_key b,array_key c",
                "`array_key` is for one document, and here each line is an object",
                "array_key",
            ),
            ("isset,a,format jsno", "`jsno` is not known here", "jsno"),
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
