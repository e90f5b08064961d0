//! The stages that look into a packet: session, TCP state, the service set's chain. What comes out is a verdict; what is
//! noticed on the way becomes events.

use super::lane::Lane;
use super::settings::{Mode, PortPlan};
use crate::base::event::{CloseReason, Origin};
use crate::base::{Anomaly, Dir, DropReason, ExceptionCause, ExceptionPolicy, PortId, SetId, Verdict};
use crate::decode::Decoded;
use crate::service::hold::Holding;
use crate::service::outbox::Reject;
use crate::service::services::Gate;
use crate::service::trace::Step;
use crate::service::{InactiveAction, Passage, Services, SessionAt, Subject, origin};
use crate::session::{Lookup, Packet, Session, SessionId, Settled, Tracked, flags};

impl Lane {
    /// Every stage that reads the packet. Anomalies of its stream join those of its layers.
    pub(super) fn inspect(&mut self, subject: &Subject<'_>, decoded: &mut Decoded) -> Verdict {
        if !decoded.anomalies.is_empty() {
            let origin = origin(subject.number, subject.meta, decoded, None, Dir::ToServer);
            self.report.anomalies(&Origin { cause: subject.cause, ..origin }, &decoded.anomalies);
        }
        if self.may_strike(subject)
            && let Some(verdict) = self.strike(subject, decoded)
        {
            return verdict;
        }
        // A piece has no ports, so no session: its datagram will.
        let is_piece = decoded.is_fragment();
        let damaged = !is_piece && self.checksums.is_damaged(subject.meta.port, decoded, subject.bytes);
        let verdict = if is_piece || damaged {
            self.alone(subject, decoded)
        } else {
            self.with_session(subject, decoded)
        };
        if !self.services.outbox.ip_actions.is_empty() {
            self.begin_ip_actions(subject.meta.port, decoded);
        }
        if let Some(reason) = decoded.invalid {
            self.report.trace.step(Step::Invalid(reason));
        }
        if damaged {
            self.report.trace.step(Step::Invalid(DropReason::TcpChecksum));
            return verdict.and(Verdict::Drop(DropReason::TcpChecksum));
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
            let of_pair = || self.plan(subject.meta.port).and_then(|plan| plan.inactive);
            match self.services.gate(set) {
                Gate::Open { sessions: true } => {}
                Gate::Open { sessions: false } => return self.alone_in(set, subject, decoded),
                Gate::Shut(action) => match of_pair().unwrap_or(action) {
                    InactiveAction::Forward => return Verdict::Forward,
                    InactiveAction::Drop => return Verdict::Drop(DropReason::ServiceInactive),
                },
            }
        }
        let mut packet = Packet::new(subject.meta, subject.number, subject.bytes.len());
        packet.inline = subject.inline;
        if decoded.tcp().is_some_and(|tcp| tcp.flags & flags::SYN != 0) {
            packet.across = self.across(packet.port);
        }
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
                self.without_room(subject, decoded)
            }
            Lookup::Untracked => {
                self.report.trace.step(Step::NoSession);
                self.alone(subject, decoded)
            }
        }
    }

    /// The port by which comes in what the other side of the line sends: none for a mirror's copies, nor in a replay.
    #[cold]
    fn across(&self, port: PortId) -> Option<PortId> {
        let line = |plan: &PortPlan| !self.replay && plan.mode != Mode::Ids;
        self.plan(port).filter(line)?.peer
    }

    /// The session table is full, and its policy makes no room.
    #[cold]
    fn without_room(&mut self, subject: &Subject<'_>, decoded: &mut Decoded) -> Verdict {
        let cause = ExceptionCause::FlowMemcap;
        let policy = self.sessions.settings().exceptions.of(cause, subject.inline);
        if policy == ExceptionPolicy::Ignore {
            return self.alone(subject, decoded);
        }
        self.count_exception(cause, policy);
        self.services.outbox.reject.source |= policy == ExceptionPolicy::Reject;
        if policy.drops() { Verdict::Drop(cause.drop_reason()) } else { Verdict::Forward }
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

    /// What reassembly found wrong with a fragment, which services may ask about. Its bytes are reassembly's by now, and its
    /// verdict was given: a datagram it spoils is dropped by reassembly itself.
    pub(super) fn raised(&mut self, of: &Subject<'_>, decoded: &mut Decoded, raised: &[Anomaly]) {
        for &anomaly in raised {
            let _ = decoded.anomalies.try_push(anomaly); // as many as there is room for
        }
        let origin = origin(of.number, of.meta, decoded, None, Dir::ToServer);
        self.report.anomalies(&Origin { cause: of.cause, ..origin }, raised);
        let Some(set) = self.services.select(of.meta.port, &decoded.tuple) else { return };
        let subject = Subject { bytes: &[], frame: None, ..*of };
        let (_, services, mut outside) = self.serving(of.number);
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
            // Whoever ended it by hand wants both ends to know.
            if reason == DropReason::Killed && subject.inline && subject.frame.is_some() {
                services.outbox.reject = Reject { source: true, destination: true };
            }
            return Verdict::Drop(reason);
        }
        // A session goes by its first packet; that may have come before the old session of its place was over.
        let first = |session: &Session| match session.tcp.begun_by() {
            Some(port) => (port, session.tuple),
            None => (subject.meta.port, decoded.tuple),
        };
        if opened
            && let (port, tuple) = first(session)
            && let Some(set) = services.select(port, &tuple)
        {
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

    pub(super) fn count_exceptions(&mut self) {
        for (cause, policy) in std::mem::take(&mut self.services.outbox.exceptions) {
            self.count_exception(cause, policy);
        }
    }

    pub(super) fn count_exception(&self, cause: ExceptionCause, policy: ExceptionPolicy) {
        self.tables.exceptions[cause as usize][policy as usize].add(1);
    }
}
