//! `[exception-policy]`: Suricata's exception policies, a key a cause.

use crate::base::{ExceptionCause, ExceptionPolicies, ExceptionPolicy};
use crate::mgmt::config::value::words;
use crate::mgmt::config::visit::{Section, Visitor};

words! {
    /// What is done when something cannot be done as it should.
    Exception {
        Auto = "auto",
        Ignore = "ignore",
        DropFlow = "drop-flow",
        DropPacket = "drop-packet",
        Reject = "reject",
        Bypass = "bypass",
        PassFlow = "pass-flow",
        PassPacket = "pass-packet",
    }
}

impl Exception {
    const fn policy(self) -> ExceptionPolicy {
        match self {
            Exception::Auto => ExceptionPolicy::Auto,
            Exception::Ignore => ExceptionPolicy::Ignore,
            Exception::DropFlow => ExceptionPolicy::DropFlow,
            Exception::DropPacket => ExceptionPolicy::DropPacket,
            Exception::Reject => ExceptionPolicy::Reject,
            Exception::Bypass => ExceptionPolicy::Bypass,
            Exception::PassFlow => ExceptionPolicy::PassFlow,
            Exception::PassPacket => ExceptionPolicy::PassPacket,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Exceptions {
    pub all: Exception,
    pub flow_memcap: Exception,
    pub stream_memcap: Exception,
    pub reassembly_memcap: Exception,
    pub defrag_memcap: Exception,
    pub app_layer_error: Exception,
    pub midstream: Exception,
    pub overload: Exception,
}

impl Default for Exceptions {
    fn default() -> Exceptions {
        let auto = Exception::Auto;
        Exceptions {
            all: auto,
            flow_memcap: auto,
            stream_memcap: auto,
            reassembly_memcap: auto,
            defrag_memcap: auto,
            app_layer_error: auto,
            midstream: auto,
            overload: auto,
        }
    }
}

impl Exceptions {
    /// As the fast path has them.
    pub fn policies(&self) -> ExceptionPolicies {
        let mut policies = ExceptionPolicies::default();
        for (cause, own) in [
            (ExceptionCause::FlowMemcap, self.flow_memcap),
            (ExceptionCause::StreamMemcap, self.stream_memcap),
            (ExceptionCause::ReassemblyMemcap, self.reassembly_memcap),
            (ExceptionCause::DefragMemcap, self.defrag_memcap),
            (ExceptionCause::AppLayerError, self.app_layer_error),
            (ExceptionCause::Midstream, self.midstream),
        ] {
            let word = if own == Exception::Auto { self.all } else { own };
            // A session is picked up or not: there is no policy for one packet of it.
            let policy = match word.policy() {
                ExceptionPolicy::DropPacket if cause == ExceptionCause::Midstream => {
                    ExceptionPolicy::DropFlow
                }
                ExceptionPolicy::PassPacket if cause == ExceptionCause::Midstream => {
                    ExceptionPolicy::PassFlow
                }
                policy => policy,
            };
            policies.set(cause, policy);
        }
        policies
    }
}

impl Exceptions {
    /// Whether what finds no room on its way to a worker goes on uninspected. There is nobody to look at it: a policy for the
    /// flow acts on the frame alone, and nobody is told of a rejection.
    pub fn passes_overload(&self) -> bool {
        let word = if self.overload == Exception::Auto { self.all } else { self.overload };
        matches!(word, Exception::Bypass | Exception::PassFlow | Exception::PassPacket)
    }
}

impl Section for Exceptions {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "all",
            "For every cause whose own key is \"auto\": \"drop-flow\" (the packet and what follows it in its session),\n\
             \"drop-packet\", \"reject\" (drop-flow, and the sender is told), \"bypass\" (the session goes on uninspected), \"pass-flow\",\n\
             \"pass-packet\" (no rule looks), \"ignore\" (as if there were no policy) or \"auto\": drop-flow where verdicts act, or\n\
             drop-packet where there is no session; else ignore.",
            &mut self.all,
        );
        v.live("flow-memcap", "The session table is full; acts on the packet alone.", &mut self.flow_memcap);
        v.live("stream-memcap", "As many streams are followed as may be.", &mut self.stream_memcap);
        v.live("reassembly-memcap", "The memory of streams is used up.", &mut self.reassembly_memcap);
        v.live(
            "defrag-memcap",
            "The memory of fragments is used up; acts on the packet alone.",
            &mut self.defrag_memcap,
        );
        v.live(
            "app-layer-error",
            "A decoder met bytes that are not of the session's protocol.",
            &mut self.app_layer_error,
        );
        v.live(
            "midstream",
            "The beginning of a TCP session was not seen, and sessions.midstream does not pick it up. Of those that are picked\n\
             up only \"pass-flow\" says anything.",
            &mut self.midstream,
        );
        v.value(
            "overload",
            "The ring to a worker is full: \"bypass\", \"pass-flow\" and \"pass-packet\" forward the frame uninspected\n\
             (counted as overload.bypassed; it overtakes those in the ring), everything else drops it (ring_full, handover_full).",
            &mut self.overload,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_says_nothing_goes_by_the_common_key() {
        let set = Exceptions {
            all: Exception::PassPacket,
            app_layer_error: Exception::Reject,
            ..Exceptions::default()
        };
        let policies = set.policies();
        assert_eq!(policies.of(ExceptionCause::AppLayerError, true), ExceptionPolicy::Reject);
        assert_eq!(policies.of(ExceptionCause::StreamMemcap, true), ExceptionPolicy::PassPacket);
        assert_eq!(policies.of(ExceptionCause::Midstream, true), ExceptionPolicy::PassFlow);
        assert!(set.passes_overload());
        assert!(!Exceptions { overload: Exception::DropPacket, ..set }.passes_overload());
        assert!(!Exceptions::default().passes_overload());
    }
}
