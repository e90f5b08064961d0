//! What the client says of itself: MCS Connect-Initial (T.125) with GCC's request (T.124) and in it the client's data
//! (MS-RDPBCGR, 2.2.1.3).

use super::names;
use crate::app::cursor::Cursor;
use crate::app::smb::text::push_utf16;
use crate::app::{Transaction, der};

const OCTETS: u8 = 4;
/// GCC's key of Microsoft's data stands before it, and a length.
const KEY: &[u8] = b"Duca";

const CORE: u16 = 0xc001;
const NETWORK: u16 = 0xc003;
/// Channels that are told; the protocol has 31 at most.
const MAX_CHANNELS: usize = 31;

/// `connect` begins with the length behind Connect-Initial's tag. What is not sound is left out.
pub(super) fn note(tx: &mut Transaction, connect: &[u8]) {
    let Some(mut blocks) = data(connect) else { return };
    while let Some((kind, block)) = next(&mut blocks) {
        match kind {
            CORE => {
                let _ = note_core(tx, block);
            }
            NETWORK => note_channels(tx, block),
            _ => {}
        }
    }
}

/// The client's blocks: within the last octets of Connect-Initial, behind GCC's key.
fn data(connect: &[u8]) -> Option<&[u8]> {
    let mut fields = length(connect)?;
    let mut last = None;
    while let Some(field) = der::next(&mut fields) {
        last = (field.tag == OCTETS).then_some(field.content);
    }
    let gcc = last?;
    let key = memchr::memmem::find(gcc, KEY)? + KEY.len();
    // A length in PER: of one byte, or of two if the highest bit is set.
    match gcc.get(key..)? {
        [0x80..=0xff, _, data @ ..] | [_, data @ ..] => Some(data),
        [] => None,
    }
}

/// What follows a length in BER.
fn length(bytes: &[u8]) -> Option<&[u8]> {
    let first = *bytes.first()?;
    let more = if first & 0x80 == 0 { 0 } else { usize::from(first & 0x7f) };
    bytes.get(1 + more..)
}

/// The next block: its kind, and what is behind its header.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let mut at = Cursor::little(rest);
    let (kind, len) = (at.u16()?, usize::from(at.u16()?));
    let block = at.take_some(len.checked_sub(4)?);
    *rest = at.rest();
    Some((kind, block))
}

/// Later versions of the protocol have more fields: the block ends anywhere.
fn note_core(tx: &mut Transaction, block: &[u8]) -> Option<()> {
    let mut at = Cursor::little(block);
    tx.note("client.version", names::version(at.u32()?).as_bytes());
    tx.note_number("client.desktop_width", at.u16()?.into());
    tx.note_number("client.desktop_height", at.u16()?.into());
    let (depth, _sequence) = (at.u16()?, at.u16()?);
    // The fields that tell the depth of colours better come later.
    let depth = better_depth(block).or_else(|| names::old_depth(depth));
    if let Some(depth) = depth {
        tx.note_number("client.color_depth", depth.into());
    }
    let layout = at.u32()?;
    tx.note_with("client.keyboard_layout", |out| names::push_layout(out, layout));
    let build = at.u32()?;
    tx.note_with("client.build", |out| names::push_build(out, build));
    note_text(tx, "client.client_name", at.take(32)?);
    if let Some(kind) = names::keyboard(at.u32()?) {
        tx.note("client.keyboard_type", kind.as_bytes());
    }
    note_some(tx, "client.keyboard_subtype", at.u32()?);
    tx.note_number("client.function_keys", at.u32()?.into());
    note_text(tx, "client.ime", at.take(64)?);
    let _depth = at.u16()?;
    tx.note_number("client.product_id", at.u16()?.into());
    note_some(tx, "client.serial_number", at.u32()?);
    let (_depth, _depths) = (at.u16()?, at.u16()?);
    let capabilities = at.u16()?;
    names::CAPABILITIES
        .iter()
        .filter(|(bit, _)| capabilities & bit != 0)
        .for_each(|(_, name)| tx.note("client.capabilities[]", name.as_bytes()));
    note_text(tx, "client.id", at.take(64)?);
    let (connection, _padding) = (at.u8()?, at.u8()?);
    if let Some(hint) = names::connection(connection).filter(|_| capabilities & names::VALID_CONNECTION != 0)
    {
        tx.note("client.connection_hint", hint.as_bytes());
    }
    let _protocol = at.u32()?;
    note_some(tx, "client.physical_width", at.u32()?);
    note_some(tx, "client.physical_height", at.u32()?);
    tx.note_number("client.desktop_orientation", at.u16()?.into());
    note_some(tx, "client.scale_factor", at.u32()?);
    note_some(tx, "client.device_scale_factor", at.u32()?);
    Some(())
}

/// `highColorDepth` in bits, or `postBeta2ColorDepth` by its code.
fn better_depth(block: &[u8]) -> Option<u16> {
    let at = |from: usize| block.get(from..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
    let high = at(136).filter(|bits| matches!(bits, 4 | 8 | 15 | 16 | 24));
    high.or_else(|| names::old_depth(at(128)?))
}

fn note_text(tx: &mut Transaction, name: &'static str, utf16: &[u8]) {
    if !utf16.starts_with(&[0, 0]) {
        tx.note_with(name, |out| push_utf16(out, utf16));
    }
}

/// Zero says nothing.
fn note_some(tx: &mut Transaction, name: &'static str, number: u32) {
    if number != 0 {
        tx.note_number(name, number.into());
    }
}

/// A count, then eight bytes of name and four of options each.
fn note_channels(tx: &mut Transaction, block: &[u8]) {
    let mut at = Cursor::little(block);
    let count = at.u32().unwrap_or(0) as usize;
    for _ in 0..count.min(MAX_CHANNELS) {
        let (Some(name), Some(_options)) = (at.take(8), at.u32()) else { return };
        let end = memchr::memchr(0, name).unwrap_or(name.len());
        tx.note("channels[]", name.get(..end).unwrap_or_default());
    }
}
