//! Fragments on a lane: into reassembly, out of it, timed out; and pairs for which nothing else is done ([`Mode::Reassemble`]).

use super::lane::{Give, Lane, widen};
use super::ledger::Ledger;
use super::settings::{Mode, PortPlan};
use super::spreading::is_piece;
use super::watch::{Fate, Head, Watches};
use crate::base::event::Cause;
use crate::base::{Anomaly, DropReason, PortId, Time, Verdict};
use crate::decode::{Decoded, MAX_ANOMALIES, cut_out, decode};
use crate::defrag::{self, IcmpError, Place};
use crate::io::{Frame, LinkType};
use crate::service::Subject;
use crate::service::outbox::Blame;
use crate::wire::ethernet;
use arrayvec::ArrayVec;

/// Datagrams timed out in one slice of timers whose senders are told; those beyond are only counted.
const MAX_TOLD: usize = 8;

/// What reassembly drops on its own account, and what it noticed.
struct FragmentSink<'a> {
    ledger: &'a Ledger,
    /// Whether the fragment at hand is a copy, where today's mode does not say so.
    copies: Option<bool>,
    plans: &'a [PortPlan],
    /// A copy of what a tunnel carries is pushed.
    inner: bool,
    /// Somebody watches what is dropped.
    shown: Option<Shown<'a>>,
    /// Anomalies of the fragment being pushed; one fragment has few.
    raised: ArrayVec<Anomaly, MAX_ANOMALIES>,
    /// First fragments of datagrams whose time is over, and where their IP headers stand.
    late: ArrayVec<(Frame, Place), MAX_TOLD>,
}

impl<'a> FragmentSink<'a> {
    fn new(ledger: &'a Ledger, plans: &'a [PortPlan]) -> FragmentSink<'a> {
        FragmentSink {
            ledger,
            copies: None,
            plans,
            inner: false,
            shown: None,
            raised: ArrayVec::new(),
            late: ArrayVec::new(),
        }
    }
}

/// Shows held fragments that are dropped.
struct Shown<'a> {
    watches: &'a mut Watches,
    scratch: &'a mut [u8],
    /// Some packet's number of late.
    near: u64,
}

impl<'a> Shown<'a> {
    /// None where nobody watches.
    fn to(watches: &'a mut Watches, scratch: &'a mut [u8], near: u64) -> Option<Shown<'a>> {
        if watches.is_empty() { None } else { Some(Shown { watches, scratch, near }) }
    }

    #[cold]
    fn show(&mut self, fragment: &Frame, fate: Fate) {
        let (meta, length) = (fragment.meta(), fragment.len() as u32);
        let (time, packet, blame) = (meta.time, widen(meta.packet, self.near), Blame::default());
        let head = Head { time, packet, port: meta.port, fate, blame, length, captured: 0 };
        self.watches.copy(fragment, self.scratch, head);
    }
}

impl defrag::Sink for FragmentSink<'_> {
    fn copies(&self, port: PortId) -> bool {
        let today = || self.plans.get(port.index()).is_some_and(|plan| !plan.mode.acts());
        self.inner || self.copies.unwrap_or_else(today)
    }

    fn dropped(&mut self, reason: DropReason, port: PortId, fragments: u32, copies: bool) {
        if copies {
            self.ledger.consumed.add(u64::from(fragments));
            (0..fragments).for_each(|_| self.ledger.count_spared(reason, Some(port)));
        } else {
            self.ledger.count_drop(reason, Some(port), u64::from(fragments));
        }
    }

    fn watches(&self) -> bool {
        self.shown.is_some()
    }

    fn lost(&mut self, fragment: &Frame, ip_at: u32, reason: DropReason, copy: bool) {
        let plan = self.plans.get(fragment.meta().port.index());
        // What was cut out of a tunnel's packet is no frame.
        let is_frame = plan.is_some_and(|plan| ip_at as usize >= link_header(plan.link));
        if let Some(shown) = self.shown.as_mut().filter(|_| is_frame) {
            shown.show(fragment, if copy { Fate::Spared(reason) } else { Fate::Dropped(reason) });
        }
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        let _ = self.raised.try_push(anomaly); // the first say it all
    }

    fn timed_out(&mut self, first: Frame, at: Place) {
        let _ = self.late.try_push((first, at)); // one too many goes untold
    }
}

