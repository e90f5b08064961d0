//! Files of rules -> a [`RuleSet`], and every fault found on the way. A rule at fault is left out whole.

use super::config_file::{Classifications, DEFAULT_PRIORITY, References};
use super::diagnostic::Diagnostic;
use super::draft::{Draft, DraftFlowint, DraftFlowintValue};
use super::finish;
use super::flowint::{FlowintOp, FlowintValue};
use super::header::{self, Endpoints};
use super::keyword;
use super::lexer::{Lines, Logical};
use super::lists::{Fate, Lists, Subject, Touched, id_of};
use super::parser::{self, RuleAst};
use super::ruleset::{Action, AppCheck, BitAction, Check, FlowbitOp, HostBitOp, Rule, RuleSet, Source};
use super::source::{LineIndex, SourceFile, Span};
use super::text::{Fault, Text, nearest};
use super::vars::Vars;
use crate::base::Generation;
use ahash::{AHashMap, AHashSet};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Compiles all files into one set. Its generation is 0 until it is published.
pub fn load(
    files: &[SourceFile],
    vars: &Vars,
    classes: &Classifications,
    references: &References,
) -> (RuleSet, Vec<Diagnostic>) {
    let loading = load_listed(files, vars, classes, references, Lists::default());
    (loading.rules, loading.diagnostics)
}

/// A set, and what was found and left out on the way to it.
#[derive(Debug)]
pub struct Loading {
    pub rules: RuleSet,
    pub diagnostics: Vec<Diagnostic>,
    /// In the order of the files.
    pub disabled: Vec<Disabled>,
    /// What each line of the lists came to.
    pub touched: Vec<Touched>,
}

/// A rule that is in the files and not in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Disabled {
    pub gid: u32,
    pub sid: u32,
    pub rev: u32,
    pub action: String,
    pub protocol: String,
    pub msg: String,
    pub source: Source,
    pub why: Why,
    pub text: Arc<str>,
}

/// Why a rule of the files is not in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    Commented,
    /// By a line, `file:line`.
    List(String),
    /// It `requires` this, which is not met.
    Requires(String),
    /// The fault.
    Refused(String),
}

/// As [`load`], with lists that say which rules are loaded and as what.
pub fn load_listed(
    files: &[SourceFile],
    vars: &Vars,
    classes: &Classifications,
    references: &References,
    lists: Lists,
) -> Loading {
    let mut loader = Loader {
        classes,
        references,
        endpoints: Endpoints::new(vars),
        rules: Vec::new(),
        by_id: AHashMap::new(),
        flowbits: Names::default(),
        flowints: Names::default(),
        shared: finish::Shared::default(),
        host_bits: Names::default(),
        told: AHashSet::new(),
        diagnostics: Vec::new(),
        lists,
        disabled: Vec::new(),
        names: files.iter().map(|file| file.name.as_str()).collect(),
    };
    for (number, file) in files.iter().enumerate() {
        loader.file(number as u32, file);
    }
    loader.finish(files)
}

struct Loader<'a> {
    classes: &'a Classifications,
    references: &'a References,
    endpoints: Endpoints<'a>,
    /// A rule that a newer one replaced is `None`.
    rules: Vec<Option<Rule>>,
    /// Where among them, and whether a list enabled it out of a comment.
    by_id: AHashMap<(u32, u32), (usize, bool)>,
    flowbits: Names,
    flowints: Names,
    host_bits: Names,
    shared: finish::Shared,
    /// Unknown classes and reference systems that were warned of.
    told: AHashSet<String>,
    diagnostics: Vec<Diagnostic>,
    lists: Lists,
    disabled: Vec<Disabled>,
    /// Of the files.
    names: Vec<&'a str>,
}

/// Names numbered in the order of their first use.
#[derive(Default)]
struct Names {
    numbers: AHashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }
}

