//! `threshold:` and `detection_filter:`: how often a rule may fire for whom.
//!
//! A bounded table keyed by (rule, whom it tracks), pure but for the counts it keeps: time is the packet's. Management
//! applies it, in packet order, to rules that only alert; a worker to those whose action touches the packet
//! ([`applied_by_worker`]), because their verdict cannot wait.

use crate::base::key::mix;
use crate::base::{Family, FlowTuple, RuleIndex, Time};
use crate::rules::Rule;
use crate::rules::ruleset::{Action, Threshold, ThresholdKind, Track, UniqueOn};
use std::time::Duration;

/// Neighbouring entries among which a key is looked for: one or two cache lines' worth of work, full or not.
const WAYS: usize = 8;
/// Distinct ports remembered for one `unique_on` count: a set of bits over all ports.
const PORT_WORDS: usize = 65536 / 64;
/// Counts with `unique_on` that run at once; beyond, they give way in turn.
pub const MAX_UNIQUE: usize = 128;

/// Whose matches are counted together.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackKey {
    a: u128,
    b: u128,
    /// Keeps an IPv4 address from the IPv6 address of the same bits.
    family: Family,
}

impl TrackKey {
    pub fn new(track: Track, tuple: &FlowTuple, flow_id: u64) -> TrackKey {
        let family = tuple.family;
        match track {
            Track::BySource => TrackKey { a: tuple.src.0, b: 0, family },
            Track::ByDestination => TrackKey { a: tuple.dst.0, b: 0, family },
            // Both directions between two hosts are one pair.
            Track::ByBoth => {
                TrackKey { a: tuple.src.0.min(tuple.dst.0), b: tuple.src.0.max(tuple.dst.0), family }
            }
            Track::ByRule => TrackKey::default(),
            // A packet without session counts for its addresses.
            Track::ByFlow if flow_id == 0 => TrackKey::new(Track::ByBoth, tuple, 0),
            Track::ByFlow => TrackKey { a: u128::from(flow_id), b: u128::MAX, family },
        }
    }
}

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
    const QUIET: Decision = Decision { alert: false, act: true };
    const NOTHING: Decision = Decision { alert: false, act: false };
}

/// The threshold and the detection filter of a rule are two counts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Which {
    #[default]
    Threshold,
    Filter,
}

#[derive(Copy, Clone, Debug, Default)]
struct Entry {
    used: bool,
    which: Which,
    rule: RuleIndex,
    key: TrackKey,
    /// Start of the running window; zero-length windows never end.
    since: Time,
    window: Duration,
    count: u32,
    /// Backoff: the count at which it fires next.
    next: u64,
    /// `unique_on`: one more than the number of its port set.
    ports: u16,
}

impl Entry {
    fn expired(&self, now: Time) -> bool {
        !self.window.is_zero() && now.since(self.since) >= self.window
    }
}

/// Counts for one owner (a worker, or management).
pub struct Thresholds {
    entries: Box<[Entry]>,
    ports: Box<[PortSet]>,
    /// The port set that gives way next.
    hand: usize,
    /// Counts that gave way to a new key before their window had ended.
    pub evicted: u64,
}

struct PortSet {
    bits: Box<[u64; PORT_WORDS]>,
    /// Index of the entry that counts with it.
    owner: usize,
}

impl Thresholds {
    /// Room for `entries` counts (rounded up to a power of two).
    pub fn new(entries: usize) -> Thresholds {
        let size = entries.max(WAYS).next_power_of_two();
        Thresholds {
            entries: vec![Entry::default(); size].into(),
            ports: Box::default(),
            hand: 0,
            evicted: 0,
        }
    }

    /// Makes room for rules with `unique_on`: 1 MiB, so only where there are such rules.
    pub fn with_unique_ports(mut self) -> Thresholds {
        let set = || PortSet { bits: Box::new([0; PORT_WORDS]), owner: usize::MAX };
        self.ports = (0..MAX_UNIQUE).map(|_| set()).collect();
        self
    }

    /// Forgets all: rule numbers mean something else in a new generation.
    pub fn clear(&mut self) {
        self.entries.fill(Entry::default());
    }

