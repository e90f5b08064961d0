//! Numbers as text without formatting machinery: for notes on the packet path.

const HEX: &[u8; 16] = b"0123456789abcdef";

fn hex_digit(number: u64) -> u8 {
    HEX.get((number & 15) as usize).copied().unwrap_or(b'?')
}

/// In decimal.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let (mut rest, mut first) = (number, digits.len());
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        (rest, first) = (rest / 10, first - 1);
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// `0x` and hexadecimal digits without leading zeros.
pub fn push_hex(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(b"0x");
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..digits).rev().map(|shift| hex_digit(number >> (shift * 4))));
}

/// Two hexadecimal digits a byte.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().flat_map(|byte| [hex_digit(u64::from(byte >> 4)), hex_digit(u64::from(*byte))]));
}

/// A UUID, its bytes in the order of its text: `367abb81-9844-35f1-ad32-98f038001003`.
pub fn push_uuid(out: &mut Vec<u8>, uuid: &[u8; 16]) {
    for (at, group) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if at > 0 {
            out.push(b'-');
        }
        push_bytes(out, uuid.get(group).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_without_leading_zeros() {
        for number in [0, 7, 10, 65_535, u64::MAX] {
            assert_eq!(text(|out| push_number(out, number)), format!("{number}"));
            assert_eq!(text(|out| push_hex(out, number)), format!("{number:#x}"));
        }
    }

    #[test]
    fn a_uuid_is_written_in_its_groups() {
        let uuid = [0x36, 0x7a, 0xbb, 0x81, 0x98, 0x44, 0x35, 0xf1, 0xad, 0x32, 0x98, 0xf0, 0x38, 0, 0x10, 3];
        assert_eq!(text(|out| push_uuid(out, &uuid)), "367abb81-9844-35f1-ad32-98f038001003");
    }
}
