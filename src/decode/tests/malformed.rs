//! Each anomaly that decoding can raise, from the least packet that shows it.

use super::*;
use crate::wire::build::*;
use std::net::{IpAddr, SocketAddr};

fn v4() -> (SocketAddr, SocketAddr) {
    ("10.0.0.1:1025".parse().unwrap(), "10.0.0.2:80".parse().unwrap())
}

fn v6() -> (SocketAddr, SocketAddr) {
    ("[fd00::1]:1025".parse().unwrap(), "[fd00::2]:80".parse().unwrap())
}

fn udp4() -> Vec<u8> {
    let (a, b) = v4();
    udp_packet(a, b, &IpFields::default(), b"data")
}

fn changed(mut packet: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    packet[at] = value;
    packet
}

fn with_options(options: &[u8]) -> Vec<u8> {
    let (a, b) = v4();
    udp_packet(a, b, &IpFields { options: options.to_vec(), ..IpFields::default() }, b"data")
}

fn with_extensions(extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let (a, b) = v6();
    let extensions = extensions.iter().map(|(kind, body)| (*kind, body.to_vec())).collect();
    udp_packet(a, b, &IpFields { extensions, ..IpFields::default() }, b"data")
}

fn with_tcp_options(raw: &[u8]) -> Vec<u8> {
    let (a, b) = v4();
    let options = TcpOptions { raw: raw.to_vec(), ..TcpOptions::default() };
    tcp_packet(a, b, &IpFields::default(), &Segment { options, ..Segment::default() })
}

fn carrying(v6_too: bool, proto: u8, payload: &[u8]) -> Vec<u8> {
    let (a, b) = if v6_too { v6() } else { v4() };
    ip_packet(a.ip(), b.ip(), proto, &IpFields::default(), payload)
}

fn icmp(a: IpAddr, b: IpAddr, kind: u8, code: u8, payload: &[u8]) -> Vec<u8> {
    icmp_packet(a, b, &IpFields::default(), &Message { kind, code, rest: 0, payload })
}

#[track_caller]
fn shows(packet: &[u8], anomalies: &[Anomaly]) -> Decoded {
    let out = of_packet(packet);
    within(&out, packet);
    assert_eq!(out.anomalies.as_slice(), anomalies);
    let fatal = anomalies.iter().any(|a| a.effect() == Effect::Invalid);
    assert_eq!(out.invalid, fatal.then_some(DropReason::Malformed));
    out
}

#[test]
fn ipv4_headers() {
    shows(&udp4()[..19], &[Anomaly::Ipv4PktTooSmall]);
    shows(&changed(udp4(), 0, 0x44), &[Anomaly::Ipv4HlenTooSmall]);
    shows(&changed(udp4(), 3, 19), &[Anomaly::Ipv4IplenSmallerThanHlen]);
    shows(&changed(udp4(), 2, 1), &[Anomaly::Ipv4TruncPkt]);
    shows(&changed(udp4(), 0, 0x55), &[Anomaly::IprawInvalidIpVersion]);
    let frame = Link::ethernet().wrap_as(0x0800, &changed(udp4(), 0, 0x65));
    assert_eq!(decoded(&frame, LinkType::Ethernet).anomalies[..], [Anomaly::Ipv4WrongIpVersion]);
    let out = shows(&changed(udp4(), 9, 253), &[Anomaly::Ipv4UnknownProtocol]);
    assert!(out.ip.is_some() && out.l4 == L4::None && out.tuple.sport == 0);
    shows(&carrying(false, 58, &[0; 8]), &[Anomaly::Ipv4Icmpv6]);
    shows(&carrying(true, 1, &[0; 8]), &[Anomaly::Ipv6Icmpv4]);
    let mut far = fragment(&udp4(), 1, 0..8, false);
    (far[6], far[7]) = (0x1f, 0xff);
    shows(&far, &[Anomaly::Ipv4FragPktTooLarge]);
}

