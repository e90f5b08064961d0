//! A worker's own receive queues, one of each port, where the NIC spreads the frames.
//!
//! What the main lcore does for workers otherwise is done here: frames are counted, numbered and dated, and each that another
//! worker owns (the NIC saw an outer header, could not parse the stack of tags, or hashes a protocol in its own way) is named
//! to be handed over.

use super::ledger::Ledger;
use super::settings::PortPlan;
use super::spreading::Owners;
use crate::base::{DropReason, PortId, Time};
use crate::io::clock::Clock;
use crate::io::{Burst, Frame, FrameMeta, RxQueue, free_burst};
use std::sync::Arc;

/// In a frame's epoch, which only a replay uses otherwise: on its way to its owner as it was received.
pub const AS_RECEIVED: u32 = 1;

/// A receive queue, and the port that it is one of.
pub struct Source {
    /// The port's place in the configuration: frames bear it from here on, not the number of their device.
    pub port: PortId,
    pub rx: Box<dyn RxQueue>,
}

pub struct Intake {
    sources: Vec<Source>,
    plans: Arc<[PortPlan]>,
    owners: Owners,
    me: usize,
    clock: Clock,
    now: Time,
    /// The number of the latest frame. Worker `w` of `n` counts `w + 1`, `w + 1 + n`, ...: no two share a number, and none
    /// asks another.
    packet: u64,
    ledger: Arc<Ledger>,
    received: Burst,
}

/// What a queue gave, and what is to be done with it.
pub enum Taken {
    Nothing,
    /// The frames of a pair that is not inspected.
    PassOn {
        from: PortId,
        to: Option<PortId>,
    },
    /// Frames of this worker.
    Own,
}

impl Intake {
    pub fn new(
        sources: Vec<Source>,
        plans: Arc<[PortPlan]>,
        owners: Owners,
        me: usize,
        clock: Clock,
        ledger: Arc<Ledger>,
    ) -> Intake {
        // One stride before its first.
        let packet = (me as u64 + 1).wrapping_sub(u64::from(owners.workers()));
        Intake { sources, plans, owners, me, clock, now: Time::ZERO, packet, ledger, received: Burst::new() }
    }

    /// Reads the clock: one time for all that a turn receives.
    pub fn begin(&mut self) -> Time {
        self.now = self.clock.now();
        self.now
    }

    pub fn queues(&self) -> usize {
        self.sources.len()
    }

    pub fn last_packet(&self) -> u64 {
        self.packet
    }

    /// A burst of one queue into `burst`, which is empty; those of other workers go to `foreign`. How many were received.
    pub fn take(
        &mut self,
        queue: usize,
        burst: &mut Burst,
        foreign: &mut dyn FnMut(usize, Frame),
    ) -> (usize, Taken) {
        let Some(source) = self.sources.get_mut(queue) else { return (0, Taken::Nothing) };
        let n = source.rx.receive_unstamped(&mut self.received);
        if n == 0 {
            return (0, Taken::Nothing);
        }
        self.ledger.received.add(n as u64);
        let port = source.port;
        let Some(&plan) = self.plans.get(port.index()) else {
            self.ledger.count_drop(DropReason::NoPeer, Some(port), n as u64);
            free_burst(&mut self.received);
            return (n, Taken::Nothing);
        };
        if !plan.inspect {
            std::mem::swap(&mut self.received, burst);
            return (n, Taken::PassOn { from: port, to: plan.peer });
        }
        self.sort(port, &plan, burst, foreign);
        (n, Taken::Own)
    }

    fn sort(
        &mut self,
        port: PortId,
        plan: &PortPlan,
        own: &mut Burst,
        foreign: &mut dyn FnMut(usize, Frame),
    ) {
        let (now, stride) = (self.now, u64::from(self.owners.workers()));
        let (mut bytes, mut misplaced) = (0, 0);
        for mut frame in self.received.drain(..) {
            bytes += frame.len() as u64;
            self.packet = self.packet.wrapping_add(stride);
            let owner = self.owners.owner(&frame, plan);
            let epoch = if owner == self.me { 0 } else { AS_RECEIVED };
            frame.set_meta(FrameMeta { time: now, clock: now, packet: self.packet as u32, epoch, port });
            if owner == self.me {
                own.push(frame);
            } else {
                misplaced += 1;
                foreign(owner, frame);
            }
        }
        self.ledger.received_bytes.add(bytes);
        self.ledger.misplaced.add(misplaced);
    }
}
