//! A candidate of rules that judges the packets which the rules in force judge, on the same worker, without effect.
//!
//! It has all that judging takes for itself: streams, decoders, state of rules, datasets. Of a session it works on a copy,
//! so that nothing it does is seen by anybody else; its alerts and drops are counted, and that is all. It follows sessions that
//! were opened since it began, as far as the rules in force let them come: what those drop or bypass does not reach it.

use super::at_work::AtWork;
use super::candidate::Candidate;
use super::judgement::Judgement;
use super::sides::{Side, Sides};
use super::without::Without;
use crate::app::Apps;
use crate::base::{Anomaly, Dir, tally};
use crate::decode::Anomalies;
use crate::inspect::{self, FileTypes, InForce, Inspector, StateHandle};
use crate::service::comparison::{Comparison, Tally, Whose};
use crate::service::{Context, Reporter, Tuning};
use crate::session::{Session, SessionId, Settled};
use crate::stream::{self, Streams};
use std::sync::Arc;

pub(super) struct Shadow {
    streams: Streams,
    apps: Apps,
    inspector: Inspector,
    rules: InForce,
    /// Bytes that these are evaluated with.
    rule_memory: u64,
    /// Counts alerts, and sends nothing.
    report: Reporter,
    sides: Sides,
    comparison: Arc<Comparison>,
    /// Lent to the reporter of the rules in force while they judge what the candidate judges as well.
    in_force: Option<Tally>,
}

/// A session that both follow, as it stands before the rules in force have looked at the packet.
pub(super) struct Turn {
    id: SessionId,
    session: Session,
    anomalies: Option<Anomalies>,
}

impl Shadow {
    /// Allocates: on management's thread.
    pub(super) fn new(
        candidate: &Candidate,
        comparison: Arc<Comparison>,
        streams: stream::Settings,
        inspection: inspect::Settings,
    ) -> Shadow {
        let (hosts, announced) = candidate.shared(&inspection);
        let (mut rules, rule_memory) = tally::of(|| InForce::new(Arc::clone(&candidate.engine)));
        if rules.engine().wanted().files.magic
            && let Ok(types) = FileTypes::open()
        {
            rules = rules.with_types(types);
        }
        let tally = |whose| Tally { comparison: Arc::clone(&comparison), whose };
        Shadow {
            streams: Streams::new(streams),
            apps: Apps::new(inspection.apps).sharing(announced),
            inspector: Inspector::new(inspection, hosts),
            rules,
            rule_memory,
            report: Reporter::counting(tally(Whose::Shadow)),
            sides: Sides::new(candidate.sessions),
            in_force: Some(tally(Whose::Live)),
            comparison,
        }
    }

    /// A session has been opened: it is followed from its first packet.
    pub(super) fn open(&mut self, id: SessionId) {
        match self.sides.open(id) {
            true => self.comparison.sessions.add(1),
            false => self.comparison.unfollowed.add(1),
        }
    }

    /// Both judge what this event is about. `None` where the candidate does not follow the session.
    pub(super) fn turn(&mut self, context: &Context<'_>) -> Option<Turn> {
        let at = context.session.as_ref()?;
        let side = self.sides.get(at.id)?;
        let mut session = at.session.clone();
        side.lend(&mut session);
        let anomalies = context.packet.as_ref().map(|packet| packet.decoded.anomalies.clone());
        Some(Turn { id: at.id, session, anomalies })
    }

    /// Has the rules in force do their part, counted.
    pub(super) fn lending<T>(
        &mut self,
        context: &mut Context<'_>,
        in_force: impl FnOnce(&mut Context<'_>) -> T,
    ) -> T {
        std::mem::swap(&mut context.host.report.tally, &mut self.in_force);
        let done = in_force(context);
        std::mem::swap(&mut context.host.report.tally, &mut self.in_force);
        done
    }

    /// The packet, after the rules in force. Whether more of the session's packets are wanted.
    pub(super) fn packet(&mut self, turn: Turn, context: &mut Context<'_>, gather: &mut [u8]) -> bool {
        let Turn { id, mut session, anomalies } = turn;
        let bypassed = context.session.as_ref().is_some_and(|at| at.session.settled == Settled::Bypass);
        let Some(packet) = &mut context.packet else { return false };
        if session.settled == Settled::None {
            self.comparison.packets.add(1);
            self.inspector.set_position(context.host.position);
            self.apps.expected.set_position(context.host.position);
            // What the candidate's own streams find is beside what those in force found.
            let theirs = anomalies.map(|before| std::mem::replace(&mut packet.decoded.anomalies, before));
            let mut judgement = Judgement::new(context.dir, packet.subject);
            self.at_work(gather).packet(packet, &mut session, context.dir, &mut judgement);
            if let Some(theirs) = theirs {
                packet.decoded.anomalies = theirs;
            }
            self.sides.keep(id, &session);
        }
        // Where not even TCP is followed there is nothing to be judged.
        session.settled == Settled::None && !bypassed
    }

    /// The session's end, after the rules in force.
    pub(super) fn close(&mut self, turn: Turn, context: &Context<'_>, gather: &mut [u8]) {
        let Turn { id, mut session, .. } = turn;
        self.inspector.set_position(context.host.position);
        self.streams.finish(&session);
        self.at_work(gather).rest(&mut session, context.host.closing_packet);
        self.sides.keep(id, &session);
    }

    pub(super) fn alone(&mut self, context: &mut Context<'_>) {
        self.inspector.set_position(context.host.position);
        if let Some(packet) = &context.packet {
            self.comparison.packets.add(1);
            self.without().alone(packet);
        }
    }

    pub(super) fn raised(&mut self, context: &mut Context<'_>, raised: &[Anomaly]) {
        self.inspector.set_position(context.host.position);
        if let Some(packet) = &context.packet {
            self.without().raised(packet, raised);
        }
    }

    /// The session is no more.
    pub(super) fn release(&mut self, id: SessionId) {
        let Some(mut side) = self.sides.close(id) else { return };
        let Side { inspection, app, .. } = &mut side;
        let mut state = StateHandle::from_raw(*inspection);
        self.inspector.release(&mut state);
        self.apps.release(app);
        for dir in Dir::BOTH {
            self.streams.release_handle(side.streams[dir]);
        }
    }

    pub(super) fn tune(&mut self, tuning: &Tuning) {
        self.inspector.tune(tuning.packet_alert_max, tuning.exceptions);
    }

    /// Bytes that its rules are evaluated with.
    pub(super) fn rule_memory(&self) -> u64 {
        self.rule_memory
    }

    /// Bytes that it holds of sessions.
    pub(super) fn memory(&self) -> u64 {
        self.streams.memory() + self.apps.memory() as u64 + self.sides.memory()
    }

    fn at_work<'a>(&'a mut self, gather: &'a mut [u8]) -> AtWork<'a> {
        let Shadow { streams, apps, inspector, rules, report, .. } = self;
        AtWork { streams, apps, inspector, gather, rules, report }
    }

    fn without(&mut self) -> Without<'_> {
        Without { inspector: &mut self.inspector, rules: &mut self.rules, report: &mut self.report }
    }
}
