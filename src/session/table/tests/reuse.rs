//! Addresses and ports that are used again while a session has them.

use super::*;
use flags::{ACK, FIN, RST, SYN};

/// Initial numbers: of the client and the server, each in the old connection and in the new.
const OLD: [u32; 2] = [1000, 5000];
const NEW: [u32; 2] = [900_000, 700_000];

struct Ends {
    table: SessionTable,
    closed: Closed,
    now: u64,
}

impl Ends {
    /// An established session.
    fn new() -> Ends {
        let mut ends = Ends { table: table(8, WhenFull::default()), closed: vec![], now: 1 };
        ends.client(SYN, OLD[0], 0);
        ends.server(SYN | ACK, OLD[1], OLD[0] + 1);
        ends.client(ACK, OLD[0] + 1, OLD[1] + 1);
        ends
    }

    fn client(&mut self, bits: u8, seq: u32, ack: u32) -> (SessionId, Dir, bool) {
        pass(&mut self.table, &tcp(1, bits, seq, ack), self.now, &mut self.closed)
    }

    fn server(&mut self, bits: u8, seq: u32, ack: u32) -> (SessionId, Dir, bool) {
        pass(&mut self.table, &back(tcp(1, bits, seq, ack)), self.now, &mut self.closed)
    }

    fn reasons(&self) -> Vec<CloseReason> {
        self.closed.iter().map(|closed| closed.1).collect()
    }

    fn state(&self) -> &'static str {
        self.table.iter().next().map_or("gone", |(_, session)| session.tcp.state.name())
    }

    /// SYN, SYN and ACK of the new connection; whether the answer opened it.
    fn again(&mut self) -> bool {
        self.client(SYN, NEW[0], 0);
        self.server(SYN | ACK, NEW[1], NEW[0] + 1).2
    }
}

#[test]
fn a_late_syn_and_its_answer_open_another_session() {
    let mut ends = Ends::new();
    let (old, _, opened) = ends.client(SYN, NEW[0], 0);
    assert!(!opened && ends.closed.is_empty() && ends.state() == "established", "a SYN alone ends nothing");
    let (new, dir, opened) = ends.server(SYN | ACK, NEW[1], NEW[0] + 1);
    assert!(opened && new != old && dir == Dir::ToClient);
    assert_eq!(ends.closed, [(tcp(1, 0, 0, 0).tuple, CloseReason::Reused)]);
    let session = ends.table.get(new).unwrap();
    assert_eq!((session.tuple, session.tcp.state.name()), (tcp(1, 0, 0, 0).tuple, "syn_recv"));
    assert_eq!((session.tcp.flags(Dir::ToServer), session.packets), (SYN, PerDir([0, 1])));
    for (dir, isn) in [(Dir::ToServer, NEW[0]), (Dir::ToClient, NEW[1])] {
        assert_eq!(session.tcp.stream_start(dir).unwrap().0, isn + 1);
    }
    ends.client(ACK, NEW[0] + 1, NEW[1] + 1);
    let session = ends.table.get(new).unwrap();
    assert!(session.established() && session.tcp.opening_seen());
    assert_eq!((ends.table.len(), ends.table.counters.closed_by(CloseReason::Reused)), (1, 1));
}

#[test]
fn only_an_answer_of_exactly_that_syn_counts() {
    let mut ends = Ends::new();
    let (old, ..) = ends.client(SYN, NEW[0], 0);
    for ack in [NEW[0], NEW[0] + 2, OLD[0] + 1, 0] {
        assert!(!ends.server(SYN | ACK, NEW[1], ack).2, "{ack}");
    }
    for bits in [ACK, SYN, SYN | ACK | FIN] {
        assert!(!ends.server(bits, NEW[1], NEW[0] + 1).2, "{bits}");
    }
    assert!(!ends.client(SYN | ACK, NEW[1], NEW[0] + 1).2, "its own sender's");
    let mut ends = Ends::new();
    assert!(!ends.server(SYN | ACK, NEW[1], NEW[0] + 1).2, "no SYN was seen");
    assert!(ends.closed.is_empty() && ends.table.get(old).is_some());
}

