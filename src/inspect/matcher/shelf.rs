//! Where the sieve files its patterns: by what is rare in them about the window, on one of five shelves.
//!
//! A shelf is a bitmap of hashes (the sieve's second filter) and, behind it, the entries by the same hash. What is hashed
//! is the window alone, the four bytes from the one before it on, the window and the four bytes behind it, or the four
//! bytes before it and the window; each pattern stands on the shelf for which its bytes are rarest. A byte outside the
//! pattern is unknown: it is filed under all that the hash may see there. One that no four bytes are known of stands on the
//! fifth, under the first two of its window.

use super::entry::{Entry, Rows};
use super::window::{FOLD, REACH, SHORTEST, WINDOW, rarity_of};

/// Bits of a map, log 2, and how many a member gets within these limits: 16 KiB at most.
const BITS: std::ops::RangeInclusive<u32> = 8..=17;
const BITS_PER_MEMBER: usize = 16;
/// Slots of a shelf's entries, log 2.
const SLOTS: std::ops::RangeInclusive<u32> = 1..=16;
/// What is seen of four bytes: of the last two the low five bits, of which folding changes none.
const SEES: u32 = 0x1f1f_ffff;
const SEEN_BITS: u32 = 5;
const FOUR_KEY: u32 = 0x85eb_ca6b;
/// Bits of a pair.
const PAIR_BITS: u32 = 14;
const PAIR_KEY: u32 = 0x2c9b;
/// Words of a bit for each pair.
const PAIR_WORDS: usize = 1 << (16 - 1 - 5);
const EIGHT: usize = 2 * WINDOW;
const EIGHT_KEY: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes that the shelves look at: four before the window, the window, and four behind it.
pub(super) const ABOUT: usize = 12;
pub(super) const BEFORE: usize = 4;
pub(super) const SHELVES: usize = 5;
const ALONE: usize = 0;
const SHIFTED: usize = 1;
const BEHIND: usize = 2;
const AHEAD: usize = 3;
const SHORT: usize = 4;

/// A set of hashes, by their high bits: a word, and two bits of it, which a stranger seldom shares both.
#[derive(Debug)]
pub(super) struct Bits {
    words: Box<[u32]>,
    /// Where in a hash the word's number stands, up to its end, and where the two bits' numbers do.
    word: u32,
    first: u32,
    second: u32,
}

impl Bits {
    /// Of `count` hashes.
    fn of(count: usize, hashes: impl Iterator<Item = u32>) -> Bits {
        let bits = (count * BITS_PER_MEMBER).next_power_of_two().trailing_zeros();
        let bits = bits.clamp(*BITS.start(), *BITS.end());
        Bits::with(bits, u32::BITS - bits - 5, hashes)
    }

    /// Of hashes of pairs: none of another pair is in it. What is everywhere in traffic, as two zeroes, must not pass for
    /// something else.
    fn of_pairs(hashes: impl Iterator<Item = u32>) -> Bits {
        Bits::with(PAIR_BITS, u32::BITS - PAIR_BITS, hashes)
    }

    fn with(bits: u32, second: u32, hashes: impl Iterator<Item = u32>) -> Bits {
        let first = u32::BITS - bits;
        let mut set = Bits { words: vec![0; 1 << (bits - 5)].into(), word: first + 5, first, second };
        // With `for_each` the hashes of a window are a loop of their own.
        hashes.for_each(|hash| {
            let bits = 1 << (hash >> set.first & 31) | 1 << (hash >> set.second & 31);
            set.words[(hash >> set.word) as usize] |= bits;
        });
        set
    }

    /// 1 if the hash may be in it.
    #[inline(always)]
    pub(super) fn has(&self, hash: u32) -> u32 {
        let word = self.words.get((hash >> self.word) as usize).copied().unwrap_or(0);
        (word >> (hash >> self.first & 31)) & (word >> (hash >> self.second & 31)) & 1
    }

    pub(super) fn bytes(&self) -> usize {
        4 * self.words.len()
    }
}

#[derive(Debug)]
pub(super) struct Shelf {
    bits: Bits,
    rows: Rows<(u32, Entry)>,
    slot_shift: u32,
    pub(super) is_empty: bool,
}

