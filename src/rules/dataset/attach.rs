//! What the names of sets mean over a whole rule set: the definitions put together, the files read, each rule given its set.
//!
//! A set that rules change, whose file is written, or that the configuration names goes on over a reload as it is; one that
//! rules only ask for is read again. A rule whose set is not as it needs it is refused, with the file and the line at fault.

use super::json::{Form, Records};
use super::set::{Set, Size};
use super::{DatasetUse, Kind, Named, Said, Settings, Verb, file, json};
use crate::rules::compile::Loading;
use crate::rules::refuse::{Refusal, refuse};
use crate::rules::ruleset::{Rule, Step};
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// What is known of a set from all that name it.
struct Definition {
    kind: Kind,
    load: Option<PathBuf>,
    /// Written at the end.
    write: Option<PathBuf>,
    /// What is loaded need not be there yet: it is what is written.
    state: bool,
    memcap: Option<u64>,
    hashsize: Option<u64>,
    changes: bool,
    json: Option<Form>,
    /// "the configuration" or "sid 7".
    by: String,
}

impl Definition {
    fn of_named(named: &Named) -> Definition {
        Definition {
            kind: named.kind,
            load: named.state.clone().or_else(|| named.load.clone()),
            write: named.state.clone().or_else(|| named.save.clone()),
            state: named.state.is_some(),
            memcap: named.memcap,
            hashsize: named.hashsize,
            changes: true,
            json: None,
            by: "the configuration".to_owned(),
        }
    }
}

type Definitions = BTreeMap<Box<str>, Definition>;

/// What is wrong with a use: the word to point at, why, and what helps.
type Wrong = (Box<str>, String, Option<String>);

fn uses(rule: &Rule) -> impl Iterator<Item = &DatasetUse> {
    rule.buffers.iter().flat_map(|buffer| &buffer.steps).filter_map(|step| match step {
        Step::Dataset(used) => Some(used),
        _ => None,
    })
}

fn uses_mut(rule: &mut Rule) -> impl Iterator<Item = &mut DatasetUse> {
    rule.buffers.iter_mut().flat_map(|buffer| buffer.steps.iter_mut()).filter_map(|step| match step {
        Step::Dataset(used) => Some(used),
        _ => None,
    })
}

/// Gives every rule its sets. `kept`: those of the rules in force. Sets that nobody names any more stay in the rule set, so
/// that what they know is written at the end.
pub fn attach(
    loading: &mut Loading,
    settings: &Settings,
    kept: &[Arc<Set>],
    mut open: impl FnMut(&Path) -> io::Result<Vec<u8>>,
) {
    let mut refused = Vec::new();
    let definitions = define(loading, settings, &mut refused);
    let mut made: BTreeMap<Box<str>, Result<Arc<Set>, String>> = BTreeMap::new();
    for (at, rule) in loading.rules.rules.iter_mut().enumerate() {
        for used in uses_mut(rule) {
            let Some(definition) = definitions.get(&used.name) else { continue };
            let set = made
                .entry(used.name.clone())
                .or_insert_with(|| make(&used.name, definition, settings, kept, &mut open));
            match set {
                Ok(set) => used.set = Some(Arc::clone(set)),
                Err(why) => {
                    let word = used.name.clone();
                    refused.push(Refusal { at, keyword: keyword(used), word, why: why.clone(), help: None });
                }
            }
        }
    }
    // As the rules stand, and of a rule what was found first.
    refused.sort_by_key(|refusal| refusal.at);
    refuse(loading, &refused);
    let unnamed = kept.iter().filter(|set| set.changes() && !made.contains_key(set.name()));
    loading.rules.datasets = unnamed.cloned().chain(made.values().flatten().cloned()).collect();
}

fn keyword(used: &DatasetUse) -> &'static str {
    match used.verb {
        Verb::Reputation(..) => "datarep",
        _ => "dataset",
    }
}

/// What each name means. Rules that say a type come first, in the order of their files; then all the others.
fn define(loading: &Loading, settings: &Settings, refused: &mut Vec<Refusal>) -> Definitions {
    let named = settings.named.iter().map(|named| (named.name.clone(), Definition::of_named(named)));
    let mut definitions: Definitions = named.collect();
    let rules = &loading.rules.rules;
    let mut order: Vec<usize> = (0..rules.len()).filter(|&at| uses(&rules[at]).next().is_some()).collect();
    order.sort_by_key(|&at| (rules[at].source.file, rules[at].source.line));
    for typed in [true, false] {
        for &at in &order {
            let rule = &rules[at];
            let home =
                loading.rules.files.get(rule.source.file as usize).map(Path::new).and_then(Path::parent);
            for used in uses(rule).filter(|used| used.said.kind.is_some() == typed) {
                let place = Place { home: home.unwrap_or(Path::new("")), settings, sid: rule.sid };
                if let Err((word, why, help)) = place.take(used, &mut definitions) {
                    refused.push(Refusal { at, keyword: keyword(used), word, why, help });
                }
            }
        }
    }
    definitions
}

/// Where a use stands.
struct Place<'a> {
    home: &'a Path,
    settings: &'a Settings,
    sid: u32,
}

