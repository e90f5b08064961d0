//! A burst's packets before their turn: decoded, and what they will look up on its way into the cache.

use super::lane::{Give, Lane};
use super::settings::{Mode, PortPlan};
use crate::decode::{Decoded, decode, decode_inner};
use crate::io::{BURST, Burst};

/// The packets that a burst's frames carry in their first tunnel, decoded before the frames' turn.
pub(super) struct Ahead {
    /// By the frame's place in the burst.
    inner: Box<[Box<Decoded>]>,
    /// The place of the frame at hand, until its inner packet is taken.
    turn: Option<usize>,
}

impl Default for Ahead {
    fn default() -> Ahead {
        Ahead { inner: (0..BURST).map(|_| Box::default()).collect(), turn: None }
    }
}

impl Ahead {
    /// Puts the inner packet of the frame at hand into `inner`; false where it has to be decoded now.
    #[inline]
    pub(super) fn take(&mut self, inner: &mut Box<Decoded>) -> bool {
        let ready = self.turn.take().and_then(|place| self.inner.get_mut(place));
        ready.map(|ready| std::mem::swap(ready, inner)).is_some()
    }
}

/// Places in a burst, a bit each.
type Places = u32;
const _: () = assert!(BURST <= Places::BITS as usize);

/// Whether a burst's frames are decoded before the first is looked up.
pub(super) fn looks_ahead(plan: &PortPlan) -> bool {
    plan.inspect && plan.mode != Mode::Reassemble
}

impl Lane {
    /// A burst of frames: all are decoded before the first is looked up, so that the table's lines are on their way.
    pub fn burst(&mut self, burst: &mut Burst, give: Give<'_>) {
        let mut decoded = std::mem::take(&mut self.decoded);
        let carriers = self.decode_ahead(burst, &mut decoded);
        let inner = self.ahead.inner.iter().enumerate();
        let inner =
            || inner.clone().filter(|(place, _)| carriers >> place & 1 == 1).map(|(_, inner)| &**inner);
        let packets = || decoded.iter().take(burst.len()).chain(inner());
        packets().for_each(|packet| self.sessions.prefetch_session(packet));
        for session in packets().filter_map(|packet| self.sessions.likely(packet)) {
            self.services.prefetch(session);
        }
        for (place, (frame, decoded)) in burst.drain(..).zip(&mut decoded).enumerate() {
            self.ahead.turn = (carriers >> place & 1 == 1).then_some(place);
            self.decoded_frame(frame, decoded, give);
        }
        self.ahead.turn = None;
        self.decoded = decoded;
    }

    /// Which frames carry another packet that is decoded, too.
    #[inline]
    fn decode_ahead(&mut self, burst: &Burst, decoded: &mut [Decoded]) -> Places {
        let mut carriers = 0;
        let places = decoded.iter_mut().zip(&mut self.ahead.inner).enumerate();
        for (frame, (place, (decoded, inner))) in burst.iter().zip(places) {
            let plan = self.plans.get(frame.meta().port.index()).filter(|plan| looks_ahead(plan));
            let Some(plan) = plan else { continue };
            let bytes = frame.view(&mut self.scratch);
            decode(bytes, plan.link, &self.tunnels, decoded);
            self.sessions.prefetch(decoded);
            if let Some(found) = &decoded.inner {
                decode_inner(bytes, found, decoded.layers, &self.tunnels, inner);
                self.sessions.prefetch(inner);
                carriers |= 1 << place;
            }
        }
        carriers
    }
}
