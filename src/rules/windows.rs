//! Where the matchers look for their patterns, as `inspect` chose it: kept with a saved set, because choosing takes longest.
//!
//! Advice only. What cannot be taken is chosen anew, and wherever a pattern is looked for, it is found.

use std::collections::BTreeMap;

/// By a hash of a matcher's patterns: a byte for each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows(BTreeMap<u64, Box<[u8]>>);

impl Windows {
    pub fn get(&self, patterns: u64) -> Option<&[u8]> {
        self.0.get(&patterns).map(|chosen| &**chosen)
    }

    /// In the order of the hashes.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.0.iter().map(|(patterns, chosen)| (*patterns, &**chosen))
    }
}

impl<'a> FromIterator<(u64, &'a [u8])> for Windows {
    fn from_iter<I: IntoIterator<Item = (u64, &'a [u8])>>(all: I) -> Windows {
        Windows(all.into_iter().map(|(patterns, chosen)| (patterns, chosen.into())).collect())
    }
}
