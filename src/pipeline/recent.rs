//! What a worker remembers of dropped packets, a row a conversation, so that it can be told why.
//!
//! A fixed table: each conversation has one place by its tuple's hash, and the newest that comes to a place has it. So a flood of
//! drops costs each packet one look, and pushes others out at random. The first reason of a session stays; what follows it is
//! counted.

use super::lane::Lane;
use crate::base::{DropReason, FlowTuple, Generation, PortId, Time};
use crate::decode::Decoded;
use crate::io::FrameMeta;
use crate::service::outbox::Blame;

/// Conversations remembered by one worker, a power of two.
pub const REMEMBERED: usize = 4096;

/// One conversation of which packets were dropped, or would have been.
#[derive(Copy, Clone, Debug)]
pub struct DropRow {
    /// The first dropped packet's own: source is its sender.
    pub tuple: FlowTuple,
    /// 0: it had no session.
    pub flow_id: u64,
    /// The policy that its session was opened under.
    pub generation: Generation,
    pub reason: DropReason,
    /// Who said so, where that is known.
    pub blame: Blame,
    /// Number of that packet, and by which port it came in.
    pub packet: u64,
    pub port: PortId,
    pub first: Time,
    pub last: Time,
    /// Dropped since then, that packet among them.
    pub frames: u64,
    /// Of these, forwarded nevertheless: the pair's mode lets no verdict act.
    pub spared: u64,
}

pub(super) struct RecentDrops(Box<[Option<DropRow>]>);

impl Default for RecentDrops {
    fn default() -> RecentDrops {
        RecentDrops(vec![None; REMEMBERED].into())
    }
}

impl RecentDrops {
    fn place(&mut self, tuple: &FlowTuple) -> Option<&mut Option<DropRow>> {
        let place = tuple.symmetric_hash(true) as usize % self.0.len().max(1);
        self.0.get_mut(place)
    }

    fn rows(&self) -> impl Iterator<Item = &DropRow> {
        self.0.iter().flatten()
    }
}

/// Between whom: a question's ends, in either direction, whatever VLANs or tunnels the packets came in.
#[derive(Copy, Clone, Debug)]
pub struct Ends {
    pub tuple: FlowTuple,
    /// Whether each end's port is known.
    pub with_ports: bool,
}

impl Ends {
    pub fn are_of(&self, tuple: &FlowTuple) -> bool {
        let plain = |tuple: FlowTuple| {
            let tuple = FlowTuple { context: 0, tunnel: 0, ..tuple };
            if self.with_ports { tuple } else { FlowTuple { sport: 0, dport: 0, ..tuple } }
        };
        let (asked, own) = (plain(self.tuple), plain(*tuple));
        own == asked || own.reversed() == asked
    }
}

impl Lane {
    /// A packet that a verdict dropped; `spared` if it goes on all the same.
    #[cold]
    pub(super) fn remember_drop(
        &mut self,
        meta: &FrameMeta,
        decoded: &Decoded,
        reason: DropReason,
        spared: bool,
    ) {
        let blame = self.blame;
        if decoded.ip.is_none() {
            return; // between nobody
        }
        let (time, packet) = (meta.time, self.number(meta));
        let session = self.sessions.peek(&decoded.tuple).map(|(_, session)| session);
        let flow_id = session.map_or(0, |session| session.flow_id);
        let generation = session.map_or(Generation(0), |session| session.policy);
        let Some(place) = self.recent.place(&decoded.tuple) else { return };
        let same = |row: &DropRow| {
            row.flow_id == flow_id && (row.tuple == decoded.tuple || row.tuple == decoded.tuple.reversed())
        };
        match place.as_mut().filter(|row| same(row)) {
            Some(row) => {
                row.last = time;
                row.frames += 1;
                row.spared += u64::from(spared);
            }
            None => {
                *place = Some(DropRow {
                    tuple: decoded.tuple,
                    flow_id,
                    generation,
                    reason,
                    blame,
                    packet,
                    port: meta.port,
                    first: time,
                    last: time,
                    frames: 1,
                    spared: u64::from(spared),
                });
            }
        }
    }

    /// Fills the list, up to its capacity, with what is remembered of these ends.
    pub fn recent_drops(&self, ends: &Ends, rows: &mut Vec<DropRow>) {
        let room = rows.capacity().saturating_sub(rows.len());
        rows.extend(self.recent.rows().filter(|row| ends.are_of(&row.tuple)).take(room));
    }
}
