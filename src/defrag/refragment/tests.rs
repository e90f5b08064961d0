use super::*;
use crate::base::{Anomaly, PortId, Time};
use crate::decode::{Tunnels, decode};
use crate::defrag::{Outcome, Reassembler, Settings, Sink};
use crate::io::memory::HeapPool;
use crate::io::{FrameMeta, LinkType, Rebuilt};
use crate::wire::build::{IpFields, Link, ip_packet, pppoe};
use crate::wire::checksum::internet;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const LINK: usize = 14;

fn packet(family: Family, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let fields = IpFields { id: 77, options: options.to_vec(), ..IpFields::default() };
    let (from, to): (IpAddr, IpAddr) = match family {
        Family::V4 => (Ipv4Addr::new(10, 0, 0, 1).into(), Ipv4Addr::new(10, 0, 0, 2).into()),
        Family::V6 => {
            let host = |n| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n).into();
            (host(1), host(2))
        }
    };
    ip_packet(from, to, 253, &fields, payload)
}

fn flat(frame: &Frame) -> Vec<u8> {
    frame.segments().flatten().copied().collect()
}

/// A frame of a packet, in segments of such lengths by turns, as if it were rebuilt of pieces up to `largest`.
fn frame(pool: &HeapPool, packet: &[u8], segments: &[usize], largest: u16) -> (Frame, Decoded) {
    framed(pool, Link::ethernet().wrap(packet), segments, largest)
}

/// As `frame`, of an Ethernet frame.
fn framed(pool: &HeapPool, bytes: Vec<u8>, segments: &[usize], largest: u16) -> (Frame, Decoded) {
    let mut sizes = segments.iter().copied().cycle();
    let (mut rest, mut pieces) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap().min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    let mut frame = pool.chain(&pieces);
    frame.set_meta(FrameMeta { packet: 9, ..FrameMeta::default() });
    frame.set_rebuilt(Rebuilt { id: 0xabcd_0123, largest });
    let mut decoded = Decoded::default();
    decode(&bytes, LinkType::Ethernet, &Tunnels::none(), &mut decoded);
    (frame, decoded)
}

fn cut(frame: Frame, decoded: &Decoded, mtu: u16, pool: &HeapPool) -> Result<Vec<Frame>, DropReason> {
    let mut pieces = Vec::new();
    let done = refragment(frame, decoded, Cut { mtu, port_sums: true }, &mut pool.clone(), &mut |piece| {
        pieces.push(piece)
    });
    done.map(|()| pieces).map_err(|(reason, _)| reason)
}

#[test]
fn every_ipv4_piece_has_the_id_all_options_and_a_right_checksum_and_fits() {
    let pool = HeapPool::default();
    // Twelve bytes, of which RFC 791 would copy the last four alone: record route is not copied, router alert is.
    let options = [7, 7, 4, 0, 0, 0, 0, 1, 148, 4, 0, 0];
    let payload: Vec<u8> = (0..8008u32).map(|n| n as u8).collect();
    let packet = packet(Family::V4, &options, &payload);
    let (frame, decoded) = frame(&pool, &packet, &[2048], 1500);
    let pieces = cut(frame, &decoded, 576, &pool).unwrap();
    assert_eq!(pieces.len(), 15);
    let mut at = 0;
    for (n, piece) in pieces.iter().enumerate() {
        assert_eq!(piece.meta().packet, 9);
        let bytes = flat(piece);
        let ip = &bytes[LINK..];
        assert!(ip.len() <= 576 && ip[0] == 0x48);
        assert_eq!(u16::from_be_bytes([ip[2], ip[3]]) as usize, ip.len());
        assert_eq!((&ip[4..6], &ip[20..32], internet(&ip[..32])), (&[0, 77][..], &options[..], 0));
        let field = u16::from_be_bytes([ip[6], ip[7]]);
        assert_eq!((field & 0x1fff, field >> 13), ((at / 8) as u16, u16::from(n < 14)));
        assert_eq!(ip[32..], payload[at..at + ip.len() - 32]);
        at += ip.len() - 32;
    }
    assert_eq!(at, 8008);
    drop(pieces);
    assert_eq!(pool.outstanding(), 0);
}

