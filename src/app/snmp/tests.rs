use super::*;
use crate::app::fixture::Bench;
use proptest::prelude::*;

const TO_SERVER: Dir = Dir::ToServer;

fn bench() -> Bench {
    Bench::new(AppProto::Snmp, Box::<Snmp>::default())
}

fn element(tag: u8, data: &[&[u8]]) -> Vec<u8> {
    let data = data.concat();
    [&[tag, 0x81, data.len() as u8], &data[..]].concat()
}

fn integer(value: u8) -> Vec<u8> {
    element(2, &[&[value]])
}

/// One variable, `1.3.6`.
fn variables() -> Vec<u8> {
    element(SEQUENCE, &[&element(SEQUENCE, &[&element(OID, &[&[0x2b, 6]]), &[5, 0]])])
}

fn request(tag: u8) -> Vec<u8> {
    element(tag, &[&integer(9), &integer(0), &integer(0), &variables()])
}

fn v2c() -> Vec<u8> {
    element(SEQUENCE, &[&integer(1), &element(OCTETS, &[b"public"]), &request(0xa5)])
}

fn v3(data: &[u8]) -> Vec<u8> {
    let global = element(SEQUENCE, &[&integer(1), &integer(100), &element(OCTETS, &[&[3]]), &integer(3)]);
    let user = element(
        SEQUENCE,
        &[
            &element(OCTETS, &[b"engine"]),
            &integer(1),
            &integer(1),
            &element(OCTETS, &[b"admin"]),
            &[4, 0, 4, 0],
        ],
    );
    element(SEQUENCE, &[&integer(3), &global, &element(OCTETS, &[&user]), data])
}

#[test]
fn community_and_type_are_found() {
    let mut bench = bench();
    bench.data(TO_SERVER, &v2c());
    assert_eq!(bench.text(0, "snmp.community").as_deref(), Some("public"));
    assert_eq!(bench.numbers(0, "snmp.version"), [2]);
    assert_eq!(bench.numbers(0, "snmp.pdu_type"), [5]);
    assert!(bench.events().is_empty() && bench.complete(0, TO_SERVER));
}

#[test]
fn a_trap_names_its_sender() {
    let trap = element(
        0xa4,
        &[
            &element(OID, &[&[0x2b, 6, 1]]),
            &element(ADDRESS, &[&[192, 0, 2, 1]]),
            &integer(6),
            &integer(1),
            &element(0x43, &[&[1]]),
            &variables(),
        ],
    );
    let mut bench = bench();
    bench.data(TO_SERVER, &element(SEQUENCE, &[&integer(0), &element(OCTETS, &[b"x"]), &trap]));
    assert_eq!(bench.text(0, "snmp.trap_oid").as_deref(), Some("1.3.6.1"));
    assert_eq!(bench.text(0, "snmp.trap_address").as_deref(), Some("192.0.2.1"));
    assert_eq!(bench.numbers(0, "snmp.version"), [1]);
    assert!(bench.events().is_empty());
}

#[test]
fn version_3_has_users_and_may_hide_the_rest() {
    let mut plain = bench();
    plain.data(TO_SERVER, &v3(&element(SEQUENCE, &[&[4, 0, 4, 0], &request(0xa0)])));
    assert_eq!(plain.text(0, "snmp.usm").as_deref(), Some("admin"));
    assert_eq!(plain.numbers(0, "snmp.pdu_type"), [0]);
    let mut hidden = bench();
    hidden.data(TO_SERVER, &v3(&element(OCTETS, &[b"\x01\x02\x03"])));
    assert_eq!(hidden.text(0, "snmp.usm").as_deref(), Some("admin"));
    assert!(hidden.numbers(0, "snmp.pdu_type").is_empty());
    assert!(plain.events().is_empty() && hidden.events().is_empty());
}

#[test]
fn what_is_no_message_ends_the_session() {
    let mut bench = bench();
    let mut broken = v2c();
    broken.pop();
    assert_eq!(bench.data(TO_SERVER, &broken), Next::Broken);
    assert_eq!(bench.events(), ["snmp.malformed_data"]);
    assert!(begin(&broken).is_none() && begin(&v2c()).is_some() && begin(&v3(&[4, 0])).is_some());
    assert!(begin(&element(SEQUENCE, &[&integer(2), &[4, 0]])).is_none());
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6)) {
        for mut bytes in [v2c(), v3(&element(SEQUENCE, &[&[4, 0, 4, 0], &request(0xa7)]))] {
            let len = bytes.len();
            damage.iter().for_each(|(at, byte)| bytes[at % len] = *byte);
            bench().data(TO_SERVER, &bytes);
        }
    }
}

#[test]
fn another_version_within_a_session_is_an_event() {
    let mut bench = bench();
    bench.data(TO_SERVER, &v2c());
    bench.data(TO_SERVER, &v2c());
    assert!(bench.events().is_empty());
    bench.data(TO_SERVER, &v3(&element(SEQUENCE, &[&[4, 0, 4, 0], &request(0xa0)])));
    assert_eq!(bench.events(), ["snmp.version_mismatch"]);
}

#[test]
fn a_security_model_that_is_not_that_of_users_is_an_event() {
    let global = element(SEQUENCE, &[&integer(1), &integer(100), &element(OCTETS, &[&[3]]), &integer(7)]);
    let mut bench = bench();
    bench.data(TO_SERVER, &element(SEQUENCE, &[&integer(3), &global, &[4, 0], &element(OCTETS, &[b"x"])]));
    assert_eq!(bench.events(), ["snmp.unknown_security_model"]);
}
