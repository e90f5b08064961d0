//! What is remarkable of fragments: rules see it under Suricata's names, and so do the records.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::fmt::Write;
use support::{Bench, ethernet, v4, v6};
use weir::wire::build::{IpFields, Segment, fragment, spoil_ip_checksum, tcp_packet, udp_packet};
use weir::wire::checksum::internet;

const EVENTS: [&str; 8] = [
    "ipv4.frag_pkt_too_large",
    "ipv4.frag_overlap",
    "ipv4.frag_ignored",
    "ipv6.frag_pkt_too_large",
    "ipv6.frag_overlap",
    "ipv6.frag_ignored",
    "ipv6.frag_invalid_length",
    "ipv6.exthdr_useless_fh",
];

/// The fragment said to stand so far behind, in bytes.
fn moved(mut packet: Vec<u8>, offset: u16) -> Vec<u8> {
    if packet[0] >> 4 == 6 {
        packet[42..44].copy_from_slice(&offset.to_be_bytes());
    } else {
        packet[6..8].copy_from_slice(&(offset / 8).to_be_bytes());
        packet[10..12].fill(0);
        let sum = internet(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// What shows the event, and nothing else of these.
fn packets(event: &str) -> Vec<Vec<u8>> {
    let (from, to) = if event.starts_with("ipv4") { (v4(1, 1), v4(2, 2)) } else { (v6(1, 1), v6(2, 2)) };
    let packet = udp_packet(from, to, &IpFields::default(), &[b'a'; 400]);
    let other = udp_packet(from, to, &IpFields::default(), &[b'b'; 400]);
    let piece = |range, more| fragment(&packet, 9, range, more);
    match event.split('.').next_back().unwrap() {
        "frag_pkt_too_large" => vec![moved(piece(0..64, false), 65_528)],
        "frag_overlap" => vec![piece(64..128, true), fragment(&other, 9, 96..160, true)],
        "frag_ignored" => vec![piece(64..128, false), piece(128..192, true)],
        "tiny" => {
            vec![fragment(&tcp_packet(from, to, &IpFields::default(), &Segment::default()), 9, 0..16, true)]
        }
        "frag_invalid_length" => vec![piece(64..76, true)],
        "exthdr_useless_fh" => vec![piece(0..408, false)],
        name => panic!("{name}"),
    }
}

#[test]
fn every_event_of_fragments_has_its_rule_and_its_record() {
    let mut rules = String::new();
    for (event, sid) in EVENTS.iter().zip(1..) {
        writeln!(rules, "alert pkthdr any any -> any any (decode-event:{event}; sid:{sid};)").unwrap();
    }
    for profile in ["inline", "suricata"] {
        for (event, sid) in EVENTS.iter().zip(1..) {
            let bench = Bench::new();
            let capture = bench.capture(&ethernet(packets(event)));
            let replayed = bench.replay(&capture, &rules, &["--profile", profile]).clean();
            assert_eq!(replayed.events.sids(), [sid], "{event}, {profile}");
        }
    }
}

/// What cuts TCP's header into two pieces hides it from filters.
#[test]
fn a_tiny_first_fragment_is_dropped_with_an_event_but_in_suricatas_profile() {
    let rules = "alert pkthdr any any -> any any (decode-event:ipv4.frag_ignored; sid:1;)";
    for (profile, sids) in [("inline", &[1][..]), ("suricata", &[])] {
        let bench = Bench::new();
        let capture = bench.capture(&ethernet(packets("ipv4.tiny")));
        let replayed = bench.replay(&capture, rules, &["--profile", profile]).clean();
        assert_eq!(replayed.events.sids(), sids, "{profile}");
    }
}

/// A capture of the sender may have been taken before its NIC computed them.
#[test]
fn wrong_header_checksums_are_dropped_only_where_that_is_asked_for() {
    let rules = "alert udp any any -> any 2 (content:\"aaaa\"; sid:1;)\n\
                 alert pkthdr any any -> any any (decode-event:ipv4.frag_ignored; sid:2;)";
    let packet = udp_packet(v4(1, 1), v4(2, 2), &IpFields::default(), &[b'a'; 400]);
    let mut pieces = [fragment(&packet, 9, 0..200, true), fragment(&packet, 9, 200..408, false)];
    spoil_ip_checksum(&mut pieces[0]);
    let on = "fragments.drop-bad-checksum=true";
    for (more, sids) in [
        (&[][..], &[1][..]),
        (&["-k", "none"], &[1]),
        (&["-k", "all"], &[2]),
        (&["--profile", "inline"], &[1]),
        (&["--set", on], &[2]),
        (&["--set", on, "-k", "none"], &[1]),
    ] {
        let bench = Bench::new();
        let capture = bench.capture(&ethernet(&pieces));
        let replayed = bench.replay(&capture, rules, more).clean();
        assert_eq!(replayed.events.sids(), sids, "{more:?}");
    }
}

/// What is forwarded leaves in pieces no larger than somebody asked for.
#[test]
fn a_replay_that_writes_cuts_at_the_mtu_that_was_asked_for() {
    let packet = udp_packet(v4(1, 1), v4(2, 2), &IpFields::default(), &[b'a'; 3000]);
    for (more, frames) in [(&["--set", "fragments.mtu=1000"][..], 4), (&[], 1)] {
        let bench = Bench::new();
        let (capture, out) = (bench.capture(&ethernet([&packet])), bench.path("out.pcap"));
        let more = [&["-w", out.to_str().unwrap()], more].concat();
        let replayed = bench.replay(&capture, "", &more).clean();
        assert_eq!(replayed.summary("frames written"), frames.to_string(), "{more:?}: {}", replayed.stdout());
    }
}
