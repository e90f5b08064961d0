//! A session's bytes to messages.

use super::message;
use crate::app::decoder::Probe;
use crate::app::{Carry, Decoder, Framed, Next, Sink, der};
use crate::base::{Dir, PerDir};
use crate::wire::ip_proto;

/// Bytes of one message, its length before it left out.
const MAX_MESSAGE: usize = 256 << 10;
/// Bytes of the length that comes before each message of a stream.
pub const LENGTH: usize = 4;

/// Whether the bytes begin a message: its tag, a sequence in it, and the version, 5, as its first field or second.
pub fn is_message(bytes: &[u8]) -> bool {
    let kind = bytes.first().copied().unwrap_or_default();
    if !message::is_known(kind) {
        return false;
    }
    let Some(sequence) = der::only(bytes, kind).and_then(|inside| der::only(inside, der::SEQUENCE)) else {
        return false;
    };
    let mut fields = sequence;
    let first = der::next(&mut fields);
    first.is_some_and(|field| der::integer(field.content) == Some(5))
}

/// Whether the bytes begin a message, as far as they tell.
pub fn begins(bytes: &[u8]) -> Probe {
    if is_message(bytes) {
        return Probe::Yes;
    }
    const TAGS: [fn(u8) -> bool; 3] = [message::is_known, |tag| tag == der::SEQUENCE, |_| true];
    let mut rest = bytes;
    for fits in TAGS {
        let Some(tag) = rest.first() else { return Probe::More };
        if !fits(*tag) {
            return Probe::No;
        }
        let Some((header, _)) = der::header(rest) else {
            let cut = rest.get(1).is_none_or(|len| (0x81..=0x84).contains(len)) && rest.len() < 6;
            return if cut { Probe::More } else { Probe::No };
        };
        rest = rest.get(header..).unwrap_or_default();
    }
    // The version, an integer of a byte.
    if rest.len() < 3 { Probe::More } else { Probe::No }
}

#[derive(Debug, Default)]
pub struct Krb5 {
    carry: PerDir<Carry>,
}

fn frame(bytes: &[u8]) -> Framed {
    match bytes.first_chunk::<LENGTH>() {
        // The highest bit is reserved (RFC 4120, 7.2.2).
        Some([high, ..]) if high & 0x80 != 0 => Framed::Broken,
        Some(len) => Framed::Whole(LENGTH + u32::from_be_bytes(*len) as usize),
        None => Framed::Need(LENGTH),
    }
}

impl Krb5 {
    fn take(dir: Dir, message: &[u8], sink: &mut Sink<'_>) {
        if !message.is_empty() && !message::put(dir, message, sink) {
            sink.event(dir, "krb5.malformed_data");
        }
    }
}

impl Decoder for Krb5 {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        if sink.tuple.proto == ip_proto::UDP {
            Krb5::take(dir, bytes, sink);
            return Next::More;
        }
        let whole = self.carry[dir].cut(bytes, LENGTH + MAX_MESSAGE, frame, |message| {
            Krb5::take(dir, message.get(LENGTH..).unwrap_or_default(), sink);
            sink.flush_stream();
            true
        });
        if whole { Next::More } else { Next::Broken }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.carry[dir].reset());
    }
}
