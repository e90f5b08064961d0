//! From the workers' rings to the outputs: order, thresholds, records.

use crate::base::Time;
use crate::base::event::{Event, EventBody};
use crate::inspect::threshold::{Thresholds, applied_by_worker};
use crate::mgmt::control::NamedCount;
use crate::mgmt::eve::Merger;
use crate::mgmt::listening::Told;
use crate::mgmt::output::{self, Output};
use crate::mgmt::outputs::Renewed;
use crate::mgmt::profiler::Tap;
use crate::mgmt::rulebook::RuleBook;
use crate::mgmt::services::OutNotice;
use crate::mgmt::sink::SinkCounts;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What became of the events so far.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct EventTotals {
    /// Made by workers: put into a ring, or lost because it was full.
    pub sent: u64,
    pub lost: u64,
    /// Taken from the rings.
    pub taken: u64,
    /// Alerts that went to the outputs, and those that a threshold or suppression kept back.
    pub alerts: u64,
    pub suppressed: u64,
}

/// What the RPC is told of the event log, which another thread owns.
#[derive(Debug, Default)]
pub struct EventNumbers {
    pub sent: AtomicU64,
    pub lost: AtomicU64,
    pub alerts: AtomicU64,
    /// Bytes of lines that wait in memory, and outputs they may wait for.
    waiting: AtomicU64,
    open: AtomicU64,
    outputs: Mutex<Vec<(Arc<str>, SinkCounts)>>,
}

impl EventNumbers {
    pub fn publish(&self, log: &EventLog) {
        let totals = log.totals();
        self.sent.store(totals.sent, Ordering::Relaxed);
        self.lost.store(totals.lost, Ordering::Relaxed);
        self.alerts.store(totals.alerts, Ordering::Relaxed);
        let waiting: usize = log.outputs.iter().map(Output::waiting).sum();
        self.waiting.store(waiting as u64, Ordering::Relaxed);
        self.open.store(log.outputs.len() as u64, Ordering::Relaxed);
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.clear();
        outputs.extend(log.outputs.iter().map(|output| (Arc::clone(output.name()), output.counts())));
    }

    /// Bytes of lines that wait for outputs, and how many outputs there are.
    pub fn waiting(&self) -> (u64, u64) {
        (self.waiting.load(Ordering::Relaxed), self.open.load(Ordering::Relaxed))
    }

    pub fn counters(&self) -> Vec<NamedCount> {
        let mut list = vec![
            NamedCount::new("detect.alert", self.alerts.load(Ordering::Relaxed)),
            NamedCount::new("events.sent", self.sent.load(Ordering::Relaxed)),
            NamedCount::new("events.lost", self.lost.load(Ordering::Relaxed)),
        ];
        let outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        list.extend(outputs.iter().flat_map(|(name, counts)| output::named(name, *counts)));
        list
    }
}

/// Takes events from the rings and writes them. Owned by the management thread.
pub struct EventLog {
    merger: Merger,
    alerts: AlertGate,
    outputs: Vec<Output>,
    /// Clients of the RPC.
    listeners: Vec<Told>,
    taken: u64,
    /// Plugins that workers took out, for whoever looks after services.
    taken_out: Vec<OutNotice>,
    /// Who adds up what was seen.
    profiler: Option<Tap>,
}

impl EventLog {
    /// Without outputs the events are taken and counted, and go nowhere. `seed` is that of the thresholds' hash.
    pub fn new(merger: Merger, rules: RuleBook, outputs: Vec<Output>, seed: u64) -> EventLog {
        let alerts = AlertGate::new(rules, seed);
        EventLog {
            merger,
            alerts,
            outputs,
            listeners: Vec::new(),
            taken: 0,
            taken_out: Vec::new(),
            profiler: None,
        }
    }

    /// These are told of each event from now on, as long as they listen.
    pub fn tell(&mut self, fresh: Vec<Told>) {
        self.listeners.retain(|told| !told.has_left());
        self.listeners.extend(fresh);
    }

    /// From now on the profiler sees each event.
    pub fn profile(&mut self, tap: Tap) {
        self.profiler = Some(tap);
    }

