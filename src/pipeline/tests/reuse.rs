//! Addresses and ports used again while the old session goes on: the new connection is inspected, and nobody gets out of the
//! old one's inspection by pretending that there is another.

use super::rig::{Fake, Log, Rig, plan};
use super::*;
use crate::base::DropReason;
use crate::inspect;
use crate::service::idp::Idp;
use crate::stream;
use crate::wire::build::{Segment, tcp_packet};
use crate::wire::tcp::flag::{ACK, PSH, RST, SYN};

const RULES: &str = r#"
drop tcp any any -> any any (flow:established,to_server; content:"evil-word"; sid:1;)
alert tcp any any -> any any (flags:S; sid:2;)
alert tcp any any -> any any (flow:established; content:"evil"; sid:3;)
"#;

/// Initial numbers of client and server.
#[derive(Copy, Clone)]
struct Numbers {
    client: u32,
    server: u32,
}

const OLD: Numbers = Numbers { client: 1000, server: 5000 };
const NEW: Numbers = Numbers { client: 900_000, server: 700_000 };

struct Line(Rig);

impl Line {
    fn new(mode: Mode) -> Line {
        let streams = stream::Settings { blocks: 256, streams: 64, ..stream::Settings::default() };
        Line::of(Idp::alone(&engine(RULES), streams, inspect::Settings::default(), 2), mode)
    }

    /// A session, established, by these services.
    fn of(services: crate::service::ServicePlan, mode: Mode) -> Line {
        let mut line = Line(Rig::with(&services, &settings(0, mode)));
        line.open(OLD);
        line
    }

