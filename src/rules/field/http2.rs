//! HTTP/2's settings (RFC 9113, 6.5.2), and what `http2.settings` asks of one.

use super::FieldTest;
use crate::rules::number::range;
use crate::rules::ruleset::NumRange;
use crate::rules::text::{Fault, Text, nearest};

const SETTINGS: [&str; 6] = [
    "SETTINGS_HEADER_TABLE_SIZE",
    "SETTINGS_ENABLE_PUSH",
    "SETTINGS_MAX_CONCURRENT_STREAMS",
    "SETTINGS_INITIAL_WINDOW_SIZE",
    "SETTINGS_MAX_FRAME_SIZE",
    "SETTINGS_MAX_HEADER_LIST_SIZE",
];

/// The field's value of a setting.
pub fn setting_value(number: u16, value: u32) -> u64 {
    u64::from(number) << 32 | u64::from(value)
}

/// A setting's name, and a comparison with its value.
pub(super) fn parse(value: Text<'_>) -> Result<FieldTest, Fault> {
    let value = value.unquoted().trim();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let end = value.bytes.iter().position(|byte| !is_name(byte)).unwrap_or(value.bytes.len());
    let (name, rest) = (value.sub(0, end), value.from(end));
    let word = name.lossy().to_ascii_uppercase();
    let Some(at) = SETTINGS.iter().position(|known| *known == word) else {
        let fault = name.fault(format!("`{}` is no setting of HTTP/2", name.lossy()));
        return Err(match nearest(&word, SETTINGS.into_iter()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help(format!("one of: {}", SETTINGS.join(", "))),
        });
    };
    let all = NumRange::new(0, u64::from(u32::MAX), false);
    let rest = rest.trim();
    let asked = if rest.is_empty() { all } else { range(rest, u64::from(u32::MAX))? };
    if asked.negated {
        return Err(rest.fault("a setting is compared with `<`, `>` or a range, not by what it is not"));
    }
    let base = setting_value(at as u16 + 1, 0);
    let range = NumRange::new(base + asked.low, base + asked.high, false);
    Ok(FieldTest::Number { mask: u64::MAX, range })
}
