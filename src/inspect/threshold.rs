//! `threshold:` and `detection_filter:`: how often a rule may fire for whom.
//!
//! A bounded table keyed by (rule, whom it tracks), which any number of lcores may write; time is the packet's. Management
//! has one of its own, for rules that only alert, applied in packet order; the workers share one ([`HostState`]) for rules
//! whose action touches the packet ([`applied_by_worker`]), because their verdict cannot wait.
//!
//! [`HostState`]: super::HostState

use super::hosts::key::{Hasher, HostKey, What};
use super::hosts::ports::PortSets;
use super::hosts::table::{MAX_COUNT, Table, Value};
use crate::base::{FlowTuple, Generation, RuleIndex, Time};
use crate::rules::Rule;
use crate::rules::ruleset::{Action, RateFilter, Threshold, ThresholdKind, UniqueOn};
use std::time::Duration;

/// A count whose window never ends gives way to others as if it had so long to go after its last match.
const ENDLESS: Duration = Duration::from_secs(3600);

/// What one match may do.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Written as an alert.
    pub alert: bool,
    /// The action (drop, reject, pass) is taken.
    pub act: bool,
}

impl Decision {
    const FIRE: Decision = Decision { alert: true, act: true };
    /// Beyond a limit the action still holds, in silence.
    pub(super) const QUIET: Decision = Decision { alert: false, act: true };
    const NOTHING: Decision = Decision { alert: false, act: false };
}

/// Counts of one owner, or of several who share them.
pub struct Thresholds {
    table: Table,
    ports: Option<PortSets>,
    hasher: Hasher,
}

impl Thresholds {
    /// Room for `entries` counts (rounded up to a power of two).
    pub fn new(entries: usize, seed: u64) -> Thresholds {
        Thresholds { table: Table::new(entries), ports: None, hasher: Hasher::new(seed) }
    }

    /// Makes room for rules with `unique_on`, without which they count every match.
    pub fn with_unique_ports(mut self) -> Thresholds {
        self.ports = Some(PortSets::new());
        self
    }

    /// Counts that gave way to a new key before their window had ended.
    pub fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    pub(super) fn contended(&self) -> u64 {
        self.table.contended()
    }

    /// Counts a match of `rule` by a packet at `now` and says what it may do. `detection_filter` and then `threshold`
    /// are both asked, as in Suricata each rule has one of them.
    pub fn check(
        &self,
        (generation, index): (Generation, RuleIndex),
        rule: &Rule,
        tuple: &FlowTuple,
        flow_id: u64,
        now: Time,
    ) -> Decision {
        let mut decision = Decision::FIRE;
        for (what, threshold) in [(What::Filter, &rule.detection_filter), (What::Threshold, &rule.threshold)]
        {
            let Some(threshold) = threshold else { continue };
            let host = HostKey::new(threshold.track, tuple, flow_id);
            let hash = self.hasher.hash(what, generation, index.0, &host);
            let one = self.count(hash, threshold, tuple, now);
            decision = Decision { alert: decision.alert && one.alert, act: decision.act && one.act };
            if !decision.act {
                break;
            }
        }
        decision
    }

    /// Counts a match and says which action it takes: the rule's own, or that of its rate filter while it is in force.
    /// It comes into force at the first match beyond its count, as Suricata's does.
    pub fn action(
        &self,
        (generation, index): (Generation, RuleIndex),
        (own, filter): (Action, &RateFilter),
        tuple: &FlowTuple,
        flow_id: u64,
        now: Time,
    ) -> Action {
        let host = HostKey::new(filter.track, tuple, flow_id);
        let hash = |what| self.hasher.hash(what, generation, index.0, &host);
        if self.table.get(hash(What::RateInForce)).is_some_and(|value| value.until > now) {
            return filter.action;
        }
        let mut count = 0;
        self.table.update(hash(What::Rate), now, |before| {
            let new = Value { until: now.plus(filter.window), count: 0 };
            let mut value = before.filter(|value| value.until > now).unwrap_or(new);
            value.count = value.count.saturating_add(1).min(MAX_COUNT);
            count = value.count;
            value
        });
        if count <= filter.count.min(MAX_COUNT - 1) {
            return own;
        }
        self.table.remove(hash(What::Rate));
        let until = now.plus(filter.timeout);
        self.table.update(hash(What::RateInForce), now, |_| Value { until, count: 1 });
        filter.action
    }

