//! The main lcore's turn: poll the ports, number and stamp the frames, spread them over the workers by affinity, and send
//! for workers that have no queue of a port. With no workers it runs each frame to completion itself; where the workers poll
//! the ports ([`Spreading::Rss`](super::spreading::Spreading::Rss)) it has no queues, and only keeps the clock and sends.

use super::board::Board;
use super::exits::Exits;
use super::intake::Source;
use super::lane::widen;
use super::ledger::Ledger;
use super::mailbox::Mailbox;
use super::onlooker::Onlooker;
use super::pause::{LONGEST, Step};
use super::rehearsal::Rehearsal;
use super::settings::{Mode, OnOverload, PortPlan};
use super::spreading::Owners;
use super::worker::Worker;
use crate::base::{DropReason, PortId, Time};
use crate::io::{Burst, FrameMeta, FrameReceiver, FrameSender, free_burst};
use crate::service::watchdog::Seat;
use std::sync::Arc;

/// The ring to one worker and the frames that wait to be put into it.
struct Lane {
    ring: Box<dyn FrameSender>,
    waiting: Burst,
}

/// The ring by which a worker's frames for one port come to be sent.
pub struct Return {
    pub ring: Box<dyn FrameReceiver>,
    pub to: PortId,
}

pub struct MainLcore {
    sources: Vec<Source>,
    plans: Arc<[PortPlan]>,
    lanes: Vec<Lane>,
    /// By port: the ring by which frames that nobody inspects cross to a worker as they are.
    passes: Vec<Option<Box<dyn FrameSender>>>,
    /// Run to completion.
    local: Option<Box<Worker>>,
    /// Frames that workers want sent.
    returns: Vec<Return>,
    exits: Exits,
    board: Arc<Board>,
    ledger: Arc<Ledger>,
    burst: Burst,
    stamp: Stamp,
    owners: Owners,
    replay: bool,
    onlooker: Option<Onlooker>,
    /// The pause that holds now began then.
    parked_at: Option<Time>,
    rehearsal: Rehearsal,
}

/// What numbers and dates the frames.
#[derive(Default)]
struct Stamp {
    clock: Time,
    packet: u64,
    fragments: u32,
}

/// The parts of a [`MainLcore`].
pub struct MainParts {
    pub plans: Arc<[PortPlan]>,
    pub rings: Vec<Box<dyn FrameSender>>,
    pub passes: Vec<Option<Box<dyn FrameSender>>>,
    pub local: Option<Box<Worker>>,
    pub returns: Vec<Return>,
    pub exits: Exits,
    pub board: Arc<Board>,
    pub ledger: Arc<Ledger>,
    pub owners: Owners,
    pub replay: bool,
    /// Where frames may be dropped on their way to a worker.
    pub mailbox: Option<Mailbox>,
}

impl MainLcore {
    pub fn new(parts: MainParts) -> MainLcore {
        let lane = |ring| Lane { ring, waiting: Burst::new() };
        MainLcore {
            sources: Vec::new(),
            plans: parts.plans,
            lanes: parts.rings.into_iter().map(lane).collect(),
            passes: parts.passes,
            local: parts.local,
            returns: parts.returns,
            exits: parts.exits,
            board: parts.board,
            ledger: parts.ledger,
            burst: Burst::new(),
            stamp: Stamp::default(),
            owners: parts.owners,
            replay: parts.replay,
            onlooker: parts.mailbox.map(Onlooker::new),
            parked_at: None,
            rehearsal: Rehearsal::of(0),
        }
    }

    /// As if so many had come before.
    #[cfg(test)]
    pub(super) fn start_at(&mut self, packet: u64, fragments: u32) {
        (self.stamp.packet, self.stamp.fragments) = (packet, fragments);
        self.board.start_at(packet, fragments);
        self.local.iter_mut().for_each(|worker| worker.start_at(packet));
    }

    /// Of its own worker, for the thread that turns it; where workers have lcores, they sit there.
    pub fn seat(&self) -> Option<Seat> {
        let worker = self.local.as_ref()?;
        Some(Seat::take(0, Arc::clone(worker.lane().services().running())))
    }

    /// The queues to poll from now on; a replay changes them from capture to capture.
    pub fn set_sources(&mut self, sources: Vec<Source>) {
        self.sources = sources;
    }

