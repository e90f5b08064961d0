//! Frames (RFC 9113, 4.1 and 6).

use crate::app::cursor::Cursor;

pub const HEADER_LEN: usize = 9;
/// The client's first bytes (RFC 9113, 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

pub mod flag {
    /// Of DATA and HEADERS: the last of its direction.
    pub const END_STREAM: u8 = 0x01;
    /// Of SETTINGS and PING.
    pub const ACK: u8 = 0x01;
    pub const END_HEADERS: u8 = 0x04;
    pub const PADDED: u8 = 0x08;
    pub const PRIORITY: u8 = 0x20;
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub len: u32,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Header {
    pub fn read(bytes: &[u8]) -> Option<Header> {
        let mut fields = Cursor::big(bytes);
        let high = u32::from(fields.u8()?);
        let len = high << 16 | u32::from(fields.u16()?);
        let (kind, flags) = (fields.u8()?, fields.u8()?);
        Some(Header { len, kind, flags, stream: fields.u32()? & 0x7fff_ffff })
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.has(flag::END_STREAM)
    }

    /// Whether its length is what its kind has (RFC 9113, 6).
    pub fn fits(&self) -> bool {
        match self.kind {
            kind::PRIORITY => self.len == 5,
            kind::RST_STREAM | kind::WINDOW_UPDATE => self.len == 4,
            kind::SETTINGS => self.len.is_multiple_of(6) && (!self.has(flag::ACK) || self.len == 0),
            kind::PING => self.len == 8,
            kind::GOAWAY => self.len >= 8,
            _ => true,
        }
    }
}

/// A frame's content without its padding, and the padding's length. `None` when that is longer than the frame.
pub fn unpadded<'a>(header: &Header, payload: &'a [u8]) -> Option<&'a [u8]> {
    if !header.has(flag::PADDED) {
        return Some(payload);
    }
    let (padding, rest) = payload.split_first()?;
    rest.get(..rest.len().checked_sub(usize::from(*padding))?)
}
