//! A rule while its keywords are being read. What a keyword says lands here; [`compile`](super::compile) makes the rule of it.

use super::app::Protos;
use super::flowint::FlowintVerb;
use super::ruleset::{
    Absence, AppCheck, BitAction, BufferId, Capture, Check, Content, Context, FlowMatch, HostBitTrack,
    MAX_VARIABLES, Operand, PcreFlags, RuleProtocol, Step, Tag, Target, Threshold, Transform,
};
use super::source::Span;
use super::state::{self, StateTest};
use super::text::{Fault, Text, nearest};
use crate::base::Dir;
use std::time::Duration;

#[derive(Debug)]
pub struct Draft {
    pub protocol: RuleProtocol,
    /// Application protocols that all keywords so far allow; `None` while none says anything.
    pub app: Option<Protos>,
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
    /// Directions whose state the rule asks for, and where.
    pub states: Vec<(Dir, Span)>,
    /// A keyword that only a packet can answer.
    pub needs_packet: bool,
    /// The first such, for faults.
    pub needs_packet_at: Span,
    pub buffers: Vec<DraftBuffer>,
    /// Of all buffers.
    steps: usize,
    /// What the next step belongs to.
    current: Aim,
    /// The content that the next modifier speaks of: whose step, and which.
    last: Option<(Aim, usize)>,
    /// Where the last step went.
    latest: Aim,
    /// Names given by `byte_extract` and `byte_math`; an [`Operand::Variable`] is an index.
    pub variables: Vec<String>,
    pub flowbits: Vec<(BitAction, Vec<String>)>,
    pub flowints: Vec<DraftFlowint>,
    pub host_bits: Vec<DraftHostBit>,
    pub threshold: Option<Threshold>,
    pub detection_filter: Option<Threshold>,
    pub tags: Vec<Tag>,
    pub noalert: bool,
    pub alert: bool,
    pub bypass: bool,
    pub mark_dscp: Option<u8>,
    /// `config`, and where it stands.
    pub unlogged: Option<Span>,
    /// A bit of the transaction, and where it stands.
    pub of_transaction: Option<Span>,
}

#[derive(Debug)]
pub struct DraftBuffer {
    pub context: Context,
    pub transforms: Vec<Transform>,
    pub absence: Absence,
    /// The direction that the rule wants of a buffer that both have.
    pub dir: Option<Dir>,
    /// A keyword that is no step looks into it.
    pub used: bool,
    pub steps: Vec<DraftStep>,
    /// The sticky buffer's name in the rule; of length 0 for the payload nobody named.
    pub span: Span,
}

#[derive(Debug)]
pub enum DraftStep {
    Content(DraftContent),
    Pcre(DraftPcre),
    Base64(DraftBase64),
    Other(Step),
}

/// `base64_decode`, and what stands behind `base64_data`.
#[derive(Debug)]
pub struct DraftBase64 {
    pub bytes: Option<u32>,
    pub offset: u32,
    pub relative: bool,
    pub steps: Vec<DraftStep>,
    pub span: Span,
}

/// Whose steps are being read.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Aim {
    /// The payload, which no keyword has named.
    #[default]
    Unnamed,
    Buffer(usize),
    /// What a step of a buffer decodes.
    Decoded(usize, usize),
}

#[derive(Debug)]
pub struct DraftFlowint {
    pub name: String,
    pub verb: FlowintVerb,
    pub value: DraftFlowintValue,
}

#[derive(Debug)]
pub enum DraftFlowintValue {
    Number(u32),
    Counter(String),
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
    pub captures: Vec<Capture>,
    pub span: Span,
}

#[derive(Debug)]
pub struct DraftHostBit {
    pub action: BitAction,
    pub name: String,
    pub track: HostBitTrack,
    pub expire: Duration,
}

/// Steps of one rule over all its buffers, and its buffers: a fast pattern names its place by 16
/// bits each.
pub const MAX_STEPS: usize = 1024;
pub const MAX_BUFFERS: usize = 256;

/// Transformations of one buffer, each of which reads and writes all of it.
pub const MAX_TRANSFORMS: usize = 16;

fn outside(keyword: Text<'_>) -> Fault {
    keyword
        .fault(format!("`{}` stands behind a sticky buffer", keyword.lossy()))
        .help("name the buffer first, for example `http.uri;`")
}

