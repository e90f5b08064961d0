//! NTP (RFC 5905): version, mode, stratum and reference of each message, a transaction each.

use super::decoder::{Decoder, Next, Probe};
use super::entry::{Entry, NO_STATES, at_the_end};
use super::sink::Sink;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};

pub const ENTRY: Entry = Entry {
    proto: AppProto::Ntp,
    tcp: &[],
    udp: &[123],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe: |_, bytes| if Header::read(bytes).is_some() { Probe::Yes } else { Probe::No },
    make: Some(|| Box::new(Ntp)),
    stage: at_the_end,
    states: NO_STATES,
};

const VERSION: FieldId = field::id("ntp.version");
const MODE: FieldId = field::id("ntp.mode");
const STRATUM: FieldId = field::id("ntp.stratum");
const REFERENCE_ID: BufferId = context::id("ntp.reference_id");
const FRAME: BufferId = context::id("ntp.pdu");

/// A message that keeps time has at least so many bytes; control messages are shorter.
const TIME: usize = 48;
const CONTROL: usize = 8;
/// By their numbers.
const MODES: [&str; 8] = [
    "reserved",
    "symmetric_active",
    "symmetric_passive",
    "client",
    "server",
    "broadcast",
    "control",
    "private",
];
const FIRST_CONTROL_MODE: u8 = 6;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Header {
    version: u8,
    mode: u8,
    /// Of messages that keep time: stratum and reference.
    time: Option<(u8, [u8; 4])>,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Header> {
        let [first, stratum, ..] = *bytes else { return None };
        let (version, mode) = (first >> 3 & 7, first & 7);
        let time = if mode < FIRST_CONTROL_MODE {
            bytes.get(TIME - 1)?;
            Some((stratum, bytes.get(12..16)?.try_into().ok()?))
        } else {
            bytes.get(CONTROL - 1)?;
            None
        };
        (1..=4).contains(&version).then_some(Header { version, mode, time })
    }
}

struct Ntp;

impl Decoder for Ntp {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let Some(id) = sink.open() else { return Next::More };
        let Some(tx) = sink.tx(id) else { return Next::More };
        tx.put(dir, FRAME, bytes);
        if let Some(header) = Header::read(bytes) {
            tx.field(dir, VERSION, header.version.into());
            tx.field(dir, MODE, header.mode.into());
            tx.note_number("version", header.version.into());
            tx.note("mode", MODES[usize::from(header.mode & 7)].as_bytes());
            if let Some((stratum, reference)) = header.time {
                tx.field(dir, STRATUM, stratum.into());
                tx.put(dir, REFERENCE_ID, &reference);
                tx.note_number("stratum", stratum.into());
                tx.note("reference_id", &reference);
            }
        } else {
            tx.event(dir, "ntp.malformed_data");
        }
        tx.complete_one_way(dir);
        Next::More
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture::Bench;

    fn message(first: u8) -> Vec<u8> {
        let mut message = vec![0; TIME];
        message[..2].copy_from_slice(&[first, 2]);
        message[12..16].copy_from_slice(b"LOCL");
        message
    }

    #[test]
    fn a_message_has_numbers_and_a_reference() {
        let mut bench = Bench::new(AppProto::Ntp, Box::new(Ntp));
        bench.data(Dir::ToClient, &message(0x24));
        assert_eq!(bench.numbers(0, "ntp.version"), [4]);
        assert_eq!(bench.numbers(0, "ntp.mode"), [4]);
        assert_eq!(bench.numbers(0, "ntp.stratum"), [2]);
        assert_eq!(bench.text(0, "ntp.reference_id").as_deref(), Some("LOCL"));
        assert!(bench.events().is_empty() && bench.complete(0, Dir::ToServer));
    }

    #[test]
    fn control_messages_have_no_stratum() {
        let mut bench = Bench::new(AppProto::Ntp, Box::new(Ntp));
        bench.data(Dir::ToServer, &[0x17, 0, 3, 42, 0, 0, 0, 0]);
        assert_eq!(bench.numbers(0, "ntp.mode"), [7]);
        assert!(bench.numbers(0, "ntp.stratum").is_empty() && bench.events().is_empty());
    }

    #[test]
    fn what_is_no_message_is_told() {
        let mut bench = Bench::new(AppProto::Ntp, Box::new(Ntp));
        let whole = message(0x23);
        for bytes in [&whole[..TIME - 1], &message(0x3b), &[0x17; 7], &[]] {
            assert_eq!(Header::read(bytes), None);
        }
        bench.data(Dir::ToServer, &whole[..TIME - 1]);
        assert_eq!(bench.events(), ["ntp.malformed_data"]);
    }
}
