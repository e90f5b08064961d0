//! The stages that look into a packet: session, TCP state, the service set's chain. What comes out is a verdict; what is
//! noticed on the way becomes events.

use super::lane::Lane;
use super::settings::{Mode, PortPlan};
use crate::base::event::{Cause, CloseReason};
use crate::base::{Anomaly, Dir, SetId, Verdict};
use crate::decode::{Decoded, Inner, MAX_TUNNELS, decode_at, tunnel};
use crate::io::FrameMeta;
use crate::service::hold::Holding;
use crate::service::services::Gate;
use crate::service::trace::Step;
use crate::service::{Passage, Services, SessionAt, Subject, origin};
use crate::session::{Lookup, Packet, SessionId, Settled, Tracked};

/// Where a tuple's context tells through which tunnel its packets came; below stand three VLAN tags. All packets between a
/// tunnel's two ends come to one worker, so an inner session, which is one of its tunnel, is whole there.
const TUNNEL_SHIFT: u32 = 36;

impl Lane {
    /// Every stage that reads the packet. Anomalies of its stream join those of its layers.
    pub(super) fn inspect(&mut self, subject: &Subject<'_>, decoded: &mut Decoded) -> Verdict {
        if !decoded.anomalies.is_empty() {
            let origin = origin(subject.number, subject.meta, decoded, None, Dir::ToServer);
            let origin = crate::base::event::Origin { cause: subject.cause, ..origin };
            self.report.anomalies(&origin, &decoded.anomalies);
        }
        // A piece has no ports, so no session: its datagram will.
        let verdict = if decoded.is_fragment() {
            self.alone(subject, decoded)
        } else {
            self.with_session(subject, decoded)
        };
        if let Some(reason) = decoded.invalid {
            self.report.trace.step(Step::Invalid(reason));
        }
        match decoded.invalid {
            Some(reason) if self.drop_invalid => verdict.and(Verdict::Drop(reason)),
            _ => verdict,
        }
    }

    fn with_session(&mut self, subject: &Subject<'_>, decoded: &mut Decoded) -> Verdict {
        // Some set works without sessions, or is not active yet: what is new asks first.
        if self.gated
            && self.sessions.peek(decoded.quoted.as_ref().unwrap_or(&decoded.tuple)).is_none()
            && let Some(set) = self.services.select(subject.meta.port, &decoded.tuple)
        {
            match self.services.gate(set) {
                Gate::Open { sessions: true } => {}
                Gate::Open { sessions: false } => return self.alone_in(set, subject, decoded),
                Gate::Bypass => return Verdict::Forward,
                Gate::Shut(reason) => return Verdict::Drop(reason),
            }
        }
        let packet = Packet::new(subject.meta, subject.number, subject.bytes.len());
        let (sessions, mut ending) = self.ending();
        match sessions.find(decoded, &packet, &mut ending) {
            Lookup::Found { id, dir, related, opened } => {
                if ending.report.trace.is_on() {
                    let flow_id = sessions.get(id).map_or(0, |session| session.flow_id);
                    ending.report.trace.step(Step::Session { flow_id, dir, opened, related });
                }
                let tracked = if related { None } else { sessions.track(id, dir, decoded, &packet) };
                self.in_session(subject, decoded, id, dir, opened, tracked.as_ref())
            }
            Lookup::Refused(reason) => {
                self.report.trace.step(Step::Refused(reason));
                Verdict::Drop(reason)
            }
            Lookup::Untracked => {
                self.report.trace.step(Step::NoSession);
                self.alone(subject, decoded)
            }
        }
    }

    /// A packet without a session: fragments, what is not IP, what could not be decoded.
    fn alone(&mut self, subject: &Subject<'_>, decoded: &mut Decoded) -> Verdict {
        match self.services.select(subject.meta.port, &decoded.tuple) {
            Some(set) => self.alone_in(set, subject, decoded),
            None => Verdict::Forward,
        }
    }

