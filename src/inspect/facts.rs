//! Thin stand-in until the rules part lands its own.

use crate::base::event::FlowStats;
use crate::base::{Dir, FlowTuple, Time};
use crate::decode::Decoded;
use crate::rules::Rule;
use crate::rules::ruleset::Check;

pub struct PacketFacts<'a> {
    pub bytes: &'a [u8],
    pub decoded: &'a Decoded,
    pub time: Time,
    pub flow: Option<FlowFacts>,
}

#[derive(Copy, Clone, Debug)]
pub struct FlowFacts {
    pub id: u64,
    pub dir: Dir,
    pub established: bool,
    pub stats: FlowStats,
}

pub fn holds(check: &Check, facts: &PacketFacts<'_>) -> bool {
    match check {
        Check::PayloadSize(range) => range.contains(u64::from(facts.decoded.payload_len)),
        _ => false,
    }
}

pub fn header_matches(rule: &Rule, tuple: &FlowTuple) -> bool {
    let _ = tuple;
    !matches!(rule.protocol, crate::rules::ruleset::RuleProtocol::Arp)
}
