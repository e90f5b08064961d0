//! `classification.config` and `reference.config`, as Suricata's users keep them.

use super::diagnostic::Diagnostic;
use super::lexer::Lines;
use super::source::SourceFile;
use super::text::{Fault, Text};
use std::collections::HashMap;
use std::sync::Arc;

/// What a `classtype` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    pub description: Arc<str>,
    /// 1 is the most severe.
    pub priority: u32,
}

/// Priority of a rule whose class says none.
pub const DEFAULT_PRIORITY: u32 = 3;

/// `config classification: short-name,description,priority`
#[derive(Clone, Debug, Default)]
pub struct Classifications(HashMap<String, Class>);

impl Classifications {
    /// Names are looked up without regard to case, as Suricata does.
    pub fn get(&self, name: &str) -> Option<&Class> {
        self.0.get(&name.to_ascii_lowercase())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn parse(file: &SourceFile) -> (Classifications, Vec<Diagnostic>) {
        let mut classes = HashMap::new();
        let faults = each_entry(file, "classification", |value| {
            let (name, rest) = value.split_once(b',').ok_or_else(|| value.fault(CLASS_FORM))?;
            let at = memchr::memrchr(b',', rest.bytes).ok_or_else(|| value.fault(CLASS_FORM))?;
            let (description, priority) = (rest.sub(0, at).trim(), rest.from(at + 1).trim());
            let priority = super::number::small(priority, 255)?;
            let class = Class { description: Arc::from(description.lossy()), priority };
            classes.insert(name.lossy().to_ascii_lowercase(), class);
            Ok(())
        });
        (Classifications(classes), faults)
    }
}

const CLASS_FORM: &str = "expected `short-name,description,priority`";

/// `config reference: name prefix`
#[derive(Clone, Debug, Default)]
pub struct References(HashMap<String, String>);

impl References {
    /// What a reference's value is put behind to make an address.
    pub fn prefix(&self, system: &str) -> Option<&str> {
        self.0.get(&system.to_ascii_lowercase()).map(String::as_str)
    }

    pub fn parse(file: &SourceFile) -> (References, Vec<Diagnostic>) {
        let mut systems = HashMap::new();
        let faults = each_entry(file, "reference", |value| {
            let (name, prefix) = value.first_word();
            if name.is_empty() || prefix.is_empty() {
                return Err(value.fault("expected `name prefix`"));
            }
            systems.insert(name.lossy().to_ascii_lowercase(), prefix.lossy().into_owned());
            Ok(())
        });
        (References(systems), faults)
    }
}

/// Calls `take` with what stands after `config KIND:` on every line.
fn each_entry(
    file: &SourceFile,
    kind: &str,
    mut take: impl FnMut(Text<'_>) -> Result<(), Fault>,
) -> Vec<Diagnostic> {
    let index = file.index();
    let mut faults = Vec::new();
    for line in Lines::new(&file.bytes) {
        let text = Text::new(&line.text, 0);
        let value = text.strip("config").map(Text::trim).and_then(|t| t.strip(kind)).map(Text::trim);
        let result = match value.and_then(|t| t.strip(":")) {
            Some(value) => take(value.trim()),
            None => Err(text.fault(format!("expected `config {kind}: ...`"))),
        };
        if let Err(fault) = result {
            let span = line.span_in_file(fault.span);
            faults.push(Diagnostic::new(&file.name, &index, span, fault, None).of_list());
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_systems_are_read_and_faults_told_by_line() {
        let file = SourceFile::new(
            "c",
            "# x\nconfig classification: Not-Bad,Nothing, really, 2\nconfig classification: x\nnonsense\n",
        );
        let (classes, faults) = Classifications::parse(&file);
        let class = classes.get("not-bad").unwrap();
        assert_eq!((&*class.description, class.priority), ("Nothing, really", 2));
        let told: Vec<_> = faults.iter().map(|f| (f.line, f.column, f.message.as_str())).collect();
        assert_eq!(told, [(3, 24, CLASS_FORM), (4, 1, "expected `config classification: ...`")]);

        let (systems, faults) = References::parse(&SourceFile::new("r", "config reference: url   http://\n"));
        assert_eq!(systems.prefix("URL"), Some("http://"));
        assert_eq!(faults, []);
    }
}