/// What the header of a frame's PPPoE session says.
fn session_len(bytes: &[u8]) -> usize {
    u16::from_be_bytes([bytes[LINK + 4], bytes[LINK + 5]]).into()
}

#[test]
fn pieces_in_a_pppoe_session_have_its_length_right() {
    let pool = HeapPool::default();
    for family in [Family::V4, Family::V6] {
        let whole = packet(family, &[], &[3; 3000]);
        let bytes = Link::ethernet().wrap_as(0x8864, &pppoe(5, &whole));
        let (long, decoded) = framed(&pool, bytes, &[4000], 1492);
        let pieces = cut(long, &decoded, 1492, &pool).unwrap();
        let lengths: Vec<_> = pieces.iter().map(|piece| (session_len(&flat(piece)), piece.len())).collect();
        assert!(lengths.iter().all(|(said, len)| said + LINK + 6 == *len), "{family:?}: {lengths:?}");
        assert_eq!(lengths.len(), 3);
    }
}

#[test]
fn ipv6_is_cut_at_the_largest_piece_that_came_with_its_id_and_never_smaller() {
    let pool = HeapPool::default();
    let whole = packet(Family::V6, &[], &[3; 8000]);
    let (long, decoded) = frame(&pool, &whole, &[2048], 1296);
    let pieces = cut(long, &decoded, 1500, &pool).unwrap();
    let lengths: Vec<usize> = pieces.iter().map(|piece| piece.len() - LINK).collect();
    assert_eq!(lengths, [1296, 1296, 1296, 1296, 1296, 1296, 560]);
    for piece in &pieces {
        let bytes = flat(piece);
        assert_eq!((bytes[LINK + 6], bytes[LINK + 40]), (44, 253));
        assert_eq!(bytes[LINK + 44..LINK + 48], [0xab, 0xcd, 0x01, 0x23]);
    }
    let (wide, decoded) = frame(&pool, &whole, &[2048], 2000);
    assert_eq!(cut(wide, &decoded, 1500, &pool).unwrap_err(), DropReason::PacketTooBig);
    let bytes = Link::ethernet().wrap(&whole);
    let never_cut = pool.frame(&bytes);
    assert_eq!(cut(never_cut, &decoded, 1500, &pool).unwrap_err(), DropReason::PacketTooBig);
}

#[test]
fn ipv6_headers_that_routers_look_at_are_in_each_piece_and_others_in_the_first() {
    let pool = HeapPool::default();
    let mut whole = packet(Family::V6, &[], &[]);
    let hop_by_hop = [ip_proto::DESTINATION, 0, 1, 4, 0, 0, 0, 0];
    let before = [ip_proto::ROUTING, 0, 1, 4, 0, 0, 0, 0];
    let routing = [ip_proto::DESTINATION, 0, 253, 0, 0, 0, 0, 0];
    let last = [253, 0, 1, 4, 0, 0, 0, 0];
    whole[6] = ip_proto::HOP_BY_HOP;
    for header in [hop_by_hop, before, routing, last] {
        whole.extend(header);
    }
    whole.extend([9; 3000]);
    let payload = (whole.len() - 40) as u16;
    whole[4..6].copy_from_slice(&payload.to_be_bytes());
    let (frame, decoded) = frame(&pool, &whole, &[4000], 1280);
    let pieces = cut(frame, &decoded, 1500, &pool).unwrap();
    for (n, piece) in pieces.iter().enumerate() {
        let bytes = flat(piece);
        let ip = &bytes[LINK..];
        assert_eq!((ip[6], &ip[40..56]), (0, &[hop_by_hop, before].concat()[..]));
        assert_eq!((ip[56], ip[64]), (ip_proto::FRAGMENT, ip_proto::DESTINATION));
        assert_eq!(ip[57..64], routing[1..]);
        assert_eq!(ip[72..80] == last, n == 0);
    }
}

