//! Which rules a packet and its stream's new bytes match, and what follows from that.
//!
//! Owns the compiled tables (immutable, shared by the workers) and, a worker, the scratch memory, the sessions' inspection
//! state; what is keyed by host is one structure for all of them (`hosts`). Owes its caller one [`Outcome`] a packet, within a bounded amount of work, without
//! allocating.

mod app_check;
mod apps;
mod base64;
mod buffers;
mod by_address;
mod candidates;
mod census;
pub mod check;
mod compiled;
mod cost;
mod datasets;
mod effects;
mod engine;
mod facts;
mod file_type;
#[cfg(test)]
pub(crate) mod fixture;
mod frames;
mod group;
mod growing;
mod hosts;
mod inspector;
mod kind;
mod lookback;
pub mod matcher;
mod outcome;
mod port_map;
mod port_tests;
mod set;
mod settings;
mod side;
mod state;
mod steps;
pub mod threshold;
mod transactions;
mod transform;
mod turn;

pub use census::{GroupFigures, ProtocolFigures};
pub use cost::{CostBook, Costs, Quantiles, RuleCost};
pub use engine::Engine;
pub use facts::{FlowFacts, PacketFacts};
pub use file_type::{FileTypes, NoTypes};
pub use hosts::{HostCounts, HostState};
pub use inspector::{InForce, InspectCounters, Inspector};
pub use kind::Class;
#[cfg(feature = "manage")]
pub(crate) use kind::Kind;
pub use outcome::{Alert, MAX_ALERTS, Outcome, Payload, Settlement, StreamWindow};
pub use settings::{Settings, WORK_PER_PACKET, WhenSpent};
#[cfg(feature = "manage")]
pub(crate) use side::{Side as PortSide, side as port_side};
pub use state::{MAX_FLOWBITS, StateHandle};
pub use threshold::Thresholds;
