//! What a rule says of itself: message, numbers, class, references (docs.suricata.io, "Meta Keywords").

use super::{Call, Keyword, Modifies, Value, choice, once};
use crate::rules::draft::Draft;
use crate::rules::logging;
use crate::rules::number;
use crate::rules::ruleset::Target;
use crate::rules::text::{Fault, Text};

const fn entry(
    name: &'static str,
    value: Value,
    parse: fn(&mut Draft, Call<'_>) -> Result<(), Fault>,
    doc: &'static str,
) -> Keyword {
    Keyword { name, aliases: &[], modifies: Modifies::Rule, value, parse, doc }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    entry("msg", Value::Needed, msg, "the text of the alert"),
    entry("sid", Value::Needed, |d, c| once(&mut d.sid, positive(c.value)?, c), "the rule's number"),
    entry("gid", Value::Needed, |d, c| once(&mut d.gid, id(c.value)?, c), "the rule's group, 1 unless said"),
    entry("rev", Value::Needed, |d, c| once(&mut d.rev, id(c.value)?, c), "the rule's revision"),
    entry("classtype", Value::Needed, classtype, "a class of classification.config"),
    entry("priority", Value::Needed, priority, "1 to 255, 1 most severe; overrides the class's"),
    entry("reference", Value::Needed, reference, "where the rule's subject is told of: system,id"),
    entry("metadata", Value::Optional, metadata, "key value pairs, kept with the rule"),
    entry("target", Value::Needed, target, "which side is the attacked: src_ip or dest_ip"),
    entry("noalert", Value::None, |d, _| set(&mut d.noalert), "acts and sets bits, writes no alert"),
    entry("alert", Value::None, |d, _| set(&mut d.alert), "writes an alert although the action is pass"),
    entry(
        "bypass",
        Value::None,
        |d, _| set(&mut d.bypass),
        "after a match the session is not inspected further",
    ),
    entry(
        "config",
        Value::Needed,
        unlogged,
        "the transaction that it matches gets no record: logging disable, type tx, scope tx",
    ),
    entry(
        "mark_dscp",
        Value::Needed,
        |d, c| once(&mut d.mark_dscp, number::small(c.value.unquoted(), 63)?, c),
        "the code point, 0 to 63, that the packet leaves with where verdicts act; Weir's own",
    ),
    entry("prefilter", Value::None, |_, _| Ok(()), "a hint to Suricata's engine; changes nothing here"),
];

fn set(flag: &mut bool) -> Result<(), Fault> {
    *flag = true;
    Ok(())
}

fn unlogged(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    logging::parse(call.value)?;
    once(&mut draft.unlogged, call.name.span(), call)
}

fn id(text: Text<'_>) -> Result<u32, Fault> {
    number::small(text.unquoted(), u64::from(u32::MAX))
}

fn positive(text: Text<'_>) -> Result<u32, Fault> {
    match id(text)? {
        0 => Err(text.fault("0 is no number for a rule")),
        id => Ok(id),
    }
}

fn msg(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let text = super::content::quoted(call.value)?;
    let mut out = Vec::with_capacity(text.bytes.len());
    let mut escaped = false;
    for &byte in text.bytes {
        escaped = byte == b'\\' && !escaped;
        if !escaped {
            out.push(byte);
        }
    }
    once(&mut draft.msg, String::from_utf8_lossy(&out).into_owned(), call)
}

fn classtype(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let name = call.value.unquoted();
    if name.is_empty() || name.bytes.iter().any(u8::is_ascii_whitespace) {
        return Err(name
            .fault("a class's name is one word")
            .help("for example `classtype:trojan-activity;`"));
    }
    once(&mut draft.class, (name.lossy().into_owned(), name.span()), call)
}

fn priority(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let value = number::small(call.value.unquoted(), 255)?;
    if value == 0 {
        return Err(call.value.fault("a priority is 1 to 255"));
    }
    once(&mut draft.priority, value, call)
}

fn reference(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let Some((system, id)) = call.value.split_once(b',') else {
        return Err(call.value.fault("expected `system,id`").help("for example `reference:cve,2021-44228;`"));
    };
    if system.is_empty() || id.is_empty() {
        return Err(call.value.fault("a reference has a system and an id"));
    }
    draft.references.push((system.lossy().to_ascii_lowercase(), id.lossy().into_owned()));
    Ok(())
}

fn metadata(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    for pair in call.value.split(b',').filter(|p| !p.is_empty()) {
        let (key, value) = pair.first_word();
        draft.metadata.push((key.lossy().into_owned(), value.lossy().into_owned()));
    }
    let pairs = draft.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    crate::rules::ip_action::of(pairs).map(drop).map_err(|wrong| call.value.fault(wrong))
}

fn target(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let side = choice(call.value, &[("src_ip", Target::Source), ("dest_ip", Target::Destination)])?;
    match draft.target {
        Some(said) if said == side => Ok(()),
        _ => once(&mut draft.target, side, call),
    }
}