    fn count(&self, hash: u64, threshold: &Threshold, tuple: &FlowTuple, now: Time) -> Decision {
        let new = self.is_new(hash, threshold, tuple, now);
        let mut decision = Decision::FIRE;
        // Where others keep the count from being changed, the match fires: rather once too often than never.
        self.table.update(hash, now, |before| {
            let mut value = running(threshold, before, now);
            value.count = value.count.saturating_add(u32::from(new)).min(MAX_COUNT);
            decision = decide(threshold, value.count);
            if threshold.kind == ThresholdKind::Threshold && decision.act {
                value.count = 0;
            }
            value
        });
        decision
    }

    /// Whether the match counts: with `unique_on`, only if its port is new in this window.
    fn is_new(&self, hash: u64, threshold: &Threshold, tuple: &FlowTuple, now: Time) -> bool {
        let (Some(ports), Some(unique_on)) = (&self.ports, threshold.unique_on) else { return true };
        let until = running(threshold, self.table.get(hash), now).until;
        let port = match unique_on {
            UniqueOn::SourcePort => tuple.sport,
            UniqueOn::DestinationPort => tuple.dport,
        };
        ports.insert(hash, until, now, port)
    }
}

/// The running window's count so far: that of before, or a new one.
fn running(threshold: &Threshold, before: Option<Value>, now: Time) -> Value {
    // A backoff has no window: it counts for good.
    if threshold.window.is_zero() {
        return Value { until: now.plus(ENDLESS), count: before.map_or(0, |value| value.count) };
    }
    let new = Value { until: now.plus(threshold.window), count: 0 };
    before.filter(|value| value.until > now).unwrap_or(new)
}

fn decide(threshold: &Threshold, count: u32) -> Decision {
    // Beyond what is counted, nothing would ever fire.
    let at = threshold.count.clamp(1, MAX_COUNT - 1);
    match threshold.kind {
        ThresholdKind::Limit if count <= at => Decision::FIRE,
        ThresholdKind::Limit => Decision::QUIET,
        ThresholdKind::Threshold if count >= at => Decision::FIRE,
        ThresholdKind::Both if count == at => Decision::FIRE,
        ThresholdKind::Both if count > at => Decision::QUIET,
        ThresholdKind::Backoff { multiplier } if backs_off_to(count, at, multiplier) => Decision::FIRE,
        // Silent until the first alert, then acting in silence between alerts.
        ThresholdKind::Backoff { .. } if count > at => Decision::QUIET,
        ThresholdKind::DetectionFilter if count > threshold.count.min(at) => Decision::FIRE,
        _ => Decision::NOTHING,
    }
}

/// Whether a backoff fires at this count: at the first, and then at each that is so many times the one before.
fn backs_off_to(count: u32, first: u32, multiplier: u32) -> bool {
    let mut next = u64::from(first);
    while multiplier > 1 && next < u64::from(count) {
        next *= u64::from(multiplier);
    }
    next == u64::from(count) && count < MAX_COUNT
}

/// Whose [`Thresholds`] limit a rule's alerts: the workers' where the action touches the packet, or may come to by a rate
/// filter; else management's, to which the worker sends every match.
pub fn applied_by_worker(rule: &Rule) -> bool {
    !matches!(rule.action, Action::Alert | Action::Pass) || rule.rate_filter.is_some()
}

#[cfg(test)]
mod tests {
    use super::super::hosts::table::WAYS;
    use super::*;
    use crate::base::{Addr, Family};
    use crate::inspect::fixture;
    use crate::rules::ruleset::Track;

    const RULE: (Generation, RuleIndex) = (Generation(1), RuleIndex(7));

    fn rule(kind: ThresholdKind, count: u32, seconds: u64) -> Rule {
        let window = Duration::from_secs(seconds);
        let threshold = Threshold { kind, track: Track::BySource, count, window, unique_on: None };
        let mut rule = fixture::rule(1, Action::Drop);
        match kind {
            ThresholdKind::DetectionFilter => rule.detection_filter = Some(threshold),
            _ => rule.threshold = Some(threshold),
        }
        rule
    }

