//! `flowint:` numbers that rules keep with a session (docs.suricata.io, "flowint").

/// One use of the keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowintOp {
    /// Index into [`RuleSet::flowints`](super::ruleset::RuleSet::flowints).
    pub counter: u32,
    pub verb: FlowintVerb,
    pub value: FlowintValue,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FlowintValue {
    Number(u32),
    /// Another counter of the session; a rule that names one that is not set does not match.
    Counter(u32),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
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

impl FlowintVerb {
    pub fn acts(self) -> bool {
        matches!(self, FlowintVerb::Set | FlowintVerb::Add | FlowintVerb::Subtract)
    }
}
