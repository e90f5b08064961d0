//! Sessions told to management, a part of the table at a time: a worker's turn must not go through all of it.

use super::lane::Lane;
use super::mailbox::{Answer, SessionRow};
use crate::base::{DropReason, FlowTuple, WorkerId};
use crate::session::Settled;
use std::net::IpAddr;

/// Places of the table that one turn looks at.
pub const SLICE: usize = 2048;

/// Which sessions.
#[derive(Copy, Clone, Debug, Default)]
pub struct Pick {
    pub flow_id: Option<u64>,
    /// Of either end, as is the port.
    pub address: Option<IpAddr>,
    pub port: Option<u16>,
    /// IP protocol number.
    pub proto: Option<u8>,
}

impl Pick {
    pub fn takes(&self, flow_id: u64, tuple: &FlowTuple) -> bool {
        self.flow_id.is_none_or(|id| id == flow_id)
            && self.proto.is_none_or(|p| p == tuple.proto)
            && self.port.is_none_or(|p| p == tuple.sport || p == tuple.dport)
            && self.address.is_none_or(|a| a == tuple.src_ip() || a == tuple.dst_ip())
    }
}

/// A look at the table from a place on.
#[derive(Debug, Default)]
pub struct SessionScan {
    pub from: usize,
    pub pick: Pick,
    /// Its capacity says how many are wanted.
    pub rows: Vec<SessionRow>,
}

impl Lane {
    pub(super) fn scan_sessions(&self, scan: SessionScan, worker: WorkerId) -> Answer {
        let SessionScan { from, pick, mut rows } = scan;
        let table = self.sessions();
        let (mut at, end) = (from, from.saturating_add(SLICE).min(table.slots()));
        while at < end && rows.len() < rows.capacity() {
            if let Some((_, session)) = table.at(at)
                && pick.takes(session.flow_id, &session.tuple)
            {
                rows.push(SessionRow::of(session, worker.0));
            }
            at += 1;
        }
        Answer::Sessions { rows, next: (at < table.slots()).then_some(at) }
    }

    /// It stays in the table until its time-out, so that what its ends go on to send finds it and does not open another.
    pub(super) fn kill(&mut self, tuple: &FlowTuple, flow_id: u64) -> Answer {
        let found = self.sessions().peek(tuple).map(|(id, _)| id);
        let session = found.and_then(|id| self.sessions_mut().get_mut(id)).filter(|s| s.flow_id == flow_id);
        Answer::Killed(session.map(|session| session.settled = Settled::Drop(DropReason::Killed)).is_some())
    }
}
