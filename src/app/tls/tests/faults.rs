//! Old hellos, what no peer would send, lost bytes, and bytes of no meaning.

use super::*;

#[test]
fn a_hello_of_ssl_2_may_begin_a_session_of_tls() {
    let hello = [&[0x80, 9 + 3 + 16, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x35][..], &[6; 16]].concat();
    assert_eq!(probe(ToServer, &hello), Probe::Yes);
    for size in [1, 4, 100] {
        let mut bench = bench();
        bench.pieces(ToServer, &hello, size);
        bench.pieces(ToClient, &record(22, &[server_hello(b"", &[]), chain()].concat()), size);
        assert_eq!(bench.numbers(0, "ssl_version"), [2, 4, 4]);
        assert_eq!(bench.texts(0, "tls.cert_subject"), ["CN=www.here"]);
        assert!(bench.events().is_empty());
    }
}

#[test]
fn a_server_of_ssl_2_shows_its_certificate() {
    let der = certificate(&common_name(b"I"), &common_name(b"old.here"), &[]);
    let body =
        [&[4, 0, 1, 0, 2][..], &(der.len() as u16).to_be_bytes(), &[0, 3, 0, 16], &der, &[0, 0, 1], &[5; 16]]
            .concat();
    let hello = [&(0x8000 | body.len() as u16).to_be_bytes()[..], &body].concat();
    assert_eq!(probe(ToClient, &hello), Probe::Yes);
    let mut bench = bench();
    assert_eq!(bench.data(ToClient, &hello), Next::More);
    assert_eq!(bench.texts(0, "tls.cert_subject"), ["CN=old.here"]);
    assert_eq!(bench.numbers(0, "tls.version"), [2, 2]);
    bench.data(ToServer, &[0x80, 8, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bench.data(ToClient, &[0x80, 5, 5, 1, 2, 3, 4]), Next::Stop);
    let mut bench = bench_with(ToClient, &[0x80, 3, 0, 0, 1]);
    assert_eq!(bench.events(), ["tls.error_message_encountered"]);
    bench.end(ToClient);
    assert!(bench.complete(0, ToClient));
}

#[test]
fn what_no_peer_would_send_is_an_event() {
    let cases: &[(&str, Vec<u8>)] = &[
        ("tls.invalid_record_type", vec![99, 3, 3, 0, 1]),
        ("tls.invalid_record_version", vec![22, 9, 9, 0, 1]),
        ("tls.invalid_tls_header", b"GET /".to_vec()),
        ("tls.invalid_record_length", vec![22, 3, 3, 0xff, 0xff]),
        ("tls.invalid_sslv2_header", vec![0x80, 9, 77, 0, 0]),
        ("tls.invalid_handshake_message", record(22, &handshake(132, b"?"))),
        ("tls.invalid_handshake_message", record(22, &handshake(1, b"short"))),
        ("tls.invalid_handshake_message", record(22, &server_hello(b"", &[]))),
        ("tls.handshake_invalid_length", record(22, &handshake(14, b"?"))),
        ("tls.certificate_invalid_length", record(22, &handshake(11, &[0, 0, 9, 0, 0, 99]))),
        ("tls.invalid_certificate", record(22, &handshake(11, &vec24(&vec24(b"\x05\0"))))),
        ("tls.invalid_alert_message", record(21, b"???")),
        ("tls.heartbeat_message", record(24, &[1, 0, 0])),
        ("tls.overflow_heartbeat_message", record(24, &[1, 0x40, 0])),
        ("tls.too_many_records_in_packet", record(22, &handshake(0, &[])).repeat(31)),
        ("tls.invalid_sni_type", hello_with(extension(0, &[0, 4, 1, 0, 1, b'a']))),
        ("tls.invalid_sni_length", hello_with(extension(0, &[0, 9, 0, 0, 9, b'a']))),
        ("tls.multiple_sni_extensions", hello_with([server_name(b"a"), server_name(b"b")].concat())),
    ];
    for (event, bytes) in cases {
        let bench = bench_with(ToServer, bytes);
        let no_record =
            event.contains("_record_t") || event.contains("_record_v") || event.contains("header");
        let told = bench.events().contains(&"tls.invalid_ssl_record");
        assert_eq!(told, no_record || event.ends_with("record_length"), "{event}");
        assert!(bench.events().contains(event), "{event}: {:?}", bench.events());
        let known = crate::rules::event::of("tls").unwrap();
        assert!(
            bench.events().iter().all(|event| known.contains(&&event["tls.".len()..])),
            "{:?}",
            bench.events()
        );
    }
}

fn hello_with(extensions: Vec<u8>) -> Vec<u8> {
    record(22, &client_hello(0x0303, &[0xc02f], &[extensions]))
}

#[test]
fn a_name_with_a_wrong_length_is_what_there_is() {
    let bench = bench_with(ToServer, &hello_with(extension(0, &[0, 9, 0, 0, 9, b'a', b'b'])));
    assert_eq!(bench.texts(0, "tls.sni"), ["ab"]);
}

#[test]
fn bytes_lost_within_a_record_cost_only_what_they_held() {
    let mut bench = bench();
    let flight = record(22, &[server_hello(b"", &[]), handshake(12, &[9; 90])].concat());
    bench.data(ToClient, &flight[..60]);
    assert_eq!(bench.gap(ToClient, flight.len() as u64 - 70), Next::More);
    bench.data(ToClient, &flight[flight.len() - 10..]);
    bench.data(ToClient, &record(22, &chain()));
    assert_eq!(bench.texts(0, "tls.cert_subject"), ["CN=www.here"]);
    assert!(bench.events().is_empty(), "{:?}", bench.events());
}

#[test]
fn after_a_gap_records_are_found_again() {
    let mut bench = bench();
    bench.data(ToServer, &record(22, &client_hello(0x0303, &[0xc02f], &[])));
    assert_eq!(bench.gap(ToClient, 1000), Next::More);
    assert_eq!(bench.data(ToClient, &[0xaa; 30]), Next::More);
    bench.data(ToClient, &record(22, &chain()));
    assert_eq!(bench.texts(0, "tls.cert_subject"), ["CN=www.here"]);
    assert_eq!(bench.gap(ToClient, u64::MAX), Next::More);
    assert_eq!(bench.gap(ToServer, 9), Next::Stop);
}

#[test]
fn heartbeats_are_watched_when_they_are_agreed_on() {
    let heartbeat = extension(15, &[1]);
    let mut bench = bench();
    let wanted = crate::app::Wanted::default();
    bench.transactions.renew(&wanted);
    bench.data(ToServer, &record(22, &client_hello(0x0303, &[0xc02f], std::slice::from_ref(&heartbeat))));
    bench.data(ToClient, &record(22, &server_hello(b"", &[heartbeat])));
    for dir in [ToServer, ToClient] {
        assert_eq!(bench.data(dir, &[record(20, &[1]), record(22, &[0x5a; 40])].concat()), Next::More);
    }
    bench.data(ToServer, &record(24, &[0x5a; 40]));
    bench.data(ToClient, &record(24, &[0x5a; 16_000]));
    assert!(bench.events().contains(&"tls.dataleak_heartbeat_mismatch"));
}

#[test]
fn first_bytes_prove_the_protocol() {
    assert_eq!(probe(ToServer, &[22]), Probe::More);
    assert_eq!(probe(ToServer, &[22, 3, 1]), Probe::Yes);
    assert_eq!(probe(ToClient, &[21, 3, 3, 0, 2]), Probe::Yes);
    assert_eq!(probe(ToClient, &[23, 3, 3, 0xff, 2]), Probe::No);
    for other in [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0", b"\0\0\0\x85\xffSMB", &[22, 2, 0], &[0x80, 0, 9]] {
        assert_eq!(probe(ToServer, other), Probe::No);
    }
}

#[test]
fn junk_that_never_ends_costs_no_more_than_its_bytes() {
    let mut bench = bench();
    // A handshake message of 16 MB, of which nothing is wanted, a byte at a time.
    let header = [22, 3, 3, 0x40, 0];
    let body = [0x5a; 0x4000];
    bench.data(ToServer, &[&header[..], &[20, 0xff, 0xff, 0xff], &body[4..]].concat());
    for _ in 0..600 {
        assert_eq!(bench.pieces(ToServer, &header, 1), Next::More);
        assert_eq!(bench.pieces(ToServer, &body, 1), Next::More);
    }
    let memory: usize = bench.transactions.iter().map(|tx| tx.memory()).sum();
    assert!(memory < 1 << 20, "{memory}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_any_cut_is_the_same(
        flips in prop::collection::vec((0usize..5, 0usize..900, any::<u8>()), 0..6),
        sizes in prop::collection::vec(1usize..400, 1..5),
    ) {
        let mut flights = session12();
        for (flight, at, byte) in flips {
            let bytes = &mut flights[flight].1;
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let run = |cut: &dyn Fn(usize) -> usize| {
            let mut bench = bench();
            let mut step = 0;
            'session: for (dir, flight) in &flights {
                let mut rest = &flight[..];
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(cut(step).min(rest.len()));
                    (rest, step) = (later, step + 1);
                    if bench.data(*dir, now) != Next::More {
                        break 'session;
                    }
                }
            }
            story(&bench)
        };
        prop_assert_eq!(run(&|_| usize::MAX), run(&|step| sizes[step % sizes.len()]));
    }
}

