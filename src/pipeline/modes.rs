//! The modes of ports, changed while traffic flows: management writes them, each worker takes them over between two turns.
//!
//! What a change owes: no frame is lost by it. Frames in rings and bursts meet the new mode when they are judged. A frame that
//! a plugin holds ends by the mode in force when it is let go. A datagram of which a worker has taken fragments goes on under
//! the mode that it began in, uninspected once whole, until it is complete or its time is over.

use super::lane::Lane;
use super::padded::Padded;
use super::settings::{MAX_PORTS, Mode, PortPlan};
use crate::base::{PortId, Time};
use crate::decode::Decoded;
use crate::io::Frame;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// On the board.
#[derive(Debug)]
pub struct Modes {
    /// Grows with each change.
    change: Padded<AtomicU32>,
    of: [AtomicU8; MAX_PORTS],
    /// By worker: the change that it has taken over.
    taken: Vec<Padded<AtomicU32>>,
}

impl Modes {
    pub(super) fn new(workers: usize) -> Modes {
        Modes {
            change: Padded::default(),
            of: std::array::from_fn(|_| AtomicU8::new(Mode::Tap as u8)),
            taken: (0..workers).map(|_| Padded::default()).collect(),
        }
    }

    /// What the lanes start with.
    pub(super) fn begin(&self, plans: &[PortPlan]) {
        for (mode, plan) in self.of.iter().zip(plans) {
            mode.store(plan.mode as u8, Ordering::Relaxed);
        }
    }

    pub fn of(&self, port: PortId) -> Mode {
        let mode = self.of.get(port.index()).map(|mode| mode.load(Ordering::Relaxed));
        mode.and_then(Mode::from_number).unwrap_or_default()
    }

    /// One change, of some ports. One caller at a time.
    pub fn set(&self, ports: &[PortId], mode: Mode) {
        for of in ports.iter().filter_map(|port| self.of.get(port.index())) {
            of.store(mode as u8, Ordering::Relaxed);
        }
        self.change.0.fetch_add(1, Ordering::Release);
    }

    /// The first worker that has not taken over the newest change.
    pub fn behind(&self) -> Option<usize> {
        let newest = self.change.0.load(Ordering::Acquire);
        self.taken.iter().position(|taken| taken.0.load(Ordering::Acquire) != newest)
    }
}

/// A lane's part: which change it has seen, and how datagrams of before are told.
#[derive(Debug)]
pub(super) struct Switched {
    seen: u32,
    /// By port, before the last change.
    before: [Mode; MAX_PORTS],
    /// Then no datagram of before is left.
    until: Time,
}

impl Default for Switched {
    fn default() -> Switched {
        Switched { seen: 0, before: [Mode::Tap; MAX_PORTS], until: Time::ZERO }
    }
}

impl Lane {
    /// Takes over what management changed, if it did. Once a turn.
    #[inline]
    pub fn take_modes(&mut self, modes: &Modes) {
        let change = modes.change.0.load(Ordering::Acquire);
        if change != self.switched.seen {
            self.switch(modes, change);
        }
    }

    #[cold]
    fn switch(&mut self, modes: &Modes, change: u32) {
        let now = modes.of.iter().map(|mode| Mode::from_number(mode.load(Ordering::Relaxed)));
        for ((plan, before), now) in self.plans.iter_mut().zip(&mut self.switched.before).zip(now) {
            // A port that did not change keeps what it was: its datagrams may be older than this change.
            if let Some(now) = now.filter(|now| *now != plan.mode) {
                *before = plan.mode;
                plan.mode = now;
            }
        }
        self.switched.seen = change;
        self.switched.until = self.clock.plus(self.fragments.timeout());
        if let Some(taken) = modes.taken.get(self.me) {
            taken.0.store(change, Ordering::Release);
        }
    }

    /// The plan under which a fragment's datagram began, where that is another than today's.
    #[inline]
    pub(super) fn plan_of_old(&self, port: PortId, decoded: &Decoded, plan: &PortPlan) -> Option<PortPlan> {
        if self.clock >= self.switched.until {
            return None;
        }
        let before = *self.switched.before.get(port.index())?;
        if before.acts() == plan.mode.acts() || !self.fragments.has_begun(decoded, !before.acts(), self.clock)
        {
            return None;
        }
        // Pieces of a copied datagram go on at once, as those before them did or should have.
        Some(PortPlan { mode: if before.acts() { Mode::Ips } else { Mode::Tap }, ..*plan })
    }

    /// A datagram that is not to be looked at is whole: one that began under another mode, or that no worker has room for.
    pub(super) fn rebuilt_of_old(&mut self, datagram: Frame, plan: &PortPlan) {
        if !plan.mode.acts() {
            return self.ledger.consumed.add(1); // a copy: its pieces are gone
        }
        let Some(mut decoded) = self.rebuilt.take() else {
            let port = Some(datagram.meta().port);
            return self.ledger.count_drop(crate::base::DropReason::NoBuffer, port, 1);
        };
        crate::decode::decode(datagram.view(&mut self.scratch), plan.link, &self.tunnels, &mut decoded);
        self.settle_datagram(datagram, &decoded, plan, crate::base::Verdict::Forward);
        self.rebuilt = Some(decoded);
    }
}
