//! What comes with a SYN: rules that ask for a session with its handshake done look at it once that is.

use super::at_work::{AtWork, flow_facts, stream_window, without_packet};
use super::judgement::Judgement;
use super::log::ending;
use crate::base::Dir;
use crate::inspect::{PacketFacts, Payload, StateHandle, StreamWindow};
use crate::session::{NO_HANDLE, Session, Spoken};

impl AtWork<'_> {
    /// Another SYN holds: what came with the one before ends as it stands.
    #[cold]
    pub(super) fn begin_anew(&mut self, session: &mut Session, number: u64) {
        if session.streams.0 == [NO_HANDLE; 2] {
            return;
        }
        self.streams.finish(session);
        self.rest(session, number);
        self.log(session, true, || ending(session, Dir::ToServer, number));
        self.streams.release(session);
        self.apps.release(&mut session.app);
        session.spoken = Spoken::default();
        let mut state = StateHandle::from_raw(session.inspection);
        self.inspector.release(&mut state);
        session.inspection = state.raw();
    }

    /// The handshake is done with the packet of that number: what was looked at before.
    pub(super) fn look_again(&mut self, session: &mut Session, number: u64, judgement: &mut Judgement) {
        for dir in Dir::BOTH {
            if session.streams[dir] != NO_HANDLE {
                self.look_again_at(session, dir, number, judgement);
            }
        }
    }

    #[cold]
    fn look_again_at(&mut self, session: &mut Session, dir: Dir, number: u64, judgement: &mut Judgement) {
        let AtWork { streams, apps, inspector, gather, rules, report } = self;
        // Those that wait for it look with the packet.
        let app = apps.get_mut(session.app);
        let known = app.map(|app| {
            app.transactions.look_again();
            app.known
        });
        let Some(window) = streams.inspected(session, dir, gather) else { return };
        let origin = ending(session, dir, number);
        let decoded = without_packet(&origin.tuple);
        let flow = Some(flow_facts(session, dir, known.unwrap_or_default()));
        let facts = PacketFacts { bytes: &[], decoded: &decoded, time: session.last, flow, app_events: &[] };
        let mut state = StateHandle::from_raw(session.inspection);
        let window = StreamWindow { memo: None, ..stream_window(&window, dir, true) };
        let outcome = inspector.inspect_established(rules, &facts, Some(&mut state), Payload::Stream(window));
        session.inspection = state.raw();
        judgement.take(outcome);
        judgement.ask_ip_actions(rules.engine(), outcome);
        if !outcome.alerts.is_empty() {
            let set = rules.engine().rules();
            report.alerts(&origin, outcome, set, Some(session), None, judgement.inline, judgement.told());
        }
    }
}
