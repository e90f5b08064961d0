//! How often each count of candidates occurred, in fixed memory: exact below 16, in eighths of a power of two above.

use crate::base::counters::Counter;

const EXACT: usize = 16;
/// Parts of each power of two, as a power of two itself.
const PART_BITS: u32 = 3;
/// From 2^4 to 2^31.
const OCTAVES: usize = 28;
const BUCKETS: usize = EXACT + (OCTAVES << PART_BITS);

/// One worker's.
#[derive(Debug)]
pub(super) struct Distribution {
    buckets: [Counter; BUCKETS],
    sum: Counter,
    max: Counter,
}

impl Default for Distribution {
    fn default() -> Distribution {
        let buckets = std::array::from_fn(|_| Counter::new());
        Distribution { buckets, sum: Counter::new(), max: Counter::new() }
    }
}

impl Distribution {
    pub(super) fn add(&self, value: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(value)) {
            bucket.add(1);
        }
        self.sum.add(value);
        if value > self.max.get() {
            self.max.set(value);
        }
    }
}

fn bucket_of(value: u64) -> usize {
    let value = value.min(u64::from(u32::MAX));
    if value < EXACT as u64 {
        return value as usize;
    }
    let octave = value.ilog2();
    let part = (value >> (octave - PART_BITS)) as usize & ((1 << PART_BITS) - 1);
    EXACT + ((octave as usize - 4) << PART_BITS) + part
}

/// The largest value that a bucket counts.
fn last_of(bucket: usize) -> u64 {
    let Some(beyond) = bucket.checked_sub(EXACT) else { return bucket as u64 };
    let (octave, part) = ((beyond >> PART_BITS) as u32 + 4, beyond as u64 & ((1 << PART_BITS) - 1));
    let width = 1u64 << (octave - PART_BITS);
    (1 << octave) + (part + 1) * width - 1
}

/// Several workers' distributions in a few numbers.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// Values counted.
    pub count: u64,
    pub mean: f64,
    /// At most an eighth above the true one, as `p99`.
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Quantiles {
    pub(super) fn of<'d>(all: impl Iterator<Item = &'d Distribution>) -> Quantiles {
        let (mut buckets, mut sum, mut max) = ([0u64; BUCKETS], 0u64, 0);
        for one in all {
            for (bucket, counter) in buckets.iter_mut().zip(&one.buckets) {
                *bucket += counter.get();
            }
            sum += one.sum.get();
            max = max.max(one.max.get());
        }
        let count: u64 = buckets.iter().sum();
        let quantile = |hundredths: u64| {
            let rank = (u128::from(count) * u128::from(hundredths)).div_ceil(100) as u64;
            let mut below = 0;
            let at = buckets.iter().position(|n| {
                below += n;
                below >= rank.max(1)
            });
            at.map_or(0, |at| last_of(at).min(max))
        };
        let mean = if count == 0 { 0.0 } else { sum as f64 / count as f64 };
        Quantiles { count, mean, p50: quantile(50), p99: quantile(99), max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_counted_is_all_zero() {
        assert_eq!(Quantiles::of([&Distribution::default()].into_iter()), Quantiles::default());
    }

    #[test]
    fn buckets_follow_one_another_without_gap() {
        assert_eq!(bucket_of(0), 0);
        for bucket in 0..BUCKETS {
            let last = last_of(bucket);
            assert_eq!(bucket_of(last), bucket, "{last}");
            assert_eq!(bucket_of(last + 1), (bucket + 1).min(BUCKETS - 1), "{last}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn quantiles_are_at_most_an_eighth_above_a_sorted_lists(
            values in prop::collection::vec(0u64..5000, 1..300), split in any::<prop::sample::Index>()
        ) {
            let (one, two) = (Distribution::default(), Distribution::default());
            let cut = split.index(values.len());
            values[..cut].iter().for_each(|v| one.add(*v));
            values[cut..].iter().for_each(|v| two.add(*v));
            let found = Quantiles::of([&one, &two].into_iter());
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let exact = |p: usize| sorted[((sorted.len() * p).div_ceil(100)).max(1) - 1];
            for (found, exact) in [(found.p50, exact(50)), (found.p99, exact(99))] {
                prop_assert!(found >= exact && found <= exact + exact / 8, "{found} {exact}");
            }
            prop_assert_eq!((found.count, found.max), (values.len() as u64, *sorted.last().unwrap()));
            let mean = values.iter().sum::<u64>() as f64 / values.len() as f64;
            prop_assert!((found.mean - mean).abs() < 1e-9);
        }
    }
}
