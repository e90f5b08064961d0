//! One literal, prepared for searching: `memchr` looks for its rarest byte, the rest is compared.

use crate::inspect::matcher::commonness;

/// An immutable literal. With `nocase` it is in lower case.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    bytes: Box<[u8]>,
    nocase: bool,
    /// Where the byte stands that is looked for, and its two cases (the same twice where case counts).
    rare_at: usize,
    rare: (u8, u8),
}

impl Needle {
    pub(super) fn new(pattern: &[u8], nocase: bool) -> Needle {
        let bytes: Box<[u8]> = if nocase { pattern.to_ascii_lowercase().into() } else { pattern.into() };
        let rarest = bytes.iter().enumerate().min_by_key(|&(_, &b)| commonness(b));
        let (rare_at, byte) = rarest.map_or((0, 0), |(at, &b)| (at, b));
        let other = if nocase { byte.to_ascii_uppercase() } else { byte };
        Needle { bytes, nocase, rare_at, rare: (byte, other) }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn is_at(&self, text: &[u8], at: usize) -> bool {
        text.get(at..at + self.len()).is_some_and(|here| match self.nocase {
            true => here.eq_ignore_ascii_case(&self.bytes),
            false => here == &*self.bytes,
        })
    }

    /// Where the first occurrence starts that lies within `text[from..to]`, and how many bytes were looked through.
    /// The empty needle is nowhere.
    pub(super) fn find(&self, text: &[u8], from: usize, to: usize) -> (Option<usize>, usize) {
        let to = to.min(text.len());
        let Some(last) = to.checked_sub(self.len()) else { return (None, 0) };
        if self.bytes.is_empty() || from > last {
            return (None, 0);
        }
        let mut start = from;
        while start <= last {
            let Some(rest) = text.get(start + self.rare_at..=last + self.rare_at) else { break };
            let hit = match self.rare {
                (a, b) if a == b => memchr::memchr(a, rest),
                (a, b) => memchr::memchr2(a, b, rest),
            };
            let Some(skip) = hit else { break };
            start += skip;
            if self.is_at(text, start) {
                return (Some(start), start + self.len() - from);
            }
            start += 1;
        }
        (None, last + 1 - from)
    }

    /// Whether it stands at the very end of `text[from..to]`, where `to` is the text's end as well.
    pub(super) fn find_at_end(&self, text: &[u8], from: usize, to: usize) -> Option<usize> {
        let at = text.len().checked_sub(self.len())?;
        (!self.bytes.is_empty() && at >= from && to >= text.len() && self.is_at(text, at)).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_naive_search_finds(
            pattern in prop::collection::vec(prop::sample::select(&b"abAB"[..]), 1..5),
            text in prop::collection::vec(prop::sample::select(&b"abAB"[..]), 0..24),
            from in 0usize..26, to in 0usize..26, nocase: bool,
        ) {
            let same = |w: &[u8]| if nocase { w.eq_ignore_ascii_case(&pattern) } else { w == pattern };
            let expected = (from..to.min(text.len())).find(|&at| {
                at + pattern.len() <= to.min(text.len()) && same(&text[at..at + pattern.len()])
            });
            prop_assert_eq!(Needle::new(&pattern, nocase).find(&text, from, to).0, expected);
        }
    }
}