impl Draft {
    pub fn new(protocol: RuleProtocol) -> Draft {
        Draft {
            protocol,
            app: None,
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
            states: Vec::new(),
            needs_packet: false,
            needs_packet_at: Span::default(),
            buffers: Vec::new(),
            steps: 0,
            current: Aim::Unnamed,
            last: None,
            latest: Aim::Unnamed,
            variables: Vec::new(),
            flowbits: Vec::new(),
            flowints: Vec::new(),
            host_bits: Vec::new(),
            threshold: None,
            detection_filter: None,
            tags: Vec::new(),
            noalert: false,
            alert: false,
            bypass: false,
            mark_dscp: None,
            unlogged: None,
            of_transaction: None,
        }
    }

    /// Refuses the keyword that makes the rule larger than a rule may be.
    pub fn check_size(&self, keyword: Text<'_>) -> Result<(), Fault> {
        let limits = [(self.steps, MAX_STEPS, "steps"), (self.buffers.len(), MAX_BUFFERS, "buffers")];
        match limits.into_iter().find(|(count, max, _)| count > max) {
            Some((_, max, what)) => Err(keyword
                .fault(format!("a rule has at most {max} {what}, and this is one more"))
                .help("make two rules of it, joined by flowbits")),
            None => Ok(()),
        }
    }

    /// A check of the packet itself: the rule then looks at packets, not at streams.
    pub fn packet_check(&mut self, check: Check) {
        self.needs_packet = true;
        self.checks.push(check);
    }

    /// A check of what a decoder finds in these protocols.
    pub fn app_check(&mut self, check: AppCheck) {
        self.checks.push(Check::App(Box::new(check)));
    }

    /// Asks how far a transaction of the rule's protocols is, of those among them that have the state.
    pub fn ask_state(&mut self, name: Text<'_>, test: StateTest) -> Result<(), Fault> {
        let having = state::find(self.app.unwrap_or_default(), name)?;
        self.require(having, name)?;
        self.states.extend(state::direction(having, name.ascii()).map(|dir| (dir, name.span())));
        self.app_check(AppCheck::State { name: name.ascii().into(), test });
        Ok(())
    }

    /// Narrows the protocols that the session may have.
    pub fn require(&mut self, protos: Protos, at: Text<'_>) -> Result<(), Fault> {
        let both = self.app.map_or(protos, |known| known.and(protos));
        if both.is_empty() {
            let known = self.app.unwrap_or_default();
            return Err(at
                .fault(format!(
                    "`{}` is of {}, but the rule is for {}",
                    at.lossy(),
                    protos.label(),
                    known.label()
                ))
                .help("a session has one application protocol: write a rule for each"));
        }
        let carriers = both.carriers();
        let carried = match self.protocol {
            RuleProtocol::Tcp | RuleProtocol::TcpPacket | RuleProtocol::TcpStream => carriers.tcp,
            RuleProtocol::Udp => carriers.udp,
            RuleProtocol::TcpOrUdp | RuleProtocol::Ip | RuleProtocol::Ipv4 | RuleProtocol::Ipv6 => true,
            RuleProtocol::Packet => true,
            _ => false,
        };
        if !carried {
            let fault = at.fault(format!(
                "`{}` is of {}, which a packet of this rule's protocol does not carry",
                at.lossy(),
                both.label()
            ));
            return Err(fault.help(
                "write the application protocol, or `tcp` or `udp` that carries it, in the rule's header",
            ));
        }
        self.app = Some(both);
        Ok(())
    }

    fn new_buffer(&mut self, context: Context, span: Span) -> usize {
        let buffer = DraftBuffer {
            context,
            transforms: Vec::new(),
            absence: Absence::Fails,
            dir: None,
            used: false,
            steps: Vec::new(),
            span,
        };
        self.buffers.push(buffer);
        self.buffers.len() - 1
    }

    /// The buffer of that context as it is, which older spellings always mean; made if there is none.
    fn buffer(&mut self, context: Context, span: Span) -> usize {
        let plain = |b: &DraftBuffer| {
            b.context == context && b.transforms.is_empty() && b.absence == Absence::Fails && b.dir.is_none()
        };
        let found = self.buffers.iter().rposition(plain);
        found.unwrap_or_else(|| self.new_buffer(context, span))
    }

    /// Turns to a sticky buffer. A context named again goes on where it was, but for those of many instances.
    pub fn enter(&mut self, name: Text<'_>, context: Context) -> Result<(), Fault> {
        self.close_buffer()?;
        let many = match context {
            Context::SctpChunkData => true,
            Context::App(id) => id.get().many,
            _ => false,
        };
        let span = name.span();
        let at = if many { self.new_buffer(context, span) } else { self.buffer(context, span) };
        // The payload that contents before it looked into has its name now.
        if let Some(buffer) = self.buffers.get_mut(at).filter(|buffer| buffer.span == Span::default()) {
            buffer.span = span;
        }
        self.current = Aim::Buffer(at);
        self.last = None;
        Ok(())
    }

