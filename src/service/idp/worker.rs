//! Detection's data half: a session's packets to its streams, what is ready there to the rules.

use super::generations::{Generations, Prepared};
use crate::base::event::{Cause, CloseReason, Origin};
use crate::base::{Anomaly, Dir, DropReason, PerDir, SetId, Verdict};
use crate::decode::{Decoded, Ip, L4};
use crate::inspect::{
    Engine, FlowFacts, InForce, Inspector, Order, Outcome, PacketFacts, Payload, Settlement, StateHandle,
    StreamWindow,
};
use crate::service::context::PacketAt;
use crate::service::plugin::{DataPlugin, Gauge, Reply};
use crate::service::{Context, Policy, Reporter, origin};
use crate::session::{Fit, Session, Settled};
use crate::stream::{self, Streams, Window};
use std::any::Any;
use std::sync::Arc;

/// Room to gather a stream's window in: lookback, and what one acknowledgement may set free.
const GATHER: usize = 128 * 1024;

pub struct IdpWorker {
    streams: Streams,
    inspector: Inspector,
    generations: Generations,
    gather: Box<[u8]>,
}

/// What the rules and the stream engine said of a packet so far.
#[derive(Default)]
struct Judgement {
    verdict: Verdict,
    settled: Option<Settled>,
    alerted: bool,
}

/// The worker with one generation of rules: all that judging a packet takes.
struct AtWork<'a> {
    streams: &'a mut Streams,
    inspector: &'a mut Inspector,
    gather: &'a mut [u8],
    rules: &'a mut InForce,
    report: &'a mut Reporter,
}

impl IdpWorker {
    /// `newest` is what it publishes the generation of until a set has rules.
    pub fn new(inspector: Inspector, newest: Arc<Engine>, streams: stream::Settings) -> IdpWorker {
        IdpWorker {
            streams: Streams::new(streams),
            generations: Generations::new(newest),
            inspector,
            gather: vec![0; GATHER].into(),
        }
    }

    /// By the rules that the session took. `None` while the set has none.
    fn at_work<'a>(
        &'a mut self,
        set: SetId,
        session: &Session,
        report: &'a mut Reporter,
    ) -> Option<AtWork<'a>> {
        let IdpWorker { streams, inspector, gather, generations } = self;
        let rules = generations.of(set, Some(session.policy.0))?;
        Some(AtWork { streams, inspector, gather, rules, report })
    }
}

