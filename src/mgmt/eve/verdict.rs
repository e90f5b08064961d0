//! `verdict` of an alert, and what exception policies and settled sessions add to flow records.

use crate::base::event::{FinalAction, PacketVerdict};
use crate::base::{Dir, ExceptionCause, ExceptionPolicy};
use serde::Serialize;

const TCP: u8 = 6;

/// What became of the alert's packet, by all its rules.
#[derive(Debug, Serialize)]
pub struct VerdictPart {
    action: &'static str,
    #[serde(rename = "reject-target", skip_serializing_if = "Option::is_none")]
    reject_target: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reject: Vec<&'static str>,
    /// What would have become of it where verdicts act.
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<&'static str>,
}

impl VerdictPart {
    pub fn new(verdict: &PacketVerdict, proto: u8) -> VerdictPart {
        let action = match verdict.action {
            FinalAction::Alert => "alert",
            FinalAction::Pass => "pass",
            FinalAction::Drop => "drop",
        };
        let reject_target = match (verdict.told[Dir::ToServer], verdict.told[Dir::ToClient]) {
            (true, true) => Some("both"),
            (true, false) => Some("to_server"),
            (false, true) => Some("to_client"),
            (false, false) => None,
        };
        let how = if proto == TCP { "tcp-reset" } else { "icmp-prohib" };
        let reject = reject_target.map(|_| how).into_iter().collect();
        VerdictPart { action, reject_target, reject, would: verdict.spared.then_some("drop") }
    }
}

/// An element of a flow's `exception_policy`.
#[derive(Debug, Serialize)]
pub struct ExceptionPart {
    target: &'static str,
    policy: &'static str,
}

impl ExceptionPart {
    pub fn new((cause, policy): (ExceptionCause, ExceptionPolicy)) -> ExceptionPart {
        ExceptionPart { target: cause.target(), policy: policy.name() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::PerDir;

    fn text(action: FinalAction, told: [bool; 2], proto: u8) -> String {
        let verdict = PacketVerdict { action, told: PerDir(told), spared: false };
        serde_json::to_string(&VerdictPart::new(&verdict, proto)).unwrap()
    }

    #[test]
    fn a_verdict_names_the_ends_that_were_told_and_how() {
        assert_eq!(text(FinalAction::Alert, [false; 2], 6), r#"{"action":"alert"}"#);
        assert_eq!(text(FinalAction::Drop, [false; 2], 6), r#"{"action":"drop"}"#);
        let spared = PacketVerdict { spared: true, ..PacketVerdict::default() };
        let would = serde_json::to_string(&VerdictPart::new(&spared, 6)).unwrap();
        assert_eq!(would, r#"{"action":"alert","would":"drop"}"#);
        let mut told = PerDir([false; 2]);
        told[Dir::ToClient] = true;
        assert_eq!(
            text(FinalAction::Drop, told.0, 6),
            r#"{"action":"drop","reject-target":"to_client","reject":["tcp-reset"]}"#
        );
        assert_eq!(
            text(FinalAction::Drop, [true; 2], 17),
            r#"{"action":"drop","reject-target":"both","reject":["icmp-prohib"]}"#
        );
    }
}