    /// Empties the rings and writes what is due; how many events were handled. `now`: for flushes and names of files.
    pub fn turn(&mut self, now: Time) -> usize {
        self.outputs.iter_mut().for_each(|output| output.turn(now));
        let (alerts, outputs, out) = (&mut self.alerts, &mut self.outputs, &mut self.taken_out);
        let (profiler, listeners) = (self.profiler.as_ref(), &mut self.listeners);
        let handled = self.merger.turn(&mut |event, record| {
            profiler.iter().for_each(|tap| tap.see(event, record));
            if deliver(alerts, outputs, out, event, record) {
                listeners.iter_mut().for_each(|told| told.output.event(event, record));
            }
        });
        self.taken += handled as u64;
        handled
    }

    /// Plugins that misbehaved since the last call.
    pub fn taken_out(&mut self) -> Vec<OutNotice> {
        std::mem::take(&mut self.taken_out)
    }

    pub fn stats(&mut self, now: Time, uptime_secs: u64, counters: &[NamedCount]) {
        let (sent, lost) = self.merger.sent_and_lost();
        let mut counters = counters.to_vec();
        counters.extend([
            NamedCount::new("events.sent", sent),
            NamedCount::new("events.lost", lost),
            NamedCount::new("events.without_record", self.merger.bare()),
        ]);
        counters.extend(self.outputs.iter().flat_map(|output| output::named(output.name(), output.counts())));
        let listeners = self.listeners.iter_mut().map(|told| &mut told.output);
        self.outputs.iter_mut().chain(listeners).for_each(|output| output.stats(now, uptime_secs, &counters));
    }

    /// Goes on with these outputs; the others write what they have and go.
    pub fn renew(&mut self, outputs: Vec<Renewed>) {
        let mut old = std::mem::take(&mut self.outputs);
        let mut fresh = Vec::with_capacity(outputs.len());
        for output in outputs {
            match output {
                Renewed::New(output) => fresh.push(output),
                Renewed::Same(name) => {
                    let there = old.iter().position(|output| **output.name() == *name);
                    fresh.extend(there.map(|at| old.remove(at)));
                }
            }
        }
        for output in &mut old {
            output.finish();
        }
        self.outputs = fresh;
    }

    pub fn reopen(&mut self) {
        self.outputs.iter_mut().for_each(Output::reopen);
    }

    pub fn totals(&self) -> EventTotals {
        let (sent, lost) = self.merger.sent_and_lost();
        EventTotals {
            sent,
            lost,
            taken: self.taken,
            alerts: self.alerts.passed,
            suppressed: self.alerts.suppressed,
        }
    }

    /// A sentence for each output that lost lines.
    pub fn losses(&self) -> Vec<String> {
        let sentence = |output: &Output| {
            let SinkCounts { generated, lost, .. } = output.counts();
            let name = output.name();
            (lost > 0).then(|| format!("output {name}: {lost} of {generated} lines were lost"))
        };
        self.outputs.iter().filter_map(sentence).collect()
    }

    /// The workers have stopped: writes all that is left.
    pub fn finish(&mut self) -> EventTotals {
        let (alerts, outputs, out) = (&mut self.alerts, &mut self.outputs, &mut self.taken_out);
        let profiler = self.profiler.as_ref();
        let handled = self.merger.finish(&mut |event, record| {
            profiler.iter().for_each(|tap| tap.see(event, record));
            let _ = deliver(alerts, outputs, out, event, record); // nobody listens any more
        });
        self.taken += handled as u64;
        for output in &mut self.outputs {
            output.finish();
        }
        self.losses().iter().for_each(|loss| tracing::warn!("{loss}"));
        self.totals()
    }
}

/// Whether it is to be written.
fn deliver(
    alerts: &mut AlertGate,
    outputs: &mut [Output],
    out: &mut Vec<OutNotice>,
    event: &Event,
    record: &[u8],
) -> bool {
    if let EventBody::PluginOut { plugin, fault, worker } = event.body {
        out.push(OutNotice { plugin, fault, worker });
        return false;
    }
    if !alerts.admit(event) {
        return false;
    }
    outputs.iter_mut().for_each(|output| output.event(event, record));
    true
}

/// Counts of thresholds that run at once: 1 MiB.
const THRESHOLDS: usize = 1 << 16;

