//! MQTT 3.1, 3.1.1 and 5.0: messages, each with those that answer it as one transaction.
//!
//! What a transaction holds belongs to the direction of the message that began it. Bodies are kept up to a bound; what
//! follows in a longer message is stepped over.

mod message;
mod properties;
mod put;
#[cfg(test)]
mod tests;

use super::carry::Framed;
use super::clipped::{Clipped, Taken};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Next, Probe, Sink, TxId};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use message::{Header, kind};

pub const ENTRY: Entry = Entry {
    proto: AppProto::Mqtt,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Mqtt>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

/// A message is kept so far.
const MAX_MESSAGE: usize = 128 << 10;
/// Messages that wait for an answer; the oldest is forgotten beyond (`max-tx`).
const MAX_WAITING: usize = 1024;

/// A transaction that is open.
#[derive(Copy, Clone, Debug)]
struct Waiting {
    tx: TxId,
    /// The message that began it, and its direction and identifier.
    kind: u8,
    dir: Dir,
    id: u16,
}

#[derive(Debug, Default)]
struct Mqtt {
    incoming: PerDir<Clipped>,
    /// The direction's framing cannot be followed.
    lost: PerDir<bool>,
    waiting: Vec<Waiting>,
    version: u8,
    connecting: bool,
    connected: bool,
    /// Bytes are missing: what was not seen may have been there.
    gapped: bool,
}

impl Decoder for Mqtt {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut incoming = std::mem::take(&mut self.incoming[dir]);
        let mut rest = bytes;
        while !rest.is_empty() && !self.lost[dir] {
            match incoming.take(&mut rest, MAX_MESSAGE, frame) {
                Taken::Part => {}
                Taken::Broken => self.broken(dir, sink),
                Taken::Whole { cut } => {
                    if let Ok(Some(header)) = Header::parse(incoming.bytes()) {
                        self.message(dir, header, incoming.bytes(), cut, sink);
                    }
                    incoming.clear();
                }
            }
        }
        self.incoming[dir] = incoming;
        match () {
            () if self.lost[dir] && !self.gapped => Next::Broken,
            () if Dir::BOTH.into_iter().all(|dir| self.lost[dir]) => Next::Stop,
            () => Next::More,
        }
    }

    fn gap(&mut self, dir: Dir, missing: u64, _sink: &mut Sink<'_>) -> Next {
        if !self.incoming[dir].gap(missing) {
            (self.gapped, self.connected) = (true, true);
        }
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        for waiting in self.waiting.iter().filter(|waiting| waiting.dir == dir) {
            finish(waiting.tx, dir, sink);
        }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.incoming[dir].clear());
        self.lost = PerDir::default();
        self.waiting.clear();
        self.waiting.shrink_to(16);
        (self.version, self.connecting, self.connected, self.gapped) = Default::default();
    }
}

impl Mqtt {
    fn broken(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        self.lost[dir] = true;
        if !self.gapped {
            self.alone(dir, sink, "mqtt.malformed_traffic");
        }
    }

    /// A transaction of its own for an event.
    fn alone(&mut self, dir: Dir, sink: &mut Sink<'_>, event: &'static str) {
        if let Some(tx) = sink.open().and_then(|id| sink.tx(id)) {
            tx.only_way(dir);
            tx.event(dir, event);
            tx.complete(dir);
        }
    }

    fn message(&mut self, dir: Dir, header: Header, pdu: &[u8], cut: bool, sink: &mut Sink<'_>) {
        let body = pdu.get(header.len..).unwrap_or_default();
        let version = self.version;
        let Some((tx, way)) = self.transaction(dir, &header, body, sink) else { return };
        let Some(tx) = sink.tx(tx) else { return };
        put::header(tx, way, &header);
        if header.qos() == 3 {
            tx.event(way, "mqtt.invalid_qos_level");
        }
        let version = if header.kind() == kind::CONNECT { put::version(body) } else { version };
        if put::body(tx, way, &header, body, version).is_none() && !cut {
            tx.event(way, "mqtt.malformed_traffic");
        }
        if cut && header.kind() == kind::PUBLISH {
            tx.note_bool("publish.truncated", true);
            tx.note_number("publish.skipped_length", header.remaining as u64);
        }
        if way == dir {
            // Last: they are the first to be cut where a message is long.
            put::frames(tx, dir, pdu, header.len);
        } else if put::wants_frames(sink.wanted())
            && let Some(tx) = sink.open().and_then(|id| sink.tx(id))
        {
            // The other direction of its transaction is not looked into.
            put::frames(tx, dir, pdu, header.len);
            tx.complete_one_way(dir);
        }
        if header.kind() == kind::CONNECT {
            self.version = version;
        }
    }

