//! Fragments of fragments: nobody's, in every mode.

use super::*;
use crate::wire::build::Tunnel;

const RULES: &str = "alert udp any any -> any any (content:\"needle\"; sid:1;)\n\
                     alert pkthdr any any -> any any (decode-event:ipv6.frag_ignored; sid:2;)";

/// A datagram whose needle lies across two pieces, each of them in two pieces again.
fn pieces_of_pieces() -> Vec<Vec<u8>> {
    let packet = build::udp_packet(v6(1, 7), v6(2, 8), &IpFields::default(), b"....needle......");
    let outer = |(n, piece): (usize, &Vec<u8>)| build::fragments(piece, 70 + n as u32, &[8]);
    build::fragments(&packet, 5, &[16]).iter().enumerate().flat_map(outer).collect()
}

/// One that completes a datagram is where that is dropped, and all of its pieces go.
#[test]
fn a_fragment_in_a_fragment_is_dropped_with_an_event_and_never_judged_as_if_whole() {
    let pieces = pieces_of_pieces();
    let mut capture = Capture::new(Link::ethernet());
    capture.packets(&pieces);
    let sent_of = [(Mode::Ips, 0), (Mode::Tap, pieces.len()), (Mode::Ids, 0), (Mode::Reassemble, 0)];
    for ((mode, sent), workers) in sent_of.into_iter().flat_map(|of| [(of, 0), (of, 1), (of, 2)]) {
        let report = replay(&capture.frames, RULES, &settings(workers, mode));
        assert_eq!(report.sent.len(), sent, "{mode:?}, {workers} workers");
        let (balance, events) = (report.balance, report.alerts.iter().map(|alert| alert.0));
        assert!(balance.is_even() && balance.held == 0, "{mode:?}, {workers} workers: {balance}");
        let lost = if mode.acts() { pieces.len() as u64 } else { 0 };
        assert_eq!(balance.dropped, lost, "{mode:?}, {workers} workers: {balance}");
        assert_eq!(events.collect::<Vec<_>>(), [2, 2], "{mode:?}, {workers} workers");
    }
}

/// What carries the pieces goes its own way, but for what completes a datagram: its receiver would put together the rest.
#[test]
fn within_a_tunnel_what_carries_the_piece_that_completes_it_is_dropped() {
    let ends = (addr(1, 999), addr(2, 999));
    for tunnel in [Tunnel::Ip, Tunnel::Vxlan(5)] {
        let wrap = |piece: &Vec<u8>| tunnel.wrap(ends.0, ends.1, &Link::ethernet(), piece);
        let mut capture = Capture::new(Link::ethernet());
        let carried: Vec<_> = pieces_of_pieces().iter().map(wrap).collect();
        capture.packets(&carried);
        for workers in [0, 2] {
            let report = replay(&capture.frames, RULES, &settings(workers, Mode::Ips));
            let balance = &report.balance;
            assert_eq!(report.sent.len(), carried.len() - 2, "{tunnel:?}, {workers} workers");
            assert!(balance.is_even() && balance.held == 0, "{tunnel:?}: {balance}");
            assert!(report.alerts.iter().all(|alert| alert.0 == 2) && report.alerts.len() == 2, "{tunnel:?}");
        }
    }
}

/// The caps of reassembly may be met by the very piece that would have been a receiver's last.
#[test]
fn within_a_tunnel_a_piece_that_goes_with_its_datagram_takes_what_carries_it() {
    let packet = build::udp_packet(addr(11, 7), addr(12, 8), &IpFields::default(), &[7; 1200]);
    let mut capture = Capture::new(Link::ethernet());
    for piece in build::fragments(&packet, 5, &[400]) {
        capture.packets([Tunnel::Vxlan(5).wrap(addr(1, 999), addr(2, 999), &Link::ethernet(), &piece)]);
    }
    for workers in [0, 2] {
        let settings = settings(workers, Mode::Ips);
        let fragments = defrag::Settings { pieces: 3, ..settings.fragments.clone() };
        let report = replay(&capture.frames, "", &Settings { fragments, ..settings });
        assert_eq!((capture.frames.len(), report.sent.len()), (4, 3), "{workers} workers");
        assert!(report.balance.is_even() && report.balance.held == 0, "{}", report.balance);
    }
}
