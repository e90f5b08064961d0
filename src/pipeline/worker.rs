//! The worker's turn: a burst from the ring, each frame to its end, then flush, timers, mailbox, counters.
//!
//! A worker owns its reassembler, sessions, streams, matcher state and exits ([`Lane`]); nobody else touches them. The main
//! lcore has one for itself when it runs to completion.

use super::board::Board;
use super::handover::Handover;
use super::idle::{Idle, Polling};
use super::lane::Lane;
use super::mailbox::{Answer, Command, Mailbox, SessionRow};
use crate::base::{PortId, Time, WorkerId};
use crate::io::{Burst, FrameReceiver};
use std::sync::Arc;

/// Timer entries looked at in one turn.
const TIMER_BUDGET: usize = 64;

pub struct Worker {
    id: WorkerId,
    /// From the main lcore; none when that runs to completion.
    ring: Option<Box<dyn FrameReceiver>>,
    handover: Handover,
    board: Arc<Board>,
    mailbox: Mailbox,
    lane: Lane,
    burst: Burst,
    replay: bool,
    polling: Polling,
    /// How many share the sessions.
    workers: u32,
    turns: u64,
}

/// The parts of a [`Worker`].
pub struct WorkerParts {
    pub id: WorkerId,
    pub ring: Option<Box<dyn FrameReceiver>>,
    pub handover: Handover,
    pub board: Arc<Board>,
    pub mailbox: Mailbox,
    pub lane: Lane,
    pub replay: bool,
    pub polling: Polling,
    pub workers: u32,
}

impl Worker {
    pub fn new(parts: WorkerParts) -> Worker {
        Worker {
            id: parts.id,
            ring: parts.ring,
            handover: parts.handover,
            board: parts.board,
            mailbox: parts.mailbox,
            lane: parts.lane,
            burst: Burst::new(),
            replay: parts.replay,
            polling: parts.polling,
            workers: parts.workers,
            turns: 0,
        }
    }

    /// Turns until the appliance has drained; then ends what is left. Gives itself back for a last look.
    pub fn run(mut self: Box<Worker>) -> Box<Worker> {
        let mut idle = Idle::new(self.polling);
        while !self.is_done() {
            idle.after(self.turn());
        }
        self.finish();
        self
    }

    /// Everything once. How many frames were moved.
    pub fn turn(&mut self) -> usize {
        // Read before the rings: what these speak of is in them already, or was taken out.
        let (dispatched, fragments) = self.board.dispatched();
        let clock = self.board.clock();
        let mut burst = std::mem::take(&mut self.burst);
        let moved = self.ring.as_mut().map_or(0, |ring| ring.receive(&mut burst));
        if moved > 0 {
            self.process(&mut burst);
        }
        self.burst = burst;
        let caught_up = self.take_handover(moved == 0, dispatched, fragments);
        // A clock that is ahead of frames still in the ring would end sessions that they keep alive.
        self.end_turn(if moved == 0 { clock } else { self.lane.clock() });
        if caught_up {
            self.lane.set_watermark(u64::from(dispatched));
        }
        moved
    }

    /// A burst of frames, each to its end.
    pub fn process(&mut self, burst: &mut Burst) {
        if self.replay && self.workers > 1 {
            return self.process_in_order(burst);
        }
        self.lane.burst(burst, &mut |worker, frame| self.handover.give(worker, frame));
    }

    /// A burst of a pair that is not inspected: forwarded without a look.
    pub fn pass_on(&mut self, burst: &mut Burst, to: Option<PortId>) {
        self.lane.pass_on(burst, to);
    }

    /// As one worker alone would take them: see [`Handover`].
    fn process_in_order(&mut self, burst: &mut Burst) {
        for frame in burst.drain(..) {
            let meta = frame.meta();
            self.handover.wait_for(meta.epoch >> 1, &self.board);
            while let Some(datagram) = self.handover.take_before(meta.packet) {
                self.lane.datagram(datagram);
            }
            let mut wait = |worker: usize, mut frame| {
                while let Err(back) = self.handover.give(worker, frame) {
                    frame = back;
                    self.handover.collect();
                    std::thread::yield_now();
                }
                Ok(())
            };
            self.lane.frame(frame, &mut wait);
            // Whatever decoding made of it: the others wait for as many as the distributor counted.
            if meta.epoch & 1 == 1 {
                self.board.fragment_done(self.id.index());
            }
        }
    }

    /// Datagrams of other workers. True when nothing up to frame `dispatched` can still come to this worker.
    fn take_handover(&mut self, ring_empty: bool, dispatched: u32, fragments: u32) -> bool {
        if !self.replay {
            while let Some(datagram) = self.handover.take() {
                self.lane.datagram(datagram);
            }
            return ring_empty;
        }
        let all_done = (self.board.fragments_done().wrapping_sub(fragments) as i32) >= 0;
        if !ring_empty || !all_done {
            return false;
        }
        self.handover.collect();
        while let Some(datagram) = self.handover.take_before(dispatched.wrapping_add(1)) {
            self.lane.datagram(datagram);
        }
        true
    }

    /// What follows each burst, and each turn without one.
    pub fn end_turn(&mut self, clock: Time) {
        self.lane.timers(clock, TIMER_BUDGET);
        self.lane.flush();
        self.read_mailbox();
        self.turns += 1;
        self.board.count_turn(self.id.index());
        self.lane.publish();
    }

    fn read_mailbox(&mut self) {
        let Ok(command) = self.mailbox.commands.pop() else { return };
        let answer = match command {
            Command::Services(command) => Answer::Retired(self.lane.command(command)),
            Command::Retire => Answer::Retired(self.lane.retire()),
            Command::Sessions(mut rows) => {
                let room = rows.capacity();
                let worker = self.id.0;
                rows.extend(self.lane.sessions().iter().take(room).map(|(_, s)| SessionRow {
                    tuple: s.tuple,
                    flow_id: s.flow_id,
                    state: s.phase.name(),
                    start: s.start,
                    last: s.last,
                    packets: s.packets,
                    bytes: s.bytes,
                    worker,
                }));
                Answer::Sessions { rows, live: self.lane.sessions().len() }
            }
            Command::InUse(mut rows) => {
                self.lane.services().in_use(&mut rows);
                Answer::InUse(rows)
            }
        };
        // There is room: one answer a command, and the outbox holds twice the inbox.
        let _ = self.mailbox.answers.push(answer);
    }

    /// No frame can come any more: the main lcore has drained, and every worker's fragments are done.
    fn is_done(&self) -> bool {
        if !self.board.is_drained() {
            return false;
        }
        if self.ring.as_ref().is_some_and(|ring| ring.waiting() > 0) {
            return false;
        }
        // First everyone's ring, then the own datagrams: what was handed over before is seen after.
        self.board.all_rings_empty(self.id.index()) && self.handover.waiting() == 0
    }

    /// Ends what is left: held fragments go, sessions close, the last frames leave.
    pub fn finish(&mut self) {
        let (last, _) = self.board.dispatched();
        self.lane.finish(self.board.clock(), last);
        self.lane.publish();
        self.lane.set_watermark(u64::MAX);
    }

    pub fn lane(&self) -> &Lane {
        &self.lane
    }
}
