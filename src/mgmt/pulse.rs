//! Whether the appliance lives and is ready, looked at twice a second: what `/healthz`, `/readyz` and gRPC's health service tell.

use crate::base::Time;
use crate::mgmt::control::Control;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// An lcore that has not turned for so long hangs.
const STALL: Duration = Duration::from_secs(3);

/// Signs of life.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    pub now: Time,
    pub stopping: bool,
    pub lcores: Vec<Heartbeat>,
    /// Service sets that wait for a plugin's policy; `None` before anybody has looked.
    pub inactive_sets: Option<Vec<String>>,
}

/// How often an lcore has turned: one that lives turns a thousand times a second and more.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat {
    /// As [`LcoreInfo::role`](crate::mgmt::control::LcoreInfo).
    pub role: String,
    pub turns: u64,
    /// The rules that its new sessions take; 0 where it has no sessions.
    pub generation: u32,
    /// It ended by a panic.
    pub failed: bool,
}

/// What is wrong, in words; nothing where all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why it does not live.
    pub dead: Vec<String>,
    /// Why it does not forward under its policy yet, or any more.
    pub unready: Vec<String>,
}

impl Health {
    pub fn is_alive(&self) -> bool {
        self.dead.is_empty()
    }

    pub fn is_ready(&self) -> bool {
        self.dead.is_empty() && self.unready.is_empty()
    }
}

/// Looks until nobody listens any more.
pub async fn watch(control: Arc<dyn Control>, tell: watch::Sender<Health>) {
    let mut pulse = Pulse::default();
    while !tell.is_closed() {
        let health = pulse.look(&control.vitals());
        tell.send_if_modified(|told| {
            *told != health && {
                *told = health;
                true
            }
        });
        tokio::time::sleep(LOOK).await;
    }
}

/// By lcore: its turns, and since when they are so many.
#[derive(Default)]
pub(super) struct Pulse {
    seen: Vec<(u64, Time)>,
}

impl Pulse {
    pub(super) fn look(&mut self, vitals: &Vitals) -> Health {
        let (mut health, now) = (Health::default(), vitals.now);
        if self.seen.len() != vitals.lcores.len() {
            self.seen = vitals.lcores.iter().map(|_| (0, now)).collect();
        }
        for (lcore, seen) in vitals.lcores.iter().zip(&mut self.seen) {
            let role = &lcore.role;
            if lcore.turns != seen.0 {
                *seen = (lcore.turns, now);
            }
            let still = now.since(seen.1);
            if lcore.failed {
                health.dead.push(format!("lcore {role} ended by a panic"));
            } else if still >= STALL {
                health.dead.push(format!("lcore {role} has not turned for {} s", still.as_secs()));
            } else if lcore.turns == 0 {
                health.unready.push(format!("lcore {role} has not begun"));
            }
        }
        if vitals.stopping {
            health.unready.push("the appliance is stopping".into());
        }
        match &vitals.inactive_sets {
            None => health.unready.push("service sets have not been looked at".into()),
            Some(sets) => health.unready.extend(sets.iter().map(|set| {
                format!("service set {set} waits for the policy of a plugin (weir ctl service-set {set})")
            })),
        }
        health
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals(turns: [u64; 2], seconds: u64) -> Vitals {
        let beat =
            |(role, turns): (&str, u64)| Heartbeat { role: role.into(), turns, ..Heartbeat::default() };
        let lcores = ["main", "worker 0"].into_iter().zip(turns).map(beat).collect();
        Vitals { now: Time::from_secs(seconds), stopping: false, lcores, inactive_sets: Some(Vec::new()) }
    }

    #[test]
    fn an_lcore_that_stands_still_is_dead_until_it_turns_again() {
        let mut pulse = Pulse::default();
        let mut look = |turns, seconds| pulse.look(&vitals(turns, seconds));
        assert!(look([0, 0], 0).is_alive());
        assert_eq!(look([5, 0], 1).unready, ["lcore worker 0 has not begun"]);
        assert!(look([6, 1], 2).is_ready());
        assert!(look([7, 1], 4).is_ready(), "two seconds may pass on a busy machine");
        assert_eq!(look([8, 1], 5).dead, ["lcore worker 0 has not turned for 3 s"]);
        assert!(look([9, 2], 6).is_ready());
    }

    #[test]
    fn what_stops_waits_or_has_failed_is_not_ready() {
        let look = |change: fn(&mut Vitals)| {
            let mut vitals = vitals([1, 1], 1);
            change(&mut vitals);
            Pulse::default().look(&vitals)
        };
        assert!(look(|_| {}).is_ready());
        let stopping = look(|vitals| vitals.stopping = true);
        assert!(stopping.is_alive() && !stopping.is_ready());
        assert!(!look(|vitals| vitals.inactive_sets = None).is_ready());
        assert!(look(|vitals| vitals.inactive_sets = Some(vec!["web".into()])).unready[0].contains("web"));
        assert_eq!(look(|vitals| vitals.lcores[1].failed = true).dead, ["lcore worker 0 ended by a panic"]);
    }
}
