//! A message's header, the same in both versions (RFC 2408, 3.1; RFC 7296, 3.1), and the chain of its payloads.

use crate::app::cursor::Cursor;

const HEADER: usize = 28;
/// A payload's own header: the next one's type, a byte of flags, its length.
const PAYLOAD_HEADER: usize = 4;
/// The last of a chain.
const NO_NEXT: u8 = 0;

/// Exchange types of version 1: those of RFC 2408 and 2409, configuration, and Cisco's and RFC 6407's groups.
const EXCHANGES_V1: &[std::ops::RangeInclusive<u8>] = &[1..=6, 32..=34];
/// Of version 2 (IANA, ikev2-parameters), with room for some to come.
const EXCHANGES_V2: std::ops::RangeInclusive<u8> = 34..=60;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub initiator: [u8; 8],
    pub responder: [u8; 8],
    /// Type of the first payload.
    pub next: u8,
    pub major: u8,
    pub minor: u8,
    pub exchange: u8,
    pub flags: u8,
    pub id: u32,
    /// Of the whole message, as it says itself.
    length: u32,
    /// All that came behind the header.
    rest: &'a [u8],
}

impl<'a> Header<'a> {
    pub fn read(bytes: &'a [u8]) -> Option<Header<'a>> {
        let mut at = Cursor::big(bytes);
        let (initiator, responder, next) = (at.array()?, at.array()?, at.u8()?);
        let (version, exchange, flags) = (at.u8()?, at.u8()?, at.u8()?);
        let (id, length) = (at.u32()?, at.u32()?);
        let (major, minor) = (version >> 4, version & 15);
        Some(Header {
            initiator,
            responder,
            next,
            major,
            minor,
            exchange,
            flags,
            id,
            length,
            rest: at.rest(),
        })
    }

    /// All of it came, and nothing that it does not count.
    pub fn is_whole(&self) -> bool {
        self.length as usize == HEADER + self.rest.len()
    }

    /// Whether chance alone would hardly make these bytes so.
    pub fn is_plausible(&self) -> bool {
        let exchange = match self.major {
            1 => EXCHANGES_V1.iter().any(|some| some.contains(&self.exchange)),
            2 => EXCHANGES_V2.contains(&self.exchange),
            _ => false,
        };
        exchange && self.is_whole() && self.initiator != [0; 8]
    }

    /// The payloads, as far as the message came and is not encrypted.
    pub fn payloads(&self) -> Payloads<'a> {
        let body = (self.length as usize).saturating_sub(HEADER).min(self.rest.len());
        Payloads { next: self.next, rest: self.rest.get(..body).unwrap_or_default() }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Payload<'a> {
    pub kind: u8,
    pub data: &'a [u8],
}

/// A chain of payloads. The last item is `Err` where the chain breaks.
pub(super) struct Payloads<'a> {
    next: u8,
    rest: &'a [u8],
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl<'a> Iterator for Payloads<'a> {
    type Item = Result<Payload<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == NO_NEXT {
            return None;
        }
        let kind = std::mem::replace(&mut self.next, NO_NEXT);
        Some(self.take(kind).ok_or(Broken))
    }
}

impl Payloads<'_> {
    /// Bytes behind the last payload, which no chain explains.
    pub fn has_extra(&self) -> bool {
        self.next == NO_NEXT && !self.rest.is_empty()
    }
}

impl<'a> Payloads<'a> {
    fn take(&mut self, kind: u8) -> Option<Payload<'a>> {
        let [next, _, high, low, ..] = *self.rest else { return None };
        let payload = self.rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
        let data = payload.get(PAYLOAD_HEADER..)?;
        (self.next, self.rest) = (next, self.rest.get(payload.len()..)?);
        Some(Payload { kind, data })
    }
}

/// A substructure within a security association: a proposal or a transform, behind whether another one follows and a
/// length.
pub(super) fn substructure<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [_, _, high, low, ..] = **rest else { return None };
    let whole = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
    let data = whole.get(PAYLOAD_HEADER..)?;
    *rest = rest.get(whole.len()..)?;
    Some(data)
}

/// A proposal (RFC 2408, 3.5; RFC 7296, 3.3.1).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal<'a> {
    pub protocol: u8,
    transforms: &'a [u8],
}

impl<'a> Proposal<'a> {
    pub fn next(rest: &mut &'a [u8]) -> Option<Proposal<'a>> {
        let mut at = Cursor::big(substructure(rest)?);
        let (_number, protocol, spi, _transforms) = (at.u8()?, at.u8()?, at.u8()?, at.u8()?);
        at.skip(spi.into())?;
        Some(Proposal { protocol, transforms: at.rest() })
    }

    /// What is behind each transform's own header; the last item is `Err` where one does not fit.
    pub fn transforms(&self) -> impl Iterator<Item = Result<&'a [u8], Broken>> + use<'a> {
        let mut rest = self.transforms;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let found = substructure(&mut rest).ok_or(Broken);
            if found.is_err() {
                rest = &[];
            }
            Some(found)
        })
    }
}

/// Attributes of a transform (RFC 2408, 3.3), each with its number where it is one of 32 bits at most. False where one
/// does not fit.
pub(super) fn attributes(bytes: &[u8], mut take: impl FnMut(u16, Option<u32>)) -> bool {
    let mut at = Cursor::big(bytes);
    while !at.is_empty() {
        let (Some(kind), Some(short)) = (at.u16(), at.u16()) else { return false };
        if kind & 0x8000 != 0 {
            take(kind & 0x7fff, Some(short.into()));
        } else {
            let Some(value) = at.take(short.into()) else { return false };
            let number = value.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
            take(kind, (value.len() <= 4).then_some(number as u32));
        }
    }
    true
}
