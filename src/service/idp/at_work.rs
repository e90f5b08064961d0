//! The worker with one generation of rules: a packet into its stream, its stream to the decoder, all of it to the rules.

use super::judgement::Judgement;
use super::log::ending;
use crate::app::{AppState, Apps, Known, Transactions};
use crate::base::event::{Origin, PacketVerdict};
use crate::base::{Anomaly, Dir, DropReason, ExceptionCause, ExceptionPolicy, FlowTuple, PerDir, Verdict};
use crate::decode::{Decoded, Ip, L4};
use crate::inspect::{
    FlowFacts, InForce, Inspector, Outcome, PacketFacts, Payload, StateHandle, StreamWindow,
};
use crate::rules::RuleSet;
use crate::service::context::PacketAt;
use crate::service::{Reporter, origin};
use crate::session::{Fit, Session, Settled, Tracked};
use crate::stream::{Streams, Window};
use arrayvec::ArrayVec;

/// All that judging a packet takes.
pub(super) struct AtWork<'a> {
    pub(super) streams: &'a mut Streams,
    pub(super) apps: &'a mut Apps,
    pub(super) inspector: &'a mut Inspector,
    pub(super) gather: &'a mut [u8],
    pub(super) rules: &'a mut InForce,
    pub(super) report: &'a mut Reporter,
}

/// Where the bytes are that rules on payloads look at.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Payloads {
    OfPacket,
    OfStream,
    /// Nowhere: the session is encrypted, and was before the packet.
    Sealed,
}

