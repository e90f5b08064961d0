//! From the workers' rings to the outputs: order, thresholds, records.

use crate::base::Time;
use crate::base::event::{Event, EventBody};
use crate::mgmt::control::NamedCount;
use crate::mgmt::eve::{Eve, Merger, SinkCounts};
use crate::mgmt::rulebook::RuleBook;
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
}

impl EventLog {
    /// Without `eve` the events are taken and counted, and go nowhere.
    pub fn new(merger: Merger, rules: RuleBook, eve: Option<Eve>, flush_interval: Duration) -> EventLog {
        let alerts = AlertGate { rules, passed: 0, suppressed: 0 };
        EventLog { merger, alerts, eve, flush_interval, flushed: Time::ZERO, taken: 0 }
    }

    /// Empties the rings and writes what is due; how many events were handled. `now` only times the flush.
    pub fn turn(&mut self, now: Time) -> usize {
        let (alerts, eve) = (&mut self.alerts, &mut self.eve);
        let handled = self.merger.turn(&mut |event| deliver(alerts, eve, &event));
        self.taken += handled as u64;
        if now.since(self.flushed) >= self.flush_interval {
            self.flushed = now;
            self.flush();
        }
        handled
    }

    pub fn stats(&mut self, now: Time, uptime_secs: u64, counters: &[NamedCount]) {
        if let Some(eve) = &mut self.eve {
            eve.stats(now, uptime_secs, counters);
        }
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
        let (alerts, eve) = (&mut self.alerts, &mut self.eve);
        let handled = self.merger.finish(&mut |event| deliver(alerts, eve, &event));
        self.taken += handled as u64;
        if let Some(eve) = &mut self.eve {
            eve.finish();
        }
        self.totals()
    }
}

fn deliver(alerts: &mut AlertGate, eve: &mut Option<Eve>, event: &Event) {
    if !alerts.admit(event) {
        return;
    }
    if let Some(eve) = eve {
        eve.event(event);
    }
}

/// Thresholds of rules that only alert, in the order of the events: the workers emit every match.
struct AlertGate {
    rules: RuleBook,
    passed: u64,
    suppressed: u64,
}

impl AlertGate {
    /// Whether the event is to be written. Events other than alerts always are.
    fn admit(&mut self, event: &Event) -> bool {
        let EventBody::Alert(_alert) = &event.body else { return true };
        self.passed += 1;
        true
    }
}
