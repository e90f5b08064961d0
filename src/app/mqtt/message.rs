//! MQTT messages (MQTT 3.1, 3.1.1 and 5.0): where each begins and ends, and what it says.

use crate::app::cursor::Cursor;

/// Types (MQTT 5.0, 2.1.2).
pub mod kind {
    pub const CONNECT: u8 = 1;
    pub const CONNACK: u8 = 2;
    pub const PUBLISH: u8 = 3;
    pub const PUBACK: u8 = 4;
    pub const PUBREC: u8 = 5;
    pub const PUBREL: u8 = 6;
    pub const PUBCOMP: u8 = 7;
    pub const SUBSCRIBE: u8 = 8;
    pub const SUBACK: u8 = 9;
    pub const UNSUBSCRIBE: u8 = 10;
    pub const UNSUBACK: u8 = 11;
    pub const PINGREQ: u8 = 12;
    pub const PINGRESP: u8 = 13;
    pub const DISCONNECT: u8 = 14;
    pub const AUTH: u8 = 15;
}

/// The fixed header, and whether it is whole: its length is that of type and length together.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub first: u8,
    /// Bytes of the fixed header.
    pub len: usize,
    /// Bytes that follow it.
    pub remaining: usize,
}

impl Header {
    /// `None` while bytes are missing; an error when the length has more than four.
    pub fn parse(bytes: &[u8]) -> Result<Option<Header>, ()> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let mut cursor = Cursor::big(rest);
        match variable(&mut cursor) {
            Some(remaining) => Ok(Some(Header { first, len: 1 + cursor.at(), remaining })),
            None if rest.len() >= 4 => Err(()),
            None => Ok(None),
        }
    }

    pub fn kind(&self) -> u8 {
        self.first >> 4
    }

    pub fn flags(&self) -> u8 {
        self.first & 15
    }

    pub fn qos(&self) -> u8 {
        self.first >> 1 & 3
    }
}

/// A number of one to four bytes, seven bits each (MQTT 5.0, 1.5.5).
pub fn variable(cursor: &mut Cursor<'_>) -> Option<usize> {
    let mut value = 0;
    for place in 0..4 {
        let byte = cursor.u8()?;
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A text, or bytes, behind their length.
pub fn binary<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let len = cursor.u16()?;
    cursor.take(len.into())
}

/// Properties, which version 5 has; none where a message ends before them.
fn properties<'a>(cursor: &mut Cursor<'a>, version: u8) -> Option<&'a [u8]> {
    if version < 5 {
        return Some(&[]);
    }
    let len = variable(cursor)?;
    cursor.take(len)
}

/// The same at a message's end, where they may be left out.
fn last_properties<'a>(cursor: &mut Cursor<'a>, version: u8) -> &'a [u8] {
    properties(cursor, version).unwrap_or_default()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    pub protocol: &'a [u8],
    pub version: u8,
    pub flags: u8,
    pub client_id: &'a [u8],
    pub will: Option<(&'a [u8], &'a [u8])>,
    pub username: Option<&'a [u8]>,
    pub password: Option<&'a [u8]>,
    pub properties: &'a [u8],
    pub will_properties: &'a [u8],
}

/// What of CONNECT's flags says that a field is there.
const WILL: u8 = 4;
const PASSWORD: u8 = 0x40;
const USERNAME: u8 = 0x80;

