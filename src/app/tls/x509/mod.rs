//! What a certificate says (RFC 5280), as slices of its bytes. Reads as far as it can be read: what comes before a fault
//! stands.

mod der;
mod name;
#[cfg(test)]
pub(super) mod tests;
mod time;

use der::{Tlv, tag};
pub(super) use name::Name;
pub(super) use time::write as write_time;

/// Where a certificate could not be read on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no certificate at all.
    Certificate,
    /// Its bytes end before it does.
    Length,
    Version,
    Serial,
    Algorithm,
    Issuer,
    Validity,
    Date,
    Subject,
    Extensions,
}

#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Certificate<'a> {
    /// The integer as it stands, sign byte included.
    pub(super) serial: Option<&'a [u8]>,
    pub(super) issuer: Option<Name<'a>>,
    pub(super) subject: Option<Name<'a>>,
    /// Seconds since 1970.
    pub(super) not_before: Option<i64>,
    pub(super) not_after: Option<i64>,
    alternatives: Option<&'a [u8]>,
    pub(super) fault: Option<Fault>,
}

impl<'a> Certificate<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Certificate<'a> {
        let mut found = Certificate::default();
        found.fault = found.fill(bytes).err();
        found
    }

    fn fill(&mut self, bytes: &'a [u8]) -> Result<(), Fault> {
        let (whole, _) = Tlv::split(bytes).map_err(|fault| match fault {
            der::Fault::Short if bytes.first() == Some(&tag::SEQUENCE) => Fault::Length,
            _ => Fault::Certificate,
        })?;
        let whole = whole.expect(tag::SEQUENCE).ok_or(Fault::Certificate)?;
        let (signed, _) = Tlv::split(whole).map_err(|_| Fault::Certificate)?;
        let mut rest = signed.expect(tag::SEQUENCE).ok_or(Fault::Certificate)?;

        if rest.first() == Some(&tag::context(0)) {
            let version = next(&mut rest, tag::context(0)).ok_or(Fault::Version)?;
            Tlv::split(version).ok().and_then(|(v, _)| v.expect(tag::INTEGER)).ok_or(Fault::Version)?;
        }
        self.serial = Some(next(&mut rest, tag::INTEGER).ok_or(Fault::Serial)?);
        next(&mut rest, tag::SEQUENCE).ok_or(Fault::Algorithm)?;
        self.issuer = Some(Name::of(next(&mut rest, tag::SEQUENCE).ok_or(Fault::Issuer)?));
        let validity = next(&mut rest, tag::SEQUENCE).ok_or(Fault::Validity)?;
        self.subject = Some(Name::of(next(&mut rest, tag::SEQUENCE).ok_or(Fault::Subject)?));
        let dates = self.read_validity(validity);
        next(&mut rest, tag::SEQUENCE).ok_or(Fault::Certificate)?;
        self.read_extensions(rest)?;
        dates
    }

    fn read_validity(&mut self, validity: &'a [u8]) -> Result<(), Fault> {
        let (from, rest) = Tlv::split(validity).map_err(|_| Fault::Validity)?;
        let (until, _) = Tlv::split(rest).map_err(|_| Fault::Validity)?;
        self.not_before = time::seconds(from);
        self.not_after = time::seconds(until);
        let both = self.not_before.is_some() && self.not_after.is_some();
        both.then_some(()).ok_or(Fault::Date)
    }

    /// Of the extensions, the names it also stands for (RFC 5280, section 4.2.1.6).
    fn read_extensions(&mut self, mut rest: &'a [u8]) -> Result<(), Fault> {
        while !rest.is_empty() {
            let (optional, behind) = Tlv::split(rest).map_err(|_| Fault::Extensions)?;
            rest = behind;
            let Some(explicit) = optional.expect(tag::context(3)) else { continue };
            let (list, _) = Tlv::split(explicit).map_err(|_| Fault::Extensions)?;
            let mut list = list.expect(tag::SEQUENCE).ok_or(Fault::Extensions)?;
            while !list.is_empty() {
                let mut one = next(&mut list, tag::SEQUENCE).ok_or(Fault::Extensions)?;
                let id = next(&mut one, tag::OID).ok_or(Fault::Extensions)?;
                if one.first() == Some(&tag::BOOLEAN) {
                    next(&mut one, tag::BOOLEAN).ok_or(Fault::Extensions)?;
                }
                let value = next(&mut one, tag::OCTETS).ok_or(Fault::Extensions)?;
                if id == SUBJECT_ALT_NAME {
                    let (names, _) = Tlv::split(value).map_err(|_| Fault::Extensions)?;
                    self.alternatives = names.expect(tag::SEQUENCE);
                }
            }
        }
        Ok(())
    }

    /// Names and addresses it also stands for, in their order.
    pub(super) fn alternatives(&self) -> impl Iterator<Item = Alternative<'a>> {
        let mut rest = self.alternatives.unwrap_or_default();
        std::iter::from_fn(move || {
            let (name, behind) = Tlv::split(rest).ok()?;
            rest = behind;
            Some(name)
        })
        .filter_map(|name| match (name.tag, name.value) {
            (RFC822 | DNS | URI, text) => Some(Alternative::Text(text)),
            (IP, bytes) => Some(Alternative::Address(bytes)),
            _ => None,
        })
    }
}

/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// Choices of GeneralName.
const RFC822: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Alternative<'a> {
    Text(&'a [u8]),
    /// 4 or 16 bytes, when it is right.
    Address(&'a [u8]),
}

impl Alternative<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        let _ = match self {
            Alternative::Text(text) => out.write_all(text),
            Alternative::Address(bytes) => {
                match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
                    (Ok(four), _) => write!(out, "{}", std::net::Ipv4Addr::from(four)),
                    (_, Ok(sixteen)) => write!(out, "{}", std::net::Ipv6Addr::from(sixteen)),
                    _ => Ok(()),
                }
            }
        };
    }
}

/// The value of the next element, which has that tag.
fn next<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (element, behind) = Tlv::split(rest).ok()?;
    let value = element.expect(tag)?;
    *rest = behind;
    Some(value)
}
