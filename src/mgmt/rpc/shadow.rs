//! Rules that are tried beside those in force, in the words of the contract.

use super::fault::{fault, invalid};
use super::proto as p;
use super::service::Service;
use crate::io::clock::wall;
use crate::mgmt::control::ControlError;
use crate::mgmt::shadow::{LONGEST, Pair, RuleRow, ShadowReport, Shadowing};
use std::time::Duration;
use tonic::{Code, Response, Status as Fault};

impl Service {
    pub(super) async fn begin_shadow(
        &self,
        request: p::StartShadowRequest,
        who: String,
    ) -> Result<Response<p::ShadowReport>, Fault> {
        let span = Duration::from_millis(request.for_ms);
        if span.is_zero() || span > LONGEST {
            let days = LONGEST.as_secs() / 86_400;
            return Err(invalid(format!("say how long rules are tried: {days} days at most")));
        }
        let report = self.shadowing(move |rules| rules.start(span, &who)).await?;
        Ok(Response::new(report.into()))
    }

    /// Asks who tries rules.
    pub(super) async fn shadowing<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Shadowing) -> Result<T, ControlError> + Send + 'static,
    ) -> Result<T, Fault> {
        let answer = self.ask(move |control| control.shadowing().map(question)).await?;
        let answer =
            answer.ok_or_else(|| fault(Code::Unimplemented, "the rules of this process are fixed"))?;
        Ok(answer?)
    }
}

impl From<Pair> for p::ShadowPair {
    fn from(pair: Pair) -> p::ShadowPair {
        p::ShadowPair { live: pair.live, shadow: pair.shadow }
    }
}

impl From<RuleRow> for p::ShadowRule {
    fn from(row: RuleRow) -> p::ShadowRule {
        let RuleRow { gid, sid, msg, alerts, drops } = row;
        p::ShadowRule { gid, sid, msg, alerts: Some(alerts.into()), drops: Some(drops.into()) }
    }
}

impl From<ShadowReport> for p::ShadowReport {
    fn from(report: ShadowReport) -> p::ShadowReport {
        p::ShadowReport {
            running: report.running,
            who: report.who,
            loaded: report.loaded,
            refused: report.refused,
            beside: report.beside,
            in_force: report.in_force,
            began: wall(report.began).micros(),
            until: wall(report.until).micros(),
            now: wall(report.now).micros(),
            packets: report.packets,
            sessions: report.sessions,
            unfollowed: report.unfollowed,
            alerts: Some(report.alerts.into()),
            drops: Some(report.drops.into()),
            drops_without_rule: Some(report.drops_without_rule.into()),
            rules: report.rules.into_iter().map(Into::into).collect(),
            left_out: report.left_out,
            memory: report.memory,
        }
    }
}
