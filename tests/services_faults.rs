//! Plugins that misbehave, through `weir replay`: contained, named, taken out, and traffic goes on as the set's policy says.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::services::{exit_one, set};
use support::{Bench, ethernet, v4, with_id};
use weir::wire::build::udp_packet;

/// The second one misbehaves at the second packet.
const TALK: [&str; 4] = ["one", "GET /", "three", "four"];

/// Deeds, and how the operator hears of them.
const DEEDS: [(&str, &str); 3] =
    [("panic=GET", "panicked"), ("garbage=GET", "bad-reply"), ("leak=GET", "leaked-frames")];

fn misbehaves(deed: &str, fault: &str, on_fault: &str) -> Vec<Vec<u8>> {
    let bench = Bench::new();
    let config = bench.probe("a", "") + &bench.probe("b", deed) + &set("s", &["a", "b"], on_fault);
    let packets = TALK.map(|text| udp_packet(v4(1, 4000), v4(2, 53), &with_id(1), text.as_bytes()));
    let other = udp_packet(v4(1, 4001), v4(2, 53), &with_id(1), b"another session");
    let capture = bench.capture(&ethernet(packets.into_iter().chain([other])));
    let (done, sent) = bench.replay_services(&config, &capture);
    exit_one(&done);
    let text = done.stderr();
    assert!(text.contains(&format!("plugin b was taken out ({fault}, worker 0)")), "{deed}: {text}");
    assert!(!text.contains("plugin a "), "{deed}: {text}");
    let events = bench.events();
    let last = events.iter().rfind(|line| line.starts_with("b ")).unwrap();
    assert_eq!(last, "b packet 0 forward 4000", "{deed}: it is not called again");
    // With all frames accounted for, those that it kept are back as well.
    assert!(!bench.diary().contains(&"b worker-exit".to_owned()), "{deed}: in what state is it?");
    sent
}

#[test]
fn what_misbehaves_is_taken_out_and_skipped() {
    for (deed, fault) in DEEDS {
        assert_eq!(misbehaves(deed, fault, "on-fault = \"skip\"").len(), 5, "{deed}: traffic goes on");
    }
}

#[test]
fn what_misbehaves_is_taken_out_and_its_traffic_dropped_where_the_set_says_so() {
    for (deed, fault) in DEEDS {
        let sent = misbehaves(deed, fault, "on-fault = \"drop\"");
        assert_eq!(sent.len(), 1, "{deed}: what was forwarded before");
        assert!(sent[0].ends_with(b"one"));
    }
}

#[test]
fn a_plugin_that_does_not_misbehave_leaves_the_exit_code_alone() {
    let bench = Bench::new();
    let packet = udp_packet(v4(1, 4000), v4(2, 53), &with_id(1), b"one");
    let (config, capture) = (bench.pair("panic=GET"), bench.capture(&ethernet([packet])));
    let (done, _) = bench.replay_services(&config, &capture);
    assert!(!done.clean().stderr().contains("taken out"));
}

#[test]
fn what_it_does_by_way_of_others_is_its_own_fault() {
    for (words, why) in
        [("chatter=GET", "has not returned for "), ("betray=GET of=a", "crashed on worker 0: SIGSEGV")]
    {
        let bench = Bench::new();
        let packets = TALK.map(|text| udp_packet(v4(1, 4000), v4(2, 53), &with_id(1), text.as_bytes()));
        let capture = bench.capture(&ethernet(packets));
        let (done, _) = bench.replay_services(&bench.pair(words), &capture);
        let text = done.stderr();
        assert_eq!(done.code(), Some(1), "{text}");
        assert!(text.contains(&format!("plugin b {why}")) && !text.contains("plugin a "), "{text}");
    }
}
