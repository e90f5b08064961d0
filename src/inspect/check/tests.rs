use super::*;
use crate::base::event::FlowStats;
use crate::base::{Anomaly, Time};
use crate::decode::decode;
use crate::io::LinkType;
use crate::rules::{Classifications, References, SourceFile, Vars, load};
use crate::wire::build::*;
use std::net::{IpAddr, SocketAddr};

/// A packet with its layers, and the session of a client that has sent 3 packets of 300 bytes.
pub(super) struct Sample {
    pub(super) bytes: Vec<u8>,
    pub(super) decoded: Decoded,
}

impl Sample {
    fn of(link: LinkType, bytes: Vec<u8>) -> Sample {
        let mut decoded = Decoded::default();
        decode(&bytes, link, &crate::decode::Tunnels::none(), &mut decoded);
        Sample { bytes, decoded }
    }

    pub(super) fn ip(bytes: Vec<u8>) -> Sample {
        Sample::of(LinkType::RawIp, bytes)
    }

    fn facts(&self) -> PacketFacts<'_> {
        let stats = FlowStats {
            start: Time::from_secs(100),
            packets: PerDir([3, 2]),
            bytes: PerDir([300, 4000]),
            ..FlowStats::default()
        };
        let stream = PerDir([120, 3000]);
        PacketFacts {
            bytes: &self.bytes,
            decoded: &self.decoded,
            time: Time::from_secs(110),
            flow: Some(FlowFacts {
                id: 1,
                dir: Dir::ToServer,
                established: true,
                stats,
                stream,
                app: Default::default(),
                app_news: false,
            }),
            app_events: &[],
        }
    }
}

fn rule(text: &str) -> Rule {
    let file = [SourceFile::new("t", text)];
    let (set, faults) = load(&file, &Vars::default(), &Classifications::default(), &References::default());
    assert_eq!(faults, [], "{text}");
    set.rules.into_iter().next().unwrap()
}

/// Whether header and checks of `alert PROTOCOL any any -> any any (OPTIONS)` hold for the packet.
fn matches(sample: &Sample, protocol: &str, options: &str) -> bool {
    let rule = rule(&format!("alert {protocol} any any -> any any ({options}; sid:1;)"));
    let facts = sample.facts();
    header_matches(&rule, facts.decoded) && rule.checks.iter().all(|check| holds(check, &facts))
}

