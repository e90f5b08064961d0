use super::decoder::Quic;
use super::keys::{self, Keys};
use super::probe;
use crate::app::fixture::Bench;
use crate::app::{Next, NoteRef, Probe};
use crate::base::Dir::{ToClient, ToServer};
use crate::rules::app::AppProto;
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Quic, Box::<Quic>::default())
}

/// The identifier of RFC 9001, appendix A.
const DESTINATION: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

fn vec16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn client_hello(name: &[u8]) -> Vec<u8> {
    let server_name = [&[0, 0][..], &vec16(&vec16(&[&[0][..], &vec16(name)].concat()))].concat();
    let versions = [0, 43, 0, 3, 2, 3, 4];
    let extensions = vec16(&[&server_name[..], &versions].concat());
    let body = [&[3, 3][..], &[1; 32], &[0, 0, 2, 0x13, 1, 1, 0], &extensions].concat();
    [&[1, 0][..], &vec16(&body)].concat()
}

fn server_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[2; 32], &[0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat();
    [&[2, 0][..], &vec16(&body)].concat()
}

fn crypto(offset: u16, data: &[u8]) -> Vec<u8> {
    let number = |n: u16| (n | 0x4000).to_be_bytes();
    [&[6][..], &number(offset), &number(data.len() as u16), data].concat()
}

/// A packet with these frames, padded as clients pad them.
fn initial(keys: &Keys, version: u32, number: u8, frames: &[u8]) -> Vec<u8> {
    initial_to(&DESTINATION, keys, version, number, frames)
}

fn initial_to(destination: &[u8; 8], keys: &Keys, version: u32, number: u8, frames: &[u8]) -> Vec<u8> {
    let first = if version == super::header::V2 { 0xd0 } else { 0xc0 };
    let mut frames = frames.to_vec();
    frames.resize(frames.len().max(1100), 0);
    let len = (1 + frames.len() + 16) as u16 | 0x4000;
    let header =
        [&[first][..], &version.to_be_bytes(), &[8], destination, &[0, 0], &len.to_be_bytes()].concat();
    keys.seal(&header, number, &frames)
}

#[test]
fn the_hellos_of_first_packets_are_read() {
    for (version, name) in [(1, "1"), (0x6b33_43cf, "2"), (0xff00_001d, "draft-29")] {
        let [client, server] = keys::derive(version, &DESTINATION).unwrap();
        let mut bench = bench();
        let packet = initial(&client, version, 0, &crypto(0, &client_hello(b"quic.here")));
        assert_eq!(probe(ToServer, &packet), Probe::Yes);
        assert_eq!(bench.data(ToServer, &packet), Next::More);
        assert_eq!(bench.texts(0, "quic.sni"), ["quic.here"]);
        assert_eq!(bench.texts(0, "ja3.string"), ["771,4865,0-43,,"]);
        assert!(bench.text(0, "ja4.hash").unwrap().starts_with("q13d010200_"));
        assert_eq!(bench.texts(0, "quic.version"), [name]);
        let answer = [&[2, 0, 0, 0, 0][..], &crypto(0, &server_hello())].concat();
        assert_eq!(bench.data(ToClient, &initial(&server, version, 0, &answer)), Next::Stop);
        assert_eq!(bench.texts(0, "ja3s.string"), ["771,4865,43"]);
        assert!(bench.events().is_empty(), "{:?}", bench.events());
        assert!(bench.complete(0, ToServer) && bench.complete(0, ToClient));
        assert_eq!(bench.texts(0, "quic.pdu").len(), 2);
    }
}

