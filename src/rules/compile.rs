//! Files of rules -> a [`RuleSet`], and every fault found on the way. A rule at fault is left out whole.

use super::config_file::{Classifications, DEFAULT_PRIORITY, References};
use super::diagnostic::Diagnostic;
use super::draft::{Draft, DraftFlowint, DraftFlowintValue};
use super::finish;
use super::flowint::{FlowintOp, FlowintValue};
use super::header::{self, Endpoints};
use super::keyword;
use super::lexer::{Lines, Logical};
use super::parser::{self, RuleAst};
use super::ruleset::{Action, AppCheck, BitAction, Check, FlowbitOp, HostBitOp, Rule, RuleSet, Source};
use super::source::{LineIndex, SourceFile, Span};
use super::text::{Fault, Text, nearest};
use super::vars::Vars;
use crate::base::Generation;
use ahash::{AHashMap, AHashSet};
use std::sync::Arc;

/// Compiles all files into one set. Its generation is 0 until it is published.
pub fn load(
    files: &[SourceFile],
    vars: &Vars,
    classes: &Classifications,
    references: &References,
) -> (RuleSet, Vec<Diagnostic>) {
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
    by_id: AHashMap<(u32, u32), usize>,
    flowbits: Names,
    flowints: Names,
    host_bits: Names,
    shared: finish::Shared,
    /// Unknown classes and reference systems that were warned of.
    told: AHashSet<String>,
    diagnostics: Vec<Diagnostic>,
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
}

impl Place<'_> {
    fn diagnose(&self, fault: Fault, sid: Option<u32>) -> Diagnostic {
        let span = self.line.span_in_file(fault.span);
        Diagnostic::new(self.file, self.index, span, fault, sid)
    }
}

impl Loader<'_> {
    fn file(&mut self, number: u32, file: &SourceFile) {
        let index = file.index();
        for line in Lines::new(&file.bytes) {
            let place = Place { file: &file.name, number, index: &index, line: &line };
            match parser::parse(&line.text) {
                Err(fault) => self.diagnostics.push(place.diagnose(fault, None)),
                Ok(ast) => {
                    if let Err(fault) = self.rule(&ast, &place) {
                        self.diagnostics.push(place.diagnose(fault, ast.sid()));
                    }
                }
            }
        }
    }

    fn rule(&mut self, ast: &RuleAst<'_>, place: &Place<'_>) -> Result<(), Fault> {
        if let Some(demand) = unmet(ast)? {
            let fault = demand.fault("left out: this version does not meet what the rule requires");
            self.diagnostics.push(place.diagnose(fault.keyword("requires"), ast.sid()).warning());
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
            source: Source { file: place.number, line: place.index.line(place.line.start_in_file()) },
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
        if let Some(&index) = self.by_id.get(&id)
            && let Some(old) = self.rules.get_mut(index)
        {
            let (rev, line) = old.as_ref().map_or((0, 0), |old| (old.rev, old.source.line));
            if rule.rev <= rev {
                let message = format!("sid {} is taken by a rule of revision {rev} in line {line}", rule.sid);
                return Err(at.fault(message).keyword("sid").help("give it another sid, or a higher rev"));
            }
            let message =
                format!("revision {} of sid {} replaces revision {rev} of line {line}", rule.rev, rule.sid);
            self.diagnostics.push(place.diagnose(at.fault(message).keyword("sid"), Some(rule.sid)).warning());
            *old = None;
        }
        self.by_id.insert(id, self.rules.len());
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

    fn finish(self, files: &[SourceFile]) -> (RuleSet, Vec<Diagnostic>) {
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
        (set, self.diagnostics)
    }
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