    /// Turns to a decoder's buffer.
    pub fn enter_app(&mut self, name: Text<'_>, id: BufferId) -> Result<(), Fault> {
        self.require(id.get().protos, name)?;
        self.enter(name, Context::App(id))
    }

    /// Turns to what the last `base64_decode` decodes.
    pub fn enter_decoded(&mut self, name: Text<'_>) -> Result<(), Fault> {
        self.close_buffer()?;
        let of_buffer = |(at, buffer): (usize, &DraftBuffer)| {
            let step = buffer.steps.iter().rposition(|step| matches!(step, DraftStep::Base64(_)))?;
            Some(Aim::Decoded(at, step))
        };
        let found = self.buffers.iter().enumerate().rev().find_map(of_buffer);
        let missing = || {
            name.fault("`base64_data` needs a `base64_decode` before it")
                .help("for example `base64_decode:relative; base64_data; content:\"x\";`")
        };
        self.current = found.ok_or_else(missing)?;
        self.last = None;
        Ok(())
    }

    /// Moves the last content of the payload into a decoder's buffer: Snort 2's way to name it.
    pub fn move_content(&mut self, modifier: Text<'_>, id: BufferId) -> Result<(), Fault> {
        self.require(id.get().protos, modifier)?;
        let needs = || {
            let fault = modifier.fault(format!("`{}` needs a content before it", modifier.lossy()));
            fault.help(format!(
                "`content:\"x\"; {};`, or `{}; content:\"x\";`",
                modifier.lossy(),
                id.get().name
            ))
        };
        let (aim, step) = self.last.ok_or_else(needs)?;
        let Aim::Buffer(at) = aim else { return Err(needs()) };
        let Some(from) = self.buffers.get_mut(at).filter(|b| step < b.steps.len()) else {
            return Err(needs());
        };
        if from.context != Context::Payload {
            let message =
                format!("`{}` is for a content of the payload, not of a sticky buffer", modifier.lossy());
            return Err(modifier.fault(message).help(format!("use the sticky buffer `{}`", id.get().name)));
        }
        // What counts from the content's end goes with it where nothing is left that it could count from: in Snort 2, whose way
        // this is, it counts from there whatever the order of the words.
        let goes_with = |next: &&DraftStep| matches!(next, DraftStep::Other(next) if next.is_relative());
        let behind = if step == 0 { from.steps.iter().skip(1).take_while(goes_with).count() } else { 0 };
        let moved: Vec<DraftStep> = from.steps.drain(step..=step + behind).collect();
        let to = self.buffer(Context::App(id), modifier.span());
        if let Some(buffer) = self.buffers.get_mut(to) {
            self.last = Some((Aim::Buffer(to), buffer.steps.len()));
            buffer.steps.extend(moved);
            self.latest = Aim::Buffer(to);
        }
        Ok(())
    }

    /// Adds a step to a decoder's buffer without turning to it (`pcre:"/x/U"`, `urilen`).
    pub fn step_in(&mut self, name: Text<'_>, id: BufferId, step: DraftStep) -> Result<(), Fault> {
        self.require(id.get().protos, name)?;
        let at = self.buffer(Context::App(id), name.span());
        self.buffers[at].steps.push(step);
        self.steps += 1;
        self.latest = Aim::Buffer(at);
        Ok(())
    }

    /// Transforms the buffer in force; what was said of it before was said of it as it was.
    pub fn transform(&mut self, name: Text<'_>, transform: Transform) -> Result<(), Fault> {
        let Aim::Buffer(at) = self.current else { return Err(outside(name)) };
        let Some(buffer) = self.buffers.get_mut(at).filter(|b| b.span != Span::default()) else {
            return Err(outside(name));
        };
        if buffer.transforms.len() >= MAX_TRANSFORMS {
            return Err(name.fault(format!("a buffer is transformed at most {MAX_TRANSFORMS} times")));
        }
        if buffer.steps.is_empty() && !buffer.used {
            buffer.transforms.push(transform);
            return Ok(());
        }
        let (context, span, dir) = (buffer.context, buffer.span, buffer.dir);
        let mut transforms = buffer.transforms.clone();
        transforms.push(transform);
        let new = self.new_buffer(context, span);
        (self.buffers[new].transforms, self.buffers[new].dir) = (transforms, dir);
        self.current = Aim::Buffer(new);
        self.last = None;
        Ok(())
    }

