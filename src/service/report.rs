//! The events a worker sends: what happened to which packet of which session.

use super::comparison::Tally;
use super::record;
use super::seen_tunnels::SeenTunnels;
use super::trace::{Step, Trace};
use crate::app::{AppProto, FileId, Protos, Transaction, Transactions, TxId};
use crate::base::event::record::RecordBuffer;
use crate::base::event::{
    AlertEvent, AppEvent, AppKind, Cause, CloseReason, DropEvent, Event, EventBody, EventSender, FlowEvent,
    Origin, PacketVerdict, PluginFault, event_ring,
};
use crate::base::{Anomaly, Dir, Outer, PluginId, Time, WorkerId};
use crate::decode::{Decoded, L4};
use crate::inspect::Outcome;
use crate::io::FrameMeta;
use crate::rules::RuleSet;
use crate::rules::app::FILES;
use crate::session::Session;

/// Kinds of event that some output writes; others are not even made.
#[derive(Copy, Clone, Debug, Default)]
pub struct Wanted {
    pub flow: bool,
    pub drop: bool,
    pub anomaly: bool,
    /// Protocols whose transactions get records of their own.
    pub apps: Protos,
    /// Files get records of their own.
    pub files: bool,
}

impl Wanted {
    /// Whether sessions are to be decoded though no rule asks for it.
    pub fn decodes(&self) -> bool {
        !self.notes().is_empty()
    }

    /// Protocols whose transactions keep notes: for records of their own, of their files, and in alerts.
    pub fn notes(&self) -> Protos {
        let mut notes = if self.files { self.apps.or(FILES) } else { self.apps };
        if notes.contains(AppProto::Doh2) {
            // What a session turns into once it asks for names.
            notes = notes.or(Protos::of(&[AppProto::Http2]));
        }
        notes
    }
}

pub struct Reporter {
    events: EventSender,
    wanted: Wanted,
    record: RecordBuffer,
    /// Around the packet that is being looked at, if that is one within another.
    outer: Option<Outer>,
    seen: SeenTunnels,
    /// The steps of the packet at hand, if somebody watches it.
    pub trace: Trace,
    /// Alerts are counted there as well.
    pub tally: Option<Tally>,
    /// Nothing but the tally hears of alerts.
    mute: bool,
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
        tunnel: None,
    }
}

impl Reporter {
    /// `seed` is of a hash that nobody outside can know.
    pub fn new(events: EventSender, wanted: Wanted, seed: u64) -> Reporter {
        let record = RecordBuffer::new(wanted.decodes());
        Reporter {
            events,
            wanted,
            record,
            outer: None,
            seen: SeenTunnels::new(seed),
            trace: Trace::default(),
            tally: None,
            mute: false,
        }
    }

    /// One whose events nobody gets: alerts are counted, and that is all.
    pub fn counting(tally: Tally) -> Reporter {
        let (nobody, _) = event_ring(1, false);
        Reporter { tally: Some(tally), mute: true, ..Reporter::new(nobody, Wanted::default(), 0) }
    }

    pub fn wants(&self) -> Wanted {
        self.wanted
    }

    /// Other events from now on. Those of transactions need the memory that was taken at the start, and stay off without.
    pub fn want(&mut self, wanted: Wanted) {
        self.wanted = wanted;
    }

    /// What follows comes of packets within this one, until it is `None`.
    pub fn set_outer(&mut self, outer: Option<Outer>) {
        self.outer = outer;
    }

    /// Sessions with this number are in the tunnel that [`set_outer`](Reporter::set_outer) told of.
    pub fn see_tunnel(&mut self, tunnel: u64) {
        if let Some(outer) = self.outer.as_ref().filter(|_| self.wanted.flow) {
            self.seen.see(tunnel, outer);
        }
    }

    fn tunnelled(&self, origin: &Origin) -> Origin {
        let inner = origin.cause == Cause::Inner;
        Origin { tunnel: self.outer.filter(|_| inner).map(|outer| outer.kind), ..*origin }
    }

