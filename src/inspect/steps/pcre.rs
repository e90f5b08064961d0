//! Regular expressions within a chain, and the memory they need, which is a worker's own.

use super::program::{PcreId, PcreOp};
use crate::rules::ruleset::Regex;
use regex_automata::Input;
use regex_automata::meta::Cache;

/// Bytes that one `base64_decode` yields at most: Suricata's bound on the encoded text.
pub(super) const MAX_DECODED: usize = 1 << 16;

/// One slot an expression of the engine, filled the first time the worker runs it.
#[derive(Default)]
pub(crate) struct PcreCaches {
    slots: Vec<Option<Box<Cache>>>,
    /// Where `base64_decode` puts what it decodes.
    pub(super) decoded: Vec<u8>,
}

impl PcreCaches {
    pub(crate) fn with_capacity(pcres: usize) -> PcreCaches {
        PcreCaches { slots: (0..pcres).map(|_| None).collect(), decoded: Vec::with_capacity(MAX_DECODED) }
    }

    fn cache(&mut self, id: PcreId, regex: &regex_automata::meta::Regex) -> Option<&mut Cache> {
        let slot = self.slots.get_mut(id.0 as usize)?;
        Some(slot.get_or_insert_with(|| Box::new(regex.create_cache())))
    }
}

impl PcreOp {
    /// The first match in `text` that starts at `from` or later. Text before `from` is seen by look-behind and `^`.
    /// An expression that runs into its limits does not match.
    pub(super) fn find(&self, text: &[u8], from: usize, caches: &mut PcreCaches) -> Option<(usize, usize)> {
        if from > text.len() {
            return None;
        }
        match &*self.regex {
            Regex::Linear(regex) => {
                let cache = caches.cache(self.id, regex)?;
                let found = regex.search_with(cache, &Input::new(text).range(from..))?;
                Some((found.start(), found.end()))
            }
            Regex::Backtracking(regex) => {
                let found = regex.find_at(text, from).ok()??;
                Some((found.start(), found.end()))
            }
        }
    }
}