#[test]
fn of_a_flood_of_syns_the_latest_holds() {
    let mut ends = Ends::new();
    let flood = 10_000;
    (0..flood).for_each(|n| _ = ends.client(SYN, NEW[0] + n, 0));
    assert!(!ends.server(SYN | ACK, NEW[1], NEW[0] + 1).2);
    assert!(!ends.server(SYN | ACK, NEW[1], NEW[0] + flood - 1).2);
    assert!(ends.closed.is_empty() && ends.table.len() == 1 && ends.table.counters.opened == 1);
    assert!(ends.server(SYN | ACK, NEW[1], NEW[0] + flood).2);
    assert_eq!(ends.table.counters.opened, 2);
}

#[test]
fn who_sent_the_syn_is_the_client() {
    let mut ends = Ends::new();
    ends.server(SYN, NEW[1], 0);
    let (new, dir, opened) = ends.client(SYN | ACK, NEW[0], NEW[1] + 1);
    assert!(opened && dir == Dir::ToClient);
    assert_eq!(ends.table.get(new).unwrap().tuple, tcp(1, 0, 0, 0).tuple.reversed());
    assert!(ends.server(ACK, NEW[1] + 1, NEW[0] + 1).1 == Dir::ToServer && ends.state() == "established");
}

#[test]
fn the_same_number_again_is_another_connection_only_by_another_answer() {
    let mut ends = Ends::new();
    let (old, ..) = ends.client(SYN, OLD[0], 0);
    assert_eq!(ends.server(SYN | ACK, OLD[1], OLD[0] + 1).0, old, "the old answer, sent again");
    assert!(ends.server(SYN | ACK, NEW[1], OLD[0] + 1).2);
    // Within a handshake it asks for an answer again, and a server without memory may give another.
    ends.client(SYN, OLD[0], 0);
    assert!(!ends.server(SYN | ACK, NEW[1] + 9, OLD[0] + 1).2);
    assert_eq!(ends.reasons(), [CloseReason::Reused]);
}

#[test]
fn a_server_does_not_become_the_client_of_who_called_it() {
    // The client calls again, and the server calls back instead of answering; before it, too, and by several SYNs.
    let calls: [&[(bool, u32)]; 4] = [
        &[(true, NEW[0]), (false, NEW[1])],
        &[(false, NEW[1]), (true, NEW[0]), (false, NEW[1])],
        &[(true, NEW[0]), (false, 7), (false, NEW[1])],
        &[(true, NEW[0]), (false, 7), (true, NEW[0]), (false, NEW[1])],
    ];
    for calls in calls {
        let mut ends = Ends::new();
        for &(client, seq) in calls {
            if client {
                ends.client(SYN, seq, 0)
            } else {
                ends.server(SYN, seq, 0)
            };
        }
        assert!(!ends.client(SYN | ACK, NEW[0], NEW[1] + 1).2, "{calls:?}");
        assert!(!ends.server(SYN | ACK, NEW[1], NEW[0] + 1).2, "{calls:?}");
        assert!(ends.closed.is_empty());
    }
    // Within the handshake: by a second SYN, the first of which the client did not get. What does not fit is not taken for
    // what nobody takes.
    for done in [false, true] {
        let mut ends = Ends { table: table(8, WhenFull::default()), closed: vec![], now: 1 };
        ends.client(SYN, OLD[0], 0);
        let (id, ..) = ends.server(SYN, OLD[1], 0);
        if done {
            ends.server(ACK, OLD[1] + 1, OLD[0] + 1);
        }
        assert_eq!(ends.state(), if done { "established" } else { "syn_recv" });
        ends.server(SYN, NEW[1], 0);
        assert!(!ends.client(SYN | ACK, OLD[0], NEW[1] + 1).2 && ends.closed.is_empty());
        assert!(done || ends.table.get(id).unwrap().tcp.is_contested());
    }
}

#[test]
fn a_server_that_begins_with_the_same_number_each_time_answers_too() {
    let mut ends = Ends::new();
    ends.client(SYN, NEW[0], 0);
    assert!(ends.server(SYN | ACK, OLD[1], NEW[0] + 1).2);
}

