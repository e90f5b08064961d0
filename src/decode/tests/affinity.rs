use super::*;
use crate::decode::{affinity, is_piece};
use crate::wire::build::*;
use proptest::prelude::*;
use std::net::SocketAddr;

prop_compose! {
    fn by()(ports: bool, nic: bool) -> HashBy {
        let function = if nic { HashFunction::Toeplitz } else { HashFunction::Mixed };
        HashBy { ports, function, tunnels: Tunnels::default() }
    }
}

fn ends(v6: bool, seed: u64) -> (SocketAddr, SocketAddr) {
    let mut random = Random::new(seed);
    let mut end = || {
        let bytes = random.bytes(18);
        let port = u16::from_be_bytes([bytes[16], bytes[17]]);
        if v6 {
            SocketAddr::from((*bytes.first_chunk::<16>().unwrap(), port))
        } else {
            SocketAddr::from((*bytes.first_chunk::<4>().unwrap(), port))
        }
    };
    (end(), end())
}

/// Packets that must all meet: both directions, and errors from either end and from between.
fn family_of(packet: Vec<u8>, answer: Vec<u8>, v6: bool, seed: u64) -> Vec<Vec<u8>> {
    let (router, _) = ends(v6, !seed);
    let (kind, code) = if v6 { (3, 0) } else { (11, 0) };
    let about = |p: &[u8]| icmp_error(router.ip(), kind, code, 0, p).unwrap();
    vec![about(&packet), about(&answer), packet, answer]
}

fn flows(v6: bool, seed: u64) -> Vec<Vec<Vec<u8>>> {
    let (a, b) = ends(v6, seed);
    let family = if v6 { Family::V6 } else { Family::V4 };
    let ip = IpFields { extensions: vec![(0, vec![5, 2])], ..IpFields::default() };
    let segment = Segment { payload: b"x", ..Segment::default() };
    let echo = |request| Message::echo(family, request, seed as u16, 1, b"ping");
    vec![
        family_of(tcp_packet(a, b, &ip, &segment), tcp_packet(b, a, &ip, &segment), v6, seed),
        family_of(udp_packet(a, b, &ip, b"q"), udp_packet(b, a, &ip, b"r"), v6, seed),
        family_of(sctp_packet(a, b, &ip, 1, &[]), sctp_packet(b, a, &ip, 1, &[]), v6, seed),
        family_of(
            icmp_packet(a.ip(), b.ip(), &ip, &echo(true)),
            icmp_packet(b.ip(), a.ip(), &ip, &echo(false)),
            v6,
            seed,
        ),
        family_of(
            ip_packet(a.ip(), b.ip(), 47, &ip, &[0; 8]),
            ip_packet(b.ip(), a.ip(), 47, &ip, &[0; 8]),
            v6,
            seed,
        ),
    ]
}

