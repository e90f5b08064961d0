//! A rule while its keywords are being read. What a keyword says lands here; [`compile`](super::compile) makes the rule of it.

use super::ruleset::{
    BitAction, Check, Content, Context, FlowMatch, HostBitTrack, MAX_VARIABLES, Operand, PcreFlags,
    RuleProtocol, Step, Tag, Target, Threshold,
};
use super::source::Span;
use super::text::{Fault, Text, nearest};
use std::time::Duration;

#[derive(Debug)]
pub struct Draft {
    pub protocol: RuleProtocol,
    pub gid: Option<u32>,
    pub sid: Option<u32>,
    pub rev: Option<u32>,
    pub msg: Option<String>,
    pub class: Option<(String, Span)>,
    pub priority: Option<u32>,
    pub references: Vec<(String, String)>,
    pub metadata: Vec<(String, String)>,
    pub target: Option<Target>,
    pub flow: Option<FlowMatch>,
    pub checks: Vec<Check>,
    /// A keyword that only a packet can answer.
    pub needs_packet: bool,
    pub buffers: Vec<DraftBuffer>,
    /// The buffer that the next content looks into.
    current: Option<usize>,
    /// Names given by `byte_extract` and `byte_math`; an [`Operand::Variable`] is an index.
    pub variables: Vec<String>,
    pub flowbits: Vec<(BitAction, Vec<String>)>,
    pub host_bits: Vec<DraftHostBit>,
    pub threshold: Option<Threshold>,
    pub detection_filter: Option<Threshold>,
    pub tags: Vec<Tag>,
    pub noalert: bool,
    pub alert: bool,
    pub bypass: bool,
}

#[derive(Debug)]
pub struct DraftBuffer {
    pub context: Context,
    pub steps: Vec<DraftStep>,
    /// The sticky buffer's name in the rule; of length 0 for the payload nobody named.
    pub span: Span,
}

#[derive(Debug)]
pub enum DraftStep {
    Content(DraftContent),
    Pcre(DraftPcre),
    Other(Step),
}

#[derive(Debug)]
pub struct DraftContent {
    pub content: Content,
    pub span: Span,
    pub starts_with: bool,
    pub fast_pattern: Option<FastChoice>,
}

/// What `fast_pattern` asked for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct FastChoice {
    pub chop: Option<(u16, u16)>,
    pub only: bool,
}

#[derive(Debug)]
pub struct DraftPcre {
    pub expression: String,
    pub flags: PcreFlags,
    pub negated: bool,
    pub relative: bool,
    /// `/O`: without the limits on backtracking.
    pub unlimited: bool,
    pub span: Span,
}

#[derive(Debug)]
pub struct DraftHostBit {
    pub action: BitAction,
    pub name: String,
    pub track: HostBitTrack,
    pub expire: Duration,
}

impl Draft {
    pub fn new(protocol: RuleProtocol) -> Draft {
        Draft {
            protocol,
            gid: None,
            sid: None,
            rev: None,
            msg: None,
            class: None,
            priority: None,
            references: Vec::new(),
            metadata: Vec::new(),
            target: None,
            flow: None,
            checks: Vec::new(),
            needs_packet: false,
            buffers: Vec::new(),
            current: None,
            variables: Vec::new(),
            flowbits: Vec::new(),
            host_bits: Vec::new(),
            threshold: None,
            detection_filter: None,
            tags: Vec::new(),
            noalert: false,
            alert: false,
            bypass: false,
        }
    }

    /// A check of the packet itself: the rule then looks at packets, not at streams.
    pub fn packet_check(&mut self, check: Check) {
        self.needs_packet = true;
        self.checks.push(check);
    }

    /// Turns to a sticky buffer. A context named again goes on where it was, but for those of many instances.
    pub fn enter(&mut self, name: Text<'_>, context: Context) -> Result<(), Fault> {
        self.close_buffer()?;
        let many = context == Context::SctpChunkData;
        let found = self.buffers.iter().position(|b| b.context == context && !many);
        self.current = Some(found.unwrap_or_else(|| {
            self.buffers.push(DraftBuffer { context, steps: Vec::new(), span: name.span() });
            self.buffers.len() - 1
        }));
        Ok(())
    }

    /// A sticky buffer that nothing looks into is a slip: its content stands before it.
    pub fn close_buffer(&self) -> Result<(), Fault> {
        let open = self.current.and_then(|at| self.buffers.get(at));
        match open.filter(|b| b.steps.is_empty() && b.context != Context::Payload) {
            Some(empty) => Err(Fault {
                span: empty.span,
                message: "nothing looks into this sticky buffer".into(),
                help: Some("a sticky buffer stands before the contents that look into it".into()),
                keyword: None,
            }),
            None => Ok(()),
        }
    }

    pub fn context(&self) -> Context {
        self.current.and_then(|at| self.buffers.get(at)).map_or(Context::Payload, |b| b.context)
    }

    /// The steps of the buffer in force; the payload's when none was named.
    pub fn steps(&mut self) -> &mut Vec<DraftStep> {
        let at = self.current.unwrap_or_else(|| {
            self.buffers.push(DraftBuffer {
                context: Context::Payload,
                steps: Vec::new(),
                span: Span::default(),
            });
            self.buffers.len() - 1
        });
        self.current = Some(at);
        &mut self.buffers[at].steps
    }

    pub fn step(&mut self, step: Step) {
        self.steps().push(DraftStep::Other(step));
    }

    /// The content that a modifier speaks of.
    pub fn last_content(&mut self, modifier: Text<'_>) -> Result<&mut DraftContent, Fault> {
        let last = self.steps().iter_mut().rev().find_map(|step| match step {
            DraftStep::Content(content) => Some(content),
            _ => None,
        });
        let message = || format!("`{}` needs a content before it", modifier.lossy());
        last.ok_or_else(|| modifier.fault(message()))
    }

    /// A number, or a variable that an earlier keyword defined.
    pub fn operand(&self, text: Text<'_>, max: i64) -> Result<Operand, Fault> {
        if !text.bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
            return super::number::signed(text, max).map(Operand::Value);
        }
        let name = text.lossy();
        if let Some(at) = self.variables.iter().position(|v| *v == name) {
            return Ok(Operand::Variable(at as u8));
        }
        let fault = text.fault(format!("no byte_extract or byte_math before this defines `{name}`"));
        Err(match nearest(&name, self.variables.iter().map(String::as_str)) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault,
        })
    }

    /// A variable's number; a name defined again is the same variable.
    pub fn define(&mut self, name: Text<'_>) -> Result<u8, Fault> {
        if !name.bytes.first().is_some_and(u8::is_ascii_alphabetic) {
            return Err(name.fault("a variable's name begins with a letter"));
        }
        let text = name.lossy();
        if let Some(at) = self.variables.iter().position(|v| *v == text) {
            return Ok(at as u8);
        }
        if self.variables.len() >= MAX_VARIABLES {
            return Err(name.fault(format!("a rule may define at most {MAX_VARIABLES} variables")));
        }
        self.variables.push(text.into_owned());
        Ok((self.variables.len() - 1) as u8)
    }
}
