//! The scores of one category: ranges of addresses that do not overlap, looked into by halves.

use crate::base::{Addr, Family};

/// An IPv4 address among those of IPv6: `::ffff:a.b.c.d`.
pub fn of_v4(address: u32) -> u128 {
    0xffff_u128 << 32 | u128::from(address)
}

/// A packet's address.
pub fn of(address: Addr, family: Family) -> u128 {
    match family {
        Family::V4 => of_v4(address.0 as u32),
        Family::V6 => address.0,
    }
}

/// A network with its score: the first address, and how many bits of 128 all of it share.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    pub first: u128,
    pub bits: u8,
    pub score: u8,
}

impl Scored {
    fn last(self) -> u128 {
        self.first | u128::MAX.checked_shr(self.bits.into()).unwrap_or(0)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// First address of each range, ascending; its score, 0 where there is none. Each goes to the next.
    starts: Box<[u128]>,
    scores: Box<[u8]>,
}

impl Scores {
    /// Of an address that several networks have, the smallest network's score counts; of a network said twice, the later.
    pub fn new(mut list: Vec<Scored>) -> Scores {
        list.sort_by_key(|scored| (scored.first, scored.bits));
        let mut ranges = Ranges::default();
        let mut open: Vec<Scored> = Vec::new();
        for scored in list {
            ranges.close(&mut open, Some(scored.first));
            ranges.begin(scored.first, scored.score);
            open.push(scored);
        }
        ranges.close(&mut open, None);
        let (starts, scores): (Vec<_>, Vec<_>) = ranges.0.into_iter().unzip();
        Scores { starts: starts.into(), scores: scores.into() }
    }

    /// 1 to 127.
    pub fn of(&self, address: u128) -> Option<u8> {
        let behind = self.starts.partition_point(|start| *start <= address);
        let score = self.scores.get(behind.checked_sub(1)?).copied();
        score.filter(|score| *score > 0)
    }
}

#[derive(Default)]
struct Ranges(Vec<(u128, u8)>);

impl Ranges {
    fn begin(&mut self, start: u128, score: u8) {
        match self.0.last_mut().filter(|last| last.0 == start) {
            Some(last) => last.1 = score,
            None => self.0.push((start, score)),
        }
    }

    /// Ends the networks that end before an address, from the inside; behind each goes on what it stands in.
    fn close(&mut self, open: &mut Vec<Scored>, before: Option<u128>) {
        while let Some(inner) = open.pop_if(|inner| before.is_none_or(|before| inner.last() < before)) {
            if let Some(next) = inner.last().checked_add(1) {
                self.begin(next, open.last().map_or(0, |outer| outer.score));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_smallest_network_that_has_the_address_counts(
            list in prop::collection::vec((any::<u8>(), 120..=128u8, 1..=127u8), 0..20),
            address in any::<u8>(),
        ) {
            let high = 0x2001_0db8_u128 << 96;
            let scored = |&(low, bits, score): &(u8, u8, u8)| {
                let mask = !u128::MAX.checked_shr(bits.into()).unwrap_or(0);
                Scored { first: (high | u128::from(low)) & mask, bits, score }
            };
            let list: Vec<Scored> = list.iter().map(scored).collect();
            let address = high | u128::from(address);
            let has = |s: &&Scored| s.first <= address && address <= s.last();
            // The last of the longest.
            let plain = list.iter().filter(has).max_by_key(|s| s.bits).map(|s| s.score);
            prop_assert_eq!(Scores::new(list).of(address), plain);
        }
    }

    #[test]
    fn the_ends_of_all_addresses_are_no_matter() {
        let all = Scores::new(vec![Scored { first: 0, bits: 0, score: 5 }]);
        assert_eq!((all.of(0), all.of(u128::MAX)), (Some(5), Some(5)));
        assert_eq!(Scores::default().of(1), None);
        let two = Scores::new(vec![
            Scored { first: 0, bits: 0, score: 5 },
            Scored { first: of_v4(0x0a00_0001), bits: 128, score: 9 },
        ]);
        assert_eq!((two.of(of_v4(0x0a00_0001)), two.of(of_v4(0x0a00_0002))), (Some(9), Some(5)));
    }
}
