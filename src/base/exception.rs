//! Exception policies (spec 50): what becomes of traffic when something cannot be done as it should, by its cause. Causes, policies and
//! their names are Suricata's.

use crate::base::DropReason;

/// What could not be done.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExceptionCause {
    /// No session can be made: the table is full.
    FlowMemcap,
    /// No stream can be followed: as many as may be are.
    StreamMemcap,
    /// A segment cannot be kept: stream memory is used up.
    ReassemblyMemcap,
    /// A fragment cannot be kept.
    DefragMemcap,
    /// A decoder met bytes that are not of its protocol, and gave the session up.
    AppLayerError,
    /// A TCP session whose beginning was not seen.
    Midstream,
}

impl ExceptionCause {
    pub const ALL: [ExceptionCause; 6] = [
        ExceptionCause::FlowMemcap,
        ExceptionCause::StreamMemcap,
        ExceptionCause::ReassemblyMemcap,
        ExceptionCause::DefragMemcap,
        ExceptionCause::AppLayerError,
        ExceptionCause::Midstream,
    ];
    pub const COUNT: usize = Self::ALL.len();

    /// As eve.json's flow records name it.
    pub const fn target(self) -> &'static str {
        match self {
            ExceptionCause::FlowMemcap => "flow_memcap",
            ExceptionCause::StreamMemcap => "stream_memcap",
            ExceptionCause::ReassemblyMemcap => "stream_reassembly",
            ExceptionCause::DefragMemcap => "defrag_memcap",
            ExceptionCause::AppLayerError => "app_layer_error",
            ExceptionCause::Midstream => "stream_midstream",
        }
    }

    /// As statistics name it, below `exception_policy`.
    pub const fn counter(self) -> &'static str {
        match self {
            ExceptionCause::FlowMemcap => "flow.memcap",
            ExceptionCause::StreamMemcap => "tcp.ssn_memcap",
            ExceptionCause::ReassemblyMemcap => "tcp.reassembly",
            ExceptionCause::DefragMemcap => "defrag.memcap",
            ExceptionCause::AppLayerError => "app_layer.error",
            ExceptionCause::Midstream => "tcp.midstream",
        }
    }

    /// Why the packet at hand is dropped.
    pub const fn drop_reason(self) -> DropReason {
        match self {
            ExceptionCause::FlowMemcap => DropReason::SessionTableFull,
            ExceptionCause::StreamMemcap => DropReason::StreamMemoryCap,
            ExceptionCause::ReassemblyMemcap => DropReason::StreamReassemblyCap,
            ExceptionCause::DefragMemcap => DropReason::FragmentMemoryCap,
            ExceptionCause::AppLayerError => DropReason::AppLayerError,
            ExceptionCause::Midstream => DropReason::StreamMidstream,
        }
    }

    /// There is no session that the policy could act on: a policy for the flow acts on the packet alone.
    pub const fn is_packets(self) -> bool {
        matches!(self, ExceptionCause::FlowMemcap | ExceptionCause::DefragMemcap)
    }
}

/// What is done.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum ExceptionPolicy {
    /// Where verdicts act: drop-flow, or drop-packet where there is no flow. Elsewhere: ignore.
    #[default]
    Auto,
    /// As if there were no policies.
    Ignore,
    /// The packet and all that follow it in its session.
    DropFlow,
    DropPacket,
    /// As drop-flow, and the sender is told.
    Reject,
    /// The session goes on uninspected.
    Bypass,
    PassFlow,
    /// No rule looks at the packet.
    PassPacket,
}

impl ExceptionPolicy {
    pub const ALL: [ExceptionPolicy; 8] = [
        ExceptionPolicy::Auto,
        ExceptionPolicy::Ignore,
        ExceptionPolicy::DropFlow,
        ExceptionPolicy::DropPacket,
        ExceptionPolicy::Reject,
        ExceptionPolicy::Bypass,
        ExceptionPolicy::PassFlow,
        ExceptionPolicy::PassPacket,
    ];
    pub const COUNT: usize = Self::ALL.len();

    /// As records and statistics write it.
    pub const fn name(self) -> &'static str {
        match self {
            ExceptionPolicy::Auto => "auto",
            ExceptionPolicy::Ignore => "ignore",
            ExceptionPolicy::DropFlow => "drop_flow",
            ExceptionPolicy::DropPacket => "drop_packet",
            ExceptionPolicy::Reject => "reject",
            ExceptionPolicy::Bypass => "bypass",
            ExceptionPolicy::PassFlow => "pass_flow",
            ExceptionPolicy::PassPacket => "pass_packet",
        }
    }

    /// The packet does not go on.
    pub const fn drops(self) -> bool {
        matches!(self, ExceptionPolicy::DropFlow | ExceptionPolicy::DropPacket | ExceptionPolicy::Reject)
    }
}

/// A policy for each cause.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct ExceptionPolicies([ExceptionPolicy; ExceptionCause::COUNT]);

impl ExceptionPolicies {
    pub fn set(&mut self, cause: ExceptionCause, policy: ExceptionPolicy) {
        self.0[cause as usize] = policy;
    }

    /// What is to be done, where verdicts act (`inline`) or not. Never `Auto`.
    pub const fn of(&self, cause: ExceptionCause, inline: bool) -> ExceptionPolicy {
        match self.0[cause as usize] {
            ExceptionPolicy::Auto if !inline => ExceptionPolicy::Ignore,
            ExceptionPolicy::Auto | ExceptionPolicy::DropFlow if cause.is_packets() => {
                ExceptionPolicy::DropPacket
            }
            ExceptionPolicy::Auto => ExceptionPolicy::DropFlow,
            ExceptionPolicy::PassFlow if cause.is_packets() => ExceptionPolicy::PassPacket,
            policy => policy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_fails_closed_in_the_line_and_ignores_beside_it() {
        let policies = ExceptionPolicies::default();
        for cause in ExceptionCause::ALL {
            assert_eq!(policies.of(cause, false), ExceptionPolicy::Ignore);
            let closed =
                if cause.is_packets() { ExceptionPolicy::DropPacket } else { ExceptionPolicy::DropFlow };
            assert_eq!(policies.of(cause, true), closed);
        }
    }

    #[test]
    fn what_is_set_for_a_cause_holds_for_it_alone_and_without_a_flow_for_the_packet() {
        let mut policies = ExceptionPolicies::default();
        policies.set(ExceptionCause::Midstream, ExceptionPolicy::PassFlow);
        policies.set(ExceptionCause::FlowMemcap, ExceptionPolicy::PassFlow);
        assert_eq!(policies.of(ExceptionCause::Midstream, true), ExceptionPolicy::PassFlow);
        assert_eq!(policies.of(ExceptionCause::FlowMemcap, true), ExceptionPolicy::PassPacket);
        assert_eq!(policies.of(ExceptionCause::AppLayerError, true), ExceptionPolicy::DropFlow);
    }

    #[test]
    fn causes_and_policies_are_numbered_as_they_are_listed() {
        assert!(ExceptionCause::ALL.iter().enumerate().all(|(at, &cause)| cause as usize == at));
        assert!(ExceptionPolicy::ALL.iter().enumerate().all(|(at, &policy)| policy as usize == at));
    }
}
