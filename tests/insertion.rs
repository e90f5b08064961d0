//! Segments that a receiver throws away, sent so that their bytes stand in the place of an attack's: what Linux does not take must
//! not hide what comes behind it (Wang et al., "Your State is Not Mine", IMC 2017, has the list).

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::net::SocketAddr;
use support::{Bench, Replayed, ethernet, v4, v6};
use weir::base::Dir::{ToClient, ToServer};
use weir::wire::build::{IpFields, Segment, TcpConversation, TcpOptions, tcp_packet};
use weir::wire::tcp::flag::{ACK, FIN, PSH, RST, SYN};

const RULES: &str =
    "drop http any any -> any any (flow:established,to_server; http.uri; content:\"/forbidden\"; sid:1;)\n";
const INNOCENT: &[u8] = b"GET /index.html HTTP/1.1\r\n\r\n";
const FORBIDDEN: &[u8] = b"GET /forbidden1 HTTP/1.1\r\n\r\n";

/// Makes a right segment one that Linux does not take, or not as what it says.
type Spoil = fn(&mut Segment<'_>);

const SPOILS: [(&str, Spoil); 13] = [
    ("no flags", |s| s.flags = 0),
    ("no ACK", |s| s.flags = PSH),
    ("an ACK of what was not sent", |s| s.ack = s.ack.wrapping_add(100_000)),
    ("an ACK of long ago", |s| s.ack = s.ack.wrapping_sub(1 << 20)),
    ("MD5", |s| {
        s.options = TcpOptions {
            raw: vec![19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 1],
            ..TcpOptions::default()
        }
    }),
    ("before the window", |s| s.seq = s.seq.wrapping_sub(1 << 20)),
    ("a SYN", |s| s.flags = SYN),
    ("a SYN and ACK", |s| s.flags = SYN | ACK),
    ("a FIN without ACK", |s| (s.flags, s.payload) = (FIN, b"")),
    ("a FIN ahead", |s| (s.flags, s.payload, s.seq) = (FIN | ACK, b"", s.seq.wrapping_add(1 << 20))),
    // Taken by some; in any case the session goes on behind it.
    ("a reset", |s| (s.flags, s.payload) = (RST, b"")),
    ("a reset in the window", |s| (s.flags, s.payload, s.seq) = (RST | ACK, b"", s.seq.wrapping_add(100))),
    ("a reset ahead", |s| (s.flags, s.payload, s.seq) = (RST, b"", s.seq.wrapping_add(1 << 20))),
];

fn replay(client: SocketAddr, server: SocketAddr, spoil: Spoil, more: &[&str]) -> Replayed {
    let mut talk = TcpConversation::new(client, server, 7);
    talk.handshake();
    talk.send(ToServer, b"GET /first HTTP/1.1\r\n\r\n", 100);
    talk.send(ToClient, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 100);
    let (seq, ack) = talk.numbers(ToServer);
    let mut bad =
        Segment { seq, ack, flags: PSH | ACK, window: 60_000, payload: INNOCENT, ..Segment::default() };
    spoil(&mut bad);
    talk.packets.push(tcp_packet(client, server, &IpFields::default(), &bad));
    talk.send(ToServer, FORBIDDEN, 100);
    let bench = Bench::new();
    let path = bench.capture(&ethernet(talk.packets));
    bench.replay(&path, RULES, more).clean()
}

const WAYS: [&[&str]; 4] =
    [&[], &["--profile", "inline"], &["--simulate-ips"], &["--simulate-ips", "--profile", "inline"]];

#[test]
fn what_a_receiver_does_not_take_hides_nothing() {
    let mut missed = Vec::new();
    for (name, spoil) in SPOILS {
        let (four, six) = ((v4(1, 4000), v4(2, 80)), (v6(1, 4000), v6(2, 80)));
        // One code for both families: one way shows it.
        for (ends, ways) in [(four, &WAYS[..]), (six, &WAYS[2..3])] {
            for way in ways {
                let replayed = replay(ends.0, ends.1, spoil, way);
                if replayed.events.sids() != [1] {
                    missed.push((name, way, ends));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn what_begins_in_the_window_and_reaches_past_it_is_looked_at() {
    for way in WAYS {
        let (client, server) = (v4(1, 4000), v4(2, 80));
        let mut talk = TcpConversation::new(client, server, 7);
        talk.window = 20;
        talk.handshake();
        talk.send(ToServer, FORBIDDEN, 100);
        let bench = Bench::new();
        let path = bench.capture(&ethernet(talk.packets));
        assert_eq!(bench.replay(&path, RULES, way).clean().events.sids(), [1], "{way:?}");
    }
}
