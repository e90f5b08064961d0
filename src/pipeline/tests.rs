//! The whole appliance over the memory backend: conservation, modes, and the same alerts for any number of workers.

mod rig;
mod services;

use super::*;
use crate::base::event::{CloseReason, Event, EventBody};
use crate::base::{Dir, PortId, Time};
use crate::inspect::Engine;
use crate::io::memory::MemoryPort;
use crate::io::{FrameMeta, LinkType, PacketIo, PortInfo};
use crate::rules::{Classifications, References, SourceFile, Vars, load};
use crate::service::ServicePlan;
use crate::service::idp::Idp;
use crate::wire::build::{self, Capture, IpFields, Link, Random, TcpConversation};
use crate::{defrag, inspect, session, stream};
use std::net::SocketAddr;
use std::sync::Arc;

mod evasion;
mod holding;
mod ip_actions;
mod line;
mod mark;
mod midstream;
mod modes;
mod nested;
mod order;
mod overload;
mod pass_list;
mod prevention;
mod recent;
mod reject;
mod reuse;
mod rss;
mod scan;
mod tuning;
mod watch;
mod within;

const INSIDE: PortId = PortId(0);
const OUTSIDE: PortId = PortId(1);

/// What an appliance made of a capture.
struct Report {
    /// (sid, packet, direction), in order of packets.
    alerts: Vec<(u32, u64, Dir)>,
    /// (packets to server, to client, reason) of each ended session, sorted.
    flows: Vec<(u64, u64, CloseReason)>,
    balance: Balance,
    sent: Vec<Vec<u8>>,
    /// Workers that inspected something.
    busy_workers: usize,
}

fn engine(text: &str) -> Arc<Engine> {
    let file = SourceFile::new("test.rules", text);
    let (rules, faults) =
        load(&[file], &Vars::default(), &Classifications::default(), &References::default());
    assert!(faults.is_empty(), "{faults:?}");
    Arc::new(Engine::compile(Arc::new(rules)).unwrap())
}

fn settings(workers: usize, mode: Mode) -> Settings {
    let port = |peer| PortPlan {
        link: LinkType::Ethernet,
        peer: Some(peer),
        inspect: true,
        mode,
        non_ip: true,
        peer_mtu: 1500,
        ..PortPlan::default()
    };
    Settings {
        ports: vec![port(OUTSIDE), port(INSIDE)],
        workers,
        hash_ports: true,
        spreading: Spreading::Software,
        ring_size: 256,
        polling: Polling::Busy,
        replay: true,
        event_ring: 1 << 16,
        wanted: Wanted { flow: true, drop: true, anomaly: true, ..Wanted::default() },
        drop_invalid: false,
        checksums: crate::pipeline::Checking::Never,
        tunnels: crate::decode::Tunnels::default(),
        sessions: session::Settings { capacity: 4096, ..session::Settings::default() },
        fragments: defrag::Settings { datagrams: 512, pieces: 4096, ..defrag::Settings::default() },
    }
}

fn replay(frames: &[(Time, Vec<u8>)], rules: &str, settings: &Settings) -> Report {
    replay_as((0, 0), frames, rules, settings, stream::Settings::default().delivery)
}

fn replay_with(
    frames: &[(Time, Vec<u8>)],
    rules: &str,
    settings: &Settings,
    delivery: stream::Delivery,
) -> Report {
    replay_as((0, 0), frames, rules, settings, delivery)
}

fn replay_after(before: (u64, u32), frames: &[(Time, Vec<u8>)], rules: &str, settings: &Settings) -> Report {
    replay_as(before, frames, rules, settings, stream::Settings::default().delivery)
}

