//! As much of BER (X.690) as SNMP uses (RFC 3417, 8): definite lengths, tags below 31, in whichever form they come.

/// An element's tag and contents.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) data: &'a [u8],
}

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// An IPv4 address (RFC 2578, 7.1.5).
pub(super) const ADDRESS: u8 = 0x40;

/// A tag's bits for its number; all of them: the number follows.
const NUMBER: u8 = 0x1f;

/// Elements one behind the other.
#[derive(Copy, Clone, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, mut rest) = self.0.split_first()?;
        let mut tag = tag;
        if tag & NUMBER == NUMBER {
            // The long form of a tag, that a small number should not have, and that is understood none the less.
            let (&number, behind) = rest.split_first()?;
            if number >= NUMBER {
                return None;
            }
            (tag, rest) = (tag & !NUMBER | number, behind);
        }
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Not more than four bytes of length are of use; none at all would be an indefinite one.
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (data, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some(Element { tag, data })
    }

    /// The next element's contents, where it has that tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|element| element.tag == tag).map(|element| element.data)
    }

    /// A number that is not negative.
    pub(super) fn number(&mut self) -> Option<u64> {
        let data = self.expect(INTEGER)?;
        let fits = !data.is_empty() && data.len() <= 9;
        let sum = data.iter().try_fold(0u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)));
        sum.filter(|_| fits)
    }
}

/// Appends an object identifier's numbers with dots between, up to one that breaks off or is too large.
pub(super) fn write_oid(data: &[u8], out: &mut Vec<u8>) {
    let mut number = 0u64;
    let mut first = true;
    for byte in data {
        if number > u64::MAX >> 7 {
            return;
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if first {
            let root = (number / 40).min(2);
            write_number(root, out);
            number -= root * 40;
            first = false;
        }
        out.push(b'.');
        write_number(number, out);
        number = 0;
    }
}

fn write_number(mut number: u64, out: &mut Vec<u8>) {
    let begun = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(begun..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn oid(data: &[u8]) -> String {
        let mut out = Vec::new();
        write_oid(data, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn identifiers_are_numbers_with_dots() {
        assert_eq!(oid(&[0x2b, 6, 1, 4, 1, 0x8f, 0x65]), "1.3.6.1.4.1.2021");
        assert_eq!(oid(&[0x88, 0x37]), "2.999");
        assert_eq!(oid(&[0x2b, 0x86]), "1.3");
        assert_eq!(oid(&[0xff; 12]), "");
        assert_eq!(oid(&[]), "");
    }

    #[test]
    fn lengths_are_short_or_long() {
        let mut reader = Reader(&[2, 1, 5, 4, 0x81, 2, b'a', b'b', 4, 3, 0]);
        assert_eq!(reader.number(), Some(5));
        assert_eq!(reader.expect(OCTETS), Some(&b"ab"[..]));
        assert_eq!(reader.next(), None);
        assert_eq!(Reader(&[0x30, 0x80, 0, 0]).next(), None);
        assert_eq!(Reader(&[0xbf, 0x84, 1, 0]).next(), None);
        assert_eq!(Reader(&[0xbf, 4, 0]).next(), Some(Element { tag: 0xa4, data: &[] }));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader(&bytes);
            while let Some(element) = reader.next() {
                let _ = (oid(element.data), Reader(element.data).number());
            }
        }
    }
}
