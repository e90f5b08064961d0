//! Nothing that completes an attack leaves: however its bytes are cut, repeated, overlapped and shuffled, what the receiver can put
//! together from what was let through lacks the end of the match; and the same cuts of what is innocent pass whole.

use super::rig::Rig;
use super::*;
use crate::base::DropReason;
use crate::decode::{Decoded, Tunnels, decode};
use crate::wire::build::{Segment, tcp_packet};
use crate::wire::tcp::flag::{ACK, PSH, SYN};
use proptest::prelude::*;

pub(super) const RULES: &str = r#"
drop tcp any any -> any 9999 (msg:"payload"; flow:to_server; content:"evil-word"; sid:1;)
drop http any any -> any any (msg:"uri"; http.uri; content:"/evil-word"; sid:2;)
drop dns any any -> any any (msg:"query"; dns.query; content:"evil-word"; sid:3;)
drop tls any any -> any any (msg:"sni"; tls.sni; content:"evil-word"; sid:4;)
"#;

#[derive(Copy, Clone, Debug)]
pub(super) enum Kind {
    Payload,
    HttpUri,
    DnsQuery,
    TlsSni,
}

pub(super) const KINDS: [Kind; 4] = [Kind::Payload, Kind::HttpUri, Kind::DnsQuery, Kind::TlsSni];

impl Kind {
    pub(super) fn port(self) -> u16 {
        match self {
            Kind::Payload => 9999,
            Kind::HttpUri => 80,
            Kind::DnsQuery => 53,
            Kind::TlsSni => 443,
        }
    }

    /// The client's bytes with that word in them, and where what must not arrive whole begins and ends: the word, or the message by
    /// which a server would act on it.
    pub(super) fn stream(self, word: &str) -> (Vec<u8>, std::ops::Range<usize>) {
        match self {
            Kind::Payload => {
                let bytes = format!("some words before it, then {word} and some behind");
                let at = bytes.find(word).unwrap();
                (bytes.into_bytes(), at..at + word.len())
            }
            Kind::HttpUri => {
                let head = format!("GET /a/{word}?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").replace("/a/", "/");
                let end = head.len();
                (head.into_bytes(), 0..end)
            }
            Kind::DnsQuery => {
                let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, word.len() as u8];
                message.extend(word.as_bytes());
                message.extend(b"\x07example\0\0\x01\0\x01");
                let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
                bytes.extend(message);
                let end = bytes.len();
                (bytes, 0..end)
            }
            Kind::TlsSni => {
                let bytes = hello(&format!("{word}.example"));
                let end = bytes.len();
                (bytes, 0..end)
            }
        }
    }
}

/// A ClientHello that names a server (RFC 8446, section 4.1.2; RFC 6066, section 3).
fn hello(name: &str) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let names = sized(&[&[0][..], &sized(name.as_bytes())].concat());
    let extensions = sized(&[&[0, 0][..], &sized(&names)].concat());
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0], &extensions].concat();
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

const CLIENT_ISN: u32 = u32::MAX - 20; // the numbers wrap amid the stream
const SERVER_ISN: u32 = 77;

/// Random cuts: each piece may begin before where the last ended, some come twice, neighbours change places; with `forge` some
/// pieces carry other bytes where they overlap.
pub(super) fn pieces(stream: &[u8], random: &mut Random, forge: bool) -> Vec<(usize, Vec<u8>)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < stream.len() {
        let end = (at + 1 + random.below(14)).min(stream.len());
        let start = at - random.below(at.min(5) + 1);
        let mut bytes = stream[start..end].to_vec();
        if forge && start < at && random.below(3) == 0 {
            bytes[..at - start].fill(b'#');
        }
        if random.below(6) == 0 {
            pieces.push((start, stream[start..end].to_vec()));
        }
        pieces.push((start, bytes));
        at = end;
    }
    for place in 1..pieces.len() {
        if random.below(3) == 0 {
            let other = place - 1 - random.below(place.min(3));
            pieces.swap(place, other);
        }
    }
    pieces
}