/// As if so many packets, and fragments among them, had come before.
fn replay_as(
    before: (u64, u32),
    frames: &[(Time, Vec<u8>)],
    rules: &str,
    settings: &Settings,
    delivery: stream::Delivery,
) -> Report {
    let platform = MemoryPlatform::default();
    let info = |queues| PortInfo { rx_queues: 1, tx_queues: queues, ..PortInfo::default() };
    let (mut inside, feed) = MemoryPort::new(INSIDE, info(1));
    let (outside, line) = MemoryPort::new(OUTSIDE, info(1));
    for (time, bytes) in frames {
        let mut frame = platform.0.frame(bytes);
        frame.set_meta(FrameMeta { time: *time, ..FrameMeta::default() });
        feed.put(frame);
    }
    let rx = inside.take_rx(0).unwrap();
    let engine = engine(rules);
    let streams = stream::Settings { blocks: 4096, streams: 4096, delivery, ..stream::Settings::default() };
    let services = Idp::alone(&engine, streams, inspect::Settings::default(), settings.ports.len());
    let mut ports: [Option<Box<dyn PacketIo>>; 2] = [None, Some(Box::new(outside))];
    let Appliance { mut main, workers, handle, mut feeds } =
        Appliance::build(settings, &mut ports, &platform, &services).unwrap();
    main.set_sources(vec![Source { port: INSIDE, rx }]);
    main.start_at(before.0, before.1);
    let threads: Vec<_> = workers.into_iter().map(|w| std::thread::spawn(move || w.run())).collect();
    while feed.pending() > 0 {
        main.turn(Time::ZERO);
    }
    main.finish();
    while !threads.iter().all(|t| t.is_finished()) {
        main.serve_returns();
        std::thread::yield_now();
    }
    threads.into_iter().for_each(|t| drop(t.join().unwrap()));
    main.serve_returns();
    let mut events: Vec<Event> = Vec::new();
    for feed in &mut feeds {
        events.extend(std::iter::from_fn(|| feed.events.pop().ok()));
    }
    let busy = handle.ledgers.iter().filter(|l| l.inspected.get() > 0).count();
    let balance = handle.balance(0);
    drop((main, handle, feeds, ports));
    let sent: Vec<Vec<u8>> = std::iter::from_fn(|| line.take()).map(|f| bytes_of(&f)).collect();
    drop((feed, line));
    assert_eq!(platform.0.outstanding(), 0, "every frame is back");
    Report { alerts: alerts(&engine, &events), flows: flows(&events), balance, sent, busy_workers: busy }
}

/// What management keeps of an appliance with ports that counted this.
pub(crate) fn idle_handle(ports: &[(&str, crate::io::PortStats)]) -> Handle {
    let mut settings = settings(0, Mode::Ips);
    settings.ports.truncate(ports.len());
    let port = |(n, (name, stats)): (usize, &(&str, crate::io::PortStats))| {
        let info = PortInfo { name: (*name).into(), ..PortInfo::default() };
        let (mut port, _) = MemoryPort::new(PortId(n as u16), info);
        port.set_stats(*stats);
        Some(Box::new(port) as Box<dyn PacketIo>)
    };
    let mut ports: Vec<_> = ports.iter().enumerate().map(port).collect();
    Appliance::build(
        &settings,
        &mut ports,
        &MemoryPlatform::default(),
        &detection(&engine(""), settings.ports.len()),
    )
    .unwrap()
    .handle
}

/// Detection alone, as most tests want it.
fn detection(engine: &Arc<Engine>, ports: usize) -> ServicePlan {
    let streams = stream::Settings { blocks: 4096, streams: 4096, ..stream::Settings::default() };
    Idp::alone(engine, streams, inspect::Settings::default(), ports)
}

fn bytes_of(frame: &crate::io::Frame) -> Vec<u8> {
    frame.segments().flatten().copied().collect()
}

fn alerts(engine: &Engine, events: &[Event]) -> Vec<(u32, u64, Dir)> {
    let mut alerts: Vec<_> = events
        .iter()
        .filter_map(|e| match &e.body {
            EventBody::Alert(a) => {
                Some((engine.rules().rule(a.rule).unwrap().sid, e.origin.packet, e.origin.dir))
            }
            _ => None,
        })
        .collect();
    alerts.sort_by_key(|&(sid, packet, dir)| (packet, sid, dir.index()));
    alerts
}

fn flows(events: &[Event]) -> Vec<(u64, u64, CloseReason)> {
    let mut flows: Vec<_> = events
        .iter()
        .filter_map(|e| match &e.body {
            EventBody::Flow(f) => {
                Some((f.stats.packets[Dir::ToServer], f.stats.packets[Dir::ToClient], f.reason))
            }
            _ => None,
        })
        .collect();
    flows.sort_by_key(|f| (f.0, f.1, f.2 as usize));
    flows
}