#[test]
fn ipv4_options() {
    shows(&with_options(&[1, 1, 1, 1]), &[]);
    // From a packet that Suricata reports with this event and without addresses.
    let out = shows(
        &with_options(&[0x82, 2, 0xf1, 0x35, 0, 0, 0xde, 0xad, 0xbe, 0xef, 0xaa]),
        &[Anomaly::Ipv4OptInvalidLen],
    );
    assert_eq!((out.ip, out.tuple), (None, FlowTuple::default()));
    shows(&with_options(&[7, 3, 9, 1]), &[Anomaly::Ipv4OptMalformed]);
    shows(&with_options(&[0, 0, 1, 0]), &[Anomaly::Ipv4OptPadRequired]);
    shows(&with_options(&[1, 1, 1, 7]), &[Anomaly::Ipv4OptEolRequired]);
    shows(&with_options(&[148, 4, 0, 0, 148, 4, 0, 0]), &[Anomaly::Ipv4OptDuplicate]);
    shows(&with_options(&[99, 4, 0, 0]), &[Anomaly::Ipv4OptUnknown]);
}

#[test]
fn ipv6_headers_and_their_chain() {
    let (a, b) = v6();
    let plain = udp_packet(a, b, &IpFields::default(), b"data");
    shows(&plain[..39], &[Anomaly::Ipv6PktTooSmall]);
    shows(&plain[..50], &[Anomaly::Ipv6TruncPkt]);
    shows(&with_extensions(&[(0, &[5, 2, 0, 0])]), &[]);
    shows(&with_extensions(&[(0, &[5, 2, 0, 0]), (0, &[5, 2, 0, 0])]), &[Anomaly::Ipv6ExthdrDuplHh]);
    shows(&with_extensions(&[(43, &[4, 0]), (43, &[4, 0])]), &[Anomaly::Ipv6ExthdrDuplRh]);
    shows(&with_extensions(&[(43, &[0, 0])]), &[Anomaly::Ipv6RhType0]);
    let twice = [(60, &[5, 2, 0, 0][..]), (60, &[5, 2, 0, 0])];
    shows(&with_extensions(&twice), &[]);
    shows(&with_extensions(&[twice[0], twice[0], twice[0]]), &[Anomaly::Ipv6ExthdrDuplDh]);
    let ah = (51, &[0; 14][..]);
    shows(&with_extensions(&[ah, ah]), &[Anomaly::Ipv6ExthdrDuplAh]);
    shows(&with_extensions(&[(51, &[0, 1, 0, 0, 0, 0])]), &[Anomaly::Ipv6ExthdrAhResNotNull]);
    shows(&with_extensions(&[(0, &[99, 0, 0, 0])]), &[Anomaly::Ipv6HopoptsUnknownOpt]);
    shows(&with_extensions(&[(0, &[1, 4, 0, 0])]), &[Anomaly::Ipv6HopoptsOnlyPadding]);
    shows(&with_extensions(&[(60, &[99, 0, 0, 0])]), &[Anomaly::Ipv6DstoptsUnknownOpt]);
    shows(&with_extensions(&[(60, &[])]), &[Anomaly::Ipv6DstoptsOnlyPadding]);
    shows(&with_extensions(&[(60, &[1, 0, 5, 2, 0, 0])]), &[Anomaly::Ipv6ZeroLenPadn]);
    shows(&with_extensions(&[(0, &[5, 9, 0, 0])]), &[Anomaly::Ipv6ExthdrInvalidOptlen]);
    shows(&with_extensions(&[(139, &[0; 6])]), &[Anomaly::Ipv6UnknownNextHeader]);
    shows(&carrying(true, 59, b"x"), &[Anomaly::Ipv6DataAfterNoneHeader]);
    shows(&carrying(true, 59, b""), &[]);
    shows(&carrying(true, 253, b"x"), &[Anomaly::Ipv6UnknownNextHeader]);
}

