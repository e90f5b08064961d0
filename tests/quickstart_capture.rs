//! The capture that `./scripts/quickstart` replays is the one built here. `WEIR_BLESS=1 cargo nextest run --test
//! quickstart_capture` writes it anew.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use weir::base::{Dir, Family};
use weir::wire::build::{self, Capture, IpFields, Link, Message, Random, TcpConversation};

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A TCP conversation: what the client asks, in segments of so many bytes, and what the server answers.
fn talk(client: &str, server: &str, asks: &[u8], size: usize, answers: &[u8]) -> Vec<Vec<u8>> {
    let mut talk = TcpConversation::new(addr(client), addr(server), asks.len() as u64);
    talk.handshake();
    if !asks.is_empty() {
        talk.send(Dir::ToServer, asks, size);
    }
    talk.send(Dir::ToClient, answers, 1400).close(Dir::ToServer);
    talk.packets
}

/// Ordinary traffic with some that our rules know, over both families, VLANs aside: streams cut in the middle of what a
/// rule looks for, and a datagram in shuffled fragments.
fn capture() -> Vec<u8> {
    let mut capture = Capture::new(Link::ethernet());
    capture.step(Duration::from_millis(7));
    let page = [b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n".as_slice(), &[b'.'; 600]].concat();
    capture.packets(talk(
        "192.168.1.20:40001",
        "198.51.100.7:80",
        b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n",
        1400,
        &page,
    ));
    let login = b"GET /admin HTTP/1.1\r\nHost: shop\r\nAuthorization: Basic d2VpcjpzZWNyZXQ=\r\n\r\n";
    capture.packets(talk("192.168.1.20:40002", "198.51.100.7:80", login, 11, &page));
    let shell = b"POST /upload HTTP/1.1\r\nHost: shop\r\n\r\n<?php system($_REQUEST['c']); ?>";
    capture.packets(talk(
        "192.168.1.66:40003",
        "198.51.100.7:80",
        shell,
        40,
        b"HTTP/1.1 201 Created\r\n\r\n",
    ));
    capture.packets(talk(
        "192.168.1.66:40004",
        "198.51.100.7:4444",
        b"id\n",
        3,
        b"uid=0(root) gid=0(root) groups=0(root)\n",
    ));
    let marker = b"two segments carry WEIR-SELF-TEST-7f3a between them";
    capture.packets(talk("[2001:db8::20]:40005", "[2001:db8:1::7]:8080", marker, 26, b"ok"));
    let (client, server) = (addr("192.168.1.20:5300"), addr("198.51.100.53:5300"));
    let payload = [&[b'x'; 1800][..], b"WEIR-SELF-TEST-7f3a", &[b'y'; 900][..]].concat();
    let datagram = build::udp_packet(client, server, &IpFields { id: 7, ..IpFields::default() }, &payload);
    let mut pieces = build::fragments(&datagram, 7, &[1480, 328]);
    Random::new(3).shuffle(&mut pieces);
    capture.packets(pieces);
    let echo = Message::echo(Family::V4, true, 9, 1, b"SSH-2.0-OpenSSH_9.2 in a ping");
    capture.packets([build::icmp_packet(client.ip(), server.ip(), &IpFields::default(), &echo)]);
    let xmas = build::Segment { flags: 0x29, ..build::Segment::default() };
    capture.packets([build::tcp_packet(
        addr("192.168.1.66:40006"),
        addr("198.51.100.7:22"),
        &IpFields::default(),
        &xmas,
    )]);
    capture.pcap()
}

#[test]
fn the_quickstart_capture_is_the_one_built_here() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/quickstart.pcap");
    let built = capture();
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(&path, &built).expect("conf/ can be written");
    }
    let kept = std::fs::read(&path).expect("conf/quickstart.pcap is there");
    assert!(kept == built, "conf/quickstart.pcap is not what is built here; WEIR_BLESS=1 writes it anew");
}
