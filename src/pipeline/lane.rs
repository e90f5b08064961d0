//! One lcore's lane: everything a frame passes on its way to its end, and all state that is met there.
//!
//! Decode, reassembly, session, stream, rules, verdict, exit: the stages in [`Lane::frame`] and [`Lane::datagram`] are
//! those of spec 00. A lane belongs to one lcore; `report` makes its events, `settle` applies verdicts.

use super::ahead::{Ahead, looks_ahead};
use super::allowance::Allowance;
use super::checksums::Checksums;
use super::exits::Exits;
use super::ledger::Ledger;
use super::modes::Switched;
use super::recent::RecentDrops;
use super::settings::{Mode, PortPlan, Settings};
use super::spreading::Owners;
use super::tables::TableCounts;
use super::watch::{Fate, Watches};
use crate::base::Order;
use crate::base::event::{Cause, CloseReason, EventSender};
use crate::base::{DropReason, Family, PortId, Time, Verdict, WorkerId};
use crate::decode::{Decoded, L4, Tunnels, decode};
use crate::defrag::{self, Reassembler};
use crate::io::{BURST, Burst, Frame, FrameAllocator, FrameMeta};
use crate::service::hold::Holding;
use crate::service::ip_actions::IpActions;
use crate::service::outbox::{Blame, Reject};
use crate::service::pass_list::PassList;
use crate::service::plugin::Gauge;
use crate::service::services::{Command, Retired};
use crate::service::trace::Step;
use crate::service::{Reporter, ServicePlan, Services, Subject};
use crate::session::SessionTable;
use std::sync::Arc;
use std::time::Duration;

/// Room to gather a chain in: the largest IP packet with any link header. Bytes beyond are not looked at.
const SCRATCH: usize = 65_535 + 512;

/// Hands a rebuilt datagram to the worker that owns its session, or gives it back.
pub type Give<'a> = &'a mut dyn FnMut(usize, Frame) -> Result<(), Frame>;

pub struct Lane {
    pub(super) me: usize,
    pub(super) owners: Owners,
    pub(super) replay: bool,
    /// Packets that cannot be what they say are dropped in the line.
    pub(super) drop_invalid: bool,
    pub(super) checksums: Checksums,
    pub(super) tunnels: Tunnels,
    pub(super) plans: Box<[PortPlan]>,
    pub(super) switched: Switched,
    pub(super) recent: RecentDrops,
    pub(super) watches: Watches,
    /// Who wants the packet at hand dropped.
    pub(super) blame: Blame,
    pub(super) scratch: Box<[u8]>,
    pub(super) decoded: Box<[Decoded]>,
    pub(super) ahead: Ahead,
    /// For a datagram that is rebuilt amid a burst.
    pub(super) rebuilt: Option<Box<Decoded>>,
    /// For what tunnels carry.
    pub(super) inner: Option<Box<Decoded>>,
    /// Room for an inner datagram that was put together.
    pub(super) inner_scratch: Box<[u8]>,
    pub(super) fragments: Reassembler,
    pub(super) sessions: SessionTable,
    pub(super) services: Services,
    /// Some set works without sessions or is not active yet: a packet of no session asks before one is made.
    pub(super) gated: bool,
    /// The packet at hand is to be held.
    pub(super) holding: Option<Holding>,
    pub(super) exits: Exits,
    pub(super) report: Reporter,
    pub(super) allocator: Box<dyn FrameAllocator>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) tables: Arc<TableCounts>,
    pub(super) clock: Time,
    /// Of what is inspected, in a replay's order between workers: a packet's number, or behind all of them.
    pub(super) position: u64,
    /// Some packet's number of late: those of frames are its lower half, near it.
    pub(super) near: u64,
    /// The reassembler's numbers that are in the ledger already.
    pub(super) fragments_seen: defrag::Counters,
    /// ICMP errors of our own.
    pub(super) errors: Allowance,
    /// Shared by all workers; in a replay by several of them, in the order of their packets.
    pub(super) ip_actions: Arc<IpActions>,
    pass_list: Arc<PassList>,
    pub(super) order: Option<Box<dyn Order>>,
}

/// The parts of a [`Lane`] that are not made from the settings.
pub struct LaneParts<'a> {
    pub me: usize,
    pub plans: Arc<[PortPlan]>,
    pub exits: Exits,
    pub events: EventSender,
    pub allocator: Box<dyn FrameAllocator>,
    pub ledger: Arc<Ledger>,
    pub tables: Arc<TableCounts>,
    pub services: &'a ServicePlan,
}

