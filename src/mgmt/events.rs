//! From the workers' rings to the outputs: order, thresholds, records.

use crate::base::Time;
use crate::base::event::{Event, EventBody};
use crate::inspect::threshold::{Thresholds, applied_by_worker};
use crate::mgmt::control::NamedCount;
use crate::mgmt::eve::{Eve, Merger, SinkCounts};
use crate::mgmt::rulebook::RuleBook;
use crate::mgmt::services::OutNotice;
use std::time::Duration;

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
    pub eve: SinkCounts,
}

/// Takes events from the rings and writes them. Owned by the management thread.
pub struct EventLog {
    merger: Merger,
    alerts: AlertGate,
    eve: Option<Eve>,
    flush_interval: Duration,
    flushed: Time,
    taken: u64,
    /// Plugins that workers took out, for whoever looks after services.
    taken_out: Vec<OutNotice>,
}

impl EventLog {
    /// Without `eve` the events are taken and counted, and go nowhere. `seed` is that of the thresholds' hash.
    pub fn new(
        merger: Merger,
        rules: RuleBook,
        eve: Option<Eve>,
        flush_interval: Duration,
        seed: u64,
    ) -> EventLog {
        let alerts = AlertGate::new(rules, seed);
        EventLog { merger, alerts, eve, flush_interval, flushed: Time::ZERO, taken: 0, taken_out: Vec::new() }
    }

    /// Empties the rings and writes what is due; how many events were handled. `now` only times the flush.
    pub fn turn(&mut self, now: Time) -> usize {
        let (alerts, eve, out) = (&mut self.alerts, &mut self.eve, &mut self.taken_out);
        let handled = self.merger.turn(&mut |event, record| deliver(alerts, eve, out, event, record));
        self.taken += handled as u64;
        if now.since(self.flushed) >= self.flush_interval {
            self.flushed = now;
            self.flush();
        }
        handled
    }

    /// Plugins that misbehaved since the last call.
    pub fn taken_out(&mut self) -> Vec<OutNotice> {
        std::mem::take(&mut self.taken_out)
    }

    pub fn stats(&mut self, now: Time, uptime_secs: u64, counters: &[NamedCount]) {
        let Some(eve) = &mut self.eve else { return };
        let (sent, lost) = self.merger.sent_and_lost();
        let own = [
            NamedCount::new("events.sent", sent),
            NamedCount::new("events.lost", lost),
            NamedCount::new("events.without_record", self.merger.bare()),
        ];
        eve.stats(now, uptime_secs, &[counters, &own].concat());
    }

    pub fn flush(&mut self) {
        if let Some(eve) = &mut self.eve {
            eve.flush();
        }
    }

    pub fn reopen(&mut self) {
        if let Some(eve) = &mut self.eve {
            eve.reopen();
        }
    }

    pub fn totals(&self) -> EventTotals {
        let (sent, lost) = self.merger.sent_and_lost();
        EventTotals {
            sent,
            lost,
            taken: self.taken,
            alerts: self.alerts.passed,
            suppressed: self.alerts.suppressed,
            eve: self.eve.as_ref().map(Eve::counts).unwrap_or_default(),
        }
    }

    /// The workers have stopped: writes all that is left.
    pub fn finish(&mut self) -> EventTotals {
        let (alerts, eve, out) = (&mut self.alerts, &mut self.eve, &mut self.taken_out);
        let handled = self.merger.finish(&mut |event, record| deliver(alerts, eve, out, event, record));
        self.taken += handled as u64;
        if let Some(eve) = &mut self.eve {
            eve.finish();
        }
        self.totals()
    }
}

fn deliver(
    alerts: &mut AlertGate,
    eve: &mut Option<Eve>,
    out: &mut Vec<OutNotice>,
    event: &Event,
    record: &[u8],
) {
    if let EventBody::PluginOut { plugin, fault, worker } = event.body {
        out.push(OutNotice { plugin, fault, worker });
        return;
    }
    if !alerts.admit(event) {
        return;
    }
    if let Some(eve) = eve {
        eve.event(event, record);
    }
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
        RuleBook::new(Arc::new(set))
    }

    /// Sends a match of the only rule once a second; which packets' alerts pass.
    fn totals(rule: &str, matches: u64) -> EventTotals {
        let (mut sender, feed) = event_ring(64, false);
        let merger = Merger::new(vec![feed], Order::ByPacket);
        let mut log = EventLog::new(merger, book(rule), None, Duration::from_secs(1), 1);
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
