//! What a rule asks of its alerts beyond being raised: how often, with which packets after them.

use std::time::Duration;

#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Track {
    BySource,
    ByDestination,
    ByBoth,
    ByRule,
    ByFlow,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
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
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Threshold {
    pub kind: ThresholdKind,
    pub track: Track,
    pub count: u32,
    pub window: Duration,
    /// `unique_on` of a detection filter: count distinct values of this, not packets.
    pub unique_on: Option<UniqueOn>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum UniqueOn {
    SourcePort,
    DestinationPort,
}

/// `target:`, which side of the rule is the attacked one; only eve.json says it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Source,
    Destination,
}

/// `tag:`: packets to log after the alert.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// `host` (with the direction) or `session`.
    pub of: TagOf,
    pub count: u32,
    pub unit: TagUnit,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TagOf {
    Session,
    SourceHost,
    DestinationHost,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TagUnit {
    Packets,
    Bytes,
    Seconds,
}
