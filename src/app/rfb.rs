//! RFB, the protocol of VNC (RFC 6143): the handshake, up to the desktop's name. What follows is not decoded.

use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Decoder, Next, Sink, Transaction, TxId, text};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};

pub const ENTRY: Entry = Entry {
    proto: AppProto::Rfb,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe: |_, bytes| text::begins(bytes, &[b"RFB 003."]),
    make: Some(|| Box::<Rfb>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const NAME: BufferId = context::id("rfb.name");
const PDU: BufferId = context::id("rfb.pdu");
const SECURITY_TYPE: FieldId = field::id("rfb.sectype");
const SECURITY_RESULT: FieldId = field::id("rfb.secresult");

/// A name, or a reason, is kept so far; a longer one ends decoding.
const MAX_TEXT: u32 = 4096;
/// `RFB 003.008\n`
const VERSION_LEN: usize = 12;

/// Security types (RFC 6143, 7.1.2).
const NONE: u32 = 1;
const VNC: u32 = 2;
/// The last of the results that have a meaning (RFC 6143, 7.1.3).
const TOO_MANY: u32 = 2;

/// The message that comes next.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    ServerVersion,
    ClientVersion,
    /// Up to version 3.3 the server decides.
    SecurityType,
    SecurityTypes,
    Choice,
    Challenge,
    Response,
    Result,
    Reason,
    ClientInit,
    ServerInit,
    Over,
}

impl Step {
    fn dir(self) -> Dir {
        match self {
            Step::ClientVersion | Step::Choice | Step::Response | Step::ClientInit => Dir::ToServer,
            _ => Dir::ToClient,
        }
    }

    /// The length of the message, as far as its first bytes tell.
    fn len(self, bytes: &[u8]) -> Option<usize> {
        let text_at = |at: usize| {
            let len = u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?);
            Some(at + 4 + len.min(MAX_TEXT) as usize)
        };
        match self {
            Step::ServerVersion | Step::ClientVersion => Some(VERSION_LEN),
            Step::SecurityType | Step::Result => Some(4),
            Step::SecurityTypes => Some(1 + usize::from(*bytes.first()?)),
            Step::Choice | Step::ClientInit => Some(1),
            Step::Challenge | Step::Response => Some(16),
            Step::Reason => text_at(0),
            Step::ServerInit => text_at(20),
            Step::Over => None,
        }
    }
}

#[derive(Debug, Default)]
struct Rfb {
    /// Bytes of a direction that have no message yet.
    pending: PerDir<Vec<u8>>,
    step: Step,
    tx: Option<TxId>,
    /// The server's minor version: 3, 7 or 8.
    minor: u8,
    security: u32,
}

/// Bytes of a direction that wait for the other's turn.
const MAX_PENDING: usize = 8192;

impl Decoder for Rfb {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let pending = &mut self.pending[dir];
        // Nobody says so much before the other has answered.
        if pending.len() + bytes.len() > MAX_PENDING && self.step.dir() != dir {
            return Next::Broken;
        }
        let room = MAX_PENDING.saturating_sub(pending.len());
        pending.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        loop {
            let dir = self.step.dir();
            let pending = std::mem::take(&mut self.pending[dir]);
            let whole = self.step.len(&pending).filter(|len| *len <= pending.len());
            if let Some(message) = whole.and_then(|len| pending.get(..len)) {
                self.message(dir, message, sink);
            }
            self.pending[dir] = pending;
            match whole {
                Some(len) => self.pending[dir].drain(..len),
                None => return Next::More,
            };
            if self.step == Step::Over {
                return Next::Stop;
            }
        }
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        if let Some(tx) = self.tx.and_then(|id| sink.tx(id)) {
            tx.complete(dir);
        }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.pending[dir].clear());
        (self.step, self.tx, self.minor, self.security) = Default::default();
    }
}

impl Rfb {
    fn message(&mut self, dir: Dir, message: &[u8], sink: &mut Sink<'_>) {
        if self.tx.is_none() {
            self.tx = sink.open();
        }
        let Some(tx) = self.tx.and_then(|id| sink.tx(id)) else {
            self.step = Step::Over;
            return;
        };
        tx.put(dir, PDU, message);
        self.step = match self.step {
            Step::ServerVersion | Step::ClientVersion if !is_version(message) => {
                tx.event(dir, "rfb.malformed_message");
                Step::Over
            }
            Step::ServerVersion => {
                self.minor = note_version(
                    tx,
                    ["server_protocol_version.major", "server_protocol_version.minor"],
                    message,
                );
                Step::ClientVersion
            }
            Step::ClientVersion => {
                let minor = note_version(
                    tx,
                    ["client_protocol_version.major", "client_protocol_version.minor"],
                    message,
                );
                self.minor = self.minor.min(minor);
                if self.minor < 7 { Step::SecurityType } else { Step::SecurityTypes }
            }
            Step::SecurityType => self.choose(number(message), tx),
            Step::SecurityTypes if message.len() == 1 => Step::Reason,
            Step::SecurityTypes => Step::Choice,
            Step::Choice => self.choose(message.first().copied().unwrap_or(0).into(), tx),
            Step::Challenge => {
                note_hex(tx, "authentication.vnc.challenge", message);
                Step::Response
            }
            Step::Response => {
                note_hex(tx, "authentication.vnc.response", message);
                Step::Result
            }
            Step::Result => self.result(number(message), tx),
            Step::Reason => {
                tx.note("server_security_failure_reason", message.get(4..).unwrap_or_default());
                Step::Over
            }
            Step::ClientInit => {
                tx.note_bool("screen_shared", message.first() != Some(&0));
                Step::ServerInit
            }
            Step::ServerInit => {
                put_screen(tx, message);
                Step::Over
            }
            Step::Over => Step::Over,
        };
        if self.step == Step::Over {
            Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
        }
    }

