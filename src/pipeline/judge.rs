//! The stages that look into a packet: session, TCP state, stream, rules. What comes out is a verdict; what is noticed on
//! the way becomes events.

use super::ending::Ending;
use super::lane::Lane;
use super::report::{Reporter, origin};
use super::settings::{Mode, PortPlan};
use crate::base::event::{Cause, Origin};
use crate::base::{Anomaly, Dir, DropReason, PerDir, Verdict};
use crate::decode::{Decoded, Inner, MAX_TUNNELS, decode_at, tunnel};
use crate::inspect::{FlowFacts, Outcome, PacketFacts, Payload, Settlement, StateHandle, StreamWindow};
use crate::io::FrameMeta;
use crate::session::{Fit, Lookup, Packet, Session, SessionId, Settled, Tracked};
use crate::stream::Window;

/// Where a tuple's context tells through which tunnel its packets came; below stand three VLAN tags. All packets between a
/// tunnel's two ends come to one worker, so an inner session, which is one of its tunnel, is whole there.
const TUNNEL_SHIFT: u32 = 36;

/// The packet at hand, as the stages pass it on.
struct Subject<'a> {
    bytes: &'a [u8],
    meta: &'a FrameMeta,
    number: u64,
    /// Verdicts act.
    inline: bool,
    cause: Cause,
}

impl Subject<'_> {
    fn origin(&self, decoded: &Decoded, session: Option<&Session>, dir: Dir) -> Origin {
        Origin { cause: self.cause, ..origin(self.number, self.meta, decoded, session, dir) }
    }
}

/// What the rules and the stream engine said of a packet so far.
#[derive(Default)]
struct Judgement {
    verdict: Verdict,
    settled: Option<Settled>,
    alerted: bool,
}

impl Lane {
    /// Every stage that reads the packet. Anomalies of its stream join those of its layers.
    pub(super) fn inspect(
        &mut self,
        bytes: &[u8],
        meta: &FrameMeta,
        decoded: &mut Decoded,
        plan: &PortPlan,
        cause: Cause,
    ) -> Verdict {
        let number = self.number(meta);
        let subject = Subject { bytes, meta, number, inline: plan.mode == Mode::Ips, cause };
        if !decoded.anomalies.is_empty() {
            self.report.anomalies(&subject.origin(decoded, None, Dir::ToServer), &decoded.anomalies);
        }
        // A piece has no ports, so no session: its datagram will.
        if decoded.is_fragment() {
            return self.alone(&subject, decoded);
        }
        let packet = Packet::new(meta, number, bytes.len());
        let (sessions, mut ending) = self.ending();
        let verdict = match sessions.find(decoded, &packet, &mut ending) {
            Lookup::Found { id, dir, related, .. } => {
                let tracked = if related { None } else { sessions.track(id, dir, decoded, &packet) };
                self.in_session(&subject, decoded, id, dir, tracked.as_ref())
            }
            Lookup::Refused(reason) => Verdict::Drop(reason),
            Lookup::Untracked => self.alone(&subject, decoded),
        };
        match decoded.invalid {
            Some(reason) if self.drop_invalid => verdict.and(Verdict::Drop(reason)),
            _ => verdict,
        }
    }

    /// A packet without a session: fragments, what is not IP, what could not be decoded.
    fn alone(&mut self, subject: &Subject<'_>, decoded: &Decoded) -> Verdict {
        let facts = PacketFacts { bytes: subject.bytes, decoded, time: subject.meta.clock, flow: None };
        let outcome = self.inspector.inspect(&facts, None, Payload::Packet);
        if !outcome.alerts.is_empty() {
            let origin = subject.origin(decoded, None, Dir::ToServer);
            self.report.alerts(&origin, outcome, &self.rules, None, subject.inline);
        }
        outcome.verdict
    }

    /// The packets that this one carries, each judged by itself. What settles an inner session settles those around it: a
    /// verdict acts on the outermost packet. Inner fragments are not put together.
    pub(super) fn inner_packets(
        &mut self,
        bytes: &[u8],
        meta: &FrameMeta,
        outer: &Decoded,
        plan: &PortPlan,
    ) -> Verdict {
        let mut verdict = Verdict::Forward;
        let mut next = tunnel(bytes, outer);
        let Some(mut inner) = self.inner.take_if(|_| next.is_some()) else { return verdict };
        let mut around = outer.tuple.symmetric_hash(false);
        for _ in 0..MAX_TUNNELS {
            let Some(Inner { layer, at, end }) = next else { break };
            inner.reset();
            decode_at(bytes.get(..end).unwrap_or_default(), at, layer, &mut inner);
            // Not the session of the same ends outside, nor of those in another tunnel: two tenants never mix.
            let through = u64::from(around >> 4 | 1) << TUNNEL_SHIFT;
            inner.tuple.context |= through;
            if let Some(quoted) = &mut inner.quoted {
                quoted.context |= through;
            }
            around = inner.tuple.symmetric_hash(false);
            verdict = verdict.and(self.inspect(bytes, meta, &mut inner, plan, Cause::Inner));
            if verdict.is_drop() {
                self.share_drop(&inner, outer);
            }
            next = tunnel(bytes, &inner);
        }
        self.inner = Some(inner);
        verdict
    }

