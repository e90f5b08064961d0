//! The `aho-corasick` crate as an engine: what ours is held to, and measured against.

use super::{PatternId, Patterns, StreamState, TooLarge};
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, dfa, nfa};

#[derive(Debug)]
enum Machine {
    Dfa(dfa::DFA),
    Nfa(nfa::contiguous::NFA),
}

#[derive(Debug)]
pub(super) struct Aho {
    machine: Machine,
    /// The machine numbers its patterns from 0; these are their numbers in the set.
    numbers: Box<[PatternId]>,
}

impl Aho {
    pub(super) fn build(patterns: &Patterns, dfa: bool) -> Result<Aho, TooLarge> {
        let (numbers, bytes): (Vec<PatternId>, Vec<&[u8]>) = patterns.iter().unzip();
        let machine = if dfa {
            let mut builder = dfa::DFA::builder();
            builder
                .match_kind(MatchKind::Standard)
                .ascii_case_insensitive(true)
                .build(&bytes)
                .map(Machine::Dfa)
        } else {
            let mut builder = nfa::contiguous::NFA::builder();
            builder
                .match_kind(MatchKind::Standard)
                .ascii_case_insensitive(true)
                .build(&bytes)
                .map(Machine::Nfa)
        };
        let machine = machine.map_err(|_| TooLarge { patterns: patterns.len() })?;
        Ok(Aho { machine, numbers: numbers.into() })
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.machine {
            Machine::Dfa(dfa) => dfa.memory_usage(),
            Machine::Nfa(nfa) => nfa.memory_usage(),
        }
    }

    /// Each pattern that ends in `chunk`, as often as it does.
    pub(super) fn scan(&self, state: &mut StreamState, chunk: &[u8], report: &mut impl FnMut(PatternId)) {
        match &self.machine {
            Machine::Dfa(dfa) => self.walk(dfa, state, chunk, report),
            Machine::Nfa(nfa) => self.walk(nfa, state, chunk, report),
        }
    }

    fn walk(
        &self,
        machine: &impl Automaton,
        state: &mut StreamState,
        chunk: &[u8],
        report: &mut impl FnMut(PatternId),
    ) {
        let known = state.automaton().and_then(|at| StateID::new(at as usize).ok());
        let Some(mut at) = known.or_else(|| machine.start_state(Anchored::No).ok()) else { return };
        for &byte in chunk {
            at = machine.next_state(Anchored::No, at, byte);
            if machine.is_special(at) && machine.is_match(at) {
                for n in 0..machine.match_len(at) {
                    let found = self.numbers.get(machine.match_pattern(at, n).as_usize());
                    found.into_iter().for_each(|&id| report(id));
                }
            }
        }
        state.set_automaton(at.as_u32());
    }
}