    /// Counts a match of `rule` by a packet at `now` and says what it may do. `threshold` and then `detection_filter`
    /// are both asked, as in Suricata each rule has one of them.
    pub fn check(
        &mut self,
        index: RuleIndex,
        rule: &Rule,
        tuple: &FlowTuple,
        flow_id: u64,
        now: Time,
    ) -> Decision {
        let mut decision = Decision::FIRE;
        for (which, threshold) in
            [(Which::Filter, &rule.detection_filter), (Which::Threshold, &rule.threshold)]
        {
            let Some(threshold) = threshold else { continue };
            let key = TrackKey::new(threshold.track, tuple, flow_id);
            let one = self.count(which, threshold, (index, key), tuple, now);
            decision = Decision { alert: decision.alert && one.alert, act: decision.act && one.act };
            if !decision.act {
                break;
            }
        }
        decision
    }

    fn count(
        &mut self,
        which: Which,
        threshold: &Threshold,
        (rule, key): (RuleIndex, TrackKey),
        tuple: &FlowTuple,
        now: Time,
    ) -> Decision {
        let at = self.find(which, threshold, rule, key, now);
        let Some(entry) = self.entries.get_mut(at) else { return Decision::FIRE };
        if entry.expired(now) {
            (entry.since, entry.count) = (now, 0);
            if let Some(set) = usize::from(entry.ports).checked_sub(1).and_then(|n| self.ports.get_mut(n)) {
                set.bits.fill(0);
            }
        }
        let new = match threshold.unique_on {
            None => true,
            Some(UniqueOn::SourcePort) => insert(&mut self.ports, entry, tuple.sport),
            Some(UniqueOn::DestinationPort) => insert(&mut self.ports, entry, tuple.dport),
        };
        entry.count = entry.count.saturating_add(u32::from(new));
        decide(threshold, entry)
    }

    /// The key's entry: known, or made in a free, an ended or else the oldest place of its set.
    fn find(
        &mut self,
        which: Which,
        threshold: &Threshold,
        rule: RuleIndex,
        key: TrackKey,
        now: Time,
    ) -> usize {
        let fold = |v: u128| (v as u64) ^ ((v >> 64) as u64);
        let hash = mix(fold(key.a) ^ mix(fold(key.b) ^ u64::from(rule.0) << 1 ^ which as u64));
        let first = (hash as usize & (self.entries.len() - 1)) & !(WAYS - 1);
        let ways = first..first + WAYS;
        let same = |e: &Entry| e.used && e.rule == rule && e.which == which && e.key == key;
        if let Some(at) = ways.clone().find(|&at| self.entries.get(at).is_some_and(same)) {
            return at;
        }
        let rank = |e: &Entry| (e.used && !e.expired(now), e.used, e.since);
        let at = ways.min_by_key(|&at| self.entries.get(at).map(rank)).unwrap_or(first);
        let ports = if threshold.unique_on.is_some() { self.take_ports(at) } else { 0 };
        if let Some(entry) = self.entries.get_mut(at) {
            self.evicted += u64::from(entry.used && !entry.expired(now));
            let window =
                if which == Which::Threshold && matches!(threshold.kind, ThresholdKind::Backoff { .. }) {
                    Duration::ZERO
                } else {
                    threshold.window
                };
            let next = u64::from(threshold.count.max(1));
            *entry = Entry { used: true, which, rule, key, since: now, window, count: 0, next, ports };
        }
        at
    }

    /// The next port set in turn, emptied, for entry `owner`; its former owner counts every match from then on.
    fn take_ports(&mut self, owner: usize) -> u16 {
        let n = self.hand;
        let Some(set) = self.ports.get_mut(n) else { return 0 };
        let (number, former) = (n as u16 + 1, std::mem::replace(&mut set.owner, owner));
        set.bits.fill(0);
        self.hand = (n + 1) % self.ports.len();
        if let Some(entry) = self.entries.get_mut(former).filter(|e| e.ports == number) {
            entry.ports = 0;
        }
        number
    }
}

/// Whether the port is new to the entry's set. Without a set, every match counts.
fn insert(ports: &mut [PortSet], entry: &Entry, port: u16) -> bool {
    let Some(set) = usize::from(entry.ports).checked_sub(1).and_then(|n| ports.get_mut(n)) else {
        return true;
    };
    let Some(word) = set.bits.get_mut(usize::from(port) / 64) else { return true };
    let bit = 1u64 << (port % 64);
    let new = *word & bit == 0;
    *word |= bit;
    new
}

