//! Lcores that stop turning: nothing passes one that does not come round.
//!
//! The watchdog looks at plugins and acts; this looks at every lcore, whatever it is in, and only tells.

use crate::base::Time;
use std::time::Duration;

/// So long without a turn is no matter of a busy machine.
const STALL: Duration = Duration::from_secs(1);

/// One who looks less often than this was kept from it, as the lcores may have been: the whole process was stopped.
const LATE: Duration = Duration::from_millis(500);

/// What there is to say of an lcore.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It has not turned for so long.
    Stalled(Duration),
    /// It turns again, after so long.
    Turns(Duration),
}

#[derive(Copy, Clone, Debug, Default)]
struct Seen {
    turns: u64,
    since: Time,
    told: bool,
}

#[derive(Debug, Default)]
pub struct Stalls {
    lcores: Vec<Seen>,
    last: Time,
    /// Since the start.
    count: u64,
}

impl Stalls {
    /// How often an lcore stalled, since the start.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// `turns`: of each lcore, since the start.
    pub fn look(&mut self, turns: &[u64], now: Time) -> Vec<(usize, Said)> {
        self.lcores.resize(turns.len(), Seen { since: now, ..Seen::default() });
        let late = now.since(std::mem::replace(&mut self.last, now)) > LATE;
        let mut said = Vec::new();
        for (number, (seen, &turns)) in self.lcores.iter_mut().zip(turns).enumerate() {
            let span = now.since(seen.since);
            if turns != seen.turns {
                if std::mem::take(&mut seen.told) {
                    said.push((number, Said::Turns(span)));
                }
                *seen = Seen { turns, since: now, told: false };
            } else if seen.told {
                // Said already.
            } else if late {
                seen.since = now;
            } else if span >= STALL {
                seen.told = true;
                self.count += 1;
                said.push((number, Said::Stalled(span)));
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_micros(10_000_000 + 1000 * millis)
    }

    #[test]
    fn a_stall_is_told_once_and_so_is_its_end() {
        let mut stalls = Stalls::default();
        let mut told = Vec::new();
        for step in 0..30 {
            let stuck = if step < 20 { 7 } else { 8 };
            let said = stalls.look(&[step, stuck], at(100 * step));
            told.extend(said.into_iter().map(|said| (step, said)));
        }
        let span = Duration::from_millis;
        let expected = [(10, (1, Said::Stalled(span(1000)))), (20, (1, Said::Turns(span(2000))))];
        assert_eq!(told, expected);
        assert_eq!(stalls.count(), 1);
    }

    #[test]
    fn a_process_that_was_stopped_as_a_whole_has_not_stalled() {
        let mut stalls = Stalls::default();
        assert_eq!(stalls.look(&[1], at(0)), []);
        assert_eq!(stalls.look(&[1], at(5000)), [], "nobody looked meanwhile");
        assert_eq!(stalls.look(&[1], at(5100)), []);
        assert_eq!(stalls.look(&[2], at(5200)), []);
    }
}
