//! eve.json: events in the field names and types that Suricata gives them.

mod anomaly;
mod app;
mod dropped;
pub mod merge;
mod netflow;
pub mod record;
pub mod stats;
pub mod time;
mod tunnel;
mod verdict;

#[cfg(test)]
mod tests;

pub use merge::{Merger, Order};
pub use record::{Ends, Medium, known_proto, proto_name};
pub use stats::nested;
pub use time::Stamp;

use crate::base::event::{AppEvent, AppKind, Event, EventBody, FinalAction, Origin, PacketVerdict};
use crate::base::{Dir, Generation, RuleIndex, Time};
use crate::mgmt::config::EventType;
use crate::mgmt::control::NamedCount;
use crate::mgmt::output::Format;
use crate::mgmt::rulebook::RuleBook;
use anomaly::AnomalyPart;
use app::Form;
use dropped::DropPart;
use netflow::NetflowPart;
use record::{AlertPart, Record};
use serde::Serialize;
use tunnel::TunnelPart;
use verdict::VerdictPart;

/// What the records are made with.
#[derive(Clone, Debug)]
pub struct Style {
    pub types: Vec<EventType>,
    pub medium: Medium,
    /// Names of the ports, by number.
    pub ports: Vec<String>,
    pub rule_text: bool,
    /// Alerts say what became of their packet.
    pub verdict: bool,
}

/// Turns events into lines.
pub struct Eve {
    style: Style,
    rules: RuleBook,
}

impl Eve {
    pub fn new(style: Style, rules: RuleBook) -> Eve {
        Eve { style, rules }
    }
}

impl Format for Eve {
    fn event(&mut self, event: &Event, record: &[u8], line: &mut Vec<u8>) -> Option<&'static str> {
        let kind = type_of(event).filter(|kind| self.style.types.contains(kind))?;
        let sets = self.rules.sets();
        let rule = |generation: Generation, index: RuleIndex| sets.rule(generation, index);
        let style = &self.style;
        let iface = style.ports.get(event.origin.port.index()).map(String::as_str);
        let head = |name| Record::new(name, &event.origin, style.medium, iface);
        let made = match &event.body {
            EventBody::Alert(alert) => {
                // A set that is no longer known: the alert came seconds after its last session, which takes a stalled ring.
                let Some(rule) = rule(alert.generation, alert.rule) else {
                    tracing::warn!(generation = alert.generation.0, "an alert of a rule set that is gone");
                    return None;
                };
                let part = AlertPart::new(rule, &event.origin.tuple, alert.blocked, style.rule_text)
                    .noting(rule, &alert.notes);
                let members = app::members(alert.tx_proto.and_then(Form::of).as_ref(), record);
                let outer = alert.outer.as_ref();
                let outer = outer.map(|outer| TunnelPart::new(outer, event.origin.packet, style.medium));
                let verdict =
                    style.verdict.then(|| VerdictPart::new(&alert.verdict, event.origin.tuple.proto));
                let head = head("alert").alert(part, event.origin.dir, alert.flow.as_ref()).verdict(verdict);
                head.within(outer).application(&alert.app, alert.tx, members)
            }
            EventBody::Drop(dropped) => {
                let by = dropped.rule.and_then(|(generation, index)| rule(generation, index));
                let alert = by.map(|rule| AlertPart::new(rule, &event.origin.tuple, true, style.rule_text));
                let verdict = PacketVerdict { action: FinalAction::Drop, told: dropped.told, spared: false };
                let verdict = style.verdict.then(|| VerdictPart::new(&verdict, event.origin.tuple.proto));
                head("drop").dropped(DropPart::new(dropped), alert, event.origin.dir).verdict(verdict)
            }
            EventBody::Anomaly(anomaly) => head("anomaly").anomaly(AnomalyPart::of_packet(*anomaly)),
            EventBody::Flow(flow) => head("flow").ended(flow),
            EventBody::App(event) => transaction(event, record, head)?,
            EventBody::PluginOut { .. } => return None,
        };
        written(line, &made).then(|| kind.name())
    }

    fn further(&mut self, event: &Event, nth: usize, line: &mut Vec<u8>) -> Option<&'static str> {
        let EventBody::Flow(flow) = &event.body else { return None };
        let wanted = self.style.types.contains(&EventType::Netflow);
        let dir = NetflowPart::direction(flow, nth).filter(|_| wanted)?;
        let tuple = if dir == Dir::ToServer { event.origin.tuple } else { event.origin.tuple.reversed() };
        let origin = Origin { tuple, ..event.origin };
        let iface = self.style.ports.get(origin.port.index()).map(String::as_str);
        let made = Record::new("netflow", &origin, self.style.medium, iface).one_way(flow, dir);
        written(line, &made).then(|| EventType::Netflow.name())
    }

    fn stats(
        &mut self,
        now: Time,
        uptime_secs: u64,
        counters: &[NamedCount],
        line: &mut Vec<u8>,
    ) -> Option<&'static str> {
        let wanted = self.style.types.contains(&EventType::Stats);
        let record = wanted.then(|| stats::record(now, uptime_secs, counters))?;
        written(line, &record).then(|| EventType::Stats.name())
    }
}

/// The record of a transaction, of one of its files, or of what is odd about it.
fn transaction<'a>(
    event: &AppEvent,
    record: &[u8],
    head: impl Fn(&'static str) -> Record<'a>,
) -> Option<Record<'a>> {
    let form = Form::of(event.proto);
    let members = || app::members(form.as_ref(), record);
    Some(match event.kind {
        AppKind::Transaction => head(form?.event_type).transaction(event.tx, members()),
        AppKind::File => head("fileinfo").file(form?.proto.log_name(), members()),
        AppKind::Anomaly(name) => {
            let head = head("anomaly").anomaly(AnomalyPart::of_app(name, form.as_ref(), event.tx));
            head.speaking(form.as_ref()).transaction(event.tx, members())
        }
    })
}

/// Into memory, and all keys are texts: this cannot fail. Were it to, the line would be missing from the output only.
fn written(line: &mut Vec<u8>, record: &impl Serialize) -> bool {
    let written = serde_json::to_writer(line, record);
    if let Err(error) = &written {
        tracing::error!("an event that JSON cannot say: {error}");
    }
    written.is_ok()
}

/// The record an event becomes; `None` for what concerns the daemon's own log.
pub fn type_of(event: &Event) -> Option<EventType> {
    Some(match event.body {
        EventBody::Alert(_) => EventType::Alert,
        EventBody::Flow(_) => EventType::Flow,
        EventBody::Drop(_) => EventType::Drop,
        EventBody::Anomaly(_) => EventType::Anomaly,
        EventBody::App(app) => match app.kind {
            AppKind::Transaction => EventType::of_app(Form::of(app.proto)?.proto),
            AppKind::File => EventType::Files,
            AppKind::Anomaly(_) => EventType::Anomaly,
        },
        EventBody::PluginOut { .. } => return None,
    })
}
