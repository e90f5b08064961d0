//! What management watches by itself: links of ports, and whether workers keep up.

use super::{Operator, lock};
use crate::base::DropReason;
use crate::mgmt::links::{Joined, LinkStep};
use crate::mgmt::overload::Said;
use crate::pipeline::Handle;

/// Names of ports whose link is down.
pub(super) fn links_down(handle: &Handle) -> Vec<String> {
    let down = handle.meters.iter().filter(|(_, meter)| meter.link_up() == Some(false));
    down.map(|(name, _)| name.clone()).collect()
}

impl Operator {
    /// Follows the links, and has the other port of a pair follow where that is wanted.
    pub fn turn_links(&self) {
        let (mut links, handle) = (lock(&self.links), self.handle());
        let now: Vec<_> = handle.meters.iter().map(|(_, meter)| meter.link_up()).collect();
        let place = |name: &String| handle.meters.iter().position(|(known, _)| known == name);
        let loaded = self.loaded();
        let pairs = loaded.config.pairs.iter().filter(|pair| pair.pass_link);
        let joined: Vec<_> = pairs
            .filter_map(|pair| match &pair.ports[..] {
                [a, b] => Some(Joined(place(a)?, place(b)?)),
                _ => None,
            })
            .collect();
        for step in links.look(&now, &joined) {
            let (LinkStep::Changed { port, up } | LinkStep::Set { port, up }) = step;
            let Some((name, meter)) = handle.meters.get(port) else { continue };
            let state = if up { "up" } else { "down" };
            match step {
                LinkStep::Changed { .. } => tracing::warn!("port {name}: the link is {state}"),
                LinkStep::Set { .. } if meter.set_link(up) => {
                    tracing::warn!("port {name}: link taken {state}, as the pair\'s other link is");
                }
                LinkStep::Set { .. } => {
                    tracing::warn!(
                        "port {name}: its driver cannot take the link {state}; pair.pass-link does nothing here"
                    );
                }
            }
        }
    }

    /// Links that are down because of us come back: the appliance ends.
    pub fn release_links(&self) {
        let (mut links, handle) = (lock(&self.links), self.handle());
        for (_, meter) in links.release().into_iter().filter_map(|port| handle.meters.get(port)) {
            meter.set_link(true);
        }
    }

    /// Says when the main lcore begins to drop for full rings, and when that is over.
    pub fn turn_overload(&self) {
        let now = self.now();
        let reasons = [DropReason::RingFull, DropReason::HandoverFull];
        let handle = self.handle();
        let lcore = |ledger: &crate::pipeline::Ledger| {
            reasons.map(|reason| ledger.dropped(reason)).iter().sum::<u64>()
        };
        let dropped = handle.ledgers.iter().map(|ledger| lcore(ledger)).sum();
        drop(handle);
        match lock(&self.overload).look(dropped, now) {
            Some(Said::Begun) => tracing::warn!(
                "overload: workers do not keep up, frames are dropped for full rings (ring_full, handover_full); see `weir ctl lcores`"
            ),
            Some(Said::Over { frames, span }) => {
                tracing::warn!("overload: over; {frames} frames were dropped in {:.1} s", span.as_secs_f64());
            }
            None => {}
        }
    }
}