impl AtWork<'_> {
    /// The segment into its stream; what the stream has to say of it.
    fn feed(
        &mut self,
        packet: &mut PacketAt<'_>,
        session: &mut Session,
        dir: Dir,
        judgement: &mut Judgement,
    ) -> Payloads {
        let Some(tracked) = packet.tracked else { return Payloads::OfPacket };
        complain(self.report, packet, session, dir, &tracked.anomalies);
        if tracked.fit == Fit::Valid && self.rules.engine().reads_streams() {
            let payload = packet.subject.bytes.get(packet.decoded.payload_range()).unwrap_or_default();
            let fed = self.streams.feed(session, dir, tracked, payload);
            complain(self.report, packet, session, dir, &fed.anomalies);
            if let Some(reason) = fed.refused.filter(|_| packet.inline) {
                judgement.verdict = Verdict::Drop(reason);
            }
            if fed.conflict && packet.inline {
                judgement.verdict = Verdict::Drop(DropReason::StreamInvalid);
            }
        }
        if tracked.fit != Fit::Valid || tracked.early { Payloads::OfPacket } else { Payloads::OfStream }
    }

    /// The rules, for the packet and then for each window of its stream that is ready.
    fn judge(
        &mut self,
        packet: &PacketAt<'_>,
        session: &mut Session,
        dir: Dir,
        payloads: Payloads,
        judgement: &mut Judgement,
    ) {
        let AtWork { streams, inspector, gather, rules, report } = self;
        let facts = PacketFacts {
            bytes: packet.bytes,
            decoded: packet.decoded,
            time: packet.meta.clock,
            flow: Some(flow_facts(session, dir)),
        };
        let mut state = StateHandle::from_raw(session.inspection);
        let mut first = true;
        loop {
            let window = match payloads {
                Payloads::OfPacket => None,
                Payloads::OfStream => streams.window(session, dir, gather),
            };
            if !first && window.is_none() {
                break;
            }
            let payload = match (&window, payloads) {
                (Some(window), _) => Payload::Stream(stream_window(window, dir, !first)),
                (None, Payloads::OfPacket) => Payload::Packet,
                (None, Payloads::OfStream) => Payload::Queued,
            };
            let outcome = inspector.inspect(rules, &facts, Some(&mut state), payload);
            judgement.take(outcome);
            if !outcome.alerts.is_empty() {
                let origin = origin_of(packet, Some(session), dir);
                report.alerts(&origin, outcome, rules.engine().rules(), Some(session), packet.inline);
            }
            if window.is_none() {
                break;
            }
            streams.consumed(session, dir);
            first = false;
        }
        session.inspection = state.raw();
        session.alerted |= judgement.alerted;
    }

    /// Both directions' last bytes; the alerts are dated by the packet with that number.
    fn rest(&mut self, session: &mut Session, number: u64) {
        for dir in Dir::BOTH {
            self.last_bytes(session, dir, number);
        }
    }

    /// What still waited for an acknowledgement or for a whole chunk. No packet brings it: only rules on streams look.
    fn last_bytes(&mut self, session: &mut Session, dir: Dir, number: u64) {
        let AtWork { streams, inspector, gather, rules, report } = self;
        let tuple = if dir == Dir::ToServer { session.tuple } else { session.tuple.reversed() };
        let mut state = StateHandle::from_raw(session.inspection);
        while let Some(window) = streams.window(session, dir, gather) {
            let decoded = Decoded {
                ip: Some(Ip { family: tuple.family, proto: tuple.proto, ..Ip::default() }),
                l4: L4::Tcp(Default::default()),
                tuple,
                ..Decoded::default()
            };
            let flow = Some(flow_facts(session, dir));
            let facts = PacketFacts { bytes: &[], decoded: &decoded, time: session.last, flow };
            let payload = Payload::Stream(stream_window(&window, dir, true));
            let outcome = inspector.inspect(rules, &facts, Some(&mut state), payload);
            if !outcome.alerts.is_empty() {
                session.alerted = true;
                let origin = Origin {
                    time: session.last,
                    packet: number,
                    tuple,
                    flow_id: session.flow_id,
                    dir,
                    cause: Cause::Ending,
                    ..Origin::default()
                };
                report.alerts(&origin, outcome, rules.engine().rules(), Some(session), false);
            }
            streams.consumed(session, dir);
        }
        session.inspection = state.raw();
    }
}

/// Where the bytes are that rules on payloads look at.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Payloads {
    OfPacket,
    OfStream,
}

impl DataPlugin for IdpWorker {
    fn packet(&mut self, context: &mut Context<'_>) -> Reply {
        let Context { session: Some(at), packet: Some(packet), dir, host, set, .. } = context else {
            return Reply::Ok;
        };
        self.inspector.set_position(host.position);
        let (session, dir) = (&mut *at.session, *dir);
        let mut judgement = Judgement::default();
        let Some(mut work) = self.at_work(*set, session, host.report) else { return Reply::Ok };
        let payloads = work.feed(packet, session, dir, &mut judgement);
        work.judge(packet, session, dir, payloads, &mut judgement);
        if packet.tracked.is_some_and(|tracked| tracked.reset) {
            work.rest(session, packet.number);
        }
        if let Some(settled) = judgement.settled {
            session.settled = settled;
            if !matches!(settled, Settled::Drop(_)) {
                context.ignore_both();
            }
        }
        match judgement.verdict {
            // Whoever settles a session itself need not have it refused.
            Verdict::Drop(reason) => Reply::DropPacket(reason),
            Verdict::Forward | Verdict::Hold => Reply::Forward,
        }
    }

    /// Fragments, what is not IP, what could not be decoded. What reassembly found wrong comes here as well, with no bytes.
    fn alone(&mut self, context: &mut Context<'_>) -> Reply {
        self.inspector.set_position(context.host.position);
        let Some(packet) = &mut context.packet else { return Reply::Ok };
        let Some(rules) = self.generations.of(context.set, None) else { return Reply::Ok };
        let facts =
            PacketFacts { bytes: packet.bytes, decoded: packet.decoded, time: packet.meta.clock, flow: None };
        let outcome = self.inspector.inspect(rules, &facts, None, Payload::Packet);
        if !outcome.alerts.is_empty() {
            let origin = origin_of(packet, None, Dir::ToServer);
            context.host.report.alerts(&origin, outcome, rules.engine().rules(), None, packet.inline);
        }
        match outcome.verdict {
            Verdict::Drop(reason) => Reply::DropPacket(reason),
            Verdict::Forward | Verdict::Hold => Reply::Forward,
        }
    }

