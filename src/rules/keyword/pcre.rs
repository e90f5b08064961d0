//! `pcre` (docs.suricata.io, "pcre (Perl Compatible Regular Expressions)").

use super::{Call, Keyword, Modifies, Value};
use crate::rules::draft::{Draft, DraftPcre, DraftStep};
use crate::rules::ruleset::PcreFlags;
use crate::rules::text::{Fault, Text};

pub(super) const KEYWORDS: &[Keyword] = &[Keyword {
    name: "pcre",
    aliases: &[],
    modifies: Modifies::Buffer,
    value: Value::Needed,
    parse: pcre,
    doc: "a regular expression: \"/expression/flags\", ! in front to negate",
}];

/// The old spellings of sticky buffers.
const BUFFER_LETTERS: &[(u8, &str)] = &[
    (b'U', "http.uri"),
    (b'I', "http.uri.raw"),
    (b'P', "http.request_body"),
    (b'Q', "http.response_body"),
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
    let (Some(body), Some(end)) = (inner.strip("/"), memchr::memrchr(b'/', inner.bytes).filter(|&at| at > 0))
    else {
        return Err(inner
            .fault("expected an expression between slashes")
            .help("for example `pcre:\"/^user=/i\";`"));
    };
    let expression = body.sub(0, end - 1);
    let (letters, captures) = match inner.from(end + 1).split_once(b',') {
        Some((letters, captures)) => (letters, Some(captures)),
        None => (inner.from(end + 1).trim(), None),
    };
    if let Some(captures) = captures {
        return Err(captures.fault("captures into variables are not supported"));
    }
    if expression.is_empty() {
        return Err(inner.fault("an empty expression would always match"));
    }
    let mut step = DraftPcre {
        expression: printable(expression),
        flags: PcreFlags::default(),
        negated,
        relative: false,
        unlimited: false,
        span: expression.span(),
    };
    for (at, &letter) in letters.bytes.iter().enumerate() {
        flag(&mut step, letter, letters.sub(at, at + 1))?;
    }
    draft.steps().push(DraftStep::Pcre(step));
    Ok(())
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
            let buffer = BUFFER_LETTERS.iter().find(|(l, _)| *l == letter).map(|(_, name)| name);
            return Err(match buffer {
                Some(name) => at.fault(format!(
                    "`/{}` looks into {name}, which needs the http decoder, which this version does not have",
                    letter as char
                )),
                None => at
                    .fault(format!("`{}` is no flag of an expression", at.lossy()))
                    .help("one of: i m s x A E G R O B"),
            });
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
