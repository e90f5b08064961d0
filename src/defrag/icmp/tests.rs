use super::*;
use crate::decode::{Decoded, L4, Tunnels, checksum_valid, decode, ip_checksum_valid};
use crate::io::memory::HeapPool;
use crate::wire::build::{IpFields, Link, fragment, icmp_error as build_error, ip_packet, udp_packet};
use std::net::SocketAddr;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The error about an Ethernet frame with this packet, as bytes.
fn about(packet: &[u8], error: IcmpError) -> Option<Vec<u8>> {
    let pool = HeapPool::default();
    let frame = pool.frame(&Link::tagged(&[7]).wrap(packet));
    let frame = icmp_error(
        &frame,
        LinkType::Ethernet,
        Place { ip: 18, ..Place::default() },
        error,
        Towards::Source,
        &mut pool.clone(),
    )?;
    Some(frame.segments().flatten().copied().collect())
}

#[test]
fn an_error_goes_back_to_the_sender_with_right_checksums_and_quotes_the_packet() {
    let ends = [("10.0.0.1:1000", "10.0.0.2:53", 576), ("[2001:db8::1]:1000", "[2001:db8::2]:53", 1280)];
    for (from, to, longest) in ends {
        for error in [IcmpError::TooBig { mtu: 1400 }, IcmpError::ReassemblyTime] {
            for payload in [4, 3000] {
                let packet = udp_packet(at(from), at(to), &IpFields::default(), &vec![5; payload]);
                let bytes = about(&packet, error).unwrap();
                let there = Link::tagged(&[7]).wrap(&packet);
                assert_eq!((&bytes[..6], &bytes[6..12]), (&there[6..12], &there[..6]), "back");
                let mut decoded = Decoded::default();
                decode(&bytes, LinkType::Ethernet, &Tunnels::none(), &mut decoded);
                let ip = decoded.ip.unwrap();
                assert_eq!(
                    (ip.total_len as usize == longest, ip.total_len as usize <= longest),
                    (payload > 4, true)
                );
                assert_ne!(ip_checksum_valid(&decoded, &bytes), Some(false));
                assert_eq!(checksum_valid(&decoded, &bytes), Some(true));
                let quoted = decoded.quoted.unwrap();
                assert_eq!(
                    (quoted.dst, quoted.dport),
                    (decoded.tuple.src, 53),
                    "the receiver seems to say it"
                );
                assert_eq!(quoted.src, decoded.tuple.dst);
                let (kind, code, rest) = words(ip.family, error);
                let (L4::Icmp4 { kind: is, code: of, .. } | L4::Icmp6 { kind: is, code: of, .. }) =
                    decoded.l4
                else {
                    panic!("{:?}", decoded.l4)
                };
                assert_eq!((is, of), (kind, code));
                let at = decoded.l4_at as usize;
                assert_eq!(bytes[at + 4..at + 8], rest.to_be_bytes());
            }
        }
    }
}

#[test]
fn none_is_sent_about_errors_later_fragments_and_no_single_hosts() {
    let fields = IpFields::default();
    let plain = udp_packet(at("10.0.0.1:1"), at("10.0.0.2:2"), &fields, &[0; 100]);
    let plain_v6 = udp_packet(at("[fd00::1]:1"), at("[fd00::2]:2"), &fields, &[0; 100]);
    let many = |from, to| udp_packet(at(from), at(to), &fields, &[0; 100]);
    let silent = [
        build_error(at("10.0.0.9:0").ip(), 3, 4, 0, &plain).unwrap(),
        build_error(at("[fd00::9]:0").ip(), 2, 0, 0, &plain_v6).unwrap(),
        fragment(&plain, 1, 16..40, true),
        many("10.0.0.1:1", "224.0.0.5:2"),
        many("0.0.0.0:68", "255.255.255.255:67"),
        many("[::]:1", "[fd00::2]:2"),
        ip_packet(at("10.0.0.1:0").ip(), at("10.0.0.2:0").ip(), ip_proto::ICMP, &fields, &[]),
        vec![0x45, 0],
        vec![],
    ];
    for (n, packet) in silent.iter().enumerate() {
        assert_eq!(about(packet, IcmpError::TooBig { mtu: 1400 }), None, "packet {n}");
    }
    assert!(about(&fragment(&plain, 1, 0..40, true), IcmpError::ReassemblyTime).is_some());
    assert_eq!(about(&many("[fd00::1]:1", "[ff02::1]:2"), IcmpError::ReassemblyTime), None);
    // What came for all stations is nobody's to answer, whatever its address says.
    let (pool, there) = (HeapPool::default(), Link::ethernet().wrap(&plain));
    let frame = pool.frame(&[&[0xff; 6], &there[6..]].concat());
    for error in [IcmpError::TooBig { mtu: 1400 }, IcmpError::Prohibited] {
        let place = Place { ip: 14, ..Place::default() };
        let told = icmp_error(&frame, LinkType::Ethernet, place, error, Towards::Source, &mut pool.clone());
        assert!(told.is_none(), "{error:?}");
    }
}

