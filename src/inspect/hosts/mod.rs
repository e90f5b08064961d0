//! State keyed by host: `xbits`, `hostbits`, and the counts of thresholds that decide about packets.
//!
//! A host's sessions lie with several workers, so its state is one structure for all of them, [`HostState`], allocated at
//! start and shared. It owes: what one worker wrote the next look of any worker sees; no lock, no allocation, a bounded
//! number of tries; a policy when it is full ([`table`]), and counts of what that cost. Time is an argument.
//!
//! Bits and counts are numbered within a generation of rules. The generation is part of the key, so a new one starts
//! anew, and what is left of the old one ends by its own time or gives way.

pub(crate) mod bits;
pub(crate) mod key;
pub(crate) mod ports;
pub(crate) mod table;

use super::settings::Settings;
use super::threshold::Thresholds;
use bits::HostBits;
use std::sync::atomic::{AtomicU64, Ordering};

/// One for an appliance, shared by its workers' inspectors.
pub struct HostState {
    pub(super) bits: HostBits,
    pub(super) thresholds: Thresholds,
    /// Alerts kept back by `suppress`.
    pub(super) suppressed: AtomicU64,
}

/// What the bounds of the tables cost.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct HostCounts {
    /// Living bits that gave way in a full bucket, and living counts.
    pub bits_evicted: u64,
    pub thresholds_evicted: u64,
    /// Changes given up because other workers kept changing the same entry.
    pub contended: u64,
    /// Alerts that `suppress` of a threshold.config kept back.
    pub suppressed: u64,
}

impl HostState {
    pub fn new(settings: &Settings) -> HostState {
        let seed = settings.seed;
        HostState {
            bits: HostBits::new(settings.host_bits, seed),
            thresholds: Thresholds::new(settings.thresholds, seed).with_unique_ports(),
            suppressed: AtomicU64::new(0),
        }
    }

    pub fn counts(&self) -> HostCounts {
        HostCounts {
            bits_evicted: self.bits.evicted(),
            thresholds_evicted: self.thresholds.evicted(),
            contended: self.bits.contended() + self.thresholds.contended(),
            suppressed: self.suppressed.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