#[test]
fn a_handshake_that_both_ends_left_for_another_is_over() {
    let mut ends = Ends { table: table(8, WhenFull::default()), closed: vec![], now: 1 };
    ends.client(SYN, OLD[0], 0);
    ends.server(SYN | ACK, OLD[1], OLD[0] + 1);
    assert_eq!(ends.state(), "syn_recv");
    assert!(ends.again());
    ends.client(ACK, NEW[0] + 1, NEW[1] + 1);
    assert_eq!((ends.state(), ends.reasons()), ("established", vec![CloseReason::Reused]));
}

#[test]
fn who_has_the_old_connection_challenges_and_the_reset_makes_room_for_the_same_syn() {
    let mut ends = Ends::new();
    let (old, ..) = ends.client(SYN, NEW[0], 0);
    assert_eq!(ends.server(ACK, OLD[1] + 1, OLD[0] + 1).0, old, "RFC 5961, section 4");
    ends.client(RST, OLD[0] + 1, 0);
    assert_eq!(ends.state(), "closed");
    let (new, _, opened) = ends.client(SYN, NEW[0], 0);
    assert!(opened && new != old);
    assert!(!ends.server(SYN | ACK, NEW[1], NEW[0] + 1).2);
    ends.client(ACK, NEW[0] + 1, NEW[1] + 1);
    assert_eq!((ends.state(), ends.reasons()), ("established", vec![CloseReason::Rst]));
}

/// The old connection with these segments behind its handshake: who, flags, numbers behind the initial ones.
fn closing(steps: &[(bool, u8, u32, u32)]) -> Ends {
    let mut ends = Ends::new();
    for &(client, bits, seq, ack) in steps {
        match client {
            true => ends.client(bits, OLD[0] + seq, OLD[1] + ack),
            false => ends.server(bits, OLD[1] + seq, OLD[0] + ack),
        };
    }
    ends
}

const CLIENT_FIN: (bool, u8, u32, u32) = (true, FIN | ACK, 1, 1);
const SERVER_FIN: (bool, u8, u32, u32) = (false, FIN | ACK, 1, 1);

#[test]
fn half_closed_it_takes_both_ends_as_before() {
    let acked = (true, ACK, 1, 2);
    let steps: [(&str, &[_]); 4] = [
        ("close_wait", &[CLIENT_FIN]),
        ("fin_wait1", &[SERVER_FIN]),
        ("fin_wait2", &[SERVER_FIN, acked]),
        ("closing", &[SERVER_FIN, CLIENT_FIN]),
    ];
    for (state, steps) in steps {
        let mut ends = closing(steps);
        assert_eq!(ends.state(), state);
        assert!(!ends.client(SYN, NEW[0], 0).2 && ends.closed.is_empty(), "{state}");
        assert!(ends.server(SYN | ACK, NEW[1], NEW[0] + 1).2, "{state}");
        assert_eq!(ends.reasons(), [CloseReason::Reused], "{state}");
    }
}

#[test]
fn behind_both_fins_a_syn_with_another_number_is_enough() {
    let steps: [(&str, &[_]); 3] = [
        ("last_ack", &[CLIENT_FIN, (false, FIN | ACK, 1, 2)]),
        ("time_wait", &[SERVER_FIN, (true, ACK, 1, 2), (true, FIN | ACK, 1, 2)]),
        ("closed", &[CLIENT_FIN, (false, FIN | ACK, 1, 2), (true, ACK, 2, 2)]),
    ];
    for (state, steps) in steps {
        let mut ends = closing(steps);
        assert_eq!(ends.state(), state);
        assert!(!ends.client(SYN, OLD[0], 0).2, "{state}: the old SYN once more");
        let (new, _, opened) = ends.client(SYN, NEW[0], 0);
        assert!(opened, "{state}");
        assert_eq!(ends.server(SYN | ACK, NEW[1], NEW[0] + 1).0, new, "{state}: it opened with its SYN");
        assert_eq!(ends.reasons(), [CloseReason::Fin], "{state}");
        // A client that always begins with the same number is told by its server's.
        let mut ends = closing(steps);
        ends.client(SYN, OLD[0], 0);
        assert!(ends.server(SYN | ACK, NEW[1], OLD[0] + 1).2, "{state}");
        assert_eq!(ends.reasons(), [CloseReason::Fin], "{state}");
    }
}

