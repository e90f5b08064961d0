//! Packets within packets: found, told apart, brought to one worker, bounded.

use super::*;
use crate::decode::affinity;
use crate::wire::build::*;
use proptest::prelude::*;
use std::net::SocketAddr;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// All kinds; those that carry IPv6 alone last.
fn kinds() -> Vec<(Tunnel, TunnelKind)> {
    use TunnelKind as K;
    vec![
        (Tunnel::Ip, K::Ipv4),
        (Tunnel::Gre { key: None, sequence: None }, K::Gre),
        (Tunnel::Gre { key: Some(7), sequence: Some(1) }, K::Gre),
        (Tunnel::GreBridge, K::Gre),
        (Tunnel::Pptp(9), K::Gre),
        (Tunnel::ErspanI, K::ErspanI),
        (Tunnel::ErspanII(0), K::ErspanII),
        (Tunnel::ErspanIII(0), K::ErspanIII),
        (Tunnel::Vxlan(100), K::Vxlan),
        (Tunnel::Geneve(100), K::Geneve),
        (Tunnel::GeneveBridge(100), K::Geneve),
        (Tunnel::GtpU(1), K::GtpU),
        (Tunnel::GtpUExtended(1), K::GtpU),
        (Tunnel::Teredo, K::Teredo),
    ]
}

fn ends(v6: bool, (from, to): (u8, u8)) -> (SocketAddr, SocketAddr) {
    let end = |n: u8, port| {
        let text = if v6 { format!("[2001:db8::{n}]:{port}") } else { format!("198.51.100.{n}:{port}") };
        at(&text)
    };
    (end(from, 4000 + u16::from(from)), end(to, 4000 + u16::from(to)))
}

fn wrap(tunnel: &Tunnel, outer_v6: bool, outer: (u8, u8), link: &Link, packet: &[u8]) -> Vec<u8> {
    let (src, dst) = ends(outer_v6, outer);
    tunnel.wrap(src, dst, link, packet)
}

/// All packets of a frame, outermost first.
fn all_of(bytes: &[u8], link: LinkType, tunnels: &Tunnels) -> Vec<Decoded> {
    let mut out = Decoded::default();
    decode(bytes, link, tunnels, &mut out);
    let mut all = vec![out];
    while let Some((inner, layers)) = all.last().and_then(|out| Some((out.inner?, out.layers))) {
        let mut out = Decoded::default();
        decode_inner(bytes, &inner, layers, tunnels, &mut out);
        within(&out, bytes);
        assert!(out.layers > layers && usize::from(out.depth) == all.len());
        all.push(out);
    }
    all
}

fn packets_of(packet: &[u8]) -> Vec<Decoded> {
    all_of(packet, LinkType::RawIp, &Tunnels::default())
}

#[test]
fn every_kind_of_tunnel_shows_the_packet_it_carries() {
    for v6 in [false, true] {
        let (a, b) = ends(v6, (1, 2));
        let inner = udp_packet(a, b, &IpFields::default(), b"inner");
        for (tunnel, kind) in kinds().into_iter().filter(|(tunnel, _)| v6 || *tunnel != Tunnel::Teredo) {
            let kind = if v6 && kind == TunnelKind::Ipv4 { TunnelKind::Ipv6 } else { kind };
            for outer_v6 in [false, true] {
                let packet = wrap(&tunnel, outer_v6, (8, 9), &Link::ethernet(), &inner);
                let found = packets_of(&packet);
                assert_eq!(found.len(), 2, "{tunnel:?}: {found:?}");
                assert_eq!((found[0].invalid, found[1].invalid), (None, None), "{tunnel:?}");
                assert!(found.iter().all(|out| out.anomalies.is_empty()), "{tunnel:?}: {found:?}");
                assert_eq!(found[0].inner.map(|inner| inner.kind), Some(kind));
                assert_eq!((found[1].tuple.src_ip(), found[1].tuple.sport), (a.ip(), a.port()));
                assert_eq!(&packet[found[1].payload_range()], b"inner", "{tunnel:?}");
                let off = Tunnels::default().without(kind);
                assert_eq!(all_of(&packet, LinkType::RawIp, &off).len(), 1, "{tunnel:?} is not looked into");
            }
        }
    }
}

