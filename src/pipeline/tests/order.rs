//! Segments out of order that wait, by a setting, until what is missing before them has come.

use super::rig::Rig;
use super::*;
use crate::base::DropReason;
use crate::decode::{Decoded, Tunnels, decode};
use crate::inspect;
use crate::service::hold::{HoldSettings, WhenHeld};
use crate::service::idp::Idp;
use crate::stream;
use crate::wire::build::{Segment, tcp_packet};
use crate::wire::tcp::flag::{ACK, PSH, SYN};
use std::time::Duration;

const RULES: &str = "drop tcp any any -> any any (flow:to_server; content:\"evil-word\"; sid:1;)";
const SERVER_ISN: u32 = 77;
/// The client's; the numbers wrap amid the stream.
const ISN: u32 = u32::MAX - 5;

fn line(mode: Mode, hold: HoldSettings) -> Rig {
    let streams = stream::Settings { blocks: 256, streams: 64, hold: true, ..stream::Settings::default() };
    let mut plan = Idp::alone(&engine(RULES), streams, inspect::Settings::default(), 2);
    plan.hold = hold;
    Rig::with(&plan, &settings(0, mode))
}

/// The client's bytes from `at` on, of a session with that port.
fn say(rig: &mut Rig, client: u16, at: u32, bytes: &[u8]) {
    let seq = ISN.wrapping_add(1 + at);
    let segment =
        Segment { seq, ack: SERVER_ISN + 1, flags: ACK | PSH, payload: bytes, ..Segment::default() };
    rig.packet(Dir::ToServer, &tcp_packet(addr(1, client), addr(2, 9999), &IpFields::default(), &segment));
}

fn open(rig: &mut Rig, client: u16) {
    let segment = |seq, ack, flags| Segment { seq, ack, flags, ..Segment::default() };
    let (from, to) = (addr(1, client), addr(2, 9999));
    let first = ISN.wrapping_add(1);
    for (dir, from, to, segment) in [
        (Dir::ToServer, from, to, segment(ISN, 0, SYN)),
        (Dir::ToClient, to, from, segment(SERVER_ISN, first, SYN | ACK)),
        (Dir::ToServer, from, to, segment(first, SERVER_ISN + 1, ACK)),
    ] {
        rig.packet(dir, &tcp_packet(from, to, &IpFields::default(), &segment));
    }
    rig.sent.clear();
}

/// Payloads that left, in their order.
fn left(rig: &Rig) -> Vec<String> {
    let payload = |frame: &Vec<u8>| {
        let mut decoded = Decoded::default();
        decode(frame, LinkType::Ethernet, &Tunnels::default(), &mut decoded);
        String::from_utf8_lossy(&frame[decoded.payload_range()]).into_owned()
    };
    rig.sent.iter().map(|(_, frame)| payload(frame)).collect()
}

fn held(rig: &Rig) -> u64 {
    rig.handle.balance(0).held
}

#[test]
fn what_comes_early_waits_for_what_is_missing_and_leaves_in_order() {
    let mut rig = line(Mode::Ips, HoldSettings::default());
    open(&mut rig, 4000);
    open(&mut rig, 4001);
    say(&mut rig, 4000, 8, b"cccc");
    say(&mut rig, 4000, 4, b"bbbb");
    say(&mut rig, 4000, 16, b"eeee");
    assert_eq!((left(&rig).len(), held(&rig)), (0, 3));
    say(&mut rig, 4001, 0, b"another session");
    assert_eq!(left(&rig), ["another session"], "nobody else waits");
    say(&mut rig, 4000, 0, b"aaaa");
    assert_eq!(left(&rig)[1..], ["aaaa", "bbbb", "cccc"]);
    assert_eq!(held(&rig), 1, "one is early still");
    say(&mut rig, 4000, 12, b"dddd");
    assert_eq!(left(&rig)[4..], ["dddd", "eeee"]);
    say(&mut rig, 4000, 20, b"in order");
    assert_eq!((left(&rig).last().map(String::as_str), held(&rig)), (Some("in order"), 0));
    rig.finish();
}

