//! The table of keys: everything that is said of each, for documentation, look-ups by name, and tests.

use super::kind::Kind;
use super::print::join;
use super::visit::{Change, Key, List, Names, Section, Value, Visitor};
use super::{Config, Profile};

/// How a section is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `[section]`
    Table,
    /// `[[section]]`, as often as wanted.
    List,
    /// `[section]` with names of the user's own.
    Names,
}

#[derive(Clone, Debug)]
pub struct SectionDoc {
    pub key: String,
    pub about: &'static str,
    pub form: Form,
    /// Whether items or names may come and go while weir runs; of a table each key says it.
    pub change: Option<Change>,
    /// The value that names have; only with [`Form::Names`].
    pub names: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct KeyDoc {
    /// Dotted; an item's key stands for those of all items (`port.mtu`).
    pub key: String,
    pub about: &'static str,
    pub kind: Kind,
    pub change: Change,
    /// As TOML.
    pub default: String,
}

#[derive(Clone, Debug)]
pub enum Row {
    Section(SectionDoc),
    Key(KeyDoc),
}

impl Row {
    pub fn key(&self) -> &str {
        match self {
            Row::Section(section) => &section.key,
            Row::Key(key) => &key.key,
        }
    }
}

/// All rows in the order of the file; a section comes before its keys.
pub fn table(profile: Profile) -> Vec<Row> {
    let mut lister = Lister::default();
    Config::defaults(profile).visit(&mut lister);
    lister.rows
}

#[derive(Default)]
struct Lister {
    path: String,
    rows: Vec<Row>,
}

impl Lister {
    fn head(&mut self, key: &str, about: &'static str, form: Form, change: Option<Change>) -> String {
        let key = join(&self.path, key);
        self.rows.push(Row::Section(SectionDoc { key: key.clone(), about, form, change, names: Vec::new() }));
        key
    }

    fn inside(&mut self, path: String, section: &mut dyn Section) {
        let outer = std::mem::replace(&mut self.path, path);
        section.visit(self);
        self.path = outer;
    }
}

impl Visitor for Lister {
    fn take(&mut self, key: Key, value: &mut dyn Value) {
        self.rows.push(Row::Key(KeyDoc {
            key: join(&self.path, key.name),
            about: key.about,
            kind: value.kind(),
            change: key.change,
            default: value.write(),
        }));
    }

    fn section(&mut self, key: &'static str, about: &'static str, section: &mut dyn Section) {
        let path = self.head(key, about, Form::Table, None);
        self.inside(path, section);
    }

    fn take_list(&mut self, key: Key, list: &mut dyn List) {
        let path = self.head(key.name, key.about, Form::List, Some(key.change));
        list.clear();
        self.inside(path, list.add());
    }

    fn take_names(&mut self, key: Key, names: &mut Names) {
        self.head(key.name, key.about, Form::Names, Some(key.change));
        if let Some(Row::Section(section)) = self.rows.last_mut() {
            section.names = names.iter().map(|(name, value)| (name.clone(), value.write())).collect();
        }
    }
}

/// A key as people write it, without the numbers of items: `port.0.mtu` is `port.mtu`.
pub fn without_numbers(key: &str) -> String {
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    key.split('.').filter(|part| !number(part)).collect::<Vec<_>>().join(".")
}
