//! EtherNet/IP's encapsulation (CIP networks library, volume 2, 2-3 to 2-6): headers, items, identities.

use crate::app::Framed;
use crate::app::cursor::Cursor;

pub const HEADER_LEN: usize = 24;

pub mod command {
    pub const NOP: u16 = 0;
    pub const LIST_SERVICES: u16 = 0x04;
    pub const LIST_IDENTITY: u16 = 0x63;
    pub const REGISTER_SESSION: u16 = 0x65;
    pub const UNREGISTER_SESSION: u16 = 0x66;
    pub const SEND_RR_DATA: u16 = 0x6f;
    pub const SEND_UNIT_DATA: u16 = 0x70;
}

/// Commands that there are.
pub fn is_known(number: u16) -> bool {
    matches!(number, 0 | 0x04 | 0x63..=0x66 | 0x6f | 0x70 | 0x72 | 0x73)
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub command: u16,
    /// Bytes behind it.
    pub len: u16,
    pub session: u32,
    pub status: u32,
    /// The sender's, which the answer repeats.
    pub context: [u8; 8],
    pub options: u32,
}

impl Header {
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        let mut header = Cursor::little(bytes);
        Some(Header {
            command: header.u16()?,
            len: header.u16()?,
            session: header.u32()?,
            status: header.u32()?,
            context: header.array()?,
            options: header.u32()?,
        })
    }
}

pub fn frame(bytes: &[u8]) -> Framed {
    match bytes {
        [_, _, a, b, ..] => Framed::Whole(HEADER_LEN + usize::from(u16::from_le_bytes([*a, *b]))),
        _ => Framed::Need(4),
    }
}

/// Types of items.
pub mod item {
    pub const IDENTITY: u16 = 0x0c;
    pub const CONNECTED: u16 = 0xb1;
    pub const UNCONNECTED: u16 = 0xb2;
    pub const SERVICES: u16 = 0x100;
}

/// The items of a list, at most [`MAX_ITEMS`]: their types and data.
pub fn items(data: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut cursor = Cursor::little(data);
    let mut left = cursor.u16().unwrap_or(0).min(MAX_ITEMS);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let (kind, len) = (cursor.u16()?, cursor.u16()?);
        Some((kind, cursor.take(len.into())?))
    })
}

const MAX_ITEMS: u16 = 16;

/// A device's answer to `list_identity`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    pub protocol_version: u16,
    pub vendor_id: u16,
    pub device_type: u16,
    pub product_code: u16,
    /// The major number in the higher byte.
    pub revision: u16,
    pub status: u16,
    pub serial: u32,
    pub product_name: &'a [u8],
    pub state: Option<u8>,
}

impl<'a> Identity<'a> {
    pub fn parse(data: &'a [u8]) -> Option<Identity<'a>> {
        let mut cursor = Cursor::little(data);
        let protocol_version = cursor.u16()?;
        // A socket's address.
        cursor.skip(16)?;
        let (vendor_id, device_type, product_code) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
        let revision = u16::from_be_bytes(cursor.array()?);
        let (status, serial) = (cursor.u16()?, cursor.u32()?);
        let len = cursor.u8()?;
        let product_name = cursor.take(len.into())?;
        let state = cursor.u8();
        Some(Identity {
            protocol_version,
            vendor_id,
            device_type,
            product_code,
            revision,
            status,
            serial,
            product_name,
            state,
        })
    }
}

/// An answer to `list_services`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Service<'a> {
    pub protocol_version: u16,
    pub capabilities: u16,
    /// Up to its first zero.
    pub name: &'a [u8],
}

impl<'a> Service<'a> {
    pub fn parse(data: &'a [u8]) -> Option<Service<'a>> {
        let mut cursor = Cursor::little(data);
        let (protocol_version, capabilities) = (cursor.u16()?, cursor.u16()?);
        let name = cursor.take_some(16);
        let end = memchr::memchr(0, name).unwrap_or(name.len());
        Some(Service { protocol_version, capabilities, name: name.get(..end)? })
    }
}
