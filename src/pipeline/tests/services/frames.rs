//! What plugins do to frames: per packet without sessions, header edits, frames of their own.

use super::*;
use crate::service::cos::{Cos, Marking};
use crate::service::passthru::Passthru;

fn decoded(frame: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    decode(frame, LinkType::Ethernet, &crate::decode::Tunnels::default(), &mut decoded);
    decoded
}

fn checks(frame: &[u8]) -> bool {
    let decoded = decoded(frame);
    ip_checksum_valid(&decoded, frame) != Some(false) && checksum_valid(&decoded, frame) == Some(true)
}

fn marked(text: &str) -> ServicePlan {
    let mut plan = plan(vec![Cos::plugin()], &[0], &[0]);
    let data = Arc::new(Marking::parse(text).unwrap());
    let policy = Policy { generation: 1, data };
    plan.policies.push(crate::service::plan::Attached { set: SetId(0), plugin: PluginId(0), policy });
    plan
}

fn own(rig: &Rig, plugin: u8, counter: usize) -> u64 {
    let of = |counts: &Vec<(PluginId, Arc<crate::service::table::PluginCounts>)>| {
        counts
            .iter()
            .find(|(id, _)| id.0 == plugin)
            .and_then(|(_, counts)| counts.own(SetId(0), counter))
            .unwrap()
            .get()
    };
    rig.handle.plugins.iter().map(of).sum()
}

#[test]
fn packet_mode_marks_each_packet_and_makes_no_session() {
    for workers in [0, 1, 2, 4] {
        let mut rig = Rig::new(&marked("mark 46 udp to any port 53\n"), workers);
        let six = build::udp_packet(v6(1, 4000), v6(2, 53), &IpFields::default(), b"question");
        for packet in [&ask(1), &ask(2), &six] {
            rig.packet(Dir::ToServer, packet);
        }
        rig.packet(Dir::ToClient, &answer(1));
        // Pieces are put together before anything is marked.
        let large = build::udp_packet(addr(3, 4000), addr(99, 53), &IpFields::default(), &[7; 600]);
        for piece in build::fragments(&large, 5, &[256]) {
            rig.packet(Dir::ToServer, &piece);
        }
        let marks: Vec<_> = rig.sent.iter().map(|(_, frame)| decoded(frame).ip.unwrap().tos >> 2).collect();
        assert_eq!(marks, [46, 46, 46, 0, 46], "{workers} workers");
        assert!(rig.sent.iter().all(|(_, frame)| checks(frame)));
        assert_eq!((own(&rig, 0, 0), own(&rig, 0, 1)), (4, 1));
        assert!(flows(&rig.finish()).is_empty(), "no session");
    }
}

#[test]
fn within_a_chain_of_sessions_packet_mode_has_its_newest_policy() {
    let log = log();
    let mut plan = plan(vec![Cos::plugin(), Fake::new("b", &log).boxed()], &[0, 1], &[1, 0]);
    plan.policies = marked("dscp = 10").policies;
    let mut rig = Rig::new(&plan, 0);
    rig.packet(Dir::ToServer, &ask(1));
    rig.packet(Dir::ToClient, &answer(1));
    assert!(rig.sent.iter().all(|(_, frame)| decoded(frame).ip.unwrap().tos >> 2 == 10));
    assert_eq!(flows(&rig.finish()).len(), 1);
}

#[test]
fn in_tap_mode_nothing_is_changed() {
    let mut rig = Rig::with(&marked("dscp = 10"), &settings(0, Mode::Tap));
    rig.packet(Dir::ToServer, &ask(1));
    assert!(rig.sent[0].1.ends_with(&ask(1)));
    rig.finish();
}

fn translator(log: &Log) -> Fake {
    Fake::new("translator", log).does(|event, context| {
        if matches!(event, "first" | "packet") {
            for edit in [Edit::Dscp(46), Edit::Source(Addr::v4([192, 0, 2, 1])), Edit::SourcePort(50_000)] {
                assert!(context.edit(edit));
            }
        }
        Reply::Forward
    })
}

#[test]
fn a_frame_that_is_a_chain_or_shared_is_changed_as_a_copy() {
    let log = log();
    let mut rig = Rig::new(&plan(vec![translator(&log).boxed()], &[0], &[0]), 0);
    let bytes = Link::ethernet().wrap(&ask(1));
    for cut in [1, 14, 20, 30, 36, 42, bytes.len()] {
        let (head, tail) = bytes.split_at(cut);
        let segments: Vec<&[u8]> = [head, tail].into_iter().filter(|s| !s.is_empty()).collect();
        let frame = rig.pool().chain(&segments);
        rig.frame(INSIDE, frame);
    }
    let frame = rig.pool().frame(&bytes);
    let share = frame.share().unwrap();
    rig.frame(INSIDE, frame);
    assert_eq!(bytes_of(&share), bytes, "the other owner's bytes stay as they were");
    drop(share);
    assert_eq!(rig.sent.len(), 8);
    for (_, frame) in &rig.sent {
        let decoded = decoded(frame);
        assert_eq!((decoded.tuple.src, decoded.tuple.sport), (Addr::v4([192, 0, 2, 1]), 50_000));
        assert!(checks(frame) && frame.ends_with(b"question"));
    }
    rig.finish();
}

