use super::*;
use crate::app::fixture::Bench;
use crate::base::Dir::{ToClient, ToServer};
use crate::rules::field::ike::attribute_value;
use proptest::prelude::*;

const I: u64 = 0x0102_0304_0506_0708;
const R: u64 = 0x1112_1314_1516_1718;

fn bench() -> Bench {
    Bench::new(AppProto::Ike, Box::new(Ike))
}

/// Behind a type, flags and a length: what payloads, proposals and transforms have in common.
fn block(next: u8, data: &[u8]) -> Vec<u8> {
    let len = (data.len() as u16 + 4).to_be_bytes();
    [&[next, 0, len[0], len[1]], data].concat()
}

/// Payloads of these types, one behind the other.
fn message(version: u8, exchange: u8, flags: u8, spis: (u64, u64), payloads: &[(u8, &[u8])]) -> Vec<u8> {
    let next = |at: usize| payloads.get(at).map_or(0, |(kind, _)| *kind);
    let body: Vec<u8> =
        payloads.iter().enumerate().flat_map(|(at, (_, data))| block(next(at + 1), data)).collect();
    let len = body.len() as u32 + 28;
    [
        &spis.0.to_be_bytes()[..],
        &spis.1.to_be_bytes(),
        &[next(0), version, exchange, flags],
        &7u32.to_be_bytes(),
        &len.to_be_bytes(),
        &body,
    ]
    .concat()
}

/// AES, a key of 128 bits, SHA-1, group 2, a life of 86,400 s in four bytes.
const TRANSFORM_V1: &[u8] = &[
    1, 1, 0, 0, 0x80, 1, 0, 7, 0x80, 14, 0, 128, 0x80, 2, 0, 2, 0x80, 4, 0, 2, 0x80, 11, 0, 1, 0, 12, 0, 4,
    0, 1, 0x51, 0x80,
];

fn association_v1(transforms: u8) -> Vec<u8> {
    let transforms: Vec<u8> =
        (1..=transforms).flat_map(|at| block(if at == transforms { 0 } else { 3 }, TRANSFORM_V1)).collect();
    let proposal = block(0, &[&[1, 1, 0, 1], &transforms[..]].concat());
    [&[0, 0, 0, 1, 0, 0, 0, 1], &proposal[..]].concat()
}

fn association_v2(protocol: u8, transforms: &[(u8, u16)]) -> Vec<u8> {
    let all: Vec<u8> = transforms
        .iter()
        .flat_map(|(kind, id)| block(3, &[&[*kind, 0], &id.to_be_bytes()[..]].concat()))
        .collect();
    block(0, &[&[1, protocol, 0, transforms.len() as u8], &all[..]].concat())
}

/// AES-CBC, HMAC-SHA-256 twice, group 14.
const SOUND: &[(u8, u16)] = &[(1, 12), (2, 5), (3, 12), (4, 14)];

fn init_v2(flags: u8, association: &[u8]) -> Vec<u8> {
    let notify = [0, 0, 64, 4, 9, 9];
    let payloads: &[(u8, &[u8])] =
        &[(33, association), (34, &[0, 14, 0, 0, 1, 2, 3]), (40, b"nonce"), (43, b"\xab\xcd"), (41, &notify)];
    message(0x20, 34, flags, (I, 0), payloads)
}

fn events_of(dir: Dir, bytes: &[u8]) -> Vec<&'static str> {
    let mut bench = bench();
    assert_eq!(bench.data(dir, bytes), Next::More);
    bench.events()
}

