//! What servers send.

use super::frame::HEADER;
use super::request::text;
use crate::app::Transaction;
use crate::app::cursor::Cursor;

pub(super) const DATA_ROW: u8 = b'D';
pub(super) const COPY_DATA: u8 = b'd';
pub(super) const READY: u8 = b'Z';

const AUTHENTICATION: u8 = b'R';
/// Kinds of authentication that ask for nothing: done, and SASL's last word.
const OK: u32 = 0;
const SASL_FINAL: u32 = 12;

/// The kind of authentication that the client must answer.
pub(super) fn asks_for(message: &[u8]) -> Option<u32> {
    let kind = message.strip_prefix(&[AUTHENTICATION])?.get(4..)?.first_chunk()?;
    Some(u32::from_be_bytes(*kind)).filter(|kind| !matches!(*kind, OK | SASL_FINAL))
}

/// Notes what it says; `None` when it is not sound.
pub(super) fn put(tx: &mut Transaction, message: &[u8]) -> Option<()> {
    if !tx.wants_notes() {
        return Some(());
    }
    let body = message.get(HEADER..)?;
    let name = match *message.first()? {
        AUTHENTICATION => return note_authentication(tx, body),
        b'S' => return note_parameter(tx, body),
        b'E' | b'N' => return note_fields(tx, body),
        b'K' => return note_key(tx, body),
        b'C' => return note_text(tx, "response.command_completed", body),
        b'T' => {
            tx.note_number("response.field_count", Cursor::big(body).u16()?.into());
            return Some(());
        }
        b'A' => return note_notification(tx, body),
        b'G' => "copy_in_response",
        b'H' => "copy_out_response",
        b'W' => "copy_both_response",
        b'I' => "empty_query_response",
        _ => return Some(()),
    };
    tx.note("response.message", name.as_bytes());
    Some(())
}

fn note_text(tx: &mut Transaction, name: &'static str, mut body: &[u8]) -> Option<()> {
    tx.note(name, text(&mut body)?);
    Some(())
}

fn note_authentication(tx: &mut Transaction, body: &[u8]) -> Option<()> {
    let mut at = Cursor::big(body);
    let name = match at.u32()? {
        OK => "authentication_ok",
        3 => "authentication_cleartext_password",
        5 => {
            tx.note("response.authentication_md5_password", at.take(4)?);
            return Some(());
        }
        7 => "authentication_gss",
        8 => "authentication_gss_continue",
        9 => "authentication_sspi",
        10 => "authentication_sasl",
        11 => "authentication_sasl_continue",
        SASL_FINAL => {
            tx.note("response.authentication_sasl_final", at.rest());
            return Some(());
        }
        _ => "authentication_unknown",
    };
    tx.note("response.message", name.as_bytes());
    Some(())
}

fn note_parameter(tx: &mut Transaction, body: &[u8]) -> Option<()> {
    let mut rest = body;
    let (name, value) = (text(&mut rest)?, text(&mut rest)?);
    let name = match name {
        b"application_name" => "response.parameter_status[].application_name",
        b"client_encoding" => "response.parameter_status[].client_encoding",
        b"DateStyle" => "response.parameter_status[].date_style",
        b"default_transaction_read_only" => "response.parameter_status[].default_transaction_read_only",
        b"in_hot_standby" => "response.parameter_status[].in_hot_standby",
        b"integer_datetimes" => "response.parameter_status[].integer_datetimes",
        b"IntervalStyle" => "response.parameter_status[].interval_style",
        b"is_superuser" => "response.parameter_status[].is_superuser",
        b"scram_iterations" => "response.parameter_status[].scram_iterations",
        b"search_path" => "response.parameter_status[].search_path",
        b"server_encoding" => "response.parameter_status[].server_encoding",
        b"server_version" => "response.parameter_status[].server_version",
        b"session_authorization" => "response.parameter_status[].session_authorization",
        b"standard_conforming_strings" => "response.parameter_status[].standard_conforming_strings",
        b"TimeZone" => "response.parameter_status[].time_zone",
        _ => return Some(()),
    };
    tx.note_begin("response.parameter_status[]");
    tx.note(name, value);
    Some(())
}

/// An error's or a notice's, each behind a letter.
fn note_fields(tx: &mut Transaction, body: &[u8]) -> Option<()> {
    let mut rest = body;
    while let Some((&letter, behind)) = rest.split_first().filter(|(letter, _)| **letter != 0) {
        rest = behind;
        let value = text(&mut rest)?;
        let name = match letter {
            b'S' => "response.severity_localizable",
            b'V' => "response.severity_non_localizable",
            b'C' => "response.code",
            b'M' => "response.message",
            b'F' => "response.file",
            b'L' => "response.line",
            b'R' => "response.routine",
            _ => continue,
        };
        tx.note(name, value);
    }
    Some(())
}

fn note_key(tx: &mut Transaction, body: &[u8]) -> Option<()> {
    let mut at = Cursor::big(body);
    tx.note_number("response.process_id", at.u32()?.into());
    tx.note_number("response.secret_key", at.u32()?.into());
    Some(())
}

fn note_notification(tx: &mut Transaction, body: &[u8]) -> Option<()> {
    let mut at = Cursor::big(body);
    tx.note_number("response.notification_response.pid", at.u32()?.into());
    let mut rest = at.rest();
    tx.note("response.notification_response.channel_name", text(&mut rest)?);
    tx.note("response.notification_response.payload", text(&mut rest)?);
    Some(())
}
