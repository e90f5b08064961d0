//! What the configuration says of services, in the words of the layers below.

use crate::base::{Dir, PerDir, SetId};
use crate::mgmt::config::{Config, HoldEnd, Inactive, OnFault as FaultWord, PluginEntry, ServiceSet};
use crate::service::hold::{HoldSettings, WhenHeld};
use crate::service::set::{Claim, InactiveAction, Match, OnFault, Selection};
use std::time::Duration;

/// A service set before its plugins have numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetLayout {
    pub name: String,
    /// Empty: all.
    pub ports: Vec<String>,
    pub matches: Vec<Match>,
    pub orders: PerDir<Vec<String>>,
    pub inactive: InactiveAction,
    pub on_fault: OnFault,
}

impl SetLayout {
    fn of(set: &ServiceSet) -> SetLayout {
        let reversed = |order: &[String]| order.iter().rev().cloned().collect::<Vec<_>>();
        let (forward, reverse) = match (set.forward.is_empty(), set.reverse.is_empty()) {
            (false, true) => (set.forward.clone(), reversed(&set.forward)),
            (true, false) => (reversed(&set.reverse), set.reverse.clone()),
            _ => (set.forward.clone(), set.reverse.clone()),
        };
        SetLayout {
            name: set.name.clone(),
            ports: set.ports.clone(),
            matches: set.matches.iter().map(|rule| rule.0.clone()).collect(),
            orders: PerDir([forward, reverse]),
            inactive: match set.inactive {
                Inactive::Drop => InactiveAction::Drop,
                Inactive::Forward => InactiveAction::Forward,
            },
            on_fault: match set.on_fault {
                FaultWord::Skip => OnFault::Skip,
                FaultWord::Drop => OnFault::Drop,
            },
        }
    }

    /// Each member once, in the order in which they first stand.
    pub fn members(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for name in Dir::BOTH.into_iter().flat_map(|dir| &self.orders[dir]) {
            if !found.contains(&name.as_str()) {
                found.push(name);
            }
        }
        found
    }

    pub fn has(&self, plugin: &str) -> bool {
        Dir::BOTH.into_iter().any(|dir| self.orders[dir].iter().any(|name| name == plugin))
    }
}

/// Everything of services that the configuration says.
#[derive(Clone, Debug)]
pub struct Layout {
    /// All that sets have as members, and all shared objects; in the order in which they are loaded.
    pub plugins: Vec<PluginEntry>,
    pub sets: Vec<SetLayout>,
    pub hold: HoldSettings,
    pub chain_length: usize,
    /// How long a superseded policy may have sessions.
    pub generation_age: Duration,
}

impl Layout {
    pub fn of(config: &Config) -> Layout {
        let stock = [ServiceSet::stock()];
        let sets: &[ServiceSet] = if config.service_sets.is_empty() { &stock } else { &config.service_sets };
        let sets: Vec<SetLayout> = sets.iter().map(SetLayout::of).collect();
        let s = &config.services;
        let when = |word| match word {
            HoldEnd::Drop => WhenHeld::Drop,
            HoldEnd::Forward => WhenHeld::Forward,
        };
        Layout {
            plugins: plugins(config, &sets),
            sets,
            hold: HoldSettings {
                frames: s.hold_frames as usize,
                session_frames: s.hold_session_frames,
                timeout: s.hold_timeout,
                on_timeout: when(s.hold_on_timeout),
                on_cap: when(s.hold_on_cap),
            },
            chain_length: usize::from(s.chain_length),
            generation_age: s.generation_age,
        }
    }

    /// For an appliance whose sets never change while it runs: no more room for sessions than these sets need.
    #[must_use]
    pub fn fixed(mut self) -> Layout {
        self.chain_length = self.sets.iter().map(|set| set.members().len()).max().unwrap_or(1).max(1);
        self
    }
}

fn plugins(config: &Config, sets: &[SetLayout]) -> Vec<PluginEntry> {
    let configured = |name: &str| config.plugins.iter().find(|plugin| plugin.called() == name);
    let mut found: Vec<PluginEntry> = Vec::new();
    for name in sets.iter().flat_map(SetLayout::members) {
        if found.iter().all(|plugin| plugin.called() != name)
            && configured(name).is_none_or(|p| !p.is_external())
        {
            let bare = || PluginEntry { name: name.to_owned(), ..PluginEntry::default() };
            found.push(configured(name).cloned().unwrap_or_else(bare));
        }
    }
    found.extend(load_order(config.plugins.iter().filter(|p| p.is_external()).cloned().collect()));
    found
}

/// By `order`, but none before a package that it needs; what is needed then are libraries alone. A circle (which the
/// configuration's check refuses) is cut.
fn load_order(mut left: Vec<PluginEntry>) -> Vec<PluginEntry> {
    let packages: Vec<String> = left.iter().map(|plugin| plugin.package.clone()).collect();
    left.sort_by_key(|plugin| plugin.order);
    let mut sorted = Vec::new();
    while !left.is_empty() {
        let waits = |p: &PluginEntry| p.needs.iter().any(|need| left.iter().any(|o| o.package == *need));
        let next = left.iter().position(|plugin| !waits(plugin)).unwrap_or(0);
        let mut plugin = left.remove(next);
        plugin.needs.retain(|need| !packages.contains(need));
        sorted.push(plugin);
    }
    sorted
}

/// The ports that sets name, in the order of their numbers.
#[derive(Clone, Debug)]
pub enum Ports {
    Named(Vec<String>),
    /// A replay's: they have no names, and every set takes from all.
    Captures(usize),
}

impl Ports {
    pub fn of(config: &Config) -> Ports {
        Ports::Named(config.ports.iter().map(|port| port.name.clone()).collect())
    }

    /// Which set takes a packet: the first in the configuration's order.
    pub fn selection<'a>(&self, sets: impl Iterator<Item = (SetId, &'a SetLayout)> + Clone) -> Selection {
        let claims = |takes: &dyn Fn(&SetLayout) -> bool| {
            let claim = |(set, layout): (SetId, &SetLayout)| Claim { set, matches: layout.matches.clone() };
            sets.clone().filter(|(_, layout)| takes(layout)).map(claim).collect::<Vec<_>>()
        };
        let ports = match self {
            Ports::Captures(count) => vec![claims(&|_| true); *count],
            Ports::Named(names) => {
                let of = |name: &String| claims(&|set| set.ports.is_empty() || set.ports.contains(name));
                names.iter().map(of).collect()
            }
        };
        Selection { ports }
    }
}
