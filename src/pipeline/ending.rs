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
    /// The last packet of all, when everything ends.
    pub(super) last: u32,
}

impl Closer for Ending<'_> {
    fn closed(&mut self, id: SessionId, session: &mut Session, reason: CloseReason) {
        let packet = if reason == CloseReason::Shutdown { self.last } else { session.last_packet };
        let mut outside = Outside {
            report: &mut *self.report,
            allocator: &mut *self.allocator,
            now: self.now,
            closing_packet: packet,
        };
        self.services.closed(id, session, reason, &mut outside);
        self.report.flow(session, reason);
    }
}

impl Lane {
    /// The session table, and what ends its sessions.
    pub(super) fn ending(&mut self) -> (&mut SessionTable, Ending<'_>) {
        let Lane { sessions, services, report, allocator, clock, .. } = self;
        (sessions, Ending { services, report, allocator: allocator.as_mut(), now: *clock, last: 0 })
    }

    /// The session table and its services, for a packet.
    pub(super) fn serving(&mut self, packet: u32) -> (&mut SessionTable, &mut Services, Outside<'_>) {
        let Lane { sessions, services, report, allocator, clock, .. } = self;
        let outside = Outside { report, allocator: allocator.as_mut(), now: *clock, closing_packet: packet };
        (sessions, services, outside)
    }
}
