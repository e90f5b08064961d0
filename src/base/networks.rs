//! A value by network: of those that hold an address, the longest prefix decides.

use super::{Addr, Family};

/// Few networks, read often and from several workers: it never changes once made.
#[derive(Clone, Debug, Default)]
pub struct NetworkTable<T> {
    default: T,
    /// Longest prefix first.
    networks: Vec<(Family, Addr, u8, T)>,
}

impl<T: Copy> NetworkTable<T> {
    pub fn new(default: T) -> NetworkTable<T> {
        NetworkTable { default, networks: Vec::new() }
    }

    /// `prefix` in bits of the family's address: at most 32 or 128.
    pub fn add(&mut self, family: Family, network: Addr, prefix: u8, value: T) {
        let at = self.networks.partition_point(|&(_, _, longer, _)| longer >= prefix);
        self.networks.insert(at, (family, network, prefix, value));
    }

    pub fn of(&self, family: Family, address: Addr) -> T {
        let width: u32 = if family == Family::V4 { 32 } else { 128 };
        let within = |network: Addr, prefix: u8| {
            let rest = width.saturating_sub(u32::from(prefix));
            let shifted = |a: Addr| a.0.checked_shr(rest).unwrap_or(0);
            shifted(network) == shifted(address)
        };
        let found = self.networks.iter().find(|n| n.0 == family && within(n.1, n.2));
        found.map_or(self.default, |n| n.3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_network_that_holds_the_address_decides() {
        let mut table = NetworkTable::new('d');
        table.add(Family::V4, Addr::v4([10, 0, 0, 0]), 8, 'a');
        table.add(Family::V4, Addr::v4([10, 1, 0, 0]), 16, 'b');
        table.add(Family::V6, Addr(0), 0, 'c');
        assert_eq!(table.of(Family::V4, Addr::v4([10, 1, 2, 3])), 'b');
        assert_eq!(table.of(Family::V4, Addr::v4([10, 2, 2, 3])), 'a');
        assert_eq!(table.of(Family::V4, Addr::v4([11, 2, 2, 3])), 'd');
        assert_eq!(table.of(Family::V6, Addr(77)), 'c');
    }
}
