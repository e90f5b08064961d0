//! The worker's turn: a burst from the ring, or from its own queues, each frame to its end, then flush, timers, mailbox, counters.
//!
//! A worker owns its reassembler, sessions, streams, matcher state and exits ([`Lane`]); nobody else touches them. The main
//! lcore has one for itself when it runs to completion.

use super::board::{Board, Stage};
use super::handover::Handover;
use super::idle::{Idle, Polling};
use super::intake::{AS_RECEIVED, Intake, Taken};
use super::lane::Lane;
use super::mailbox::{Answer, Command, Mailbox, SessionRow};
use super::order::Turnstile;
use super::pause::Step;
use super::rehearsal::Rehearsal;
use crate::base::{PortId, Time, WorkerId};
use crate::io::{BURST, Burst, Frame, FrameMeta, FrameReceiver};
use std::sync::Arc;

/// Timer entries looked at in one turn.
const TIMER_BUDGET: usize = 64;

/// Frames taken from other workers in one turn: however many they send, the own queues are not forgotten.
const HANDED_BUDGET: usize = 4 * BURST;

/// Bursts of a pair without inspection that cross in one turn.
const PASSED_BURSTS: usize = 4;

/// The ring by which one port's frames cross to another port as they are.
pub struct Pass {
    pub ring: Box<dyn FrameReceiver>,
    pub from: PortId,
    pub to: Option<PortId>,
}

pub struct Worker {
    id: WorkerId,
    /// From the main lcore; none when that runs to completion, or when there are own queues.
    ring: Option<Box<dyn FrameReceiver>>,
    /// Of ports that nobody inspects.
    passes: Vec<Pass>,
    /// Queues of the ports, where these spread the frames.
    intake: Option<Box<Intake>>,
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
    rehearsal: Rehearsal,
}

/// Tells the board when the worker unwinds.
struct Alarm {
    board: Arc<Board>,
    worker: usize,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.board.worker_failed(self.worker);
        }
    }
}

