//! A connection's bytes to messages, and each to its version's code.

use super::frames::{self, Growing};
use super::header::{Header, Version};
use super::record::{self, At, NBSS_LEN, Unit};
use super::session::Session;
use super::{sizes, smb1, smb2};
use crate::app::{Carry, Decoder, Next, Sink, TxId};
use crate::base::Dir;

/// What begins a message behind a gap: a NetBIOS header and an SMB magic.
const BEGINNING: usize = NBSS_LEN + 4;

#[derive(Debug)]
struct Line {
    at: At,
    carry: Carry,
    /// Bytes that must be there before looking again; never fewer than the carry has.
    need: usize,
    /// The NetBIOS header of the message at work.
    session_header: [u8; NBSS_LEN],
    /// Whose data is coming.
    header: Option<Header>,
    frames: Growing,
    frames_tx: Option<TxId>,
    /// Bytes were lost or meant nothing: the newest of those since, while the next message is looked for.
    lost: Option<[u8; BEGINNING]>,
}

impl Default for Line {
    fn default() -> Line {
        Line {
            at: At::Session,
            carry: Carry::default(),
            need: NBSS_LEN,
            session_header: [0; NBSS_LEN],
            header: None,
            frames: Growing::default(),
            frames_tx: None,
            lost: None,
        }
    }
}

impl Line {
    fn reset(&mut self) {
        self.carry.reset();
        let carry = std::mem::take(&mut self.carry);
        *self = Line { carry, ..Line::default() };
    }

    fn go(&mut self, at: At) {
        self.at = at.settled();
        self.need = match self.at {
            At::Unit { left } => (left as usize).min(4),
            _ => NBSS_LEN,
        };
    }

    /// Passes over what comes before the next message. How many bytes it took.
    fn look(&mut self, input: &[u8]) -> usize {
        const MAGIC: [u8; 3] = *b"SMB";
        let Some(recent) = &mut self.lost else { return 0 };
        for (at, byte) in input.iter().enumerate() {
            recent.rotate_left(1);
            let [a, b, c, d, e, rest @ ..] = recent;
            let [_, _, last] = rest;
            *last = *byte;
            if *a == 0 && (0xfc..=0xff).contains(e) && *rest == MAGIC {
                let session_header = [*a, *b, *c, *d];
                let magic = [*e, b'S', b'M', b'B'];
                self.lost = None;
                self.carry.clear();
                self.session_header = session_header;
                self.go(At::Unit { left: record::session_len(session_header).max(4) });
                self.carry.push(&magic, magic.len());
                return at + 1;
            }
        }
        input.len()
    }
}

/// What came of the bytes at a line's place.
enum Decided {
    /// So many are worked off.
    Took(usize),
    /// The line says how many it needs.
    Needs,
    Lost,
}

#[derive(Debug, Default)]
pub struct Smb {
    lines: [Line; 2],
    session: Session,
    /// A message is none of SMB's.
    broken: bool,
}

impl Smb {
    fn line(&mut self, dir: Dir) -> &mut Line {
        let [to_server, to_client] = &mut self.lines;
        if dir == Dir::ToServer { to_server } else { to_client }
    }

    /// One step: how many of `input`'s bytes it took. One that takes none asks for more bytes than before, or goes on to
    /// another place.
    fn step(&mut self, dir: Dir, input: &[u8], sink: &mut Sink<'_>) -> usize {
        let line = self.line(dir);
        if line.lost.is_some() {
            return line.look(input);
        }
        match line.at {
            At::Data { left, padding, after } => {
                let piece = input.get(..(left as usize).min(input.len())).unwrap_or(input);
                let left = left - piece.len() as u32;
                line.go(At::Data { left, padding, after });
                self.data_piece(dir, piece, left == 0, sink);
                piece.len()
            }
            At::Skip { left, after } => {
                let len = (left as usize).min(input.len());
                line.go(At::Skip { left: left - len as u32, after });
                len
            }
            At::Session | At::Unit { .. } => self.gather(dir, input, sink),
        }
    }

    fn data_piece(&mut self, dir: Dir, piece: &[u8], last: bool, sink: &mut Sink<'_>) {
        let line = self.line(dir);
        let (frames, tx, header) = (line.frames, line.frames_tx, line.header);
        if let Some(tx) = tx.and_then(|id| sink.tx(id)) {
            frames.grow(tx, piece);
            if last {
                frames.end(tx);
            }
        }
        if let Some(header) = header {
            self.session.data(&header, dir, piece, last, sink);
        }
        if last {
            sink.flush_stream();
        }
    }

