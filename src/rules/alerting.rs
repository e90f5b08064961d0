//! What a rule asks of its alerts beyond being raised: how often, for whom not, with which packets after them.

use super::ruleset::{Action, AddrSet, Rule};
use crate::base::{Addr, Family, FlowTuple};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Track {
    BySource,
    ByDestination,
    ByBoth,
    ByRule,
    ByFlow,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThresholdKind {
    Limit,
    Threshold,
    Both,
    Backoff {
        multiplier: u32,
    },
    /// `detection_filter`
    DetectionFilter,
}

/// `threshold:` or `detection_filter:`
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    pub kind: ThresholdKind,
    pub track: Track,
    pub count: u32,
    pub window: Duration,
    /// `unique_on` of a detection filter: count distinct values of this, not packets.
    pub unique_on: Option<UniqueOn>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UniqueOn {
    SourcePort,
    DestinationPort,
}

/// `suppress` of a threshold.config: matches that write no alert. What the rule does beside that it still does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suppress {
    Always,
    /// Where one of these addresses is on that side of the packet.
    Of(SuppressSide, Arc<AddrSet>),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuppressSide {
    Source,
    Destination,
    Either,
}

impl Suppress {
    pub fn covers(&self, tuple: &FlowTuple) -> bool {
        let Suppress::Of(side, addresses) = self else { return true };
        let holds = |addr: Addr| match tuple.family {
            Family::V4 => addresses.v4.contains(addr.0 as u32),
            Family::V6 => addresses.v6.contains(addr.0),
        };
        match side {
            SuppressSide::Source => holds(tuple.src),
            SuppressSide::Destination => holds(tuple.dst),
            SuppressSide::Either => holds(tuple.src) || holds(tuple.dst),
        }
    }
}

/// `rate_filter` of a threshold.config: beyond `count` matches within `window`, the rule's action is another one for
/// `timeout`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateFilter {
    pub track: Track,
    pub count: u32,
    pub window: Duration,
    pub action: Action,
    pub timeout: Duration,
}

impl Rule {
    /// Whether a match of this packet is to write no alert.
    #[inline]
    pub fn is_suppressed(&self, tuple: &FlowTuple) -> bool {
        self.suppress.iter().any(|suppress| suppress.covers(tuple))
    }
}

/// `target:`, which side of the rule is the attacked one; only eve.json says it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    Source,
    Destination,
}

/// `tag:`: packets to log after the alert.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// `host` (with the direction) or `session`.
    pub of: TagOf,
    pub count: u32,
    pub unit: TagUnit,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TagOf {
    Session,
    SourceHost,
    DestinationHost,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TagUnit {
    Packets,
    Bytes,
    Seconds,
}
