//! IP actions that rules ask for: who is struck from the next packet on, how, and until when; on whatever worker.

use super::rig::Rig;
use super::*;
use crate::base::DropReason;
use crate::wire::build::{Segment, tcp_packet};
use crate::wire::tcp::flag::{ACK, RST, SYN};
use std::time::Duration;

fn rules(action: &str) -> String {
    format!(
        "alert udp any any -> any 53 (msg:\"m\"; content:\"attack\"; metadata:created 2026, {action}, ip_action_timeout 60; sid:7;)"
    )
}

fn udp(client: u32, port: u16, server: u32, text: &[u8]) -> Vec<u8> {
    build::udp_packet(addr(client, port), addr(server, 53), &IpFields::default(), text)
}

fn line(action: &str, workers: usize, mode: Mode) -> Rig {
    Rig::with(&detection(&engine(&rules(action)), 2), &settings(workers, mode))
}

/// Whether it passes.
fn passes(rig: &mut Rig, dir: Dir, packet: &[u8]) -> bool {
    rig.sent.clear();
    rig.packet(dir, packet);
    rig.sent.iter().any(|(port, bytes)| {
        *port == if dir == Dir::ToServer { OUTSIDE } else { INSIDE } && bytes.ends_with(packet)
    })
}

#[test]
fn a_source_that_attacked_is_blocked_on_every_worker_until_its_time_is_over() {
    for workers in [0, 1, 3] {
        let mut rig = line("ip_action block", workers, Mode::Ips);
        assert!(passes(&mut rig, Dir::ToServer, &udp(1, 4000, 2, b"hello")));
        assert!(passes(&mut rig, Dir::ToServer, &udp(1, 4001, 2, b"attack")), "the rule itself only alerts");
        for port in 4000..4020 {
            assert!(
                !passes(&mut rig, Dir::ToServer, &udp(1, port, 2, b"hello")),
                "{workers} workers, {port}"
            );
            assert!(passes(&mut rig, Dir::ToServer, &udp(3, port, 2, b"hello")));
        }
        let answer = build::udp_packet(addr(2, 53), addr(1, 4000), &IpFields::default(), b"answer");
        assert!(!passes(&mut rig, Dir::ToClient, &answer), "of a session that it opened");
        assert_eq!(rig.dropped(DropReason::IpAction), 21);
        let [row] = rig.handle.ip_actions.rows(rig.now)[..] else { panic!("one entry") };
        assert_eq!(row.packets, 21);
        let told: Vec<_> = rig
            .events
            .iter()
            .filter_map(|event| match event.body {
                EventBody::Drop(dropped) => Some((dropped.reason, dropped.rule == Some(row.rule))),
                _ => None,
            })
            .collect();
        assert!(told.iter().all(|told| *told == (DropReason::IpAction, true)), "the rule is named: {told:?}");
        rig.later(Duration::from_secs(61));
        assert!(passes(&mut rig, Dir::ToServer, &udp(1, 4000, 2, b"hello")));
        rig.finish();
    }
}

#[test]
fn a_target_of_a_service_strikes_nothing_else_and_zone_all_that_comes_in_there() {
    let mut rig_of_service = line("ip_action block, ip_action_target service", 1, Mode::Ips);
    let rig = &mut rig_of_service;
    passes(rig, Dir::ToServer, &udp(1, 4000, 2, b"attack"));
    assert!(!passes(rig, Dir::ToServer, &udp(1, 4001, 2, b"hello")));
    assert!(
        passes(rig, Dir::ToServer, &udp(1, 4001, 3, b"hello"))
            && passes(rig, Dir::ToServer, &udp(3, 4001, 2, b"hello"))
    );
    rig_of_service.finish();
    let mut rig = line("ip_action block, ip_action_target zone", 1, Mode::Ips);
    passes(&mut rig, Dir::ToServer, &udp(1, 4000, 2, b"attack"));
    assert!(!passes(&mut rig, Dir::ToServer, &udp(5, 4001, 6, b"hello")));
    let back = build::udp_packet(addr(6, 1), addr(5, 2), &IpFields::default(), b"hello");
    assert!(passes(&mut rig, Dir::ToClient, &back), "it comes in by the other port");
    rig.finish();
}

#[test]
fn close_tells_both_ends_and_notify_counts_only() {
    let mut rig_of_close = line("ip_action close", 0, Mode::Ips);
    let rig = &mut rig_of_close;
    passes(rig, Dir::ToServer, &udp(1, 4000, 2, b"attack"));
    let syn = Segment { seq: 5, flags: SYN, ..Segment::default() };
    assert!(!passes(rig, Dir::ToServer, &tcp_packet(addr(1, 4001), addr(9, 80), &IpFields::default(), &syn)));
    let flags = |sent: &[(PortId, Vec<u8>)]| -> Vec<_> {
        sent.iter().map(|(port, bytes)| (*port, bytes[14 + 20 + 13])).collect()
    };
    assert!(flags(&rig.sent).contains(&(INSIDE, RST | ACK)), "{:?}", flags(&rig.sent));
    rig_of_close.finish();

    let mut rig = line("ip_action notify", 0, Mode::Ips);
    passes(&mut rig, Dir::ToServer, &udp(1, 4000, 2, b"attack"));
    assert!((0..3).all(|_| passes(&mut rig, Dir::ToServer, &udp(1, 4000, 2, b"hello"))));
    assert_eq!((rig.handle.ip_actions.counts().notified, rig.dropped(DropReason::IpAction)), (3, 0));
    rig.finish();
}

#[test]
fn where_no_verdict_acts_nothing_is_asked_for_and_nothing_struck() {
    for mode in [Mode::Tap, Mode::Ids] {
        let mut rig = line("ip_action block", 0, mode);
        rig.packet(Dir::ToServer, &udp(1, 4000, 2, b"attack"));
        rig.packet(Dir::ToServer, &udp(1, 4000, 2, b"hello"));
        assert_eq!(rig.handle.ip_actions.rows(rig.now).len(), 0);
        assert_eq!((rig.dropped(DropReason::IpAction), rig.spared(DropReason::IpAction)), (0, 0));
        rig.finish();
    }
}
