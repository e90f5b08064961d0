//! Telnet (RFC 854): frames of lines and of commands, for rules that look at them. It has no transactions that are logged.

use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Next, Probe, Sink};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};

pub const ENTRY: Entry = Entry {
    proto: AppProto::Telnet,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Telnet>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const PDU: BufferId = context::id("telnet.pdu");
const CONTROL: BufferId = context::id("telnet.ctl");
const DATA: BufferId = context::id("telnet.data");

/// A line, or a subnegotiation, is cut into pieces of so many bytes.
const MAX_FRAME: usize = 4096;

const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;
const WILL: u8 = 251;
const DONT: u8 = 254;

/// A direction.
#[derive(Debug, Default)]
struct Side {
    /// The line, or the command, under way.
    frame: Vec<u8>,
}

#[derive(Debug, Default)]
struct Telnet {
    sides: PerDir<Side>,
}

impl Decoder for Telnet {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let wanted = sink.wanted();
        if !(wanted.has(PDU) || wanted.has(CONTROL) || wanted.has(DATA)) {
            return Next::More;
        }
        let side = &mut self.sides[dir];
        for &byte in bytes {
            side.byte(byte, dir, sink);
        }
        Next::More
    }

    fn gap(&mut self, dir: Dir, _missing: u64, _sink: &mut Sink<'_>) -> Next {
        self.sides[dir].frame.clear();
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        self.sides[dir].flush(dir, sink);
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.sides[dir].frame.clear());
    }
}

impl Side {
    fn byte(&mut self, byte: u8, dir: Dir, sink: &mut Sink<'_>) {
        if byte == IAC && !self.frame.is_empty() && self.frame.first() != Some(&IAC) {
            self.flush(dir, sink);
        }
        self.frame.push(byte);
        if self.is_whole() || self.frame.len() >= MAX_FRAME {
            self.flush(dir, sink);
        }
    }

    fn is_whole(&self) -> bool {
        match self.frame.as_slice() {
            [IAC] | [IAC, SB, ..] if !self.frame.ends_with(&[IAC, SE]) => false,
            [IAC, WILL..=DONT] => false,
            [IAC, ..] => true,
            [.., b'\n'] => true,
            _ => false,
        }
    }

    /// The frame is over.
    fn flush(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        if !self.frame.is_empty()
            && let Some(tx) = sink.open().and_then(|id| sink.tx(id))
        {
            tx.put(dir, PDU, &self.frame);
            tx.put(dir, if self.frame.first() == Some(&IAC) { CONTROL } else { DATA }, &self.frame);
            tx.complete_one_way(dir);
        }
        self.frame.clear();
    }
}

/// Both sides begin with options that they offer or ask for.
fn probe(_dir: Dir, bytes: &[u8]) -> Probe {
    /// The last option that has a number (IANA), but for 255.
    const LAST_OPTION: u8 = 140;
    match bytes {
        [IAC, SB | WILL..=DONT, option, ..] if *option <= LAST_OPTION => Probe::Yes,
        [] | [IAC] | [IAC, SB | WILL..=DONT] => Probe::More,
        _ => Probe::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture::Bench;

    fn frames(bytes: &[u8], size: usize) -> Vec<(String, String)> {
        let mut bench = Bench::new(AppProto::Telnet, Box::<Telnet>::default());
        bench.pieces(Dir::ToServer, bytes, size);
        bench.end(Dir::ToServer);
        let text = |tx: usize, name: &str| bench.text(tx, name).map(|text| (name.to_string(), text));
        (0..bench.transactions.len())
            .filter_map(|tx| text(tx, "telnet.data").or_else(|| text(tx, "telnet.ctl")))
            .collect()
    }

    #[test]
    fn lines_and_commands_are_frames() {
        let bytes = b"\xff\xfd\x03\xff\xfa\x18\0xterm\xff\xf0login: \xff\xf1root\r\nls -a\r\nrest";
        for size in [1, 4, 100] {
            let found = frames(bytes, size);
            let data: Vec<_> =
                found.iter().filter(|(name, _)| name == "telnet.data").map(|(_, t)| t.as_str()).collect();
            assert_eq!(data, ["login: ", "root\r\n", "ls -a\r\n", "rest"]);
            assert_eq!(found.len(), 7);
        }
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let found = frames(&[b'x'; 10_000], 999);
        assert_eq!(found.iter().map(|(_, text)| text.len()).collect::<Vec<_>>(), [4096, 4096, 1808]);
    }

    #[test]
    fn first_bytes_tell() {
        assert_eq!(probe(Dir::ToServer, b"\xff\xfd\x03"), Probe::Yes);
        assert_eq!(probe(Dir::ToClient, b"\xff\xfb"), Probe::More);
        assert_eq!(probe(Dir::ToClient, b"\xff\xd8\xff"), Probe::No);
    }
}