    /// One match a second, from one source: `A` alert, `q` acts in silence, `.` nothing.
    fn seconds(table: &Thresholds, rule: &Rule, times: std::ops::Range<u64>) -> String {
        let letter = |d| match d {
            Decision { alert: true, .. } => 'A',
            Decision { act: true, .. } => 'q',
            _ => '.',
        };
        let one = |t| letter(table.check(RULE, rule, &FlowTuple::default(), 1, Time::from_secs(t)));
        times.map(one).collect()
    }

    #[test]
    fn each_kind_fires_when_suricata_documents_it() {
        let cases = [
            (ThresholdKind::Limit, 2, 5, "AAqqqAAqqqAA"),
            (ThresholdKind::Threshold, 3, 100, "..A..A..A..A"),
            (ThresholdKind::Threshold, 3, 2, "............"),
            (ThresholdKind::Threshold, 1, 5, "AAAAAAAAAAAA"),
            (ThresholdKind::Both, 3, 5, "..Aqq..Aqq.."),
            (ThresholdKind::Backoff { multiplier: 2 }, 1, 0, "AAqAqqqAqqqq"),
            (ThresholdKind::Backoff { multiplier: 3 }, 2, 0, ".AqqqAqqqqqq"),
            (ThresholdKind::Backoff { multiplier: 1 }, 2, 0, ".Aqqqqqqqqqq"),
            (ThresholdKind::DetectionFilter, 3, 100, "...AAAAAAAAA"),
            (ThresholdKind::DetectionFilter, 3, 5, "...AA...AA.."),
        ];
        for (kind, count, window, expected) in cases {
            let got = seconds(&Thresholds::new(64, 1), &rule(kind, count, window), 0..12);
            assert_eq!(got, expected, "{kind:?} {count} in {window} s");
        }
    }

    #[test]
    fn sources_count_apart_and_a_pair_counts_both_ways() {
        let tuple = |src: u32, dst: u32| FlowTuple {
            src: Addr(src.into()),
            dst: Addr(dst.into()),
            ..FlowTuple::default()
        };
        let key = |track, src, dst| HostKey::new(track, &tuple(src, dst), 9);
        assert_ne!(key(Track::BySource, 1, 2), key(Track::BySource, 3, 2));
        assert_eq!(key(Track::BySource, 1, 2), key(Track::BySource, 1, 3));
        assert_eq!(key(Track::ByBoth, 1, 2), key(Track::ByBoth, 2, 1));
        assert_eq!(key(Track::ByRule, 1, 2), key(Track::ByRule, 3, 4));
        assert_eq!(key(Track::ByFlow, 1, 2), key(Track::ByFlow, 3, 4));
        let six = FlowTuple { family: Family::V6, ..tuple(1, 2) };
        assert_ne!(HostKey::new(Track::BySource, &six, 0), key(Track::BySource, 1, 2));
    }

    #[test]
    fn a_full_table_forgets_the_oldest_and_says_so() {
        let table = Thresholds::new(WAYS, 1);
        let rule = rule(ThresholdKind::Limit, 1, 1000);
        let from = |n: u64| FlowTuple { src: Addr(n.into()), ..FlowTuple::default() };
        for n in 0..WAYS as u64 {
            assert!(table.check(RULE, &rule, &from(n), 0, Time::from_secs(n)).alert);
        }
        assert!(!table.check(RULE, &rule, &from(0), 0, Time::from_secs(20)).alert);
        assert!(table.check(RULE, &rule, &from(99), 0, Time::from_secs(20)).alert);
        assert_eq!(table.evicted(), 1);
        assert!(table.check(RULE, &rule, &from(0), 0, Time::from_secs(21)).alert, "0 was the oldest");
        assert!(!table.check(RULE, &rule, &from(7), 0, Time::from_secs(22)).alert, "7 is still known");
    }

    #[test]
    fn unique_on_counts_distinct_ports_only() {
        let table = Thresholds::new(64, 1).with_unique_ports();
        let mut rule = rule(ThresholdKind::DetectionFilter, 2, 60);
        rule.detection_filter.as_mut().unwrap().unique_on = Some(UniqueOn::SourcePort);
        let fires = |sport, t| {
            let tuple = FlowTuple { sport, ..FlowTuple::default() };
            table.check(RULE, &rule, &tuple, 0, Time::from_secs(t)).alert
        };
        assert_eq!([fires(1, 0), fires(1, 1), fires(2, 2), fires(2, 3)], [false; 4]);
        assert!(fires(3, 4));
        assert!(!fires(4, 61), "the window has ended");
    }
}
