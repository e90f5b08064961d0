//! A request or an answer in eve.json, under the names of Suricata's record.

use super::Header;
use super::pdu::{EXCEPTION, Faults, Pdu, Written, function};
use crate::app::Transaction;
use crate::app::cursor::Cursor;
use crate::app::exchange::of_exchange;
use crate::base::Dir;
use crate::rules::field::modbus::{Table, category};

/// By their number.
const FUNCTIONS: [&str; 25] = [
    "Unknown",
    "RdCoils",
    "RdDiscreteInputs",
    "RdHoldRegs",
    "RdInputRegs",
    "WrSingleCoil",
    "WrSingleReg",
    "RdExcStatus",
    "Diagnostic",
    "Program484",
    "Poll484",
    "GetCommEventCtr",
    "GetCommEventLog",
    "ProgramController",
    "PollController",
    "WrMultCoils",
    "WrMultRegs",
    "ReportServerID",
    "Program884",
    "ResetCommLink",
    "RdFileRec",
    "WrFileRec",
    "MaskWrReg",
    "RdWrMultRegs",
    "RdFIFOQueue",
];

const EXCEPTIONS: [&str; 12] = [
    "Unknown",
    "IllegalFunction",
    "IllegalDataAddr",
    "IllegalDataValue",
    "ServerDeviceFail",
    "Ack",
    "ServerDeviceBusy",
    "NegAck",
    "MemParityErr",
    "Unknown",
    "GatewayPathUnavailable",
    "GatewayTargetFailToResp",
];

/// Diagnostics from 0, and from 10.
const DIAGNOSTICS: [&str; 5] =
    ["RetQueryData", "RestartCommOpt", "RetDiagReg", "ChangeInputDelimiter", "ForceListenOnlyMode"];
const COUNTERS: [&str; 12] = [
    "ClearCtrDiagReg",
    "RetBusMsgCount",
    "RetBusCommErrCount",
    "RetBusExcErrCount",
    "RetServerMsgCount",
    "RetServerNoRespCount",
    "RetServerNAKCount",
    "RetServerBusyCount",
    "RetBusCharOverrunCount",
    "RetOverrunErrCount",
    "ClearOverrunCounterFlag",
    "GetClearPlusStats",
];

fn function_name(number: u8) -> &'static str {
    let number = number & !EXCEPTION;
    match number {
        function::ENCAPSULATED => "MEI",
        _ => FUNCTIONS.get(usize::from(number)).copied().unwrap_or("Unknown"),
    }
}

fn diagnostic_name(number: u16) -> &'static str {
    let number = usize::from(number);
    let counter = || COUNTERS.get(number.checked_sub(10)?);
    DIAGNOSTICS.get(number).or_else(counter).copied().unwrap_or("Reserved")
}

pub(super) fn message(tx: &mut Transaction, dir: Dir, header: &Header, pdu: &Pdu<'_>, faults: Faults) {
    if !tx.wants_notes() {
        return;
    }
    tx.note_number(of_exchange!(dir, "transaction_id"), header.transaction.into());
    tx.note_number(of_exchange!(dir, "protocol_id"), header.protocol.into());
    tx.note_number(of_exchange!(dir, "unit_id"), pdu.unit.into());
    tx.note_number(of_exchange!(dir, "function_raw"), pdu.function.into());
    tx.note(of_exchange!(dir, "function_code"), function_name(pdu.function).as_bytes());
    tx.note_with(of_exchange!(dir, "access_type"), |out| access_type(pdu, out));
    tx.note(of_exchange!(dir, "category"), category_name(pdu).as_bytes());
    tx.note_with(of_exchange!(dir, "error_flags"), |out| {
        join(Faults::NAMES.iter().filter(|(fault, ..)| faults.has(*fault)).map(|(_, name, _)| *name), out);
    });
    match pdu.function & !EXCEPTION {
        _ if pdu.function & EXCEPTION != 0 && dir == Dir::ToClient => exception(tx, pdu),
        function::DIAGNOSTIC => {
            let Some(raw) = pdu.subfunction() else { return };
            tx.note_number(of_exchange!(dir, "diagnostic.raw"), raw.into());
            tx.note(of_exchange!(dir, "diagnostic.code"), diagnostic_name(raw).as_bytes());
            tx.note(of_exchange!(dir, "diagnostic.data"), pdu.data.get(2..).unwrap_or_default());
        }
        function::ENCAPSULATED => {
            let Some(raw) = pdu.subfunction() else { return };
            let name = match raw {
                13 => "CANOpenGenRefReqResp",
                14 => "RdDevId",
                _ => "Unknown",
            };
            tx.note_number(of_exchange!(dir, "mei.raw"), raw.into());
            tx.note(of_exchange!(dir, "mei.code"), name.as_bytes());
            tx.note(of_exchange!(dir, "mei.data"), pdu.data.get(1..).unwrap_or_default());
        }
        _ if dir == Dir::ToServer => request(tx, pdu),
        _ => response(tx, pdu),
    }
}