#[test]
fn what_waits_for_a_segment_that_completes_an_attack_goes_with_it() {
    let mut rig = line(Mode::Ips, HoldSettings::default());
    open(&mut rig, 4000);
    say(&mut rig, 4000, 5, b"word");
    say(&mut rig, 4000, 9, b" and more");
    assert_eq!(held(&rig), 2);
    say(&mut rig, 4000, 0, b"evil-");
    assert_eq!((left(&rig).len(), held(&rig)), (0, 0));
    assert_eq!((rig.dropped(DropReason::RuleDrop), rig.dropped(DropReason::SessionDropped)), (1, 2));
    rig.finish();
}

#[test]
fn whose_hole_is_not_filled_in_time_goes_by_the_policy_for_that() {
    for (on_timeout, passed) in [(WhenHeld::Drop, 0), (WhenHeld::Forward, 1)] {
        let mut rig = line(Mode::Ips, HoldSettings { on_timeout, ..HoldSettings::default() });
        open(&mut rig, 4000);
        say(&mut rig, 4000, 8, b"cccc");
        rig.later(Duration::from_secs(3));
        assert_eq!((left(&rig).len(), held(&rig)), (passed, 0), "{on_timeout:?}");
        assert_eq!(rig.dropped(DropReason::HoldTimeout), 1 - passed as u64);
        // What comes too late finds nobody waiting, and is no ticket to what waits now.
        say(&mut rig, 4000, 16, b"eeee");
        say(&mut rig, 4000, 0, b"aaaabbbb");
        assert_eq!((left(&rig)[passed..].to_vec(), held(&rig)), (vec!["aaaabbbb".to_owned()], 1));
        rig.finish();
    }
}

/// No turn comes between: the packet that fills the hole is what tells that time has gone on.
#[test]
fn whose_time_is_over_does_not_leave_with_what_fills_its_hole_too_late() {
    for (on_timeout, others) in [(WhenHeld::Drop, &[][..]), (WhenHeld::Forward, &["cccc"])] {
        let mut rig = line(Mode::Ips, HoldSettings { on_timeout, ..HoldSettings::default() });
        open(&mut rig, 4000);
        say(&mut rig, 4000, 8, b"cccc");
        rig.now = rig.now.plus(Duration::from_secs(3));
        say(&mut rig, 4000, 0, b"aaaabbbb");
        assert_eq!(left(&rig), [others, &["aaaabbbb"]].concat(), "{on_timeout:?}");
        assert_eq!((rig.dropped(DropReason::HoldTimeout), held(&rig)), (1 - others.len() as u64, 0));
        rig.finish();
    }
}

#[test]
fn a_session_holds_so_many_and_then_its_policy_says() {
    for (on_cap, passed) in [(WhenHeld::Drop, 0), (WhenHeld::Forward, 4)] {
        let mut rig = line(Mode::Ips, HoldSettings { session_frames: 6, on_cap, ..HoldSettings::default() });
        open(&mut rig, 4000);
        (1..=10).for_each(|n| say(&mut rig, 4000, n * 4, b"late"));
        assert_eq!((left(&rig).len(), held(&rig)), (passed, 6), "{on_cap:?}");
        assert_eq!(rig.dropped(DropReason::HoldCap), 4 - passed as u64);
        say(&mut rig, 4000, 0, b"once");
        assert_eq!((left(&rig).len(), held(&rig)), (passed + 7, 0));
        rig.finish();
    }
}

#[test]
fn where_verdicts_do_not_act_nothing_waits() {
    let mut rig = line(Mode::Tap, HoldSettings::default());
    open(&mut rig, 4000);
    say(&mut rig, 4000, 8, b"cccc");
    assert_eq!((left(&rig), held(&rig)), (vec!["cccc".to_owned()], 0));
    rig.finish();
}

#[test]
fn a_session_that_ends_leaves_nobody_waiting_in_the_next_ones_place() {
    let mut rig =
        line(Mode::Ips, HoldSettings { timeout: Duration::from_secs(60), ..HoldSettings::default() });
    open(&mut rig, 4000);
    say(&mut rig, 4000, 8, b"cccc");
    rig.later(Duration::from_secs(5000));
    assert_eq!(held(&rig), 0);
    open(&mut rig, 4001);
    say(&mut rig, 4001, 0, b"aaaabbbbcccc");
    assert_eq!(left(&rig), ["aaaabbbbcccc"]);
    rig.finish();
}
