//! A finished draft -> what is evaluated: buffers with compiled steps, the payload's scope, the fast pattern. Here stand the
//! checks that need the whole rule.

mod checks;

use super::draft::{Draft, DraftBuffer, DraftContent, DraftPcre, DraftStep, FastChoice};
use super::pcre;
use super::ruleset::{
    Absence, Base64Step, BufferMatch, Check, Content, Context, FastPattern, MAX_VARIABLES, Operand,
    PayloadScope, Pcre, PcreFlags, Regex, RuleProtocol, Step, Transform,
};
use super::source::Span;
use super::text::Fault;
use ahash::{AHashMap, AHashSet};
use checks::{check_absence, check_base64, check_case, check_directions, fold_case};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

const _: () = assert!(MAX_VARIABLES <= u8::MAX as usize);

/// The part of a rule that looks into buffers.
#[derive(Debug)]
pub struct Matching {
    pub scope: PayloadScope,
    pub buffers: Box<[BufferMatch]>,
    pub fast_pattern: Option<FastPattern>,
}

/// What rules of all parts say alike, held once. Readers meet here, and each keeps what it has got.
#[derive(Default)]
pub struct Pool {
    strings: Mutex<AHashSet<Arc<str>>>,
    regexes: Mutex<AHashMap<Expression, Arc<OnceLock<Compiled>>>>,
}

/// Its text, its flags, and whether it is without limits.
type Expression = (String, PcreFlags, bool);
type Compiled = Result<Arc<Regex>, pcre::BadExpression>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the rules of one part say alike, held once.
pub struct Shared<'p> {
    pool: &'p Pool,
    /// Number 0 is the empty chain, which is not in this list.
    transforms: Vec<Box<[Transform]>>,
    strings: AHashSet<Arc<str>>,
}