/// The parts of a [`Worker`].
pub struct WorkerParts {
    pub id: WorkerId,
    pub ring: Option<Box<dyn FrameReceiver>>,
    pub passes: Vec<Pass>,
    pub intake: Option<Box<Intake>>,
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
        let mut lane = parts.lane;
        if parts.replay && parts.workers > 1 {
            let (board, me) = (&parts.board, parts.id.index());
            lane.keep_order(&|| Box::new(Turnstile::new(Arc::clone(board), me)));
        }
        Worker {
            id: parts.id,
            ring: parts.ring,
            passes: parts.passes,
            intake: parts.intake,
            handover: parts.handover,
            board: parts.board,
            mailbox: parts.mailbox,
            lane,
            burst: Burst::new(),
            replay: parts.replay,
            polling: parts.polling,
            workers: parts.workers,
            turns: 0,
            rehearsal: Rehearsal::of(parts.id.index() + 1),
        }
    }

    /// Turns until the appliance has drained; then ends what is left. Gives itself back for a last look.
    pub fn run(mut self: Box<Worker>) -> Box<Worker> {
        let _alarm = Alarm { board: Arc::clone(&self.board), worker: self.id.index() };
        let mut idle = Idle::new(self.polling);
        while !self.is_done() {
            idle.after(self.turn());
        }
        self.finish();
        self
    }

    /// Everything once. How many frames were moved.
    pub fn turn(&mut self) -> usize {
        if self.parked() {
            return 0;
        }
        if self.intake.is_some() {
            return self.turn_of_queues();
        }
        // Read before the rings: what these speak of is in them already, or was taken out. All of it is one cache line.
        let (dispatched, fragments) = self.board.dispatched();
        let clock = self.board.clock();
        self.lane.set_near(dispatched);
        let mut burst = std::mem::take(&mut self.burst);
        let moved = self.ring.as_mut().map_or(0, |ring| ring.receive(&mut burst));
        if moved > 0 {
            self.rehearsal.moved(moved);
            self.process(&mut burst);
        }
        let passed = self.take_passes(&mut burst);
        self.burst = burst;
        let caught_up = self.take_handover(moved == 0, dispatched, fragments);
        // A clock that is ahead of frames still in the ring would end sessions that they keep alive.
        self.end_turn(if moved == 0 { clock } else { self.lane.clock() });
        if caught_up {
            self.lane.set_watermark(dispatched);
        }
        moved + passed
    }

    /// What crosses without a look: no mbuf is touched.
    fn take_passes(&mut self, burst: &mut Burst) -> usize {
        let mut passed = 0;
        for pass in &mut self.passes {
            for _ in 0..PASSED_BURSTS {
                let n = pass.ring.receive(burst);
                if n > 0 {
                    passed += n;
                    self.lane.pass_on(burst, pass.from, pass.to);
                }
                if n < BURST {
                    break;
                }
            }
        }
        passed
    }

    /// Whether the worker is to do nothing now; does what the pause asks.
    fn parked(&mut self) -> bool {
        let asked = self.board.pause.asked();
        if asked.step() == Step::Run {
            return false;
        }
        if asked.step() == Step::Count {
            let passing = self.passes.iter().map(|pass| &pass.ring);
            let ring: usize = self.ring.iter().chain(passing).map(|ring| ring.waiting()).sum();
            self.lane.count_in_rings(ring + self.handover.waiting());
        }
        self.board.pause.done(self.id.index() + 1, asked);
        true
    }

    /// A turn where the ports spread the frames: each own queue, then what other workers found in theirs.
    fn turn_of_queues(&mut self) -> usize {
        let mut burst = std::mem::take(&mut self.burst);
        let (mut moved, mut now) = (0, self.lane.clock());
        if let Some(intake) = &mut self.intake {
            now = intake.begin();
            // What is in the queues now is not received any more.
            let queues = if self.board.is_drained() { 0 } else { intake.queues() };
            for queue in 0..queues {
                moved += self.take_queue(queue, &mut burst);
            }
        }
        moved += self.take_handed(&mut burst);
        self.burst = burst;
        self.end_turn(now);
        moved
    }

    fn take_queue(&mut self, queue: usize, burst: &mut Burst) -> usize {
        let (Some(intake), lane) = (&mut self.intake, &mut self.lane) else { return 0 };
        let lost = &mut |frame: Frame| lane.not_handed_over(frame);
        let (n, taken) =
            intake.take(queue, burst, &mut |owner, frame| self.handover.queue(owner, frame, lost));
        match taken {
            Taken::Nothing => {}
            Taken::PassOn { from, to } => self.lane.pass_on(burst, from, to),
            Taken::Own => {
                self.handover.flush(lost);
                self.process(burst);
            }
        }
        n
    }

    /// Frames and datagrams that other workers have handed over, in their order.
    fn take_handed(&mut self, burst: &mut Burst) -> usize {
        let mut taken = 0;
        while taken < HANDED_BUDGET
            && let Some(mut frame) = self.handover.take()
        {
            taken += 1;
            let meta = frame.meta();
            if meta.epoch == AS_RECEIVED {
                frame.set_meta(FrameMeta { epoch: 0, ..meta });
                burst.push(frame);
                if burst.is_full() {
                    self.process(burst);
                }
            } else {
                self.process(burst);
                self.lane.datagram(frame);
            }
        }
        self.process(burst);
        taken
    }

    /// A burst of frames, each to its end.
    pub fn process(&mut self, burst: &mut Burst) {
        if self.keeps_order() {
            return self.process_in_order(burst);
        }
        self.lane.burst(burst, &mut |worker, frame| self.handover.give(worker, frame));
    }

    /// A burst of a pair that is not inspected: forwarded without a look.
    pub fn pass_on(&mut self, burst: &mut Burst, from: PortId, to: Option<PortId>) {
        self.lane.pass_on(burst, from, to);
    }

    fn keeps_order(&self) -> bool {
        self.replay && self.workers > 1
    }

    /// As one worker alone would take them: see [`Handover`] and [`super::order`].
    fn process_in_order(&mut self, burst: &mut Burst) {
        let me = self.id.index();
        for frame in burst.drain(..) {
            let meta = frame.meta();
            let number = self.lane.number(&meta);
            let before = number.saturating_sub(1);
            self.board.frames_done(me, before);
            while self.must_wait(meta.epoch >> 1) {
                self.take_due(before);
                std::thread::yield_now();
            }
            self.handover.collect();
            self.take_up_to(before);
            let mut wait = |worker: usize, mut frame| {
                while let Err(back) = self.handover.give(worker, frame) {
                    frame = back;
                    if self.board.has_failed() {
                        return Err(frame);
                    }
                    self.handover.collect();
                    std::thread::yield_now();
                }
                Ok(())
            };
            self.lane.frame(frame, &mut wait);
            // Whatever decoding made of it: the others wait for as many as the distributor counted.
            if meta.epoch & 1 == 1 {
                self.board.fragment_done(me);
            }
            self.board.frames_done(me, number);
            self.board.completed(me, number);
        }
    }

    /// Replay: fragments before an epoch are not through reassembly yet. An epoch has room for 31 bits of their count.
    fn must_wait(&self, fragments: u32) -> bool {
        let over = self.board.is_stopped() || self.board.has_failed();
        !over && ((self.board.fragments_done() << 1).wrapping_sub(fragments << 1) as i32) < 0
    }

    /// Replay: takes the datagrams up to which nobody can hand over another, where `own` frames are done. How far it came.
    fn take_due(&mut self, own: u64) -> u64 {
        let me = self.id.index();
        self.board.frames_done(me, own);
        // Read before the rings: what these frames completed is in them.
        let due = own.min(self.board.frames_of_others(me));
        self.handover.collect();
        self.take_up_to(due);
        due
    }

    /// Replay: the datagrams up to this number, all of which are here.
    fn take_up_to(&mut self, number: u64) {
        let me = self.id.index();
        while let Some(datagram) = self.handover.take_before(number.wrapping_add(1) as u32) {
            self.board.completed(me, self.lane.number(&datagram.meta()).saturating_sub(1));
            self.lane.datagram(datagram);
        }
        self.board.completed(me, number);
    }

    /// Datagrams of other workers. True when nothing up to frame `dispatched` can still come to this worker.
    fn take_handover(&mut self, ring_empty: bool, dispatched: u64, fragments: u32) -> bool {
        if !self.replay {
            while let Some(datagram) = self.handover.take() {
                self.lane.datagram(datagram);
            }
            return ring_empty;
        }
        if self.keeps_order() && !self.board.has_failed() {
            return ring_empty && self.take_due(dispatched) >= dispatched;
        }
        // Who failed will never be done with its fragments, and order is lost with it.
        let all_done =
            self.board.has_failed() || (self.board.fragments_done().wrapping_sub(fragments) as i32) >= 0;
        if !ring_empty || !all_done {
            return false;
        }
        self.handover.collect();
        while let Some(datagram) = self.handover.take_before(dispatched.wrapping_add(1) as u32) {
            self.lane.datagram(datagram);
        }
        true
    }

    /// What follows each burst, and each turn without one.
    pub fn end_turn(&mut self, clock: Time) {
        self.lane.timers(clock, TIMER_BUDGET);
        self.lane.flush();
        self.read_mailbox();
        self.lane.take_modes(&self.board.modes);
        self.turns += 1;
        self.board.count_turn(self.id.index());
        self.lane.publish();
    }

    fn read_mailbox(&mut self) {
        let Ok(command) = self.mailbox.commands.pop() else { return };
        let answer = match command {
            Command::Services(command) => Answer::Retired(self.lane.command(command)),
            Command::Retire { age } => Answer::Retired(self.lane.retire(age)),
            Command::Sessions(scan) => self.lane.scan_sessions(scan, self.id),
            Command::Kill { tuple, flow_id } => self.lane.kill(&tuple, flow_id),
            Command::InUse(mut rows) => {
                self.lane.services().in_use(&mut rows);
                Answer::InUse(rows)
            }
            Command::Watch(watch) => Answer::Watch(self.lane.begin_watch(watch)),
            Command::Unwatch(id) => Answer::Watch(self.lane.end_watch(id)),
            Command::Tune(mut tuning) => {
                self.lane.tune(&mut tuning);
                Answer::Tuned(tuning)
            }
            Command::Why { ends, mut rows } => {
                self.lane.recent_drops(&ends, &mut rows);
                // Within VLANs or a tunnel it is found by what was dropped of it.
                let tuples = std::iter::once(ends.tuple).chain(rows.iter().map(|row| row.tuple));
                let live = tuples.into_iter().find_map(|tuple| self.lane.sessions().peek(&tuple));
                let session = live.map(|(_, session)| SessionRow::of(session, self.id.0));
                Answer::Why { session, rows }
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
        let passing = self.passes.iter().map(|pass| &pass.ring);
        if self.ring.iter().chain(passing).any(|ring| ring.waiting() > 0) {
            return false;
        }
        // Each time first everyone's word, then the own rings: what was handed over before is seen after. A frame may be
        // handed over as it was received, and the datagram that it completes once more.
        let me = self.id.index();
        if self.intake.is_some() && !(self.board.all_at(me, Stage::Closed) && self.handover.waiting() == 0) {
            return false;
        }
        self.board.all_at(me, Stage::Empty) && self.handover.waiting() == 0
    }

    /// Ends what is left: held fragments go, sessions close, the last frames leave.
    pub fn finish(&mut self) {
        let me = self.id.index();
        let last = match &self.intake {
            Some(intake) => intake.last_packet(),
            None => self.board.dispatched().0,
        };
        self.board.frames_done(me, last);
        self.board.completed(me, last);
        self.lane.finish(self.board.clock(), last);
        self.board.completed(me, u64::MAX);
        self.lane.publish();
        self.lane.set_watermark(u64::MAX);
    }

    #[cfg(test)]
    pub(super) fn start_at(&mut self, packet: u64) {
        self.lane.set_near(packet);
    }

    pub fn lane(&self) -> &Lane {
        &self.lane
    }
}