/// Events of the protocol's detection that one packet brought.
pub(super) type AppEvents = ArrayVec<(Dir, &'static str), { crate::app::MAX_EVENTS }>;

impl AtWork<'_> {
    /// Whether anyone asks for what decoders yield: a rule, or a log.
    pub(super) fn decodes(&self) -> bool {
        self.rules.engine().uses_apps() || self.report.wants().decodes()
    }

    /// One packet of a session, all the way. What settles the session is in the judgement.
    #[inline]
    pub(super) fn packet(
        &mut self,
        packet: &mut PacketAt<'_>,
        session: &mut Session,
        dir: Dir,
        judgement: &mut Judgement,
    ) {
        let payloads = self.feed(packet, session, dir, judgement);
        let app_events = match judgement.settled {
            Some(_) => AppEvents::new(),
            None => self.decode(packet, session, dir, payloads, judgement),
        };
        if packet.tracked.is_some_and(|tracked| tracked.established) && !judgement.unseen {
            self.look_again(session, packet.number, judgement);
        }
        if !judgement.unseen {
            self.judge(packet, session, dir, payloads, &app_events, judgement);
        }
        let outlives = self.streams.outlives_reset(packet.inline);
        if packet.tracked.is_some_and(|tracked| tracked.reset) && !outlives {
            self.rest(session, packet.number);
        }
        self.log(session, false, || origin_of(packet, Some(session), dir));
        self.apps.sweep(session.app);
        if let Some(settled) = judgement.settled {
            session.settled = settled;
        }
        judgement.tally(self.report, self.rules.engine().rules());
    }

    /// The segment into its stream; what the stream has to say of it.
    pub(super) fn feed(
        &mut self,
        packet: &mut PacketAt<'_>,
        session: &mut Session,
        dir: Dir,
        judgement: &mut Judgement,
    ) -> Payloads {
        let Some(tracked) = packet.tracked else { return Payloads::OfPacket };
        if tracked.restarted {
            self.begin_anew(session, packet.number);
        }
        complain(self.report, packet, session, dir, &tracked.anomalies);
        if let Some(cause) = self.midstream(tracked, judgement.inline) {
            judgement.except(cause, &self.inspector.settings().exceptions, session);
        }
        let sealed = self.apps.get(session.app).is_some_and(AppState::is_sealed);
        let engine = self.rules.engine();
        let (raw, decoded) = (engine.reads_streams(), self.decodes());
        let payload = packet.subject.bytes.get(packet.decoded.payload_range()).unwrap_or_default();
        // Before the handshake is done nobody takes what does not fit, unless it is not known which SYN he took.
        let open = session.tcp.state.handshake_done() || session.tcp.is_contested();
        let unseen = tracked.fit == Fit::Invalid && open && (raw || decoded) && !payload.is_empty();
        if tracked.fit == Fit::Valid && (raw || decoded) {
            self.streams.decode(decoded);
            let fed = self.streams.feed(session, dir, tracked, payload, packet.inline);
            if tracked.early {
                // Rules look at the packet.
                self.streams.skip(session, dir);
            }
            let over = match () {
                () if !raw => {
                    Dir::BOTH.into_iter().for_each(|dir| self.streams.skip(session, dir));
                    true
                }
                () => sealed && self.streams.skip_sealed(session),
            };
            if sealed && over && self.bypasses(session) {
                judgement.settled.get_or_insert(Settled::Bypass);
            }
            complain(self.report, packet, session, dir, &fed.anomalies);
            if let Some(reason) = fed.refused {
                self.refused(reason, session, judgement);
            }
            if fed.conflict && packet.inline {
                judgement.verdict = Verdict::Drop(DropReason::StreamInvalid);
            }
        }
        if unseen && packet.inline && self.streams.settings().drop_invalid {
            judgement.verdict = Verdict::Drop(DropReason::StreamInvalid);
        }
        match () {
            () if sealed => Payloads::Sealed,
            () if tracked.fit != Fit::Valid || tracked.early => Payloads::OfPacket,
            () => Payloads::OfStream,
        }
    }

    /// Whether nothing looks at the session any more because it is encrypted.
    fn bypasses(&self, session: &Session) -> bool {
        self.apps.get(session.app).is_some_and(AppState::is_bypassed)
    }

    /// Whether a policy for TCP sessions whose beginning was not seen is to act. A reset without session opens none.
    fn midstream(&self, tracked: &Tracked, inline: bool) -> Option<ExceptionCause> {
        let cause = ExceptionCause::Midstream;
        let untracked =
            tracked.fit == Fit::Untracked && !tracked.anomalies.contains(&Anomaly::StreamRstButNoSession);
        // One that is picked up goes on being inspected, unless it is to pass.
        let passes = || self.inspector.settings().exceptions.of(cause, inline) == ExceptionPolicy::PassFlow;
        (untracked || (tracked.picked_up && passes())).then_some(cause)
    }

    /// A segment that its stream could not keep: what was not looked at does not pass, unless a policy says so.
    fn refused(&self, reason: DropReason, session: &mut Session, judgement: &mut Judgement) {
        let policies = &self.inspector.settings().exceptions;
        match reason {
            DropReason::StreamMemoryCap => judgement.except(ExceptionCause::StreamMemcap, policies, session),
            DropReason::StreamReassemblyCap => {
                judgement.except(ExceptionCause::ReassemblyMemcap, policies, session);
            }
            // It comes again when the stream has come so far.
            _ if judgement.inline => judgement.verdict = Verdict::Drop(reason),
            _ => {}
        }
    }

    /// The rules, for the packet and its session's transactions, and then for each further window of its stream that is
    /// ready.
    pub(super) fn judge(
        &mut self,
        packet: &PacketAt<'_>,
        session: &mut Session,
        dir: Dir,
        payloads: Payloads,
        app_events: &AppEvents,
        judgement: &mut Judgement,
    ) {
        let AtWork { streams, apps, inspector, gather, rules, report } = self;
        let (known, news) = match apps.get_mut(session.app) {
            Some(state) => (state.known, state.news(dir)),
            None => Default::default(),
        };
        let facts = PacketFacts {
            bytes: packet.bytes,
            decoded: packet.decoded,
            time: packet.meta.clock,
            flow: Some(FlowFacts { app_news: news, ..flow_facts(session, dir, known) }),
            app_events,
        };
        let mut state = StateHandle::from_raw(session.inspection);
        let mut first = true;
        loop {
            // An encrypted packet is no part of the window that waited for it.
            let sealed = first && payloads == Payloads::Sealed;
            let window = match payloads {
                Payloads::OfPacket => None,
                Payloads::Sealed if first => None,
                Payloads::OfStream | Payloads::Sealed => streams.window(session, dir, gather),
            };
            if !first && window.is_none() {
                break;
            }
            let payload = match (&window, payloads) {
                (Some(window), _) => Payload::Stream(stream_window(window, dir, !first)),
                (None, Payloads::OfPacket) => Payload::Packet,
                (None, Payloads::OfStream) => Payload::Queued,
                (None, Payloads::Sealed) => Payload::Sealed,
            };
            let mut tell = |outcome: &Outcome, set: &RuleSet, txs: Option<&Transactions>, by: &Judgement| {
                if !outcome.alerts.is_empty() {
                    let origin = origin_of(packet, Some(session), dir);
                    report.alerts(&origin, outcome, set, Some(session), txs, packet.inline, by.told());
                }
            };
            let own = inspector.inspect(rules, &facts, Some(&mut state), payload);
            match apps.get_mut(session.app).filter(|_| !own.passed) {
                None => {
                    judgement.take(own);
                    judgement.ask_ip_actions(rules.engine(), own);
                    tell(own, rules.engine().rules(), None, judgement);
                }
                Some(app) => {
                    let (before, txs) = (own.alerts.len(), &mut app.transactions);
                    inspector.inspect_transactions(rules, &facts, Some(&mut state), payload, txs, before);
                    let (own, theirs) = inspector.last_two();
                    let set = rules.engine().rules();
                    // A transaction's rule that lets the packet pass comes before all that drop or alert. Few have an outcome.
                    let own = Some(own).filter(|own| own.acts() && !theirs.passed);
                    for outcome in own.into_iter().chain([theirs]) {
                        judgement.take(outcome);
                        judgement.ask_ip_actions(rules.engine(), outcome);
                    }
                    if let Some(own) = own {
                        tell(own, set, None, judgement);
                    }
                    tell(theirs, set, Some(&app.transactions), judgement);
                }
            }
            if window.is_some() {
                streams.consumed(session, dir);
            } else if !sealed {
                break;
            }
            first = false;
        }
        session.inspection = state.raw();
        session.note_alert(judgement.alerted);
    }

    /// Both directions' last bytes; the alerts are dated by the packet with that number.
    pub(super) fn rest(&mut self, session: &mut Session, number: u64) {
        self.decode_rest(session, number);
        // What settled it was the last word on it.
        if session.settled != Settled::None {
            return;
        }
        for dir in Dir::BOTH {
            self.last_bytes(session, dir, number);
        }
    }

    /// What still waited for an acknowledgement or for a whole chunk, and the transactions as they ended. No packet brings
    /// it: only rules on streams and on transactions look.
    fn last_bytes(&mut self, session: &mut Session, dir: Dir, number: u64) {
        let AtWork { streams, apps, inspector, gather, rules, report } = self;
        let origin = ending(session, dir, number);
        let tuple = origin.tuple;
        let known = apps.get(session.app).map(|state| state.known).unwrap_or_default();
        let mut state = StateHandle::from_raw(session.inspection);
        let decoded = without_packet(&tuple);
        let flow = Some(flow_facts(session, dir, known));
        let facts = PacketFacts { bytes: &[], decoded: &decoded, time: session.last, flow, app_events: &[] };
        let mut alerted = false;
        loop {
            let window = streams.window(session, dir, gather);
            let payload = match &window {
                Some(window) => Payload::Stream(stream_window(window, dir, true)),
                None => Payload::Queued,
            };
            let mut tell = |outcome: &Outcome, rules: &InForce, txs: Option<&Transactions>| {
                if !outcome.alerts.is_empty() {
                    alerted = true;
                    let set = rules.engine().rules();
                    let verdict = PacketVerdict::default();
                    report.alerts(&origin, outcome, set, Some(session), txs, false, verdict);
                }
            };
            if window.is_some() {
                tell(inspector.inspect(rules, &facts, Some(&mut state), payload), rules, None);
            }
            if let Some(app) = apps.get_mut(session.app) {
                let txs = &mut app.transactions;
                let outcome =
                    inspector.inspect_transactions(rules, &facts, Some(&mut state), payload, txs, 0);
                tell(outcome, rules, Some(&app.transactions));
            }
            if window.is_none() {
                break;
            }
            streams.consumed(session, dir);
        }
        session.note_alert(alerted);
        session.inspection = state.raw();
    }
}