impl Place<'_> {
    /// Adds what the use says to what is known of its set.
    fn take(&self, used: &DatasetUse, definitions: &mut Definitions) -> Result<(), Wrong> {
        let said = &used.said;
        let (load, write) = (self.load(said)?, self.write(said)?);
        let Some(known) = definitions.get_mut(&used.name) else {
            let Some(kind) = said.kind else {
                let why = format!("no rule and no [[dataset]] says of which type `{}` is", used.name);
                let help = "say it here, for example `type string`".to_owned();
                return Err((used.name.clone(), why, Some(help)));
            };
            let definition = Definition {
                kind,
                load,
                changes: used.verb.acts() || write.is_some(),
                write,
                state: said.state.is_some(),
                memcap: said.memcap,
                hashsize: said.hashsize,
                json: said.json.clone(),
                by: format!("sid {}", self.sid),
            };
            definitions.insert(used.name.clone(), definition);
            return Ok(());
        };
        let differs = |what: &str, word: &str, theirs: String| {
            let why = format!("the {what} of `{}` is {theirs}, as {} says", used.name, known.by);
            Err((word.into(), why, None))
        };
        if let Some(kind) = said.kind.filter(|kind| *kind != known.kind) {
            return differs("type", kind.word(), known.kind.word().to_owned());
        }
        // A rule that names the set alone may say nothing of its form.
        let forms = said.json.as_ref().zip(known.json.as_ref());
        let plain = known.load.is_some() && known.json.is_none();
        if forms.is_some_and(|(new, old)| new != old) || (said.json.is_some() && plain) {
            return differs("format", "format", "another".to_owned());
        }
        let clash = |new: &Option<PathBuf>, old: &Option<PathBuf>| match (new, old) {
            (Some(new), Some(old)) if new != old => Some(old.display().to_string()),
            _ => None,
        };
        let word =
            said.state.as_deref().or(said.load.as_deref()).or(said.save.as_deref()).unwrap_or_default();
        if let Some(theirs) = clash(&load, &known.load).or_else(|| clash(&write, &known.write)) {
            return differs("file", word, theirs);
        }
        known.state |= said.state.is_some();
        known.changes |= used.verb.acts() || write.is_some();
        known.load = known.load.take().or(load);
        known.write = known.write.take().or(write);
        known.json = known.json.take().or_else(|| said.json.clone());
        known.memcap = known.memcap.or(said.memcap);
        known.hashsize = known.hashsize.or(said.hashsize);
        Ok(())
    }

    fn load(&self, said: &Said) -> Result<Option<PathBuf>, Wrong> {
        if let Some(state) = &said.state {
            return self.within_folder(state).map(Some);
        }
        Ok(said.load.as_deref().map(|name| self.home.join(name)))
    }

    fn write(&self, said: &Said) -> Result<Option<PathBuf>, Wrong> {
        said.state.as_deref().or(said.save.as_deref()).map(|name| self.within_folder(name)).transpose()
    }

    /// A file that is written, as a rule names it: whoever writes rules is not to choose any file of the system.
    fn within_folder(&self, name: &str) -> Result<PathBuf, Wrong> {
        let Settings { folder, allow_absolute, allow_write, .. } = self.settings;
        let wrong =
            |why: &str, key: &str| Err((name.into(), why.to_owned(), Some(format!("{key} allows it"))));
        if !allow_write {
            return wrong("rules may not have files written here", "datasets.allow-write");
        }
        let plain =
            Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !plain && !allow_absolute {
            let why = "a rule's file is written below datasets.folder: no absolute name, and no `..`";
            return wrong(why, "datasets.allow-absolute-filenames");
        }
        Ok(folder.join(name))
    }
}

/// The set, or why there is none.
fn make(
    name: &str,
    definition: &Definition,
    settings: &Settings,
    kept: &[Arc<Set>],
    open: &mut impl FnMut(&Path) -> io::Result<Vec<u8>>,
) -> Result<Arc<Set>, String> {
    let goes_on = |set: &&Arc<Set>| {
        set.changes()
            && set.name() == name
            && set.kind() == definition.kind
            && set.file() == definition.write.as_deref()
    };
    if let Some(set) = kept.iter().find(goes_on).filter(|_| definition.changes) {
        return Ok(Arc::clone(set));
    }
    if definition.changes && definition.json.is_some() {
        return Err(format!(
            "set `{name}` is a list of JSON, and another rule or the configuration changes it"
        ));
    }
    let read = |text: &[u8], path: &Path| match &definition.json {
        None => file::read(text, definition.kind)
            .map(|values| (values, Records::default()))
            .map_err(|bad| format!("{}, {bad}", path.display())),
        Some(form) => {
            json::read(text, definition.kind, form).map_err(|bad| format!("{}, {bad}", path.display()))
        }
    };
    let (values, records) = match &definition.load {
        None => Default::default(),
        Some(path) => match open(path) {
            Ok(text) => read(&text, path)?,
            Err(why) if definition.state && why.kind() == io::ErrorKind::NotFound => Default::default(),
            Err(why) => return Err(format!("cannot read {}: {why}", path.display())),
        },
    };
    let exact = Size::exact(values.len(), values.words);
    let size = match definition.changes {
        true => Size::within(definition.memcap.unwrap_or(settings.memcap), definition.hashsize),
        false => exact,
    };
    let room = definition.memcap.unwrap_or(if definition.changes { settings.memcap } else { u64::MAX });
    let too_large = || {
        format!(
            "the {} values of set `{name}` need {} bytes, and its memcap is {room}: give it more",
            values.len(),
            exact.bytes()
        )
    };
    if exact.bytes() > room || !size.is_possible() {
        return Err(too_large());
    }
    let set = Set::new(name, definition.kind, definition.changes, definition.write.clone(), size);
    let set = set.with_records(records);
    for (value, said) in values.each() {
        set.put(value, said);
    }
    match set.refused() {
        0 => Ok(Arc::new(set)),
        _ => Err(too_large()),
    }
}
