//! What each section holds, its keys and its defaults: one file a group of sections.
//!
//! To add a key: a field, its default, and one line in the section's `visit` (`live` where a running appliance takes a change
//! over: then `mgmt/areas.rs` says what part does); then `weir config show --defaults > conf/weir.toml` and
//! `weir config reference > docs/configuration.md`.

mod app_layer;
pub mod changes;
pub mod datasets;
pub mod destination;
pub mod doors;
pub mod event_type;
pub mod exceptions;
mod ip_actions;
pub mod lcores;
pub mod matching;
pub mod outputs;
pub mod ports;
mod profiler;
pub mod rules;
pub mod services;
pub mod streams;
pub mod tables;
pub mod tunnels;

pub use app_layer::AppLayer;
pub use changes::Changes;
pub use datasets::{Dataset, DatasetType, Datasets, Geoip, Reputation};
pub use destination::{Destination, SinkKind, SyslogServer};
pub use doors::{Http, Listen, RpcTls, SuricataSocket};
pub use event_type::EventType;
pub use exceptions::{Exception, Exceptions};
pub use ip_actions::{IpActions, WhenCrowded};
pub use lcores::{HashKey, Lcores, MAX_WORKERS, Poll, Pools, Spread};
pub use matching::MatchRule;
pub use outputs::{Eve, Fast, FurtherEve, Log, LogFormat, LogLevel, Outputs, Records, Rpc};
pub use ports::{ChecksumOffload, Eal, Mode, NonIp, Pair, PairInactive, PairKind, Port};
pub use profiler::Profiler;
pub use rules::{Rules, Vars};
pub use services::{HoldEnd, Inactive, OnFault, PluginEntry, ServiceSet, Services};
pub use streams::{Inspect, OutOfOrder, Streams, Urgent};
pub use tables::{Fragments, FullTable, Midstream, Mtu, Overlap, Sessions, Timeouts};
pub use tunnels::Tunnels;
