//! Properties of messages of version 5 (MQTT 5.0, 2.2.2.2): for records only, no rule asks for them.

use super::message::{binary, variable};
use crate::app::Transaction;
use crate::app::cursor::Cursor;
use crate::app::digits::push_bytes;

/// How a property's value is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Form {
    Byte,
    Half,
    Word,
    Variable,
    Text,
    /// Shown as hex digits.
    Binary,
    /// A name and a text, both the sender's.
    Pair,
}

fn known(property: usize) -> Option<(&'static str, Form)> {
    Some(match property {
        0x01 => ("payload_format_indicator", Form::Byte),
        0x02 => ("message_expiry_interval", Form::Word),
        0x03 => ("content_type", Form::Text),
        0x08 => ("response_topic", Form::Text),
        0x09 => ("correlation_data", Form::Binary),
        0x0b => ("subscription_identifier", Form::Variable),
        0x11 => ("session_expiry_interval", Form::Word),
        0x12 => ("assigned_client_identifier", Form::Text),
        0x13 => ("server_keep_alive", Form::Half),
        0x15 => ("authentication_method", Form::Text),
        0x16 => ("authentication_data", Form::Binary),
        0x17 => ("request_problem_information", Form::Byte),
        0x18 => ("will_delay_interval", Form::Word),
        0x19 => ("request_response_information", Form::Byte),
        0x1a => ("response_information", Form::Text),
        0x1c => ("server_reference", Form::Text),
        0x1f => ("reason_string", Form::Text),
        0x21 => ("receive_maximum", Form::Half),
        0x22 => ("topic_alias_maximum", Form::Half),
        0x23 => ("topic_alias", Form::Half),
        0x24 => ("maximum_qos", Form::Byte),
        0x25 => ("retain_available", Form::Byte),
        0x26 => ("", Form::Pair),
        0x27 => ("maximum_packet_size", Form::Word),
        0x28 => ("wildcard_subscription_available", Form::Byte),
        0x29 => ("subscription_identifier_available", Form::Byte),
        0x2a => ("shared_subscription_available", Form::Byte),
        _ => return None,
    })
}

/// Notes them in the object at `path`, which begins at the record's root.
pub fn note(tx: &mut Transaction, path: &'static str, properties: &[u8]) {
    if properties.is_empty() || !tx.wants_notes() {
        return;
    }
    tx.notes_below(path);
    let mut cursor = Cursor::big(properties);
    while !cursor.is_empty() && one(tx, &mut cursor).is_some() {}
    tx.notes_below("");
}

/// `None` where the next one cannot be found.
fn one(tx: &mut Transaction, cursor: &mut Cursor<'_>) -> Option<()> {
    let (name, form) = known(variable(cursor)?)?;
    match form {
        Form::Byte => tx.note_number(name, cursor.u8()?.into()),
        Form::Half => tx.note_number(name, cursor.u16()?.into()),
        Form::Word => tx.note_number(name, cursor.u32()?.into()),
        Form::Variable => tx.note_number(name, variable(cursor)? as u64),
        Form::Text => tx.note(name, binary(cursor)?),
        Form::Binary => {
            let data = binary(cursor)?;
            let shown = data.get(..MAX_SHOWN).unwrap_or(data);
            tx.note_with(name, |out| push_bytes(out, shown));
        }
        Form::Pair => {
            let (name, value) = (binary(cursor)?, binary(cursor)?);
            tx.note_pair(name, value);
        }
    }
    Some(())
}

/// Of binary data a record shows so many bytes.
const MAX_SHOWN: usize = 512;
