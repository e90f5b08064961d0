//! Detection's data half: a session's packets to its streams, what is ready there to its decoder and the rules.

use super::at_work::{AppEvents, AtWork, origin_of};
use super::generations::{Generations, Prepared};
use super::judgement::Judgement;
use super::log::ending;
use super::waiting::Waiting;
use crate::app::{Announced, Apps};
use crate::base::event::{CloseReason, PacketVerdict};
use crate::base::{Anomaly, Dir, Order, SetId, Verdict};
use crate::inspect::{Engine, Inspector, PacketFacts, Payload, StateHandle};
use crate::service::plugin::{DataPlugin, Gauge, Reply};
use crate::service::{Context, Edit, Policy, Reporter, Tuning};
use crate::session::{Session, Settled};
use crate::stream::{self, Streams};
use std::any::Any;
use std::sync::Arc;

/// Room to gather a stream's window in: lookback, and what one acknowledgement may set free.
const GATHER: usize = 128 * 1024;

pub struct IdpWorker {
    pub(super) streams: Streams,
    apps: Apps,
    inspector: Inspector,
    generations: Generations,
    gather: Box<[u8]>,
    pub(super) waiting: Waiting,
}

impl IdpWorker {
    /// `newest` is what it publishes the generation of until a set has rules.
    pub fn new(
        inspector: Inspector,
        newest: Arc<Engine>,
        streams: stream::Settings,
        announced: Arc<Announced>,
    ) -> IdpWorker {
        let settings = inspector.settings();
        IdpWorker {
            streams: Streams::new(streams),
            apps: Apps::new(settings.apps).wanting(settings.files).sharing(announced),
            generations: Generations::new(newest),
            inspector,
            gather: vec![0; GATHER].into(),
            waiting: Waiting::new(),
        }
    }

    /// What comes now stands there in the order of packets.
    fn set_position(&mut self, position: u64) {
        self.apps.expected.set_position(position);
        self.inspector.set_position(position);
    }

    /// By the rules that the session took. `None` while the set has none.
    fn at_work<'a>(
        &'a mut self,
        set: SetId,
        session: &Session,
        report: &'a mut Reporter,
    ) -> Option<AtWork<'a>> {
        let IdpWorker { streams, apps, inspector, gather, generations, .. } = self;
        let rules = generations.of(set, Some(session.policy.0))?;
        Some(AtWork { streams, apps, inspector, gather, rules, report })
    }
}

/// Has the packet leave with the code point that a rule asked for.
fn mark(context: &mut Context<'_>, judgement: &Judgement) {
    if let Some(dscp) = judgement.mark_dscp {
        // A packet within another, or one that is changed too often already, stays as it is.
        context.edit(Edit::Dscp(dscp));
    }
}

impl DataPlugin for IdpWorker {
    fn tune(&mut self, tuning: &mut Tuning) {
        self.streams.tune(&mut tuning.streams);
        self.inspector.tune(tuning.packet_alert_max, tuning.exceptions);
    }

    fn packet(&mut self, context: &mut Context<'_>) -> Reply {
        let Context { session: Some(at), packet: Some(packet), dir, host, set, .. } = context else {
            return Reply::Ok;
        };
        self.set_position(host.position);
        let (session, dir) = (&mut *at.session, *dir);
        let mut judgement = Judgement::new(dir, packet.subject);
        let Some(mut work) = self.at_work(*set, session, host.report) else { return Reply::Ok };
        let generation = work.rules.engine().rules().generation;
        let payloads = work.feed(packet, session, dir, &mut judgement);
        let app_events = match judgement.settled {
            Some(_) => AppEvents::new(),
            None => work.decode(packet, session, dir, payloads, &mut judgement),
        };
        if !judgement.unseen {
            work.judge(packet, session, dir, payloads, &app_events, &mut judgement);
        }
        if packet.tracked.is_some_and(|tracked| tracked.reset) {
            work.rest(session, packet.number);
        }
        work.log(session, false, || origin_of(packet, Some(session), dir));
        self.apps.sweep(session.app);
        if let Some(settled) = judgement.settled {
            session.settled = settled;
            if !matches!(settled, Settled::Drop(_)) {
                context.ignore_both();
            }
        }
        let in_order = self.keep_order_of_segments(context, &judgement);
        mark(context, &judgement);
        let outbox = &mut context.host.outbox;
        outbox
            .exceptions
            .extend(judgement.exceptions.into_iter().take(outbox.exceptions.remaining_capacity()));
        outbox
            .ip_actions
            .extend(judgement.ip_actions.into_iter().take(outbox.ip_actions.remaining_capacity()));
        if judgement.verdict.is_drop() && judgement.reject.anyone() {
            outbox.reject = judgement.reject;
        }
        match judgement.verdict {
            // Whoever settles a session itself need not have it refused.
            Verdict::Drop(reason) => {
                let rule = judgement.decided_by.map(|rule| (generation, rule));
                context.host.outbox.blame.rule = context.host.outbox.blame.rule.or(rule);
                Reply::DropPacket(reason)
            }
            Verdict::Forward | Verdict::Hold => in_order,
        }
    }

