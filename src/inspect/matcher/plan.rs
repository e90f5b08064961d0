//! Which filter takes which pattern: decided once, when a set is built.

use super::Patterns;
use super::sieve::shortest;
use super::window::{SHORTEST, has_text};

/// Patterns that a sieve is not worth its table for.
const FEW: usize = 8;
/// Most patterns that the nibbles take from the sieve, to spare it short windows or to let it have a gate.
const MOST: usize = 48;
/// Most patterns for whose shortest windows, of two bytes, the sieve has room.
const CRAMPED: usize = 32;
/// Strides, the largest first, and how many patterns may be too short for one: the nibbles' work for each is the same,
/// so few must be worth it.
const STRIDES: [(usize, usize); 2] = [(4, FEW), (2, MOST)];

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) stride: usize,
    /// The sieve's shortest pattern; `usize::MAX` if there is no sieve.
    shortest: usize,
    /// Whether the sieve looks only where text is.
    pub(super) gated: bool,
    /// Whether bigrams are the sieve's first filter, and whether of narrow alphabets; then stride and gate do not matter.
    pub(super) bigrams: Option<bool>,
}

impl Plan {
    pub(super) fn of(patterns: &Patterns) -> Plan {
        // Patterns by length, as far as a stride cares.
        let mut lengths = [0usize; 8];
        patterns.iter().for_each(|(_, p)| lengths[p.len().min(lengths.len() - 1)] += 1);
        let shorter = |len: usize| lengths[..len].iter().sum::<usize>();
        let suits = |&(stride, few): &(usize, usize)| {
            shorter(shortest(stride)) <= few && lengths[shortest(stride)] <= CRAMPED
        };
        let stride = STRIDES.iter().find(|stride| suits(stride)).map_or(2, |stride| stride.0);
        let mut least = shortest(stride);
        if lengths[least] > CRAMPED && shorter(least + 1) <= MOST {
            least += 1;
        }
        if patterns.len() - shorter(least) <= FEW {
            return Plan::nibbles();
        }
        Plan { stride, shortest: least, gated: false, bigrams: None }.with_gate(patterns, MOST)
    }

    /// For a CPU with the registers for bigrams.
    pub(super) fn with_bigrams(patterns: &Patterns, narrow: bool) -> Plan {
        if patterns.len() <= FEW {
            return Plan::nibbles();
        }
        let short = patterns.iter().filter(|(_, p)| p.len() <= SHORTEST).count();
        let shortest = if short > CRAMPED { SHORTEST + 1 } else { SHORTEST };
        Plan { stride: 1, shortest, gated: false, bigrams: Some(narrow) }
    }

    /// All to the nibbles.
    pub(super) fn nibbles() -> Plan {
        Plan { stride: 2, shortest: usize::MAX, gated: false, bigrams: None }
    }

    /// To a sieve whatever fits into it.
    #[cfg(test)]
    pub(super) fn sieve(patterns: &Patterns, stride: usize) -> Plan {
        Plan { stride, shortest: shortest(stride), gated: false, bigrams: None }.with_gate(patterns, 0)
    }

    /// With a gate if that leaves the nibbles no more than `most`.
    fn with_gate(self, patterns: &Patterns, most: usize) -> Plan {
        let gated = Plan { gated: true, ..self };
        let others =
            patterns.iter().filter(|(_, p)| !gated.sieves(p) && (most > 0 || p.len() >= self.shortest));
        if others.count() <= most { gated } else { self }
    }

    /// Whether the sieve takes `pattern`; else the nibbles do.
    pub(super) fn sieves(&self, pattern: &[u8]) -> bool {
        pattern.len() >= self.shortest && (!self.gated || has_text(pattern, self.stride))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(patterns: impl IntoIterator<Item = Vec<u8>>) -> Patterns {
        let mut set = Patterns::default();
        patterns.into_iter().for_each(|p| _ = set.add(&p));
        set
    }

    fn words(count: u32) -> impl Iterator<Item = Vec<u8>> {
        (0..count).map(|n| format!("word-{n:05}").into_bytes())
    }

    #[test]
    fn few_patterns_need_no_table() {
        assert_eq!(Plan::of(&set(words(8))), Plan::nibbles());
    }

    #[test]
    fn text_gets_a_gate_and_a_wide_stride() {
        assert_eq!(Plan::of(&set(words(100))), Plan { stride: 4, shortest: 5, gated: true, bigrams: None });
    }

    #[test]
    fn short_patterns_narrow_the_stride() {
        let short = (0..20u8).map(|n| vec![b'a' + n, b'b', b'c']);
        assert_eq!(
            Plan::of(&set(words(100).chain(short))),
            Plan { stride: 2, shortest: 3, gated: true, bigrams: None }
        );
    }

    #[test]
    fn the_odd_ones_go_to_the_nibbles_and_many_of_them_open_the_gate() {
        let odd = |count: u8| (0..count).map(|n| vec![0xff, n, 0x80, n, 0x81, n, 0x82, n]);
        let plan = Plan::of(&set(words(100).chain(odd(10))));
        assert!(plan.gated && !plan.sieves(&odd(1).next().unwrap()) && plan.sieves(b"word-00001"));
        let plan = Plan::of(&set(words(100).chain(odd(60))));
        assert!(!plan.gated && plan.sieves(&odd(1).next().unwrap()));
    }
}