pub(super) fn table(sample: &Sample, protocol: &str, yes: &[&str], no: &[&str]) {
    for options in yes {
        assert!(matches(sample, protocol, options), "should match {protocol} {options}");
    }
    for options in no {
        assert!(!matches(sample, protocol, options), "should not match {protocol} {options}");
    }
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn tcp(flags: u8) -> Sample {
    let options = TcpOptions { mss: Some(1460), window_scale: Some(7), ..TcpOptions::default() };
    let segment =
        Segment { seq: 100, ack: 200, flags, window: 512, options, payload: b"hello", ..Segment::default() };
    Sample::ip(tcp_packet(at("10.0.0.1:1025"), at("10.0.0.2:80"), &IpFields::default(), &segment))
}

#[test]
fn tcp_fields_are_compared() {
    table(
        &tcp(0x12),
        "tcp",
        &[
            "flags:SA",
            "flags:+S",
            "flags:S+",
            "flags:*SF",
            "flags:!R",
            "flags:S,A",
            "seq:100",
            "ack:>199",
            "window:512",
            "window:!0",
            "tcp.mss:1000-1500",
            "tcp.wscale:7",
            "dsize:5",
            "dsize:<6",
            "dsize:4<>6",
            "tcpv4-csum:valid",
        ],
        &[
            "flags:S",
            "flags:+SF",
            "flags:*FR",
            "flags:!S",
            "flags:0",
            "seq:99",
            "ack:!200",
            "window:0",
            "tcp.mss:<1460",
            "tcp.wscale:>7",
            "dsize:>5",
            "dsize:5<>9",
            "tcpv4-csum:invalid",
            "tcpv6-csum:valid",
            "udpv4-csum:valid",
        ],
    );
    assert!(matches(&tcp(0), "tcp", "flags:0"));
    assert!(matches(&tcp(0xc2), "tcp", "flags:S,CE") && !matches(&tcp(0xc2), "tcp", "flags:S"));
}

#[test]
fn a_spoilt_checksum_is_invalid_and_only_its_own() {
    let mut bytes = tcp(2).bytes;
    spoil_checksum(&mut bytes);
    table(
        &Sample::ip(bytes.clone()),
        "tcp",
        &["tcpv4-csum:invalid", "ipv4-csum:valid"],
        &["tcpv4-csum:valid"],
    );
    spoil_ip_checksum(&mut bytes);
    table(&Sample::ip(bytes), "ip", &["ipv4-csum:invalid"], &["ipv4-csum:valid"]);
}

#[test]
fn icmp_fields_are_of_the_messages_that_have_them() {
    let echo = Message::echo(Family::V4, true, 7, 9, b"abc");
    let sample = Sample::ip(icmp_packet(ip("10.0.0.1"), ip("10.0.0.2"), &IpFields::default(), &echo));
    table(
        &sample,
        "icmp",
        &["itype:8", "icode:0", "itype:7<>9", "icmp_id:7", "icmp_seq:9", "icmpv4-csum:valid"],
        &["itype:0", "itype:!8", "icode:>0", "icmp_id:8", "icmp_seq:7", "icmpv6.mtu:>0"],
    );
    let original = sample.bytes;
    let error = icmp_error(ip("10.0.0.9"), 3, 1, 0x0007_0009, &original).unwrap();
    table(&Sample::ip(error), "icmp", &["itype:3", "icode:1"], &["icmp_id:7", "icmp_seq:9"]);

    let echo = Message::echo(Family::V6, true, 7, 9, b"abc");
    let original = icmp_packet(ip("fd00::1"), ip("fd00::2"), &IpFields::default(), &echo);
    table(
        &Sample::ip(original.clone()),
        "icmpv6",
        &["itype:128", "icmp_id:7", "icmpv6-csum:valid"],
        &["icmpv6.mtu:<1280"],
    );
    let error = icmp_error(ip("fd00::9"), 2, 0, 1200, &original).unwrap();
    table(
        &Sample::ip(error),
        "ipv6",
        &["icmpv6.mtu:<1280", "icmpv6.mtu:1200", "itype:2"],
        &["icmpv6.mtu:>1200"],
    );
}

#[test]
fn ip_fields_are_compared_and_ipv4_ones_only_in_ipv4() {
    let mut bytes = udp_packet(at("10.0.0.1:5"), at("10.0.0.1:6"), &IpFields::default(), b"x");
    (bytes[1], bytes[4], bytes[5], bytes[8]) = (8, 1, 2, 63);
    bytes[6] = 0b1100_0000;
    table(
        &Sample::ip(bytes),
        "ip",
        &[
            "ttl:63",
            "ttl:<64",
            "tos:8",
            "tos:!x10",
            "tos:x08",
            "id:258",
            "ip_proto:17",
            "ip_proto:udp",
            "ip_proto:!6",
            "ip_proto:!6; ip_proto:!1",
            "ip_proto:>16",
            "sameip",
            "fragbits:RD",
            "fragbits:+D",
            "fragbits:*MD",
            "fragbits:!M",
            "fragoffset:0",
            "vlan.layers:0",
        ],
        &[
            "ttl:64",
            "tos:!8",
            "id:1",
            "ip_proto:tcp",
            "ip_proto:!udp",
            "ip_proto:!17; ip_proto:17",
            "fragbits:M",
            "fragbits:D",
            "fragbits:+DM",
            "fragbits:!D",
            "fragoffset:>0",
            "ipopts:any",
            "vlan.id:0",
        ],
    );
    let six = Sample::ip(udp_packet(at("[fd00::1]:5"), at("[fd00::2]:6"), &IpFields::default(), b"x"));
    table(
        &six,
        "ip",
        &["ip_proto:17", "udpv6-csum:valid", "ttl:>0"],
        &["tos:!1", "id:0", "fragbits:!M", "fragoffset:0", "sameip", "ipv4-csum:valid", "udpv4-csum:valid"],
    );
}

#[test]
fn ip_options_are_walked_by_their_lengths() {
    // No operation, then a record route of 7 bytes whose address begins like a loose source route.
    let fields = IpFields { options: vec![1, 7, 7, 4, 131, 11, 4, 0], ..IpFields::default() };
    let bytes = udp_packet(at("10.0.0.1:5"), at("10.0.0.2:6"), &fields, b"x");
    table(
        &Sample::ip(bytes),
        "ip",
        &["ipopts:any", "ipopts:nop", "ipopts:rr"],
        &["ipopts:eol", "ipopts:ts", "ipopts:lsrr"],
    );
}

#[test]
fn vlan_tags_are_counted_from_either_end() {
    let link = Link::tagged(&[10, 20]);
    let frame = link.wrap(&udp_packet(at("10.0.0.1:5"), at("10.0.0.2:6"), &IpFields::default(), b"x"));
    table(
        &Sample::of(LinkType::Ethernet, frame),
        "ether",
        &[
            "vlan.layers:2",
            "vlan.layers:!1",
            "vlan.id:10",
            "vlan.id:20",
            "vlan.id:10,0",
            "vlan.id:20,1",
            "vlan.id:20,-1",
            "vlan.id:10,-2",
            "vlan.id:>5,all",
            "vlan.id:!30,all",
        ],
        &["vlan.layers:0", "vlan.id:30", "vlan.id:20,0", "vlan.id:20,2", "vlan.id:10,all", "vlan.id:10,-3"],
    );
}

#[test]
fn a_packet_without_payload_has_no_size_to_differ() {
    let (from, to) = (SocketAddr::new(ip("10.0.0.1"), 1), SocketAddr::new(ip("10.0.0.2"), 2));
    let of = |payload: &[u8]| Sample::ip(udp_packet(from, to, &IpFields::default(), payload));
    table(&of(b"four"), "udp", &["dsize:!9"], &["dsize:!4"]);
    table(&of(b""), "udp", &["dsize:<9", "dsize:0"], &["dsize:!9"]);
}

#[test]
fn sctp_chunks_are_found() {
    let mut bytes = Vec::new();
    // Common header with tag 9, a DATA chunk of 5 bytes padded, an INIT ACK without value.
    bytes.extend([0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 3, 0, 5, b'x', 0, 0, 0, 2, 0, 0, 4]);
    let packet = ip_packet(ip("10.0.0.1"), ip("10.0.0.2"), ip_proto::SCTP, &IpFields::default(), &bytes);
    table(
        &Sample::ip(packet),
        "sctp",
        &[
            "sctp.vtag:9",
            "sctp.chunk_cnt:2",
            "sctp.chunk_type:data",
            "sctp.chunk_type:init_ack",
            "sctp.chunk_type:!0",
        ],
        &["sctp.vtag:8", "sctp.chunk_cnt:>2", "sctp.chunk_type:abort"],
    );
    assert!(!matches(&tcp(2), "ip", "sctp.chunk_cnt:0"));
}

#[test]
fn session_counters_are_compared_by_direction() {
    let yes = [
        "flow.age:10",
        "flow.age:>9",
        "flow.pkts:toserver,3",
        "flow.pkts:toclient,=2",
        "flow.pkts:either,2",
        "flow.pkts:both,5",
        "flow.bytes:either,>3000",
        "flow.bytes_toserver:<3000",
        "flow.pkts_toclient:2",
        "stream_size:client,<,121",
        "stream_size:server,>,1111",
        "stream_size:both,>,100",
        "stream_size:either,=,120",
        "stream_size:server,!=,1",
    ];
    let no = [
        "flow.age:<10",
        "flow.pkts:toserver,2",
        "flow.pkts:either,4",
        "flow.bytes_toclient:<3000",
        "stream_size:both,>,121",
        "stream_size:client,>=,121",
        "stream_size:either,=,1",
    ];
    let sample = tcp(0x10);
    table(&sample, "tcp", &yes, &no);
    let mut facts = sample.facts();
    facts.flow = None;
    let rule = rule("alert tcp any any -> any any (flow.pkts:either,<100; sid:1;)");
    assert!(!rule.checks.iter().all(|check| holds(check, &facts)), "without a session nothing was counted");
}

#[test]
fn anomalies_are_found_among_those_of_the_packet() {
    let mut sample = tcp(2);
    assert!(!matches(&sample, "pkthdr", "decode-event:ipv4.trunc_pkt"));
    sample.decoded.anomalies.push(Anomaly::Ipv4TruncPkt);
    assert!(matches(&sample, "pkthdr", "decode-event:ipv4.trunc_pkt"));
}

#[test]
fn headers_match_by_protocol_address_port_and_direction() {
    let header = |sample: &Sample, text: &str| {
        header_matches(&rule(&format!("alert {text} (sid:1;)")), &sample.decoded)
    };
    let four = tcp(2);
    let six = Sample::ip(udp_packet(at("[fd00::1]:53"), at("[fd00::2]:9"), &IpFields::default(), b"x"));
    let echo = Message::echo(Family::V4, true, 80, 1, b"");
    let ping = Sample::ip(icmp_packet(ip("10.0.0.1"), ip("10.0.0.2"), &IpFields::default(), &echo));
    let arp = arp(1, ([1; 6], [10, 0, 0, 1].into()), ([0; 6], [10, 0, 0, 2].into()));
    let arp = Sample::of(LinkType::Ethernet, Link::ethernet().wrap_as(0x0806, &arp));
    let table = [
        (&four, "tcp any any -> any any", true),
        (&four, "tcp-pkt any any -> any 80", true),
        (&four, "tcp any 80 -> any any", false),
        (&four, "tcp any 80 <> any any", true),
        (&four, "tcp 10.0.0.2 80 <> 10.0.0.1 1024:", true),
        (&four, "tcp 10.0.0.2 1025 <> 10.0.0.1 80", false),
        (&four, "tcp $HOME_NET any -> $EXTERNAL_NET any", false),
        (&four, "tcp !10.0.0.2 any -> 10.0.0.0/8 !81", true),
        (&four, "udp any any -> any any", false),
        (&four, "ip any any -> any 80", true),
        (&four, "ipv4 any any -> any any", true),
        (&four, "ipv6 any any -> any any", false),
        (&four, "pkthdr any any -> any any", true),
        (&four, "ether any any -> any any", false),
        (&six, "udp fd00::/16 53 -> fd00::2 any", true),
        (&six, "udp !10.0.0.0/8 any -> any any", true),
        (&six, "udp 0.0.0.0/0 any -> any any", false),
        (&six, "ipv6 any any -> any any", true),
        (&ping, "icmp any any -> any any", true),
        (&ping, "icmpv4 10.0.0.1 any -> any any", true),
        (&ping, "icmpv6 any any -> any any", false),
        // The identifier of an echo stands where ports do, and is none.
        (&ping, "ip any 80 -> any any", false),
        (&arp, "arp any any -> any any", true),
        (&arp, "ether any any -> any any", true),
        (&arp, "ip any any -> any any", false),
        (&arp, "pkthdr 10.0.0.1 any -> any any", false),
    ];
    for (sample, text, expected) in table {
        assert_eq!(header(sample, text), expected, "{text}");
    }
}
