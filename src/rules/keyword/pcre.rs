//! `pcre` (docs.suricata.io, "pcre (Perl Compatible Regular Expressions)").

use super::{Call, Keyword, Modifies, Value};
use crate::rules::context;
use crate::rules::draft::{Draft, DraftPcre, DraftStep};
use crate::rules::ruleset::{BufferId, Capture, CaptureScope, Context, PcreFlags};
use crate::rules::text::{Fault, Text};

pub(super) const KEYWORDS: &[Keyword] = &[Keyword {
    name: "pcre",
    aliases: &[],
    modifies: Modifies::Buffer,
    value: Value::Needed,
    parse: pcre,
    doc: "a regular expression: \"/expression/flags\", ! in front to negate",
}];

/// A body is a file's bytes too: `/Q` goes with either.
const RESPONSE_BODY: &str = "http.response_body";
const FILE_DATA: &str = "file.data";

/// Letters that name a buffer, as Snort 2 did.
const BUFFER_LETTERS: &[(u8, &str)] = &[
    (b'U', "http.uri"),
    (b'I', "http.uri.raw"),
    (b'P', "http.request_body"),
    (b'Q', RESPONSE_BODY),
    (b'H', "http.header"),
    (b'D', "http.header.raw"),
    (b'M', "http.method"),
    (b'C', "http.cookie"),
    (b'S', "http.stat_code"),
    (b'Y', "http.stat_msg"),
    (b'V', "http.user_agent"),
    (b'W', "http.host"),
    (b'Z', "http.host.raw"),
];

fn pcre(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let (negated, text) = call.value.negation();
    let inner = text.unquoted();
    let (Some(body), Some(end)) = (inner.strip("/"), closing_slash(inner.bytes)) else {
        return Err(inner
            .fault("expected an expression between slashes")
            .help("for example `pcre:\"/^user=/i\";`"));
    };
    let expression = body.sub(0, end - 1);
    let (letters, captures) = match inner.from(end + 1).split_once(b',') {
        Some((letters, captures)) => (letters, Some(captures)),
        None => (inner.from(end + 1).trim(), None),
    };
    if expression.is_empty() {
        return Err(inner.fault("an empty expression would always match"));
    }
    let mut step = DraftPcre {
        expression: printable(expression),
        flags: PcreFlags::default(),
        negated,
        relative: false,
        unlimited: false,
        captures: captures.map(variables).transpose()?.unwrap_or_default(),
        span: expression.span(),
    };
    let mut buffer = None;
    for (at, &letter) in letters.bytes.iter().enumerate() {
        let place = letters.sub(at, at + 1);
        if let Some((_, name)) = BUFFER_LETTERS.iter().find(|(l, _)| *l == letter) {
            if buffer.replace((place, *name)).is_some() {
                return Err(place.fault("an expression looks into one buffer"));
            }
        } else {
            flag(&mut step, letter, place)?;
        }
    }
    push(draft, step, buffer)
}

/// The slash that ends the expression: the last, but names of captures behind it may have more (`flow:a/b`).
fn closing_slash(text: &[u8]) -> Option<usize> {
    let names_begin = |at: &usize| {
        let rest = text.get(at + 1..).unwrap_or_default();
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let rest = rest.get(letters..).unwrap_or_default().trim_ascii_start();
        let names = rest.strip_prefix(b",").map(<[u8]>::trim_ascii_start).unwrap_or_default();
        SCOPES.iter().any(|(word, _)| {
            names.strip_prefix(word.as_bytes()).is_some_and(|rest| rest.first() == Some(&b':'))
        })
    };
    let slashes = || memchr::memchr_iter(b'/', text).filter(|&at| at > 0);
    slashes().find(names_begin).or_else(|| slashes().next_back())
}

/// Where a capture may go.
const SCOPES: &[(&str, CaptureScope)] =
    &[("flow", CaptureScope::Flow), ("pkt", CaptureScope::Packet), ("alert", CaptureScope::Alert)];

/// Into the buffer that a letter names, else into the one in force.
fn push(draft: &mut Draft, step: DraftPcre, buffer: Option<(Text<'_>, &'static str)>) -> Result<(), Fault> {
    let Some((place, id)) = buffer.and_then(|(place, name)| Some((place, of_letter(name)?))) else {
        if step.relative {
            draft.push_relative(DraftStep::Pcre(step));
        } else {
            draft.push(DraftStep::Pcre(step));
        }
        return Ok(());
    };
    if let Context::App(current) = draft.context()
        && (current == id || (current.get().name == FILE_DATA && id.get().name == RESPONSE_BODY))
    {
        draft.push(DraftStep::Pcre(step));
        return Ok(());
    }
    if draft.in_sticky() {
        let message = format!("`/{}` names another buffer than the sticky one in force", place.lossy());
        return Err(place.fault(message).help("take the letter out: the sticky buffer is enough"));
    }
    draft.step_in(place, id, DraftStep::Pcre(step))
}

fn of_letter(name: &str) -> Option<BufferId> {
    match context::named(name)? {
        context::Named::Sticky(id) | context::Named::Modifier(id) => Some(id),
    }
}

/// `flow:name, pkt:name`, one a capturing group.
fn variables(text: Text<'_>) -> Result<Vec<Capture>, Fault> {
    let one = |part: Text<'_>| {
        let form = || part.fault("expected `flow:name`, `pkt:name` or `alert:name`");
        let (scope, name) = part.split_once(b':').ok_or_else(form)?;
        let scope = super::choice(scope, SCOPES)?;
        if name.is_empty() {
            return Err(form());
        }
        Ok(Capture { scope, name: name.lossy().into() })
    };
    let all = text.split(b',').map(one).collect::<Result<Vec<_>, Fault>>()?;
    let has = |word: &str| all.iter().any(|c| c.scope == CaptureScope::Packet && &*c.name == word);
    match has("key") == has("value") {
        true => Ok(all),
        false => Err(text
            .fault("`pkt:key` and `pkt:value` go together: one group is the name, the other its value")
            .help("give the variable another name")),
    }
}

fn flag(step: &mut DraftPcre, letter: u8, at: Text<'_>) -> Result<(), Fault> {
    match letter {
        b'i' => step.flags.case_insensitive = true,
        b'm' => step.flags.multi_line = true,
        b's' => step.flags.dot_all = true,
        b'x' => step.flags.extended = true,
        b'A' => step.flags.anchored = true,
        b'E' => step.flags.dollar_end_only = true,
        b'G' => step.flags.ungreedy = true,
        b'R' => step.relative = true,
        b'O' => step.unlimited = true,
        // Raw bytes are what there is.
        b'B' => {}
        _ => {
            return Err(at
                .fault(format!("`{}` is no flag of an expression", at.lossy()))
                .help("one of: i m s x A E G R O B, or a buffer: U I P Q H D M C S Y V W Z"));
        }
    }
    Ok(())
}

/// The expression as text: bytes that are not ASCII become `\xHH`, which means the same.
fn printable(text: Text<'_>) -> String {
    let mut out = String::with_capacity(text.bytes.len());
    for &byte in text.bytes {
        match byte {
            0..=0x7f => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}
