//! What keeps tenants apart that have the same addresses: for the pieces of a datagram, and for sessions.

use super::*;
use crate::wire::build::*;
use std::net::SocketAddr;

fn end(n: u8) -> SocketAddr {
    SocketAddr::new([198, 51, 100, n].into(), 4000)
}

fn inner() -> Vec<u8> {
    udp_packet(end(1), end(2), &IpFields::default(), b"inner")
}

fn answer() -> Vec<u8> {
    udp_packet(end(2), end(1), &IpFields::default(), b"inner")
}

/// The innermost packet.
fn innermost(frame: &[u8], tunnels: &Tunnels) -> Decoded {
    let mut out = Decoded::default();
    decode(frame, LinkType::Ethernet, tunnels, &mut out);
    while let Some(inner) = out.inner {
        let layers = out.layers;
        decode_inner(frame, &inner, layers, tunnels, &mut out);
    }
    assert!(out.invalid.is_none() && out.ip.is_some(), "{out:?}");
    out
}

type Wrap = Box<dyn Fn(u32, &[u8]) -> Vec<u8>>;

fn shim(kind: u16, before: impl Fn(u32, &[u8]) -> Vec<u8> + 'static) -> Wrap {
    Box::new(move |n, packet| Link::ethernet().wrap_as(kind, &before(n, packet)))
}

fn tunnel(of: impl Fn(u32) -> (Tunnel, u8, u8) + 'static) -> Wrap {
    Box::new(move |n, packet| {
        let (tunnel, from, to) = of(n);
        Link::ethernet().wrap(&tunnel.wrap(end(from), end(to), &Link::ethernet(), packet))
    })
}

/// A frame that carries a packet for tenant `n`, and whether that is part of a session's key.
fn ways() -> Vec<(&'static str, Wrap, bool)> {
    let erspan = |n: u32, packet: &[u8]| {
        let head = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, (n >> 8) as u8, n as u8, 0, 0, 0, 0];
        let gre = [&head[..], &Link::ethernet().wrap(packet)].concat();
        Link::ethernet().wrap(&ip_packet(end(8).ip(), end(9).ip(), 47, &IpFields::default(), &gre))
    };
    let typed = |head: &[u8], packet: &[u8]| [head, &[8, 0], packet].concat();
    vec![
        ("PPPoE", shim(0x8864, |n, packet| pppoe(n as u16, packet)), true),
        ("MPLS", shim(0x8847, |n, packet| mpls(&[n + 100], packet)), false),
        ("the second label", shim(0x8847, |n, packet| mpls(&[99, n + 100], packet)), false),
        (
            "802.1ah",
            shim(0x88e7, |n, packet| [&n.to_be_bytes()[..], &Link::ethernet().wrap(packet)].concat()),
            true,
        ),
        ("VN-Tag", shim(0x8926, move |n, packet| typed(&n.to_be_bytes(), packet)), false),
        (
            "E-Tag",
            shim(0x893f, move |n, packet| typed(&[&[0, 0][..], &n.to_be_bytes()].concat(), packet)),
            false,
        ),
        ("NSH", shim(0x894f, nsh), false),
        ("VXLAN", tunnel(|n| (Tunnel::Vxlan(n), 8, 9)), true),
        ("Geneve", tunnel(|n| (Tunnel::Geneve(n), 8, 9)), true),
        ("GRE's key", tunnel(|n| (Tunnel::Gre { key: Some(n), sequence: None }, 8, 9)), true),
        ("GTP-U", tunnel(|n| (Tunnel::GtpU(n), 8, 9)), false),
        ("PPTP", tunnel(|n| (Tunnel::Pptp(n as u16), 8, 9)), false),
        ("ERSPAN", Box::new(erspan), false),
        ("an outer source", tunnel(|n| (Tunnel::Ip, n as u8, 9)), true),
        ("an outer destination", tunnel(|n| (Tunnel::Ip, 9, n as u8)), true),
        (
            "a network around a network",
            Box::new(|n, packet| {
                let within = Tunnel::Vxlan(7).wrap(end(5), end(6), &Link::ethernet(), packet);
                Link::ethernet().wrap(&Tunnel::Vxlan(n).wrap(end(8), end(9), &Link::ethernet(), &within))
            }),
            true,
        ),
        (
            "a service within a network",
            Box::new(|n, packet| {
                let frame = [&n.to_be_bytes()[..], &Link::ethernet().wrap(packet)].concat();
                let frame =
                    [&[8, 0, 0, 0, 0, 0, 7, 0][..], &Link::ethernet().wrap_as(0x88e7, &frame)].concat();
                let to = SocketAddr::new(end(9).ip(), 4789);
                Link::ethernet().wrap(&udp_packet(end(8), to, &IpFields::default(), &frame))
            }),
            true,
        ),
        (
            "an outer VLAN",
            Box::new(|n, packet| {
                let packet = Tunnel::Vxlan(7).wrap(end(8), end(9), &Link::ethernet(), packet);
                Link::tagged(&[n as u16]).wrap(&packet)
            }),
            true,
        ),
    ]
}

