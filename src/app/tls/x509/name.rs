//! Distinguished names as one line: `C=US, O=Let's Encrypt, CN=R3`, in the order of the certificate.

use super::der::{Tlv, tag};

/// The relative names of a subject or an issuer.
#[derive(Copy, Clone, Debug)]
pub(in super::super) struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    pub(super) fn of(sequence: &'a [u8]) -> Name<'a> {
        Name(sequence)
    }

    /// Attributes with `, ` between relative names and ` + ` within one; what cannot be read ends it.
    pub(in super::super) fn write(&self, out: &mut Vec<u8>) {
        let mut between: &[u8] = b"";
        let mut rest = self.0;
        while let Ok((relative, behind)) = Tlv::split(rest) {
            rest = behind;
            let Some(mut set) = relative.expect(tag::SET) else { return };
            while let Ok((attribute, behind)) = Tlv::split(set) {
                set = behind;
                let Some((id, value)) = parts(attribute) else { return };
                out.extend_from_slice(between);
                write_type(id, out);
                out.push(b'=');
                write_value(value, out);
                between = b" + ";
            }
            between = b", ";
        }
    }
}

fn parts(attribute: Tlv<'_>) -> Option<(&[u8], Tlv<'_>)> {
    let (id, rest) = Tlv::split(attribute.expect(tag::SEQUENCE)?).ok()?;
    let (value, _) = Tlv::split(rest).ok()?;
    Some((id.expect(tag::OID)?, value))
}

/// Types of attributes with a name: those of RFC 4519 that are written short, and others by their names there, in X.520,
/// and in the CA/Browser Forum's guidelines.
const TYPES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "Email"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2], "unstructuredName"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "uid"),
    (&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 1], "msJurisdictionLocality"),
    (&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 2], "msJurisdictionStateOrProvince"),
    (&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 3], "msJurisdictionCountry"),
    (&[0x55, 4, 4], "surname"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 9], "streetAddress"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 13], "description"),
    (&[0x55, 4, 15], "businessCategory"),
    (&[0x55, 4, 16], "postalAddress"),
    (&[0x55, 4, 17], "postalCode"),
    (&[0x55, 4, 41], "name"),
    (&[0x55, 4, 42], "givenName"),
    (&[0x55, 4, 43], "initials"),
    (&[0x55, 4, 44], "generationQualifier"),
    (&[0x55, 4, 45], "uniqueIdentifier"),
    (&[0x55, 4, 46], "dnQualifier"),
    (&[0x55, 0x1d, 0x11], "subjectAltName"),
];

fn write_type(id: &[u8], out: &mut Vec<u8>) {
    match TYPES.iter().find(|(known, _)| *known == id) {
        Some((_, name)) => out.extend_from_slice(name.as_bytes()),
        None => {
            out.extend_from_slice(b"OID(");
            write_oid(id, out);
            out.push(b')');
        }
    }
}

/// `1.2.840.113549`; a number of more than 64 bits ends it.
fn write_oid(id: &[u8], out: &mut Vec<u8>) {
    use std::io::Write;
    let (mut number, mut first) = (0u64, true);
    for byte in id {
        let Some(shifted) = number.checked_mul(128) else { return };
        number = shifted | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        let _ = if first {
            let root = (number / 40).min(2);
            write!(out, "{root}.{}", number - root * 40)
        } else {
            write!(out, ".{number}")
        };
        (number, first) = (0, false);
    }
}

const STRINGS: [u8; 10] = [0x07, 0x0c, 0x12, 0x13, 0x14, 0x15, 0x16, 0x19, 0x1a, 0x1b];

/// Strings as their bytes stand, whatever set of characters they claim; of UTF-16, UTF-8; anything else in hexadecimal.
fn write_value(value: Tlv<'_>, out: &mut Vec<u8>) {
    if STRINGS.contains(&value.tag) {
        out.extend_from_slice(value.value);
    } else if value.tag == tag::BMP_STRING {
        let units = value.value.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair));
        for read in char::decode_utf16(units) {
            let character = read.unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    } else {
        let digit = |half: u8| b"0123456789ABCDEF".get(usize::from(half)).copied().unwrap_or(b'0');
        value.value.iter().for_each(|byte| out.extend([digit(byte >> 4), digit(byte & 15)]));
    }
}
