//! Modes changed while traffic flows: verdicts act or not from then on, and nothing is lost, fragments neither.

use super::line::Line;
use super::rig::Rig;
use super::*;
use crate::base::DropReason;
use std::time::Duration;

const NOW: Time = Time::from_secs(1_780_000_000);

fn udp(client: u32, text: &[u8]) -> Vec<u8> {
    build::udp_packet(addr(client, 1), addr(99, 2), &IpFields::default(), text)
}

#[test]
fn a_rule_drops_from_the_switch_on_and_spares_again_after_it() {
    for workers in [0, 2] {
        let plan = detection(&engine("drop udp any any -> any any (content:\"attack\"; sid:1;)"), 2);
        let mut rig = Rig::with(&plan, &settings(workers, Mode::Tap));
        let passed = |rig: &mut Rig, client| {
            rig.sent.clear();
            rig.packet(Dir::ToServer, &udp(client, b"attack"));
            rig.sent.len()
        };
        let board = Arc::clone(&rig.handle.board);
        assert_eq!(passed(&mut rig, 1), 1);
        board.modes.set(&[INSIDE, OUTSIDE], Mode::Ips);
        assert_eq!(board.modes.behind(), Some(0));
        rig.turn();
        assert_eq!((board.modes.behind(), board.modes.of(OUTSIDE)), (None, Mode::Ips));
        assert_eq!((passed(&mut rig, 2), passed(&mut rig, 1)), (0, 0), "a session of before too");
        board.modes.set(&[INSIDE, OUTSIDE], Mode::Tap);
        rig.turn();
        assert_eq!((passed(&mut rig, 2), passed(&mut rig, 3)), (1, 1));
        board.modes.set(&[INSIDE], Mode::Ids);
        rig.turn();
        assert_eq!((passed(&mut rig, 4), rig.dropped(DropReason::NoPeer)), (0, 0), "copies end here");
        rig.finish();
    }
}

/// The pieces of one datagram, behind Ethernet.
fn pieces() -> Vec<Vec<u8>> {
    let packet = udp(1, &[7; 400]);
    build::fragments(&packet, 5, &[104]).iter().map(|piece| Link::ethernet().wrap(piece)).collect()
}

/// Payload bytes that left by port 1: those of IP behind 14 bytes of Ethernet and 20 of IP.
fn left(line: &Line) -> usize {
    line.sent(1).iter().map(|frame| frame.len() - 34).sum()
}

#[test]
fn a_datagram_under_way_at_a_switch_leaves_whole_under_its_old_mode() {
    let modes = [Mode::Ips, Mode::Tap, Mode::Ids];
    for (from, to) in modes.iter().flat_map(|from| modes.map(|to| (*from, to))).filter(|(a, b)| a != b) {
        for workers in [0, 1, 2] {
            let mut line = Line::new(workers, &[from], |_| {});
            let pieces = pieces();
            let half = pieces.len() / 2;
            pieces[..half].iter().for_each(|piece| line.put(0, piece));
            line.settle(NOW);
            line.handle.board.modes.set(&[PortId(0), PortId(1)], to);
            line.settle(NOW);
            pieces[half..].iter().for_each(|piece| line.put(0, piece));
            line.settle(NOW);
            let all: usize = pieces.iter().map(|piece| piece.len() - 34).sum();
            let second: usize = pieces[half..].iter().map(|piece| piece.len() - 34).sum();
            let expected = match (from, to) {
                (Mode::Ids, _) => second,
                (Mode::Tap, Mode::Ids) => all - second,
                _ => all,
            };
            assert_eq!(left(&line), expected, "{from:?} to {to:?}, {workers} workers");
            let balance = line.handle.balance(0);
            assert!(
                balance.is_even() && balance.dropped == 0 && balance.held == 0,
                "{from:?} {to:?} {balance}"
            );
            // The next datagram goes by the new mode alone.
            pieces.iter().for_each(|piece| line.put(0, piece));
            line.settle(NOW.plus(Duration::from_secs(3600)));
            assert_eq!(left(&line), if to == Mode::Ids { 0 } else { all }, "{from:?} to {to:?}, after it");
            line.finish();
            assert!(line.handle.balance(0).is_even());
        }
    }
}
