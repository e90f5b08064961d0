//! The compiled rule set as packets meet it: groups by protocol, direction and port, and each rule's steps prepared.
//!
//! A packet asks at most three groups: that of rules for any port, that of its destination port and that of its source
//! port. Rules that name ports are filed under the side whose ports are fewer, unless their pattern is rare: those share the
//! sets for any port, each with a test of its ports. Rules of a header alone are found by address.

use super::apps::Apps;
use super::by_address::ByAddress;
use super::compiled::{Compiled, compile_rules};
use super::group::{Group, Plan, fast_pattern, reach_of};
use super::kind::{Class, Kind};
use super::matcher::{Matcher, TooLarge};
use super::port_map::{Members, PortMap};
use super::set::{Reach, Set};
use super::side::{Side, side};
use super::steps::Pcres;
use crate::app::Wanted;
use crate::base::ip_action::IpAction;
use crate::base::parallel;
use crate::base::{Dir, Family, FlowTuple, Generation, PerDir, RuleIndex};
use crate::rules::ruleset::{Action, HostBitTrack};
use crate::rules::{Rule, RuleSet, Windows};
use std::sync::Arc;

/// All groups that packets of one class and direction may meet.
#[derive(Debug, Default)]
struct Table<G = Group> {
    any: G,
    by_destination: PortMap<G>,
    by_source: PortMap<G>,
}

/// Immutable, shared by the workers (`Arc<Engine>`), swapped with its generation.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    /// By rule, in order.
    ip_actions: Box<[(RuleIndex, IpAction)]>,
    compiled: Box<[Compiled]>,
    tables: Box<[PerDir<Table>]>,
    /// Rules of a header alone, whatever the class and direction.
    ip_only: ByAddress,
    /// Rules over transactions, whatever the port.
    apps: Apps,
    pcres: Pcres,
    max_patterns: usize,
    reads_streams: bool,
    streams_touch_hosts: bool,
}

impl Engine {
    /// Takes all CPUs of the calling thread, for long with a large set: not on an lcore that forwards.
    pub fn compile(rules: Arc<RuleSet>) -> Result<Engine, TooLarge> {
        let (compiled, pcres) = compile_rules(&rules);
        let sides: Vec<_> = Class::ALL.iter().flat_map(|&class| Dir::BOTH.map(|dir| (class, dir))).collect();
        let plans = parallel::map(&sides, |&(class, dir)| build_table(&rules, &compiled, class, dir));
        let members = plans.iter().zip(&sides).flat_map(|(table, (class, _))| table.for_ports(*class));
        let members: Vec<(&Members, Class, bool)> = members.collect();
        let planned =
            parallel::map(&members, |(members, class, all)| Plan::of(&rules, members, *class, *all));
        let mut groups = Group::build_all(&planned, &rules.windows)?.into_iter();
        let mut next = || groups.next().unwrap_or_default();
        let mut filled = plans.into_iter().map(|plan| plan.filled(&mut next));
        let mut both = || PerDir([filled.next().unwrap_or_default(), filled.next().unwrap_or_default()]);
        let tables: Box<[PerDir<Table>]> = Class::ALL.iter().map(|_| both()).collect();
        let apps = Apps::build(&rules, &compiled)?;
        let ip_only = headers_alone(&rules, &compiled);
        let sets = tables.iter().flat_map(|t| &t.0).flat_map(Table::groups).flat_map(|g| &g.sets);
        let max_patterns = sets.chain(apps.all_sets()).map(Set::patterns).max().unwrap_or(0);
        let reads_streams = apps.reads_payload() || compiled.iter().any(Compiled::reads_stream);
        let mut both = rules.rules.iter().zip(&compiled);
        let streams_touch_hosts = both.any(|(rule, c)| c.reads_stream() && touches_hosts(rule));
        let ip_actions = ip_actions(&rules);
        Ok(Engine {
            rules,
            ip_actions,
            compiled,
            tables,
            ip_only,
            apps,
            pcres,
            max_patterns,
            reads_streams,
            streams_touch_hosts,
        })
    }

    /// Gives the set the windows of its matchers, to be saved: engines of it are made in less time. With a set that is too
    /// large nothing is changed.
    pub fn add_windows(set: &mut RuleSet) -> Result<(), TooLarge> {
        let rules = Arc::new(std::mem::take(set));
        let engine = Engine::compile(Arc::clone(&rules));
        let windows =
            engine.map(|engine| engine.matchers().filter_map(Matcher::windows).collect::<Windows>());
        *set = Arc::unwrap_or_clone(rules);
        set.windows = windows?;
        Ok(())
    }

    /// Whether some rule asks for an IP action.
    pub fn asks_ip_actions(&self) -> bool {
        !self.ip_actions.is_empty()
    }

    /// What a rule asks for beyond the packet that it matches.
    pub fn ip_action(&self, rule: RuleIndex) -> Option<&IpAction> {
        let at = self.ip_actions.binary_search_by_key(&rule.0, |(rule, _)| rule.0).ok()?;
        self.ip_actions.get(at).map(|(_, action)| action)
    }

    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    pub fn generation(&self) -> Generation {
        self.rules.generation
    }

    pub(crate) fn rule(&self, index: RuleIndex) -> Option<(&Rule, &Compiled)> {
        Some((self.rules.rule(index)?, self.compiled.get(index.index())?))
    }

    /// Whether any rule looks into streams; where none does, nothing need be put in order.
    pub fn reads_streams(&self) -> bool {
        self.reads_streams
    }

    pub(crate) fn reads_stream(&self, index: RuleIndex) -> bool {
        self.compiled.get(index.index()).is_some_and(Compiled::reads_stream)
    }

