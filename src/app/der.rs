//! ASN.1 in BER and DER (X.690), an element at a time: for protocols whose messages are read tolerantly and kept nowhere.

/// An element: its identifier's first byte, and what is in it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
}

pub const INTEGER: u8 = 0x02;
pub const SEQUENCE: u8 = 0x30;

/// The n-th element of a sequence's explicitly tagged ones.
pub const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// A constructed element of an application's own.
pub const fn application(n: u8) -> u8 {
    0x60 | n
}

/// Bytes of the header, and of the content, of the element that begins here. `None` where the header is not whole, or none
/// that protocols here use: lengths have at most four bytes and tags one.
pub fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    let tag = *bytes.first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let first = *bytes.get(1)?;
    if first & 0x80 == 0 {
        return Some((2, usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let len = bytes.get(2..2 + count)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
    Some((2 + count, len))
}

/// Takes the next element off `rest`; one that is cut short has what is there.
pub fn next<'a>(rest: &mut &'a [u8]) -> Option<Element<'a>> {
    let bytes = *rest;
    let tag = *bytes.first()?;
    let (header, len) = header(bytes)?;
    let body = bytes.get(header..)?;
    let (content, after) = body.split_at(len.min(body.len()));
    *rest = after;
    Some(Element { tag, content })
}

/// The content of the first element of that tag.
pub fn find(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut rest = bytes;
    while let Some(element) = next(&mut rest) {
        if element.tag == tag {
            return Some(element.content);
        }
    }
    None
}

/// The content of the element there, if it has that tag.
pub fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut rest = bytes;
    next(&mut rest).filter(|element| element.tag == tag).map(|element| element.content)
}

/// An integer's value, as far as 64 bits hold it.
pub fn integer(bytes: &[u8]) -> Option<i64> {
    let content = only(bytes, INTEGER)?;
    let first = *content.first().filter(|_| content.len() <= 8)?;
    let start = if first & 0x80 == 0 { 0 } else { -1 };
    Some(content.iter().fold(start, |value, byte| value << 8 | i64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_one_by_one() {
        let bytes = [0x30, 0x08, 0xa0, 3, 2, 1, 5, 0xa1, 1, 9, 0xff];
        let inside = only(&bytes, SEQUENCE).unwrap();
        assert_eq!(find(inside, context(0)).and_then(integer), Some(5));
        assert_eq!((find(inside, context(1)), find(inside, context(2))), (Some(&[9][..]), None));
        assert_eq!(header(&[0x30, 0x82, 1, 0]), Some((4, 256)));
        for odd in [&[0x1f, 1, 1][..], &[0x30, 0x80], &[0x30, 0x85, 0, 0, 0, 0, 1], &[0x30, 0x82, 1], &[]] {
            assert_eq!(header(odd), None, "{odd:x?}");
        }
    }

    #[test]
    fn integers_have_a_sign_and_end() {
        assert_eq!(integer(&[2, 1, 0xff]), Some(-1));
        assert_eq!(integer(&[2, 2, 1, 0]), Some(256));
        assert_eq!(integer(&[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!((integer(&[2, 0]), integer(&[4, 1, 1])), (None, None));
    }
}
