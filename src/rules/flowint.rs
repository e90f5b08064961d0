//! `flowint:` numbers that rules keep with a session (docs.suricata.io, "flowint").

use serde::{Deserialize, Serialize};

/// One use of the keyword.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowintOp {
    /// Index into [`RuleSet::flowints`](super::ruleset::RuleSet::flowints).
    pub counter: u32,
    pub verb: FlowintVerb,
    pub value: FlowintValue,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowintValue {
    Number(u32),
    /// Another counter of the session; a rule that names one that is not set does not match.
    Counter(u32),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowintVerb {
    IsSet,
    IsNotSet,
    Less,
    LessEqual,
    Equal,
    NotEqual,
    GreaterEqual,
    Greater,
    /// These three act when the rule has matched.
    Set,
    Add,
    Subtract,
}

impl FlowintOp {
    /// All that it names.
    pub fn counters(&self) -> impl Iterator<Item = u32> {
        let other = match self.value {
            FlowintValue::Counter(other) => Some(other),
            FlowintValue::Number(_) => None,
        };
        std::iter::once(self.counter).chain(other)
    }
}

impl FlowintVerb {
    pub fn acts(self) -> bool {
        matches!(self, FlowintVerb::Set | FlowintVerb::Add | FlowintVerb::Subtract)
    }
}
