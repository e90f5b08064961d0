//! Attributes of IKE's security associations (RFC 2409, appendix A), and what `ike.chosen_sa_attribute` asks of one.

use super::FieldTest;
use crate::rules::number::{range, unsigned};
use crate::rules::ruleset::NumRange;
use crate::rules::text::{Fault, Text, nearest};

pub const ENCRYPTION: u16 = 1;
pub const HASH: u16 = 2;
pub const AUTHENTICATION: u16 = 3;
pub const GROUP: u16 = 4;
pub const LIFE_TYPE: u16 = 11;
pub const PRF: u16 = 13;

const ATTRIBUTES: &[(u16, &str)] = &[
    (ENCRYPTION, "alg_enc"),
    (HASH, "alg_hash"),
    (AUTHENTICATION, "alg_auth"),
    (GROUP, "alg_dh"),
    (5, "sa_group_type"),
    (LIFE_TYPE, "sa_life_type"),
    (12, "sa_life_duration"),
    (PRF, "alg_prf"),
    (14, "sa_key_length"),
    (15, "sa_field_size"),
];

const MAX: u64 = u32::MAX as u64;

pub fn attribute_name(number: u16) -> &'static str {
    ATTRIBUTES.iter().find(|(known, _)| *known == number).map_or("unknown", |(_, name)| name)
}

/// The field's value of an attribute.
pub fn attribute_value(number: u16, value: u32) -> u64 {
    u64::from(number) << 32 | u64::from(value)
}

/// An attribute's name, and a comparison with its value: `alg_hash=2`, `sa_key_length>128`.
pub(super) fn parse(value: Text<'_>) -> Result<FieldTest, Fault> {
    let value = value.unquoted();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = value.bytes.iter().position(|byte| !is_name(byte)).unwrap_or(value.bytes.len());
    let (name, asked) = (value.sub(0, end), value.from(end).trim());
    let word = name.lossy().to_ascii_lowercase();
    let Some((number, _)) = ATTRIBUTES.iter().find(|(_, known)| *known == word) else {
        let known = ATTRIBUTES.iter().map(|(_, name)| *name);
        let fault = name.fault(format!("`{}` is no attribute of a security association", name.lossy()));
        return Err(match nearest(&word, known.clone()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help(format!("one of: {}", known.collect::<Vec<_>>().join(", "))),
        });
    };
    let base = attribute_value(*number, 0);
    match asked.strip("&") {
        Some(masked) => under_mask(masked, base),
        None => Ok(compared(&range(asked, MAX)?, base)),
    }
}

/// Any other value is one of the same attribute still.
fn compared(asked: &NumRange, base: u64) -> FieldTest {
    let between = |low, high| NumRange::new(base + low, base + high, false);
    if !asked.negated {
        return FieldTest::Number { mask: u64::MAX, range: between(asked.low, asked.high) };
    }
    let below = asked.low.checked_sub(1).map(|high| between(0, high));
    let above = (asked.high < MAX).then(|| between(asked.high + 1, MAX));
    FieldTest::Ranges(below.into_iter().chain(above).collect())
}

/// `&MASK=VALUE`.
fn under_mask(text: Text<'_>, base: u64) -> Result<FieldTest, Fault> {
    let Some((mask, value)) = text.split_once(b'=') else {
        return Err(text.fault("a mask is followed by `=` and the bits that must be left"));
    };
    let (mask, value) = (unsigned(mask.trim(), MAX)?, unsigned(value.trim(), MAX)?);
    let wanted = base | value;
    Ok(FieldTest::Number { mask: !MAX | mask, range: NumRange::new(wanted, wanted, false) })
}
