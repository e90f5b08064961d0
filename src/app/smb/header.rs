//! Message headers: SMB 1 ([MS-CIFS] 2.2.3.1), SMB 2 and 3 ([MS-SMB2] 2.2.1).

use crate::app::cursor::Cursor;
use crate::base::Dir;

pub const SMB1_MAGIC: &[u8; 4] = b"\xffSMB";
pub const SMB2_MAGIC: &[u8; 4] = b"\xfeSMB";
/// An encrypted message's.
pub const TRANSFORM_MAGIC: &[u8; 4] = b"\xfdSMB";
/// A compressed message's.
pub const COMPRESSION_MAGIC: &[u8; 4] = b"\xfcSMB";

pub const SMB1_LEN: usize = 32;
pub const SMB2_LEN: usize = 64;

/// The answer will come later: this one only says that the request was taken.
pub const STATUS_PENDING: u32 = 0x103;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Version {
    Smb1,
    Smb2,
}

/// What both headers say.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub version: Version,
    pub command: u16,
    pub status: u32,
    pub is_response: bool,
    /// Ties a response to its request.
    pub message: u64,
    pub tree: u32,
    pub session: u64,
    /// SMB 1: text is UTF-16.
    pub unicode: bool,
    /// SMB 2: bytes from this header to the next one's, 0 for the last.
    pub next: u32,
}

impl Header {
    pub fn dir(&self) -> Dir {
        if self.is_response { Dir::ToClient } else { Dir::ToServer }
    }

    /// The request was carried out. A dialogue that goes on and a warning that more data follows are that too.
    pub fn is_success(&self) -> bool {
        const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;
        const BUFFER_OVERFLOW: u32 = 0x8000_0005;
        matches!(self.status, 0 | BUFFER_OVERFLOW | MORE_PROCESSING_REQUIRED)
    }
}

pub fn smb1(bytes: &[u8]) -> Option<Header> {
    const RESPONSE: u8 = 0x80;
    const UNICODE: u16 = 0x8000;
    let mut fields = Cursor::little(bytes);
    if fields.take(4)? != SMB1_MAGIC {
        return None;
    }
    let command = u16::from(fields.u8()?);
    let status = fields.u32()?;
    let (flags, flags2) = (fields.u8()?, fields.u16()?);
    fields.skip(12)?;
    let tree = u32::from(fields.u16()?);
    let process = u64::from(fields.u16()?);
    let session = u64::from(fields.u16()?);
    let message = u64::from(fields.u16()?);
    Some(Header {
        version: Version::Smb1,
        command,
        status,
        is_response: flags & RESPONSE != 0,
        message: process << 16 | message,
        tree,
        session,
        unicode: flags2 & UNICODE != 0,
        next: 0,
    })
}

pub fn smb2(bytes: &[u8]) -> Option<Header> {
    const RESPONSE: u32 = 1;
    const ASYNC: u32 = 2;
    let mut fields = Cursor::little(bytes);
    if fields.take(4)? != SMB2_MAGIC {
        return None;
    }
    fields.skip(4)?;
    let status = fields.u32()?;
    let command = fields.u16()?;
    fields.skip(2)?;
    let flags = fields.u32()?;
    let next = fields.u32()?;
    let message = fields.u64()?;
    let (_, tree) = (fields.u32()?, fields.u32()?);
    let session = fields.u64()?;
    fields.skip(16)?;
    Some(Header {
        version: Version::Smb2,
        command,
        status,
        is_response: flags & RESPONSE != 0,
        message,
        tree: if flags & ASYNC != 0 { 0 } else { tree },
        session,
        unicode: true,
        next,
    })
}
