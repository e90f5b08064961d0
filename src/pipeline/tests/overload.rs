//! The ring to a worker is full: what becomes of the rest, and who sees it.

use super::super::mailbox::{Answer, Command};
use super::super::settings::OnOverload;
use super::super::watch::{Fate, FrameWatch, Watch};
use super::rig::Rig;
use super::*;
use crate::base::DropReason;

/// Frames of one burst, and the places in the ring.
const BURST: u32 = 32;
const RING: usize = 16;

fn line(on_overload: OnOverload, mode: Mode) -> Rig {
    let mut settings = Settings { ring_size: RING, ..settings(1, mode) };
    settings.ports.iter_mut().for_each(|plan| plan.on_overload = on_overload);
    let rule = "drop udp any any -> any any (content:\"attack\"; sid:1;)";
    Rig::with(&detection(&engine(rule), 2), &settings)
}

fn burst(rig: &mut Rig) {
    let packet = |n: u32| build::udp_packet(addr(n + 1, 1), addr(99, 2), &IpFields::default(), b"attack");
    let frames = (0..BURST).map(|n| Link::ethernet().wrap(&packet(n)));
    rig.frames(INSIDE, &frames.collect::<Vec<_>>());
}

#[test]
fn the_rest_is_dropped_or_goes_on_uninspected_as_the_policy_says() {
    let rest = u64::from(BURST) - RING as u64;
    for (on_overload, mode, dropped, bypassed, sent) in [
        (OnOverload::Drop, Mode::Ips, rest, 0, 0),
        (OnOverload::Bypass, Mode::Ips, 0, rest, rest),
        (OnOverload::Bypass, Mode::Tap, 0, rest, u64::from(BURST)),
        (OnOverload::Bypass, Mode::Ids, rest, 0, 0),
    ] {
        let mut rig = line(on_overload, mode);
        burst(&mut rig);
        let ledger = &rig.handle.ledgers[0];
        let counts = (ledger.dropped(DropReason::RingFull), ledger.bypassed.get(), rig.sent.len() as u64);
        assert_eq!(counts, (dropped, bypassed, sent), "{on_overload:?}, {mode:?}");
        assert!(rig.sent.iter().all(|(port, _)| *port == OUTSIDE));
        rig.finish();
    }
}

#[test]
fn what_the_main_lcore_drops_is_shown_to_who_watches() {
    let mut rig = line(OnOverload::Drop, Mode::Ips);
    let main = rig.handle.workers();
    assert_eq!(rig.handle.watchers(), main + 1);
    let room = FrameWatch { dropped: true, snaplen: 60, room: 1 << 16 };
    let (watch, mut feed) = Watch::frames(1, None, room);
    let ask = |rig: &mut Rig, command| {
        assert!(rig.handle.command(main, command).is_ok());
        rig.turn();
        match rig.handle.answer(main) {
            Some(Answer::Watch(watch)) => watch,
            _ => panic!("another answer"),
        }
    };
    assert!(ask(&mut rig, Command::Watch(watch)).is_none());
    burst(&mut rig);
    let mut bytes = Vec::new();
    let shown: Vec<_> =
        std::iter::from_fn(|| feed.take(&mut bytes).map(|head| (head.fate, head.packet))).collect();
    let fate = Fate::Dropped(DropReason::RingFull);
    let expected: Vec<_> = (RING as u64 + 1..=u64::from(BURST)).map(|packet| (fate, packet)).collect();
    assert_eq!(shown, expected);
    assert!(ask(&mut rig, Command::Unwatch(1)).is_some());
    burst(&mut rig);
    assert!(feed.take(&mut bytes).is_none());
    rig.finish();
}
