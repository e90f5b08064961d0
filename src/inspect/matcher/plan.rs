//! Which filter takes which pattern: decided once, when a set is built.

use super::Patterns;
use super::level::Level;
use super::window::SHORTEST;

/// Patterns that a sieve is not worth its tables for.
const FEW: usize = 8;
/// Most patterns of two bytes for the sieve: its first filter lets all through that begins like one of them.
const CRAMPED: usize = 128;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The sieve's shortest pattern; `usize::MAX` if there is no sieve.
    shortest: usize,
    /// Whether the sieve's alphabets are narrow: what AVX2 has the registers for.
    pub(super) narrow: bool,
}

impl Plan {
    pub(super) fn of(patterns: &Patterns, level: Level) -> Plan {
        let plan = Plan::sieve(patterns, level == Level::Avx2);
        let sieved = patterns.iter().filter(|(_, p)| plan.sieves(p)).count();
        if sieved <= FEW { Plan::nibbles() } else { plan }
    }

    /// All to the nibbles.
    pub(super) fn nibbles() -> Plan {
        Plan { shortest: usize::MAX, narrow: false }
    }

    /// To a sieve whatever fits into it.
    pub(super) fn sieve(patterns: &Patterns, narrow: bool) -> Plan {
        let pairs = patterns.iter().filter(|(_, p)| p.len() == SHORTEST).count();
        Plan { shortest: if pairs > CRAMPED { SHORTEST + 1 } else { SHORTEST }, narrow }
    }

    /// Whether the sieve takes `pattern`; else the nibbles do.
    pub(super) fn sieves(&self, pattern: &[u8]) -> bool {
        pattern.len() >= self.shortest
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
        assert_eq!(Plan::of(&set(words(8)), Level::Avx512), Plan::nibbles());
        assert_ne!(Plan::of(&set(words(9)), Level::Avx512), Plan::nibbles());
    }

    #[test]
    fn alphabets_are_narrow_where_registers_are() {
        for level in Level::ALL {
            assert_eq!(Plan::of(&set(words(100)), level).narrow, level == Level::Avx2);
        }
    }

    #[test]
    fn single_bytes_go_to_the_nibbles_and_so_do_many_pairs() {
        let pairs = |count: u8| (0..count).map(|n| vec![0x80 | n >> 6, 0x80 | (n & 63)]);
        let plan = Plan::of(&set(words(100).chain(pairs(128))), Level::Avx512);
        assert!(plan.sieves(b"ab") && !plan.sieves(b"a"));
        let plan = Plan::of(&set(words(100).chain(pairs(129))), Level::Avx512);
        assert!(plan.sieves(b"abc") && !plan.sieves(b"ab"));
    }
}
