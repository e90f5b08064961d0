//! One description of the keys for all that is done with them.
//!
//! A section names each of its keys once, in [`Section::visit`]: name, what it means, whether a running appliance takes a
//! change over, where its value is kept. Reading a file, printing, documentation and comparison are visitors of that one
//! description.

use super::kind::Kind;
use toml::de::DeValue;

/// A value that a key can have.
pub trait Value {
    /// Takes the value over. On failure the message says what was expected, and the value stays as it was.
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String>;
    /// As TOML.
    fn write(&self) -> String;
    /// What it may be.
    fn kind(&self) -> Kind;
}

/// When a change of a key takes effect.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// With the commit.
    Live,
    /// When weir is started again.
    Restart,
}

impl Change {
    pub const fn name(self) -> &'static str {
        match self {
            Change::Live => "live",
            Change::Restart => "restart",
        }
    }
}

/// What is said of a key where it is described. `about` is one or more sentences; lines end where the text says.
#[derive(Copy, Clone, Debug)]
pub struct Key {
    pub name: &'static str,
    pub about: &'static str,
    pub change: Change,
}

/// A table of known keys.
pub trait Section {
    fn visit(&mut self, v: &mut dyn Visitor);
}

/// An array of tables (`[[port]]`).
pub trait List {
    fn clear(&mut self);
    /// Adds an item with its defaults.
    fn add(&mut self) -> &mut dyn Section;
    fn each(&mut self, f: &mut dyn FnMut(&mut dyn Section));
    /// What the documentation shows.
    fn sample(&self) -> Box<dyn Section>;
}

/// An item of a [`List`].
pub trait Item: Section + Default + 'static {
    fn sample() -> Self;
}

impl<T: Item> List for Vec<T> {
    fn clear(&mut self) {
        Vec::clear(self);
    }

    fn add(&mut self) -> &mut dyn Section {
        let at = self.len();
        self.push(T::default());
        &mut self[at]
    }

    fn each(&mut self, f: &mut dyn FnMut(&mut dyn Section)) {
        self.iter_mut().for_each(|item| f(item));
    }

    fn sample(&self) -> Box<dyn Section> {
        Box::new(T::sample())
    }
}

/// A table whose keys the user chooses, in the order of their names.
pub type Names = std::collections::BTreeMap<String, String>;

/// What is done with each key. A key that says nothing else takes effect with a restart.
pub trait Visitor {
    fn take(&mut self, key: Key, value: &mut dyn Value);
    fn section(&mut self, key: &'static str, about: &'static str, section: &mut dyn Section);
    /// The list's own change: whether items may come and go.
    fn take_list(&mut self, key: Key, list: &mut dyn List);
    /// Free names with text values, such as rule variables. Names read are added to those there.
    fn take_names(&mut self, key: Key, names: &mut Names);

    fn value(&mut self, name: &'static str, about: &'static str, value: &mut dyn Value) {
        self.take(Key { name, about, change: Change::Restart }, value);
    }

    /// A key of which a running appliance takes a change over.
    fn live(&mut self, name: &'static str, about: &'static str, value: &mut dyn Value) {
        self.take(Key { name, about, change: Change::Live }, value);
    }

    fn list(&mut self, name: &'static str, about: &'static str, list: &mut dyn List) {
        self.take_list(Key { name, about, change: Change::Restart }, list);
    }

    fn live_list(&mut self, name: &'static str, about: &'static str, list: &mut dyn List) {
        self.take_list(Key { name, about, change: Change::Live }, list);
    }

    fn names(&mut self, name: &'static str, about: &'static str, names: &mut Names) {
        self.take_names(Key { name, about, change: Change::Restart }, names);
    }

    fn live_names(&mut self, name: &'static str, about: &'static str, names: &mut Names) {
        self.take_names(Key { name, about, change: Change::Live }, names);
    }
}