#[test]
fn the_syns_own_side_of_the_line_does_not_answer_it() {
    // The SYN's port and the one across, and the answer's: two lines of two ports, and a mirror.
    let ways: [(_, Option<u16>, _, Option<u16>, _); 7] = [
        (0, Some(1), 1, Some(0), true),
        (0, Some(1), 0, Some(1), false),
        (0, Some(1), 2, Some(3), false),
        (0, Some(1), 3, Some(2), false),
        (0, Some(1), 4, None, false),
        (4, None, 1, Some(0), false),
        (4, None, 4, None, true),
    ];
    for (port, across, by, its_across, opens) in ways {
        let mut ends = Ends::new();
        let packet =
            |port, across: Option<u16>| Packet { port: PortId(port), across: across.map(PortId), ..at(1) };
        let (syn, came) = (tcp(1, SYN, NEW[0], 0), packet(port, across));
        let Lookup::Found { id, dir, .. } = ends.table.find(&syn, &came, &mut into(&mut ends.closed)) else {
            panic!("the old session is there");
        };
        ends.table.track(id, dir, &syn, &came);
        let answer = back(tcp(1, SYN | ACK, NEW[1], NEW[0] + 1));
        let found = ends.table.find(&answer, &packet(by, its_across), &mut into(&mut ends.closed));
        assert!(matches!(found, Lookup::Found { opened, .. } if opened == opens), "{port} {by}: {found:?}");
    }
}

#[test]
fn a_session_that_is_dropped_in_the_line_stays_so() {
    for inline in [false, true] {
        let mut ends = Ends::new();
        let (id, ..) = ends.client(SYN, NEW[0], 0);
        ends.table.get_mut(id).unwrap().settled = Settled::Drop(DropReason::SessionDropped);
        let answer = back(tcp(1, SYN | ACK, NEW[1], NEW[0] + 1));
        let found = ends.table.find(&answer, &Packet { inline, ..at(1) }, &mut into(&mut ends.closed));
        assert!(matches!(found, Lookup::Found { opened, .. } if opened != inline), "{found:?}");
    }
}

#[test]
fn what_the_syn_offered_holds_in_the_new_session() {
    for (offered, reaches) in [(Some(7), true), (Some(0), false), (None, false)] {
        let mut ends = Ends::new();
        let with = |mut decoded: Decoded| {
            if let L4::Tcp(fields) = &mut decoded.l4 {
                (fields.window_scale, fields.timestamps) = (offered, Some((400, 0)));
            }
            decoded
        };
        let mut pass = |decoded: &Decoded| pass(&mut ends.table, decoded, 1, &mut ends.closed);
        pass(&with(tcp(1, SYN, NEW[0], 0)));
        pass(&with(back(tcp(1, SYN | ACK, NEW[1], NEW[0] + 1))));
        let (id, ..) = pass(&with(tcp(1, ACK, NEW[0] + 1, NEW[1] + 1)));
        // Of a window of 1,000 by the shift.
        let mut far = with(back(tcp(1, ACK, NEW[1] + 50_000, NEW[0] + 1)));
        far.payload_len = 100;
        let tracked = ends.table.track(id, Dir::ToClient, &far, &at(1)).unwrap();
        assert_eq!(tracked.data.is_some(), reaches, "{offered:?}");
        let mut old = tcp(1, ACK, NEW[0] + 1, NEW[1] + 1);
        if let L4::Tcp(fields) = &mut old.l4 {
            fields.timestamps = Some((300, 0));
        }
        let tracked = ends.table.track(id, Dir::ToServer, &old, &at(1)).unwrap();
        assert_eq!(tracked.fit, crate::session::Fit::Invalid, "an old timestamp");
    }
}

