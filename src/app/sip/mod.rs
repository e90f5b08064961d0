//! SIP (RFC 3261) over UDP and TCP, and the session descriptions it carries (RFC 8866).
//!
//! Owes a transaction a message: requests and responses are not paired, and either may come from either side. Header
//! fields are known by their compact names too, folded ones are joined, lines end with or without CR, as phones send them.

mod message;
mod sdp;
mod stream;
#[cfg(test)]
mod tests;

use super::decoder::{Decoder, Next, Probe};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::sink::Sink;
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::wire::ip_proto;
use message::{head_len, is_first_line, report};
use stream::{Cut, Stream};

pub const ENTRY: Entry = Entry {
    proto: AppProto::Sip,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: true,
    probe: |_, bytes| probe(bytes),
    make: Some(|| Box::new(Sip::default())),
    stage: at_the_end,
    states: NO_STATES,
};

const RESPONSE: &[u8] = b"SIP/2.0 ";
/// Methods of RFC 3261 and its extensions, as a first message has them.
const METHODS: [&[u8]; 14] = [
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"REGISTER",
    b"OPTIONS",
    b"PRACK",
    b"SUBSCRIBE",
    b"NOTIFY",
    b"PUBLISH",
    b"INFO",
    b"REFER",
    b"MESSAGE",
    b"UPDATE",
];
/// Schemes of a request's target. Other protocols share methods (OPTIONS of HTTP and RTSP), these they do not.
const SCHEMES: [&[u8]; 3] = [b"sip:", b"sips:", b"tel:"];

fn probe(bytes: &[u8]) -> Probe {
    let bytes = bytes.trim_ascii_start();
    let begins = |word: &[u8]| match word.get(..bytes.len()) {
        Some(start) if start == bytes => Probe::More,
        _ if bytes.starts_with(word) => Probe::Yes,
        _ => Probe::No,
    };
    let mut best = begins(RESPONSE);
    for method in METHODS {
        match begins(method) {
            Probe::Yes | Probe::Reversed => {
                match bytes.get(method.len()..).and_then(|rest| rest.strip_prefix(b" ")) {
                    Some(target) => return probe_target(target.trim_ascii_start()),
                    None if bytes.len() == method.len() => best = Probe::More,
                    None => {}
                }
            }
            Probe::More => best = Probe::More,
            Probe::No => {}
        }
    }
    best
}

fn probe_target(target: &[u8]) -> Probe {
    let scheme =
        |scheme: &&[u8]| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if SCHEMES.iter().any(scheme) {
        return Probe::Yes;
    }
    match target.iter().position(|byte| *byte == b'\n') {
        Some(end) if target.get(..end).is_some_and(|line| line.trim_ascii_end().ends_with(b" SIP/2.0")) => {
            Probe::Yes
        }
        Some(_) => Probe::No,
        None => Probe::More,
    }
}

#[derive(Default)]
struct Sip {
    streams: PerDir<Stream>,
}

/// `whole`: it came as far as it says.
fn message(dir: Dir, bytes: &[u8], head: usize, whole: bool, sink: &mut Sink<'_>) {
    let Some(id) = sink.open() else { return };
    let Some(tx) = sink.tx(id) else { return };
    report(tx, dir, bytes, head);
    if !whole {
        tx.event(dir, "sip.incomplete_data");
    }
    tx.complete_one_way(dir);
    sink.flush_stream();
}

/// Something that is no message, as a transaction of nothing else.
fn junk(dir: Dir, sink: &mut Sink<'_>) {
    let Some(id) = sink.open() else { return };
    let Some(tx) = sink.tx(id) else { return };
    tx.event(dir, "sip.invalid_data");
    tx.complete_one_way(dir);
}

impl Decoder for Sip {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        if sink.tuple.proto != ip_proto::TCP {
            // Blank lines and the like keep a way through a NAT open.
            let bytes = bytes.trim_ascii_start();
            if is_first_line(bytes) {
                let head = head_len(bytes);
                message(dir, bytes, head.unwrap_or(bytes.len()), head.is_some(), sink);
            } else if bytes.len() > stream::KEEP_ALIVE {
                junk(dir, sink);
            }
            return Next::More;
        }
        let limit = sink.limits.header;
        self.streams[dir].push(bytes, limit, |cut| match cut {
            Cut::Message { bytes, head } => message(dir, bytes, head, true, sink),
            Cut::Junk => junk(dir, sink),
        });
        Next::More
    }

    fn gap(&mut self, dir: Dir, _missing: u64, _sink: &mut Sink<'_>) -> Next {
        self.streams[dir].lose();
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        if let Some((bytes, head)) = self.streams[dir].unfinished() {
            message(dir, bytes, head, false, sink);
        }
        self.streams[dir].lose();
    }

    fn reset(&mut self) {
        self.streams.0.iter_mut().for_each(Stream::reset);
    }
}