    /// The matchers of all groups that packets and transactions meet, for measurements.
    pub fn matchers(&self) -> impl Iterator<Item = &Matcher> {
        let groups = self.tables.iter().flat_map(|t| &t.0).flat_map(Table::groups);
        groups.flat_map(|group| &group.sets).chain(self.apps.all_sets()).filter_map(Set::matcher)
    }

    /// Whether any rule looks at what decoders yield, or asks for a session's protocol.
    pub fn uses_apps(&self) -> bool {
        self.apps.used()
    }

    /// Buffers that some rule looks into.
    pub fn wanted(&self) -> &Wanted {
        self.apps.wanted()
    }

    pub(crate) fn apps(&self) -> &Apps {
        &self.apps
    }

    pub(crate) fn pcres(&self) -> &Pcres {
        &self.pcres
    }

    pub(crate) fn max_patterns(&self) -> usize {
        self.max_patterns
    }

    /// Whether any rule that looks into streams reads or writes state keyed by host.
    pub fn streams_touch_hosts(&self) -> bool {
        self.streams_touch_hosts
    }

    /// The groups a packet meets.
    pub(crate) fn groups(
        &self,
        class: Class,
        dir: Dir,
        sport: u16,
        dport: u16,
    ) -> impl Iterator<Item = &Group> {
        let table = self.tables.get(class as usize).map(|t| &t[dir]);
        let any = table.map(|t| &t.any);
        let destination = table.and_then(|t| t.by_destination.get(dport));
        let source = table.and_then(|t| t.by_source.get(sport));
        [any, destination, source].into_iter().flatten()
    }

    /// All that packets of the class and direction may meet.
    pub(crate) fn groups_of(&self, class: Class, dir: Dir) -> impl Iterator<Item = &Group> {
        self.tables.get(class as usize).into_iter().flat_map(move |table| table[dir].groups())
    }

    /// Calls `candidate` for the rules of a header alone that a packet between these hosts may match, for some twice. They are
    /// evaluated once a direction.
    pub(crate) fn ip_only(
        &self,
        class: Class,
        family: Family,
        tuple: &FlowTuple,
        mut candidate: impl FnMut(RuleIndex),
    ) {
        self.ip_only.find(family, tuple.src, tuple.dst, |index| {
            if self.rules.rule(index).is_some_and(|rule| class.takes(rule.protocol)) {
                candidate(index);
            }
        });
    }
}

fn headers_alone(set: &RuleSet, compiled: &[Compiled]) -> ByAddress {
    let all = set.rules.iter().zip(compiled).enumerate();
    let alone = all.filter(|(_, (_, compiled))| compiled.kind == Kind::IpOnly);
    let alone: Vec<_> = alone.map(|(n, (rule, _))| (RuleIndex(n as u32), rule)).collect();
    ByAddress::build(&alone)
}

fn touches_hosts(rule: &Rule) -> bool {
    let counted = rule.threshold.is_some() || rule.detection_filter.is_some();
    let of_hosts = rule.host_bits.iter().any(|op| op.track != HostBitTrack::Transaction);
    of_hosts || (counted && rule.action != Action::Alert) || rule.rate_filter.is_some()
}

impl<G> Table<G> {
    fn groups(&self) -> impl Iterator<Item = &G> {
        std::iter::once(&self.any).chain(self.by_destination.groups()).chain(self.by_source.groups())
    }

    /// Each group, with the class and whether packets of all ports meet it.
    fn for_ports(&self, class: Class) -> impl Iterator<Item = (&G, Class, bool)> {
        let of_all = (&self.any, class, true);
        std::iter::once(of_all).chain(self.groups().skip(1).map(move |group| (group, class, false)))
    }

    /// The same table with what `next` gives in the order of [`groups`](Table::groups).
    fn filled<H>(self, next: &mut impl FnMut() -> H) -> Table<H> {
        let any = next();
        let (by_destination, by_source) = (self.by_destination.filled(next), self.by_source.filled(next));
        Table { any, by_destination, by_source }
    }
}

fn build_table(set: &RuleSet, compiled: &[Compiled], class: Class, dir: Dir) -> Table<Members> {
    let mut any = Vec::new();
    let (mut by_destination, mut by_source) = (Vec::new(), Vec::new());
    for (n, (rule, compiled)) in set.rules.iter().zip(compiled).enumerate() {
        let index = RuleIndex(n as u32);
        if matches!(compiled.kind, Kind::Waiting | Kind::Transaction | Kind::IpOnly)
            || !class.takes(rule.protocol)
            || rule.flow.dir.is_some_and(|d| d != dir)
        {
            continue;
        }
        match side(rule, class) {
            Side::Any => any.push(index),
            _ if shares_the_sets_of_all_ports(rule) => any.push(index),
            Side::Destination(ports) => by_destination.push((index, ports)),
            Side::Source(ports) => by_source.push((index, ports)),
        }
    }
    let by_destination = PortMap::build(&by_destination, &mut any);
    let by_source = PortMap::build(&by_source, &mut any);
    any.sort_unstable();
    Table { any, by_destination, by_source }
}

/// Looking for its pattern where it does not stand costs a packet next to nothing.
fn shares_the_sets_of_all_ports(rule: &Rule) -> bool {
    let anchored = matches!(reach_of(rule), Reach::At(_));
    fast_pattern(rule).is_some_and(|(_, pattern)| anchored || Matcher::is_rare(pattern))
}

/// The parser has refused what is wrong.
fn ip_actions(rules: &RuleSet) -> Box<[(RuleIndex, IpAction)]> {
    let asked = |(number, rule): (u32, &Rule)| {
        let pairs = rule.metadata.iter().map(|(key, value)| (&**key, &**value));
        Some((RuleIndex(number), crate::rules::ip_action::of(pairs).ok()??))
    };
    (0..).zip(&rules.rules).filter_map(asked).collect()
}
