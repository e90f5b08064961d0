//! Settings that become others while traffic flows.

use super::super::mailbox::{Answer, Command};
use super::super::tuning::Tuning;
use super::rig::Rig;
use super::*;
use crate::base::{DropReason, ExceptionCause, ExceptionPolicies, ExceptionPolicy};
use crate::defrag::{OverlapPolicy, PolicyTable};
use crate::service;
use std::time::Duration;

const RULES: &str = "alert udp any any -> any any (content:\"at\"; sid:1;)\nalert udp any any -> any any (content:\"attack\"; sid:2;)\n";

fn udp(client: u32, text: &[u8]) -> Vec<u8> {
    build::udp_packet(addr(client, 1), addr(99, 2), &IpFields::default(), text)
}

fn rig(workers: usize) -> (Rig, Tuning) {
    let settings = settings(workers, Mode::Ips);
    let tuning = Tuning {
        sessions: settings.sessions,
        fragments: settings.fragments.clone(),
        checksums: settings.checksums,
        plugins: service::Tuning {
            streams: stream::Settings::default(),
            exceptions: ExceptionPolicies::default(),
            packet_alert_max: 15,
        },
        wanted: settings.wanted,
    };
    (Rig::with(&detection(&engine(RULES), 2), &settings), tuning)
}

/// Tells every worker, and takes back what is left over.
fn tune(rig: &mut Rig, tuning: &Tuning) -> Vec<Tuning> {
    let workers = rig.handle.workers();
    for worker in 0..workers {
        assert!(rig.handle.command(worker, Command::Tune(Box::new(tuning.clone()))).is_ok());
    }
    rig.turn();
    let answer = |worker| match rig.handle.answer(worker) {
        Some(Answer::Tuned(left)) => *left,
        _ => panic!("another answer"),
    };
    (0..workers).map(answer).collect()
}

#[test]
fn timeouts_bounds_and_wishes_change_for_what_comes_next() {
    for workers in [0, 2] {
        let (mut rig, mut tuning) = rig(workers);
        let alerts = |rig: &mut Rig, client| {
            rig.events.clear();
            rig.packet(Dir::ToServer, &udp(client, b"attack"));
            rig.events.iter().filter(|event| matches!(event.body, EventBody::Alert(_))).count()
        };
        assert_eq!(alerts(&mut rig, 1), 2);
        tuning.plugins.packet_alert_max = 1;
        tuning.sessions.timeouts.udp.new = Duration::from_secs(2);
        tuning.wanted.flow = true;
        tune(&mut rig, &tuning);
        assert_eq!(alerts(&mut rig, 2), 1, "{workers} workers");
        rig.later(Duration::from_secs(5));
        let closed = rig.closed();
        assert_eq!(closed, [CloseReason::Timeout], "the session from before waits for its own timer");
        tuning.wanted.flow = false;
        tuning.plugins.packet_alert_max = 15;
        tune(&mut rig, &tuning);
        assert_eq!(alerts(&mut rig, 3), 2);
        rig.later(Duration::from_secs(5));
        assert!(rig.closed().is_empty(), "nobody wants to be told");
        rig.finish();
    }
}

#[test]
fn exception_policies_change_for_the_table_and_for_detection() {
    let middle = |client| {
        let segment = build::Segment {
            seq: 1000,
            ack: 1,
            flags: crate::session::flags::ACK,
            payload: b"middle",
            ..build::Segment::default()
        };
        build::tcp_packet(addr(client, 4000), addr(99, 80), &IpFields::default(), &segment)
    };
    let (mut rig, mut tuning) = rig(1);
    let passed = |rig: &mut Rig, client| {
        rig.sent.clear();
        rig.packet(Dir::ToServer, &middle(client));
        rig.sent.len()
    };
    let set = |policy| {
        let mut policies = ExceptionPolicies::default();
        policies.set(ExceptionCause::Midstream, policy);
        policies
    };
    for (client, policy, expected) in [
        (1, ExceptionPolicy::DropFlow, 0),
        (2, ExceptionPolicy::Ignore, 1),
        (3, ExceptionPolicy::DropFlow, 0),
    ] {
        tuning.sessions.exceptions = set(policy);
        tuning.plugins.exceptions = set(policy);
        tune(&mut rig, &tuning);
        assert_eq!(passed(&mut rig, client), expected, "{policy:?}");
    }
    assert_eq!(rig.dropped(DropReason::StreamMidstream), 2);
    rig.finish();
}

#[test]
fn what_memory_was_taken_by_stays_and_tables_come_back_to_be_freed() {
    let (mut rig, mut tuning) = rig(1);
    tuning.sessions.capacity = 1;
    tuning.fragments.policies = PolicyTable::new(OverlapPolicy::Last);
    tuning.fragments.datagram_fragments = 2;
    let left = tune(&mut rig, &tuning);
    let of = |table: &PolicyTable| table.of(crate::base::Family::V4, crate::base::Addr::v4([10, 0, 0, 1]));
    assert_eq!(of(&left[0].fragments.policies), OverlapPolicy::First, "the one that was");
    (1..=3).for_each(|client| rig.packet(Dir::ToServer, &udp(client, b"harmless")));
    assert_eq!(rig.sent.len(), 3, "there is room for more than one session");
    let packet = udp(9, &[7; 400]);
    let pieces = build::fragments(&packet, 5, &[104]);
    assert!(pieces.len() > 2);
    pieces.iter().for_each(|piece| rig.packet(Dir::ToServer, piece));
    assert_eq!(rig.sent.len(), 3, "a datagram of more than two pieces is refused now");
    rig.finish();
}