/// Where a rule is being read.
struct Place<'a> {
    file: &'a str,
    number: u32,
    index: &'a LineIndex<'a>,
    line: &'a Logical<'a>,
    /// Of a rule that a list changed, whose text is no longer the file's: its line, and the list's.
    edited: Option<(u32, &'a str)>,
}

impl Place<'_> {
    fn diagnose(&self, mut fault: Fault, sid: Option<u32>) -> Diagnostic {
        let span = self.line.span_in_file(fault.span);
        let Some((line, by)) = self.edited else {
            return Diagnostic::new(self.file, self.index, span, fault, sid);
        };
        fault.message = format!("{} (the rule is as {by} made it)", fault.message);
        let mut diagnostic = Diagnostic::new(self.file, self.index, span, fault, sid);
        diagnostic.line = line;
        diagnostic
    }

    /// In the file.
    fn line_number(&self) -> u32 {
        self.edited.map_or_else(|| self.index.line(self.line.start_in_file()), |(line, _)| line)
    }
}

impl Loader<'_> {
    fn file(&mut self, number: u32, file: &SourceFile) {
        let index = file.index();
        for line in Lines::new(&file.bytes).with_commented() {
            let place = Place { file: &file.name, number, index: &index, line: &line, edited: None };
            let parsed = parser::parse(&line.text);
            let ast = parsed.as_ref().ok();
            // Prose may begin with an action too.
            if line.commented && ast.and_then(id_of).is_none() {
                continue;
            }
            let subject = Subject::new(&line.text, &file.name, place.line_number(), ast);
            match self.lists.judge(&subject, line.commented) {
                Fate::AsWritten => self.parsed(parsed, &place),
                Fate::Edited { text, by } => self.edited(text, &by, &place),
                Fate::Disabled { by } => {
                    let why = by.map_or(Why::Commented, Why::List);
                    self.disabled.extend(ast.and_then(|ast| disabled(ast, &place, why)));
                }
            }
        }
    }

    fn parsed(&mut self, parsed: Result<RuleAst<'_>, Fault>, place: &Place<'_>) {
        match parsed {
            Err(fault) => {
                self.disabled.extend(unreadable(place, &fault));
                self.diagnostics.push(place.diagnose(fault, None));
            }
            Ok(ast) => {
                if let Err(fault) = self.rule(&ast, place) {
                    self.disabled.extend(disabled(&ast, place, Why::Refused(fault.message.clone())));
                    self.diagnostics.push(place.diagnose(fault, ast.sid()));
                }
            }
        }
    }

    /// A rule with another text than the file's; its faults are shown in that text.
    fn edited(&mut self, text: Vec<u8>, by: &str, place: &Place<'_>) {
        let alone = SourceFile::new(place.file, text.clone());
        let line = Logical::alone(text, place.line.commented);
        let edited = Some((place.line_number(), by));
        let place = Place { index: &alone.index(), line: &line, edited, ..*place };
        self.parsed(parser::parse(&line.text), &place);
    }

    fn rule(&mut self, ast: &RuleAst<'_>, place: &Place<'_>) -> Result<(), Fault> {
        if let Some(demand) = unmet(ast)? {
            let fault = demand.fault("left out: this version does not meet what the rule requires");
            self.diagnostics.push(place.diagnose(fault.keyword("requires"), ast.sid()).warning());
            self.disabled.extend(disabled(ast, place, Why::Requires(demand.lossy().into_owned())));
            return Ok(());
        }
        let action = header::action(ast.action)?;
        let word = header::protocol(ast.protocol)?;
        let arrow = header::direction(ast.direction)?;
        let src = self.endpoints.source(ast)?;
        let dst = self.endpoints.destination(ast)?;
        let mut draft = Draft::new(word.protocol);
        draft.app = word.app;
        hook(&mut draft, word.hook)?;
        for option in &ast.options {
            keyword::apply(&mut draft, option)?;
        }
        let whole = || Span::new(0, ast.action.bytes.len());
        let missing =
            Fault { span: whole(), message: "the rule has no `sid`".into(), help: None, keyword: None };
        let sid = draft.sid.ok_or_else(|| missing.keyword("sid"))?;
        if arrow.whole_transaction && draft.app.is_none() {
            let fault =
                ast.direction.fault("`=>` is for transactions, which only application protocols have");
            return Err(fault.keyword("direction").help("write `->`, or the application protocol"));
        }
        let matching = finish::finish(&mut draft, arrow.whole_transaction, &mut self.shared)?;
        let (category, class_priority) = self.class(&draft, place, sid);
        self.check_references(&draft, ast, place, sid);
        let rule = Rule {
            gid: draft.gid.unwrap_or(1),
            sid,
            rev: draft.rev.unwrap_or(0),
            action,
            msg: draft.msg.unwrap_or_default(),
            category,
            priority: draft.priority.unwrap_or(class_priority),
            references: draft.references.iter().map(|pair| self.shared.pair(pair)).collect(),
            metadata: draft.metadata.iter().map(|pair| self.shared.pair(pair)).collect(),
            protocol: word.protocol,
            app: draft.app.unwrap_or_default(),
            src,
            dst,
            both_ways: arrow.both_ways,
            whole_transaction: arrow.whole_transaction,
            flow: draft.flow.unwrap_or_default(),
            checks: draft.checks.into(),
            scope: matching.scope,
            buffers: matching.buffers,
            fast_pattern: matching.fast_pattern,
            flowbits: Self::flowbits(&mut self.flowbits, &draft.flowbits),
            flowints: draft.flowints.iter().map(|op| flowint(&mut self.flowints, op)).collect(),
            threshold: draft.threshold,
            detection_filter: draft.detection_filter,
            suppress: Vec::new(),
            rate_filter: None,
            host_bits: draft
                .host_bits
                .iter()
                .map(|b| HostBitOp {
                    action: b.action,
                    bit: self.host_bits.number(&b.name),
                    track: b.track,
                    expire: b.expire,
                })
                .collect(),
            tags: draft.tags,
            target: draft.target,
            bypass: draft.bypass,
            noalert: draft.noalert,
            alert: draft.alert,
            source: Source { file: place.number, line: place.line_number() },
            text: Arc::from(String::from_utf8_lossy(&place.line.text)),
        };
        self.add(rule, ast, place)
    }

    fn flowbits(names: &mut Names, ops: &[(BitAction, Vec<String>)]) -> Box<[FlowbitOp]> {
        let op = |(action, bits): &(BitAction, Vec<String>)| FlowbitOp {
            action: *action,
            bits: bits.iter().map(|bit| names.number(bit)).collect(),
        };
        ops.iter().map(op).collect()
    }

    /// Of two rules with one number the higher revision stays.
    fn add(&mut self, rule: Rule, ast: &RuleAst<'_>, place: &Place<'_>) -> Result<(), Fault> {
        let id = (rule.gid, rule.sid);
        let at = ast.option("sid").map_or(ast.action, |o| o.value.unwrap_or(o.name));
        if let Some(&(index, commented)) = self.by_id.get(&id)
            && let Some(old) = self.rules.get_mut(index)
        {
            let (rev, source) = old.as_ref().map_or((0, rule.source), |old| (old.rev, old.source));
            let other = self.names.get(source.file as usize).filter(|_| source.file != place.number);
            let there = other.map_or_else(String::new, |file| format!(" of {file}"));
            let (sid, line) = (rule.sid, source.line);
            // Of a rule and its commented self that a list enables the living one stays, wherever it stands.
            let revived = commented && !place.line.commented;
            if rule.rev < rev || (rule.rev == rev && !revived) {
                let message = format!("sid {sid} is taken by a rule of revision {rev} in line {line}{there}");
                let fault = at.fault(message).keyword("sid");
                if place.line.commented {
                    // Enabled beside its living self: nothing is lost.
                    self.diagnostics.push(place.diagnose(fault, Some(sid)).warning());
                    return Ok(());
                }
                return Err(fault.help("give it another sid, or a higher rev"));
            }
            let message = match rule.rev == rev {
                true => format!("sid {sid} replaces itself of line {line}{there}, which is commented out"),
                false => format!(
                    "revision {} of sid {sid} replaces revision {rev} of line {line}{there}",
                    rule.rev
                ),
            };
            self.diagnostics.push(place.diagnose(at.fault(message).keyword("sid"), Some(rule.sid)).warning());
            *old = None;
        }
        self.by_id.insert(id, (self.rules.len(), place.line.commented));
        self.rules.push(Some(rule));
        Ok(())
    }

    /// The class's description and priority. An unknown class is warned of once and changes nothing.
    fn class(&mut self, draft: &Draft, place: &Place<'_>, sid: u32) -> (Arc<str>, u32) {
        let Some((name, span)) = &draft.class else {
            return (Arc::from(""), DEFAULT_PRIORITY);
        };
        if let Some(class) = self.classes.get(name) {
            return (Arc::clone(&class.description), class.priority);
        }
        if self.told.insert(format!("class {name}")) {
            let fault = Fault {
                span: *span,
                message: format!(
                    "the class `{name}` is not in classification.config; priority {DEFAULT_PRIORITY}"
                ),
                help: nearest(name, self.classes.names()).map(|near| format!("did you mean `{near}`?")),
                keyword: Some("classtype".into()),
            };
            self.diagnostics.push(place.diagnose(fault, Some(sid)).warning());
        }
        (Arc::from(""), DEFAULT_PRIORITY)
    }

    fn check_references(&mut self, draft: &Draft, ast: &RuleAst<'_>, place: &Place<'_>, sid: u32) {
        for (system, _) in &draft.references {
            if self.references.prefix(system).is_none() && self.told.insert(format!("reference {system}")) {
                let at = ast.options.iter().filter(|o| o.name.is("reference")).filter_map(|o| o.value);
                let at = at.map(|v| v.split_once(b',').map_or(v, |(name, _)| name));
                let at: Option<Text<'_>> = at.clone().find(|t| t.lossy().eq_ignore_ascii_case(system));
                let message = format!("the reference system `{system}` is not in reference.config");
                let fault = at.unwrap_or(ast.action).fault(message).keyword("reference");
                self.diagnostics.push(place.diagnose(fault, Some(sid)).warning());
            }
        }
    }

    fn finish(mut self, files: &[SourceFile]) -> Loading {
        let mut rules: Vec<Rule> = self.rules.into_iter().flatten().collect();
        // Stable: rules that tie stay as loaded.
        rules.sort_by_key(|rule| {
            (action_rank(rule.action), flowbit_rank(rule), flowint_rank(rule), rule.priority)
        });
        let set = RuleSet {
            generation: Generation::default(),
            rules: rules.into(),
            flowbits: self.flowbits.names,
            flowints: self.flowints.names,
            transforms: self.shared.transforms(),
            host_bits: self.host_bits.names,
            files: files.iter().map(|file| file.name.clone()).collect(),
        };
        let (touched, told) = self.lists.finish();
        self.diagnostics.extend(told);
        Loading { rules: set, diagnostics: self.diagnostics, disabled: self.disabled, touched }
    }
}

