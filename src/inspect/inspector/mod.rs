//! A worker's inspection: finds a packet's candidate rules and has them evaluated in order.
//!
//! Generations of rules coexist: the [`Inspector`] holds what they have in common, an [`InForce`] what belongs to one, and
//! whoever calls says which one judges. Memory is taken at start and when management makes a generation, never for a packet
//! (but the states of a regular expression's automaton, which are found as traffic needs them, within a bound an expression).

use crate::app::Transactions;
use crate::base::counters::Counter;
use crate::base::{Anomaly, AsTheyCome, Dir, DropReason, ExceptionPolicies, Order, Verdict};
use crate::inspect::buffers;
use crate::inspect::candidates::Candidates;
use crate::inspect::cost::{Meter, Unmetered};
use crate::inspect::facts::PacketFacts;
use crate::inspect::hosts::HostState;
use crate::inspect::kind::Class;
use crate::inspect::lookback::Search;
use crate::inspect::matcher::Seen;
use crate::inspect::outcome::{MAX_ALERTS, Notes, Outcome, Payload};
use crate::inspect::port_tests::Ends;
use crate::inspect::set::{Place, Set};
use crate::inspect::settings::{Settings, WhenSpent};
use crate::inspect::state::{StateHandle, StateSlab};
use crate::inspect::steps::Budget;
use crate::inspect::turn::Turn;
use crate::rules::Rule;
use crate::rules::ruleset::{Check, Context, FlowState};
use std::sync::Arc;
use std::sync::atomic::Ordering;

mod generation;

pub use generation::InForce;

/// One worker's, readable by anyone.
#[derive(Debug, Default)]
pub struct InspectCounters {
    pub packets: Counter,
    /// Rules that the groups and fast patterns left to be evaluated.
    pub candidates: Counter,
    pub matches: Counter,
    /// Alerts beyond `packet-alert-max`.
    pub alerts_lost: Counter,
    /// Packets whose budget ran out.
    pub out_of_budget: Counter,
    /// Flowbits not set because the session or the slab was full.
    pub flowbits_refused: Counter,
}

/// One worker's: what generations of rules have in common.
pub struct Inspector {
    settings: Settings,
    slab: StateSlab,
    hosts: Arc<HostState>,
    order: Box<dyn Order>,
    position: u64,
    /// The last, and the one before it: they are large, and change places.
    outcome: Box<Outcome>,
    before: Box<Outcome>,
    counters: Arc<InspectCounters>,
}

impl Inspector {
    /// `hosts` is shared with the other workers' inspectors. Flowbits, host bits and counts belong to a generation: those of
    /// another are not seen.
    pub fn new(settings: Settings, hosts: Arc<HostState>) -> Inspector {
        Inspector {
            slab: StateSlab::new(settings.flowbit_sessions),
            hosts,
            order: Box::new(AsTheyCome),
            position: 0,
            outcome: Box::default(),
            before: Box::default(),
            counters: Arc::default(),
            settings,
        }
    }

    /// Has state keyed by host touched in an order that several workers keep.
    pub fn keep_order(&mut self, order: Box<dyn Order>) {
        self.order = order;
    }

    /// What is inspected from now on stands there in that order.
    #[inline]
    pub fn set_position(&mut self, position: u64) {
        self.position = position;
    }

