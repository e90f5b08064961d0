//! The filter for few or short patterns: eight shuffles of registers instead of a table in memory.
//!
//! Eight buckets of patterns; a table of sixteen bytes says for each value of a nibble which buckets may have it at that
//! place of their windows. Eight such tables (low and high nibble of four bytes), combined by AND, leave the buckets that
//! may stand at a position. This is the shape of Teddy as the authors of Hyperscan published it (Wang et al., NSDI 2019);
//! a candidate goes to the bucket's entries. A bucket whose patterns have all been seen is not looked for again in that
//! block, so that what is everywhere (a line end) costs once.

use super::entry::{Entry, Rows};
use super::window::rarity;
use super::{Look, PatternId};

pub(super) const BUCKETS: usize = 8;
/// Bytes of a window, if the pattern has as many.
pub(super) const PLACES: usize = 4;
/// Heaps from which windows are only paired off with their neighbours: choosing costs the cube of their number.
const CHOOSY: usize = 64;

/// Buckets by nibble, low and high, for each byte of a window.
#[derive(Debug, Default)]
pub(super) struct Masks {
    pub(super) low: [[u8; 16]; PLACES],
    pub(super) high: [[u8; 16]; PLACES],
}

impl Masks {
    /// The buckets that may stand where these bytes do.
    #[inline]
    fn buckets(&self, bytes: [u8; PLACES]) -> u8 {
        let of = |place: usize| {
            let byte: u8 = bytes[place];
            self.low[place][usize::from(byte & 15)] & self.high[place][usize::from(byte >> 4)]
        };
        of(0) & of(1) & of(2) & of(3)
    }
}

#[derive(Debug)]
pub(super) struct Nibbles {
    pub(super) masks: Masks,
    buckets: Rows<Entry>,
    /// Patterns of each bucket.
    sizes: [u32; BUCKETS],
}

/// The buckets that still have a pattern to show in this block.
pub(super) struct Alive {
    pub(super) buckets: u8,
    left: [u32; BUCKETS],
}

impl Nibbles {
    pub(super) fn build<'p>(patterns: impl Iterator<Item = (PatternId, &'p [u8])>) -> Nibbles {
        let mut filed: Vec<(Heap, Entry)> = patterns
            .map(|(id, pattern)| {
                let at = rarest(pattern);
                let window = &pattern[at..pattern.len().min(at + PLACES)];
                (Heap::of(window), Entry::new(id, pattern, at))
            })
            .collect();
        filed.sort_by_key(|(heap, _)| (heap.high, heap.low));
        let heaps = heap_up(filed.iter().map(|&(heap, _)| heap).collect());
        let (mut masks, mut sizes, mut rows) = (Masks::default(), [0u32; BUCKETS], Vec::new());
        let passes: Vec<f32> = heaps.iter().map(Heap::passes).collect();
        for (heap, entry) in filed {
            // The heap that has all its nibbles and lets the least through.
            let mine = heaps.iter().zip(&passes).enumerate().filter(|(_, (h, _))| h.holds(&heap));
            let bucket = mine.min_by(|a, b| a.1.1.total_cmp(b.1.1)).map_or(0, |(n, _)| n);
            heap.set(bucket, &mut masks);
            sizes[bucket] += 1;
            rows.push((bucket as u32, entry));
        }
        Nibbles { masks, buckets: Rows::build(BUCKETS, rows), sizes }
    }

    pub(super) fn alive(&self) -> Alive {
        let buckets = (0..BUCKETS).filter(|&b| self.sizes[b] > 0).fold(0, |all, b| all | 1 << b);
        Alive { buckets, left: self.sizes }
    }

    /// Calls `look` with each entry that may stand at a position, and that position. Scalar twin of
    /// `nibbles_avx2::scan`.
    pub(super) fn scan(&self, text: &[u8], look: &mut impl FnMut(&Entry, usize) -> Look) {
        let mut alive = self.alive();
        let byte = |at: usize| text.get(at).copied().unwrap_or(0);
        for at in 0..text.len() {
            let buckets = self.masks.buckets([byte(at), byte(at + 1), byte(at + 2), byte(at + 3)]);
            self.look_into(buckets, at, &mut alive, look);
        }
    }

    #[inline]
    pub(super) fn look_into(
        &self,
        buckets: u8,
        at: usize,
        alive: &mut Alive,
        look: &mut impl FnMut(&Entry, usize) -> Look,
    ) {
        let mut left = buckets & alive.buckets;
        while left != 0 {
            let bucket = left.trailing_zeros() as usize;
            left &= left - 1;
            for entry in self.buckets.row(bucket) {
                match look(entry, at) {
                    Look::Found => alive.found(bucket),
                    Look::Spent => {
                        alive.buckets = 0;
                        return;
                    }
                    Look::Absent | Look::Seen | Look::Open => {}
                }
            }
        }
    }

    /// Entries that one position may cost a look each.
    pub(super) fn crowd(&self) -> usize {
        self.buckets.longest()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Nibbles>() + self.buckets.bytes()
    }
}

