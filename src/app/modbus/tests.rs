use super::*;
use crate::app::fixture::Bench;
use crate::rules::field::FieldTest;
use crate::rules::text::Text;
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Modbus, Box::<Modbus>::default())
}

/// Transaction 7, unit 1.
fn adu(pdu: &[u8]) -> Vec<u8> {
    adu_of(7, pdu)
}

fn adu_of(transaction: u16, pdu: &[u8]) -> Vec<u8> {
    let len = pdu.len() as u16 + 1;
    [&transaction.to_be_bytes()[..], &[0, 0], &len.to_be_bytes(), &[1], pdu].concat()
}

fn asks(value: &str, request: &[u8]) -> bool {
    let field = field::named("modbus").unwrap().get();
    let test = field::parse(field, Text::new(value.as_bytes(), 0));
    let FieldTest::Modbus(test) = test.unwrap_or_else(|fault| panic!("{value}: {}", fault.message)).0 else {
        panic!("{value}")
    };
    holds(&test, request)
}

#[test]
fn a_request_and_its_answer_are_a_transaction() {
    for size in [1, 3, 100] {
        let mut bench = bench();
        let requests = [adu_of(1, &[3, 0, 9, 0, 2]), adu_of(2, &[6, 0, 1, 0, 7])].concat();
        bench.pieces(Dir::ToServer, &requests, size);
        bench.pieces(Dir::ToClient, &adu_of(2, &[6, 0, 1, 0, 7]), size);
        assert!(!bench.complete(0, Dir::ToClient) && bench.complete(1, Dir::ToClient), "out of order");
        bench.pieces(Dir::ToClient, &adu_of(1, &[3, 4, 0, 1, 0, 2]), size);
        assert!(bench.complete(0, Dir::ToClient) && bench.complete(0, Dir::ToServer));
        assert_eq!((bench.transactions.len(), bench.events().len()), (2, 0));
        assert_eq!(bench.texts(0, "modbus.pdu").len(), 2);
    }
}

#[test]
fn functions_and_units_are_asked_for() {
    let listen_only = [1, 8, 0, 4, 0, 0];
    for (value, holds) in [
        ("function 8", true),
        ("function 4", false),
        ("function 8, subfunction 4", true),
        ("function 8, subfunction 3", false),
        ("function assigned", true),
        ("function public", true),
        ("function !reserved", true),
        ("function user", false),
        ("function all", true),
        ("unit 1", true),
        ("unit 2<>9", false),
        ("unit >0, function 8", true),
        ("unit 1, function !assigned", false),
        ("access read", false),
    ] {
        assert_eq!(asks(value, &listen_only), holds, "{value}");
    }
    assert!(asks("function reserved", &[1, 90, 0]) && asks("function user", &[1, 65]));
    assert!(asks("function unassigned", &[1, 25]) && asks("function reserved", &[1, 8, 0, 5]));
}

#[test]
fn addresses_count_from_one() {
    let read = [1, 4, 0, 99, 0, 2];
    for (value, holds) in [
        ("access read", true),
        ("access read input", true),
        ("access read holding", false),
        ("access write", false),
        ("access read input, address 100", true),
        ("access read input, address 101", true),
        ("access read input, address 102", false),
        ("access read input, address <100", false),
        ("access read input, address >100", true),
        ("access read input, address 99<>101", true),
        ("access read input, address 90<>100", false),
    ] {
        assert_eq!(asks(value, &read), holds, "{value}");
    }
    assert!(!asks("access read input, address 1", &[1, 4, 0, 0, 0, 0]), "nothing is read");
}

#[test]
fn written_values_are_asked_for() {
    let registers = [1, 16, 0x01, 0xf3, 0, 2, 4, 0, 5, 0, 201];
    for (value, holds) in [
        ("access write holding", true),
        ("access write coils", false),
        ("access write holding, address 500, value 5", true),
        ("access write holding, address 500, value >200", false),
        ("access write holding, address 501, value >200", true),
        ("access write holding, address >400, value >200", true),
    ] {
        assert_eq!(asks(value, &registers), holds, "{value}");
    }
    let coils = [1, 15, 0, 0, 0, 10, 2, 0b0000_0010, 0b10];
    assert!(asks("access write coils, address 2, value 1", &coils));
    assert!(asks("access write coils, address 10, value 1", &coils));
    assert!(asks("access write coils, address 1, value 0", &coils));
    assert!(!asks("access write coils, address 11, value 0", &coils));
    assert!(asks("access write coils, address 5, value 1", &[1, 5, 0, 4, 0xff, 0]));
    let both = [1, 23, 0, 0, 0, 1, 0, 9, 0, 1, 2, 0, 3];
    assert!(asks("access read holding, address 1", &both));
    assert!(asks("access write holding, address 10, value 3", &both));
}

#[test]
fn the_keyword_tells_what_is_wrong() {
    let field = field::named("modbus").unwrap().get();
    for value in [
        "function",
        "function 300",
        "function !3",
        "function publik",
        "access",
        "access write input",
        "access read, address 1",
        "access read holding, address 1, value 2",
        "access write holding, value 2",
        "function 3, address 1",
        "access read holding, subfunction 1",
        "unit 1, unit 2",
        "unit 256",
        "functoin 3",
        "",
    ] {
        let fault = field::parse(field, Text::new(value.as_bytes(), 0));
        assert!(fault.is_err(), "{value}");
    }
}

