//! Regular expressions within a chain, and the memory they need, which is a worker's own and all taken when a rule set is
//! published: no packet makes an expression take its first memory.

use super::program::{PcreId, PcreOp};
use crate::rules::ruleset::{Regex, Step};
use ahash::AHashMap;
use pcre2::bytes::CaptureLocations;
use regex_automata::Input;
use regex_automata::meta::Cache;
use regex_automata::util::primitives::NonMaxUsize;
use std::sync::Arc;

/// Bytes that one `base64_decode` yields at most: Suricata's bound on the encoded text.
pub(super) const MAX_DECODED: usize = 1 << 16;

/// Every expression of an engine once, however many rules say it.
#[derive(Debug, Default)]
pub(crate) struct Pcres {
    regexes: Vec<Arc<Regex>>,
    /// By the address of the expression, which the rules share.
    numbers: AHashMap<usize, PcreId>,
}

impl Pcres {
    /// Those of `steps` that are new.
    pub(crate) fn add(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Pcre(pcre) => {
                    let next = PcreId(self.regexes.len() as u32);
                    if *self.numbers.entry(Arc::as_ptr(&pcre.regex) as usize).or_insert(next) == next {
                        self.regexes.push(Arc::clone(&pcre.regex));
                    }
                }
                Step::Base64(base64) => self.add(&base64.steps),
                _ => {}
            }
        }
    }

    /// Its number; of one that is not of the engine, a number for which no worker has memory, so that it is nowhere found.
    pub(super) fn number(&self, regex: &Arc<Regex>) -> PcreId {
        let known = self.numbers.get(&(Arc::as_ptr(regex) as usize));
        known.copied().unwrap_or(PcreId(u32::MAX))
    }
}

/// What one search works in. PCRE2's own pool of such memory would be locked by several workers.
pub(crate) enum Memory {
    Linear(Box<Cache>),
    Backtracking(CaptureLocations),
}

impl Memory {
    pub(crate) fn new(regex: &Regex) -> Memory {
        match regex {
            Regex::Linear(regex) => Memory::Linear(Box::new(regex.create_cache())),
            Regex::Backtracking(regex) => Memory::Backtracking(regex.capture_locations()),
        }
    }

    /// The first match in `text` that starts at `from` or later. Text before `from` is seen by look-behind and `^`.
    /// An expression that runs into its limits does not match.
    pub(crate) fn find(&mut self, regex: &Regex, text: &[u8], from: usize) -> Option<(usize, usize)> {
        if from > text.len() {
            return None;
        }
        match (regex, self) {
            (Regex::Linear(regex), Memory::Linear(cache)) => {
                let found = regex.search_with(cache, &Input::new(text).range(from..))?;
                Some((found.start(), found.end()))
            }
            (Regex::Backtracking(regex), Memory::Backtracking(places)) => {
                let found = regex.captures_read_at(places, text, from).ok()??;
                Some((found.start(), found.end()))
            }
            _ => None,
        }
    }

    /// What the first group of the first match captures.
    pub(crate) fn capture(&mut self, regex: &Regex, text: &[u8]) -> Option<(usize, usize)> {
        match (regex, self) {
            (Regex::Linear(regex), Memory::Linear(cache)) => {
                let mut slots: [Option<NonMaxUsize>; 4] = [None; 4];
                regex.search_slots_with(cache, &Input::new(text), &mut slots)?;
                slots[2].zip(slots[3]).map(|(start, end)| (start.get(), end.get()))
            }
            (Regex::Backtracking(regex), Memory::Backtracking(places)) => {
                regex.captures_read(places, text).ok()??;
                places.get(1)
            }
            _ => None,
        }
    }
}

/// One memory an expression of the engine, and room for what `base64_decode` decodes.
#[derive(Default)]
pub(crate) struct PcreCaches {
    memories: Vec<Memory>,
    pub(super) decoded: Vec<u8>,
}

impl PcreCaches {
    pub(crate) fn new(pcres: &Pcres) -> PcreCaches {
        PcreCaches {
            memories: pcres.regexes.iter().map(|regex| Memory::new(regex)).collect(),
            decoded: Vec::with_capacity(MAX_DECODED),
        }
    }
}

impl PcreOp {
    pub(super) fn find(&self, text: &[u8], from: usize, caches: &mut PcreCaches) -> Option<(usize, usize)> {
        caches.memories.get_mut(self.id.0 as usize)?.find(&self.regex, text, from)
    }
}
