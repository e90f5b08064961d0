//! Keywords that decode or measure what stands in a buffer: base64, entropy, ASN.1.

use super::{Call, Keyword, Modifies, Value};
use crate::rules::draft::{Draft, DraftBase64, DraftStep};
use crate::rules::number::{signed, unsigned};
use crate::rules::ruleset::{Asn1Test, EntropyTest, Step};
use crate::rules::text::{Fault, Text};

type Parse = fn(&mut Draft, Call<'_>) -> Result<(), Fault>;

const fn step(name: &'static str, value: Value, parse: Parse, doc: &'static str) -> Keyword {
    Keyword { name, aliases: &[], modifies: Modifies::Buffer, value, parse, doc }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    step("base64_decode", Value::Optional, base64_decode, "decodes: [bytes N][, offset N][, relative]"),
    step("base64_data", Value::None, |d, c| d.enter_decoded(c.name), "what base64_decode yields"),
    step("entropy", Value::Needed, entropy, "bits a byte: [bytes N, ][offset N, ]value comparison"),
    step(
        "asn1",
        Value::Needed,
        asn1,
        "broken BER: bitstring_overflow, double_overflow, oversize_length N, offsets",
    ),
];

/// Most bytes that are decoded.
const MAX_DECODED: u64 = 65_535;

fn base64_decode(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let mut base64 =
        DraftBase64 { bytes: None, offset: 0, relative: false, steps: Vec::new(), span: call.name.span() };
    let mut said: Vec<&str> = Vec::new();
    for option in call.value.split(b',').filter(|option| !option.is_empty()) {
        let (word, value) = option.first_word();
        if said.contains(&word.ascii()) {
            return Err(word.fault(format!("`{}` is said twice", word.lossy())));
        }
        said.push(word.ascii());
        match word.ascii() {
            "bytes" => {
                let bytes = unsigned(value, MAX_DECODED)? as u32;
                if bytes == 0 {
                    return Err(value.fault("0 bytes decode to nothing"));
                }
                base64.bytes = Some(bytes);
            }
            "offset" => base64.offset = unsigned(value, MAX_DECODED)? as u32,
            "relative" if value.is_empty() => base64.relative = true,
            _ => return Err(option.fault(format!("`{}` is no option here", option.lossy()))),
        }
    }
    if draft.in_decoded() {
        return Err(call.name.fault("what `base64_decode` yields is not decoded again"));
    }
    // Without a sticky buffer it decodes what the last step looked at.
    draft.push_relative(DraftStep::Base64(base64));
    Ok(())
}

fn entropy(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let mut test = EntropyTest {
        offset: 0,
        bytes: None,
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
        closed: (true, true),
        negated: false,
    };
    let mut said = false;
    for option in call.value.split(b',') {
        let (word, value) = option.first_word();
        match word.ascii() {
            // 0 is all of the buffer.
            "bytes" => {
                test.bytes = Some(unsigned(value, u64::from(u32::MAX))? as u32).filter(|bytes| *bytes > 0);
            }
            "offset" => test.offset = unsigned(value, u64::from(u32::MAX))? as u32,
            "value" => {
                said = true;
                compare(&mut test, value)?;
            }
            // The value alone.
            _ if !said && option.bytes.first().is_some_and(|b| b.is_ascii_digit() || b"<>=!".contains(b)) => {
                said = true;
                compare(&mut test, option)?;
            }
            _ => {
                let fault = option.fault(format!("`{}` is no option here", option.lossy()));
                return Err(
                    fault.help("bytes N, offset N, value and a comparison, for example `value > 4.5`")
                );
            }
        }
    }
    if !said {
        return Err(call.value.fault("`value` is missing").help("for example `entropy:value > 4.5`"));
    }
    draft.step(Step::Entropy(test), false);
    Ok(())
}

/// `N`, `= N`, `!= N`, `< N`, `A-B`, `!A-B`; a range leaves out its ends, as for whole numbers.
fn compare(test: &mut EntropyTest, text: Text<'_>) -> Result<(), Fault> {
    let bits = |text: Text<'_>| {
        let text = text.trim();
        let bad = || text.fault(format!("`{}` is not a number of bits", text.lossy())).help("0.0 to 8.0");
        let value: f64 = text.ascii().parse().map_err(|_| bad())?;
        if (0.0..=8.0).contains(&value) { Ok(value) } else { Err(bad()) }
    };
    if let Some(rest) = text.strip(">=") {
        test.low = bits(rest)?;
    } else if let Some(rest) = text.strip("<=") {
        test.high = bits(rest)?;
    } else if let Some(rest) = text.strip(">") {
        (test.low, test.closed.0) = (bits(rest)?, false);
    } else if let Some(rest) = text.strip("<") {
        (test.high, test.closed.1) = (bits(rest)?, false);
        if test.high <= 0.0 {
            return Err(text.fault("no entropy can be so"));
        }
    } else {
        let (negated, rest) = text.negation();
        let rest = rest.strip("=").unwrap_or(rest).trim();
        test.negated = negated;
        match rest.split_once(b'-') {
            Some((low, high)) => {
                (test.low, test.high, test.closed) = (bits(low)?, bits(high)?, (false, false));
                if test.low >= test.high {
                    return Err(rest.fault("a range goes from the lower to the higher number"));
                }
            }
            None => (test.low, test.high) = (bits(rest)?, bits(rest)?),
        }
    }
    Ok(())
}

fn asn1(draft: &mut Draft, call: Call<'_>) -> Result<(), Fault> {
    let mut test = Asn1Test::default();
    let mut placed = false;
    for option in call.value.split(b',') {
        let (word, value) = option.first_word();
        let place = |value| signed(value, i64::from(u16::MAX)).map(|at| at as i32);
        match word.ascii() {
            "bitstring_overflow" if value.is_empty() => test.bitstring_overflow = true,
            "double_overflow" if value.is_empty() => test.double_overflow = true,
            "oversize_length" => test.oversize_length = Some(unsigned(value, u64::from(u32::MAX))? as u32),
            "absolute_offset" | "relative_offset" => {
                if std::mem::replace(&mut placed, true) {
                    return Err(option.fault("an `asn1` has one offset"));
                }
                (test.offset, test.relative) = (place(value)?, word.is("relative_offset"));
            }
            _ => {
                return Err(option.fault(format!("`{}` is no option here", option.lossy())).help(
                    "bitstring_overflow, double_overflow, oversize_length N, absolute_offset N or relative_offset N",
                ));
            }
        }
    }
    if !test.bitstring_overflow && !test.double_overflow && test.oversize_length.is_none() {
        return Err(call.value.fault("this asks for nothing that could be wrong"));
    }
    draft.step(Step::Asn1(test), test.relative);
    Ok(())
}
