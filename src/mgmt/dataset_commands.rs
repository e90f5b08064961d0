//! What an operator asks of the datasets of the rules in force, and does to them, under traffic: as Suricata's socket has it
//! (docs.suricata.io, "Datasets").

use super::datasets;
use crate::rules::RuleSet;
use crate::rules::dataset::file::value_of;
use crate::rules::dataset::{Added, Kind, Set};
use std::sync::Arc;

/// One command. Values are as files of datasets write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    List,
    /// Writes every set that has a file and was changed.
    Dump,
    /// Takes all values out.
    Clear(Named),
    Add(Named, String),
    Remove(Named, String),
    Lookup(Named, String),
}

/// A set as the operator names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    /// "string", "md5", "sha256", "ipv4" or "ip".
    pub kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetState {
    pub name: String,
    pub kind: &'static str,
    pub values: u64,
    /// Values for which there was no room.
    pub refused: u64,
    /// Rules or operators may change it.
    pub changes: bool,
}

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// In words.
    pub said: String,
    /// Of a lookup: the value is in the set. Of a change: something was changed.
    pub holds: bool,
    /// The set at hand, or all.
    pub sets: Vec<SetState>,
}

pub fn run(rules: &RuleSet, command: &Command) -> Result<Answer, String> {
    let (named, value) = match command {
        Command::List => {
            return Ok(Answer {
                sets: rules.datasets.iter().map(|set| state(set)).collect(),
                ..Answer::default()
            });
        }
        Command::Dump => {
            let written = datasets::save(rules).map_err(|faults| faults.join("; "))?;
            return Ok(Answer {
                said: format!("{written} sets written"),
                holds: written > 0,
                sets: Vec::new(),
            });
        }
        Command::Clear(named) => (named, None),
        Command::Add(named, value) | Command::Remove(named, value) | Command::Lookup(named, value) => {
            (named, Some(value))
        }
    };
    let set = find(rules, named)?;
    if value.is_some_and(String::is_empty) {
        return Err("a value is missing: write one as a file of such values has it".into());
    }
    let value = value
        .map(|value| value_of(value.as_bytes(), set.kind()))
        .transpose()
        .map_err(|why| format!("{why}: a value of this type is written as in a file of such values"))?;
    let value = value.unwrap_or_default();
    let (said, holds) = match command {
        Command::Lookup(..) => match set.contains(&value) {
            true => ("in the set".to_owned(), true),
            false => ("not in the set".to_owned(), false),
        },
        _ if !set.changes() => return Err(fixed(set)),
        Command::Add(..) => match set.add(&value) {
            Added::New => ("added".to_owned(), true),
            Added::Known => ("in the set already".to_owned(), false),
            Added::Refused => {
                return Err(format!("set {} has no room for another value: give it more memcap", set.name()));
            }
        },
        Command::Remove(..) => match set.remove(&value) {
            true => ("removed".to_owned(), true),
            false => ("not in the set".to_owned(), false),
        },
        _ => {
            let taken = set.clear();
            (format!("{taken} values removed"), taken > 0)
        }
    };
    Ok(Answer { said, holds, sets: vec![state(set)] })
}

fn state(set: &Set) -> SetState {
    SetState {
        name: set.name().to_owned(),
        kind: set.kind().word(),
        values: set.len() as u64,
        refused: set.refused(),
        changes: set.changes(),
    }
}

fn find<'r>(rules: &'r RuleSet, named: &Named) -> Result<&'r Arc<Set>, String> {
    let Some((_, kind)) = Kind::WORDS.iter().find(|(word, _)| *word == named.kind) else {
        let words: Vec<_> = Kind::WORDS.iter().map(|(word, _)| *word).collect();
        return Err(format!("`{}` is no type of a set: write one of {}", named.kind, words.join(", ")));
    };
    let found = rules.datasets.iter().find(|set| set.name() == named.name);
    let set = found.ok_or_else(|| {
        format!("no set of the rules in force is called {}: `weir ctl dataset list` shows them", named.name)
    })?;
    match set.kind() == *kind {
        true => Ok(set),
        false => Err(format!("set {} is of type {}, not {}", set.name(), set.kind().word(), named.kind)),
    }
}

fn fixed(set: &Set) -> String {
    format!(
        "set {} is what its file says: change the file and reload the rules, or describe the set in [[dataset]]",
        set.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::dataset::set::Size;

    fn rules() -> RuleSet {
        let set = |name: &str, kind, changes| {
            Arc::new(Set::new(name, kind, changes, None, Size::within(4096, Some(4))))
        };
        let datasets = vec![set("seen", Kind::Text, true), set("bad", Kind::Ip, false)];
        datasets[1].put(&[10, 0, 0, 1], 0);
        RuleSet { datasets, ..RuleSet::default() }
    }

    fn named(name: &str, kind: &str) -> Named {
        Named { name: name.into(), kind: kind.into() }
    }

    #[test]
    fn values_are_added_found_removed_and_all_taken_out() {
        let rules = rules();
        let seen = || named("seen", "string");
        let said = |command: Command| run(&rules, &command).map(|answer| (answer.said, answer.holds));
        let is = |said: &str, holds| Ok((said.to_owned(), holds));
        assert_eq!(said(Command::Lookup(seen(), "YQ==".into())), is("not in the set", false));
        assert_eq!(said(Command::Add(seen(), "YQ==".into())), is("added", true));
        assert_eq!(said(Command::Add(seen(), "YQ".into())), is("in the set already", false));
        assert_eq!(said(Command::Lookup(seen(), "YQ==".into())), is("in the set", true));
        assert_eq!(said(Command::Remove(seen(), "YQ==".into())), is("removed", true));
        assert_eq!(said(Command::Remove(seen(), "YQ==".into())), is("not in the set", false));
        for value in ["YQ==", "Yg==", "Yw=="] {
            assert!(said(Command::Add(seen(), value.into())).unwrap().1);
        }
        let listed = run(&rules, &Command::List).unwrap().sets;
        let seen_now = SetState { name: "seen".into(), kind: "string", values: 3, refused: 0, changes: true };
        assert_eq!((listed.len(), &listed[0]), (2, &seen_now));
        assert_eq!(said(Command::Clear(seen())), is("3 values removed", true));
        assert_eq!(said(Command::Clear(seen())), is("0 values removed", false));
        assert_eq!(said(Command::Lookup(named("bad", "ip"), "10.0.0.1".into())), is("in the set", true));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let rules = rules();
        let why = |command: Command| run(&rules, &command).unwrap_err();
        let value = || "YQ==".to_owned();
        for (command, part) in [
            (Command::Add(named("sen", "string"), value()), "no set of the rules in force is called sen"),
            (Command::Add(named("seen", "text"), value()), "`text` is no type of a set"),
            (Command::Add(named("seen", "ip"), value()), "set seen is of type string, not ip"),
            (Command::Add(named("seen", "string"), "a b".into()), "`a b` is no base64"),
            (Command::Add(named("bad", "ip"), "10.0.0.2".into()), "change the file and reload"),
            (Command::Clear(named("bad", "ip")), "change the file and reload"),
        ] {
            let why = why(command);
            assert!(why.contains(part), "{why}");
        }
        let add = |n: u8| run(&rules, &Command::Add(named("seen", "string"), format!("{n}{n}{n}{n}")));
        assert!((0..9).map(add).any(|done| done.is_err_and(|why| why.contains("more memcap"))));
    }
}
