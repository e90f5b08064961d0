//! The words every layer shares: ids, time, directions, verdicts, drop reasons, anomalies, events.
//!
//! Small, pure and `Copy` wherever possible; nothing here allocates, locks or reads a clock, but
//! [`parallel`], which is for set-up.

pub mod addr;
pub mod anomaly;
pub mod bpf;
pub mod counters;
pub mod dir;
pub mod drop_reason;
pub mod event;
pub mod exception;
pub mod fixed_map;
pub mod id;
pub mod interval;
pub mod ip_action;
pub mod key;
pub mod links;
pub mod networks;
pub mod order;
pub mod parallel;
pub mod seq;
pub mod tally;
pub mod time;
pub mod toeplitz;
pub mod tunnel;
pub mod verdict;

pub use addr::{Addr, Family};
pub use anomaly::{Anomaly, AnomalyKind};
pub use dir::{Dir, PerDir};
pub use drop_reason::DropReason;
pub use exception::{ExceptionCause, ExceptionPolicies, ExceptionPolicy};
pub use fixed_map::FixedMap;
pub use id::{ClassId, Generation, PluginId, PortId, RuleIndex, SetId, WorkerId};
pub use key::FlowTuple;
pub use links::LinkSet;
pub use networks::NetworkTable;
pub use order::{AsTheyCome, Order};
pub use seq::SeqNum;
pub use time::Time;
pub use tunnel::{Outer, TunnelKind};
pub use verdict::Verdict;
