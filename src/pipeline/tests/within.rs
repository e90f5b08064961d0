//! Packets within packets, and their fragments.

use super::rig::Rig;
use super::*;
use crate::base::{Outer, TunnelKind};
use crate::decode::{InnerSessions, Tunnels};
use crate::wire::build::{Tunnel, mpls, pppoe};

const NEEDLE: &str = "alert udp any any -> any 8 (content:\"needle\"; sid:1;)";

fn datagram(payload: &[u8]) -> Vec<u8> {
    build::udp_packet(addr(11, 7), addr(12, 8), &IpFields::default(), payload)
}

fn through(tunnel: &Tunnel, ends: (u32, u32), packet: &[u8]) -> Vec<u8> {
    tunnel.wrap(addr(ends.0, 999), addr(ends.1, 999), &Link::ethernet(), packet)
}

/// A datagram whose needle lies across two of its pieces.
fn pieces() -> Vec<Vec<u8>> {
    build::fragments(&datagram(b"....needle......"), 5, &[16])
}

fn captured(packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<(Time, Vec<u8>)> {
    let mut capture = Capture::new(Link::ethernet());
    capture.packets(packets);
    capture.frames
}

#[test]
fn pieces_within_a_tunnel_are_put_together_on_one_worker() {
    let kinds = [
        Tunnel::Ip,
        Tunnel::Gre { key: Some(1), sequence: None },
        Tunnel::ErspanII(5),
        Tunnel::Vxlan(100),
        Tunnel::GtpU(9),
    ];
    for tunnel in kinds {
        let mut packets: Vec<_> = pieces().iter().map(|piece| through(&tunnel, (1, 2), piece)).collect();
        assert!(packets.len() == 2, "{}", packets.len());
        packets.reverse();
        assert_eq!(watched(packets, NEEDLE), [(1, 2, Dir::ToServer)], "{tunnel:?}");
    }
}

#[test]
fn pieces_in_tunnels_in_pieces_are_put_together() {
    let outer = |piece: &Vec<u8>| {
        let twice = through(&Tunnel::GreBridge, (3, 4), &through(&Tunnel::Vxlan(1), (1, 2), piece));
        build::fragments(&twice, 77, &[40])
    };
    let packets: Vec<_> = pieces().iter().flat_map(outer).collect();
    let last = packets.len() as u64;
    // All outer pieces have one identification: the first datagram is whole before the second begins.
    assert_eq!(watched(packets, NEEDLE), [(1, last, Dir::ToServer)]);
}

#[test]
fn pieces_of_two_tenants_never_mix() {
    let [first, last] = &pieces()[..] else { panic!() };
    let mixed = [through(&Tunnel::Vxlan(1), (1, 2), first), through(&Tunnel::Vxlan(2), (1, 2), last)];
    assert_eq!(watched(mixed.to_vec(), NEEDLE), []);
    let outside = [first.clone(), through(&Tunnel::Vxlan(1), (1, 2), last)];
    assert_eq!(watched(outside.to_vec(), NEEDLE), []);
}

#[test]
fn inline_the_piece_that_completes_a_bad_datagram_is_dropped() {
    let rules = "drop udp any any -> any 8 (content:\"needle\"; sid:1;)";
    let packets: Vec<_> = pieces().iter().map(|piece| through(&Tunnel::Vxlan(1), (1, 2), piece)).collect();
    for mode in [Mode::Ips, Mode::Tap, Mode::Ids] {
        let report = replay(&captured(packets.clone()), rules, &settings(0, mode));
        assert_eq!(report.alerts, [(1, 2, Dir::ToServer)], "{mode:?}");
        let sent = match mode {
            Mode::Ips => 1,
            Mode::Tap => 2,
            _ => 0,
        };
        assert_eq!(report.sent.len(), sent, "{mode:?}");
        assert!(report.balance.is_even(), "{}", report.balance);
    }
}

#[test]
fn what_never_completes_within_a_tunnel_is_let_go_and_counted() {
    let packets: Vec<_> = (0..50u32)
        .map(|n| {
            let piece = build::fragment(&datagram(&[7; 64]), n, 0..32, true);
            through(&Tunnel::Vxlan(n % 3), (1, 2), &piece)
        })
        .collect();
    for workers in [0, 2] {
        let report = replay(&captured(packets.clone()), NEEDLE, &settings(workers, Mode::Ips));
        assert_eq!(report.sent.len(), 50, "what carries them goes its way");
        assert!(report.balance.is_even() && report.balance.held == 0, "{}", report.balance);
        assert_eq!(report.balance.consumed, 50, "the copies");
    }
}

#[test]
fn rules_hear_of_what_is_wrong_with_an_inner_piece() {
    let packet = datagram(&[7; 200]);
    let pieces = [0..104, 96..160, 160..208].map(|range| build::fragment(&packet, 5, range, true));
    let packets = pieces.iter().map(|piece| through(&Tunnel::Vxlan(1), (1, 2), piece)).collect();
    let rules = "alert pkthdr any any -> any any (decode-event:ipv4.frag_overlap; sid:1;)";
    assert_eq!(watched(packets, rules), [(1, 2, Dir::ToServer)]);
}

#[test]
fn sessions_behind_labels_and_pppoe_are_followed() {
    let mut talk = TcpConversation::new(addr(11, 4000), addr(12, 80), 1);
    talk.handshake().send(Dir::ToServer, b"a needle", 3).reset(Dir::ToClient);
    let rules = "alert tcp any any -> any any (flow:established,to_server; content:\"needle\"; sid:1;)";
    let wrap = |kind: u16, packet: &[u8]| {
        let payload = if kind == 0x8847 { mpls(&[17, 18], packet) } else { pppoe(3, packet) };
        Link::ethernet().wrap_as(kind, &payload)
    };
    for kind in [0x8847, 0x8864] {
        let mut capture = Capture::new(Link::ethernet());
        for packet in &talk.packets {
            capture.frame(wrap(kind, packet));
        }
        let of = |workers| {
            let delivery = stream::Settings::suricata().delivery;
            replay_with(&capture.frames, rules, &settings(workers, Mode::Ids), delivery).alerts
        };
        assert_eq!((of(0), of(3)), (vec![(1, 8, Dir::ToServer)], vec![(1, 8, Dir::ToServer)]), "{kind:x}");
    }
}

#[test]
fn the_two_directions_through_two_tunnels_are_one_session_where_the_settings_join_them() {
    let mut talk = TcpConversation::new(addr(11, 4000), addr(12, 80), 1);
    talk.handshake().send(Dir::ToServer, b"a needle", 100);
    let packets = talk.packets.iter().map(|packet| {
        let from_client = packet[12..16] == [10, 0, 0, 11];
        through(&Tunnel::ErspanI, if from_client { (1, 2) } else { (3, 4) }, packet)
    });
    let frames = captured(packets);
    let rules = "alert tcp any any -> any any (flow:established,to_server; content:\"needle\"; sid:1;)";
    for (sessions, alerts) in [(InnerSessions::OfTunnel, 0), (InnerSessions::Joined, 1)] {
        for workers in [0, 3] {
            let tunnels = Tunnels::default().keeping(sessions);
            let settings = Settings { tunnels, ..settings(workers, Mode::Ids) };
            let delivery = stream::Settings::suricata().delivery;
            let found = replay_with(&frames, rules, &settings, delivery).alerts.len();
            assert_eq!(found, alerts, "{sessions:?}, {workers} workers");
        }
    }
}

#[test]
fn the_record_of_an_inner_session_names_its_tunnel() {
    let packet = build::udp_packet(addr(11, 4000), addr(12, 9), &IpFields::default(), b"inner");
    let answer = build::udp_packet(addr(12, 9), addr(11, 4000), &IpFields::default(), b"inner");
    // The same inner ends in two tunnels, the second within a third.
    let nested = through(&Tunnel::Vxlan(2), (3, 4), &packet);
    let nested = through(&Tunnel::Ip, (5, 6), &nested);
    for (joined, inner) in [(InnerSessions::OfTunnel, true), (InnerSessions::Joined, false)] {
        let tunnels = Tunnels::default().keeping(joined);
        let plan = detection(&engine(""), 2);
        let mut rig = Rig::with(&plan, &Settings { tunnels, ..settings(1, Mode::Ips) });
        rig.packet(Dir::ToServer, &through(&Tunnel::Vxlan(1), (1, 2), &packet));
        rig.packet(Dir::ToClient, &through(&Tunnel::Vxlan(1), (2, 1), &answer));
        rig.packet(Dir::ToServer, &nested);
        let told = |event: &Event| match event.body {
            EventBody::Flow(flow) => {
                let ends =
                    |outer: Outer| (outer.tuple.src_ip(), outer.tuple.dst_ip(), outer.kind, outer.depth);
                Some((flow.stats.tuple.dport, flow.outer.map(ends)))
            }
            _ => None,
        };
        let mut told: Vec<_> = rig.finish().iter().filter_map(told).collect();
        told.retain(|(port, outer)| outer.is_some() || *port == 9);
        told.sort_by_key(|(_, outer)| outer.map(|outer| outer.3));
        let one = (addr(1, 0).ip(), addr(2, 0).ip(), TunnelKind::Vxlan, 1);
        let around = (addr(5, 0).ip(), addr(6, 0).ip(), TunnelKind::Ipv4, 1);
        let two = (addr(5, 0).ip(), addr(6, 0).ip(), TunnelKind::Vxlan, 2);
        if inner {
            let ports: Vec<_> = told.iter().map(|(_, outer)| outer.unwrap()).collect();
            assert_eq!(ports.len(), 3, "{told:?}");
            assert!([one, around, two].iter().all(|expected| ports.contains(expected)), "{told:?}");
        } else {
            assert!(told.iter().all(|(_, outer)| outer.is_none()) && !told.is_empty(), "{told:?}");
        }
    }
}

/// Whatever sessions belong to, a datagram's pieces come by one way.
#[test]
fn pieces_that_differ_in_any_number_around_them_are_no_datagram() {
    let [first, last] = &pieces()[..] else { panic!() };
    let shim =
        |kind: u16, before: &[u8], packet: &[u8]| Link::ethernet().wrap_as(kind, &[before, packet].concat());
    type Wrap<'a> = &'a dyn Fn(u8, &[u8]) -> Vec<u8>;
    let tunnelled = |tunnel: Tunnel, packet: &[u8]| Link::ethernet().wrap(&through(&tunnel, (1, 2), packet));
    let ways: [(&str, Wrap<'_>); 6] = [
        ("PPPoE", &|n, packet| Link::ethernet().wrap_as(0x8864, &pppoe(n.into(), packet))),
        ("MPLS", &|n, packet| Link::ethernet().wrap_as(0x8847, &mpls(&[u32::from(n) + 100], packet))),
        ("802.1ah", &|n, packet| shim(0x88e7, &[0, 0, 0, n], &Link::ethernet().wrap(packet))),
        ("VN-Tag", &|n, packet| shim(0x8926, &[0, 0, 0, n, 8, 0], packet)),
        ("GTP-U", &|n, packet| tunnelled(Tunnel::GtpU(n.into()), packet)),
        ("VXLAN", &|n, packet| tunnelled(Tunnel::Vxlan(n.into()), packet)),
    ];
    for (what, wrap) in ways {
        for sessions in [InnerSessions::OfTunnel, InnerSessions::Joined] {
            let alerts = |other: u8| {
                let mut capture = Capture::new(Link::ethernet());
                capture.frame(wrap(1, first)).frame(wrap(other, last));
                let tunnels = Tunnels::default().keeping(sessions);
                replay(&capture.frames, NEEDLE, &Settings { tunnels, ..settings(2, Mode::Ids) }).alerts.len()
            };
            assert_eq!((alerts(1), alerts(2)), (1, 0), "{what}, {sessions:?}");
        }
    }
}

#[test]
fn the_record_of_a_rebuilt_inner_datagram_that_carries_another_tunnel_names_its_own() {
    let packet = build::udp_packet(addr(11, 4000), addr(12, 9), &IpFields::default(), b"inner");
    let middle = through(&Tunnel::Ip, (5, 6), &packet);
    let plan = detection(&engine(""), 2);
    let mut rig = Rig::with(&plan, &settings(1, Mode::Ips));
    for piece in build::fragments(&middle, 7, &[24]) {
        rig.packet(Dir::ToServer, &through(&Tunnel::Vxlan(1), (1, 2), &piece));
    }
    let told = |event: &Event| match event.body {
        EventBody::Flow(flow) => {
            let ends = |outer: Outer| (outer.tuple.dst_ip(), outer.kind, outer.depth);
            Some((flow.stats.tuple.dst_ip(), flow.outer.map(ends)))
        }
        _ => None,
    };
    let told: Vec<_> = rig.finish().iter().filter_map(told).collect();
    let of = |n: u32| told.iter().find(|(dst, _)| *dst == addr(n, 1).ip()).map(|(_, outer)| *outer);
    let end = addr(2, 1).ip();
    assert_eq!(of(6), Some(Some((end, TunnelKind::Vxlan, 1))), "the one put together: {told:?}");
    assert_eq!(of(12), Some(Some((end, TunnelKind::Ipv4, 2))));
}

/// A burst's packets are decoded ahead of their turn, those in tunnels too: whose is whose must not be mixed up.
#[test]
fn a_burst_of_packets_in_and_out_of_tunnels_is_taken_as_its_frames_one_by_one() {
    let inner =
        |n: u32| build::udp_packet(addr(11 + n % 7, 9), addr(12, 8), &IpFields::default(), b"a needle");
    let of_pieces = build::fragments(&inner(5), 5, &[8]);
    let packets: Vec<Vec<u8>> = (0..70)
        .map(|n| match n % 7 {
            0 => inner(n),
            1 => through(&Tunnel::Vxlan(n % 3), (1, 2), &inner(n)),
            2 => through(&Tunnel::Ip, (3, 4), &through(&Tunnel::Vxlan(1), (1, 2), &inner(n))),
            3 => through(&Tunnel::Vxlan(9), (1, 2), &of_pieces[n as usize / 7 % 2]),
            4 => build::fragment(&through(&Tunnel::Vxlan(8), (1, 2), &inner(n)), n / 14, 0..64, true),
            5 => through(&Tunnel::Vxlan(1), (1, 2), &[0x4f; 30]),
            _ => through(&Tunnel::Gre { key: Some(n), sequence: None }, (1, 2), &inner(n)),
        })
        .collect();
    let frames: Vec<_> = packets.iter().map(|packet| Link::ethernet().wrap(packet)).collect();
    let told = |size: usize| {
        let mut rig = Rig::with(&detection(&engine(NEEDLE), 2), &settings(1, Mode::Ips));
        frames.chunks(size).for_each(|some| rig.frames(INSIDE, some));
        let sent = rig.sent.clone();
        let mut said: Vec<_> = rig
            .finish()
            .iter()
            .filter_map(|event| match event.body {
                EventBody::Flow(flow) => {
                    let outer = flow.outer.map(|outer| (outer.tuple, outer.kind, outer.depth));
                    Some(format!("{:?} {:?} {outer:?}", flow.stats.tuple, flow.stats.packets))
                }
                EventBody::Alert(_) => Some("alert".to_owned()),
                _ => None,
            })
            .collect();
        said.sort();
        (sent, said)
    };
    let one_by_one = told(1);
    assert!(one_by_one.1.iter().filter(|said| *said == "alert").count() > 20);
    for size in [5, 32, 70] {
        assert_eq!(told(size), one_by_one, "{size} at once");
    }
}
