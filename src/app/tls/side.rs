//! One direction's records, and what is to be done with the bytes of each.

use super::frames::Frame;
use super::heartbeat::Heartbeats;
use super::messages::Messages;
use super::record::{HEADER, HEADER2, Header, Invalid, content};
use super::session::{Session, state};
use super::version::is_tls13;
use super::{handshake, ssl2, stage};
use crate::app::Sink;
use crate::app::limits::KEPT;
use crate::base::Dir;
use arrayvec::ArrayVec;

/// First bytes of a record that are kept for alerts and heartbeats.
const START: usize = 8;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Record {
    /// `None`: of SSL 2.0.
    kind: Option<u8>,
    len: usize,
    left: usize,
    /// Bytes of it are lost, or it is encrypted.
    opaque: bool,
}

#[derive(Debug, Default)]
pub(super) struct Side {
    header: ArrayVec<u8, HEADER>,
    record: Option<Record>,
    start: ArrayVec<u8, START>,
    messages: Messages,
    /// The body of a handshake's record that has not come whole. No peer acts on a part of one either.
    body: Vec<u8>,
    pub(super) frame: Frame,
    /// A record of TLS came: SSL 2.0 is no longer to be expected.
    is_tls: bool,
    /// A change of ciphers came, which in TLS 1.3 changes nothing.
    changed: bool,
    /// Bytes were lost: messages may begin anywhere.
    gapped: bool,
    /// What follows is encrypted.
    pub(super) encrypted: bool,
    /// And its sender said so: it changed its cipher, or sends data.
    pub(super) keyed: bool,
    /// A record of data came.
    pub(super) data: bool,
    /// Where the next record begins is not known.
    pub(super) lost: bool,
    /// Encrypted records of SSL 2.0, which are not read any more.
    pub(super) over: bool,
}

/// What every step of a direction works with.
pub(super) struct Work<'a, 's> {
    pub(super) dir: Dir,
    pub(super) session: &'a mut Session,
    pub(super) heartbeats: &'a mut Heartbeats,
    pub(super) sink: &'a mut Sink<'s>,
}

impl Side {
    pub(super) fn reset(&mut self) {
        let mut messages = std::mem::take(&mut self.messages);
        let mut frame = std::mem::take(&mut self.frame);
        let mut body = std::mem::take(&mut self.body);
        messages.reset();
        frame.reset();
        body.clear();
        body.shrink_to(KEPT);
        *self = Side { messages, frame, body, ..Side::default() };
    }

    /// Nothing more of this direction will be understood.
    pub(super) fn is_opaque(&self) -> bool {
        self.encrypted || self.lost || self.over
    }

    /// Takes bytes off `rest` up to the end of a record: whether one ended. `Err` when these are no records.
    pub(super) fn step(&mut self, rest: &mut &[u8], work: &mut Work<'_, '_>) -> Result<bool, Invalid> {
        if self.record.is_none() && !self.begin(rest, work)? {
            return Ok(false);
        }
        let Some(mut record) = self.record.take() else { return Ok(false) };
        let (now, later) = rest.split_at(record.left.min(rest.len()));
        *rest = later;
        record.left -= now.len();
        record.opaque |= self.body(record, now, work);
        if record.left > 0 {
            self.record = Some(record);
            return Ok(false);
        }
        self.end_record(record, work)?;
        Ok(true)
    }

    /// Reads the header; whether it is whole.
    fn begin(&mut self, rest: &mut &[u8], work: &mut Work<'_, '_>) -> Result<bool, Invalid> {
        let (now, later) = rest.split_at((HEADER - self.header.len()).min(rest.len()));
        let _ = self.header.try_extend_from_slice(now);
        *rest = later;
        let Ok(header) = <[u8; HEADER]>::try_from(self.header.as_slice()) else { return Ok(false) };
        self.header.clear();
        self.start.clear();
        self.frame.begin(work.sink.wanted(), &header);
        match Header::read(header)? {
            Header::Ssl2 { .. } if self.is_tls => return Err("tls.invalid_tls_header"),
            Header::Ssl2 { len } => {
                let first = header.get(HEADER2..).unwrap_or_default();
                self.record = Some(Record { kind: None, len, left: len - first.len(), opaque: false });
                self.body.clear();
                self.body.extend_from_slice(first);
            }
            Header::Tls { kind, version, len } => {
                self.is_tls = true;
                self.body.clear();
                self.encrypted |= kind == content::DATA;
                self.data |= kind == content::DATA;
                self.keyed |= self.data;
                if !work.session.hello[work.dir] && kind != content::HANDSHAKE {
                    work.session.speaks(work.dir, version, work.sink);
                }
                self.record = Some(Record { kind: Some(kind), len, left: len, opaque: self.encrypted });
            }
        }
        Ok(true)
    }

