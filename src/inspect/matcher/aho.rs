//! The `aho-corasick` crate as an engine: a DFA while that stays small, else its contiguous NFA.

use super::{PatternId, TooLarge};
use aho_corasick::automaton::OverlappingState;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

/// Bytes of pattern up to which a DFA is worth its memory (about 1 KiB a byte of pattern before byte classes).
const DFA_MAX_PATTERN_BYTES: usize = 4096;

#[derive(Debug)]
pub(super) struct Aho {
    automaton: AhoCorasick,
    /// The automaton numbers its patterns from 0; these are their numbers in the set.
    numbers: Box<[PatternId]>,
}

impl Aho {
    pub(super) fn build<'p>(patterns: impl Iterator<Item = (PatternId, &'p [u8])>) -> Result<Aho, TooLarge> {
        let (numbers, bytes): (Vec<PatternId>, Vec<&[u8]>) = patterns.unzip();
        let total: usize = bytes.iter().map(|p| p.len()).sum();
        let kind = match total {
            0..=DFA_MAX_PATTERN_BYTES => AhoCorasickKind::DFA,
            _ => AhoCorasickKind::ContiguousNFA,
        };
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .kind(Some(kind))
            .build(&bytes)
            .map_err(|_| TooLarge { patterns: bytes.len() })?;
        Ok(Aho { automaton, numbers: numbers.into() })
    }

    pub(super) fn scan(&self, block: &[u8], report: &mut impl FnMut(PatternId)) {
        let mut state = OverlappingState::start();
        let input = Input::new(block);
        while self.automaton.try_find_overlapping(input.clone(), &mut state).is_ok() {
            let Some(found) = state.get_match() else { return };
            if let Some(&id) = self.numbers.get(found.pattern().as_usize()) {
                report(id);
            }
        }
    }
}
