//! A session that opens more transactions than it may have, in one gathered chunk of tiny messages: rules look at them before
//! the oldest go, so that none goes unseen.

use super::at_work::{flow_facts, without_packet};
use super::judgement::Judgement;
use super::log::{ending, log};
use crate::app::{Apps, Source};
use crate::base::Dir;
use crate::inspect::{InForce, Inspector, PacketFacts, Payload, StateHandle};
use crate::service::Reporter;
use crate::session::Session;

/// What decoding and looking take, without the streams that the bytes lie in.
pub(super) struct Look<'a> {
    pub(super) apps: &'a mut Apps,
    pub(super) inspector: &'a mut Inspector,
    pub(super) rules: &'a mut InForce,
    pub(super) report: &'a mut Reporter,
}

impl Look<'_> {
    /// The next bytes to the decoder. Whether rules on the stream should look at once.
    pub(super) fn decode(&mut self, session: &mut Session, source: &Source, bytes: &[u8]) -> bool {
        self.apps.data(&mut session.app, source, self.rules.engine().wanted(), bytes)
    }

    /// Where there are too many transactions: the oldest end as they stand, all are looked at and written, and those that ended
    /// go. `number` is that of the packet at work.
    pub(super) fn relieve(&mut self, session: &mut Session, number: u64, judgement: &mut Judgement) {
        let Look { apps, .. } = self;
        let limits = *apps.limits();
        let Some(app) = apps.get_mut(session.app) else { return };
        if !app.transactions.are_too_many(&limits) {
            return;
        }
        app.transactions.end_oldest(&limits);
        self.rules.name_types(&mut app.transactions);
        for dir in Dir::BOTH {
            self.look(session, dir, number, judgement);
        }
        log(self.apps, self.report, session, false, || ending(session, Dir::ToServer, number));
        self.apps.sweep(session.app);
    }

    fn look(&mut self, session: &mut Session, dir: Dir, number: u64, judgement: &mut Judgement) {
        let Look { apps, inspector, rules, report } = self;
        let origin = ending(session, dir, number);
        let Some(app) = apps.get_mut(session.app) else { return };
        let decoded = without_packet(&origin.tuple);
        let flow = Some(flow_facts(session, dir, app.known));
        let facts = PacketFacts { bytes: &[], decoded: &decoded, time: session.last, flow, app_events: &[] };
        let mut state = StateHandle::from_raw(session.inspection);
        let outcome = inspector.inspect_transactions(
            rules,
            &facts,
            Some(&mut state),
            Payload::Queued,
            &mut app.transactions,
            0,
        );
        session.inspection = state.raw();
        judgement.take(outcome);
        if !outcome.alerts.is_empty() {
            let set = rules.engine().rules();
            let txs = Some(&app.transactions);
            report.alerts(&origin, outcome, set, Some(session), txs, judgement.inline, judgement.told());
        }
    }
}
