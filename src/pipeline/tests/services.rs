//! The contract of chains (spec 60): which event comes when, and what becomes of the frames.

use super::rig::{Fake, Log, Rig, plan};
use super::*;
use crate::base::event::PluginFault;
use crate::base::{Addr, DropReason, PluginId, SetId};
use crate::decode::{Decoded, checksum_valid, decode, ip_checksum_valid};
use crate::service::hold::{HoldSettings, WhenHeld};
use crate::service::outbox::Decision;
use crate::service::services::{Change, Command, Retired};
use crate::service::set::{InactiveAction, OnFault, Selection};
use crate::service::{Context, Edit, Plugin, Policy, Reply, ServicePlan};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn log() -> Log {
    Log::default()
}

/// What was written down since the last look.
fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

fn ask(n: u32) -> Vec<u8> {
    build::udp_packet(addr(n, 4000), addr(99, 53), &IpFields::default(), b"question")
}

fn answer(n: u32) -> Vec<u8> {
    build::udp_packet(addr(99, 53), addr(n, 4000), &IpFields::default(), b"answer")
}

fn three(log: &Log) -> Vec<Box<dyn Plugin>> {
    ["a", "b", "c"].map(|name| Fake::new(name, log).boxed()).into()
}

#[test]
fn an_accepted_session_is_told_in_order_and_replies_in_the_reverse_one() {
    for workers in [0, 1, 2, 4] {
        let log = log();
        let mut rig = Rig::new(&plan(three(&log), &[0, 1, 2], &[2, 1, 0]), workers);
        rig.packet(Dir::ToServer, &ask(1));
        assert_eq!(taken(&log), ["a first", "b first", "c first", "a open", "b open", "c open"]);
        rig.packet(Dir::ToClient, &answer(1));
        assert_eq!(taken(&log), ["c packet", "b packet", "a packet"]);
        rig.packet(Dir::ToServer, &ask(1));
        assert_eq!(taken(&log), ["a packet", "b packet", "c packet"]);
        rig.later(Duration::from_secs(100));
        let end =
            ["a close timeout", "b close timeout", "c close timeout", "a destroy", "b destroy", "c destroy"];
        assert_eq!(taken(&log), end, "{workers} workers");
        assert_eq!((rig.sent.len(), rig.closed()), (3, vec![CloseReason::Timeout]));
        rig.finish();
        assert!(taken(&log).is_empty());
    }
}

#[test]
fn a_refusal_in_the_second_plugin_is_told_to_the_two_that_saw_the_packet() {
    for workers in [0, 1, 2, 4] {
        let log = log();
        let refuses = |event: &str, _: &mut Context<'_>| match event {
            "first" => Reply::Discard(DropReason::PluginDiscard),
            _ => Reply::Ok,
        };
        let plugins = vec![
            Fake::new("a", &log).boxed(),
            Fake::new("b", &log).does(refuses).boxed(),
            Fake::new("c", &log).boxed(),
        ];
        let mut rig = Rig::new(&plan(plugins, &[0, 1, 2], &[0, 1, 2]), workers);
        rig.packet(Dir::ToServer, &ask(1));
        let told =
            ["a first", "b first", "a close open-failed", "b close open-failed", "a destroy", "b destroy"];
        assert_eq!(taken(&log), told, "{workers} workers");
        assert_eq!((rig.sent.len(), rig.dropped(DropReason::PluginDiscard)), (0, 1));
        assert_eq!(rig.closed(), [CloseReason::OpenFailed]);
        rig.finish();
        assert!(taken(&log).is_empty());
    }
}

#[test]
fn eviction_and_shutdown_end_sessions_with_their_reason() {
    let log = log();
    let mut small = settings(0, Mode::Ips);
    small.sessions.capacity = 1;
    let mut rig = Rig::with(&plan(vec![Fake::new("a", &log).boxed()], &[0], &[0]), &small);
    rig.packet(Dir::ToServer, &ask(1));
    rig.packet(Dir::ToServer, &ask(2));
    let got = taken(&log);
    assert_eq!(got, ["a first", "a open", "a close evicted", "a destroy", "a first", "a open"]);
    rig.finish();
    assert_eq!(taken(&log), ["a close shutdown", "a destroy"]);
}

