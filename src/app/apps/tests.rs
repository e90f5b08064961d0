//! Events of a session itself: who spoke first, and what a change of protocol came to.

use super::*;
use crate::base::{FlowTuple, Time};
use crate::wire::ip_proto;

const CLIENT: Dir = Dir::ToServer;
const SERVER: Dir = Dir::ToClient;

/// The events of a session over TCP whose handshake was seen.
fn events(talk: &[(Dir, &[u8])]) -> Vec<&'static str> {
    let (mut apps, mut handle) = (Apps::new(Limits::default()), NONE);
    let tuple = FlowTuple { proto: ip_proto::TCP, sport: 40_000, dport: 9999, ..FlowTuple::default() };
    let wanted = Wanted::all();
    let mut events = Vec::new();
    for (dir, bytes) in talk {
        let source = Source { tuple, time: Time::from_secs(1), dir: *dir, opening_seen: true };
        apps.data(&mut handle, &source, &wanted, bytes);
        events.extend(apps.get_mut(handle).unwrap().events.drain(..).map(|(_, event)| event));
    }
    events
}

const STARTTLS: &[(Dir, &[u8])] = &[
    (SERVER, b"220 host ESMTP\r\n"),
    (CLIENT, b"EHLO c\r\nSTARTTLS\r\n"),
    (SERVER, b"250 ok\r\n220 go on\r\n"),
];

#[test]
fn what_follows_starttls_and_is_no_tls_is_an_event() {
    let event = "applayer_no_tls_after_starttls";
    let other: &[(Dir, &[u8])] = &[(CLIENT, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")];
    assert!(events(&[STARTTLS, other].concat()).contains(&event));
    let nothing: &[(Dir, &[u8])] = &[(CLIENT, &[b'~'; 5000]), (SERVER, &[b'~'; 5000])];
    assert!(events(&[STARTTLS, nothing].concat()).contains(&event));
    let hello: &[(Dir, &[u8])] = &[(CLIENT, &[22, 3, 1, 0, 50, 1, 0, 0, 46, 3, 3])];
    assert!(!events(&[STARTTLS, hello].concat()).contains(&event));
}

#[test]
fn a_protocol_other_than_the_one_announced_is_an_event() {
    let talk: &[(Dir, &[u8])] = &[
        (CLIENT, b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"),
        (SERVER, b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n"),
        (CLIENT, b"SSH-2.0-x\r\n"),
    ];
    assert_eq!(events(talk), ["applayer_unexpected_protocol"]);
}

#[test]
fn a_server_that_speaks_first_where_clients_do_is_an_event() {
    let answer: &[u8] = b"HTTP/1.1 200 ok\r\nContent-Length: 0\r\n\r\n";
    let request: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let event = "applayer_wrong_direction_first_data";
    assert!(events(&[(SERVER, answer), (CLIENT, request)]).contains(&event));
    assert!(!events(&[(CLIENT, request), (SERVER, answer)]).contains(&event));
    assert!(!events(&[(SERVER, b"SSH-2.0-x\r\n"), (CLIENT, b"SSH-2.0-y\r\n")]).contains(&event));
}

#[test]
fn a_side_that_says_much_and_nothing_known_ends_the_looking_for_a_protocol() {
    let piece: &[u8] = &[b'~'; 10_000];
    let mut talk = vec![(CLIENT, piece); 10];
    assert!(events(&talk).is_empty());
    talk.extend([(CLIENT, piece); 2]);
    assert_eq!(events(&talk), ["applayer_proto_detection_skipped"]);
    talk.push((SERVER, b"HTTP/1.1 200 ok\r\n\r\n"));
    assert_eq!(events(&talk), ["applayer_proto_detection_skipped"], "nobody looks any more");
}

#[test]
fn directions_of_two_protocols_are_an_event_and_so_is_one_without() {
    let request: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mismatch = "applayer_mismatch_protocol_both_directions";
    assert_eq!(events(&[(CLIENT, request), (SERVER, b"SSH-2.0-x\r\n")]), [mismatch]);
    let one = "applayer_detect_protocol_only_one_direction";
    assert_eq!(events(&[(CLIENT, request), (SERVER, &[b'~'; 5000])]), [one]);
}

#[test]
fn bytes_that_tell_the_protocol_at_once_are_not_kept() {
    let (mut apps, mut handle) = (Apps::new(Limits::default()), NONE);
    let tuple = FlowTuple { proto: ip_proto::TCP, sport: 40_000, dport: 9999, ..FlowTuple::default() };
    let mut say = |dir, bytes: &[u8]| {
        let source = Source { tuple, time: Time::from_secs(1), dir, opening_seen: true };
        apps.data(&mut handle, &source, &Wanted::all(), bytes);
        let state = apps.get(handle).unwrap();
        (state.known.by_direction[dir].is_some(), state.start[dir].len(), apps.spare_starts.len())
    };
    assert_eq!(say(CLIENT, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (true, 0, 0));
    // A piece that says nothing yet is kept until more came, and then its memory is for others.
    assert_eq!(say(SERVER, b"HT"), (false, 2, 0));
    assert_eq!(say(SERVER, b"TP/1.1 200 ok\r\n\r\n"), (true, 0, 1));
}
