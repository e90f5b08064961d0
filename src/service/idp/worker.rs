//! Detection's data half: a session's packets to its streams, what is ready there to its decoder and the rules.

use super::at_work::AtWork;
use super::generations::{Generations, Prepared};
use super::judgement::Judgement;
use super::log::ending;
use super::shadow::Shadow;
use super::waiting::Waiting;
use super::without::Without;
use crate::app::{Announced, Apps};
use crate::base::event::CloseReason;
use crate::base::{Anomaly, Dir, DropReason, Generation, Order, SetId, Verdict};
use crate::inspect::{Engine, Inspector, StateHandle};
use crate::service::plugin::{DataPlugin, Gauge, Reply};
use crate::service::{Context, Edit, Policy, Reporter, Tuning};
use crate::session::{Session, Settled};
use crate::stream::{self, Streams, Urgent};
use crate::wire::tcp::flag::URG;
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
    /// A candidate that judges the same packets without effect.
    shadow: Option<Box<Shadow>>,
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
            shadow: None,
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

fn asks_urgently(context: &Context<'_>) -> bool {
    let flags = context.packet.as_ref().and_then(|packet| packet.decoded.tcp()).map_or(0, |tcp| tcp.flags);
    flags & URG != 0
}

/// What a judgement asks for, to the host.
fn carry_out(context: &mut Context<'_>, judgement: &Judgement, generation: Generation) -> Reply {
    mark(context, judgement);
    let outbox = &mut context.host.outbox;
    let exceptions = judgement.exceptions.iter().take(outbox.exceptions.remaining_capacity());
    outbox.exceptions.extend(exceptions.copied());
    let actions = judgement.ip_actions.iter().take(outbox.ip_actions.remaining_capacity());
    outbox.ip_actions.extend(actions.copied());
    if judgement.verdict.is_drop() && judgement.reject.anyone() {
        outbox.reject = judgement.reject;
    }
    match judgement.verdict {
        // Whoever settles a session itself need not have it refused.
        Verdict::Drop(reason) => {
            let rule = judgement.decided_by.map(|rule| (generation, rule));
            outbox.blame.rule = outbox.blame.rule.or(rule);
            Reply::DropPacket(reason)
        }
        Verdict::Forward | Verdict::Hold => Reply::Forward,
    }
}

impl IdpWorker {
    /// The receiver is to read in its place what was looked at there. A packet that cannot be changed does not leave.
    #[cold]
    fn clear_urgent(&self, context: &mut Context<'_>, judgement: &mut Judgement) {
        if !judgement.inline || self.streams.settings().urgent != Urgent::Cleared {
            return;
        }
        if !context.edit(Edit::NotUrgent) {
            judgement.verdict = judgement.verdict.and(Verdict::Drop(DropReason::StreamInvalid));
        }
    }

    fn packet_in_force(&mut self, context: &mut Context<'_>) -> Reply {
        let Context { session: Some(at), packet: Some(packet), dir, host, set, .. } = context else {
            return Reply::Ok;
        };
        let (session, dir) = (&mut *at.session, *dir);
        if is_over(session) {
            // It was followed for the sake of a candidate that is gone.
            context.ignore_both();
            return Reply::Ok;
        }
        self.set_position(host.position);
        let mut judgement = Judgement::new(dir, packet.subject);
        let Some(mut work) = self.at_work(*set, session, host.report) else { return Reply::Ok };
        let generation = work.rules.engine().rules().generation;
        work.packet(packet, session, dir, &mut judgement);
        if is_over(session) {
            context.ignore_both();
        }
        if asks_urgently(context) {
            self.clear_urgent(context, &mut judgement);
        }
        let in_order = self.keep_order_of_segments(context, &judgement);
        match carry_out(context, &judgement, generation) {
            Reply::Forward => in_order,
            other => other,
        }
    }

    #[cold]
    fn packet_by_both(&mut self, mut shadow: Box<Shadow>, context: &mut Context<'_>) -> Reply {
        let reply = match shadow.turn(context) {
            None => self.packet_in_force(context),
            Some(turn) => {
                let wanting = context.session.as_ref().map(|at| at.session.wanting);
                let over = context.session.as_ref().is_some_and(|at| is_over(at.session));
                let reply = match over {
                    true => Reply::Ok,
                    false => shadow.lending(context, |context| self.packet_in_force(context)),
                };
                let goes_on = shadow.packet(turn, context, &mut self.gather);
                if let (Some(at), Some(wanting)) = (&mut context.session, wanting.filter(|_| goes_on)) {
                    at.session.wanting = wanting;
                } else if over {
                    context.ignore_both();
                }
                reply
            }
        };
        self.shadow = Some(shadow);
        reply
    }

