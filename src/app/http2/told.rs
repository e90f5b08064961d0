//! What rules ask of frames: their numbers, and the frames as they stand on the wire.

use super::frame::{HEADER_LEN, Header, flag, kind};
use crate::app::Transaction;
use crate::app::cursor::Cursor;
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

/// What rules ask of a frame by numbers.
pub fn numbers(tx: &mut Transaction, dir: Dir, header: &Header, payload: &[u8]) -> Option<()> {
    let mut fields = Cursor::big(payload);
    match header.kind {
        kind::PRIORITY => {
            fields.skip(4)?;
            tx.field(dir, PRIORITY, u64::from(fields.u8()?));
        }
        kind::HEADERS if header.has(flag::PRIORITY) => {
            fields.skip(if header.has(flag::PADDED) { 5 } else { 4 })?;
            tx.field(dir, PRIORITY, u64::from(fields.u8()?));
        }
        kind::RST_STREAM => tx.field(dir, ERROR_CODE, u64::from(fields.u32()?)),
        kind::GOAWAY => {
            fields.skip(4)?;
            tx.field(dir, ERROR_CODE, u64::from(fields.u32()?));
        }
        kind::SETTINGS => {
            while !fields.is_empty() {
                let (number, value) = (fields.u16()?, fields.u32()?);
                tx.field(dir, SETTINGS, setting_value(number, value));
            }
        }
        kind::WINDOW_UPDATE => tx.field(dir, WINDOW, u64::from(fields.u32()? & 0x7fff_ffff)),
        _ => {}
    }
    Some(())
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