#[test]
fn version_1_proposes_and_chooses() {
    let mut bench = bench();
    let proposed = message(0x10, 2, 0, (I, 0), &[(1, &association_v1(3)), (13, b"\x4a\x13"), (13, b"\xff")]);
    let chosen = message(0x10, 2, 0, (I, R), &[(1, &association_v1(1)), (13, b"\x4a\x13")]);
    let keys = message(0x10, 2, 0, (I, R), &[(4, b"key"), (10, b"nonces"), (20, b"x")]);
    let hidden = message(0x10, 2, 1, (I, R), &[(5, b"\x01")]);
    for (dir, bytes) in [(ToServer, &proposed), (ToClient, &chosen), (ToServer, &keys), (ToClient, &hidden)] {
        bench.data(dir, bytes);
    }
    assert_eq!(bench.texts(0, "ike.vendor"), ["4a13", "ff"]);
    assert_eq!(bench.text(0, "ike.init_spi").as_deref(), Some("0102030405060708"));
    assert_eq!(bench.texts(0, "ike.resp_spi").len() + bench.texts(1, "ike.init_spi").len(), 0);
    assert_eq!(bench.text(1, "ike.resp_spi").as_deref(), Some("1112131415161718"));
    assert!(bench.texts(1, "ike.vendor").is_empty(), "of the client only");
    assert!(bench.numbers(0, "ike.chosen_sa_attribute").is_empty());
    let attributes = [(1, 7), (14, 128), (2, 2), (4, 2), (11, 1), (12, 86_400)];
    let attributes = attributes.map(|(kind, number)| attribute_value(kind, number));
    assert_eq!(bench.numbers(1, "ike.chosen_sa_attribute"), attributes);
    assert_eq!(bench.text(2, "ike.key_exchange_payload").as_deref(), Some("key"));
    assert_eq!(bench.text(2, "ike.nonce_payload").as_deref(), Some("nonces"));
    assert_eq!(bench.numbers(2, "ike.key_exchange_payload_length"), [3]);
    assert_eq!(bench.numbers(2, "ike.nonce_payload_length"), [6]);
    assert_eq!(bench.numbers(3, "ike.exchtype"), [2]);
    assert_eq!(bench.text(3, "ike.pdu").map(|pdu| pdu.is_empty()), Some(false));
    assert!(bench.events().is_empty() && bench.complete(3, ToServer) && bench.complete(3, ToClient));
}

#[test]
fn one_proposal_is_chosen() {
    let several = message(0x10, 2, 0, (I, R), &[(1, &association_v1(2))]);
    assert_eq!(events_of(ToClient, &several), ["ike.multiple_server_proposal"]);
    let two = [association_v2(1, SOUND), association_v2(1, SOUND)].concat();
    assert_eq!(events_of(ToClient, &init_v2(0x20, &two)), ["ike.multiple_server_proposal"]);
    assert!(events_of(ToServer, &init_v2(0x08, &two)).is_empty());
}

#[test]
fn version_2_names_what_it_chose() {
    let mut bench = bench();
    bench.data(ToServer, &init_v2(0x08, &association_v2(1, SOUND)));
    bench.data(ToClient, &init_v2(0x20, &association_v2(1, SOUND)));
    assert_eq!(bench.text(0, "ike.key_exchange_payload").as_deref(), Some("\x01\x02\x03"));
    assert_eq!(bench.text(0, "ike.nonce_payload").as_deref(), Some("nonce"));
    assert_eq!(bench.text(0, "ike.vendor").as_deref(), Some("abcd"));
    assert!(bench.numbers(0, "ike.chosen_sa_attribute").is_empty());
    let chosen = [(1, 12), (13, 5), (3, 12), (4, 14)].map(|(kind, id)| attribute_value(kind, id));
    assert_eq!(bench.numbers(1, "ike.chosen_sa_attribute"), chosen);
    assert!(bench.events().is_empty());
}

#[test]
fn what_is_encrypted_is_not_read() {
    let hidden = message(0x20, 35, 0x08, (I, R), &[(46, &[0xff; 40]), (33, b"never read")]);
    assert!(events_of(ToServer, &hidden).is_empty());
}

