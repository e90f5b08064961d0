//! State keyed by host over sessions that lie with several workers: `weir replay` alerts alike, byte for byte, for any
//! number of them.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::time::Duration;
use support::{Bench, ethernet, v4, with_id};
use weir::base::Dir;
use weir::wire::build::{Capture, Random, TcpConversation, fragments, udp_packet};

const RULES: &str = r#"
alert tcp any any -> any any (flow:to_server; content:"mark"; xbits:set,marked,track ip_src,expire 60; sid:1;)
alert udp any any -> any any (content:"ask"; xbits:isset,marked,track ip_src; sid:2;)
alert udp any any -> any any (content:"ask"; xbits:isnotset,marked,track ip_src; sid:3;)
alert udp any any -> any any (content:"clear"; xbits:unset,marked,track ip_src; sid:4;)
drop udp any any -> any any (content:"ask"; detection_filter:track by_src, count 3, seconds 30; sid:5;)
drop tcp any any -> any any (content:"mark"; threshold:type both, track by_dst, count 4, seconds 30; sid:6;)
alert udp any any -> any any (content:"flip"; hostbits:toggle,flipped,both; sid:7;)
alert udp any any -> any any (content:"ask"; hostbits:isset,flipped,both; sid:8;)
"#;

/// Twelve hosts mark themselves, ask, clear and flip, each time in a new session; some datagrams come in pieces, and some
/// streams never end.
fn talk(sessions: u16) -> Vec<Vec<u8>> {
    let mut random = Random::new(3);
    let mut flows = Vec::new();
    for n in 0..sessions {
        let client = v4(random.below(12) as u32 + 1, 2000 + n);
        let server = v4(0x10_0000 + random.below(3) as u32, 80);
        let word: &[u8] = [&b"mark"[..], b"ask", b"ask", b"ask", b"clear", b"flip"][random.below(6)];
        if word == b"mark" {
            let mut talk = TcpConversation::new(client, server, u64::from(n));
            talk.handshake().send(Dir::ToServer, b"a mark", 3);
            if n % 3 == 0 {
                talk.close(Dir::ToClient);
            } else if n % 3 == 1 {
                talk.packets.pop(); // bytes that nobody acknowledges
            }
            flows.push(talk.packets);
        } else {
            let packet = udp_packet(client, server, &with_id(n), &[&random.bytes(200), word].concat());
            flows.push(if n % 4 == 0 { fragments(&packet, n.into(), &[64]) } else { vec![packet] });
        }
    }
    // Some fifty sessions at a time, in turn at random.
    let (mut rest, mut open, mut packets) = (flows.into_iter(), Vec::new(), Vec::new());
    loop {
        while open.len() < 50 {
            let Some(flow) = rest.next() else { break };
            open.push(flow.into_iter());
        }
        if open.is_empty() {
            return packets;
        }
        let at = random.below(open.len());
        match open[at].next() {
            Some(packet) => packets.push(packet),
            None => drop(open.swap_remove(at)),
        }
    }
}

/// The same frames, so many times as far apart.
fn stretched(mut capture: Capture, times: u64) -> Capture {
    let start = capture.frames.first().unwrap().0;
    for (time, _) in &mut capture.frames {
        *time = start.plus(Duration::from_micros(time.since(start).as_micros() as u64 * times));
    }
    capture
}

#[track_caller]
fn alike(capture: &Capture, more: &[&str]) {
    let bench = Bench::new();
    let path = bench.capture(capture);
    let mut first: Option<Vec<String>> = None;
    for workers in ["0", "1", "2", "3", "4"] {
        let replayed = bench.replay(&path, RULES, &[&["--workers", workers], more].concat()).clean();
        let alerts: Vec<String> = replayed.events.of("alert").iter().map(|e| e.to_string()).collect();
        for sid in 1..=8 {
            assert!(replayed.events.sids().contains(&sid), "{workers} workers: nothing of {sid}");
        }
        let first = first.get_or_insert_with(|| alerts.clone());
        let differs = first.iter().zip(&alerts).find(|(a, b)| a != b);
        assert!(differs.is_none(), "{workers} workers: {differs:#?}");
        assert_eq!(first.len(), alerts.len(), "{workers} workers");
    }
}

#[test]
fn bits_and_counts_of_hosts_are_the_same_for_any_number_of_workers() {
    alike(&ethernet(talk(900)), &[]);
    alike(&ethernet(talk(900)), &["--profile", "inline"]);
}

#[test]
fn so_they_are_where_sessions_time_out_amid_the_capture() {
    // A frame every half second: most streams that never end are over long before the capture is.
    alike(&stretched(ethernet(talk(700)), 500), &[]);
}
