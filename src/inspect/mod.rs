//! Which rules a packet and its stream's new bytes match, and what follows from that.
//!
//! Owns the compiled tables (immutable, shared by the workers) and, a worker, the scratch memory, the sessions' inspection
//! state and the thresholds. Owes its caller one [`Outcome`] a packet, within a bounded amount of work, without
//! allocating.

mod buffers;
pub mod check;
mod engine;
mod facts;
#[cfg(test)]
mod fixture;
mod group;
mod host_bits;
mod inspector;
mod kind;
pub mod matcher;
mod outcome;
mod state;
mod steps;
pub mod threshold;
mod turn;

pub use engine::Engine;
pub use facts::{FlowFacts, PacketFacts};
pub use inspector::{InspectCounters, Inspector, Settings, WORK_PER_PACKET, WhenSpent};
pub use outcome::{Alert, MAX_ALERTS, Outcome, Payload, Settlement, StreamWindow};
pub use state::{MAX_FLOWBITS, StateHandle};
pub use threshold::Thresholds;
