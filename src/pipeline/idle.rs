//! What an lcore does after a turn that found nothing.

use crate::io::clock::{nap, nap_exactly};
use std::time::Duration;

/// How an lcore waits for frames.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Polling {
    /// For ever; yields to whoever shares its CPU.
    #[default]
    Busy,
    /// Naps after many idle turns, the longer the longer nothing comes, so that a quiet box does not burn its CPUs.
    Adaptive,
}

/// Idle turns before the first nap where little comes: a packet now and then, on a quiet box, costs no more than these.
const FEWEST: u32 = 2_000;
/// Each turn that moved something adds so many, to this many: behind a steady stream a gap of some milliseconds (a sender that had
/// to wait for its CPU) is no end of it, and what comes behind the gap would all wait for the nap.
const EARNED: u32 = 100;
const MOST: u32 = 40_000;
/// Naps of one length; then they are twice as long.
const NAPS: u32 = 64;
/// What the first frame after a short quiet time may wait.
const SHORTEST: Duration = Duration::from_micros(50);
/// The longest nap is this many doublings of the shortest: 800 us. Meanwhile frames lie in the port's receive queue, whose
/// 1,024 descriptors hold what comes at a million a second; a port that may begin faster wants `poll = "busy"`.
const DOUBLINGS: u32 = 4;

#[derive(Debug, Default)]
pub struct Idle {
    polling: Polling,
    turns: u32,
    /// Idle turns before the next nap.
    patience: u32,
}

impl Idle {
    pub fn new(polling: Polling) -> Idle {
        if polling == Polling::Adaptive {
            nap_exactly();
        }
        Idle { polling, turns: 0, patience: FEWEST }
    }

    /// After each turn, with what it moved.
    #[inline]
    pub fn after(&mut self, moved: usize) {
        if moved > 0 {
            self.turns = 0;
            self.patience = (self.patience + EARNED).min(MOST);
            return;
        }
        self.turns = self.turns.saturating_add(1);
        match nap_after(self.turns, self.patience).filter(|_| self.polling == Polling::Adaptive) {
            Some(span) => {
                // What was earned is spent: `turns` stays beyond it, as if it had been so few all the time.
                self.turns -= self.patience - FEWEST;
                self.patience = FEWEST;
                nap(span);
            }
            None => std::thread::yield_now(),
        }
    }
}

/// How long to nap after so many idle turns in a row.
fn nap_after(turns: u32, patience: u32) -> Option<Duration> {
    let naps = turns.checked_sub(patience + 1)?;
    Some(SHORTEST * (1 << (naps / NAPS).min(DOUBLINGS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_begin_after_a_gap_and_grow_to_their_bound() {
        let micros = |turns| nap_after(turns, FEWEST).map(|span| span.as_micros());
        assert_eq!([1, FEWEST].map(micros), [None, None]);
        let naps = [1, NAPS, NAPS + 1, 2 * NAPS + 1, 4 * NAPS + 1, u32::MAX - FEWEST];
        let lengths = naps.map(|nap| micros(FEWEST + nap));
        assert_eq!(lengths, [50, 50, 100, 200, 800, 800].map(Some));
    }

    #[test]
    fn a_frame_ends_the_naps() {
        let mut idle = Idle::new(Polling::Busy);
        (0..3).for_each(|_| idle.after(0));
        assert_eq!(idle.turns, 3);
        idle.after(1);
        assert_eq!(idle.turns, 0);
    }

    #[test]
    fn behind_a_steady_stream_the_first_nap_comes_later_and_the_next_one_does_not() {
        let mut idle = Idle::new(Polling::Adaptive);
        (0..1_000).for_each(|_| idle.after(1));
        assert_eq!(idle.patience, MOST);
        (0..MOST).for_each(|_| idle.after(0));
        assert_eq!(idle.patience, MOST, "not yet");
        idle.after(0);
        assert_eq!((idle.patience, idle.turns), (FEWEST, FEWEST + 1));
        idle.after(0);
        assert_eq!(idle.turns, FEWEST + 2, "the naps go on where they were");
        idle.after(1);
        assert_eq!((idle.patience, idle.turns), (FEWEST + EARNED, 0), "a packet now and then earns little");
    }
}