/// Of a rule that cannot be read, what can be found in it without.
fn unreadable(place: &Place<'_>, fault: &Fault) -> Option<Disabled> {
    let text = String::from_utf8_lossy(&place.line.text);
    let number = |name: &str| {
        let starts = text.match_indices(name).map(|(at, _)| at);
        let mut whole =
            starts.filter(|at| text[..*at].ends_with(|c: char| c == ';' || c == '(' || c.is_whitespace()));
        let digits = text[whole.next()? + name.len()..].trim_start();
        digits[..digits.bytes().take_while(u8::is_ascii_digit).count()].parse::<u32>().ok()
    };
    let mut words = text.split_ascii_whitespace().map(str::to_owned);
    Some(Disabled {
        gid: number("gid:").unwrap_or(1),
        sid: number("sid:")?,
        rev: number("rev:").unwrap_or(0),
        action: words.next().unwrap_or_default(),
        protocol: words.next().unwrap_or_default(),
        msg: String::new(),
        source: Source { file: place.number, line: place.line_number() },
        why: Why::Refused(fault.message.clone()),
        text: Arc::from(&*text),
    })
}

fn disabled(ast: &RuleAst<'_>, place: &Place<'_>, why: Why) -> Option<Disabled> {
    let (gid, sid) = id_of(ast)?;
    let value = |name| ast.option(name).and_then(|option| option.value);
    Some(Disabled {
        gid,
        sid,
        rev: value("rev").and_then(|rev| rev.ascii().parse().ok()).unwrap_or(0),
        action: ast.action.lossy().into_owned(),
        protocol: ast.protocol.lossy().into_owned(),
        msg: value("msg").map_or_else(String::new, |msg| msg.unquoted().lossy().into_owned()),
        source: Source { file: place.number, line: place.line_number() },
        why,
        text: Arc::from(String::from_utf8_lossy(&place.line.text)),
    })
}