    fn choose(&mut self, security: u32, tx: &mut Transaction) -> Step {
        self.security = security;
        tx.field(Dir::ToServer, SECURITY_TYPE, security.into());
        tx.note_number("authentication.security_type", security.into());
        match security {
            0 => Step::Reason,
            VNC => Step::Challenge,
            NONE if self.minor >= 8 => Step::Result,
            NONE => Step::ClientInit,
            // Others go on in ways of their own.
            _ => {
                tx.event(Dir::ToClient, "rfb.unimplemented_security_type");
                Step::Over
            }
        }
    }

    fn result(&mut self, result: u32, tx: &mut Transaction) -> Step {
        tx.field(Dir::ToClient, SECURITY_RESULT, result.into());
        let word: &[u8] = match result {
            0 => b"OK",
            1 => b"FAIL",
            2 => b"TOOMANY",
            _ => b"UNKNOWN",
        };
        tx.note("authentication.security_result", word);
        if result > TOO_MANY {
            tx.event(Dir::ToClient, "rfb.unknown_security_result");
        }
        match result {
            0 => Step::ClientInit,
            _ if self.minor >= 8 => Step::Reason,
            _ => Step::Over,
        }
    }
}

/// `RFB xxx.yyy\n` (RFC 6143, 7.1.1).
fn is_version(message: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    let numbers = (message.get(4..7), message.get(8..11));
    let both = matches!(numbers, (Some(major), Some(minor)) if digits(major) && digits(minor));
    both && message.starts_with(b"RFB ") && message.get(7) == Some(&b'.') && message.last() == Some(&b'\n')
}