    /// Bytes of the record's body; whether the rest of it is opaque.
    fn body(&mut self, record: Record, now: &[u8], work: &mut Work<'_, '_>) -> bool {
        self.frame.grow(now);
        match record.kind {
            None => {
                self.body.extend_from_slice(now);
                false
            }
            Some(content::HANDSHAKE) if record.opaque => false,
            Some(content::HANDSHAKE) if record.left == 0 && self.body.is_empty() => self.handshake(now, work),
            Some(content::HANDSHAKE) => {
                self.body.extend_from_slice(now);
                record.left == 0 && self.gathered(work)
            }
            _ => {
                let room = START - self.start.len();
                let _ = self.start.try_extend_from_slice(now.get(..room.min(now.len())).unwrap_or_default());
                false
            }
        }
    }

    /// The record that was gathered, or what there is of it.
    fn gathered(&mut self, work: &mut Work<'_, '_>) -> bool {
        // A handshake has few records, and what follows it needs none of this memory.
        let body = std::mem::take(&mut self.body);
        self.handshake(&body, work)
    }

    /// Bytes of handshake messages; whether they are none, or encrypted.
    fn handshake(&mut self, now: &[u8], work: &mut Work<'_, '_>) -> bool {
        let Some(first) = now.first() else { return false };
        let Work { dir, session, sink, .. } = work;
        // After a change of ciphers only a hello that was asked for again is in the clear.
        let plain = !self.changed || !self.messages.at_border() || handshake::is_hello(*first);
        let understood = plain
            && self.messages.push(now, handshake::fate, |message| {
                handshake::take(*dir, message, session, sink);
            });
        if plain && !understood && !self.gapped {
            session.event(*dir, "tls.invalid_handshake_message", sink);
            session.state(state::UNKNOWN, sink);
        }
        self.encrypted |= !understood;
        !understood
    }

    fn end_record(&mut self, record: Record, work: &mut Work<'_, '_>) -> Result<(), Invalid> {
        let Work { dir, session, heartbeats, sink } = work;
        let Some(kind) = record.kind else {
            self.over = ssl2::take(*dir, &self.body, session, sink)?;
            self.frame.put_ssl2(*dir, session, sink);
            return Ok(());
        };
        match kind {
            content::CHANGE_CIPHER_SPEC => {
                self.changed = true;
                let now = session.version.is_some_and(|version| !is_tls13(version));
                self.encrypted |= now;
                self.keyed |= now;
            }
            content::ALERT if record.opaque || self.changed => {}
            content::ALERT if record.len == 2 && matches!(self.start.first(), Some(1 | 2)) => {}
            content::ALERT => session.event(*dir, "tls.invalid_alert_message", sink),
            content::HEARTBEAT if record.opaque || self.changed => {
                session.event(*dir, "tls.heartbeat_message", sink);
                if let Some(event) = heartbeats.encrypted(*dir, record.len) {
                    session.event(*dir, event, sink);
                }
            }
            content::HEARTBEAT => {
                for event in Heartbeats::plain(&self.start, record.len) {
                    session.event(*dir, event, sink);
                }
            }
            _ => {}
        }
        self.frame.put(kind, *dir, session, sink);
        if self.encrypted && !session.done {
            session.advance(*dir, stage::HANDSHAKE, sink);
        }
        Ok(())
    }

    /// So many bytes are lost: within a record the rest of it is passed over, otherwise the next header is looked for.
    pub(super) fn gap(&mut self, missing: u64, work: &mut Work<'_, '_>) {
        self.gapped = true;
        if self.record.is_some_and(|record| record.kind.is_some()) {
            self.gathered(work);
        }
        self.body.clear();
        self.messages.reset();
        self.header.clear();
        self.frame.spoil();
        match (&mut self.record, usize::try_from(missing)) {
            (Some(record), Ok(missing)) if record.kind.is_some() && missing <= record.left => {
                record.left -= missing;
                record.opaque = true;
                if record.left == 0 {
                    self.record = None;
                }
            }
            _ => {
                self.record = None;
                self.lost = true;
            }
        }
    }

    /// After a gap: whether a record begins here. Senders begin most segments with one.
    pub(super) fn finds_record(&mut self, bytes: &[u8]) -> bool {
        let header = bytes.first_chunk::<HEADER>().map(|header| Header::read(*header));
        let found = matches!(header, Some(Ok(Header::Tls { len: 1.., .. })));
        self.lost &= !found;
        found
    }
}