#[test]
fn what_begins_before_the_new_stream_is_of_the_old_until_the_numbers_come_round() {
    let mut ends = Ends::new();
    let with = |mut decoded: Decoded, len: u32| {
        if let L4::Tcp(fields) = &mut decoded.l4 {
            fields.window_scale = Some(14);
        }
        decoded.payload_len = len;
        decoded
    };
    pass(&mut ends.table, &with(tcp(1, SYN, NEW[0], 0), 0), 1, &mut ends.closed);
    let answer = with(back(tcp(1, SYN | ACK, NEW[1], NEW[0] + 1)), 0);
    let (id, ..) = pass(&mut ends.table, &answer, 1, &mut ends.closed);
    let mut fits =
        |dir, decoded| ends.table.track(id, dir, &decoded, &at(1)).unwrap().fit == crate::session::Fit::Valid;
    let data = |seq| with(tcp(1, ACK, seq, NEW[1] + 1), 1000);
    assert!(fits(Dir::ToServer, with(tcp(1, ACK, NEW[0] + 1, NEW[1] + 1), 0)));
    assert!(!fits(Dir::ToServer, data(OLD[0] + 1)) && !fits(Dir::ToServer, data(NEW[0] - 1)));
    // The window that the answer's shift makes.
    assert!(fits(Dir::ToClient, with(back(tcp(1, ACK, NEW[1] + 1, NEW[0] + 1)), 0)));
    // Four gigabytes and more of the one; the other's numbers stay where they are.
    for step in 1..400u32 {
        let next = NEW[0].wrapping_add(step.wrapping_mul(12_000_000));
        assert!(
            fits(Dir::ToServer, data(next)) && fits(Dir::ToServer, data(next.wrapping_sub(6_000_000))),
            "{step}"
        );
        assert!(
            fits(Dir::ToClient, with(back(tcp(1, ACK, NEW[1] + 1, next.wrapping_add(1000))), 0)),
            "{step}"
        );
        assert!(
            !fits(Dir::ToClient, with(back(tcp(1, ACK, OLD[1] + 1, next.wrapping_add(1000))), 9)),
            "{step}"
        );
    }
}

/// A segment: whose, which flags, and its numbers among few, so that they meet.
fn any_segment() -> impl Strategy<Value = (bool, u8, u32, u32)> {
    (any::<bool>(), prop::sample::select(vec![SYN, SYN | ACK, ACK]), 0u32..4, 0u32..4)
}

proptest! {
    #[test]
    fn no_segments_of_one_side_end_a_session_for_another(
        segments in prop::collection::vec((any::<u8>(), 0u32..6, 0u32..6), 1..100), client: bool
    ) {
        let mut ends = Ends::new();
        let spread = |n: u32| (n * 500).wrapping_add(900);
        for (bits, seq, ack) in segments {
            let bits = bits & !(FIN | RST);
            let opened = match client {
                true => ends.client(bits, spread(seq), spread(ack) + 1).2,
                false => ends.server(bits, spread(seq), spread(ack) + 1).2,
            };
            prop_assert!(!opened && ends.closed.is_empty());
        }
    }

    /// Against a model: the latest late SYN, and the initial numbers of the session that is.
    #[test]
    fn a_session_ends_for_another_exactly_when_the_latest_syn_is_answered(
        segments in prop::collection::vec(any_segment(), 1..200)
    ) {
        let number = |n: u32| 1_000_000 * (n + 1);
        let mut ends = Ends::new();
        let mut isn = OLD;
        let mut late: Option<(usize, u32)> = None;
        // Who called in the session that is; whether both have called since.
        let (mut caller, mut crossed) = (0, false);
        for (client, bits, seq, ack) in segments {
            let (seq, ack) = (number(seq), if bits & ACK != 0 { number(ack) + 1 } else { 0 });
            let (own, other) = (usize::from(!client), usize::from(client));
            let answered = late.filter(|&(by, of)| bits == SYN | ACK && by == other && ack == of + 1);
            let answered =
                answered.filter(|&(_, of)| seq != isn[own] || (own != caller && of != isn[other]));
            let done = ends.state() != "syn_recv";
            let (_, _, opened) = if client { ends.client(bits, seq, ack) } else { ends.server(bits, seq, ack) };
            prop_assert_eq!(opened, answered.is_some(), "{} {} {}", bits, seq, ack);
            if let Some((_, of)) = answered {
                (isn[other], isn[own], late) = (of, seq, None);
                (caller, crossed) = (other, false);
            } else if bits == SYN && (done || seq != isn[own]) {
                crossed |= late.is_some_and(|(by, _)| by == other);
                late = Some((own, seq)).filter(|_| !crossed);
            }
        }
        prop_assert!(ends.reasons().iter().all(|reason| *reason == CloseReason::Reused));
        prop_assert_eq!(ends.table.len(), 1);
    }
}
