//! What leaves when a packet is rejected: resets that both ends take, ICMP errors for all else, by the right ports.

use super::rig::Rig;
use super::*;
use crate::base::DropReason;
use crate::decode::{Decoded, L4, Tunnels, checksum_valid, decode, ip_checksum_valid};
use crate::wire::build::{Segment, tcp_packet, udp_packet};
use crate::wire::tcp::flag::{ACK, PSH, RST, SYN};

const ISN: [u32; 2] = [1000, 50_000];

fn ends(v6: bool) -> [SocketAddr; 2] {
    let texts =
        if v6 { ["[2001:db8::1]:4000", "[2001:db8::2]:80"] } else { ["10.0.0.1:4000", "10.0.0.2:80"] };
    texts.map(|text| text.parse().unwrap())
}

/// A segment of the client (0) or of the server (1).
fn segment(v6: bool, from: usize, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let ends = ends(v6);
    let segment = Segment { seq, ack, flags, payload, ..Segment::default() };
    tcp_packet(ends[from], ends[1 - from], &IpFields::default(), &segment)
}

fn rig(rules: &str) -> Rig {
    let streams = stream::Settings { blocks: 256, streams: 64, ..stream::Settings::default() };
    let plan = Idp::alone(&engine(rules), streams, inspect::Settings::default(), 2);
    Rig::with(&plan, &settings(0, Mode::Ips))
}

/// As it left: port, layers, and that its sums are right.
fn read(sent: &(PortId, Vec<u8>)) -> (PortId, Decoded) {
    let mut decoded = Decoded::default();
    decode(&sent.1, LinkType::Ethernet, &Tunnels::default(), &mut decoded);
    assert_ne!(ip_checksum_valid(&decoded, &sent.1), Some(false));
    assert_eq!(checksum_valid(&decoded, &sent.1), Some(true));
    (sent.0, decoded)
}

/// Handshake, an answer of 100 bytes that the client has not acknowledged, then the rejected segment from `from`; what leaves for it, as
/// (port, sequence, acknowledgement, flags).
fn rejected(action: &str, v6: bool, from: usize) -> Vec<(PortId, u32, u32, u8)> {
    let rule = format!("{action} tcp any any -> any any (content:\"attack\"; sid:1;)");
    let mut rig = rig(&rule);
    let [c, s] = ISN;
    let talk = [
        (0, segment(v6, 0, c, 0, SYN, b"")),
        (1, segment(v6, 1, s, c + 1, SYN | ACK, b"")),
        (0, segment(v6, 0, c + 1, s + 1, ACK, b"")),
        (1, segment(v6, 1, s + 1, c + 1, ACK | PSH, &[b'x'; 100])),
    ];
    for (side, packet) in &talk {
        rig.packet(if *side == 0 { Dir::ToServer } else { Dir::ToClient }, packet);
    }
    assert_eq!(rig.sent.len(), talk.len());
    rig.sent.clear();
    let attack = match from {
        0 => segment(v6, 0, c + 1, s + 1, ACK | PSH, b"attack"),
        _ => segment(v6, 1, s + 101, c + 1, ACK | PSH, b"attack"),
    };
    rig.packet(if from == 0 { Dir::ToServer } else { Dir::ToClient }, &attack);
    let sent: Vec<_> = rig.sent.iter().map(read).collect();
    assert_eq!(rig.dropped(DropReason::RuleReject), 1);
    let resets = sent.iter().map(|(port, decoded)| {
        let tcp = decoded.tcp().unwrap();
        let to = if *port == INSIDE { 0 } else { 1 };
        assert_eq!((decoded.tuple.dst_ip(), decoded.tuple.dport), (ends(v6)[to].ip(), ends(v6)[to].port()));
        (*port, tcp.seq, tcp.ack, tcp.flags)
    });
    let resets = resets.collect();
    // The session was settled: nobody is told twice.
    rig.sent.clear();
    rig.packet(if from == 0 { Dir::ToServer } else { Dir::ToClient }, &attack);
    assert!(rig.sent.is_empty());
    rig.finish();
    resets
}