fn addr(host: u32, port: u16) -> SocketAddr {
    SocketAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 + host), port))
}

fn v6(host: u16, port: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, host], port))
}

/// Five hundred two-way UDP flows: a third fragmented, some with an ICMP error about them, both families, interleaved.
fn many_flows() -> Vec<(Time, Vec<u8>)> {
    let mut random = Random::new(7);
    let mut packets: Vec<Vec<Vec<u8>>> = Vec::new();
    for n in 0..500u16 {
        let (client, server) = match n % 2 {
            0 => (addr(u32::from(n) + 1, 4000 + n), addr(0x10_0000 + u32::from(n % 7), 53)),
            _ => (v6(n + 1, 4000 + n), v6(60_000 + n % 7, 53)),
        };
        let fields = IpFields { id: n, ..IpFields::default() };
        let question = build::udp_packet(client, server, &fields, &random.bytes(600));
        let answer = build::udp_packet(server, client, &fields, &random.bytes(900));
        let mut flow = Vec::new();
        for (i, packet) in [question.clone(), answer].into_iter().enumerate() {
            if n % 3 == 0 {
                let mut pieces = build::fragments(&packet, u32::from(n) * 2 + i as u32, &[256, 128, 8]);
                random.shuffle(&mut pieces);
                flow.extend(pieces);
            } else {
                flow.push(packet);
            }
        }
        if n % 10 == 1 {
            let (kind, code) = if client.is_ipv4() { (3, 3) } else { (1, 4) };
            flow.extend(build::icmp_error(server.ip(), kind, code, 0, &question));
        }
        packets.push(flow);
    }
    interleave(packets, &mut random)
}

/// Takes packets of all flows in turn at random, each flow's in order.
fn interleave(flows: Vec<Vec<Vec<u8>>>, random: &mut Random) -> Vec<(Time, Vec<u8>)> {
    let mut capture = Capture::new(Link::ethernet());
    let mut flows: Vec<_> = flows.into_iter().map(Vec::into_iter).collect();
    while !flows.is_empty() {
        let at = random.below(flows.len());
        match flows[at].next() {
            Some(packet) => {
                capture.packets([packet]);
            }
            None => drop(flows.swap_remove(at)),
        }
    }
    capture.frames
}

#[test]
fn five_hundred_flows_meet_on_their_owners_with_fragments_and_icmp_errors() {
    let frames = many_flows();
    for workers in [0, 1, 2, 4] {
        let report = replay(&frames, "", &settings(workers, Mode::Ips));
        assert_eq!(report.flows.len(), 500, "{workers} workers: each session once");
        // The error is about the client's packet and goes to the client.
        let with_error = report.flows.iter().filter(|f| f.1 == 2).count();
        let plain = report.flows.iter().filter(|f| (f.0, f.1) == (1, 1)).count();
        assert_eq!((plain, with_error), (450, 50), "{workers} workers: both directions counted");
        assert!(report.balance.is_even(), "{workers} workers: {}", report.balance);
        assert!(report.busy_workers >= workers.min(2), "{workers} workers, {} busy", report.busy_workers);
    }
}

const RULES: &str = r#"
alert udp any any -> any 53 (msg:"byte"; content:"|00 01|"; sid:1;)
alert udp any 53 -> any any (msg:"big answer"; dsize:>800; sid:2;)
alert ip any any -> any any (msg:"long"; content:"|ff ff|"; sid:3;)
"#;

#[test]
fn any_number_of_workers_gives_the_same_alerts() {
    let frames = many_flows();
    let one = replay(&frames, RULES, &settings(0, Mode::Tap)).alerts;
    assert!(one.len() > 500, "{}", one.len());
    for workers in [1, 2, 3, 4] {
        assert_eq!(replay(&frames, RULES, &settings(workers, Mode::Tap)).alerts, one, "{workers} workers");
    }
}

#[test]
fn numbers_beyond_32_bits_are_told_whole_and_keep_the_order_of_the_workers() {
    let frames = many_flows();
    let before = ((3 << 32) - 400, (1 << 31) - 100);
    let mut first = replay(&frames, RULES, &settings(0, Mode::Tap)).alerts;
    first.iter_mut().for_each(|alert| alert.1 += before.0);
    for workers in [0, 1, 3] {
        let report = replay_after(before, &frames, RULES, &settings(workers, Mode::Tap));
        assert!(report.alerts == first, "{workers} workers");
    }
}

