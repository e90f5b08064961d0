//! As `prevention`, where segments that come early wait (`streams.out-of-order = "hold"`), against a model of the receiver and a
//! sender that says again what is missing: no attack is ever whole there, and what is innocent is in the end, byte for byte.

use super::prevention::{KINDS, Kind, RULES, in_order, pieces};
use super::rig::Rig;
use super::*;
use crate::base::{DropReason, NetworkTable};
use crate::decode::{Decoded, Tunnels, decode};
use crate::stream::OverlapPolicy;
use crate::wire::build::{Segment, tcp_packet};
use crate::wire::tcp::flag::{ACK, PSH, SYN};
use proptest::prelude::*;
use std::time::Duration;

const CLIENT_ISN: u32 = u32::MAX - 20; // the numbers wrap amid the stream
const SERVER_ISN: u32 = 77;
/// More pieces of a session at once than may wait.
const AGAIN: usize = 60;

struct Line {
    rig: Rig,
    ends: [SocketAddr; 2],
    /// By offset: the first version that came, and the last.
    received: [Vec<Option<u8>>; 2],
    /// Bytes that the receiver has acknowledged.
    acknowledged: usize,
    early: bool,
}

impl Line {
    fn new(kind: Kind, policy: OverlapPolicy, length: usize) -> Line {
        let overlap = NetworkTable::new(policy);
        let streams =
            stream::Settings { blocks: 256, streams: 64, hold: true, overlap, ..stream::Settings::default() };
        let plan = Idp::alone(&engine(RULES), streams, inspect::Settings::default(), 2);
        let rig = Rig::with(&plan, &settings(0, Mode::Ips));
        let ends = ["10.0.0.1:4000".parse().unwrap(), SocketAddr::from(([10, 0, 0, 2], kind.port()))];
        let received = [vec![None; length], vec![None; length]];
        let mut line = Line { rig, ends, received, acknowledged: 0, early: false };
        line.send(Dir::ToServer, CLIENT_ISN, 0, SYN, &[]);
        line.send(Dir::ToClient, SERVER_ISN, CLIENT_ISN.wrapping_add(1), SYN | ACK, &[]);
        line.say(0, &[]);
        line
    }

    fn send(&mut self, dir: Dir, seq: u32, ack: u32, flags: u8, payload: &[u8]) {
        let [client, server] = self.ends;
        let (from, to) = if dir == Dir::ToServer { (client, server) } else { (server, client) };
        let segment = Segment { seq, ack, flags, payload, ..Segment::default() };
        self.rig.packet(dir, &tcp_packet(from, to, &IpFields::default(), &segment));
    }

    /// The client's bytes, and what becomes of them.
    fn say(&mut self, at: usize, bytes: &[u8]) {
        let first = CLIENT_ISN.wrapping_add(1);
        self.send(Dir::ToServer, first.wrapping_add(at as u32), SERVER_ISN + 1, ACK | PSH, bytes);
        for (port, frame) in std::mem::take(&mut self.rig.sent) {
            let mut decoded = Decoded::default();
            decode(&frame, LinkType::Ethernet, &Tunnels::default(), &mut decoded);
            let bytes = &frame[decoded.payload_range()];
            if port != OUTSIDE || bytes.is_empty() {
                continue;
            }
            let at = decoded.tcp().unwrap().seq.wrapping_sub(first) as usize;
            let [first, last] = &mut self.received;
            self.early |= first[..at].contains(&None);
            for (offset, &byte) in bytes.iter().enumerate() {
                first[at + offset].get_or_insert(byte);
                last[at + offset] = Some(byte);
            }
        }
        if in_order(&self.received[0]).len() > self.acknowledged && bytes.len().is_multiple_of(3) {
            self.acknowledged = in_order(&self.received[0]).len();
            let ack = first.wrapping_add(self.acknowledged as u32);
            self.send(Dir::ToClient, SERVER_ISN + 1, ack, ACK, &[]);
        }
    }

    /// What the receiver misses comes again, as it was, until nothing does or it is of no use.
    fn complete(&mut self, stream: &[u8]) {
        for round in 0..AGAIN {
            let have = in_order(&self.received[0]).len();
            if have == stream.len() {
                return;
            }
            let end = (have + 1 + round % 40).min(stream.len());
            self.say(have, &stream[have..end]);
        }
        // Whoever waited long enough is gone.
        self.rig.later(Duration::from_secs(3));
        self.say(0, &[]);
    }

    fn finish(self) -> ([Vec<Option<u8>>; 2], u64) {
        let dropped = DropReason::ALL.iter().map(|reason| self.rig.dropped(*reason)).sum();
        self.rig.finish();
        (self.received, dropped)
    }
}

/// Pieces in any order at all: more of them may be early than may wait.
fn shuffled(mut pieces: Vec<(usize, Vec<u8>)>, random: &mut Random) -> Vec<(usize, Vec<u8>)> {
    for place in 1..pieces.len() {
        let other = random.below(place + 1);
        pieces.swap(place, other);
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_lets_the_end_of_a_match_leave(seed in any::<u64>(), forge: bool, wild: bool, policy in 0usize..7) {
        for kind in KINDS {
            let mut random = Random::new(seed);
            let (stream, attack) = kind.stream("evil-word");
            let mut pieces = pieces(&stream, &mut random, forge);
            if wild {
                pieces = shuffled(pieces, &mut random);
            }
            let mut line = Line::new(kind, OverlapPolicy::ALL[policy], stream.len());
            pieces.iter().for_each(|(at, bytes)| line.say(*at, bytes));
            line.complete(&stream);
            let ([first, last], _) = line.finish();
            prop_assert_eq!(&first, &last, "no byte leaves in two versions");
            let arrived = in_order(&first);
            let whole = arrived.get(attack.clone()).is_some_and(|bytes| bytes == &stream[attack.clone()]);
            prop_assert!(!whole, "{:?}: {:?}", kind, String::from_utf8_lossy(&arrived));
        }
    }

    #[test]
    fn what_is_innocent_leaves_whole_and_none_of_it_early(seed in any::<u64>(), wild: bool, policy in 0usize..7) {
        for kind in KINDS {
            let mut random = Random::new(seed);
            let (stream, _) = kind.stream("good-word");
            let mut pieces = pieces(&stream, &mut random, false);
            if wild {
                pieces = shuffled(pieces, &mut random);
            }
            let mut line = Line::new(kind, OverlapPolicy::ALL[policy], stream.len());
            pieces.iter().for_each(|(at, bytes)| line.say(*at, bytes));
            line.complete(&stream);
            let early = line.early;
            let ([first, last], dropped) = line.finish();
            prop_assert!(in_order(&first) == stream && first == last, "{:?}", kind);
            // Who found no room among those that wait is dropped, and comes again; what is behind it may leave before.
            prop_assert!(dropped == 0 || wild, "{:?}: {} dropped", kind, dropped);
            prop_assert!(!early || dropped > 0, "{:?}: a segment left early", kind);
        }
    }
}
