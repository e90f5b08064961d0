//! A configuration as a list of its values, and what differs between two.

use super::Config;
use super::print::{join, written_name};
use super::visit::{Change, Key, List, Names, Section, Value, Visitor};
use std::collections::{BTreeMap, BTreeSet};

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// With the numbers of items: `port.0.mtu`.
    pub path: String,
    /// As TOML.
    pub value: String,
    change: Change,
    /// Of an item: its list and whether items of that may come and go.
    list: Option<(String, Change)>,
}

/// All values in the order of the file.
pub fn entries(config: &Config) -> Vec<Entry> {
    let mut lister = Lister { path: String::new(), list: None, found: Vec::new() };
    config.clone().visit(&mut lister);
    lister.found
}

struct Lister {
    path: String,
    list: Option<(String, Change)>,
    found: Vec<Entry>,
}

impl Lister {
    fn add(&mut self, name: &str, value: String, change: Change) {
        let path = join(&self.path, name);
        self.found.push(Entry { path, value, change, list: self.list.clone() });
    }

    fn inside(&mut self, path: String, body: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.path, path);
        body(self);
        self.path = outer;
    }
}

impl Visitor for Lister {
    fn take(&mut self, key: Key, value: &mut dyn Value) {
        self.add(key.name, value.write(), key.change);
    }

    fn section(&mut self, key: &'static str, _: &'static str, section: &mut dyn Section) {
        self.inside(join(&self.path, key), |lister| section.visit(lister));
    }

    fn take_list(&mut self, key: Key, list: &mut dyn List) {
        let name = join(&self.path, key.name);
        let outer = self.list.replace((name.clone(), key.change));
        let mut number = 0;
        list.each(&mut |item| {
            self.inside(join(&name, &number.to_string()), |lister| item.visit(lister));
            number += 1;
        });
        self.list = outer;
    }

    fn take_names(&mut self, key: Key, names: &mut Names) {
        self.inside(join(&self.path, key.name), |lister| {
            for (name, value) in names.iter() {
                lister.add(&written_name(name), value.write(), key.change);
            }
        });
    }
}

/// A value that is not the same in two configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub path: String,
    /// As TOML; none where there is no such item or name.
    pub old: Option<String>,
    pub new: Option<String>,
    pub change: Change,
}

/// What differs, in the order of the file: what is new at the place where it stands, what is gone behind it.
pub fn differences(old: &Config, new: &Config) -> Vec<Difference> {
    let (old, new) = (entries(old), entries(new));
    let by_path = |list: &[Entry]| -> BTreeMap<String, Entry> {
        list.iter().map(|entry| (entry.path.clone(), entry.clone())).collect()
    };
    let (olds, news) = (by_path(&old), by_path(&new));
    let mut found: Vec<(Difference, Option<String>)> = Vec::new();
    let mut paths: Vec<&Entry> = new.iter().collect();
    paths.extend(old.iter().filter(|entry| !news.contains_key(&entry.path)));
    for entry in paths {
        let (before, after) = (olds.get(&entry.path), news.get(&entry.path));
        if before.map(|e| &e.value) == after.map(|e| &e.value) {
            continue;
        }
        // Items that come or go do so as the list says, whatever their keys.
        let whole = before.is_none() || after.is_none();
        let change = match &entry.list {
            Some((_, change)) if whole => *change,
            _ => entry.change,
        };
        let value = |entry: Option<&Entry>| entry.map(|e| e.value.clone());
        let difference =
            Difference { path: entry.path.clone(), old: value(before), new: value(after), change };
        found.push((difference, entry.list.as_ref().map(|(name, _)| name.clone())));
    }
    // Where an item may be another one than before, its number says nothing: the list waits whole.
    let frozen: BTreeSet<String> = found
        .iter()
        .filter(|(d, _)| d.change == Change::Restart)
        .filter_map(|(_, list)| list.clone())
        .collect();
    for (difference, list) in &mut found {
        if list.as_ref().is_some_and(|list| frozen.contains(list)) {
            difference.change = Change::Restart;
        }
    }
    found.into_iter().map(|(difference, _)| difference).collect()
}

/// What runs once the live differences are taken over, and the others wait for a restart.
pub fn take_live(running: &Config, wanted: &Config) -> Config {
    let differences = differences(running, wanted);
    let live = differences.iter().filter(|d| d.change == Change::Live).map(|d| d.path.clone()).collect();
    let values = entries(wanted).into_iter().map(|entry| (entry.path, entry.value)).collect();
    let mut merged = running.clone();
    merged.visit(&mut Taker { path: String::new(), whole: false, live, values });
    merged
}

struct Taker {
    path: String,
    /// Within an item that was made anew: every value is taken.
    whole: bool,
    live: BTreeSet<String>,
    values: BTreeMap<String, String>,
}

impl Taker {
    fn inside(&mut self, path: String, body: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.path, path);
        body(self);
        self.path = outer;
    }

    fn items(&self, list: &str) -> usize {
        let prefix = format!("{list}.");
        let number = |path: &String| path.strip_prefix(&prefix)?.split('.').next()?.parse::<usize>().ok();
        self.values.keys().filter_map(number).max().map_or(0, |last| last + 1)
    }
}

impl Visitor for Taker {
    fn take(&mut self, key: Key, value: &mut dyn Value) {
        let path = join(&self.path, key.name);
        if !self.whole && !self.live.contains(&path) {
            return;
        }
        let Some(text) = self.values.get(&path) else { return };
        // What one configuration wrote, another one reads.
        if let Ok(toml) = toml::de::DeValue::parse(text) {
            let _ = value.read(toml.get_ref());
        }
    }

    fn section(&mut self, key: &'static str, _: &'static str, section: &mut dyn Section) {
        self.inside(join(&self.path, key), |taker| section.visit(taker));
    }

    fn take_list(&mut self, key: Key, list: &mut dyn List) {
        let name = join(&self.path, key.name);
        let anew = key.change == Change::Live;
        if anew {
            list.clear();
            for _ in 0..self.items(&name) {
                list.add();
            }
        }
        let outer = std::mem::replace(&mut self.whole, anew);
        let mut number = 0;
        list.each(&mut |item| {
            self.inside(join(&name, &number.to_string()), |taker| item.visit(taker));
            number += 1;
        });
        self.whole = outer;
    }

    fn take_names(&mut self, key: Key, names: &mut Names) {
        if key.change == Change::Restart {
            return;
        }
        let prefix = format!("{}.", join(&self.path, key.name));
        names.clear();
        for (path, value) in self.values.range(prefix.clone()..) {
            let Some(written) = path.strip_prefix(&prefix) else { break };
            let name = toml::de::DeValue::parse(written).ok();
            let name = name.as_ref().and_then(|n| n.get_ref().as_str()).unwrap_or(written);
            let mut text = String::new();
            if let Ok(toml) = toml::de::DeValue::parse(value)
                && text.read(toml.get_ref()).is_ok()
            {
                names.insert(name.to_owned(), text);
            }
        }
    }
}

#[cfg(test)]
mod tests;
