//! Lines -> rules and faults, each line by itself: what lines mean to each other is for [`merge`](super::merge). Parts of
//! the files are read side by side, each by a reader of its own.

use super::names::{AllNames, Names};
use super::place::{Place, disabled, unreadable};
use super::{Disabled, Why};
use crate::rules::config_file::{Classifications, DEFAULT_PRIORITY, References};
use crate::rules::diagnostic::Diagnostic;
use crate::rules::draft::{Draft, DraftBuffer, DraftFlowint, DraftFlowintValue};
use crate::rules::finish::{self, Pool};
use crate::rules::flowint::{FlowintOp, FlowintValue};
use crate::rules::header::{self, Endpoints};
use crate::rules::keyword;
use crate::rules::lexer::Logical;
use crate::rules::lists::Fate;
use crate::rules::parser::{self, RuleAst};
use crate::rules::ruleset::{BitAction, Check, Context, FlowbitOp, HostBitOp, Rule, Source, Transform};
use crate::rules::source::{LineIndex, SourceFile, Span};
use crate::rules::state::StateTest;
use crate::rules::text::{Fault, Text, nearest};
use crate::rules::vars::Vars;
use ahash::AHashSet;
use std::sync::Arc;

/// What all readers have.
pub(super) struct Common<'a> {
    pub(super) files: &'a [SourceFile],
    /// By file.
    pub(super) indexes: Vec<LineIndex<'a>>,
    pub(super) vars: &'a Vars,
    pub(super) classes: &'a Classifications,
    pub(super) references: &'a References,
    pub(super) pool: Pool,
    pub(super) sets: header::Pool,
}

/// A line to read.
pub(super) struct Line<'a> {
    pub(super) file: u32,
    pub(super) text: Logical<'a>,
    pub(super) fate: Fate,
}

/// What a line came to. A line may come to several, in this order.
pub(super) enum Item<'l> {
    /// To be said once for all lines with this key, or each time.
    Told(Option<String>, Box<Diagnostic>),
    Disabled(Box<Disabled>),
    Rule(Box<Rule>, Written<'l>),
}

/// Where a rule came from, for what is still to be said of it.
pub(super) struct Written<'l> {
    pub(super) line: &'l Line<'l>,
    /// The text that a list made of it, the line and the list.
    pub(super) edited: Option<(Vec<u8>, u32, &'l str)>,
    /// Of its sid's value, or of its action.
    pub(super) sid_at: Span,
}

/// A part of the files, read. Numbers in its rules are those of its own names and chains.
pub(super) struct Part<'l> {
    pub(super) items: Vec<Item<'l>>,
    pub(super) names: AllNames,
    pub(super) transforms: Vec<Box<[Transform]>>,
}

pub(super) struct Reader<'a, 'l> {
    common: &'l Common<'a>,
    endpoints: Endpoints<'l>,
    names: AllNames,
    shared: finish::Shared<'l>,
    /// Unknown classes and reference systems that this reader warned of.
    told: AHashSet<String>,
    items: Vec<Item<'l>>,
}

