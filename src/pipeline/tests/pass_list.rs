//! What an operator lets through goes on, whatever is found, from the next packet on and until its time is over.

use super::rig::Rig;
use super::*;
use crate::base::{Addr, DropReason, Family};
use crate::service::pass_list::Passed;
use std::time::Duration;

const RULES: &str = "reject udp any any -> any any (content:\"attack\"; sid:1;)\n\
    drop tcp any any -> any 80 (flags:S; sid:2;)";

fn passed(host: u8, port: Option<u16>) -> Passed {
    Passed { family: Family::V4, network: Addr::v4([10, 0, 0, host]), prefix: 32, port }
}

fn udp(client: u32, text: &[u8]) -> Vec<u8> {
    build::udp_packet(addr(client, 1000), addr(99, 53), &IpFields::default(), text)
}

#[test]
fn a_verdict_against_a_passed_network_is_found_and_does_not_act_until_its_time_is_over() {
    for workers in [0, 2] {
        let mut rig = Rig::with(&detection(&engine(RULES), 2), &settings(workers, Mode::Ips));
        let list = Arc::clone(&rig.handle.pass_list);
        rig.packet(Dir::ToServer, &udp(1, b"attack"));
        let told = rig.sent.len();
        assert_eq!((rig.dropped(DropReason::RuleReject), told), (1, 1), "the sender is told");
        // The session is settled: it goes on all the same, from the next packet on.
        let place = list.put(&passed(99, Some(53)), rig.now.plus(Duration::from_secs(5))).unwrap();
        rig.packet(Dir::ToServer, &udp(1, b"attack"));
        rig.packet(Dir::ToServer, &udp(2, b"attack"));
        let sent: Vec<_> = rig.sent.iter().skip(told).map(|(port, bytes)| (*port, bytes.clone())).collect();
        let whole = |client| (OUTSIDE, Link::ethernet().wrap(&udp(client, b"attack")));
        assert_eq!(sent, [whole(1), whole(2)], "and nobody is told");
        assert_eq!((list.spared_by(place), rig.dropped(DropReason::RuleReject)), (2, 1));
        assert_eq!(rig.spared(DropReason::RuleReject) + rig.spared(DropReason::SessionDropped), 2);
        rig.packet(Dir::ToServer, &udp(2, b"harmless"));
        assert_eq!(list.spared_by(place), 2, "no verdict was against it");
        rig.now = rig.now.plus(Duration::from_secs(5));
        let sent = rig.sent.len();
        rig.packet(Dir::ToServer, &udp(3, b"attack"));
        assert_eq!(rig.sent.len(), sent + 1, "told, and not sent on");
        assert_eq!(rig.sent[sent].0, INSIDE);
        list.end(place);
        let events = rig.finish();
        let alerts = events.iter().filter(|event| matches!(event.body, EventBody::Alert(_))).count();
        assert!(alerts >= 3, "what passes alerts too: {alerts}");
    }
}

#[test]
fn a_datagram_in_pieces_passes_by_its_ports() {
    let mut rig = Rig::with(&detection(&engine(RULES), 2), &settings(0, Mode::Ips));
    let list = Arc::clone(&rig.handle.pass_list);
    let text = [&[b'.'; 600][..], b"attack"].concat();
    let pieces = |id| build::fragments(&udp(1, &text), id, &[304]);
    pieces(1).iter().for_each(|piece| rig.packet(Dir::ToServer, piece));
    assert_eq!(rig.dropped(DropReason::RuleReject), 1);
    rig.sent.clear();
    list.put(&passed(99, Some(53)), rig.now.plus(Duration::from_secs(5))).unwrap();
    pieces(2).iter().for_each(|piece| rig.packet(Dir::ToServer, piece));
    assert_eq!(rig.sent.len(), 1);
    rig.finish();
}

#[test]
fn an_ip_action_does_not_reach_what_passes() {
    let rules = "drop udp any any -> any any (content:\"attack\"; metadata:ip_action block; sid:1;)";
    let mut rig = Rig::with(&detection(&engine(rules), 2), &settings(0, Mode::Ips));
    rig.packet(Dir::ToServer, &udp(1, b"attack"));
    rig.packet(Dir::ToServer, &udp(1, b"harmless"));
    assert_eq!(rig.sent.len(), 0);
    let list = Arc::clone(&rig.handle.pass_list);
    list.put(&passed(1, None), rig.now.plus(Duration::from_secs(5))).unwrap();
    rig.packet(Dir::ToServer, &udp(1, b"harmless"));
    assert_eq!(rig.sent.len(), 1);
    rig.finish();
}
