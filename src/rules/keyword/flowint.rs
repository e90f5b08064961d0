//! `flowint` (docs.suricata.io, "flowint").

use super::{Call, Keyword, Modifies, Value};
use crate::rules::draft::{Draft, DraftFlowint, DraftFlowintValue};
use crate::rules::flowint::FlowintVerb;
use crate::rules::number::unsigned;
use crate::rules::text::{Fault, Text};

pub(super) const KEYWORDS: &[Keyword] = &[Keyword {
    name: "flowint",
    aliases: &[],
    modifies: Modifies::Packet,
    value: Value::Needed,
    parse: flowint,
    doc: "a number of the session: name, isset|isnotset, or name, + - = < <= == != >= >, number or name",
}];

const VERBS: &[(&str, FlowintVerb)] = &[
    ("isset", FlowintVerb::IsSet),
    ("isnotset", FlowintVerb::IsNotSet),
    ("notset", FlowintVerb::IsNotSet),
    ("+", FlowintVerb::Add),
    ("-", FlowintVerb::Subtract),
    ("=", FlowintVerb::Set),
    ("<", FlowintVerb::Less),
    ("<=", FlowintVerb::LessEqual),
    ("==", FlowintVerb::Equal),
    ("!=", FlowintVerb::NotEqual),
    (">=", FlowintVerb::GreaterEqual),
    (">", FlowintVerb::Greater),
];

fn flowint(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let form = || call.value.fault("expected `name, isset|isnotset` or `name, operator, number or name`");
    let (name, rest) = call.value.split_once(b',').ok_or_else(form)?;
    let (verb_text, value) = match rest.split_once(b',') {
        Some((verb, value)) => (verb, Some(value)),
        None => (rest, None),
    };
    let verb = super::choice(verb_text, VERBS)?;
    let name = counter(name)?;
    let value = match (verb, value) {
        (FlowintVerb::IsSet | FlowintVerb::IsNotSet, None) => DraftFlowintValue::Number(0),
        (FlowintVerb::IsSet | FlowintVerb::IsNotSet, Some(value)) => {
            return Err(value.fault(format!("`{}` takes no value", verb_text.lossy())));
        }
        (_, None) => return Err(form()),
        (_, Some(value)) if value.bytes.first().is_some_and(u8::is_ascii_digit) => {
            DraftFlowintValue::Number(unsigned(value, u64::from(u32::MAX))? as u32)
        }
        (_, Some(value)) => DraftFlowintValue::Counter(counter(value)?),
    };
    draft.flowints.push(DraftFlowint { name, verb, value });
    Ok(())
}

fn counter(text: Text<'_>) -> Result<String, Fault> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-:".contains(b);
    match text.bytes.first().is_some_and(u8::is_ascii_alphabetic) && text.bytes.iter().all(plain) {
        true => Ok(text.lossy().into_owned()),
        false => Err(text.fault("a number's name begins with a letter and is one word")),
    }
}
