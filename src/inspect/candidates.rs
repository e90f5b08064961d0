//! Rules that a packet's bytes announce.

use crate::base::RuleIndex;
use crate::rules::app::AppProto;

/// Candidates of the present packet, each once.
pub(super) struct Candidates {
    pub(super) rules: Vec<RuleIndex>,
    stamps: Box<[u32]>,
    now: u32,
    /// What the packet's bytes announce to transactions of a protocol: found when the first of them is looked at.
    pub(super) by_payload: (Option<AppProto>, Vec<RuleIndex>),
}

impl Candidates {
    /// With room for rules of that number, and of which so many may be announced by one payload.
    pub(super) fn new(rules: usize, by_payload: usize) -> Candidates {
        Candidates {
            rules: Vec::with_capacity(rules),
            stamps: vec![0; rules].into(),
            now: 0,
            by_payload: (None, Vec::with_capacity(by_payload)),
        }
    }

    pub(super) fn begin(&mut self) {
        self.rules.clear();
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.stamps.fill(0);
            self.now = 1;
        }
    }

    /// Since [`begin`](Self::begin), each once, in no order.
    pub(super) fn found(&self) -> &[RuleIndex] {
        &self.rules
    }

    pub(super) fn sort(&mut self) {
        self.rules.sort_unstable();
    }

    /// There is room for every rule once, so this never allocates.
    pub(super) fn add(&mut self, rule: RuleIndex) {
        if let Some(stamp) = self.stamps.get_mut(rule.index())
            && *stamp != self.now
        {
            *stamp = self.now;
            self.rules.push(rule);
        }
    }
}
