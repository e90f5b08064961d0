//! What is done when a session ends: its last bytes are inspected, its record is written, what it held is freed.

use super::judge::{flow_facts, stream_window};
use super::report::Reporter;
use crate::base::Dir;
use crate::base::event::{Cause, CloseReason, Origin};
use crate::decode::{Decoded, Ip, L4};
use crate::inspect::{Inspector, PacketFacts, Payload, StateHandle};
use crate::rules::RuleSet;
use crate::session::{Closer, Session, SessionId};
use crate::stream::Streams;

pub(super) struct Ending<'a> {
    pub(super) streams: &'a mut Streams,
    pub(super) inspector: &'a mut Inspector,
    pub(super) gather: &'a mut [u8],
    pub(super) report: &'a mut Reporter,
    pub(super) rules: &'a RuleSet,
    /// The last packet of all, when everything ends.
    pub(super) last: u64,
}

impl Closer for Ending<'_> {
    fn closed(&mut self, _: SessionId, session: &mut Session, reason: CloseReason) {
        self.streams.finish(session);
        let packet = if reason == CloseReason::Shutdown { self.last } else { session.last_packet };
        self.rest(session, packet);
        self.streams.release(session);
        let mut state = StateHandle::from_raw(session.inspection);
        self.inspector.release(&mut state);
        session.inspection = state.raw();
        self.report.flow(session, reason);
    }
}

impl Ending<'_> {
    /// Both directions' last bytes; the alerts are dated by `packet`.
    pub(super) fn rest(&mut self, session: &mut Session, packet: u64) {
        for dir in Dir::BOTH {
            self.last_bytes(session, dir, packet);
        }
    }

    /// What still waited for an acknowledgement or for a whole chunk. No packet brings it: only rules on streams look.
    fn last_bytes(&mut self, session: &mut Session, dir: Dir, packet: u64) {
        let tuple = if dir == Dir::ToServer { session.tuple } else { session.tuple.reversed() };
        let mut state = StateHandle::from_raw(session.inspection);
        while let Some(window) = self.streams.window(session, dir, self.gather) {
            let decoded = Decoded {
                ip: Some(Ip { family: tuple.family, proto: tuple.proto, ..Ip::default() }),
                l4: L4::Tcp(Default::default()),
                tuple,
                ..Decoded::default()
            };
            let facts = PacketFacts {
                bytes: &[],
                decoded: &decoded,
                time: session.last,
                flow: Some(flow_facts(session, dir)),
            };
            let payload = Payload::Stream(stream_window(&window, dir, true));
            let outcome = self.inspector.inspect(&facts, Some(&mut state), payload);
            if !outcome.alerts.is_empty() {
                session.alerted = true;
                let origin = Origin {
                    time: session.last,
                    packet,
                    tuple,
                    flow_id: session.flow_id,
                    dir,
                    cause: Cause::Ending,
                    ..Origin::default()
                };
                self.report.alerts(&origin, outcome, self.rules, Some(session), false);
            }
            self.streams.consumed(session, dir);
        }
        session.inspection = state.raw();
    }
}