#[test]
fn tap_mode_forwards_every_frame_as_it_came() {
    let frames = many_flows();
    for workers in [0, 2] {
        let mut report =
            replay(&frames, "drop ip any any -> any any (sid:1;)", &settings(workers, Mode::Tap));
        let mut came: Vec<Vec<u8>> = frames.iter().map(|(_, bytes)| bytes.clone()).collect();
        came.sort();
        report.sent.sort();
        assert!(came == report.sent, "{workers} workers");
        assert!(report.balance.is_even(), "{}", report.balance);
        assert_eq!(report.balance.dropped, 0);
    }
}

#[test]
fn without_inspection_every_frame_crosses_as_it_came() {
    let frames = many_flows();
    for workers in [0, 1, 2] {
        let mut settings = settings(workers, Mode::Ips);
        settings.ports.iter_mut().for_each(|plan| plan.inspect = false);
        let report = replay(&frames, "drop ip any any -> any any (sid:1;)", &settings);
        let came: Vec<&[u8]> = frames.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert!(came == report.sent, "{workers} workers: in order, too");
        assert!(report.balance.is_even() && report.balance.transmitted == frames.len() as u64);
    }
}

#[test]
fn inline_a_drop_rule_stops_its_session_and_no_other() {
    let mut capture = Capture::new(Link::ethernet());
    for (client, text) in [(1, "GET /good"), (2, "GET /evil"), (3, "GET /fine")] {
        let mut talk = TcpConversation::new(addr(client, 4000), addr(99, 80), u64::from(client));
        talk.handshake().send(Dir::ToServer, text.as_bytes(), 3).send(Dir::ToClient, b"answer", 100);
        talk.close(Dir::ToClient);
        capture.packets(talk.packets);
    }
    let rules = r#"drop tcp any any -> any 80 (flow:established,to_server; content:"/evil"; sid:7;)"#;
    let report = replay(&capture.frames, rules, &settings(2, Mode::Ips));
    assert_eq!(report.alerts.iter().map(|a| a.0).collect::<Vec<_>>(), [7]);
    let count =
        |needle: &[u8]| report.sent.iter().filter(|f| f.windows(needle.len()).any(|w| w == needle)).count();
    assert_eq!(count(b"answer"), 2, "the session of the dropped request gets no answer through");
    assert_eq!(count(b"vil"), 0, "the segment that completes the match stays here");
    assert!(report.balance.is_even() && report.balance.dropped > 0, "{}", report.balance);
}

#[test]
fn rebuilt_datagrams_leave_cut_to_the_other_ports_mtu() {
    let mut capture = Capture::new(Link::ethernet());
    let mut sent = Vec::new();
    for (n, family) in [(1, addr(1, 9)), (2, v6(1, 9))] {
        let server = if family.is_ipv4() { addr(2, 9) } else { v6(2, 9) };
        let payload = Random::new(n).bytes(5000);
        let packet = build::udp_packet(family, server, &IpFields { id: 77, ..IpFields::default() }, &payload);
        capture.packets(build::fragments(&packet, 77, &[600]));
        sent.push(packet);
    }
    let report = replay(&capture.frames, "", &settings(0, Mode::Ips));
    assert!(report.sent.iter().all(|f| f.len() <= 14 + 1500), "every piece fits");
    assert!(report.sent.len() < capture.frames.len(), "pieces are as large as they may be");
    // Back through reassembly, the payload is the same.
    let again: Vec<_> = report.sent.iter().map(|f| (Time::from_secs(1_780_000_001), f.clone())).collect();
    let mut wide = settings(0, Mode::Ips);
    wide.ports.iter_mut().for_each(|p| p.peer_mtu = u16::MAX);
    let whole = replay(&again, "", &wide).sent;
    assert_eq!(whole.len(), 2);
    for (frame, packet) in whole.iter().zip(&sent) {
        assert!(frame.ends_with(&packet[packet.len() - 5000..]));
    }
}