fn decide(threshold: &Threshold, entry: &mut Entry) -> Decision {
    let (count, at) = (entry.count, threshold.count.max(1));
    match threshold.kind {
        ThresholdKind::Limit if count <= at => Decision::FIRE,
        ThresholdKind::Limit => Decision::QUIET,
        ThresholdKind::Threshold if count >= at => {
            entry.count = 0;
            Decision::FIRE
        }
        ThresholdKind::Both if count == at => Decision::FIRE,
        ThresholdKind::Both if count > at => Decision::QUIET,
        ThresholdKind::Backoff { multiplier } if u64::from(count) == entry.next => {
            entry.next = entry.next.saturating_mul(u64::from(multiplier.max(1)));
            Decision::FIRE
        }
        // Silent until the first alert, then acting in silence between alerts.
        ThresholdKind::Backoff { .. } if count > at => Decision::QUIET,
        ThresholdKind::DetectionFilter if count > threshold.count => Decision::FIRE,
        _ => Decision::NOTHING,
    }
}

/// Whose [`Thresholds`] limit a rule's alerts: a worker's where the action touches the packet; else management's, to
/// which the worker sends every match.
pub fn applied_by_worker(rule: &Rule) -> bool {
    !matches!(rule.action, Action::Alert | Action::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Addr;
    use crate::inspect::fixture;

    const RULE: RuleIndex = RuleIndex(7);

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
    fn seconds(table: &mut Thresholds, rule: &Rule, times: std::ops::Range<u64>) -> String {
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
            (ThresholdKind::DetectionFilter, 3, 100, "...AAAAAAAAA"),
            (ThresholdKind::DetectionFilter, 3, 5, "...AA...AA.."),
        ];
        for (kind, count, window, expected) in cases {
            let got = seconds(&mut Thresholds::new(64), &rule(kind, count, window), 0..12);
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
        let key = |track, src, dst| TrackKey::new(track, &tuple(src, dst), 9);
        assert_ne!(key(Track::BySource, 1, 2), key(Track::BySource, 3, 2));
        assert_eq!(key(Track::BySource, 1, 2), key(Track::BySource, 1, 3));
        assert_eq!(key(Track::ByBoth, 1, 2), key(Track::ByBoth, 2, 1));
        assert_eq!(key(Track::ByRule, 1, 2), key(Track::ByRule, 3, 4));
        assert_eq!(key(Track::ByFlow, 1, 2), key(Track::ByFlow, 3, 4));
        let six = FlowTuple { family: Family::V6, ..tuple(1, 2) };
        assert_ne!(TrackKey::new(Track::BySource, &six, 0), key(Track::BySource, 1, 2));
    }

    #[test]
    fn a_full_table_forgets_the_oldest_and_says_so() {
        let mut table = Thresholds::new(WAYS);
        let rule = rule(ThresholdKind::Limit, 1, 1000);
        let from = |n: u64| FlowTuple { src: Addr(n.into()), ..FlowTuple::default() };
        for n in 0..WAYS as u64 {
            assert!(table.check(RULE, &rule, &from(n), 0, Time::from_secs(n)).alert);
        }
        assert!(!table.check(RULE, &rule, &from(0), 0, Time::from_secs(20)).alert);
        assert!(table.check(RULE, &rule, &from(99), 0, Time::from_secs(20)).alert);
        assert_eq!(table.evicted, 1);
        assert!(table.check(RULE, &rule, &from(0), 0, Time::from_secs(21)).alert, "0 was the oldest");
        assert!(!table.check(RULE, &rule, &from(7), 0, Time::from_secs(22)).alert, "7 is still known");
    }

    #[test]
    fn unique_on_counts_distinct_ports_only() {
        let mut table = Thresholds::new(64).with_unique_ports();
        let mut rule = rule(ThresholdKind::DetectionFilter, 2, 60);
        rule.detection_filter.as_mut().unwrap().unique_on = Some(UniqueOn::SourcePort);
        let mut fires = |sport, t| {
            let tuple = FlowTuple { sport, ..FlowTuple::default() };
            table.check(RULE, &rule, &tuple, 0, Time::from_secs(t)).alert
        };
        assert_eq!([fires(1, 0), fires(1, 1), fires(2, 2), fires(2, 3)], [false; 4]);
        assert!(fires(3, 4));
        assert!(!fires(4, 61), "the window has ended");
    }
}
