use super::*;
use crate::base::{Dir, Family};
use crate::wire::checksum::internet;
use crate::wire::icmp::Icmp;
use crate::wire::ipv6::FragmentHeader;
use crate::wire::sctp::Sctp;
use crate::wire::tcp::{Options, Tcp, TcpOption};
use std::net::{IpAddr, SocketAddr};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_tcp_packet_reads_back_as_it_was_built() {
    let segment = Segment {
        seq: 7,
        ack: 9,
        flags: 0x12,
        window: 1000,
        options: TcpOptions {
            mss: Some(1400),
            window_scale: Some(3),
            timestamps: Some((1, 2)),
            ..TcpOptions::default()
        },
        payload: b"hello",
        ..Segment::default()
    };
    let fields = IpFields { options: vec![148, 4, 0, 0], ttl: 3, id: 77, ..IpFields::default() };
    let packet = tcp_packet(at("10.0.0.1:1025"), at("10.0.0.2:80"), &fields, &segment);
    let ip = Ipv4::parse(&packet).unwrap();
    assert_eq!((ip.ttl(), ip.id(), ip.header_len(), ip.proto()), (3, 77, 24, 6));
    assert_eq!(internet(&packet[..24]), 0);
    let tcp = Tcp::parse(ip.payload()).unwrap();
    assert_eq!((tcp.source_port(), tcp.destination_port()), (1025, 80));
    assert_eq!((tcp.seq(), tcp.ack(), tcp.flags(), tcp.window()), (7, 9, 0x12, 1000));
    assert_eq!(tcp.payload(), b"hello");
    let options: Result<Vec<_>, _> = Options(tcp.options()).collect();
    let expected =
        [TcpOption::Mss(1400), TcpOption::WindowScale(3), TcpOption::Timestamps { value: 1, echo: 2 }];
    assert_eq!(options.unwrap(), expected);
}

#[test]
fn extension_headers_are_chained_and_padded() {
    let fields = IpFields {
        extensions: vec![(0, vec![5, 2, 0, 0]), (43, vec![4, 0]), (44, vec![0, 8, 0, 0, 0, 9])],
        ..IpFields::default()
    };
    let packet = udp_packet(at("[fd00::1]:53"), at("[fd00::2]:5353"), &fields, b"x");
    let ip = Ipv6::parse(&packet).unwrap();
    assert_eq!((ip.next_header(), ip.payload().len()), (0, 8 + 8 + 8 + 9));
    assert_eq!(upper(&packet), Some((64, 17)));
    let fragment = FragmentHeader::parse(&packet[56..]).unwrap();
    assert_eq!((fragment.next_header, fragment.offset, fragment.more, fragment.id), (17, 8, false, 9));
}

#[test]
fn icmp_and_sctp_carry_right_checksums() {
    let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    let packet = icmp_packet(a, b, &IpFields::default(), &Message::echo(Family::V4, true, 5, 6, b"abc"));
    let body = Ipv4::parse(&packet).unwrap().payload();
    let icmp = Icmp::parse(body, Family::V4).unwrap();
    assert_eq!((icmp.kind(), icmp.id(), icmp.seq(), internet(body)), (8, 5, 6, 0));
    let mut packet =
        sctp_packet(at("10.0.0.1:7"), at("10.0.0.2:7"), &IpFields::default(), 3, &[(0, 3, b"abcde")]);
    assert!(Sctp::parse(&packet[20..]).unwrap().checksum_valid());
    spoil_checksum(&mut packet);
    assert!(!Sctp::parse(&packet[20..]).unwrap().checksum_valid());
}

#[test]
fn pieces_put_end_to_end_are_the_payload_again() {
    for (a, b) in [("10.0.0.1:1", "10.0.0.2:2"), ("[fd00::1]:1", "[fd00::2]:2")] {
        let data = Random::new(1).bytes(3001);
        let packet = udp_packet(at(a), at(b), &IpFields::default(), &data);
        let header = if a.starts_with('[') { 40 } else { 20 };
        let pieces = fragments(&packet, 9, &[1480, 24, 3]);
        let mut whole: Vec<u8> = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let (offset, more, body) = match Ipv4::parse(piece) {
                Ok(v4) => {
                    let (offset, more) = v4.fragment().unwrap();
                    assert_eq!(internet(&piece[..20]), 0);
                    (offset, more, v4.payload())
                }
                Err(_) => {
                    let fragment = FragmentHeader::parse(&piece[40..]).unwrap();
                    (fragment.offset, fragment.more, &piece[48..])
                }
            };
            assert_eq!((usize::from(offset), more), (whole.len(), index + 1 < pieces.len()));
            whole.extend(body);
        }
        assert_eq!(whole, packet[header..]);
    }
}

#[test]
fn a_conversation_numbers_its_bytes() {
    let mut talk = TcpConversation::new(at("10.0.0.1:1025"), at("10.0.0.2:80"), 1);
    talk.handshake()
        .send(Dir::ToServer, b"0123456789", 4)
        .send(Dir::ToClient, b"ok", 1460)
        .close(Dir::ToServer);
    let flags: Vec<u8> = talk.packets.iter().map(|p| Tcp::parse(&p[20..]).unwrap().flags()).collect();
    assert_eq!(flags, [2, 0x12, 0x10, 0x18, 0x18, 0x18, 0x10, 0x18, 0x10, 0x11, 0x11, 0x10]);
    let last = Tcp::parse(&talk.packets[11][20..]).unwrap();
    let first = Tcp::parse(&talk.packets[0][20..]).unwrap();
    assert_eq!(last.seq().wrapping_sub(first.seq()), 1 + 10 + 1);
    let again = talk.segment(Dir::ToServer, 4, b"4567");
    assert_eq!(Tcp::parse(&again[20..]).unwrap().seq(), Tcp::parse(&talk.packets[4][20..]).unwrap().seq());
}

#[test]
fn a_pcap_file_has_the_frames_and_their_times() {
    let mut capture = Capture::new(Link::RawIp);
    capture.packets([[0x45u8, 0, 0]]).frame(vec![1]);
    let file = capture.pcap();
    assert_eq!(file.len(), 24 + 16 + 3 + 16 + 1);
    assert_eq!(&file[20..24], [101, 0, 0, 0]);
    assert_eq!(&file[43 + 4..43 + 8], 1000u32.to_le_bytes());
}