#[test]
fn a_record_names_the_clients_extensions() {
    let [client, _] = keys::derive(1, &DESTINATION).unwrap();
    let mut bench = bench();
    bench.data(ToServer, &initial(&client, 1, 0, &crypto(0, &client_hello(b"quic.here"))));
    let tx = bench.transactions.iter().next().unwrap();
    let notes: Vec<String> = tx
        .notes()
        .filter(|(name, _)| name.starts_with("extensions"))
        .map(|(name, value)| match value {
            NoteRef::Number(number) => format!("{name} {number}"),
            NoteRef::Text(text) => format!("{name} {}", String::from_utf8_lossy(text)),
            _ => name.to_owned(),
        })
        .collect();
    let expected = [
        "extensions[]",
        "extensions[].name server_name",
        "extensions[].type 0",
        "extensions[].values[] quic.here",
        "extensions[]",
        "extensions[].name supported_versions",
        "extensions[].type 43",
    ];
    assert_eq!(notes, expected);
}

/// RFC 9001, appendix A.3.
#[test]
fn the_example_of_the_rfc_is_opened() {
    let hex = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f\
               5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795\
               d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";
    let packet: Vec<u8> = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let [client, _] = keys::derive(1, &DESTINATION).unwrap();
    let mut bench = bench();
    bench.data(ToServer, &initial(&client, 1, 0, &crypto(0, &client_hello(b"a"))));
    assert_eq!(bench.data(ToClient, &packet), Next::Stop);
    assert_eq!(bench.texts(0, "ja3s.string"), ["771,4865,51-43"]);
}

#[test]
fn a_hello_comes_in_pieces_of_any_order() {
    let [client, _] = keys::derive(1, &DESTINATION).unwrap();
    let hello = client_hello(b"pieces.here");
    let mut bench = bench();
    let second = [crypto(40, &hello[40..]), crypto(10, &hello[10..20])].concat();
    bench.data(ToServer, &initial(&client, 1, 0, &second));
    assert!(bench.texts(0, "quic.sni").is_empty());
    let first = [crypto(15, &hello[15..45]), vec![1], crypto(0, &hello[..12])].concat();
    bench.data(ToServer, &initial(&client, 1, 1, &first));
    assert_eq!(bench.texts(0, "quic.sni"), ["pieces.here"]);
    assert!(bench.events().is_empty(), "{:?}", bench.events());
}

#[test]
fn after_a_retry_the_keys_are_new() {
    let [client, _] = keys::derive(1, b"otherone").unwrap();
    let mut bench = bench();
    let [first, _] = keys::derive(1, &DESTINATION).unwrap();
    bench.data(ToServer, &initial(&first, 1, 0, &crypto(0, &client_hello(b"a")[..20])));
    bench.data(ToClient, &[&[0xf0, 0, 0, 0, 1, 0, 8][..], b"otherone", &[0; 40]].concat());
    bench.data(ToServer, &initial_to(b"otherone", &client, 1, 1, &crypto(0, &client_hello(b"again"))));
    assert_eq!(bench.texts(0, "quic.sni"), ["again"]);
    assert!(bench.events().is_empty(), "{:?}", bench.events());
}

#[test]
fn what_cannot_be_read_is_an_event() {
    let [client, _] = keys::derive(1, &DESTINATION).unwrap();
    let cases: &[(&str, Vec<u8>)] = &[
        ("quic.error_on_data", vec![0x77]),
        ("quic.error_on_data", crypto(0, &[5, 0, 0, 0])),
        ("quic.crypto_frag_too_long", [&[6, 0x80, 1, 0, 0, 4][..], b"abcd"].concat()),
    ];
    for (event, frames) in cases {
        let mut bench = bench();
        bench.data(ToServer, &initial(&client, 1, 0, frames));
        assert_eq!(bench.events(), [*event]);
    }
    let mut bench = bench();
    let mut packet = initial(&client, 1, 0, &[]);
    *packet.last_mut().unwrap() ^= 1;
    bench.data(ToServer, &packet);
    assert_eq!(bench.events(), ["quic.failed_decrypt"]);
    let known = crate::rules::event::of("quic").unwrap();
    assert!(cases.iter().all(|(event, _)| known.contains(&&event["quic.".len()..])));
}