    /// The message's transaction, and the direction that it belongs to.
    fn transaction(
        &mut self,
        dir: Dir,
        header: &Header,
        body: &[u8],
        sink: &mut Sink<'_>,
    ) -> Option<(TxId, Dir)> {
        let answered = |by: Dir| by.reversed();
        match header.kind() {
            kind::CONNECT => {
                let again = std::mem::replace(&mut self.connecting, true);
                self.begin(dir, header, 0, again.then_some("mqtt.double_connect"), sink)
            }
            kind::CONNACK => {
                self.connected = true;
                self.continues(dir, answered(dir), kind::CONNECT, 0, true, "mqtt.missing_connect", sink)
            }
            kind::PUBLISH => {
                let id = message::Publish::parse(body, header.qos(), 0).and_then(|publish| publish.id);
                let event = (header.qos() > 0 && id.is_none()).then_some("mqtt.missing_msg_id");
                self.introduced(dir, header, id.unwrap_or(0), event, sink)
            }
            kind::SUBSCRIBE | kind::UNSUBSCRIBE => {
                let id = first_number(body);
                self.introduced(
                    dir,
                    header,
                    id.unwrap_or(0),
                    id.is_none().then_some("mqtt.missing_msg_id"),
                    sink,
                )
            }
            kind::PUBACK | kind::PUBREC | kind::PUBREL | kind::PUBCOMP => {
                let of = if header.kind() == kind::PUBREL { dir } else { answered(dir) };
                let last = matches!(header.kind(), kind::PUBACK | kind::PUBCOMP);
                let id = first_number(body).unwrap_or(0);
                self.continues(dir, of, kind::PUBLISH, id, last, "mqtt.missing_publish", sink)
            }
            kind::SUBACK => {
                let id = first_number(body).unwrap_or(0);
                self.continues(dir, answered(dir), kind::SUBSCRIBE, id, true, "mqtt.missing_subscribe", sink)
            }
            kind::UNSUBACK => {
                let id = first_number(body).unwrap_or(0);
                self.continues(
                    dir,
                    answered(dir),
                    kind::UNSUBSCRIBE,
                    id,
                    true,
                    "mqtt.missing_unsubscribe",
                    sink,
                )
            }
            kind::PINGRESP => self.continues(dir, answered(dir), kind::PINGREQ, 0, true, "", sink),
            0 => self.begin(dir, header, 0, Some("mqtt.unassigned_msg_type"), sink),
            _ => self.introduced(dir, header, 0, None, sink),
        }
    }

    /// A message that CONNECT and CONNACK must come before.
    fn introduced(
        &mut self,
        dir: Dir,
        header: &Header,
        id: u16,
        event: Option<&'static str>,
        sink: &mut Sink<'_>,
    ) -> Option<(TxId, Dir)> {
        let early = (!self.connected && header.kind() != kind::AUTH).then_some("mqtt.unintroduced_message");
        self.begin(dir, header, id, event.or(early), sink)
    }

