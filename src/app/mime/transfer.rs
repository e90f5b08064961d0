//! Content-Transfer-Encoding (RFC 2045, 6): bodies undone as they come, as tolerantly as mail readers do it.

/// How a body is encoded.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// 7bit, 8bit, binary, or one that nobody knows.
    #[default]
    Identity,
    Base64,
    QuotedPrintable,
}

impl Encoding {
    pub fn named(name: &[u8]) -> Encoding {
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"base64") {
            Encoding::Base64
        } else if name.eq_ignore_ascii_case(b"quoted-printable") {
            Encoding::QuotedPrintable
        } else {
            Encoding::Identity
        }
    }
}

/// Undoes base64 (RFC 2045, 6.8). Bytes that are none of its alphabet are left out; what comes after padding begins anew.
#[derive(Copy, Clone, Debug, Default)]
pub struct Base64 {
    bits: u32,
    /// Characters in `bits`, of four.
    chars: u8,
}

/// Decoded bytes are handed on in pieces of at most so many.
const CHUNK: usize = 768;

impl Base64 {
    /// Whether all bytes were of the alphabet, white space, or padding.
    pub fn decode(&mut self, encoded: &[u8], mut out: impl FnMut(&[u8])) -> bool {
        let mut chunk = arrayvec::ArrayVec::<u8, CHUNK>::new();
        let mut clean = true;
        for &byte in encoded {
            let Some(value) = value_of(byte) else {
                match byte {
                    b'=' => self.finish(&mut |b| push(&mut chunk, b, &mut out)),
                    b' ' | b'\t' | b'\r' | b'\n' => {}
                    _ => clean = false,
                }
                continue;
            };
            self.bits = self.bits << 6 | u32::from(value);
            self.chars += 1;
            if self.chars == 4 {
                let [_, a, b, c] = self.bits.to_be_bytes();
                [a, b, c].into_iter().for_each(|byte| push(&mut chunk, byte, &mut out));
                (self.bits, self.chars) = (0, 0);
            }
        }
        if !chunk.is_empty() {
            out(&chunk);
        }
        clean
    }

    /// The last group, which may lack its padding.
    pub fn end(&mut self, mut out: impl FnMut(&[u8])) {
        let mut last = arrayvec::ArrayVec::<u8, 2>::new();
        self.finish(&mut |byte| {
            let _ = last.try_push(byte);
        });
        if !last.is_empty() {
            out(&last);
        }
    }

    fn finish(&mut self, out: &mut impl FnMut(u8)) {
        let bits = self.bits;
        match self.chars {
            2 => out((bits >> 4) as u8),
            3 => {
                out((bits >> 10) as u8);
                out((bits >> 2) as u8);
            }
            _ => {}
        }
        (self.bits, self.chars) = (0, 0);
    }
}

fn push(chunk: &mut arrayvec::ArrayVec<u8, CHUNK>, byte: u8, out: &mut impl FnMut(&[u8])) {
    if chunk.is_full() {
        out(chunk);
        chunk.clear();
    }
    chunk.push(byte);
}