#[test]
fn what_only_looks_like_a_tunnel_is_payload() {
    let (a, b) = ends(false, (1, 2));
    let ip = IpFields::default();
    let four = udp_packet(a, b, &ip, b"inner");
    let over =
        |proto, head: &[u8], inner: &[u8]| ip_packet(a.ip(), b.ip(), proto, &ip, &[head, inner].concat());
    let udp = |port, head: &[u8], inner: &[u8]| {
        udp_packet(a, SocketAddr::new(b.ip(), port), &ip, &[head, inner].concat())
    };
    let frame = Link::ethernet().wrap(&four);
    let table = [
        over(41, &[], &four),
        over(47, &[0, 2, 8, 0], &four),
        over(47, &[0, 0, 8, 0], &[]),
        over(47, &[0, 0, 0x12, 0x34], &four),
        udp(4789, &[0; 8], &frame),
        udp(4790, &[8, 0, 0, 0, 0, 0, 100, 0], &frame),
        udp(6081, &[0x40, 0, 0x65, 0x58, 0, 0, 1, 0], &frame),
        udp(3544, &[], &four),
        udp(2152, &[0x30, 1, 0, 0, 0, 0, 0, 0], &four),
        udp(2152, &[0x30, 0xff, 0, 0, 0, 0, 0, 0], b"\x90 no packet"),
    ];
    for (n, packet) in table.iter().enumerate() {
        assert_eq!(packets_of(packet).len(), 1, "no tunnel {n}");
    }
}

#[test]
fn what_is_wrong_with_a_tunnels_header_is_named() {
    let (a, b) = ends(false, (1, 2));
    let udp =
        |port, payload: &[u8]| udp_packet(a, SocketAddr::new(b.ip(), port), &IpFields::default(), payload);
    let gre = |payload: &[u8]| ip_packet(a.ip(), b.ip(), 47, &IpFields::default(), payload);
    let unknown = [&[2; 12][..], &[0x12, 0x34], &[0; 40]].concat();
    let table = [
        (udp(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0], &unknown[..]].concat()), Anomaly::VxlanUnknownPayloadType),
        (
            udp(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 1, 0], &unknown[..]].concat()),
            Anomaly::GeneveUnknownPayloadType,
        ),
        (udp(6081, &[0, 0, 0x12, 0x34, 0, 0, 1, 0, 1]), Anomaly::GeneveUnknownPayloadType),
        (gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0]), Anomaly::ErspanHeaderTooSmall),
        (
            gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x20, 0, 0, 0, 0, 0, 0, 0]),
            Anomaly::ErspanUnsupportedVersion,
        ),
    ];
    for (packet, anomaly) in table {
        let found = packets_of(&packet);
        assert_eq!((found.len(), &found[0].anomalies[..]), (1, &[anomaly][..]));
    }
}

#[test]
fn labels_pppoe_and_service_headers_leave_a_packet_what_it_is() {
    for v6 in [false, true] {
        let (a, b) = ends(v6, (1, 2));
        let packet = udp_packet(a, b, &IpFields::default(), b"inner");
        let plain = of_packet(&packet).tuple;
        let word = [&[0; 4][..], &Link::ethernet().wrap(&packet)].concat();
        let table = [
            (0x8847, mpls(&[100], &packet)),
            (0x8848, mpls(&[100, 16, 99], &packet)),
            (0x8847, mpls(&[100, if v6 { 2 } else { 0 }], &packet)),
            (0x8847, mpls(&[200], &word)),
            (0x8864, pppoe(7, &packet)),
            (0x894f, nsh(1, &packet)),
            (
                0x8926,
                [&[0, 1, 0, 2][..], &(if v6 { 0x86dd_u16 } else { 0x0800 }).to_be_bytes(), &packet].concat(),
            ),
        ];
        for (kind, payload) in table {
            let frame = Link::ethernet().wrap_as(kind, &payload);
            let joined = Tunnels::default().keeping(InnerSessions::Joined);
            let mut out = Decoded::default();
            decode(&frame, LinkType::Ethernet, &joined, &mut out);
            assert_eq!((out.tuple, out.invalid, out.inner), (plain, None, None), "{kind:x}: {out:?}");
            assert_eq!(&frame[out.payload_range()], b"inner");
            let hash = affinity(&frame, LinkType::Ethernet, &by_ports()).hash;
            assert_eq!(hash, affinity(&packet, LinkType::RawIp, &by_ports()).hash, "{kind:x}");
        }
    }
}

#[test]
fn pppoe_discovery_and_control_end_without_a_complaint() {
    let frame = Link::ethernet().wrap_as(0x8863, &[0x11, 9, 0, 0, 0, 4, 1, 1, 0, 0]);
    let out = decoded(&frame, LinkType::Ethernet);
    assert!(out.anomalies.is_empty() && out.ip.is_none() && out.ether_type == 0x8863);
    let frame = Link::ethernet().wrap_as(0x8864, &[0x11, 0, 0, 1, 0, 6, 0xc0, 0x21, 9, 1, 0, 4]);
    let out = decoded(&frame, LinkType::Ethernet);
    assert!(out.anomalies.is_empty() && out.ip.is_none(), "the link's control: {out:?}");
}