#[test]
fn tcp_sessions_end_with_fin_or_reset_once_each() {
    let log = log();
    let mut rig = Rig::new(&plan(vec![Fake::new("a", &log).boxed()], &[0], &[0]), 0);
    for (client, reset) in [(1, false), (2, true)] {
        let mut talk = TcpConversation::new(addr(client, 4000), addr(99, 80), 1);
        talk.handshake();
        if reset {
            talk.reset(Dir::ToClient)
        } else {
            talk.close(Dir::ToServer)
        };
        let dirs = [0, 1, 0, if reset { 1 } else { 0 }, 1, 0].map(|n| [Dir::ToServer, Dir::ToClient][n]);
        for (packet, dir) in talk.packets.iter().zip(dirs) {
            rig.packet(dir, packet);
        }
        rig.later(Duration::from_secs(100));
        let got = taken(&log);
        let reason = if reset { "a close rst" } else { "a close fin" };
        assert_eq!(got[..2], ["a first", "a open"]);
        assert_eq!(got[got.len() - 2..], [reason, "a destroy"]);
    }
    rig.finish();
}

#[test]
fn a_plugin_of_the_reverse_order_alone_sees_replies_only() {
    let log = log();
    let mut rig = Rig::new(&plan(three(&log), &[0], &[2]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    assert_eq!(taken(&log), ["a first", "a open", "c open"]);
    rig.packet(Dir::ToClient, &answer(1));
    assert_eq!(taken(&log), ["c packet"]);
    rig.finish();
    assert_eq!(taken(&log), ["a close shutdown", "c close shutdown", "a destroy", "c destroy"]);
}

#[test]
fn a_plugin_that_ignores_a_direction_is_called_for_the_other_only() {
    let log = log();
    let ignores = |event: &str, context: &mut Context<'_>| {
        if event == "first" {
            context.ignore(Dir::ToServer);
        }
        Reply::Forward
    };
    let plugins = vec![Fake::new("a", &log).does(ignores).boxed(), Fake::new("b", &log).boxed()];
    let mut rig = Rig::new(&plan(plugins, &[0, 1], &[1, 0]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    taken(&log);
    rig.packet(Dir::ToServer, &ask(1));
    rig.packet(Dir::ToClient, &answer(1));
    assert_eq!(taken(&log), ["b packet", "b packet", "a packet"]);
    rig.finish();
    let end = ["a close shutdown", "b close shutdown", "a destroy", "b destroy"];
    assert_eq!(taken(&log), end, "who ignores is told of the end all the same");
}

#[test]
fn an_action_is_attached_once_for_each_direction() {
    let log = log();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let acts = move |event: &str, context: &mut Context<'_>| {
        if event == "first" {
            context.attach(Dir::ToServer, 7);
            context.attach(Dir::ToClient, 8);
        }
        notes.lock().unwrap().push(context.action());
        Reply::Forward
    };
    let mut rig = Rig::new(&plan(vec![Fake::new("a", &log).does(acts).boxed()], &[0], &[0]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    rig.packet(Dir::ToClient, &answer(1));
    rig.packet(Dir::ToServer, &ask(1));
    assert_eq!(*seen.lock().unwrap(), [7, 7, 8, 7], "first, open, reply, later");
    rig.finish();
}

/// `a` dispatches a class that `b` hears; `b` dispatches one that `a` and `c` hear, and `a` is waiting.
#[test]
fn user_events_are_dispatched_at_once_nested_and_never_into_who_waits() {
    let log = log();
    let told = Arc::new(Mutex::new(Vec::new()));
    let dispatch = |class: &'static str, on: &'static str, data: &'static str| {
        let told = Arc::clone(&told);
        move |event: &str, context: &mut Context<'_>| {
            if event == on {
                let class = context.host.class_named(class).unwrap();
                let count = context.dispatch(class, data.as_bytes());
                told.lock().unwrap().push((data, count));
            }
            Reply::Forward
        }
    };
    let mut a = Fake::new("a", &log).does(dispatch("one", "first", "x"));
    (a.about.publishes, a.about.subscribes) = (vec!["one".into()], vec!["two".into()]);
    let mut b = Fake::new("b", &log).does(dispatch("two", "user x", "y"));
    (b.about.publishes, b.about.subscribes) = (vec!["two".into()], vec!["one".into()]);
    let mut c = Fake::new("c", &log);
    c.about.subscribes = vec!["two".into()];
    let mut rig = Rig::new(&plan(vec![a.boxed(), b.boxed(), c.boxed()], &[0], &[0]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    assert_eq!(taken(&log), ["a first", "b user x", "c user y", "a open"]);
    assert_eq!(*told.lock().unwrap(), [("y", 1), ("x", 1)], "the inner one returns first");
    rig.finish();
}

#[test]
fn public_data_is_seen_while_the_call_lasts() {
    let log = log();
    let got = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&got);
    let asks = move |event: &str, context: &mut Context<'_>| {
        if event == "first" {
            let mut note = |data: crate::service::plugin::PublicData<'_>| {
                notes.lock().unwrap().push((data.bytes.to_vec(), data.code));
            };
            let of = context.host.plugin_named("b").unwrap();
            assert!(context.host.ask(of, 7, 42, &mut note));
            assert!(!context.host.ask(PluginId(0), 7, 0, &mut note), "it is being called itself");
            assert!(!context.host.ask(PluginId(9), 7, 0, &mut note));
        }
        Reply::Forward
    };
    let mut b = Fake::new("b", &log);
    b.public = b"names".to_vec();
    let plugins = vec![Fake::new("a", &log).does(asks).boxed(), b.boxed()];
    let mut rig = Rig::new(&plan(plugins, &[0], &[0]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    assert_eq!(*got.lock().unwrap(), [(b"names".to_vec(), 42)]);
    rig.finish();
}

/// Holds every later packet, and notes its ticket.
fn holder(log: &Log, tickets: &Arc<Mutex<Vec<u64>>>) -> Fake {
    let tickets = Arc::clone(tickets);
    Fake::new("holder", log).does(move |event, context| {
        if event != "packet" {
            return Reply::Forward;
        }
        tickets.lock().unwrap().extend(context.ticket());
        Reply::Hold
    })
}

/// Releases all that is held when a packet of client 7 opens a session.
fn releaser(log: &Log, tickets: &Arc<Mutex<Vec<u64>>>, decision: Decision) -> Fake {
    let tickets = Arc::clone(tickets);
    Fake::new("releaser", log).does(move |event, context| {
        let session = context.session.as_ref().map(|at| at.session.tuple.src);
        if event == "first" && session == Some(Addr::v4([10, 0, 0, 7])) {
            for ticket in tickets.lock().unwrap().drain(..) {
                assert!(context.host.release(ticket, decision));
            }
        }
        Reply::Forward
    })
}

fn held(rig: &Rig) -> u64 {
    rig.handle.balance(0).held
}

#[test]
fn held_frames_go_on_in_their_order_or_are_discarded() {
    for (decision, gone) in [(Decision::Forward, 0), (Decision::Discard(DropReason::PluginDiscard), 3)] {
        let (log, tickets) = (log(), Arc::default());
        let plugins = vec![
            releaser(&log, &tickets, decision).boxed(),
            holder(&log, &tickets).boxed(),
            Fake::new("behind", &log).boxed(),
        ];
        let mut rig = Rig::new(&plan(plugins, &[0, 1, 2], &[0, 1, 2]), 0);
        rig.packet(Dir::ToServer, &ask(1));
        for n in 0..3u8 {
            let fields = IpFields { id: u16::from(n), ..IpFields::default() };
            rig.packet(Dir::ToServer, &build::udp_packet(addr(1, 4000), addr(99, 53), &fields, &[n; 4]));
        }
        assert_eq!((held(&rig), rig.sent.len()), (3, 1));
        taken(&log);
        rig.packet(Dir::ToServer, &ask(7));
        let behind = taken(&log).iter().filter(|event| *event == "behind packet").count() as u64;
        assert_eq!((held(&rig), behind, rig.dropped(DropReason::PluginDiscard)), (0, 3 - gone, gone));
        let ends: Vec<u8> = rig.sent.iter().skip(2).map(|(_, bytes)| bytes[bytes.len() - 1]).collect();
        assert_eq!(ends, if gone == 0 { vec![0, 1, 2] } else { vec![] });
        rig.finish();
    }
}

#[test]
fn what_is_held_too_long_goes_by_the_settings_policy() {
    for (on_timeout, sent) in [(WhenHeld::Drop, 1), (WhenHeld::Forward, 2)] {
        for workers in [0, 2] {
            let (log, tickets) = (log(), Arc::default());
            let plugins = vec![holder(&log, &tickets).boxed(), Fake::new("behind", &log).boxed()];
            let mut plan = plan(plugins, &[0, 1], &[0, 1]);
            plan.hold = HoldSettings { on_timeout, ..HoldSettings::default() };
            let mut rig = Rig::new(&plan, workers);
            rig.packet(Dir::ToServer, &ask(1));
            rig.packet(Dir::ToServer, &ask(1));
            taken(&log);
            rig.later(Duration::from_secs(1));
            assert_eq!((held(&rig), rig.sent.len()), (1, 1));
            rig.later(Duration::from_secs(2));
            assert_eq!((held(&rig), rig.sent.len()), (0, sent));
            assert_eq!(rig.dropped(DropReason::HoldTimeout), 2 - sent as u64);
            assert_eq!(taken(&log).len(), sent - 1, "who stands behind sees what goes on");
            rig.finish();
        }
    }
}

#[test]
fn beyond_a_cap_frames_are_dropped_or_go_on_through_the_rest_of_the_chain() {
    for on_cap in [WhenHeld::Drop, WhenHeld::Forward] {
        for (frames, session_frames) in [(2, 16), (16, 2)] {
            let (log, tickets) = (log(), Arc::default());
            let plugins = vec![holder(&log, &tickets).boxed(), Fake::new("behind", &log).boxed()];
            let mut plan = plan(plugins, &[0, 1], &[0, 1]);
            plan.hold = HoldSettings { frames, session_frames, on_cap, ..HoldSettings::default() };
            let mut rig = Rig::new(&plan, 0);
            rig.packet(Dir::ToServer, &ask(1));
            taken(&log);
            (0..5).for_each(|_| rig.packet(Dir::ToServer, &ask(1)));
            let over = if on_cap == WhenHeld::Drop { (3, 0) } else { (0, 3) };
            let behind = taken(&log).iter().filter(|event| *event == "behind packet").count() as u64;
            assert_eq!((held(&rig), rig.dropped(DropReason::HoldCap), behind), (2, over.0, over.1));
            // The session's room comes back with its frames.
            rig.later(Duration::from_secs(3));
            rig.packet(Dir::ToServer, &ask(1));
            assert_eq!(held(&rig), 1);
            rig.finish();
        }
    }
}

#[test]
fn a_frame_whose_session_ends_while_it_is_held_is_dropped_when_it_is_released() {
    let (log, tickets) = (log(), Arc::default());
    let plugins = vec![releaser(&log, &tickets, Decision::Forward).boxed(), holder(&log, &tickets).boxed()];
    let mut plan = plan(plugins, &[0, 1], &[0, 1]);
    plan.hold.timeout = Duration::from_secs(1000);
    let mut rig = Rig::new(&plan, 0);
    rig.packet(Dir::ToServer, &ask(1));
    rig.packet(Dir::ToServer, &ask(1));
    rig.later(Duration::from_secs(100));
    assert_eq!((rig.closed().len(), held(&rig)), (1, 1));
    rig.packet(Dir::ToServer, &ask(7));
    assert_eq!((held(&rig), rig.dropped(DropReason::HoldSessionEnded)), (0, 1));
    rig.finish();
}

#[test]
fn to_hold_a_first_packet_is_a_fault() {
    for (on_fault, sent) in [(OnFault::Skip, 2), (OnFault::Drop, 1)] {
        let log = log();
        let plugins =
            vec![Fake::new("a", &log).does(|_, _| Reply::Hold).boxed(), Fake::new("b", &log).boxed()];
        let mut plan = plan(plugins, &[0, 1], &[0, 1]);
        plan.sets[0].chain.on_fault = on_fault;
        let mut rig = Rig::new(&plan, 0);
        rig.packet(Dir::ToServer, &ask(1));
        assert_eq!(taken(&log), ["a first", "b first", "b open"]);
        rig.packet(Dir::ToServer, &ask(1));
        assert_eq!(rig.sent.len(), sent);
        assert_eq!(outs(&rig.finish()), [(PluginId(0), PluginFault::HeldFirstPacket)]);
    }
}

fn outs(events: &[Event]) -> Vec<(PluginId, PluginFault)> {
    let out = |event: &Event| match event.body {
        EventBody::PluginOut { plugin, fault, .. } => Some((plugin, fault)),
        _ => None,
    };
    events.iter().filter_map(out).collect()
}

#[test]
fn in_tap_and_ids_mode_nothing_is_held_and_the_walk_goes_on() {
    for (mode, sent) in [(Mode::Tap, 3), (Mode::Ids, 0)] {
        let (log, tickets) = (log(), Arc::<Mutex<Vec<u64>>>::default());
        let plugins = vec![holder(&log, &tickets).boxed(), Fake::new("b", &log).boxed()];
        let mut rig = Rig::with(&plan(plugins, &[0, 1], &[0, 1]), &settings(0, mode));
        (0..3).for_each(|_| rig.packet(Dir::ToServer, &ask(1)));
        let behind = taken(&log).iter().filter(|event| *event == "b packet").count();
        assert_eq!((held(&rig), behind, rig.sent.len()), (0, 2, sent));
        assert!(tickets.lock().unwrap().is_empty(), "no ticket for what cannot be held");
        rig.finish();
    }
}

#[test]
fn in_tap_mode_a_discard_is_counted_and_the_frame_goes_on() {
    let log = log();
    let refuses = |_: &str, _: &mut Context<'_>| Reply::Discard(DropReason::PluginDiscard);
    let plugins = vec![Fake::new("a", &log).does(refuses).boxed()];
    let mut rig = Rig::with(&plan(plugins, &[0], &[0]), &settings(0, Mode::Tap));
    rig.packet(Dir::ToServer, &ask(1));
    assert_eq!((rig.sent.len(), rig.spared(DropReason::PluginDiscard)), (1, 1));
    rig.finish();
}

#[test]
fn at_the_end_nothing_stays_held() {
    for workers in [0, 1, 2, 4] {
        let (log, tickets) = (log(), Arc::default());
        let mut rig = Rig::new(&plan(vec![holder(&log, &tickets).boxed()], &[0], &[0]), workers);
        for n in 1..20 {
            rig.packet(Dir::ToServer, &ask(n));
            rig.packet(Dir::ToServer, &ask(n));
        }
        assert_eq!(held(&rig), 19);
        rig.finish();
    }
}

mod changes;
mod frames;
mod rules;

#[test]
fn the_sender_of_a_packet_that_must_not_be_cut_is_told_how_large_one_may_be() {
    let plan = plan(Vec::new(), &[], &[]);
    for mode in [Mode::Ips, Mode::Reassemble] {
        let mut rig = Rig::with(&plan, &settings(0, mode));
        let fields = IpFields { dont_fragment: true, ..IpFields::default() };
        let v4 = build::udp_packet(addr(1, 9), addr(2, 9), &fields, &[1; 3000]);
        let v6 = build::udp_packet(v6(1, 9), v6(2, 9), &fields, &[1; 3000]);
        rig.packet(Dir::ToServer, &v4);
        rig.packet(Dir::ToServer, &v6);
        assert_eq!(rig.dropped(DropReason::PacketTooBig), 2);
        let told: Vec<_> = rig.sent.iter().map(|(port, frame)| (*port, frame[12..14].to_vec())).collect();
        assert_eq!(told, [(INSIDE, vec![8, 0]), (INSIDE, vec![0x86, 0xdd])]);
        // Type, code, and the MTU in the last of the four bytes behind the checksum.
        assert_eq!(
            (&rig.sent[0].1[34..36], &rig.sent[0].1[40..42]),
            (&[3, 4][..], &1500u16.to_be_bytes()[..])
        );
        assert_eq!(
            (&rig.sent[1].1[54..56], &rig.sent[1].1[60..62]),
            (&[2, 0][..], &1500u16.to_be_bytes()[..])
        );
        rig.finish();
    }
}

#[test]
fn the_sender_of_a_datagram_that_was_not_completed_is_told_where_the_setting_says_so() {
    let plan = plan(Vec::new(), &[], &[]);
    for tell_timeouts in [true, false] {
        let mut of = settings(0, Mode::Ips);
        of.fragments.tell_timeouts = tell_timeouts;
        let mut rig = Rig::with(&plan, &of);
        let packet = build::udp_packet(addr(1, 9), addr(2, 9), &IpFields::default(), &[1; 3000]);
        let pieces = build::fragments(&packet, 1, &[1000]);
        pieces.iter().take(2).for_each(|piece| rig.packet(Dir::ToServer, piece));
        assert!(rig.sent.is_empty());
        rig.later(std::time::Duration::from_secs(31));
        assert_eq!(rig.dropped(DropReason::FragmentTimeout), 2);
        let told: Vec<_> = rig.sent.iter().map(|(port, frame)| (*port, frame[34..36].to_vec())).collect();
        assert_eq!(told, if tell_timeouts { vec![(INSIDE, vec![11, 1])] } else { vec![] });
        rig.finish();
    }
}
