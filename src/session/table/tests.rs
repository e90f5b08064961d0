use super::*;
use crate::base::{Addr, Family};
use crate::decode::Ip;
use crate::session::key::v4_tuple;
use crate::session::{Midstream, TCP, TcpSettings, Timeouts, UDP};
use proptest::prelude::*;
use std::collections::HashMap;

mod reuse;

type Closed = Vec<(FlowTuple, CloseReason)>;

fn table(capacity: u32, when_full: WhenFull) -> SessionTable {
    SessionTable::new(Settings { capacity, when_full, ..Settings::default() })
}

fn packet(tuple: FlowTuple, l4: L4) -> Decoded {
    Decoded { ip: Some(Ip::default()), l4, tuple, ..Decoded::default() }
}

fn udp(client: u16) -> Decoded {
    packet(v4_tuple([10, 0, 0, 1], client, [10, 0, 0, 2], 53, UDP), L4::Udp)
}

fn tcp(client: u16, bits: u8, seq: u32, ack: u32) -> Decoded {
    let fields = TcpFields { seq, ack, flags: bits, window: 1000, ..TcpFields::default() };
    packet(v4_tuple([10, 0, 0, 1], client, [10, 0, 0, 2], 80, TCP), L4::Tcp(fields))
}

fn back(mut decoded: Decoded) -> Decoded {
    decoded.tuple = decoded.tuple.reversed();
    decoded
}

fn at(secs: u64) -> Packet {
    Packet {
        time: Time::from_secs(secs),
        clock: Time::from_secs(secs),
        number: secs,
        length: 100,
        ..Packet::default()
    }
}

fn into(closed: &mut Closed) -> impl FnMut(SessionId, &mut Session, CloseReason) {
    |_, session, reason| closed.push((session.tuple, reason))
}

