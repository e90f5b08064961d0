//! Sees calls that do not end, by looking at the marks now and then.

use super::marks::{self, PLACES, Place};
use super::suspects::{Suspect, by_number};
use crate::base::Time;
use crate::service::running::{Look, Running};
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
    /// Calls of others by the plugin that was called.
    nested: u64,
    lasted: Duration,
    /// How long the thread had waited for a CPU by then.
    waited: Duration,
}

/// How long a thread has waited for a CPU since it began.
pub type Waited<'a> = &'a dyn Fn(u32) -> Duration;

impl Seen {
    /// How long the call was seen to last before this look and with it; `None` where no call is that was there at the last.
    fn look(&mut self, inside: bool, calls: u64, step: Duration) -> Option<(Duration, Duration)> {
        let same = inside && calls == self.calls;
        let before = self.lasted;
        let lasted = if same { before + step } else { Duration::ZERO };
        *self = Seen { calls, lasted, ..*self };
        same.then_some((before, self.lasted))
    }

    /// The part of a step in which the thread had a CPU or wanted none: on a machine with too few, waiting is not the
    /// plugin's.
    fn own(&mut self, thread: u32, inside: bool, step: Duration, waited: Waited<'_>) -> Duration {
        if !inside || thread == 0 {
            return step;
        }
        let before = std::mem::replace(&mut self.waited, waited(thread));
        step.saturating_sub(self.waited.saturating_sub(before))
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
    pub fn look(&mut self, workers: &[Arc<Running>], now: Time, waited: Waited<'_>) -> Option<Sighting> {
        let step = self.last.map_or(Duration::ZERO, |last| now.since(last)).min(self.limits.step);
        self.last = Some(now);
        let marked = self.look_outside(step);
        let worker = self.look_at_workers(workers, step, waited);
        match (worker, marked) {
            (Some(stuck), _) => Some(stuck),
            (None, marked) => marked,
        }
    }

    fn look_at_workers(
        &mut self,
        workers: &[Arc<Running>],
        step: Duration,
        waited: Waited<'_>,
    ) -> Option<Sighting> {
        self.workers.resize(workers.len(), Seen::default());
        let mut found = None;
        for (number, (running, seen)) in workers.iter().zip(&mut self.workers).enumerate() {
            let Look { plugin, outermost, calls, nested } = running.look();
            let step = seen.own(running.thread(), plugin.is_some(), step, waited);
            let lasted = seen.look(plugin.is_some(), calls, step);
            let went_on = std::mem::replace(&mut seen.nested, nested) != nested;
            let Some((_, lasted)) = lasted.filter(|(_, lasted)| *lasted >= self.limits.data) else {
                continue;
            };
            // One that keeps calling others is at fault itself, whichever of them it is in just now.
            let stuck = if went_on { outermost } else { plugin };
            if let Some(suspect) = stuck.and_then(by_number) {
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
    use crate::service::NOBODY;
    use crate::service::watchdog::suspects::{assign, suspect};

    const LIMITS: Limits = Limits {
        data: Duration::from_millis(600),
        control: Duration::from_secs(5),
        step: Duration::from_millis(100),
    };

    const NEVER: Waited<'_> = &|_| Duration::ZERO;

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
            running[1].mark(NOBODY);
            running[1].enter(PluginId(28));
            assert_eq!(of("sight-data", sight.look(&running, at(look * 50), NEVER)), None);
        }
        let told: Vec<_> = (40..60)
            .filter_map(|look| Some((look, of("sight-data", sight.look(&running, at(look * 50), NEVER))?)))
            .collect();
        assert_eq!(told.first(), Some(&(51, (true, Duration::from_millis(600)))));
        running[1].mark(NOBODY);
        assert_eq!(of("sight-data", sight.look(&running, at(3000), NEVER)), None);
    }

    #[test]
    fn one_that_calls_others_without_end_is_stuck_itself() {
        assign(PluginId(25), "sight-caller");
        assign(PluginId(24), "sight-called");
        let running = [Arc::<Running>::default()];
        running[0].enter(PluginId(25));
        let mut sight = Sight::new(LIMITS);
        let told = (0..60u64).find_map(|look| {
            let before = running[0].enter(PluginId(24));
            let told = sight.look(&running, at(look * 50), NEVER);
            running[0].mark(before);
            assert_eq!(of("sight-called", told), None, "look {look}");
            of("sight-caller", told)
        });
        assert_eq!(told, Some((true, Duration::from_millis(600))));
        // In one that does not come back, it is that one.
        running[0].mark(NOBODY);
        running[0].enter(PluginId(25));
        running[0].enter(PluginId(24));
        let told = (60..120).find_map(|look| of("sight-called", sight.look(&running, at(look * 50), NEVER)));
        assert_eq!(told, Some((true, Duration::from_millis(600))));
    }

    #[test]
    fn time_in_which_the_worker_waited_for_a_cpu_does_not_count() {
        assign(PluginId(26), "sight-starved");
        let running = [Arc::<Running>::default()];
        running[0].sit(7);
        running[0].enter(PluginId(26));
        let mut sight = Sight::new(LIMITS);
        let told = (0..60).find(|&look| {
            let waited = move |_| Duration::from_millis(look * 40);
            of("sight-starved", sight.look(&running, at(look * 50), &waited)).is_some()
        });
        assert_eq!(told, None, "60 looks, of each 50 ms 10 were its own");
        let told = (60..200).find(|&look| {
            let waited = |_| Duration::from_millis(2360);
            of("sight-starved", sight.look(&running, at(look * 50), &waited)).is_some()
        });
        assert_eq!(told, Some(60));
    }

    #[test]
    fn time_in_which_nobody_could_look_does_not_count() {
        assign(PluginId(27), "sight-asleep");
        let running = [Arc::<Running>::default()];
        running[0].enter(PluginId(27));
        let mut sight = Sight::new(LIMITS);
        for (look, time) in [0, 50, 60_000, 60_050, 120_000, 120_050].into_iter().enumerate() {
            assert_eq!(of("sight-asleep", sight.look(&running, at(time), NEVER)), None, "look {look}");
        }
    }

    #[test]
    fn a_call_of_managements_is_told_once_when_it_is_slow_and_again_when_it_is_stuck() {
        let mut sight = Sight::new(LIMITS);
        let mut told = Vec::new();
        super::marks::outside(suspect("sight-control"), || {
            for look in 0..70u64 {
                told.extend(
                    of("sight-control", sight.look(&[], at(look * 100), NEVER)).map(|what| (look, what)),
                );
            }
        });
        assert_eq!(told.first(), Some(&(6, (false, Duration::from_millis(600)))));
        assert_eq!(told.get(1), Some(&(50, (true, Duration::from_secs(5)))));
    }
}
