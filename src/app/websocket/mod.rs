//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692): a frame, a transaction. A message's payload is in the transaction
//! of the frame that ends it, unmasked, joined and inflated.

mod inflate;
#[cfg(test)]
mod tests;

use super::entry::{Entry, NO_STATES, at_the_end};
use super::limits::KEPT;
use super::{Decoder, Next, Probe, Sink, Transaction};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use inflate::Inflate;

/// Found where HTTP says that it comes, and nowhere else.
pub const ENTRY: Entry = Entry {
    proto: AppProto::Websocket,
    tcp: &[],
    udp: &[],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe: |_, _| Probe::No,
    make: Some(|| Box::<Websocket>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const PAYLOAD: BufferId = context::id("websocket.payload");
const PDU: BufferId = context::id("websocket.pdu");
const HEADER: BufferId = context::id("websocket.header");
const DATA: BufferId = context::id("websocket.data");
const OPCODE: FieldId = field::id("websocket.opcode");
const MASK: FieldId = field::id("websocket.mask");
const FLAGS: FieldId = field::id("websocket.flags");

/// A frame, and a message, is kept so far (`max-payload-size`).
const MAX_PAYLOAD: usize = 0xffff;
/// The longest header: two bytes, a length of eight, a mask of four.
const MAX_HEADER: usize = 14;

const FIN: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// What a frame's header says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Header {
    len: usize,
    flags: u8,
    opcode: u8,
    mask: Option<[u8; 4]>,
    payload: u64,
}

impl Header {
    /// `None` while bytes are missing.
    fn parse(bytes: &[u8]) -> Option<Header> {
        let &[first, second, ..] = bytes else { return None };
        let (payload, mask_at) = match second & 0x7f {
            126 => (u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?).into(), 4),
            127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
            short => (short.into(), 2),
        };
        let mask = match second & 0x80 {
            0 => None,
            _ => Some(*bytes.get(mask_at..)?.first_chunk()?),
        };
        let len = mask_at + if mask.is_some() { 4 } else { 0 };
        Some(Header { len, flags: first & 0xf0, opcode: first & 15, mask, payload })
    }

    fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }
}

/// A direction.
#[derive(Debug, Default)]
struct Side {
    /// The frame under way, from its header on, as it came.
    frame: Vec<u8>,
    header: Option<Header>,
    /// Bytes of it that have not come.
    left: u64,
    /// The message under way, unmasked.
    message: Vec<u8>,
    /// Of its first frame.
    compressed: bool,
    in_message: bool,
    /// Some of it was not kept.
    cut: bool,
    inflate: Inflate,
}

#[derive(Debug, Default)]
struct Websocket {
    sides: PerDir<Side>,
}

impl Decoder for Websocket {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let side = &mut self.sides[dir];
        let mut rest = bytes;
        while !rest.is_empty() {
            side.take(&mut rest);
            if let Some(header) = side.header.filter(|_| side.left == 0) {
                side.frame_end(dir, &header, sink);
            }
        }
        Next::More
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        let side = &mut self.sides[dir];
        // Where the next frame begins is known only if all that is missing belongs to this one.
        let Some(header) = side.header.filter(|_| side.left >= missing) else { return Next::Stop };
        side.left -= missing;
        side.cut = true;
        if side.left == 0 {
            side.frame_end(dir, &header, sink);
        }
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        let side = &mut self.sides[dir];
        if side.in_message
            && let Some(tx) = sink.open().and_then(|id| sink.tx(id))
        {
            side.put_message(dir, tx);
            tx.complete_one_way(dir);
        }
    }

    fn reset(&mut self) {
        for dir in Dir::BOTH {
            let Side { mut frame, mut message, mut inflate, .. } = std::mem::take(&mut self.sides[dir]);
            frame.clear();
            frame.shrink_to(KEPT);
            message.clear();
            message.shrink_to(KEPT);
            inflate.reset();
            self.sides[dir] = Side { frame, message, inflate, ..Side::default() };
        }
    }
}