    /// A message that begins a transaction.
    fn begin(
        &mut self,
        dir: Dir,
        header: &Header,
        id: u16,
        event: Option<&'static str>,
        sink: &mut Sink<'_>,
    ) -> Option<(TxId, Dir)> {
        let tx = sink.open()?;
        sink.tx(tx)?.only_way(dir);
        if let Some(event) = event {
            sink.tx(tx)?.event(dir, event);
        }
        let kind = header.kind();
        let is_answered = match kind {
            kind::CONNECT | kind::SUBSCRIBE | kind::UNSUBSCRIBE | kind::PINGREQ => true,
            kind::PUBLISH => matches!(header.qos(), 1 | 2),
            _ => false,
        };
        if !is_answered {
            finish(tx, dir, sink);
            return Some((tx, dir));
        }
        if self.waiting.len() >= MAX_WAITING {
            let oldest = self.waiting.remove(0);
            finish(oldest.tx, oldest.dir, sink);
            sink.tx(tx)?.event(dir, "mqtt.too_many_transactions");
        }
        self.waiting.push(Waiting { tx, kind, dir, id });
        Some((tx, dir))
    }

    /// A message that belongs to the transaction of an earlier one, `of` that direction; or, where that was not seen, one
    /// of its own with the event `missing`.
    fn continues(
        &mut self,
        dir: Dir,
        of: Dir,
        began: u8,
        id: u16,
        last: bool,
        missing: &'static str,
        sink: &mut Sink<'_>,
    ) -> Option<(TxId, Dir)> {
        let at = self.waiting.iter().rposition(|w| w.kind == began && w.dir == of && w.id == id);
        let Some(waiting) = at.and_then(|at| self.waiting.get(at).copied()) else {
            let tx = sink.open()?;
            let found = sink.tx(tx)?;
            found.only_way(dir);
            if !missing.is_empty() && (!self.gapped || began == kind::CONNECT) {
                found.event(dir, missing);
            }
            found.complete(dir);
            return Some((tx, dir));
        };
        if last {
            self.waiting.retain(|w| w.tx != waiting.tx);
            finish(waiting.tx, waiting.dir, sink);
        }
        Some((waiting.tx, waiting.dir))
    }
}

fn frame(bytes: &[u8]) -> Framed {
    match Header::parse(bytes) {
        Ok(Some(header)) => Framed::Whole(header.len + header.remaining),
        Ok(None) => Framed::Need(bytes.len() + 1),
        Err(()) => Framed::Broken,
    }
}

/// Nothing more will come of a transaction.
fn finish(tx: TxId, dir: Dir, sink: &mut Sink<'_>) {
    if let Some(tx) = sink.tx(tx) {
        tx.complete(dir);
    }
}

/// The identifier that a body begins with.
fn first_number(body: &[u8]) -> Option<u16> {
    body.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// A client begins with CONNECT; a server answers with CONNACK, and nothing else is in its first bytes.
fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    let header = match Header::parse(bytes) {
        Ok(Some(header)) => header,
        Ok(None) if bytes.first().is_none_or(|first| matches!(first, 0x10 | 0x20)) => return Probe::More,
        _ => return Probe::No,
    };
    let body = bytes.get(header.len..).unwrap_or_default();
    let (found, sender) = if header.first == 0x10 {
        (connects(body), Dir::ToServer)
    } else {
        (consents(&header, body), Dir::ToClient)
    };
    if found == Probe::Yes && sender != dir { Probe::Reversed } else { found }
}

/// Whether a CONNECT's body begins so.
fn connects(body: &[u8]) -> Probe {
    let begins = |name: &[u8]| name.iter().zip(body).all(|(a, b)| a == b);
    match (begins(b"\0\x04MQTT"), begins(b"\0\x06MQIsdp"), body.len()) {
        (true, _, 6..) | (_, true, 8..) => Probe::Yes,
        (false, false, _) => Probe::No,
        _ => Probe::More,
    }
}

/// Whether it is a CONNACK: flags, a code that there is, and in version 5 properties that fill the rest.
fn consents(header: &Header, body: &[u8]) -> Probe {
    if header.first != 0x20 || !(2..=512).contains(&header.remaining) {
        return Probe::No;
    }
    match body {
        [] | [0 | 1] => Probe::More,
        [0 | 1, code, rest @ ..] if *code <= 5 || *code >= 0x80 => match rest.first() {
            _ if header.remaining == 2 => Probe::Yes,
            Some(len) if usize::from(*len) + 3 == header.remaining => Probe::Yes,
            Some(_) => Probe::No,
            None => Probe::More,
        },
        _ => Probe::No,
    }
}