/// Thresholds of rules that only alert, in the order of the events: the workers send every match of those.
struct AlertGate {
    rules: RuleBook,
    thresholds: Thresholds,
    passed: u64,
    suppressed: u64,
}

impl AlertGate {
    fn new(rules: RuleBook, seed: u64) -> AlertGate {
        let thresholds = Thresholds::new(THRESHOLDS, seed).with_unique_ports();
        AlertGate { rules, thresholds, passed: 0, suppressed: 0 }
    }

    /// Whether the event is to be written. Events other than alerts always are.
    fn admit(&mut self, event: &Event) -> bool {
        let EventBody::Alert(alert) = &event.body else { return true };
        let sets = self.rules.sets();
        let limited = sets.rule(alert.generation, alert.rule).filter(|rule| !applied_by_worker(rule));
        let admitted = limited.is_none_or(|rule| {
            let (origin, name) = (&event.origin, (alert.generation, alert.rule));
            self.thresholds.check(name, rule, &origin.tuple, origin.flow_id, origin.time).alert
        });
        let count = if admitted { &mut self.passed } else { &mut self.suppressed };
        *count += 1;
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::{AlertEvent, AppNames, Origin, event_ring};
    use crate::base::{FlowTuple, Generation, RuleIndex};
    use crate::mgmt::eve::Order;
    use crate::rules::{Classifications, References, SourceFile, Vars, load};
    use std::sync::Arc;

    fn book(text: &str) -> RuleBook {
        let files = [SourceFile::new("t", text)];
        let (mut set, faults) =
            load(&files, &Vars::default(), &Classifications::default(), &References::default());
        assert!(faults.iter().all(|d| !d.is_fault()), "{faults:?}");
        set.generation = Generation(1);
        RuleBook::new(Arc::new(set), 0)
    }

    /// Sends a match of the only rule once a second; which packets' alerts pass.
    fn totals(rule: &str, matches: u64) -> EventTotals {
        let (mut sender, feed) = event_ring(64, false);
        let merger = Merger::new(vec![feed], Order::ByPacket);
        let mut log = EventLog::new(merger, book(rule), Vec::new(), 1);
        for packet in 1..=matches {
            let tuple = FlowTuple { proto: 6, ..FlowTuple::default() };
            let origin = Origin { packet, time: Time::from_secs(packet), tuple, ..Origin::default() };
            let (rule, generation) = (RuleIndex(0), Generation(1));
            let app = AppNames::default();
            let alert = AlertEvent {
                rule,
                generation,
                blocked: false,
                verdict: crate::base::event::PacketVerdict::default(),
                flow: None,
                app,
                tx: None,
                outer: None,
                notes: Default::default(),
                tx_proto: None,
                record: 0,
            };
            sender.send(Event { origin, body: EventBody::Alert(alert) });
        }
        assert_eq!(log.turn(Time::ZERO), 0, "nothing before the worker says how far it is");
        sender.set_watermark(matches);
        log.turn(Time::ZERO);
        log.finish()
    }

    #[test]
    fn a_limit_holds_back_alerts_of_a_rule_that_only_alerts() {
        let rule = "alert tcp any any -> any any (msg:\"m\"; threshold: type limit, track by_src, \
                    count 2, seconds 600; sid:1;)";
        let totals = totals(rule, 5);
        assert_eq!((totals.alerts, totals.suppressed, totals.taken, totals.sent), (2, 3, 5, 5));
    }

    #[test]
    fn alerts_of_a_rule_that_drops_were_counted_by_the_worker_and_all_pass() {
        let rule = "drop tcp any any -> any any (msg:\"m\"; threshold: type limit, track by_src, \
                    count 2, seconds 600; sid:1;)";
        let totals = totals(rule, 5);
        assert_eq!((totals.alerts, totals.suppressed), (5, 0));
    }

    #[test]
    fn what_finds_no_room_in_the_ring_is_counted_as_lost() {
        let rule = "alert tcp any any -> any any (msg:\"m\"; sid:1;)";
        let totals = totals(rule, 70);
        assert_eq!((totals.sent, totals.lost, totals.taken, totals.alerts), (64, 6, 64, 64));
    }
}