impl Side {
    /// More of the frame: as much as belongs to it.
    fn take(&mut self, rest: &mut &[u8]) {
        while self.header.is_none() {
            let Some((&byte, later)) = rest.split_first() else { return };
            self.frame.push(byte);
            *rest = later;
            debug_assert!(self.frame.len() <= MAX_HEADER);
            self.header = Header::parse(&self.frame);
            self.left = self.header.map_or(0, |header| header.payload);
        }
        let now = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
        let (now, later) = rest.split_at(now);
        let room = (MAX_HEADER + MAX_PAYLOAD).saturating_sub(self.frame.len());
        self.frame.extend_from_slice(now.get(..room.min(now.len())).unwrap_or_default());
        self.cut |= now.len() > room;
        self.left -= now.len() as u64;
        *rest = later;
    }

    fn frame_end(&mut self, dir: Dir, header: &Header, sink: &mut Sink<'_>) {
        if let Some(tx) = sink.open().and_then(|id| sink.tx(id)) {
            self.put_frame(dir, header, tx);
            tx.complete_one_way(dir);
        }
        self.frame.clear();
        self.frame.shrink_to(KEPT);
        self.header = None;
    }

    fn put_frame(&mut self, dir: Dir, header: &Header, tx: &mut Transaction) {
        tx.field(dir, OPCODE, header.opcode.into());
        tx.field(dir, FLAGS, header.flags.into());
        if let Some(mask) = header.mask {
            tx.field(dir, MASK, u32::from_be_bytes(mask).into());
        }
        note(tx, header);
        if header.payload > MAX_PAYLOAD as u64 {
            tx.event(dir, "websocket.skip_end_of_payload");
        }
        let (head, data) = self.frame.split_at(header.len.min(self.frame.len()));
        let mask = header.mask.unwrap_or_default();
        let unmasked = data.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        if header.is_control() {
            tx.put_with(dir, PAYLOAD, |out| out.extend(unmasked));
        } else {
            if header.opcode != CONTINUATION {
                self.message.clear();
                (self.compressed, self.in_message) = (header.flags & COMPRESSED != 0, true);
            }
            let room = MAX_PAYLOAD.saturating_sub(self.message.len());
            if data.len() > room {
                self.cut = true;
                tx.event(dir, "websocket.reassembly_limit_reached");
            }
            self.message.extend(unmasked.take(room));
        }
        tx.put(dir, PDU, &self.frame);
        tx.put(dir, HEADER, head);
        tx.put(dir, DATA, data);
        if !header.is_control() && header.flags & FIN != 0 {
            self.put_message(dir, tx);
        }
    }

    /// The message is whole.
    fn put_message(&mut self, dir: Dir, tx: &mut Transaction) {
        if self.compressed && tx.wants(PAYLOAD) {
            let Side { inflate, message, cut, .. } = self;
            tx.put_with(dir, PAYLOAD, |out| inflate.message(message, !*cut, out));
        } else {
            tx.put(dir, PAYLOAD, &self.message);
        }
        self.message.clear();
        self.message.shrink_to(KEPT);
        (self.in_message, self.cut, self.compressed) = (false, false, false);
    }
}

fn note(tx: &mut Transaction, header: &Header) {
    if !tx.wants_notes() {
        return;
    }
    tx.note_bool("fin", header.flags & FIN != 0);
    if let Some(mask) = header.mask {
        tx.note_number("mask", u32::from_be_bytes(mask).into());
    }
    let name: &[u8] = match header.opcode {
        CONTINUATION => b"continuation",
        TEXT => b"text",
        BINARY => b"binary",
        8 => b"connection_close",
        9 => b"ping",
        10 => b"pong",
        _ => return tx.note_number("opcode", header.opcode.into()),
    };
    tx.note("opcode", name);
}