#[test]
fn without_buffers_the_rest_comes_back_and_nothing_is_lost() {
    struct Empty;
    impl FrameAllocator for Empty {
        fn allocate(&mut self, _: &[u8]) -> Option<Frame> {
            None
        }
    }
    let pool = HeapPool::default();
    let whole = packet(Family::V4, &[], &[1; 5000]);
    let (frame, decoded) = frame(&pool, &whole, &[5100], 1500);
    let mut emitted = Vec::new();
    let failed = refragment(frame, &decoded, Cut { mtu: 1500, port_sums: false }, &mut Empty, &mut |piece| {
        emitted.push(piece)
    });
    let (reason, rest) = failed.unwrap_err();
    assert_eq!((reason, rest.meta().packet), (DropReason::NoBuffer, 9));
    drop((rest, emitted));
    assert_eq!(pool.outstanding(), 0);
}

struct Quiet;

impl Sink for Quiet {
    fn dropped(&mut self, reason: DropReason, _: PortId, _: u32, _: bool) {
        panic!("{reason:?}");
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        panic!("{anomaly:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::defrag::cases(300)))]
    /// Whatever the buffers, sizes and order: what is put together again is what was cut.
    #[test]
    fn a_datagram_cut_shuffled_and_put_together_is_the_same(
        payload in 1usize..20_000, seed: u8, v6: bool, options in 0usize..=10,
        segments in prop::collection::vec(60usize..4000, 1..4), mtu in 576u16..9193, order in any::<u64>(), session: bool,
    ) {
        let pool = HeapPool::default();
        let family = if v6 { Family::V6 } else { Family::V4 };
        let options = if v6 { Vec::new() } else { vec![1; options * 4] };
        let payload: Vec<u8> = (0..payload).map(|n| (n as u8).wrapping_mul(seed | 1)).collect();
        let whole = packet(family, &options, &payload);
        let there = match session {
            true => Link::ethernet().wrap_as(0x8864, &pppoe(5, &whole)),
            false => Link::ethernet().wrap(&whole),
        };
        let between = there.len() - whole.len() - LINK;
        let (frame, decoded) = framed(&pool, there.clone(), &segments, mtu);
        let mut pieces = cut(frame, &decoded, mtu, &pool).unwrap();
        prop_assert!(pieces.iter().all(|piece| piece.len() <= usize::from(mtu) + between + LINK));
        prop_assert!(!session || pieces.iter().all(|piece| session_len(&flat(piece)) == piece.len() - LINK - 6));
        crate::wire::build::Random::new(order).shuffle(&mut pieces);
        let mut reassembler = Reassembler::new(Settings::default());
        let (count, mut rebuilt) = (pieces.len(), None);
        for piece in pieces {
            let mut decoded = Decoded::default();
            decode(&flat(&piece), LinkType::Ethernet, &Tunnels::none(), &mut decoded);
            match reassembler.push(piece, &decoded, Time::from_secs(9), &mut pool.clone(), &mut Quiet) {
                Outcome::Complete(frame) => rebuilt = Some(frame),
                Outcome::Held => {}
                Outcome::Dropped(reason, _) | Outcome::GivenUp(reason) => prop_assert!(false, "{reason:?}"),
            }
        }
        let rebuilt = rebuilt.unwrap();
        // A piece alone is no fragment in IPv4; in IPv6 decoding leaves it its header (RFC 6946).
        if count > 1 || !v6 {
            prop_assert_eq!(flat(&rebuilt), there);
        }
        drop(rebuilt);
        prop_assert_eq!(pool.outstanding(), 0);
    }
}