impl<'a> Connect<'a> {
    pub fn parse(body: &'a [u8]) -> Option<Connect<'a>> {
        let mut cursor = Cursor::big(body);
        let protocol = binary(&mut cursor)?;
        let (version, flags) = (cursor.u8()?, cursor.u8()?);
        cursor.skip(2)?;
        let properties_of = properties(&mut cursor, version)?;
        let client_id = binary(&mut cursor)?;
        let (mut will, mut will_properties) = (None, &[][..]);
        if flags & WILL != 0 {
            will_properties = properties(&mut cursor, version)?;
            will = Some((binary(&mut cursor)?, binary(&mut cursor)?));
        }
        let mut present =
            |flag: u8| if flags & flag != 0 { binary(&mut cursor).map(Some) } else { Some(None) };
        let username = present(USERNAME)?;
        let password = present(PASSWORD)?;
        Some(Connect {
            protocol,
            version,
            flags,
            client_id,
            will,
            username,
            password,
            properties: properties_of,
            will_properties,
        })
    }
}

/// CONNACK: whether the session was known, the code, and properties.
pub fn connack(body: &[u8], version: u8) -> Option<(bool, u8, &[u8])> {
    let mut cursor = Cursor::big(body);
    let (flags, code) = (cursor.u8()?, cursor.u8()?);
    Some((flags & 1 != 0, code, last_properties(&mut cursor, version)))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    pub topic: &'a [u8],
    /// Of QoS 1 and 2.
    pub id: Option<u16>,
    pub properties: &'a [u8],
    pub message: &'a [u8],
}

impl<'a> Publish<'a> {
    pub fn parse(body: &'a [u8], qos: u8, version: u8) -> Option<Publish<'a>> {
        let mut cursor = Cursor::big(body);
        let topic = binary(&mut cursor)?;
        let id = if qos > 0 { cursor.u16() } else { None };
        if cursor.is_empty() && (id.is_none() && qos > 0) {
            return Some(Publish { topic, id, properties: &[], message: &[] });
        }
        let properties = properties(&mut cursor, version)?;
        Some(Publish { topic, id, properties, message: cursor.rest() })
    }
}

/// An answer that carries an identifier and, in version 5, a reason, 0 where it is left out, and properties.
pub fn answer(body: &[u8], version: u8) -> Option<(u16, Option<u8>, &[u8])> {
    let mut cursor = Cursor::big(body);
    let id = cursor.u16()?;
    let reason = if version < 5 { None } else { Some(cursor.u8().unwrap_or(0)) };
    Some((id, reason, last_properties(&mut cursor, version)))
}

/// SUBSCRIBE and UNSUBSCRIBE: the identifier, properties, and the topics. Of SUBSCRIBE each has a byte of options behind it.
pub fn topics(
    body: &[u8],
    version: u8,
    with_options: bool,
    mut topic: impl FnMut(&[u8], Option<u8>),
) -> Option<(u16, &[u8])> {
    let mut cursor = Cursor::big(body);
    let id = cursor.u16()?;
    let properties = properties(&mut cursor, version)?;
    while !cursor.is_empty() {
        let name = binary(&mut cursor)?;
        let options = if with_options { Some(cursor.u8()?) } else { None };
        topic(name, options);
    }
    Some((id, properties))
}

/// SUBACK and UNSUBACK: the identifier, properties, and a code for each topic.
pub fn codes(body: &[u8], version: u8) -> Option<(u16, &[u8], &[u8])> {
    let mut cursor = Cursor::big(body);
    let id = cursor.u16()?;
    let properties = properties(&mut cursor, version)?;
    Some((id, properties, cursor.rest()))
}

/// The reason of DISCONNECT and AUTH, and properties: version 5 has both, 0 and none where they are left out.
pub fn reason(body: &[u8], version: u8) -> (Option<u8>, &[u8]) {
    let mut cursor = Cursor::big(body);
    let reason = (version >= 5).then(|| cursor.u8().unwrap_or(0));
    (reason, last_properties(&mut cursor, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_to_four_bytes() {
        assert_eq!(Header::parse(&[0x10]), Ok(None));
        assert_eq!(Header::parse(&[0x10, 0x80]), Ok(None));
        assert_eq!(Header::parse(&[0x30, 0xff, 1]), Ok(Some(Header { first: 0x30, len: 3, remaining: 255 })));
        assert_eq!(Header::parse(&[0x30, 0xff, 0xff, 0xff, 0xff]), Err(()));
    }

    #[test]
    fn a_connect_with_everything() {
        let body = b"\0\x04MQTT\x05\xc6\0\x3c\x03!\0\x14\0\x02id\0\0\x05topic\0\x03bye\0\x01u\0\x02pw";
        let connect = Connect::parse(body).unwrap();
        assert_eq!((connect.protocol, connect.version, connect.client_id), (&b"MQTT"[..], 5, &b"id"[..]));
        assert_eq!(connect.will, Some((&b"topic"[..], &b"bye"[..])));
        assert_eq!((connect.username, connect.password), (Some(&b"u"[..]), Some(&b"pw"[..])));
        assert!((0..body.len()).all(|len| Connect::parse(&body[..len]).is_none()));
    }
}
