//! IEEE 802.3 frames: IP behind LLC and SNAP is decoded as behind an Ethernet type; what else LLC carries is no IP.

use super::*;
use crate::decode::affinity;
use crate::wire::build::{IpFields, udp_packet};

fn packets() -> [Vec<u8>; 2] {
    let ends = [["10.0.0.1:1025", "10.0.0.2:80"], ["[fd00::1]:1025", "[fd00::2]:80"]];
    ends.map(|[a, b]| udp_packet(a.parse().unwrap(), b.parse().unwrap(), &IpFields::default(), b"data"))
}

#[test]
fn ip_in_snap_is_what_it_is_behind_a_type_and_meets_it_on_one_worker() {
    for link in [Link::ethernet(), Link::tagged(&[7]), Link::tagged(&[7, 8])] {
        for packet in packets() {
            let (plain, snap) = (link.wrap(&packet), link.wrap_snap(&packet));
            let [there, here] = [&plain, &snap].map(|frame| decoded(frame, LinkType::Ethernet));
            within(&here, &snap);
            assert_eq!((here.tuple, here.ether_type), (there.tuple, there.ether_type));
            assert_eq!(&snap[here.payload_range()], b"data");
            assert_eq!((here.anomalies.as_slice(), here.invalid), (&[][..], None));
            assert_eq!((here.llc, there.llc), (here.ip.map(|ip| ip.at - 8), None));
            let hash = |frame| affinity(frame, LinkType::Ethernet, &by_ports()).hash;
            assert!(hash(&snap) == hash(&plain) && hash(&snap) != 0);
        }
    }
}

#[test]
fn what_is_behind_the_length_is_padding_and_no_packet() {
    for packet in packets() {
        let whole = Link::ethernet().wrap_snap(&packet);
        let padded = [&whole[..], &[0xff; 20]].concat();
        let out = decoded(&padded, LinkType::Ethernet);
        assert_eq!((&padded[out.payload_range()], out.invalid), (&b"data"[..], None));
        let mut short = padded;
        short[13] -= 1;
        assert_eq!(
            decoded(&short, LinkType::Ethernet).invalid,
            Some(DropReason::Malformed),
            "cut by its length"
        );
        // Of one that says more than there is, what is there.
        let mut long = whole;
        long[12..14].copy_from_slice(&1400u16.to_be_bytes());
        let out = decoded(&long, LinkType::Ethernet);
        assert_eq!((&long[out.payload_range()], out.invalid), (&b"data"[..], None));
    }
}

#[test]
fn llc_without_ip_is_like_a_frame_of_an_unknown_type() {
    let [packet, _] = packets();
    let behind = |header: &[u8]| [header, &packet].concat();
    for payload in [
        behind(&[0x42, 0x42, 3]),                     // spanning tree
        behind(&[0xe0, 0xe0, 3]),                     // NetWare
        behind(&[0xaa, 0xaa, 3, 0, 0, 0xc, 0x20, 0]), // Cisco discovery
        behind(&[0xaa, 0xaa, 3, 0, 0, 0, 0, 40]),     // no type
        vec![],
        vec![0xaa, 0xaa, 3, 0, 0, 0, 8],
    ] {
        for (link, anomaly) in [
            (Link::ethernet(), Anomaly::EthernetUnknownEthertype),
            (Link::tagged(&[7]), Anomaly::VlanUnknownType),
        ] {
            let out = decoded(&link.wrap_as(payload.len() as u16, &payload), LinkType::Ethernet);
            assert_eq!((out.anomalies.as_slice(), out.invalid), (&[anomaly][..], None), "{payload:x?}");
            assert!(out.ip.is_none() && out.llc.is_none());
        }
    }
}
