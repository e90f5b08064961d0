//! What is asked of single rules and of generations, in the words of the contract.

use super::fault::{fault, invalid};
use super::proto as p;
use super::service::Service;
use crate::io::clock::wall;
use crate::mgmt::control::{ControlError, GenerationInfo, Reload};
use crate::mgmt::overrule::{LONGEST, Overruled, Overruling};
use crate::rules::lists::{Overrule, WORDS};
use std::time::Duration;
use tonic::{Code, Response, Status as Fault};

/// The gid of a rule that names none.
const GID: u32 = 1;

fn id(gid: u32, sid: u32) -> (u32, u32) {
    (if gid == 0 { GID } else { gid }, sid)
}

impl Service {
    pub(super) async fn set_rule(
        &self,
        request: p::RuleActionRequest,
        who: String,
    ) -> Result<Response<p::RuleOverrides>, Fault> {
        let p::RuleActionRequest { gid, sid, action, for_ms } = request;
        let what = Overrule::parse(&action)
            .ok_or_else(|| invalid(format!("{action:?} is no action: write one of {}", WORDS.join(", "))))?;
        let span = (for_ms > 0).then(|| Duration::from_millis(for_ms));
        if span.is_some_and(|span| span > LONGEST) {
            return Err(invalid("an action is set for a year at most"));
        }
        self.overruling(move |rules| rules.overrule(id(gid, sid), what, span, &who).map(Some)).await
    }

    pub(super) async fn unset_rule(
        &self,
        request: p::RuleUnsetRequest,
        who: String,
    ) -> Result<Response<p::RuleOverrides>, Fault> {
        let p::RuleUnsetRequest { gid, sid } = request;
        self.overruling(move |rules| rules.let_rule(id(gid, sid), &who).map(Some)).await
    }

    /// Asks, and then for what is in force.
    pub(super) async fn overruling(
        &self,
        question: impl FnOnce(&dyn Overruling) -> Result<Option<Reload>, ControlError> + Send + 'static,
    ) -> Result<Response<p::RuleOverrides>, Fault> {
        let answer = self
            .ask(move |control| {
                let rules = control.overruling()?;
                Some(question(rules).map(|done| (done, rules.overruled(), control.status().now)))
            })
            .await?;
        let answer =
            answer.ok_or_else(|| fault(Code::Unimplemented, "the rules of this process are fixed"))?;
        let (done, overruled, now) = answer?;
        Ok(Response::new(p::RuleOverrides {
            overrides: overruled.into_iter().map(Into::into).collect(),
            now: wall(now).micros(),
            generation: done.map_or(0, |done| done.generation),
        }))
    }
}

impl From<Overruled> for p::RuleOverride {
    fn from(rule: Overruled) -> p::RuleOverride {
        p::RuleOverride {
            gid: rule.gid,
            sid: rule.sid,
            action: rule.what.word().to_owned(),
            who: rule.who,
            since: wall(rule.since).micros(),
            until: rule.until.map_or(0, |until| wall(until).micros()),
        }
    }
}

impl From<GenerationInfo> for p::RuleGeneration {
    fn from(info: GenerationInfo) -> p::RuleGeneration {
        let GenerationInfo { generation, rules, sessions, newest } = info;
        p::RuleGeneration { generation, rules, sessions, newest }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_server;
    use super::*;

    #[test]
    fn what_is_no_action_and_a_process_with_fixed_rules_say_so() {
        with_server(async |mut client, _| {
            let ask =
                |action: &str, for_ms| p::RuleActionRequest { gid: 0, sid: 7, action: action.into(), for_ms };
            let fault = client.rules.set_action(ask("explode", 0)).await.unwrap_err();
            assert_eq!(fault.code(), tonic::Code::InvalidArgument);
            assert!(fault.message().contains("write one of disable, alert, drop"), "{fault}");
            let fault = client.rules.set_action(ask("drop", u64::MAX)).await.unwrap_err();
            assert!(fault.message().contains("a year at most"), "{fault}");
            let fault = client.rules.set_action(ask("drop", 1000)).await.unwrap_err();
            assert_eq!(fault.code(), tonic::Code::Unimplemented);
        });
    }

    #[test]
    fn a_profile_is_asked_for_with_words_that_mean_something() {
        with_server(async |mut client, _| {
            let ask = |kind: &str, host: &str| p::ProfileRequest {
                kind: kind.into(),
                host: host.into(),
                ..Default::default()
            };
            let fault = client.profile.contexts(ask("agent", "")).await.unwrap_err();
            assert!(fault.message().contains("write one of user-agent, server-banner"), "{fault}");
            let fault = client.profile.hosts(ask("", "10.0.0")).await.unwrap_err();
            assert_eq!(fault.message(), "\"10.0.0\" is no address");
            let fault = client.profile.hosts(ask("", "")).await.unwrap_err();
            assert_eq!(fault.code(), tonic::Code::FailedPrecondition);
        });
    }
}
