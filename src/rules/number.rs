//! Numbers as rules write them: decimal or 0x, with a unit, alone or compared (docs.suricata.io, "Integer Keywords").

use super::ruleset::NumRange;
use super::text::{Fault, Text};

/// Decimal or `0x` hexadecimal, at most `max`.
pub fn unsigned(text: Text<'_>, max: u64) -> Result<u64, Fault> {
    let (digits, factor) = unit(text);
    let word = digits.ascii();
    let value = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with('+') => u64::from_str_radix(hex, 16).ok(),
        _ if word.starts_with('+') => None,
        _ => word.parse().ok(),
    };
    let value = value.and_then(|v| v.checked_mul(factor));
    match value {
        Some(value) if value <= max => Ok(value),
        Some(_) => Err(text.fault(format!("at most {max} fits here"))),
        None => Err(text.fault(format!("`{}` is not a number", text.lossy()))),
    }
}

pub fn small<T: TryFrom<u64>>(text: Text<'_>, max: u64) -> Result<T, Fault> {
    T::try_from(unsigned(text, max)?).map_err(|_| text.fault("the number is too large"))
}

/// With an optional sign, between `-max` and `max`.
pub fn signed(text: Text<'_>, max: i64) -> Result<i64, Fault> {
    let (negative, rest) = match text.strip("-") {
        Some(rest) => (true, rest),
        None => (false, text.strip("+").unwrap_or(text)),
    };
    let value = unsigned(rest, max as u64)? as i64;
    Ok(if negative { -value } else { value })
}

fn unit(text: Text<'_>) -> (Text<'_>, u64) {
    const UNITS: [(&str, u64); 6] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("kb", 1 << 10),
        ("mb", 1 << 20),
        ("gb", 1 << 30),
    ];
    // The length of a hexadecimal number's digits could be taken for a unit: `0xkb` is none anyway.
    let lower = text.bytes.to_ascii_lowercase();
    let found = UNITS.iter().find(|(name, _)| lower.ends_with(name.as_bytes()) && !lower.starts_with(b"0x"));
    match found {
        Some((name, factor)) => (text.sub(0, text.bytes.len() - name.len()).trim(), *factor),
        None => (text, 1),
    }
}

/// What [`range`] reads, or bits under a mask: `&MASK=VALUE`, `&MASK!=VALUE`, either behind `!`; without a value, all bits of
/// the mask.
pub fn comparison(text: Text<'_>, max: u64) -> Result<NumRange, Fault> {
    let (negated, rest) = text.trim().negation();
    let Some(masked) = rest.strip("&") else { return range(text, max) };
    let (mask, differs, value) = match masked.split_once(b'=') {
        None => (masked, false, None),
        Some((mask, value)) => match mask.bytes.strip_suffix(b"!") {
            Some(bytes) => (mask.sub(0, bytes.len()).trim(), true, Some(value)),
            None => (mask, false, Some(value)),
        },
    };
    let bits = unsigned(mask, max)?;
    let value = match value {
        None => bits,
        Some(text) => match unsigned(text, max)? {
            value if value & !bits != 0 => {
                let fault = text.fault(format!("{value:#x} has bits that the mask {bits:#x} takes away"));
                return Err(fault.help("a number under a mask never equals this: correct either"));
            }
            value => value,
        },
    };
    Ok(NumRange { low: value, high: value, negated: negated != differs, mask: bits })
}

/// `N =N !N !=N <N <=N >N >=N A<>B A-B !A-B`; a range leaves out its ends.
pub fn range(text: Text<'_>, max: u64) -> Result<NumRange, Fault> {
    let text = text.trim();
    let is = |low, high| Ok(NumRange::new(low, high, false));
    let never =
        || text.fault("no number can be so").help("ranges and comparisons leave out the numbers they name");
    if text.strip("&").or_else(|| text.strip("!&")).is_some() {
        return Err(text
            .fault("this is not compared under a bit mask")
            .help("a number, `<`, `>` or a range"));
    }
    let number = |part: Text<'_>| unsigned(part.trim(), max);
    if let Some(rest) = text.strip(">=") {
        return is(number(rest)?, max);
    }
    if let Some(rest) = text.strip("<=") {
        return is(0, number(rest)?);
    }
    if let Some(rest) = text.strip(">") {
        let low = number(rest)?;
        return if low == max { Err(never()) } else { is(low + 1, max) };
    }
    if let Some(rest) = text.strip("<") {
        return match number(rest)? {
            0 => Err(never()),
            high => is(0, high - 1),
        };
    }
    let (negated, rest) = match text.strip("!") {
        Some(rest) => (true, rest.strip("=").unwrap_or(rest).trim()),
        None => (false, text.strip("=").unwrap_or(text).trim()),
    };
    let Some((low, high)) = ends(rest) else {
        let value = number(rest)?;
        return Ok(NumRange::new(value, value, negated));
    };
    let (low, high) = (number(low)?, number(high)?);
    if high.saturating_sub(low) < 2 {
        return Err(never());
    }
    Ok(NumRange::new(low + 1, high - 1, negated))
}

fn ends(text: Text<'_>) -> Option<(Text<'_>, Text<'_>)> {
    let at = memchr::memmem::find(text.bytes, b"<>").map(|at| (at, 2));
    let (at, length) = at.or_else(|| memchr::memchr(b'-', text.bytes).map(|at| (at, 1)))?;
    Some((text.sub(0, at).trim(), text.from(at + length).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NumRange, Fault> {
        range(Text::new(text.as_bytes(), 0), 0xffff)
    }

    #[test]
    fn every_form_of_comparison_is_understood() {
        let table = [
            ("10", 10, 10, false),
            ("=0x10", 16, 16, false),
            ("!5", 5, 5, true),
            ("!=5", 5, 5, true),
            (">8", 9, 0xffff, false),
            (">= 8", 8, 0xffff, false),
            ("<8", 0, 7, false),
            ("<=8", 0, 8, false),
            ("8<>20", 9, 19, false),
            ("8-20", 9, 19, false),
            ("!8-20", 9, 19, true),
            ("1kb", 1024, 1024, false),
        ];
        for (text, low, high, negated) in table {
            assert_eq!(read(text), Ok(NumRange::new(low, high, negated)), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (text, message) in [
            ("", "`` is not a number"),
            ("x", "`x` is not a number"),
            ("+5", "`+5` is not a number"),
            ("70000", "at most 65535 fits here"),
            ("5<>6", "no number can be so"),
            ("9<>3", "no number can be so"),
            ("<0", "no number can be so"),
            ("&4=4", "this is not compared under a bit mask"),
        ] {
            assert_eq!(read(text).unwrap_err().message, message, "{text}");
        }
    }
}
