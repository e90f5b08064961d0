//! The conservation of frames: `received + generated = transmitted + dropped + held + consumed + merged + in rings`.
//!
//! Each lcore writes a ledger of its own; the sum over all balances whenever the lcores are quiet, and at shutdown.

use super::settings::MAX_PORTS;
use crate::base::counters::Counter;
use crate::base::{DropReason, PortId};
use std::fmt;

/// A counter for each reason, in their order.
#[derive(Debug)]
struct PerReason([Counter; DropReason::COUNT]);

impl Default for PerReason {
    fn default() -> PerReason {
        PerReason(std::array::from_fn(|_| Counter::new()))
    }
}

/// Those of each port, and behind them of frames that belong to none.
#[derive(Debug)]
struct PerPort(Box<[PerReason; MAX_PORTS + 1]>);

impl Default for PerPort {
    fn default() -> PerPort {
        PerPort(Box::new(std::array::from_fn(|_| PerReason::default())))
    }
}

impl PerPort {
    #[inline]
    fn of(&self, port: Option<PortId>, reason: DropReason) -> &Counter {
        let at = port.map_or(MAX_PORTS, |port| port.index().min(MAX_PORTS));
        &self.0[at].0[reason.index()]
    }

    fn sum(&self, reason: DropReason) -> u64 {
        self.0.iter().map(|port| port.0[reason.index()].get()).sum()
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
    dropped: PerPort,
    /// What tap mode would have dropped; the frames themselves are counted where they went.
    spared: PerPort,
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
    /// Frames that found no room on their way to a worker and went on uninspected.
    pub bypassed: Counter,
    pub inspected: Counter,
    pub alerts: Counter,
}

impl Ledger {
    /// `port`: by which the frames came in, or by which they could not leave ([`DropReason::at_exit`]).
    #[inline]
    pub fn count_drop(&self, reason: DropReason, port: Option<PortId>, frames: u64) {
        self.dropped.of(port, reason).add(frames);
    }

    #[inline]
    pub fn count_spared(&self, reason: DropReason, port: Option<PortId>) {
        self.spared.of(port, reason).add(1);
    }

    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.sum(reason)
    }

    pub fn spared(&self, reason: DropReason) -> u64 {
        self.spared.sum(reason)
    }

    /// Dropped and spared of one port, or of none.
    pub fn drops_of(&self, port: Option<PortId>, reason: DropReason) -> (u64, u64) {
        (self.dropped.of(port, reason).get(), self.spared.of(port, reason).get())
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