fn value_of(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        // And of the alphabet for URLs, which some send.
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// Undoes quoted-printable (RFC 2045, 6.7), a line or a piece of one at a time. An `=` that begins no escape stays.
#[derive(Copy, Clone, Debug, Default)]
pub struct QuotedPrintable {
    /// An escape that was cut: `=`, and its first digit.
    escape: Option<Option<u8>>,
}

impl QuotedPrintable {
    /// A piece of a line, without the line's end. Whether all escapes were right.
    pub fn decode(&mut self, encoded: &[u8], mut out: impl FnMut(&[u8])) -> bool {
        let mut clean = true;
        let mut rest = encoded;
        while let Some((&byte, later)) = rest.split_first() {
            match self.escape {
                Some(None) => {
                    self.escape = Some(Some(byte));
                    rest = later;
                }
                Some(Some(high)) => {
                    self.escape = None;
                    if let (Some(h), Some(l)) = (digit(high), digit(byte)) {
                        out(&[h << 4 | l]);
                        rest = later;
                    } else if high == b' ' || high == b'\t' {
                        // White space after a soft line break, which a relay added.
                        if byte == b' ' || byte == b'\t' {
                            self.escape = Some(Some(high));
                            rest = later;
                        } else {
                            clean = false;
                            out(&[b'=', high]);
                        }
                    } else {
                        clean = false;
                        out(&[b'=', high]);
                    }
                }
                None => {
                    let at = memchr::memchr(b'=', rest).unwrap_or(rest.len());
                    let (plain, later) = rest.split_at(at);
                    if !plain.is_empty() {
                        out(plain);
                    }
                    if !later.is_empty() {
                        self.escape = Some(None);
                    }
                    rest = later.get(1..).unwrap_or_default();
                }
            }
        }
        clean
    }

    /// The line ends. Whether its end is part of the body, and whether its escapes were right.
    pub fn line_end(&mut self, mut out: impl FnMut(&[u8])) -> (bool, bool) {
        match self.escape.take() {
            None => (true, true),
            Some(None | Some(b' ' | b'\t')) => (false, true),
            Some(Some(high)) => {
                out(&[b'=', high]);
                (true, false)
            }
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base64(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let (mut decoder, mut out, mut clean) = (Base64::default(), Vec::new(), true);
        for piece in pieces {
            clean &= decoder.decode(piece, |b| out.extend_from_slice(b));
        }
        decoder.end(|b| out.extend_from_slice(b));
        (out, clean)
    }

    fn printable(lines: &[&[u8]]) -> (Vec<u8>, bool) {
        let (mut decoder, mut out, mut clean) = (QuotedPrintable::default(), Vec::new(), true);
        for line in lines {
            clean &= decoder.decode(line, |b| out.extend_from_slice(b));
            let (hard, right) = decoder.line_end(|b| out.extend_from_slice(b));
            clean &= right;
            if hard {
                out.push(b'\n');
            }
        }
        (out, clean)
    }

    #[test]
    fn base64_as_mail_has_it() {
        assert_eq!(base64(&[b"aGVsbG8="]), (b"hello".to_vec(), true));
        assert_eq!(base64(&[b"aGV\r\n s", b"bG8"]), (b"hello".to_vec(), true), "no padding");
        assert_eq!(base64(&[b"aGVsbG8=aGVsbG8="]), (b"hellohello".to_vec(), true), "joined");
        assert_eq!(base64(&[b"aGV*sbG8="]), (b"hello".to_vec(), false));
        assert_eq!(base64(&[b"a"]), (Vec::new(), true), "six bits are no byte");
    }

    #[test]
    fn quoted_printable_as_mail_has_it() {
        assert_eq!(printable(&[b"a=3Db=", b"c"]), (b"a=bc\n".to_vec(), true));
        assert_eq!(printable(&[b"soft= \t", b"c"]), (b"softc\n".to_vec(), true));
        assert_eq!(printable(&[b"a=zzb"]), (b"a=zzb\n".to_vec(), false));
        assert_eq!(printable(&[b"cut=4"]), (b"cut=4\n".to_vec(), false));
        assert_eq!(printable(&[b"=e9=E9"]), (b"\xe9\xe9\n".to_vec(), true));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(prop_oneof![Just(b'='), Just(b' '), any::<u8>()], 0..60), at in 0usize..60) {
            let (a, b) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(base64(&[a, b]), base64(&[&bytes]));
            let (mut one, mut two) = (QuotedPrintable::default(), QuotedPrintable::default());
            let (mut first, mut second) = (Vec::new(), Vec::new());
            one.decode(&bytes, |b| first.extend_from_slice(b));
            two.decode(a, |b| second.extend_from_slice(b));
            two.decode(b, |b| second.extend_from_slice(b));
            one.line_end(|b| first.extend_from_slice(b));
            two.line_end(|b| second.extend_from_slice(b));
            prop_assert_eq!(first, second);
        }
    }
}
