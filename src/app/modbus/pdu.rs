//! Modbus's protocol data unit (Modbus Application Protocol 1.1b3, 6): functions, the data that they reach, and what is
//! amiss in a request or an answer.

use crate::app::cursor::Cursor;
use crate::rules::field::modbus::{Table, category};

/// A PDU behind its unit identifier, as it stands on the wire.
#[derive(Copy, Clone, Debug)]
pub struct Pdu<'a> {
    pub unit: u8,
    pub function: u8,
    pub data: &'a [u8],
}

/// Neighbouring addresses, as on the wire: from 0.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub first: u16,
    pub count: u16,
}

/// What a request writes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Written<'a> {
    One(u16),
    /// A bit a coil, the first in the lowest bit.
    Bits(&'a [u8]),
    Registers(&'a [u8]),
    Mask {
        and: u16,
        or: u16,
    },
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Write<'a> {
    pub table: Table,
    pub span: Span,
    pub what: Written<'a>,
}

/// What a request reads and writes, as far as it says.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Access<'a> {
    pub read: Option<(Table, Span)>,
    pub write: Option<Write<'a>>,
}

/// What is amiss, a bit each, under the names of eve.json and of events.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub u8);

impl Faults {
    pub const VALUE: Faults = Faults(1);
    pub const LENGTH: Faults = Faults(2);
    pub const EXCEPTION: Faults = Faults(4);
    pub const FUNCTION: Faults = Faults(8);
    pub const PROTOCOL: Faults = Faults(16);

    pub const NAMES: [(Faults, &'static str, &'static str); 5] = [
        (Faults::VALUE, "DATA_VALUE", "modbus.invalid_value"),
        (Faults::LENGTH, "DATA_LENGTH", "modbus.invalid_length"),
        (Faults::EXCEPTION, "EXC_CODE", "modbus.invalid_exception_code"),
        (Faults::FUNCTION, "FUNC_CODE", "modbus.invalid_function_code"),
        (Faults::PROTOCOL, "PROTO_ID", "modbus.invalid_protocol_id"),
    ];

    pub fn add(&mut self, other: Faults) {
        self.0 |= other.0;
    }

    pub fn has(self, other: Faults) -> bool {
        self.0 & other.0 != 0
    }
}

/// Functions of which the data is looked at.
pub mod function {
    pub const READ_COILS: u8 = 1;
    pub const READ_DISCRETES: u8 = 2;
    pub const READ_HOLDING: u8 = 3;
    pub const READ_INPUT: u8 = 4;
    pub const WRITE_COIL: u8 = 5;
    pub const WRITE_REGISTER: u8 = 6;
    pub const DIAGNOSTIC: u8 = 8;
    pub const WRITE_COILS: u8 = 15;
    pub const WRITE_REGISTERS: u8 = 16;
    pub const MASK_WRITE: u8 = 22;
    pub const READ_WRITE: u8 = 23;
    pub const ENCAPSULATED: u8 = 43;
}
use function::*;

/// Set in an answer's function: it is an exception.
pub const EXCEPTION: u8 = 0x80;