#[test]
fn a_jumbogram_is_refused() {
    shows(&with_extensions(&[(0, &[0xc2, 4, 0, 1, 0, 0])]), &[Anomaly::Ipv6ExthdrInvalidOptlen]);
    let mut packet = with_extensions(&[(0, &[0xc2, 4, 0, 1, 0, 0])]);
    (packet[4], packet[5]) = (0, 0);
    shows(&packet, &[Anomaly::Ipv6TruncExthdr]);
}

#[test]
fn ipv6_fragments() {
    let fh = |body: &[u8]| with_extensions(&[(44, body)]);
    let out = shows(&fh(&[0, 0, 0, 0, 0, 7]), &[Anomaly::Ipv6ExthdrUselessFh]);
    assert!(out.l4 == L4::Udp && !out.is_fragment());
    let long: Vec<_> = (0..130).map(|_| (44u8, &[0; 6][..])).collect();
    let out = shows(&with_extensions(&long), &[Anomaly::Ipv6ExthdrUselessFh, Anomaly::Ipv6ExthdrDuplFh]);
    assert_eq!((out.l4, out.tuple.sport), (L4::Udp, 1025));
    let longer: Vec<_> = (0..=MAX_EXTENSION_HEADERS).map(|_| (44u8, &[0; 6][..])).collect();
    assert!(of_packet(&with_extensions(&longer)).anomalies.contains(&Anomaly::TooManyLayers));
    let mut reserved = fh(&[0, 0, 0, 0, 0, 7]);
    reserved[41] = 1;
    shows(&reserved, &[Anomaly::Ipv6FhNonZeroReservedField, Anomaly::Ipv6ExthdrUselessFh]);
    let (a, b) = v6();
    let udp = udp_packet(a, b, &IpFields::default(), &[0; 30]);
    let out = shows(&fragment(&udp, 7, 0..13, true), &[Anomaly::Ipv6FragInvalidLength]);
    assert!(out.is_fragment() && out.tuple.proto == 44);
    let mut far = fragment(&udp, 7, 0..16, false);
    (far[42], far[43]) = (0xff, 0xf8);
    shows(&far, &[Anomaly::Ipv6FragPktTooLarge]);
    // A fragment header that announces TCP and has nothing behind it: Suricata names the two and protocol 44.
    let out = shows(
        &carrying(true, 44, &[6, 0, 0, 0, 0, 0, 0, 1]),
        &[Anomaly::Ipv6ExthdrUselessFh, Anomaly::Ipv6TruncExthdr],
    );
    assert_eq!((out.tuple.proto, out.tuple.src), (44, crate::base::Addr::from_ip(a.ip()).0));
}

#[test]
fn ip_in_ipv6() {
    shows(&carrying(true, 4, &[0x45; 19]), &[Anomaly::Ipv6Ipv4InIpv6TooSmall]);
    shows(&carrying(true, 4, &[0x56; 20]), &[Anomaly::Ipv6Ipv4InIpv6WrongVersion]);
    shows(&carrying(true, 41, &[0x60; 39]), &[Anomaly::Ipv6Ipv6InIpv6TooSmall]);
    shows(&carrying(true, 41, &[0x45; 40]), &[Anomaly::Ipv6Ipv6InIpv6WrongVersion]);
}

#[test]
fn transports() {
    shows(&carrying(false, 6, &[0; 19]), &[Anomaly::TcpPktTooSmall]);
    shows(&carrying(false, 6, &[0; 20]), &[Anomaly::TcpHlenTooSmall]);
    shows(&changed(with_tcp_options(&[]), 32, 0x60), &[Anomaly::TcpInvalidOptlen]);
    let out = shows(&with_tcp_options(&[2, 3, 1, 0]), &[Anomaly::TcpOptInvalidLen]);
    assert!(out.l4 == L4::None && out.ip.is_some());
    shows(&with_tcp_options(&[5, 2, 0, 0]), &[]);
    let out = shows(&with_tcp_options(&[2, 4, 0, 1, 2, 4, 0, 2]), &[Anomaly::TcpOptDuplicate]);
    assert_eq!(out.tcp().unwrap().mss, Some(1));
    shows(&carrying(true, 17, &[0; 7]), &[Anomaly::UdpPktTooSmall]);
    shows(&changed(udp4(), 25, 7), &[Anomaly::UdpLenInvalid]);
    shows(&changed(udp4(), 25, 13), &[Anomaly::UdpHlenTooSmall]);
    let out = shows(&changed(udp4(), 25, 10), &[Anomaly::UdpHlenInvalid]);
    assert_eq!(out.payload_len, 2);
    shows(&carrying(false, 132, &[0; 11]), &[Anomaly::SctpPktTooSmall]);
    shows(&carrying(false, 50, &[0; 7]), &[Anomaly::EspPktTooSmall]);
}

