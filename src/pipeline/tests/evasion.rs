//! What a receiver takes although the session's tracker says that it would not: none of it leaves unseen.

use super::rig::Rig;
use super::*;
use crate::base::DropReason;
use crate::decode::{Decoded, Tunnels, decode};
use crate::inspect;
use crate::service::idp::Idp;
use crate::stream;
use crate::wire::build::{Segment, tcp_packet};
use crate::wire::tcp::flag::{ACK, FIN, PSH, RST, SYN};

const RULES: &str = "drop tcp any any -> any any (flow:to_server; content:\"evil-word\"; sid:1;)";
const SERVER_ISN: u32 = 77;
/// The client's; the numbers wrap amid the stream.
const ISN: u32 = u32::MAX - 5;

struct Line(Rig);

impl Line {
    fn new(mode: Mode, drop_invalid: bool) -> Line {
        let streams =
            stream::Settings { blocks: 256, streams: 64, drop_invalid, ..stream::Settings::default() };
        let plan = Idp::alone(&engine(RULES), streams, inspect::Settings::default(), 2);
        Line(Rig::with(&plan, &settings(0, mode)))
    }

    fn send(&mut self, dir: Dir, seq: u32, ack: u32, flags: u8, payload: &[u8]) {
        let ends = [addr(1, 4000), addr(2, 9999)];
        let (from, to) = if dir == Dir::ToServer { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
        let segment = Segment { seq, ack, flags, payload, ..Segment::default() };
        self.0.packet(dir, &tcp_packet(from, to, &IpFields::default(), &segment));
    }

    fn open(mut self) -> Line {
        let first = ISN.wrapping_add(1);
        self.send(Dir::ToServer, ISN, 0, SYN, b"");
        self.send(Dir::ToClient, SERVER_ISN, first, SYN | ACK, b"");
        self.send(Dir::ToServer, first, SERVER_ISN + 1, ACK, b"");
        self.0.sent.clear();
        self
    }

    /// The client's, from that byte of its stream on.
    fn say(&mut self, at: u32, flags: u8, payload: &[u8]) {
        self.send(Dir::ToServer, ISN.wrapping_add(1).wrapping_add(at), SERVER_ISN + 1, flags, payload);
    }

    /// Payloads that left, one behind the other.
    fn left(&self) -> String {
        let payload = |frame: &Vec<u8>| {
            let mut decoded = Decoded::default();
            decode(frame, LinkType::Ethernet, &Tunnels::default(), &mut decoded);
            String::from_utf8_lossy(&frame[decoded.payload_range()]).into_owned()
        };
        self.0.sent.iter().map(|(_, frame)| payload(frame)).collect()
    }

    fn invalid(&self) -> u64 {
        self.0.dropped(DropReason::StreamInvalid)
    }
}

#[test]
fn data_behind_a_fin_that_came_before_a_hole_does_not_leave() {
    let mut line = Line::new(Mode::Ips, true).open();
    line.say(4, FIN | ACK, b"");
    line.say(4, ACK | PSH, b"evil-word and more");
    line.say(0, ACK | PSH, b"hole");
    assert_eq!((line.left().as_str(), line.invalid()), ("hole", 1));
    line.0.finish();
}

#[test]
fn what_belongs_to_no_stream_leaves_where_the_setting_or_the_mode_lets_it() {
    for (mode, drop_invalid) in [(Mode::Ips, false), (Mode::Tap, true)] {
        let mut line = Line::new(mode, drop_invalid).open();
        line.say(4, FIN | ACK, b"");
        line.say(4, ACK | PSH, b"beyond");
        assert_eq!(line.left(), "beyond");
        line.0.finish();
    }
}

/// RFC 5961, section 3.2: what is not exactly where the receiver reads is answered, and the session goes on.
#[test]
fn a_reset_that_the_receiver_does_not_believe_hides_nothing() {
    for (at, flags) in [(5 + 100, RST | ACK), (5 + 100, RST), (5, RST | ACK)] {
        let mut line = Line::new(Mode::Ips, true).open();
        line.say(0, ACK | PSH, b"evil-");
        line.say(at, flags, b"");
        line.say(5, ACK | PSH, b"word");
        assert_eq!(line.left(), "evil-", "{at} {flags}");
        line.0.finish();
    }
}
