//! The events a worker sends: what happened to which packet of which session.

use crate::app::AppProto;
use crate::base::event::{
    AlertEvent, Cause, CloseReason, Event, EventBody, EventSender, Origin, PluginFault,
};
use crate::base::{Anomaly, Dir, DropReason, Generation, PluginId, RuleIndex, Time, WorkerId};
use crate::decode::{Decoded, L4};
use crate::inspect::Outcome;
use crate::io::FrameMeta;
use crate::rules::RuleSet;
use crate::session::Session;

/// Kinds of event that some output writes; others are not even made.
#[derive(Copy, Clone, Debug, Default)]
pub struct Wanted {
    pub flow: bool,
    pub drop: bool,
    pub anomaly: bool,
}

pub struct Reporter {
    events: EventSender,
    wanted: Wanted,
}

/// Where a packet's events come from. `number` is the packet's, at its full width.
pub fn origin(
    number: u64,
    meta: &FrameMeta,
    decoded: &Decoded,
    session: Option<&Session>,
    dir: Dir,
) -> Origin {
    let icmp = match decoded.l4 {
        L4::Icmp4 { kind, code, .. } | L4::Icmp6 { kind, code, .. } => Some((kind, code)),
        _ => None,
    };
    Origin {
        time: meta.time,
        packet: number,
        port: meta.port,
        tuple: decoded.tuple,
        icmp,
        flow_id: session.map_or(0, |s| s.flow_id),
        dir,
        cause: Cause::Packet,
    }
}

impl Reporter {
    pub fn new(events: EventSender, wanted: Wanted) -> Reporter {
        Reporter { events, wanted }
    }

    pub fn wants(&self) -> Wanted {
        self.wanted
    }

    /// One event an alert, in order of evaluation. Inline, those of rules that drop or reject say so.
    pub fn alerts(
        &mut self,
        origin: &Origin,
        outcome: &Outcome,
        rules: &RuleSet,
        session: Option<&Session>,
        app_proto: Option<AppProto>,
        inline: bool,
    ) {
        for alert in &outcome.alerts {
            let body = EventBody::Alert(AlertEvent {
                rule: alert.rule,
                generation: rules.generation,
                blocked: inline && alert.blocks,
                flow: session.map(Session::stats),
                app_proto: app_proto.map(AppProto::name),
                tx: alert.tx,
            });
            self.events.send(Event { origin: *origin, body });
        }
    }

    pub fn dropped(
        &mut self,
        origin: &Origin,
        reason: DropReason,
        length: usize,
        rule: Option<(Generation, RuleIndex)>,
    ) {
        if self.wanted.drop {
            let body = EventBody::Drop { reason, length: length as u32, rule };
            self.events.send(Event { origin: *origin, body });
        }
    }

    pub fn anomalies(&mut self, origin: &Origin, anomalies: &[Anomaly]) {
        if self.wanted.anomaly {
            for &anomaly in anomalies {
                self.events.send(Event { origin: *origin, body: EventBody::Anomaly(anomaly) });
            }
        }
    }

    /// A session has ended.
    pub fn flow(&mut self, session: &Session, reason: CloseReason) {
        if self.wanted.flow {
            let origin = Origin {
                time: session.last,
                tuple: session.tuple,
                flow_id: session.flow_id,
                ..Origin::default()
            };
            self.events.send(Event { origin, body: EventBody::Flow(session.flow_event(reason)) });
        }
    }

    /// A plugin was taken out of this worker's chains.
    pub fn plugin_out(&mut self, plugin: PluginId, fault: PluginFault, worker: WorkerId, time: Time) {
        let origin = Origin { time, ..Origin::default() };
        self.events.send(Event { origin, body: EventBody::PluginOut { plugin, fault, worker } });
    }

    pub fn set_watermark(&self, packet: u64) {
        self.events.set_watermark(packet);
    }
}
