//! Rules over frames, on records of TLS as its decoder yields them.

use super::*;
use crate::app::{Apps, Source};

/// An alert's record.
const RECORD: &[u8] = &[21, 3, 3, 0, 2, 1, 0];

/// What rules say of three records in one packet, and of two in the next.
fn said(rules: &str) -> [Vec<u32>; 2] {
    let mut inspecting = inspector(rules);
    let wanted = *inspecting.rules.engine.wanted();
    let (mut apps, mut handle) = (Apps::new(Default::default()), u32::MAX);
    [3, 2].map(|records| {
        let packet = packet(Dir::ToServer, 1, b"");
        let source =
            Source { tuple: packet.decoded.tuple, time: packet.time, dir: Dir::ToServer, opening_seen: true };
        apps.data(&mut handle, &source, &wanted, &RECORD.repeat(records));
        let state = apps.get_mut(handle).unwrap();
        inspecting.inspector.inspect(&mut inspecting.rules, &packet.facts(), None, Payload::Packet);
        inspecting.inspector.inspect_transactions(
            &mut inspecting.rules,
            &packet.facts(),
            None,
            Payload::Packet,
            &mut state.transactions,
            0,
        );
        sids(&inspecting)
    })
}

#[test]
fn a_rule_matches_for_every_frame_in_which_it_holds() {
    let rules = "alert tls any any -> any any (frame:tls.pdu; content:\"|15 03 03|\"; startswith; sid:1;)\n\
        alert tls any any -> any any (frame:tls.pdu; content:\"|02 02|\"; sid:2;)\n\
        alert tls any any -> any any (flow:to_client; frame:tls.pdu; content:\"|15 03 03|\"; sid:3;)\n";
    assert_eq!(said(rules), [vec![1, 1, 1], vec![1, 1]]);
}

#[test]
fn the_contents_of_a_frame_are_looked_for_in_one() {
    let rules = "alert tls any any -> any any (frame:tls.hdr; content:\"|15|\"; content:\"|15|\"; distance:0; sid:1;)\n\
        alert tls any any -> any any (frame:tls.hdr; content:\"|15|\"; content:!\"|01|\"; sid:2;)\n";
    assert_eq!(said(rules), [vec![2, 2, 2], vec![2, 2]]);
}