#[test]
fn whole_packets_too_large_for_the_other_port_are_cut_if_they_allow_it() {
    let payload = Random::new(5).bytes(3000);
    let packet = |dont_fragment| {
        let fields = IpFields { id: 9, dont_fragment, ..IpFields::default() };
        build::udp_packet(addr(1, 9), addr(2, 9), &fields, &payload)
    };
    let mut capture = Capture::new(Link::ethernet());
    capture.packets([packet(false), packet(true)]);
    // A tap leaves it to the port; a line that acts drops the other one.
    for (mode, passes) in [(Mode::Ips, false), (Mode::Reassemble, false), (Mode::Tap, true)] {
        let report = replay(&capture.frames, "", &settings(0, mode));
        let lengths: Vec<_> = report.sent.iter().map(Vec::len).collect();
        let expected = [1514, 1514, 14 + 20 + 48, 14 + 28 + 3000];
        assert_eq!(lengths, expected[..if passes { 4 } else { 3 }], "{mode:?}");
        assert!(report.balance.is_even(), "{}", report.balance);
        assert_eq!(report.balance.received_bytes, 2 * (14 + 28 + 3000));
    }
}

/// One conversation, as Suricata would see it: bytes are looked at once they are acknowledged.
fn watched(packets: Vec<Vec<u8>>, rules: &str) -> Vec<(u32, u64, Dir)> {
    let mut capture = Capture::new(Link::ethernet());
    capture.packets(packets);
    let of = |workers| {
        let delivery = stream::Settings::suricata().delivery;
        replay_with(&capture.frames, rules, &settings(workers, Mode::Ids), delivery).alerts
    };
    let alerts = of(0);
    assert_eq!(of(3), alerts);
    alerts
}

#[test]
fn what_still_waits_at_the_end_is_inspected_under_the_last_packets_number() {
    let mut talk = TcpConversation::new(addr(1, 4000), addr(2, 80), 1);
    talk.handshake().send(Dir::ToServer, b"half of a needle", 8);
    let mut other = TcpConversation::new(addr(3, 4000), addr(4, 80), 2);
    other.handshake();
    let packets = [talk.packets, other.packets].concat();
    let last = packets.len() as u64;
    let rules = r#"alert tcp any any -> any any (content:"needle"; sid:1;)"#;
    assert_eq!(watched(packets, rules), [(1, last, Dir::ToServer)]);
}