fn google_hello(version: &[u8; 4]) -> Vec<u8> {
    let values: [(&[u8; 4], &[u8]); 3] = [(b"PAD\0", b"--"), (b"SNI\0", b"g.here"), (b"UAID", b"Chrome")];
    let mut chlo = [&b"CHLO"[..], &[3, 0, 0, 0]].concat();
    let mut end = 0u32;
    for (tag, value) in values {
        end += value.len() as u32;
        chlo.extend([&tag[..], &end.to_le_bytes()].concat());
    }
    values.iter().for_each(|(_, value)| chlo.extend(*value));
    let frame = [&[0xa0, 1][..], &vec16(&chlo), &[0; 12]].concat();
    let header = match version {
        b"Q046" => [&[0xc3][..], version, &[0x50], &[7; 8], &[0, 0, 0, 1]].concat(),
        _ => [&[0x09][..], &[7; 8], version, &[1]].concat(),
    };
    [header, vec![9; 12], frame].concat()
}

#[test]
fn google_says_more_in_the_clear() {
    for version in [b"Q043", b"Q046"] {
        let packet = google_hello(version);
        assert_eq!(probe(ToServer, &packet), Probe::Yes);
        let mut bench = bench();
        assert_eq!(bench.data(ToServer, &packet), Next::Stop);
        assert_eq!(bench.texts(0, "quic.sni"), ["g.here"]);
        assert_eq!(bench.texts(0, "quic.ua"), ["Chrome"]);
        assert_eq!(bench.texts(0, "quic.version"), [str::from_utf8(version).unwrap()]);
        let number = str::from_utf8(&version[2..]).unwrap();
        assert_eq!(bench.texts(0, "quic.cyu.string"), [format!("{number},PAD-SNI-UAID")]);
        assert_eq!(bench.text(0, "quic.cyu.hash").unwrap().len(), 32);
    }
}

#[test]
fn other_datagrams_prove_nothing() {
    for other in [&b""[..], b"\x80", &[0xc0; 40], b"\xc0\0\0\0\x01\xff", b"GET / HTTP/1.1", &[0x09; 30]] {
        assert_eq!(probe(ToServer, other), Probe::No);
    }
}

#[test]
fn a_session_without_hellos_ends() {
    let mut bench = bench();
    let sessions = (0..100).map(|_| bench.data(ToServer, &[0x40; 1200])).position(|next| next == Next::Stop);
    assert_eq!(sessions, Some(64));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        frames in prop::collection::vec(any::<u8>(), 0..200),
        flips in prop::collection::vec((0usize..1200, any::<u8>()), 0..4),
        google: bool,
    ) {
        let [client, _] = keys::derive(1, &DESTINATION).unwrap();
        let mut packet = if google { google_hello(b"Q046") } else { initial(&client, 1, 0, &frames) };
        for (at, byte) in flips {
            let at = at % packet.len();
            packet[at] = byte;
        }
        let mut bench = bench();
        bench.data(ToServer, &packet);
        bench.data(ToClient, &packet);
    }

    #[test]
    fn pieces_in_any_order_make_the_same_stream(cuts in prop::collection::vec((0u16..120, 1u16..60), 1..12)) {
        let [client, _] = keys::derive(1, &DESTINATION).unwrap();
        let hello = client_hello(b"a.name.that.is.long.enough.to.be.cut.into.many.pieces.org");
        let mut frames: Vec<u8> = cuts
            .iter()
            .flat_map(|(at, len)| {
                let from = usize::from(*at).min(hello.len());
                crypto(from as u16, &hello[from..(from + usize::from(*len)).min(hello.len())])
            })
            .collect();
        frames.extend(crypto(0, &hello));
        let mut bench = bench();
        bench.data(ToServer, &initial(&client, 1, 0, &frames));
        prop_assert_eq!(bench.texts(0, "quic.sni").len(), 1);
    }
}
