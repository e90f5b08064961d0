//! CIP's messages (CIP networks library, volume 1, 2-4 and appendix C): services, paths, statuses, and messages in messages.

use crate::app::cursor::Cursor;

/// Services whose data is looked at.
const GET_ATTRIBUTE_LIST: u8 = 0x03;
const SET_ATTRIBUTE_LIST: u8 = 0x04;
const MULTIPLE: u8 = 0x0a;
const UNCONNECTED_SEND: u8 = 0x52;
/// The class of the connection manager, which takes `UNCONNECTED_SEND`.
const CONNECTION_MANAGER: u32 = 0x06;

/// Set in an answer's service.
const ANSWER: u8 = 0x80;

/// Messages within one message, and in one another.
const MAX_MESSAGES: usize = 256;
const MAX_DEPTH: u8 = 2;
/// Attributes of one list.
const MAX_ATTRIBUTES: u16 = 256;

/// Who is told what there is.
pub trait Reader {
    fn service(&mut self, answer: bool, service: u8);
    /// Of a request.
    fn class(&mut self, class: u32);
    fn instance(&mut self, instance: u32);
    fn attribute(&mut self, attribute: u32);
    /// A request as a whole: its service, and class and attribute where it has them. Told for each attribute of a list.
    fn request(&mut self, service: u8, class: Option<u16>, attribute: Option<u16>);
    /// Of an answer.
    fn status(&mut self, status: u8);
    fn extended_status(&mut self, status: u16);
}

/// Reads a message; `None` when it ends in the middle.
pub fn read(message: &[u8], out: &mut impl Reader) -> Option<()> {
    let mut left = MAX_MESSAGES;
    one(message, 0, &mut left, out)
}

fn one(message: &[u8], depth: u8, left: &mut usize, out: &mut impl Reader) -> Option<()> {
    let Some(fewer) = left.checked_sub(1) else { return Some(()) };
    *left = fewer;
    let mut cursor = Cursor::little(message);
    let code = cursor.u8()?;
    let service = code & !ANSWER;
    out.service(code & ANSWER != 0, service);
    if code & ANSWER != 0 {
        cursor.skip(1)?;
        out.status(cursor.u8()?);
        let words = cursor.u8()?;
        for _ in 0..words {
            out.extended_status(cursor.u16()?);
        }
        return if service == MULTIPLE { multiple(cursor.rest(), depth, left, out) } else { Some(()) };
    }
    let words = usize::from(cursor.u8()?);
    let path = Path::parse(cursor.take(2 * words)?, out);
    let data = cursor.rest();
    let class = path.class.and_then(|class| u16::try_from(class).ok());
    let attribute = path.attribute.and_then(|attribute| u16::try_from(attribute).ok());
    match service {
        GET_ATTRIBUTE_LIST | SET_ATTRIBUTE_LIST if path.attribute.is_none() => {
            attributes(service, class, data, out);
        }
        _ => out.request(service, class, attribute),
    }
    match service {
        MULTIPLE => multiple(data, depth, left, out),
        UNCONNECTED_SEND if path.class == Some(CONNECTION_MANAGER) && depth < MAX_DEPTH => {
            // Two bytes of patience, the message's length, the message, its route.
            let mut cursor = Cursor::little(data);
            cursor.skip(2)?;
            let len = cursor.u16()?;
            one(cursor.take(len.into())?, depth + 1, left, out)
        }
        _ => Some(()),
    }
}

/// A count, so many offsets from the count on, and the messages.
fn multiple(data: &[u8], depth: u8, left: &mut usize, out: &mut impl Reader) -> Option<()> {
    if depth >= MAX_DEPTH {
        return Some(());
    }
    let mut cursor = Cursor::little(data);
    let count = cursor.u16()?;
    let mut at = usize::from(if count == 0 { return Some(()) } else { cursor.u16()? });
    for n in 1..=count {
        let end = if n == count { data.len() } else { usize::from(cursor.u16()?) };
        one(data.get(at..end)?, depth + 1, left, out)?;
        at = end;
    }
    Some(())
}

/// A count and attributes; those of a write have values behind them, of which only the first's place is known.
fn attributes(service: u8, class: Option<u16>, data: &[u8], out: &mut impl Reader) {
    let mut cursor = Cursor::little(data);
    let count = cursor.u16().unwrap_or(0);
    let known = if service == SET_ATTRIBUTE_LIST { count.min(1) } else { count.min(MAX_ATTRIBUTES) };
    let mut none = true;
    for attribute in (0..known).map_while(|_| cursor.u16()) {
        none = false;
        out.attribute(attribute.into());
        out.request(service, class, Some(attribute));
    }
    if none {
        out.request(service, class, None);
    }
}

#[derive(Copy, Clone, Debug, Default)]
struct Path {
    class: Option<u32>,
    attribute: Option<u32>,
}

impl Path {
    fn parse(path: &[u8], out: &mut impl Reader) -> Path {
        let mut found = Path::default();
        let mut cursor = Cursor::little(path);
        while let Some(segment) = cursor.u8() {
            if found.segment(segment, &mut cursor, out).is_none() {
                break;
            }
        }
        found
    }

    fn segment(&mut self, segment: u8, cursor: &mut Cursor<'_>, out: &mut impl Reader) -> Option<()> {
        match segment >> 5 {
            // A port, with the length of its link's address where that is more than a byte.
            0 => {
                let len = if segment & 0x10 != 0 { usize::from(cursor.u8()?) } else { 1 };
                if segment & 15 == 15 {
                    cursor.skip(2)?;
                }
                cursor.skip(len)?;
                cursor.align(2)
            }
            1 if segment == 0x34 => cursor.skip(9),
            1 => {
                let number = match segment & 3 {
                    0 => u32::from(cursor.u8()?),
                    1 => cursor.skip(1).and_then(|()| cursor.u16()).map(u32::from)?,
                    2 => cursor.skip(1).and_then(|()| cursor.u32())?,
                    _ => return None,
                };
                match segment >> 2 & 7 {
                    0 => {
                        self.class = Some(number);
                        out.class(number);
                    }
                    1 => out.instance(number),
                    4 => {
                        self.attribute = Some(number);
                        out.attribute(number);
                    }
                    _ => {}
                }
                Some(())
            }
            // A symbol's name.
            4 if segment == 0x91 => {
                let len = usize::from(cursor.u8()?);
                cursor.skip(len + len % 2)
            }
            4 => {
                let words = usize::from(cursor.u8()?);
                cursor.skip(2 * words)
            }
            _ => None,
        }
    }
}
