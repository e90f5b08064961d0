//! The path of a frame, told before the code.
//!
//! The **main lcore** ([`main_lcore`]) polls the ports, numbers and dates the frames, hashes each to the worker that owns its
//! session and puts it into that worker's ring. A **worker** ([`worker`]) takes a burst out of its ring and carries each frame
//! to its end in its [`lane`]: decode, reassembly, session, the chain of its service set, verdict, exit. After the burst it flushes its exits,
//! turns a bounded slice of timers, looks into its mailbox and publishes its counters. With `workers = 0` the main lcore has
//! a lane of its own and there are no rings. Where the ports' NICs spread the frames ([`spreading`]), each worker polls queues
//! of its own ([`intake`]), hands over what another owns, and the main lcore only supervises.
//!
//! Nothing here locks, allocates or reads a clock once traffic runs. The lcores tell each other how far they are on the
//! [`board`]; management speaks to a worker through its [`mailbox`] and hears of it through a ring of events. Each lcore
//! keeps a [`ledger`]: every frame that came in stands in it once as gone out.

mod ahead;
mod allowance;
pub mod appliance;
pub mod board;
mod checksums;
mod ending;
pub mod exits;
pub mod handle;
pub mod handover;
pub mod idle;
pub mod intake;
pub mod launch;

mod edit;
mod fragments;
mod held;
mod judge;
pub mod lane;
pub mod ledger;
pub mod mailbox;
pub mod main_lcore;
pub mod modes;
mod onlooker;
mod order;
mod padded;
pub mod pause;
pub mod recent;
mod rehearsal;
mod reject;
pub mod scan;
pub mod settings;
mod settle;
pub mod spreading;
mod striking;
pub mod tables;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::idle_handle;
pub mod tuning;
pub mod watch;
mod within;
pub mod worker;

pub use appliance::{Appliance, MemoryPlatform, Platform, SetupError};
pub use checksums::Checking;
pub use handle::Handle;
pub use idle::Polling;
pub use intake::Source;
pub use ledger::{Balance, Ledger};
pub use main_lcore::MainLcore;
pub use settings::{Mode, PortPlan, Settings, Wanted};
pub use spreading::Spreading;
pub use worker::Worker;
