//! How much one read or write may carry: what the server offered when the connection began, and the configuration's bounds.

use super::command::{smb1, smb2};
use super::header::{Header, SMB1_LEN, SMB2_LEN, Version};
use crate::app::cursor::Cursor;
use crate::app::limits::Limits;

/// Bytes; 0 where the server said nothing.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub read: u32,
    pub write: u32,
}

/// The server's answer to the negotiation, from the message's body on ([MS-SMB2] 2.2.4), and what of it is too much.
pub fn offered(body: &[u8], limits: &Limits) -> Option<(Sizes, [Option<&'static str>; 2])> {
    let mut fields = Cursor::little(body);
    fields.skip(32)?;
    let (read, write) = (fields.u32()?, fields.u32()?);
    let events = [
        exceeds(read, limits.smb_read).then_some("smb.negotiate_max_read_size_too_large"),
        exceeds(write, limits.smb_write).then_some("smb.negotiate_max_write_size_too_large"),
    ];
    Some((Sizes { read, write }, events))
}

/// What a message asks for or carries is more than was offered, or than the configuration allows. `data` are the bytes that
/// it carries.
pub fn fault(
    sizes: &Sizes,
    header: &Header,
    message: &[u8],
    data: Option<u32>,
    limits: &Limits,
) -> Option<&'static str> {
    let asked = || asked(header, message).unwrap_or(0);
    let carried = data.unwrap_or(0);
    let (size, offered, limit, event) = match (kind(header)?, header.is_response) {
        (Kind::Read, false) => (asked(), sizes.read, limits.smb_read, "smb.read_request_too_large"),
        (Kind::Read, true) => (carried, sizes.read, limits.smb_read, "smb.read_response_too_large"),
        (Kind::Write, false) => (carried, sizes.write, limits.smb_write, "smb.write_request_too_large"),
        (Kind::Write, true) => return None,
    };
    (exceeds(size, offered) || exceeds(size, limit)).then_some(event)
}

/// 0 is no limit.
fn exceeds(size: u32, limit: u32) -> bool {
    limit != 0 && size > limit
}

enum Kind {
    Read,
    Write,
}

fn kind(header: &Header) -> Option<Kind> {
    match (header.version, header.command) {
        (Version::Smb2, smb2::READ) | (Version::Smb1, smb1::READ_ANDX) => Some(Kind::Read),
        (Version::Smb2, smb2::WRITE) | (Version::Smb1, smb1::WRITE_ANDX) => Some(Kind::Write),
        _ => None,
    }
}

/// Bytes that a request to read asks for.
fn asked(header: &Header, message: &[u8]) -> Option<u32> {
    match header.version {
        Version::Smb2 => {
            let mut fields = Cursor::little(message.get(SMB2_LEN..)?);
            fields.skip(4)?;
            fields.u32()
        }
        Version::Smb1 => {
            // Behind the count of words, the chained command, the file and the offset.
            let mut fields = Cursor::little(message.get(SMB1_LEN..)?);
            fields.skip(11)?;
            fields.u16().map(u32::from)
        }
    }
}
