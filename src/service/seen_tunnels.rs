//! The tunnels whose packets a worker saw of late, so that the record of an inner session can say which one it was in.

use crate::base::{FixedMap, FlowTuple, LinkSet, Outer};

/// Tunnels remembered; beyond them the one that was silent longest is forgotten, and records of its sessions do without.
const CAPACITY: u32 = 4096;
const AGE: u32 = 0;

pub(super) struct SeenTunnels {
    /// By the inner tuples' number of it.
    outer: FixedMap<u64, Seen>,
    by_age: LinkSet,
    /// Of the packet before: most often the next one's too.
    latest: u64,
}

#[derive(Default)]
struct Seen(Option<Outer>);

impl SeenTunnels {
    pub(super) fn new(seed: u64) -> SeenTunnels {
        SeenTunnels { outer: FixedMap::new(CAPACITY, seed), by_age: LinkSet::new(1, CAPACITY), latest: 0 }
    }

    /// A packet with this number came in `outer`.
    #[inline]
    pub(super) fn see(&mut self, tunnel: u64, outer: &Outer) {
        if tunnel != self.latest {
            self.latest = tunnel;
            self.remember(tunnel, outer);
        }
    }

    fn remember(&mut self, tunnel: u64, outer: &Outer) {
        let hash = self.outer.hash(&tunnel);
        if let Some(slot) = self.outer.find(hash, &tunnel) {
            return self.by_age.push_back(AGE, slot);
        }
        if self.outer.len() == CAPACITY
            && let Some(oldest) = self.by_age.front(AGE)
        {
            self.by_age.remove(oldest);
            self.outer.remove(oldest);
        }
        if let Some(slot) = self.outer.insert(hash, tunnel) {
            *self.outer.value_mut(slot) = Seen(Some(*outer));
            self.by_age.push_back(AGE, slot);
        }
    }

    /// The packet around those of a session in so many tunnels: as the first of them came that is remembered.
    pub(super) fn around(&self, session: &FlowTuple, depth: u8) -> Option<Outer> {
        let slot = self.outer.find(self.outer.hash(&session.tunnel), &session.tunnel)?;
        self.outer.value(slot).0.filter(|outer| outer.depth == depth && depth > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TunnelKind;
    use crate::base::event::Cause;

    fn outer(number: u16) -> Outer {
        let tuple = FlowTuple { sport: number, ..FlowTuple::default() };
        Outer { tuple, cause: Cause::Packet, kind: TunnelKind::Vxlan, depth: 1 }
    }

    fn inner(tunnel: u64) -> FlowTuple {
        FlowTuple { tunnel, context: 5, ..FlowTuple::default() }
    }

    #[test]
    fn a_session_has_the_tunnel_of_its_context_and_depth() {
        let mut seen = SeenTunnels::new(7);
        seen.see(inner(1).tunnel, &outer(10));
        seen.see(inner(2).tunnel, &outer(20));
        seen.see(inner(1).tunnel, &outer(11));
        let port = |tunnel, depth| seen.around(&inner(tunnel), depth).map(|outer| outer.tuple.sport);
        assert_eq!((port(1, 1), port(2, 1), port(3, 1)), (Some(10), Some(20), None));
        assert_eq!((port(1, 0), port(1, 2)), (None, None), "another that has the same bits by chance");
    }

    #[test]
    fn the_one_that_was_silent_longest_is_forgotten_first() {
        let mut seen = SeenTunnels::new(7);
        for tunnel in (1..=u64::from(CAPACITY)).chain([1, u64::from(CAPACITY) + 1]) {
            seen.see(inner(tunnel).tunnel, &outer(1));
        }
        let known = |tunnel| seen.around(&inner(tunnel), 1).is_some();
        assert_eq!((known(1), known(2), known(3), known(u64::from(CAPACITY) + 1)), (true, false, true, true));
    }
}