impl Alive {
    fn found(&mut self, bucket: usize) {
        if let Some(left) = self.left.get_mut(bucket) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.buckets &= !(1 << bucket);
            }
        }
    }
}

/// Where the four bytes stand that real traffic shows least; the begin of a pattern that has no more.
fn rarest(pattern: &[u8]) -> usize {
    let reach = pattern.get(..super::window::REACH).unwrap_or(pattern);
    let windows = reach.windows(PLACES).enumerate();
    windows.min_by_key(|(_, window)| rarity(window)).map_or(0, |(at, _)| at)
}

/// Joins heaps, of all pairs the one that lets the least more through first, until no more than [`BUCKETS`] are left.
fn heap_up(mut heaps: Vec<Heap>) -> Vec<Heap> {
    let (common, mut rest): (Vec<Heap>, _) = heaps.into_iter().partition(Heap::takes_zeroes);
    while rest.len() > CHOOSY {
        rest = rest.chunks(2).map(|pair| pair.iter().skip(1).fold(pair[0], |a, b| a.with(b))).collect();
    }
    heaps = rest;
    heaps.extend(common);
    // What joining each heap with each behind it lets through more; only what a join touched is found anew.
    let mut costs: Vec<Vec<f32>> =
        heaps.iter().enumerate().map(|(n, heap)| heap.costs(&heaps[n + 1..])).collect();
    while heaps.len() > BUCKETS {
        let mut best = (f32::INFINITY, 0, 1);
        for (a, row) in costs.iter().enumerate() {
            for (n, &more) in row.iter().enumerate() {
                if more < best.0 {
                    best = (more, a, a + 1 + n);
                }
            }
        }
        let (_, one, other) = best;
        let joined = heaps.remove(other);
        heaps[one] = heaps[one].with(&joined);
        costs.remove(other);
        for (n, row) in costs.iter_mut().enumerate().take(other) {
            row.remove(other - n - 1);
            if n < one {
                row[one - n - 1] = heaps[n].cost(&heaps[one]);
            }
        }
        costs[one] = heaps[one].costs(&heaps[one + 1..]);
    }
    heaps
}

/// Windows that would share a bucket: the nibbles they have at each place.
#[derive(Copy, Clone, Debug, PartialEq)]
struct Heap {
    low: [u16; PLACES],
    high: [u16; PLACES],
    /// Windows in it: each is looked at wherever one of them may stand.
    windows: u16,
}

impl Heap {
    /// Past the window's end anything will do.
    fn of(window: &[u8]) -> Heap {
        let mut heap = Heap { low: [u16::MAX; PLACES], high: [u16::MAX; PLACES], windows: 1 };
        for (place, &byte) in window.iter().enumerate().take(PLACES) {
            let (lower, upper) = (byte.to_ascii_lowercase(), byte.to_ascii_uppercase());
            heap.low[place] = 1 << (lower & 15) | 1 << (upper & 15);
            heap.high[place] = 1 << (lower >> 4) | 1 << (upper >> 4);
        }
        heap
    }

    fn with(&self, other: &Heap) -> Heap {
        Heap {
            low: std::array::from_fn(|n| self.low[n] | other.low[n]),
            high: std::array::from_fn(|n| self.high[n] | other.high[n]),
            windows: self.windows.saturating_add(other.windows),
        }
    }

    fn holds(&self, other: &Heap) -> bool {
        let both = self.with(other);
        (both.low, both.high) == (self.low, self.high)
    }

    /// The share of positions that pass, roughly: each high nibble by how common its bytes are.
    fn passes(&self) -> f32 {
        (0..PLACES)
            .map(|place| {
                let [low, high] = self.high[place].to_le_bytes();
                let rows = ROW_SUMS[0][usize::from(low)] + ROW_SUMS[1][usize::from(high)];
                let zero = if self.high[place] & self.low[place] & 1 == 1 { ZERO } else { 0.0 };
                rows * self.low[place].count_ones() as f32 / 16.0 + zero
            })
            .product::<f32>()
            .max(if self.takes_zeroes() { ZEROES } else { 0.0 })
    }

    /// Whether zeroes alone pass.
    fn takes_zeroes(&self) -> bool {
        self.low.iter().zip(&self.high).all(|(low, high)| low & high & 1 == 1)
    }

    /// How many more looks there are when the two share a bucket.
    fn cost(&self, other: &Heap) -> f32 {
        self.with(other).looks() - self.looks() - other.looks()
    }

    /// Looks into the bucket, as a share of positions.
    fn looks(&self) -> f32 {
        self.passes() * f32::from(self.windows)
    }

