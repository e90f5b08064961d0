//! Who spreads frames over the workers, and which worker owns one.
//!
//! However frames are spread, their owner is computed here, by every lcore alike: what a NIC says is at best where it comes
//! true already. With [`Spreading::Rss`] the function is the NIC's own, so that for most frames it does.

use super::settings::PortPlan;
use crate::base::toeplitz::queue;
use crate::decode::{AFFINITY_BYTES, Affinity, HashBy, HashFunction, Tunnels, affinity};
use crate::io::Frame;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Spreading {
    /// The main lcore polls the ports and hands each worker its frames.
    #[default]
    Software,
    /// Each port's NIC hashes by the symmetric key, and each worker polls a queue of its own of every port. `table`: entries
    /// of the ports' redirection tables after which these repeat, a power of two.
    Rss { table: u32 },
}

/// Knows every frame's owner.
#[derive(Copy, Clone, Debug)]
pub struct Owners {
    workers: u32,
    by: HashBy,
    spreading: Spreading,
}

impl Owners {
    pub fn new(workers: usize, hash_ports: bool, spreading: Spreading, tunnels: Tunnels) -> Owners {
        let function = match spreading {
            Spreading::Software => HashFunction::Mixed,
            Spreading::Rss { .. } => HashFunction::Toeplitz,
        };
        Owners {
            workers: workers.max(1) as u32,
            by: HashBy { ports: hash_ports, function, tunnels },
            spreading,
        }
    }

    pub fn workers(&self) -> u32 {
        self.workers
    }

    /// The worker that owns a hash.
    #[inline]
    pub fn of(&self, hash: u32) -> usize {
        match self.spreading {
            // The top bits choose, so that tables may use the lower ones.
            Spreading::Software => ((u64::from(hash) * u64::from(self.workers)) >> 32) as usize,
            Spreading::Rss { table } => queue(table, hash, self.workers) as usize,
        }
    }

    /// The frame's hash. Only its headers are read.
    #[inline]
    pub fn affinity(&self, frame: &Frame, plan: &PortPlan) -> Affinity {
        with_headers(frame, |bytes| affinity(bytes, plan.link, &self.by))
    }

    #[inline]
    pub fn owner(&self, frame: &Frame, plan: &PortPlan) -> usize {
        if self.workers == 1 { 0 } else { self.of(self.affinity(frame, plan).hash) }
    }
}

/// Whether the frame is a piece of a datagram, by its headers alone; `None` where there may be more of those than were looked at.
#[inline]
pub fn is_piece(frame: &Frame, plan: &PortPlan) -> Option<bool> {
    let found = with_headers(frame, |bytes| crate::decode::is_piece(bytes, plan.link));
    if found.is_none() && frame.len() <= AFFINITY_BYTES { Some(false) } else { found }
}

#[inline]
fn with_headers<R>(frame: &Frame, read: impl FnOnce(&[u8]) -> R) -> R {
    let first = frame.first();
    if first.len() >= AFFINITY_BYTES || frame.segment_count() == 1 {
        return read(first);
    }
    let mut head = [0; AFFINITY_BYTES];
    let n = frame.copy_to(0, &mut head);
    read(head.get(..n).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Ports with tables of different sizes, filled as the smallest wants it, choose alike.
        #[test]
        fn every_table_gives_a_hash_to_the_same_queue(hash: u32, workers in 1u32..=32, small in 5u32..8, large in 5u32..12) {
            let table = 1 << small.min(large);
            let owners = Owners::new(workers as usize, true, Spreading::Rss { table }, Tunnels::default());
            for size in [1 << small, 1 << large] {
                let entry = hash & (size - 1);
                prop_assert_eq!(queue(table, entry, workers) as usize, owners.of(hash));
            }
            prop_assert!(owners.of(hash) < workers as usize);
        }

        #[test]
        fn in_software_each_worker_gets_its_share(hash: u32, workers in 1usize..=32) {
            prop_assert!(Owners::new(workers, true, Spreading::Software, Tunnels::default()).of(hash) < workers);
        }
    }
}