    /// A sticky buffer that nothing looks into is a slip: its content stands before it.
    pub fn close_buffer(&self) -> Result<(), Fault> {
        let open = match self.current {
            Aim::Buffer(at) => self.buffers.get(at),
            _ => None,
        };
        let idle = |b: &&DraftBuffer| b.steps.is_empty() && !b.used && b.absence == Absence::Fails;
        match open.filter(idle).filter(|b| b.context != Context::Payload || !b.transforms.is_empty()) {
            Some(empty) => Err(Fault {
                span: empty.span,
                message: "nothing looks into this sticky buffer".into(),
                help: Some("a sticky buffer stands before the contents that look into it".into()),
                keyword: None,
            }),
            None => Ok(()),
        }
    }

    /// The buffer that a keyword of its own speaks of, with the name it was given.
    pub fn named_buffer(&mut self, keyword: Text<'_>) -> Result<&mut DraftBuffer, Fault> {
        match self.current {
            Aim::Buffer(at) if self.buffers.get(at).is_some_and(|b| b.span != Span::default()) => {
                Ok(&mut self.buffers[at])
            }
            _ => Err(outside(keyword)),
        }
    }

    pub fn context(&self) -> Context {
        match self.current {
            Aim::Buffer(at) | Aim::Decoded(at, _) => {
                self.buffers.get(at).map_or(Context::Payload, |b| b.context)
            }
            Aim::Unnamed => Context::Payload,
        }
    }

    /// Whether a decoder's buffer or what `base64_decode` yields is in force.
    pub fn in_sticky(&self) -> bool {
        matches!(self.current, Aim::Decoded(..)) || self.context() != Context::Payload
    }

    /// Whether what `base64_decode` yields is in force.
    pub fn in_decoded(&self) -> bool {
        matches!(self.current, Aim::Decoded(..))
    }

    fn steps_of(&mut self, aim: Aim) -> Option<&mut Vec<DraftStep>> {
        match aim {
            Aim::Unnamed => None,
            Aim::Buffer(at) => Some(&mut self.buffers.get_mut(at)?.steps),
            Aim::Decoded(at, step) => match self.buffers.get_mut(at)?.steps.get_mut(step)? {
                DraftStep::Base64(base64) => Some(&mut base64.steps),
                _ => None,
            },
        }
    }

    /// Adds a step to what is in force; to the payload when nothing was named.
    pub fn push(&mut self, step: DraftStep) {
        if self.current == Aim::Unnamed {
            self.current = Aim::Buffer(self.buffer(Context::Payload, Span::default()));
        }
        self.push_to(self.current, step);
    }

    /// Adds a step that counts from the one before it: where no sticky buffer is in force, it goes where that went.
    pub fn push_relative(&mut self, step: DraftStep) {
        if self.in_sticky() || self.latest == Aim::Unnamed {
            self.push(step);
        } else {
            self.push_to(self.latest, step);
        }
    }

    fn push_to(&mut self, aim: Aim, step: DraftStep) {
        let is_content = matches!(step, DraftStep::Content(_));
        let Some(steps) = self.steps_of(aim) else { return };
        steps.push(step);
        let at = steps.len() - 1;
        self.steps += 1;
        if is_content {
            self.last = Some((aim, at));
        }
        self.latest = aim;
    }

    pub fn step(&mut self, step: Step, relative: bool) {
        match relative {
            true => self.push_relative(DraftStep::Other(step)),
            false => self.push(DraftStep::Other(step)),
        }
    }

    /// The content that a modifier speaks of.
    pub fn last_content(&mut self, modifier: Text<'_>) -> Result<&mut DraftContent, Fault> {
        let needs = modifier
            .fault(format!("`{}` needs a content before it", modifier.lossy()))
            .help("a modifier stands behind its content, in the same buffer: `content:\"x\"; nocase;`");
        let Some((aim, at)) = self.last else { return Err(needs) };
        match self.steps_of(aim).and_then(|steps| steps.get_mut(at)) {
            Some(DraftStep::Content(content)) => Ok(content),
            _ => Err(needs),
        }
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
            None => fault.help("write a number, or define the name with `byte_extract` or `byte_math` first"),
        })
    }

    /// A variable's number; a name defined again is the same variable.
    pub fn define(&mut self, name: Text<'_>) -> Result<u8, Fault> {
        if !name.bytes.first().is_some_and(u8::is_ascii_alphabetic) {
            return Err(name.fault("a variable's name begins with a letter"));
        }
        if !name.bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)) {
            return Err(name.fault("a variable's name is one word: letters, digits, `_`, `-` and `.`"));
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
