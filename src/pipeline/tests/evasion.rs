//! What a receiver takes although the session's tracker says that it would not: none of it leaves unseen.

use super::rig::Rig;
use super::*;
use crate::base::DropReason;
use crate::decode::{Decoded, Tunnels, checksum_valid, decode};
use crate::inspect;
use crate::service::idp::Idp;
use crate::stream;
use crate::wire::build::{Segment, TcpOptions, tcp_packet};
use crate::wire::tcp::flag::{ACK, FIN, PSH, RST, SYN, URG};

const RULES: &str = r#"
drop tcp any any -> any any (flow:to_server; content:"evil-word"; sid:1;)
drop http any any -> any any (flow:established,to_server; http.uri; content:"/evil-path"; sid:2;)
drop tcp any any -> any any (flow:established,to_server; content:"evil-later"; sid:3;)
alert tcp any any -> any any (content:"once"; sid:4;)
alert tcp any any -> any any (flow:established; content:"once"; sid:5;)
"#;
const SERVER_ISN: u32 = 77;
/// The client's; the numbers wrap amid the stream.
const ISN: u32 = u32::MAX - 5;

struct Line(Rig);

impl Line {
    fn new(mode: Mode, drop_invalid: bool) -> Line {
        Line::with(mode, stream::Settings { drop_invalid, ..stream::Settings::default() })
    }

    fn with(mode: Mode, streams: stream::Settings) -> Line {
        let streams = stream::Settings { blocks: 256, streams: 64, ..streams };
        let plan = Idp::alone(&engine(RULES), streams, inspect::Settings::default(), 2);
        Line(Rig::with(&plan, &settings(0, mode)))
    }

