//! Which rules a packet and its stream's new bytes match, and what follows from that.
//!
//! Owns the compiled tables (immutable, shared by the workers) and, a worker, the scratch memory, the sessions' inspection
//! state and the thresholds. Owes its caller one [`Outcome`] a packet, within a bounded amount of work, without
//! allocating.

#[cfg(test)]
mod fixture;
pub mod matcher;
mod outcome;
mod state;
mod steps;
pub mod threshold;

pub use outcome::{Alert, MAX_ALERTS, Outcome, Payload, Settlement, StreamWindow};
pub use state::{MAX_FLOWBITS, StateHandle};
pub use threshold::Thresholds;