impl<'p> Shared<'p> {
    pub fn new(pool: &'p Pool) -> Shared<'p> {
        Shared { pool, transforms: Vec::new(), strings: AHashSet::new() }
    }

    pub fn string(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.strings.get(text) {
            return Arc::clone(known);
        }
        let mut all = lock(&self.pool.strings);
        let shared = all.get(text).map_or_else(|| Arc::from(text), Arc::clone);
        all.insert(Arc::clone(&shared));
        self.strings.insert(Arc::clone(&shared));
        shared
    }

    pub fn pair(&mut self, (a, b): &(String, String)) -> (Arc<str>, Arc<str>) {
        (self.string(a), self.string(b))
    }

    fn chain(&mut self, chain: Vec<Transform>, span: Span) -> Result<u16, Fault> {
        if chain.is_empty() {
            return Ok(0);
        }
        let known = self.transforms.iter().position(|other| **other == *chain);
        let at = known.unwrap_or_else(|| {
            self.transforms.push(chain.into());
            self.transforms.len() - 1
        });
        u16::try_from(at + 1).map_err(|_| too_many_chains(span))
    }

    /// All chains, by number.
    pub fn transforms(self) -> Vec<Box<[Transform]>> {
        std::iter::once(Box::default()).chain(self.transforms).collect()
    }

    /// Compiled by whoever asks first; who asks meanwhile waits for it.
    fn regex(&self, draft: &DraftPcre) -> Compiled {
        let key = (draft.expression.clone(), draft.flags, draft.unlimited);
        let place = Arc::clone(lock(&self.pool.regexes).entry(key).or_default());
        let compile = || pcre::compile(&draft.expression, draft.flags, draft.unlimited).map(Arc::new);
        place.get_or_init(compile).clone()
    }
}

pub fn too_many_chains(span: Span) -> Fault {
    let message = "the rules of a set may have 65535 different chains of transformations";
    fault(span, "transformation", message)
}

pub fn finish(
    draft: &mut Draft,
    whole_transaction: bool,
    shared: &mut Shared<'_>,
) -> Result<Matching, Fault> {
    draft.close_buffer()?;
    draft.buffers.retain(|b| !b.steps.is_empty() || b.absence == Absence::Wanted);
    draft.buffers.iter_mut().for_each(fold_case);
    for buffer in &draft.buffers {
        buffer.contents().try_for_each(check_content)?;
        check_reach(draft, buffer)?;
        check_absence(buffer)?;
        check_case(buffer)?;
        check_base64(buffer)?;
    }
    if !whole_transaction {
        check_directions(draft)?;
    }
    let scope = scope(draft)?;
    let fast_pattern = choose_fast_pattern(&draft.buffers)?;
    let buffers = std::mem::take(&mut draft.buffers);
    let buffers = buffers.into_iter().map(|b| compile_buffer(b, shared)).collect::<Result<_, _>>()?;
    Ok(Matching { scope, buffers, fast_pattern })
}

impl DraftBuffer {
    fn contents(&self) -> impl Iterator<Item = &DraftContent> {
        self.steps.iter().filter_map(|step| match step {
            DraftStep::Content(content) => Some(content),
            _ => None,
        })
    }
}

fn fault(span: Span, keyword: &str, message: impl Into<String>) -> Fault {
    Fault { span, message: message.into(), help: None, keyword: Some(keyword.to_owned()) }
}

/// A window too small for its pattern can never match.
fn check_content(draft: &DraftContent) -> Result<(), Fault> {
    let content = &draft.content;
    let length = content.pattern.len() as i64;
    for (name, window) in [("depth", content.depth), ("within", content.within)] {
        if let Some(Operand::Value(window)) = window
            && window < length
        {
            let message = format!("`{name}` of {window} is smaller than this content of {length} bytes");
            return Err(fault(draft.span, name, message));
        }
    }
    let placed = content.offset.or(content.depth).or(content.distance).or(content.within).is_some();
    if content.negated && placed && draft.fast_pattern.is_some() {
        let message = "`fast_pattern` is not for a negated content that is placed";
        return Err(fault(draft.span, "fast_pattern", message));
    }
    Ok(())
}

/// Refuses contents that together need more bytes than `dsize` or `bsize` leave.
fn check_reach(draft: &Draft, buffer: &DraftBuffer) -> Result<(), Fault> {
    let sizes = buffer.steps.iter().filter_map(|step| match step {
        DraftStep::Other(Step::BufferSize(size)) => Some(("bsize", size.most())),
        _ => None,
    });
    let as_it_is = buffer.transforms.is_empty();
    let payload = buffer.context == Context::Payload && as_it_is;
    let dsize = draft.checks.iter().filter_map(move |check| match check {
        Check::PayloadSize(size) if payload => Some(("dsize", size.most())),
        _ => None,
    });
    let Some((keyword, room)) = sizes.chain(dsize).min_by_key(|(_, high)| *high) else {
        return Ok(());
    };
    let mut end = 0i64;
    for step in &buffer.steps {
        let content = match step {
            DraftStep::Content(content) if !content.content.negated => content,
            // Where these end is not known: anything after them is taken to start at 0.
            DraftStep::Pcre(_) | DraftStep::Base64(_) | DraftStep::Other(Step::ByteJump(_)) => {
                end = 0;
                continue;
            }
            _ => continue,
        };
        end = earliest_start(&content.content, end) + content.content.pattern.len() as i64;
        if u64::try_from(end).is_ok_and(|end| end > room) {
            let message = format!(
                "this content can end at byte {end} at the earliest, but `{keyword}` allows {room} bytes"
            );
            return Err(fault(content.span, keyword, message));
        }
    }
    Ok(())
}

fn earliest_start(content: &Content, previous_end: i64) -> i64 {
    let value = |operand: Option<Operand>| match operand {
        Some(Operand::Value(value)) => Some(value),
        _ => None,
    };
    if content.distance.or(content.within).is_some() {
        return match content.distance {
            Some(Operand::Variable(_)) => 0,
            _ => (previous_end + value(content.distance).unwrap_or(0)).max(0),
        };
    }
    value(content.offset).unwrap_or(0)
}

/// Where a rule's payload contents are looked for, as Suricata decides it: keywords about a packet make it a packet rule; of
/// the rest, contents at a place (`offset`, `depth`, `startswith`) look at packets as well as at the stream.
fn scope(draft: &Draft) -> Result<PayloadScope, Fault> {
    let only = draft.flow.and_then(|flow| flow.stream);
    let wants_stream = draft.protocol == RuleProtocol::TcpStream || only == Some(true);
    // A stream is not transformed as a whole.
    let transformed = |b: &DraftBuffer| b.context == Context::Payload && !b.transforms.is_empty();
    let wants_packet = draft.buffers.iter().any(transformed)
        || draft.needs_packet
        || draft.protocol == RuleProtocol::TcpPacket
        || only == Some(false);
    if wants_stream && wants_packet {
        let message = "this is asked of a packet, but the rule is for the stream only";
        return Err(fault(draft.needs_packet_at, "flow", message)
            .help("take out tcp-stream and flow:only_stream, or the keywords about a packet"));
    }
    let contents = || draft.buffers.iter().filter(|b| b.context == Context::Payload);
    Ok(match draft.protocol {
        _ if wants_packet => PayloadScope::Packet,
        _ if wants_stream => PayloadScope::Stream,
        protocol if !may_be_tcp(protocol) => PayloadScope::Packet,
        _ if contents().any(|b| b.contents().any(is_placed)) => PayloadScope::Both,
        _ if contents().next().is_some() => PayloadScope::Stream,
        _ => PayloadScope::Packet,
    })
}

/// TCP, or what takes it in: packets of other protocols are their own stream.
fn may_be_tcp(protocol: RuleProtocol) -> bool {
    use RuleProtocol::{Ip, Ipv4, Ipv6, Tcp, TcpOrUdp};
    matches!(protocol, Tcp | TcpOrUdp | Ip | Ipv4 | Ipv6)
}

fn is_placed(content: &DraftContent) -> bool {
    content.content.offset.or(content.content.depth).is_some()
}

/// The payload as it is, and what decoders yield, transformed or not. A buffer that may be absent cannot announce a rule.
fn has_prefilter(buffer: &DraftBuffer) -> bool {
    let searched = match buffer.context {
        Context::Payload => buffer.transforms.is_empty(),
        Context::App(_) => true,
        _ => false,
    };
    searched && buffer.absence == Absence::Fails
}

/// The rule's own choice, else the strongest content that is not negated. Header buffers have no prefilter.
fn choose_fast_pattern(buffers: &[DraftBuffer]) -> Result<Option<FastPattern>, Fault> {
    let mut chosen: Option<(bool, u32, FastPattern)> = None;
    let mut asked = false;
    for (at, buffer) in buffers.iter().enumerate() {
        for (step, draft) in buffer.steps.iter().enumerate() {
            let DraftStep::Content(draft) = draft else { continue };
            if draft.fast_pattern.is_some() && std::mem::replace(&mut asked, true) {
                return Err(fault(draft.span, "fast_pattern", "a rule has one `fast_pattern`"));
            }
            if draft.content.negated || !has_prefilter(buffer) {
                continue;
            }
            let FastChoice { chop, only } = draft.fast_pattern.unwrap_or_default();
            let (buffer, step) = (at as u16, step as u16);
            let rank = (draft.fast_pattern.is_some(), strength(&draft.content.pattern));
            if chosen.is_none_or(|(asked, strength, _)| rank > (asked, strength)) {
                chosen = Some((rank.0, rank.1, FastPattern { buffer, step, chop, only }));
            }
        }
    }
    Ok(chosen.map(|(_, _, pattern)| pattern))
}

/// How rarely traffic holds the pattern: every new byte counts by its kind, a repeated one little.
fn strength(pattern: &[u8]) -> u32 {
    let mut seen = [false; 256];
    let weight = |byte: u8| match byte {
        0 | 1 | 0xff | b' ' => 1,
        b'\r' | b'\n' | b'/' | b'.' | b'-' | b'=' => 2,
        _ if byte.is_ascii_alphanumeric() => 3,
        _ if byte.is_ascii_punctuation() => 4,
        _ => 5,
    };
    pattern.iter().map(|&b| if std::mem::replace(&mut seen[b as usize], true) { 1 } else { weight(b) }).sum()
}

fn compile_buffer(buffer: DraftBuffer, shared: &mut Shared<'_>) -> Result<BufferMatch, Fault> {
    Ok(BufferMatch {
        context: buffer.context,
        transforms: shared.chain(buffer.transforms, buffer.span)?,
        absence: buffer.absence,
        dir: buffer.dir,
        steps: compile_steps(buffer.steps, shared)?,
    })
}

fn compile_steps(steps: Vec<DraftStep>, shared: &mut Shared<'_>) -> Result<Box<[Step]>, Fault> {
    let compiled = steps.into_iter().map(|step| match step {
        DraftStep::Content(content) => Ok(Step::Content(content.content)),
        DraftStep::Pcre(pcre) => compile_pcre(pcre, shared).map(Step::Pcre),
        DraftStep::Base64(base64) => Ok(Step::Base64(Base64Step {
            bytes: base64.bytes,
            offset: base64.offset,
            relative: base64.relative,
            steps: compile_steps(base64.steps, shared)?,
        })),
        DraftStep::Other(step) => Ok(step),
    });
    compiled.collect()
}

/// Each name is one of a group.
fn check_captures(draft: &DraftPcre) -> Result<(), Fault> {
    let named = draft.captures.len();
    let groups = if named > 0 { pcre::groups(&draft.expression) } else { None };
    let Some(groups) = groups.filter(|groups| *groups < named) else { return Ok(()) };
    let message = format!("the expression captures {groups} parts, and {named} names stand behind it");
    Err(fault(draft.span, "pcre", message).help("a name for each pair of parentheses that captures"))
}

fn compile_pcre(draft: DraftPcre, shared: &mut Shared<'_>) -> Result<Pcre, Fault> {
    let regex = shared.regex(&draft).map_err(|bad| {
        // A place is exact only while every byte of the expression is one of the rule's text.
        let length = draft.span.end - draft.span.start;
        let exact = draft.expression.len() == length as usize;
        let at = bad.at.filter(|at| exact && *at < length as usize).map(|at| draft.span.start + at as u32);
        let span = at.map_or(draft.span, |start| Span { start, end: start + 1 });
        fault(span, "pcre", bad.message)
    })?;
    check_captures(&draft)?;
    Ok(Pcre {
        flags: draft.flags,
        negated: draft.negated,
        relative: draft.relative,
        expression: draft.expression.into(),
        unlimited: draft.unlimited,
        regex,
        captures: draft.captures.into(),
    })
}