    /// Other bounds and policies from the next packet on.
    pub fn tune(&mut self, packet_alert_max: usize, exceptions: ExceptionPolicies) {
        (self.settings.packet_alert_max, self.settings.exceptions) = (packet_alert_max, exceptions);
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn counters(&self) -> &Arc<InspectCounters> {
        &self.counters
    }

    /// Frees what is kept of a session that ends. The handle becomes none; a second call does nothing.
    pub fn release(&mut self, handle: &mut StateHandle) {
        self.slab.release(handle);
    }

    /// What a generation's rules say of a packet. `session` is where its session keeps the inspection's handle (`None` for a packet
    /// without session); `payload` says what the packet lets be seen of its stream.
    pub fn inspect(
        &mut self,
        rules: &mut InForce,
        facts: &PacketFacts<'_>,
        session: Option<&mut StateHandle>,
        payload: Payload<'_>,
    ) -> &Outcome {
        match rules.cost.clone() {
            None => self.look(rules, facts, session, payload, &mut Unmetered),
            Some(sheet) => self.look(rules, facts, session, payload, &mut sheet.meter()),
        }
    }

    #[inline]
    fn look(
        &mut self,
        rules: &mut InForce,
        facts: &PacketFacts<'_>,
        session: Option<&mut StateHandle>,
        payload: Payload<'_>,
        meter: &mut impl Meter,
    ) -> &Outcome {
        rules.collect(facts, &payload);
        meter.searched();
        self.evaluate(rules, facts, session, payload, meter)
    }

    /// As [`inspect`](Self::inspect), for anomalies that were found after the packet's turn: only rules that ask for one of
    /// them.
    pub fn inspect_raised(
        &mut self,
        rules: &mut InForce,
        facts: &PacketFacts<'_>,
        raised: &[Anomaly],
    ) -> &Outcome {
        let asks = |check: &Check| matches!(check, Check::Anomaly(anomaly) if raised.contains(anomaly));
        self.inspect_only(rules, facts, None, Payload::Packet, |rule| rule.checks.iter().any(asks))
    }

    /// As [`inspect`](Self::inspect), of what was inspected before the session's handshake was done: only rules that ask for that.
    pub fn inspect_established(
        &mut self,
        rules: &mut InForce,
        facts: &PacketFacts<'_>,
        session: Option<&mut StateHandle>,
        payload: Payload<'_>,
    ) -> &Outcome {
        self.inspect_only(rules, facts, session, payload, |rule| {
            rule.flow.state == Some(FlowState::Established)
        })
    }

    fn inspect_only(
        &mut self,
        rules: &mut InForce,
        facts: &PacketFacts<'_>,
        session: Option<&mut StateHandle>,
        payload: Payload<'_>,
        keeps: impl Fn(&Rule) -> bool,
    ) -> &Outcome {
        rules.collect(facts, &payload);
        let set = rules.engine.rules();
        rules.candidates.rules.retain(|&index| set.rule(index).is_some_and(&keeps));
        match rules.cost.clone() {
            None => self.evaluate(rules, facts, session, payload, &mut Unmetered),
            Some(sheet) => self.evaluate(rules, facts, session, payload, &mut sheet.meter()),
        }
    }

    /// What the rules over transactions say of those that changed in the packet's direction. The alerts of the packet's own
    /// turn, so many, count against its maximum.
    pub fn inspect_transactions(
        &mut self,
        rules: &mut InForce,
        facts: &PacketFacts<'_>,
        session: Option<&mut StateHandle>,
        payload: Payload<'_>,
        transactions: &mut Transactions,
        alerts: usize,
    ) -> &Outcome {
        let dir = facts.flow.as_ref().map_or(Dir::ToServer, |flow| flow.dir);
        let cost = rules.cost.clone();
        self.turn(rules, facts, session, &payload, alerts, |turn, candidates, seen| match &cost {
            None => turn.transactions(transactions, dir, candidates, seen, &mut Unmetered),
            Some(sheet) => turn.transactions(transactions, dir, candidates, seen, &mut sheet.meter()),
        })
    }

    /// The outcomes of the last two looks, the earlier one first.
    pub fn last_two(&self) -> (&Outcome, &Outcome) {
        (&self.before, &self.outcome)
    }

    fn evaluate(
        &mut self,
        rules: &mut InForce,
        facts: &PacketFacts<'_>,
        session: Option<&mut StateHandle>,
        payload: Payload<'_>,
        meter: &mut impl Meter,
    ) -> &Outcome {
        self.counters.packets.add(1);
        self.turn(rules, facts, session, &payload, 0, |turn, candidates, _| {
            turn.run(&candidates.rules, meter);
            meter.packet(Class::of(facts.decoded));
        })
    }

    fn turn(
        &mut self,
        rules: &mut InForce,
        facts: &PacketFacts<'_>,
        session: Option<&mut StateHandle>,
        payload: &Payload<'_>,
        alerts: usize,
        work: impl FnOnce(&mut Turn<'_>, &mut Candidates, &mut Seen),
    ) -> &Outcome {
        std::mem::swap(&mut self.outcome, &mut self.before);
        self.outcome.clear();
        rules.candidates.by_payload.0 = None;
        let InForce { engine, candidates, seen, caches, bench, .. } = rules;
        let mut turn = Turn {
            engine,
            facts,
            payload,
            session,
            slab: &mut self.slab,
            hosts: &self.hosts,
            order: self.order.as_mut(),
            position: self.position,
            caches,
            bench,
            budget: Budget(self.settings.work_per_packet),
            outcome: &mut self.outcome,
            max_alerts: self.settings.packet_alert_max.min(MAX_ALERTS).saturating_sub(alerts),
            matches: 0,
            suppressed: 0,
            notes: Notes::default(),
        };
        work(&mut turn, candidates, seen);
        let (matches, suppressed) = (turn.matches, turn.suppressed);
        let (handle, generation) = (turn.session.as_deref().copied(), turn.engine.generation());
        if let Some(handle) = handle.filter(|_| !self.outcome.alerts.is_empty()) {
            self.outcome.flowbits.extend(self.slab.bits(handle, generation).iter().copied());
        }
        self.count(candidates.rules.len() as u64, matches, suppressed);
        if self.outcome.out_of_budget && self.settings.when_spent == WhenSpent::Drop {
            self.outcome.verdict = self.outcome.verdict.and(Verdict::Drop(DropReason::InspectionBudget));
        }
        &self.outcome
    }

    fn count(&mut self, candidates: u64, matches: u64, suppressed: u64) {
        let counters = &self.counters;
        counters.candidates.add(candidates);
        counters.matches.add(matches);
        if suppressed > 0 {
            self.hosts.suppressed.fetch_add(suppressed, Ordering::Relaxed);
        }
        counters.alerts_lost.add(u64::from(self.outcome.lost));
        counters.out_of_budget.add(u64::from(self.outcome.out_of_budget));
        counters.flowbits_refused.set(self.slab.refused);
    }
}

impl InForce {
    /// The packet's candidates, in the order of evaluation.
    fn collect(&mut self, facts: &PacketFacts<'_>, payload: &Payload<'_>) {
        let InForce { engine, candidates, seen, .. } = self;
        candidates.begin();
        let (class, tuple) = (Class::of(facts.decoded), &facts.decoded.tuple);
        let dir = facts.flow.as_ref().map_or(Dir::ToServer, |flow| flow.dir);
        let rest = payload.is_rest();
        let first = facts.flow.as_ref().is_none_or(|flow| flow.stats.packets[dir] <= 1);
        if let Some(ip) = facts.decoded.ip.filter(|_| first && !rest) {
            engine.ip_only(class, ip.family, tuple, |rule| candidates.add(rule));
        }
        let ends = Ends { source: tuple.sport, destination: tuple.dport };
        let mut search = payload.window().map(|window| Search::new(window, engine.generation(), dir));
        for group in engine.groups(class, dir, tuple.sport, tuple.dport) {
            for bare in group.bare.iter().filter(|bare| bare.may_match(facts)) {
                if !rest || engine.reads_stream(bare.rule) {
                    candidates.add(bare.rule);
                }
            }
            for set in group.sets.iter().filter(|set| !rest || set.place == Place::Stream) {
                match &mut search {
                    Some(search) if set.place == Place::Stream => search.run(set, ends, seen, candidates),
                    _ => scan(set, facts, payload, ends, seen, candidates),
                }
            }
        }
        if let Some(search) = search {
            search.end();
        }
        candidates.rules.sort_unstable();
    }
}

/// Looks for the set's patterns where they may stand in this packet; a stream's window is searched by [`Search`].
fn scan(
    set: &Set,
    facts: &PacketFacts<'_>,
    payload: &Payload<'_>,
    ends: Ends,
    seen: &mut Seen,
    candidates: &mut Candidates,
) {
    let context = match (set.place, payload) {
        (Place::Stream | Place::Packet, Payload::Sealed) => return,
        (Place::Stream, Payload::Queued | Payload::Stream(_)) => return,
        (Place::Stream, Payload::Packet) | (Place::Packet, _) => Context::Payload,
        (Place::Buffer(context), _) => context,
    };
    buffers::any(context, facts, |bytes| {
        set.scan(bytes, 0, ends, seen, |rule| candidates.add(rule));
        false
    });
}

#[cfg(test)]
mod tests;
