//! External plugins through `weir replay`: the exact order of events for every way in which a session can go.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::time::Duration;
use support::{Bench, ethernet, v4, with_id};
use weir::base::Dir;
use weir::wire::build::{Capture, TcpConversation, udp_packet};

fn question(port: u16, payload: &str) -> Vec<u8> {
    udp_packet(v4(1, port), v4(2, 53), &with_id(1), payload.as_bytes())
}

fn answer(port: u16, payload: &str) -> Vec<u8> {
    udp_packet(v4(2, 53), v4(1, port), &with_id(2), payload.as_bytes())
}

/// Replays with two probes; the words are the second one's.
#[track_caller]
fn told(words: &str, capture: &Capture) -> (Vec<String>, usize) {
    let bench = Bench::new();
    let (config, capture) = (bench.pair(words), bench.capture(capture));
    let (done, sent) = bench.replay_services(&config, &capture);
    done.clean();
    let diary = bench.diary();
    assert_eq!(diary[..4], ["a worker-init 0", "b worker-init 0", "a init 0", "b init 0"]);
    assert_eq!(diary[diary.len() - 2..], ["a worker-exit", "b worker-exit"]);
    (bench.events(), sent.len())
}

#[test]
fn an_accepted_session_is_told_in_order_and_replies_go_the_other_way() {
    let mut talk = TcpConversation::new(v4(1, 4000), v4(2, 80), 7);
    talk.handshake().send(Dir::ToServer, b"GET", 100).close(Dir::ToServer).close(Dir::ToClient);
    let count = talk.packets.len();
    let mut capture = ethernet(&talk.packets);
    // A closed session stays for a while, for what comes late.
    capture.wait(Duration::from_secs(600)).packets([question(5000, "q"), question(5000, "q")]);
    let (mut events, sent) = told("", &capture);
    assert_eq!(sent, count + 2);
    events.retain(|line| line.contains("4000"));
    let expected = [
        "a first-packet 0 forward 4000",
        "b first-packet 0 forward 4000",
        "a session-open 0 forward 4000",
        "b session-open 0 forward 4000",
        "b packet 0 reverse 4000",
        "a packet 0 reverse 4000",
        "a packet 0 forward 4000",
        "b packet 0 forward 4000",
        "a packet 0 forward 4000",
        "b packet 0 forward 4000",
    ];
    assert_eq!(events[..expected.len()], expected);
    let ends = [
        "a session-close 0 forward 4000 fin",
        "b session-close 0 forward 4000 fin",
        "a session-destroy 0 forward 4000",
        "b session-destroy 0 forward 4000",
    ];
    assert_eq!(events[events.len() - 4..], ends);
    // Between them packets alone, and each to both: their order is that of the direction.
    let between = &events[4..events.len() - 4];
    assert_eq!(between.len(), 2 * (count - 1));
    for both in between.chunks(2) {
        let reverse = both[0].contains("reverse");
        let (first, second) = if reverse { ("b ", "a ") } else { ("a ", "b ") };
        assert!(both[0].starts_with(first) && both[1].starts_with(second), "{both:?}");
        assert_eq!(both[0][2..], both[1][2..]);
    }
}

#[test]
fn a_session_that_the_second_refuses_never_opens_and_ends_once_for_each() {
    let (events, sent) = told("discard=no", &ethernet([question(4000, "no"), question(4001, "yes")]));
    assert_eq!(sent, 1);
    let refused: Vec<_> = events.into_iter().filter(|line| line.contains("4000")).collect();
    assert_eq!(
        refused,
        [
            "a first-packet 0 forward 4000",
            "b first-packet 0 forward 4000",
            "a session-close 0 forward 4000 open-failed",
            "b session-close 0 forward 4000 open-failed",
            "a session-destroy 0 forward 4000",
            "b session-destroy 0 forward 4000",
        ]
    );
}

#[test]
fn a_session_that_times_out_says_so_once_to_each() {
    let mut capture = ethernet([question(4000, "q"), answer(4000, "a")]);
    capture.wait(Duration::from_secs(4000)).packets([question(5000, "q"), question(5000, "q")]);
    let (events, _) = told("", &capture);
    let of_the_first: Vec<_> = events.into_iter().filter(|line| line.contains("4000")).collect();
    assert_eq!(
        of_the_first,
        [
            "a first-packet 0 forward 4000",
            "b first-packet 0 forward 4000",
            "a session-open 0 forward 4000",
            "b session-open 0 forward 4000",
            "b packet 0 reverse 4000",
            "a packet 0 reverse 4000",
            "a session-close 0 forward 4000 timeout",
            "b session-close 0 forward 4000 timeout",
            "a session-destroy 0 forward 4000",
            "b session-destroy 0 forward 4000",
        ]
    );
}

#[test]
fn who_ignores_one_direction_is_called_for_the_other() {
    for (word, own) in
        [("ignore=reverse", "b packet 0 forward 4000"), ("ignore=forward", "b packet 0 reverse 4000")]
    {
        let talk = [question(4000, "q"), answer(4000, "a"), question(4000, "q"), answer(4000, "a")];
        let (events, sent) = told(word, &ethernet(talk));
        assert_eq!(sent, 4);
        let of_b: Vec<_> = events.iter().filter(|line| line.starts_with("b packet")).collect();
        assert!(!of_b.is_empty() && of_b.iter().all(|line| *line == own), "{word}: {of_b:?}");
        assert_eq!(events.iter().filter(|line| line.starts_with("a packet")).count(), 3, "{word}");
        assert_eq!(events.iter().filter(|line| line.starts_with("b session-")).count(), 3, "{word}");
    }
}

#[test]
fn a_plugin_in_packet_mode_hears_packets_and_no_sessions() {
    let bench = Bench::new();
    let config = bench.probe("p", "packet-mode") + &support::services::set("s", &["p"], "");
    let capture = bench.capture(&ethernet([question(4000, "q"), answer(4000, "a"), question(4000, "q")]));
    let (done, sent) = bench.replay_services(&config, &capture);
    let done = done.clean();
    assert_eq!(sent.len(), 3);
    assert_eq!(bench.events(), ["p packet 0 forward -"; 3]);
    assert!(done.events.of("flow").is_empty(), "no session is made for it");
}
