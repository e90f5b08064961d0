//! What systemd is told of a unit with `Type=notify` (sd_notify(3)): ready, alive, reloading, stopping.
//!
//! Spoken by the management thread, over the socket that NOTIFY_SOCKET names; where it names none nothing is said. "Ready" is
//! said once frames are forwarded: under a policy, or, where every inspected pair has `inactive-action = "forward"`, without
//! one as soon as the lcores turn. "Alive" is held back while an lcore hangs, so that systemd starts weir anew.

use crate::base::Time;
use crate::mgmt::config::{Config, PairInactive};
use crate::mgmt::pulse::{Pulse, Vitals};
use sd_notify::NotifyState;
use std::time::Duration;

/// Of the time after which systemd gives up, the part after which it hears of us: one message may be late, and a second.
const SHARE: u32 = 3;

/// What is told.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Word {
    Ready,
    Alive,
    Stopping,
}

/// What the manager of services has heard so far.
pub struct ServiceManager {
    /// Frames pass before the first policy is active.
    passes_early: bool,
    /// How often it wants to hear that we live, if it does.
    every: Option<Duration>,
    pulse: Pulse,
    ready: bool,
    stopping: bool,
    told_at: Option<Time>,
}

impl ServiceManager {
    /// By the environment that systemd starts us with.
    pub fn new(config: &Config) -> ServiceManager {
        let every = sd_notify::watchdog_enabled().map(|patience| patience / SHARE);
        ServiceManager::telling(passes_early(config), every)
    }

    fn telling(passes_early: bool, every: Option<Duration>) -> ServiceManager {
        let pulse = Pulse::default();
        ServiceManager { passes_early, every, pulse, ready: false, stopping: false, told_at: None }
    }

    /// Tells what there is to tell.
    pub fn turn(&mut self, vitals: &Vitals) {
        self.words(vitals).into_iter().for_each(tell);
    }

    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// The appliance ends, whatever was the reason.
    pub fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopping, true) {
            tell(Word::Stopping);
        }
    }

    fn words(&mut self, vitals: &Vitals) -> Vec<Word> {
        let (mut words, now) = (Vec::new(), vitals.now);
        let alive = self.pulse.look(vitals).is_alive();
        if vitals.stopping {
            if !std::mem::replace(&mut self.stopping, true) {
                words.push(Word::Stopping);
            }
        } else if !self.ready && forwards(vitals, self.passes_early) {
            self.ready = true;
            words.push(Word::Ready);
        }
        let is_due = |every| self.told_at.is_none_or(|at| now.since(at) >= every);
        if alive && self.every.is_some_and(is_due) {
            self.told_at = Some(now);
            words.push(Word::Alive);
        }
        words
    }
}

/// Whether frames leave again: every lcore turns, and its policy is there or need not be.
fn forwards(vitals: &Vitals, passes_early: bool) -> bool {
    let turns = vitals.lcores.iter().all(|lcore| lcore.turns > 0 && !lcore.failed);
    let judged = vitals.inactive_sets.as_ref().is_some_and(Vec::is_empty);
    turns && !vitals.lcores.is_empty() && (judged || passes_early)
}

fn passes_early(config: &Config) -> bool {
    let mut inspected = config.pairs.iter().filter(|pair| pair.inspection).peekable();
    inspected.peek().is_some() && inspected.all(|pair| pair.inactive == PairInactive::Forward)
}

fn tell(word: Word) {
    match word {
        Word::Ready => say(&[NotifyState::Ready, NotifyState::Status("forwarding")]),
        Word::Alive => say(&[NotifyState::Watchdog]),
        Word::Stopping => say(&[NotifyState::Stopping, NotifyState::Status("stopping")]),
    }
}

/// New rules are being compiled. [`reloaded`] is owed afterwards, however that ended.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(since) => say(&[NotifyState::Reloading, since]),
        Err(error) => tracing::debug!("no time to tell systemd: {error}"),
    }
}

pub fn reloaded() {
    tell(Word::Ready);
}

/// Who does not listen misses it: that is no reason for frames to stop.
fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd is not told {states:?}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::config::{Pair, Profile};
    use crate::mgmt::pulse::Heartbeat;

    fn vitals(seconds: u64, turns: u64, inactive: &[&str]) -> Vitals {
        let lcore = |role: &str| Heartbeat { role: role.into(), turns, ..Heartbeat::default() };
        Vitals {
            now: Time::from_secs(seconds),
            stopping: false,
            lcores: vec![lcore("main"), lcore("worker 0")],
            inactive_sets: Some(inactive.iter().map(|set| (*set).to_owned()).collect()),
        }
    }

    #[test]
    fn ready_is_said_once_when_lcores_turn_under_their_policy() {
        let mut manager = ServiceManager::telling(false, None);
        assert_eq!(manager.words(&vitals(1, 0, &[])), []);
        assert_eq!(manager.words(&Vitals { inactive_sets: None, ..vitals(1, 1, &[]) }), []);
        assert_eq!(manager.words(&vitals(2, 2, &["default"])), []);
        assert_eq!(manager.words(&vitals(3, 3, &[])), [Word::Ready]);
        assert_eq!(manager.words(&vitals(4, 4, &[])), []);
        assert!(manager.is_ready());
    }

    #[test]
    fn where_frames_pass_before_the_first_policy_ready_does_not_wait_for_it() {
        let mut manager = ServiceManager::telling(true, None);
        assert_eq!(manager.words(&vitals(1, 0, &["default"])), []);
        assert_eq!(manager.words(&vitals(2, 1, &["default"])), [Word::Ready]);
    }

    #[test]
    fn only_if_every_inspected_pair_forwards_frames_pass_early() {
        let with = |pairs: &[(bool, PairInactive)]| {
            let pair = |(inspection, inactive): &_| Pair {
                inspection: *inspection,
                inactive: *inactive,
                ..Pair::default()
            };
            let pairs = pairs.iter().map(pair).collect();
            passes_early(&Config { pairs, ..Config::defaults(Profile::Inline) })
        };
        assert!(!with(&[]) && !with(&[(true, PairInactive::Auto)]) && !with(&[(true, PairInactive::Drop)]));
        assert!(with(&[(true, PairInactive::Forward), (false, PairInactive::Auto)]));
        assert!(!with(&[(true, PairInactive::Forward), (true, PairInactive::Auto)]));
    }

    #[test]
    fn life_is_told_in_time_until_an_lcore_hangs() {
        let mut manager = ServiceManager::telling(false, Some(Duration::from_secs(2)));
        assert_eq!(manager.words(&vitals(1, 1, &[])), [Word::Ready, Word::Alive]);
        assert_eq!(manager.words(&vitals(2, 2, &[])), []);
        assert_eq!(manager.words(&vitals(3, 3, &[])), [Word::Alive]);
        assert_eq!(manager.words(&vitals(5, 3, &[])), [Word::Alive], "two seconds may pass");
        assert_eq!(manager.words(&vitals(7, 3, &[])), [], "four have, without a turn");
        assert_eq!(manager.words(&vitals(8, 4, &[])), [Word::Alive]);
    }

    #[test]
    fn the_end_is_said_once_and_nobody_is_ready_after_it() {
        let mut manager = ServiceManager::telling(false, None);
        let stopping = Vitals { stopping: true, ..vitals(1, 1, &[]) };
        assert_eq!(manager.words(&stopping), [Word::Stopping]);
        assert_eq!(manager.words(&stopping), []);
        assert!(!manager.is_ready());
    }
}