#[test]
fn a_reset_makes_both_directions_bytes_inspectable_at_once() {
    let mut talk = TcpConversation::new(addr(1, 4000), addr(2, 80), 1);
    talk.handshake().send(Dir::ToServer, b"question", 8).send(Dir::ToClient, b"answer", 8);
    talk.reset(Dir::ToClient);
    let reset = talk.packets.len() as u64;
    let mut other = TcpConversation::new(addr(3, 4000), addr(4, 80), 2);
    other.handshake();
    let rules = "alert tcp any any -> any any (content:\"question\"; sid:1;)
        alert tcp any any -> any any (content:\"answer\"; sid:2;)";
    let got = watched([talk.packets, other.packets].concat(), rules);
    assert_eq!(got, [(1, reset, Dir::ToServer), (2, reset, Dir::ToClient)]);
}

#[test]
fn the_payload_of_a_syn_is_inspected_as_a_packets_and_once() {
    let mut talk = TcpConversation::new(addr(1, 4000), addr(2, 80), 1);
    talk.emit(Dir::ToServer, crate::wire::tcp::flag::SYN, Default::default(), b"needle");
    let rules = r#"alert tcp any any -> any any (content:"needle"; sid:1;)"#;
    assert_eq!(watched(talk.packets, rules), [(1, 1, Dir::ToServer)]);
}

#[test]
fn rules_hear_of_what_reassembly_finds_wrong_with_a_fragment() {
    let packet = build::udp_packet(addr(1, 9), addr(2, 9), &IpFields::default(), &[7; 200]);
    let pieces = [0..104, 96..160, 160..208].map(|range| build::fragment(&packet, 5, range, true));
    let rules = "alert pkthdr any any -> any any (decode-event:ipv4.frag_overlap; sid:1;)
        alert ip any any -> any any (sid:2;)";
    let got = watched(pieces.to_vec(), rules);
    let each = |n| (2, n, Dir::ToServer);
    assert_eq!(got, [each(1), (1, 2, Dir::ToServer), each(2), each(3)]);
}

/// What VXLAN carries between two hosts; each direction has an outer port of its own.
fn vxlan(dir: Dir, inner: &[u8]) -> Vec<u8> {
    let (from, to) = if dir == Dir::ToServer { (addr(1, 40_000), 2) } else { (addr(2, 50_000), 1) };
    let header = [&[8, 0, 0, 0, 0, 0, 100, 0][..], &[2; 12], &[8, 0]].concat();
    build::udp_packet(from, addr(to, 4789), &IpFields::default(), &[&header, inner].concat())
}

#[test]
fn a_tunnels_inner_session_is_followed_by_itself_on_one_worker() {
    let mut talk = TcpConversation::new(addr(11, 4000), addr(12, 80), 1);
    talk.handshake().send(Dir::ToServer, b"a needle", 3).reset(Dir::ToClient);
    let dirs = [0, 1, 0, 0, 0, 0, 1, 1].map(|n| if n == 0 { Dir::ToServer } else { Dir::ToClient });
    let packets = talk.packets.iter().zip(dirs).map(|(packet, dir)| vxlan(dir, packet)).collect();
    let rules = "alert tcp any any -> any any (flow:established,to_server; content:\"needle\"; sid:1;)
        alert udp any any -> any 4789 (content:\"|00 00 64 00|\"; offset:4; depth:4; sid:2;)";
    let got = watched(packets, rules);
    let (inner, outer): (Vec<_>, Vec<_>) = got.into_iter().partition(|alert| alert.0 == 1);
    assert_eq!((inner, outer.len()), (vec![(1, 8, Dir::ToServer)], 8));
}

#[test]
fn inline_a_dropped_inner_session_takes_its_share_of_the_tunnel_with_it() {
    let inner = |to, port| build::udp_packet(addr(11, 1), addr(to, port), &IpFields::default(), b"inner");
    let mut capture = Capture::new(Link::ethernet());
    let packets = [(12, 2), (13, 2), (12, 2), (13, 3)];
    capture.packets(packets.map(|(to, port)| vxlan(Dir::ToServer, &inner(to, port))));
    let rules = "drop udp any any -> 10.0.0.13 2 (sid:1;)";
    let report = replay(&capture.frames, rules, &settings(0, Mode::Ips));
    assert_eq!(report.alerts, [(1, 2, Dir::ToServer)]);
    assert_eq!(report.sent.len(), 2, "what the tunnel carries between these two is dropped from there on");
    assert!(report.balance.is_even(), "{}", report.balance);
}

#[test]
fn a_fragment_that_the_capture_cut_short_holds_no_worker_up() {
    let mut frames = many_flows();
    for (_, frame) in frames.iter_mut().step_by(5) {
        frame.truncate(60);
    }
    let one = replay(&frames, RULES, &settings(0, Mode::Tap)).alerts;
    for workers in [2, 4] {
        assert_eq!(replay(&frames, RULES, &settings(workers, Mode::Tap)).alerts, one, "{workers} workers");
    }
}

/// Bytes that die behind us, filler beyond every lookback, then other bytes in their place that the server would take.
#[test]
fn inline_a_late_retransmission_with_other_bytes_stays_here() {
    let mut talk = TcpConversation::new(addr(1, 4000), addr(2, 80), 5);
    talk.handshake();
    talk.packets.push(talk.segment(Dir::ToServer, 0, b"GOODGOODGO"));
    let filler = [b'.'; 1400];
    for n in 0..6 {
        talk.packets.push(talk.segment(Dir::ToServer, 10 + n * 1400, &filler));
    }
    talk.packets.push(talk.segment(Dir::ToServer, 0, b"EVILATTACK"));
    let mut capture = Capture::new(Link::ethernet());
    capture.packets(talk.packets);
    let rules = r#"drop tcp any any -> any any (flow:established; content:"EVILATTACK"; sid:1;)"#;
    let report = replay(&capture.frames, rules, &settings(0, Mode::Ips));
    assert!(!report.sent.iter().any(|f| f.ends_with(b"EVILATTACK")), "it went through");
    assert!(report.balance.is_even(), "{}", report.balance);
}
