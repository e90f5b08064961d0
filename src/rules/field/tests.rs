use super::*;
use crate::rules::text::{Fault, Text};

fn read(name: &str, value: &str) -> Result<(FieldTest, Occurrence), Fault> {
    let field = named(name).unwrap_or_else(|| panic!("{name}")).get();
    parse(field, Text::new(value.as_bytes(), 0))
}

fn holds(name: &str, value: &str, number: u64) -> bool {
    read(name, value).unwrap_or_else(|f| panic!("{name}:{value}: {}", f.message)).0.holds_for(number)
}

#[test]
fn names_are_unique() {
    let mut seen = std::collections::HashSet::new();
    for (_, field) in all() {
        for name in std::iter::once(field.name).chain(field.aliases.iter().copied()) {
            assert!(seen.insert(name), "{name} is in two lines");
            assert!(crate::rules::context::named(name).is_none(), "{name} is a buffer too");
        }
        assert!(!field.protos.is_empty() && !field.doc.is_empty(), "{}", field.name);
    }
}

/// Field, value, numbers that pass, numbers that do not.
const NUMBERS: &[(&str, &str, &[u64], &[u64])] = &[
    ("dns.rcode", "3", &[3], &[2]),
    ("dns.rcode", "!2", &[3], &[2]),
    ("dns.rcode", "nxdomain", &[3], &[0]),
    ("dns.rcode", "!BADCOOKIE", &[16], &[23]),
    ("dns.rrtype", "CAA", &[257], &[255]),
    ("dns.rrtype", "!null", &[1], &[10]),
    ("mqtt.type", "CONNACK", &[2], &[1]),
    ("ntp.mode", "!server", &[3], &[4]),
    ("ntp.stratum", ">2", &[3], &[2]),
    ("ntp.stratum", "2-5", &[3, 4], &[2, 5]),
    ("websocket.mask", "&0xc0=0x80", &[0x80, 0xbf], &[0xc0, 0]),
    ("websocket.mask", "&0xc0!=0", &[0x80, 0x40], &[0x3f]),
    ("websocket.mask", "!&0x40=0x40", &[0x80], &[0x40]),
    ("websocket.mask", "&0x40", &[0x41], &[0x01]),
    ("ldap.responses.result_code", "is_leaf", &[35], &[34]),
    ("websocket.flags", "fin", &[0x80, 0xc0], &[0x40]),
    ("mqtt.flags", "!retain,!dup", &[0, 6], &[1, 8]),
    ("mqtt.connect.flags", "username,password,clean_session", &[0xc2], &[0x82]),
    ("websocket.flags", "*fin,comp", &[0x80, 0x40, 0xc1], &[0x01]),
    ("websocket.flags", "*fin,!comp", &[0x80, 0xc0, 0x01], &[0x40]),
    ("websocket.flags", "-fin,comp", &[0x80, 0x41, 0], &[0xc0, 0xc1]),
    ("websocket.flags", "=fin,comp", &[0xc0], &[0xc1, 0x80]),
    ("websocket.flags", "+fin", &[0x80, 0xc0], &[0x40]),
    ("dnp3_func", "direct_operate", &[5], &[6]),
    ("dnp3_func", "129", &[129], &[130]),
    ("dnp3_ind", "class_1_events,need_time", &[0x0200, 0x1000, 0x1300], &[0x0100]),
    ("dnp3_ind", "+class_1_events,need_time", &[0x1200, 0x1300], &[0x0200]),
    ("dnp3_ind", "&0x8000=0x8000", &[0x8001], &[1]),
    ("dnp3_obj", "12,1", &[0x0c01], &[0x010c]),
    ("enip_command", "List_Identity", &[0x63], &[0x64]),
    ("enip.status", "invalid_cmd", &[1], &[0]),
    ("ssl_version", "tls1.0,tls1.1", &[2, 3], &[1, 4]),
    ("ssl_version", "!tls1.0", &[1, 3], &[2]),
    ("tls.version", "1.2", &[0x303], &[0x304]),
    ("dcerpc.opnum", "4,10-12", &[4, 10, 12], &[5, 13]),
    ("dcerpc.opnum", ">3", &[4], &[3]),
    ("nfs_procedure", "2<>4", &[2, 3, 4], &[1, 5]),
    ("nfs_procedure", "2<>3", &[2, 3], &[1, 4]),
    ("krb5.ticket_encryption", "weak", &[23, 1], &[18]),
    ("krb5.ticket_encryption", "!weak", &[18], &[23]),
    ("krb5.ticket_encryption", "rc4-hmac, 18 -128", &[23, 18, 0xff80], &[17]),
    ("http2.settings", "SETTINGS_ENABLE_PUSH", &[2 << 32, 2 << 32 | 1], &[1 << 32, 3 << 32]),
    ("http2.settings", "SETTINGS_ENABLE_PUSH=0", &[2 << 32], &[2 << 32 | 1, 1 << 32]),
    (
        "http2.settings",
        "SETTINGS_HEADER_TABLE_SIZE >4096",
        &[1 << 32 | 4097],
        &[1 << 32 | 4096, 2 << 32 | 9999],
    ),
    ("nfs_version", "2<>4", &[3], &[2, 4]),
    ("tls_cert_notafter", ">2015", &[1_420_070_401], &[1_420_070_400]),
    ("tls_cert_notbefore", "<2000-03-01T00:00:10", &[951_868_809], &[951_868_810]),
    ("ftp.reply_received", "yes", &[1], &[0]),
];