/// Bytes that stand before every IP packet of a link at least.
const fn link_header(link: LinkType) -> usize {
    match link {
        LinkType::Ethernet => ethernet::HEADER_LEN,
        _ => 0,
    }
}

/// Whether the other port takes the frame's packet whole, by the frame's length alone.
fn fits(frame: &Frame, plan: &PortPlan) -> bool {
    frame.len() <= usize::from(plan.peer_mtu) + link_header(plan.link)
}

impl Lane {
    /// A frame of a pair for which only fragments are put together: one that is no fragment and fits the other port goes
    /// out as it came, unexamined.
    pub(super) fn whole_or_piece(
        &mut self,
        frame: Frame,
        decoded: &mut Decoded,
        plan: &PortPlan,
        give: Give<'_>,
    ) {
        let meta = frame.meta();
        self.clock = self.clock.max(meta.clock);
        let fits = fits(&frame, plan);
        let piece = is_piece(&frame, plan);
        if fits && piece == Some(false) {
            return self.exits.send(frame, plan.peer);
        }
        self.set_near(self.number(&meta));
        self.position = self.number(&meta);
        decode(frame.view(&mut self.scratch), plan.link, &self.tunnels, decoded);
        match decoded.invalid {
            // It would be no piece of anything; what is whole is not ours to judge.
            Some(reason) if piece == Some(true) => self.settle(frame, decoded, plan, Verdict::Drop(reason)),
            _ if decoded.is_fragment() => self.fragment(frame, decoded, plan, give),
            _ => self.settle(frame, decoded, plan, Verdict::Forward),
        }
    }

    /// One piece of a datagram. What stays in the line in tap mode is the piece itself; reassembly gets a share of it.
    pub(super) fn fragment(&mut self, frame: Frame, decoded: &mut Decoded, plan: &PortPlan, give: Give<'_>) {
        let old = self.plan_of_old(frame.meta().port, decoded, plan);
        let plan = old.as_ref().unwrap_or(plan);
        let verdict = self.judge(&frame, decoded, plan, Cause::Packet);
        if plan.mode.acts() && verdict.is_drop() {
            return self.settle(frame, decoded, plan, verdict);
        }
        self.witness(&frame, Fate::Piece);
        let piece = match plan.mode {
            Mode::Tap => {
                let (share, port) = (frame.share(), frame.meta().port);
                self.exits.send(frame, plan.peer);
                match share {
                    Some(share) => {
                        self.ledger.generated.add(1);
                        share
                    }
                    None => return self.ledger.count_spared(DropReason::NoBuffer, Some(port)),
                }
            }
            Mode::Ips | Mode::Ids | Mode::Reassemble => frame,
        };
        let mut sink = FragmentSink::new(&self.ledger, &self.plans);
        sink.copies = old.map(|old| !old.mode.acts());
        sink.shown = Shown::to(&mut self.watches, &mut self.scratch, self.near);
        let meta = piece.meta();
        let outcome = self.fragments.push(piece, decoded, self.clock, self.allocator.as_mut(), &mut sink);
        // Most fragments say nothing: then nothing is moved about.
        let quiet = sink.raised.is_empty() && sink.late.is_empty();
        let said = if quiet { None } else { Some((sink.raised, sink.late)) };
        self.count_fragments();
        if let Some((raised, late)) = said {
            if !raised.is_empty() {
                let (number, inline) = (self.number(&meta), plan.mode == Mode::Ips);
                let of =
                    Subject { bytes: &[], meta: &meta, number, inline, cause: Cause::Packet, frame: None };
                self.raised(&of, decoded, &raised);
            }
            self.tell_late(late);
        }
        match outcome {
            defrag::Outcome::Held => {}
            defrag::Outcome::Complete(datagram) if old.is_some() => self.rebuilt_of_old(datagram, plan),
            // What is whole and fits is not looked at.
            defrag::Outcome::Complete(datagram) if plan.mode == Mode::Reassemble && fits(&datagram, plan) => {
                self.exits.send(datagram, plan.peer);
            }
            defrag::Outcome::Complete(datagram) => self.rebuilt(datagram, plan, give),
            defrag::Outcome::Dropped(reason, piece) => self.drop_piece(piece, decoded, plan, reason),
            defrag::Outcome::GivenUp(reason) => {
                self.remember_drop(&meta, decoded, reason, !plan.mode.acts());
            }
        }
    }