    /// Fragments, what is not IP, what could not be decoded. What reassembly found wrong comes here as well, with no bytes.
    fn alone(&mut self, context: &mut Context<'_>) -> Reply {
        self.set_position(context.host.position);
        let Some(packet) = &mut context.packet else { return Reply::Ok };
        let Some(rules) = self.generations.of(context.set, None) else { return Reply::Ok };
        let facts = PacketFacts {
            bytes: packet.bytes,
            decoded: packet.decoded,
            time: packet.meta.clock,
            flow: None,
            app_events: &[],
        };
        let outcome = self.inspector.inspect(rules, &facts, None, Payload::Packet);
        let mut judgement = Judgement::new(Dir::ToServer, packet.subject);
        judgement.take(outcome);
        judgement.ask_ip_actions(rules.engine(), outcome);
        if !outcome.alerts.is_empty() {
            let origin = origin_of(packet, None, Dir::ToServer);
            let (set, verdict) = (rules.engine().rules(), judgement.told());
            context.host.report.alerts(&origin, outcome, set, None, None, packet.inline, verdict);
        }
        mark(context, &judgement);
        let asked = &mut context.host.outbox.ip_actions;
        asked.extend(judgement.ip_actions.iter().copied().take(asked.remaining_capacity()));
        if judgement.reject.anyone() {
            context.host.outbox.reject = judgement.reject;
        }
        match judgement.verdict {
            Verdict::Drop(reason) => {
                let rule = judgement.decided_by.map(|rule| (rules.engine().rules().generation, rule));
                context.host.outbox.blame.rule = context.host.outbox.blame.rule.or(rule);
                Reply::DropPacket(reason)
            }
            Verdict::Forward | Verdict::Hold => Reply::Forward,
        }
    }

    fn raised(&mut self, context: &mut Context<'_>, raised: &[Anomaly]) {
        self.set_position(context.host.position);
        let Some(packet) = &mut context.packet else { return };
        let Some(rules) = self.generations.of(context.set, None) else { return };
        let facts = PacketFacts {
            bytes: &[],
            decoded: packet.decoded,
            time: packet.meta.clock,
            flow: None,
            app_events: &[],
        };
        let outcome = self.inspector.inspect_raised(rules, &facts, raised);
        let origin = origin_of(packet, None, Dir::ToServer);
        let set = rules.engine().rules();
        context.host.report.alerts(&origin, outcome, set, None, None, false, PacketVerdict::default());
    }

    fn session_close(&mut self, context: &mut Context<'_>, _reason: CloseReason) {
        let Some(at) = &mut context.session else { return };
        let session = &mut *at.session;
        self.set_position(context.host.position);
        self.streams.finish(session);
        let number = context.host.closing_packet;
        if let Some(mut work) = self.at_work(context.set, session, context.host.report) {
            work.rest(session, number);
            work.log(session, true, || ending(session, Dir::ToServer, number));
        }
    }

    fn session_destroy(&mut self, context: &mut Context<'_>) {
        let Some(at) = &mut context.session else { return };
        // Their frames find that the session has ended, when their time is over.
        if !self.waiting.is_empty(at.id) {
            self.waiting.take(at.id, |_, _| true);
        }
        self.streams.release(at.session);
        self.apps.release(&mut at.session.app);
        let mut state = StateHandle::from_raw(at.session.inspection);
        self.inspector.release(&mut state);
        at.session.inspection = state.raw();
    }

    fn adopt(&mut self, set: SetId, _policy: &Policy, prepared: Option<Box<dyn Any + Send>>) {
        if let Some(prepared) = prepared.and_then(|prepared| prepared.downcast::<Prepared>().ok()) {
            self.generations.adopt(set, prepared);
        }
    }

    fn retire(&mut self, set: SetId, generation: u32) -> Option<Box<dyn Any + Send>> {
        self.generations.retire(set, generation).map(|prepared| prepared as _)
    }

    fn keep_order(&mut self, order: Box<dyn Order>) {
        self.apps.expected.keep_order(order.another());
        self.inspector.keep_order(order);
    }

    fn holds(&self, session: &Session) -> bool {
        self.generations.any(Engine::streams_touch_hosts)
            && !self.streams.half_full()
            && self.streams.unread(session)
    }

    fn prefetch(&self, session: &Session) {
        self.streams.prefetch(session);
        self.apps.prefetch(session.app);
    }

    fn publish(&self, numbers: &mut dyn FnMut(Gauge, u64)) {
        let counters = &self.streams.counters;
        numbers(Gauge::Streams, self.streams.open() as u64);
        numbers(Gauge::StreamMemory, self.streams.memory());
        numbers(Gauge::AppMemory, self.apps.memory() as u64);
        numbers(Gauge::StreamGaps, counters.gaps);
        numbers(Gauge::StreamConflicts, counters.conflicts);
        numbers(Gauge::Generation, u64::from(self.generations.newest.generation().0));
    }
}
