//! Management: configuration in, events and answers out, on a thread that never touches a worker's tables.

pub mod build;
pub mod capture_out;
pub mod config;
pub mod control;
pub mod convert;
pub mod counters;
pub mod daemon;
pub mod eve;
pub mod events;
pub mod fast;
mod links;
mod looks;
pub mod operator;
pub mod output;
pub mod outputs;
mod overload;
mod pair_modes;
pub mod reassemble;
pub mod replay;
pub mod rpc;
pub mod rule_cost;
pub mod rule_files;
pub mod rule_inputs;
pub mod rule_sets;
pub mod rulebook;
pub mod run;
pub mod services;
pub mod sink;
pub mod spread;
pub mod start;
pub mod watchdog;
pub mod watching;

pub use config::{Config, Profile};
pub use control::{Control, ControlError};
pub use events::{EventLog, EventTotals};
pub use rulebook::RuleBook;
