//! Windows that were chosen before, as a saved set has them: a byte a pattern.

use super::alphabet::Alphabet;
use super::bigram::Window;
use super::cover;
use std::hash::Hasher;
use twox_hash::XxHash3_64;

/// Set in a window's byte if its alphabet is the second of the two; the others say where in the pattern it stands.
const SECOND: u8 = 0x80;

/// A hash of the patterns and of how wide alphabets are, by which to know them again. Another set that has the same by chance
/// costs speed, nothing else.
pub(super) fn key(patterns: &[&[u8]], narrow: bool) -> u64 {
    let mut hasher = XxHash3_64::with_seed(u64::from(narrow));
    for pattern in patterns {
        hasher.write(&(pattern.len() as u64).to_le_bytes());
        hasher.write(pattern);
    }
    hasher.finish()
}

pub(super) fn byte(window: &Window<'_>) -> u8 {
    window.at as u8 | if window.alphabet.is_wide() { SECOND } else { 0 }
}

/// The windows that `bytes` say, if each is one that could have been chosen.
pub(super) fn windows<'p>(patterns: &[&'p [u8]], narrow: bool, bytes: &[u8]) -> Option<Vec<Window<'p>>> {
    if patterns.len() != bytes.len() {
        return None;
    }
    let both = cover::alphabets(narrow);
    let one = |(&pattern, &byte): (&&'p [u8], &u8)| {
        let alphabet: Alphabet = both[usize::from(byte & SECOND != 0)];
        let at = usize::from(byte & !SECOND);
        cover::is_offset(pattern, alphabet, at).then_some(Window { pattern, alphabet, at })
    };
    patterns.iter().zip(bytes).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cover::choose;
    use super::super::{Matcher, Patterns, Seen};
    use super::*;
    use crate::rules::Windows;
    use proptest::prelude::*;

    const WORDS: [&[u8]; 12] = [
        b"user-agent",
        b"ab",
        b"\x90\xff\x90\xfe",
        b"abc",
        b"\0\0\0\0\0\x01",
        b"zqxj",
        b"content-length: 0",
        b"host",
        b"...",
        b"aaaaaaaaaaaaaaaaaaaaaaaaa",
        b"/index.php?x=",
        b"\r\n\r\n",
    ];

    fn set() -> Patterns {
        let mut set = Patterns::default();
        WORDS.iter().for_each(|word| _ = set.add(word));
        set
    }

    #[test]
    fn what_was_chosen_is_recalled() {
        for narrow in [false, true] {
            let chosen = choose(&WORDS, narrow);
            let bytes: Vec<u8> = chosen.iter().map(byte).collect();
            let recalled = windows(&WORDS, narrow, &bytes).unwrap();
            let same = |(a, b): (&Window<'_>, &Window<'_>)| (a.at, a.alphabet) == (b.at, b.alphabet);
            assert!(chosen.iter().zip(&recalled).all(same), "{chosen:?}, {recalled:?}");
            assert_ne!(key(&WORDS, narrow), key(&WORDS, !narrow));
        }
        assert_ne!(key(&[b"ab", b"c"], false), key(&[b"a", b"bc"], false));
    }

    #[test]
    fn what_could_not_have_been_chosen_is_refused() {
        for byte in [9, 12, 13, 0x7f, 0x89, 0xff] {
            assert!(windows(&[b"user-agent"], false, &[byte]).is_none(), "{byte}");
        }
        assert!(windows(&[b"\xff\xff\xff\xff"], false, &[0]).is_none(), "no text");
        assert!(windows(&[b"\xff\xff\xff\xff"], false, &[SECOND]).is_some());
        assert!(windows(&[b"ab"], false, &[]).is_none());
    }

    proptest! {
        /// Whatever advice a file gives, patterns are found.
        #[test]
        fn any_advice_finds_all(bytes in prop::collection::vec(prop_oneof![0u8..8, 0x80u8..0x88, any::<u8>()], WORDS.len())) {
            let set = set();
            let plain = Matcher::build(&set).unwrap();
            let known: Windows = plain.windows().map(|(key, _)| (key, &bytes[..])).into_iter().collect();
            let advised = Matcher::build_with(&set, &known).unwrap();
            let text = [&b"....."[..], &WORDS.concat(), b"....."].concat();
            let found = |matcher: &Matcher| {
                let mut ids = Vec::new();
                matcher.scan(&text, &mut Seen::with_capacity(set.len()), |id| ids.push(id));
                ids.sort();
                ids
            };
            prop_assert_eq!(found(&advised).len(), WORDS.len());
            prop_assert_eq!(found(&advised), found(&plain));
        }
    }
}