#[test]
fn values_are_compared_as_they_are_written() {
    for (name, value, pass, fail) in NUMBERS {
        for number in *pass {
            assert!(holds(name, value, *number), "{name}:{value} for {number}");
        }
        for number in *fail {
            assert!(!holds(name, value, *number), "{name}:{value} for {number}");
        }
    }
}

#[test]
fn which_of_several_is_said_after_a_comma() {
    let which = |value| read("dns.rrtype", value).unwrap().1;
    assert_eq!(which("1"), Occurrence::Any);
    assert_eq!(which("1,all"), Occurrence::AllOfSome);
    assert_eq!(which("1,all_or_absent"), Occurrence::All);
    assert_eq!(which("1,or_absent"), Occurrence::AnyOrNone);
    assert_eq!(which("1,-1"), Occurrence::At(-1));
    assert_eq!(which("1,oob_or -2"), Occurrence::AtOrBeyond(-2));
    assert_eq!(which("1,all,-4:2"), Occurrence::Part(-4, 2, Box::new(Occurrence::AllOfSome)));
    let more = NumRange::new(4, u64::from(u32::MAX), false);
    assert_eq!(which("1,nb>3"), Occurrence::Count(more));
    assert_eq!(read("dns.rrtype", "count >3").unwrap(), (FieldTest::Present, Occurrence::Count(more)));
    for (value, message) in [
        ("1,some", "`some` is not a number"),
        ("1,all 2", "nothing stands behind `all`"),
        ("1,any,2", "expected two places with a colon between"),
        ("1,oob_or", "a number is missing here"),
    ] {
        assert_eq!(read("dns.rrtype", value).unwrap_err().message, message, "{value}");
    }
}

#[test]
fn an_interface_has_a_version_and_fragments() {
    let (test, _) = read("dcerpc.iface", "00020400-0000-0000-c000-000000000046,>1,any_frag").unwrap();
    let FieldTest::Interface { uuid, version: Some(version), any_fragment: true } = test else {
        panic!("{test:?}")
    };
    assert!(uuid[1] == 2 && uuid[15] == 0x46 && version.contains(2) && !version.contains(1));
}

