//! What management asks of rules that are tried beside those in force (`weir ctl rules reload --shadow`).

use crate::base::Time;
use crate::mgmt::control::{ControlError, Reload};
use std::time::Duration;

/// Longest time that rules are tried.
pub const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// How long rules that were tried are kept for somebody to publish them.
pub const KEPT: Duration = Duration::from_secs(3600);

/// Most rules that a report tells of: those that differ most.
pub const MOST_ROWS: usize = 10_000;

/// Characters of a rule's message that a report has.
pub const MOST_OF_MSG: usize = 120;

/// A count of the rules in force, and the candidate's.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    pub live: u64,
    pub shadow: u64,
}

impl Pair {
    pub fn distance(self) -> u64 {
        self.live.abs_diff(self.shadow)
    }

    pub fn any(self) -> bool {
        self != Pair::default()
    }
}

/// What both made of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleRow {
    pub gid: u32,
    pub sid: u32,
    pub msg: String,
    pub alerts: Pair,
    /// Packets that it dropped, or would have dropped.
    pub drops: Pair,
}

/// How far a trial is, and what it came to.
#[derive(Clone, Debug, Default)]
pub struct ShadowReport {
    /// It still judges.
    pub running: bool,
    pub who: String,
    pub loaded: u64,
    pub refused: u64,
    /// The generation in force when it began: it can be published while that is in force.
    pub beside: u32,
    pub in_force: u32,
    pub began: Time,
    /// When it ends, or ended.
    pub until: Time,
    pub now: Time,
    /// Packets judged by both, and sessions followed by both; those that found no room.
    pub packets: u64,
    pub sessions: u64,
    pub unfollowed: u64,
    pub alerts: Pair,
    pub drops: Pair,
    pub drops_without_rule: Pair,
    /// Rules that alerted or dropped, those with the greatest difference first.
    pub rules: Vec<RuleRow>,
    /// Such rules beyond [`MOST_ROWS`].
    pub left_out: u64,
    /// Bytes that workers hold for it of sessions.
    pub memory: u64,
}

/// Calls that compile belong on a blocking thread.
pub trait Shadowing {
    /// Compiles the files as they are now and has them judge beside the rules in force.
    fn start(&self, span: Duration, who: &str) -> Result<ShadowReport, ControlError>;
    /// None where nothing is tried, nor was of late.
    fn report(&self) -> Option<ShadowReport>;
    /// What is tried, or was, goes in force.
    fn publish(&self, who: &str) -> Result<Reload, ControlError>;
    /// It is forgotten; what it came to.
    fn discard(&self, who: &str) -> Result<ShadowReport, ControlError>;
}
