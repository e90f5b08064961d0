//! Every engine on the same cases, and against a search that is obviously right.

use super::*;
use proptest::prelude::*;

fn set(patterns: &[&[u8]]) -> Patterns {
    let mut set = Patterns::default();
    for pattern in patterns {
        set.add(pattern);
    }
    set
}

/// Every engine, and our filters each made to take what it would leave to the other.
fn engines(patterns: &Patterns) -> Vec<(String, Matcher)> {
    let whole =
        Kind::ALL.into_iter().map(|kind| (format!("{kind:?}"), Matcher::build_as(kind, patterns).unwrap()));
    let plans = [Plan::nibbles(), Plan::sieve(patterns, false), Plan::sieve(patterns, true)];
    let forced =
        plans.into_iter().flat_map(|plan| Level::ALL.map(|level| (plan, level))).map(|(plan, level)| {
            let engine =
                Engine::Filter(Box::new(Filter::build(patterns, plan, level, &Windows::default()).unwrap()));
            (format!("{plan:?}, {level:?}"), Matcher { engine, patterns: patterns.len() })
        });
    whole.chain(forced).collect()
}

fn found(matcher: &Matcher, block: &[u8]) -> Vec<u32> {
    let mut seen = Seen::with_capacity(matcher.len());
    let mut all = Vec::new();
    matcher.scan(block, &mut seen, |id| all.push(id.0));
    all.sort_unstable();
    all
}

/// What each chunk of a stream reports.
fn found_in_stream(matcher: &Matcher, chunks: &[&[u8]]) -> Vec<Vec<u32>> {
    let mut seen = Seen::with_capacity(matcher.len());
    let mut state = StreamState::default();
    let one = |chunk: &&[u8]| {
        let mut all = Vec::new();
        matcher.scan_stream(&mut state, chunk, &mut seen, |id| all.push(id.0));
        all.sort_unstable();
        all
    };
    chunks.iter().map(one).collect()
}

/// Patterns with an end in each chunk.
fn naive_in_stream(patterns: &Patterns, chunks: &[&[u8]]) -> Vec<Vec<u32>> {
    let stream = chunks.concat();
    let mut from = 0;
    let one = |chunk: &&[u8]| {
        let range = from..from + chunk.len();
        from = range.end;
        let ends = |p: &[u8]| {
            let mut windows = stream[..range.end].windows(p.len()).enumerate();
            windows.any(|(at, w)| at + p.len() > range.start && w.eq_ignore_ascii_case(p))
        };
        patterns.iter().filter(|(_, p)| ends(p)).map(|(id, _)| id.0).collect()
    };
    chunks.iter().map(one).collect()
}

fn naive(patterns: &Patterns, block: &[u8]) -> Vec<u32> {
    let occurs = |p: &[u8]| block.windows(p.len()).any(|w| w.eq_ignore_ascii_case(p));
    patterns.iter().filter(|(_, p)| occurs(p)).map(|(id, _)| id.0).collect()
}

struct Case {
    name: &'static str,
    patterns: &'static [&'static [u8]],
    block: &'static [u8],
    found: &'static [u32],
}

const CASES: &[Case] = &[
    Case { name: "nothing to look for", patterns: &[], block: b"abc", found: &[] },
    Case { name: "an empty block", patterns: &[b"abcd"], block: b"", found: &[] },
    Case { name: "the whole block", patterns: &[b"abcd"], block: b"abcd", found: &[0] },
    Case { name: "a block shorter than the pattern", patterns: &[b"abcde"], block: b"abcd", found: &[] },
    Case { name: "twice is once", patterns: &[b"abcd"], block: b"abcdabcdabcd", found: &[0] },
    Case { name: "case does not count", patterns: &[b"HoSt:"], block: b"xxhOsT:xx", found: &[0] },
    Case { name: "folding is for letters only", patterns: &[b"@@@@@"], block: b"`````", found: &[] },
    Case {
        name: "a block shorter than a window",
        patterns: &[b"abc", b"ab", b"b"],
        block: b"ab",
        found: &[1, 2],
    },
    Case {
        name: "a run",
        patterns: &[b"aaaaa", b"aaab"],
        block: b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
        found: &[0, 1],
    },
    Case {
        name: "one inside the other",
        patterns: &[b"abcdef", b"cdef", b"cd"],
        block: b"abcdef",
        found: &[0, 1, 2],
    },
    Case {
        name: "a common suffix",
        patterns: &[b"xxsuffix", b"yysuffix"],
        block: b"..yysuffix",
        found: &[1],
    },
    Case { name: "one byte", patterns: &[b"\0", b"z"], block: b"aaa\0", found: &[0] },
    Case { name: "two and three bytes", patterns: &[b"ab", b"abc", b"bcd"], block: b"xabx", found: &[0] },
    Case { name: "at the very end", patterns: &[b"tail"], block: b"0123456789abcdef0123tail", found: &[0] },
    Case {
        name: "at the very end, one byte short",
        patterns: &[b"tails"],
        block: b"0123456789tail",
        found: &[],
    },
    Case {
        name: "the rare window past the block",
        patterns: &[b"aaaaaaaa\xfe\xfd\xfc\xfb"],
        block: b"aaaaaaaa\xfe\xfd\xfc",
        found: &[],
    },
    Case {
        name: "the pattern before the block",
        patterns: &[b"aaaa\xfe\xfd\xfc\xfb"],
        block: b"aa\xfe\xfd\xfc\xfbaaaaaaaaaaaaaaaa",
        found: &[],
    },
    Case {
        name: "high bytes",
        patterns: &[b"\xff\xfe\xfd\xfc\xfb"],
        block: b"__\xff\xfe\xfd\xfc\xfb__",
        found: &[0],
    },
];

