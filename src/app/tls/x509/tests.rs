use super::*;

/// An element of DER.
pub(in super::super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let mut out = vec![tag];
    match value.len() {
        len @ 0..=127 => out.push(len as u8),
        len => out.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend(value);
    out
}

fn attribute(id: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    element(tag::SET, &[&element(tag::SEQUENCE, &[&element(tag::OID, &[id]), &element(tag, &[value])])])
}

const UTF8: u8 = 0x0c;
const T61: u8 = 0x14;

pub(in super::super) fn certificate(issuer: &[u8], subject: &[u8], extensions: &[u8]) -> Vec<u8> {
    let validity = [element(tag::UTC_TIME, &[b"160427124200Z"]), element(tag::UTC_TIME, &[b"500101000000Z"])];
    let signed = element(
        tag::SEQUENCE,
        &[
            &element(tag::context(0), &[&element(tag::INTEGER, &[&[2]])]),
            &element(tag::INTEGER, &[&[0, 0xe7, 0xf9]]),
            &element(tag::SEQUENCE, &[]),
            &element(tag::SEQUENCE, &[issuer]),
            &element(tag::SEQUENCE, &[&validity.concat()]),
            &element(tag::SEQUENCE, &[subject]),
            &element(tag::SEQUENCE, &[]),
            extensions,
        ],
    );
    element(tag::SEQUENCE, &[&signed, &element(tag::SEQUENCE, &[]), &element(0x03, &[&[0]])])
}

/// Names it also stands for.
pub(in super::super) fn alternatives(names: &[(u8, &[u8])]) -> Vec<u8> {
    let names: Vec<u8> = names.iter().flat_map(|(tag, name)| element(*tag, &[name])).collect();
    let value = element(tag::OCTETS, &[&element(tag::SEQUENCE, &[&names])]);
    let critical = element(tag::BOOLEAN, &[&[0xff]]);
    let one = element(tag::SEQUENCE, &[&element(tag::OID, &[SUBJECT_ALT_NAME]), &critical, &value]);
    element(tag::context(3), &[&element(tag::SEQUENCE, &[&one])])
}

pub(in super::super) fn common_name(name: &[u8]) -> Vec<u8> {
    attribute(&[0x55, 4, 3], UTF8, name)
}

fn text(name: Option<Name<'_>>) -> String {
    let mut out = Vec::new();
    name.unwrap().write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn a_certificate_is_read() {
    let issuer = [attribute(&[0x55, 4, 6], 0x13, b"US"), attribute(&[0x55, 4, 10], UTF8, b"Let's Encrypt")];
    let names: &[(u8, &[u8])] =
        &[(DNS, b"*.example.com"), (IP, &[10, 0, 0, 1]), (URI, b"urn:x"), (0xa4, b"")];
    let bytes = certificate(&issuer.concat(), &common_name(b"example.com"), &alternatives(names));
    let found = Certificate::read(&bytes);
    assert_eq!(found.fault, None);
    assert_eq!(found.serial, Some(&[0, 0xe7, 0xf9][..]));
    assert_eq!(text(found.issuer), "C=US, O=Let's Encrypt");
    assert_eq!(text(found.subject), "CN=example.com");
    assert_eq!(found.not_before, Some(1_461_760_920));
    assert_eq!(found.not_after, Some(-631_152_000), "years from 50 on are of the last century");
    let mut out = Vec::new();
    found.alternatives().for_each(|name| {
        name.write(&mut out);
        out.push(b' ');
    });
    assert_eq!(out, b"*.example.com 10.0.0.1 urn:x ");
}

#[test]
fn names_keep_their_order_and_unknown_types_their_numbers() {
    let pair = [(&[0x55, 4, 11][..], "a"), (&[0x55, 4, 5][..], "1")].map(|(id, value)| {
        element(tag::SEQUENCE, &[&element(tag::OID, &[id]), &element(UTF8, &[value.as_bytes()])])
    });
    let several = element(tag::SET, &[&pair.concat()]);
    let subject = [
        several,
        attribute(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], 0x16, b"root@here"),
        attribute(&[0x2a, 0x83, 0x04], UTF8, b"x"),
        attribute(&[0x55, 4, 3], tag::BMP_STRING, &[0, b'A', 0x20, 0xac]),
        attribute(&[0x55, 4, 3], tag::INTEGER, &[0xab, 1]),
        attribute(&[0x55, 4, 3], T61, b"caf\xe9"),
    ];
    let bytes = certificate(&[], &subject.concat(), &[]);
    let mut out = Vec::new();
    Certificate::read(&bytes).subject.unwrap().write(&mut out);
    let expected: &[u8] =
        "OU=a + serialNumber=1, Email=root@here, OID(1.2.388)=x, CN=A\u{20ac}, CN=AB01, CN=caf".as_bytes();
    assert_eq!(out, [expected, b"\xe9"].concat());
    assert_eq!(text(Certificate::read(&bytes).issuer), "", "a name may be empty");
}

#[test]
fn what_stands_before_a_fault_is_read() {
    let whole = certificate(&common_name(b"issuer"), &common_name(b"subject"), &alternatives(&[(DNS, b"a")]));
    assert_eq!(Certificate::read(&whole[..40]).fault, Some(Fault::Length));
    assert_eq!(Certificate::read(&[]).fault, Some(Fault::Certificate));
    assert_eq!(
        Certificate::read(&[0x30, 6, 0x30, 0x84, 255, 255, 255, 250, 4]).fault,
        Some(Fault::Certificate)
    );
    let mut broken = certificate(&common_name(b"issuer"), &common_name(b"subject"), b"\xa3\x7f\0");
    let found = Certificate::read(&broken);
    assert_eq!(found.fault, Some(Fault::Extensions));
    assert_eq!(text(found.subject), "CN=subject");
    let at = broken.windows(6).position(|w| w == b"160427").unwrap();
    broken[at] = b'x';
    let found = Certificate::read(&broken);
    assert_eq!((found.not_before, found.not_after), (None, Some(-631_152_000)));
}

#[test]
fn times_are_read_as_peers_read_them() {
    let read = |tag, value: &[u8]| time::seconds(Tlv { tag, value });
    assert_eq!(read(tag::UTC_TIME, b"700101000000Z"), Some(0));
    assert_eq!(read(tag::UTC_TIME, b"7001010000Z"), Some(0), "without seconds");
    assert_eq!(read(tag::UTC_TIME, b"700101010000+0100"), Some(0));
    assert_eq!(read(tag::GENERALIZED_TIME, b"20380119031408Z"), Some(1 << 31));
    assert_eq!(read(tag::GENERALIZED_TIME, b"20380119031408.5Z"), Some(1 << 31));
    assert_eq!(read(tag::GENERALIZED_TIME, b"99991231235959Z"), Some(253_402_300_799));
    assert_eq!(read(tag::UTC_TIME, b"701301000000Z"), None);
    assert_eq!(read(tag::UTC_TIME, b""), None);
    assert_eq!(read(tag::INTEGER, b"700101000000Z"), None);
}

#[test]
fn times_are_written_as_they_were_read() {
    for seconds in [0, 951_782_399, 951_782_400, 1_461_760_920, -631_152_000, 253_402_300_799, 4_107_542_400]
    {
        let mut out = Vec::new();
        write_time(seconds, &mut out);
        let digits: Vec<u8> = out.iter().copied().filter(u8::is_ascii_digit).collect();
        let read = time::seconds(Tlv { tag: tag::GENERALIZED_TIME, value: &digits });
        assert_eq!(read, Some(seconds), "{}", String::from_utf8_lossy(&out));
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(at in 0usize..200, byte: u8, cut in 0usize..200) {
        let mut bytes = certificate(&common_name(b"issuer"), &common_name(b"subject"), &alternatives(&[(DNS, b"a")]));
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(cut);
        let found = Certificate::read(&bytes);
        let mut out = Vec::new();
        [found.subject, found.issuer].into_iter().flatten().for_each(|name| name.write(&mut out));
        found.alternatives().for_each(|name| name.write(&mut out));
    }
}