    fn packet(dir: Dir, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let ends = [addr(1, 4000), addr(2, 9999)];
        let (from, to) = if dir == Dir::ToServer { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
        let segment = Segment { seq, ack, flags, payload, ..Segment::default() };
        tcp_packet(from, to, &IpFields::default(), &segment)
    }

    /// By a port of ours; how many frames left.
    fn by(&mut self, port: PortId, dir: Dir, packet: (u32, u32, u8, &[u8])) -> usize {
        let (seq, ack, flags, payload) = packet;
        let before = self.0.sent.len();
        let bytes = Link::ethernet().wrap(&Line::packet(dir, seq, ack, flags, payload));
        self.0.frames(port, &[bytes]);
        self.0.sent.len() - before
    }

    fn client(&mut self, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> usize {
        self.by(INSIDE, Dir::ToServer, (seq, ack, flags, payload))
    }

    fn server(&mut self, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> usize {
        self.by(OUTSIDE, Dir::ToClient, (seq, ack, flags, payload))
    }

    fn open(&mut self, n: Numbers) {
        self.client(n.client, 0, SYN, b"");
        self.server(n.server, n.client + 1, SYN | ACK, b"");
        self.client(n.client + 1, n.server + 1, ACK, b"");
    }

    /// The client's bytes, from that place of its stream on.
    fn say(&mut self, n: Numbers, at: u32, payload: &[u8]) -> usize {
        self.client(n.client + 1 + at, n.server + 1, ACK | PSH, payload)
    }

    fn alerts(&self) -> Vec<u32> {
        alerts(&engine(RULES), &self.0.events).into_iter().map(|alert| alert.0).collect()
    }
}

#[test]
fn the_new_connections_bytes_pass_and_its_attack_does_not() {
    let mut line = Line::new(Mode::Ips);
    assert_eq!(line.say(OLD, 0, b"evil-"), 1);
    line.open(NEW);
    assert_eq!(line.0.closed(), [CloseReason::Reused]);
    assert_eq!(line.say(NEW, 0, b"word, and nothing that was begun before"), 1);
    assert_eq!(line.say(NEW, 39, b"evil-word"), 0);
    assert_eq!(line.0.dropped(DropReason::StreamInvalid), 0);
    assert_eq!(line.alerts().iter().filter(|sid| **sid == 2).count(), 2, "either SYN is a SYN to the rules");
    assert!(line.alerts().contains(&1));
    line.0.finish();
}

#[test]
fn a_syn_alone_does_not_end_what_is_inspected() {
    let mut line = Line::new(Mode::Ips);
    line.say(OLD, 0, b"evil-");
    // Where it would have the old stream's next byte look like the new one's first.
    line.client(OLD.client + 5, 0, SYN, b"");
    line.server(NEW.server, OLD.client + 99, SYN | ACK, b"");
    assert_eq!(line.say(OLD, 5, b"word"), 0);
    assert!(line.alerts().contains(&1) && line.0.closed().is_empty());
    line.0.finish();
}

#[test]
fn an_answer_from_the_clients_own_side_of_the_line_ends_nothing() {
    for mode in [Mode::Ips, Mode::Tap] {
        let mut line = Line::new(mode);
        line.say(OLD, 0, b"evil-");
        line.client(OLD.client + 5, 0, SYN, b"");
        line.by(INSIDE, Dir::ToClient, (OLD.server, OLD.client + 6, SYN | ACK, b""));
        line.say(OLD, 5, b"word");
        assert!(line.alerts().contains(&1) && line.0.closed().is_empty(), "{mode:?}");
        line.0.finish();
    }
}

#[test]
fn a_mirrors_one_port_brings_both_halves() {
    let mut line = Line::new(Mode::Ids);
    line.client(NEW.client, 0, SYN, b"");
    line.by(INSIDE, Dir::ToClient, (NEW.server, NEW.client + 1, SYN | ACK, b""));
    line.client(NEW.client + 1, NEW.server + 1, ACK, b"");
    line.say(NEW, 0, b"evil-word");
    assert_eq!(line.0.closed(), [CloseReason::Reused]);
    // Beside the line bytes are looked at when they are acknowledged.
    line.by(INSIDE, Dir::ToClient, (NEW.server + 1, NEW.client + 10, ACK, b""));
    assert!(line.alerts().contains(&1));
    line.0.finish();
}

#[test]
fn bytes_of_the_old_connection_do_not_leave_within_the_new_handshake() {
    let mut line = Line::new(Mode::Ips);
    line.client(NEW.client, 0, SYN, b"");
    line.server(NEW.server, NEW.client + 1, SYN | ACK, b"");
    assert_eq!(line.0.closed(), [CloseReason::Reused]);
    assert_eq!(line.say(OLD, 0, b"evil-word"), 0);
    assert_eq!(line.0.dropped(DropReason::StreamInvalid), 1);
    line.client(NEW.client + 1, NEW.server + 1, ACK, b"");
    assert_eq!(line.say(OLD, 0, b"evil-word"), 0);
    assert_eq!(line.say(NEW, 0, b"hello"), 1);
    line.0.finish();
}

#[test]
fn within_a_handshake_what_fits_none_of_its_numbers_does_not_leave() {
    let begun = || {
        let mut line = Line::new(Mode::Ips);
        line.client(OLD.client + 1, 0, RST, b"");
        line.client(NEW.client, 0, SYN, b"");
        line.server(NEW.server, NEW.client + 1, SYN | ACK, b"");
        line
    };
    // Of the client's three SYNs the server answers the second, and the third never came to it.
    let mut line = begun();
    line.client(5_000_000, 0, SYN, b"");
    line.client(6_000_000, 0, SYN, b"");
    assert_eq!(line.server(8_000_000, 5_000_001, SYN | ACK, b""), 1);
    assert_eq!(line.client(5_000_001, 8_000_001, ACK, b""), 1);
    assert_eq!(line.client(5_000_001, 8_000_001, ACK | PSH, b"evil-word"), 0);
    assert_eq!(line.0.dropped(DropReason::StreamInvalid), 1);
    // Of the server's two answers the first never came to the client.
    let mut line = begun();
    assert_eq!(line.server(8_000_000, NEW.client + 1, SYN | ACK, b""), 1);
    assert_eq!(line.client(NEW.client + 1, 8_000_001, ACK, b""), 1);
    assert_eq!(line.server(8_000_001, NEW.client + 1, ACK | PSH, b"evil-word"), 0);
    assert_eq!(line.0.dropped(DropReason::StreamInvalid), 1);
}

#[test]
fn who_is_called_back_stays_the_client_and_nothing_of_it_leaves() {
    let mut line = Line::new(Mode::Ips);
    line.client(NEW.client, 0, SYN, b"");
    line.server(NEW.server, 0, SYN, b"");
    line.client(NEW.client, NEW.server + 1, SYN | ACK, b"");
    line.server(NEW.server + 1, NEW.client + 1, ACK, b"");
    assert!(line.0.closed().is_empty());
    assert_eq!(line.say(NEW, 0, b"evil-word"), 0);
    assert_eq!(line.server(NEW.server + 1, NEW.client + 1, ACK | PSH, b"evil-word"), 0);
    assert_eq!(line.0.dropped(DropReason::StreamInvalid), 2);
    line.0.finish();
}

#[test]
fn a_challenged_client_resets_and_comes_again() {
    let mut line = Line::new(Mode::Ips);
    assert_eq!(line.client(NEW.client, 0, SYN, b""), 1);
    assert_eq!(line.server(OLD.server + 1, OLD.client + 1, ACK, b""), 1);
    assert_eq!(line.client(OLD.client + 1, 0, RST, b""), 1);
    line.open(NEW);
    assert_eq!(line.0.closed(), [CloseReason::Rst]);
    assert_eq!((line.say(NEW, 0, b"hello "), line.say(NEW, 6, b"evil-word")), (1, 0));
    line.0.finish();
}

#[test]
fn a_dropped_session_is_not_left_by_another_with_its_ports() {
    let mut line = Line::new(Mode::Ips);
    assert_eq!(line.say(OLD, 0, b"evil-word"), 0);
    assert_eq!(line.client(NEW.client, 0, SYN, b""), 0);
    assert_eq!(line.server(NEW.server, NEW.client + 1, SYN | ACK, b""), 0);
    assert!(line.0.closed().is_empty());
    // Where it is not dropped but by word, the new connection is there, and looked into.
    let mut line = Line::new(Mode::Tap);
    assert_eq!(line.say(OLD, 0, b"evil-word"), 1);
    line.server(OLD.server + 1, OLD.client + 10, ACK, b"");
    line.open(NEW);
    line.say(NEW, 0, b"evil-word");
    line.server(NEW.server + 1, NEW.client + 10, ACK, b"");
    assert_eq!(line.alerts().iter().filter(|sid| **sid == 1).count(), 2);
    assert_eq!(line.0.closed(), [CloseReason::Reused]);
}

#[test]
fn plugins_hear_the_end_of_the_one_and_the_beginning_of_the_other() {
    let log = Log::default();
    let fake = Fake::new("a", &log).does(|_, context| {
        let sport = context.session.as_ref().map_or(0, |at| at.session.tuple.sport);
        assert_eq!(sport, 4000, "the client is who sent the SYN");
        crate::service::Reply::Forward
    });
    let mut line = Line::of(plan(vec![fake.boxed()], &[0], &[0]), Mode::Ips);
    log.lock().unwrap().clear();
    line.open(NEW);
    let heard = std::mem::take(&mut *log.lock().unwrap());
    let told = ["a packet", "a close reused", "a destroy", "a first", "a open", "a packet"];
    assert_eq!(heard, told);
    line.0.finish();
}
