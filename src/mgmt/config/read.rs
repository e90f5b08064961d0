//! The visitor that takes values over from TOML: every fault is collected, every value's place remembered.

use super::fault::{Fault, Place, SourceText, nearest};
use super::visit::{Key, List, Names, Section, Value, Visitor};
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Where each value that is not a default came from, by dotted key (`port.0.mtu`).
pub type Places = BTreeMap<String, Place>;

/// Reads one source into `root`.
pub fn read(source: &Arc<SourceText>, root: &mut dyn Section, places: &mut Places, faults: &mut Vec<Fault>) {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let place = error.span().map(|span| Place { source: Arc::clone(source), span });
        faults.push(Fault {
            place,
            key: String::new(),
            message: format!("this is not TOML: {}", error.message()),
            mend: String::new(),
        });
    }
    let mut reader = Reader { source, table: document.get_ref(), path: "", seen: Vec::new(), places, faults };
    root.visit(&mut reader);
    // What could not be parsed may have left half a key behind: only a whole document is held to its keys.
    if errors.is_empty() {
        reader.report_unknown();
    }
}

struct Reader<'a> {
    source: &'a Arc<SourceText>,
    table: &'a DeTable<'a>,
    /// Dotted name of the table, empty for the top.
    path: &'a str,
    /// Keys that the section knows.
    seen: Vec<&'static str>,
    places: &'a mut Places,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { source: Arc::clone(self.source), span }
    }

    fn fault(&mut self, span: std::ops::Range<usize>, key: String, message: String, mend: String) {
        let place = Some(self.place(span));
        self.faults.push(Fault { place, key, message, mend });
    }

    /// The value of a known key, its place noted.
    fn known(&mut self, key: &'static str) -> Option<&'a toml::Spanned<DeValue<'a>>> {
        self.seen.push(key);
        let (_, value) = self.table.iter().find(|(k, _)| k.get_ref() == key)?;
        self.places.insert(self.name(key), self.place(value.span()));
        Some(value)
    }

    fn wrong_kind(&mut self, value: &toml::Spanned<DeValue<'_>>, key: &str, written: &str) {
        let name = self.name(key);
        let message = format!("`{name}` is a section, not a value");
        self.fault(value.span(), name, message, format!("write it as {written}"));
    }

    fn descend(&mut self, table: &DeTable<'_>, path: &str, section: &mut dyn Section) {
        let mut reader = Reader {
            source: self.source,
            table,
            path,
            seen: Vec::new(),
            places: &mut *self.places,
            faults: &mut *self.faults,
        };
        section.visit(&mut reader);
        reader.report_unknown();
    }

    fn report_unknown(&mut self) {
        for (key, _) in self.table {
            let written = key.get_ref();
            if self.seen.contains(&written.as_ref()) {
                continue;
            }
            let name = self.name(written);
            let message = format!("unknown key `{name}`");
            let mend = match nearest(written, self.seen.iter().copied()) {
                Some(known) => format!("the nearest key is `{known}`"),
                None => format!("keys here: {}", self.seen.join(", ")),
            };
            self.fault(key.span(), name, message, mend);
        }
    }
}

impl Visitor for Reader<'_> {
    fn take(&mut self, Key { name: key, .. }: Key, value: &mut dyn Value) {
        let Some(toml) = self.known(key) else { return };
        if let Err(message) = value.read(toml.get_ref()) {
            let name = self.name(key);
            self.fault(toml.span(), name.clone(), format!("wrong value for `{name}`"), message);
        }
    }

    fn section(&mut self, key: &'static str, _about: &'static str, section: &mut dyn Section) {
        let Some(toml) = self.known(key) else { return };
        match toml.get_ref() {
            DeValue::Table(table) => self.descend(table, &self.name(key), section),
            _ => self.wrong_kind(toml, key, &format!("[{}]", self.name(key))),
        }
    }

    fn take_list(&mut self, Key { name: key, .. }: Key, list: &mut dyn List) {
        let Some(toml) = self.known(key) else { return };
        let DeValue::Array(items) = toml.get_ref() else {
            return self.wrong_kind(toml, key, &format!("[[{}]]", self.name(key)));
        };
        list.clear();
        for (i, item) in items.iter().enumerate() {
            let path = format!("{}.{i}", self.name(key));
            match item.get_ref() {
                DeValue::Table(table) => {
                    self.places.insert(path.clone(), self.place(item.span()));
                    self.descend(table, &path, list.add());
                }
                _ => self.wrong_kind(item, key, &format!("[[{}]]", self.name(key))),
            }
        }
    }

    fn take_names(&mut self, Key { name: key, .. }: Key, names: &mut Names) {
        let Some(toml) = self.known(key) else { return };
        let DeValue::Table(table) = toml.get_ref() else {
            return self.wrong_kind(toml, key, &format!("[{}]", self.name(key)));
        };
        let base = self.name(key);
        for (name, value) in table {
            let full = format!("{base}.{}", name.get_ref());
            let mut text = String::new();
            match text.read(value.get_ref()) {
                Ok(()) => {
                    self.places.insert(full, self.place(value.span()));
                    names.insert(name.get_ref().to_string(), text);
                }
                Err(m) => self.fault(value.span(), full.clone(), format!("wrong value for `{full}`"), m),
            }
        }
    }
}
