//! Steps that decode or measure what stands at a place: entropy and ASN.1.

use super::subject::Subject;
use crate::rules::ruleset::{Asn1Test, EntropyTest};

/// Shannon's entropy in bits a byte; an empty part has none.
pub(super) fn entropy(test: &EntropyTest, bytes: &[u8]) -> bool {
    let part = bytes.get(test.offset as usize..).unwrap_or_default();
    let part = test.bytes.map_or(part, |n| part.get(..n as usize).unwrap_or(part));
    if part.is_empty() {
        return false;
    }
    let mut counts = [0u32; 256];
    for &byte in part {
        counts[usize::from(byte)] += 1;
    }
    let share = |count: u32| f64::from(count) / part.len() as f64;
    let bits: f64 = counts.iter().filter(|n| **n > 0).map(|n| -share(*n) * share(*n).log2()).sum();
    let above = if test.closed.0 { bits >= test.low } else { bits > test.low };
    let below = if test.closed.1 { bits <= test.high } else { bits < test.high };
    (above && below) != test.negated
}

/// Objects looked at, and how deep they may lie in one another.
const MAX_OBJECTS: usize = 256;
const MAX_DEPTH: usize = 16;

const BIT_STRING: u8 = 3;
const REAL: u8 = 9;
/// A number in ASCII that is longer than this has overflown buffers.
const LONGEST_ASCII_REAL: usize = 256;

/// Whether one of the BER objects (X.690) from that place on is broken in a way that is asked for.
pub(super) fn asn1(test: &Asn1Test, subject: &Subject<'_>, last: i64) -> bool {
    let start = if test.relative { last } else { 0 };
    let at = start.checked_add(i64::from(test.offset)).and_then(|place| subject.index(place));
    let Some(bytes) = at.and_then(|at| subject.bytes.get(at..)) else { return false };
    let mut left = MAX_OBJECTS;
    objects(test, bytes, MAX_DEPTH, &mut left)
}

fn objects(test: &Asn1Test, mut bytes: &[u8], depth: usize, left: &mut usize) -> bool {
    while let Some(object) = Object::read(bytes) {
        if depth == 0 || *left == 0 {
            return false;
        }
        *left -= 1;
        if object.is_broken(test) || (object.constructed && objects(test, object.content, depth - 1, left)) {
            return true;
        }
        match bytes.get(object.size..) {
            Some(rest) if !object.cut => bytes = rest,
            _ => return false,
        }
    }
    false
}

/// Type, length, value.
struct Object<'a> {
    universal: bool,
    constructed: bool,
    tag: u8,
    /// As the object says; `None` for the indefinite form.
    length: Option<u64>,
    /// As far as it is there.
    content: &'a [u8],
    cut: bool,
    size: usize,
}

