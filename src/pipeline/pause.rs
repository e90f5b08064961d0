//! The pause between turns in which frames can be counted exactly.
//!
//! Management asks all lcores to park: each finishes its turn, so that every frame it has lies in a ring or is held, and then takes
//! turns that do nothing. When all are parked it asks them to count what lies in the rings towards them, which is then still. The
//! main lcore lifts the pause after [`LONGEST`], whatever management does, so traffic never waits longer than that.

use super::padded::Padded;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// After this the main lcore goes on. An ordinary pause takes well under a millisecond.
pub const LONGEST: Duration = Duration::from_millis(50);

/// What lcores are to do.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Run = 0,
    Park = 1,
    Count = 2,
}

const STEPS: u64 = 4;

/// What is asked, and what each lcore has done of it. The main lcore's first.
#[derive(Debug)]
pub struct Pause {
    /// The number of the pause, and the step.
    asked: Padded<AtomicU64>,
    done: Vec<Padded<AtomicU64>>,
}

/// A step of a certain pause.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Asked(u64);

impl Asked {
    pub fn step(self) -> Step {
        match self.0 % STEPS {
            1 => Step::Park,
            2 => Step::Count,
            _ => Step::Run,
        }
    }

    fn at(self, step: Step) -> Asked {
        Asked(self.0 / STEPS * STEPS + step as u64)
    }
}

impl Pause {
    pub(super) fn new(lcores: usize) -> Pause {
        Pause { asked: Padded::default(), done: (0..lcores).map(|_| Padded::default()).collect() }
    }

    /// For lcores, once a turn.
    #[inline]
    pub fn asked(&self) -> Asked {
        Asked(self.asked.0.load(Ordering::Acquire))
    }

    /// By an lcore: it has done what was asked, and what it wrote before can be read.
    pub(super) fn done(&self, lcore: usize, asked: Asked) {
        if let Some(done) = self.done.get(lcore) {
            done.0.store(asked.0, Ordering::Release);
        }
    }

    /// Begins a pause. One at a time: who begins it ends it.
    pub fn begin(&self) -> Asked {
        let next = Asked(self.asked().0 + STEPS).at(Step::Park);
        self.asked.0.store(next.0, Ordering::Release);
        next
    }

    /// All lcores have done this.
    pub fn all_done(&self, asked: Asked) -> bool {
        self.done.iter().all(|done| done.0.load(Ordering::Acquire) == asked.0)
    }

    /// The pause is still at this step: it was not lifted.
    pub fn holds(&self, asked: Asked) -> bool {
        self.asked() == asked
    }

    /// From one step to the next; none when the pause was lifted meanwhile.
    pub fn advance(&self, from: Asked, step: Step) -> Option<Asked> {
        let to = from.at(step);
        let order = Ordering::AcqRel;
        self.asked.0.compare_exchange(from.0, to.0, order, Ordering::Acquire).ok().map(|_| to)
    }

    /// Everybody goes on.
    pub fn lift(&self) {
        let now = self.asked();
        let _ = self.advance(now, Step::Run); // who was faster has lifted it
    }
}