#[test]
fn what_cannot_be_is_told_with_its_place() {
    let table = [
        ("dns.rcode", "nxdomian", "`nxdomian` is not a number", "nxdomian"),
        ("mqtt.qos", "3", "at most 2 fits here", "3"),
        ("mqtt.flags", "dup,foo", "`foo` is not known here", "foo"),
        ("mqtt.flags", "dup,!dup", "a flag cannot be set and clear", "dup,!dup"),
        ("dns.rrtype", "1,x", "`x` is not a number", "x"),
        ("ftpbounce", "1", "`ftpbounce` takes no value", "1"),
        ("ntp.mode", "", "`ntp.mode` needs a value", ""),
        ("tls_cert_notafter", "<soon", "expected a date", "soon"),
        ("dcerpc.iface", "1-2", "expected a UUID", "1-2"),
        ("dcerpc.opnum", "9-3", "a range goes from the lower to the higher number", "9-3"),
        ("krb5.ticket_encryption", "rc4-hmak", "`rc4-hmak` is not a number", "rc4-hmak"),
        ("http2.settings", "SETTINGS_PUSH >1", "`SETTINGS_PUSH` is no setting of HTTP/2", "SETTINGS_PUSH"),
        ("filename", "\"x", "this quote is never closed", "\"x"),
    ];
    for (name, value, message, place) in table {
        let fault = read(name, value).unwrap_err();
        assert_eq!((fault.message.as_str(), &value[fault.span.range()]), (message, place), "{name}:{value}");
    }
}

#[test]
fn any_of_some_words_will_do_and_a_negated_one_leaves_the_others() {
    let holds = |value: &str| {
        let (test, _) = read("ssl_version", value).unwrap();
        (0..6).filter(|version| test.holds_for(*version)).collect::<Vec<_>>()
    };
    assert_eq!(holds("tls1.0,tls1.1"), [2, 3]);
    assert_eq!(holds("!sslv3"), [0, 2, 3, 4, 5]);
    assert_eq!(holds("!tls1.3,tls1.2"), [0, 1, 2, 3, 4]);
}

#[test]
fn a_fingerprint_is_the_same_in_any_case() {
    let (test, _) = read("tls.fingerprint", "!\"4A:a3\"").unwrap();
    assert_eq!(test, FieldTest::Text { text: b"4a:a3".as_slice().into(), negated: true });
}

#[test]
fn a_service_of_cip_may_be_of_any_class_that_is_not_named() {
    let service = |class, attribute| cip_value(16, class, attribute);
    let of = |value, number| holds("cip_service", value, number);
    assert!(of("16", service(None, None)) && of("16", service(Some(1), Some(2))));
    assert!(!of("75", service(None, None)));
    assert!(of("16,246", service(Some(246), Some(1))) && !of("16,246", service(None, None)));
    assert!(of("16,246,0", service(Some(246), Some(0))) && !of("16,246,0", service(Some(246), None)));
    assert!(read("cip_service", "1,2,3,4").is_err() && read("cip_service", "128").is_err());
}

#[test]
fn attributes_of_an_association_are_compared_by_name() {
    use super::ike::{GROUP, HASH, attribute_value};
    let hash = |value| attribute_value(HASH, value);
    let table: &[(&str, &[u64], &[u64])] = &[
        ("alg_hash=2", &[hash(2)], &[hash(1), attribute_value(GROUP, 2)]),
        ("alg_hash 2", &[hash(2)], &[hash(1)]),
        ("alg_hash>2", &[hash(3), hash(u32::MAX)], &[hash(2), attribute_value(GROUP, 9)]),
        ("alg_hash!=2", &[hash(0), hash(3)], &[hash(2), attribute_value(GROUP, 1)]),
        ("alg_hash!=0", &[hash(1)], &[hash(0)]),
        ("alg_hash&0x6=0x2", &[hash(2), hash(3)], &[hash(4), hash(6), attribute_value(GROUP, 2)]),
        ("ALG_HASH = 1-4", &[hash(2), hash(3)], &[hash(1), hash(4)]),
    ];
    for (value, pass, fail) in table {
        pass.iter().for_each(|number| assert!(holds("ike.chosen_sa_attribute", value, *number), "{value}"));
        fail.iter().for_each(|number| assert!(!holds("ike.chosen_sa_attribute", value, *number), "{value}"));
    }
    let fault = |value| read("ike.chosen_sa_attribute", value).unwrap_err().message;
    assert_eq!(fault("alg_hsah=2"), "`alg_hsah` is no attribute of a security association");
    assert_eq!(fault("alg_hash"), "a number is missing here");
    assert_eq!(fault("alg_hash&2"), "a mask is followed by `=` and the bits that must be left");
}
