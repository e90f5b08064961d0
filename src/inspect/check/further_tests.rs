//! IGMP, RPC, VXLAN and bits under a mask.

use super::tests::{Sample, at, ip, table, tcp};
use crate::decode::{Decoded, Tunnels, decode};
use crate::io::LinkType;
use crate::wire::build::*;

/// A membership query of version 2 (RFC 2236, section 2).
fn query(checksum: u16) -> Sample {
    let message = [&[0x11, 100][..], &checksum.to_be_bytes(), &[224, 0, 0, 1]].concat();
    Sample::ip(ip_packet(ip("10.0.0.1"), ip("224.0.0.1"), 2, &IpFields::default(), &message))
}

#[test]
fn igmp_messages_are_told_by_type_and_checksum() {
    let right = !(0x1164 + 0xe000 + 0x0001u16);
    let yes = ["igmp.type:17", "igmp.type:0x11", "igmp.type:!18", "igmp.type:&0xf0=0x10", "igmp.csum:valid"];
    let no = ["igmp.type:18", "igmp.type:!17", "igmp-csum:invalid", "ip_proto:!2"];
    for protocol in ["ip", "igmp", "ipv4"] {
        table(&query(right), protocol, &yes, &no);
    }
    table(&query(1), "igmp", &["igmp.csum:invalid"], &["igmp.csum:valid"]);
    table(&tcp(2), "ip", &[], &["igmp.type:17", "igmp.type:!17", "igmp.csum:valid"]);
    table(&tcp(2), "igmp", &[], &["ip_proto:tcp"]);
}

/// A call (RFC 5531, section 9).
fn call(kind: u32, version: u32) -> Vec<u8> {
    [7, kind, version, 100_009, 1, 3, 0, 0].iter().flat_map(|word: &u32| word.to_be_bytes()).collect()
}

#[test]
fn a_call_is_known_by_program_version_and_procedure() {
    let udp = |payload: &[u8]| {
        Sample::ip(udp_packet(at("10.0.0.1:9"), at("10.0.0.2:111"), &IpFields::default(), payload))
    };
    let yes = ["rpc:100009,*,*", "rpc:100009,1,3", "rpc:100009, 1, *", "rpc:100009,*,3", "rpc:100009"];
    let no = ["rpc:100008,*,*", "rpc:100009,2,*", "rpc:100009,*,4"];
    table(&udp(&call(0, 2)), "udp", &yes, &no);
    table(&udp(&call(1, 2)), "udp", &[], &["rpc:100009,*,*"]);
    table(&udp(&call(0, 3)), "udp", &[], &["rpc:100009,*,*"]);
    table(&udp(&call(0, 2)[..23]), "udp", &[], &["rpc:100009,*,*"]);
    let record = [&[0x80, 0, 0, 32][..], &call(0, 2)].concat();
    let segment = Segment { payload: &record, ..Segment::default() };
    let over_tcp = tcp_packet(at("10.0.0.1:9"), at("10.0.0.2:111"), &IpFields::default(), &segment);
    table(&Sample::ip(over_tcp), "tcp", &yes, &no);
}

#[test]
fn the_packet_around_has_the_number_of_the_network() {
    let inner = udp_packet(at("10.0.0.1:9"), at("10.0.0.2:9"), &IpFields::default(), b"x");
    let outer = Tunnel::Vxlan(100).wrap(at("192.0.2.1:9"), at("192.0.2.2:9"), &Link::ethernet(), &inner);
    let mut decoded = Decoded::default();
    decode(&outer, LinkType::RawIp, &Tunnels::default(), &mut decoded);
    let carries = Sample { bytes: outer.clone(), decoded };
    table(&carries, "udp", &["vxlan_vni:100", "vxlan_vni:>99"], &["vxlan_vni:101", "vxlan_vni:!100"]);
    // Where the tunnel is not decoded it is no tunnel.
    table(&Sample::ip(outer), "udp", &[], &["vxlan_vni:100", "vxlan_vni:!100"]);
}

#[test]
fn bits_are_compared_under_a_mask() {
    let yes = ["ack:&0xf0=0xc0", "ack:&0x0f!=0", "ack:!&0xf0=0x10", "ack:&0xc8", "dsize:&5", "dsize:!&2"];
    let no = ["ack:&0xf0!=0xc0", "ack:&0xff=0xc0", "ack:!&0xf0=0xc0", "dsize:&6", "dsize:&2"];
    table(&tcp(2), "tcp", &yes, &no);
}
