//! Whether a request is what the keyword `modbus` asks for.

use super::pdu::{Access, Pdu, Span, Write, Written};
use crate::rules::field::modbus::{Ask, ModbusTest, Table};
use crate::rules::ruleset::NumRange;

/// `request` is what the decoder keeps of one: from its unit identifier on.
pub fn holds(test: &ModbusTest, request: &[u8]) -> bool {
    let Some(pdu) = Pdu::from_bytes(request) else { return false };
    let unit = test.unit.as_ref().is_none_or(|range| range.contains(u64::from(pdu.unit)));
    unit && test.ask.as_ref().is_none_or(|ask| does(ask, &pdu))
}

fn does(ask: &Ask, pdu: &Pdu<'_>) -> bool {
    match ask {
        Ask::Function { code, subfunction } => {
            pdu.function == *code && subfunction.is_none_or(|sub| pdu.subfunction() == Some(sub))
        }
        Ask::Category { any, negated } => (pdu.category() & any != 0) != *negated,
        Ask::Access { write: false, table, address, .. } => reads(&pdu.access(), *table, address.as_ref()),
        Ask::Access { write: true, table, address, value } => {
            let access = pdu.access();
            access.write.is_some_and(|write| writes(&write, *table, address.as_ref(), value.as_ref()))
        }
    }
}

fn reads(access: &Access<'_>, wanted: Option<Table>, address: Option<&NumRange>) -> bool {
    access.read.is_some_and(|(table, span)| {
        wanted.is_none_or(|wanted| wanted == table) && address.is_none_or(|range| meets(range, span))
    })
}

fn writes(
    write: &Write<'_>,
    wanted: Option<Table>,
    address: Option<&NumRange>,
    value: Option<&NumRange>,
) -> bool {
    if wanted.is_some_and(|wanted| wanted != write.table) {
        return false;
    }
    match (address, value) {
        (None, _) => true,
        (Some(address), None) => meets(address, write.span),
        (Some(address), Some(value)) => {
            let base = u64::from(write.span.first) + 1;
            let is = |at: usize, number: u16| {
                address.contains(base + at as u64) && value.contains(u64::from(number))
            };
            let count = usize::from(write.span.count);
            match write.what {
                Written::One(number) => is(0, number),
                Written::Bits(bytes) => bytes.iter().take(count.div_ceil(8)).enumerate().any(|(n, byte)| {
                    (0..8).any(|bit| n * 8 + bit < count && is(n * 8 + bit, u16::from(byte >> bit & 1)))
                }),
                Written::Registers(bytes) => {
                    bytes.chunks_exact(2).take(count).enumerate().any(|(n, pair)| {
                        pair.first_chunk().is_some_and(|pair| is(n, u16::from_be_bytes(*pair)))
                    })
                }
                // What becomes of the register depends on what it held.
                Written::Mask { .. } => false,
            }
        }
    }
}

/// Whether the span has such an address, counted from 1.
fn meets(range: &NumRange, span: Span) -> bool {
    let Some(more) = span.count.checked_sub(1) else { return false };
    let first = u64::from(span.first) + 1;
    let last = first + u64::from(more);
    if range.negated {
        first < range.low || last > range.high
    } else {
        first <= range.high && last >= range.low
    }
}
