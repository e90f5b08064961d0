//! Any patterns before any bytes: our engine and the `aho-corasick` crate report the same, for the whole block and for a
//! stream of its pieces.
//!
//! An input is a row of pieces: a byte of length (its high bit: a pattern, else a chunk of text), then the bytes.
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run matcher -- -max_total_time=60`

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::inspect::matcher::{Kind, Matcher, Patterns, Seen, StreamState};

const KINDS: [Kind; 4] = [Kind::AhoCorasick, Kind::Scalar, Kind::Avx2, Kind::Simd];

fuzz_target!(|input: &[u8]| {
    let (mut patterns, mut chunks) = (Patterns::default(), Vec::new());
    let mut rest = input;
    while let Some((&head, tail)) = rest.split_first() {
        let (piece, tail) = tail.split_at(tail.len().min(usize::from(head & 0x7f)));
        match head & 0x80 {
            0 => chunks.push(piece),
            _ => _ = patterns.add(piece),
        }
        rest = tail;
    }
    let block = chunks.concat();
    let matchers = KINDS.map(|kind| Matcher::build_as(kind, &patterns).expect("a small set fits"));
    let mut seen = Seen::with_capacity(patterns.len());
    let whole = |matcher: &Matcher, seen: &mut Seen| {
        let mut ids = Vec::new();
        matcher.scan(&block, seen, |id| ids.push(id));
        ids.sort_unstable();
        ids
    };
    let expected = whole(&matchers[0], &mut seen);
    for (kind, matcher) in KINDS.iter().zip(&matchers).skip(1) {
        assert_eq!(whole(matcher, &mut seen), expected, "{kind:?}");
    }
    let stream = |matcher: &Matcher, seen: &mut Seen| {
        let (mut ids, mut state) = (Vec::new(), StreamState::default());
        for (n, chunk) in chunks.iter().enumerate() {
            matcher.scan_stream(&mut state, chunk, seen, |id| ids.push((n, id)));
        }
        ids.sort_unstable();
        ids
    };
    let expected = stream(&matchers[0], &mut seen);
    for (kind, matcher) in KINDS.iter().zip(&matchers).skip(1) {
        assert_eq!(stream(matcher, &mut seen), expected, "{kind:?}, in chunks");
    }
});