    /// Waits for the bytes that the next header or message needs, and takes them.
    fn gather(&mut self, dir: Dir, input: &[u8], sink: &mut Sink<'_>) -> usize {
        let line = self.line(dir);
        if line.carry.is_empty() && input.len() >= line.need {
            return match self.take(dir, input, sink) {
                Decided::Took(taken) => taken,
                Decided::Needs => 0,
                Decided::Lost => {
                    self.line(dir).lost = Some([0xff; BEGINNING]);
                    0
                }
            };
        }
        let missing = line.need.saturating_sub(line.carry.len()).min(input.len());
        line.carry.push(input.get(..missing).unwrap_or_default(), usize::MAX);
        if line.carry.len() < line.need {
            return missing;
        }
        let mut carry = std::mem::take(&mut line.carry);
        match self.take(dir, carry.bytes(), sink) {
            Decided::Took(_) => carry.clear(),
            Decided::Needs => {}
            Decided::Lost => {
                let line = self.line(dir);
                line.lost = Some([0xff; BEGINNING]);
                line.look(carry.bytes());
                carry.clear();
            }
        }
        self.line(dir).carry = carry;
        missing
    }

    /// Works on what begins `bytes`.
    fn take(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Decided {
        let line = self.line(dir);
        let At::Unit { left } = line.at else { return self.session_message(dir, bytes, sink) };
        let found = record::unit(bytes, left);
        match found {
            Unit::Need(need) => {
                line.need = need;
                Decided::Needs
            }
            Unit::Message { header, head, data, next } => {
                line.go(next);
                self.message(dir, &header, bytes.get(..head).unwrap_or(bytes), data, sink);
                Decided::Took(head)
            }
            Unit::Opaque | Unit::Broken | Unit::Overflow => {
                let len = bytes.len().min(left as usize);
                line.go(At::Skip { left: left - len as u32, after: 0 });
                match found {
                    Unit::Broken => sink.event(dir, "smb.malformed_data"),
                    Unit::Overflow => sink.event(dir, "smb.record_overflow"),
                    _ => {}
                }
                Decided::Took(len)
            }
        }
    }

    fn session_message(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Decided {
        let line = self.line(dir);
        let Some(header) = bytes.first_chunk::<NBSS_LEN>() else { return Decided::Needs };
        let [kind, ..] = *header;
        if !record::is_session_type(kind) {
            sink.event(dir, "smb.malformed_data");
            self.broken = true;
            return Decided::Lost;
        }
        line.session_header = *header;
        let left = record::session_len(*header);
        line.go(if kind == 0 { At::Unit { left } } else { At::Skip { left, after: 0 } });
        Decided::Took(NBSS_LEN)
    }

    fn message(&mut self, dir: Dir, header: &Header, head: &[u8], data: Option<u32>, sink: &mut Sink<'_>) {
        self.session.begin_message(dir);
        let line = self.line(dir);
        (line.header, line.frames, line.frames_tx) = (None, Growing::default(), None);
        if header.dir() != dir {
            let to_server = dir == Dir::ToServer;
            sink.event(dir, if to_server { "smb.response_to_server" } else { "smb.request_to_client" });
            return;
        }
        let too_large = sizes::fault(&self.session.sizes, header, head, data, sink.limits);
        let tx = match header.version {
            Version::Smb1 => smb1::message(&mut self.session, header, head, sink),
            Version::Smb2 => smb2::message(&mut self.session, header, head, sink),
        };
        if let Some(event) = too_large {
            sink.event(dir, event);
        }
        let line = self.line(dir);
        let more = data.is_some_and(|len| len > 0);
        line.header = more.then_some(*header);
        if let Some(found) = tx.and_then(|id| sink.tx(id)).filter(|tx| frames::wanted(tx)) {
            line.frames = frames::put(found, dir, header, line.session_header, head, more);
            line.frames_tx = tx.filter(|_| !line.frames.is_empty());
        }
        if !more {
            sink.flush_stream();
        }
    }
}

impl Decoder for Smb {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut input = bytes;
        while !input.is_empty() && !self.broken {
            let taken = self.step(dir, input, sink);
            input = input.get(taken..).unwrap_or_default();
        }
        if self.broken { Next::Broken } else { Next::More }
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        let line = self.line(dir);
        let in_data = matches!(line.at, At::Data { .. });
        match line.at.without(missing) {
            Some(at) => line.go(at),
            None => {
                line.carry.clear();
                line.lost = Some([0xff; BEGINNING]);
            }
        }
        if in_data {
            self.session.lose(dir, missing, sink);
        }
        Next::More
    }

    fn reset(&mut self) {
        self.lines.iter_mut().for_each(Line::reset);
        self.session.reset();
    }
}