/// What is only unknown to us is not broken: a line passes it on as it does other frames without IP.
#[test]
fn what_nobody_knows_behind_labels_and_tags_is_noted_and_no_more() {
    let table = [
        (0x8847, mpls(&[13], &[0x10, 0, 0, 0x21]), Anomaly::MplsBadLabelReserved),
        (0x8847, mpls(&[99], &[0x90; 30]), Anomaly::MplsUnknownPayloadType),
        (0x894f, vec![0, 2, 2, 4, 0, 0, 1, 0, 9], Anomaly::NshUnknownPayload),
        (0x8926, vec![0, 1, 0, 2, 0x12, 0x34], Anomaly::VntagUnknownType),
        (0x893f, vec![0, 1, 0, 2, 0, 0, 0x12, 0x34], Anomaly::EtagUnknownType),
    ];
    for (kind, payload, anomaly) in table {
        let out = decoded(&Link::ethernet().wrap_as(kind, &payload), LinkType::Ethernet);
        assert_eq!((&out.anomalies[..], out.invalid), (&[anomaly][..], None), "{kind:x}");
    }
}

#[test]
fn an_inner_session_belongs_to_its_tunnel_and_its_network() {
    let (a, b) = ends(false, (1, 2));
    let packet = udp_packet(a, b, &IpFields::default(), b"x");
    let answer = udp_packet(b, a, &IpFields::default(), b"x");
    let tuple = |tunnel: &Tunnel, outer, inner: &[u8], tunnels: &Tunnels| {
        all_of(&wrap(tunnel, false, outer, &Link::ethernet(), inner), LinkType::RawIp, tunnels)[1].tuple
    };
    let (stock, joined) = (Tunnels::default(), Tunnels::default().keeping(InnerSessions::Joined));
    let one = tuple(&Tunnel::Vxlan(1), (8, 9), &packet, &stock);
    assert_ne!(one.tunnel, 0, "not the session of the same ends outside");
    assert_eq!(one, tuple(&Tunnel::Vxlan(1), (9, 8), &answer, &stock).reversed());
    assert_ne!(one, tuple(&Tunnel::Vxlan(2), (8, 9), &packet, &stock), "another network");
    assert_ne!(one, tuple(&Tunnel::Vxlan(1), (8, 7), &packet, &stock), "another tunnel");
    let keyed = |key| Tunnel::Gre { key, sequence: None };
    let zero = tuple(&keyed(Some(0)), (8, 9), &packet, &stock);
    assert_ne!(zero, tuple(&keyed(None), (8, 9), &packet, &stock), "key 0 is a key");
    assert_eq!(
        tuple(&Tunnel::GtpU(1), (8, 9), &packet, &stock),
        tuple(&Tunnel::GtpU(2), (9, 8), &answer, &stock).reversed(),
        "each direction has its own tunnel number"
    );
    let one = tuple(&Tunnel::Vxlan(1), (8, 9), &packet, &joined);
    assert_eq!(one, tuple(&Tunnel::Vxlan(2), (7, 6), &answer, &joined).reversed());
    assert_ne!(one.tunnel, 0);
}

#[test]
fn vlans_within_a_tunnel_and_of_a_mirrored_port_are_the_packets_own() {
    let (a, b) = ends(false, (1, 2));
    let packet = udp_packet(a, b, &IpFields::default(), b"x");
    let vlans = |tunnel: &Tunnel, link: &Link| {
        packets_of(&wrap(tunnel, false, (8, 9), link, &packet)).remove(1).vlans
    };
    assert_eq!(vlans(&Tunnel::Vxlan(1), &Link::tagged(&[5, 6]))[..], [5, 6]);
    assert_eq!(vlans(&Tunnel::ErspanII(7), &Link::ethernet())[..], [7]);
    assert_eq!(vlans(&Tunnel::ErspanIII(7), &Link::tagged(&[8]))[..], [7, 8]);
}

#[test]
fn nesting_is_bounded_and_named() {
    let (a, b) = ends(false, (1, 2));
    for tunnel in [Tunnel::Ip, Tunnel::GreBridge, Tunnel::Vxlan(1)] {
        let mut packet = udp_packet(a, b, &IpFields::default(), b"bomb");
        for _ in 0..40 {
            packet = wrap(&tunnel, false, (8, 9), &Link::ethernet(), &packet);
        }
        let found = packets_of(&packet);
        assert!(found.len() > 3 && found.len() <= MAX_TUNNELS + 1, "{tunnel:?}: {}", found.len());
        let last = found.last().unwrap();
        assert_eq!(last.anomalies[..], [Anomaly::TooManyLayers], "{tunnel:?}");
        let hash = affinity(&packet, LinkType::RawIp, &by_ports()).hash;
        assert_eq!(hash, found[0].affinity_hash(&packet, &by_ports()), "{tunnel:?}");
    }
}

