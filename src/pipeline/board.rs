//! What the lcores tell each other without a lock: the replay's clock, how far each has come, who is to stop.

use super::modes::Modes;
use super::padded::Padded;
use super::pause::Pause;
use crate::base::Time;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Shared by all lcores of one appliance.
#[derive(Debug)]
pub struct Board {
    main: Padded<MainProgress>,
    workers: Vec<Padded<Progress>>,
    /// How full the ring to each worker is, as the main lcore sees it; so one that hangs is seen, too.
    rings: Padded<Vec<AtomicU64>>,
    pub pause: Pause,
    pub modes: Modes,
    stop: AtomicBool,
    /// A bit an lcore that ended by a panic: the main lcore's is the lowest.
    failed: AtomicU64,
    /// The source has ended: stop as soon as nothing is on its way.
    drained: AtomicBool,
}

/// How far a worker is with its end, once the appliance has drained. Each stage rests on everyone's having reached the one
/// before.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It polls its own queues no more, and what it found there for others is in their rings.
    Closed = 1,
    /// All frames that it owns are through: it will hand over nothing more.
    Empty = 2,
}

/// The main lcore's progress, on one line: what is read together moves together.
#[derive(Debug, Default)]
struct MainProgress {
    /// The main lcore's clock, for workers to which no frame comes.
    clock: AtomicU64,
    /// All frames up to this number are in the workers' rings.
    dispatched: AtomicU64,
    /// Fragments among them.
    fragments: AtomicU32,
}

/// One worker's progress.
#[derive(Debug, Default)]
pub struct Progress {
    /// Fragments taken through reassembly, their datagrams handed on.
    fragments: AtomicU32,
    /// Replay: its own frames are taken up to this number, and what they completed is handed on.
    frames: AtomicU64,
    /// Replay: everything that it has to do with is done up to this position ([`super::order`]).
    completed: AtomicU64,
    /// The latest [`Stage`], 0 before.
    stage: AtomicU8,
    /// Turns of the worker, for the watchdog and for "wait until quiet".
    turns: AtomicU64,
}

impl Board {
    /// Without workers the main lcore has the progress of one.
    pub fn new(workers: usize) -> Board {
        Board {
            main: Padded::default(),
            workers: (0..workers.max(1)).map(|_| Padded::default()).collect(),
            rings: Padded((0..workers).map(|_| AtomicU64::new(0)).collect()),
            pause: Pause::new(workers + 1),
            modes: Modes::new(workers.max(1)),
            stop: AtomicBool::new(false),
            failed: AtomicU64::new(0),
            drained: AtomicBool::new(false),
        }
    }

    pub fn clock(&self) -> Time {
        Time::from_micros(self.main.0.clock.load(Ordering::Acquire))
    }

    /// By the main lcore, after the frames of that time are in the rings.
    pub fn publish(&self, clock: Time, dispatched: u64, fragments: u32) {
        let main = &self.main.0;
        main.fragments.store(fragments, Ordering::Release);
        main.dispatched.store(dispatched, Ordering::Release);
        main.clock.store(clock.micros(), Ordering::Release);
    }

    /// Frames and fragments dispatched. The fragments are at least those among the frames.
    pub fn dispatched(&self) -> (u64, u32) {
        let frames = self.main.0.dispatched.load(Ordering::Acquire);
        (frames, self.main.0.fragments.load(Ordering::Acquire))
    }

    /// Fragments that all workers together have taken through reassembly.
    pub fn fragments_done(&self) -> u32 {
        self.workers.iter().fold(0, |sum: u32, w| sum.wrapping_add(w.0.fragments.load(Ordering::Acquire)))
    }

    /// As if so many fragments had been before.
    #[cfg(test)]
    pub(super) fn start_at(&self, packet: u64, fragments: u32) {
        self.publish(Time::ZERO, packet, fragments);
        self.workers[0].0.fragments.store(fragments, Ordering::Release);
    }