#[test]
fn a_reset_has_the_number_that_its_receiver_expects_next() {
    let [c, s] = ISN;
    let flags = RST | ACK;
    for v6 in [false, true] {
        // The client may have the server's 100 bytes by now, or not.
        let to_client = [(INSIDE, s + 1, c + 7, flags), (INSIDE, s + 101, c + 7, flags)];
        let to_server = [(OUTSIDE, c + 1, s + 1, flags)];
        assert_eq!(rejected("reject", v6, 0), to_client);
        assert_eq!(rejected("rejectsrc", v6, 0), to_client);
        assert_eq!(rejected("rejectdst", v6, 0), to_server);
        assert_eq!(rejected("rejectboth", v6, 0), [&to_client[..], &to_server].concat());
        assert_eq!(rejected("close-client", v6, 0), to_client);
        assert_eq!(rejected("close-server", v6, 0), to_server);
        assert_eq!(rejected("close-both", v6, 0), [&to_client[..], &to_server].concat());
    }
}

#[test]
fn the_servers_attack_resets_the_server_by_the_other_port() {
    let [c, s] = ISN;
    let flags = RST | ACK;
    let to_server = [(OUTSIDE, c + 1, s + 107, flags)];
    // What the client acknowledged last, where the 100 bytes were lost on their way.
    let to_client = [(INSIDE, s + 101, c + 1, flags), (INSIDE, s + 1, c + 1, flags)];
    assert_eq!(rejected("reject", false, 1), to_server);
    assert_eq!(rejected("close-server", false, 1), to_server);
    assert_eq!(rejected("close-client", false, 1), to_client);
}

#[test]
fn a_rejected_syn_is_refused_as_a_closed_port_would() {
    let mut rig = rig("reject tcp any any -> any 80 (flags:S; sid:1;)");
    rig.packet(Dir::ToServer, &segment(false, 0, ISN[0], 0, SYN, b""));
    let (port, decoded) = read(&rig.sent[0]);
    let tcp = decoded.tcp().unwrap();
    assert_eq!((rig.sent.len(), port), (1, INSIDE));
    assert_eq!((tcp.seq, tcp.ack, tcp.flags), (0, ISN[0] + 1, RST | ACK));
    rig.finish();
}

#[test]
fn no_reset_answers_a_reset() {
    let mut rig = rig("reject tcp any any -> any 80 (flags:R; sid:1;)");
    rig.packet(Dir::ToServer, &segment(false, 0, ISN[0], 0, RST, b""));
    assert_eq!((rig.sent.len(), rig.dropped(DropReason::RuleReject)), (0, 1));
    rig.finish();
}

#[test]
fn datagrams_are_answered_by_icmp_with_the_tags_of_their_frame() {
    for (v6, kind) in [(false, (3, 13)), (true, (1, 1))] {
        let [client, server] = ends(v6);
        let mut rig = rig("rejectboth udp any any -> any any (content:\"attack\"; sid:1;)");
        let packet = udp_packet(client, server, &IpFields::default(), b"attack");
        let there = Link::tagged(&[7, 9]).wrap(&packet);
        let frame = rig.pool().frame(&there);
        rig.frame(INSIDE, frame);
        let ports: Vec<_> = rig.sent.iter().map(|(port, _)| *port).collect();
        assert_eq!(ports, [INSIDE, OUTSIDE]);
        assert_eq!((&rig.sent[0].1[..6], &rig.sent[0].1[6..12]), (&there[6..12], &there[..6]), "back");
        assert_eq!(rig.sent[1].1[..12], there[..12]);
        for sent in &rig.sent {
            assert_eq!(sent.1[12..22], there[12..22], "both tags");
            let (port, decoded) = read(sent);
            let to = if port == INSIDE { client } else { server };
            assert_eq!(decoded.tuple.dst_ip(), to.ip());
            let said = match decoded.l4 {
                L4::Icmp4 { kind, code, .. } | L4::Icmp6 { kind, code, .. } => (kind, code),
                _ => panic!("no ICMP"),
            };
            assert_eq!(said, kind);
            let quoted = decoded.quoted.unwrap();
            assert_eq!(
                (quoted.src_ip(), quoted.sport),
                (to.ip(), to.port()),
                "its own packet, as it believes"
            );
        }
        rig.finish();
    }
}