/// Where the element with that number begins, of those within the first two elements of a certificate.
fn place(der: &[u8], number: usize) -> usize {
    let header = |at: usize| {
        if der[at + 1] < 0x80 {
            (2, usize::from(der[at + 1]))
        } else {
            (4, usize::from(der[at + 2]) << 8 | usize::from(der[at + 3]))
        }
    };
    let inside = |at: usize| at + header(at).0;
    (0..number).fold(inside(inside(0)), |at, _| inside(at) + header(at).1)
}

#[test]
fn each_fault_of_a_certificate_has_a_name() {
    let (issuer, subject) = (common_name(b"i"), common_name(b"s"));
    let whole = certificate(&issuer, &subject, &[]);
    let mut cases: Vec<_> = [
        (0, "tls.certificate_invalid_version"),
        (1, "tls.certificate_invalid_serial"),
        (2, "tls.certificate_invalid_algorithmidentifier"),
        (3, "tls.certificate_invalid_issuer"),
        (4, "tls.certificate_invalid_validity"),
        (5, "tls.certificate_invalid_subject"),
    ]
    .map(|(number, event)| {
        let mut der = whole.clone();
        // The version's own tag says that there is one; what is in it is no number.
        let at = place(&whole, number) + if number == 0 { 2 } else { 0 };
        der[at] = 5;
        (event, der)
    })
    .into();
    let mut undated = whole.clone();
    let at = whole.windows(6).position(|w| w == b"160427").unwrap();
    undated[at] = b'x';
    cases.push(("tls.certificate_invalid_date", undated));
    cases.push(("tls.certificate_invalid_extensions", certificate(&issuer, &subject, b"\xa3\x7f\0")));
    for (event, der) in cases {
        let bench = bench_with(ToServer, &record(22, &handshake(11, &vec24(&vec24(&der)))));
        assert_eq!(bench.events(), [event]);
    }
}
