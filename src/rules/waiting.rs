//! Rules that cannot be evaluated yet: what they wait for. They are loaded whole, and never match until it arrives.

use super::app::{DECODED, Protos};
use super::ruleset::{AppCheck, Check, Facility, Rule, RuleSet};
use std::collections::BTreeMap;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// For a decoder of one of these protocols.
    Decoder(Protos),
    Facility(Facility),
}

impl Waits {
    pub fn name(self) -> &'static str {
        match self {
            Waits::Decoder(protos) => protos.label(),
            Waits::Facility(facility) => facility.name(),
        }
    }
}

impl Rule {
    /// What must arrive before the rule can match.
    pub fn waits_for(&self) -> Option<Waits> {
        if !self.app.is_empty() && self.app.and(DECODED).is_empty() {
            return Some(Waits::Decoder(self.app));
        }
        let facility = self.checks.iter().find_map(|check| match check {
            Check::App(check) => match &**check {
                AppCheck::Facility(facility) => Some(*facility),
                AppCheck::Protocol { .. }
                | AppCheck::Event(_)
                | AppCheck::State { .. }
                | AppCheck::Field { .. } => None,
            },
            Check::Reputation(test) if test.scores.is_none() => Some(Facility::IpReputation),
            _ => None,
        });
        facility.map(Waits::Facility)
    }
}

impl RuleSet {
    /// How many rules wait, by what for, the most first.
    pub fn waiting(&self) -> Vec<(&'static str, usize)> {
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        for waits in self.rules.iter().filter_map(Rule::waits_for) {
            *counts.entry(waits.name()).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
        counts
    }
}
