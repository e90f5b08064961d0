//! The conservation of frames: `received + generated = transmitted + dropped + held + consumed + merged + in rings`.
//!
//! Each lcore writes a ledger of its own; the sum over all balances whenever the lcores are quiet, and at shutdown.

use crate::base::DropReason;
use crate::base::counters::Counter;
use std::fmt;

/// A counter for each reason, in their order.
#[derive(Debug)]
struct PerReason([Counter; DropReason::COUNT]);

impl Default for PerReason {
    fn default() -> PerReason {
        PerReason(std::array::from_fn(|_| Counter::new()))
    }
}

/// One lcore's entries. Aligned so that two lcores never share a cache line (or a prefetched pair of them).
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Ledger {
    pub received: Counter,
    /// Of inspected pairs: the others' frames are not looked at.
    pub received_bytes: Counter,
    /// Rebuilt datagrams, refragments, and the copies that tap mode inspects.
    pub generated: Counter,
    pub transmitted: Counter,
    dropped: PerReason,
    /// What tap mode would have dropped; the frames themselves are counted where they went.
    spared: PerReason,
    /// Waiting now (fragments of unfinished datagrams); a gauge.
    pub held: Counter,
    /// Ended in this box: inspected copies.
    pub consumed: Counter,
    /// Fragments that became part of a rebuilt datagram, and rebuilt datagrams that were cut.
    pub merged: Counter,
    /// In the rings towards this lcore, counted in a pause.
    pub in_rings: Counter,
    /// Turns, and those that found nothing to do.
    pub turns: Counter,
    pub idle_turns: Counter,
    /// Frames that a NIC's queue gave to another worker than their owner, and that were handed over.
    pub misplaced: Counter,
    pub inspected: Counter,
    pub alerts: Counter,
}

impl Ledger {
    #[inline]
    pub fn count_drop(&self, reason: DropReason, frames: u64) {
        self.dropped.0[reason.index()].add(frames);
    }

    #[inline]
    pub fn count_spared(&self, reason: DropReason) {
        self.spared.0[reason.index()].add(1);
    }

    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.0[reason.index()].get()
    }

    pub fn spared(&self, reason: DropReason) -> u64 {
        self.spared.0[reason.index()].get()
    }
}

/// The sum of some ledgers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub received: u64,
    pub received_bytes: u64,
    pub generated: u64,
    pub transmitted: u64,
    pub dropped: u64,
    pub held: u64,
    pub consumed: u64,
    pub merged: u64,
    pub in_rings: u64,
}

impl Balance {
    pub fn of<'a>(ledgers: impl IntoIterator<Item = &'a Ledger>, in_rings: u64) -> Balance {
        let mut sum = Balance { in_rings, ..Balance::default() };
        for ledger in ledgers {
            sum.received += ledger.received.get();
            sum.received_bytes += ledger.received_bytes.get();
            sum.generated += ledger.generated.get();
            sum.transmitted += ledger.transmitted.get();
            sum.dropped += DropReason::ALL.iter().map(|&r| ledger.dropped(r)).sum::<u64>();
            sum.held += ledger.held.get();
            sum.consumed += ledger.consumed.get();
            sum.merged += ledger.merged.get();
        }
        sum
    }

    pub fn came_in(&self) -> u64 {
        self.received + self.generated
    }

    pub fn went_out(&self) -> u64 {
        self.transmitted + self.dropped + self.held + self.consumed + self.merged + self.in_rings
    }

    pub fn is_even(&self) -> bool {
        self.came_in() == self.went_out()
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {} + generated {} {} transmitted {} + dropped {} + held {} + consumed {} + merged {} + in rings {}",
            self.received,
            self.generated,
            if self.is_even() { "=" } else { "IS NOT" },
            self.transmitted,
            self.dropped,
            self.held,
            self.consumed,
            self.merged,
            self.in_rings
        )
    }
}