impl Lane {
    /// All memory a lane will ever use is taken here.
    pub fn new(settings: &Settings, parts: LaneParts<'_>) -> Lane {
        let sessions = settings.sessions.capacity as usize;
        let services = Services::new(parts.services, WorkerId(parts.me as u8), sessions);
        Lane {
            me: parts.me,
            owners: settings.owners(),
            replay: settings.replay,
            drop_invalid: settings.drop_invalid,
            checksums: Checksums::new(settings.checksums, parts.plans.len()),
            tunnels: settings.tunnels,
            plans: parts.plans.to_vec().into(),
            switched: Switched::default(),
            recent: RecentDrops::default(),
            watches: Watches::default(),
            blame: Blame::default(),
            fragments_seen: defrag::Counters::default(),
            errors: Allowance::default(),
            ip_actions: Arc::clone(&parts.services.ip_actions),
            pass_list: Arc::clone(&parts.services.pass_list),
            order: None,
            scratch: vec![0; SCRATCH].into(),
            decoded: vec![Decoded::default(); BURST].into(),
            ahead: Ahead::default(),
            rebuilt: Some(Box::default()),
            inner: Some(Box::default()),
            inner_scratch: vec![0; SCRATCH].into(),
            fragments: Reassembler::new(settings.fragments.clone()),
            sessions: SessionTable::new(settings.sessions),
            gated: services.is_gated(),
            services,
            holding: None,
            exits: parts.exits,
            report: Reporter::new(parts.events, settings.wanted, settings.fragments.seed),
            allocator: parts.allocator,
            ledger: parts.ledger,
            tables: parts.tables,
            clock: Time::ZERO,
            position: 0,
            near: 0,
        }
    }

    /// One frame of those that must be taken one by one.
    pub fn frame(&mut self, frame: Frame, give: Give<'_>) {
        let Some(plan) = self.plan(frame.meta().port) else {
            return self.exits.send(frame, None);
        };
        let mut decoded = std::mem::take(&mut self.decoded);
        if let Some(decoded) = decoded.first_mut() {
            if looks_ahead(&plan) {
                decode(frame.view(&mut self.scratch), plan.link, &self.tunnels, decoded);
            }
            self.decoded_frame(frame, decoded, give);
        }
        self.decoded = decoded;
    }

    pub(super) fn plan(&self, port: PortId) -> Option<PortPlan> {
        self.plans.get(port.index()).copied()
    }

    pub(super) fn decoded_frame(&mut self, frame: Frame, decoded: &mut Decoded, give: Give<'_>) {
        let meta = frame.meta();
        let Some(plan) = self.plan(meta.port).filter(|plan| plan.inspect) else {
            let peer = self.plan(meta.port).and_then(|plan| plan.peer);
            return self.exits.send(frame, peer);
        };
        if plan.mode == Mode::Reassemble {
            return self.whole_or_piece(frame, decoded, &plan, give);
        }
        self.near = self.number(&meta);
        self.position = self.near;
        if meta.clock > self.clock {
            self.clock = meta.clock;
            self.end_holds();
        }
        self.count(decoded);
        let (length, tuple) = (frame.len(), decoded.tuple);
        self.begin_trace(&frame, None);
        if decoded.is_fragment() {
            self.fragment(frame, decoded, &plan, give);
        } else {
            let verdict = self.judge(&frame, decoded, &plan, Cause::Packet);
            let frame = self.edited(frame, decoded, &plan, verdict);
            self.settle(frame, decoded, &plan, verdict);
        }
        self.end_trace(&meta, &tuple, length);
        if !self.services.outbox.is_empty() {
            self.serve_outbox();
        }
    }

    /// A rebuilt datagram, of this worker or handed over by another.
    pub fn datagram(&mut self, frame: Frame) {
        let Some(plan) = self.plan(frame.meta().port) else {
            return self.exits.send(frame, None);
        };
        let Some(mut decoded) = self.rebuilt.take() else {
            return self.ledger.count_drop(DropReason::NoBuffer, Some(frame.meta().port), 1);
        };
        self.position = self.number(&frame.meta());
        decode(frame.view(&mut self.scratch), plan.link, &self.tunnels, &mut decoded);
        let (meta, length) = (frame.meta(), frame.len());
        self.begin_trace(&frame, Some(Step::Rebuilt));
        let verdict = self.judge(&frame, &mut decoded, &plan, Cause::Rebuilt);
        let frame = self.edited(frame, &decoded, &plan, verdict);
        match plan.mode {
            Mode::Ips | Mode::Reassemble => self.settle_datagram(frame, &decoded, &plan, verdict),
            // Its fragments went their way: this is a copy.
            Mode::Tap | Mode::Ids => {
                let fate = match verdict {
                    Verdict::Drop(reason) => Fate::Spared(reason),
                    _ => Fate::Copied,
                };
                self.witness(&frame, fate);
                self.ledger.consumed.add(1);
            }
        }
        self.end_trace(&meta, &decoded.tuple, length);
        self.rebuilt = Some(decoded);
        if !self.services.outbox.is_empty() {
            self.serve_outbox();
        }
    }

