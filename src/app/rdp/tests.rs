use super::*;
use crate::app::NoteRef;
use crate::app::Probe;
use crate::app::entry::Entry;
use crate::app::fixture::Bench;
use crate::base::Dir::{ToClient, ToServer};
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Rdp, Box::<Rdp>::default())
}

fn tpkt(x224: &[u8]) -> Vec<u8> {
    let len = (x224.len() as u16 + 4).to_be_bytes();
    [&[3, 0, len[0], len[1]], x224].concat()
}

/// A request or a confirmation of X.224.
fn opening(kind: u8, variable: &[u8]) -> Vec<u8> {
    tpkt(&[&[variable.len() as u8 + 6, kind, 0, 0, 0, 0, 0], variable].concat())
}

fn request() -> Vec<u8> {
    opening(CONNECTION_REQUEST, b"Cookie: mstshash=alice\r\n\x01\x09\x08\0\x03\0\0\0")
}

fn confirm(kind: u8, flags: u8, value: u8) -> Vec<u8> {
    opening(CONNECTION_CONFIRM, &[kind, flags, 8, 0, value, 0, 0, 0])
}

fn octets(data: &[u8]) -> Vec<u8> {
    let len = (data.len() as u16).to_be_bytes();
    [&[4, 0x82, len[0], len[1]], data].concat()
}

fn utf16(text: &str, len: usize) -> Vec<u8> {
    let mut out: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    out.resize(len, 0);
    out
}

fn block(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(data.len() as u16 + 4).to_le_bytes(), data].concat()
}

/// Windows 7's, as far as the connection's kind.
fn core() -> Vec<u8> {
    let numbers: Vec<u8> = [
        &0x0008_0004u32.to_le_bytes()[..],
        &1024u16.to_le_bytes(),
        &768u16.to_le_bytes(),
        &0xca01u16.to_le_bytes(),
        &0xaa03u16.to_le_bytes(),
        &0x0407u32.to_le_bytes(),
        &7601u32.to_le_bytes(),
        &utf16("DESK-1", 32),
        &4u32.to_le_bytes(),
        &0u32.to_le_bytes(),
        &12u32.to_le_bytes(),
        &utf16("", 64),
        &0xca01u16.to_le_bytes(),
        &1u16.to_le_bytes(),
        &0u32.to_le_bytes(),
        &24u16.to_le_bytes(),
        &7u16.to_le_bytes(),
        &0x21u16.to_le_bytes(),
        &utf16("00000-OEM", 64),
        &[6, 0],
    ]
    .concat();
    numbers
}

fn connect_request() -> Vec<u8> {
    let channels = [&2u32.to_le_bytes()[..], b"rdpdr\0\0\0\0\0\0\x80", b"cliprdr\0\0\0\0\xc0"].concat();
    let blocks = [block(0xc001, &core()), block(0xc003, &channels)].concat();
    let len = (blocks.len() as u16 | 0x8000).to_be_bytes();
    let gcc = [b"\0\x05\0\x14\x7c\0\x01\x81\0\0\x08\0\x10\0\x01\xc0\0Duca", &len[..], &blocks].concat();
    let fields = [b"\x04\x01\x01\x04\x01\x01\x01\x01\xff\x30\0\x30\0\x30\0", &octets(&gcc)[..]].concat();
    let len = (fields.len() as u16).to_be_bytes();
    tpkt(&[DATA_HEADER, &[0x7f, 0x65, 0x82, len[0], len[1]], &fields].concat())
}

fn connect_response() -> Vec<u8> {
    tpkt(&[DATA_HEADER, &[0x7f, 0x66, 3, 10, 1, 0]].concat())
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    [&[kind, 3, 3, len[0], len[1]], payload].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&[kind, len[1], len[2], len[3]], body].concat()
}

/// A chain of one certificate, its serial number 0x16ed.
fn certificate() -> Vec<u8> {
    let certificate = b"\x30\x0d\x30\x0b\xa0\x03\x02\x01\x02\x02\x02\x16\xed\x30\0";
    let len = certificate.len() as u8;
    handshake(11, &[&[0, 0, len + 3, 0, 0, len], &certificate[..]].concat())
}

type Talk = Vec<(Dir, Vec<u8>)>;

