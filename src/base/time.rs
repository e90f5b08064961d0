//! Time as an argument: microseconds since the Unix epoch, whoever's clock they came from.
//!
//! On the fast path one clock reading serves a burst; in a replay each frame brings its capture time.
//! No state code reads a clock.

use std::time::Duration;

/// A moment, in microseconds since the Unix epoch.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    pub const ZERO: Time = Time(0);

    pub const fn from_micros(micros: u64) -> Time {
        Time(micros)
    }

    pub const fn from_secs(secs: u64) -> Time {
        Time(secs * 1_000_000)
    }

    pub const fn micros(self) -> u64 {
        self.0
    }

    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time since `earlier`, or zero if `earlier` is later (captures run backwards).
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    pub fn plus(self, span: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_backwards_gives_zero_not_a_panic() {
        assert_eq!(Time::from_secs(1).since(Time::from_secs(2)), Duration::ZERO);
        assert_eq!(Time::from_micros(u64::MAX).plus(Duration::MAX), Time::from_micros(u64::MAX));
    }
}