impl<'a, 'l> Reader<'a, 'l> {
    pub(super) fn read(common: &'l Common<'a>, lines: &'l [Line<'l>]) -> Part<'l> {
        let mut reader = Reader {
            common,
            endpoints: Endpoints::new(common.vars, &common.sets),
            names: AllNames::default(),
            shared: finish::Shared::new(&common.pool),
            told: AHashSet::new(),
            items: Vec::with_capacity(lines.len()),
        };
        lines.iter().for_each(|line| reader.line(line));
        Part { items: reader.items, names: reader.names, transforms: reader.shared.transforms() }
    }

    fn line(&mut self, line: &'l Line<'l>) {
        let number = line.file as usize;
        let (Some(file), Some(index)) = (self.common.files.get(number), self.common.indexes.get(number))
        else {
            return;
        };
        let place = Place { file: &file.name, number: line.file, index, line: &line.text, edited: None };
        match &line.fate {
            Fate::AsWritten => self.parsed(parser::parse(&line.text.text), &place, line, None),
            Fate::Edited { text, by } => self.edited(text.clone(), by, &place, line),
            Fate::Disabled { by } => {
                let why = by.clone().map_or(Why::Commented, Why::List);
                let ast = parser::parse(&line.text.text);
                self.disable(ast.ok().and_then(|ast| disabled(&ast, &place, why)));
            }
        }
    }

    fn parsed(
        &mut self,
        parsed: Result<RuleAst<'_>, Fault>,
        place: &Place<'_>,
        line: &'l Line<'l>,
        edited: Option<(Vec<u8>, u32, &'l str)>,
    ) {
        let ast = match parsed {
            Err(fault) => {
                self.disable(unreadable(place, &fault));
                return self.tell(None, place.diagnose(fault, None));
            }
            Ok(ast) => ast,
        };
        match self.rule(&ast, place) {
            Err(fault) => {
                self.disable(disabled(&ast, place, Why::Refused(fault.message.clone())));
                self.tell(None, place.diagnose(fault, ast.sid()));
            }
            Ok(Some(rule)) => {
                let at = ast.option("sid").map_or(ast.action, |o| o.value.unwrap_or(o.name));
                let written = Written { line, edited, sid_at: at.fault("").span };
                self.items.push(Item::Rule(Box::new(rule), written));
            }
            Ok(None) => {}
        }
    }

    /// A rule with another text than the file's; its faults are shown in that text.
    fn edited(&mut self, text: Vec<u8>, by: &'l str, place: &Place<'_>, line: &'l Line<'l>) {
        let number = place.line_number();
        let alone = SourceFile::new(place.file, text.clone());
        let logical = Logical::alone(text.clone(), line.text.commented);
        let place = Place { index: &alone.index(), line: &logical, edited: Some((number, by)), ..*place };
        self.parsed(parser::parse(&logical.text), &place, line, Some((text, number, by)));
    }

    fn disable(&mut self, disabled: Option<Disabled>) {
        self.items.extend(disabled.map(Box::new).map(Item::Disabled));
    }

    fn tell(&mut self, once: Option<String>, diagnostic: Diagnostic) {
        self.items.push(Item::Told(once, Box::new(diagnostic)));
    }

    fn is_new(&mut self, key: &str) -> bool {
        !self.told.contains(key) && self.told.insert(key.to_owned())
    }

    fn rule(&mut self, ast: &RuleAst<'_>, place: &Place<'_>) -> Result<Option<Rule>, Fault> {
        if let Some(demand) = unmet(ast)? {
            let fault = demand.fault("left out: this version does not meet what the rule requires");
            self.tell(None, place.diagnose(fault.keyword("requires"), ast.sid()).warning());
            self.disable(disabled(ast, place, Why::Requires(demand.lossy().into_owned())));
            return Ok(None);
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
            Fault { span: whole(), message: "the rule has no `sid`".into(), help: None, keyword: None }
                .help("add its number: `sid:1000001;`");
        let sid = draft.sid.ok_or_else(|| missing.keyword("sid"))?;
        if arrow.whole_transaction && draft.app.is_none() {
            let fault =
                ast.direction.fault("`=>` is for transactions, which only application protocols have");
            return Err(fault.keyword("direction").help("write `->`, or the application protocol"));
        }
        check_sizes(&draft)?;
        check_stream(&draft, ast)?;
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
            flowbits: flowbits(&mut self.names.flowbits, &draft.flowbits),
            flowints: draft.flowints.iter().map(|op| flowint(&mut self.names.flowints, op)).collect(),
            threshold: draft.threshold,
            detection_filter: draft.detection_filter,
            suppress: Vec::new(),
            rate_filter: None,
            host_bits: draft
                .host_bits
                .iter()
                .map(|b| HostBitOp {
                    action: b.action,
                    bit: self.names.host_bits.number(&b.name),
                    track: b.track,
                    expire: b.expire,
                })
                .collect(),
            tags: draft.tags,
            target: draft.target,
            bypass: draft.bypass,
            mark_dscp: draft.mark_dscp,
            unlogged: draft.unlogged.is_some(),
            noalert: draft.noalert || ast.action.is("config"),
            alert: draft.alert,
            source: Source { file: place.number, line: place.line_number() },
            text: Arc::from(String::from_utf8_lossy(&place.line.text)),
        };
        if ast.action.is("config") && !rule.unlogged {
            let fault = ast.action.fault("the action is `config`, but the rule has no option `config`");
            return Err(fault.keyword("action").help(
                "for example `config:logging disable, type tx, scope tx;`, or `alert` with `noalert` in place of `config`",
            ));
        }
        if let Some(span) = draft.of_transaction.filter(|_| !rule.is_of_transactions()) {
            return Err(Fault {
                span,
                message: "the rule matches packets, and `track tx` is of a transaction".into(),
                help: Some(
                    "ask for something of a transaction, for example `http.uri; content:\"x\";`".into(),
                ),
                keyword: Some("xbits".into()),
            });
        }
        match draft.unlogged.filter(|_| !rule.is_of_transactions()) {
            Some(span) => Err(Fault {
                span,
                message: "the rule matches packets, and a packet has no record to leave out".into(),
                help: Some(
                    "ask for something of a transaction, for example `dns.query; content:\"x\";`".into(),
                ),
                keyword: Some("config".into()),
            }),
            None => Ok(Some(rule)),
        }
    }

    /// The class's description and priority. An unknown class is warned of once and changes nothing.
    fn class(&mut self, draft: &Draft, place: &Place<'_>, sid: u32) -> (Arc<str>, u32) {
        let Some((name, span)) = &draft.class else {
            return (Arc::from(""), DEFAULT_PRIORITY);
        };
        if let Some(class) = self.common.classes.get(name) {
            return (Arc::clone(&class.description), class.priority);
        }
        let once = format!("class {name}");
        if self.is_new(&once) {
            let fault = Fault {
                span: *span,
                message: format!(
                    "the class `{name}` is not in classification.config; priority {DEFAULT_PRIORITY}"
                ),
                help: nearest(name, self.common.classes.names())
                    .map(|near| format!("did you mean `{near}`?")),
                keyword: Some("classtype".into()),
            };
            self.tell(Some(once), place.diagnose(fault, Some(sid)).warning());
        }
        (Arc::from(""), DEFAULT_PRIORITY)
    }

    fn check_references(&mut self, draft: &Draft, ast: &RuleAst<'_>, place: &Place<'_>, sid: u32) {
        for (system, _) in &draft.references {
            let once = format!("reference {system}");
            if self.common.references.prefix(system).is_none() && self.is_new(&once) {
                let at = ast.options.iter().filter(|o| o.name.is("reference")).filter_map(|o| o.value);
                let at = at.map(|v| v.split_once(b',').map_or(v, |(name, _)| name));
                let at: Option<Text<'_>> = at.clone().find(|t| t.lossy().eq_ignore_ascii_case(system));
                let message = format!("the reference system `{system}` is not in reference.config");
                let fault = at.unwrap_or(ast.action).fault(message).keyword("reference");
                self.tell(Some(once), place.diagnose(fault, Some(sid)).warning());
            }
        }
    }
}