#[test]
fn icmp_messages() {
    let ((a, b), (c, d)) = (v4(), v6());
    shows(&carrying(false, 1, &[8; 7]), &[Anomaly::Icmpv4PktTooSmall]);
    shows(&carrying(true, 58, &[8; 7]), &[Anomaly::Icmpv6PktTooSmall]);
    shows(&icmp(a.ip(), b.ip(), 44, 0, b""), &[Anomaly::Icmpv4UnknownType]);
    shows(&icmp(a.ip(), b.ip(), 8, 1, b""), &[Anomaly::Icmpv4UnknownCode]);
    shows(&icmp(a.ip(), b.ip(), 3, 1, &[0x45; 10]), &[Anomaly::Icmpv4Ipv4TruncPkt]);
    shows(&icmp(a.ip(), b.ip(), 3, 1, &[0x65; 40]), &[Anomaly::Icmpv4Ipv4UnknownVer]);
    shows(&icmp(c.ip(), d.ip(), 1, 0, &[0x60; 10]), &[Anomaly::Icmpv6Ipv6TruncPkt]);
    shows(&icmp(c.ip(), d.ip(), 1, 0, &[0x45; 40]), &[Anomaly::Icmpv6Ipv6UnknownVersion]);
    shows(&icmp(c.ip(), d.ip(), 1, 9, &udp6_quote()), &[Anomaly::Icmpv6UnknownCode]);
    shows(&icmp(c.ip(), d.ip(), 50, 0, b""), &[Anomaly::Icmpv6UnassignedType]);
    shows(&icmp(c.ip(), d.ip(), 200, 0, b""), &[Anomaly::Icmpv6ExperimentationType]);
    shows(&icmp(c.ip(), d.ip(), 130, 0, b""), &[Anomaly::Icmpv6MldMessageWithInvalidHl]);
}

fn udp6_quote() -> Vec<u8> {
    let (a, b) = v6();
    udp_packet(a, b, &IpFields::default(), b"data")
}

#[test]
fn an_error_names_the_packet_it_quotes() {
    for (router, packet) in [("10.9.9.9", udp4()), ("fd00::9", udp6_quote())] {
        let kind = if packet[0] >> 4 == 4 { 11 } else { 3 };
        let error = icmp_error(router.parse().unwrap(), kind, 0, 0, &packet).unwrap();
        let out = shows(&error, &[]);
        assert_eq!(out.quoted, Some(of_packet(&packet).tuple));
        // Eight bytes of the transport are enough.
        let short = error[..error.len() - 4].to_vec();
        let out = of_packet(&match packet[0] >> 4 {
            4 => changed(short, 3, error.len() as u8 - 4),
            _ => changed(short, 5, error.len() as u8 - 40 - 4),
        });
        assert_eq!(out.quoted, Some(of_packet(&packet).tuple));
    }
}