proptest! {
    #[test]
    fn all_packets_of_a_session_and_the_errors_about_it_meet(v6: bool, seed: u64, by in by(), ids in prop::collection::vec(0u16..4096, 0..4)) {
        for (link, link_type) in [(Link::tagged(&ids), LinkType::Ethernet), (Link::RawIp, LinkType::RawIp)] {
            for packets in flows(v6, seed) {
                let found: Vec<_> = packets.iter().map(|p| affinity(&link.wrap(p), link_type, &by)).collect();
                for (packet, found) in packets.iter().zip(&found) {
                    let out = decoded(&link.wrap(packet), link_type);
                    prop_assert_eq!(found.hash, out.affinity_hash(&link.wrap(packet), &by), "{:?}", out);
                    prop_assert_eq!(out.invalid, None);
                    prop_assert!(!found.fragment && is_piece(&link.wrap(packet), link_type) == Some(false));
                }
                prop_assert!(found.iter().all(|f| f.hash == found[0].hash), "{:?}", found);
            }
        }
    }

    #[test]
    fn all_fragments_of_a_datagram_meet_and_are_known_as_such(v6: bool, seed: u64, size in 8usize..64, by in by()) {
        let (a, b) = ends(v6, seed);
        let packet = udp_packet(a, b, &IpFields::default(), &[7; 200]);
        let pieces = fragments(&packet, 1, &[size]);
        let frames: Vec<_> = pieces.iter().map(|p| Link::ethernet().wrap(p)).collect();
        let first = affinity(&frames[0], LinkType::Ethernet, &by);
        for frame in &frames {
            let found = affinity(frame, LinkType::Ethernet, &by);
            prop_assert_eq!(found, Affinity { hash: first.hash, fragment: true });
            prop_assert_eq!(is_piece(frame, LinkType::Ethernet), Some(true));
            prop_assert_eq!(found.hash, decoded(frame, LinkType::Ethernet).affinity_hash(frame, &by));
        }
    }

    #[test]
    fn a_piece_is_what_the_hash_takes_for_one_whatever_is_broken(
        v6: bool, seed: u64, changes in prop::collection::vec((0usize..60, any::<u8>()), 0..4), cut in 0usize..80,
    ) {
        let (a, b) = ends(v6, seed);
        let whole = udp_packet(a, b, &IpFields::default(), &[7; 40]);
        for packet in fragments(&whole, 1, &[24]).iter().chain([&whole]) {
            let mut frame = Link::ethernet().wrap(packet);
            for &(at, byte) in &changes {
                let len = frame.len();
                frame[at % len] = byte;
            }
            for bytes in [&frame[..], &frame[..cut.min(frame.len())]] {
                prop_assert_eq!(is_piece(bytes, LinkType::Ethernet).unwrap_or(false), affinity(bytes, LinkType::Ethernet, &by_ports()).fragment);
            }
        }
    }

    #[test]
    fn an_error_about_a_first_fragment_goes_to_the_session(v6: bool, seed: u64) {
        let (a, b) = ends(v6, seed);
        let packet = udp_packet(a, b, &IpFields::default(), &[7; 200]);
        let kind = if v6 { 3 } else { 11 };
        let error = icmp_error(b.ip(), kind, 1, 0, &fragments(&packet, 1, &[64])[0]).unwrap();
        let session = of_packet(&packet).affinity_hash(&packet, &by_ports());
        prop_assert_eq!(affinity(&error, LinkType::RawIp, &by_ports()).hash, session);
        prop_assert_eq!(of_packet(&error).quoted, Some(of_packet(&packet).tuple));
    }

    #[test]
    fn the_headers_alone_are_enough(v6: bool, seed: u64) {
        for packets in flows(v6, seed) {
            for packet in packets {
                let headers = &packet[..packet.len().min(144)];
                prop_assert_eq!(affinity(headers, LinkType::RawIp, &by_ports()), affinity(&packet, LinkType::RawIp, &by_ports()));
            }
        }
    }
}

#[test]
fn what_is_not_ip_goes_to_the_first_worker() {
    let message = arp(1, ([2; 6], [10, 0, 0, 1].into()), ([0; 6], [10, 0, 0, 2].into()));
    let frame = Link::ethernet().wrap_as(0x0806, &message);
    assert_eq!(affinity(&frame, LinkType::Ethernet, &by_ports()), Affinity::default());
    assert_eq!(decoded(&frame, LinkType::Ethernet).affinity_hash(&frame, &by_ports()), 0);
}

#[test]
fn two_pings_between_the_same_hosts_are_two_sessions() {
    let (a, b) = ends(false, 1);
    let hash = |id| {
        let ping = Message::echo(Family::V4, true, id, 1, b"");
        affinity(&icmp_packet(a.ip(), b.ip(), &IpFields::default(), &ping), LinkType::RawIp, &by_ports()).hash
    };
    assert_ne!(hash(1), hash(2));
}

#[test]
fn frames_within_frames_are_followed_as_far_as_the_decoder_does() {
    let (a, b) = ends(false, 7);
    let packet = udp_packet(a, b, &IpFields::default(), b"within");
    for depth in 0..2 * MAX_LAYERS {
        let around = |kind: u16| [&[2; 12][..], &kind.to_be_bytes()].concat();
        let frame = [around(0x6558).repeat(depth), around(0x0800), packet.clone()].concat();
        let by = by_ports();
        let out = decoded(&frame, LinkType::Ethernet);
        assert_eq!(out.invalid.is_none(), depth < MAX_LAYERS - 1, "{depth}");
        assert_eq!(affinity(&frame, LinkType::Ethernet, &by).hash, out.affinity_hash(&frame, &by), "{depth}");
    }
}
