//! Prometheus's text format (version 0.0.4): families in the order in which they were begun, each with HELP and TYPE.

use std::collections::HashMap;
use std::fmt::{Display, Write};

/// What a number is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows while the process lives; its name ends with `_total`.
    Counter,
    Gauge,
    /// Whoever counts says which, and not to us.
    Untyped,
}

/// A metric, without its values.
#[derive(Copy, Clone, Debug)]
pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

/// Samples as they come, by family.
#[derive(Default)]
pub struct Exposition {
    families: Vec<(Family, String)>,
    places: HashMap<&'static str, usize>,
}

impl Exposition {
    pub fn add(&mut self, family: &Family, labels: &[(&str, &str)], value: impl Display) {
        let place = *self.places.entry(family.name).or_insert_with(|| {
            self.families.push((*family, String::new()));
            self.families.len() - 1
        });
        let Some((_, lines)) = self.families.get_mut(place) else { return };
        lines.push_str(family.name);
        for (number, (name, text)) in labels.iter().enumerate() {
            lines.push(if number == 0 { '{' } else { ',' });
            lines.push_str(name);
            lines.push_str("=\"");
            escape(text, lines);
            lines.push('"');
        }
        if !labels.is_empty() {
            lines.push('}');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(lines, " {value}");
    }

    pub fn text(self) -> String {
        let mut text = String::new();
        for (Family { name, kind, help }, lines) in self.families {
            let kind = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Untyped => "untyped",
            };
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        }
        text
    }
}

fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => into.push_str("\\\\"),
            '"' => into.push_str("\\\""),
            '\n' => into.push_str("\\n"),
            c => into.push(c),
        }
    }
}
