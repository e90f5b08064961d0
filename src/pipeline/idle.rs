//! What an lcore does after a turn that found nothing.

use crate::io::clock::nap;
use std::time::Duration;

/// How an lcore waits for frames.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Polling {
    /// For ever; yields to whoever shares its CPU.
    #[default]
    Busy,
    /// Naps after many idle turns, so that a quiet box does not burn its CPUs.
    Adaptive,
}

/// Idle turns before the first nap: about as long as a gap within a burst of traffic.
const BEFORE_NAP: u32 = 2_000;
/// What the first frame after a quiet time may wait, beside the kernel's own timer slack.
const NAP: Duration = Duration::from_micros(50);

#[derive(Debug, Default)]
pub struct Idle {
    polling: Polling,
    turns: u32,
}

impl Idle {
    pub fn new(polling: Polling) -> Idle {
        Idle { polling, turns: 0 }
    }

    /// After each turn, with what it moved.
    #[inline]
    pub fn after(&mut self, moved: usize) {
        if moved > 0 {
            self.turns = 0;
            return;
        }
        self.turns = self.turns.saturating_add(1);
        match self.polling {
            Polling::Adaptive if self.turns > BEFORE_NAP => nap(NAP),
            Polling::Busy | Polling::Adaptive => std::thread::yield_now(),
        }
    }
}