    /// Fragments, what is not IP, what could not be decoded. What reassembly found wrong comes here as well, with no bytes.
    fn alone_in_force(&mut self, context: &mut Context<'_>) -> Reply {
        self.set_position(context.host.position);
        let Some(packet) = &mut context.packet else { return Reply::Ok };
        let Some(rules) = self.generations.of(context.set, None) else { return Reply::Ok };
        let generation = rules.engine().rules().generation;
        let report = &mut *context.host.report;
        let judgement = Without { inspector: &mut self.inspector, rules, report }.alone(packet);
        carry_out(context, &judgement, generation)
    }

    fn raised_in_force(&mut self, context: &mut Context<'_>, raised: &[Anomaly]) {
        self.set_position(context.host.position);
        let Some(packet) = &mut context.packet else { return };
        let Some(rules) = self.generations.of(context.set, None) else { return };
        Without { inspector: &mut self.inspector, rules, report: context.host.report }.raised(packet, raised);
    }

    fn close_in_force(&mut self, context: &mut Context<'_>) {
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
}

/// Rules have settled that nobody looks at its packets any more.
fn is_over(session: &Session) -> bool {
    matches!(session.settled, Settled::Pass | Settled::Bypass)
}

impl DataPlugin for IdpWorker {
    fn tune(&mut self, tuning: &mut Tuning) {
        self.streams.tune(&mut tuning.streams);
        self.inspector.tune(tuning.packet_alert_max, tuning.exceptions);
        if let Some(shadow) = &mut self.shadow {
            shadow.tune(tuning);
        }
    }

    fn first_packet(&mut self, context: &mut Context<'_>) -> Reply {
        if let (Some(shadow), Some(at)) = (&mut self.shadow, &context.session) {
            shadow.open(at.id);
        }
        self.packet(context)
    }

    fn packet(&mut self, context: &mut Context<'_>) -> Reply {
        match self.shadow.take() {
            None => self.packet_in_force(context),
            Some(shadow) => self.packet_by_both(shadow, context),
        }
    }

    fn alone(&mut self, context: &mut Context<'_>) -> Reply {
        let Some(mut shadow) = self.shadow.take() else { return self.alone_in_force(context) };
        let reply = shadow.lending(context, |context| self.alone_in_force(context));
        shadow.alone(context);
        self.shadow = Some(shadow);
        reply
    }

    fn raised(&mut self, context: &mut Context<'_>, raised: &[Anomaly]) {
        let Some(mut shadow) = self.shadow.take() else { return self.raised_in_force(context, raised) };
        shadow.lending(context, |context| self.raised_in_force(context, raised));
        shadow.raised(context, raised);
        self.shadow = Some(shadow);
    }

    fn session_close(&mut self, context: &mut Context<'_>, _reason: CloseReason) {
        let Some(mut shadow) = self.shadow.take() else { return self.close_in_force(context) };
        match shadow.turn(context) {
            None => self.close_in_force(context),
            Some(turn) => {
                shadow.lending(context, |context| self.close_in_force(context));
                shadow.close(turn, context, &mut self.gather);
            }
        }
        self.shadow = Some(shadow);
    }

    fn session_destroy(&mut self, context: &mut Context<'_>) {
        let Some(at) = &mut context.session else { return };
        if let Some(shadow) = &mut self.shadow {
            shadow.release(at.id);
        }
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

    fn shadow(&mut self, candidate: Option<Box<dyn Any + Send>>) -> Option<Box<dyn Any + Send>> {
        match candidate.map(|candidate| candidate.downcast::<Shadow>()) {
            Some(Err(unknown)) => Some(unknown),
            Some(Ok(shadow)) => self.shadow.replace(shadow).map(|before| before as _),
            None => self.shadow.take().map(|before| before as _),
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
        let shadow = self.shadow.as_ref();
        let tried = shadow.map_or(0, |shadow| shadow.rule_memory());
        numbers(Gauge::RuleMemory, self.generations.bytes().saturating_add(tried));
        numbers(Gauge::ShadowMemory, shadow.map_or(0, |shadow| shadow.memory()));
        numbers(Gauge::Generation, u64::from(self.generations.newest.generation().0));
    }
}