#[test]
fn every_engine_agrees_on_the_table() {
    for case in CASES {
        let patterns = set(case.patterns);
        assert_eq!(naive(&patterns, case.block), case.found, "the table itself: {}", case.name);
        for (name, matcher) in engines(&patterns) {
            assert_eq!(found(&matcher, case.block), case.found, "{name}: {}", case.name);
        }
    }
}

#[test]
fn every_cut_of_a_stream_finds_what_the_whole_has() {
    for case in CASES.iter().filter(|case| case.block.len() < 64) {
        let patterns = set(case.patterns);
        for (name, matcher) in engines(&patterns) {
            for cut in 0..=case.block.len() {
                for second in cut..=case.block.len() {
                    let chunks = [&case.block[..cut], &case.block[cut..second], &case.block[second..]];
                    let expected = naive_in_stream(&patterns, &chunks);
                    let found = found_in_stream(&matcher, &chunks);
                    assert_eq!(found, expected, "{name}: {} cut at {cut} and {second}", case.name);
                }
            }
        }
    }
}

#[test]
fn a_long_pattern_is_found_over_many_chunks() {
    let long: Vec<u8> = (0..300u32).map(|n| (n * 7 % 251) as u8).collect();
    let patterns = set(&[&long, &long[3..200], &long[250..], &[b'a'; 70], b"aaaaaaaaaaaaaaaaaaab"]);
    let mut stream = b"____".to_vec();
    stream.extend_from_slice(&long[..280]);
    stream.extend_from_slice(&long);
    stream.extend_from_slice(&[b'A'; 100]);
    stream.push(b'b');
    for (name, matcher) in engines(&patterns) {
        for size in [1, 2, 3, 5, 14, 15, 16, 17, 31, 64, 100, 299, 300] {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(
                found_in_stream(&matcher, &chunks),
                naive_in_stream(&patterns, &chunks),
                "{name}, chunks of {size}"
            );
        }
    }
}

#[test]
fn a_run_found_whole_is_unfinished_again_at_the_chunks_end() {
    let patterns = set(&[&[b'a'; 20], &[0; 4], b"0123456789abcdef01"]);
    let chunks: [&[u8]; 4] = [&[b'a'; 50], b"aAa", b"b\0\0\0\0\0\0\0\0", b"\0x"];
    for (name, matcher) in engines(&patterns) {
        assert_eq!(found_in_stream(&matcher, &chunks), [vec![0], vec![0], vec![1], vec![1]], "{name}");
    }
}

