//! Codings, whole and in pieces, true to their name and not.

use super::coding::{Coding, Layer};
use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

fn decoded(coding: Coding, input: &[u8], size: usize) -> (Vec<u8>, bool) {
    let (mut layer, mut body) = (Layer::new(coding), Vec::new());
    let mut out = |bytes: &[u8]| {
        body.extend_from_slice(bytes);
        true
    };
    for piece in input.chunks(size) {
        assert!(layer.write(piece, &mut out));
    }
    assert!(layer.finish(&mut out));
    (body, layer.failed)
}

fn text() -> Vec<u8> {
    (0..2000_u32).flat_map(|n| format!("line {n} of {}\n", n % 7).into_bytes()).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    [&header, compress_to_vec(data, 6).as_slice(), &[0; 8]].concat()
}

#[test]
fn every_coding_under_every_name_is_undone_in_any_pieces() {
    for data in [b"x".repeat(90), text()] {
        let codings = [gzip(&data), compress_to_vec_zlib(&data, 6), compress_to_vec(&data, 6)];
        for (which, input) in codings.iter().enumerate() {
            for name in [Coding::Gzip, Coding::Deflate] {
                for size in [1, 2, 3, 100, 1500, 1 << 20] {
                    let (body, failed) = decoded(name, input, size);
                    assert!(body == data && !failed, "coding {which} as {name:?} by {size}");
                }
            }
        }
    }
}

#[test]
fn what_no_coding_made_is_the_content() {
    for plain in
        [b"X5O!P%@AP[4 plain text".to_vec(), b"{\"a\":1}".to_vec(), text(), vec![0x1f], b"x".to_vec()]
    {
        for name in [Coding::Gzip, Coding::Deflate, Coding::Lzma] {
            for size in [1, 7, 4000] {
                let (body, failed) = decoded(name, &plain, size);
                assert!(body == plain && failed, "{:?} as {name:?} by {size}: {body:?}", plain.get(..9));
            }
        }
    }
}

#[test]
fn cut_off_and_broken_streams_give_what_there_is() {
    let data = text();
    let whole = gzip(&data);
    for size in [1, 1000] {
        let (body, failed) = decoded(Coding::Gzip, &whole[..whole.len() / 2], size);
        assert!(body.len() > 1000 && data.starts_with(&body) && !failed);
        // Sums are not looked at, and what stands behind is no content.
        let (body, _) = decoded(Coding::Gzip, &[whole.as_slice(), b"junk"].concat(), size);
        assert!(body == data);
        let (body, _) = decoded(Coding::Gzip, &[gzip(b"one "), gzip(b"two")].concat(), size);
        assert_eq!(body, b"one two");
        // An error behind good bytes: those, then the rest as it is.
        let mut broken = whole.clone();
        let half = broken.len() / 2;
        broken.truncate(half);
        broken.extend_from_slice(&[0xff; 2000]);
        let (body, _) = decoded(Coding::Gzip, &broken, size);
        assert!(body.len() > 1000 && data.get(..1000) == body.get(..1000));
    }
    // A gzip header and no deflate behind it.
    let lie = [&whole[..10], b"\xff\xff\xff plain"].concat();
    for size in [1, 5, 100] {
        assert_eq!(decoded(Coding::Gzip, &lie, size), (lie.clone(), true));
    }
}

#[test]
fn brotli_and_lzma_are_undone() {
    // `printf 'hello hello hello hello' | brotli` and Python's lzma.compress(.., FORMAT_ALONE).
    let brotli = [
        0x0b, 0x0b, 0x80, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x68, 0x65,
        0x6c, 0x6c, 0x6f, 0x20, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x03,
    ];
    let lzma = LZMA_HELLO;
    for size in [1, 3, 100] {
        assert_eq!(decoded(Coding::Brotli, &brotli, size), (b"hello hello hello hello".to_vec(), false));
        assert_eq!(decoded(Coding::Lzma, lzma, size), (b"hello hello hello hello".to_vec(), false));
    }
}

const LZMA_HELLO: &[u8] = &[
    0x5d, 0x00, 0x00, 0x80, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x34, 0x19, 0x49,
    0xee, 0x8d, 0xe9, 0x56, 0x0b, 0xd5, 0xc5, 0xa3, 0xff, 0xff, 0x78, 0xa4, 0x00, 0x00,
];

#[test]
fn decoding_stops_when_no_more_is_wanted() {
    let bomb = gzip(&vec![0; 10 << 20]);
    let (mut layer, mut made) = (Layer::new(Coding::Gzip), 0);
    let mut out = |bytes: &[u8]| {
        made += bytes.len();
        made < 100_000
    };
    assert!(!layer.write(&bomb, &mut out));
    assert!(made < 200_000);
}
