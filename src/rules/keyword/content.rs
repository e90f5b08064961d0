//! `content` and its modifiers (docs.suricata.io, "Payload Keywords").

use super::{Call, Keyword, Modifies, Value};
use crate::rules::draft::{Draft, DraftContent, DraftStep, FastChoice};
use crate::rules::number;
use crate::rules::ruleset::{Content, Operand};
use crate::rules::text::{Fault, Text};

const fn modifier(
    name: &'static str,
    value: Value,
    parse: fn(&mut Draft, Call<'_>) -> Result<(), Fault>,
    doc: &'static str,
) -> Keyword {
    Keyword { name, aliases: &[], modifies: Modifies::Content, value, parse, doc }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "content",
        aliases: &[],
        modifies: Modifies::Buffer,
        value: Value::Needed,
        parse: content,
        doc: "bytes to find: text, and hexadecimal between bars",
    },
    modifier("nocase", Value::None, nocase, "upper and lower case are alike"),
    modifier(
        "depth",
        Value::Needed,
        |d, c| number_of(d, c, |k| &mut k.depth),
        "found within the first bytes",
    ),
    modifier("offset", Value::Needed, |d, c| number_of(d, c, |k| &mut k.offset), "looked for from here on"),
    modifier(
        "distance",
        Value::Needed,
        |d, c| number_of(d, c, |k| &mut k.distance),
        "bytes between the previous match and this",
    ),
    modifier(
        "within",
        Value::Needed,
        |d, c| number_of(d, c, |k| &mut k.within),
        "found within so many bytes of the previous match",
    ),
    modifier("startswith", Value::None, starts_with, "stands at the buffer's start"),
    modifier("endswith", Value::None, ends_with, "stands at the buffer's end"),
    modifier(
        "rawbytes",
        Value::None,
        |d, c| d.last_content(c.name).map(|_| ()),
        "kept for Snort's sake; changes nothing",
    ),
    modifier(
        "fast_pattern",
        Value::Optional,
        fast_pattern,
        "the content to look for first: only, or offset,length of it",
    ),
];

/// A pattern's bound, bytes: positions in a buffer are 16 bits in the fast pattern.
const MAX_PATTERN: usize = u16::MAX as usize;

pub(super) fn content(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let (negated, text) = call.value.negation();
    let inner = quoted(text)?;
    let pattern = bytes(inner)?;
    if pattern.is_empty() {
        return Err(text.fault("an empty content would always be found"));
    }
    if pattern.len() > MAX_PATTERN {
        return Err(text.fault(format!("a content has at most {MAX_PATTERN} bytes")));
    }
    let content = Content {
        pattern: pattern.into(),
        nocase: false,
        negated,
        offset: None,
        depth: None,
        distance: None,
        within: None,
        ends_with: false,
    };
    draft.push(DraftStep::Content(DraftContent {
        content,
        span: call.value.span(),
        starts_with: false,
        fast_pattern: None,
    }));
    Ok(())
}

/// What stands between the quotes, for a keyword that demands them.
pub(super) fn quoted(text: Text<'_>) -> Result<Text<'_>, Fault> {
    match text.bytes {
        [b'"', .., b'"'] => Ok(text.unquoted()),
        [b'"', rest @ ..] => Err(match closing_quote(rest) {
            Some(at) => text.from(at + 2).trim().fault("expected `;` behind the closing quote"),
            None => text.fault("this quote is never closed"),
        }),
        _ => Err(text.fault("expected a value in double quotes")),
    }
}

/// The first quote that no backslash stands before.
fn closing_quote(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'"', bytes).find(|&at| at == 0 || bytes.get(at - 1) != Some(&b'\\'))
}

/// Text with `|41 42|` for bytes and a backslash before `" ; : \`.
fn bytes(text: Text<'_>) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(text.bytes.len());
    let mut at = 0;
    while let Some(&byte) = text.bytes.get(at) {
        match byte {
            b'|' => {
                let rest = text.from(at + 1);
                let Some(length) = memchr::memchr(b'|', rest.bytes) else {
                    return Err(text.sub(at, at + 1).fault("this `|` is never closed"));
                };
                hexadecimal(rest.sub(0, length), &mut out)?;
                at += length + 2;
                continue;
            }
            b'\\' => {
                at += 1;
                match text.bytes.get(at) {
                    Some(&escaped @ (b'"' | b';' | b':' | b'\\')) => out.push(escaped),
                    _ => {
                        return Err(text
                            .sub(at - 1, at + 1)
                            .fault("only `\"`, `;`, `:` and `\\` are escaped")
                            .help("write other bytes in hexadecimal: |5c 6e|"));
                    }
                }
            }
            b'"' => {
                return Err(text
                    .sub(at, at + 1)
                    .fault("a quote inside a content is written `\\\"` or `|22|`"));
            }
            _ => out.push(byte),
        }
        at += 1;
    }
    Ok(out)
}