    /// Everything once. `now` is the fast path's clock; a replay goes by its frames. How many frames were moved.
    pub fn turn(&mut self, now: Time) -> usize {
        if self.parked(now) {
            return 0;
        }
        let mut received = 0;
        if !self.replay {
            self.stamp.clock = self.stamp.clock.max(now);
        }
        for index in 0..self.sources.len() {
            let source = &mut self.sources[index];
            let n = match self.replay {
                true => source.rx.receive(&mut self.burst),
                // Dated below, with one clock for all, or not at all.
                false => source.rx.receive_unstamped(&mut self.burst),
            };
            let port = source.port;
            if n > 0 {
                self.ledger.received.add(n as u64);
                self.rehearsal.moved(n);
                self.spread(port);
                received += n;
            }
        }
        let moved = received + self.flush();
        self.ledger.turns.add(1);
        self.ledger.idle_turns.add(u64::from(moved == 0));
        moved
    }

    /// Whether the main lcore is to do nothing now; does what the pause asks, and lifts one that lasts too long.
    fn parked(&mut self, now: Time) -> bool {
        let pause = &self.board.pause;
        let asked = pause.asked();
        if asked.step() == Step::Run {
            self.parked_at = None;
            return false;
        }
        if now >= self.parked_at.get_or_insert(now).plus(LONGEST) {
            pause.lift();
            self.parked_at = None;
            return false;
        }
        if asked.step() == Step::Count {
            self.ledger.in_rings.set(self.waiting() as u64);
        }
        self.board.pause.done(0, asked);
        true
    }

    /// One burst of one port, to whom it belongs.
    fn spread(&mut self, port: PortId) {
        let Some(&plan) = self.plans.get(port.index()) else {
            self.ledger.count_drop(DropReason::NoPeer, Some(port), self.burst.len() as u64);
            free_burst(&mut self.burst);
            return;
        };
        if plan.inspect {
            self.stamp_burst(port);
        }
        match &mut self.local {
            Some(worker) if !plan.inspect => return worker.pass_on(&mut self.burst, port, plan.peer),
            Some(worker) => return worker.process(&mut self.burst),
            None => {}
        }
        let pass = self.passes.get_mut(port.index()).and_then(Option::as_mut);
        let ring = match (pass, self.lanes.as_mut_slice()) {
            (Some(ring), _) => ring,
            (None, [lane]) => &mut lane.ring,
            (None, _) => return self.spread_by_affinity(&plan),
        };
        let wait = self.replay.then_some(&*self.board);
        put(ring, &mut self.burst, wait, || {
            drain_returns(&mut self.returns, &mut self.exits);
        });
        if !self.burst.is_empty() {
            let mut burst = std::mem::take(&mut self.burst);
            self.without_room(&mut burst, Some(port));
            self.burst = burst;
        }
    }

    /// Workers do not keep up: frames that found no room in their ring are dropped, or go on uninspected. `port`: where all came
    /// in; else each frame says so.
    #[cold]
    fn without_room(&mut self, burst: &mut Burst, port: Option<PortId>) {
        for frame in burst.drain(..) {
            let meta = frame.meta();
            let port = port.unwrap_or(meta.port);
            let plan = self.plans.get(port.index()).copied().unwrap_or_default();
            // Of copies there is none to send on.
            let forwards = plan.on_overload == OnOverload::Bypass && self.board.modes.of(port) != Mode::Ids;
            if let Some(to) = plan.peer.filter(|to| forwards && self.exits.leads_to(*to)) {
                self.ledger.bypassed.add(1);
                self.exits.send(frame, Some(to));
                continue;
            }
            let reason = DropReason::RingFull;
            self.ledger.count_drop(reason, Some(port), 1);
            if let Some(onlooker) = &mut self.onlooker {
                let (packet, time) = match plan.inspect {
                    true => (widen(meta.packet, self.stamp.packet), meta.time),
                    false => (0, self.stamp.clock),
                };
                onlooker.show(&frame, port, packet, time, reason);
            }
        }
    }

    fn spread_by_affinity(&mut self, plan: &PortPlan) {
        let mut burst = std::mem::take(&mut self.burst);
        for mut frame in burst.drain(..) {
            let at = self.owners.affinity(&frame, plan);
            if self.replay {
                let epoch = self.stamp.fragments << 1 | u32::from(at.fragment);
                frame.set_meta(FrameMeta { epoch, ..frame.meta() });
                self.stamp.fragments = self.stamp.fragments.wrapping_add(u32::from(at.fragment));
            }
            let index = self.owners.of(at.hash);
            let number = widen(frame.meta().packet, self.stamp.packet);
            let lane = &mut self.lanes[index];
            lane.waiting.push(frame);
            if lane.waiting.is_full() {
                self.put_waiting(index, number);
            }
        }
        self.burst = burst;
    }

