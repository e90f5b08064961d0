//! Regular expressions within a chain, and the memory they need, which is a worker's own and all taken when a rule set is
//! published: no packet makes an expression take its first memory.

use crate::rules::ruleset::{Regex, Step};
use ahash::AHashMap;
use pcre2::bytes::CaptureLocations;
use regex_automata::Input;
use regex_automata::hybrid::dfa;
use regex_automata::meta;
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::util::primitives::NonMaxUsize;
use std::sync::Arc;

/// Bytes that one `base64_decode` yields at most: Suricata's bound on the encoded text.
pub(super) const MAX_DECODED: usize = 1 << 16;

/// A pcre's number over the whole engine: where a worker keeps its cache.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct PcreId(pub(crate) u32);

/// `pcre` with the number of its cache.
#[derive(Debug)]
pub(super) struct PcreOp {
    pub(super) id: PcreId,
    pub(super) regex: Arc<Regex>,
    pub(super) negated: bool,
    pub(super) relative: bool,
}

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
    Linear(Box<Linear>),
    Capturing(Box<meta::Cache>),
    Backtracking(CaptureLocations),
}

/// Of an expression whose automaton tells where a match ends.
pub(crate) struct Linear {
    states: dfa::Cache,
    /// Tells where it begins; it shares the automaton's NFA.
    beginning: Option<PikeVM>,
}

/// Where a match stands. Where it begins may take a search of its own.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    begin: Option<usize>,
    pub(super) end: usize,
}

impl Memory {
    pub(crate) fn new(regex: &Regex) -> Memory {
        Memory::with(regex, &pikevm::Builder::new())
    }

    fn with(regex: &Regex, builder: &pikevm::Builder) -> Memory {
        match regex {
            Regex::Linear(dfa) => {
                let beginning = builder.build_from_nfa(dfa.get_nfa().clone()).ok();
                Memory::Linear(Box::new(Linear { states: dfa.create_cache(), beginning }))
            }
            Regex::Capturing(regex) => Memory::Capturing(Box::new(regex.create_cache())),
            Regex::Backtracking(regex) => Memory::Backtracking(regex.capture_locations()),
        }
    }

    /// The first match in `text` that starts at `from` or later. Text before `from` is seen by look-behind and `^`.
    /// An expression that runs into its limits does not match.
    fn find(&mut self, regex: &Regex, text: &[u8], from: usize) -> Option<Found> {
        if from > text.len() {
            return None;
        }
        match (regex, self) {
            (Regex::Linear(dfa), Memory::Linear(linear)) => {
                let found =
                    dfa.try_search_fwd(&mut linear.states, &Input::new(text).range(from..)).ok()??;
                Some(Found { begin: None, end: found.offset() })
            }
            (Regex::Backtracking(regex), Memory::Backtracking(places)) => {
                let found = regex.captures_read_at(places, text, from).ok()??;
                Some(Found { begin: Some(found.start()), end: found.end() })
            }
            _ => None,
        }
    }

    fn beginning(&self) -> Option<&PikeVM> {
        match self {
            Memory::Linear(linear) => linear.beginning.as_ref(),
            _ => None,
        }
    }

    /// What the first group of the first match captures.
    pub(crate) fn capture(&mut self, regex: &Regex, text: &[u8]) -> Option<(usize, usize)> {
        match (regex, self) {
            (Regex::Capturing(regex), Memory::Capturing(cache)) => {
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
    /// To find where matches begin, for one expression at a time; large enough for the largest.
    beginnings: Option<pikevm::Cache>,
    pub(super) decoded: Vec<u8>,
}

impl PcreCaches {
    pub(crate) fn new(pcres: &Pcres) -> PcreCaches {
        let builder = pikevm::Builder::new();
        let memories: Vec<Memory> = pcres.regexes.iter().map(|regex| Memory::with(regex, &builder)).collect();
        let largest = memories.iter().filter_map(Memory::beginning);
        let largest = largest.max_by_key(|vm| vm.get_nfa().states().len());
        let beginnings = largest.map(PikeVM::create_cache);
        PcreCaches { memories, beginnings, decoded: Vec::with_capacity(MAX_DECODED) }
    }
}

impl PcreOp {
    pub(super) fn find(&self, text: &[u8], from: usize, caches: &mut PcreCaches) -> Option<Found> {
        caches.memories.get_mut(self.id.0 as usize)?.find(&self.regex, text, from)
    }

    /// Whether no match can begin but at the text's first byte, as with `^`.
    pub(super) fn begins_once(&self) -> bool {
        matches!(&*self.regex, Regex::Linear(dfa) if dfa.get_nfa().is_always_start_anchored())
    }

    /// Where the match begins that [`find`](Self::find) found from `from` on. This takes a time of the bytes from there to
    /// its end, times the size of the expression; only a match that what follows did not take is asked.
    pub(super) fn begin(&self, found: Found, text: &[u8], from: usize, caches: &mut PcreCaches) -> usize {
        let search = || {
            let vm = caches.memories.get(self.id.0 as usize)?.beginning()?;
            let cache = caches.beginnings.as_mut()?;
            cache.reset(vm);
            let mut slots: [Option<NonMaxUsize>; 2] = [None; 2];
            vm.search_slots(cache, &Input::new(text).range(from..found.end), &mut slots)?;
            Some(slots[0]?.get())
        };
        found.begin.or_else(search).unwrap_or(found.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pcre::compile;
    use crate::rules::ruleset::PcreFlags;
    use proptest::prelude::*;

    const EXPRESSIONS: &[&str] = &[
        "ab",
        "a+b",
        "ab|bc.d",
        "(?:a|ab)(?:c|bcd)",
        "^a",
        "b$",
        r"\bab\b",
        "a*",
        "a*?b",
        "[ab]{2,3}",
        "(?i)Ab",
        "",
        "a.*b",
        "a.*?b|c",
        "(?:ab)+c?",
    ];

    /// Every place where a search may begin, against an engine that tells both ends at once.
    fn check(expression: &str, text: &[u8]) {
        let flags = PcreFlags { dollar_end_only: true, ..PcreFlags::default() };
        let regex = Arc::new(compile(expression, flags, false).unwrap());
        let Regex::Linear(_) = *regex else { panic!("{expression} is not linear") };
        let mut pcres = Pcres::default();
        pcres.numbers.insert(Arc::as_ptr(&regex) as usize, PcreId(0));
        pcres.regexes.push(Arc::clone(&regex));
        let mut caches = PcreCaches::new(&pcres);
        let op = PcreOp { id: PcreId(0), regex, negated: false, relative: false };
        let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
        let config = meta::Config::new().utf8_empty(false);
        let plain = meta::Builder::new().syntax(syntax).configure(config).build(expression).unwrap();
        for from in 0..=text.len() {
            let wanted = plain.search(&Input::new(text).range(from..)).map(|m| (m.start(), m.end()));
            let found = op.find(text, from, &mut caches);
            assert!(
                from == 0 || found.is_none() || !op.begins_once(),
                "{expression} in {text:?} from {from}"
            );
            let found = found.map(|found| (op.begin(found, text, from, &mut caches), found.end));
            assert_eq!(found, wanted, "{expression} in {text:?} from {from}");
        }
        assert_eq!(op.find(text, text.len() + 1, &mut caches), None);
    }

    proptest! {
        #[test]
        fn ends_and_beginnings_are_those_of_a_whole_engine(
            at in 0..EXPRESSIONS.len(),
            text in proptest::collection::vec(prop::sample::select(b"abcdA \n".to_vec()), 0..24),
        ) {
            check(EXPRESSIONS[at], &text);
        }
    }
}
