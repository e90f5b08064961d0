//! `disable.conf`, `enable.conf`, `drop.conf` and `modify.conf`, as suricata-update has them: which rules of the files are
//! loaded, and as what.
//!
//! Owes: a rule passes the four in that order; each line knows how many rules it meant and how many it changed, and one
//! that meant none is told.

mod modify;
mod selector;

pub use selector::{Selector, Subject, id_of};

use super::diagnostic::Diagnostic;
use super::lexer::Lines;
use super::source::SourceFile;
use super::text::{Fault, Text};
use modify::Edit;
use serde::Serialize;

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Disable,
    Enable,
    Drop,
    Modify,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Disable, Kind::Enable, Kind::Drop, Kind::Modify];

    /// What is said of the rules that a line changed.
    pub fn done(self) -> &'static str {
        match self {
            Kind::Disable => "disabled",
            Kind::Enable => "enabled",
            Kind::Drop => "set to drop",
            Kind::Modify => "modified",
        }
    }
}

/// What a line came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Touched {
    pub list: Kind,
    pub file: String,
    pub line: u32,
    /// As written.
    pub text: String,
    /// Rules that it selects.
    pub selected: u32,
    /// Those of them that were not already so.
    pub changed: u32,
}

struct Entry {
    selector: Selector,
    edit: Option<Edit>,
    touched: Touched,
    /// Where the line stands, for what is to be said of it.
    here: Diagnostic,
}

/// All lines of all lists.
#[derive(Default)]
pub struct Lists {
    entries: Vec<Entry>,
}

/// What becomes of a rule.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// Loaded as it is written.
    AsWritten,
    /// Loaded with another text, by the line that changed it last.
    Edited { text: Vec<u8>, by: String },
    /// Not loaded: by a line, or because it is commented out.
    Disabled { by: Option<String> },
}

impl Lists {
    /// Adds a file's lines. Those at fault are left out and told.
    pub fn add(&mut self, kind: Kind, file: &SourceFile) -> Vec<Diagnostic> {
        let index = file.index();
        let mut faults = Vec::new();
        for line in Lines::new(&file.bytes) {
            let text = Text::new(&line.text, 0);
            let text = if kind == Kind::Modify { text } else { without_comment(text) };
            let diagnose = |fault: Fault| {
                let span = line.span_in_file(fault.span);
                Diagnostic::new(&file.name, &index, span, fault, None)
            };
            let read = match kind {
                Kind::Modify => modify::parse(text).map(|(selector, edit)| (selector, Some(edit))),
                _ => Selector::parse(text).map(|selector| (selector, None)),
            };
            match read {
                Err(fault) => faults.push(diagnose(fault)),
                Ok((selector, edit)) => {
                    let here = diagnose(text.fault("")).warning();
                    let touched = Touched {
                        list: kind,
                        file: file.name.clone(),
                        line: here.line,
                        text: text.lossy().into_owned(),
                        selected: 0,
                        changed: 0,
                    };
                    self.entries.push(Entry { selector, edit, touched, here });
                }
            }
        }
        faults
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Has a rule pass all lines.
    pub fn judge(&mut self, rule: &Subject<'_>, commented: bool) -> Fate {
        let (mut off, mut by) = (commented, None);
        for (kind, turns_off) in [(Kind::Disable, true), (Kind::Enable, false)] {
            for entry in self.entries.iter_mut().filter(|entry| entry.touched.list == kind) {
                if entry.selector.selects(rule) {
                    entry.touched.selected += 1;
                    if off != turns_off {
                        entry.touched.changed += 1;
                        (off, by) = (turns_off, Some(entry.place()));
                    }
                }
            }
        }
        let mut edited: Option<(Vec<u8>, String)> = None;
        for kind in [Kind::Drop, Kind::Modify] {
            for entry in self.entries.iter_mut().filter(|entry| entry.touched.list == kind) {
                let text = edited.as_ref().map_or(rule.text, |(text, _)| text);
                if entry.selector.selects(&Subject { text, ..*rule }) {
                    entry.touched.selected += 1;
                    if off {
                        continue;
                    }
                    let new = match &entry.edit {
                        Some(edit) => edit.apply(text),
                        None => to_drop(rule, text),
                    };
                    if let Some(new) = new {
                        entry.touched.changed += 1;
                        edited = Some((new, entry.place()));
                    }
                }
            }
        }
        match edited {
            _ if off => Fate::Disabled { by: by.filter(|_| !commented) },
            Some((text, by)) => Fate::Edited { text, by },
            None => Fate::AsWritten,
        }
    }

    /// What each line came to, and warnings for those that changed nothing for want of rules.
    pub fn finish(self) -> (Vec<Touched>, Vec<Diagnostic>) {
        let mut told = Vec::new();
        for entry in &self.entries {
            let touched = &entry.touched;
            let said = match (touched.selected, touched.changed, touched.list) {
                (0, _, _) => "this line selects no rule".to_owned(),
                (n, 0, Kind::Modify) => format!("this line selects {n} rules and changes none of them"),
                (n, 0, Kind::Drop) => {
                    format!("this line selects {n} rules, which are disabled, noalert or drop already")
                }
                _ => continue,
            };
            let mut warning = entry.here.clone();
            warning.message = said;
            told.push(warning);
        }
        (self.entries.into_iter().map(|entry| entry.touched).collect(), told)
    }
}

impl Entry {
    fn place(&self) -> String {
        format!("{}:{}", self.touched.file, self.touched.line)
    }
}

/// The rule with `drop` for its action. A rule that writes no alert only sets bits for others: it stays as it is.
fn to_drop(rule: &Subject<'_>, text: &[u8]) -> Option<Vec<u8>> {
    let noalert = |ast: &super::parser::RuleAst<'_>| {
        let flowbits = |o: &super::parser::RuleOption<'_>| {
            o.name.is("flowbits") && o.value.is_some_and(|v| v.is("noalert"))
        };
        ast.options.iter().any(|o| o.name.is("noalert") || flowbits(o))
    };
    let end = text.iter().position(|b| !b.is_ascii_alphanumeric())?;
    if rule.ast.is_some_and(noalert) || &text[..end] == b"drop" {
        return None;
    }
    Some([b"drop", &text[end..]].concat())
}