    fn raised(&mut self, context: &mut Context<'_>, raised: &[Anomaly]) {
        self.inspector.set_position(context.host.position);
        let Some(packet) = &mut context.packet else { return };
        let Some(rules) = self.generations.of(context.set, None) else { return };
        let facts = PacketFacts { bytes: &[], decoded: packet.decoded, time: packet.meta.clock, flow: None };
        let outcome = self.inspector.inspect_raised(rules, &facts, raised);
        let origin = origin_of(packet, None, Dir::ToServer);
        context.host.report.alerts(&origin, outcome, rules.engine().rules(), None, false);
    }

    fn session_close(&mut self, context: &mut Context<'_>, _reason: CloseReason) {
        let Some(at) = &mut context.session else { return };
        let session = &mut *at.session;
        self.inspector.set_position(context.host.position);
        self.streams.finish(session);
        let number = context.host.closing_packet;
        if let Some(mut work) = self.at_work(context.set, session, context.host.report) {
            work.rest(session, number);
        }
    }

    fn session_destroy(&mut self, context: &mut Context<'_>) {
        let Some(at) = &mut context.session else { return };
        self.streams.release(at.session);
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
        self.inspector.keep_order(order);
    }

    fn holds(&self, session: &Session) -> bool {
        self.generations.any(Engine::streams_touch_hosts)
            && !self.streams.half_full()
            && self.streams.unread(session)
    }

    fn publish(&self, numbers: &mut dyn FnMut(Gauge, u64)) {
        let counters = &self.streams.counters;
        numbers(Gauge::Streams, self.streams.open() as u64);
        numbers(Gauge::StreamMemory, self.streams.memory());
        numbers(Gauge::StreamGaps, counters.gaps);
        numbers(Gauge::StreamConflicts, counters.conflicts);
        numbers(Gauge::Generation, u64::from(self.generations.newest.generation().0));
    }
}

impl Judgement {
    fn take(&mut self, outcome: &Outcome) {
        self.verdict = self.verdict.and(outcome.verdict);
        self.alerted |= !outcome.alerts.is_empty();
        if let Some(settled) = outcome.settled.map(settlement) {
            self.settled = Some(settled);
        }
    }
}

fn settlement(settlement: Settlement) -> Settled {
    match settlement {
        Settlement::Pass => Settled::Pass,
        Settlement::Drop => Settled::Drop(DropReason::SessionDropped),
        Settlement::Bypass => Settled::Bypass,
    }
}

fn origin_of(packet: &PacketAt<'_>, session: Option<&Session>, dir: Dir) -> Origin {
    Origin { cause: packet.cause, ..origin(packet.number, packet.meta, packet.decoded, session, dir) }
}

fn stream_window<'a>(window: &Window<'a>, dir: Dir, rest: bool) -> StreamWindow<'a> {
    StreamWindow {
        dir,
        bytes: window.bytes,
        fresh_from: window.fresh_from,
        offset: window.offset,
        end: window.end,
        rest,
    }
}

fn flow_facts(session: &Session, dir: Dir) -> FlowFacts {
    let sent = |dir| {
        session
            .tcp
            .stream_start(dir)
            .map_or(0, |start| session.tcp.position(dir).0.distance_from(start).max(0) as u64)
    };
    FlowFacts {
        id: session.flow_id,
        dir,
        established: session.established(),
        stats: session.stats(),
        stream: PerDir(Dir::BOTH.map(sent)),
    }
}

/// Anomalies of the packet's stream join those of its layers.
fn complain(
    report: &mut Reporter,
    packet: &mut PacketAt<'_>,
    session: &Session,
    dir: Dir,
    anomalies: &[Anomaly],
) {
    if anomalies.is_empty() {
        return;
    }
    report.anomalies(&origin_of(packet, Some(session), dir), anomalies);
    for &anomaly in anomalies {
        // As many as there is room for; the first say it all.
        let _ = packet.decoded.anomalies.try_push(anomaly);
    }
}
