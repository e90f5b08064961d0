//! BER as LDAP uses it (RFC 4511, 5.1): elements with definite lengths, read one after the other.

/// Tags of the universal class.
pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const OCTETS: u8 = 0x04;
pub const ENUMERATED: u8 = 0x0a;
pub const SEQUENCE: u8 = 0x30;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
}

/// Elements that are not read yet.
#[derive(Copy, Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// The tag, the header's length and the content's. `None` while bytes are missing; an error when it is no length that LDAP
/// allows.
pub fn header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, ()> {
    let &[tag, first, ref rest @ ..] = bytes else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((tag, 2, first.into())));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return Err(());
    }
    let Some(digits) = rest.get(..count) else { return Ok(None) };
    let len = digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit));
    Ok(Some((tag, 2 + count, len)))
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next element, whole.
    pub fn next(&mut self) -> Option<Element<'a>> {
        let (tag, start, len) = header(self.rest).ok()??;
        let content = self.rest.get(start..start.checked_add(len)?)?;
        self.rest = self.rest.get(start + len..)?;
        Some(Element { tag, content })
    }

    /// The next element, if it is of that kind.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let element = ahead.next().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element.content)
    }

    /// A number of at most four bytes.
    pub fn number(&mut self, tag: u8) -> Option<u32> {
        let content = self.expect(tag)?;
        // A leading zero keeps a large one positive.
        let digits = content.strip_prefix(&[0]).unwrap_or(content);
        (digits.len() <= 4).then(|| digits.iter().fold(0, |number, digit| number << 8 | u32::from(*digit)))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        Reader::next(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_both_forms() {
        assert_eq!(header(&[0x30, 5]), Ok(Some((0x30, 2, 5))));
        assert_eq!(header(&[0x30, 0x84, 0, 0, 1, 0]), Ok(Some((0x30, 6, 256))));
        assert_eq!((header(&[0x30, 0x82, 1]), header(&[0x30])), (Ok(None), Ok(None)));
        assert_eq!((header(&[0x30, 0x80]), header(&[0x30, 0x85, 0])), (Err(()), Err(())));
    }

    #[test]
    fn elements_one_after_the_other() {
        let mut reader = Reader::new(&[2, 1, 7, 4, 2, b'a', b'b', 2, 5, 0, 0xff, 0xff, 0xff, 0xff, 4, 9, 0]);
        assert_eq!(reader.number(INTEGER), Some(7));
        assert_eq!((reader.expect(INTEGER), reader.expect(OCTETS)), (None, Some(&b"ab"[..])));
        assert_eq!(reader.number(INTEGER), Some(u32::MAX));
        assert_eq!(Reader::next(&mut reader), None, "cut");
    }
}
