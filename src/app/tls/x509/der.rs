//! Elements of DER (X.690): a tag of one byte, a length, a value.

pub(super) mod tag {
    pub(in super::super) const BOOLEAN: u8 = 0x01;
    pub(in super::super) const INTEGER: u8 = 0x02;
    pub(in super::super) const OCTETS: u8 = 0x04;
    pub(in super::super) const OID: u8 = 0x06;
    pub(in super::super) const UTC_TIME: u8 = 0x17;
    pub(in super::super) const GENERALIZED_TIME: u8 = 0x18;
    pub(in super::super) const BMP_STRING: u8 = 0x1e;
    pub(in super::super) const SEQUENCE: u8 = 0x30;
    pub(in super::super) const SET: u8 = 0x31;

    /// Constructed, of the context, with that number.
    pub(in super::super) const fn context(number: u8) -> u8 {
        0xa0 | number
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Longer than the bytes that are there.
    Short,
    /// No length that DER knows.
    Malformed,
}

#[derive(Copy, Clone, Debug)]
pub(super) struct Tlv<'a> {
    pub(super) tag: u8,
    pub(super) value: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// The element in front, and what is behind it. Lengths may have more bytes than needed, as BER allows.
    pub(super) fn split(bytes: &'a [u8]) -> Result<(Tlv<'a>, &'a [u8]), Fault> {
        let [tag, first, rest @ ..] = bytes else { return Err(Fault::Short) };
        // Tags of several bytes are in no certificate.
        if tag & 0x1f == 0x1f {
            return Err(Fault::Malformed);
        }
        let (len, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(Fault::Short)?;
                (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
            }
            _ => return Err(Fault::Malformed),
        };
        let (value, rest) = rest.split_at_checked(len).ok_or(Fault::Short)?;
        Ok((Tlv { tag: *tag, value }, rest))
    }

    /// Its value, if it has that tag.
    pub(super) fn expect(&self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.value)
    }
}
