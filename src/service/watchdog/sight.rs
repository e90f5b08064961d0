//! Sees calls that do not end, by looking at the marks now and then.

use super::marks::{self, PLACES, Place};
use super::suspects::{Suspect, by_number};
use crate::base::Time;
use crate::service::running::Running;
use std::sync::Arc;
use std::time::Duration;

/// How long a call may last.
#[derive(Copy, Clone, Debug)]
pub struct Limits {
    /// A worker's: it forwards nothing meanwhile.
    pub data: Duration,
    /// Management's: traffic goes on meanwhile. It is told after `data` all the same.
    pub control: Duration,
    /// The most that one look counts. One who looks less often than this was kept from it, as the plugin may have been:
    /// stopped by a debugger, or the whole machine asleep.
    pub step: Duration,
}

/// What a look found.
#[derive(Copy, Clone, Debug)]
pub enum Sighting {
    /// It is past its limit.
    Stuck { suspect: &'static Suspect, place: Place, lasted: Duration },
    /// A call of management's takes longer than one of a worker's may: once a call.
    Slow { suspect: &'static Suspect, lasted: Duration },
}

/// One mark as it was at the last look.
#[derive(Copy, Clone, Default)]
struct Seen {
    calls: u64,
    lasted: Duration,
}

impl Seen {
    /// How long the call was seen to last before this look and with it; `None` where no call is that was there at the last.
    fn look(&mut self, inside: bool, calls: u64, step: Duration) -> Option<(Duration, Duration)> {
        let same = inside && calls == self.calls;
        let before = self.lasted;
        *self = Seen { calls, lasted: if same { before + step } else { Duration::ZERO } };
        same.then_some((before, self.lasted))
    }
}

pub struct Sight {
    limits: Limits,
    workers: Vec<Seen>,
    marked: [Seen; PLACES],
    last: Option<Time>,
}

impl Sight {
    pub fn new(limits: Limits) -> Sight {
        Sight { limits, workers: Vec::new(), marked: [Seen::default(); PLACES], last: None }
    }

    /// Looks at all workers (by number) and all marked calls. What is stuck comes before what is slow.
    pub fn look(&mut self, workers: &[Arc<Running>], now: Time) -> Option<Sighting> {
        let step = self.last.map_or(Duration::ZERO, |last| now.since(last)).min(self.limits.step);
        self.last = Some(now);
        let marked = self.look_outside(step);
        let worker = self.look_at_workers(workers, step);
        match (worker, marked) {
            (Some(stuck), _) => Some(stuck),
            (None, marked) => marked,
        }
    }

    fn look_at_workers(&mut self, workers: &[Arc<Running>], step: Duration) -> Option<Sighting> {
        self.workers.resize(workers.len(), Seen::default());
        let mut found = None;
        for (number, (running, seen)) in workers.iter().zip(&mut self.workers).enumerate() {
            let (plugin, calls) = running.look();
            let lasted = seen.look(plugin.is_some(), calls, step);
            let Some((_, lasted)) = lasted.filter(|(_, lasted)| *lasted >= self.limits.data) else {
                continue;
            };
            if let Some(suspect) = plugin.and_then(by_number) {
                found = Some(Sighting::Stuck { suspect, place: Place::Worker(number as u8), lasted });
            }
        }
        found
    }

    fn look_outside(&mut self, step: Duration) -> Option<Sighting> {
        let mut found = None;
        for (number, seen) in self.marked.iter_mut().enumerate() {
            let (inside, calls) = marks::marked(number);
            let Some((before, lasted)) = seen.look(inside.is_some(), calls, step) else { continue };
            let Some(suspect) = inside else { continue };
            if lasted >= self.limits.control {
                return Some(Sighting::Stuck { suspect, place: Place::Management, lasted });
            }
            if before < self.limits.data && lasted >= self.limits.data {
                found = Some(Sighting::Slow { suspect, lasted });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::PluginId;
    use crate::service::watchdog::suspects::{assign, suspect};

    const LIMITS: Limits = Limits {
        data: Duration::from_millis(600),
        control: Duration::from_secs(5),
        step: Duration::from_millis(100),
    };

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    /// Other tests of this process make marked calls too: only those of this name count.
    fn of(name: &str, sighting: Option<Sighting>) -> Option<(bool, Duration)> {
        match sighting? {
            Sighting::Stuck { suspect, lasted, .. } if suspect.package() == name => Some((true, lasted)),
            Sighting::Slow { suspect, lasted } if suspect.package() == name => Some((false, lasted)),
            _ => None,
        }
    }

    #[test]
    fn a_workers_call_is_stuck_when_the_same_one_is_there_for_long() {
        assign(PluginId(28), "sight-data");
        let running = [Arc::<Running>::default(), Arc::default()];
        let mut sight = Sight::new(LIMITS);
        for look in 0..40u64 {
            // The same plugin at every look, but each time another call.
            running[1].enter(PluginId(28));
            assert_eq!(of("sight-data", sight.look(&running, at(look * 50))), None);
        }
        let told: Vec<_> = (40..60)
            .filter_map(|look| Some((look, of("sight-data", sight.look(&running, at(look * 50)))?)))
            .collect();
        assert_eq!(told.first(), Some(&(51, (true, Duration::from_millis(600)))));
        running[1].leave();
        assert_eq!(of("sight-data", sight.look(&running, at(3000))), None);
    }

    #[test]
    fn time_in_which_nobody_could_look_does_not_count() {
        assign(PluginId(27), "sight-asleep");
        let running = [Arc::<Running>::default()];
        running[0].enter(PluginId(27));
        let mut sight = Sight::new(LIMITS);
        for (look, time) in [0, 50, 60_000, 60_050, 120_000, 120_050].into_iter().enumerate() {
            assert_eq!(of("sight-asleep", sight.look(&running, at(time))), None, "look {look}");
        }
    }

    #[test]
    fn a_call_of_managements_is_told_once_when_it_is_slow_and_again_when_it_is_stuck() {
        let mut sight = Sight::new(LIMITS);
        let mut told = Vec::new();
        super::marks::outside(suspect("sight-control"), || {
            for look in 0..70u64 {
                told.extend(of("sight-control", sight.look(&[], at(look * 100))).map(|what| (look, what)));
            }
        });
        assert_eq!(told.first(), Some(&(6, (false, Duration::from_millis(600)))));
        assert_eq!(told.get(1), Some(&(50, (true, Duration::from_secs(5)))));
    }
}