/// What the rule requires and does not get.
fn unmet<'a>(ast: &RuleAst<'a>) -> Result<Option<Text<'a>>, Fault> {
    for option in ast.options.iter().filter(|option| option.name.is("requires")) {
        let value = option.value.unwrap_or(option.name);
        if keyword::unmet(value).map_err(|fault| fault.keyword("requires"))?.is_some() {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// When the rule is looked at: `tcp:flow_start`, `tls:client_hello_done`.
fn hook(draft: &mut Draft, hook: Option<Text<'_>>) -> Result<(), Fault> {
    let Some(hook) = hook else { return Ok(()) };
    match draft.app {
        Some(_) => {
            let name = keyword::hook_name(hook).map_err(|fault| fault.keyword("protocol"))?;
            draft.app_check(AppCheck::State { name, order: std::cmp::Ordering::Equal });
        }
        None if hook.is("flow_start") => draft.packet_check(Check::FlowStart),
        None if hook.is("all") => {}
        None => {
            let fault = hook.fault(format!("`{}` is no moment of a packet", hook.lossy()));
            return Err(fault.keyword("protocol").help("`flow_start` or `all`"));
        }
    }
    Ok(())
}

fn flowint(names: &mut Names, op: &DraftFlowint) -> FlowintOp {
    let value = match &op.value {
        DraftFlowintValue::Number(number) => FlowintValue::Number(*number),
        DraftFlowintValue::Counter(name) => FlowintValue::Counter(names.number(name)),
    };
    FlowintOp { counter: names.number(&op.name), verb: op.verb, value }
}

fn action_rank(action: Action) -> u8 {
    match action {
        Action::Pass => 0,
        Action::Drop => 1,
        Action::Reject(_) => 2,
        Action::Alert => 3,
    }
}

/// Who sets bits comes before who asks for them.
fn flowbit_rank(rule: &Rule) -> u8 {
    let asks = |op: &FlowbitOp| matches!(op.action, BitAction::IsSet | BitAction::IsNotSet);
    writer_first(rule.flowbits.iter().any(|op| !asks(op)), rule.flowbits.iter().any(asks))
}

/// The same for numbers.
fn flowint_rank(rule: &Rule) -> u8 {
    let acts = |op: &FlowintOp| op.verb.acts();
    writer_first(rule.flowints.iter().any(acts), rule.flowints.iter().any(|op| !acts(op)))
}

fn writer_first(writes: bool, reads: bool) -> u8 {
    match (writes, reads) {
        (true, false) => 0,
        (true, true) => 1,
        (false, true) => 2,
        (false, false) => 3,
    }
}

#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
