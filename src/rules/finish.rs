//! A finished draft -> what is evaluated: buffers with compiled steps, the payload's scope, the fast pattern. Here stand the
//! checks that need the whole rule.

use super::draft::{Draft, DraftBuffer, DraftContent, DraftPcre, DraftStep, FastChoice};
use super::pcre;
use super::ruleset::{
    BufferMatch, Check, Content, Context, FastPattern, MAX_VARIABLES, Operand, PayloadScope, Pcre,
    RuleProtocol, Step,
};
use super::source::Span;
use super::text::Fault;
use std::sync::Arc;

const _: () = assert!(MAX_VARIABLES <= u8::MAX as usize);

/// The part of a rule that looks into buffers.
#[derive(Debug)]
pub struct Matching {
    pub scope: PayloadScope,
    pub buffers: Box<[BufferMatch]>,
    pub fast_pattern: Option<FastPattern>,
}

pub fn finish(draft: &mut Draft) -> Result<Matching, Fault> {
    draft.close_buffer()?;
    draft.buffers.retain(|buffer| !buffer.steps.is_empty());
    for buffer in &draft.buffers {
        buffer.contents().try_for_each(check_content)?;
        check_reach(draft, buffer)?;
    }
    let scope = scope(draft)?;
    let fast_pattern = choose_fast_pattern(&draft.buffers)?;
    let buffers = std::mem::take(&mut draft.buffers);
    let buffers = buffers.into_iter().map(compile_buffer).collect::<Result<_, _>>()?;
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
        DraftStep::Other(Step::BufferSize(size)) if !size.negated => Some(("bsize", size.high)),
        _ => None,
    });
    let payload = buffer.context == Context::Payload;
    let dsize = draft.checks.iter().filter_map(move |check| match check {
        Check::PayloadSize(size) if payload && !size.negated => Some(("dsize", size.high)),
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
            DraftStep::Pcre(_) | DraftStep::Other(Step::ByteJump(_)) => {
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
    let wants_packet = draft.needs_packet || draft.protocol == RuleProtocol::TcpPacket || only == Some(false);
    if wants_stream && wants_packet {
        let message = "this rule asks for the stream only and for packets";
        return Err(fault(Span::default(), "flow", message)
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
    use RuleProtocol::{Ip, Ipv4, Ipv6, Tcp};
    matches!(protocol, Tcp | Ip | Ipv4 | Ipv6)
}

fn is_placed(content: &DraftContent) -> bool {
    content.content.offset.or(content.content.depth).is_some()
}

/// The rule's own choice, else the payload's strongest content that is not negated. Header buffers have no prefilter.
fn choose_fast_pattern(buffers: &[DraftBuffer]) -> Result<Option<FastPattern>, Fault> {
    let mut chosen: Option<(bool, u32, FastPattern)> = None;
    let mut asked = false;
    for (at, buffer) in buffers.iter().enumerate() {
        for (step, draft) in buffer.steps.iter().enumerate() {
            let DraftStep::Content(draft) = draft else { continue };
            if draft.fast_pattern.is_some() && std::mem::replace(&mut asked, true) {
                return Err(fault(draft.span, "fast_pattern", "a rule has one `fast_pattern`"));
            }
            if draft.content.negated || buffer.context != Context::Payload {
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

fn compile_buffer(buffer: DraftBuffer) -> Result<BufferMatch, Fault> {
    let steps = buffer.steps.into_iter().map(|step| match step {
        DraftStep::Content(content) => Ok(Step::Content(content.content)),
        DraftStep::Pcre(pcre) => compile_pcre(pcre).map(Step::Pcre),
        DraftStep::Other(step) => Ok(step),
    });
    Ok(BufferMatch { context: buffer.context, steps: steps.collect::<Result<_, _>>()? })
}

fn compile_pcre(draft: DraftPcre) -> Result<Pcre, Fault> {
    let regex = pcre::compile(&draft.expression, draft.flags, draft.unlimited).map_err(|bad| {
        // A place is exact only while every byte of the expression is one of the rule's text.
        let length = draft.span.end - draft.span.start;
        let exact = draft.expression.len() == length as usize;
        let at = bad.at.filter(|at| exact && *at < length as usize).map(|at| draft.span.start + at as u32);
        let span = at.map_or(draft.span, |start| Span { start, end: start + 1 });
        fault(span, "pcre", bad.message)
    })?;
    Ok(Pcre {
        expression: draft.expression,
        flags: draft.flags,
        negated: draft.negated,
        relative: draft.relative,
        regex: Arc::new(regex),
    })
}
