//! The visitor that writes the configuration as TOML: with comments for `conf/weir.toml`, with where each value came from for
//! `weir config show`, or bare.

use super::read::Places;
use super::value::quoted;
use super::visit::{Key, List, Names, Section, Value, Visitor};
use std::fmt::Write as _;

/// What stands beside a value.
pub enum Notes<'a> {
    /// What the key means, above it.
    About,
    /// Where a value that is not a default came from, behind it.
    Origins(&'a Places),
    None,
}

/// The configuration as TOML.
pub fn print(root: &mut dyn Section, notes: &Notes<'_>) -> String {
    let mut printer =
        Printer { out: String::new(), path: String::new(), place: String::new(), notes, lead: "" };
    root.visit(&mut printer);
    printer.out
}

struct Printer<'a> {
    out: String,
    path: String,
    /// As `path`, with the numbers of list items: what [`Places`] are kept by.
    place: String,
    notes: &'a Notes<'a>,
    /// Before each line: a sample is commented out.
    lead: &'static str,
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Printer<'_> {
    fn about(&mut self, text: &str) {
        if matches!(self.notes, Notes::About) {
            for line in text.lines() {
                let _ = writeln!(self.out, "# {line}");
            }
        }
    }

    fn origin(&self, key: &str) -> String {
        match self.notes {
            Notes::About | Notes::None => String::new(),
            Notes::Origins(places) => places.get(&join(&self.place, key)).map_or_else(
                || "  # default".into(),
                |p| format!("  # {}:{}", p.source.name, p.line_column().0),
            ),
        }
    }

    fn line(&mut self, key: &str, value: &str) {
        self.named_line(key, key, value);
    }

    fn named_line(&mut self, key: &str, written: &str, value: &str) {
        let origin = self.origin(key);
        let _ = writeln!(self.out, "{}{written} = {value}{origin}", self.lead);
    }

    fn head(&mut self, about: &str, head: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.about(about);
        let _ = writeln!(self.out, "{}{head}", self.lead);
    }

    fn within(&mut self, path: String, place: String, body: impl FnOnce(&mut Self)) {
        let (path, place) =
            (std::mem::replace(&mut self.path, path), std::mem::replace(&mut self.place, place));
        body(self);
        (self.path, self.place) = (path, place);
    }
}

impl Visitor for Printer<'_> {
    fn take(&mut self, key: Key, value: &mut dyn Value) {
        self.about(key.about);
        self.line(key.name, &value.write());
    }

    fn section(&mut self, key: &'static str, about: &'static str, section: &mut dyn Section) {
        let (path, place) = (join(&self.path, key), join(&self.place, key));
        self.head(about, &format!("[{path}]"));
        self.within(path, place, |p| section.visit(p));
    }

    fn take_list(&mut self, Key { name: key, about, .. }: Key, list: &mut dyn List) {
        let path = join(&self.path, key);
        let head = format!("[[{path}]]");
        let mut count = 0;
        list.each(&mut |item| {
            self.head(if count == 0 { about } else { "" }, &head);
            let place = format!("{path}.{count}");
            self.within(path.clone(), place, |p| item.visit(p));
            count += 1;
        });
        if count == 0 && matches!(self.notes, Notes::About) {
            self.lead = "#";
            self.head(about, &head);
            self.within(path.clone(), path.clone(), |p| list.sample().visit(p));
            self.lead = "";
        }
    }

    fn take_names(&mut self, Key { name: key, about, .. }: Key, names: &mut Names) {
        let (path, place) = (join(&self.path, key), join(&self.place, key));
        self.head(about, &format!("[{path}]"));
        self.within(path, place, |p| {
            for (name, value) in names.iter() {
                p.named_line(name, &written_name(name), &value.write());
            }
        });
    }
}

/// A name as a TOML key.
pub(super) fn written_name(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if bare { name.to_owned() } else { quoted(name) }
}