impl<'a> Object<'a> {
    fn read(bytes: &'a [u8]) -> Option<Object<'a>> {
        let &first = bytes.first()?;
        let tag = first & 0x1f;
        let mut at = 1;
        if tag == 0x1f {
            // A tag of several bytes: the last has its high bit clear.
            at += bytes.get(1..)?.iter().position(|b| b & 0x80 == 0)? + 1;
        }
        let &form = bytes.get(at)?;
        at += 1;
        let length = match form {
            0x80 => None,
            0..=0x7f => Some(u64::from(form)),
            _ => {
                let field = bytes.get(at..at + usize::from(form & 0x7f))?;
                at += field.len();
                let significant = field.iter().skip_while(|b| **b == 0).count();
                let value = field.iter().fold(0u64, |value, b| value << 8 | u64::from(*b));
                Some(if significant > 8 { u64::MAX } else { value })
            }
        };
        let rest = bytes.get(at..)?;
        let wanted = length.map_or(rest.len(), |length| usize::try_from(length).unwrap_or(usize::MAX));
        let content = rest.get(..wanted).unwrap_or(rest);
        Some(Object {
            universal: first & 0xc0 == 0,
            constructed: first & 0x20 != 0,
            tag,
            length,
            content,
            cut: content.len() < wanted,
            size: at + content.len(),
        })
    }

    fn is_broken(&self, test: &Asn1Test) -> bool {
        let oversize =
            test.oversize_length.is_some_and(|most| self.length.is_some_and(|n| n > u64::from(most)));
        let primitive = self.universal && !self.constructed;
        // The first byte says how many bits of the last are not used: more than there are cannot be.
        let bits = || {
            let unused = self.content.first().map_or(0, |b| usize::from(*b));
            self.tag == BIT_STRING && !self.content.is_empty() && unused > (self.content.len() - 1) * 8
        };
        // The two highest bits of the first byte are clear in a number that is written in ASCII.
        let double = || {
            let ascii = self.content.first().is_some_and(|b| b & 0xc0 == 0);
            self.tag == REAL && ascii && self.length.is_some_and(|n| n > LONGEST_ASCII_REAL as u64)
        };
        oversize
            || (test.bitstring_overflow && primitive && bits())
            || (test.double_overflow && primitive && double())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn broken(test: Asn1Test, bytes: &[u8]) -> bool {
        asn1(&test, &Subject::whole(bytes), 0)
    }

    #[test]
    fn what_is_broken_is_found_at_any_depth() {
        let bits = Asn1Test { bitstring_overflow: true, ..Asn1Test::default() };
        assert!(broken(bits, b"\x03\x02\x09\xff") && broken(bits, b"\x03\x01\x01"));
        assert!(!broken(bits, b"\x03\x02\x07\xff") && !broken(bits, b"\x04\x02\x09\xff"));
        assert!(broken(bits, b"\x30\x06\x02\x01\x05\x03\x01\x01"), "within a sequence");
        assert!(!broken(bits, b"\x30\x03\x02\x01\x05"));

        let long = Asn1Test { oversize_length: Some(2048), ..Asn1Test::default() };
        assert!(broken(long, b"\x04\x82\x08\x01abc") && !broken(long, b"\x04\x82\x08\x00abc"));
        assert!(broken(long, b"\x04\x89\x01\0\0\0\0\0\0\0\0x"));

        let double = Asn1Test { double_overflow: true, ..Asn1Test::default() };
        let real = |first: u8, n: u16| [&[9, 0x82][..], &n.to_be_bytes(), &[first], &[b'1'; 300]].concat();
        assert!(
            broken(double, &real(1, 257))
                && !broken(double, &real(1, 256))
                && !broken(double, &real(0x80, 257))
        );
    }

    #[test]
    fn a_place_is_counted_from_the_start_or_the_last_match() {
        let test = Asn1Test { bitstring_overflow: true, offset: 2, ..Asn1Test::default() };
        assert!(
            broken(test, b"..\x03\x01\x01") && !broken(Asn1Test { offset: 9, ..test }, b"..\x03\x01\x01")
        );
        let relative = Asn1Test { relative: true, offset: -1, ..test };
        assert!(asn1(&relative, &Subject::whole(b"..\x03\x01\x01"), 3));
    }

    #[test]
    fn entropy_is_counted_in_bits_a_byte() {
        let test = |low, high| EntropyTest {
            offset: 0,
            bytes: None,
            low,
            high,
            closed: (true, true),
            negated: false,
        };
        assert!(entropy(&test(0.0, 0.0), b"aaaa") && entropy(&test(1.0, 1.0), b"abab"));
        let all: Vec<u8> = (0..=255).collect();
        assert!(
            entropy(&test(8.0, 8.0), &all)
                && !entropy(&EntropyTest { negated: true, ..test(8.0, 8.0) }, &all)
        );
        assert!(!entropy(&EntropyTest { closed: (false, true), ..test(1.0, 8.0) }, b"abab"));
        assert!(entropy(&EntropyTest { offset: 2, bytes: Some(2), ..test(0.0, 0.0) }, b"abcc"));
        assert!(!entropy(&EntropyTest { offset: 9, ..test(0.0, 8.0) }, b"abcc"), "nothing has no entropy");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_walk_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), offset in -90i32..90, last in 0i64..90) {
            let test = Asn1Test { bitstring_overflow: true, double_overflow: true, oversize_length: Some(9), offset, relative: true };
            asn1(&test, &Subject::whole(&bytes), last);
        }
    }
}