    pub fn fragment_done(&self, worker: usize) {
        let done = &self.workers[worker].0.fragments;
        done.store(done.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    /// Replay, while the distributor waits for room: the clock may not go with it, for frames that wait are before it.
    pub fn publish_frames(&self, dispatched: u64, fragments: u32) {
        let main = &self.main.0;
        main.fragments.store(fragments, Ordering::Release);
        let before = main.dispatched.load(Ordering::Relaxed);
        main.dispatched.store(before.max(dispatched), Ordering::Release);
    }

    pub fn frames_done(&self, worker: usize, frames: u64) {
        let done = &self.workers[worker].0.frames;
        done.store(done.load(Ordering::Relaxed).max(frames), Ordering::Release);
    }

    /// The number up to which all other workers have taken their frames.
    pub fn frames_of_others(&self, worker: usize) -> u64 {
        let others = self.workers.iter().enumerate().filter(|&(n, _)| n != worker);
        others.map(|(_, w)| w.0.frames.load(Ordering::Acquire)).min().unwrap_or(u64::MAX)
    }

    pub fn completed(&self, worker: usize, position: u64) {
        let done = &self.workers[worker].0.completed;
        done.store(done.load(Ordering::Relaxed).max(position), Ordering::Release);
    }

    /// The position up to which all other workers are done.
    pub fn completed_by_others(&self, worker: usize) -> u64 {
        let others = self.workers.iter().enumerate().filter(|&(n, _)| n != worker);
        others.map(|(_, w)| w.0.completed.load(Ordering::Acquire)).min().unwrap_or(u64::MAX)
    }

    /// By the main lcore, once a turn.
    pub fn set_ring_fill(&self, worker: usize, (used, size): (usize, usize)) {
        if let Some(fill) = self.rings.0.get(worker) {
            fill.store((used as u64) << 32 | size as u64, Ordering::Relaxed);
        }
    }

    /// Frames in the ring to a worker, and how many it holds; zeros where there is no ring.
    pub fn ring_fill(&self, worker: usize) -> (u64, u64) {
        let fill = self.rings.0.get(worker).map_or(0, |fill| fill.load(Ordering::Relaxed));
        (fill >> 32, fill & u64::from(u32::MAX))
    }

    pub fn count_turn(&self, worker: usize) {
        let turns = &self.workers[worker].0.turns;
        turns.store(turns.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    pub fn turns(&self, worker: usize) -> u64 {
        self.workers[worker].0.turns.load(Ordering::Acquire)
    }

    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Says that a worker has come to a stage of its end. True when everyone has.
    pub fn all_at(&self, worker: usize, stage: Stage) -> bool {
        self.workers[worker].0.stage.fetch_max(stage as u8, Ordering::AcqRel);
        self.workers.iter().all(|w| w.0.stage.load(Ordering::Acquire) >= stage as u8)
    }

    /// Who is parked goes on, to its end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.pause.lift();
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// The main lcore panicked: all are to stop.
    pub fn main_failed(&self) {
        self.fail(0);
    }

    /// The worker panicked: it will hand over nothing more, nobody may wait for it, and all are to stop.
    pub fn worker_failed(&self, worker: usize) {
        self.fail(worker + 1);
        if let Some(progress) = self.workers.get(worker) {
            progress.0.stage.store(Stage::Empty as u8, Ordering::Release);
        }
    }

    fn fail(&self, lcore: usize) {
        self.failed.fetch_or(1 << lcore, Ordering::AcqRel);
        self.stop();
    }

    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire) != 0
    }

    /// Numbers of the lcores that failed: 0 is the main lcore, then the workers.
    pub fn failed(&self) -> impl Iterator<Item = usize> + use<> {
        let failed = self.failed.load(Ordering::Acquire);
        (0..64).filter(move |lcore| failed >> lcore & 1 == 1)
    }

    pub fn set_drained(&self) {
        self.drained.store(true, Ordering::Release);
    }

    pub fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Acquire)
    }
}
