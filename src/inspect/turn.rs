//! One packet's turn: evaluates its candidates in the rules' order and gathers what follows.
//!
//! Rules come sorted by action (pass, drop, reject, alert): the first `pass` that matches ends the turn, so nothing
//! behind it acts or alerts. A drop does not end it: the alerts behind it are still written.

use super::app_check;
use super::buffers;
use super::check;
use super::compiled::Compiled;
use super::cost::Meter;
use super::engine::Engine;
use super::facts::PacketFacts;
use super::hosts::HostState;
use super::kind::Kind;
use super::outcome::{Notes, Outcome, Payload};
use super::state::{StateHandle, StateSlab};
use super::steps::{self, Budget, PcreCaches, Program, Subject};
use super::transform::Bench;
use crate::base::{Dir, Order, RuleIndex};
use crate::rules::Rule;
use crate::rules::flowint::FlowintValue;
use crate::rules::ruleset::{
    Absence, BitAction, BufferMatch, Check, Context, FlowMatch, FlowState, FlowbitOp, FlowintOp, FlowintVerb,
    HostBitTrack, PayloadScope,
};

pub(super) struct Turn<'t> {
    pub(super) engine: &'t Engine,
    pub(super) facts: &'t PacketFacts<'t>,
    pub(super) payload: &'t Payload<'t>,
    pub(super) session: Option<&'t mut StateHandle>,
    pub(super) slab: &'t mut StateSlab,
    pub(super) hosts: &'t HostState,
    /// Asked before `hosts` is touched.
    pub(super) order: &'t mut dyn Order,
    /// The packet's, in that order.
    pub(super) position: u64,
    pub(super) caches: &'t mut PcreCaches,
    pub(super) bench: &'t mut Bench,
    pub(super) budget: Budget,
    pub(super) outcome: &'t mut Outcome,
    pub(super) max_alerts: usize,
    pub(super) matches: u64,
    /// Alerts that `suppress` kept back.
    pub(super) suppressed: u64,
    /// Of the rule at hand.
    pub(super) notes: Notes,
}

/// Where a rule matched.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// In a header, the first of its direction: the rule is about the session.
    Header,
    Packet,
    Stream,
    /// In the transaction with that number.
    Transaction(u64),
}

/// The packet's turn is over.
pub(super) struct Done;

