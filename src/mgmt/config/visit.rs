//! One description of the keys for all that is done with them.
//!
//! A section names each of its keys once, in [`Section::visit`]: name, what it means, where its value is kept. Reading a
//! file, printing the configuration and listing the schema are visitors of that one description.

use toml::de::DeValue;

/// A value that a key can have.
pub trait Value {
    /// Takes the value over. On failure the message says what was expected, and the value stays as it was.
    fn read(&mut self, toml: &DeValue<'_>) -> Result<(), String>;
    /// As TOML.
    fn write(&self) -> String;
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

/// What is done with each key. `about` is one or more sentences; lines end where the text says.
pub trait Visitor {
    fn value(&mut self, key: &'static str, about: &'static str, value: &mut dyn Value);
    fn section(&mut self, key: &'static str, about: &'static str, section: &mut dyn Section);
    fn list(&mut self, key: &'static str, about: &'static str, list: &mut dyn List);
    /// Free names with text values, such as rule variables. Names read are added to those there.
    fn names(&mut self, key: &'static str, about: &'static str, names: &mut Names);
}
