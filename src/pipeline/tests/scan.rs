//! Sessions told a part of the table at a time, and ended.

use super::super::mailbox::{Answer, Command, SessionRow};
use super::super::scan::{Pick, SessionScan};
use super::rig::Rig;
use super::*;
use crate::base::DropReason;

fn udp(client: u32) -> Vec<u8> {
    build::udp_packet(addr(client, 1), addr(99, 2), &IpFields::default(), b"text")
}

fn ask(rig: &mut Rig, command: Command) -> Answer {
    assert!(rig.handle.command(0, command).is_ok());
    rig.turn();
    rig.handle.answer(0).expect("an answer")
}

/// So many rows at a time.
fn scan(rig: &mut Rig, pick: Pick, at_once: usize) -> Vec<SessionRow> {
    let (mut all, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let scan = SessionScan { from: place, pick, rows: Vec::with_capacity(at_once) };
        let Answer::Sessions { rows, next } = ask(rig, Command::Sessions(scan)) else {
            panic!("no sessions")
        };
        assert!(rows.len() <= at_once);
        all.extend(rows);
        from = next;
    }
    all
}

#[test]
fn every_session_is_told_once_and_a_filter_looks_at_all_of_them() {
    let mut rig = Rig::with(
        &detection(&engine("alert udp any any -> any any (content:\"attack\"; sid:1;)"), 2),
        &settings(0, Mode::Ips),
    );
    (1..=9).for_each(|client| rig.packet(Dir::ToServer, &udp(client)));
    for at_once in [1, 2, 9, 100] {
        let mut found: Vec<u64> =
            scan(&mut rig, Pick::default(), at_once).iter().map(|row| row.flow_id).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 9, "{at_once} at once");
    }
    let last = scan(&mut rig, Pick { address: Some(addr(9, 0).ip()), ..Pick::default() }, 1);
    assert_eq!(last.len(), 1);
    assert_eq!(scan(&mut rig, Pick { flow_id: Some(last[0].flow_id), ..Pick::default() }, 1).len(), 1);
    assert!(scan(&mut rig, Pick { proto: Some(6), ..Pick::default() }, 1).is_empty());
    rig.finish();
}

#[test]
fn what_belongs_to_a_session_that_was_ended_is_dropped_and_nothing_else() {
    for (mode, dropped) in [(Mode::Ips, 2), (Mode::Tap, 0)] {
        let mut rig = Rig::with(
            &detection(&engine("alert udp any any -> any any (content:\"attack\"; sid:1;)"), 2),
            &settings(0, mode),
        );
        (1..=2).for_each(|client| rig.packet(Dir::ToServer, &udp(client)));
        let row = scan(&mut rig, Pick { address: Some(addr(1, 0).ip()), ..Pick::default() }, 1)[0];
        let kill = |flow_id| Command::Kill { tuple: row.tuple, flow_id };
        assert!(matches!(ask(&mut rig, kill(row.flow_id ^ 1)), Answer::Killed(false)), "another's number");
        rig.packet(Dir::ToServer, &udp(1));
        assert!(matches!(ask(&mut rig, kill(row.flow_id)), Answer::Killed(true)));
        (0..2).for_each(|_| rig.packet(Dir::ToServer, &udp(1)));
        rig.packet(Dir::ToServer, &udp(2));
        assert_eq!((rig.dropped(DropReason::Killed), rig.spared(DropReason::Killed)), (dropped, 2 - dropped));
        rig.finish();
    }
}