/// RFC 4443, section 2.4 (e.3): the one error that there is about what goes to a group.
#[test]
fn the_sender_to_an_ipv6_group_hears_what_is_too_big_from_its_own_networks_routers() {
    let packet = udp_packet(at("[2001:db8:1:2:3::4]:1"), at("[ff0e::1]:2"), &IpFields::default(), &[0; 3000]);
    let bytes = about(&packet, IcmpError::TooBig { mtu: 1400 }).unwrap();
    assert_eq!(bytes[6] & 1, 0, "no frame is from a group of stations");
    let mut decoded = Decoded::default();
    decode(&bytes, LinkType::Ethernet, &Tunnels::none(), &mut decoded);
    assert_eq!(decoded.tuple.src_ip(), at("[2001:db8:1:2::]:0").ip());
    assert_eq!(decoded.tuple.dst_ip(), at("[2001:db8:1:2:3::4]:0").ip());
    assert_eq!(checksum_valid(&decoded, &bytes), Some(true));
    assert!(matches!(decoded.l4, L4::Icmp6 { kind: 2, code: 0, .. }));
    let there = Link::ethernet().wrap(&packet);
    let group = [&[0x33, 0x33, 0, 0, 0, 1], &there[6..]].concat();
    let place = Place { ip: 14, ..Place::default() };
    let pool = HeapPool::default();
    let error = IcmpError::TooBig { mtu: 1400 };
    let back =
        icmp_error(&pool.frame(&group), LinkType::Ethernet, place, error, Towards::Source, &mut pool.clone());
    let back: Vec<u8> = back.unwrap().segments().flatten().copied().collect();
    assert_eq!((&back[..6], &back[6..12]), (&there[6..12], &[0x32, 0x33, 0, 0, 0, 1][..]));
}

#[test]
fn whom_the_packet_was_for_is_told_of_one_it_might_have_sent() {
    for (from, to) in [("10.0.0.1:1000", "10.0.0.2:53"), ("[2001:db8::1]:1000", "[2001:db8::2]:53")] {
        let (pool, packet) = (HeapPool::default(), udp_packet(at(from), at(to), &IpFields::default(), b"x"));
        let there = Link::tagged(&[7]).wrap(&packet);
        let frame = pool.frame(&there);
        let (error, link) = (IcmpError::Prohibited, LinkType::Ethernet);
        let frame = icmp_error(
            &frame,
            link,
            Place { ip: 18, ..Place::default() },
            error,
            Towards::Destination,
            &mut pool.clone(),
        )
        .unwrap();
        let bytes: Vec<u8> = frame.segments().flatten().copied().collect();
        assert_eq!(bytes[..18], there[..18], "on the packet's way");
        let mut decoded = Decoded::default();
        decode(&bytes, link, &Tunnels::default(), &mut decoded);
        assert_eq!((decoded.tuple.src_ip(), decoded.tuple.dst_ip()), (at(from).ip(), at(to).ip()));
        assert_eq!(checksum_valid(&decoded, &bytes), Some(true));
        let quoted = decoded.quoted.unwrap();
        assert_eq!((quoted.src_ip(), quoted.sport), (at(to).ip(), at(to).port()));
        assert_eq!((quoted.dst_ip(), quoted.dport), (at(from).ip(), at(from).port()));
    }
}
