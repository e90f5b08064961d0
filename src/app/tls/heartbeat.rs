//! Heartbeats (RFC 6520), and those that ask for more than they bring (CVE-2014-0160).

use crate::base::Dir;
use arrayvec::ArrayVec;

const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
/// Type and length of the payload.
const HEADER: usize = 3;
const MIN_PADDING: usize = 16;

/// Requests that are encrypted and not answered yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Heartbeats {
    asked: Option<(Dir, usize)>,
}

impl Heartbeats {
    pub(super) fn reset(&mut self) {
        *self = Heartbeats::default();
    }

    /// Events of one that is not encrypted: `start` is its first bytes, `len` how long it is.
    pub(super) fn plain(start: &[u8], len: usize) -> ArrayVec<&'static str, 3> {
        let mut events = ArrayVec::new();
        let _ = events.try_push("tls.heartbeat_message");
        let &[kind, high, low, ..] = start else {
            let _ = events.try_push("tls.invalid_heartbeat_message");
            return events;
        };
        let payload = usize::from(u16::from_be_bytes([high, low]));
        if kind != REQUEST && kind != RESPONSE || len < HEADER + MIN_PADDING {
            let _ = events.try_push("tls.invalid_heartbeat_message");
        }
        if HEADER + payload > len {
            let _ = events.try_push("tls.overflow_heartbeat_message");
        }
        events
    }

    /// An encrypted one of `len` bytes: an answer is as long as what it answers, or longer ones leak memory.
    pub(super) fn encrypted(&mut self, dir: Dir, len: usize) -> Option<&'static str> {
        match self.asked {
            Some((asker, asked)) if asker != dir => {
                self.asked = None;
                (len > asked).then_some("tls.dataleak_heartbeat_mismatch")
            }
            _ => {
                self.asked = Some((dir, len));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_more_than_it_brings_overflows() {
        let events = Heartbeats::plain(&[1, 0x40, 0], 3);
        assert!(events.contains(&"tls.overflow_heartbeat_message"));
        assert!(events.contains(&"tls.invalid_heartbeat_message"), "it has no padding");
        let events = Heartbeats::plain(&[1, 0, 5, b'h'], 3 + 5 + 16);
        assert_eq!(events.as_slice(), ["tls.heartbeat_message"]);
    }

    #[test]
    fn an_encrypted_answer_longer_than_its_request_leaks() {
        let mut heartbeats = Heartbeats::default();
        assert_eq!(heartbeats.encrypted(Dir::ToServer, 40), None);
        assert_eq!(heartbeats.encrypted(Dir::ToClient, 16_000), Some("tls.dataleak_heartbeat_mismatch"));
        assert_eq!(heartbeats.encrypted(Dir::ToServer, 40), None);
        assert_eq!(heartbeats.encrypted(Dir::ToClient, 40), None);
    }
}
