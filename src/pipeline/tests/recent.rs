//! What a worker can say of drops: the reason, who is behind it, and of which packet.

use super::super::mailbox::{Answer, Command, SessionRow};
use super::super::recent::{DropRow, Ends, REMEMBERED};
use super::rig::Rig;
use super::*;
use crate::base::{Addr, DropReason, Family, FlowTuple, Generation, PluginId, RuleIndex};

const RULE: &str = "drop udp any any -> any any (content:\"attack\"; sid:1;)";

fn udp(client: u32, text: &[u8]) -> Vec<u8> {
    build::udp_packet(addr(client, 1), addr(99, 2), &IpFields::default(), text)
}

/// From the server's side, as an operator may ask.
fn between(client: u32) -> Ends {
    let [src, dst] = [99, client].map(|host: u32| Addr::v4((0x0a00_0000 + host).to_be_bytes()));
    let tuple =
        FlowTuple { src, dst, sport: 2, dport: 1, proto: 17, family: Family::V4, context: 0, tunnel: 0 };
    Ends { tuple, with_ports: true }
}

fn why(rig: &mut Rig, ends: Ends) -> (Vec<SessionRow>, Vec<DropRow>) {
    let (mut sessions, mut all) = (Vec::new(), Vec::new());
    for worker in 0..rig.handle.workers() {
        assert!(rig.handle.command(worker, Command::Why { ends, rows: Vec::with_capacity(8) }).is_ok());
    }
    rig.turn();
    for worker in 0..rig.handle.workers() {
        let Some(Answer::Why { session, rows }) = rig.handle.answer(worker) else { panic!("no answer") };
        sessions.extend(session);
        all.extend(rows);
    }
    (sessions, all)
}

#[test]
fn the_first_drop_of_a_session_is_remembered_with_its_rule_and_the_rest_is_counted() {
    for (workers, mode) in [(0, Mode::Ips), (2, Mode::Ips), (1, Mode::Tap)] {
        let plan = detection(&engine(RULE), 2);
        let mut rig = Rig::with(&plan, &settings(workers, mode));
        rig.packet(Dir::ToServer, &udp(1, b"harmless"));
        assert_eq!(why(&mut rig, between(1)).1.len(), 0);
        (0..3).for_each(|_| rig.packet(Dir::ToServer, &udp(1, b"attack")));
        rig.packet(Dir::ToServer, &udp(2, b"harmless"));
        let (sessions, rows) = why(&mut rig, between(1));
        assert_eq!(
            sessions.iter().map(|s| (s.tuple.sport, s.verdict)).collect::<Vec<_>>(),
            [(1, "inspect")],
            "the rule is one of packets"
        );
        let [row] = rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.reason, row.packet, row.port), (DropReason::RuleDrop, 2, INSIDE));
        assert_eq!((row.frames, row.spared), (3, if mode == Mode::Tap { 3 } else { 0 }));
        assert_eq!((row.flow_id, row.tuple.sport), (sessions[0].flow_id, 1));
        assert_eq!(row.blame.plugin, Some(PluginId(0)));
        assert_eq!(row.blame.rule, Some((Generation(0), RuleIndex(0))));
        let (sessions, rows) = why(&mut rig, between(2));
        assert_eq!((sessions.len(), rows.len()), (1, 0));
        rig.finish();
    }
}

#[test]
fn what_has_no_rule_behind_it_blames_none() {
    let plan = detection(&engine(RULE), 2);
    let mut rig = Rig::with(&plan, &Settings { drop_invalid: true, ..settings(0, Mode::Ips) });
    rig.packet(Dir::ToServer, &udp(1, b"attack"));
    let mut cut = udp(3, b"text");
    cut[25] = 200; // the UDP header says more than there is
    rig.packet(Dir::ToServer, &cut);
    let any_port = Ends { with_ports: false, ..between(3) };
    let (_, rows) = why(&mut rig, any_port);
    let facts: Vec<_> = rows.iter().map(|row| (row.reason, row.blame.rule, row.blame.plugin)).collect();
    assert_eq!(facts, [(DropReason::Malformed, None, None)]);
    rig.finish();
}

#[test]
fn a_flood_of_drops_finds_its_memory_bounded() {
    let plan = detection(&engine(RULE), 2);
    let mut rig = Rig::with(&plan, &settings(0, Mode::Ips));
    let clients = 2 * REMEMBERED as u32;
    (100..100 + clients).for_each(|client| rig.packet(Dir::ToServer, &udp(client, b"attack")));
    let newest = why(&mut rig, between(99 + clients)).1;
    assert_eq!(newest.iter().map(|row| row.packet).collect::<Vec<_>>(), [u64::from(clients)]);
    let known =
        (100..100 + clients).step_by(97).filter(|&client| !why(&mut rig, between(client)).1.is_empty());
    let known = known.count();
    assert!((10..80).contains(&known), "{known} of 85 asked are known, about half of them should be");
    rig.finish();
}