    /// Puts what waits for a worker into its ring. A replay waits for room, and meanwhile gives the other workers what waits
    /// for them and says so: one of them may have the frame that this one waits for. `number` is the last frame's so far.
    fn put_waiting(&mut self, index: usize, number: u64) {
        let Lane { ring, waiting } = &mut self.lanes[index];
        if waiting.is_empty() {
            return;
        }
        ring.send(waiting);
        if !self.replay {
            if !waiting.is_empty() {
                let mut burst = std::mem::take(waiting);
                self.without_room(&mut burst, None);
            }
            return;
        }
        while !self.lanes[index].waiting.is_empty() && !self.board.has_failed() {
            for Lane { ring, waiting } in self.lanes.iter_mut().filter(|lane| !lane.waiting.is_empty()) {
                ring.send(waiting);
            }
            let newest = self.stamp.packet;
            let first = |lane: &Lane| {
                lane.waiting.first().map(|frame| widen(frame.meta().packet, newest).saturating_sub(1))
            };
            let sent = self.lanes.iter().filter_map(first).min().unwrap_or(number);
            self.board.publish_frames(sent, self.stamp.fragments);
            drain_returns(&mut self.returns, &mut self.exits);
            self.exits.flush();
            std::thread::yield_now();
        }
    }

    fn stamp_burst(&mut self, port: PortId) {
        let Stamp { clock, packet, fragments } = &mut self.stamp;
        let mut bytes = 0;
        for frame in &mut self.burst {
            bytes += frame.len() as u64;
            let time = if self.replay { frame.meta().time } else { *clock };
            *clock = (*clock).max(time);
            *packet += 1;
            frame.set_meta(FrameMeta {
                time,
                clock: *clock,
                packet: *packet as u32,
                epoch: *fragments << 1,
                port,
            });
        }
        self.ledger.received_bytes.add(bytes);
    }

    /// What waits goes out; then the workers may know how far the clock is. How many frames were sent for workers.
    fn flush(&mut self) -> usize {
        for index in 0..self.lanes.len() {
            self.put_waiting(index, self.stamp.packet);
        }
        for (worker, lane) in self.lanes.iter().enumerate() {
            self.board.set_ring_fill(worker, lane.ring.fill());
        }
        let returned = drain_returns(&mut self.returns, &mut self.exits);
        self.exits.flush();
        self.board.publish(self.stamp.clock, self.stamp.packet, self.stamp.fragments);
        if let Some(onlooker) = &mut self.onlooker {
            onlooker.read_mailbox();
        }
        if let Some(worker) = &mut self.local {
            worker.end_turn(self.stamp.clock);
        }
        returned
    }

    /// The source has ended, or the appliance is to stop: no more frames will come.
    pub fn finish(&mut self) {
        self.board.pause.lift();
        self.sources.clear();
        self.flush();
        self.board.set_drained();
        if let Some(worker) = &mut self.local {
            worker.finish();
        }
    }

    /// Sends what workers still want sent; after `finish`, until they have all ended.
    pub fn serve_returns(&mut self) {
        drain_returns(&mut self.returns, &mut self.exits);
        self.exits.flush();
    }

    /// Frames in rings towards this lcore.
    pub fn waiting(&self) -> usize {
        self.returns.iter().map(|returned| returned.ring.waiting()).sum()
    }

    pub fn into_local(self) -> Option<Box<Worker>> {
        self.local
    }
}

/// Puts a burst into a worker's ring. What finds no room stays in the burst; a replay waits for it, serving the workers meanwhile.
fn put(
    ring: &mut Box<dyn FrameSender>,
    burst: &mut Burst,
    wait: Option<&Board>,
    mut meanwhile: impl FnMut(),
) {
    ring.send(burst);
    while wait.is_some_and(|board| !board.has_failed()) && !burst.is_empty() {
        meanwhile();
        std::thread::yield_now();
        ring.send(burst);
    }
}

/// Takes what workers hand back for sending, and sends it. How many frames.
fn drain_returns(returns: &mut [Return], exits: &mut Exits) -> usize {
    let (mut burst, mut sent) = (Burst::new(), 0);
    for Return { ring, to } in returns {
        while ring.receive(&mut burst) > 0 {
            sent += burst.len();
            exits.send_all(&mut burst, None, Some(*to));
        }
    }
    sent
}