    /// One event an alert, in order of evaluation. Inline, those of rules that drop or reject say so; `verdict` is the
    /// packet's by all its rules. With an alert on a
    /// transaction goes what was noted of that so far.
    #[allow(clippy::too_many_arguments)] // all of it differs from call to call
    pub fn alerts(
        &mut self,
        origin: &Origin,
        outcome: &Outcome,
        rules: &RuleSet,
        session: Option<&Session>,
        transactions: Option<&Transactions>,
        inline: bool,
        verdict: PacketVerdict,
    ) {
        if let Some(Tally { comparison, whose }) = &self.tally {
            outcome.alerts.iter().for_each(|alert| comparison.alert(*whose, rules, alert.rule));
            if self.mute {
                return;
            }
        }
        for alert in &outcome.alerts {
            self.trace.step(Step::Alert { generation: rules.generation, rule: alert.rule });
            self.record.clear();
            record::flowbits(&outcome.flowbits, rules, &mut self.record);
            let tx = alert.tx.and_then(|id| transactions?.get(TxId(id)));
            if let Some(tx) = tx {
                record::of_alert(tx, &mut self.record);
            }
            let body = EventBody::Alert(AlertEvent {
                rule: alert.rule,
                generation: rules.generation,
                blocked: inline && alert.blocks,
                verdict,
                flow: session.map(Session::stats),
                app: session.map(|session| session.spoken.names()).unwrap_or_default(),
                tx: alert.tx,
                outer: self.outer.filter(|_| origin.cause == Cause::Inner),
                notes: alert.notes,
                tx_proto: tx.map(|tx| tx.proto.name()),
                record: 0,
            });
            let origin = self.tunnelled(origin);
            self.events.send_with(Event { origin, body }, self.record.bytes());
        }
    }

    /// A transaction is complete, or its session ends. Of one without notes there is nothing to say.
    pub fn transaction(&mut self, origin: &Origin, tx: &Transaction) {
        if self.wanted.apps.contains(tx.proto) {
            self.record.clear();
            record::notes(tx, &mut self.record);
            if !self.record.bytes().is_empty() {
                self.app(origin, AppKind::Transaction, tx.proto.name(), Some(tx.id));
            }
        }
    }

    /// A file of the transaction ended.
    pub fn file(&mut self, origin: &Origin, tx: &Transaction, file: FileId) {
        if let Some(file) = tx.file(file).filter(|_| self.wanted.files) {
            self.record.clear();
            record::of_file(tx, file, &mut self.record);
            self.app(origin, AppKind::File, tx.proto.name(), Some(tx.id));
        }
    }

    /// An event of a decoder, or of the protocol's detection.
    pub fn app_anomaly(
        &mut self,
        origin: &Origin,
        event: &'static str,
        proto: &'static str,
        tx: Option<u64>,
    ) {
        if self.wanted.anomaly {
            self.record.clear();
            self.app(origin, AppKind::Anomaly(event), proto, tx);
        }
    }

    fn app(&mut self, origin: &Origin, kind: AppKind, proto: &'static str, tx: Option<u64>) {
        let body = EventBody::App(AppEvent { kind, proto, tx, record: 0 });
        let origin = self.tunnelled(origin);
        self.events.send_with(Event { origin, body }, self.record.bytes());
    }

    pub fn dropped(&mut self, origin: &Origin, dropped: DropEvent) {
        if self.wanted.drop {
            let origin = self.tunnelled(origin);
            self.events.send(Event { origin, body: EventBody::Drop(dropped) });
        }
    }

    pub fn anomalies(&mut self, origin: &Origin, anomalies: &[Anomaly]) {
        if self.wanted.anomaly {
            for &anomaly in anomalies {
                let origin = self.tunnelled(origin);
                self.events.send(Event { origin, body: EventBody::Anomaly(anomaly) });
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
            let outer = self.seen.around(&session.tuple, session.depth);
            let body = EventBody::Flow(FlowEvent { outer, ..session.flow_event(reason) });
            self.events.send(Event { origin, body });
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
