//! Packets shown to an operator: whose filter takes them, with their fate, and never at the price of the packet.

use super::super::mailbox::{Answer, Command};
use super::super::watch::{Fate, FrameFeed, FrameWatch, MAX_WATCHES, StepFeed, Watch};
use super::rig::Rig;
use super::*;
use crate::base::bpf::{Instruction, Program};
use crate::base::{DropReason, PluginId, RuleIndex};
use crate::service::trace::{Said, Step};
use std::time::Duration;

const RULE: &str = "drop udp any any -> any any (content:\"attack\"; sid:1;)";

fn udp(client: u32, text: &[u8]) -> Vec<u8> {
    build::udp_packet(addr(client, 1), addr(99, 2), &IpFields::default(), text)
}

/// Frames whose IPv4 source ends in this byte.
fn from_client(last: u8) -> Program {
    let i = |code, jump_true, jump_false, k| Instruction { code, jump_true, jump_false, k };
    let take = [i(0x30, 0, 0, 29), i(0x15, 0, 1, last.into()), i(6, 0, 0, 1), i(6, 0, 0, 0)];
    Program::new(&take).unwrap()
}

fn rig(mode: Mode, workers: usize) -> Rig {
    Rig::with(&detection(&engine(RULE), 2), &settings(workers, mode))
}

fn ask(rig: &mut Rig, worker: usize, command: Command) -> Option<Box<Watch>> {
    assert!(rig.handle.command(worker, command).is_ok());
    rig.turn();
    match rig.handle.answer(worker) {
        Some(Answer::Watch(watch)) => watch,
        _ => panic!("another answer"),
    }
}

fn frames(rig: &mut Rig, filter: Option<Program>, dropped: bool, snaplen: u32, room: usize) -> FrameFeed {
    let (watch, feed) = Watch::frames(1, filter, FrameWatch { dropped, snaplen, room });
    assert!(ask(rig, 0, Command::Watch(watch)).is_none());
    feed
}

/// Fate, packet number and bytes of all that was shown.
fn shown(feed: &mut FrameFeed) -> Vec<(Fate, u64, Vec<u8>)> {
    let mut bytes = Vec::new();
    std::iter::from_fn(|| feed.take(&mut bytes).map(|head| (head.fate, head.packet, bytes.clone()))).collect()
}

#[test]
fn what_the_filter_takes_is_copied_with_its_fate_and_who_is_behind_it() {
    let mut rig = rig(Mode::Ips, 0);
    let mut feed = frames(&mut rig, Some(from_client(1)), false, u32::MAX, 1 << 16);
    let (good, bad) = (udp(1, b"harmless"), udp(1, b"attack"));
    rig.packet(Dir::ToServer, &good);
    rig.packet(Dir::ToServer, &udp(2, b"attack"));
    rig.packet(Dir::ToServer, &bad);
    let wrap = |packet: &[u8]| Link::ethernet().wrap(packet);
    let expected =
        [(Fate::Sent(Some(OUTSIDE)), 1, wrap(&good)), (Fate::Dropped(DropReason::RuleDrop), 3, wrap(&bad))];
    assert_eq!(shown(&mut feed), expected);
    assert!(ask(&mut rig, 0, Command::Unwatch(7)).is_none(), "no such watch");
    assert!(ask(&mut rig, 0, Command::Unwatch(1)).is_some());
    rig.packet(Dir::ToServer, &good);
    assert_eq!(shown(&mut feed).len(), 0);
    rig.finish();
}

#[test]
fn dropped_ones_alone_are_shown_where_only_they_are_wanted_also_those_that_a_mode_spares() {
    for (mode, fate) in [
        (Mode::Ips, Fate::Dropped(DropReason::RuleDrop)),
        (Mode::Tap, Fate::Spared(DropReason::RuleDrop)),
        (Mode::Ids, Fate::Spared(DropReason::RuleDrop)),
    ] {
        let mut rig = rig(mode, 1);
        let mut feed = frames(&mut rig, None, true, 20, 1 << 16);
        rig.packet(Dir::ToServer, &udp(1, b"harmless"));
        rig.packet(Dir::ToServer, &udp(1, b"attack"));
        let mut bytes = Vec::new();
        let head = feed.take(&mut bytes).unwrap();
        let whole = Link::ethernet().wrap(&udp(1, b"attack"));
        assert_eq!((head.fate, bytes.as_slice(), head.length), (fate, &whole[..20], whole.len() as u32));
        assert_eq!(head.blame.rule.map(|(_, rule)| rule), Some(RuleIndex(0)));
        assert_eq!(head.blame.plugin, Some(PluginId(0)));
        assert!(feed.take(&mut bytes).is_none());
        rig.finish();
    }
}

