//! A sorted set of disjoint, inclusive intervals: what rules say of addresses and ports.

use serde::{Deserialize, Serialize};

/// Values that have a next one.
pub trait Step: Copy + Ord {
    const MIN: Self;
    const MAX: Self;
    fn next(self) -> Option<Self>;
    fn previous(self) -> Option<Self>;
}

macro_rules! step {
    ($($int:ty),*) => {$(
        impl Step for $int {
            const MIN: Self = <$int>::MIN;
            const MAX: Self = <$int>::MAX;
            fn next(self) -> Option<Self> { self.checked_add(1) }
            fn previous(self) -> Option<Self> { self.checked_sub(1) }
        }
    )*};
}
step!(u16, u32, u128);

/// Disjoint, sorted, never adjacent: two equal sets compare equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<(T, T)>", bound(deserialize = "T: Step + Deserialize<'de>"))]
pub struct IntervalSet<T>(Vec<(T, T)>);

/// Whatever is read becomes such a set.
impl<T: Step> From<Vec<(T, T)>> for IntervalSet<T> {
    fn from(ranges: Vec<(T, T)>) -> Self {
        Self::from_ranges(ranges)
    }
}

impl<T: Step> IntervalSet<T> {
    pub fn empty() -> Self {
        IntervalSet(Vec::new())
    }

    pub fn full() -> Self {
        IntervalSet(vec![(T::MIN, T::MAX)])
    }

    pub fn from_ranges(ranges: impl IntoIterator<Item = (T, T)>) -> Self {
        let mut all: Vec<(T, T)> = ranges.into_iter().filter(|(low, high)| low <= high).collect();
        all.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(all.len());
        for (low, high) in all {
            match merged.last_mut() {
                Some(last) if last.1 >= low || last.1.next() == Some(low) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        IntervalSet(merged)
    }

    pub fn ranges(&self) -> &[(T, T)] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.0 == [(T::MIN, T::MAX)]
    }

    pub fn contains(&self, value: T) -> bool {
        let after = self.0.partition_point(|&(low, _)| low <= value);
        after > 0 && value <= self.0[after - 1].1
    }

    pub fn union(&self, other: &Self) -> Self {
        Self::from_ranges(self.0.iter().chain(&other.0).copied())
    }

    pub fn complement(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut start = Some(T::MIN);
        for &(low, high) in &self.0 {
            if let (Some(from), Some(to)) = (start, low.previous())
                && from <= to
            {
                gaps.push((from, to));
            }
            start = high.next();
        }
        gaps.extend(start.map(|from| (from, T::MAX)));
        IntervalSet(gaps)
    }

    pub fn minus(&self, other: &Self) -> Self {
        self.complement().union(other).complement()
    }

    pub fn intersects(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            if x.1 < y.0 {
                a.next();
            } else if y.1 < x.0 {
                b.next();
            } else {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> impl Strategy<Value = IntervalSet<u16>> {
        prop::collection::vec((0u16..64, 0u16..64), 0..6).prop_map(IntervalSet::from_ranges)
    }

    proptest! {
        #[test]
        fn behaves_like_a_set_of_numbers(a in set(), b in set(), probe in 0u16..70) {
            prop_assert_eq!(a.complement().contains(probe), !a.contains(probe));
            prop_assert_eq!(a.union(&b).contains(probe), a.contains(probe) || b.contains(probe));
            prop_assert_eq!(a.minus(&b).contains(probe), a.contains(probe) && !b.contains(probe));
            prop_assert_eq!(a.complement().complement(), a.clone());
            prop_assert_eq!(a.intersects(&b), (0..70).any(|v| a.contains(v) && b.contains(v)));
        }
    }
}
