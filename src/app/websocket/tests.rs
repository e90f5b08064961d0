use super::*;
use crate::app::fixture::Bench;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};
use proptest::prelude::*;

fn bench() -> Bench {
    Bench::new(AppProto::Websocket, Box::<Websocket>::default())
}

fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    let bit = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..126 => frame.push(bit | len as u8),
        len @ 126..0x1_0000 => {
            frame.push(bit | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(bit | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(mask.unwrap_or_default().iter().take(if mask.is_some() { 4 } else { 0 }));
    frame.extend(payload.iter().zip(mask.unwrap_or_default().iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

const KEY: Option<[u8; 4]> = Some([0x12, 0x34, 0x56, 0x78]);

#[test]
fn a_frame_is_a_transaction() {
    for size in [1, 3, 100] {
        let mut bench = bench();
        bench.pieces(Dir::ToServer, &frame(0x81, KEY, b"version,"), size);
        bench.pieces(Dir::ToClient, b"\x81\x15version,hybi-draft-13\x8a\0", size);
        assert_eq!(bench.text(0, "websocket.payload").as_deref(), Some("version,"));
        assert_eq!(bench.numbers(0, "websocket.mask"), [0x1234_5678]);
        assert_eq!(
            (bench.numbers(1, "websocket.opcode"), bench.numbers(1, "websocket.flags")),
            (vec![1], vec![0x80])
        );
        assert_eq!(bench.text(1, "websocket.data").as_deref(), Some("version,hybi-draft-13"));
        assert_eq!(bench.text(1, "websocket.header").as_deref(), Some("\u{fffd}\x15"));
        assert_eq!(bench.numbers(2, "websocket.opcode"), [10]);
    }
}

#[test]
fn a_message_in_fragments_with_a_ping_between() {
    let mut bench = bench();
    let bytes =
        [frame(0x01, KEY, b"MALWARE_"), frame(0x89, KEY, b"ping"), frame(0x80, KEY, b"DOWNLOAD")].concat();
    bench.pieces(Dir::ToServer, &bytes, 2);
    assert_eq!(bench.texts(0, "websocket.payload"), [""; 0]);
    assert_eq!(bench.texts(1, "websocket.payload"), ["ping"]);
    assert_eq!(bench.texts(2, "websocket.payload"), ["MALWARE_DOWNLOAD"]);
}

#[test]
fn a_message_that_never_ends_is_looked_at_in_the_end() {
    let mut bench = bench();
    bench.data(Dir::ToServer, &frame(0x01, KEY, b"begun"));
    bench.end(Dir::ToServer);
    assert_eq!(bench.texts(1, "websocket.payload"), ["begun"]);
}

fn deflated(messages: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut compressor = CompressorOxide::new(create_comp_flags_from_zip_params(6, 0, 0));
    let deflate = |message: &&[u8]| {
        let mut out = Vec::new();
        compress_to_output(&mut compressor, message, TDEFLFlush::Sync, |bytes| {
            out.extend_from_slice(bytes);
            true
        });
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len() - 4);
        out
    };
    messages.iter().map(deflate).collect()
}

#[test]
fn compressed_messages_refer_to_earlier_ones() {
    let messages =
        deflated(&[b"TOGGLE=0123456789abcdef", b"TOGGLE=0123456789abcdee", b"TOGGLE=0123456789abcdef!"]);
    assert!(messages[1].len() < 12, "it does refer");
    let mut bench = bench();
    for message in &messages {
        let (a, b) = message.split_at(3);
        bench.data(Dir::ToClient, &frame(0x41, None, a));
        bench.data(Dir::ToClient, &frame(0x80, None, b));
    }
    assert_eq!(bench.text(1, "websocket.payload").as_deref(), Some("TOGGLE=0123456789abcdef"));
    assert_eq!(bench.text(3, "websocket.payload").as_deref(), Some("TOGGLE=0123456789abcdee"));
    assert_eq!(bench.text(5, "websocket.payload").as_deref(), Some("TOGGLE=0123456789abcdef!"));
}

#[test]
fn a_bomb_is_bounded() {
    let bomb = deflated(&[&vec![0; 60_000_000]]).remove(0);
    let mut bench = bench();
    bench.data(Dir::ToClient, &frame(0xc1, None, &bomb));
    let tx = bench.transactions.iter().next().unwrap();
    let payload = tx.buffers(PAYLOAD).next().unwrap().1.len();
    assert_eq!(payload, MAX_PAYLOAD);
    assert!(bench.data(Dir::ToClient, &frame(0xc1, None, b"junk")) == Next::More);
}

#[test]
fn a_frame_longer_than_the_bound_is_cut_and_stepped_over() {
    let mut bench = bench();
    let bytes = [frame(0x82, None, &vec![b'x'; 300_000]), frame(0x81, None, b"next")].concat();
    bench.pieces(Dir::ToClient, &bytes, 1000);
    assert_eq!(bench.text(0, "websocket.payload").unwrap().len(), MAX_PAYLOAD);
    assert_eq!(bench.text(1, "websocket.payload").as_deref(), Some("next"));
    // One that promises more than there will ever be.
    bench.data(Dir::ToClient, &[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    for _ in 0..10_000 {
        bench.data(Dir::ToClient, &[0; 1000]);
    }
    assert_eq!(bench.transactions.len(), 2);
}

#[test]
fn a_gap_within_a_frame_is_survived() {
    let mut bench = bench();
    let bytes = frame(0x81, None, b"0123456789");
    bench.data(Dir::ToClient, &bytes[..5]);
    assert_eq!(bench.gap(Dir::ToClient, 7), Next::More);
    bench.data(Dir::ToClient, &frame(0x81, None, b"next"));
    assert_eq!(bench.text(1, "websocket.payload").as_deref(), Some("next"));
    assert_eq!(bench.gap(Dir::ToClient, 7), Next::Stop);
}

fn summary(bench: &Bench) -> Vec<String> {
    let items = |tx: &Transaction| {
        tx.items().iter().map(|item| format!("{item:?} {:?}", tx.bytes(item))).collect::<Vec<_>>()
    };
    bench.transactions.iter().flat_map(items).collect()
}

proptest! {
    #[test]
    fn any_cutting_finds_the_same_and_nothing_panics(frames in proptest::collection::vec((any::<u8>(), any::<Option<[u8; 4]>>(),
        proptest::collection::vec(any::<u8>(), 0..200)), 0..20), junk in proptest::collection::vec(any::<u8>(), 0..50), size in 1usize..20) {
        let mut bytes: Vec<u8> = frames.iter().flat_map(|(first, mask, payload)| frame(*first, *mask, payload)).collect();
        bytes.extend(junk);
        let (mut one, mut two) = (bench(), bench());
        one.data(Dir::ToServer, &bytes);
        two.pieces(Dir::ToServer, &bytes, size);
        prop_assert_eq!(summary(&one), summary(&two));
    }
}

#[test]
fn a_payload_beyond_what_is_kept_is_an_event() {
    let mut whole = bench();
    whole.data(Dir::ToServer, &frame(0x82, None, &[b'x'; MAX_PAYLOAD]));
    assert!(whole.events().is_empty());
    let mut long = bench();
    long.data(Dir::ToServer, &frame(0x82, None, &[b'x'; MAX_PAYLOAD + 1]));
    assert!(long.events().contains(&"websocket.skip_end_of_payload"));
    let mut parts = bench();
    parts.data(Dir::ToServer, &frame(0x02, None, &[b'x'; MAX_PAYLOAD]));
    assert!(parts.events().is_empty());
    parts.data(Dir::ToServer, &frame(0x80, None, b"more"));
    assert_eq!(parts.events(), ["websocket.reassembly_limit_reached"]);
}
