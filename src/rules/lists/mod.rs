//! `disable.conf`, `enable.conf`, `drop.conf` and `modify.conf`, as suricata-update has them: which rules of the files are
//! loaded, and as what.
//!
//! Owes: a rule passes the four in that order; each line knows how many rules it meant and how many it changed, and one
//! that meant none is told.

mod modify;
mod overrule;
mod selector;

pub use overrule::{Overrule, WORDS};
pub use selector::{GaveUp, Selector, Subject, id_of};

use super::diagnostic::{Diagnostic, Severity};
use super::lexer::Lines;
use super::source::SourceFile;
use super::text::{Fault, Text};
use ahash::AHashMap;
use modify::{Edit, MAX_RULE_BYTES, Unapplied};
use serde::{Deserialize, Serialize};

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    gave_up: Rules,
    too_long: Rules,
}

/// Rules that a line could not be carried out on.
#[derive(Default)]
struct Rules {
    count: u32,
    /// `file:line`.
    first: String,
}

impl Rules {
    fn add(&mut self, rule: &Subject<'_>) {
        if self.count == 0 {
            self.first = format!("{}:{}", rule.file, rule.line);
        }
        self.count += 1;
    }
}

/// Of one kind, the lines by number, ascending. Those of ids are looked up: there may be thousands, and as many rules.
#[derive(Default)]
struct Index {
    by_id: AHashMap<(u32, u32), Vec<usize>>,
    others: Vec<usize>,
}

impl Index {
    fn add(&mut self, line: usize, selector: &Selector) {
        match selector {
            Selector::Ids(ids) => ids.iter().for_each(|id| self.by_id.entry(*id).or_default().push(line)),
            _ => self.others.push(line),
        }
    }

    /// Lines that may select the rule.
    fn candidates(&self, rule: &Subject<'_>) -> Vec<usize> {
        let by_id = rule.id.and_then(|id| self.by_id.get(&id)).map_or(&[][..], Vec::as_slice);
        let mut lines = [&self.others, by_id].concat();
        lines.sort_unstable();
        lines
    }
}

/// Who has changed a rule that is overruled, in the place of a line.
const OPERATOR: &str = "an operator";