    /// Session and services: what is to become of the packet.
    pub(super) fn judge(
        &mut self,
        frame: &Frame,
        decoded: &mut Decoded,
        plan: &PortPlan,
        cause: Cause,
    ) -> Verdict {
        if plan.mode == Mode::Reassemble {
            return Verdict::Forward;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let bytes = frame.view(&mut scratch);
        self.ledger.inspected.add(1);
        // Of what an operator lets through the verdict is found, and does not act.
        let acts = plan.mode == Mode::Ips;
        let passed = if acts { self.pass_list.covers(&decoded.tuple, self.clock) } else { None };
        let (meta, inline) = (frame.meta(), acts && passed.is_none());
        // A fragment ends in reassembly: nobody can change or hold it.
        let carrier = Some(frame).filter(|_| !decoded.is_fragment());
        let number = self.number(&meta);
        self.services.outbox.forget_packet();
        let subject = Subject { bytes, meta: &meta, number, inline, cause, frame: carrier };
        let verdict = self.inspect(&subject, decoded);
        let inner = self.inner_packets(&subject, decoded);
        let verdict = verdict.and(inner);
        self.count_exceptions();
        self.blame = match verdict {
            Verdict::Drop(_) => std::mem::take(&mut self.services.outbox.blame),
            _ => Blame::default(),
        };
        self.scratch = scratch;
        match passed {
            Some(place) => self.let_through(place, &meta, decoded, verdict),
            None => verdict,
        }
    }

    /// A packet of a network on the pass list goes on, whatever was found.
    #[cold]
    fn let_through(&mut self, place: usize, meta: &FrameMeta, decoded: &Decoded, found: Verdict) -> Verdict {
        if let Verdict::Drop(reason) = found {
            self.pass_list.count_spared(place);
            self.ledger.count_spared(reason, Some(meta.port));
            self.remember_drop(meta, decoded, reason, true);
        }
        self.services.outbox.reject = Reject::default();
        self.holding = None;
        Verdict::Forward
    }

    /// A burst of a pair that is not inspected.
    pub fn pass_on(&mut self, burst: &mut Burst, from: PortId, to: Option<PortId>) {
        self.witness_passing(burst, from, to);
        self.exits.send_all(burst, Some(from), to);
    }

    /// A bounded slice of timers, also when no packet comes.
    pub fn timers(&mut self, now: Time, budget: usize) {
        self.clock = self.clock.max(now);
        let now = self.clock;
        let holds = self.replay && !self.short_of_room();
        let (sessions, mut ending) = self.ending();
        ending.holds = holds;
        sessions.expire(now, budget, &mut ending);
        self.expire_fragments(now, budget);
        self.serve_services();
    }

    /// Plugins' own turns, held frames whose time is over, sessions of a plugin that is leaving.
    fn serve_services(&mut self) {
        let (_, services, mut outside) = self.serving(0);
        services.turn(&mut outside);
        self.release_due();
        let slots = self.sessions.slots();
        if let Some((first, count)) = self.services.sweep_slice(slots) {
            self.sweep(first, count);
        }
        if !self.services.outbox.is_empty() {
            self.serve_outbox();
        }
    }

    /// Closes those of some sessions that go by a plugin which is leaving.
    #[cold]
    fn sweep(&mut self, first: usize, count: usize) {
        for slot in first..first + count {
            let Some(id) =
                self.sessions.at(slot).filter(|(_, s)| self.services.is_swept(s)).map(|(id, _)| id)
            else {
                continue;
            };
            let (sessions, mut ending) = self.ending();
            sessions.close(id, CloseReason::PluginRestart, &mut ending);
        }
    }

    /// Sessions that are held would cost others.
    fn short_of_room(&self) -> bool {
        self.sessions.len() > self.sessions.settings().capacity as usize / 2
    }

    /// From now on what the workers of a replay share is touched in their order.
    pub fn keep_order(&mut self, order: &dyn Fn() -> Box<dyn Order>) {
        self.services.keep_order(order);
        self.order = Some(order());
    }

    /// The appliance stops: nothing stays held, every session is closed and recorded.
    ///
    /// `now` and `last` are the appliance's clock and last packet number, the same for all workers.
    pub fn finish(&mut self, now: Time, last: u64) {
        // Their sessions are in the records of it.
        self.drop_held();
        let (sessions, mut ending) = self.ending();
        ending.last = last;
        ending.now = ending.now.max(now);
        sessions.close_all(CloseReason::Shutdown, now, &mut ending);
        self.drop_fragments();
        self.serve_outbox();
        self.exits.flush();
    }

    pub fn flush(&mut self) {
        self.exits.flush();
        self.witness_untaken();
    }

    /// A frame's number at its full width.
    pub fn number(&self, meta: &FrameMeta) -> u64 {
        widen(meta.packet, self.near)
    }

    pub fn count_in_rings(&self, frames: usize) {
        self.ledger.in_rings.set(frames as u64);
    }

    /// Frames up to this one are on their way: an idle lane would lose touch with their numbers.
    pub fn set_near(&mut self, dispatched: u64) {
        self.near = dispatched;
    }

    /// The latest clock of a frame, or of the timers.
    pub fn clock(&self) -> Time {
        self.clock
    }

    /// A change of the services, from the next packet on; what is left over goes back to management.
    pub fn command(&mut self, command: Command) -> Retired {
        let retired = self.services.command(command);
        self.gated = self.services.is_gated();
        retired
    }

    /// Something that no session uses any more.
    pub fn retire(&mut self, age: Duration) -> Retired {
        let slots = self.sessions.slots();
        self.services.retire(slots, self.clock, age)
    }

    pub fn services(&self) -> &Services {
        &self.services
    }

    pub fn sessions(&self) -> &SessionTable {
        &self.sessions
    }

    pub(super) fn sessions_mut(&mut self) -> &mut SessionTable {
        &mut self.sessions
    }

    pub fn set_watermark(&self, packet: u64) {
        self.report.set_watermark(packet);
    }
}

/// The number near `near` whose lower half this is.
pub(super) fn widen(low: u32, near: u64) -> u64 {
    let ahead = low.wrapping_sub(near as u32) as i32;
    near.wrapping_add_signed(i64::from(ahead))
}

impl Lane {
    /// Frames held now: of unfinished datagrams, and by plugins.
    pub(super) fn count_held(&self) {
        self.ledger.held.set(self.fragments_seen.held + self.services.held.len() as u64);
    }