fn flowbits(names: &mut Names, ops: &[(BitAction, Vec<String>)]) -> Box<[FlowbitOp]> {
    let op = |(action, bits): &(BitAction, Vec<String>)| FlowbitOp {
        action: *action,
        bits: bits.iter().map(|bit| names.number(bit)).collect(),
    };
    ops.iter().map(op).collect()
}

/// The size of a packet says nothing of what decoders make of its stream.
fn check_sizes(draft: &Draft) -> Result<(), Fault> {
    let sized = draft.checks.iter().any(|check| matches!(check, Check::PayloadSize(_)));
    let of_decoder =
        |buffer: &&DraftBuffer| matches!(buffer.context, Context::App(_)) && !buffer.steps.is_empty();
    match draft.buffers.iter().any(|buffer| of_decoder(&buffer)) && sized {
        true => Err(Fault {
            span: draft.needs_packet_at,
            message:
                "`dsize` is the size of one packet's payload, and another buffer here is of a transaction"
                    .into(),
            help: Some("`bsize` behind the buffer compares its own length".into()),
            keyword: Some("dsize".into()),
        }),
        false => Ok(()),
    }
}

/// Only TCP has streams.
fn check_stream(draft: &Draft, ast: &RuleAst<'_>) -> Result<(), Fault> {
    use crate::rules::ruleset::RuleProtocol as P;
    let streams = matches!(
        draft.protocol,
        P::Tcp | P::TcpStream | P::TcpPacket | P::TcpOrUdp | P::Ip | P::Ipv4 | P::Ipv6 | P::Packet
    );
    let asks = draft.flow.and_then(|flow| flow.stream) == Some(true);
    match ast.option("flow").and_then(|option| option.value).filter(|_| asks && !streams) {
        Some(value) => Err(value
            .fault("`only_stream` is of TCP, which this rule's protocol is not carried by")
            .keyword("flow")
            .help("leave it out: a datagram is looked at as it is")),
        None => Ok(()),
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
        Some(_) if hook.bytes.starts_with(b"<") => {
            let fault = hook.sub(0, 1).fault("`<` in front of a state is of firewall rules");
            return Err(fault.keyword("protocol").help("take it out, or ask with `app-layer-state:<STATE`"));
        }
        Some(_) => draft.ask_state(hook, StateTest::Reached).map_err(|fault| fault.keyword("protocol"))?,
        None if hook.is("flow_start") => draft.packet_check(Check::FlowStart),
        None if hook.is("all") => {}
        None if hook.is("pre_flow") || hook.is("pre_stream") => {
            let fault = hook.fault(format!("`{}` is of firewall rules", hook.lossy()));
            return Err(fault.keyword("protocol").help("the filters of an interface look at packets first"));
        }
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