#[test]
fn a_large_set_is_found_whole() {
    let words: Vec<Vec<u8>> = (0..12_000u32).map(|n| format!("w{n:05}-{}", n * 7919).into_bytes()).collect();
    let patterns = set(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let block = words.concat();
    for kind in [Kind::AhoCorasick, Kind::Scalar, Kind::Avx2, Kind::Simd] {
        let matcher = Matcher::build_as(kind, &patterns).unwrap();
        assert_eq!(found(&matcher, &block).len(), words.len(), "{kind:?}");
    }
}

#[test]
fn tables_take_some_tens_of_bytes_a_pattern() {
    let words: Vec<Vec<u8>> = (0..10_000u32).map(|n| format!("w{n:05}-{}", n * 7919).into_bytes()).collect();
    let patterns = set(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let bytes = Matcher::build(&patterns).unwrap().bytes();
    assert!(bytes < 10_000 * 200 + 100_000, "{bytes}");
}

/// Pieces of which patterns and texts are made, so that they often meet.
const PIECES: [&[u8]; 15] = [
    &[b'z'; 40],
    b"a",
    b"B",
    b"@`",
    b"\0",
    b"\0\0\0\0\0\0",
    b"GET",
    b"get ",
    b"/index.",
    b"\r\n",
    b"\xff\xfe",
    b"XYZXYZXYZ",
    b"aaaaaaaaaaaaaaaaaa",
    b"zq",
    b"0123456789abcdef0123456789ABCDEF",
];

fn pieces(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 1..most).prop_map(|pieces| pieces.concat())
}

fn pattern() -> impl Strategy<Value = Vec<u8>> {
    let cut = (pieces(5), 0usize..8, 1usize..=64).prop_map(|(p, from, len)| {
        let from = from.min(p.len() - 1);
        p[from..p.len().min(from + len)].to_vec()
    });
    prop_oneof![cut, prop::collection::vec(prop::sample::select(&b"aAbB@`\0"[..]), 1..9)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_engine_finds_what_a_naive_search_finds(
        patterns in prop::collection::vec(pattern(), 0..24),
        block in pieces(24),
    ) {
        let patterns = set(&patterns.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let expected = naive(&patterns, &block);
        for (name, matcher) in engines(&patterns) {
            prop_assert_eq!(&found(&matcher, &block), &expected, "{}", name);
        }
    }

    #[test]
    fn every_engine_finds_in_a_stream_what_ends_in_each_chunk(
        patterns in prop::collection::vec(pattern(), 0..24),
        stream in pieces(24),
        sizes in prop::collection::vec(0usize..40, 1..12),
    ) {
        let patterns = set(&patterns.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let (mut chunks, mut rest) = (Vec::new(), &stream[..]);
        for size in sizes {
            let (chunk, tail) = rest.split_at(size.min(rest.len()));
            chunks.push(chunk);
            rest = tail;
        }
        chunks.push(rest);
        let expected = naive_in_stream(&patterns, &chunks);
        for (name, matcher) in engines(&patterns) {
            prop_assert_eq!(&found_in_stream(&matcher, &chunks), &expected, "{}", name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn many_patterns_in_long_blocks(
        patterns in prop::collection::vec(prop::collection::vec(0x60u8..0x70, 3..12), 50..400),
        block in prop::collection::vec(0x40u8..0x70, 0..4000),
    ) {
        let patterns = set(&patterns.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let expected = naive(&patterns, &block);
        for (name, matcher) in engines(&patterns) {
            prop_assert_eq!(&found(&matcher, &block), &expected, "{}", name);
        }
    }
}

#[cfg(target_arch = "x86_64")]
proptest! {
    #[test]
    fn bigrams_are_found_alike_with_and_without_simd(
        patterns in prop::collection::vec(pattern(), 1..24),
        text in prop_oneof![pieces(200), prop::collection::vec(any::<u8>(), 0..1700)],
        brief: bool,
    ) {
        let patterns: Vec<&[u8]> = patterns.iter().map(Vec::as_slice).filter(|p| p.len() > 1).collect();
        prop_assume!(!patterns.is_empty());
        for (level, narrow) in [(Level::Avx2, true), (Level::Avx512, false)] {
            if Level::of_cpu() < level {
                continue;
            }
            let bigrams = bigram::Bigrams::of(&cover::choose(&patterns, narrow));
            let (mut scalar, mut simd) = (Box::<chunk::Chunk>::default(), Box::<chunk::Chunk>::default());
            let found = bigrams.find(&mut scalar, &text, brief);
            #[allow(unsafe_code)] // see below
            // SAFETY: the CPU has what it asks for.
            let simd_found = unsafe {
                match narrow {
                    true => bigram_avx2::find(&bigrams, &mut simd, &text, brief),
                    false => bigram_avx512::find(&bigrams, &mut simd, &text, brief),
                }
            };
            prop_assert_eq!(&scalar.passed[..found], &simd.passed[..simd_found], "{:?}", level);
            let taken = |chunk: &chunk::Chunk| chunk.folded[chunk::LEAD..][..text.len().min(chunk::CHUNK) + 16].to_vec();
            prop_assert_eq!(taken(&scalar), taken(&simd), "{:?}", level);
        }
    }
}

/// Sets in which a position may cost hundreds of looks, and texts that make it do so.
#[test]
fn no_text_makes_a_set_cost_more_than_its_bound_and_nothing_is_missed() {
    let long = |n: u32| format!("{}{n:03}", "a".repeat(16)).into_bytes();
    let deep = |n: u32| format!("/wp-content/plugins/{n:03}").into_bytes();
    let short = |n: u32| vec![0x80 + (n / 100) as u8, 0x80 + (n % 100) as u8];
    let crowds: [(Vec<Vec<u8>>, Vec<u8>); 3] = [
        ((0..200).map(long).collect(), [vec![b'A'; 1400], long(7)].concat()),
        ((0..500).map(deep).collect(), [b"/wp-content/plugins/".repeat(70), deep(499)].concat()),
        ((0..2000).map(short).collect(), [vec![0x81; 1400], short(1999)].concat()),
    ];
    for (crowd, text) in crowds {
        let mut patterns = Patterns::default();
        crowd.iter().for_each(|pattern| _ = patterns.add(pattern));
        let wanted = naive(&patterns, &text);
        assert!(!wanted.is_empty());
        for kind in [Kind::Scalar, Kind::Avx2, Kind::Simd] {
            let matcher = Matcher::build_as(kind, &patterns).unwrap();
            let Engine::Filter(filter) = &matcher.engine else { panic!("it is a filter") };
            assert!(filter.is_steady(), "a crowd needs the steady engine");
            assert_eq!(found(&matcher, &text), wanted, "{kind:?}");
        }
    }
}
