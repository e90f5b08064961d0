//! Transformations of the buffer in force (docs.suricata.io, "Transformations").

use super::{Call, Keyword, Modifies, Value, choice};
use crate::rules::draft::Draft;
use crate::rules::number::{signed, unsigned};
use crate::rules::pcre;
use crate::rules::ruleset::Transform;
use crate::rules::text::{Fault, Text};
use crate::rules::transform::{Base64, Base64Mode, Inflate, Key, Subslice, XorKey};
use std::sync::Arc;

type Parse = fn(&mut Draft, Call<'_>) -> Result<(), Fault>;

const fn entry(name: &'static str, value: Value, parse: Parse, doc: &'static str) -> Keyword {
    Keyword { name, aliases: &[], modifies: Modifies::Buffer, value, parse, doc }
}

const fn plain(name: &'static str, parse: Parse, doc: &'static str) -> Keyword {
    entry(name, Value::None, parse, doc)
}

pub(super) const KEYWORDS: &[Keyword] = &[
    plain("dotprefix", |d, c| d.transform(c.name, Transform::DotPrefix), "a dot in front"),
    plain("to_lowercase", |d, c| d.transform(c.name, Transform::ToLowercase), "in lower case"),
    plain("to_uppercase", |d, c| d.transform(c.name, Transform::ToUppercase), "in upper case"),
    plain("strip_whitespace", |d, c| d.transform(c.name, Transform::StripWhitespace), "without blanks"),
    plain(
        "compress_whitespace",
        |d, c| d.transform(c.name, Transform::CompressWhitespace),
        "one blank for many",
    ),
    plain("url_decode", |d, c| d.transform(c.name, Transform::UrlDecode), "with %41 and + decoded"),
    plain(
        "header_lowercase",
        |d, c| d.transform(c.name, Transform::HeaderLowercase),
        "header names in lower case",
    ),
    plain(
        "strip_pseudo_headers",
        |d, c| d.transform(c.name, Transform::StripPseudoHeaders),
        "without :method and its like",
    ),
    plain("to_md5", |d, c| d.transform(c.name, Transform::ToMd5), "its MD5"),
    plain("to_sha1", |d, c| d.transform(c.name, Transform::ToSha1), "its SHA-1"),
    plain("to_sha256", |d, c| d.transform(c.name, Transform::ToSha256), "its SHA-256"),
    plain(
        "domain",
        |d, c| d.transform(c.name, Transform::Domain),
        "the registered domain of a name: example.co.uk of www.example.co.uk",
    ),
    plain(
        "tld",
        |d, c| d.transform(c.name, Transform::PublicSuffix),
        "the public suffix of a name: co.uk of www.example.co.uk",
    ),
    entry("xor", Value::Needed, xor, "under a key: \"hex\", or [offset N, ]extract LENGTH AT"),
    entry(
        "from_base64",
        Value::Optional,
        from_base64,
        "decoded: [bytes N][, offset N][, mode rfc2045|rfc4648|strict]",
    ),
    entry("pcrexform", Value::Needed, capture, "what the expression's first group captures"),
    entry("subslice", Value::Needed, subslice, "a part: offset[, bytes][, truncate]"),
    entry("gunzip", Value::Optional, |d, c| inflate(d, c, Inflate::Gzip), "gzip unpacked: [max-size N]"),
    entry(
        "zlib_deflate",
        Value::Optional,
        |d, c| inflate(d, c, Inflate::Zlib),
        "zlib unpacked: [max-size N]",
    ),
];

const MAX: u64 = u32::MAX as u64;

fn xor(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let quoted = call.value.unquoted();
    let mut offset = 0;
    if quoted.bytes.len() != call.value.bytes.len() {
        return draft.transform(call.name, Transform::Xor(XorKey { key: hexadecimal(quoted)?, offset }));
    }
    let mut key = None;
    for option in call.value.split(b',') {
        let (word, value) = option.first_word();
        match word.ascii() {
            "offset" => offset = unsigned(value, MAX)? as u32,
            "extract" => {
                let (length, at) = value.first_word();
                let length = unsigned(length, MAX)? as u32;
                if length == 0 {
                    return Err(value.fault("a key has at least one byte"));
                }
                key = Some(Key::Extracted { length, at: unsigned(at, MAX)? as u32 });
            }
            _ => key = Some(hexadecimal(option.unquoted())?),
        }
    }
    let key = key.ok_or_else(|| call.value.fault("expected a key in hexadecimal, or `extract LENGTH AT`"))?;
    draft.transform(call.name, Transform::Xor(XorKey { key, offset }))
}

fn hexadecimal(text: Text<'_>) -> Result<Key, Fault> {
    let bad = || text.fault("a key is written in hexadecimal, two digits a byte");
    let (pairs, rest) = text.bytes.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(bad());
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(bad);
    let byte = |[high, low]: &[u8; 2]| Ok((digit(*high)? << 4 | digit(*low)?) as u8);
    Ok(Key::Given(pairs.iter().map(byte).collect::<Result<_, Fault>>()?))
}

fn from_base64(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let mut base64 = Base64::default();
    let modes =
        [("rfc2045", Base64Mode::Rfc2045), ("rfc4648", Base64Mode::Rfc4648), ("strict", Base64Mode::Strict)];
    for option in call.value.split(b',').filter(|option| !option.is_empty()) {
        let (word, value) = option.first_word();
        match word.ascii() {
            "bytes" => base64.bytes = Some(unsigned(value, MAX)? as u32),
            "offset" => base64.offset = unsigned(value, MAX)? as u32,
            "mode" => base64.mode = choice(value, &modes)?,
            _ => return Err(option.fault(format!("`{}` is no option here", option.lossy()))),
        }
    }
    draft.transform(call.name, Transform::FromBase64(base64))
}

fn capture(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let text = call.value.unquoted();
    // A quote is not closed by the backslash that a rule puts before it.
    let expression = text.lossy();
    let compiled = pcre::compile_with_groups(&expression).map_err(|bad| {
        let at = bad.at.filter(|at| *at < text.bytes.len());
        at.map_or(text, |at| text.sub(at, at + 1)).fault(bad.message)
    })?;
    // The whole match is the first of them.
    if compiled.captures_len() < 2 {
        return Err(text.fault("the expression captures nothing").help("put what is wanted in parentheses"));
    }
    let transform = Transform::Capture { expression: Arc::from(expression), regex: Arc::new(compiled) };
    draft.transform(call.name, transform)
}

fn subslice(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let mut slice = Subslice { offset: 0, bytes: None, truncate: false };
    let whole = |text| signed(text, i64::from(i32::MAX)).map(|n| n as i32);
    for (at, part) in call.value.split(b',').enumerate() {
        match at {
            0 => slice.offset = whole(part)?,
            _ if part.is("truncate") => slice.truncate = true,
            1 => slice.bytes = Some(whole(part)?),
            _ => return Err(part.fault("expected `offset[, bytes][, truncate]`")),
        }
    }
    draft.transform(call.name, Transform::Subslice(slice))
}

/// Output kept of an unpacked buffer unless the rule says otherwise, bytes.
const DEFAULT_UNPACKED: u32 = 1024;
const MAX_UNPACKED: u64 = 65_535;

fn inflate(draft: &mut Draft, call: Call<'_>, kind: Inflate) -> Result<(), Fault> {
    let mut max = DEFAULT_UNPACKED;
    if !call.value.is_empty() {
        let (word, value) = call.value.first_word();
        if !word.is("max-size") {
            return Err(call.value.fault("expected `max-size N`"));
        }
        max = unsigned(value, MAX_UNPACKED)? as u32;
    }
    draft.transform(call.name, Transform::Inflate { kind, max })
}
