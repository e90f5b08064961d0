//! What rules ask of frames: their numbers, and the frames as they stand on the wire.

use super::frame::{HEADER_LEN, Header, flag, kind};
use crate::app::Transaction;
use crate::app::cursor::Cursor;
use crate::app::digits::push_number;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};
use crate::rules::field::http2::setting_value;
use crate::rules::field::{self, FieldId};

pub const FRAME_TYPE: FieldId = field::id("http2.frametype");
const ERROR_CODE: FieldId = field::id("http2.errorcode");
const PRIORITY: FieldId = field::id("http2.priority");
const WINDOW: FieldId = field::id("http2.window");
const SETTINGS: FieldId = field::id("http2.settings");
const HDR_FRAME: BufferId = context::id("http2.hdr");
pub const DATA_FRAME: BufferId = context::id("http2.data");
const PDU_FRAME: BufferId = context::id("http2.pdu");

/// What a record calls a direction's frames.
struct Names {
    priority: &'static str,
    error: &'static str,
    setting: &'static str,
    setting_id: &'static str,
    setting_value: &'static str,
}

macro_rules! names {
    ($path:literal) => {
        Names {
            priority: concat!("http2.", $path, ".priority"),
            error: concat!("http2.", $path, ".error_code"),
            setting: concat!("http2.", $path, ".settings[]"),
            setting_id: concat!("http2.", $path, ".settings[].settings_id"),
            setting_value: concat!("http2.", $path, ".settings[].settings_value"),
        }
    };
}

const REQUEST: Names = names!("request");
const RESPONSE: Names = names!("response");

/// Error codes (RFC 9113, 7).
const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// Settings (RFC 9113, 6.5.2), from number 1 on, as records write them.
const SETTING_NAMES: [&str; 6] = [
    "SETTINGSHEADERTABLESIZE",
    "SETTINGSENABLEPUSH",
    "SETTINGSMAXCONCURRENTSTREAMS",
    "SETTINGSINITIALWINDOWSIZE",
    "SETTINGSMAXFRAMESIZE",
    "SETTINGSMAXHEADERLISTSIZE",
];

/// What rules ask of a frame by numbers, and what records say of it.
pub fn numbers(tx: &mut Transaction, dir: Dir, header: &Header, payload: &[u8]) -> Option<()> {
    let names = if dir == Dir::ToServer { &REQUEST } else { &RESPONSE };
    let mut fields = Cursor::big(payload);
    match header.kind {
        kind::PRIORITY => {
            fields.skip(4)?;
            put_priority(tx, dir, fields.u8()?, names);
        }
        kind::HEADERS if header.has(flag::PRIORITY) => {
            fields.skip(if header.has(flag::PADDED) { 5 } else { 4 })?;
            put_priority(tx, dir, fields.u8()?, names);
        }
        kind::RST_STREAM => put_error(tx, dir, fields.u32()?, names),
        kind::GOAWAY => {
            fields.skip(4)?;
            put_error(tx, dir, fields.u32()?, names);
        }
        kind::SETTINGS => {
            while !fields.is_empty() {
                let (number, value) = (fields.u16()?, fields.u32()?);
                tx.field(dir, SETTINGS, setting_value(number, value));
                if let Some(name) = SETTING_NAMES.get(usize::from(number).wrapping_sub(1)) {
                    tx.note_begin(names.setting);
                    tx.note(names.setting_id, name.as_bytes());
                    tx.note_number(names.setting_value, u64::from(value));
                }
            }
        }
        kind::WINDOW_UPDATE => tx.field(dir, WINDOW, u64::from(fields.u32()? & 0x7fff_ffff)),
        _ => {}
    }
    Some(())
}

fn put_priority(tx: &mut Transaction, dir: Dir, weight: u8, names: &Names) {
    tx.field(dir, PRIORITY, u64::from(weight));
    tx.note_number(names.priority, u64::from(weight));
}

/// An unknown code is written as its number.
fn put_error(tx: &mut Transaction, dir: Dir, code: u32, names: &Names) {
    tx.field(dir, ERROR_CODE, u64::from(code));
    match ERRORS.get(code as usize) {
        Some(name) => tx.note(names.error, name.as_bytes()),
        None => tx.note_with(names.error, |out| push_number(out, u64::from(code))),
    }
}

fn header_bytes(header: &Header) -> [u8; HEADER_LEN] {
    let [_, len @ ..] = header.len.to_be_bytes();
    let ([a, b, c], [w, x, y, z]) = (len, header.stream.to_be_bytes());
    [a, b, c, header.kind, header.flags, w, x, y, z]
}

pub fn put_header_frame(tx: &mut Transaction, dir: Dir, header: &Header) {
    if tx.wants(HDR_FRAME) {
        tx.put(dir, HDR_FRAME, &header_bytes(header));
    }
}

pub fn put_frames(tx: &mut Transaction, dir: Dir, header: &Header, payload: &[u8]) {
    put_header_frame(tx, dir, header);
    tx.put(dir, DATA_FRAME, payload);
    if tx.wants(PDU_FRAME) {
        tx.put_with(dir, PDU_FRAME, |out| {
            out.extend_from_slice(&header_bytes(header));
            out.extend_from_slice(payload);
        });
    }
}