#[test]
fn weak_transforms_are_events() {
    type Row = (&'static [(u8, u16)], &'static [&'static str]);
    let table: &[Row] = &[
        (&[(1, 3), (2, 5), (3, 12), (4, 14)], &["ike.weak_crypto_enc"]),
        (&[(1, 12), (2, 2), (3, 12), (4, 14)], &["ike.weak_crypto_prf"]),
        (&[(1, 12), (2, 5), (3, 1), (4, 14)], &["ike.weak_crypto_auth"]),
        (&[(1, 12), (2, 5), (3, 12), (4, 2)], &["ike.weak_crypto_dh"]),
        (&[(1, 12), (2, 5), (3, 12)], &["ike.weak_crypto_nodh"]),
        (&[(1, 12), (2, 5), (4, 14)], &["ike.weak_crypto_noauth"]),
        (&[(1, 12), (2, 5), (3, 0), (4, 14)], &["ike.weak_crypto_noauth"]),
        (&[(1, 20), (2, 5), (4, 19)], &[]),
        (&[(2, 5), (3, 12), (4, 14)], &["ike.no_encryption"]),
        (&[(1, 12), (2, 0), (3, 12), (4, 14)], &["ike.invalid_proposal"]),
        (&[(1, 12), (2, 5), (3, 12), (4, 14), (6, 35)], &[]),
        (&[(1, 12), (2, 5), (3, 12), (4, 14), (77, 1)], &["ike.unknown_proposal"]),
    ];
    for (transforms, events) in table {
        let bytes = init_v2(0x08, &association_v2(1, transforms));
        assert_eq!(events_of(ToServer, &bytes), *events, "{transforms:?}");
    }
    assert_eq!(events_of(ToServer, &init_v2(8, &association_v2(2, SOUND))), ["ike.no_encryption"]);
}

#[test]
fn broken_messages_are_told_and_those_behind_them_read() {
    let sound = init_v2(0x08, &association_v2(1, SOUND));
    let mut bench = bench();
    bench.data(ToServer, &sound[..sound.len() - 1]);
    bench.data(ToServer, b"short");
    bench.data(ToServer, &[&sound[..], b"x"].concat());
    bench.data(ToServer, &message(0x30, 34, 8, (I, R), &[]));
    bench.data(ToServer, &sound);
    assert_eq!(bench.events(), ["ike.malformed_data"; 4]);
    assert_eq!(bench.text(4, "ike.nonce_payload").as_deref(), Some("nonce"));
}

#[test]
fn behind_the_marker_are_messages_and_without_it_esp() {
    let sound = init_v2(0x08, &association_v2(1, SOUND));
    let mut bench = bench();
    bench.tuple.dport = NAT_PORT;
    bench.data(ToServer, &[MARKER, &sound].concat());
    bench.data(ToServer, &[9; 100]);
    bench.data(ToClient, KEEPALIVE);
    assert_eq!(bench.transactions.len(), 1);
    assert_eq!(bench.text(0, "ike.nonce_payload").as_deref(), Some("nonce"));
    assert!(bench.events().is_empty());
}

#[test]
fn the_first_datagram_proves_it() {
    let sound = init_v2(0x08, &association_v2(1, SOUND));
    assert_eq!(probe(ToServer, &sound), Probe::Yes);
    assert_eq!(probe(ToServer, &[MARKER, &sound].concat()), Probe::Yes);
    assert_eq!(probe(ToServer, &message(0x10, 4, 0, (I, 0), &[(1, &association_v1(1))])), Probe::Yes);
    assert_eq!(probe(ToServer, KEEPALIVE), Probe::More);
    let no = [
        sound[1..].to_vec(),
        message(0x20, 2, 8, (I, 0), &[]),
        message(0x10, 40, 0, (I, 0), &[]),
        message(0x20, 34, 8, (0, 0), &[]),
        vec![0; 40],
        vec![7; 100],
    ];
    for bytes in no {
        assert_eq!(probe(ToServer, &bytes), Probe::No, "{bytes:?}");
    }
}

#[test]
fn many_small_parts_are_bounded() {
    let mut bench = bench();
    let vendors: Vec<(u8, &[u8])> = (0..16_000).map(|_| (13, &[][..])).collect();
    bench.data(ToServer, &message(0x10, 2, 0, (I, 0), &vendors));
    bench.data(ToServer, &message(0x10, 2, 0, (I, 0), &[(1, &association_v1(200))]));
    let short: Vec<(u8, u16)> = (0..200).map(|id| (1, id)).collect();
    bench.data(ToServer, &init_v2(8, &association_v2(1, &short)));
    assert_eq!(bench.transactions.len(), 3);
    let junk: Vec<u8> = (0..65_000u32).map(|at| ((at * 7) >> 3) as u8).collect();
    for _ in 0..160 {
        bench.data(ToClient, &junk);
    }
    assert!(bench.transactions.len() <= bench.limits.transactions);
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..8), cut in any::<usize>()) {
        let samples = [
            init_v2(0x20, &association_v2(1, SOUND)),
            message(0x10, 2, 0, (I, R), &[(1, &association_v1(2)), (4, b"key"), (10, b"nonce"), (13, b"v")]),
        ];
        for mut bytes in samples {
            let len = bytes.len();
            damage.iter().for_each(|(at, byte)| bytes[at % len] = *byte);
            bytes.truncate(cut % len + 1);
            probe(ToServer, &bytes);
            bench().data(ToServer, &bytes);
            bench().data(ToClient, &bytes);
        }
    }
}

#[test]
fn bytes_behind_the_last_payload_are_an_event() {
    let association = association_v2(1, SOUND);
    let mut bytes = message(0x20, 34, 8, (I, 0), &[(33, &association), (40, &[7; 16])]);
    let mut sound = bench();
    sound.data(ToServer, &bytes);
    assert!(sound.events().is_empty());
    bytes.extend([0; 4]);
    let len = bytes.len() as u32;
    bytes[24..28].copy_from_slice(&len.to_be_bytes());
    let mut more = bench();
    more.data(ToServer, &bytes);
    assert_eq!(more.events(), ["ike.payload_extra_data"]);
}