    fn costs(&self, others: &[Heap]) -> Vec<f32> {
        others.iter().map(|other| self.cost(other)).collect()
    }

    fn set(&self, bucket: usize, masks: &mut Masks) {
        for place in 0..PLACES {
            for nibble in 0..16 {
                masks.low[place][nibble] |= ((self.low[place] >> nibble & 1) as u8) << bucket;
                masks.high[place][nibble] |= ((self.high[place] >> nibble & 1) as u8) << bucket;
            }
        }
    }
}

/// Share of payload bytes by their high nibble, and of zeroes beyond their row's share: half text, half anything.
const ROWS: [f32; 16] =
    [0.05, 0.03, 0.09, 0.09, 0.08, 0.06, 0.18, 0.12, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03];
const ZERO: f32 = 0.06;
/// Of positions at which nothing but zeroes stands: they come in runs.
const ZEROES: f32 = 0.1;

/// The rows' shares together, for each choice of the first eight and of the last eight.
static ROW_SUMS: [[f32; 256]; 2] = {
    let mut sums = [[0.0; 256]; 2];
    let mut n = 0;
    while n < 2 * 256 * 8 {
        let (half, choice, row) = (n / 2048, n / 8 % 256, n % 8);
        if choice >> row & 1 == 1 {
            sums[half][choice] += ROWS[8 * half + row];
        }
        n += 1;
    }
    sums
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::matcher::Patterns;

    fn nibbles(patterns: &[&[u8]]) -> Nibbles {
        let mut set = Patterns::default();
        patterns.iter().for_each(|p| _ = set.add(p));
        Nibbles::build(set.iter())
    }

    #[test]
    fn every_pattern_has_a_bucket_that_lets_it_through() {
        let words: Vec<Vec<u8>> = (0..200u8).map(|n| vec![b'a' + n % 26, n, n / 2, n % 7]).collect();
        for count in [1, 8, 9, 100, 200] {
            let some: Vec<&[u8]> = words[..count].iter().map(Vec::as_slice).collect();
            let filter = nibbles(&some);
            assert_eq!(filter.sizes.iter().sum::<u32>() as usize, count);
            for (n, word) in words[..count].iter().enumerate() {
                let mut ids = Vec::new();
                filter.scan(word, &mut |entry, at| {
                    ids.extend(entry.begin(word, at).map(|_| entry.id().0 as usize));
                    Look::Open
                });
                assert!(ids.contains(&n), "{n} of {count}");
            }
        }
    }

    #[test]
    fn likes_share_a_bucket() {
        let heaps =
            heap_up((b'a'..=b'j').map(|n| Heap::of(&[n, n, n])).chain([Heap::of(b"\xff\xff\xff")]).collect());
        assert_eq!(heaps.len(), BUCKETS);
        assert!(heaps.contains(&Heap::of(b"\xff\xff\xff")), "the odd one keeps its own");
    }

    #[test]
    fn heaps_are_joined_as_a_search_of_all_pairs_would() {
        let words = (0..40u8).map(|n| [n.wrapping_mul(37), b'a' + n % 26, n % 5, 0xf0 | (n % 3)]);
        let heaps: Vec<Heap> = words.map(|word| Heap::of(&word[..2 + usize::from(word[1] % 3)])).collect();
        let mut plain = heaps.clone();
        while plain.len() > BUCKETS {
            let pairs = (0..plain.len()).flat_map(|a| (a + 1..plain.len()).map(move |b| (a, b)));
            let cost = |&(a, b): &(usize, usize)| plain[a].cost(&plain[b]);
            let (a, b) = pairs.min_by(|x, y| cost(x).total_cmp(&cost(y))).unwrap();
            let other = plain.remove(b);
            plain[a] = plain[a].with(&other);
        }
        assert_eq!(heap_up(heaps), plain);
    }

    #[test]
    fn what_is_everywhere_shares_no_bucket_with_what_is_rare() {
        let rare: Vec<Vec<u8>> = (0..64u8).map(|n| vec![n | 0x40, n.wrapping_mul(29)]).collect();
        let patterns: Vec<&[u8]> = rare.iter().map(Vec::as_slice).chain([&[0, 0][..]]).collect();
        let mut looks = 0;
        nibbles(&patterns).scan(&[0; 500], &mut |entry, at| {
            looks += 1;
            if entry.id().0 == 64 && entry.begin(&[0; 500], at).is_some() { Look::Found } else { Look::Open }
        });
        assert_eq!(looks, 1);
    }

    #[test]
    fn a_bucket_that_has_shown_all_is_not_looked_into_again() {
        let mut looks = 0;
        nibbles(&[b"\r\n"]).scan(&b"\r\n".repeat(50), &mut |_, _| {
            looks += 1;
            Look::Found
        });
        assert_eq!(looks, 1);
    }
}