#[test]
fn a_plugin_behind_the_holder_can_still_change_the_frame() {
    let (log, tickets) = (log(), Arc::default());
    let plugins = vec![
        releaser(&log, &tickets, Decision::Forward).boxed(),
        holder(&log, &tickets).boxed(),
        translator(&log).boxed(),
    ];
    let mut rig = Rig::new(&plan(plugins, &[0, 1, 2], &[0, 1, 2]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    rig.packet(Dir::ToServer, &ask(1));
    rig.packet(Dir::ToServer, &ask(7));
    assert_eq!(rig.sent.len(), 3);
    let translated = |(_, frame): &(PortId, Vec<u8>)| decoded(frame).tuple.sport == 50_000 && checks(frame);
    assert!(rig.sent.iter().all(translated));
    rig.finish();
}

#[test]
fn those_behind_a_holder_see_the_packet_as_it_came_and_it_leaves_changed() {
    let (log, tickets) = (log(), Arc::default());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let looker = Fake::new("looker", &log).does(move |event, context| {
        if event == "packet" {
            let tuple = context.packet.as_ref().map(|packet| packet.decoded.tuple);
            notes.lock().unwrap().extend(tuple.map(|tuple| (tuple.src, tuple.sport)));
        }
        Reply::Forward
    });
    let plugins = vec![
        releaser(&log, &tickets, Decision::Forward).boxed(),
        translator(&log).boxed(),
        holder(&log, &tickets).boxed(),
        looker.boxed(),
    ];
    let mut rig = Rig::new(&plan(plugins, &[0, 1, 2, 3], &[0, 1, 2, 3]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    rig.packet(Dir::ToServer, &ask(1));
    assert!(rig.sent.len() == 1 && held(&rig) == 1);
    rig.packet(Dir::ToServer, &ask(7));
    assert_eq!(*seen.lock().unwrap(), [(Addr::v4([10, 0, 0, 1]), 4000)]);
    let translated = |(_, frame): &(PortId, Vec<u8>)| decoded(frame).tuple.sport == 50_000 && checks(frame);
    assert!(rig.sent.len() == 3 && rig.sent.iter().all(translated));
    rig.finish();
}

#[test]
fn what_a_plugin_emits_leaves_by_the_port_it_names() {
    for workers in [0, 1, 2] {
        let log = log();
        let emits = |event: &str, context: &mut Context<'_>| {
            if event == "first" {
                assert!(context.host.emit(&Link::ethernet().wrap(&answer(1)), INSIDE));
                assert!(context.host.emit(&[0xff; 60], OUTSIDE));
            }
            Reply::Discard(DropReason::PluginDiscard)
        };
        let mut rig = Rig::new(&plan(vec![Fake::new("a", &log).does(emits).boxed()], &[0], &[0]), workers);
        rig.packet(Dir::ToServer, &ask(1));
        let mut sent: Vec<_> = rig.sent.iter().map(|(port, frame)| (*port, frame.len())).collect();
        sent.sort();
        assert_eq!(sent, [(INSIDE, 14 + answer(1).len()), (OUTSIDE, 60)], "{workers} workers");
        assert_eq!(rig.handle.balance(0).generated, 2);
        rig.finish();
    }
}

#[test]
fn no_more_is_emitted_for_a_packet_than_the_outbox_takes() {
    let log = log();
    let emits = |event: &str, context: &mut Context<'_>| {
        if event == "first" {
            let sent = (0..100).filter(|_| context.host.emit(&[0; 60], OUTSIDE)).count();
            assert_eq!(sent, crate::service::outbox::MAX_EMISSIONS);
        }
        Reply::Forward
    };
    let mut rig = Rig::new(&plan(vec![Fake::new("a", &log).does(emits).boxed()], &[0], &[0]), 0);
    rig.packet(Dir::ToServer, &ask(1));
    rig.finish();
}

#[test]
fn passthru_wants_one_packet_of_a_session_and_sees_fragments() {
    let log = log();
    let mut rig =
        Rig::new(&plan(vec![Passthru::plugin(), Fake::new("b", &log).boxed()], &[0, 1], &[0, 1]), 0);
    for _ in 0..3 {
        rig.packet(Dir::ToServer, &ask(1));
    }
    let large = build::udp_packet(addr(1, 4000), addr(99, 53), &IpFields::default(), &[7; 600]);
    for piece in build::fragments(&large, 5, &[256]) {
        rig.packet(Dir::ToServer, &piece);
    }
    let arp = crate::wire::build::arp(1, ([2; 6], [10, 0, 0, 1].into()), ([0; 6], [10, 0, 0, 2].into()));
    let frame = rig.pool().frame(&Link::ethernet().wrap_as(0x0806, &arp));
    rig.frame(INSIDE, frame);
    let (_, counts) = &rig.handle.plugins[0][0];
    let own = [0, 1, 2].map(|n| counts.own(SetId(0), n).unwrap().get());
    assert_eq!(own, [1, 1, 3], "sessions, alone, fragments");
    assert_eq!(rig.sent.len(), 5);
    rig.finish();
}
