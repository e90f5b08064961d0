//! `netflow`: of an ended session a record a direction, with that direction's own sums.

use super::time::Stamp;
use crate::base::Dir;
use crate::base::event::FlowEvent;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct NetflowPart {
    pkts: u64,
    bytes: u64,
    start: Stamp,
    end: Stamp,
    /// Seconds.
    age: u64,
    min_ttl: u8,
    max_ttl: u8,
}

impl NetflowPart {
    pub fn new(flow: &FlowEvent, dir: Dir) -> NetflowPart {
        let stats = &flow.stats;
        NetflowPart {
            pkts: stats.packets[dir],
            bytes: stats.bytes[dir],
            start: Stamp(stats.start),
            end: Stamp(stats.last),
            min_ttl: flow.ttl[dir].least,
            max_ttl: flow.ttl[dir].most,
            age: stats.last.secs().saturating_sub(stats.start.secs()),
        }
    }

    /// The direction of the record of that number: one in which nothing came has none.
    pub fn direction(flow: &FlowEvent, nth: usize) -> Option<Dir> {
        Dir::BOTH.into_iter().filter(|dir| flow.stats.packets[*dir] > 0).nth(nth)
    }
}
