//! What becomes of a session once it is encrypted, by `encryption-handling`.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::path::PathBuf;
use support::{Bench, Events, ethernet, v4};
use weir::base::Dir::{self, ToClient, ToServer};
use weir::wire::build::TcpConversation;

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    record(22, &[&[kind][..], &length[1..], body].concat())
}

/// TLS 1.2 (RFC 5246): the hellos, a change of ciphers on both sides, and what is then said behind the cipher.
fn tls() -> Vec<(Dir, Vec<u8>)> {
    let client = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0xc0, 0x2f], &[1, 0]].concat();
    let server = [&[3, 3][..], &[8; 32], &[0], &[0xc0, 0x2f, 0]].concat();
    let changed = [record(20, &[1]), record(22, &[0x5a; 40])].concat();
    vec![
        (ToServer, handshake(1, &client)),
        (ToClient, [handshake(2, &server), handshake(11, b"\0\0\0"), handshake(14, &[])].concat()),
        (ToServer, [handshake(16, b"before the cipher"), changed.clone()].concat()),
        (ToClient, changed),
        (ToServer, record(23, b"the first of the data")),
        (ToServer, record(23, b"behind the cipher")),
        (ToClient, record(23, b"behind the cipher, too")),
        (ToServer, record(23, b"behind the cipher, and again")),
    ]
}

fn message(number: u8) -> Vec<u8> {
    [&[0, 0, 0, 6, 4, number][..], &[0; 4]].concat()
}

/// SSH (RFC 4253): banners, an offer on both sides, new keys on both sides.
fn ssh() -> Vec<(Dir, Vec<u8>)> {
    let lists = [&[9; 16][..], &[0; 40], &[0; 5]].concat();
    let offer = [&[0, 0, 0, 67, 4, 20][..], &lists, &[0; 4]].concat();
    vec![
        (ToClient, [b"SSH-2.0-before the cipher\r\n".to_vec(), offer.clone()].concat()),
        (ToServer, [b"SSH-2.0-client\r\n".to_vec(), offer].concat()),
        (ToClient, message(21)),
        (ToServer, message(21)),
        (ToServer, b"behind the cipher".to_vec()),
        (ToClient, b"behind the cipher, too".to_vec()),
        (ToServer, b"behind the cipher, and again".to_vec()),
    ]
}

const RULES: &str = r#"
alert tcp any any -> any any (msg:"clear"; content:"before the cipher"; sid:1;)
alert tcp any any -> any any (msg:"stream"; content:"behind the cipher"; sid:2;)
alert tcp any any -> any any (msg:"packet"; content:"behind the cipher"; depth:60; sid:3;)
alert tcp any any -> any any (msg:"no pattern"; content:!"nowhere"; dsize:>16; flow:established; flowbits:isnotset,told; flowbits:set,told; sid:4;)
alert tcp any any -> any any (msg:"header"; dsize:>16; sid:5;)
alert http any any -> any any (msg:"somebody asks for decoders"; http.uri; content:"/"; sid:6;)
"#;

fn captured(bench: &Bench, port: u16, said: &[(Dir, Vec<u8>)]) -> PathBuf {
    let mut talk = TcpConversation::new(v4(1, 1025), v4(2, port), 1);
    talk.handshake();
    for (dir, bytes) in said {
        talk.send(*dir, bytes, 1400).acknowledge(dir.reversed());
    }
    talk.close(ToServer);
    bench.capture(&ethernet(talk.packets))
}

fn count(events: &Events, sid: u64) -> usize {
    events.sids().into_iter().filter(|found| *found == sid).count()
}

#[test]
fn behind_the_cipher_no_rule_looks_into_the_bytes_unless_asked_to() {
    for (proto, port, said) in [("tls", 443, tls()), ("ssh", 22, ssh())] {
        for profile in ["inline", "suricata"] {
            let bench = Bench::new();
            let capture = captured(&bench, port, &said);
            let replay = |handling: &str| {
                let set = format!("app-layer.{proto}.encryption-handling=\"{handling}\"");
                bench.replay(&capture, RULES, &["--profile", profile, "--set", &set]).clean().events
            };
            let long = said.iter().filter(|(_, bytes)| bytes.len() > 16).count();
            for handling in ["track-only", "default"] {
                let events = replay(handling);
                let told = [1, 2, 3, 5].map(|sid| count(&events, sid));
                assert_eq!(told, [1, 0, 0, long], "{proto}, {profile}, {handling}");
            }
            let events = replay("full");
            assert!(
                count(&events, 2) >= 2 && count(&events, 3) == 3,
                "{proto}, {profile}: {:?}",
                events.sids()
            );
            let events = replay("bypass");
            assert_eq!([1, 2, 3].map(|sid| count(&events, sid)), [1, 0, 0], "{proto}, {profile}");
            assert!(count(&events, 5) < long, "{proto}, {profile}: nothing looks any more");
        }
    }
}