#[test]
fn every_truncation_of_every_tunnel_is_decoded_without_a_panic() {
    let (a, b) = ends(true, (1, 2));
    let inner = udp_packet(a, b, &IpFields::default(), b"inner");
    for (tunnel, _) in kinds() {
        let packet = wrap(&tunnel, false, (8, 9), &Link::tagged(&[3]), &inner);
        for len in 0..packet.len() {
            // Cut by the capture, and cut by its sender.
            let cut = &packet[..len];
            all_of(cut, LinkType::RawIp, &Tunnels::default());
            affinity(cut, LinkType::RawIp, &by_ports());
            let Some(payload) = cut.get(20..) else { continue };
            let (src, dst) = ends(false, (8, 9));
            let sent = ip_packet(src.ip(), dst.ip(), packet[9], &IpFields::default(), payload);
            agrees(&sent).unwrap();
        }
    }
}

/// The distributor finds what decoding finds.
fn agrees(packet: &[u8]) -> Result<(), TestCaseError> {
    let found = packets_of(packet);
    for ports in [false, true] {
        let by = HashBy { ports, ..by_ports() };
        if found[0].invalid.is_none() {
            prop_assert_eq!(affinity(packet, LinkType::RawIp, &by).hash, found[0].affinity_hash(packet, &by));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn all_that_a_tunnel_carries_of_a_session_meets_on_one_worker(
        v6: bool, outer_v6: bool, kind in 0usize..13, other in 0usize..13, ports: bool, nic: bool, size in 1usize..8,
    ) {
        let function = if nic { HashFunction::Toeplitz } else { HashFunction::Mixed };
        let by = HashBy { ports, function, tunnels: Tunnels::default() };
        let (a, b) = ends(v6, (1, 2));
        let packet = udp_packet(a, b, &IpFields::default(), &[7; 100]);
        let answer = udp_packet(b, a, &IpFields::default(), b"answer");
        let error = icmp_error(b.ip(), if v6 { 1 } else { 3 }, 3, 0, &packet).unwrap();
        let tunnel = &kinds()[kind].0;
        let hash = |tunnel: &Tunnel, outer, inner: &[u8]| {
            let outer = wrap(tunnel, outer_v6, outer, &Link::ethernet(), inner);
            let found = affinity(&outer, LinkType::RawIp, &by);
            prop_assert!(!found.fragment);
            prop_assert_eq!(found.hash, of_packet(&outer).affinity_hash(&outer, &by));
            Ok(found.hash)
        };
        let first = hash(tunnel, (8, 9), &packet)?;
        prop_assert_eq!(first, hash(tunnel, (9, 8), &answer)?);
        prop_assert_eq!(first, hash(tunnel, (9, 8), &error)?);
        prop_assert_eq!(first, hash(&kinds()[other].0, (6, 5), &answer)?, "through another tunnel");
        for piece in fragments(&packet, 9, &[size * 8]) {
            prop_assert_eq!(first, hash(tunnel, (8, 9), &piece)?);
        }
        let twice = wrap(&Tunnel::GreBridge, v6, (20, 21), &Link::ethernet(), &packet);
        prop_assert_eq!(first, hash(tunnel, (8, 9), &twice)?, "a tunnel in a tunnel");
    }

    #[test]
    fn changed_bytes_make_nothing_panic_and_the_distributor_agree(
        v6: bool, kind in 0usize..14, twice in 0usize..14, seed: u64,
        changes in prop::collection::vec((20usize..160, any::<u8>()), 0..8), cut in 30usize..400,
    ) {
        let (a, b) = ends(true, (1, 2));
        let inner = udp_packet(a, b, &IpFields::default(), &Random::new(seed).bytes(40));
        let inner = wrap(&kinds()[twice].0, true, (5, 6), &Link::tagged(&[1]), &inner);
        let mut packet = wrap(&kinds()[kind].0, v6, (8, 9), &Link::ethernet(), &inner);
        for (at, value) in changes {
            if let Some(byte) = packet.get_mut(at) { *byte = value; }
        }
        agrees(&packet)?;
        packet.truncate(cut);
        agrees(&packet)?;
    }
}
