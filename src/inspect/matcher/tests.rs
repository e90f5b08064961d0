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

fn found(kind: Kind, patterns: &Patterns, block: &[u8]) -> Vec<u32> {
    let matcher = Matcher::build_as(kind, patterns).unwrap();
    let mut seen = Seen::with_capacity(matcher.len());
    let mut all = Vec::new();
    matcher.scan(block, &mut seen, |id| all.push(id.0));
    all.sort_unstable();
    all
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
        for kind in Kind::ALL {
            assert_eq!(found(kind, &patterns, case.block), case.found, "{kind:?}: {}", case.name);
        }
    }
}

#[test]
fn a_large_set_is_found_whole() {
    let words: Vec<Vec<u8>> = (0..5000u32).map(|n| format!("word-{n:05}-end").into_bytes()).collect();
    let patterns = set(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let block = words.concat();
    for kind in Kind::ALL {
        assert_eq!(found(kind, &patterns, &block).len(), 5000, "{kind:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_engine_finds_what_a_naive_search_finds(
        patterns in prop::collection::vec(prop::collection::vec(prop::sample::select(&b"aAbB@`\0"[..]), 1..9), 0..24),
        block in prop::collection::vec(prop::sample::select(&b"aAbB@`\0"[..]), 0..120),
    ) {
        let patterns = set(&patterns.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let expected = naive(&patterns, &block);
        for kind in Kind::ALL {
            prop_assert_eq!(&found(kind, &patterns, &block), &expected, "{:?}", kind);
        }
    }
}