/// Runs the stream through an appliance; the client's bytes that came out by offset: the first version of each, and the last.
fn pass(kind: Kind, stream: &[u8], pieces: &[(usize, Vec<u8>)]) -> ([Vec<Option<u8>>; 2], u64) {
    let client: SocketAddr = "10.0.0.1:4000".parse().unwrap();
    let server = SocketAddr::from(([10, 0, 0, 2], kind.port()));
    let streams = stream::Settings { blocks: 256, streams: 64, ..stream::Settings::default() };
    let plan = Idp::alone(&engine(RULES), streams, inspect::Settings::default(), 2);
    let mut rig = Rig::with(&plan, &settings(0, Mode::Ips));
    let segment = |seq, ack, flags, payload| Segment { seq, ack, flags, payload, ..Segment::default() };
    let first = CLIENT_ISN.wrapping_add(1);
    let handshake = [
        (Dir::ToServer, segment(CLIENT_ISN, 0, SYN, &[][..])),
        (Dir::ToClient, segment(SERVER_ISN, first, SYN | ACK, &[])),
        (Dir::ToServer, segment(first, SERVER_ISN + 1, ACK, &[])),
    ];
    for (dir, segment) in &handshake {
        let (from, to) = if *dir == Dir::ToServer { (client, server) } else { (server, client) };
        rig.packet(*dir, &tcp_packet(from, to, &IpFields::default(), segment));
    }
    for (at, bytes) in pieces {
        let seq = first.wrapping_add(*at as u32);
        let segment = segment(seq, SERVER_ISN + 1, ACK | PSH, bytes.as_slice());
        rig.packet(Dir::ToServer, &tcp_packet(client, server, &IpFields::default(), &segment));
    }
    let mut received = [vec![None; stream.len()], vec![None; stream.len()]];
    for (_, frame) in rig.sent.iter().filter(|(port, _)| *port == OUTSIDE) {
        let mut decoded = Decoded::default();
        decode(frame, LinkType::Ethernet, &Tunnels::default(), &mut decoded);
        let at = decoded.tcp().unwrap().seq.wrapping_sub(first) as usize;
        for (offset, &byte) in frame[decoded.payload_range()].iter().enumerate() {
            received[0][at + offset].get_or_insert(byte);
            received[1][at + offset] = Some(byte);
        }
    }
    let dropped = rig.dropped(DropReason::RuleDrop);
    rig.finish();
    (received, dropped)
}

/// What a receiver can give to its application.
pub(super) fn in_order(received: &[Option<u8>]) -> Vec<u8> {
    received.iter().map_while(|byte| *byte).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_cut_lets_the_end_of_a_match_arrive(seed in any::<u64>()) {
        for kind in KINDS {
            let mut random = Random::new(seed);
            let (stream, attack) = kind.stream("evil-word");
            let pieces = pieces(&stream, &mut random, false);
            let (received, dropped) = pass(kind, &stream, &pieces);
            prop_assert_eq!(dropped, 1, "{:?}: the rule found it", kind);
            for received in &received {
                let arrived = in_order(received);
                prop_assert!(arrived.len() < attack.end, "{:?}: {:?}", kind, String::from_utf8_lossy(&arrived));
                prop_assert_eq!(&arrived[..], &stream[..arrived.len()]);
            }
        }
    }

    #[test]
    fn other_bytes_in_overlaps_let_it_through_neither_way(seed in any::<u64>()) {
        for kind in KINDS {
            let mut random = Random::new(seed);
            let (stream, attack) = kind.stream("evil-word");
            let pieces = pieces(&stream, &mut random, true);
            let (received, _) = pass(kind, &stream, &pieces);
            prop_assert_eq!(&received[0], &received[1], "no byte passes in two versions");
            let arrived = in_order(&received[0]);
            let whole = arrived.get(attack.clone()).is_some_and(|bytes| bytes == &stream[attack.clone()]);
            prop_assert!(!whole, "{:?}: {:?}", kind, String::from_utf8_lossy(&arrived));
        }
    }

    #[test]
    fn what_is_innocent_passes_whole_however_it_is_cut(seed in any::<u64>()) {
        for kind in KINDS {
            let mut random = Random::new(seed);
            let (stream, _) = kind.stream("good-word");
            let pieces = pieces(&stream, &mut random, false);
            let (received, dropped) = pass(kind, &stream, &pieces);
            prop_assert_eq!((dropped, in_order(&received[1])), (0, stream), "{:?}", kind);
        }
    }
}