    fn count(&self, decoded: &Decoded) {
        let tables = &self.tables;
        let l4 = match decoded.l4 {
            L4::Tcp(_) => &tables.tcp,
            L4::Udp => &tables.udp,
            L4::Icmp4 { .. } | L4::Icmp6 { .. } => &tables.icmp,
            L4::Sctp => &tables.sctp,
            L4::None => &tables.other,
        };
        l4.add(1);
        match decoded.ip.map(|ip| ip.family) {
            Some(Family::V4) => tables.ipv4.add(1),
            Some(Family::V6) => tables.ipv6.add(1),
            None => {}
        }
        if decoded.invalid.is_some() {
            tables.invalid.add(1);
        }
    }

    /// What the tables hold, for management to read. Once a turn.
    pub fn publish(&self) {
        let (tables, sessions) = (&self.tables, &self.sessions);
        tables.sessions.set(sessions.len() as u64);
        tables.sessions_opened.set(sessions.counters.opened);
        for (published, &count) in tables.sessions_closed.iter().zip(&sessions.counters.closed) {
            published.set(count);
        }
        tables.sessions_refused.set(sessions.counters.full);
        tables.untracked.set(sessions.counters.untracked);
        tables.damaged_segments.set(self.checksums.damaged);
        tables.untrusted_checksums.set(self.checksums.untrusted() as u64);
        tables.fragment_memory.set(self.fragments.memory());
        tables.datagrams_waiting.set(u64::from(self.fragments.datagrams()));
        tables.datagrams_rebuilt.set(self.fragments.counters.generated);
        tables.datagrams_timed_out.set(self.fragments.counters.timeouts);
        self.services.publish(&mut |gauge, value| match gauge {
            Gauge::Streams => tables.streams.set(value),
            Gauge::StreamMemory => tables.stream_memory.set(value),
            Gauge::AppMemory => tables.app_memory.set(value),
            Gauge::StreamGaps => tables.stream_gaps.set(value),
            Gauge::StreamConflicts => tables.stream_conflicts.set(value),
            Gauge::Generation => tables.generation.set(value),
            Gauge::RuleMemory => tables.rule_memory.set(value),
            Gauge::ShadowMemory => tables.shadow_memory.set(value),
        });
    }
}