    fn send(&mut self, dir: Dir, seq: u32, ack: u32, flags: u8, payload: &[u8]) {
        let ends = [addr(1, 4000), addr(2, 9999)];
        let (from, to) = if dir == Dir::ToServer { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
        let segment = Segment { seq, ack, flags, payload, ..Segment::default() };
        self.0.packet(dir, &tcp_packet(from, to, &IpFields::default(), &segment));
    }

    fn syn(&mut self, seq: u32, payload: &[u8], fast_open: bool) {
        let options = TcpOptions { fast_open: fast_open.then(|| vec![7; 8]), ..TcpOptions::default() };
        let segment = Segment { seq, flags: SYN, payload, options, ..Segment::default() };
        self.0
            .packet(Dir::ToServer, &tcp_packet(addr(1, 4000), addr(2, 9999), &IpFields::default(), &segment));
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

/// A SYN with data and without Fast Open, and an answer that takes so many bytes of it.
fn early(hold: bool, data: &[u8], taken: u32) -> Line {
    let mut line = Line::with(Mode::Ips, stream::Settings { hold, ..stream::Settings::default() });
    line.send(Dir::ToServer, ISN, 0, SYN, data);
    line.send(Dir::ToClient, SERVER_ISN, ISN.wrapping_add(1 + taken), SYN | ACK, b"");
    line.say(taken, ACK, b"");
    line
}

#[test]
fn data_of_a_syn_that_the_server_takes_is_the_streams_first() {
    for hold in [false, true] {
        let mut line = Line::with(Mode::Ips, stream::Settings { hold, ..stream::Settings::default() });
        line.send(Dir::ToServer, ISN, 0, SYN, b"evil-word");
        assert_eq!(line.left(), "");
        line.0.finish();
        for (before, behind) in [("evil-", "word"), ("GET /evil-", "path HTTP/1.1\r\nHost: a\r\n\r\n")] {
            let mut line = early(hold, before.as_bytes(), before.len() as u32);
            line.say(before.len() as u32, ACK | PSH, behind.as_bytes());
            assert_eq!(line.left(), before, "{hold}");
            line.0.finish();
        }
        let mut line = early(hold, b"clean ", 6);
        line.say(6, ACK | PSH, b"all the way");
        assert_eq!(line.left(), "clean all the way", "nobody waits for what the SYN carried");
        line.0.finish();
    }
}

/// A server gives nothing to its program before the handshake is done, and the packet that would do that does not leave.
#[test]
fn an_attack_that_lies_in_the_syn_alone_ends_the_handshake() {
    for attack in ["GET /evil-path HTTP/1.1\r\nHost: a\r\n\r\n", "an evil-later"] {
        for fast_open in [false, true] {
            let mut line = Line::new(Mode::Ips, true);
            line.syn(ISN, attack.as_bytes(), fast_open);
            let end = attack.len() as u32;
            line.send(Dir::ToClient, SERVER_ISN, ISN.wrapping_add(1 + end), SYN | ACK, b"");
            assert_eq!(line.0.dropped(DropReason::RuleDrop), 0, "no rule is for a session without handshake");
            line.say(end, ACK, b"");
            assert_eq!(line.0.dropped(DropReason::RuleDrop), 1, "{attack} {fast_open}");
            line.0.sent.clear();
            line.say(end, ACK | PSH, b"more");
            assert_eq!(line.left(), "");
            line.0.finish();
        }
    }
}

#[test]
fn each_rule_finds_what_a_syn_carries_once() {
    for fast_open in [false, true] {
        let mut line = Line::new(Mode::Ips, true);
        line.syn(ISN, b"once ", fast_open);
        line.send(Dir::ToClient, SERVER_ISN, ISN.wrapping_add(6), SYN | ACK, b"");
        line.say(5, ACK, b"");
        line.say(5, ACK | PSH, b"and more");
        let events = line.0.finish();
        let found = alerts(&engine(RULES), &events);
        let sids: Vec<u32> = found.iter().map(|(sid, ..)| *sid).collect();
        assert_eq!(sids, [4, 5], "{fast_open}");
    }
    // The server's as well.
    let mut line = Line::new(Mode::Ips, true);
    line.syn(ISN, b"", false);
    line.send(Dir::ToClient, SERVER_ISN, ISN.wrapping_add(1), SYN | ACK, b"once ");
    line.say(0, ACK, b"");
    line.send(Dir::ToClient, SERVER_ISN + 6, ISN.wrapping_add(1), ACK | PSH, b"and more");
    assert_eq!(line.left(), "once and more");
    let found = alerts(&engine(RULES), &line.0.finish());
    assert_eq!(found.iter().map(|(sid, ..)| *sid).collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn who_leaves_the_data_of_a_syn_gets_the_same_once_more_and_nothing_else() {
    for (again, left) in [("clean", "cleanclean all the way"), ("other", "clean all the way")] {
        let mut line = early(false, b"clean", 0);
        line.say(0, ACK | PSH, again.as_bytes());
        line.say(5, ACK | PSH, b" all the way");
        assert_eq!(line.left(), left);
        line.0.finish();
    }
}

#[test]
fn a_flood_of_syns_with_data_leaves_room_for_sessions_that_are_there() {
    for fast_open in [false, true] {
        let mut line = Line::new(Mode::Ips, true);
        let options = TcpOptions { fast_open: fast_open.then(|| vec![7; 8]), ..TcpOptions::default() };
        for port in 10_000..10_200 {
            let segment =
                Segment { flags: SYN, payload: b"flood", options: options.clone(), ..Segment::default() };
            let syn = tcp_packet(addr(3, port), addr(2, 9999), &IpFields::default(), &segment);
            line.0.packet(Dir::ToServer, &syn);
        }
        assert_eq!(line.0.dropped(DropReason::StreamInsertLimit), 200 - 33, "{fast_open}");
        let mut line = line.open();
        line.say(0, ACK | PSH, b"evil-");
        line.say(5, ACK | PSH, b"word");
        assert_eq!(line.left(), "evil-");
        line.0.finish();
    }
}

/// The receiver may have missed the first SYN, or stay with it: it says which it took.
#[test]
fn of_two_syns_with_other_numbers_neither_hides_what_follows() {
    let other = ISN.wrapping_sub(1_000_000);
    for (first, second) in [(other, ISN), (ISN, other)] {
        for data in [&b""[..], b"GET /clean"] {
            let mut line = Line::new(Mode::Ips, true);
            line.send(Dir::ToServer, first, 0, SYN, data);
            line.send(Dir::ToServer, second, 0, SYN, b"");
            line.send(Dir::ToClient, SERVER_ISN, ISN.wrapping_add(1), SYN | ACK, b"");
            line.say(0, ACK, b"");
            line.0.sent.clear();
            line.say(0, ACK | PSH, b"GET /evil-");
            line.say(10, ACK | PSH, b"path HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(!line.left().contains("path"), "{}", line.left());
            line.0.finish();
        }
    }
}

/// What Linux takes out of the stream, by pointer: 0 and 1 the segment's first byte, others one that is still to come; and a pointer
/// that moves on gives back the one before, unless the program was faster. So nobody gets an urgent byte.
#[test]
fn urgent_pointers_take_no_byte_from_a_receiver_where_verdicts_act() {
    let cases: [&[(u32, u16, &str)]; 4] = [
        &[(0, 0, "XYZ")],
        &[(0, 4, "XYZ"), (3, 0, "W")],
        &[(0, 1, ""), (0, 0, "XYZ")],
        &[(0, 1, "X"), (1, 1, "Y")],
    ];
    for segments in cases {
        let streams = stream::Settings { urgent: stream::Urgent::Cleared, ..stream::Settings::default() };
        let mut line = Line::with(Mode::Ips, streams).open();
        for &(at, urgent, payload) in segments {
            let seq = ISN.wrapping_add(1 + at);
            let payload = payload.as_bytes();
            let flags = ACK | PSH | URG;
            let segment = Segment { seq, ack: SERVER_ISN + 1, flags, urgent, payload, ..Segment::default() };
            line.0.packet(
                Dir::ToServer,
                &tcp_packet(addr(1, 4000), addr(2, 9999), &IpFields::default(), &segment),
            );
        }
        assert_eq!(line.0.sent.len(), segments.len());
        for (_, frame) in &line.0.sent {
            let mut decoded = Decoded::default();
            decode(frame, LinkType::Ethernet, &Tunnels::default(), &mut decoded);
            let tcp = decoded.tcp().unwrap();
            assert_eq!((tcp.flags, tcp.urgent), (ACK | PSH, 0));
            assert_eq!(checksum_valid(&decoded, frame), Some(true));
        }
        line.0.finish();
    }
    // Rules look at the byte in its place.
    for (mode, urgent, left) in [
        (Mode::Ips, stream::Urgent::Cleared, ""),
        (Mode::Ips, stream::Urgent::OutOfBand, "evil-word"),
        (Mode::Tap, stream::Urgent::Cleared, "evil-word"),
    ] {
        let mut line = Line::with(mode, stream::Settings { urgent, ..stream::Settings::default() }).open();
        let segment = Segment {
            seq: ISN.wrapping_add(1),
            ack: SERVER_ISN + 1,
            flags: ACK | URG,
            urgent: 5,
            payload: b"evil-word",
            ..Segment::default()
        };
        line.0
            .packet(Dir::ToServer, &tcp_packet(addr(1, 4000), addr(2, 9999), &IpFields::default(), &segment));
        assert_eq!(line.left(), left, "{mode:?} {urgent:?}");
        line.0.finish();
    }
}