    /// A piece of a datagram within a tunnel: reassembly gets a copy, what carries it goes its own way. The datagram that it
    /// completed, or why it belongs to none.
    pub(super) fn inner_piece(
        &mut self,
        subject: &Subject<'_>,
        piece: &mut Decoded,
    ) -> Result<Option<Frame>, DropReason> {
        let range = cut_out(piece).ok_or(DropReason::FragmentInvalid)?;
        let bytes = subject.bytes.get(range).unwrap_or_default();
        let mut copy = self.allocator.allocate(bytes).ok_or(DropReason::NoBuffer)?;
        copy.set_meta(*subject.meta);
        self.ledger.generated.add(1);
        let mut sink = FragmentSink { inner: true, ..FragmentSink::new(&self.ledger, &self.plans) };
        let outcome = self.fragments.push(copy, piece, self.clock, self.allocator.as_mut(), &mut sink);
        let raised = sink.raised;
        self.count_fragments();
        if !raised.is_empty() {
            self.raised(subject, piece, &raised);
        }
        match outcome {
            defrag::Outcome::Held => Ok(None),
            defrag::Outcome::Complete(datagram) => Ok(Some(datagram)),
            defrag::Outcome::Dropped(reason, _copy) => {
                self.ledger.consumed.add(1);
                Err(reason)
            }
            // What carries it would complete at its receiver what nobody looked into.
            defrag::Outcome::GivenUp(reason) => Err(reason),
        }
    }

    /// Gives up datagrams whose time is over, at most so many.
    pub(super) fn expire_fragments(&mut self, now: Time, budget: usize) {
        let mut sink = FragmentSink::new(&self.ledger, &self.plans);
        sink.shown = Shown::to(&mut self.watches, &mut self.scratch, self.near);
        let done = self.fragments.expire(now, budget, &mut sink);
        let late = sink.late;
        if done > 0 {
            self.count_fragments();
            self.tell_late(late);
        }
    }

    /// Drops what is held of datagrams: the appliance stops.
    pub(super) fn drop_fragments(&mut self) {
        let mut sink = FragmentSink::new(&self.ledger, &self.plans);
        sink.shown = Shown::to(&mut self.watches, &mut self.scratch, self.near);
        self.fragments.drop_all(DropReason::Shutdown, &mut sink);
        self.count_fragments();
    }

    fn tell_late(&mut self, late: ArrayVec<(Frame, Place), MAX_TOLD>) {
        for (first, at) in late {
            if let Some(plan) = self.plan(first.meta().port) {
                self.tell(&first, at, &plan, IcmpError::ReassemblyTime);
            }
        }
    }

    /// Brings the reassembler's numbers into the ledger.
    fn count_fragments(&mut self) {
        let (now, seen) = (self.fragments.counters, &mut self.fragments_seen);
        self.ledger.merged.add(now.merged - seen.merged);
        self.ledger.generated.add(now.generated - seen.generated);
        *seen = now;
        self.count_held();
    }
}
