//! The set to look for, and which of it a block has shown already.

use super::chunk::Chunk;
use ahash::AHashMap;

/// A pattern's number within its set.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId(pub u32);

/// Distinct, non-empty patterns, in lower case.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    bytes: Vec<Box<[u8]>>,
    numbers: AHashMap<Box<[u8]>, PatternId>,
}

impl Patterns {
    /// The number of `pattern`, new or known; `None` for the empty pattern.
    pub fn add(&mut self, pattern: &[u8]) -> Option<PatternId> {
        if pattern.is_empty() {
            return None;
        }
        let lower: Box<[u8]> = pattern.to_ascii_lowercase().into();
        if let Some(&known) = self.numbers.get(&lower) {
            return Some(known);
        }
        let id = PatternId(u32::try_from(self.bytes.len()).ok()?);
        self.bytes.push(lower.clone());
        self.numbers.insert(lower, id);
        Some(id)
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (PatternId, &[u8])> {
        self.bytes.iter().enumerate().map(|(n, bytes)| (PatternId(n as u32), &**bytes))
    }
}

/// Which patterns the present block has shown: a stamp each, so that a new block costs nothing.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    stamps: Box<[u32]>,
    now: u32,
}

impl Stamps {
    fn begin(&mut self) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.stamps.fill(0);
            self.now = 1;
        }
    }

    /// Whether it was there already. A pattern that there is no room for counts as seen: better one report too few than a
    /// panic, and the engine sizes this by its largest set.
    #[inline]
    pub(super) fn has(&self, id: PatternId) -> bool {
        self.stamps.get(id.0 as usize).is_none_or(|&stamp| stamp == self.now)
    }

    /// True the first time in this block.
    #[inline]
    pub(super) fn insert(&mut self, id: PatternId) -> bool {
        match self.stamps.get_mut(id.0 as usize) {
            Some(stamp) if *stamp != self.now => {
                *stamp = self.now;
                true
            }
            _ => false,
        }
    }
}

/// A worker's scratch memory for scanning, whatever the set: what a block has shown, and the block as it is looked at.
#[derive(Debug, Default)]
pub struct Seen {
    pub(super) stamps: Stamps,
    pub(super) chunk: Box<Chunk>,
}

impl Seen {
    /// Room for the largest set that will be scanned with it.
    pub fn with_capacity(patterns: usize) -> Seen {
        Seen { stamps: Stamps { stamps: vec![0; patterns].into(), now: 0 }, chunk: Box::default() }
    }

    pub(super) fn begin(&mut self) {
        self.stamps.begin();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_differ_only_in_case_are_one() {
        let mut set = Patterns::default();
        assert_eq!(set.add(b"Host"), set.add(b"hOST"));
        assert_eq!(set.add(b""), None);
        assert_eq!(set.len(), 1);
    }

    #[test]
    fn a_stamp_that_wraps_forgets_everything() {
        let mut seen = Seen::with_capacity(1);
        seen.stamps.now = u32::MAX - 1;
        seen.begin();
        assert!(seen.stamps.insert(PatternId(0)) && !seen.stamps.insert(PatternId(0)));
        seen.begin();
        assert!(seen.stamps.insert(PatternId(0)));
    }
}
