//! The order in which rules are evaluated, as far as it is not that of the files.

use crate::rules::ruleset::{Action, BitAction, FlowbitOp, FlowintOp, HostBitOp, Rule};

/// By action, then who sets bits and numbers before who asks for them, then priority.
pub(super) fn rank(rule: &Rule) -> (u8, u8, u8, u8, u32) {
    let bits = (flowbit_rank(rule), flowint_rank(rule), host_bit_rank(rule));
    (action_rank(rule.action), bits.0, bits.1, bits.2, rule.priority)
}

fn action_rank(action: Action) -> u8 {
    match action {
        Action::Pass => 0,
        Action::Drop => 1,
        Action::Reject(_) => 2,
        Action::Alert => 3,
    }
}

/// Who sets bits comes before who asks for them.
fn flowbit_rank(rule: &Rule) -> u8 {
    let asks = |op: &FlowbitOp| matches!(op.action, BitAction::IsSet | BitAction::IsNotSet);
    writer_first(rule.flowbits.iter().any(|op| !asks(op)), rule.flowbits.iter().any(asks))
}

/// The same for numbers.
fn flowint_rank(rule: &Rule) -> u8 {
    let acts = |op: &FlowintOp| op.verb.acts();
    writer_first(rule.flowints.iter().any(acts), rule.flowints.iter().any(|op| !acts(op)))
}

/// The same for bits of hosts and transactions.
fn host_bit_rank(rule: &Rule) -> u8 {
    let asks = |op: &HostBitOp| matches!(op.action, BitAction::IsSet | BitAction::IsNotSet);
    writer_first(rule.host_bits.iter().any(|op| !asks(op)), rule.host_bits.iter().any(asks))
}

fn writer_first(writes: bool, reads: bool) -> u8 {
    match (writes, reads) {
        (true, false) => 0,
        (true, true) => 1,
        (false, true) => 2,
        (false, false) => 3,
    }
}