    /// A dropped inner session takes the outer one with it.
    fn share_drop(&mut self, inner: &Decoded, outer: &Decoded) {
        let settled = self.sessions.peek(&inner.tuple).map(|(_, session)| session.settled);
        if let Some(Settled::Drop(reason)) = settled
            && let Some((id, _)) = self.sessions.peek(&outer.tuple)
            && let Some(session) = self.sessions.get_mut(id)
        {
            session.settled = Settled::Drop(reason);
        }
    }

    /// What reassembly found wrong with a fragment, which rules may ask about. Its bytes are reassembly's by now, and its
    /// verdict was given: a datagram it spoils is dropped by reassembly itself.
    pub(super) fn raised(&mut self, meta: &FrameMeta, decoded: &mut Decoded, raised: &[Anomaly]) {
        for &anomaly in raised {
            let _ = decoded.anomalies.try_push(anomaly); // as many as there is room for
        }
        let origin = origin(self.number(meta), meta, decoded, None, Dir::ToServer);
        self.report.anomalies(&origin, raised);
        let facts = PacketFacts { bytes: &[], decoded, time: meta.clock, flow: None };
        let outcome = self.inspector.inspect_raised(&facts, raised);
        self.report.alerts(&origin, outcome, &self.rules, None, false);
    }

    fn in_session(
        &mut self,
        subject: &Subject<'_>,
        decoded: &mut Decoded,
        id: SessionId,
        dir: Dir,
        tracked: Option<&Tracked>,
    ) -> Verdict {
        let Lane { sessions, streams, inspector, gather, report, rules, .. } = self;
        let Some(session) = sessions.get_mut(id) else { return Verdict::Forward };
        let (generation, reads_streams) = (rules.generation, inspector.engine().reads_streams());
        match session.settled {
            // What was settled under rules that are no more is looked at again.
            _ if session.policy != generation => session.policy = generation,
            Settled::None => {}
            Settled::Pass | Settled::Bypass => return Verdict::Forward,
            Settled::Drop(reason) => return Verdict::Drop(reason),
        }
        let mut judgement = Judgement::default();
        let payload_from_packet = match tracked {
            None => true,
            Some(tracked) => {
                complain(report, subject, decoded, session, dir, &tracked.anomalies);
                if tracked.fit == Fit::Valid && reads_streams {
                    let payload = subject.bytes.get(decoded.payload_range()).unwrap_or_default();
                    let fed = streams.feed(session, dir, tracked, payload);
                    complain(report, subject, decoded, session, dir, &fed.anomalies);
                    if let Some(reason) = fed.refused.filter(|_| subject.inline) {
                        judgement.verdict = Verdict::Drop(reason);
                    }
                    if fed.conflict && subject.inline {
                        judgement.verdict = Verdict::Drop(DropReason::StreamInvalid);
                    }
                }
                tracked.fit != Fit::Valid || tracked.early
            }
        };
        let facts = PacketFacts {
            bytes: subject.bytes,
            decoded,
            time: subject.meta.clock,
            flow: Some(flow_facts(session, dir)),
        };
        let mut state = StateHandle::from_raw(session.inspection);
        let mut first = true;
        loop {
            let window = if payload_from_packet { None } else { streams.window(session, dir, gather) };
            let payload = match &window {
                _ if payload_from_packet => Payload::Packet,
                None => Payload::Queued,
                Some(window) => Payload::Stream(stream_window(window, dir, !first)),
            };
            if !first && window.is_none() {
                break;
            }
            let outcome = inspector.inspect(&facts, Some(&mut state), payload);
            judgement.take(outcome);
            if !outcome.alerts.is_empty() {
                let origin = subject.origin(decoded, Some(session), dir);
                report.alerts(&origin, outcome, rules, Some(session), subject.inline);
            }
            if window.is_none() {
                break;
            }
            streams.consumed(session, dir);
            first = false;
        }
        session.inspection = state.raw();
        session.alerted |= judgement.alerted;
        if tracked.is_some_and(|tracked| tracked.reset) {
            let mut ending = Ending { streams, inspector, gather, report, rules, last: 0 };
            ending.rest(session, subject.number);
        }
        if let Some(settled) = judgement.settled {
            session.settled = settled;
        }
        judgement.verdict
    }

    /// The session table, and what ends its sessions.
    pub(super) fn ending(&mut self) -> (&mut crate::session::SessionTable, Ending<'_>) {
        let Lane { sessions, streams, inspector, gather, report, rules, .. } = self;
        (sessions, Ending { streams, inspector, gather, report, rules, last: 0 })
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

pub(super) fn stream_window<'a>(window: &Window<'a>, dir: Dir, rest: bool) -> StreamWindow<'a> {
    StreamWindow {
        dir,
        bytes: window.bytes,
        fresh_from: window.fresh_from,
        offset: window.offset,
        end: window.end,
        rest,
    }
}

pub(super) fn flow_facts(session: &Session, dir: Dir) -> FlowFacts {
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

fn complain(
    report: &mut Reporter,
    subject: &Subject<'_>,
    decoded: &mut Decoded,
    session: &Session,
    dir: Dir,
    anomalies: &[Anomaly],
) {
    if anomalies.is_empty() {
        return;
    }
    report.anomalies(&subject.origin(decoded, Some(session), dir), anomalies);
    for &anomaly in anomalies {
        // As many as there is room for; the first say it all.
        let _ = decoded.anomalies.try_push(anomaly);
    }
}