/// All lines of all lists.
#[derive(Default)]
pub struct Lists {
    entries: Vec<Entry>,
    /// By [`Kind`].
    index: [Index; Kind::ALL.len()],
    /// By gid and sid: what wins over all lines.
    overruled: AHashMap<(u32, u32), Overrule>,
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
                Diagnostic::new(&file.name, &index, span, fault, None).of_list()
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
                    self.index[kind as usize].add(self.entries.len(), &selector);
                    let (gave_up, too_long) = Default::default();
                    self.entries.push(Entry { selector, edit, touched, here, gave_up, too_long });
                }
            }
        }
        faults
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.overruled.is_empty()
    }

    /// Has a rule go by this, whatever the lines say.
    pub fn overrule(&mut self, id: (u32, u32), what: Overrule) {
        self.overruled.insert(id, what);
    }

    /// Has a rule pass all lines.
    pub fn judge(&mut self, rule: &Subject<'_>, commented: bool) -> Fate {
        let (mut off, mut by) = (commented, None);
        for (kind, turns_off) in [(Kind::Disable, true), (Kind::Enable, false)] {
            for line in self.index[kind as usize].candidates(rule) {
                let entry = &mut self.entries[line];
                if entry.selects(rule) && off != turns_off {
                    entry.touched.changed += 1;
                    (off, by) = (turns_off, Some(entry.place()));
                }
            }
        }
        let mut edited: Option<(Vec<u8>, String)> = None;
        for kind in [Kind::Drop, Kind::Modify] {
            for line in self.index[kind as usize].candidates(rule) {
                let entry = &mut self.entries[line];
                let text = edited.as_ref().map_or(rule.text, |(text, _)| text);
                let rule = &Subject { text, ..*rule };
                if entry.selects(rule)
                    && !off
                    && let Some(new) = entry.edited(rule)
                {
                    entry.touched.changed += 1;
                    edited = Some((new, entry.place()));
                }
            }
        }
        match rule.id.and_then(|id| self.overruled.get(&id)) {
            Some(Overrule::Disable) => {
                return Fate::Disabled { by: Some(OPERATOR.to_owned()).filter(|_| !commented) };
            }
            Some(Overrule::Action(action)) => {
                off = false;
                let text = edited.as_ref().map_or(rule.text, |(text, _)| text);
                if let Some(text) = overrule::with_action(text, action) {
                    edited = Some((text, OPERATOR.to_owned()));
                }
            }
            None => {}
        }
        match edited {
            _ if off => Fate::Disabled { by: by.filter(|_| !commented) },
            Some((text, by)) => Fate::Edited { text, by },
            None => Fate::AsWritten,
        }
    }

    /// What each line came to; warnings for those that changed nothing for want of rules, faults for those that could not
    /// be carried out.
    pub fn finish(self) -> (Vec<Touched>, Vec<Diagnostic>) {
        let mut told = Vec::new();
        for entry in &self.entries {
            let faults = entry.faults();
            let failed = !faults.is_empty();
            told.extend(faults);
            let touched = &entry.touched;
            let said = match (touched.selected, touched.changed, touched.list) {
                (_, 0, _) if failed => continue,
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
    /// Counts the rule if it is meant.
    fn selects(&mut self, rule: &Subject<'_>) -> bool {
        let selected = self.selector.selects(rule).unwrap_or_else(|GaveUp| {
            self.gave_up.add(rule);
            false
        });
        self.touched.selected += u32::from(selected);
        selected
    }

    /// The rule's new text, if it gets one.
    fn edited(&mut self, rule: &Subject<'_>) -> Option<Vec<u8>> {
        let Some(edit) = &self.edit else { return to_drop(rule, rule.text) };
        edit.apply(rule.text).unwrap_or_else(|why| {
            match why {
                Unapplied::GaveUp => self.gave_up.add(rule),
                Unapplied::TooLong => self.too_long.add(rule),
            }
            None
        })
    }

    fn faults(&self) -> Vec<Diagnostic> {
        let rules = |Rules { count, first }: &Rules| format!("{count} rules (first: {first})");
        let longer = "which stay as they were: their text would be longer than";
        let mut said = Vec::new();
        if self.gave_up.count > 0 {
            said.push(format!("the expression gave up on {}; make it simpler", rules(&self.gave_up)));
        }
        if self.too_long.count > 0 {
            let rules = rules(&self.too_long);
            said.push(format!("this line does not change {rules}, {longer} {MAX_RULE_BYTES} bytes"));
        }
        let fault = |message| {
            let mut fault = self.here.clone();
            (fault.message, fault.severity) = (message, Severity::Fault);
            fault
        };
        said.into_iter().map(fault).collect()
    }

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
    if rule.ast.is_some_and(|ast| noalert(ast) || ast.action.is("config")) || &text[..end] == b"drop" {
        return None;
    }
    Some([b"drop", &text[end..]].concat())
}

/// What stands before ` #`.
pub(super) fn without_comment(text: Text<'_>) -> Text<'_> {
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
        lists.judge(&Subject::new(text.as_bytes(), "a.rules", 3, Some(&ast)), commented)
    }

    const RULE: &str = "alert tcp any any -> any any (msg:\"scan\"; sid:1;)";

    #[test]
    fn what_an_operator_says_wins_over_all_lines() {
        let mut lists_ = lists(&[(Kind::Enable, "1"), (Kind::Modify, "1 scan probe"), (Kind::Drop, "1")]);
        lists_.overrule((1, 1), Overrule::Disable);
        assert_eq!(judge(&mut lists_, RULE, false), Fate::Disabled { by: Some(OPERATOR.into()) });
        lists_.overrule((1, 1), Overrule::Action("reject"));
        let text = RULE.replace("alert", "reject").replace("scan", "probe").into_bytes();
        assert_eq!(judge(&mut lists_, RULE, false), Fate::Edited { text, by: OPERATOR.into() });
        let mut commented = lists(&[]);
        commented.overrule((1, 1), Overrule::Action("alert"));
        assert_eq!(judge(&mut commented, RULE, true), Fate::AsWritten);
        let other = RULE.replace("sid:1", "sid:2");
        assert_eq!(judge(&mut commented, &other, true), Fate::Disabled { by: None });
    }

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

    #[test]
    fn a_text_that_edits_make_too_long_stays_as_it_was() {
        let doubling = "* \"a\" \"aaaaaaaaaaaaaaaa\"\n".repeat(12);
        let mut lists = lists(&[(Kind::Modify, &doubling)]);
        let Fate::Edited { text, .. } = judge(&mut lists, RULE, false) else { panic!("not edited") };
        assert!(text.len() > MAX_RULE_BYTES / 16 && text.len() <= MAX_RULE_BYTES, "{}", text.len());
        let (touched, told) = lists.finish();
        let changed = touched.iter().filter(|line| line.changed == 1).count();
        assert_eq!(told.len(), 12 - changed);
        let message = "this line does not change 1 rules (first: a.rules:3), which stay as they were: their text would \
                       be longer than 1048576 bytes";
        assert!(told.iter().all(|d| d.is_fault() && d.message == message), "{told:?}");
        assert_eq!(told[0].line as usize, changed + 1);
    }

    #[test]
    fn an_expression_that_gives_up_is_a_fault_of_its_line() {
        let rule = RULE.replace("scan", &"a".repeat(64));
        let hard = "(?:(a+)+)+\\1(?<=b)";
        let mut lists =
            lists(&[(Kind::Disable, &format!("9\nre:{hard}")), (Kind::Modify, &format!("1 '{hard}' x"))]);
        judge(&mut lists, &rule, false);
        lists.judge(&Subject::new(b"ok", "b.rules", 1, None), false);
        let (_, told) = lists.finish();
        let told: Vec<_> =
            told.iter().map(|d| (d.file.as_str(), d.line, d.is_fault(), d.message.as_str())).collect();
        let message = "the expression gave up on 1 rules (first: a.rules:3); make it simpler";
        assert!(told.contains(&("Disable", 2, true, message)), "{told:?}");
        assert!(told.contains(&("Modify", 1, true, message)), "{told:?}");
    }

    /// As `index` has it, against every line asked of every rule.
    #[test]
    fn ids_that_are_looked_up_select_as_lines_one_by_one_do() {
        let disable = "1:2, 3\nre:scan\n3\n2,2,2\nmulti:2;re:scan\n7:2\n";
        for (gid, sid, selected) in [
            (1, 2, [1, 1, 0, 1, 1, 0]),
            (1, 3, [1, 1, 1, 0, 0, 0]),
            (7, 2, [0, 1, 0, 0, 0, 1]),
            (7, 3, [0, 1, 0, 0, 0, 0]),
        ] {
            let mut lists = lists(&[(Kind::Disable, disable)]);
            let rule = RULE.replace("sid:1;", &format!("gid:{gid}; sid:{sid};"));
            judge(&mut lists, &rule, false);
            let counts: Vec<u32> = lists.finish().0.iter().map(|line| line.selected).collect();
            assert_eq!(counts, selected, "{gid}:{sid}");
        }
    }

    /// As many as a large set and a long list have: asking every line of every rule takes minutes here.
    #[test]
    fn a_long_list_of_ids_is_looked_up() {
        let ids: String = (0..5_000).map(|sid| format!("{}\n", sid * 6)).collect();
        let lists = lists(&[(Kind::Disable, &ids)]);
        let most =
            (0..32_893).map(|sid| lists.index[0].candidates(&Subject { id: Some((1, sid)), ..NONE }).len());
        assert_eq!(most.sum::<usize>(), 5_000);
    }

    const NONE: Subject<'static> = Subject { text: b"", file: "", line: 1, ast: None, id: None };
}