/// Finds, and follows TCP.
fn pass(
    table: &mut SessionTable,
    decoded: &Decoded,
    when: u64,
    closed: &mut Closed,
) -> (SessionId, Dir, bool) {
    match table.find(decoded, &at(when), &mut into(closed)) {
        Lookup::Found { id, dir, opened, .. } => {
            table.track(id, dir, decoded, &at(when));
            (id, dir, opened)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_directions_meet_in_one_session_and_are_counted_apart() {
    let (mut t, mut closed) = (table(8, WhenFull::default()), vec![]);
    let (id, dir, opened) = pass(&mut t, &udp(1), 1, &mut closed);
    assert_eq!((dir, opened, t.get(id).unwrap().established()), (Dir::ToServer, true, false));
    assert_eq!(pass(&mut t, &back(udp(1)), 2, &mut closed), (id, Dir::ToClient, false));
    let session = t.get(id).unwrap();
    assert!(session.established());
    assert_eq!((session.packets, session.bytes), (PerDir([1, 1]), PerDir([100, 100])));
    assert_eq!((session.start, session.last), (Time::from_secs(1), Time::from_secs(2)));
    assert_eq!(t.len(), 1);
}

#[test]
fn a_lookup_decides_expiry_whether_or_not_a_timer_ran() {
    for timer in [false, true] {
        let (mut t, mut closed) = (table(8, WhenFull::default()), vec![]);
        let (first, ..) = pass(&mut t, &udp(1), 100, &mut closed);
        assert!(!pass(&mut t, &udp(1), 129, &mut closed).2);
        if timer {
            t.expire(Time::from_secs(160), usize::MAX, &mut into(&mut closed));
        }
        let (second, _, opened) = pass(&mut t, &udp(1), 159, &mut closed);
        assert!(opened && first != second && t.get(first).is_none());
        assert_eq!(closed, [(udp(1).tuple, CloseReason::Timeout)]);
    }
}

#[test]
fn a_packet_keeps_its_session_alive_without_touching_the_wheel() {
    let (mut t, mut closed) = (table(8, WhenFull::default()), vec![]);
    for when in (0..300).step_by(20) {
        pass(&mut t, &udp(1), 1000 + when, &mut closed);
        assert_eq!(t.expire(Time::from_secs(1000 + when), usize::MAX, &mut into(&mut closed)), 0);
    }
    assert!(t.counters.timer_looks <= 10, "{}", t.counters.timer_looks);
    assert_eq!(t.expire(Time::from_secs(1400), usize::MAX, &mut into(&mut closed)), 1);
    assert!(t.is_empty());
}

#[test]
fn a_turn_of_the_timers_is_bounded_by_its_budget() {
    let (mut t, mut closed) = (table(1000, WhenFull::default()), vec![]);
    (0..1000).for_each(|port| _ = pass(&mut t, &udp(port), 10, &mut closed));
    for turn in 1..=10 {
        t.expire(Time::from_secs(41), 64, &mut into(&mut closed));
        assert!(closed.len() <= 64 * turn);
    }
    t.expire(Time::from_secs(41), usize::MAX, &mut into(&mut closed));
    assert_eq!((closed.len(), t.len()), (1000, 0));
}

#[test]
fn a_full_table_evicts_the_oldest_unestablished_and_spares_the_established() {
    let (mut t, mut closed) = (table(3, WhenFull::EvictOldestUnestablished), vec![]);
    pass(&mut t, &udp(1), 1, &mut closed);
    pass(&mut t, &back(udp(1)), 1, &mut closed);
    for port in 2..10 {
        pass(&mut t, &udp(port), 2, &mut closed);
    }
    assert!(closed.iter().map(|c| c.0.sport).eq(2..8) && closed.iter().all(|c| c.1 == CloseReason::Evicted));
    for port in [8, 9] {
        pass(&mut t, &back(udp(port)), 3, &mut closed);
    }
    assert_eq!(
        t.find(&udp(20), &at(3), &mut into(&mut closed)),
        Lookup::Refused(DropReason::SessionTableFull)
    );
    assert_eq!((t.len(), t.counters.full), (3, 1));
}

#[test]
fn a_full_table_refuses_or_leaves_untracked_by_policy() {
    let answers = [
        (WhenFull::DropNew, Lookup::Refused(DropReason::SessionTableFull)),
        (WhenFull::ForwardUntracked, Lookup::Untracked),
    ];
    for (policy, answer) in answers {
        let (mut t, mut closed) = (table(1, policy), vec![]);
        pass(&mut t, &udp(1), 1, &mut closed);
        assert_eq!(t.find(&udp(2), &at(1), &mut into(&mut closed)), answer);
        assert!(closed.is_empty());
    }
}

#[test]
fn an_icmp_error_counts_in_the_session_it_quotes_and_opens_none() {
    let (mut t, mut closed) = (table(8, WhenFull::default()), vec![]);
    let (id, ..) = pass(&mut t, &tcp(1, flags::SYN, 5, 0), 1, &mut closed);
    let unreachable = L4::Icmp4 { kind: 3, code: 1, id: 0, seq: 0 };
    let router = v4_tuple([192, 0, 2, 1], 3, [10, 0, 0, 1], 1, 1);
    let mut error = packet(router, unreachable);
    error.quoted = Some(tcp(1, 0, 0, 0).tuple);
    let found = t.find(&error, &at(2), &mut into(&mut closed));
    assert_eq!(found, Lookup::Found { id, dir: Dir::ToClient, opened: false, related: true });
    let session = t.get(id).unwrap();
    assert_eq!((session.packets, session.tcp.state.name()), (PerDir([1, 1]), "syn_sent"));
    error.quoted = Some(tcp(99, 0, 0, 0).tuple);
    assert_eq!(t.find(&error, &at(2), &mut into(&mut closed)), Lookup::Untracked);
    assert_eq!((t.len(), t.counters.related), (1, 1));
}

#[test]
fn datagrams_answered_by_an_icmp_error_alone_stay_new() {
    let (mut t, mut closed) = (table(8, WhenFull::default()), vec![]);
    let (id, ..) = pass(&mut t, &udp(1), 1, &mut closed);
    let mut error = packet(
        v4_tuple([10, 0, 0, 2], 3, [10, 0, 0, 1], 3, 1),
        L4::Icmp4 { kind: 3, code: 3, id: 0, seq: 0 },
    );
    error.quoted = Some(udp(1).tuple);
    t.find(&error, &at(2), &mut into(&mut closed));
    let session = t.get(id).unwrap();
    assert_eq!((session.packets, session.flow_event(CloseReason::Timeout).state), (PerDir([1, 1]), "new"));
}

#[test]
fn a_reset_answer_to_a_syn_ends_as_open_failed() {
    let (mut t, mut closed) = (table(8, WhenFull::default()), vec![]);
    pass(&mut t, &tcp(1, flags::SYN, 5, 0), 1, &mut closed);
    pass(&mut t, &back(tcp(1, flags::RST | flags::ACK, 0, 6)), 1, &mut closed);
    t.expire(Time::from_secs(12), usize::MAX, &mut into(&mut closed));
    assert_eq!(closed, [(tcp(1, 0, 0, 0).tuple, CloseReason::OpenFailed)]);
}

#[test]
fn a_closed_session_ends_soon_and_a_new_syn_opens_another_at_once() {
    let (mut t, mut closed) = (table(8, WhenFull::default()), vec![]);
    let (s, a, f) = (flags::SYN, flags::ACK, flags::FIN);
    pass(&mut t, &tcp(1, s, 10, 0), 1, &mut closed);
    pass(&mut t, &back(tcp(1, s | a, 50, 11)), 1, &mut closed);
    let (id, ..) = pass(&mut t, &tcp(1, a, 11, 51), 1, &mut closed);
    assert!(t.get(id).unwrap().established());
    pass(&mut t, &tcp(1, f | a, 11, 51), 2, &mut closed);
    pass(&mut t, &back(tcp(1, f | a, 51, 12)), 2, &mut closed);
    pass(&mut t, &tcp(1, a, 12, 52), 2, &mut closed);
    assert_eq!(t.get(id).unwrap().tcp.state.name(), "closed");
    let (again, dir, opened) = pass(&mut t, &tcp(1, s, 1000, 0), 3, &mut closed);
    assert!(opened && again != id && dir == Dir::ToServer);
    assert_eq!(closed, [(tcp(1, 0, 0, 0).tuple, CloseReason::Fin)]);
}

#[test]
fn a_syn_ack_that_opens_is_turned_round_only_where_midstream_is_allowed() {
    for (midstream, expected) in [(Midstream::Never, Dir::ToServer), (Midstream::Always, Dir::ToClient)] {
        let tcp_settings = TcpSettings { midstream, ..TcpSettings::default() };
        let mut t = SessionTable::new(Settings { capacity: 4, tcp: tcp_settings, ..Settings::default() });
        let (id, dir, _) = pass(&mut t, &back(tcp(1, flags::SYN | flags::ACK, 50, 11)), 1, &mut vec![]);
        assert_eq!(dir, expected);
        assert_eq!(t.get(id).unwrap().tuple.dport == 80, expected == Dir::ToClient);
    }
}

#[test]
fn close_all_hands_every_session_to_the_closer_once() {
    let (mut t, mut closed) = (table(50, WhenFull::default()), vec![]);
    (0..50).for_each(|port| _ = pass(&mut t, &udp(port), 10, &mut closed));
    let (id, ..) = pass(&mut t, &udp(7), 10, &mut closed);
    assert!(t.close(id, CloseReason::Killed, &mut into(&mut closed)));
    assert!(!t.close(id, CloseReason::Killed, &mut into(&mut closed)));
    t.close_all(CloseReason::Shutdown, Time::ZERO, &mut into(&mut closed));
    assert_eq!((closed.len(), t.iter().count(), t.counters.opened), (50, 0, 50));
    assert_eq!(t.counters.closed_by(CloseReason::Shutdown), 49);
}

#[test]
fn what_is_over_when_all_ends_ends_for_its_own_reason() {
    let (mut t, mut closed) = (table(50, WhenFull::default()), vec![]);
    let (old, ..) = pass(&mut t, &udp(1), 10, &mut closed);
    assert_eq!(t.get(old).unwrap().last_packet, 10, "packets here have their second as number");
    pass(&mut t, &udp(2), 1000, &mut closed);
    t.close_all(CloseReason::Shutdown, Time::from_secs(1001), &mut into(&mut closed));
    assert_eq!(t.counters.closed_by(CloseReason::Timeout), 1);
    assert_eq!(t.counters.closed_by(CloseReason::Shutdown), 1);
}

proptest! {
    /// Against a plain map of deadlines, with timers that run at odd moments.
    #[test]
    fn behaves_like_a_map_with_deadlines(
        steps in prop::collection::vec((0u16..12, any::<bool>(), 0u64..25, any::<bool>()), 1..200)
    ) {
        let (mut t, mut closed) = (table(64, WhenFull::default()), vec![]);
        let mut model: HashMap<u16, (u64, bool)> = HashMap::new();
        let (mut now, mut ended) = (1000, 0);
        for (port, reply, wait, timer) in steps {
            now += wait;
            if timer {
                t.expire(Time::from_secs(now), 1 + port as usize * 10, &mut into(&mut closed));
            }
            let alive = model.get(&port).is_some_and(|&(seen, _)| now < seen + 30);
            ended += u64::from(model.contains_key(&port) && !alive);
            let client_first = if alive { model[&port].1 } else { !reply };
            model.insert(port, (now, client_first));
            let decoded = if reply { back(udp(port)) } else { udp(port) };
            let (_, dir, opened) = pass(&mut t, &decoded, now, &mut closed);
            prop_assert_eq!(opened, !alive);
            prop_assert_eq!(dir == Dir::ToServer, client_first != reply);
        }
        prop_assert!(closed.len() as u64 >= ended);
        t.close_all(CloseReason::Shutdown, Time::ZERO, &mut into(&mut closed));
        prop_assert_eq!(closed.len() as u64, t.counters.opened);
    }
}

#[test]
fn families_never_mix() {
    let (mut t, mut closed) = (table(8, WhenFull::default()), vec![]);
    let (v4, ..) = pass(&mut t, &udp(1), 1, &mut closed);
    let mut other = udp(1);
    other.tuple.family = Family::V6;
    assert_eq!(other.tuple.src, Addr::v4([10, 0, 0, 1]));
    let (v6, _, opened) = pass(&mut t, &other, 1, &mut closed);
    assert!(opened && v4 != v6);
    assert_eq!(t.settings().timeouts, Timeouts::WEIR);
}
