//! Protocol data units of connection-oriented DCE/RPC (C706, The Open Group, chapter 12; [MS-RPCE] 2.2.2).

use crate::app::cursor::{Cursor, Order};

/// Of the common header.
pub const HEADER_LEN: usize = 16;

pub mod kind {
    pub const REQUEST: u8 = 0;
    pub const RESPONSE: u8 = 2;
    pub const FAULT: u8 = 3;
    pub const BIND: u8 = 11;
    pub const BIND_ACK: u8 = 12;
    pub const BIND_NAK: u8 = 13;
    pub const ALTER_CONTEXT: u8 = 14;
    pub const ALTER_CONTEXT_RESP: u8 = 15;
    /// The highest that is assigned.
    pub const LAST: u8 = 20;
}

const FIRST_FRAGMENT: u8 = 0x01;
const LAST_FRAGMENT: u8 = 0x02;
const OBJECT: u8 = 0x80;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub minor: u8,
    pub kind: u8,
    flags: u8,
    pub order: Order,
    /// Bytes of the whole unit, this header among them.
    pub fragment_len: u16,
    pub call_id: u32,
}

impl Header {
    pub fn is_first(&self) -> bool {
        self.flags & FIRST_FRAGMENT != 0
    }

    pub fn is_last(&self) -> bool {
        self.flags & LAST_FRAGMENT != 0
    }

    pub fn has_object(&self) -> bool {
        self.flags & OBJECT != 0
    }
}

/// Whether bytes may begin a unit: as many as are there.
pub fn may_begin(bytes: &[u8]) -> bool {
    let fits = |at: usize, test: &dyn Fn(u8) -> bool| bytes.get(at).is_none_or(|byte| test(*byte));
    fits(0, &|version| version == 5)
        && fits(1, &|minor| minor <= 1)
        && fits(2, &|kind| kind <= kind::LAST)
        && fits(4, &|drep| drep & 0xee == 0)
        && fits(5, &|drep| drep <= 3)
}

/// The common header, where the bytes are one.
pub fn header(bytes: &[u8]) -> Option<Header> {
    if bytes.len() < HEADER_LEN || !may_begin(bytes) {
        return None;
    }
    let mut fields = Cursor::little(bytes);
    fields.skip(1)?;
    let (minor, kind, flags) = (fields.u8()?, fields.u8()?, fields.u8()?);
    let order = if fields.u8()? & 0x10 != 0 { Order::Little } else { Order::Big };
    let mut fields = Cursor::new(bytes, order);
    fields.skip(8)?;
    let fragment_len = fields.u16()?;
    fields.skip(2)?;
    let call_id = fields.u32()?;
    (usize::from(fragment_len) >= HEADER_LEN).then_some(Header {
        minor,
        kind,
        flags,
        order,
        fragment_len,
        call_id,
    })
}

/// An interface that a client offers to speak within a presentation context.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub context: u16,
    /// In the order of its text.
    pub uuid: [u8; 16],
    pub version: u16,
    pub minor: u16,
}

/// A UUID in the order of its text, from a message's.
pub fn uuid(mut bytes: [u8; 16], order: Order) -> [u8; 16] {
    if order == Order::Little {
        let (first, rest) = bytes.split_at_mut(4);
        let (second, third) = rest.split_at_mut(2);
        first.reverse();
        second.reverse();
        if let Some(third) = third.get_mut(..2) {
            third.reverse();
        }
    }
    bytes
}

/// The offers of a bind or alter-context body; `each` returns false to stop.
pub fn offers(body: &[u8], order: Order, mut each: impl FnMut(Offer) -> bool) -> Option<()> {
    let mut fields = Cursor::new(body, order);
    fields.skip(8)?;
    let count = fields.u8()?;
    fields.skip(3)?;
    for _ in 0..count {
        let context = fields.u16()?;
        let syntaxes = fields.u8()?;
        fields.skip(1)?;
        let uuid = uuid(fields.array()?, order);
        let (version, minor) = (fields.u16()?, fields.u16()?);
        if !each(Offer { context, uuid, version, minor }) {
            break;
        }
        fields.skip(usize::from(syntaxes) * 20)?;
    }
    Some(())
}

/// The answers to the offers of a bind-ack or alter-context-response body, in the offers' order; 0 accepts.
pub fn results(body: &[u8], order: Order, mut each: impl FnMut(u16)) -> Option<()> {
    let mut fields = Cursor::new(body, order);
    fields.skip(8)?;
    let address_len = fields.u16()?;
    fields.skip(usize::from(address_len))?;
    // The header's 16 bytes and these: both count for the alignment.
    fields.align(4)?;
    let count = fields.u8()?;
    fields.skip(3)?;
    for _ in 0..count {
        each(fields.u16()?);
        fields.skip(2 + 20)?;
    }
    Some(())
}

/// A request's own header: context, operation; what follows is the stub.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub context: u16,
    pub opnum: u16,
    pub stub: &'a [u8],
}

pub fn request<'a>(header: &Header, body: &'a [u8]) -> Option<Request<'a>> {
    let mut fields = Cursor::new(body, header.order);
    fields.skip(4)?;
    let (context, opnum) = (fields.u16()?, fields.u16()?);
    if header.has_object() {
        fields.skip(16)?;
    }
    Some(Request { context, opnum, stub: fields.rest() })
}

/// The context and stub of a response.
pub fn response<'a>(header: &Header, body: &'a [u8]) -> Option<(u16, &'a [u8])> {
    let mut fields = Cursor::new(body, header.order);
    fields.skip(4)?;
    let context = fields.u16()?;
    fields.skip(2)?;
    Some((context, fields.rest()))
}