    fn alone_in(&mut self, set: SetId, subject: &Subject<'_>, decoded: &mut Decoded) -> Verdict {
        let (_, services, mut outside) = self.serving(subject.number);
        match services.alone(set, subject.packet(decoded, None), &mut outside) {
            Passage::Drop(reason) | Passage::Refused(reason) => Verdict::Drop(reason),
            Passage::Forward | Passage::Hold { .. } => Verdict::Forward,
        }
    }

    /// The packets that this one carries, each judged by itself. What settles an inner session settles those around it: a
    /// verdict acts on the outermost packet. Inner fragments are not put together.
    pub(super) fn inner_packets(&mut self, subject: &Subject<'_>, outer: &Decoded) -> Verdict {
        let mut verdict = Verdict::Forward;
        let bytes = subject.bytes;
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
            self.report.trace.step(Step::Inner);
            let within = Subject { cause: Cause::Inner, frame: None, ..*subject };
            verdict = verdict.and(self.inspect(&within, &mut inner));
            if let Verdict::Drop(reason) = verdict {
                self.blame = self.services.outbox.blame;
                self.remember_drop(subject.meta, &inner, reason, !subject.inline);
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

    /// What reassembly found wrong with a fragment, which services may ask about. Its bytes are reassembly's by now, and its
    /// verdict was given: a datagram it spoils is dropped by reassembly itself.
    pub(super) fn raised(
        &mut self,
        meta: &FrameMeta,
        decoded: &mut Decoded,
        plan: &PortPlan,
        raised: &[Anomaly],
    ) {
        for &anomaly in raised {
            let _ = decoded.anomalies.try_push(anomaly); // as many as there is room for
        }
        let number = self.number(meta);
        let origin = origin(number, meta, decoded, None, Dir::ToServer);
        self.report.anomalies(&origin, raised);
        let Some(set) = self.services.select(meta.port, &decoded.tuple) else { return };
        let inline = plan.mode == Mode::Ips;
        let subject = Subject { bytes: &[], meta, number, inline, cause: Cause::Packet, frame: None };
        let (_, services, mut outside) = self.serving(number);
        services.raised(set, subject.packet(decoded, None), raised, &mut outside);
    }

    fn in_session(
        &mut self,
        subject: &Subject<'_>,
        decoded: &mut Decoded,
        id: SessionId,
        dir: Dir,
        opened: bool,
        tracked: Option<&Tracked>,
    ) -> Verdict {
        let (sessions, services, outside) = self.serving(subject.number);
        let Some(session) = sessions.get_mut(id) else { return Verdict::Forward };
        if let Some(tracked) = tracked {
            outside.report.trace.step(Step::Segment(tracked.fit.name()));
        }
        if let Settled::Drop(reason) = session.settled {
            outside.report.trace.step(Step::Settled(reason));
            return Verdict::Drop(reason);
        }
        if opened && let Some(set) = services.select(subject.meta.port, &decoded.tuple) {
            services.enter(session, set);
            if let Settled::Drop(reason) = session.settled {
                return Verdict::Drop(reason);
            }
        }
        if !Services::wants(session, dir) && !opened {
            outside.report.trace.step(Step::Unwanted);
            return Verdict::Forward;
        }
        // Made once for each: what is made before the branch goes through memory.
        let passage = if opened {
            services.first_packet(SessionAt { id, session }, subject.packet(decoded, tracked), dir, outside)
        } else {
            services.packet(SessionAt { id, session }, subject.packet(decoded, tracked), dir, 0, outside)
        };
        match passage {
            Passage::Forward => Verdict::Forward,
            Passage::Drop(reason) => Verdict::Drop(reason),
            Passage::Hold { plugin, next } => {
                let tracked = tracked.cloned();
                let edits = std::mem::take(&mut services.outbox.edits);
                self.holding = Some(Holding { session: id, dir, plugin, next, tracked, edits });
                Verdict::Hold
            }
            Passage::Refused(reason) => {
                let (sessions, mut ending) = self.ending();
                sessions.close(id, CloseReason::OpenFailed, &mut ending);
                Verdict::Drop(reason)
            }
        }
    }
}
