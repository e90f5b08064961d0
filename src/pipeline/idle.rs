//! What an lcore does after a turn that found nothing.

use crate::io::clock::nap;
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

/// Idle turns before the first nap: about as long as a gap within a burst of traffic.
const BEFORE_NAP: u32 = 2_000;
/// Naps of one length; then they are twice as long.
const NAPS: u32 = 64;
/// What the first frame after a short quiet time may wait, beside the kernel's own timer slack.
const SHORTEST: Duration = Duration::from_micros(50);
/// The longest nap is this many doublings of the shortest: 800 us. Meanwhile frames lie in the port's receive queue, whose
/// 1,024 descriptors hold what comes at a million a second; a port that may begin faster wants `poll = "busy"`.
const DOUBLINGS: u32 = 4;

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
        match nap_after(self.turns).filter(|_| self.polling == Polling::Adaptive) {
            Some(span) => nap(span),
            None => std::thread::yield_now(),
        }
    }
}

/// How long to nap after so many idle turns in a row.
fn nap_after(turns: u32) -> Option<Duration> {
    let naps = turns.checked_sub(BEFORE_NAP + 1)?;
    Some(SHORTEST * (1 << (naps / NAPS).min(DOUBLINGS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_begin_after_a_gap_and_grow_to_their_bound() {
        let micros = |turns| nap_after(turns).map(|span| span.as_micros());
        assert_eq!([1, BEFORE_NAP].map(micros), [None, None]);
        let naps = [1, NAPS, NAPS + 1, 2 * NAPS + 1, 4 * NAPS + 1, u32::MAX - BEFORE_NAP];
        let lengths = naps.map(|nap| micros(BEFORE_NAP + nap));
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
}
