//! Base64 as rules decode it (RFC 4648, section 4; RFC 2045, section 6.8): from text that may hold anything.

use crate::rules::transform::Base64Mode;

fn value(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// Appends at most `max` bytes to `out`, which must have room for them. False when nothing could be decoded.
pub(crate) fn decode(text: &[u8], mode: Base64Mode, max: usize, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let (mut group, mut digits, mut padding) = (0u32, 0usize, 0usize);
    for &byte in text {
        match value(byte) {
            // Padding ends the text.
            _ if padding > 0 && byte != b'=' => match mode {
                Base64Mode::Strict => return false,
                _ => break,
            },
            Some(digit) => {
                group = group << 6 | digit;
                digits += 1;
                if digits == 4 {
                    put(group, 3, max, out);
                    (group, digits) = (0, 0);
                }
            }
            None if byte == b'=' => padding += 1,
            None => match mode {
                Base64Mode::Rfc2045 => {}
                Base64Mode::Rfc4648 => break,
                Base64Mode::Strict => return false,
            },
        }
    }
    if mode == Base64Mode::Strict && !(digits + padding).is_multiple_of(4) {
        return false;
    }
    // Two digits hold one byte, three hold two; one holds none.
    if digits >= 2 {
        put(group << (6 * (4 - digits)), digits - 1, max, out);
    }
    out.len() > start
}

fn put(group: u32, bytes: usize, max: usize, out: &mut Vec<u8>) {
    let [_, all @ ..] = group.to_be_bytes();
    let room = max.saturating_sub(out.len());
    out.extend_from_slice(&all[..bytes.min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(text: &[u8], mode: Base64Mode) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(text, mode, 1 << 16, &mut out).then_some(out)
    }

    /// Encodes bit by bit, as the RFC's text says.
    fn encode(bytes: &[u8]) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |n| b >> n & 1)).collect();
        let mut text: String = bits
            .chunks(6)
            .map(|six| {
                let number = (0..6).fold(0, |all, n| all << 1 | six.get(n).copied().unwrap_or(0));
                ALPHABET[usize::from(number)] as char
            })
            .collect();
        while !text.len().is_multiple_of(4) {
            text.push('=');
        }
        text
    }

    #[test]
    fn modes_differ_in_what_they_make_of_other_characters() {
        use Base64Mode::*;
        for (text, rfc2045, rfc4648, strict) in [
            ("dGVzdA==", Some("test"), Some("test"), Some("test")),
            ("dGVz dA==", Some("test"), Some("tes"), None),
            ("dGVzdA", Some("test"), Some("test"), None),
            ("dGVzdA==x", Some("test"), Some("test"), None),
            ("!!!", None, None, None),
            ("d", None, None, None),
            ("", None, None, None),
        ] {
            let expected = |text: Option<&str>| text.map(|t| t.as_bytes().to_vec());
            assert_eq!(decoded(text.as_bytes(), Rfc2045), expected(rfc2045), "{text} rfc2045");
            assert_eq!(decoded(text.as_bytes(), Rfc4648), expected(rfc4648), "{text} rfc4648");
            assert_eq!(decoded(text.as_bytes(), Strict), expected(strict), "{text} strict");
        }
    }

    #[test]
    fn output_is_bounded() {
        let mut out = Vec::new();
        assert!(decode(&[b'A'; 400], Base64Mode::Rfc4648, 10, &mut out));
        assert_eq!(out.len(), 10);
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(bytes in prop::collection::vec(any::<u8>(), 1..60)) {
            for mode in [Base64Mode::Rfc2045, Base64Mode::Rfc4648, Base64Mode::Strict] {
                prop_assert_eq!(decoded(encode(&bytes).as_bytes(), mode), Some(bytes.clone()));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), max in 0usize..20) {
            for mode in [Base64Mode::Rfc2045, Base64Mode::Rfc4648, Base64Mode::Strict] {
                let mut out = Vec::new();
                decode(&bytes, mode, max, &mut out);
                prop_assert!(out.len() <= max);
            }
        }
    }
}