#[test]
fn fragments_that_are_given_up_are_shown_as_they_came() {
    for (mode, copies) in [(Mode::Ips, false), (Mode::Tap, true), (Mode::Ids, true)] {
        let mut rig = rig(mode, 0);
        let mut feed = frames(&mut rig, None, true, u32::MAX, 1 << 18);
        let mut pieces = build::fragments(&udp(1, &[7; 4000]), 5, &[1000]);
        pieces.remove(1);
        pieces.iter().for_each(|piece| rig.packet(Dir::ToServer, piece));
        // Within a tunnel: no frames of their own.
        let inner = build::Tunnel::Vxlan(3).wrap(addr(1, 1), addr(2, 2), &Link::ethernet(), &pieces[0]);
        rig.packet(Dir::ToServer, &inner);
        assert_eq!(shown(&mut feed).len(), 0, "they wait");
        rig.later(Duration::from_secs(31));
        let reason = DropReason::FragmentTimeout;
        let fate = if copies { Fate::Spared(reason) } else { Fate::Dropped(reason) };
        let expected = |(n, piece): (usize, &Vec<u8>)| (fate, n as u64 + 1, Link::ethernet().wrap(piece));
        let expected: Vec<_> = pieces.iter().enumerate().map(expected).collect();
        assert_eq!(shown(&mut feed), expected, "{mode:?}");
        rig.finish();
    }
}

/// By overlaps a fragment has several runs, or none.
#[test]
fn a_fragment_in_several_runs_is_shown_once() {
    let mut rig = rig(Mode::Ips, 0);
    let mut feed = frames(&mut rig, None, true, u32::MAX, 1 << 18);
    let packet = udp(1, &[7; 4000]);
    let piece = |range| build::fragment(&packet, 5, range, true);
    for range in [400..800, 1200..1600, 0..2000, 0..400] {
        rig.packet(Dir::ToServer, &piece(range));
    }
    let duplicate = shown(&mut feed);
    rig.later(Duration::from_secs(31));
    let packets: Vec<_> = shown(&mut feed).iter().map(|(.., packet, _)| *packet).collect();
    assert_eq!((duplicate.len(), packets), (1, vec![3, 1, 2]));
    rig.finish();
}

#[test]
fn what_finds_no_room_is_lost_and_counted_and_every_packet_goes_on() {
    let mut rig = rig(Mode::Ips, 0);
    let mut feed = frames(&mut rig, None, false, u32::MAX, 300);
    (0..50).for_each(|_| rig.packet(Dir::ToServer, &udp(1, b"harmless")));
    assert_eq!(rig.sent.len(), 50);
    let got = shown(&mut feed).len() as u64;
    assert_eq!((feed.counts.seen.get(), feed.counts.lost.get()), (50, 50 - got));
    assert!((1..5).contains(&got), "{got}");
    rig.packet(Dir::ToServer, &udp(1, b"harmless"));
    assert_eq!(shown(&mut feed).len(), 1, "there is room again");
    rig.finish();
}

#[test]
fn as_many_watches_as_may_be_are_served_and_one_more_comes_back() {
    let mut rig = rig(Mode::Ips, 0);
    let watch = |id| Watch::steps(id, None, 4).0;
    for id in 0..MAX_WATCHES as u64 {
        assert!(ask(&mut rig, 0, Command::Watch(watch(id))).is_none());
    }
    assert!(ask(&mut rig, 0, Command::Watch(watch(99))).is_some());
    rig.finish();
}

fn steps(feed: &mut StepFeed) -> Vec<Vec<Step>> {
    std::iter::from_fn(|| feed.ring.pop().ok()).map(|row| row.steps.to_vec()).collect()
}

#[test]
fn the_steps_of_a_packet_are_told_in_order() {
    let mut rig = rig(Mode::Ips, 0);
    let (watch, mut feed) = Watch::steps(1, Some(from_client(1)), 16);
    assert!(ask(&mut rig, 0, Command::Watch(watch)).is_none());
    rig.packet(Dir::ToServer, &udp(1, b"harmless"));
    rig.packet(Dir::ToServer, &udp(2, b"harmless"));
    rig.packet(Dir::ToServer, &udp(1, b"attack"));
    let [first, second] = &steps(&mut feed)[..] else { panic!("two packets") };
    let Step::Session { flow_id, .. } = first[0] else { panic!("{first:?}") };
    let session = |opened| Step::Session { flow_id, dir: Dir::ToServer, opened, related: false };
    let idp = |said| Step::Plugin { plugin: PluginId(0), said };
    assert_eq!(first[..], [session(true), idp(Said::Forward), Step::Sent(Some(OUTSIDE))]);
    let dropped = DropReason::RuleDrop;
    assert!(matches!(second[1], Step::Alert { rule: RuleIndex(0), .. }), "{second:?}");
    assert_eq!(
        (second[0], second[2], second[3]),
        (session(false), idp(Said::Drop(dropped)), Step::Dropped(dropped))
    );
    rig.finish();
}

#[test]
fn the_fragment_that_makes_a_datagram_whole_is_traced_with_it() {
    let mut rig = rig(Mode::Ips, 0);
    let (watch, mut feed) = Watch::steps(1, None, 16);
    assert!(ask(&mut rig, 0, Command::Watch(watch)).is_none());
    let packet = udp(1, &[7; 200]);
    build::fragments(&packet, 5, &[104]).iter().for_each(|piece| rig.packet(Dir::ToServer, piece));
    let rows = steps(&mut feed);
    let last = |n: usize| rows[n].last().copied();
    assert_eq!((rows.len(), last(0), rows[1][0]), (2, Some(Step::Piece), rows[0][0]), "{rows:?}");
    assert_eq!(rows[1][1..3], [Step::Piece, Step::Rebuilt], "{rows:?}");
    assert_eq!(last(1), Some(Step::Sent(Some(OUTSIDE))), "{rows:?}");
    rig.finish();
}
