//! Numbers in a payload: binary of either order, or ASCII digits as C's `strtoull` reads them.

use crate::rules::ruleset::{Endian, NumberForm};

/// Bytes a binary number may have; digits a text may.
const MAX_BINARY: usize = 8;
const MAX_TEXT: usize = 23;

/// The number at the start of `bytes`, of which `width` are looked at, and how many bytes it took. A text of width 0 is as
/// long as its digits are (`http.content_len; byte_test:0,>=,8079,0,string,dec`); a binary number of no bytes is 0.
/// `None`: too few bytes, too wide, no digit, or more than 64 bits.
pub(super) fn read(bytes: &[u8], width: usize, form: NumberForm) -> Option<(u64, usize)> {
    let field = bytes.get(..width)?;
    match form {
        NumberForm::Text { base } if width == 0 => text(bytes.get(..MAX_TEXT).unwrap_or(bytes), base),
        _ if width == 0 => Some((0, 0)),
        NumberForm::Binary(_) if width > MAX_BINARY => None,
        NumberForm::Binary(Endian::Big) => Some((fold(field.iter()), width)),
        NumberForm::Binary(Endian::Little) => Some((fold(field.iter().rev()), width)),
        // The subject says which of the two, if anyone knows.
        NumberForm::Binary(Endian::Dcerpc) => None,
        NumberForm::Text { .. } if width > MAX_TEXT => None,
        NumberForm::Text { base } => text(field, base),
    }
}

fn fold<'b>(bytes: impl Iterator<Item = &'b u8>) -> u64 {
    bytes.fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn text(field: &[u8], base: u8) -> Option<(u64, usize)> {
    let blanks = field.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0x0b).count();
    let mut at = blanks;
    let negative = field.get(at) == Some(&b'-');
    if matches!(field.get(at), Some(b'-' | b'+')) {
        at += 1;
    }
    let (base, prefix) = resolve_base(field.get(at..).unwrap_or_default(), base);
    at += prefix;
    let digits = field.get(at..).unwrap_or_default();
    let mut value = 0u64;
    let mut taken = 0;
    for digit in digits.iter().map_while(|&b| (b as char).to_digit(base)) {
        value = value.checked_mul(u64::from(base))?.checked_add(u64::from(digit))?;
        taken += 1;
    }
    if taken == 0 {
        return None;
    }
    Some((if negative { value.wrapping_neg() } else { value }, at + taken))
}

/// C's prefixes: `0x` is allowed before base 16 and chooses it for base 0, where a leading `0` chooses 8.
fn resolve_base(rest: &[u8], base: u8) -> (u32, usize) {
    let hex = matches!(rest, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit());
    match base {
        0 | 16 if hex => (16, 2),
        0 if rest.first() == Some(&b'0') => (8, 0),
        0 => (10, 0),
        base => (u32::from(base).clamp(2, 36), 0),
    }
}

/// `value & mask`, shifted down to the mask's lowest bit.
pub(super) fn masked(value: u64, mask: Option<u32>) -> u64 {
    match mask {
        None | Some(0) => value,
        Some(mask) => (value & u64::from(mask)) >> mask.trailing_zeros(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_numbers_of_either_order() {
        assert_eq!(read(b"\x01\x02\x03", 2, NumberForm::Binary(Endian::Big)), Some((0x0102, 2)));
        assert_eq!(read(b"\x01\x02\x03", 2, NumberForm::Binary(Endian::Little)), Some((0x0201, 2)));
        assert_eq!(read(b"\x01", 2, NumberForm::Binary(Endian::Big)), None);
        assert_eq!(read(&[0; 9], 9, NumberForm::Binary(Endian::Big)), None);
    }

    #[test]
    fn text_is_read_as_c_reads_it() {
        let dec = |s: &[u8], n| read(s, n, NumberForm::Text { base: 10 });
        assert_eq!(dec(b"12a4", 4), Some((12, 2)));
        assert_eq!(dec(b" 7", 2), Some((7, 2)));
        assert_eq!(dec(b"abc", 3), None);
        assert_eq!(dec(b"99999999999999999999999", 23), None);
        assert_eq!(read(b"0x1fz", 5, NumberForm::Text { base: 16 }), Some((0x1f, 4)));
        assert_eq!(read(b"017", 3, NumberForm::Text { base: 0 }), Some((0o17, 3)));
        assert_eq!(read(b"0xz", 3, NumberForm::Text { base: 0 }), Some((0, 1)));
    }

    #[test]
    fn a_text_of_no_width_is_as_long_as_its_digits() {
        let dec = |s: &[u8]| read(s, 0, NumberForm::Text { base: 10 });
        assert_eq!(dec(b"8079"), Some((8079, 4)));
        assert_eq!(dec(b"20\r\nx"), Some((20, 2)));
        assert_eq!(dec(b"0"), Some((0, 1)));
        assert_eq!(dec(b""), None);
        assert_eq!(dec(b"none"), None);
        assert_eq!(dec(b"000000000000000000000000000000001"), Some((0, 23)));
        assert_eq!(read(b"\x07", 0, NumberForm::Binary(Endian::Big)), Some((0, 0)));
    }

    #[test]
    fn a_mask_is_shifted_down() {
        assert_eq!(masked(0xab, Some(0xf0)), 0xa);
        assert_eq!(masked(0xab, None), 0xab);
    }
}
