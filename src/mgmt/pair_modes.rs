//! Modes of pairs changed by an operator: which pairs are meant, and changes that go back by themselves unless confirmed.

use crate::base::{PortId, Time};
use crate::mgmt::config::{Config, Mode};
use crate::mgmt::control::ModeChange;
use crate::pipeline;

/// Changes that wait for a confirmation.
#[derive(Debug, Default)]
pub struct Unconfirmed(Vec<Waiting>);

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The pair's place in the configuration.
    pub pair: usize,
    pub before: Mode,
    pub until: Time,
}

impl Unconfirmed {
    /// A pair's mode changes from `before`. With a time it goes back then, to what it was before all that is unconfirmed; without one
    /// it stays.
    pub fn changed(&mut self, pair: usize, before: Mode, until: Option<Time>) {
        let earlier = self.0.iter().position(|w| w.pair == pair).map(|at| self.0.remove(at));
        if let Some(until) = until {
            self.0.push(Waiting { pair, before: earlier.map_or(before, |earlier| earlier.before), until });
        }
    }

    pub fn of(&self, pair: usize) -> Option<Waiting> {
        self.0.iter().find(|waiting| waiting.pair == pair).copied()
    }

    /// Those whose time is over: to go back now.
    pub fn take_due(&mut self, now: Time) -> Vec<Waiting> {
        self.0.extract_if(.., |waiting| waiting.until <= now).collect()
    }

    pub fn take_all(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.0)
    }
}

/// A pair's ports by their places, without those that are not configured.
pub fn ports_of(config: &Config, pair: usize) -> Vec<PortId> {
    let names = config.pairs.get(pair).map(|pair| pair.ports.as_slice()).unwrap_or_default();
    let place = |name: &String| config.ports.iter().position(|port| port.name == *name);
    names.iter().filter_map(place).map(|place| PortId(place as u16)).collect()
}

/// In the words of the configuration.
pub fn word(mode: pipeline::Mode) -> Mode {
    match mode {
        pipeline::Mode::Ips => Mode::Ips,
        pipeline::Mode::Ids => Mode::Ids,
        pipeline::Mode::Tap | pipeline::Mode::Reassemble => Mode::Tap,
    }
}

/// The pairs whose mode a request changes, or what is wrong with it.
pub fn meant(config: &Config, change: &ModeChange) -> Result<Vec<usize>, String> {
    let listed = || config.pairs.iter().map(|pair| pair.ports.join(",")).collect::<Vec<_>>().join("; ");
    let wanted: Vec<&str> = change.pair.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let is_meant = |ports: &[String]| wanted.iter().all(|name| ports.iter().any(|port| port == name));
    let mut found = Vec::new();
    for (place, pair) in config.pairs.iter().enumerate().filter(|(_, pair)| is_meant(&pair.ports)) {
        let name = pair.ports.join(",");
        if !pair.inspection && wanted.is_empty() {
            continue; // all pairs: those that have a mode
        }
        if !pair.inspection {
            return Err(format!("pair {name} is not inspected, so it has no mode: see pair.inspection"));
        }
        if pair.ports.len() < 2 && change.mode != Mode::Ids {
            if wanted.is_empty() {
                continue;
            }
            let mode = change.mode.name();
            return Err(format!("pair {name} has one port: it cannot forward, as mode \"{mode}\" does"));
        }
        found.push(place);
    }
    match (found.is_empty(), wanted.is_empty()) {
        (false, _) => Ok(found),
        (true, true) => Err("there is no inspected pair of two ports".into()),
        (true, false) => Err(format!("there is no pair {}; there are: {}", change.pair, listed())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::config::{Pair, Port, Profile};

    fn config() -> Config {
        let mut config = Config::defaults(Profile::Inline);
        config.ports = ["a", "b", "c", "d", "e"].map(|n| Port { name: n.into(), ..Port::default() }).into();
        let pair = |ports: &[&str], inspection| Pair {
            ports: ports.iter().map(|&port| port.to_owned()).collect(),
            inspection,
            ..Pair::default()
        };
        config.pairs = vec![pair(&["a", "b"], true), pair(&["d", "c"], false), pair(&["e"], true)];
        config
    }

    fn change(pair: &str, mode: Mode) -> ModeChange {
        ModeChange { pair: pair.into(), mode, confirm: None }
    }

    #[test]
    fn a_pair_is_named_by_its_ports_or_one_of_them_and_without_a_name_all_that_can_are_meant() {
        let config = config();
        for name in ["a", "b", "a,b", "b, a", ""] {
            assert_eq!(meant(&config, &change(name, Mode::Ips)), Ok(vec![0]), "{name:?}");
        }
        assert_eq!(meant(&config, &change("", Mode::Ids)), Ok(vec![0, 2]));
        assert_eq!(meant(&config, &change("e", Mode::Ids)), Ok(vec![2]));
        let refused = |name| meant(&config, &change(name, Mode::Ips)).unwrap_err();
        assert_eq!(refused("x"), "there is no pair x; there are: a,b; d,c; e");
        assert_eq!(refused("a,c"), "there is no pair a,c; there are: a,b; d,c; e");
        assert!(refused("c").contains("not inspected") && refused("e").contains("one port"));
        assert_eq!(ports_of(&config, 1), [PortId(3), PortId(2)]);
    }

    #[test]
    fn what_nobody_confirms_goes_back_to_what_was_before_all_of_it() {
        let second = Time::from_secs;
        let mut unconfirmed = Unconfirmed::default();
        unconfirmed.changed(0, Mode::Tap, Some(second(10)));
        unconfirmed.changed(0, Mode::Ips, Some(second(20)));
        unconfirmed.changed(1, Mode::Tap, Some(second(12)));
        assert_eq!(unconfirmed.take_due(second(11)), []);
        let due = unconfirmed.take_due(second(12));
        assert_eq!(due, [Waiting { pair: 1, before: Mode::Tap, until: second(12) }]);
        assert_eq!(unconfirmed.of(0).map(|waiting| waiting.before), Some(Mode::Tap));
        unconfirmed.changed(0, Mode::Ids, None);
        assert_eq!(unconfirmed.take_due(second(99)), [], "a change without a time stays");
    }
}