/// What stands before ` #`.
fn without_comment(text: Text<'_>) -> Text<'_> {
    let at = memchr::memmem::find(text.bytes, b" #").unwrap_or(text.bytes.len());
    text.sub(0, at).trim()
}

#[cfg(test)]
mod tests {
    use super::super::parser;
    use super::*;

    fn lists(files: &[(Kind, &str)]) -> Lists {
        let mut lists = Lists::default();
        for (kind, text) in files {
            assert_eq!(lists.add(*kind, &SourceFile::new(format!("{kind:?}"), *text)), []);
        }
        lists
    }

    fn judge(lists: &mut Lists, text: &str, commented: bool) -> Fate {
        let ast = parser::parse(text.as_bytes()).unwrap();
        lists.judge(&Subject { text: text.as_bytes(), file: "a.rules", ast: Some(&ast) }, commented)
    }

    const RULE: &str = "alert tcp any any -> any any (msg:\"scan\"; sid:1;)";

    #[test]
    fn a_rule_passes_disable_then_enable_then_drop_then_modify() {
        let edited = |text: &str, by: &str| Fate::Edited { text: text.into(), by: by.into() };
        let dropped = RULE.replace("alert", "drop");
        let all = &[
            (Kind::Modify, "# c\nre:^drop scan probe"),
            (Kind::Drop, "1 # by sid"),
            (Kind::Enable, "re:scan"),
            (Kind::Disable, "*"),
        ];
        let mut lists_ = lists(all);
        let probe = dropped.replace("scan", "probe");
        assert_eq!(judge(&mut lists_, RULE, false), edited(&probe, "Modify:2"));
        assert_eq!(judge(&mut lists_, RULE, true), edited(&probe, "Modify:2"));
        let (touched, told) = lists_.finish();
        let counts: Vec<_> = touched.iter().map(|t| (t.list, t.selected, t.changed)).collect();
        let [modify, drop, enable] = [Kind::Modify, Kind::Drop, Kind::Enable].map(|kind| (kind, 2, 2));
        assert_eq!(counts, [modify, drop, enable, (Kind::Disable, 2, 1)]);
        assert_eq!(told, []);
        assert_eq!(judge(&mut lists(&[(Kind::Drop, "1")]), RULE, false), edited(&dropped, "Drop:1"));
        let mut off = lists(&[(Kind::Disable, "1"), (Kind::Drop, "1")]);
        assert_eq!(judge(&mut off, RULE, false), Fate::Disabled { by: Some("Disable:1".into()) });
        assert_eq!(judge(&mut lists(&[]), RULE, true), Fate::Disabled { by: None });
        assert_eq!(judge(&mut lists(&[]), RULE, false), Fate::AsWritten);
    }

    #[test]
    fn lines_without_effect_are_told() {
        let mut lists = lists(&[(Kind::Disable, "99"), (Kind::Drop, "2"), (Kind::Modify, "2 nowhere x")]);
        let quiet = "alert tcp any any -> any any (flowbits:set,a; flowbits:noalert; sid:2;)";
        assert_eq!(judge(&mut lists, quiet, false), Fate::AsWritten);
        let (_, told) = lists.finish();
        let told: Vec<_> = told.iter().map(|d| (d.file.as_str(), d.message.as_str(), d.is_fault())).collect();
        let drop = "this line selects 1 rules, which are disabled, noalert or drop already";
        let modify = "this line selects 1 rules and changes none of them";
        let none = "this line selects no rule";
        assert_eq!(told, [("Disable", none, false), ("Drop", drop, false), ("Modify", modify, false)]);
    }
}