#[test]
fn links() {
    let refused = |bytes: &[u8], link| decoded(bytes, link).anomalies[..].to_vec();
    let ethernet =
        |kind: u16, payload: &[u8]| refused(&Link::ethernet().wrap_as(kind, payload), LinkType::Ethernet);
    assert_eq!(refused(&[0; 13], LinkType::Ethernet), [Anomaly::EthernetPktTooSmall]);
    assert_eq!(ethernet(0x1234, &[]), [Anomaly::EthernetUnknownEthertype]);
    assert_eq!(ethernet(0x8847, &[]), [Anomaly::MplsHeaderTooSmall]);
    assert_eq!(ethernet(0x8100, &[0, 1, 8]), [Anomaly::VlanHeaderTooSmall]);
    assert_eq!(ethernet(0x8100, &[0, 1, 0x12, 0x34]), [Anomaly::VlanUnknownType]);
    let four = Link::tagged(&[1, 2, 3, 4]).wrap(&udp4());
    assert_eq!(refused(&four, LinkType::Ethernet), [Anomaly::VlanTooManyLayers]);
    assert_eq!(refused(&[0; 15], LinkType::LinuxSll), [Anomaly::SllPktTooSmall]);
    assert_eq!(refused(&[0; 19], LinkType::LinuxSll2), [Anomaly::Sll2PktTooSmall]);
    assert_eq!(refused(&[2, 0, 0], LinkType::Null), [Anomaly::LtnullPktTooSmall]);
    assert_eq!(refused(&[9, 0, 0, 0], LinkType::Null), [Anomaly::LtnullUnsupportedType]);
    assert_eq!(refused(&[0x0f], LinkType::CiscoHdlc), [Anomaly::ChdlcPktTooSmall]);
    assert_eq!(refused(&[0xff, 3, 0, 0x21], LinkType::Ppp), [Anomaly::PppIp4PktTooSmall]);
    assert_eq!(refused(&[0xff, 3, 0, 0x57], LinkType::Ppp), [Anomaly::PppIp6PktTooSmall]);
    assert_eq!(refused(&[0xff, 3, 0, 0x2f], LinkType::Ppp), [Anomaly::PppVjuPktTooSmall]);
    assert_eq!(refused(&[0xff, 3, 0xc0, 0x21], LinkType::Ppp), [Anomaly::PppUnsupProto]);
    let out = decoded(&[0; 60], LinkType::Other(105));
    assert_eq!(out.invalid, Some(DropReason::UnknownLinkType));
}

#[test]
fn arp_messages() {
    let message = arp(1, ([2; 6], [10, 0, 0, 1].into()), ([0; 6], [10, 0, 0, 2].into()));
    let refused = |payload: &[u8]| {
        let out = decoded(&Link::ethernet().wrap_as(0x0806, payload), LinkType::Ethernet);
        (out.arp.is_some(), out.anomalies[..].to_vec())
    };
    assert_eq!(refused(&message), (true, vec![]));
    assert_eq!(refused(&message[..7]), (false, vec![Anomaly::ArpPktTooSmall]));
    assert_eq!(refused(&message[..27]), (false, vec![Anomaly::ArpInvalidPkt]));
    assert_eq!(refused(&changed(message.clone(), 1, 6)), (false, vec![Anomaly::ArpUnsupportedHardware]));
    assert_eq!(refused(&changed(message.clone(), 2, 6)), (false, vec![Anomaly::ArpUnsupportedProtocol]));
    assert_eq!(refused(&changed(message.clone(), 4, 8)), (false, vec![Anomaly::ArpInvalidHardwareSize]));
    assert_eq!(refused(&changed(message.clone(), 5, 16)), (false, vec![Anomaly::ArpInvalidProtocolSize]));
    assert_eq!(refused(&changed(message, 7, 99)), (true, vec![Anomaly::ArpUnsupportedOpcode]));
}

#[test]
fn what_an_earlier_packet_left_does_not_show_in_the_next() {
    let mut out = Decoded::default();
    let error = icmp_error("10.0.0.9".parse().unwrap(), 3, 3, 0, &udp4()).unwrap();
    decode(
        &Link::tagged(&[1, 2]).wrap(&changed(error, 20, 12)),
        LinkType::Ethernet,
        &Tunnels::default(),
        &mut out,
    );
    decode(&[], LinkType::RawIp, &Tunnels::default(), &mut out);
    let fresh = of_packet(&[]);
    assert_eq!(format!("{out:?}"), format!("{fresh:?}"));
}
