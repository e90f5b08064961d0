//! Many patterns at once: which of a set of literals stand in a block of bytes, or end in a stream's next chunk,
//! regardless of ASCII case.
//!
//! One face ([`Matcher`]), several engines behind it; [`tests`] runs every engine on one table of cases and holds each
//! to a naive search. A pattern is reported at most once a block ([`Seen`]); case is verified later, by the rule's steps.
//!
//! Our own engine (`filter`) never walks a text byte by byte. Each pattern has a window of up to four bytes, chosen so that
//! of traffic, as `pairs` knows it, least looks like one (`cover`); a filter finds the positions where a window may stand,
//! and only there patterns are compared. Two filters share a set between them (`plan`), both in registers: the `sieve` by
//! pairs of bytes (`bigram`) for the many, the `nibbles` for the few and the shortest. `docs/matcher.md` has the figures.

mod aho;
mod alphabet;
mod anchored;
mod bigram;
#[cfg(target_arch = "x86_64")]
mod bigram_avx2;
#[cfg(target_arch = "x86_64")]
mod bigram_avx512;
mod chunk;
mod cover;
mod entry;
mod filter;
mod level;
mod nibbles;
#[cfg(target_arch = "x86_64")]
mod nibbles_avx2;
mod pairs;
mod patterns;
mod plan;
mod recall;
mod shelf;
mod sieve;
mod sift;
mod stream;
#[cfg(test)]
mod tests;
mod window;

pub(in crate::inspect) use anchored::{Anchor, Anchored};
pub use patterns::{PatternId, Patterns, Seen};
pub use stream::StreamState;
pub(in crate::inspect) use window::commonness;

use crate::rules::Windows;
use aho::Aho;
use filter::Filter;
use level::Level;
use plan::Plan;

/// How to add an engine: a variant here and in `Engine`, its arm in the functions below, nothing else; the tests run
/// over [`Kind::ALL`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The `aho-corasick` crate's contiguous NFA.
    AhoCorasick,
    /// Its DFA: about a KiB for each byte of pattern.
    AhoCorasickDfa,
    /// Our filters, one position at a time.
    Scalar,
    /// Our filters with AVX2 (scalar on a CPU without).
    Avx2,
    /// Our filters with the best that this CPU has: AVX-512 VBMI, AVX2 or neither.
    Simd,
}

impl Kind {
    pub const ALL: [Kind; 5] =
        [Kind::AhoCorasick, Kind::AhoCorasickDfa, Kind::Scalar, Kind::Avx2, Kind::Simd];
}

#[derive(Debug)]
enum Engine {
    Aho(Box<Aho>),
    Filter(Box<Filter>),
}

/// What looking at an entry came to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Look {
    /// Its pattern is not here: another look at the same bytes comes to the same.
    Absent,
    /// Its pattern is here, for the first time.
    Found,
    /// Its pattern has been reported: no other place matters.
    Seen,
    /// Another look, even at the same bytes, may come to something else.
    Open,
    /// No more looks in this text.
    Spent,
}

/// An immutable table of patterns, shared by all workers.
#[derive(Debug)]
pub struct Matcher {
    engine: Engine,
    patterns: usize,
}

/// A pattern set that no engine can hold (its patterns, or its states, are more than 31 bits count).
#[derive(Debug, thiserror::Error)]
#[error("a group of {patterns} patterns is too large for the matcher: split the rule set")]
pub struct TooLarge {
    pub patterns: usize,
}

impl Matcher {
    /// The fastest engine for this CPU.
    pub fn build(patterns: &Patterns) -> Result<Matcher, TooLarge> {
        Matcher::build_as(Kind::Simd, patterns)
    }

    /// The same, with windows chosen before where they are those of the same patterns.
    pub fn build_with(patterns: &Patterns, known: &Windows) -> Result<Matcher, TooLarge> {
        Matcher::make(Kind::Simd, patterns, known)
    }

    pub fn build_as(kind: Kind, patterns: &Patterns) -> Result<Matcher, TooLarge> {
        Matcher::make(kind, patterns, &Windows::default())
    }

    fn make(kind: Kind, patterns: &Patterns, known: &Windows) -> Result<Matcher, TooLarge> {
        let filter = |level: Level| {
            let level = level.min(Level::of_cpu());
            let plan = Plan::of(patterns, level);
            Filter::build(patterns, plan, level, known).map(Box::new).map(Engine::Filter)
        };
        let engine = match kind {
            Kind::AhoCorasick => Engine::Aho(Box::new(Aho::build(patterns, false)?)),
            Kind::AhoCorasickDfa => Engine::Aho(Box::new(Aho::build(patterns, true)?)),
            Kind::Scalar => filter(Level::Scalar)?,
            Kind::Avx2 => filter(Level::Avx2)?,
            Kind::Simd => filter(Level::Avx512)?,
        };
        Ok(Matcher { engine, patterns: patterns.len() })
    }

    /// Whether a pattern may join a set that all packets meet: searching for it costs next to nothing where it does not stand.
    pub(in crate::inspect) fn is_rare(pattern: &[u8]) -> bool {
        window::is_rare(pattern)
    }

    /// Patterns in the set; ids are below this.
    pub fn len(&self) -> usize {
        self.patterns
    }

    pub fn is_empty(&self) -> bool {
        self.patterns == 0
    }

    /// A hash of its patterns and the windows chosen for them, if any were.
    pub(in crate::inspect) fn windows(&self) -> Option<(u64, &[u8])> {
        match &self.engine {
            Engine::Aho(_) => None,
            Engine::Filter(filter) => filter.windows(),
        }
    }

    /// Memory that the tables take, in bytes.
    pub fn bytes(&self) -> usize {
        match &self.engine {
            Engine::Aho(aho) => aho.bytes(),
            Engine::Filter(filter) => filter.bytes(),
        }
    }

    /// Reports each pattern that stands in `block`, once, in no particular order. `seen` must have room for
    /// [`len`](Matcher::len) patterns.
    pub fn scan(&self, block: &[u8], seen: &mut Seen, mut report: impl FnMut(PatternId)) {
        seen.begin();
        match &self.engine {
            Engine::Aho(aho) => {
                aho.scan(&mut StreamState::default(), block, &mut once(seen, &mut report));
            }
            Engine::Filter(filter) => filter.scan(block, seen, &mut report),
        }
    }

    /// Reports each pattern that ends in `chunk`, the next bytes of the stream that `state` is of, once. Where it began
    /// does not matter: the chunks before are not needed again.
    pub fn scan_stream(
        &self,
        state: &mut StreamState,
        chunk: &[u8],
        seen: &mut Seen,
        mut report: impl FnMut(PatternId),
    ) {
        seen.begin();
        match &self.engine {
            Engine::Aho(aho) => aho.scan(state, chunk, &mut once(seen, &mut report)),
            Engine::Filter(filter) => filter.scan_stream(state, chunk, seen, &mut report),
        }
    }
}

fn once(seen: &mut Seen, report: &mut impl FnMut(PatternId)) -> impl FnMut(PatternId) {
    |id| {
        if seen.stamps.insert(id) {
            report(id);
        }
    }
}
