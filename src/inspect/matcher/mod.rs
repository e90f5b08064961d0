//! Many patterns at once over one block of bytes: which of a set of literals occur in it, regardless of ASCII case.
//!
//! One face ([`Matcher`]), several engines behind it; [`tests`] runs every engine on one table of cases and holds each
//! to a naive search. A pattern is reported at most once a block ([`Seen`]); case is verified later, by the rule's steps.

mod aho;
mod patterns;
mod quads;
#[cfg(target_arch = "x86_64")]
mod quads_avx2;
#[cfg(test)]
mod tests;

pub use patterns::{PatternId, Patterns, Seen};
pub(in crate::inspect) use quads::commonness;

use aho::Aho;
use quads::Quads;

/// How to add an engine: a variant here and in `Engine`, its arm in the two functions below, nothing else; the tests
/// run over [`Kind::ALL`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The `aho-corasick` crate alone.
    AhoCorasick,
    /// A filter over hashed 4-byte windows, one position at a time.
    QuadsScalar,
    /// The same filter, eight positions at a time (AVX2; scalar on a CPU without).
    QuadsSimd,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::AhoCorasick, Kind::QuadsScalar, Kind::QuadsSimd];
}

#[derive(Debug)]
enum Engine {
    Aho(Aho),
    Quads(Box<Quads>),
}

/// An immutable table of patterns, shared by all workers.
#[derive(Debug)]
pub struct Matcher {
    engine: Engine,
    patterns: usize,
}

/// A pattern set that no engine can hold (more states than 31 bits count).
#[derive(Debug, thiserror::Error)]
#[error("a group of {patterns} patterns is too large for the matcher: split the rule set")]
pub struct TooLarge {
    pub patterns: usize,
}

impl Matcher {
    /// The engine that suits the set: the filter unless it would have (nearly) nothing to filter for.
    pub fn build(patterns: &Patterns) -> Result<Matcher, TooLarge> {
        let long = patterns.iter().filter(|(_, p)| p.len() >= quads::WINDOW).count();
        let kind = if 2 * long >= patterns.len() { Kind::QuadsSimd } else { Kind::AhoCorasick };
        Matcher::build_as(kind, patterns)
    }

    pub fn build_as(kind: Kind, patterns: &Patterns) -> Result<Matcher, TooLarge> {
        let engine = match kind {
            Kind::AhoCorasick => Engine::Aho(Aho::build(patterns.iter())?),
            Kind::QuadsScalar => Engine::Quads(Box::new(Quads::build(patterns, false)?)),
            Kind::QuadsSimd => Engine::Quads(Box::new(Quads::build(patterns, true)?)),
        };
        Ok(Matcher { engine, patterns: patterns.len() })
    }

    /// Patterns in the set; ids are below this.
    pub fn len(&self) -> usize {
        self.patterns
    }

    pub fn is_empty(&self) -> bool {
        self.patterns == 0
    }

    /// Reports each pattern that occurs in `block`, once, in no particular order. `seen` must have room for
    /// [`len`](Matcher::len) patterns.
    pub fn scan(&self, block: &[u8], seen: &mut Seen, mut report: impl FnMut(PatternId)) {
        seen.begin();
        let mut first_time = |id: PatternId| {
            if seen.insert(id) {
                report(id);
            }
        };
        match &self.engine {
            Engine::Aho(aho) => aho.scan(block, &mut first_time),
            Engine::Quads(quads) => quads.scan(block, &mut first_time),
        }
    }
}
