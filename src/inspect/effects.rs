//! What a rule's match brings about: bits and numbers at once, then, as far as thresholds allow, the alert and the action.

use super::outcome::{Alert, Settlement};
use super::threshold::{self, Decision};
use super::turn::{Done, Turn, Where};
use crate::base::{DropReason, RuleIndex, Verdict};
use crate::rules::Rule;
use crate::rules::ruleset::{Action, BitAction, FlowintVerb, HostBitTrack, RejectTo};

impl Turn<'_> {
    /// What a match brings about: bits at once, then, as far as its thresholds allow, the alert and the action.
    pub(super) fn matched(&mut self, index: RuleIndex, rule: &Rule, place: Where) -> Result<(), Done> {
        self.matches += 1;
        self.set_bits(rule);
        self.set_ints(rule);
        let suppressed = rule.is_suppressed(&self.facts.decoded.tuple);
        let action = if suppressed { rule.action } else { self.action(index, rule) };
        let decision = if suppressed { self.suppress(rule) } else { self.decide(index, rule) };
        let written = !rule.noalert && (action != Action::Pass || rule.alert);
        if decision.alert && written {
            let blocks = matches!(action, Action::Drop | Action::Reject(_));
            let tx = match place {
                Where::Transaction(id) => Some(id),
                _ => None,
            };
            let on_stream = place == Where::Stream;
            let alert = Alert { rule: index, on_stream, blocks, tx, notes: self.notes };
            if self.outcome.alerts.len() >= self.max_alerts || self.outcome.alerts.try_push(alert).is_err() {
                self.outcome.lost += 1;
            }
        }
        if !decision.act {
            return Ok(());
        }
        let for_session = self.session.is_some() && place != Where::Packet;
        self.outcome.mark_dscp = self.outcome.mark_dscp.or(rule.mark_dscp);
        if rule.bypass && self.session.is_some() {
            self.outcome.settled.get_or_insert(Settlement::Bypass);
        }
        self.act(index, action, for_session)
    }

    /// The rule's own action, unless a rate filter is in force.
    fn action(&mut self, index: RuleIndex, rule: &Rule) -> Action {
        let Some(filter) = &rule.rate_filter else { return rule.action };
        let flow_id = self.facts.flow.as_ref().map_or(0, |flow| flow.id);
        let tuple = &self.facts.decoded.tuple;
        let name = (self.engine.generation(), index);
        self.order.wait_before(self.position);
        self.hosts.thresholds.action(name, (rule.action, filter), tuple, flow_id, self.facts.time)
    }

    /// A match that is suppressed is counted by nothing, and acts as the rule says.
    fn suppress(&mut self, rule: &Rule) -> Decision {
        self.suppressed += u64::from(!rule.noalert);
        Decision::QUIET
    }

    fn decide(&mut self, index: RuleIndex, rule: &Rule) -> Decision {
        let counted = rule.threshold.is_some() || rule.detection_filter.is_some();
        if !counted || (rule.action == Action::Alert && !threshold::applied_by_worker(rule)) {
            return Decision { alert: true, act: true };
        }
        let flow_id = self.facts.flow.as_ref().map_or(0, |flow| flow.id);
        let tuple = &self.facts.decoded.tuple;
        let name = (self.engine.generation(), index);
        self.order.wait_before(self.position);
        let decision = self.hosts.thresholds.check(name, rule, tuple, flow_id, self.facts.time);
        // Where management limits the alerts, it must see every match.
        Decision { alert: decision.alert || !threshold::applied_by_worker(rule), ..decision }
    }

    fn act(&mut self, index: RuleIndex, action: Action, for_session: bool) -> Result<(), Done> {
        match action {
            Action::Alert => {}
            Action::Pass => {
                self.outcome.passed = true;
                self.outcome.decided_by = Some(index);
                if for_session {
                    self.outcome.settled.get_or_insert(Settlement::Pass);
                }
                return Err(Done);
            }
            Action::Drop => self.drop(index, DropReason::RuleDrop, None, for_session),
            Action::Reject(to) => self.drop(index, DropReason::RuleReject, Some(to), for_session),
        }
        Ok(())
    }

    /// The first rule that drops is kept as the reason; a later one may still add the session or the reset.
    fn drop(&mut self, index: RuleIndex, reason: DropReason, to: Option<RejectTo>, for_session: bool) {
        let outcome = &mut *self.outcome;
        outcome.verdict = outcome.verdict.and(Verdict::Drop(reason));
        outcome.decided_by.get_or_insert(index);
        outcome.reject = outcome.reject.or(to);
        if for_session {
            outcome.settled = Some(Settlement::Drop);
        }
    }

    /// Numbers are 32 bits and wrap; one that is not set counts as 0.
    fn set_ints(&mut self, rule: &Rule) {
        let generation = self.engine.generation();
        for op in rule.flowints.iter().filter(|op| op.verb.acts()) {
            let Some(with) = self.flowint_value(op) else { continue };
            let Some(handle) = self.session.as_deref_mut() else { return };
            let old = self.slab.int(*handle, generation, op.counter).unwrap_or(0);
            let new = match op.verb {
                FlowintVerb::Add => old.wrapping_add(with),
                FlowintVerb::Subtract => old.wrapping_sub(with),
                _ => with,
            };
            self.slab.set_int(handle, generation, op.counter, new);
        }
    }

    fn set_bits(&mut self, rule: &Rule) {
        let generation = self.engine.generation();
        if let Some(handle) = self.session.as_deref_mut() {
            for op in &rule.flowbits {
                for &bit in &op.bits {
                    match op.action {
                        BitAction::Unset => self.slab.unset(*handle, generation, bit),
                        BitAction::Toggle if self.slab.is_set(*handle, generation, bit) => {
                            self.slab.unset(*handle, generation, bit);
                        }
                        BitAction::Set | BitAction::Toggle => self.slab.set(handle, generation, bit),
                        BitAction::IsSet | BitAction::IsNotSet => {}
                    }
                }
            }
        }
        let mut of_hosts =
            rule.host_bits.iter().filter(|op| op.track != HostBitTrack::Transaction).peekable();
        if of_hosts.peek().is_none() {
            return;
        }
        self.order.wait_before(self.position);
        let (tuple, now, bits) = (&self.facts.decoded.tuple, self.facts.time, &self.hosts.bits);
        for op in of_hosts {
            match op.action {
                BitAction::Unset => bits.unset(generation, op, tuple),
                BitAction::Toggle if bits.is_set(generation, op, tuple, now) => {
                    bits.unset(generation, op, tuple);
                }
                BitAction::Set | BitAction::Toggle => bits.set(generation, op, tuple, now),
                BitAction::IsSet | BitAction::IsNotSet => {}
            }
        }
    }
}
