//! Frames that a plugin holds: into the table, out of it by a decision, a timeout or the holder's end; and what plugins
//! emit.

use super::lane::Lane;
use super::settings::{Mode, PortPlan};
use super::watch::Fate;
use crate::base::event::Cause;
use crate::base::{Dir, DropReason, Verdict};
use crate::decode::{Decoded, decode};
use crate::io::Frame;
use crate::service::hold::{Held, Holding};
use crate::service::outbox::{Blame, Decision};
use crate::service::set::OnFault;
use crate::service::trace::Step;
use crate::service::{Passage, SessionAt, Subject};
use crate::session::{SessionId, Settled, Tracked};

/// Where a held packet goes on: session, direction, place in the order, and what TCP tracking had found.
type GoesOn = (SessionId, Dir, u8, Option<Tracked>);

impl Lane {
    /// The end, for now, of a frame that a plugin wants held.
    #[cold]
    pub(super) fn hold(&mut self, frame: Frame, decoded: &Decoded, plan: &PortPlan) {
        let Some(on) = self.holding.take().filter(|_| plan.mode == Mode::Ips) else {
            return self.settle(frame, decoded, plan, Verdict::Forward);
        };
        let session = on.session;
        self.witness(&frame, Fate::Held);
        match self.services.held.hold(frame, on, self.clock) {
            Ok(_) => {
                if let Some(session) = self.sessions.get(session) {
                    self.services.count_held(session);
                }
                self.count_held();
            }
            // The walk looked whether there is room.
            Err(frame) => self.settle(frame, decoded, plan, Verdict::Drop(DropReason::HoldCap)),
        }
    }

    /// Does what plugins asked for: frames of their own leave, held ones go on.
    #[cold]
    pub(super) fn serve_outbox(&mut self) {
        // A change that belongs to no frame that leaves.
        self.services.outbox.edits.clear();
        while !self.services.outbox.is_empty() {
            while let Some((frame, port)) = self.services.outbox.emissions.pop_at(0) {
                self.ledger.generated.add(1);
                self.exits.send(frame, Some(port));
            }
            // In the order in which they were asked for: a session's frames stay in theirs. What goes on may ask for more.
            if let Some((ticket, decision)) = self.services.outbox.releases.pop_at(0)
                && let Some(held) = self.services.held.take(ticket)
            {
                self.release(held, decision);
            }
        }
    }

    /// Time goes on with a packet: whose is over by then does not wait for what that brings.
    #[inline]
    pub(super) fn end_holds(&mut self) {
        if !self.services.held.is_empty() {
            self.release_due();
        }
    }

    /// Frames whose time is over, and those whose holder was taken out. How many there may be is bounded by the table.
    pub(super) fn release_due(&mut self) {
        while let Some((held, decision)) = self.services.held.expire(self.clock) {
            self.release(held, decision);
        }
        while let Some((plugin, fault)) = self.services.taken_out() {
            self.report.plugin_out(plugin, fault, crate::base::WorkerId(self.me as u8), self.clock);
            while let Some(held) = self.services.held.take_where(|held| held.plugin == plugin) {
                let on_fault = self.sessions.get(held.session).map(|s| self.services.on_fault(s));
                let decision = match on_fault {
                    Some(OnFault::Drop) => Decision::Discard(DropReason::PluginOut),
                    Some(OnFault::Skip) | None => Decision::Forward,
                };
                self.release(held, decision);
            }
        }
    }

    /// The rest of a held frame's way.
    fn release(&mut self, held: Held, decision: Decision) {
        self.count_held();
        let Held { frame, session, dir, next, tracked, edits, plugin, .. } = held;
        let (Some(plan), Some(mut decoded)) = (self.plan(frame.meta().port), self.rebuilt.take()) else {
            return self.ledger.count_drop(DropReason::NoBuffer, Some(frame.meta().port), 1);
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        decode(frame.view(&mut scratch), plan.link, &self.tunnels, &mut decoded);
        if let Some(session) = self.sessions.get(session) {
            self.services.count_released(session);
        }
        let (meta, length) = (frame.meta(), frame.len());
        self.scratch = scratch;
        self.begin_trace(&frame, Some(Step::Released));
        let mut scratch = std::mem::take(&mut self.scratch);
        self.services.outbox.forget_packet();
        // Those behind the holder may add to them.
        self.services.outbox.edits = edits;
        let verdict = match decision {
            Decision::Discard(reason) => {
                self.services.outbox.blame = Blame { plugin: Some(plugin), rule: None };
                Verdict::Drop(reason)
            }
            Decision::Forward => {
                let bytes = frame.view(&mut scratch);
                let (meta, number) = (frame.meta(), self.number(&frame.meta()));
                let frame = Some(&frame);
                let subject =
                    Subject { bytes, meta: &meta, number, inline: true, cause: Cause::Packet, frame };
                self.go_on(&subject, &mut decoded, (session, dir, next, tracked))
            }
        };
        self.scratch = scratch;
        self.blame = match verdict {
            Verdict::Drop(_) => std::mem::take(&mut self.services.outbox.blame),
            _ => Blame::default(),
        };
        if !self.services.outbox.ip_actions.is_empty() {
            self.begin_ip_actions(frame.meta().port, &decoded);
        }
        let frame = self.edited(frame, &decoded, &plan, verdict);
        self.settle_datagram(frame, &decoded, &plan, verdict);
        self.end_trace(&meta, &decoded.tuple, length);
        self.rebuilt = Some(decoded);
    }

    fn go_on(&mut self, subject: &Subject<'_>, decoded: &mut Decoded, from: GoesOn) -> Verdict {
        let (id, dir, next, tracked) = from;
        let (sessions, services, outside) = self.serving(subject.number);
        let Some(session) = sessions.get_mut(id) else {
            return Verdict::Drop(DropReason::HoldSessionEnded);
        };
        // Meanwhile another packet may have been the session's last.
        if let Settled::Drop(reason) = session.settled {
            return Verdict::Drop(reason);
        }
        let packet = subject.packet(decoded, tracked.as_ref());
        match services.packet(SessionAt { id, session }, packet, dir, next, outside) {
            Passage::Forward => Verdict::Forward,
            Passage::Drop(reason) | Passage::Refused(reason) => Verdict::Drop(reason),
            Passage::Hold { plugin, next } => {
                let edits = std::mem::take(&mut services.outbox.edits);
                self.holding = Some(Holding { session: id, dir, plugin, next, tracked, edits });
                Verdict::Hold
            }
        }
    }

    /// At the end nothing stays held.
    pub(super) fn drop_held(&mut self) {
        while let Some(held) = self.services.held.take_where(|_| true) {
            self.release(held, Decision::Discard(DropReason::Shutdown));
        }
        self.count_held();
    }
}
