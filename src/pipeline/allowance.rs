//! How many ICMP errors an lcore may send (RFC 1812, section 4.3.2.8; RFC 4443, section 2.4 (f)): nobody can make us a source
//! of a flood by sending what we must tell of.

use crate::base::Time;

/// Errors a second, in the long run and at once.
const PER_SECOND: u64 = 100;
const AT_ONCE: u64 = 100;

/// A token bucket, in microseconds: an error costs the time in which one may be sent.
#[derive(Debug)]
pub(super) struct Allowance {
    saved: u64,
    since: Time,
}

const COST: u64 = 1_000_000 / PER_SECOND;

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance { saved: AT_ONCE * COST, since: Time::ZERO }
    }
}

impl Allowance {
    /// Whether one more may be sent now; it is counted as sent.
    pub(super) fn take(&mut self, now: Time) -> bool {
        let passed = now.micros().saturating_sub(self.since.micros());
        self.saved = self.saved.saturating_add(passed).min(AT_ONCE * COST);
        self.since = self.since.max(now);
        let may = self.saved >= COST;
        self.saved -= if may { COST } else { 0 };
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_allowed_then_so_many_a_second() {
        let (mut allowance, start) = (Allowance::default(), Time::from_secs(1_780_000_000));
        let taken = |allowance: &mut Allowance, now| (0..1000).filter(|_| allowance.take(now)).count() as u64;
        assert_eq!(taken(&mut allowance, start), AT_ONCE);
        assert_eq!(taken(&mut allowance, start.plus(Duration::from_millis(500))), PER_SECOND / 2);
        assert_eq!(taken(&mut allowance, start), 0, "a clock that stands still gives none");
        assert_eq!(taken(&mut allowance, start.plus(Duration::from_secs(3600))), AT_ONCE);
    }
}