fn number(message: &[u8]) -> u32 {
    message.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// The minor version; what is not 7 or 8 counts as 3 (RFC 6143, 7.1.1).
fn note_version(tx: &mut Transaction, names: [&'static str; 2], message: &[u8]) -> u8 {
    let [major, minor] = names;
    tx.note(major, message.get(4..7).unwrap_or_default());
    tx.note(minor, message.get(8..11).unwrap_or_default());
    match message.get(8..11) {
        Some(b"007") => 7,
        Some(minor) if minor >= &b"008"[..] && minor.iter().all(u8::is_ascii_digit) => 8,
        _ => 3,
    }
}

fn note_hex(tx: &mut Transaction, name: &'static str, bytes: &[u8]) {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).map_or(b'0', |c| c as u8);
    let hex: arrayvec::ArrayVec<u8, 32> =
        bytes.iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    tx.note(name, &hex);
}

/// The desktop: its size, how its pixels are written, its name (RFC 6143, 7.3.2 and 7.4).
fn put_screen(tx: &mut Transaction, message: &[u8]) {
    let name = message.get(24..).unwrap_or_default();
    tx.put(Dir::ToClient, NAME, name);
    let byte = |at: usize| u64::from(message.get(at).copied().unwrap_or(0));
    let half = |at: usize| byte(at) << 8 | byte(at + 1);
    tx.note_number("framebuffer.width", half(0));
    tx.note_number("framebuffer.height", half(2));
    tx.note("framebuffer.name", name);
    tx.note_number("framebuffer.pixel_format.bits_per_pixel", byte(4));
    tx.note_number("framebuffer.pixel_format.depth", byte(5));
    tx.note_bool("framebuffer.pixel_format.big_endian", byte(6) != 0);
    tx.note_bool("framebuffer.pixel_format.true_color", byte(7) != 0);
    tx.note_number("framebuffer.pixel_format.red_max", half(8));
    tx.note_number("framebuffer.pixel_format.green_max", half(10));
    tx.note_number("framebuffer.pixel_format.blue_max", half(12));
    tx.note_number("framebuffer.pixel_format.red_shift", byte(14));
    tx.note_number("framebuffer.pixel_format.green_shift", byte(15));
    tx.note_number("framebuffer.pixel_format.blue_shift", byte(16));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture::Bench;
    use crate::app::transaction::NoteRef;
    use proptest::prelude::*;

    const TALK: &[(Dir, &[u8])] = &[
        (Dir::ToClient, b"RFB 003.008\n"),
        (Dir::ToServer, b"RFB 003.008\n"),
        (Dir::ToClient, b"\x02\x12\x02"),
        (Dir::ToServer, b"\x02"),
        (Dir::ToClient, b"0123456789abcdef"),
        (Dir::ToServer, b"fedcba9876543210"),
        (Dir::ToClient, b"\0\0\0\0"),
        (Dir::ToServer, b"\0"),
        (Dir::ToClient, b"\x05\0\x03\x20 \x18\0\x01\0\xff\0\xff\0\xff\x10\x08\0\0\0\0\0\0\0\x04desk"),
    ];

    fn bench() -> Bench {
        Bench::new(AppProto::Rfb, Box::<Rfb>::default())
    }

    fn talk(bench: &mut Bench, talk: &[(Dir, &[u8])], size: usize) -> Next {
        talk.iter().map(|(dir, bytes)| bench.pieces(*dir, bytes, size)).last().unwrap()
    }

    #[test]
    fn a_handshake_with_a_password() {
        for size in [1, 7, 100] {
            let mut bench = bench();
            assert_eq!(talk(&mut bench, TALK, size), Next::Stop);
            assert_eq!(bench.text(0, "rfb.name").as_deref(), Some("desk"));
            assert_eq!(
                (bench.numbers(0, "rfb.sectype"), bench.numbers(0, "rfb.secresult")),
                (vec![2], vec![0])
            );
            assert_eq!(bench.texts(0, "rfb.pdu").len(), 9);
        }
    }

    #[test]
    fn a_record_says_how_pixels_are_written() {
        let mut bench = bench();
        talk(&mut bench, TALK, 100);
        let tx = bench.transactions.iter().next().unwrap();
        let said: Vec<_> = tx
            .notes()
            .filter_map(|(name, value)| Some((name.strip_prefix("framebuffer.pixel_format.")?, value)))
            .map(|(name, value)| match value {
                NoteRef::Number(number) => format!("{name} {number}"),
                other => format!("{name} {other:?}"),
            })
            .collect();
        let expected = "bits_per_pixel 32, depth 24, big_endian Bool(false), true_color Bool(true), \
                        red_max 255, green_max 255, blue_max 255, red_shift 16, green_shift 8, blue_shift 0";
        assert_eq!(said.join(", "), expected);
    }

    #[test]
    fn the_server_decides_in_the_oldest_version() {
        let mut bench = bench();
        talk(
            &mut bench,
            &[
                (Dir::ToClient, b"RFB 003.003\n"),
                (Dir::ToServer, b"RFB 003.003\n"),
                (Dir::ToClient, b"\0\0\0\x01"),
                (Dir::ToServer, b"\x01"),
                TALK[8],
            ],
            5,
        );
        assert_eq!(
            (bench.numbers(0, "rfb.sectype"), bench.text(0, "rfb.name").as_deref()),
            (vec![1], Some("desk"))
        );
    }

    #[test]
    fn what_the_handshake_does_not_allow_is_an_event() {
        let mut bench = bench();
        talk(&mut bench, &[TALK[0], (Dir::ToServer, b"RFB 003-008\n")], 100);
        assert_eq!(bench.events(), ["rfb.malformed_message"]);
        let mut bench = self::bench();
        talk(&mut bench, &[TALK[0], TALK[1], TALK[2], (Dir::ToServer, b"\x12")], 100);
        assert_eq!(bench.events(), ["rfb.unimplemented_security_type"]);
        let mut bench = self::bench();
        talk(&mut bench, &TALK[..6], 100);
        talk(&mut bench, &[(Dir::ToClient, b"\0\0\0\x07")], 100);
        assert_eq!(bench.events(), ["rfb.unknown_security_result"]);
    }

    #[test]
    fn a_refusal_ends_it() {
        let mut bench = bench();
        talk(&mut bench, &TALK[..6], 100);
        assert_eq!(talk(&mut bench, &[(Dir::ToClient, b"\0\0\0\x01\0\0\0\x02no")], 1), Next::Stop);
        assert_eq!(bench.numbers(0, "rfb.secresult"), [1]);
    }

    #[test]
    fn who_speaks_out_of_turn_is_bounded() {
        let mut bench = bench();
        let next = (0..10_000).map(|_| bench.data(Dir::ToServer, &[0; 100])).find(|next| *next != Next::More);
        assert_eq!(next, Some(Next::Broken));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..30), first in 0usize..9) {
            let mut bench = bench();
            talk(&mut bench, &TALK[..first + 1], 100);
            for (to_server, bytes) in pieces {
                if bench.data(if to_server { Dir::ToServer } else { Dir::ToClient }, &bytes) != Next::More {
                    break;
                }
            }
        }
    }
}