/// Answers are shorter or longer than what they answer, and a PPPoE session's header says how long.
#[test]
fn answers_in_a_pppoe_session_have_its_length_right() {
    for v6 in [false, true] {
        let [client, server] = ends(v6);
        let syn = segment(v6, 0, ISN[0], 0, SYN, b"");
        let udp = |len| {
            udp_packet(client, server, &IpFields::default(), &[b"attack".repeat(len), vec![0]].concat())
        };
        for (packet, answers) in [(syn, 1), (udp(1), 2), (udp(200), 2)] {
            let mut rig = rig("rejectboth udp any any -> any any (content:\"attack\"; sid:1;)\n\
                 reject tcp any any -> any any (flags:S; sid:2;)");
            let there = Link::ethernet().wrap_as(0x8864, &build::pppoe(7, &packet));
            let frame = rig.pool().frame(&there);
            rig.frame(INSIDE, frame);
            assert_eq!(rig.sent.len(), answers);
            for sent in &rig.sent {
                let (_, decoded) = read(sent);
                let length = u16::from_be_bytes([sent.1[18], sent.1[19]]);
                assert_eq!(
                    u32::from(length),
                    decoded.ip.unwrap().total_len + 2,
                    "PPP's protocol is counted too"
                );
                assert_eq!(sent.1[12..18], there[12..18]);
            }
            rig.finish();
        }
    }
}

/// A length would be another one for each answer: they leave as Ethernet frames with a type, which every host takes.
#[test]
fn answers_to_what_came_in_llc_leave_without_it() {
    for v6 in [false, true] {
        let [client, server] = ends(v6);
        let udp = udp_packet(client, server, &IpFields::default(), b"attack");
        for (packet, answers) in [(segment(v6, 0, ISN[0], 0, SYN, b""), 1), (udp, 2)] {
            let mut rig = rig("rejectboth udp any any -> any any (content:\"attack\"; sid:1;)\n\
                 reject tcp any any -> any any (flags:S; sid:2;)");
            let frame = rig.pool().frame(&Link::tagged(&[9]).wrap_snap(&packet));
            rig.frame(INSIDE, frame);
            assert_eq!(rig.sent.len(), answers);
            for sent in &rig.sent {
                let (_, decoded) = read(sent);
                let ip = decoded.ip.unwrap();
                assert_eq!((ip.at, ip.llc, decoded.vlans.as_slice()), (18, None, &[9][..]));
                assert_eq!(sent.1.len(), (ip.at + ip.total_len) as usize);
            }
            rig.finish();
        }
    }
}

#[test]
fn where_verdicts_do_not_act_nobody_is_told() {
    let plan = Idp::alone(
        &engine("reject udp any any -> any any (content:\"attack\"; sid:1;)"),
        stream::Settings { blocks: 256, streams: 64, ..stream::Settings::default() },
        inspect::Settings::default(),
        2,
    );
    let mut rig = Rig::with(&plan, &settings(0, Mode::Tap));
    let [client, server] = ends(false);
    rig.packet(Dir::ToServer, &udp_packet(client, server, &IpFields::default(), b"attack"));
    assert_eq!(rig.sent.iter().map(|sent| sent.0).collect::<Vec<_>>(), [OUTSIDE], "the packet itself");
    rig.finish();
}
