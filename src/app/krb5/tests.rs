use super::*;
use crate::app::Next;
use crate::app::der;
use crate::app::fixture::Bench;
use crate::base::FlowTuple;
use crate::wire::ip_proto;
use proptest::prelude::*;

/// An element.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match content.len() {
        len if len < 0x80 => bytes.push(len as u8),
        len => bytes.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    bytes.extend_from_slice(content);
    bytes
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(der::SEQUENCE, &parts.concat())
}

fn field(n: u8, content: &[u8]) -> Vec<u8> {
    tlv(der::context(n), content)
}

fn number(n: u8) -> Vec<u8> {
    tlv(der::INTEGER, &[n])
}

fn name(parts: &[&str]) -> Vec<u8> {
    let texts: Vec<_> = parts.iter().map(|part| tlv(0x1b, part.as_bytes())).collect();
    sequence(&[field(0, &number(2)), field(1, &sequence(&texts))])
}

fn as_req() -> Vec<u8> {
    let body = sequence(&[
        field(0, &tlv(3, &[0, 0x40, 0, 0, 0])),
        field(1, &name(&["ann"])),
        field(2, &tlv(0x1b, b"CORP")),
        field(3, &name(&["krbtgt", "CORP"])),
    ]);
    let fields = sequence(&[field(1, &number(5)), field(2, &number(10)), field(4, &body)]);
    tlv(der::application(10), &fields)
}

fn as_rep(kind: u8) -> Vec<u8> {
    let encrypted = sequence(&[field(0, &number(kind)), field(2, &tlv(4, &[0xee; 200]))]);
    let ticket = sequence(&[
        field(0, &number(5)),
        field(1, &tlv(0x1b, b"CORP")),
        field(2, &name(&["krbtgt", "CORP"])),
        field(3, &encrypted),
    ]);
    let fields = sequence(&[
        field(0, &number(5)),
        field(1, &number(11)),
        field(3, &tlv(0x1b, b"CORP")),
        field(4, &name(&["ann"])),
        field(5, &tlv(der::application(1), &ticket)),
        field(6, &encrypted),
    ]);
    tlv(der::application(11), &fields)
}

fn error(code: u8) -> Vec<u8> {
    let fields = sequence(&[
        field(0, &number(5)),
        field(1, &number(30)),
        field(6, &number(code)),
        field(9, &tlv(0x1b, b"CORP")),
        field(10, &name(&["cifs", "host"])),
    ]);
    tlv(der::application(30), &fields)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn bench() -> Bench {
    Bench::new(AppProto::Krb5, (ENTRY.make.unwrap())())
}

#[test]
fn each_message_is_a_transaction_of_its_direction() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &framed(&as_req()));
    bench.data(Dir::ToClient, &framed(&as_rep(18)));
    assert_eq!(bench.numbers(0, "krb5_msg_type"), [10]);
    assert_eq!(
        (bench.texts(0, "krb5.cname"), bench.texts(0, "krb5.sname")),
        (vec!["ann".into()], vec!["krbtgt".into(), "CORP".into()])
    );
    assert_eq!(bench.numbers(1, "krb5_msg_type"), [11]);
    assert_eq!(bench.texts(1, "krb5.cname"), ["ann"]);
    assert!(bench.complete(0, Dir::ToServer) && bench.events().is_empty());
}

#[test]
fn weak_encryption_and_errors_are_told() {
    let mut bench = bench();
    bench.data(Dir::ToClient, &[framed(&as_rep(23)), framed(&error(25))].concat());
    assert_eq!(bench.events(), ["krb5.weak_encryption"]);
    assert_eq!(bench.numbers(0, "krb5.ticket_encryption"), [23]);
    assert_eq!(bench.numbers(1, "krb5_err_code"), [25]);
    assert_eq!(bench.texts(1, "krb5.sname"), ["cifs", "host"]);
}

#[test]
fn a_datagram_is_a_message() {
    let mut bench = bench();
    bench.tuple = FlowTuple { proto: ip_proto::UDP, ..bench.tuple };
    bench.data(Dir::ToServer, &as_req());
    bench.data(Dir::ToServer, b"no message");
    assert_eq!(bench.numbers(0, "krb5_msg_type"), [10]);
    assert_eq!(bench.events(), ["krb5.malformed_data"]);
}

#[test]
fn probing_asks_for_a_message() {
    for bytes in [as_req(), framed(&as_req()), framed(&as_rep(18)), error(3)] {
        assert_eq!(probe(Dir::ToServer, &bytes), Probe::Yes);
        assert_eq!(probe(Dir::ToServer, &bytes[..5]), Probe::More);
    }
    assert_eq!(probe(Dir::ToServer, b"GET / HTTP/1.0"), Probe::No);
    assert_eq!(probe(Dir::ToServer, &[0; 20]), Probe::No);
}

#[test]
fn a_message_is_known_however_little_of_it_comes_at_first() {
    for bytes in [as_req(), framed(&as_req()), framed(&as_rep(18)), error(3)] {
        let told = (1..bytes.len()).find(|len| probe(Dir::ToServer, &bytes[..*len]) != Probe::More).unwrap();
        assert_eq!(probe(Dir::ToServer, &bytes[..told]), Probe::Yes, "{told}");
    }
}

#[test]
fn what_is_no_message_ends_decoding() {
    let mut bench = bench();
    assert_eq!(bench.pieces(Dir::ToServer, &[0xff; 100], 1), Next::Broken);
    assert_eq!(self::bench().pieces(Dir::ToServer, &[0x7f; 100], 1), Next::Broken);
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(size in 1usize..400) {
        let bytes = [framed(&as_req()), framed(&as_rep(3)), framed(&error(6))].concat();
        let (mut whole, mut cut) = (bench(), bench());
        whole.data(Dir::ToServer, &bytes);
        cut.pieces(Dir::ToServer, &bytes, size);
        prop_assert_eq!(whole.transactions.len(), 3);
        for at in 0..3 {
            prop_assert_eq!(whole.texts(at, "krb5.sname"), cut.texts(at, "krb5.sname"));
            prop_assert_eq!(whole.numbers(at, "krb5_msg_type"), cut.numbers(at, "krb5_msg_type"));
        }
        prop_assert_eq!(whole.events(), cut.events());
    }

    #[test]
    fn no_bytes_panic(changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12), size in 1usize..200) {
        let mut bytes = [framed(&as_req()), framed(&as_rep(3)), framed(&error(6))].concat();
        for (place, byte) in changes {
            *place.get_mut(&mut bytes) = byte;
        }
        bench().pieces(Dir::ToServer, &bytes, size);
        probe(Dir::ToServer, &bytes);
    }
}
