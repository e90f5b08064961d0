use super::*;
use crate::rules::pcre;
use crate::rules::transform::{Base64, Base64Mode};
use proptest::prelude::*;
use std::sync::Arc;

fn made(chain: Vec<Transform>, bytes: &[u8]) -> Vec<u8> {
    let chains = [Box::default(), chain.into()];
    let mut bench = Bench::new(&chains);
    bench.run(1, &chains[1], bytes)
}

fn text(transform: Transform, from: &str) -> String {
    String::from_utf8_lossy(&made(vec![transform], from.as_bytes())).into_owned()
}

fn captured(expression: &str) -> Transform {
    let regex = pcre::compile_with_groups(expression).unwrap_or_else(|e| panic!("{}", e.message));
    Transform::Capture { expression: Arc::from(expression), regex: Arc::new(regex) }
}

#[test]
fn each_does_what_suricata_documents() {
    use Transform::*;
    let cases = [
        (DotPrefix, "hello.google.com", ".hello.google.com"),
        (ToLowercase, "This Is", "this is"),
        (ToUppercase, "This Is", "THIS IS"),
        (StripWhitespace, "window . navigate\t(\r\n", "window.navigate("),
        (CompressWhitespace, "a  b\r\n\t c ", "a b c "),
        (UrlDecode, "a%41+%2f%zz%4", "aA /%zz%4"),
        (HeaderLowercase, "User-Agent: Big\r\nHoST: X:Y\r\n", "user-agent: Big\r\nhost: X:Y\r\n"),
        (HeaderLowercase, ":Method: GET\r\n", ":method: GET\r\n"),
        (StripPseudoHeaders, ":method: GET\r\nhost: a\r\n:path: /", "host: a\r\n"),
        (Domain, "www.example.co.uk", "example.co.uk"),
        (Domain, "suricata.io", "suricata.io"),
        (Domain, "co.uk", "co.uk"),
        (Domain, "", ""),
        (PublicSuffix, "www.example.co.uk", "co.uk"),
        (PublicSuffix, "suricata.io", "io"),
        (PublicSuffix, "", ""),
        (captured(r"get\?data=(.*)"), "get?data=abc", "abc"),
        (captured(r"(?=g)get\?data=(.*)"), "get?data=abc", "abc"),
        (captured(r"get\?data=(.*)"), "post", "post"),
        (FromBase64(Base64 { offset: 6, ..Base64::default() }), "value=dGVzdA==", "test"),
        (FromBase64(Base64 { bytes: Some(4), ..Base64::default() }), "dGVzdA==", "tes"),
        (FromBase64(Base64 { mode: Base64Mode::Strict, ..Base64::default() }), "dG!zdA==", "dG!zdA=="),
    ];
    for (transform, from, to) in cases {
        let name = format!("{transform:?}");
        assert_eq!(text(transform, from), to, "{name} of {from:?}");
    }
}

#[test]
fn hashes_are_those_of_the_standards() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(hex(made(vec![Transform::ToMd5], b"abc")), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(hex(made(vec![Transform::ToSha1], b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex(made(vec![Transform::ToSha256], b"abc")), sha256);
}

#[test]
fn a_key_is_given_or_taken_from_the_buffer() {
    let given = |key: &[u8], offset| Transform::Xor(XorKey { key: Key::Given(key.into()), offset });
    assert_eq!(made(vec![given(b"\x20", 0)], b"ABC"), b"abc");
    assert_eq!(made(vec![given(b"\x20\x00", 1)], b"ABCDE"), b"AbCdE");
    assert_eq!(made(vec![given(b"\x20", 9)], b"ABC"), b"ABC");
    let taken = |length, at, offset| Transform::Xor(XorKey { key: Key::Extracted { length, at }, offset });
    assert_eq!(made(vec![taken(1, 0, 1)], b"\x20ABC"), b"\x20abc");
    assert_eq!(made(vec![taken(1, 200, 0)], b"ABC"), b"ABC");
}

#[test]
fn parts_are_counted_from_either_end() {
    let part = |offset, bytes, truncate| {
        let slice = Transform::Subslice(Subslice { offset, bytes, truncate });
        String::from_utf8(made(vec![slice], b"curl/7.64.1")).unwrap()
    };
    assert_eq!(part(5, None, false), "7.64.1");
    assert_eq!(part(0, Some(-6), true), "curl/");
    assert_eq!(part(0, Some(-8), true), "cur");
    assert_eq!(part(-11, Some(-6), true), "curl/");
    assert_eq!(part(0, Some(-30), true), "");
    assert_eq!(part(-20, Some(-30), true), "");
    assert_eq!(part(0, Some(-30), false), "", "it would end before it begins");
    assert_eq!(part(-6, Some(4), false), "7.64");
    assert_eq!(part(3, Some(99), false), "curl/7.64.1");
}

#[test]
fn packed_buffers_are_unpacked_as_far_as_the_bound() {
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(b"This is compressed", 6);
    let zlib = |max| Transform::Inflate { kind: Inflate::Zlib, max };
    assert_eq!(made(vec![zlib(1024)], &packed), b"This is compressed");
    assert_eq!(made(vec![zlib(8)], &packed), b"This is ");
    assert_eq!(made(vec![zlib(8)], b"nonsense"), b"");
    let mut gzip = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03name\0".to_vec();
    gzip.extend(miniz_oxide::deflate::compress_to_vec(b"inner", 6));
    assert_eq!(made(vec![Transform::Inflate { kind: Inflate::Gzip, max: 99 }], &gzip), b"inner");
}

#[test]
fn a_chain_runs_in_order_and_its_memory_is_used_again() {
    let chains = [Box::default(), Box::from([Transform::StripWhitespace, Transform::DotPrefix])];
    let mut bench = Bench::new(&chains);
    for _ in 0..3 {
        let made = bench.run(1, &chains[1], b"a b");
        assert_eq!((made.as_slice(), made.capacity()), (&b".ab"[..], MAX_BYTES));
        bench.put_back(made);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_transformation_panic_or_grow(
        bytes in prop::collection::vec(any::<u8>(), 0..200), offset: i32, length: i32, truncate: bool,
        key in prop::collection::vec(any::<u8>(), 1..4), at in 0u32..300,
    ) {
        use Transform::*;
        let all = vec![
            DotPrefix, ToLowercase, ToUppercase, StripWhitespace, CompressWhitespace, UrlDecode, HeaderLowercase,
            StripPseudoHeaders, Xor(XorKey { key: Key::Given(key.into()), offset: at }),
            Xor(XorKey { key: Key::Extracted { length: 3, at }, offset: 1 }),
            Subslice(super::Subslice { offset, bytes: Some(length), truncate }),
            Inflate { kind: super::Inflate::Zlib, max: 100 }, Inflate { kind: super::Inflate::Gzip, max: 100 },
            FromBase64(Base64 { offset: at, ..Base64::default() }), captured("(.)"), ToMd5,
        ];
        for transform in all {
            prop_assert!(made(vec![transform], &bytes).len() <= bytes.len().max(100) + 1);
        }
    }
}