#[test]
fn what_is_amiss_has_names() {
    let events = |requests: &[u8], responses: &[u8]| {
        let mut bench = bench();
        bench.data(Dir::ToServer, requests);
        bench.data(Dir::ToClient, responses);
        bench.events()
    };
    assert_eq!(events(&[0, 1, 0, 9, 0, 2, 1, 7], b""), ["modbus.invalid_protocol_id"]);
    assert_eq!(events(&[0, 1, 0, 0, 0, 1, 1], b""), ["modbus.invalid_length"]);
    assert_eq!(events(&adu(&[1, 0, 0, 0, 1, 0]), b""), ["modbus.invalid_length"]);
    assert_eq!(events(&adu(&[1, 0, 0, 0, 0]), b""), ["modbus.invalid_value"]);
    assert_eq!(events(&adu(&[3, 0, 0, 0, 126]), b""), ["modbus.invalid_value"]);
    assert_eq!(events(&adu(&[5, 0, 0, 1, 0]), b""), ["modbus.invalid_value"]);
    assert_eq!(events(&adu(&[16, 0, 0, 0, 1, 2, 0]), b""), ["modbus.invalid_length"]);
    assert_eq!(events(&adu(&[15, 0, 0, 0, 9, 1, 0]), b""), ["modbus.invalid_value"]);
    assert_eq!(events(&adu(&[0]), b""), ["modbus.invalid_function_code"]);
    assert_eq!(events(&[0, 1, 0, 0, 0, 2, 250, 7], b""), ["modbus.invalid_unit_identifier"]);
    assert_eq!(events(b"", &adu(&[7, 0])), ["modbus.unsolicited_response"]);
    let read = adu(&[3, 0, 0, 0, 1]);
    assert_eq!(events(&read, &adu(&[0x83, 9])), ["modbus.invalid_exception_code"]);
    assert_eq!(events(&read, &adu(&[0x83, 2])), [""; 0]);
    assert_eq!(events(&read, &adu(&[3, 4, 0, 1, 0, 2])), ["modbus.value_mismatch"]);
    assert_eq!(events(&read, &adu(&[3, 2, 0])), ["modbus.invalid_length"]);
    assert_eq!(events(&adu(&[6, 0, 1, 0, 7]), &adu(&[6, 0, 1, 0, 8])), ["modbus.value_mismatch"]);
}

#[test]
fn unanswered_requests_are_bounded() {
    let mut bench = bench();
    bench.limits.transactions = 10_000;
    for n in 0..2 * MAX_WAITING as u16 {
        bench.data(Dir::ToServer, &adu_of(n, &[7]));
    }
    assert!(bench.complete(0, Dir::ToClient));
    assert!(bench.events().iter().all(|event| *event == "modbus.flooded"));
    assert_eq!(bench.events().len(), MAX_WAITING);
}

#[test]
fn a_gap_is_survived() {
    let mut bench = bench();
    let request = adu(&[16, 0, 0, 0, 2, 4, 0, 1, 0, 2]);
    bench.data(Dir::ToServer, &request[..10]);
    bench.gap(Dir::ToServer, 3);
    bench.data(Dir::ToServer, &[&request[13..], &adu_of(8, &[3, 0, 0, 0, 1])].concat());
    assert_eq!(bench.texts(1, "modbus.pdu").len(), 1);
}

#[test]
fn first_bytes_tell() {
    assert_eq!(probe(Dir::ToServer, &adu(&[3, 0, 0, 0, 1])), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &adu(&[0x83, 1])), Probe::No);
    assert_eq!(probe(Dir::ToClient, &adu(&[0x83, 1])), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, b"GET / HTTP/1.1\r\n"), Probe::No);
    assert_eq!(probe(Dir::ToServer, &[0, 1, 0, 0]), Probe::More);
    assert_eq!(probe(Dir::ToServer, &[0, 1, 0, 0, 0, 1, 1]), Probe::No);
}

#[test]
fn junk_ends_in_bounded_memory() {
    for byte in [0, 1, 0xff] {
        let mut bench = bench();
        let junk = vec![byte; 1 << 20];
        for _ in 0..10 {
            if bench.pieces(Dir::ToServer, &junk, 1460) == Next::Broken {
                break;
            }
        }
        assert!(bench.transactions.len() <= MAX_FAULTY.into());
    }
}

fn seen(bench: &Bench) -> Vec<(Vec<String>, bool)> {
    (0..bench.transactions.len())
        .map(|n| (bench.texts(n, "modbus.pdu"), bench.complete(n, Dir::ToClient)))
        .collect()
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_transactions(
        pdus in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 1..8), size in 1_usize..30
    ) {
        let bytes: Vec<u8> = pdus.iter().enumerate().flat_map(|(n, pdu)| adu_of(n as u16, pdu)).collect();
        let run = |size| {
            let mut bench = bench();
            bench.pieces(Dir::ToServer, &bytes, size);
            bench.pieces(Dir::ToClient, &bytes, size);
            (seen(&bench), bench.events())
        };
        prop_assert_eq!(run(size), run(bytes.len()));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), to_server in any::<bool>()) {
        let mut bench = bench();
        bench.data(if to_server { Dir::ToServer } else { Dir::ToClient }, &bytes);
    }
}
