//! What is done when a session ends: its services hear of it, its record is written, what it held is freed.

use super::lane::Lane;
use crate::base::Time;
use crate::base::event::CloseReason;
use crate::io::FrameAllocator;
use crate::service::{Outside, Reporter, Services};
use crate::session::{Closer, Session, SessionId, SessionTable};

pub(super) struct Ending<'a> {
    pub(super) services: &'a mut Services,
    pub(super) report: &'a mut Reporter,
    pub(super) allocator: &'a mut dyn FrameAllocator,
    pub(super) now: Time,
    pub(super) position: u64,
    /// The last packet of all, when everything ends.
    pub(super) last: u64,
    /// A timer does not end a session with bytes that may touch what the workers of a replay share.
    pub(super) holds: bool,
}

impl Closer for Ending<'_> {
    fn closed(&mut self, id: SessionId, session: &mut Session, reason: CloseReason) {
        let packet = if reason == CloseReason::Shutdown { self.last } else { session.last_packet };
        // Behind all packets, one session after the other, whosever they are.
        let behind = (self.last > 0).then(|| self.last.saturating_add(session.opened_by));
        let mut outside = Outside {
            report: &mut *self.report,
            allocator: &mut *self.allocator,
            now: self.now,
            closing_packet: packet,
            position: behind.unwrap_or(self.position),
        };
        self.services.closed(id, session, reason, &mut outside);
        self.report.flow(session, reason);
    }

    fn holds(&self, session: &Session) -> bool {
        self.holds && self.services.holds(session)
    }
}

impl Lane {
    /// The session table, and what ends its sessions.
    pub(super) fn ending(&mut self) -> (&mut SessionTable, Ending<'_>) {
        let Lane { sessions, services, report, allocator, clock, position, .. } = self;
        let (now, position) = (*clock, *position);
        let allocator = allocator.as_mut();
        (sessions, Ending { services, report, allocator, now, position, last: 0, holds: false })
    }

    /// The session table and its services, for a packet.
    #[inline(always)] // made in its place: moving it costs more
    pub(super) fn serving(&mut self, packet: u64) -> (&mut SessionTable, &mut Services, Outside<'_>) {
        let Lane { sessions, services, report, allocator, clock, position, .. } = self;
        let (now, position) = (*clock, *position);
        let outside =
            Outside { report, allocator: allocator.as_mut(), now, closing_packet: packet, position };
        (sessions, services, outside)
    }
}