fn without_tls() -> Talk {
    vec![
        (ToServer, request()),
        (ToClient, confirm(2, 1, 0)),
        (ToServer, connect_request()),
        (ToClient, connect_response()),
    ]
}

fn with_tls() -> Talk {
    let flight = [handshake(2, &[7; 50]), certificate(), handshake(14, &[])].concat();
    let (first, second) = flight.split_at(40);
    vec![
        (ToServer, request()),
        (ToClient, confirm(2, 0x1f, 2)),
        (ToServer, record(22, &handshake(1, &[1; 80]))),
        (ToClient, [record(22, first), record(22, second)].concat()),
    ]
}

fn talk(talk: &Talk, size: usize) -> (Bench, Next) {
    let mut bench = bench();
    let next = talk.iter().map(|(dir, bytes)| bench.pieces(*dir, bytes, size)).last();
    (bench, next.unwrap())
}

/// A transaction's notes, as `name=value`.
fn notes(bench: &Bench, tx: usize) -> Vec<String> {
    let tx = bench.transactions.iter().nth(tx).unwrap();
    let text = |value: NoteRef<'_>| match value {
        NoteRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    tx.notes().map(|(name, value)| format!("{name}={}", text(value))).collect()
}

fn told(bench: &Bench) -> Vec<Vec<String>> {
    (0..bench.transactions.len()).map(|tx| notes(bench, tx)).collect()
}

#[test]
fn the_way_without_tls_has_four_steps() {
    for size in [1, 5, 10_000] {
        let (bench, next) = talk(&without_tls(), size);
        assert_eq!((next, bench.transactions.len()), (Next::Stop, 4), "in pieces of {size}");
        assert_eq!(bench.texts(2, "rdp.pdu").len(), 1);
        for tx in 0..4 {
            assert!(bench.complete(tx, ToServer) && bench.complete(tx, ToClient));
        }
        let told = told(&bench);
        assert_eq!(
            told[0],
            [
                "tx_id=Number(0)",
                "event_type=initial_request",
                "cookie=alice",
                "flags[]=restricted_admin_mode_required",
                "flags[]=correlation_info_present"
            ]
        );
        assert_eq!(
            told[1],
            [
                "tx_id=Number(1)",
                "event_type=initial_response",
                "server_supports[]=extended_client_data",
                "protocol=rdp"
            ]
        );
        assert_eq!(told[2], CLIENT);
        assert_eq!(told[3], ["tx_id=Number(3)", "event_type=connect_response"]);
    }
}

const CLIENT: [&str; 18] = [
    "tx_id=Number(2)",
    "event_type=connect_request",
    "client.version=v5",
    "client.desktop_width=Number(1024)",
    "client.desktop_height=Number(768)",
    "client.color_depth=Number(24)",
    "client.keyboard_layout=de-DE",
    "client.build=Windows 7 SP1",
    "client.client_name=DESK-1",
    "client.keyboard_type=enhanced",
    "client.function_keys=Number(12)",
    "client.product_id=Number(1)",
    "client.capabilities[]=support_errinfo_pdf",
    "client.capabilities[]=valid_connection_type",
    "client.id=00000-OEM",
    "client.connection_hint=lan",
    "channels[]=rdpdr",
    "channels[]=cliprdr",
];

#[test]
fn a_refusal_has_a_reason() {
    let (bench, _) = talk(&vec![(ToServer, request()), (ToClient, confirm(3, 0, 5))], 3);
    let expected = [
        "tx_id=Number(1)",
        "event_type=initial_response",
        "error_code=Number(5)",
        "reason=hybrid required by server",
    ];
    assert_eq!(notes(&bench, 1), expected);
}

#[test]
fn the_way_with_tls_ends_with_the_certificate() {
    for size in [1, 5, 10_000] {
        let (bench, next) = talk(&with_tls(), size);
        assert_eq!((next, bench.transactions.len()), (Next::Stop, 3), "in pieces of {size}");
        assert_eq!(notes(&bench, 1).last().map(String::as_str), Some("protocol=hybrid"));
        assert_eq!(notes(&bench, 2), ["tx_id=Number(2)", "event_type=tls_handshake", "x509_serials[]=16ed"]);
    }
}