#[test]
fn every_number_around_a_piece_is_part_of_its_way_whatever_sessions_belong_to() {
    let joined = Tunnels::default().keeping(InnerSessions::Joined);
    for (what, wrap, _) in ways() {
        for tunnels in [&Tunnels::default(), &joined] {
            let path = |n| innermost(&wrap(n, &inner()), tunnels).around.path;
            assert_ne!(path(1), path(2), "{what}");
            assert_eq!(path(1), path(1), "{what}");
            assert_ne!(path(1), 0, "{what}: nor is it that of the line outside");
        }
    }
}

#[test]
fn what_both_directions_have_in_common_is_part_of_a_sessions_key_where_it_belongs_to_its_tunnel() {
    let joined = Tunnels::default().keeping(InnerSessions::Joined);
    for (what, wrap, counts) in ways() {
        let tuple = |n, packet: &[u8], tunnels: &Tunnels| innermost(&wrap(n, packet), tunnels).tuple;
        let stock = Tunnels::default();
        assert_eq!(tuple(1, &inner(), &stock) != tuple(2, &inner(), &stock), counts, "{what}");
        assert_eq!(tuple(1, &inner(), &stock), tuple(1, &answer(), &stock).reversed(), "{what}");
        assert_eq!(tuple(1, &inner(), &joined), tuple(2, &answer(), &joined).reversed(), "{what}: joined");
    }
}

#[test]
fn the_ends_of_a_tunnel_are_no_order_to_sessions_and_one_to_pieces() {
    let of = |from, to| {
        let packet = Tunnel::Vxlan(7).wrap(end(from), end(to), &Link::ethernet(), &inner());
        innermost(&Link::ethernet().wrap(&packet), &Tunnels::default())
    };
    assert_eq!(of(8, 9).around.sessions, of(9, 8).around.sessions);
    assert_ne!(of(8, 9).around.path, of(9, 8).around.path);
}

/// A sender spreads the pieces of one datagram over UDP ports, and packets of one flow by entropy labels, as it likes.
#[test]
fn what_only_spreads_the_load_is_no_part_of_a_way() {
    let ported = |port| {
        let from = SocketAddr::new(end(8).ip(), port);
        Tunnel::Vxlan(7).wrap(from, end(9), &Link::ethernet(), &inner())
    };
    let way = |frame: &[u8]| innermost(frame, &Tunnels::default()).around;
    assert_eq!(way(&Link::ethernet().wrap(&ported(1000))), way(&Link::ethernet().wrap(&ported(2000))));
    let labelled = |entropy| Link::ethernet().wrap_as(0x8847, &mpls(&[100, 7, entropy], &inner()));
    assert_eq!(way(&labelled(1000)), way(&labelled(2000)));
}

/// RFC 2516, section 4: a session's number counts between two stations.
#[test]
fn one_pppoe_number_between_other_stations_is_another_way() {
    let frame = Link::ethernet().wrap_as(0x8864, &pppoe(1, &inner()));
    let mut other = frame.clone();
    other[11] ^= 1;
    let way = |frame: &[u8]| innermost(frame, &Tunnels::default()).around;
    assert_ne!(way(&frame).path, way(&other).path);
    assert_eq!(way(&frame).sessions, way(&other).sessions, "which an answer has the other way around");
}

#[test]
fn who_does_not_know_the_key_does_not_know_the_numbers() {
    let frame = Link::ethernet().wrap(&Tunnel::Vxlan(7).wrap(end(8), end(9), &Link::ethernet(), &inner()));
    let of = |key| innermost(&frame, &Tunnels::default().keyed(key)).around;
    let (one, other) = (of(1), of(2));
    assert!(one.path != other.path && one.sessions != other.sessions);
    assert_eq!(of(1), of(1));
    assert_ne!(of(0).path, 0);
}

#[test]
fn a_rebuilt_inner_datagram_keeps_what_its_pieces_came_in() {
    let pieces = fragments(&inner(), 5, &[8]);
    let frame = |packet: &[u8]| {
        Link::ethernet().wrap(&Tunnel::Vxlan(7).wrap(end(8), end(9), &Link::ethernet(), packet))
    };
    let mut out = innermost(&frame(&pieces[0]), &Tunnels::default());
    let whole = innermost(&frame(&inner()), &Tunnels::default());
    assert_eq!(out.around, whole.around);
    decode_rebuilt(&inner(), &Tunnels::default(), &mut out);
    assert_eq!((out.tuple, out.around), (whole.tuple, whole.around));
}
