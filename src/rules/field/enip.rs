//! What `cip_service` asks of a request (docs.suricata.io, "ENIP/CIP Keywords").

use super::FieldTest;
use crate::rules::number::unsigned;
use crate::rules::ruleset::NumRange;
use crate::rules::text::{Fault, Text};

/// Class and attribute have 16 bits each, and one that says that they are there.
const PART: u32 = 17;
const THERE: u64 = 1 << 16;

/// The field's value of a service (8 bits), a class and an attribute, where they are known.
pub fn cip_value(service: u8, class: Option<u16>, attribute: Option<u16>) -> u64 {
    let part = |number: Option<u16>| number.map_or(0, |number| THERE | u64::from(number));
    u64::from(service) << (2 * PART) | part(class) << PART | part(attribute)
}

/// `SERVICE[,CLASS[,ATTRIBUTE]]`; what is not said may be anything.
pub(super) fn parse(value: Text<'_>) -> Result<FieldTest, Fault> {
    let value = value.unquoted();
    let mut parts = value.split(b',');
    let service = unsigned(parts.next().unwrap_or(value), 0x7f)? as u8;
    let mut number =
        || parts.next().map(|part| unsigned(part, 0xffff).map(|number| number as u16)).transpose();
    let (class, attribute) = (number()?, number()?);
    if parts.next().is_some() {
        return Err(value.fault("a service, a class and an attribute at most").help("for example 16,246,6"));
    }
    let wanted = cip_value(service, class, attribute);
    let part = (1 << PART) - 1;
    let service_bits = 0xff << (2 * PART);
    let mask = service_bits | class.map_or(0, |_| part << PART) | attribute.map_or(0, |_| part);
    Ok(FieldTest::Number { mask, range: NumRange::new(wanted, wanted, false) })
}