#[test]
fn a_hidden_certificate_ends_it_as_well() {
    let mut hidden = with_tls();
    hidden[3].1 = [record(22, &handshake(2, &[7; 50])), record(20, &[1]), record(23, &[9; 90])].concat();
    let (bench, next) = talk(&hidden, 7);
    assert_eq!((next, bench.transactions.len()), (Next::Stop, 3));
}

fn probes(entry: &Entry, dir: Dir, bytes: &[u8]) -> Probe {
    (entry.probe)(dir, bytes)
}

#[test]
fn a_negotiation_proves_it_anywhere_and_an_old_client_on_the_port() {
    let old = opening(CONNECTION_REQUEST, b"");
    // As programmable controllers begin: parameters of X.224.
    let controller = opening(CONNECTION_REQUEST, b"\xc1\x02\x01\0\xc2\x02\x01\x02\xc0\x01\x0a");
    let table: &[(&[u8], Dir, Probe, Probe)] = &[
        (&request(), ToServer, Probe::Yes, Probe::Yes),
        (&request(), ToClient, Probe::Reversed, Probe::Reversed),
        (&confirm(2, 0, 1), ToClient, Probe::Yes, Probe::Yes),
        (&opening(CONNECTION_REQUEST, b"\x01\0\x08\0\x01\0\0\0"), ToServer, Probe::Yes, Probe::Yes),
        (&old, ToServer, Probe::No, Probe::Yes),
        (&controller, ToServer, Probe::No, Probe::Yes),
        (&request()[..9], ToServer, Probe::More, Probe::More),
        (b"\x03", ToServer, Probe::More, Probe::More),
        (b"", ToServer, Probe::More, Probe::More),
        (b"\x03\0\0\x05\x01\xe0", ToServer, Probe::No, Probe::No),
        (b"GET / HTTP/1.1", ToServer, Probe::No, Probe::No),
    ];
    for (bytes, dir, anywhere, on_port) in table {
        assert_eq!(probes(&ENTRY, *dir, bytes), *anywhere, "{bytes:?}");
        assert_eq!(probes(&PORT_ENTRY, *dir, bytes), *on_port, "{bytes:?}");
    }
}

#[test]
fn bytes_of_nothing_end_it_soon() {
    let mut bench = bench();
    let next =
        (0..10 << 20).step_by(1000).map(|_| bench.data(ToServer, &[0; 1000])).find(|n| *n != Next::More);
    assert_eq!(next, Some(Next::Broken));
    // Messages that are long and say nothing, one behind the other.
    let long = [&[TPKT, 0, 0xff, 0xff, 0, CONNECTION_REQUEST][..], &[b'x'; 0xfff9]].concat();
    for _ in 0..160 {
        bench.decoder.reset();
        bench.pieces(ToServer, &long, 9000);
    }
    assert!(bench.transactions.len() <= bench.limits.transactions);
    // Records of TLS whose handshake never ends.
    bench.decoder.reset();
    let endless = record(22, &[11, 0xff, 0xff, 0xff]);
    bench.data(ToClient, &endless);
    for _ in 0..1000 {
        assert_eq!(bench.data(ToClient, &record(22, &[0; 10_000])), Next::More);
    }
}

proptest! {
    #[test]
    fn no_cut_changes_anything(cuts in proptest::collection::vec(1usize..200, 1..40), tls in any::<bool>()) {
        let sample = if tls { with_tls() } else { without_tls() };
        let whole = format!("{:?}", told(&talk(&sample, 100_000).0));
        let mut bench = bench();
        let mut cuts = cuts.iter().cycle();
        for (dir, bytes) in &sample {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                bench.data(*dir, now);
                rest = later;
            }
        }
        prop_assert_eq!(format!("{:?}", told(&bench)), whole);
    }

    #[test]
    fn no_bytes_panic(damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..8), tls in any::<bool>()) {
        let mut sample = if tls { with_tls() } else { without_tls() };
        for (at, byte) in damage {
            let count = sample.len();
            let bytes = &mut sample[at % count].1;
            let len = bytes.len();
            bytes[(at >> 8) % len] = byte;
        }
        talk(&sample, 30);
    }
}
