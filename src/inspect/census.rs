//! How the rules of an engine are grouped, in figures: what a packet or a transaction meets before any pattern is searched.

use super::engine::Engine;
use super::group::Group;
use super::kind::Class;
use crate::base::{Dir, PerDir, RuleIndex};
use crate::rules::app::AppProto;
use std::collections::BTreeSet;

/// The groups of one class, of both directions.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct GroupFigures {
    pub class: Class,
    /// That hold a rule.
    pub groups: usize,
    pub rules_mean: f64,
    pub rules_max: usize,
    /// Rules that no fast pattern announces: evaluated for each packet of the group.
    pub bare_mean: f64,
    pub bare_max: usize,
}

/// The rules over one protocol's transactions that no fast pattern announces: evaluated for each transaction, by the
/// direction in which it is looked at.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ProtocolFigures {
    pub proto: AppProto,
    pub bare: PerDir<usize>,
    /// Only where a transaction has an event.
    pub on_events: PerDir<usize>,
}

impl Engine {
    /// By class, without classes that have no rules. Takes a while for a large set.
    pub fn group_figures(&self) -> Vec<GroupFigures> {
        Class::ALL.into_iter().filter_map(|class| self.figures_of(class)).collect()
    }

    fn figures_of(&self, class: Class) -> Option<GroupFigures> {
        let groups = Dir::BOTH.into_iter().flat_map(|dir| self.groups_of(class, dir));
        let sizes: Vec<(usize, usize)> =
            groups.map(|group| (rules_of(group), group.bare.len())).filter(|(rules, _)| *rules > 0).collect();
        if sizes.is_empty() {
            return None;
        }
        let mean = |sum: usize| sum as f64 / sizes.len() as f64;
        Some(GroupFigures {
            class,
            groups: sizes.len(),
            rules_mean: mean(sizes.iter().map(|(rules, _)| rules).sum()),
            rules_max: sizes.iter().map(|(rules, _)| *rules).max().unwrap_or(0),
            bare_mean: mean(sizes.iter().map(|(_, bare)| bare).sum()),
            bare_max: sizes.iter().map(|(_, bare)| *bare).max().unwrap_or(0),
        })
    }

    /// By protocol, without protocols that have no such rules.
    pub fn protocol_figures(&self) -> Vec<ProtocolFigures> {
        let apps = self.apps();
        let figures = AppProto::ALL.iter().map(|&proto| ProtocolFigures {
            proto,
            bare: PerDir(Dir::BOTH.map(|dir| apps.bare(dir, proto).len())),
            on_events: PerDir(Dir::BOTH.map(|dir| apps.on_events(dir, proto).len())),
        });
        figures.filter(|f| f.bare.0.iter().chain(&f.on_events.0).any(|n| *n > 0)).collect()
    }
}

/// A rule may be filed in several of its sets.
fn rules_of(group: &Group) -> usize {
    let filed = group.sets.iter().flat_map(|set| set.rules()).chain(group.bare.iter().map(|bare| &bare.rule));
    filed.collect::<BTreeSet<&RuleIndex>>().len()
}
