use super::*;
use crate::app::fixture::Bench;
use crate::rules::field::cip_value;
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Enip, Box::<Enip>::default())
}

fn message(command: u16, context: u8, body: &[u8]) -> Vec<u8> {
    let len = body.len() as u16;
    let start = [command.to_le_bytes(), len.to_le_bytes()].concat();
    [&start[..], &[1, 0, 0, 0, 0, 0, 0, 0], &[context; 8], &[0; 4], body].concat()
}

/// Unconnected data behind a null address.
fn unconnected(context: u8, cip: &[u8]) -> Vec<u8> {
    let len = (cip.len() as u16).to_le_bytes();
    let body = [&[0; 6][..], &[2, 0, 0, 0, 0, 0, 0xb2, 0], &len, cip].concat();
    message(command::SEND_RR_DATA, context, &body)
}

#[test]
fn requests_find_their_answers() {
    for size in [1, 9, 1000] {
        let mut bench = bench();
        let ask = |context, attribute| unconnected(context, &[0x0e, 3, 0x20, 1, 0x24, 1, 0x30, attribute]);
        let asks = [message(command::REGISTER_SESSION, 9, &[1, 0, 0, 0]), ask(1, 7), ask(2, 6)].concat();
        bench.pieces(Dir::ToServer, &asks, size);
        bench.pieces(Dir::ToClient, &unconnected(2, &[0x8e, 0, 5, 1, 0x34, 0x12]), size);
        assert!(bench.complete(2, Dir::ToClient) && !bench.complete(1, Dir::ToClient));
        assert_eq!(bench.numbers(0, "enip.protocol_version"), [1]);
        assert_eq!(bench.numbers(1, "cip_service"), [cip_value(14, Some(1), Some(7))]);
        assert_eq!(bench.numbers(1, "enip.cip_instance"), [1]);
        assert_eq!(
            bench.numbers(2, "cip_service"),
            [cip_value(14, Some(1), Some(6)), cip_value(14, None, None)]
        );
        assert_eq!(
            (bench.numbers(2, "enip.cip_status"), bench.numbers(2, "enip.cip_extendedstatus")),
            (vec![5], vec![0x1234])
        );
        assert_eq!(bench.numbers(2, "enip_command"), [0x6f, 0x6f]);
        assert_eq!((bench.transactions.len(), bench.events()), (3, vec![]));
    }
}

#[test]
fn a_device_tells_what_it_is() {
    let identity = [
        &[1, 0, 0, 2, 0xaf, 0x12, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &[1, 0, 12, 0, 158, 0, 3, 7, 0x30, 0, 1, 2, 3, 4, 9],
        b"1769-L32E\x03",
    ]
    .concat();
    let len = (identity.len() as u16).to_le_bytes();
    let mut bench = bench();
    bench.tuple.proto = UDP;
    bench.data(
        Dir::ToClient,
        &message(command::LIST_IDENTITY, 0, &[&[1, 0, 0x0c, 0], &len[..], &identity].concat()),
    );
    assert_eq!(bench.text(0, "enip.product_name").as_deref(), Some("1769-L32E"));
    let found = |name: &str| bench.numbers(0, name).first().copied();
    assert_eq!((found("enip.vendor_id"), found("enip.device_type")), (Some(1), Some(12)));
    assert_eq!((found("enip.revision"), found("enip.state")), (Some(0x307), Some(3)));
    assert_eq!((found("enip.serial"), found("enip.identity_status")), (Some(0x0403_0201), Some(0x30)));
    let mut bench = self::bench();
    let service = [&[1, 0, 0, 1, 20, 0, 1, 0, 0x20, 1][..], b"Communications\0\0"].concat();
    bench.data(Dir::ToClient, &message(command::LIST_SERVICES, 0, &service));
    assert_eq!(bench.text(0, "enip.service_name").as_deref(), Some("Communications"));
    assert_eq!(bench.numbers(0, "enip.capabilities"), [0x120]);
}

#[test]
fn messages_in_messages_are_read() {
    let one = [0x01, 2, 0x20, 0x6b, 0x24, 1];
    let two = [0x03, 2, 0x20, 0x6c, 0x24, 2, 2, 0, 7, 0, 8, 0];
    let many = [&[0x0a, 2, 0x20, 2, 0x24, 1][..], &[2, 0, 6, 0, 12, 0], &one, &two].concat();
    let sent = [&[0x52, 2, 0x20, 6, 0x24, 1, 5, 9][..], &(many.len() as u16).to_le_bytes(), &many].concat();
    let mut bench = bench();
    bench.data(Dir::ToServer, &unconnected(1, &sent));
    let services = bench.numbers(0, "cip_service");
    for wanted in [(0x52, 6, None), (0x0a, 2, None), (1, 0x6b, None), (3, 0x6c, Some(7)), (3, 0x6c, Some(8))]
    {
        assert!(services.contains(&cip_value(wanted.0, Some(wanted.1), wanted.2)), "{wanted:?}");
    }
    assert_eq!((bench.numbers(0, "enip.cip_attribute"), bench.events()), (vec![7, 8], vec![]));
}

#[test]
fn what_is_amiss_has_names() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &unconnected(1, &[0x0e, 9, 0x20, 1]));
    assert_eq!(bench.events(), ["enip.invalid_pdu"]);
    let mut bench = self::bench();
    bench.data(Dir::ToServer, &message(0x1234, 0, &[]));
    assert_eq!(bench.events(), ["enip.invalid_pdu"]);
    let mut bench = self::bench();
    bench.limits.transactions = 1000;
    for _ in 0..=MAX_WAITING {
        bench.data(Dir::ToServer, &message(command::LIST_SERVICES, 0, &[]));
    }
    assert_eq!(bench.events(), ["enip.too_many_transactions"]);
}

#[test]
fn first_bytes_tell() {
    let ask = message(command::LIST_IDENTITY, 0, &[]);
    assert_eq!(probe(Dir::ToServer, &ask), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &ask[..20]), Probe::More);
    assert_eq!(probe(Dir::ToServer, b"GET / HTTP/1.1\r\nHost: x\r\n"), Probe::No);
}

#[test]
fn junk_ends_in_bounded_memory() {
    for byte in [0, b'x', 0x6f] {
        let mut bench = bench();
        let junk = vec![byte; 10 << 20];
        bench.pieces(Dir::ToServer, &junk[..1 << 16], 1);
        bench.pieces(Dir::ToServer, &junk, 1460);
        assert!(bench.transactions.len() <= bench.limits.transactions);
    }
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_transactions(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..6), size in 1_usize..60
    ) {
        let bytes: Vec<u8> = parts.iter().enumerate().flat_map(|(n, part)| unconnected(n as u8, part)).collect();
        let run = |size| {
            let mut bench = bench();
            bench.pieces(Dir::ToServer, &bytes, size);
            bench.pieces(Dir::ToClient, &bytes, size);
            let seen: Vec<_> = (0..bench.transactions.len())
                .map(|n| (bench.texts(n, "enip.pdu"), bench.numbers(n, "cip_service"), bench.complete(n, Dir::ToClient)))
                .collect();
            (seen, bench.events())
        };
        prop_assert_eq!(run(size), run(bytes.len()));
    }

    #[test]
    fn no_bytes_make_it_panic(command in 0_u16..0x80, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bench = bench();
        bench.data(Dir::ToServer, &message(command, 0, &bytes));
        bench.data(Dir::ToClient, &message(command, 0, &bytes));
        bench.data(Dir::ToClient, &bytes);
    }
}
