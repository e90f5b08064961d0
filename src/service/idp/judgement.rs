//! What rules, streams and exception policies said of a packet so far.

use crate::base::event::{FinalAction, PacketVerdict};
use crate::base::{
    Dir, DropReason, ExceptionCause, ExceptionPolicies, ExceptionPolicy, PerDir, RuleIndex, Verdict,
};
use crate::inspect::{Engine, Outcome, Settlement};
use crate::rules::RuleSet;
use crate::service::comparison::Tally;
use crate::service::outbox::{Exceptions, IpActionsAsked, Reject};
use crate::service::{Reporter, Subject};
use crate::session::{Session, Settled};

#[derive(Default)]
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) settled: Option<Settled>,
    pub(super) alerted: bool,
    /// The rule behind the verdict.
    pub(super) decided_by: Option<RuleIndex>,
    /// What it says of the packet is done to it.
    pub(super) inline: bool,
    /// The packet's.
    pub(super) dir: Dir,
    /// Somebody can be told of it: it is a whole packet, and not within another.
    tellable: bool,
    /// Who is to be told that the packet was rejected.
    pub(super) reject: Reject,
    /// The code point that the packet is to leave with.
    pub(super) mark_dscp: Option<u8>,
    /// A `pass` rule matched.
    passed: bool,
    /// An exception policy keeps rules from the packet.
    pub(super) unseen: bool,
    /// Exceptions whose policies acted.
    pub(super) exceptions: Exceptions,
    /// IP actions that rules with an alert ask for.
    pub(super) ip_actions: IpActionsAsked,
}

impl Judgement {
    pub(super) fn new(dir: Dir, packet: &Subject<'_>) -> Judgement {
        let (inline, tellable) = (packet.inline, packet.frame.is_some());
        Judgement { dir, inline, tellable, ..Judgement::default() }
    }

    pub(super) fn take(&mut self, outcome: &Outcome) {
        if !self.verdict.is_drop() && outcome.verdict.is_drop() {
            self.decided_by = outcome.decided_by;
        }
        self.verdict = self.verdict.and(outcome.verdict);
        self.alerted |= !outcome.alerts.is_empty();
        self.passed |= outcome.passed;
        self.mark_dscp = self.mark_dscp.or(outcome.mark_dscp);
        if let Some(to) = outcome.reject.filter(|_| self.tellable) {
            self.reject.add(to, self.dir);
        }
        if let Some(settled) = outcome.settled.map(settlement) {
            self.settled = Some(settled);
        }
    }

    /// What the rules of those alerts ask for beyond the packet.
    pub(super) fn ask_ip_actions(&mut self, engine: &Engine, outcome: &Outcome) {
        if !engine.asks_ip_actions() || !self.inline {
            return;
        }
        let generation = engine.generation();
        for alert in &outcome.alerts {
            if let Some(action) = engine.ip_action(alert.rule) {
                let _ = self.ip_actions.try_push((*action, (generation, alert.rule)));
            }
        }
    }

    /// Something could not be done as it should: the policy for that acts. Of a session the first is told in its record.
    #[cold]
    pub(super) fn except(
        &mut self,
        cause: ExceptionCause,
        policies: &ExceptionPolicies,
        session: &mut Session,
    ) {
        let policy = policies.of(cause, self.inline);
        if policy == ExceptionPolicy::Ignore {
            return;
        }
        let _ = self.exceptions.try_push((cause, policy)); // one packet has few
        session.exception.get_or_insert((cause, policy));
        self.unseen = true;
        if policy.drops() {
            self.verdict = self.verdict.and(Verdict::Drop(cause.drop_reason()));
        }
        match policy {
            ExceptionPolicy::DropFlow => self.settled = Some(DROPPED),
            ExceptionPolicy::Reject => {
                self.settled = Some(DROPPED);
                self.reject.source = self.tellable;
            }
            ExceptionPolicy::Bypass => self.settled = Some(Settled::Bypass),
            ExceptionPolicy::PassFlow => self.settled = Some(Settled::Pass),
            _ => {}
        }
    }

    /// Counts a packet that is to be dropped, where somebody compares rules.
    pub(super) fn tally(&self, report: &Reporter, set: &RuleSet) {
        if let Some(Tally { comparison, whose }) = report.tally.as_ref().filter(|_| self.verdict.is_drop()) {
            comparison.dropped(*whose, self.decided_by.map(|rule| (set, rule)));
        }
    }

    /// As an alert says it.
    pub(super) fn told(&self) -> PacketVerdict {
        let drops = self.inline && self.verdict.is_drop();
        let mut told = PerDir::default();
        told[self.dir.reversed()] = drops && self.reject.source;
        told[self.dir] = drops && self.reject.destination;
        let action = match drops {
            true => FinalAction::Drop,
            false if self.passed => FinalAction::Pass,
            false => FinalAction::Alert,
        };
        PacketVerdict { action, told, spared: !self.inline && self.verdict.is_drop() }
    }
}

const DROPPED: Settled = Settled::Drop(DropReason::SessionDropped);

fn settlement(settlement: Settlement) -> Settled {
    match settlement {
        Settlement::Pass => Settled::Pass,
        Settlement::Drop => DROPPED,
        Settlement::Bypass => Settled::Bypass,
    }
}