/// What rules on streams and transactions are told of where no packet is at hand.
pub(super) fn without_packet(tuple: &FlowTuple) -> Decoded {
    Decoded {
        ip: Some(Ip { family: tuple.family, proto: tuple.proto, ..Ip::default() }),
        l4: L4::Tcp(Default::default()),
        tuple: *tuple,
        ..Decoded::default()
    }
}

pub(super) fn origin_of(packet: &PacketAt<'_>, session: Option<&Session>, dir: Dir) -> Origin {
    Origin { cause: packet.cause, ..origin(packet.number, packet.meta, packet.decoded, session, dir) }
}

pub(super) fn stream_window<'a>(window: &Window<'a>, dir: Dir, rest: bool) -> StreamWindow<'a> {
    StreamWindow {
        dir,
        bytes: window.bytes,
        fresh_from: window.fresh_from,
        offset: window.offset,
        end: window.end,
        rest,
        memo: Some(window.memo),
    }
}

pub(super) fn flow_facts(session: &Session, dir: Dir, app: Known) -> FlowFacts {
    let sent = |dir| {
        session
            .tcp
            .stream_start(dir)
            .map_or(0, |start| session.tcp.position(dir).0.distance_from(start).max(0) as u64)
    };
    let (mut stats, mut stream) = (session.stats(), PerDir(Dir::BOTH.map(sent)));
    if app.reversed {
        stats.packets.0.swap(0, 1);
        stats.bytes.0.swap(0, 1);
        stream.0.swap(0, 1);
    }
    let (id, established) = (session.flow_id, session.established());
    FlowFacts { id, dir: app.direction(dir), established, stats, stream, app, app_news: false }
}

/// Anomalies of the packet's stream join those of its layers.
fn complain(
    report: &mut Reporter,
    packet: &mut PacketAt<'_>,
    session: &Session,
    dir: Dir,
    anomalies: &[Anomaly],
) {
    if anomalies.is_empty() {
        return;
    }
    report.anomalies(&origin_of(packet, Some(session), dir), anomalies);
    for &anomaly in anomalies {
        // As many as there is room for; the first say it all.
        let _ = packet.decoded.anomalies.try_push(anomaly);
    }
}
