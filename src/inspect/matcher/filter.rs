//! Our own engine: the sieve and the nibbles over one store of patterns, for whole blocks and for streams.
//!
//! A stream's state is its last 15 bytes and, if a pattern longer than that has begun, which one and how far: the bytes
//! before are that pattern's own. Windows, and all that a filter looks at, stand within a pattern's first 16 bytes, so
//! one that began earlier has shown its window in the chunk before and was found unfinished there; one that began in the
//! last 15 bytes is found where the two chunks meet. The bytes of the pattern that has begun are gone through once more with
//! each chunk, out of the store; nothing else of an earlier chunk is looked at again.

use super::aho::Aho;
use super::chunk::Chunk;
use super::entry::{Entry, Store, ends_alike};
use super::level::Level;
use super::nibbles::Nibbles;
use super::patterns::Stamps;
use super::plan::Plan;
use super::sieve::Sieve;
use super::window::REACH;
use super::{Look, PatternId, Patterns, Seen, StreamState, TooLarge, sift};
use crate::rules::Windows;

/// Bytes that a stream keeps of what is past.
pub(super) const KEPT: usize = REACH - 1;

#[derive(Debug)]
pub(super) struct Filter {
    store: Store,
    sieve: Option<Sieve>,
    nibbles: Option<Nibbles>,
    /// For a set in which one position may cost more than a few looks: what takes over when a text has cost too many.
    steady: Option<Box<Aho>>,
    level: Level,
}

/// Entries at one position that no text makes expensive.
const CROWD: usize = 16;
/// Looks that a text may cost, one way and for each of its bytes: real traffic takes a small part of it.
const LOOKS: usize = 1000;
const LOOKS_A_BYTE: usize = 8;

/// The longest pattern that is unfinished at the end of a chunk, and how many of its bytes are there.
type Begun = Option<(PatternId, usize)>;

impl Filter {
    pub(super) fn build(
        patterns: &Patterns,
        plan: Plan,
        level: Level,
        known: &Windows,
    ) -> Result<Filter, TooLarge> {
        let store = Store::build(patterns)?;
        let (sieved, others): (Vec<_>, Vec<_>) = patterns.iter().partition(|(_, p)| plan.sieves(p));
        let sieve = (!sieved.is_empty()).then(|| Sieve::build(sieved.into_iter(), plan.narrow, known));
        let nibbles = (!others.is_empty()).then(|| Nibbles::build(others.into_iter()));
        let crowd = sieve.as_ref().map_or(0, Sieve::crowd).max(nibbles.as_ref().map_or(0, Nibbles::crowd));
        let steady = if crowd > CROWD { Some(Box::new(Aho::build(patterns, false)?)) } else { None };
        Ok(Filter { store, sieve, nibbles, steady, level: level.min(Level::of_cpu()) })
    }

    #[cfg(test)]
    pub(super) fn is_steady(&self) -> bool {
        self.steady.is_some()
    }

    /// Which windows its sieve has, if there is one.
    pub(super) fn windows(&self) -> Option<(u64, &[u8])> {
        self.sieve.as_ref().map(Sieve::chosen)
    }

    pub(super) fn bytes(&self) -> usize {
        let filters =
            self.sieve.as_ref().map_or(0, Sieve::bytes) + self.nibbles.as_ref().map_or(0, Nibbles::bytes);
        self.store.bytes() + filters + self.steady.as_ref().map_or(0, |aho| aho.bytes())
    }

    /// Each pattern that stands in `block`, once. The cost is bounded, whatever the bytes: after too many looks the steady
    /// engine goes through the block instead.
    pub(super) fn scan(&self, block: &[u8], seen: &mut Seen, report: &mut impl FnMut(PatternId)) {
        let Seen { stamps, chunk } = seen;
        let mut looks = match &self.steady {
            Some(_) => LOOKS + LOOKS_A_BYTE * block.len(),
            None => usize::MAX,
        };
        self.run(block, chunk, true, &mut |entry, position| {
            if looks == 0 {
                return Look::Spent;
            }
            looks -= 1;
            if stamps.has(entry.id()) {
                return Look::Seen;
            }
            let Some(begin) = entry.begin(block, position) else { return Look::Absent };
            self.confirm(block, begin, entry.id(), stamps, report)
        });
        if let Some(steady) = self.steady.as_ref().filter(|_| looks == 0) {
            steady.scan(&mut StreamState::default(), block, &mut |id| {
                if stamps.insert(id) {
                    report(id);
                }
            });
        }
    }

    /// Each pattern that ends in `chunk`, once.
    pub(super) fn scan_stream(
        &self,
        state: &mut StreamState,
        chunk: &[u8],
        seen: &mut Seen,
        report: &mut impl FnMut(PatternId),
    ) {
        if chunk.is_empty() {
            return;
        }
        let mut begun = self.scan_past(state, chunk, seen, report);
        let Seen { stamps, chunk: scratch } = seen;
        self.run(chunk, scratch, true, &mut |entry, position| {
            let Some(begin) = entry.begin(chunk, position) else { return Look::Absent };
            let (id, pattern) = (entry.id(), self.store.pattern(entry.id()));
            let Some(here) = chunk.get(begin..) else { return Look::Absent };
            if here.len() < pattern.len() {
                longer(&mut begun, id, pattern, &[], here);
                return Look::Open;
            }
            let look = self.confirm(chunk, begin, id, stamps, report);
            // Where a run begins is looked at for all of it: it may be unfinished at the run's end.
            if look != Look::Absent && is_run(pattern) {
                let end = chunk.get(chunk.len() + 1 - pattern.len()..).unwrap_or_default();
                longer(&mut begun, id, pattern, &[], end);
            }
            // What has been seen may be unfinished further on.
            if pattern.len() > KEPT { Look::Open } else { look }
        });
        state.keep(chunk, begun);
    }