fn exception(tx: &mut Transaction, pdu: &Pdu<'_>) {
    let Some(&raw) = pdu.data.first() else { return };
    tx.note_number("response.exception.raw", raw.into());
    let name = EXCEPTIONS.get(usize::from(raw)).copied().unwrap_or("Unknown");
    tx.note("response.exception.code", name.as_bytes());
}

fn request(tx: &mut Transaction, pdu: &Pdu<'_>) {
    let access = pdu.access();
    if let Some((_, span)) = access.read {
        tx.note_number("request.read.address", span.first.into());
        tx.note_number("request.read.quantity", span.count.into());
    }
    let Some(write) = access.write else {
        if access.read.is_none() && !pdu.data.is_empty() {
            tx.note("request.data", pdu.data);
        }
        return;
    };
    tx.note_number("request.write.address", write.span.first.into());
    match write.what {
        // As on the wire, where a coil that is on is 0xff00.
        Written::One(_) => tx.note_number("request.write.data", second(pdu.data).into()),
        Written::Bits(bytes) | Written::Registers(bytes) => {
            tx.note_number("request.write.quantity", write.span.count.into());
            tx.note("request.write.data", bytes);
        }
        Written::Mask { and, or } => {
            tx.note_number("request.write.and_mask", and.into());
            tx.note_number("request.write.or_mask", or.into());
        }
    }
}

fn response(tx: &mut Transaction, pdu: &Pdu<'_>) {
    let mut data = Cursor::big(pdu.data);
    match pdu.function {
        function::READ_COILS..=function::READ_INPUT | function::READ_WRITE => {
            tx.note("response.read.data", pdu.data.get(1..).unwrap_or_default());
        }
        function::WRITE_COIL
        | function::WRITE_REGISTER
        | function::WRITE_COILS
        | function::WRITE_REGISTERS => {
            tx.note_number("response.write.address", data.u16().unwrap_or(0).into());
            tx.note_number("response.write.data", second(pdu.data).into());
        }
        function::MASK_WRITE => {
            tx.note_number("response.write.address", data.u16().unwrap_or(0).into());
            tx.note_number("response.write.and_mask", data.u16().unwrap_or(0).into());
            tx.note_number("response.write.or_mask", data.u16().unwrap_or(0).into());
        }
        _ if !pdu.data.is_empty() => tx.note("response.data", pdu.data),
        _ => {}
    }
}

/// The second number of the data.
fn second(data: &[u8]) -> u16 {
    data.get(2..).and_then(|rest| Cursor::big(rest).u16()).unwrap_or(0)
}

fn access_type(pdu: &Pdu<'_>, out: &mut Vec<u8>) {
    let table = |table| match table {
        Table::Discretes => "DISCRETES",
        Table::Coils => "COILS",
        Table::Input => "INPUT",
        Table::Holding => "HOLDING",
    };
    let (reads, writes, table) = match pdu.function & !EXCEPTION {
        function::READ_COILS => (true, None, table(Table::Coils)),
        function::READ_DISCRETES => (true, None, table(Table::Discretes)),
        function::READ_HOLDING => (true, None, table(Table::Holding)),
        function::READ_INPUT => (true, None, table(Table::Input)),
        function::WRITE_COIL => (false, Some("SINGLE"), table(Table::Coils)),
        function::WRITE_REGISTER => (false, Some("SINGLE"), table(Table::Holding)),
        function::WRITE_COILS => (false, Some("MULTIPLE"), table(Table::Coils)),
        function::WRITE_REGISTERS => (false, Some("MULTIPLE"), table(Table::Holding)),
        function::MASK_WRITE => (false, Some(""), table(Table::Holding)),
        function::READ_WRITE => (true, Some("MULTIPLE"), table(Table::Holding)),
        _ => return join(std::iter::empty(), out),
    };
    let words =
        [if reads { "READ" } else { "" }, writes.map_or("", |_| "WRITE"), table, writes.unwrap_or("")];
    join(words.into_iter().filter(|word| !word.is_empty()), out);
}

/// `A | B`, or `NONE`.
fn join(words: impl Iterator<Item = &'static str>, out: &mut Vec<u8>) {
    let mut none = true;
    for word in words {
        if !none {
            out.extend_from_slice(b" | ");
        }
        out.extend_from_slice(word.as_bytes());
        none = false;
    }
    if none {
        out.extend_from_slice(b"NONE");
    }
}

fn category_name(pdu: &Pdu<'_>) -> &'static str {
    match pdu.category() {
        category::ASSIGNED => "PUBLIC_ASSIGNED",
        category::UNASSIGNED => "PUBLIC_UNASSIGNED",
        category::USER => "USER_DEFINED",
        category::RESERVED => "RESERVED",
        _ => "NONE",
    }
}
