//! The profiler: which hosts, services and application contexts were seen, in an SQLite database.
//!
//! Owes: what workers' events say of them, over all lcores, added up; a database that stays within its bounds, and that a full
//! disk, a damaged or a deleted file costs no more than what could not be written, which is counted. Events come from the
//! event log's thread ([`Tap`]) through a bounded queue to a thread of its own ([`Keeper`]); others read the database by
//! themselves ([`Reader`]). Neither the packet path nor the event log ever waits for the disk.

mod keeper;
mod reader;
mod seen;
mod store;
mod tally;

#[cfg(test)]
mod tests;

pub use keeper::{Keeper, Settings};
pub use reader::{Ask, ContextRow, HostRow, MOST_ROWS, Reader, ServiceRow};
pub use seen::{Kind, PROFILED, Seen, seen_in};
pub use store::Bounds;

use crate::base::event::Event;
use crate::mgmt::control::NamedCount;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};

/// What became of observations. Those that are neither written nor lost wait in memory.
#[derive(Debug, Default)]
pub struct Counts {
    /// What events told.
    observed: AtomicU64,
    /// Of that, what found no room on its way or could not be written.
    lost: AtomicU64,
    written: AtomicU64,
    /// Rows that gave way to newer ones.
    evicted: AtomicU64,
    /// Writes that failed.
    failures: AtomicU64,
    /// Files that were no database of ours, or damaged.
    set_aside: AtomicU64,
    /// A question found the file damaged: its keeper is to read all of it.
    suspect: AtomicBool,
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

impl Counts {
    pub fn named(&self) -> Vec<NamedCount> {
        let of = |name: &str, count: &AtomicU64| {
            NamedCount::new(format!("profiler.{name}"), count.load(Ordering::Relaxed))
        };
        vec![
            of("observed", &self.observed),
            of("written", &self.written),
            of("lost", &self.lost),
            of("evicted", &self.evicted),
            of("failures", &self.failures),
            of("set_aside", &self.set_aside),
        ]
    }
}

/// The event log's end of the queue.
pub struct Tap {
    to: SyncSender<Seen>,
    text: usize,
    counts: Arc<Counts>,
}

impl Tap {
    /// Takes from an event what it tells. Never waits: what finds no room is lost, and counted.
    pub fn see(&self, event: &Event, record: &[u8]) {
        seen_in(event, record, self.text, |seen| {
            add(&self.counts.observed, 1);
            // Who keeps it has ended, which is lost as well.
            if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.to.try_send(seen) {
                add(&self.counts.lost, 1);
            }
        });
    }
}