fn hexadecimal(text: Text<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut half = None;
    for (at, byte) in text.bytes.iter().enumerate().filter(|(_, b)| **b != b' ') {
        let Some(digit) = char::from(*byte).to_digit(16) else {
            return Err(text.sub(at, at + 1).fault("this is no hexadecimal digit"));
        };
        half = match half {
            Some(high) => {
                out.push((high << 4 | digit) as u8);
                None
            }
            None => Some(digit),
        };
    }
    match half {
        Some(_) => Err(text.fault("a byte has two hexadecimal digits")),
        None => Ok(()),
    }
}

fn nocase(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let content = &mut draft.last_content(call.name)?.content;
    if content.nocase {
        return Err(call.name.fault("this content is `nocase` already"));
    }
    content.nocase = true;
    content.pattern.make_ascii_lowercase();
    Ok(())
}

/// Numbers in a rule's modifiers: places are 16 bits, distances at most 1 MiB either way.
const MAX_PLACE: i64 = 65_535;
const MAX_DISTANCE: i64 = 1 << 20;

fn number_of(
    draft: &mut Draft,
    call: Call<'_>,
    place: fn(&mut Content) -> &mut Option<Operand>,
) -> Result<(), Fault> {
    let absolute = call.name.is("depth") || call.name.is("offset");
    let max = if absolute { MAX_PLACE } else { MAX_DISTANCE };
    let operand = draft.operand(call.value.unquoted(), max)?;
    let last = draft.last_content(call.name)?;
    let content = &mut last.content;
    if absolute && matches!(operand, Operand::Value(..0)) {
        return Err(call.value.fault(format!("`{}` is not negative", call.name.lossy())));
    }
    let offset_of_start = call.name.is("offset") && last.starts_with;
    let other = if absolute { content.distance.or(content.within) } else { content.depth.or(content.offset) };
    if other.is_some() {
        let rest = if absolute { "`distance` or `within`" } else { "`depth` or `offset`" };
        return Err(call
            .name
            .fault(format!("`{}` contradicts {rest} of the same content", call.name.lossy())));
    }
    if offset_of_start {
        return Err(call.name.fault("`offset` contradicts `startswith` of the same content"));
    }
    super::once(place(content), operand, call)
}

fn starts_with(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let content = draft.last_content(call.name)?;
    let k = &mut content.content;
    if k.depth.or(k.offset).or(k.distance).or(k.within).is_some() {
        return Err(call
            .name
            .fault("`startswith` contradicts depth, offset, distance or within of the same content"));
    }
    k.depth = Some(Operand::Value(k.pattern.len() as i64));
    content.starts_with = true;
    Ok(())
}

fn ends_with(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let content = draft.last_content(call.name)?;
    if content.content.ends_with {
        return Err(call.name.fault("this content is `endswith` already"));
    }
    content.content.ends_with = true;
    Ok(())
}

fn fast_pattern(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let content = draft.last_content(call.name)?;
    let k = &content.content;
    let length = k.pattern.len() as u64;
    let mut choice = FastChoice::default();
    if call.value.is("only") {
        let placed = k.depth.or(k.offset).or(k.distance).or(k.within).is_some();
        if k.negated {
            let fault =
                call.value.fault("a negated content announces nothing, so it cannot be `fast_pattern:only`");
            return Err(fault.help("take `fast_pattern` out, or give it to a content without `!`"));
        }
        if placed {
            return Err(call.value.fault("`fast_pattern:only` is for a content that may stand anywhere"));
        }
        choice.only = true;
    } else if !call.value.is_empty() {
        let Some((offset, size)) = call.value.split_once(b',') else {
            return Err(call.value.fault("expected `only` or `offset,length`"));
        };
        let (offset, size): (u16, u16) =
            (number::small(offset, MAX_PATTERN as u64)?, number::small(size, MAX_PATTERN as u64)?);
        if size == 0 || u64::from(offset) + u64::from(size) > length {
            return Err(call.value.fault(format!("this reaches past the content's {length} bytes")));
        }
        choice.chop = Some((offset, size));
    }
    super::once(&mut content.fast_pattern, choice, call)
}
