//! DNS (RFC 1035) over UDP and TCP, and its kin by multicast: mDNS (RFC 6762) and LLMNR (RFC 4795).
//!
//! Owes a transaction a message, as Suricata has it: requests and responses are not paired. Names are text with dots
//! between labels and none at the end, otherwise the bytes that came. A message that breaks off gives what came before, and
//! `malformed_data`.

mod kind;
mod message;
mod name;
mod notes;
mod report;
#[cfg(test)]
mod tests;
mod words;

use super::decoder::{Decoder, Next, Probe};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::sink::Sink;
use super::{Carry, Framed};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::wire::ip_proto;
pub use kind::{DNS, Kind};
use kind::{LLMNR, MDNS};
use message::{HEADER, Header, Reader, u16_at};
use name::Name;
pub use report::report;

/// Length that goes before a message over TCP, and the longest message.
const PREFIX: usize = 2;
const MOST: usize = PREFIX + u16::MAX as usize;

/// Over UDP; [`TCP_ENTRY`] differs in how it is found.
pub const ENTRY: Entry = Entry {
    proto: AppProto::Dns,
    tcp: &[],
    udp: &[53],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe: |dir, bytes| placed(dir, bytes, probe_datagram(bytes)),
    make: Some(|| Box::new(Dns::new(&DNS))),
    stage: at_the_end,
    states: NO_STATES,
};

pub const TCP_ENTRY: Entry = Entry { tcp: &[53], udp: &[], probe: |_, bytes| probe_stream(bytes), ..ENTRY };

pub const MDNS_ENTRY: Entry = Entry {
    proto: AppProto::Mdns,
    tcp: &[],
    udp: &[5353],
    probe: |dir, bytes| placed(dir, bytes, probe_datagram(bytes)),
    make: Some(|| Box::new(Dns::new(&MDNS))),
    ..ENTRY
};

pub const LLMNR_ENTRY: Entry = Entry {
    proto: AppProto::Llmnr,
    tcp: &[],
    udp: &[5355],
    probe: |dir, bytes| placed(dir, bytes, probe_datagram(bytes)),
    make: Some(|| Box::new(Dns::new(&LLMNR))),
    ..ENTRY
};

/// A message has room for what its header counts, and begins as it says.
fn probe_datagram(bytes: &[u8]) -> Probe {
    let Some(header) = Header::read(bytes) else { return Probe::No };
    if !header.fits(bytes.len()) {
        return Probe::No;
    }
    let (mut reader, mut name) = (Reader::new(bytes), Name::default());
    let [questions, records @ ..] = header.counts;
    let sound = if questions > 0 {
        reader.question(&mut name).is_some()
    } else {
        records == [0; 3] || reader.record(&mut name).is_some()
    };
    if sound { Probe::Yes } else { Probe::No }
}

/// A response that comes first was asked for by the other side.
fn placed(dir: Dir, bytes: &[u8], probe: Probe) -> Probe {
    let response = bytes.get(2).is_some_and(|flags| flags & RESPONSE != 0);
    match probe {
        Probe::Yes if dir == Dir::ToServer && response => Probe::Reversed,
        other => other,
    }
}

/// The bit of a header's third byte that says which it is.
const RESPONSE: u8 = 0x80;

/// Of a message that is not there yet the header must do.
fn probe_stream(bytes: &[u8]) -> Probe {
    let Some(len) = u16_at(bytes, 0).map(usize::from) else { return Probe::More };
    let message = bytes.get(PREFIX..).unwrap_or_default();
    match Header::read(message) {
        _ if len < HEADER => Probe::No,
        None => Probe::More,
        Some(header) if !header.fits(len) => Probe::No,
        Some(_) => message.get(..len).map_or(Probe::Yes, probe_datagram),
    }
}

/// Decoder of the whole family.
struct Dns {
    kind: &'static Kind,
    /// Messages that have not come whole, over TCP.
    carry: PerDir<Carry>,
    /// Bytes are missing, and where a message begins was not found again.
    lost: PerDir<bool>,
}

impl Dns {
    fn new(kind: &'static Kind) -> Dns {
        Dns { kind, carry: PerDir::default(), lost: PerDir::default() }
    }

    fn message(kind: &'static Kind, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) {
        let Some(id) = sink.open() else { return };
        let Some(tx) = sink.tx(id) else { return };
        report(tx, dir, kind, bytes);
        if kind.proto == AppProto::Dns
            && let Some(header) = Header::read(bytes)
        {
            match dir {
                Dir::ToServer if header.is_response() => tx.event(dir, kind.events.not_request),
                Dir::ToClient if !header.is_response() => tx.event(dir, kind.events.not_response),
                _ => {}
            }
        }
        tx.complete_one_way(dir);
    }

    fn stream(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) {
        if self.lost[dir] {
            match probe_stream(bytes) {
                Probe::Yes | Probe::Reversed => self.lost[dir] = false,
                Probe::No | Probe::More => return,
            }
        }
        let Dns { kind, carry, .. } = self;
        let frame = |bytes: &[u8]| match u16_at(bytes, 0) {
            Some(len) => Framed::Whole(PREFIX + usize::from(len)),
            None => Framed::Need(PREFIX),
        };
        carry[dir].cut(bytes, MOST, frame, |message| {
            let message = message.get(PREFIX..).unwrap_or_default();
            // An empty one keeps a connection alive, at most.
            if !message.is_empty() {
                Dns::message(kind, dir, message, sink);
                sink.flush_stream();
            }
            true
        });
    }
}

impl Decoder for Dns {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        if sink.tuple.proto == ip_proto::TCP {
            self.stream(dir, bytes, sink);
        } else {
            Dns::message(self.kind, dir, bytes, sink);
        }
        Next::More
    }

    /// What follows may begin with a message: segments mostly do.
    fn gap(&mut self, dir: Dir, _missing: u64, _sink: &mut Sink<'_>) -> Next {
        self.carry[dir].clear();
        self.lost[dir] = true;
        Next::More
    }

    fn reset(&mut self) {
        self.carry.0.iter_mut().for_each(Carry::reset);
        self.lost = PerDir::default();
    }
}