impl Shelf {
    fn of(filed: Vec<(u32, Entry)>) -> Shelf {
        let bits = Bits::of(filed.len(), filed.iter().map(|filed| filed.0));
        Shelf::with(bits, filed)
    }

    /// Filed under pairs.
    fn of_pairs(filed: Vec<(u32, Entry)>) -> Shelf {
        let bits = if filed.is_empty() {
            Bits::of(0, std::iter::empty())
        } else {
            Bits::of_pairs(filed.iter().map(|filed| filed.0))
        };
        Shelf::with(bits, filed)
    }

    fn with(bits: Bits, filed: Vec<(u32, Entry)>) -> Shelf {
        let slots = filed.len().next_power_of_two().trailing_zeros().clamp(*SLOTS.start(), *SLOTS.end());
        let slot_shift = 32 - slots;
        let is_empty = filed.is_empty();
        let rows = filed.into_iter().map(|(hash, entry)| (hash >> slot_shift, (hash, entry))).collect();
        let rows = Rows::build(1 << slots, rows);
        Shelf { bits, rows, slot_shift, is_empty }
    }

    /// 1 if something may be filed under `hash`.
    #[inline(always)]
    pub(super) fn has(&self, hash: u32) -> u32 {
        self.bits.has(hash)
    }

    /// What is filed under `hash`.
    #[inline(always)]
    pub(super) fn entries(&self, hash: u32) -> impl Iterator<Item = &Entry> {
        let row = self.rows.row((hash >> self.slot_shift) as usize);
        row.iter().filter(move |filed| filed.0 == hash).map(|filed| &filed.1)
    }

    /// Entries that one position may cost a look each.
    pub(super) fn crowd(&self) -> usize {
        self.rows.longest()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bits.bytes() + self.rows.bytes()
    }
}

/// The hashes of a position, one a shelf, by the bytes about it.
#[inline(always)]
pub(super) fn hashes(about: &[u8; ABOUT]) -> [u32; SHELVES] {
    let eight_of = |bytes: Option<&[u8; EIGHT]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let (ahead, behind) = (eight_of(about.first_chunk()), eight_of(about.last_chunk()));
    [four(behind as u32), four((ahead >> 24) as u32), eight(behind), eight(ahead), two(behind as u32)]
}

/// The shelves while patterns are filed.
#[derive(Default)]
pub(super) struct Filing([Vec<(u32, Entry)>; SHELVES]);

impl Filing {
    /// Files `entry` of `pattern`, whose window stands at `at`.
    pub(super) fn file(&mut self, pattern: &[u8], at: usize, entry: Entry) {
        let reach = &pattern[..pattern.len().min(REACH)];
        let some = |from: Option<usize>, len: usize| {
            from.map_or(&[][..], |from| &reach[from..reach.len().min(from + len)])
        };
        let whole = |bytes: &'_ [u8]| bytes.len() == EIGHT;
        let bytes = [
            some(Some(at), WINDOW),
            some(at.checked_sub(1), WINDOW),
            Some(some(Some(at), EIGHT)).filter(|b| whole(b)).unwrap_or_default(),
            Some(some(at.checked_sub(BEFORE), EIGHT)).filter(|b| whole(b)).unwrap_or_default(),
        ];
        let best = [BEHIND, AHEAD, SHIFTED, ALONE].into_iter().min_by_key(|&shelf| rarity_of(bytes[shelf]));
        let Some(best) = best else { return };
        if best == BEHIND || best == AHEAD {
            self.0[best].push((eight(folded(bytes[best])), entry));
        } else if best == ALONE && bytes[best].len() < WINDOW {
            self.0[SHORT].push((two(folded(bytes[best]) as u32), entry));
        } else {
            self.0[best].extend(completed(bytes[best]).map(|hash| (hash, entry)));
        }
    }

    pub(super) fn finish(self) -> [Shelf; SHELVES] {
        let [alone, shifted, behind, ahead, short] = self.0;
        let [alone, shifted, behind, ahead] = [alone, shifted, behind, ahead].map(Shelf::of);
        [alone, shifted, behind, ahead, Shelf::of_pairs(short)]
    }
}

