//! IMAP (RFC 3501): found, followed line by line for rules on its frames, and left when TLS begins (RFC 2595). As in
//! Suricata's stock configuration its commands are not told apart.

use super::registry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Line, Lines, Next, Probe, Sink, text};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};

pub const ENTRY: Entry = Entry {
    proto: AppProto::Imap,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Imap>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const PDU: BufferId = context::id("imap.pdu");

/// A line is kept so far.
const MAX_LINE: usize = 4096;
/// A tag of IMAP is kept so far; clients' are short.
const MAX_TAG: usize = 64;

#[derive(Debug, Default)]
struct Imap {
    lines: PerDir<Lines>,
    /// The client asked for TLS, under this tag.
    tls_asked: Option<arrayvec::ArrayVec<u8, MAX_TAG>>,
}

impl Imap {
    fn client_line(&mut self, line: &[u8]) {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (tag, command) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if command.eq_ignore_ascii_case(b"STARTTLS") {
            self.tls_asked = Some(tag.iter().copied().take(MAX_TAG).collect());
        }
    }

    /// Whether the server says that TLS begins.
    fn server_line(&mut self, line: &[u8]) -> bool {
        let Some(tag) = &self.tls_asked else { return false };
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let answers = first == tag.as_slice();
        if answers {
            self.tls_asked = None;
        }
        answers && second.eq_ignore_ascii_case(b"OK")
    }
}

impl Decoder for Imap {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        // The server's consent was not seen: a handshake speaks for itself.
        let handshake = dir == Dir::ToServer && self.tls_asked.is_some() && bytes.first() == Some(&0x16);
        if handshake && self.lines[dir].at_start() {
            return Next::Change { consumed: 0, to: Some(AppProto::Tls) };
        }
        let mut rest = bytes;
        let mut lines = std::mem::take(&mut self.lines[dir]);
        let mut tls = false;
        while !tls && let Some(line) = lines.next(&mut rest, MAX_LINE) {
            let Line { text, first: true, .. } = line else { continue };
            let text = text.get(..MAX_LINE.min(text.len())).unwrap_or_default();
            if sink.wanted().has(PDU)
                && let Some(tx) = sink.open().and_then(|id| sink.tx(id))
            {
                tx.put(dir, PDU, text);
                tx.complete_one_way(dir);
            }
            match dir {
                Dir::ToServer => self.client_line(text),
                Dir::ToClient => tls = self.server_line(text),
            }
        }
        self.lines[dir] = lines;
        if tls {
            Next::Change { consumed: bytes.len() - rest.len(), to: Some(AppProto::Tls) }
        } else {
            Next::More
        }
    }

    fn gap(&mut self, dir: Dir, _missing: u64, _sink: &mut Sink<'_>) -> Next {
        self.lines[dir].clear();
        Next::More
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.lines[dir].reset());
        self.tls_asked = None;
    }
}

fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    const COMMANDS: [&[u8]; 6] = [b"CAPABILITY", b"LOGIN", b"AUTHENTICATE", b"STARTTLS", b"ID", b"NOOP"];
    if dir == Dir::ToClient {
        return text::begins(bytes, &[b"* OK ", b"* PREAUTH ", b"* BYE ", b"* CAPABILITY "]);
    }
    // The server speaks first, and its greeting tells more: a whole line only.
    let Some(end) = memchr::memchr(b'\n', bytes) else { return Probe::No };
    let line = bytes.get(..end).unwrap_or_default();
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let tag = words.next().is_some_and(|tag| tag.len() <= 16 && tag.iter().all(u8::is_ascii_alphanumeric));
    let command =
        words.next().is_some_and(|word| COMMANDS.iter().any(|known| known.eq_ignore_ascii_case(word)));
    if tag && command { Probe::Yes } else { Probe::No }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture::Bench;

    fn bench() -> Bench {
        Bench::new(AppProto::Imap, Box::<Imap>::default())
    }

    #[test]
    fn lines_are_frames() {
        for size in [1, 100] {
            let mut bench = bench();
            bench.pieces(Dir::ToClient, b"* OK ready\r\na1 NO\r\n", size);
            assert_eq!(
                (bench.text(0, "imap.pdu"), bench.text(1, "imap.pdu")),
                (Some("* OK ready".into()), Some("a1 NO".into()))
            );
        }
        let mut bench = bench();
        bench.pieces(Dir::ToClient, &[b'x'; 10_000], 100);
        assert_eq!(bench.text(0, "imap.pdu").unwrap().len(), MAX_LINE);
        assert_eq!(bench.transactions.len(), 1);
    }

    #[test]
    fn tls_begins_after_the_servers_consent() {
        let mut imap = bench();
        imap.data(Dir::ToServer, b"a7 STARTTLS\r\n");
        assert_eq!(imap.data(Dir::ToClient, b"* CAPABILITY\r\na7 BAD no\r\na8 OK\r\n"), Next::More);
        imap.data(Dir::ToServer, b"a9 STARTTLS\r\n");
        let next = imap.data(Dir::ToClient, b"a9 OK go\r\n");
        assert_eq!(next, Next::Change { consumed: 10, to: Some(AppProto::Tls) });
        imap.data(Dir::ToServer, b"b1 STARTTLS\r\n");
        let next = imap.data(Dir::ToServer, b"\x16\x03");
        assert_eq!(next, Next::Change { consumed: 0, to: Some(AppProto::Tls) }, "the consent was not seen");
    }

    #[test]
    fn first_bytes_tell() {
        assert_eq!(probe(Dir::ToClient, b"* OK [CAPABILITY IMAP4rev1]"), Probe::Yes);
        assert_eq!(probe(Dir::ToServer, b"a1 CAPABILITY\r\n"), Probe::Yes);
        assert_eq!(probe(Dir::ToServer, b"GET / HTTP/1.1\r\n"), Probe::No);
    }
}
