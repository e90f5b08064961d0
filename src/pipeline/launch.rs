//! The appliance on DPDK: its rings and buffers, its workers on lcores, its main lcore's two loops.

use super::appliance::{Platform, SetupError};
use super::board::Board;
use super::idle::{Idle, Polling};
use super::intake::Source;
use super::main_lcore::MainLcore;
use super::worker::Worker;
use crate::base::PortId;
use crate::io::capture::Summary;
use crate::io::clock::Clock;
use crate::io::dpdk::{
    self, CapturePort, Eal, EalError, Lcore, LcoreHandle, LcorePanicked, Pool, ReplayError,
};
use crate::io::{FrameAllocator, PacketIo, RingEnds};
use crate::service::watchdog::Seat;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rings and buffers of EAL.
pub struct DpdkPlatform {
    pub eal: Arc<Eal>,
    pub pool: Pool,
}

impl Platform for DpdkPlatform {
    fn ring(&self, capacity: usize) -> Result<RingEnds, SetupError> {
        dpdk::ring(&self.eal, capacity).map_err(|error| SetupError::Ring(error.to_string()))
    }

    fn allocator(&self) -> Box<dyn FrameAllocator> {
        Box::new(self.pool.allocator())
    }

    fn clock(&self) -> Clock {
        self.eal.time().clock()
    }
}

/// The workers while they run.
pub struct Running {
    workers: Vec<LcoreHandle<Box<Worker>>>,
}

impl Running {
    /// Worker `i` on lcore `i + 1`.
    pub fn start(eal: &Arc<Eal>, workers: Vec<Box<Worker>>) -> Result<Running, EalError> {
        let launch = |(index, worker): (usize, Box<Worker>)| {
            eal.launch(Lcore(index as u32 + 1), move || {
                let _seat = Seat::take(index as u8, Arc::clone(worker.lane().services().running()));
                worker.run()
            })
        };
        workers
            .into_iter()
            .enumerate()
            .map(launch)
            .collect::<Result<_, _>>()
            .map(|workers| Running { workers })
    }

    /// Waits until every worker has ended what it had, sending for them meanwhile. `main` must have finished.
    pub fn join(self, main: &mut MainLcore) -> Joined {
        while !self.workers.iter().all(LcoreHandle::is_finished) {
            main.serve_returns();
            std::thread::yield_now();
        }
        main.serve_returns();
        let mut joined = Joined::default();
        for worker in self.workers {
            match worker.join() {
                Ok(worker) => joined.workers.push(worker),
                Err(panicked) => joined.failed.push(panicked),
            }
        }
        joined
    }
}

/// The workers after their end, and those that ended by a panic.
#[derive(Default)]
pub struct Joined {
    pub workers: Vec<Box<Worker>>,
    pub failed: Vec<LcorePanicked>,
}

/// The main lcore's part of something; if it panics, all others are to stop.
pub fn guarded<T>(board: &Board, work: impl FnOnce() -> T) -> Result<T, LcorePanicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        board.main_failed();
        LcorePanicked::new(0, payload.as_ref())
    })
}

/// No more frames will come: the main lcore ends what it has. `before` is how its work ended.
pub fn finish<T>(
    main: &mut MainLcore,
    board: &Board,
    before: Result<T, LcorePanicked>,
) -> Result<T, LcorePanicked> {
    let finished = guarded(board, || main.finish());
    // Whatever became of it, the workers wait for this.
    board.set_drained();
    before.and_then(|value| finished.map(|()| value))
}

/// The main lcore's loop of a running appliance: until someone stops it, or some lcore fails.
pub fn run_until_stopped(main: &mut MainLcore, board: &Board, mut clock: Clock, polling: Polling) {
    let mut idle = Idle::new(polling);
    while !board.is_stopped() {
        idle.after(main.turn(clock.now()));
    }
}

/// Told now and then how many frames of how many have been read.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Plays one capture through; `port` is the plan that its link type has. Ends early when the appliance is stopped.
pub fn replay_capture(
    main: &mut MainLcore,
    board: &Board,
    platform: &DpdkPlatform,
    capture: &Summary,
    port: PortId,
    progress: Progress<'_>,
) -> Result<(), ReplayError> {
    let frames = capture.frames;
    let mut capture = CapturePort::open(&platform.eal, &platform.pool, capture)?;
    main.set_sources(capture.take_rx(0).map(|rx| Source { port, rx }).into_iter().collect());
    let mut outcome = Ok(());
    while outcome.is_ok() && !capture.finished() && !board.is_stopped() {
        // Nothing came: the pool is low until the workers have caught up, if it has all that it is to have.
        if main.turn(crate::base::Time::ZERO) == 0 {
            outcome = platform.pool.refused().map_or(Ok(()), |reason| Err(capture.refused(reason)));
            std::thread::yield_now();
        }
        progress(capture.received(), frames);
    }
    main.set_sources(Vec::new());
    outcome
}
