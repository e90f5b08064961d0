//! Says when workers cannot keep up: the main lcore drops what finds no room in their rings, before the NIC has to.

use crate::base::Time;
use std::time::Duration;

/// Without a drop for so long an overload is over.
const QUIET: Duration = Duration::from_secs(5);

/// What there is to say.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Begun,
    /// So many frames were dropped, over so long.
    Over {
        frames: u64,
        span: Duration,
    },
}

#[derive(Debug, Default)]
pub struct Overload {
    /// Dropped so far, and when that last grew.
    dropped: u64,
    last: Time,
    /// Dropped before it began, and when that was.
    begun: Option<(u64, Time)>,
}

impl Overload {
    /// `dropped`: frames that found no room in rings, since the start.
    pub fn look(&mut self, dropped: u64, now: Time) -> Option<Said> {
        let before = std::mem::replace(&mut self.dropped, dropped);
        if dropped > before {
            self.last = now;
            if self.begun.is_none() {
                self.begun = Some((before, now));
                return Some(Said::Begun);
            }
        }
        let (start, since) = self.begun.filter(|_| now.since(self.last) >= QUIET)?;
        self.begun = None;
        Some(Said::Over { frames: dropped - start, span: self.last.since(since) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overload_is_told_once_and_so_is_its_end() {
        let mut overload = Overload::default();
        let second = Time::from_secs;
        assert_eq!(overload.look(0, second(10)), None);
        assert_eq!(overload.look(7, second(11)), Some(Said::Begun));
        assert_eq!(overload.look(30, second(13)), None);
        assert_eq!(overload.look(30, second(17)), None);
        let over = Said::Over { frames: 30, span: Duration::from_secs(2) };
        assert_eq!(overload.look(30, second(18)), Some(over));
        assert_eq!(overload.look(30, second(30)), None);
        assert_eq!(overload.look(31, second(31)), Some(Said::Begun));
    }
}
