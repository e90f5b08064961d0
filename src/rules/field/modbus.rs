//! What the keyword `modbus` asks of a request (docs.suricata.io, "Modbus Keyword"). Addresses count from 1, as in the
//! Modbus Application Protocol 1.1b3, 4.4; on the wire they count from 0.

use super::FieldTest;
use crate::rules::number::unsigned;
use crate::rules::ruleset::NumRange;
use crate::rules::text::{Fault, Text, nearest};
use serde::{Deserialize, Serialize};

/// Categories of functions, a bit each.
pub mod category {
    /// Defined by the specification.
    pub const ASSIGNED: u8 = 1;
    /// Public, and not yet defined.
    pub const UNASSIGNED: u8 = 2;
    pub const USER: u8 = 4;
    pub const RESERVED: u8 = 8;
}

/// Tables of a device.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Table {
    Discretes,
    Coils,
    Input,
    Holding,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModbusTest {
    pub unit: Option<NumRange>,
    pub ask: Option<Ask>,
}

/// A function, or an access to data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Ask {
    Function {
        code: u8,
        subfunction: Option<u16>,
    },
    /// Any of these categories ([`category`]), or with `negated` none of them.
    Category {
        any: u8,
        negated: bool,
    },
    Access {
        write: bool,
        table: Option<Table>,
        /// Counted from 1.
        address: Option<NumRange>,
        /// Written at such an address.
        value: Option<NumRange>,
    },
}

const CATEGORIES: &[(&str, u8)] = &[
    ("assigned", category::ASSIGNED),
    ("unassigned", category::UNASSIGNED),
    ("public", category::ASSIGNED | category::UNASSIGNED),
    ("user", category::USER),
    ("reserved", category::RESERVED),
    ("all", category::ASSIGNED | category::UNASSIGNED | category::USER | category::RESERVED),
];

const TABLES: &[(&str, Table)] = &[
    ("discretes", Table::Discretes),
    ("coils", Table::Coils),
    ("input", Table::Input),
    ("holding", Table::Holding),
];

/// Settings with commas between: `unit N`, and `function ..` or `access ..`.
pub(super) fn parse(value: Text<'_>) -> Result<FieldTest, Fault> {
    let mut test = ModbusTest { unit: None, ask: None };
    for part in value.unquoted().split(b',') {
        let (setting, rest) = part.first_word();
        match (setting.lossy().to_ascii_lowercase().as_str(), &mut test.ask) {
            ("unit", _) if test.unit.is_none() => test.unit = Some(range(rest, 0xff)?),
            ("function", ask @ None) => *ask = Some(function(rest)?),
            ("access", ask @ None) => *ask = Some(access(rest)?),
            ("subfunction", Some(Ask::Function { subfunction: sub @ None, .. })) => {
                *sub = Some(unsigned(rest, 0xffff)? as u16);
            }
            ("address", Some(Ask::Access { table: Some(_), address: address @ None, .. })) => {
                *address = Some(range(rest, 0x1_0000)?);
            }
            ("value", Some(Ask::Access { write: true, address: Some(_), value: value @ None, .. })) => {
                *value = Some(range(rest, 0xffff)?);
            }
            (word, _) => return Err(misplaced(setting, word)),
        }
    }
    Ok(FieldTest::Modbus(test))
}

fn misplaced(setting: Text<'_>, word: &str) -> Fault {
    let (message, help) = match word {
        "subfunction" => ("`subfunction` stands behind a function's number", "function 8, subfunction 4"),
        "address" => ("`address` stands behind an access to a table", "access read holding, address 100"),
        "value" => {
            ("`value` stands behind the address of a write", "access write holding, address 100, value >200")
        }
        "unit" => ("`unit` is there twice", "unit 10, function 21"),
        "function" | "access" => ("one of `function` and `access`", "unit 10, function 21"),
        _ => {
            let known = ["unit", "function", "subfunction", "access", "address", "value"];
            let fault = setting.fault(format!("`{word}` is no setting of `modbus`"));
            return match nearest(word, known.into_iter()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("one of: {}", known.join(", "))),
            };
        }
    };
    setting.fault(message).help(format!("for example `modbus: {help}`"))
}

fn function(text: Text<'_>) -> Result<Ask, Fault> {
    let (negated, word) = text.negation();
    let lower = word.lossy().to_ascii_lowercase();
    if let Some((_, any)) = CATEGORIES.iter().find(|(name, _)| *name == lower) {
        return Ok(Ask::Category { any: *any, negated });
    }
    match unsigned(word, 0xff) {
        Ok(code) if !negated => Ok(Ask::Function { code: code as u8, subfunction: None }),
        _ => {
            let names: Vec<_> = CATEGORIES.iter().map(|(name, _)| *name).collect();
            let fault = word.fault(format!("`{}` is no function of Modbus", word.lossy()));
            Err(match nearest(&lower, names.iter().copied()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("a number from 0 to 255, or one of: {}", names.join(", "))),
            })
        }
    }
}

fn access(text: Text<'_>) -> Result<Ask, Fault> {
    let (how, rest) = text.first_word();
    let write = match how.lossy().to_ascii_lowercase().as_str() {
        "read" => false,
        "write" => true,
        _ => return Err(how.fault(format!("expected `read` or `write`, found `{}`", how.lossy()))),
    };
    let word = rest.lossy().to_ascii_lowercase();
    let found = TABLES.iter().find(|(name, _)| *name == word).map(|(_, table)| *table);
    match found {
        Some(Table::Discretes | Table::Input) if write => {
            Err(rest.fault(format!("`{word}` cannot be written")).help("coils and holding registers can"))
        }
        None if !rest.is_empty() => {
            let names: Vec<_> = TABLES.iter().map(|(name, _)| *name).collect();
            Err(rest
                .fault(format!("`{word}` is no table of a Modbus device"))
                .help(format!("one of: {}", names.join(", "))))
        }
        table => Ok(Ask::Access { write, table, address: None, value: None }),
    }
}

/// `N`, `<N`, `>N`, and `A<>B` without its ends.
fn range(text: Text<'_>, max: u64) -> Result<NumRange, Fault> {
    crate::rules::number::range(text, max)
}
