//! What the lcores tell each other without a lock: the replay's clock, how far each has come, who is to stop.

use crate::base::Time;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// A value on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Padded<T>(pub T);

/// Shared by all lcores of one appliance.
#[derive(Debug)]
pub struct Board {
    main: Padded<MainProgress>,
    workers: Vec<Padded<Progress>>,
    stop: AtomicBool,
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
    dispatched: AtomicU32,
    /// Fragments among them.
    fragments: AtomicU32,
}

/// One worker's progress.
#[derive(Debug, Default)]
pub struct Progress {
    /// Fragments taken through reassembly, their datagrams handed on.
    fragments: AtomicU32,
    /// The latest [`Stage`], 0 before.
    stage: AtomicU8,
    /// Turns of the worker, for the watchdog and for "wait until quiet".
    turns: AtomicU64,
}

impl Board {
    pub fn new(workers: usize) -> Board {
        Board {
            main: Padded::default(),
            workers: (0..workers).map(|_| Padded::default()).collect(),
            stop: AtomicBool::new(false),
            drained: AtomicBool::new(false),
        }
    }

    pub fn clock(&self) -> Time {
        Time::from_micros(self.main.0.clock.load(Ordering::Acquire))
    }

    /// By the main lcore, after the frames of that time are in the rings.
    pub fn publish(&self, clock: Time, dispatched: u32, fragments: u32) {
        let main = &self.main.0;
        main.fragments.store(fragments, Ordering::Release);
        main.dispatched.store(dispatched, Ordering::Release);
        main.clock.store(clock.micros(), Ordering::Release);
    }

    /// Frames and fragments dispatched. The fragments are at least those among the frames.
    pub fn dispatched(&self) -> (u32, u32) {
        let frames = self.main.0.dispatched.load(Ordering::Acquire);
        (frames, self.main.0.fragments.load(Ordering::Acquire))
    }

    /// Fragments that all workers together have taken through reassembly.
    pub fn fragments_done(&self) -> u32 {
        self.workers.iter().fold(0, |sum: u32, w| sum.wrapping_add(w.0.fragments.load(Ordering::Acquire)))
    }

    pub fn fragment_done(&self, worker: usize) {
        let done = &self.workers[worker].0.fragments;
        done.store(done.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
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

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub fn set_drained(&self) {
        self.drained.store(true, Ordering::Release);
    }

    pub fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Acquire)
    }
}