impl<'a> Pdu<'a> {
    /// The unit identifier, the function and its data.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Pdu<'a>> {
        let (&unit, rest) = bytes.split_first()?;
        let (&function, data) = rest.split_first()?;
        Some(Pdu { unit, function, data })
    }

    /// Of a diagnostic, and of the encapsulated interface: a byte.
    pub fn subfunction(&self) -> Option<u16> {
        match self.function & !EXCEPTION {
            DIAGNOSTIC => Cursor::big(self.data).u16(),
            ENCAPSULATED => self.data.first().copied().map(u16::from),
            _ => None,
        }
    }

    /// The function's, a bit of [`category`]; none of function 0.
    pub fn category(&self) -> u8 {
        match self.function & !EXCEPTION {
            DIAGNOSTIC if self.subfunction().is_some_and(|sub| matches!(sub, 5..=9 | 22..)) => {
                category::RESERVED
            }
            ENCAPSULATED if self.subfunction().is_some_and(|kind| !matches!(kind, 13 | 14)) => {
                category::RESERVED
            }
            0 => 0,
            1..=8 | 11 | 12 | 15..=17 | 20..=24 | ENCAPSULATED => category::ASSIGNED,
            9 | 10 | 13 | 14 | 18 | 19 | 41 | 42 | 90 | 91 | 125..=127 => category::RESERVED,
            65..=72 | 100..=110 => category::USER,
            _ => category::UNASSIGNED,
        }
    }

    /// What the request reaches.
    pub fn access(&self) -> Access<'a> {
        let mut data = Cursor::big(self.data);
        let mut span = || Some(Span { first: data.u16()?, count: data.u16()? });
        let read = |table, span: Option<Span>| Access { read: span.map(|span| (table, span)), write: None };
        match self.function {
            READ_COILS => read(Table::Coils, span()),
            READ_DISCRETES => read(Table::Discretes, span()),
            READ_HOLDING => read(Table::Holding, span()),
            READ_INPUT => read(Table::Input, span()),
            READ_WRITE => Access { read: span().map(|span| (Table::Holding, span)), write: self.write(4) },
            _ => Access { read: None, write: self.write(0) },
        }
    }

    fn write(&self, from: usize) -> Option<Write<'a>> {
        let mut data = Cursor::big(self.data.get(from..)?);
        let (first, number) = (data.u16()?, data.u16()?);
        let many = |mut data: Cursor<'a>| {
            let _length = data.u8();
            data.rest()
        };
        let (table, count, what) = match self.function {
            // A coil is on or off.
            WRITE_COIL => (Table::Coils, 1, Written::One(u16::from(number != 0))),
            WRITE_REGISTER => (Table::Holding, 1, Written::One(number)),
            WRITE_COILS => (Table::Coils, number, Written::Bits(many(data))),
            WRITE_REGISTERS | READ_WRITE => (Table::Holding, number, Written::Registers(many(data))),
            MASK_WRITE => (Table::Holding, 1, Written::Mask { and: number, or: data.u16()? }),
            _ => return None,
        };
        Some(Write { table, span: Span { first, count }, what })
    }

    /// What is amiss in the request by itself.
    pub fn request_faults(&self) -> Faults {
        let mut faults = Faults::default();
        if matches!(self.function, 0 | 128..) {
            faults.add(Faults::FUNCTION);
        }
        let mut data = Cursor::big(self.data);
        let mut pair = || data.u16().zip(data.u16());
        match self.function {
            READ_COILS | READ_DISCRETES => {
                self.fixed(pair(), 4, |(_, count)| (1..=2000).contains(&count), &mut faults)
            }
            READ_HOLDING | READ_INPUT => {
                self.fixed(pair(), 4, |(_, count)| (1..=125).contains(&count), &mut faults)
            }
            WRITE_COIL => self.fixed(pair(), 4, |(_, value)| matches!(value, 0 | 0xff00), &mut faults),
            WRITE_REGISTER => self.fixed(pair(), 4, |_| true, &mut faults),
            MASK_WRITE => self.fixed(pair(), 6, |_| true, &mut faults),
            WRITE_COILS => self.many(0, 1968, |count| count.div_ceil(8), &mut faults),
            WRITE_REGISTERS => self.many(0, 123, |count| count.saturating_mul(2), &mut faults),
            READ_WRITE => {
                if !pair().is_some_and(|(_, count)| (1..=125).contains(&count)) {
                    faults.add(Faults::VALUE);
                }
                self.many(4, 121, |count| count.saturating_mul(2), &mut faults);
            }
            _ => {}
        }
        faults
    }

    fn fixed(
        &self,
        pair: Option<(u16, u16)>,
        len: usize,
        sound: impl Fn((u16, u16)) -> bool,
        faults: &mut Faults,
    ) {
        if self.data.len() != len {
            faults.add(Faults::LENGTH);
        }
        if pair.is_some_and(|pair| !sound(pair)) {
            faults.add(Faults::VALUE);
        }
    }

    /// An address, a count, a length and so many bytes.
    fn many(&self, from: usize, most: u16, bytes: impl Fn(u16) -> u16, faults: &mut Faults) {
        let mut data = Cursor::big(self.data.get(from..).unwrap_or_default());
        let (Some(_), Some(count), Some(length)) = (data.u16(), data.u16(), data.u8()) else {
            return faults.add(Faults::LENGTH);
        };
        if !(1..=most).contains(&count) || u16::from(length) != bytes(count) {
            faults.add(Faults::VALUE);
        }
        if data.rest().len() != usize::from(length) {
            faults.add(Faults::LENGTH);
        }
    }

    /// What is amiss in the answer by itself.
    pub fn response_faults(&self) -> Faults {
        let mut faults = Faults::default();
        match self.function {
            0 => faults.add(Faults::FUNCTION),
            EXCEPTION.. => match self.data {
                [1..=8 | 10 | 11] => {}
                [_] => faults.add(Faults::EXCEPTION),
                _ => faults.add(Faults::LENGTH),
            },
            READ_COILS..=READ_INPUT | READ_WRITE => match self.data.split_first() {
                Some((&length, rest)) if rest.len() == usize::from(length) => {}
                _ => faults.add(Faults::LENGTH),
            },
            WRITE_COIL | WRITE_REGISTER | WRITE_COILS | WRITE_REGISTERS => {
                self.fixed(None, 4, |_| true, &mut faults);
            }
            MASK_WRITE => self.fixed(None, 6, |_| true, &mut faults),
            _ => {}
        }
        faults
    }
}