/// The windows themselves: a quick look before the shelves. Those of two bytes have a map of their own, for among the others
/// each would be a thousand.
#[derive(Debug)]
pub(super) struct Glance {
    /// By their hashes ([`four`]).
    pub(super) windows: Bits,
    pub(super) pairs: Option<ExactPairs>,
}

/// Pairs of folded bytes, a bit each, so that none passes for another. Bit 5 is set in each first byte and does not count.
#[derive(Debug)]
pub(super) struct ExactPairs(Box<[u32; PAIR_WORDS]>);

impl ExactPairs {
    fn of<'p>(pairs: impl Iterator<Item = &'p [u8]>) -> ExactPairs {
        let mut set = ExactPairs(Box::new([0; PAIR_WORDS]));
        for bytes in pairs.map(|pair| folded(pair) as u32) {
            set.0[(bytes >> 6) as usize & (PAIR_WORDS - 1)] |= 1 << (bytes & 31);
        }
        set
    }

    /// 1 if the first two of four folded bytes are in it.
    #[inline(always)]
    pub(super) fn has(&self, bytes: u32) -> u32 {
        self.0[(bytes >> 6) as usize & (PAIR_WORDS - 1)] >> (bytes & 31) & 1
    }
}

impl Glance {
    pub(super) fn of(windows: &[&[u8]]) -> Glance {
        let (pairs, others): (Vec<&[u8]>, Vec<&[u8]>) = windows.iter().partition(|w| w.len() <= SHORTEST);
        let count = others.iter().map(|window| completions(window)).sum();
        let windows = Bits::of(count, others.iter().flat_map(|window| completed(window)));
        let of_pairs = || ExactPairs::of(pairs.iter().copied());
        Glance { windows, pairs: (!pairs.is_empty()).then(of_pairs) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.windows.bytes() + self.pairs.as_ref().map_or(0, |_| size_of::<[u32; PAIR_WORDS]>())
    }
}

/// The hashes of all that four bytes may be of which these are the first.
fn completed(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let known = folded(bytes) as u32;
    // The last byte counts up first; of what is known nothing is changed, for there is no count so high.
    (0..completions(bytes) as u32).map(move |n| {
        let unknown = |byte: u32| (n >> (SEEN_BITS * (WINDOW as u32 - 1 - byte)) & 0x1f) << (8 * byte);
        four(known | unknown(3) | unknown(2) | unknown(1) | unknown(0))
    })
}

fn completions(bytes: &[u8]) -> usize {
    1 << (SEEN_BITS as usize * (WINDOW - bytes.len()))
}

fn folded(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &b| word << 8 | u64::from(b | FOLD))
}

#[inline(always)]
pub(super) fn four(bytes: u32) -> u32 {
    (bytes & SEES).wrapping_mul(FOUR_KEY)
}

/// Another for each pair: folded bytes have seven bits of their own, and an odd factor puts no two in one place.
#[inline(always)]
fn two(bytes: u32) -> u32 {
    let apart = bytes & 0x1f1f | bytes >> 1 & 0x6060;
    let pair = apart & 0x7f | apart >> 1 & 0x3f80;
    pair.wrapping_mul(PAIR_KEY) << (u32::BITS - PAIR_BITS)
}

#[inline(always)]
fn eight(bytes: u64) -> u32 {
    (bytes.wrapping_mul(EIGHT_KEY) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_pairs_share_a_hash() {
        let mut seen = std::collections::HashSet::new();
        for pair in 0..=u16::MAX {
            let [a, b] = pair.to_le_bytes().map(|byte| byte | FOLD);
            if pair.to_le_bytes() == [a, b] {
                assert!(seen.insert(two(u32::from(pair))), "{pair:04x}");
            }
        }
        assert_eq!(seen.len(), 1 << PAIR_BITS);
    }

    #[test]
    fn a_map_has_all_that_were_put_in_and_few_others() {
        let hashes = |from: u32| (from..from + 1000).map(|n| four(n.wrapping_mul(0x0001_0203)));
        let bits = Bits::of(1000, hashes(0));
        assert!(hashes(0).all(|hash| bits.has(hash) == 1));
        let strangers = hashes(1000).filter(|&hash| bits.has(hash) == 1).count();
        assert!(strangers < 60, "{strangers} of 1000");
    }
}
