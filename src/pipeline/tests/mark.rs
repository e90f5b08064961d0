//! `mark_dscp`: a packet that a rule matches leaves with another code point, where verdicts act.

use super::rig::Rig;
use super::*;
use crate::decode::{Decoded, Tunnels, checksum_valid, decode, ip_checksum_valid};
use crate::wire::build::udp_packet;

/// The code points with which a packet that matches and one that does not leave.
fn left_with(mode: Mode, v6: bool) -> Vec<u8> {
    let rule = "alert udp any any -> any any (content:\"mark me\"; mark_dscp:46; sid:1;)";
    let streams = stream::Settings { blocks: 256, streams: 64, ..stream::Settings::default() };
    let plan = Idp::alone(&engine(rule), streams, inspect::Settings::default(), 2);
    let mut rig = Rig::with(&plan, &settings(0, mode));
    let ends = if v6 { ["[2001:db8::1]:4000", "[2001:db8::2]:53"] } else { ["10.0.0.1:4000", "10.0.0.2:53"] };
    let [client, server]: [SocketAddr; 2] = ends.map(|text| text.parse().unwrap());
    for payload in [&b"mark me"[..], b"not me"] {
        rig.packet(Dir::ToServer, &udp_packet(client, server, &IpFields::default(), payload));
    }
    let points = rig.sent.iter().map(|(port, bytes)| {
        let mut decoded = Decoded::default();
        decode(bytes, LinkType::Ethernet, &Tunnels::default(), &mut decoded);
        assert_eq!((*port, checksum_valid(&decoded, bytes)), (OUTSIDE, Some(true)));
        assert_ne!(ip_checksum_valid(&decoded, bytes), Some(false));
        decoded.ip.unwrap().tos >> 2
    });
    let points = points.collect();
    rig.finish();
    points
}

#[test]
fn a_rule_marks_the_packet_it_matches_and_no_other() {
    for v6 in [false, true] {
        assert_eq!(left_with(Mode::Ips, v6), [46, 0]);
        assert_eq!(left_with(Mode::Tap, v6), [0, 0], "it goes on as it came");
    }
}
