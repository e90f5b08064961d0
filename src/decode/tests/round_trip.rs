use super::*;
use crate::base::Addr;
use crate::wire::build::*;
use crate::wire::ip_proto;
use proptest::prelude::*;
use std::net::SocketAddr;

fn endpoint(v6: bool) -> BoxedStrategy<SocketAddr> {
    if v6 {
        any::<([u8; 16], u16)>().prop_map(SocketAddr::from).boxed()
    } else {
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from).boxed()
    }
}

/// (two ends of one family, seed, payload)
fn talk() -> impl Strategy<Value = (SocketAddr, SocketAddr, u64, Vec<u8>)> {
    any::<bool>().prop_flat_map(|v6| {
        (endpoint(v6), endpoint(v6), any::<u64>(), prop::collection::vec(any::<u8>(), 0..200))
    })
}

fn fields(random: &mut Random) -> IpFields {
    let options = [vec![], vec![148, 4, 0, 0], vec![1, 1, 7, 7, 4, 0, 0, 0, 0]];
    let extensions = [
        vec![],
        vec![(ip_proto::HOP_BY_HOP, vec![5, 2, 0, 0])],
        vec![(ip_proto::DESTINATION, vec![0xc9, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
        vec![
            (ip_proto::HOP_BY_HOP, vec![5, 2]),
            (ip_proto::ROUTING, vec![4, 0]),
            (ip_proto::FRAGMENT, vec![0; 6]),
        ],
    ];
    IpFields {
        ttl: random.number() as u8,
        tos: random.number() as u8,
        id: random.number() as u16,
        dont_fragment: random.number() & 1 == 1,
        options: options[random.below(options.len())].clone(),
        extensions: extensions[random.below(extensions.len())].clone(),
    }
}

fn check_ip(out: &Decoded, src: SocketAddr, dst: SocketAddr, fields: &IpFields) {
    let ip = out.ip.unwrap();
    let ((source, family), (destination, _)) = (Addr::from_ip(src.ip()), Addr::from_ip(dst.ip()));
    assert_eq!((out.tuple.src, out.tuple.dst, out.tuple.family), (source, destination, family));
    assert_eq!((ip.ttl, ip.tos, ip.family), (fields.ttl, fields.tos, family));
    if family == Family::V4 {
        assert_eq!((ip.id, ip.dont_fragment), (fields.id, fields.dont_fragment));
    }
    assert_eq!(out.invalid, None, "{:?}", out.anomalies);
}

proptest! {
    #[test]
    fn tcp_comes_out_as_it_went_in((a, b, seed, payload) in talk()) {
        let mut random = Random::new(seed);
        let ip = fields(&mut random);
        let options = TcpOptions {
            mss: (random.number() & 1 == 1).then_some(random.number() as u16),
            window_scale: (random.number() & 1 == 1).then_some(random.number() as u8),
            sack_permitted: random.number() & 1 == 1,
            timestamps: (random.number() & 1 == 1).then_some((random.number() as u32, 5)),
            fast_open: (random.number() & 1 == 1).then(|| vec![1, 2, 3, 4]),
            raw: vec![],
        };
        let segment = Segment {
            seq: random.number() as u32, ack: random.number() as u32, flags: random.number() as u8,
            window: random.number() as u16, urgent: random.number() as u16,
            options: options.clone(), payload: &payload,
        };
        for (link, link_type) in links() {
            let mut frame = link.wrap(&tcp_packet(a, b, &ip, &segment));
            // Ethernet pads short frames; the padding is not payload.
            frame.extend([0xee; 7]);
            let out = decoded(&frame, link_type);
            within(&out, &frame);
            check_ip(&out, a, b, &ip);
            prop_assert_eq!((out.tuple.sport, out.tuple.dport, out.tuple.proto), (a.port(), b.port(), 6));
            prop_assert_eq!(&frame[out.payload_range()], &payload[..]);
            let tcp = out.tcp().unwrap();
            prop_assert_eq!((tcp.seq, tcp.ack, tcp.flags), (segment.seq, segment.ack, segment.flags));
            prop_assert_eq!((tcp.window, tcp.urgent), (segment.window, segment.urgent));
            prop_assert_eq!((tcp.mss, tcp.window_scale), (options.mss, options.window_scale));
            prop_assert_eq!((tcp.sack_permitted, tcp.timestamps), (options.sack_permitted, options.timestamps));
            prop_assert_eq!(tcp.fast_open, options.fast_open.is_some());
            prop_assert_eq!(checksum_valid(&out, &frame), Some(true));
            prop_assert_eq!(ip_checksum_valid(&out, &frame), a.is_ipv4().then_some(true));
        }
    }

    #[test]
    fn udp_icmp_and_sctp_come_out_as_they_went_in((a, b, seed, payload) in talk()) {
        let mut random = Random::new(seed);
        let ip = fields(&mut random);
        let family = if a.is_ipv4() { Family::V4 } else { Family::V6 };
        let udp = udp_packet(a, b, &ip, &payload);
        let sctp = sctp_packet(a, b, &ip, 1, &[(0, 3, &payload)]);
        let icmp = icmp_packet(a.ip(), b.ip(), &ip, &Message::echo(family, true, 4, 5, &payload));
        for packet in [&udp, &sctp, &icmp] {
            let out = of_packet(packet);
            within(&out, packet);
            check_ip(&out, a, b, &ip);
            prop_assert_eq!(checksum_valid(&out, packet), Some(true));
            let mut spoiled = packet.clone();
            spoil_checksum(&mut spoiled);
            let bad = checksum_valid(&of_packet(&spoiled), &spoiled);
            // Spoiling may leave UDP's zero, which says "none".
            prop_assert!(bad == Some(false) || spoiled[out.l4_at as usize + 6..][..2] == [0, 0]);
        }
        let out = of_packet(&udp);
        prop_assert_eq!(out.l4, L4::Udp);
        prop_assert_eq!((out.tuple.sport, out.tuple.dport), (a.port(), b.port()));
        prop_assert_eq!(&udp[out.payload_range()], &payload[..]);
        prop_assert_eq!(of_packet(&sctp).l4, L4::Sctp);
        let out = of_packet(&icmp);
        prop_assert_eq!((out.tuple.sport, out.tuple.dport), (4, 4));
        prop_assert_eq!(&icmp[out.payload_range()], &payload[..]);
        let echo = matches!(out.l4, L4::Icmp4 { id: 4, seq: 5, .. } | L4::Icmp6 { id: 4, seq: 5, .. });
        prop_assert!(echo);
    }

    #[test]
    fn fragments_say_where_they_belong((a, b, _, payload) in talk(), id: u16, size in 8usize..100) {
        let packet = udp_packet(a, b, &IpFields::default(), &payload);
        for piece in fragments(&packet, u32::from(id), &[size]) {
            let out = of_packet(&piece);
            within(&out, &piece);
            let Some(fragment) = out.ip.unwrap().fragment else {
                prop_assert_eq!(out.anomalies.as_slice(), if a.is_ipv4() { &[][..] } else { &[Anomaly::Ipv6ExthdrUselessFh] });
                continue;
            };
            prop_assert_eq!((fragment.id, fragment.next_header), (u32::from(id), 17));
            prop_assert_eq!(out.tuple.proto, if a.is_ipv4() { 17 } else { 44 });
            prop_assert_eq!((out.l4, out.tuple.sport), (L4::None, 0));
            let header = if a.is_ipv4() { 20 } else { 40 };
            let at = header + usize::from(fragment.offset);
            let range = fragment.payload as usize..fragment.payload as usize + usize::from(fragment.payload_len);
            prop_assert_eq!(&piece[range], &packet[at..at + usize::from(fragment.payload_len)]);
            if a.is_ipv6() {
                prop_assert_eq!(piece[fragment.next_header_at as usize], 44);
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), dlt in 0usize..12) {
        let link = [0u16, 1, 1, 1, 9, 101, 101, 101, 104, 108, 113, 276][dlt];
        let out = decoded(&bytes, LinkType::from_dlt(link));
        within(&out, &bytes);
        let _ = (checksum_valid(&out, &bytes), ip_checksum_valid(&out, &bytes));
        let _ = crate::decode::affinity(&bytes, LinkType::from_dlt(link), &by_ports());
    }

    #[test]
    fn a_packet_with_some_bytes_changed_or_cut_does_not_make_it_panic(
        (a, b, seed, payload) in talk(),
        changes in prop::collection::vec((0usize..120, any::<u8>()), 0..6),
        cut in 0usize..400,
    ) {
        let ip = fields(&mut Random::new(seed));
        let options = TcpOptions { mss: Some(1), timestamps: Some((1, 2)), ..TcpOptions::default() };
        let tcp = tcp_packet(a, b, &ip, &Segment { options, payload: &payload, ..Segment::default() });
        let error = if a.is_ipv4() { 3 } else { 1 };
        let error = icmp_error(b.ip(), error, 0, 0, &tcp).unwrap();
        for mut packet in [tcp, error] {
            for (at, value) in &changes {
                if let Some(byte) = packet.get_mut(*at) { *byte = *value; }
            }
            packet.truncate(cut);
            let out = of_packet(&packet);
            within(&out, &packet);
            let _ = (checksum_valid(&out, &packet), ip_checksum_valid(&out, &packet));
            let _ = crate::decode::affinity(&packet, LinkType::RawIp, &by_ports());
        }
    }
}

#[test]
fn every_truncation_of_every_packet_is_refused_without_a_panic() {
    let (a, b) = ("[fd00::1]:1".parse().unwrap(), "[fd00::2]:2".parse().unwrap());
    let (c, d): (SocketAddr, SocketAddr) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
    let rich = IpFields {
        options: vec![148, 4, 0, 0],
        extensions: vec![(0, vec![5, 2]), (60, vec![1, 4]), (44, vec![0; 6])],
        ..IpFields::default()
    };
    for (a, b) in [(a, b), (c, d)] {
        let tcp = tcp_packet(a, b, &rich, &Segment { payload: b"data", ..Segment::default() });
        let error = icmp_error(b.ip(), if a.is_ipv4() { 3 } else { 1 }, 0, 0, &tcp).unwrap();
        let udp = udp_packet(a, b, &rich, b"datagram");
        let piece = fragment(&udp, 7, 0..8, true);
        for packet in [tcp, error, udp, piece] {
            for (link, link_type) in links() {
                let frame = link.wrap(&packet);
                for len in 0..frame.len() {
                    let out = decoded(&frame[..len], link_type);
                    within(&out, &frame[..len]);
                    let _ = crate::decode::affinity(&frame[..len], link_type, &by_ports());
                    // PPP's first byte alone reads as another protocol, in short form.
                    let refused = out.invalid.is_some() || out.anomalies[..] == [Anomaly::PppUnsupProto];
                    assert!(refused, "{link:?} cut to {len}: {out:?}");
                }
            }
        }
    }
}