    /// What began before `chunk` and ends in it; what began there and does not.
    fn scan_past(
        &self,
        state: &StreamState,
        chunk: &[u8],
        seen: &mut Seen,
        report: &mut impl FnMut(PatternId),
    ) -> Begun {
        let Seen { stamps, chunk: scratch } = seen;
        let mut begun = None;
        let mut across = |past: &[u8], id: PatternId| {
            let pattern = self.store.pattern(id);
            if pattern.len() <= past.len() {
                return;
            }
            let (left, right) = pattern.split_at(past.len());
            match chunk.get(..right.len()) {
                Some(rest) => {
                    if rest.eq_ignore_ascii_case(right)
                        && past.eq_ignore_ascii_case(left)
                        && stamps.insert(id)
                    {
                        report(id);
                    }
                }
                None => longer(&mut begun, id, pattern, past, chunk),
            }
        };
        let tail = state.tail();
        let mut meeting = [0u8; KEPT + REACH];
        let ahead = chunk.len().min(REACH);
        let len = tail.len() + ahead;
        meeting[..tail.len()].copy_from_slice(tail);
        meeting[tail.len()..len].copy_from_slice(&chunk[..ahead]);
        self.run(&meeting[..len], scratch, false, &mut |entry, position| {
            match entry.begin(&meeting[..len], position) {
                Some(begin) if begin < tail.len() => across(&tail[begin..], entry.id()),
                _ => {}
            }
            Look::Open
        });
        if let Some(past) = state.begun().and_then(|(id, len)| self.store.pattern(id).get(..len)) {
            self.run(past, scratch, false, &mut |entry, position| {
                match entry.begin(past, position) {
                    Some(begin) if begin + KEPT < past.len() => across(&past[begin..], entry.id()),
                    _ => {}
                }
                Look::Open
            });
        }
        begun
    }

    #[inline(never)]
    fn confirm(
        &self,
        text: &[u8],
        begin: usize,
        id: PatternId,
        stamps: &mut Stamps,
        report: &mut impl FnMut(PatternId),
    ) -> Look {
        if stamps.has(id) {
            return Look::Seen;
        }
        let pattern = self.store.pattern(id);
        // Its end first: many may begin alike.
        if !ends_alike(text, begin, pattern) {
            return Look::Open;
        }
        let there = text.get(begin..).and_then(|rest| rest.get(..pattern.len()));
        if there.is_some_and(|there| there.eq_ignore_ascii_case(pattern)) && stamps.insert(id) {
            report(id);
            return Look::Found;
        }
        Look::Open
    }

    fn run(&self, text: &[u8], chunk: &mut Chunk, brief: bool, look: &mut impl FnMut(&Entry, usize) -> Look) {
        #[cfg(target_arch = "x86_64")]
        if self.level >= Level::Avx2 {
            #[allow(unsafe_code)] // see below
            if let Some(sieve) = &self.sieve {
                match self.level {
                    // SAFETY: `level` says that the CPU has what the function asks for.
                    Level::Avx512 => unsafe { sift::scan_avx512(sieve, text, chunk, brief, look) },
                    // SAFETY: as above.
                    _ => unsafe { sift::scan_avx2(sieve, text, chunk, brief, look) },
                }
            }
            #[allow(unsafe_code)] // see below
            if let Some(nibbles) = &self.nibbles {
                // SAFETY: as above.
                unsafe { super::nibbles_avx2::scan(nibbles, text, look) };
            }
            return;
        }
        if let Some(sieve) = &self.sieve {
            sift::scan(sieve, text, chunk, brief, look);
        }
        if let Some(nibbles) = &self.nibbles {
            nibbles.scan(text, look);
        }
    }
}

/// A pattern of one byte again and again, long enough to be unfinished before the tail.
fn is_run(pattern: &[u8]) -> bool {
    pattern.len() > KEPT && pattern.iter().all(|&byte| byte == pattern[0])
}

/// Takes note of a pattern of which `past` and then all of `here` are there, if it is the longest so far and more than
/// the tail will tell of.
fn longer(begun: &mut Begun, id: PatternId, pattern: &[u8], past: &[u8], here: &[u8]) {
    let len = past.len() + here.len();
    let there = pattern.get(..len).map(|start| start.split_at(past.len()));
    if len > begun.map_or(KEPT, |(_, longest)| longest)
        && there
            .is_some_and(|(left, right)| here.eq_ignore_ascii_case(right) && past.eq_ignore_ascii_case(left))
    {
        *begun = Some((id, len));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_look_that_says_so_there_is_no_other() {
        let mut patterns = Patterns::default();
        (0..100).for_each(|n| _ = patterns.add(format!("{}{n:03}", "a".repeat(16)).as_bytes()));
        let plans = [Plan::nibbles(), Plan::sieve(&patterns, false), Plan::sieve(&patterns, true)];
        for (plan, level) in plans.into_iter().flat_map(|plan| Level::ALL.map(|level| (plan, level))) {
            let filter = Filter::build(&patterns, plan, level, &Windows::default()).unwrap();
            let (mut looks, mut seen) = (0, Seen::with_capacity(patterns.len()));
            filter.run(&[b'a'; 5000], &mut seen.chunk, true, &mut |_, _| {
                looks += 1;
                Look::Spent
            });
            assert_eq!(looks, 1, "{plan:?}, {level:?}");
        }
    }
}