impl Turn<'_> {
    pub(super) fn run(&mut self, candidates: &[RuleIndex], meter: &mut impl Meter) {
        let engine = self.engine;
        for &index in candidates {
            let Some((rule, compiled)) = engine.rule(index) else { continue };
            if !self.budget.pay(0) {
                self.outcome.out_of_budget = true;
            }
            if self.outcome.out_of_budget {
                return;
            }
            self.forget();
            let found = self.matches(rule, compiled);
            let over = found.is_some_and(|place| self.matched(index, rule, place).is_err());
            meter.evaluated(index, found.is_some());
            if over {
                return;
            }
        }
    }

    /// What asks for no look into a buffer, nor into a transaction.
    pub(super) fn cheap(&mut self, rule: &Rule) -> bool {
        let facts = self.facts;
        check::header_matches(rule, facts.decoded)
            && self.flow_matches(&rule.flow)
            && rule.checks.iter().all(|check| matches!(check, Check::App(_)) || check::holds(check, facts))
            && rule.flowbits.iter().all(|op| self.bit_holds(op))
            && rule.flowints.iter().all(|op| self.int_holds(op))
            && self.host_bits_hold(rule)
    }

    /// Of a packet's session: its protocol, and what its detection found odd.
    fn app_matches(&self, rule: &Rule) -> bool {
        let flow = self.facts.flow.as_ref();
        let proto = || flow.and_then(|flow| flow.app.proto);
        let dir = flow.map_or(Dir::ToServer, |flow| flow.dir);
        let asked = |check: &Check| match check {
            Check::App(app) => app_check::holds_for_packet(app, self.facts, dir),
            _ => true,
        };
        (rule.app.is_empty() || proto().is_some_and(|proto| rule.app.contains(proto)))
            && rule.checks.iter().all(asked)
    }

    /// The cheap tests first.
    fn matches(&mut self, rule: &Rule, compiled: &Compiled) -> Option<Where> {
        if !self.app_matches(rule) || !self.cheap(rule) {
            return None;
        }
        match compiled.kind {
            Kind::Payload(scope) => self.payload_matches(rule, compiled, scope),
            Kind::IpOnly => self.buffers_match(rule, compiled, None).then_some(Where::Header),
            Kind::Packet => self.buffers_match(rule, compiled, None).then_some(Where::Packet),
            Kind::Protocol => {
                self.facts.flow.as_ref().is_some_and(|flow| flow.app_news).then_some(Where::Packet)
            }
            Kind::Transaction | Kind::Waiting => None,
        }
    }

    fn flow_matches(&self, asked: &FlowMatch) -> bool {
        let flow = self.facts.flow.as_ref();
        let dir = asked.dir.is_none_or(|dir| flow.is_some_and(|f| f.dir == dir));
        let state = match asked.state {
            None => true,
            Some(FlowState::Established) => flow.is_some_and(|f| f.established),
            Some(FlowState::NotEstablished) => flow.is_some_and(|f| !f.established),
            Some(FlowState::Stateless) => flow.is_some(),
        };
        // `no_stream` is kept by the rule's scope: it looks into packets, those of streams too.
        let stream = asked.stream != Some(true) || !matches!(self.payload, Payload::Packet);
        let fragment = asked.fragment.is_none_or(|only| only == self.facts.decoded.is_fragment());
        dir && state && stream && fragment
    }

    fn bit_holds(&self, op: &FlowbitOp) -> bool {
        let generation = self.engine.generation();
        let handle = self.session.as_deref().copied().unwrap_or_default();
        let any = || op.bits.iter().any(|&bit| self.slab.is_set(handle, generation, bit));
        match op.action {
            BitAction::IsSet => self.session.is_some() && any(),
            // A packet without session has no bits to be without.
            BitAction::IsNotSet => self.session.is_some() && !any(),
            BitAction::Set | BitAction::Unset | BitAction::Toggle => true,
        }
    }

    /// A packet without session has no numbers, and a number that is not set does not compare.
    fn int_holds(&self, op: &FlowintOp) -> bool {
        let Some(handle) = self.session.as_deref().copied() else { return false };
        let read = |counter| self.slab.int(handle, self.engine.generation(), counter);
        let (found, with) = (read(op.counter), self.flowint_value(op));
        let both = found.zip(with);
        match op.verb {
            FlowintVerb::IsSet => found.is_some(),
            FlowintVerb::IsNotSet => found.is_none(),
            FlowintVerb::Less => both.is_some_and(|(a, b)| a < b),
            FlowintVerb::LessEqual => both.is_some_and(|(a, b)| a <= b),
            FlowintVerb::Equal => both.is_some_and(|(a, b)| a == b),
            FlowintVerb::NotEqual => both.is_some_and(|(a, b)| a != b),
            FlowintVerb::GreaterEqual => both.is_some_and(|(a, b)| a >= b),
            FlowintVerb::Greater => both.is_some_and(|(a, b)| a > b),
            FlowintVerb::Set | FlowintVerb::Add | FlowintVerb::Subtract => with.is_some(),
        }
    }

    pub(super) fn flowint_value(&self, op: &FlowintOp) -> Option<u32> {
        let handle = self.session.as_deref().copied().unwrap_or_default();
        match op.value {
            FlowintValue::Number(number) => Some(number),
            FlowintValue::Counter(counter) => self.slab.int(handle, self.engine.generation(), counter),
        }
    }

    fn host_bits_hold(&mut self, rule: &Rule) -> bool {
        let (tuple, now, generation) = (&self.facts.decoded.tuple, self.facts.time, self.engine.generation());
        let of_hosts = rule.host_bits.iter().filter(|op| op.track != HostBitTrack::Transaction);
        of_hosts.map(|op| (op, op.action)).all(|(op, action)| match action {
            BitAction::Set | BitAction::Unset | BitAction::Toggle => true,
            BitAction::IsSet | BitAction::IsNotSet => {
                self.order.wait_before(self.position);
                let is_set = self.hosts.bits.is_set(generation, op, tuple, now);
                is_set == (op.action == BitAction::IsSet)
            }
        })
    }

    fn payload_matches(&mut self, rule: &Rule, compiled: &Compiled, scope: PayloadScope) -> Option<Where> {
        if self.payload.is_sealed() {
            return None;
        }
        let window = self.payload.window().filter(|_| scope != PayloadScope::Packet);
        if let Some(window) = window.filter(|w| w.fresh_from < w.bytes.len()) {
            let subject = Subject::window(window.bytes, window.offset, window.fresh_from);
            if self.buffers_match(rule, compiled, Some(subject)) {
                return Some(Where::Stream);
            }
        }
        // A segment that a stream accepted is the stream's; its own payload is for rules over packets, once.
        let packet = !self.payload.is_rest()
            && (scope != PayloadScope::Stream || matches!(self.payload, Payload::Packet));
        (packet && self.buffers_match(rule, compiled, None)).then_some(Where::Packet)
    }

    /// Whether every buffer of the rule holds; `stream` takes the payload's place.
    fn buffers_match(&mut self, rule: &Rule, compiled: &Compiled, stream: Option<Subject<'_>>) -> bool {
        // What changes a dataset is looked at when all else holds.
        [false, true].iter().all(|acts| self.buffers_hold(rule, compiled, stream, *acts))
    }

    fn buffers_hold(
        &mut self,
        rule: &Rule,
        compiled: &Compiled,
        stream: Option<Subject<'_>>,
        acts: bool,
    ) -> bool {
        let buffers = rule.buffers.iter().zip(&compiled.programs);
        buffers.filter(|(_, program)| program.acts() == acts).all(|(buffer, program)| {
            let (facts, context) = (self.facts, buffer.context);
            let there = || buffers::any(context, facts, |_| true);
            match (buffer.absence, stream) {
                (Absence::Wanted, _) => !there(),
                (Absence::Allowed, _) if !there() => true,
                (_, Some(subject)) if context == Context::Payload && buffer.transforms == 0 => {
                    self.evaluate(program, subject)
                }
                _ => buffers::any(context, facts, |bytes| {
                    self.transformed_matches(buffer, program, Subject::whole(bytes))
                }),
            }
        })
    }

    /// A buffer of the packet or of its stream that a rule over transactions asks for as well.
    pub(super) fn packet_buffer_matches(
        &mut self,
        rule: &Rule,
        buffer: &BufferMatch,
        program: &Program,
    ) -> bool {
        let window = self.payload.window().filter(|_| rule.scope != PayloadScope::Packet);
        if let Some(window) = window
            && buffer.context == Context::Payload
        {
            let subject = Subject::window(window.bytes, window.offset, window.fresh_from);
            return self.evaluate(program, subject);
        }
        let facts = self.facts;
        let sealed = buffer.context == Context::Payload && self.payload.is_sealed();
        !sealed
            && buffers::any(buffer.context, facts, |bytes| {
                self.transformed_matches(buffer, program, Subject::whole(bytes))
            })
    }

    pub(super) fn transformed_matches(
        &mut self,
        buffer: &BufferMatch,
        program: &Program,
        subject: Subject<'_>,
    ) -> bool {
        if buffer.transforms == 0 {
            return self.evaluate(program, subject);
        }
        let bytes = subject.bytes;
        let chain = self.engine.rules().transforms(buffer);
        // What goes in once for each link; what comes out, which may be much more, when it is known.
        if !self.pay(bytes.len().saturating_mul(chain.len())) {
            return false;
        }
        let made = self.bench.run(buffer.transforms, chain, bytes);
        let matches = self.pay(made.len()) && self.evaluate(program, Subject::whole(&made));
        self.bench.put_back(made);
        matches
    }

    pub(super) fn pay(&mut self, bytes: usize) -> bool {
        let paid = self.budget.pay(bytes);
        self.outcome.out_of_budget |= !paid;
        paid
    }

    fn evaluate(&mut self, program: &Program, subject: Subject<'_>) -> bool {
        match steps::evaluate(program, subject, &mut self.budget, self.caches) {
            steps::Verdict::Match => program.sets().is_empty() || self.sets_hold(program, subject.bytes),
            steps::Verdict::NoMatch => false,
            steps::Verdict::OutOfBudget => {
                self.outcome.out_of_budget = true;
                false
            }
        }
    }
}
